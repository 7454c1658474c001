//! Kustomization, group `kustomize.toolkit.fluxcd.io`, version `v1`.

mod parts;

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::duration::GoDuration;
use crate::lenient::{StatusFields, is_false, optional};
use crate::meta::{
    Condition, DependencyReference, Inventory, KubeConfigReference, NamespacedObjectKindReference,
    Snapshot,
};
use crate::names::group;
use crate::resource::custom_resource;
use crate::spec::{self, SpecError};
use crate::text::text_enum;

pub use self::parts::{
    BuildMetadataOption, CommonMetadata, CustomHealthCheck, Decryption, DecryptionProvider,
    DeletionPolicy, IgnoreRule, Image, Patch, PostBuild, Selector, SubstituteReference,
    SubstituteStrategy, ValuesKind,
};

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
    #[serde(default, with = "optional", skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// Variables that are replaced in the rendered objects.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub post_build: Option<PostBuild>,
    /// Deletes objects that are no longer rendered.
    pub prune: bool,
    /// What happens to the objects when the Kustomization is deleted.
    #[serde(default, with = "optional", skip_serializing_if = "Option::is_none")]
    pub deletion_policy: Option<DeletionPolicy>,
    /// Objects whose health is waited for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub health_checks: Vec<NamespacedObjectKindReference>,
    /// Put before every name.
    #[serde(default, with = "optional", skip_serializing_if = "Option::is_none")]
    pub name_prefix: Option<String>,
    /// Put after every name.
    #[serde(default, with = "optional", skip_serializing_if = "Option::is_none")]
    pub name_suffix: Option<String>,
    /// Patches, appended to those of the kustomization file.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub patches: Vec<Patch>,
    /// Images to replace.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub images: Vec<Image>,
    /// Service account to apply as.
    #[serde(default, with = "optional", skip_serializing_if = "Option::is_none")]
    pub service_account_name: Option<String>,
    /// Where the files are.
    pub source_ref: SourceReference,
    /// Stops reconciling.
    #[serde(default, skip_serializing_if = "is_false")]
    pub suspend: bool,
    /// Namespace for every object.
    #[serde(default, with = "optional", skip_serializing_if = "Option::is_none")]
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
    #[serde(default, with = "optional", skip_serializing_if = "Option::is_none")]
    pub api_version: Option<String>,
    /// Kind.
    pub kind: SourceKind,
    /// Name.
    pub name: String,
    /// Namespace; that of the Kustomization when absent.
    #[serde(default, with = "optional", skip_serializing_if = "Option::is_none")]
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

/// What the controller saw and did last.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct KustomizationStatus {
    /// Last value of the annotation that asks for a reconciliation.
    #[serde(default, with = "optional", skip_serializing_if = "Option::is_none")]
    pub last_handled_reconcile_at: Option<String>,
    /// Last generation that ended Ready or Stalled; -1 before the first.
    #[serde(default)]
    pub observed_generation: i64,
    /// Ready, Healthy, Reconciling, Stalled.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub conditions: Vec<Condition>,
    /// Revision that was last applied in full.
    #[serde(default, with = "optional", skip_serializing_if = "Option::is_none")]
    pub last_applied_revision: Option<String>,
    /// Revision that the applied artifact was made from.
    #[serde(default, with = "optional", skip_serializing_if = "Option::is_none")]
    pub last_applied_origin_revision: Option<String>,
    /// Revision of the last attempt.
    #[serde(default, with = "optional", skip_serializing_if = "Option::is_none")]
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
