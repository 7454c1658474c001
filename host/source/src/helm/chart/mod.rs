//! Charts: read from an archive or a source's tree, changed, and packed again.
//!
//! In: a `.tgz`, or a folder of a [`SourceTree`]. Out: a [`Chart`] in memory, and its bytes: the same
//! chart always gives the same. What Helm drops when it loads a chart is dropped: files that
//! `.helmignore` names, fields of `Chart.yaml` that it does not know.
//!
//! Source: helm 4.3, pkg/chart/v2/loader/load.go and pkg/chart/v2/util/save.go.

mod archive;
mod glob;
mod ignore;
mod load;
mod package;
mod tree;
pub(super) mod values;

use std::io::Read;

use bulkhead_api::yaml;
use serde_json::Value;

use super::fields::Format;
use super::metadata::{Dependency, Metadata};
use super::{HelmError, Limits};

pub use tree::ChartSource;
pub(super) use tree::{clamped, place};

/// The name of the values file.
pub const VALUES: &str = "values.yaml";

/// A file of a chart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChartFile {
    /// Path from the chart's folder.
    pub name: String,
    /// Content, without a byte-order mark.
    pub content: Vec<u8>,
}

impl ChartFile {
    fn new(name: String, mut content: Vec<u8>) -> Self {
        if content.starts_with(b"\xef\xbb\xbf") {
            content.drain(..3);
        }
        Self { name, content }
    }
}

/// A chart in memory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chart {
    /// What `Chart.yaml` says.
    pub metadata: Metadata,
    /// What `Chart.lock` says, or `requirements.lock` of an older chart.
    pub lock: Option<Lock>,
    /// `values.yaml`.
    pub values: Option<Vec<u8>>,
    /// `values.schema.json`.
    pub schema: Option<Vec<u8>>,
    /// Files below `templates/`.
    pub templates: Vec<ChartFile>,
    /// All other files.
    pub files: Vec<ChartFile>,
    /// Charts below `charts/`, by the names of their folders or archives; then those that were added.
    pub dependencies: Vec<Chart>,
}

/// A lock file: which versions of its dependencies a chart was made with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lock {
    /// When it was written, as it stands there.
    pub generated: String,
    /// Digest of the dependencies of `Chart.yaml` and of those below.
    pub digest: String,
    /// The dependencies with one version each.
    pub dependencies: Vec<Dependency>,
}

impl Chart {
    /// Unpacks a chart and its subcharts into memory; `place` is what errors call it.
    ///
    /// # Errors
    /// [`HelmError::Archive`], [`HelmError::Invalid`], [`HelmError::Limit`], and those of its files.
    pub fn unpack(place: &str, packed: impl Read, limits: &Limits) -> Result<Self, HelmError> {
        let mut budget = archive::Budget::new(limits);
        let files = archive::files(place, packed, &mut budget)?;
        load::chart(place, files, &mut budget, 0)
    }

    /// Returns the value of `values.yaml`; of several documents later ones lie over earlier.
    ///
    /// # Errors
    /// [`HelmError::Yaml`].
    pub fn default_values(&self) -> Result<Value, HelmError> {
        match &self.values {
            None => Ok(Value::Object(serde_json::Map::new())),
            Some(content) => values::read(&self.place(), VALUES, content),
        }
    }

    /// Returns the file `name`, wherever the chart keeps it.
    pub fn file(&self, name: &str) -> Option<&[u8]> {
        let mut all = self.files.iter().chain(&self.templates);
        all.find(|file| file.name == name)
            .map(|file| file.content.as_slice())
    }

    /// Returns what errors call it: ``chart `name` ``.
    pub fn place(&self) -> String {
        format!("chart `{}`", crate::error::clean(&self.metadata.name))
    }
}

/// Reads `Chart.yaml` of a packed chart, without keeping the rest in memory; every entry is judged
/// all the same.
///
/// # Errors
/// As [`Chart::unpack`].
///
/// # Source
/// source-controller 1.9, internal/helm/chart/metadata.go.
pub fn inspect(place: &str, packed: impl Read, limits: &Limits) -> Result<Metadata, HelmError> {
    let mut budget = archive::Budget::new(limits);
    let mut own: Vec<ChartFile> = Vec::new();
    archive::each(place, packed, &mut budget, |name, depth, content| {
        if depth == 0 && matches!(name.as_str(), "Chart.yaml" | "requirements.yaml") {
            let mut bytes = Vec::new();
            content.read_to_end(&mut bytes)?;
            own.push(ChartFile::new(name, bytes));
        }
        Ok(())
    })?;
    load::metadata(place, &own)
}

/// Reads a YAML file of a chart; one without content is `null`, and of several documents the first
/// counts, as with Go's reader.
fn read_yaml(place: &str, file: &str, content: &[u8]) -> Result<Value, HelmError> {
    let text = std::str::from_utf8(content).map_err(|_| HelmError::File {
        place: place.to_owned(),
        file: file.to_owned(),
        problem: "it is not UTF-8".to_owned(),
    })?;
    yaml::read_first(text).map_err(|source| HelmError::Yaml {
        place: place.to_owned(),
        file: file.to_owned(),
        source,
    })
}
