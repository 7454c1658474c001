//! The chart of a release: kept as the JSON that Helm stores, of which the metadata are read.
//!
//! Templates and files are never taken apart here: a chart goes from the record of one version into
//! that of the next byte for byte.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use super::json::Sorted;
use super::model::or_default;

/// A chart in a release.
#[derive(Clone)]
pub struct Chart {
    metadata: Metadata,
    json: Box<RawValue>,
}

#[derive(Deserialize)]
struct WithMetadata {
    #[serde(default, deserialize_with = "or_default")]
    metadata: Metadata,
}

#[derive(Deserialize)]
struct WithValues {
    #[serde(default, deserialize_with = "or_default")]
    values: Map<String, Value>,
}

impl Chart {
    /// Reads a chart as Helm stores it: what the Helm guest gives as the attribute `helm.chart`.
    ///
    /// # Errors
    /// A text that is no JSON, or metadata of the wrong types.
    pub fn from_json(text: impl Into<String>) -> serde_json::Result<Self> {
        Self::of(RawValue::from_string(text.into())?)
    }

    fn of(json: Box<RawValue>) -> serde_json::Result<Self> {
        let WithMetadata { metadata } = serde_json::from_str(json.get())?;
        Ok(Self { metadata, json })
    }

    /// Returns what Chart.yaml says.
    pub fn metadata(&self) -> &Metadata {
        &self.metadata
    }

    /// Reads the chart's default values: for `helm get values --all` and for reused values.
    ///
    /// # Errors
    /// Values that are no map.
    pub fn values(&self) -> serde_json::Result<Map<String, Value>> {
        let WithValues { values } = serde_json::from_str(self.json.get())?;
        Ok(values)
    }

    /// Returns the JSON.
    pub fn json(&self) -> &str {
        self.json.get()
    }
}

impl fmt::Debug for Chart {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Metadata { name, version, .. } = &self.metadata;
        write!(out, "Chart({name}@{version})")
    }
}

impl Serialize for Chart {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.json.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Chart {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::of(Box::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
}

/// What Chart.yaml says, in Helm's order of fields.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Metadata {
    /// The chart's name.
    #[serde(
        skip_serializing_if = "String::is_empty",
        deserialize_with = "or_default"
    )]
    pub name: String,
    /// Its home page.
    #[serde(
        skip_serializing_if = "String::is_empty",
        deserialize_with = "or_default"
    )]
    pub home: String,
    /// Where its sources are.
    #[serde(skip_serializing_if = "Vec::is_empty", deserialize_with = "or_default")]
    pub sources: Vec<String>,
    /// Its version.
    #[serde(
        skip_serializing_if = "String::is_empty",
        deserialize_with = "or_default"
    )]
    pub version: String,
    /// One sentence.
    #[serde(
        skip_serializing_if = "String::is_empty",
        deserialize_with = "or_default"
    )]
    pub description: String,
    /// Keywords.
    #[serde(skip_serializing_if = "Vec::is_empty", deserialize_with = "or_default")]
    pub keywords: Vec<String>,
    /// Who maintains it.
    #[serde(skip_serializing_if = "Vec::is_empty", deserialize_with = "or_default")]
    pub maintainers: Vec<Maintainer>,
    /// An icon's address.
    #[serde(
        skip_serializing_if = "String::is_empty",
        deserialize_with = "or_default"
    )]
    pub icon: String,
    /// `v1` or `v2`.
    #[serde(
        skip_serializing_if = "String::is_empty",
        deserialize_with = "or_default"
    )]
    pub api_version: String,
    /// A condition, as subcharts have it.
    #[serde(
        skip_serializing_if = "String::is_empty",
        deserialize_with = "or_default"
    )]
    pub condition: String,
    /// Tags, as subcharts have them.
    #[serde(
        skip_serializing_if = "String::is_empty",
        deserialize_with = "or_default"
    )]
    pub tags: String,
    /// The version of what it installs.
    #[serde(
        skip_serializing_if = "String::is_empty",
        deserialize_with = "or_default"
    )]
    pub app_version: String,
    /// Whether it should not be used any more.
    #[serde(
        skip_serializing_if = "std::ops::Not::not",
        deserialize_with = "or_default"
    )]
    pub deprecated: bool,
    /// Annotations.
    #[serde(
        skip_serializing_if = "BTreeMap::is_empty",
        deserialize_with = "or_default"
    )]
    pub annotations: BTreeMap<String, String>,
    /// The versions of Kubernetes that it runs on.
    #[serde(
        skip_serializing_if = "String::is_empty",
        deserialize_with = "or_default"
    )]
    pub kube_version: String,
    /// The charts that it asks for.
    #[serde(skip_serializing_if = "Vec::is_empty", deserialize_with = "or_default")]
    pub dependencies: Vec<Dependency>,
    /// `application` or `library`.
    #[serde(
        rename = "type",
        skip_serializing_if = "String::is_empty",
        deserialize_with = "or_default"
    )]
    pub kind: String,
}

/// Somebody who maintains a chart.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Maintainer {
    /// Name.
    #[serde(
        skip_serializing_if = "String::is_empty",
        deserialize_with = "or_default"
    )]
    pub name: String,
    /// Address of mail.
    #[serde(
        skip_serializing_if = "String::is_empty",
        deserialize_with = "or_default"
    )]
    pub email: String,
    /// Home page.
    #[serde(
        skip_serializing_if = "String::is_empty",
        deserialize_with = "or_default"
    )]
    pub url: String,
}

/// A chart that another one asks for.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Dependency {
    /// Its name.
    #[serde(deserialize_with = "or_default")]
    pub name: String,
    /// The versions that will do.
    #[serde(
        skip_serializing_if = "String::is_empty",
        deserialize_with = "or_default"
    )]
    pub version: String,
    /// Where it comes from.
    #[serde(deserialize_with = "or_default")]
    pub repository: String,
    /// The value that switches it on.
    #[serde(
        skip_serializing_if = "String::is_empty",
        deserialize_with = "or_default"
    )]
    pub condition: String,
    /// The tags that switch it on.
    #[serde(skip_serializing_if = "Vec::is_empty", deserialize_with = "or_default")]
    pub tags: Vec<String>,
    /// Whether it takes part.
    #[serde(
        skip_serializing_if = "std::ops::Not::not",
        deserialize_with = "or_default"
    )]
    pub enabled: bool,
    /// The values that its parent takes from it.
    #[serde(
        rename = "import-values",
        skip_serializing_if = "Vec::is_empty",
        serialize_with = "sorted",
        deserialize_with = "or_default"
    )]
    pub import_values: Vec<Value>,
    /// Its name in its parent.
    #[serde(
        skip_serializing_if = "String::is_empty",
        deserialize_with = "or_default"
    )]
    pub alias: String,
}

fn sorted<S: Serializer>(values: &[Value], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(values.iter().map(Sorted))
}
