//! Events: what a reconciler reports, in the form that Flux's controllers post to each other.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use serde::{Deserialize, Serialize};

use crate::lenient::optional;
use crate::names::group;
use crate::text::text_enum;

/// Longest message, in characters.
pub const MESSAGE_MAX_CHARS: usize = 39_000;

/// Keys of [`Event::metadata`]; the engine writes them behind the object's API group and `/`.
pub mod key {
    /// Revision of the source's artifact.
    pub const REVISION: &str = "revision";
    /// Revision that the artifact was made from.
    pub const ORIGIN_REVISION: &str = "originRevision";
    /// Digest of the artifact.
    pub const DIGEST: &str = "digest";
    /// Old name of [`DIGEST`].
    pub const CHECKSUM: &str = "checksum";
    /// Sets apart two events that are otherwise equal.
    pub const TOKEN: &str = "token";
    /// Commit, from an annotation of the object.
    pub const COMMIT: &str = "commit";
    /// `update`: the event is for commit statuses alone.
    pub const COMMIT_STATUS: &str = "commit_status";
    /// Value of [`COMMIT_STATUS`].
    pub const COMMIT_STATUS_UPDATE: &str = "update";
    /// Pull request to comment on.
    pub const CHANGE_REQUEST: &str = "change_request";
    /// Text that people read first.
    pub const SUMMARY: &str = "summary";
}

text_enum! {
    /// How bad an event is.
    Severity {
        /// A detail: a Kubernetes Event of type Trace, never a message.
        Trace = "trace",
        /// A change.
        Info = "info",
        /// A failure.
        Error = "error",
    }
}

/// Names the object that an event is about.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct InvolvedObject {
    /// Kind.
    #[serde(default)]
    pub kind: String,
    /// Namespace.
    #[serde(default)]
    pub namespace: String,
    /// Name.
    #[serde(default)]
    pub name: String,
    /// UID.
    #[serde(default, with = "optional", skip_serializing_if = "Option::is_none")]
    pub uid: Option<String>,
    /// Group and version.
    #[serde(default, with = "optional", skip_serializing_if = "Option::is_none")]
    pub api_version: Option<String>,
    /// Resource version.
    #[serde(default, with = "optional", skip_serializing_if = "Option::is_none")]
    pub resource_version: Option<String>,
}

/// A report about one object.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Event {
    /// The object.
    pub involved_object: InvolvedObject,
    /// How bad it is.
    pub severity: Severity,
    /// When it happened.
    pub timestamp: Time,
    /// What happened, at most [`MESSAGE_MAX_CHARS`].
    pub message: String,
    /// Reason of the Ready condition.
    pub reason: String,
    /// Revision and more; keys are `<API group of the object>/<key>` or `event.toolkit.fluxcd.io/<key>`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub metadata: BTreeMap<String, String>,
    /// Controller: one of [`crate::names::controller`].
    pub reporting_controller: String,
    /// Pod.
    #[serde(default, with = "optional", skip_serializing_if = "Option::is_none")]
    pub reporting_instance: Option<String>,
}

impl Event {
    /// Returns a value of the metadata by its bare key: under the group of the object, or given by an
    /// annotation.
    pub fn metadata_value(&self, key: &str) -> Option<&str> {
        let group = self
            .involved_object
            .api_version
            .as_deref()
            .unwrap_or_default();
        let (group, _) = crate::ObjectId::group_version(group);
        [group, group::EVENT]
            .iter()
            .find_map(|prefix| self.metadata.get(&format!("{prefix}/{key}")))
            .map(String::as_str)
    }

    /// Tells whether the event is for commit statuses alone.
    pub fn is_commit_status(&self) -> bool {
        self.metadata_value(key::COMMIT_STATUS) == Some(key::COMMIT_STATUS_UPDATE)
    }
}
