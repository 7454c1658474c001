//! The files of an artifact, for those who render them.

use std::io::Read;
use std::sync::Arc;
use std::time::Duration;

use bulkhead_api::meta::Artifact;
use bulkhead_api::source::ExternalArtifact;
use bulkhead_source::{FileTree, LayerError, Limits};

use super::artifact::{ArtifactError, read};
use super::storage::blocking;
use crate::context::Context;
use crate::index::SourceId;
use crate::trees::Loaded;

/// Most bytes of all files.
const FILES_BYTES: u64 = 256 * 1024 * 1024;
/// Most bytes of the archive of another controller.
const ARCHIVE_BYTES: u64 = 128 * 1024 * 1024;
/// Longest time for loading it.
const TIMEOUT: Duration = Duration::from_secs(60);

/// How much an archive may hold.
pub(crate) fn limits() -> Limits {
    Limits {
        tree_bytes: FILES_BYTES,
        ..Limits::default()
    }
}

/// Takes the files out of an archive.
///
/// # Errors
/// [`LayerError`] names the entry.
pub(crate) fn unpack(archive: impl Read, artifact: &Artifact) -> Result<Loaded, LayerError> {
    Ok(Loaded {
        revision: artifact.revision.clone(),
        digest: artifact.digest.clone(),
        revision_time: created(artifact),
        tree: Arc::new(FileTree::unpack(archive, &limits())?),
    })
}

/// Returns when the artifact was made, by its own word, in seconds since 1970.
fn created(artifact: &Artifact) -> u64 {
    const CREATED: &str = "org.opencontainers.image.created";
    let text = artifact.metadata.get(CREATED);
    let time = text.and_then(|text| text.parse::<jiff::Timestamp>().ok());
    time.and_then(|time| u64::try_from(time.as_second()).ok())
        .unwrap_or_default()
}

/// Loads the files of an ExternalArtifact, once for all who have it, and forgets those that nobody has
/// any more.
///
/// # Errors
/// [`ArtifactError`]: it cannot be loaded, or is not what its status says.
pub(crate) async fn load_external(
    context: &Context,
    id: &SourceId,
    artifact: &Artifact,
) -> Result<Arc<Loaded>, ArtifactError> {
    let known = || {
        context
            .trees
            .get(id)
            .filter(|loaded| loaded.is_of(artifact))
    };
    if let Some(loaded) = known() {
        return Ok(loaded);
    }
    let turn = context.trees.turn(id);
    let _turn = turn.lock().await;
    if let Some(loaded) = known() {
        return Ok(loaded);
    }
    let is_used =
        |id: &SourceId| id.kind != ExternalArtifact::KIND || context.index.sources.any(id);
    context.trees.retain(is_used);
    let bytes = read(&context.archives, artifact, ARCHIVE_BYTES, TIMEOUT).await?;
    let of = artifact.clone();
    let unpacked = blocking(move || Ok(unpack(bytes.as_slice(), &of))).await;
    let path = || artifact.path.clone();
    let unpacked = unpacked.map_err(|source| ArtifactError::Read {
        path: path(),
        source,
    })?;
    let loaded = unpacked.map_err(|source| ArtifactError::Unpack {
        path: path(),
        source: Box::new(source),
    })?;
    let loaded = Arc::new(loaded);
    context.trees.put(id, loaded.clone());
    Ok(loaded)
}
