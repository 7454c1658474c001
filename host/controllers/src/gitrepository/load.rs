//! Gathers what a decision about a GitRepository needs: its Secrets, its archive, its tree.

use std::sync::Arc;

use bulkhead_api::source::GitRepository;

use super::request::Secrets;
use crate::context::Context;
use crate::index::SourceId;
use crate::queue::Key;
use crate::status::{self, WriteError};
use crate::trees::Loaded;

/// What there is.
#[derive(Debug, Default)]
pub(super) struct Observed {
    /// The Secrets that it names.
    pub(super) secrets: Secrets,
    /// The archive of the status is on disk, with its digest.
    pub(super) has_archive: bool,
    /// The tree of the last fetch of this process.
    pub(super) loaded: Option<Arc<Loaded>>,
}

/// Returns the object, with the finalizer; `None` when there is none to reconcile.
pub(super) async fn object(
    context: &Context,
    key: &Key,
) -> Result<Option<Arc<GitRepository>>, WriteError> {
    let store = &context.repositories;
    match store.get(key) {
        None => {
            if let Some(broken) = store.broken(key) {
                status::write_broken::<GitRepository>(context.clients.own(), &broken).await?;
            }
            Ok(None)
        }
        Some(object) if object.metadata.deletion_timestamp.is_some() => Ok(Some(object)),
        Some(object) => status::add_finalizer(context.clients.own(), store, &object)
            .await
            .map(Some),
    }
}

/// Reads what the object refers to.
pub(super) async fn observe(
    repository: &GitRepository,
    key: &Key,
    context: &Arc<Context>,
) -> Observed {
    if repository.metadata.deletion_timestamp.is_some() || repository.spec.suspend {
        return Observed::default();
    }
    Observed {
        secrets: Secrets::read(context.clients.own(), key, &repository.spec).await,
        has_archive: has_archive(repository, key, context).await,
        loaded: context
            .trees
            .get(&SourceId::new::<GitRepository>(key.clone())),
    }
}

async fn has_archive(repository: &GitRepository, key: &Key, context: &Arc<Context>) -> bool {
    let Some(artifact) = repository.status.artifact.clone() else {
        return false;
    };
    let (archives, key) = (context.archives.clone(), key.clone());
    tokio::task::spawn_blocking(move || archives.holds(GitRepository::KIND, &key, &artifact))
        .await
        .unwrap_or(false)
}
