//! Reading what others wrote: an empty text is an absent one, as in Go, and a status field of the
//! wrong type costs that field, not the object.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};

/// An optional text, of which absent, null and empty are the same.
pub(crate) mod optional {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub(crate) fn deserialize<'de, D, T>(deserializer: D) -> Result<Option<T>, D::Error>
    where
        D: Deserializer<'de>,
        T: From<String>,
    {
        let text = Option::<String>::deserialize(deserializer)?;
        Ok(text.filter(|text| !text.is_empty()).map(T::from))
    }

    pub(crate) fn serialize<S, T>(text: &Option<T>, serializer: S) -> Result<S::Ok, S::Error>
    where
        S: Serializer,
        T: Serialize,
    {
        text.serialize(serializer)
    }
}

/// Leaves `false` out.
#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde passes a reference"
)]
pub(crate) fn is_false(value: &bool) -> bool {
    !value
}

/// Tells serde to leave out a field, as Go's `omitempty` does.
#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde passes a reference"
)]
pub(crate) fn is_zero(value: &i64) -> bool {
    *value == 0
}

/// A status, of which each field can be read for itself.
pub trait StatusFields: DeserializeOwned + Default {
    /// Returns the names of the fields that could not be read.
    ///
    /// What acts on a field must look here first: an inventory that could not be read is not an
    /// empty one.
    fn unreadable(&self) -> &[String];

    /// Sets the names of the fields that could not be read.
    fn set_unreadable(&mut self, names: Vec<String>);
}

/// Reads a status; fields that have the wrong type are left out and named in
/// [`StatusFields::unreadable`].
pub(crate) fn status<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: StatusFields,
{
    let value = Value::deserialize(deserializer)?;
    if value.is_null() {
        return Ok(T::default());
    }
    Ok(T::deserialize(&value).unwrap_or_else(|_| field_by_field(value)))
}

fn field_by_field<T: StatusFields>(value: Value) -> T {
    let Value::Object(fields) = value else {
        return whole_unreadable();
    };
    let mut unreadable = Vec::new();
    let mut readable = Map::new();
    for (name, field) in fields {
        let alone = Value::Object(Map::from_iter([(name.clone(), field)]));
        match (T::deserialize(&alone), alone) {
            (Ok(_), Value::Object(field)) => readable.extend(field),
            _ => unreadable.push(name),
        }
    }
    match T::deserialize(Value::Object(readable)) {
        Ok(mut status) => {
            status.set_unreadable(unreadable);
            status
        }
        Err(_) => whole_unreadable(),
    }
}

fn whole_unreadable<T: StatusFields>() -> T {
    let mut status = T::default();
    status.set_unreadable(vec!["status".to_owned()]);
    status
}

#[cfg(test)]
mod tests {
    use kube::core::DeserializeGuard;
    use serde_json::{Value, json};

    use super::StatusFields as _;
    use crate::kustomize::{Kustomization, SourceKind};
    use crate::source::GitRepository;

    fn kustomization(status: Value) -> Kustomization {
        let object = json!({
            "apiVersion": "kustomize.toolkit.fluxcd.io/v1",
            "kind": "Kustomization",
            "metadata": { "name": "web", "namespace": "flux-system" },
            "spec": {
                "interval": "1m",
                "prune": true,
                "sourceRef": { "kind": "GitRepository", "name": "web" },
            },
            "status": status,
        });
        let guard: DeserializeGuard<Kustomization> =
            serde_json::from_value(object).expect("a guard never fails");
        guard.0.expect("the object is read")
    }

    #[test]
    fn a_status_field_of_the_wrong_type_costs_that_field_alone() {
        let read = kustomization(json!({
            "observedGeneration": 3,
            "inventory": "none of your business",
            "lastAppliedRevision": "main@sha1:1f0c",
            "conditions": 5,
            "fromTheFuture": { "a": 1 },
        }));
        assert_eq!(read.status.observed_generation, 3);
        assert_eq!(
            read.status.last_applied_revision.as_deref(),
            Some("main@sha1:1f0c")
        );
        assert_eq!(read.status.inventory, None);
        assert_eq!(read.status.unreadable(), ["conditions", "inventory"]);
    }

    #[test]
    fn a_status_that_is_no_object_is_unreadable_as_a_whole() {
        assert_eq!(kustomization(json!("gone")).status.unreadable(), ["status"]);
        assert_eq!(kustomization(json!(null)).status.unreadable(), [""; 0]);
        assert_eq!(kustomization(json!(null)).status.observed_generation, -1);
        assert_eq!(kustomization(json!({})).status.observed_generation, 0);
    }

    #[test]
    fn values_from_a_newer_version_are_kept() -> Result<(), serde_json::Error> {
        let object = json!({
            "metadata": { "name": "web" },
            "spec": {
                "interval": "99999999999h",
                "prune": true,
                "deletionPolicy": "Recycle",
                "path": "",
                "sourceRef": { "kind": "Ark", "name": "web" },
                "fromTheFuture": true,
            },
        });
        let read: Kustomization = serde_json::from_value(object)?;
        assert_eq!(
            read.spec.source_ref.kind,
            SourceKind::Other("Ark".to_owned())
        );
        assert_eq!(read.spec.deletion_policy().as_str(), "Recycle");
        assert_eq!(read.spec.path, None, "an empty text is an absent one");
        let error = read.spec.interval().err().map(|error| crate::chain(&error));
        assert_eq!(
            error.as_deref(),
            Some(
                "failed to read `spec.interval`: duration `99999999999h` is longer than \
                 2562047h47m16s"
            )
        );
        Ok(())
    }

    #[test]
    fn a_spec_of_the_wrong_type_is_an_error_with_metadata() {
        let object = json!({
            "apiVersion": "source.toolkit.fluxcd.io/v1",
            "kind": "GitRepository",
            "metadata": { "name": "web", "generation": 4 },
            "spec": { "interval": 60, "url": "https://example.com/web" },
        });
        let guard: DeserializeGuard<GitRepository> =
            serde_json::from_value(object).expect("a guard never fails");
        let invalid = guard.0.expect_err("the interval is a number");
        assert_eq!(invalid.metadata.generation, Some(4));
        assert!(invalid.error.contains("a string"), "{}", invalid.error);
    }
}
