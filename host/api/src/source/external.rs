//! ExternalArtifact, version `v1`: what a controller makes that is not part of the engine.

use serde::{Deserialize, Serialize};

use crate::lenient::StatusFields;
use crate::meta::{Artifact, Condition, NamespacedObjectKindReference};
use crate::names::group;
use crate::resource::custom_resource;

custom_resource! {
    /// An artifact that another controller makes, and tells of in the status.
    ExternalArtifact(group::SOURCE, "v1", "externalartifacts") {
        #[serde(default)]
        spec: ExternalArtifactSpec,
        status: ExternalArtifactStatus,
    }
}

/// What the artifact is made from.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ExternalArtifactSpec {
    /// The object whose controller makes it: for people, and for that controller.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source_ref: Option<NamespacedObjectKindReference>,
}

/// What the other controller made. It is believed when its bytes have the digest that it names.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ExternalArtifactStatus {
    /// What was last made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub artifact: Option<Artifact>,
    /// What the other controller says of it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub conditions: Vec<Condition>,
    /// Fields that could not be read; see [`StatusFields::unreadable`].
    #[serde(skip)]
    pub unreadable: Vec<String>,
}

impl StatusFields for ExternalArtifactStatus {
    fn unreadable(&self) -> &[String] {
        &self.unreadable
    }
    fn set_unreadable(&mut self, names: Vec<String>) {
        self.unreadable = names;
    }
}
