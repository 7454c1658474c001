//! Where the chart of a HelmRelease comes from.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::duration::GoDuration;
use crate::lenient::{is_false, optional};
use crate::meta::LocalObjectReference;
use crate::text::text_enum;

/// The HelmChart that is made for a release.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChartTemplate {
    /// Its labels and annotations.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metadata: Option<ChartTemplateMetadata>,
    /// Its spec.
    pub spec: ChartTemplateSpec,
}

/// Labels and annotations of a HelmChart.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChartTemplateMetadata {
    /// Labels.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    /// Annotations.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
}

/// Spec of the HelmChart of a release.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ChartTemplateSpec {
    /// Name in the repository, or path in the source.
    pub chart: String,
    /// Version or range of versions; the newest when absent.
    #[serde(default, with = "optional", skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// The source.
    pub source_ref: ChartTemplateSourceReference,
    /// How often the source is looked at; the interval of the release when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interval: Option<GoDuration>,
    /// What makes a new artifact: `ChartVersion` or `Revision`.
    #[serde(default, with = "optional", skip_serializing_if = "Option::is_none")]
    pub reconcile_strategy: Option<String>,
    /// Files of values, in place of the chart's own.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub values_files: Vec<String>,
    /// Leaves out files of values that are not there.
    #[serde(default, skip_serializing_if = "is_false")]
    pub ignore_missing_values_files: bool,
    /// Signatures to check.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verify: Option<ChartTemplateVerification>,
}

/// Names the source of the HelmChart of a release.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ChartTemplateSourceReference {
    /// Group and version; those of the kind when absent.
    #[serde(default, with = "optional", skip_serializing_if = "Option::is_none")]
    pub api_version: Option<String>,
    /// Kind.
    pub kind: ChartTemplateSourceKind,
    /// Name.
    pub name: String,
    /// Namespace; that of the release object when absent. The HelmChart is made there.
    #[serde(default, with = "optional", skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
}

text_enum! {
    /// Kinds that can be the source of the HelmChart of a release.
    ChartTemplateSourceKind {
        /// A repository of charts.
        HelmRepository = "HelmRepository",
        /// A Git repository.
        GitRepository = "GitRepository",
        /// A bucket of object storage.
        Bucket = "Bucket",
    }
}

/// Which signatures of a chart to check.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ChartTemplateVerification {
    /// What they were made with: `cosign` or `notation`.
    pub provider: String,
    /// Secret with trusted public keys.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret_ref: Option<LocalObjectReference>,
}

/// Names a source whose artifact is a chart.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ChartReference {
    /// Group and version; those of the kind when absent.
    #[serde(default, with = "optional", skip_serializing_if = "Option::is_none")]
    pub api_version: Option<String>,
    /// Kind.
    pub kind: ChartReferenceKind,
    /// Name.
    pub name: String,
    /// Namespace; that of the release object when absent.
    #[serde(default, with = "optional", skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
}

text_enum! {
    /// Kinds whose artifact can be a chart.
    ChartReferenceKind {
        /// An OCI artifact.
        OciRepository = "OCIRepository",
        /// A chart that another object asked for.
        HelmChart = "HelmChart",
        /// An artifact that another controller makes.
        ExternalArtifact = "ExternalArtifact",
    }
}
