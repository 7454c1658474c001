//! HelmRepository and HelmChart, version `v1`.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::oci::{OciIdentity, RegistryProvider, VerificationProvider};
use super::source_status;
use crate::duration::GoDuration;
use crate::lenient::{StatusFields, is_false, optional};
use crate::meta::{Artifact, Condition, LocalObjectReference};
use crate::names::group;
use crate::resource::custom_resource;
use crate::spec::{self, SpecError};
use crate::text::text_enum;

custom_resource! {
    /// A repository of charts: one with an index, behind HTTP, or an OCI registry.
    HelmRepository(group::SOURCE, "v1", "helmrepositories") {
        spec: HelmRepositorySpec,
        status: HelmRepositoryStatus,
    }
}

custom_resource! {
    /// A chart of a repository, or one that is packaged from the files of a source.
    HelmChart(group::SOURCE, "v1", "helmcharts") {
        spec: HelmChartSpec,
        status: HelmChartStatus,
    }
}

/// Where the charts are, and with which credentials they are had.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct HelmRepositorySpec {
    /// Address: `https://`, `http://` or `oci://`.
    pub url: String,
    /// Secret with username and password, or a login of Docker for type `oci`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret_ref: Option<LocalObjectReference>,
    /// Secret with `ca.crt`, and `tls.crt` with `tls.key`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cert_secret_ref: Option<LocalObjectReference>,
    /// Sends the credentials to other hosts that the index names too.
    #[serde(default, skip_serializing_if = "is_false")]
    pub pass_credentials: bool,
    /// How often the index is looked at; a minute when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interval: Option<GoDuration>,
    /// Lets a registry be spoken to without TLS; for type `oci` alone.
    #[serde(default, skip_serializing_if = "is_false")]
    pub insecure: bool,
    /// Longest time for one download; a minute when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout: Option<GoDuration>,
    /// Stops reconciling.
    #[serde(default, skip_serializing_if = "is_false")]
    pub suspend: bool,
    /// Who else may use it: read, and without effect, as in Flux.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub access_from: Option<AccessFrom>,
    /// What it is; one with an index when absent.
    #[serde(default, rename = "type", with = "optional")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub type_: Option<HelmRepositoryType>,
    /// How to authenticate; `generic` when absent. For type `oci` alone.
    #[serde(default, with = "optional", skip_serializing_if = "Option::is_none")]
    pub provider: Option<RegistryProvider>,
}

impl HelmRepositorySpec {
    /// How often the index is looked at when the spec has no interval.
    pub const DEFAULT_INTERVAL: Duration = Duration::from_secs(60);
    /// Longest time for one download when the spec has none.
    pub const DEFAULT_TIMEOUT: Duration = Duration::from_secs(60);

    /// Makes a spec of a repository with an index.
    pub fn new(url: &str, interval: Duration) -> Self {
        Self {
            url: url.to_owned(),
            secret_ref: None,
            cert_secret_ref: None,
            pass_credentials: false,
            interval: Some(interval.into()),
            insecure: false,
            timeout: None,
            suspend: false,
            access_from: None,
            type_: None,
            provider: None,
        }
    }

    /// Returns how often the index is looked at: a minute when the interval is absent or zero.
    ///
    /// # Errors
    /// [`SpecError::Duration`] when `spec.interval` cannot be used.
    pub fn interval(&self) -> Result<Duration, SpecError> {
        let default = Self::DEFAULT_INTERVAL;
        let interval = spec::duration_or("spec.interval", self.interval.as_ref(), default)?;
        Ok(if interval.is_zero() {
            default
        } else {
            interval
        })
    }

    /// Returns the longest time for one download.
    ///
    /// # Errors
    /// [`SpecError::Duration`] when `spec.timeout` cannot be used.
    pub fn timeout(&self) -> Result<Duration, SpecError> {
        spec::duration_or("spec.timeout", self.timeout.as_ref(), Self::DEFAULT_TIMEOUT)
    }

    /// Tells whether it is a registry: such a repository has no index, no artifact and no status.
    pub fn is_oci(&self) -> bool {
        self.type_ == Some(HelmRepositoryType::Oci)
    }

    /// Returns how to authenticate.
    pub fn provider(&self) -> RegistryProvider {
        self.provider.clone().unwrap_or(RegistryProvider::Generic)
    }
}

text_enum! {
    /// What a HelmRepository is.
    HelmRepositoryType {
        /// One with an index, behind HTTP.
        Default = "default",
        /// A registry.
        Oci = "oci",
    }
}

/// Which namespaces may use a source of another one.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AccessFrom {
    /// Selectors of namespaces; one that matches is enough.
    pub namespace_selectors: Vec<NamespaceSelector>,
}

/// Selects namespaces.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct NamespaceSelector {
    /// Labels that the namespace has; any namespace when empty.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub match_labels: BTreeMap<String, String>,
}

source_status! {
    /// What the controller saw and did last.
    HelmRepositoryStatus {
        /// Where the newest index always is.
        #[serde(default, with = "optional", skip_serializing_if = "Option::is_none")]
        pub url: Option<String>,
    }
}

/// Which chart, of which source.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct HelmChartSpec {
    /// Name in the repository, or path in the source.
    pub chart: String,
    /// Version or range of versions; the newest when absent. Without effect for a path.
    #[serde(default, with = "optional", skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// The source, in the same namespace.
    pub source_ref: ChartSourceReference,
    /// How often the source is looked at.
    pub interval: GoDuration,
    /// What makes a new artifact; the version of the chart when absent.
    #[serde(default, with = "optional", skip_serializing_if = "Option::is_none")]
    pub reconcile_strategy: Option<ReconcileStrategy>,
    /// Files of values of which the later win over the earlier; together they become `values.yaml`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub values_files: Vec<String>,
    /// Leaves out files of values that are not there.
    #[serde(default, skip_serializing_if = "is_false")]
    pub ignore_missing_values_files: bool,
    /// Stops reconciling.
    #[serde(default, skip_serializing_if = "is_false")]
    pub suspend: bool,
    /// Signatures to check; for charts of a registry alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verify: Option<ChartVerification>,
}

impl HelmChartSpec {
    /// Version when the spec has none: the newest that is no pre-release.
    pub const DEFAULT_VERSION: &'static str = "*";

    /// Makes a spec with the required fields.
    pub fn new(chart: &str, source_ref: ChartSourceReference, interval: Duration) -> Self {
        Self {
            chart: chart.to_owned(),
            version: None,
            source_ref,
            interval: interval.into(),
            reconcile_strategy: None,
            values_files: Vec::new(),
            ignore_missing_values_files: false,
            suspend: false,
            verify: None,
        }
    }

    /// Returns how often the source is looked at.
    ///
    /// # Errors
    /// [`SpecError::Duration`] when `spec.interval` cannot be used.
    pub fn interval(&self) -> Result<Duration, SpecError> {
        spec::duration("spec.interval", &self.interval)
    }

    /// Returns the version or range of versions.
    pub fn version(&self) -> &str {
        self.version.as_deref().unwrap_or(Self::DEFAULT_VERSION)
    }

    /// Returns what makes a new artifact.
    pub fn reconcile_strategy(&self) -> ReconcileStrategy {
        let strategy = self.reconcile_strategy.clone();
        strategy.unwrap_or(ReconcileStrategy::ChartVersion)
    }
}

/// Names the source of a HelmChart, in the same namespace.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ChartSourceReference {
    /// Group and version; those of the kind when absent.
    #[serde(default, with = "optional", skip_serializing_if = "Option::is_none")]
    pub api_version: Option<String>,
    /// Kind.
    pub kind: ChartSourceKind,
    /// Name.
    pub name: String,
}

impl ChartSourceReference {
    /// Names a source.
    pub fn new(kind: ChartSourceKind, name: &str) -> Self {
        Self {
            api_version: None,
            kind,
            name: name.to_owned(),
        }
    }
}

text_enum! {
    /// Kinds that can be the source of a HelmChart.
    ChartSourceKind {
        /// A repository of charts.
        HelmRepository = "HelmRepository",
        /// A Git repository.
        GitRepository = "GitRepository",
        /// A bucket of object storage.
        Bucket = "Bucket",
    }
}

text_enum! {
    /// What makes a new artifact of a chart.
    ReconcileStrategy {
        /// Another version.
        ChartVersion = "ChartVersion",
        /// Another revision of the source.
        Revision = "Revision",
    }
}

/// Which signatures of a chart to check.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ChartVerification {
    /// What they were made with.
    pub provider: VerificationProvider,
    /// Secret with trusted public keys: `*.pub`. Without one, `matchOIDCIdentity` says who may sign.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret_ref: Option<LocalObjectReference>,
    /// Who may sign without a key; one that matches is enough.
    #[serde(default, rename = "matchOIDCIdentity")]
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub match_oidc_identity: Vec<OciIdentity>,
}

source_status! {
    /// What the controller saw and did last.
    HelmChartStatus {
        /// Revision of the source that the artifact was made from.
        #[serde(default, with = "optional", skip_serializing_if = "Option::is_none")]
        pub observed_source_artifact_revision: Option<String>,
        /// Name in the metadata of the chart that was last resolved.
        #[serde(default, with = "optional", skip_serializing_if = "Option::is_none")]
        pub observed_chart_name: Option<String>,
        /// Files of values that the artifact was made with.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        pub observed_values_files: Vec<String>,
        /// Where the newest artifact always is.
        #[serde(default, with = "optional", skip_serializing_if = "Option::is_none")]
        pub url: Option<String>,
    }
}
