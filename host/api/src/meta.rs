//! What the kinds share: references, artifacts, inventories, histories, requests by annotation.

use std::collections::BTreeMap;
use std::fmt;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, Time};
use serde::{Deserialize, Serialize};

pub use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;

use crate::duration::GoDuration;
use crate::lenient::optional;
use crate::names::annotation;
use crate::object::{ObjectId, ObjectIdError};

/// Names an object in the same namespace.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LocalObjectReference {
    /// Name.
    pub name: String,
}

/// Names a Secret in the same namespace, and one of its keys.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SecretKeyReference {
    /// Name of the Secret.
    pub name: String,
    /// Key; what it defaults to depends on the field.
    #[serde(default, with = "optional", skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
}

/// Names another object of the same kind that must be ready first.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DependencyReference {
    /// Name.
    pub name: String,
    /// Namespace; that of the referring object when absent.
    #[serde(default, with = "optional", skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// CEL expression over `self` and `dep` that tells whether the dependency is ready.
    #[serde(default, with = "optional", skip_serializing_if = "Option::is_none")]
    pub ready_expr: Option<String>,
}

/// Names an object of any kind.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct NamespacedObjectKindReference {
    /// Group and version; the preferred one of the cluster when absent.
    #[serde(default, with = "optional", skip_serializing_if = "Option::is_none")]
    pub api_version: Option<String>,
    /// Kind.
    pub kind: String,
    /// Name.
    pub name: String,
    /// Namespace; that of the referring object when absent.
    #[serde(default, with = "optional", skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
}

/// Says how to reach another cluster: one of the two is set.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct KubeConfigReference {
    /// ConfigMap with provider, cluster, address, CA, audiences and service account.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub config_map_ref: Option<LocalObjectReference>,
    /// Secret with a kubeconfig; its key defaults to `value`, then `value.yaml`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret_ref: Option<SecretKeyReference>,
}

/// What a source last produced.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Artifact {
    /// Digest of the archive, `<algorithm>:<hex>`.
    pub digest: String,
    /// Path in the store: `<kind>/<namespace>/<name>/<file>`.
    pub path: String,
    /// Where consumers load it.
    pub url: String,
    /// Revision, in the form of [`crate::Revision`].
    pub revision: String,
    /// When it was last written.
    pub last_update_time: Time,
    /// Size of the archive in bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size: Option<i64>,
    /// What upstream says of it, as OCI annotations.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub metadata: BTreeMap<String, String>,
}

impl Artifact {
    /// Key of [`metadata`](Self::metadata) that holds the revision an OCI artifact was made from.
    pub const ORIGIN_REVISION: &'static str = "org.opencontainers.image.revision";

    /// Returns the revision that the artifact was made from, where upstream told it.
    pub fn origin_revision(&self) -> Option<&str> {
        self.metadata.get(Self::ORIGIN_REVISION).map(String::as_str)
    }
}

/// Objects that a Kustomization applied, or was about to apply.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Inventory {
    /// Objects, each once.
    pub entries: Vec<InventoryEntry>,
}

/// One object of an inventory.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct InventoryEntry {
    /// Identity, in the text form of [`ObjectId`]; kept as text, so that one entry that cannot be
    /// parsed does not make the others unreadable.
    pub id: String,
    /// Version of the object's API group: `v1`.
    pub v: String,
}

impl InventoryEntry {
    /// Names an object and the version it was applied with.
    pub fn new(id: &ObjectId, version: &str) -> Self {
        Self {
            id: id.to_string(),
            v: version.to_owned(),
        }
    }

    /// Parses the identity.
    ///
    /// # Errors
    /// [`ObjectIdError`] quotes the entry.
    pub fn object(&self) -> Result<ObjectId, ObjectIdError> {
        self.id.parse()
    }
}

/// One kind of outcome of a Kustomization: how often and when it was last the same.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Snapshot {
    /// Digest of the rendered objects, `<algorithm>:<hex>`.
    pub digest: String,
    /// When this outcome was first seen.
    pub first_reconciled: Time,
    /// When it was last seen.
    pub last_reconciled: Time,
    /// How long the last one took.
    pub last_reconciled_duration: GoDuration,
    /// Reason of the Ready condition.
    pub last_reconciled_status: String,
    /// How often it was seen.
    pub total_reconciliations: i64,
    /// Revision and origin revision.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub metadata: BTreeMap<String, String>,
}

/// What [`record`] adds to a history.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// Digest of the rendered objects, `<algorithm>:<hex>`.
    pub digest: String,
    /// Reason of the Ready condition.
    pub status: String,
    /// How long it took.
    pub duration: std::time::Duration,
    /// Revision and origin revision.
    pub metadata: BTreeMap<String, String>,
}

/// Most snapshots in a history.
pub const HISTORY_MAX: usize = 5;

/// Adds an outcome to a history, newest first; one with the same digest and status is counted on.
pub fn record(history: &mut Vec<Snapshot>, outcome: Outcome, now: Time) {
    let same = |old: &Snapshot| {
        old.digest == outcome.digest && old.last_reconciled_status == outcome.status
    };
    let old = history
        .iter()
        .position(same)
        .map(|index| history.remove(index));
    let snapshot = Snapshot {
        first_reconciled: old
            .as_ref()
            .map_or_else(|| now.clone(), |old| old.first_reconciled.clone()),
        total_reconciliations: old
            .map_or(0, |old| old.total_reconciliations)
            .saturating_add(1),
        digest: outcome.digest,
        last_reconciled: now,
        last_reconciled_duration: outcome.duration.into(),
        last_reconciled_status: outcome.status,
        metadata: outcome.metadata,
    };
    history.insert(0, snapshot);
    history.truncate(HISTORY_MAX);
}

/// Returns the value of the annotation that asks for a reconciliation.
pub fn requested_at(meta: &ObjectMeta) -> Option<&str> {
    meta.annotations
        .as_ref()?
        .get(annotation::RECONCILE_REQUESTED_AT)
        .map(String::as_str)
}

/// Tells whether a reconciliation was asked for that `last_handled` does not know.
pub fn is_requested(meta: &ObjectMeta, last_handled: Option<&str>) -> bool {
    requested_at(meta).is_some_and(|requested| Some(requested) != last_handled)
}

/// Returns a time cut to whole seconds, as Kubernetes writes times.
pub fn time(at: jiff::Timestamp) -> Time {
    Time(jiff::Timestamp::from_second(at.as_second()).unwrap_or(at))
}

impl fmt::Display for DependencyReference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.namespace {
            Some(namespace) => write!(f, "{namespace}/{}", self.name),
            None => f.write_str(&self.name),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(digest: &str, status: &str) -> Outcome {
        Outcome {
            digest: digest.to_owned(),
            status: status.to_owned(),
            duration: std::time::Duration::from_millis(1500),
            metadata: BTreeMap::new(),
        }
    }

    fn at(second: i64) -> Time {
        Time(jiff::Timestamp::from_second(second).unwrap_or_default())
    }

    #[test]
    fn history_counts_equal_outcomes_and_keeps_five() {
        let mut history = Vec::new();
        for (second, digest) in ["a", "b", "a", "c", "d", "e", "f"].into_iter().enumerate() {
            record(
                &mut history,
                outcome(digest, "ReconciliationSucceeded"),
                at(second as i64),
            );
        }
        let seen: Vec<_> = history
            .iter()
            .map(|s| (s.digest.as_str(), s.total_reconciliations))
            .collect();
        assert_eq!(seen, [("f", 1), ("e", 1), ("d", 1), ("c", 1), ("a", 2)]);
        assert_eq!(history[4].first_reconciled, at(0));
        assert_eq!(history[4].last_reconciled, at(2));
        record(&mut history, outcome("f", "BuildFailed"), at(9));
        assert_eq!(
            history[0].total_reconciliations, 1,
            "another status is another outcome"
        );
        assert_eq!(history[0].last_reconciled_duration.as_str(), "1.5s");
    }

    #[test]
    fn requests_are_compared_for_inequality_alone() {
        let mut meta = ObjectMeta::default();
        assert!(!is_requested(&meta, None));
        meta.annotations = Some(
            [(
                annotation::RECONCILE_REQUESTED_AT.to_owned(),
                "now".to_owned(),
            )]
            .into(),
        );
        assert!(is_requested(&meta, None));
        assert!(is_requested(&meta, Some("before")));
        assert!(!is_requested(&meta, Some("now")));
    }
}
