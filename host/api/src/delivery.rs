//! Delivery, group `bulkhead.dev`, version `v1alpha1`: a directory of a source, rendered by any
//! plugin, and applied as a Kustomization is.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::duration::GoDuration;
use crate::kustomize::{
    CommonMetadata, CustomHealthCheck, DeletionPolicy, IgnoreRule, PostBuild, SourceReference,
    ValuesKind,
};
use crate::lenient::{StatusFields, is_false, optional};
use crate::meta::{
    Condition, Inventory, KubeConfigReference, NamespacedObjectKindReference, Snapshot,
};
use crate::names::group;
use crate::resource::custom_resource;
use crate::spec::{self, SpecError};
use crate::text::text_enum;

custom_resource! {
    /// A directory of a source that a plugin renders, and that is applied.
    Delivery(group::BULKHEAD, "v1alpha1", "deliveries") {
        spec: DeliverySpec,
        status: DeliveryStatus,
    }
}

/// What to render with what, and how to apply it.
///
/// The controllers work with this form alone: they read a Kustomization as the Delivery that it
/// stands for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DeliverySpec {
    /// Where the files are.
    pub source_ref: SourceReference,
    /// Directory, or file, in the source; its root when absent.
    #[serde(default, with = "optional", skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// The renderer.
    pub plugin: PluginReference,
    /// What the renderer is told, in the form that its manifest asks for.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub config: Map<String, Value>,
    /// What the renderer is given beside the files.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub inputs: Vec<Input>,
    /// What changes the rendered objects, one after another.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub transformers: Vec<Transformer>,
    /// How often the objects are compared with the cluster.
    pub interval: GoDuration,
    /// How long to wait after a failure; `interval` when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_interval: Option<GoDuration>,
    /// Longest time for applying and health checks; see [`timeout`](Self::timeout).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout: Option<GoDuration>,
    /// Stops reconciling.
    #[serde(default, skip_serializing_if = "is_false")]
    pub suspend: bool,
    /// Deletes objects that are no longer rendered.
    pub prune: bool,
    /// What happens to the objects when the Delivery is deleted.
    #[serde(default, with = "optional", skip_serializing_if = "Option::is_none")]
    pub deletion_policy: Option<DeletionPolicy>,
    /// Waits for the health of all objects.
    #[serde(default, skip_serializing_if = "is_false")]
    pub wait: bool,
    /// Objects whose health is waited for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub health_checks: Vec<NamespacedObjectKindReference>,
    /// CEL expressions that tell the health of custom resources.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub health_check_exprs: Vec<CustomHealthCheck>,
    /// Deliveries and Kustomizations that must be ready first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub depends_on: Vec<Dependency>,
    /// Makes objects again whose immutable fields change.
    #[serde(default, skip_serializing_if = "is_false")]
    pub force: bool,
    /// Changes in the cluster that are left alone.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ignore: Vec<IgnoreRule>,
    /// Another cluster to apply to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kube_config: Option<KubeConfigReference>,
    /// Service account to apply as.
    #[serde(default, with = "optional", skip_serializing_if = "Option::is_none")]
    pub service_account_name: Option<String>,
    /// Namespace for every object.
    #[serde(default, with = "optional", skip_serializing_if = "Option::is_none")]
    pub target_namespace: Option<String>,
    /// Labels and annotations for every object.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub common_metadata: Option<CommonMetadata>,
    /// Variables that are replaced in the rendered objects, before transformers see them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub post_build: Option<PostBuild>,
}

impl DeliverySpec {
    /// Shortest [`timeout`](Self::timeout).
    pub const MIN_TIMEOUT: Duration = Duration::from_secs(30);

    /// Makes a spec with the required fields.
    pub fn new(
        source_ref: SourceReference,
        plugin: PluginReference,
        interval: Duration,
        prune: bool,
    ) -> Self {
        Self {
            source_ref,
            path: None,
            plugin,
            config: Map::new(),
            inputs: Vec::new(),
            transformers: Vec::new(),
            interval: interval.into(),
            retry_interval: None,
            timeout: None,
            suspend: false,
            prune,
            deletion_policy: None,
            wait: false,
            health_checks: Vec::new(),
            health_check_exprs: Vec::new(),
            depends_on: Vec::new(),
            force: false,
            ignore: Vec::new(),
            kube_config: None,
            service_account_name: None,
            target_namespace: None,
            common_metadata: None,
            post_build: None,
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

    /// Returns what happens to the objects when the object itself is deleted.
    pub fn deletion_policy(&self) -> DeletionPolicy {
        self.deletion_policy
            .clone()
            .unwrap_or(DeletionPolicy::MirrorPrune)
    }
}

/// Names an installed plugin.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct PluginReference {
    /// Name.
    pub name: String,
    /// Where it is looked for; the namespace's own, then the cluster's, then what is built in, when
    /// absent.
    #[serde(default, with = "optional", skip_serializing_if = "Option::is_none")]
    pub kind: Option<PluginScope>,
}

impl PluginReference {
    /// Names a plugin, wherever it is installed.
    pub fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            kind: None,
        }
    }
}

text_enum! {
    /// Kinds that install a plugin.
    PluginScope {
        /// For one namespace.
        Plugin = "Plugin",
        /// For all namespaces.
        ClusterPlugin = "ClusterPlugin",
    }
}

/// A plugin that changes rendered objects.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Transformer {
    /// The plugin.
    pub plugin: PluginReference,
    /// What it is told.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub config: Map<String, Value>,
}

/// Something that a renderer is given beside the files.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Input {
    /// Name that the renderer knows it by.
    pub name: String,
    /// Where it is.
    pub from: InputSource,
}

/// Names one key of a ConfigMap or Secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InputSource {
    /// `Secret` or `ConfigMap`.
    pub kind: ValuesKind,
    /// Name, in the same namespace.
    pub name: String,
    /// Key; the name of the input when absent.
    #[serde(default, with = "optional", skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// Is no error when the object or the key is not there.
    #[serde(default, skip_serializing_if = "is_false")]
    pub optional: bool,
}

impl Input {
    /// Returns the key in the ConfigMap or Secret.
    pub fn key(&self) -> &str {
        self.from.key.as_deref().unwrap_or(&self.name)
    }
}

/// Names an object that must be ready first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Dependency {
    /// Kind; a Delivery when absent.
    #[serde(default, with = "optional", skip_serializing_if = "Option::is_none")]
    pub kind: Option<DependencyKind>,
    /// Name.
    pub name: String,
    /// Namespace; that of the referring object when absent.
    #[serde(default, with = "optional", skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// CEL expression that tells whether the dependency is ready.
    #[serde(default, with = "optional", skip_serializing_if = "Option::is_none")]
    pub ready_expr: Option<String>,
}

text_enum! {
    /// Kinds that a Delivery can depend on.
    DependencyKind {
        /// Another Delivery.
        Delivery = "Delivery",
        /// A Kustomization.
        Kustomization = "Kustomization",
    }
}

/// What the controller saw and did last.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DeliveryStatus {
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
    /// What was rendered last, and from what.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub render: Option<Render>,
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

impl Default for DeliveryStatus {
    fn default() -> Self {
        Self {
            last_handled_reconcile_at: None,
            observed_generation: -1,
            conditions: Vec::new(),
            last_applied_revision: None,
            last_applied_origin_revision: None,
            last_attempted_revision: None,
            render: None,
            inventory: None,
            history: Vec::new(),
            unreadable: Vec::new(),
        }
    }
}

impl StatusFields for DeliveryStatus {
    fn unreadable(&self) -> &[String] {
        &self.unreadable
    }
    fn set_unreadable(&mut self, names: Vec<String>) {
        self.unreadable = names;
    }
}

/// What a render was made of, and what came out. Equal materials give equal output, on any machine.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Render {
    /// Digest of all that follows.
    pub digest: String,
    /// Digest of the rendered text.
    pub output: String,
    /// Digest of what the renderer read of the source.
    pub read_set: String,
    /// Digest of the path, the configurations, the inputs and the target.
    pub parameters: String,
    /// Digests of the components that ran, by `<step>-<name>`: `0-kustomize`, `1-labels`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub plugins: BTreeMap<String, String>,
}
