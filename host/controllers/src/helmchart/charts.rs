//! Finds and downloads charts of repositories with an index, for a HelmChart and for the
//! dependencies of another.

use std::io::BufReader;
use std::sync::Arc;

use bulkhead_api::meta::Artifact;
use bulkhead_api::source::HelmRepository;
use bulkhead_source::helm::index::{self, ChartVersion, Directory};
use bulkhead_source::helm::registry::{self, RegistryChart};
use bulkhead_source::helm::{ChartLocation, HelmError, HttpRepository, Limits};
use bulkhead_source::oci::{Reference, Registry, RegistryConfig, Repository};

use crate::archives::Archives;
use crate::context::Context;
use crate::queue::Key;
use crate::sources::blocking;

/// Chooses a version from the stored index of the HelmRepository `key`; `None` when that index is
/// not in the storage.
pub(super) async fn choose(
    context: &Context,
    key: &Key,
    artifact: &Artifact,
    place: String,
    (name, wanted): (String, String),
) -> Option<Result<ChartVersion, HelmError>> {
    let (archives, indexes) = (context.archives.clone(), context.indexes.clone());
    let (key, artifact) = (key.clone(), artifact.clone());
    let work = move || {
        let directory: Arc<Directory> = indexes.get(&archives, &key, &artifact)?;
        let mut file = BufReader::new(archives.open_own(HelmRepository::KIND, &key, &artifact)?);
        Ok(directory.choose(&place, &mut file, &name, &wanted))
    };
    match blocking(work).await {
        Ok(chosen) => Some(chosen),
        Err(error) => {
            let error = bulkhead_api::chain(&error);
            tracing::info!(error, "failed to read the stored index");
            None
        }
    }
}

/// Downloads an index that nobody keeps, to choose from it once.
pub(super) async fn ask(
    archives: &Archives,
    repository: &HttpRepository,
    (name, wanted): (String, String),
) -> Result<ChartVersion, HelmError> {
    let stored = |source| HelmError::Store {
        action: "write the index",
        source,
    };
    let scratch = || archives.scratch().map_err(stored);
    let (mut raw, mut spool, mut sorted) = (scratch()?, scratch()?, scratch()?);
    repository.fetch_index(raw.file_mut()).await?;
    let place = repository.place();
    let work = move || {
        let limits = Limits::default();
        let (text, spool) = (raw.file_mut(), spool.file_mut());
        let index = match index::store(text, spool, &mut sorted, &limits) {
            Ok(index) => index,
            Err(error) => return Ok(Err(error)),
        };
        let file = sorted.file_mut();
        Ok(index.directory.choose(&place, file, &name, &wanted))
    };
    blocking(work).await.map_err(stored)?
}

/// Downloads the packed chart of a version.
pub(super) async fn download(
    repository: &HttpRepository,
    version: &ChartVersion,
) -> Result<Vec<u8>, HelmError> {
    match repository.locate(version)? {
        ChartLocation::Web(url) => repository.download(version, &url).await,
        ChartLocation::Registry(reference) => pull_reference(&reference).await,
    }
}

/// Pulls a chart that an index of a web server says is in a registry: without a login, which is the
/// web server's.
async fn pull_reference(reference: &Reference) -> Result<Vec<u8>, HelmError> {
    let registry = Registry::new(RegistryConfig::default())?;
    let resolved = registry.resolve(reference).await?;
    let pulled = registry::pull(&registry, &resolved, &Limits::default()).await?;
    Ok(pulled.content.to_vec())
}

/// Chooses a version in a registry, and looks it up.
pub(super) async fn look_up(
    config: &RegistryConfig,
    repository: &Repository,
    wanted: &str,
) -> Result<(Registry, RegistryChart), HelmError> {
    let registry = Registry::new(config.clone())?;
    let found = registry::choose(&registry, repository, wanted).await?;
    Ok((registry, found))
}

/// Pulls a chart that was looked up.
pub(super) async fn pull(registry: &Registry, found: &RegistryChart) -> Result<Vec<u8>, HelmError> {
    let pulled = registry::pull(registry, &found.resolved, &Limits::default()).await?;
    Ok(pulled.content.to_vec())
}
