//! What an action left undone that ended after its version was deployed, and what it had done.

use std::collections::BTreeMap;
use std::future::pending;

use super::{ActionError, Done, Helm, Options, Run, Target, deployed};
use crate::parse::{self, Limits};
use crate::release::model::Release;
use crate::release::status::Status;

/// How the description of a version begins that [`Helm::unlock`] has ended.
pub(super) const UNLOCKED: &str = "Release unlocked from stale";

impl Helm {
    /// Marks the deployed versions before the newest as superseded where the newest is deployed, as the
    /// action that made it does at its end.
    ///
    /// [`Done::release`] is the newest version. [`Done::snapshots`] has it, and each of `versions` that
    /// is there, as they are then.
    pub async fn settle(&self, target: &Target, versions: &[i64]) -> Done {
        let options = Options::default();
        let mut run = Run::new(self, target, &options, pending());
        let result = run.settle(versions).await;
        run.end(result)
    }
}

impl Run<'_> {
    async fn settle(&mut self, versions: &[i64]) -> Result<(), ActionError> {
        let (storage, name) = (&self.helm.storage, &self.target.name);
        let records = storage.records(name).await?;
        let (newest, earlier) = records.split_last().ok_or(ActionError::NotFound)?;
        let newest = storage.get(name, newest.version).await?;
        let newest = newest.ok_or(ActionError::NotFound)?;
        let mut known = Vec::new();
        for record in earlier.iter().filter(|one| versions.contains(&one.version)) {
            known.extend(storage.get(name, record.version).await?);
        }
        known.iter().for_each(|release| self.observe(release));
        self.observe(&newest);
        if newest.info.status == Status::Deployed {
            self.supersede(deployed(earlier), known).await?;
        }
        self.done.release = Some(newest);
        Ok(())
    }
}

impl Release {
    /// Tells whether every object of it has these labels; of none it cannot be told.
    pub fn has_labels(&self, labels: &BTreeMap<String, String>) -> bool {
        let objects = parse::with_duplicates([self.manifest.as_str().into()], &Limits::default());
        let has = |object: &crate::object::Object| {
            let mut labels = labels.iter();
            labels.all(|(key, value)| object.label(key) == Some(value))
        };
        objects.is_ok_and(|objects| !objects.is_empty() && objects.iter().all(has))
    }

    /// Tells whether its action was broken off, and [`Helm::unlock`] has ended it.
    pub fn was_unlocked(&self) -> bool {
        self.info.status == Status::Failed && self.info.description.starts_with(UNLOCKED)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_looked_for_on_every_object() {
        let labels = BTreeMap::from([("a".to_owned(), "1".to_owned())]);
        let of = |manifest: &str| Release {
            manifest: manifest.to_owned(),
            ..Release::default()
        };
        let (with, without) = (
            "---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: x, labels: {a: \"1\"}}\n",
            "---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: y}\n",
        );
        assert!(of(with).has_labels(&labels));
        assert!(!of(&format!("{with}{without}")).has_labels(&labels));
        assert!(!of("").has_labels(&labels), "nothing tells");
        assert!(!of(": {").has_labels(&labels));
    }
}
