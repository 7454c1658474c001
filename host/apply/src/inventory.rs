//! What a delivery has put into its target: the objects, each with the version of its API. The
//! record that pruning goes by, and nothing is pruned that is not in it.

use std::collections::BTreeMap;

use bulkhead_api::ObjectId;
use bulkhead_api::object::ObjectIdError;

/// The largest inventory that goes into a status: more would not fit into etcd's 1.5 MiB.
pub const MAX_INVENTORY_BYTES: usize = 1024 * 1024;

/// The objects of a delivery, in a stable order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Inventory {
    entries: BTreeMap<ObjectId, String>,
}

impl Inventory {
    /// Returns an inventory without objects.
    pub fn new() -> Self {
        Self::default()
    }

    /// Reads `status.inventory.entries`: pairs of id and version.
    ///
    /// # Errors
    /// The first id that is none. Nothing may be pruned by such an inventory.
    pub fn from_entries<'a>(
        entries: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Result<Self, ObjectIdError> {
        let entries = entries
            .into_iter()
            .map(|(id, version)| Ok((id.parse()?, version.to_owned())));
        Ok(Self {
            entries: entries.collect::<Result<_, _>>()?,
        })
    }

    /// Writes `status.inventory.entries`: pairs of id and version.
    pub fn to_entries(&self) -> Vec<(String, String)> {
        let entries = self.entries.iter();
        entries
            .map(|(id, version)| (id.to_string(), version.clone()))
            .collect()
    }

    /// Returns how many bytes its entries take in a status, as JSON.
    pub fn bytes(&self) -> usize {
        let frame = r#"{"id":"","v":""},"#.len();
        let entries = self.entries.iter();
        entries
            .map(|(id, version)| id.to_string().len() + version.len() + frame)
            .sum()
    }

    /// Returns how many objects it has.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether it has no objects.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Whether the object is in it.
    pub fn contains(&self, id: &ObjectId) -> bool {
        self.entries.contains_key(id)
    }

    /// Returns the version that the object was applied with.
    pub fn version(&self, id: &ObjectId) -> Option<&str> {
        self.entries.get(id).map(String::as_str)
    }

    /// Returns the objects with the versions of their APIs.
    pub fn iter(&self) -> impl Iterator<Item = (&ObjectId, &str)> {
        self.entries
            .iter()
            .map(|(id, version)| (id, version.as_str()))
    }

    /// Adds an object, or changes its version.
    pub fn insert(&mut self, id: ObjectId, version: impl Into<String>) {
        self.entries.insert(id, version.into());
    }

    /// Takes an object out.
    pub fn remove(&mut self, id: &ObjectId) {
        self.entries.remove(id);
    }

    /// Returns both; where both have an object, with the version of `other`.
    #[must_use]
    pub fn union(&self, other: &Self) -> Self {
        let mut union = self.clone();
        union.entries.extend(other.entries.clone());
        union
    }
}

impl FromIterator<(ObjectId, String)> for Inventory {
    fn from_iter<T: IntoIterator<Item = (ObjectId, String)>>(entries: T) -> Self {
        Self {
            entries: entries.into_iter().collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_read_back_in_a_stable_order() {
        let entries = [("dev_web_apps_Deployment", "v1"), ("_dev__Namespace", "v1")];
        let inventory = Inventory::from_entries(entries).expect("valid");
        let written = inventory.to_entries();
        assert_eq!(written[0], ("_dev__Namespace".into(), "v1".into()));
        assert_eq!(written[1], ("dev_web_apps_Deployment".into(), "v1".into()));
        let json =
            r#"{"id":"_dev__Namespace","v":"v1"},{"id":"dev_web_apps_Deployment","v":"v1"},"#;
        assert_eq!(inventory.bytes(), json.len());
        assert!(Inventory::from_entries([("nonsense", "v1")]).is_err());
    }
}
