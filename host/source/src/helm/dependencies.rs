//! Dependencies of a chart: what `charts/` lacks is found, fetched and added.
//!
//! In: a chart as it was read, and a [`Repositories`] that downloads. Out: the same chart with the
//! missing charts in it, each under its alias if it has one. A lock file comes before `Chart.yaml`.
//!
//! Source: source-controller 1.9, internal/helm/chart/dependency_manager.go; the digest of a lock
//! file as in helm 4.3, internal/resolver/resolver.go.

use std::future::Future;
use std::sync::Arc;

use bulkhead_api::{Digest, SourceTree, TreePath};
use serde_json::{Value, json};

use super::build::work;
use super::chart::{Chart, ChartSource};
use super::metadata::Dependency;
use super::{HelmError, Limits, gojson, normalize, version};
use crate::Constraint;

/// Downloads the charts that others need.
pub trait Repositories: Sync {
    /// Returns the packed chart of `dependency` from `repository`: an `https://`, `http://` or
    /// `oci://` URL in the form of [`normalize`](super::normalize).
    ///
    /// # Errors
    /// [`HelmError`]; the caller adds the names of dependency and repository.
    fn fetch(
        &self,
        repository: &str,
        dependency: &Dependency,
    ) -> impl Future<Output = Result<Vec<u8>, HelmError>> + Send;
}

/// Where a chart lies: those that it names by path are near it.
pub(super) struct Home<'a> {
    pub(super) tree: Arc<dyn SourceTree>,
    /// The chart's folder.
    pub(super) path: &'a TreePath,
    pub(super) limits: &'a Limits,
}

/// Adds the dependencies that `chart` lacks, and returns how many there were.
///
/// # Errors
/// [`HelmError::Dependency`] with the names of dependency and repository.
pub(super) async fn add_missing(
    mut chart: Chart,
    home: &Home<'_>,
    repositories: &impl Repositories,
) -> Result<(Chart, usize), HelmError> {
    let missing = missing(&chart);
    for dependency in &missing {
        let failed = |error: HelmError| HelmError::Dependency {
            name: crate::error::clean(dependency.local_name()),
            repository: shown(&dependency.repository),
            source: Box::new(error),
        };
        let added = match is_local(dependency) {
            true => {
                let (tree, path) = (home.tree.clone(), home.path.clone());
                let (limits, dependency) = (home.limits.clone(), dependency.clone());
                work(move || local(&ChartSource::new(&*tree, &limits), &path, &dependency)).await
            }
            false => remote(repositories, dependency, home.limits).await,
        };
        let mut added = added.map_err(failed)?;
        if !dependency.alias.is_empty() {
            added.metadata.name = dependency.alias.clone();
        }
        chart.dependencies.push(added);
    }
    let count = missing.len();
    Ok((chart, count))
}

/// Returns what `charts/` lacks, sorted by name; as in Flux nothing is missing if the numbers agree.
fn missing(chart: &Chart) -> Vec<Dependency> {
    let wanted = match &chart.lock {
        Some(lock) => &lock.dependencies,
        None => &chart.metadata.dependencies,
    };
    if chart.dependencies.len() == wanted.len() {
        return Vec::new();
    }
    let has = |name: &str| {
        let mut all = chart.dependencies.iter();
        all.any(|there| there.metadata.name == name)
    };
    let mut missing: Vec<Dependency> = wanted
        .iter()
        .filter(|dependency| !has(dependency.local_name()))
        .cloned()
        .collect();
    missing.sort_by(|one, other| one.local_name().cmp(other.local_name()));
    missing.dedup_by(|one, other| one.local_name() == other.local_name());
    missing
}

fn is_local(dependency: &Dependency) -> bool {
    dependency.repository.is_empty() || dependency.repository.starts_with("file://")
}

fn local(
    source: &ChartSource<'_>,
    home: &TreePath,
    dependency: &Dependency,
) -> Result<Chart, HelmError> {
    let below = match dependency.repository.strip_prefix("file://") {
        Some(path) => path.trim_start_matches('/').to_owned(),
        None => format!("charts/{}", dependency.name),
    };
    let path = super::chart::clamped(home, &below)?;
    let chart = source.load(&path)?;
    let place = format!("dependency `{}`", crate::error::clean(&dependency.name));
    let range = Constraint::parse(&dependency.version).map_err(|source| HelmError::Range {
        place: place.clone(),
        source,
    })?;
    let found = &chart.metadata.version;
    match version::parse(found) {
        Some(version) if range.matches(&version) => Ok(chart),
        _ => Err(HelmError::NoVersion {
            place,
            wanted: crate::error::clean(&dependency.version),
            near: crate::error::clean(&format!("`{path}` has {found}")),
        }),
    }
}

async fn remote(
    repositories: &impl Repositories,
    dependency: &Dependency,
    limits: &Limits,
) -> Result<Chart, HelmError> {
    let text = &dependency.repository;
    let is_known = ["https://", "http://", "oci://"]
        .iter()
        .any(|scheme| text.starts_with(scheme));
    if !is_known {
        return Err(HelmError::DependencyUrl(shown(text)));
    }
    let repository = normalize(text)?;
    let packed = repositories.fetch(&repository, dependency).await?;
    let place = format!(
        "chart `{}` from {}",
        crate::error::clean(&dependency.name),
        shown(text)
    );
    let limits = limits.clone();
    work(move || Chart::unpack(&place, packed.as_slice(), &limits)).await
}

/// Shows a repository without a login.
fn shown(repository: &str) -> String {
    if repository.is_empty() {
        return "the folder `charts`".to_owned();
    }
    match url::Url::parse(repository) {
        Ok(url) if url.has_host() => super::http::shown(&url),
        _ => crate::error::clean(repository),
    }
}

/// Returns the digest that Helm writes into a lock file.
pub(super) fn lock_digest(wanted: &[Dependency], locked: &[Dependency]) -> Digest {
    let all = |dependencies: &[Dependency]| -> Value {
        // Go writes a list that was never filled as null.
        match dependencies.is_empty() {
            true => Value::Null,
            false => dependencies.iter().map(Dependency::to_value).collect(),
        }
    };
    let mut text = String::new();
    gojson::compact(&json!([all(wanted), all(locked)]), &mut text);
    Digest::of(text)
}

/// Returns the digest that Helm 2 wrote.
fn old_lock_digest(wanted: &[Dependency]) -> Digest {
    let all: Value = wanted.iter().map(Dependency::to_value).collect();
    let mut text = String::new();
    gojson::compact(&json!({ "dependencies": all }), &mut text);
    Digest::of(text)
}

impl Chart {
    /// Tells whether the lock file was made for the dependencies of `Chart.yaml`, as
    /// `helm dependency build` asks before it works. Flux does not ask, and goes by the lock file.
    ///
    /// # Errors
    /// [`HelmError::Lock`].
    pub fn check_lock(&self) -> Result<(), HelmError> {
        let Some(lock) = &self.lock else {
            return Ok(());
        };
        let wanted = &self.metadata.dependencies;
        let is_old = self.metadata.api_version == "v1";
        let fits = lock.digest == lock_digest(wanted, &lock.dependencies).to_string()
            || is_old && lock.digest == old_lock_digest(wanted).to_string();
        if fits {
            return Ok(());
        }
        Err(HelmError::Lock {
            place: self.place(),
            file: if is_old {
                "requirements.lock"
            } else {
                "Chart.lock"
            },
        })
    }
}
