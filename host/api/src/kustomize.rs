//! Kustomization, group `kustomize.toolkit.fluxcd.io`, version `v1`.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::duration::GoDuration;
use crate::lenient::{self, StatusFields, is_false};
use crate::meta::{
    Condition, DependencyReference, Inventory, KubeConfigReference, LocalObjectReference,
    NamespacedObjectKindReference, Snapshot,
};
use crate::names::group;
use crate::resource::custom_resource;
use crate::spec::{self, SpecError};
use crate::text::text_enum;

custom_resource! {
    /// A directory of a source that is rendered and applied.
    Kustomization(group::KUSTOMIZE, "v1", "kustomizations") {
        spec: KustomizationSpec,
        status: KustomizationStatus,
    }
}

/// What to render, and how to apply it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct KustomizationSpec {
    /// Labels and annotations for every object.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub common_metadata: Option<CommonMetadata>,
    /// Kustomizations that must be ready first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub depends_on: Vec<DependencyReference>,
    /// How encrypted files are decrypted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decryption: Option<Decryption>,
    /// How often the objects are compared with the cluster.
    pub interval: GoDuration,
    /// How long to wait after a failure; `interval` when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_interval: Option<GoDuration>,
    /// Another cluster to apply to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kube_config: Option<KubeConfigReference>,
    /// Directory in the source; its root when absent.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "lenient::text"
    )]
    pub path: Option<String>,
    /// Variables that are replaced in the rendered objects.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub post_build: Option<PostBuild>,
    /// Deletes objects that are no longer rendered.
    pub prune: bool,
    /// What happens to the objects when the Kustomization is deleted.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "lenient::text"
    )]
    pub deletion_policy: Option<DeletionPolicy>,
    /// Objects whose health is waited for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub health_checks: Vec<NamespacedObjectKindReference>,
    /// Put before every name.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "lenient::text"
    )]
    pub name_prefix: Option<String>,
    /// Put after every name.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "lenient::text"
    )]
    pub name_suffix: Option<String>,
    /// Patches, appended to those of the kustomization file.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub patches: Vec<Patch>,
    /// Images to replace.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub images: Vec<Image>,
    /// Service account to apply as.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "lenient::text"
    )]
    pub service_account_name: Option<String>,
    /// Where the files are.
    pub source_ref: SourceReference,
    /// Stops reconciling.
    #[serde(default, skip_serializing_if = "is_false")]
    pub suspend: bool,
    /// Namespace for every object.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "lenient::text"
    )]
    pub target_namespace: Option<String>,
    /// Longest time for applying and health checks; see [`timeout`](Self::timeout).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout: Option<GoDuration>,
    /// Makes objects again whose immutable fields change.
    #[serde(default, skip_serializing_if = "is_false")]
    pub force: bool,
    /// Waits for the health of all objects.
    #[serde(default, skip_serializing_if = "is_false")]
    pub wait: bool,
    /// What kustomize notes on the objects about their origin.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub build_metadata: Vec<BuildMetadataOption>,
    /// Kustomize components to add.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub components: Vec<String>,
    /// Leaves out components that are not there.
    #[serde(default, skip_serializing_if = "is_false")]
    pub ignore_missing_components: bool,
    /// CEL expressions that tell the health of custom resources.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub health_check_exprs: Vec<CustomHealthCheck>,
    /// Changes in the cluster that are left alone.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ignore: Vec<IgnoreRule>,
}

impl KustomizationSpec {
    /// Shortest [`timeout`](Self::timeout).
    pub const MIN_TIMEOUT: Duration = Duration::from_secs(30);

    /// Makes a spec with the required fields.
    pub fn new(source_ref: SourceReference, interval: Duration, prune: bool) -> Self {
        Self {
            common_metadata: None,
            depends_on: Vec::new(),
            decryption: None,
            interval: interval.into(),
            retry_interval: None,
            kube_config: None,
            path: None,
            post_build: None,
            prune,
            deletion_policy: None,
            health_checks: Vec::new(),
            name_prefix: None,
            name_suffix: None,
            patches: Vec::new(),
            images: Vec::new(),
            service_account_name: None,
            source_ref,
            suspend: false,
            target_namespace: None,
            timeout: None,
            force: false,
            wait: false,
            build_metadata: Vec::new(),
            components: Vec::new(),
            ignore_missing_components: false,
            health_check_exprs: Vec::new(),
            ignore: Vec::new(),
        }
    }

    /// Returns how often the objects are compared with the cluster.
    ///
    /// # Errors
    /// [`SpecError::Duration`] when `spec.interval` cannot be used.
    pub fn interval(&self) -> Result<Duration, SpecError> {
        spec::duration("spec.interval", &self.interval)
    }

    /// Returns how long to wait after a failure.
    ///
    /// # Errors
    /// [`SpecError::Duration`] when `spec.retryInterval` or `spec.interval` cannot be used.
    pub fn retry_interval(&self) -> Result<Duration, SpecError> {
        let interval = self.interval()?;
        spec::duration_or("spec.retryInterval", self.retry_interval.as_ref(), interval)
    }

    /// Returns the longest time for applying and health checks: `timeout`, or `interval` less 30 s,
    /// and never under 30 s.
    ///
    /// # Errors
    /// [`SpecError::Duration`] when `spec.timeout` or `spec.interval` cannot be used.
    pub fn timeout(&self) -> Result<Duration, SpecError> {
        let default = self.interval()?.saturating_sub(Duration::from_secs(30));
        spec::duration_or("spec.timeout", self.timeout.as_ref(), default)
            .map(|timeout| timeout.max(Self::MIN_TIMEOUT))
    }

    /// Returns what happens to the objects when the Kustomization is deleted.
    pub fn deletion_policy(&self) -> DeletionPolicy {
        self.deletion_policy
            .clone()
            .unwrap_or(DeletionPolicy::MirrorPrune)
    }
}

/// Names the source of a Kustomization.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SourceReference {
    /// Group and version; those of the kind when absent.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "lenient::text"
    )]
    pub api_version: Option<String>,
    /// Kind.
    pub kind: SourceKind,
    /// Name.
    pub name: String,
    /// Namespace; that of the Kustomization when absent.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "lenient::text"
    )]
    pub namespace: Option<String>,
}

impl SourceReference {
    /// Names a source in the same namespace.
    pub fn new(kind: SourceKind, name: &str) -> Self {
        Self {
            api_version: None,
            kind,
            name: name.to_owned(),
            namespace: None,
        }
    }
}

impl std::fmt::Display for SourceReference {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.namespace {
            Some(namespace) => write!(f, "{}/{namespace}/{}", self.kind, self.name),
            None => write!(f, "{}/{}", self.kind, self.name),
        }
    }
}

text_enum! {
    /// Kinds that can be the source of a Kustomization.
    SourceKind {
        /// An OCI artifact.
        OciRepository = "OCIRepository",
        /// A Git repository.
        GitRepository = "GitRepository",
        /// A bucket of object storage.
        Bucket = "Bucket",
        /// An artifact that another controller makes.
        ExternalArtifact = "ExternalArtifact",
    }
}

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
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "lenient::text"
    )]
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
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "lenient::text"
    )]
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
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "lenient::text"
    )]
    pub group: Option<String>,
    /// Version of the group.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "lenient::text"
    )]
    pub version: Option<String>,
    /// Kind.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "lenient::text"
    )]
    pub kind: Option<String>,
    /// Namespace.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "lenient::text"
    )]
    pub namespace: Option<String>,
    /// Name.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "lenient::text"
    )]
    pub name: Option<String>,
    /// Selector over annotations, in the syntax of label selectors.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "lenient::text"
    )]
    pub annotation_selector: Option<String>,
    /// Selector over labels.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "lenient::text"
    )]
    pub label_selector: Option<String>,
}

/// An image to replace.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Image {
    /// Name in the files, without tag.
    pub name: String,
    /// New name.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "lenient::text"
    )]
    pub new_name: Option<String>,
    /// New tag.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "lenient::text"
    )]
    pub new_tag: Option<String>,
    /// Digest; wins over the tag.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "lenient::text"
    )]
    pub digest: Option<String>,
}

/// CEL expressions that tell the health of one kind.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CustomHealthCheck {
    /// Group and version.
    pub api_version: String,
    /// Kind; all kinds of the group when absent.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "lenient::text"
    )]
    pub kind: Option<String>,
    /// True when the object is as wanted.
    pub current: String,
    /// True while it is on the way.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "lenient::text"
    )]
    pub in_progress: Option<String>,
    /// True when it failed.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "lenient::text"
    )]
    pub failed: Option<String>,
}

/// What the controller saw and did last.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct KustomizationStatus {
    /// Last value of the annotation that asks for a reconciliation.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "lenient::text"
    )]
    pub last_handled_reconcile_at: Option<String>,
    /// Last generation that ended Ready or Stalled; -1 before the first.
    #[serde(default)]
    pub observed_generation: i64,
    /// Ready, Healthy, Reconciling, Stalled.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub conditions: Vec<Condition>,
    /// Revision that was last applied in full.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "lenient::text"
    )]
    pub last_applied_revision: Option<String>,
    /// Revision that the applied artifact was made from.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "lenient::text"
    )]
    pub last_applied_origin_revision: Option<String>,
    /// Revision of the last attempt.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "lenient::text"
    )]
    pub last_attempted_revision: Option<String>,
    /// Objects that were applied, or were about to be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub inventory: Option<Inventory>,
    /// Last outcomes, newest first, at most [`crate::meta::HISTORY_MAX`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub history: Vec<Snapshot>,
    /// Fields that could not be read; see [`StatusFields::unreadable`].
    #[serde(skip)]
    pub unreadable: Vec<String>,
}

impl Default for KustomizationStatus {
    fn default() -> Self {
        Self {
            last_handled_reconcile_at: None,
            observed_generation: -1,
            conditions: Vec::new(),
            last_applied_revision: None,
            last_applied_origin_revision: None,
            last_attempted_revision: None,
            inventory: None,
            history: Vec::new(),
            unreadable: Vec::new(),
        }
    }
}

impl StatusFields for KustomizationStatus {
    fn unreadable(&self) -> &[String] {
        &self.unreadable
    }
    fn set_unreadable(&mut self, names: Vec<String>) {
        self.unreadable = names;
    }
}
