//! HelmRelease, group `helm.toolkit.fluxcd.io`, version `v2`.

mod actions;
mod chart;
mod status;

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::duration::GoDuration;
use crate::kustomize::{CustomHealthCheck, IgnoreRule, Image, Patch, ValuesKind};
use crate::lenient::{is_false, optional};
use crate::meta::{DependencyReference, KubeConfigReference};
use crate::names::group;
use crate::resource::custom_resource;
use crate::spec::{self, SpecError};
use crate::text::text_enum;

pub use self::actions::{
    ActionStrategy, ActionStrategyName, ChartNameChangeStrategy, CrdsPolicy, Install,
    InstallRemediation, RemediationStrategy, Rollback, ServerSideApplyMode, Test, TestFilter,
    Uninstall, Upgrade, UpgradeRemediation,
};
pub use self::chart::{
    ChartReference, ChartReferenceKind, ChartTemplate, ChartTemplateMetadata,
    ChartTemplateSourceKind, ChartTemplateSourceReference, ChartTemplateSpec,
    ChartTemplateVerification,
};
pub use self::status::{HelmReleaseStatus, ReleaseAction, ReleaseSnapshot, TestHookStatus};

custom_resource! {
    /// A chart, installed with values and kept as it is written.
    HelmRelease(group::HELM, "v2", "helmreleases") {
        spec: HelmReleaseSpec,
        status: HelmReleaseStatus,
    }
}

/// Which chart, with which values, and how it is installed, upgraded, tested and removed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct HelmReleaseSpec {
    /// The HelmChart that is made for this release; this or `chartRef` is set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub chart: Option<ChartTemplate>,
    /// A source with a chart; this or `chart` is set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub chart_ref: Option<ChartReference>,
    /// How often the release is compared with what is wanted.
    pub interval: GoDuration,
    /// Another cluster to install to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kube_config: Option<KubeConfigReference>,
    /// Stops reconciling.
    #[serde(default, skip_serializing_if = "is_false")]
    pub suspend: bool,
    /// Name of the release; see [`HelmRelease::release_name`].
    #[serde(default, with = "optional", skip_serializing_if = "Option::is_none")]
    pub release_name: Option<String>,
    /// Namespace of the release; that of this object when absent.
    #[serde(default, with = "optional", skip_serializing_if = "Option::is_none")]
    pub target_namespace: Option<String>,
    /// Namespace of Helm's records; that of this object when absent.
    #[serde(default, with = "optional", skip_serializing_if = "Option::is_none")]
    pub storage_namespace: Option<String>,
    /// HelmReleases that must be ready first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub depends_on: Vec<DependencyReference>,
    /// Longest time for each step of an action; see [`timeout`](Self::timeout).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout: Option<GoDuration>,
    /// Versions of the release that Helm keeps; 0 keeps all. See [`max_history`](Self::max_history).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_history: Option<i64>,
    /// Service account to act as.
    #[serde(default, with = "optional", skip_serializing_if = "Option::is_none")]
    pub service_account_name: Option<String>,
    /// Without effect here: what the API server serves is looked up again when it has to be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub persistent_client: Option<bool>,
    /// What is done about changes in the cluster.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub drift_detection: Option<DriftDetection>,
    /// How it is installed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub install: Option<Install>,
    /// How it is upgraded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub upgrade: Option<Upgrade>,
    /// How it is tested.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub test: Option<Test>,
    /// How it is rolled back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rollback: Option<Rollback>,
    /// How it is removed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uninstall: Option<Uninstall>,
    /// Where more values are; a later one wins, and `values` over all but those with a `targetPath`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub values_from: Vec<ValuesReference>,
    /// Values of the chart.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub values: Option<Value>,
    /// Labels and annotations for every object.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub common_metadata: Option<ReleaseMetadata>,
    /// What changes the rendered objects, one after another. An empty list is not an absent one:
    /// upstream digests it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub post_renderers: Option<Vec<PostRenderer>>,
    /// Whether hooks are post-rendered too; `combined` when absent.
    #[serde(default, with = "optional", skip_serializing_if = "Option::is_none")]
    pub post_render_strategy: Option<PostRenderStrategy>,
    /// How it is told that objects are ready; `poller` when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wait_strategy: Option<WaitStrategy>,
    /// CEL expressions that tell the health of custom resources.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub health_check_exprs: Vec<CustomHealthCheck>,
}

impl HelmReleaseSpec {
    /// Longest time for each step of an action when the spec has none.
    pub const DEFAULT_TIMEOUT: Duration = Duration::from_secs(300);
    /// Versions that Helm keeps when the spec says nothing.
    pub const DEFAULT_MAX_HISTORY: u32 = 5;

    /// Makes a spec without chart and chart reference.
    pub fn new(interval: Duration) -> Self {
        Self {
            chart: None,
            chart_ref: None,
            interval: interval.into(),
            kube_config: None,
            suspend: false,
            release_name: None,
            target_namespace: None,
            storage_namespace: None,
            depends_on: Vec::new(),
            timeout: None,
            max_history: None,
            service_account_name: None,
            persistent_client: None,
            drift_detection: None,
            install: None,
            upgrade: None,
            test: None,
            rollback: None,
            uninstall: None,
            values_from: Vec::new(),
            values: None,
            common_metadata: None,
            post_renderers: None,
            post_render_strategy: None,
            wait_strategy: None,
            health_check_exprs: Vec::new(),
        }
    }

    /// Returns how often the release is compared with what is wanted.
    ///
    /// # Errors
    /// [`SpecError::Duration`] when `spec.interval` cannot be used.
    pub fn interval(&self) -> Result<Duration, SpecError> {
        spec::duration("spec.interval", &self.interval)
    }

    /// Returns the longest time for each step of an action that has no time of its own.
    ///
    /// # Errors
    /// [`SpecError::Duration`] when `spec.timeout` cannot be used.
    pub fn timeout(&self) -> Result<Duration, SpecError> {
        spec::duration_or("spec.timeout", self.timeout.as_ref(), Self::DEFAULT_TIMEOUT)
    }

    /// Returns how many versions of the release Helm keeps; 0 keeps all. Negative is 0.
    pub fn max_history(&self) -> u32 {
        self.max_history.map_or(Self::DEFAULT_MAX_HISTORY, |many| {
            u32::try_from(many.max(0)).unwrap_or(u32::MAX)
        })
    }

    /// Returns the inline values; what is no map is none, as with Flux.
    pub fn values(&self) -> Map<String, Value> {
        match &self.values {
            Some(Value::Object(values)) => values.clone(),
            _ => Map::new(),
        }
    }

    /// Returns how the release is installed.
    pub fn install(&self) -> Install {
        self.install.clone().unwrap_or_default()
    }

    /// Returns how the release is upgraded.
    pub fn upgrade(&self) -> Upgrade {
        self.upgrade.clone().unwrap_or_default()
    }

    /// Returns how the release is tested.
    pub fn test(&self) -> Test {
        self.test.clone().unwrap_or_default()
    }

    /// Returns how the release is rolled back.
    pub fn rollback(&self) -> Rollback {
        self.rollback.clone().unwrap_or_default()
    }

    /// Returns how the release is removed.
    pub fn uninstall(&self) -> Uninstall {
        self.uninstall.clone().unwrap_or_default()
    }

    /// Returns what is done about changes in the cluster.
    pub fn drift_mode(&self) -> DriftMode {
        let drift = self.drift_detection.as_ref();
        drift
            .and_then(|drift| drift.mode.clone())
            .unwrap_or(DriftMode::Disabled)
    }

    /// Tells whether changes in the cluster are looked for.
    pub fn detects_drift(&self) -> bool {
        matches!(self.drift_mode(), DriftMode::Enabled | DriftMode::Warn)
    }

    /// Returns which changes in the cluster are left alone.
    pub fn drift_ignore(&self) -> &[IgnoreRule] {
        self.drift_detection
            .as_ref()
            .map_or(&[], |drift| &drift.ignore)
    }

    /// Returns whether hooks are post-rendered too.
    pub fn post_render_strategy(&self) -> PostRenderStrategy {
        let strategy = self.post_render_strategy.clone();
        strategy.unwrap_or(PostRenderStrategy::Combined)
    }
}

impl HelmRelease {
    /// Longest name of a release.
    pub const MAX_RELEASE_NAME: usize = 53;

    /// Returns the name that the spec gives to the release: `releaseName`, or
    /// `[<targetNamespace>-]<name>`. It may be longer than Helm takes; see `shorten` of the release
    /// storage.
    pub fn release_name(&self) -> String {
        let name = self.metadata.name.as_deref().unwrap_or_default();
        match (&self.spec.release_name, &self.spec.target_namespace) {
            (Some(release), _) => release.clone(),
            (None, Some(namespace)) => format!("{namespace}-{name}"),
            (None, None) => name.to_owned(),
        }
    }

    /// Returns the namespace of the object.
    pub fn own_namespace(&self) -> &str {
        self.metadata.namespace.as_deref().unwrap_or_default()
    }

    /// Returns the namespace that the release is installed to.
    pub fn release_namespace(&self) -> &str {
        let target = self.spec.target_namespace.as_deref();
        target.unwrap_or(self.own_namespace())
    }

    /// Returns the namespace of Helm's records of the release.
    pub fn storage_namespace(&self) -> &str {
        let storage = self.spec.storage_namespace.as_deref();
        storage.unwrap_or(self.own_namespace())
    }

    /// Returns the namespace and name of the HelmChart that is made for `spec.chart`.
    pub fn chart_name(&self) -> Option<(String, String)> {
        let template = self.spec.chart.as_ref()?;
        let own = self.own_namespace();
        let namespace = template.spec.source_ref.namespace.as_deref();
        let name = self.metadata.name.as_deref().unwrap_or_default();
        Some((namespace.unwrap_or(own).to_owned(), format!("{own}-{name}")))
    }
}

/// Labels and annotations for every object. Absent and empty are told apart: upstream digests them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReleaseMetadata {
    /// Annotations.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
    /// Labels.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
}

/// Names a ConfigMap or Secret with values.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ValuesReference {
    /// `Secret` or `ConfigMap`.
    pub kind: ValuesKind,
    /// Name, in the same namespace.
    pub name: String,
    /// Key of the values; see [`key`](Self::key).
    #[serde(default, with = "optional", skip_serializing_if = "Option::is_none")]
    pub values_key: Option<String>,
    /// Path of the one value that the key holds, as `helm --set` writes it; the key holds a whole
    /// file of values when absent.
    #[serde(default, with = "optional", skip_serializing_if = "Option::is_none")]
    pub target_path: Option<String>,
    /// Is no error when the object or the key is not there.
    #[serde(default, skip_serializing_if = "is_false")]
    pub optional: bool,
    /// Takes the value at `targetPath` as it is, as `helm --set-literal` does.
    #[serde(default, skip_serializing_if = "is_false")]
    pub literal: bool,
}

impl ValuesReference {
    /// Key when the reference has none.
    pub const DEFAULT_KEY: &'static str = "values.yaml";

    /// Returns the key of the values.
    pub fn key(&self) -> &str {
        self.values_key.as_deref().unwrap_or(Self::DEFAULT_KEY)
    }
}

/// What is done about changes in the cluster.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DriftDetection {
    /// Whether changes are looked for and undone; `disabled` when absent.
    #[serde(default, with = "optional", skip_serializing_if = "Option::is_none")]
    pub mode: Option<DriftMode>,
    /// Changes that are left alone.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ignore: Vec<IgnoreRule>,
}

text_enum! {
    /// Whether changes in the cluster are looked for and undone.
    DriftMode {
        /// They are undone.
        Enabled = "enabled",
        /// They are told.
        Warn = "warn",
        /// They are not looked for.
        Disabled = "disabled",
    }
}

/// One step that changes the rendered objects.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PostRenderer {
    /// Patches and images.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kustomize: Option<KustomizePostRenderer>,
}

/// Patches and images, as kustomize does them. The order of the fields is that of upstream's digest.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct KustomizePostRenderer {
    /// Patches.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub patches: Vec<Patch>,
    /// Images to replace.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub images: Vec<Image>,
}

text_enum! {
    /// Whether hooks are post-rendered too.
    PostRenderStrategy {
        /// They are not.
        NoHooks = "nohooks",
        /// Together with the other objects.
        Combined = "combined",
        /// In a run of their own.
        Separate = "separate",
    }
}

/// How it is told that objects are ready.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WaitStrategy {
    /// Which way.
    pub name: WaitStrategyName,
}

text_enum! {
    /// How it is told that objects are ready.
    WaitStrategyName {
        /// By kstatus.
        Poller = "poller",
        /// As Helm 3 did.
        Legacy = "legacy",
    }
}
