//! Parts of a Kustomization's spec: what changes the rendered objects, and how they are applied.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::lenient::{is_false, optional};
use crate::meta::LocalObjectReference;
use crate::text::text_enum;

/// Labels and annotations for every object; they win over those of the object.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CommonMetadata {
    /// Annotations.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
    /// Labels.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
}

/// How encrypted files are decrypted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Decryption {
    /// Only `sops`.
    pub provider: DecryptionProvider,
    /// Service account to authenticate to a key service as.
    #[serde(default, with = "optional", skip_serializing_if = "Option::is_none")]
    pub service_account_name: Option<String>,
    /// Secret with keys and tokens.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret_ref: Option<LocalObjectReference>,
}

text_enum! {
    /// Formats of encrypted files.
    DecryptionProvider {
        /// Mozilla SOPS.
        Sops = "sops",
    }
}

/// Variables that are replaced in the rendered objects.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PostBuild {
    /// When variables are replaced; with at least one known variable when absent.
    #[serde(default, with = "optional", skip_serializing_if = "Option::is_none")]
    pub substitute_strategy: Option<SubstituteStrategy>,
    /// Variables; they win over those of `substituteFrom`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub substitute: BTreeMap<String, String>,
    /// ConfigMaps and Secrets whose keys are variables; a later one wins.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub substitute_from: Vec<SubstituteReference>,
}

impl PostBuild {
    /// Returns when variables are replaced.
    pub fn strategy(&self) -> SubstituteStrategy {
        self.substitute_strategy
            .clone()
            .unwrap_or(SubstituteStrategy::WithVariables)
    }
}

text_enum! {
    /// When variables are replaced.
    SubstituteStrategy {
        /// When at least one variable is known.
        WithVariables = "WithVariables",
        /// Always, for expressions with defaults.
        Always = "Always",
    }
}

/// Names a ConfigMap or Secret with variables.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SubstituteReference {
    /// `Secret` or `ConfigMap`.
    pub kind: ValuesKind,
    /// Name.
    pub name: String,
    /// Is no error when it is not there.
    #[serde(default, skip_serializing_if = "is_false")]
    pub optional: bool,
}

text_enum! {
    /// Kinds that hold variables.
    ValuesKind {
        /// A Secret.
        Secret = "Secret",
        /// A ConfigMap.
        ConfigMap = "ConfigMap",
    }
}

text_enum! {
    /// What happens to the objects when their Kustomization is deleted.
    DeletionPolicy {
        /// Delete them if `prune`, else keep them.
        MirrorPrune = "MirrorPrune",
        /// Delete them.
        Delete = "Delete",
        /// Delete them, and wait until they are gone.
        WaitForTermination = "WaitForTermination",
        /// Keep them.
        Orphan = "Orphan",
    }
}

text_enum! {
    /// What kustomize notes on the objects about their origin.
    BuildMetadataOption {
        /// File and path that an object was read from.
        OriginAnnotations = "originAnnotations",
        /// Transformers that changed an object.
        TransformerAnnotations = "transformerAnnotations",
    }
}

/// Changes in the cluster that are left alone.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct IgnoreRule {
    /// Fields, as JSON pointers.
    pub paths: Vec<String>,
    /// Objects; all when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<Selector>,
}

/// A patch, and the objects it is for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Patch {
    /// Strategic merge patch, or JSON patch, as YAML.
    pub patch: String,
    /// Objects; those the patch names when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<Selector>,
}

/// Selects objects: all fields that are set must match.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Selector {
    /// API group.
    #[serde(default, with = "optional", skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
    /// Version of the group.
    #[serde(default, with = "optional", skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// Kind.
    #[serde(default, with = "optional", skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// Namespace.
    #[serde(default, with = "optional", skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// Name.
    #[serde(default, with = "optional", skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Selector over annotations, in the syntax of label selectors.
    #[serde(default, with = "optional", skip_serializing_if = "Option::is_none")]
    pub annotation_selector: Option<String>,
    /// Selector over labels.
    #[serde(default, with = "optional", skip_serializing_if = "Option::is_none")]
    pub label_selector: Option<String>,
}

/// An image to replace.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Image {
    /// Name in the files, without tag.
    pub name: String,
    /// New name.
    #[serde(default, with = "optional", skip_serializing_if = "Option::is_none")]
    pub new_name: Option<String>,
    /// New tag.
    #[serde(default, with = "optional", skip_serializing_if = "Option::is_none")]
    pub new_tag: Option<String>,
    /// Digest; wins over the tag.
    #[serde(default, with = "optional", skip_serializing_if = "Option::is_none")]
    pub digest: Option<String>,
}

/// CEL expressions that tell the health of one kind.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CustomHealthCheck {
    /// Group and version.
    pub api_version: String,
    /// Kind; all kinds of the group when absent.
    #[serde(default, with = "optional", skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// True when the object is as wanted.
    pub current: String,
    /// True while it is on the way.
    #[serde(default, with = "optional", skip_serializing_if = "Option::is_none")]
    pub in_progress: Option<String>,
    /// True when it failed.
    #[serde(default, with = "optional", skip_serializing_if = "Option::is_none")]
    pub failed: Option<String>,
}
