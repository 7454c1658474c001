//! Builds the artifact of a `HelmChart`: a chart of a repository or of a source's tree, with the
//! version, values and dependencies that it is to have.
//!
//! Each step that fails names itself ([`Stage`]), with Flux's reasons and words.
//!
//! Source: source-controller 1.9, internal/helm/chart/{builder,builder_remote,builder_local}.go.

use std::sync::Arc;

use bulkhead_api::{SourceTree, TreePath, yaml};
use serde_json::{Map, Value};

use super::chart::{Chart, ChartSource, VALUES, clamped, inspect, place, values};
use super::dependencies::{self, Home, Repositories};
use super::{HelmError, Limits, Stage, gojson, version};

/// What is to become of a chart.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BuildOptions {
    /// Build metadata of the version: the generation when there are values files, 12 digits of the
    /// source's revision with strategy `Revision`, both with a `.` between them, or empty.
    pub version_metadata: String,
    /// Files that make up `values.yaml`: in a chart of a repository relative to the chart, in a
    /// source relative to its root.
    pub values_files: Vec<String>,
    /// Leaves out files that are not there.
    pub ignore_missing_values_files: bool,
}

impl BuildOptions {
    /// Returns the values files; none if `values.yaml` is the only one.
    pub fn values_files(&self) -> &[String] {
        match self.values_files.as_slice() {
            [only] if TreePath::parse(only).is_ok_and(|path| path.as_str() == VALUES) => &[],
            all => all,
        }
    }

    /// Returns the version that the chart will have, of the one that it has.
    ///
    /// # Errors
    /// [`HelmError::Metadata`], as a failure of [`Stage::Metadata`].
    pub fn version(&self, own: &str) -> Result<String, HelmError> {
        if self.version_metadata.is_empty() {
            return Ok(own.to_owned());
        }
        version::with_metadata(own, &self.version_metadata)
            .map_err(|error| Stage::Metadata.failed(error))
    }

    fn changes_chart(&self) -> bool {
        !self.version_metadata.is_empty() || !self.values_files().is_empty()
    }
}

/// A chart that has been built.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Built {
    /// Its name.
    pub name: String,
    /// Its version, which is the artifact's revision.
    pub version: String,
    /// The values files that its values were made of: `status.observedValuesFiles`. Empty if the
    /// values did not change.
    pub values_files: Vec<String>,
    /// How many dependencies were added.
    pub resolved_dependencies: usize,
    /// Whether it was packed here, rather than taken as it came.
    pub is_packaged: bool,
    /// The packed chart.
    pub content: Vec<u8>,
    /// What is odd, but does not stop Flux: a lock file for other dependencies.
    pub warnings: Vec<String>,
}

impl Built {
    /// Returns the file of the artifact: `<name>-<version>.tgz`.
    pub fn file_name(&self) -> String {
        format!("{}-{}.tgz", self.name, self.version)
    }

    /// Says what was done, in Flux's words.
    pub fn summary(&self) -> String {
        let action = match self.is_packaged {
            true => "packaged",
            false => "pulled",
        };
        let values = match self.values_files.is_empty() {
            true => String::new(),
            false => format!(" and merged values files [{}]", self.values_files.join(" ")),
        };
        format!(
            "{action} '{}' chart with version '{}'{values}",
            self.name, self.version
        )
    }
}

/// Runs what takes long and waits for nothing, as unpacking and packing of charts do, where that
/// holds nobody up.
///
/// # Errors
/// Those of `job`; [`HelmError::Store`] if it did not end.
pub async fn work<T: Send + 'static>(
    job: impl FnOnce() -> Result<T, HelmError> + Send + 'static,
) -> Result<T, HelmError> {
    let ended = tokio::task::spawn_blocking(job).await;
    ended.unwrap_or_else(|error| {
        Err(HelmError::Store {
            action: "build the chart",
            source: std::io::Error::other(error),
        })
    })
}

/// Builds a chart that was downloaded: `own` is the version that was chosen, `packed` its bytes.
/// Without options that change it, it is taken as it came. Blocks: see [`work`].
///
/// # Errors
/// [`HelmError::Build`].
pub fn build_remote(
    name: &str,
    own: &str,
    packed: Vec<u8>,
    options: &BuildOptions,
    limits: &Limits,
) -> Result<Built, HelmError> {
    let place = format!("chart `{}`", crate::error::clean(name));
    let mut built = Built {
        name: name.to_owned(),
        version: options.version(own)?,
        values_files: Vec::new(),
        resolved_dependencies: 0,
        is_packaged: false,
        content: Vec::new(),
        warnings: Vec::new(),
    };
    if !options.changes_chart() {
        inspect(&place, packed.as_slice(), limits).map_err(|error| Stage::Pull.failed(error))?;
        built.content = packed;
        return Ok(built);
    }
    let mut chart = Chart::unpack(&place, packed.as_slice(), limits)
        .map_err(|error| Stage::Package.failed(error))?;
    chart.metadata.version.clone_from(&built.version);
    if !options.values_files().is_empty() {
        let read = |path: &str| from_chart(&chart, path);
        let merged = merge(options, &place, read).map_err(|error| Stage::Values.failed(error))?;
        replace_values(&mut chart, merged, &mut built)?;
    }
    pack(&chart, &mut built, limits)?;
    Ok(built)
}

/// Builds the chart at `path` of a source's tree: a folder, whose missing dependencies are added, or
/// a packed chart. Does not block.
///
/// # Errors
/// [`HelmError::Build`].
pub async fn build_local(
    tree: Arc<dyn SourceTree>,
    path: &TreePath,
    options: &BuildOptions,
    repositories: &impl Repositories,
    limits: &Limits,
) -> Result<Built, HelmError> {
    let read = {
        let (tree, path) = (tree.clone(), path.clone());
        let (options, limits) = (options.clone(), limits.clone());
        move || read_local(&*tree, &path, &options, &limits)
    };
    let (mut built, chart) = match work(read).await? {
        Local::Built(built) => return Ok(built),
        Local::Packed(chart, built) => (built, chart),
        Local::Folder(chart, mut built) => {
            if let Err(error) = chart.check_lock() {
                built.warnings.push(error.to_string());
            }
            let home = Home { tree, path, limits };
            let added = dependencies::add_missing(*chart, &home, repositories).await;
            let (chart, count) = added.map_err(|error| Stage::Dependencies.failed(error))?;
            built.resolved_dependencies = count;
            (built, Box::new(chart))
        }
    };
    let limits = limits.clone();
    work(move || pack(&chart, &mut built, &limits).map(|()| built)).await
}

/// A chart of a source, before its dependencies are added and it is packed.
enum Local {
    /// It is taken as it is.
    Built(Built),
    /// It was packed, and has all that it needs.
    Packed(Box<Chart>, Built),
    /// It may lack dependencies.
    Folder(Box<Chart>, Built),
}

fn read_local(
    tree: &dyn SourceTree,
    path: &TreePath,
    options: &BuildOptions,
    limits: &Limits,
) -> Result<Local, HelmError> {
    let source = ChartSource::new(tree, limits);
    let reference = |error: HelmError| Stage::Reference.failed(error);
    let metadata = source.metadata(path).map_err(reference)?;
    let is_folder = source.is_folder(path).map_err(reference)?;
    let mut built = Built {
        version: options.version(&metadata.version)?,
        name: metadata.name,
        values_files: Vec::new(),
        resolved_dependencies: 0,
        is_packaged: false,
        content: Vec::new(),
        warnings: Vec::new(),
    };
    if !is_folder && !options.changes_chart() {
        built.content = source
            .packed(path)
            .map_err(|error| Stage::Pull.failed(error))?;
        return Ok(Local::Built(built));
    }
    let merged = match options.values_files() {
        [] => None,
        _ => {
            let read = |file: &str| from_tree(tree, file, limits);
            let merged = merge(options, "the source", read);
            Some(merged.map_err(|error| Stage::Values.failed(error))?)
        }
    };
    let mut chart = source
        .load(path)
        .map_err(|error| Stage::Package.failed(error))?;
    chart.metadata.version.clone_from(&built.version);
    if let Some(merged) = merged {
        replace_values(&mut chart, merged, &mut built)?;
    }
    let chart = Box::new(chart);
    Ok(match is_folder {
        true => Local::Folder(chart, built),
        false => Local::Packed(chart, built),
    })
}

fn pack(chart: &Chart, built: &mut Built, limits: &Limits) -> Result<(), HelmError> {
    built.content = chart
        .package(limits)
        .map_err(|error| Stage::Package.failed(error))?;
    built.is_packaged = true;
    Ok(())
}

/// What values files have become, and which of them were there.
struct Merged {
    values: Map<String, Value>,
    files: Vec<String>,
}

fn merge(
    options: &BuildOptions,
    place: &str,
    read: impl Fn(&str) -> Result<Option<Value>, HelmError>,
) -> Result<Merged, HelmError> {
    let mut merged = Merged {
        values: Map::new(),
        files: Vec::new(),
    };
    for path in &options.values_files {
        match read(path)? {
            Some(Value::Object(map)) => {
                values::merge(&mut merged.values, map);
                merged.files.push(path.clone());
            }
            Some(_) => {}
            None if options.ignore_missing_values_files => {}
            None => {
                return Err(HelmError::NoValues {
                    path: crate::error::clean(path),
                    place: place.to_owned(),
                });
            }
        }
    }
    Ok(merged)
}

fn from_chart(chart: &Chart, path: &str) -> Result<Option<Value>, HelmError> {
    let Ok(clean) = TreePath::parse(path) else {
        return Ok(None);
    };
    if clean.as_str() == VALUES {
        return chart.default_values().map(Some);
    }
    match chart.file(clean.as_str()) {
        None => Ok(None),
        Some(content) => values::read_file(&chart.place(), clean.as_str(), content).map(Some),
    }
}

fn from_tree(
    tree: &dyn SourceTree,
    path: &str,
    limits: &Limits,
) -> Result<Option<Value>, HelmError> {
    use bulkhead_api::TreeError;
    // As in Flux, `..` at the root of the source stays there.
    let file = clamped(&TreePath::root(), path)?;
    match tree.stat(&file) {
        Err(TreeError::NotFound(_) | TreeError::NotADirectory(_)) => return Ok(None),
        Err(error) => return Err(error.into()),
        Ok(entry) if entry.size_bytes > limits.file_bytes => {
            let what = format!("`{file}`");
            return Err(HelmError::limit(what, "file_bytes", limits.file_bytes));
        }
        Ok(_) => {}
    }
    values::read_file(&place(&TreePath::root()), file.as_str(), &tree.read(&file)?).map(Some)
}

/// Puts merged values in the place of the chart's own; a chart without any has none to replace.
fn replace_values(chart: &mut Chart, merged: Merged, built: &mut Built) -> Result<(), HelmError> {
    let text = match merged.values.is_empty() {
        true => String::new(),
        false => yaml::write(&gojson::sorted(&Value::Object(merged.values))),
    };
    let Some(own) = &chart.values else {
        let error = HelmError::NoValues {
            path: VALUES.to_owned(),
            place: chart.place(),
        };
        return Err(Stage::Values.failed(error));
    };
    if own.as_slice() != text.as_bytes() {
        chart.values = Some(text.into_bytes());
        built.values_files = merged.files;
    }
    Ok(())
}
