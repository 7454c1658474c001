//! Does what was decided about a GitRepository: fetches, writes the archive, keeps the tree.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use bulkhead_api::meta::{self, Artifact};
use bulkhead_api::source::GitRepository;
use bulkhead_api::{Advice, Retry, Revision, reason};
use bulkhead_source::{FetchError, Fetched, GitRequest, write_archive};
use tokio::time::Instant;

use super::decide::Decision;
use super::load::Observed;
use super::request::RequestError;
use crate::archives::Archives;
use crate::clock;
use crate::context::Context;
use crate::index::SourceId;
use crate::queue::Key;
use crate::trees::Loaded;

/// Why there is no new artifact.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// Nothing could be asked for.
    #[error(transparent)]
    Request(#[from] RequestError),
    /// The remote repository could not be read.
    #[error("failed to checkout and determine revision")]
    Fetch(#[source] FetchError),
    /// The archive could not be written.
    #[error("unable to archive artifact to storage")]
    Archive(#[source] io::Error),
    /// The archives of an object that is deleted could not be removed.
    #[error("garbage collection for deleted resource failed")]
    Collect(#[source] io::Error),
}

impl SourceError {
    /// Names the reason, when to try again, and what the user can do.
    pub fn advice(&self) -> Advice {
        match self {
            Self::Request(error) => error.advice(),
            Self::Fetch(error) => error.advice(),
            Self::Archive(_) => Advice::new(reason::ARCHIVE_OPERATION_FAILED, Retry::Backoff)
                .hint("check the space and the permissions of the storage folder"),
            Self::Collect(_) => Advice::new(reason::GARBAGE_COLLECTION_FAILED, Retry::Backoff),
        }
    }

    /// Tells whether it is the own storage that failed, not the remote repository.
    pub(super) fn is_storage(&self) -> bool {
        matches!(
            self,
            Self::Archive(_) | Self::Fetch(FetchError::Store { .. })
        )
    }

    /// Returns how long the server asked to be left alone.
    pub(super) fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Fetch(error) => error.retry_after(),
            _ => None,
        }
    }
}

/// What was done.
#[derive(Debug)]
pub(super) enum Done {
    /// The object may go.
    Finalized,
    /// Nothing, as it is suspended.
    Suspended,
    /// The remote repository is where it was.
    Unchanged,
    /// There is a new archive, or the old one was made anew.
    Stored(Box<Artifact>),
}

/// How it ended.
#[derive(Debug)]
pub struct Outcome {
    pub(super) result: Result<Done, SourceError>,
    /// The archive that the status names is on disk.
    pub(super) has_archive: bool,
    pub(super) took: Duration,
}

/// Does it.
pub(super) async fn run(
    repository: &GitRepository,
    key: &Key,
    decision: Decision,
    seen: Observed,
    context: &Arc<Context>,
) -> Outcome {
    let started = Instant::now();
    let has_archive = seen.has_archive;
    let result = match decision {
        Decision::Suspend => Ok(Done::Suspended),
        Decision::Refuse(error) => Err(error.into()),
        Decision::Finalize => finalize(key, context).await,
        Decision::Fetch { request, rebuild } => {
            let fetch = Fetch {
                repository,
                key,
                request: &request,
                rebuild,
                context,
            };
            fetch.run(seen.loaded).await
        }
    };
    Outcome {
        result,
        has_archive,
        took: started.elapsed(),
    }
}

async fn finalize(key: &Key, context: &Arc<Context>) -> Result<Done, SourceError> {
    context
        .trees
        .remove(&SourceId::new::<GitRepository>(key.clone()));
    let (archives, key) = (context.archives.clone(), key.clone());
    blocking(move || archives.remove(GitRepository::KIND, &key))
        .await
        .map_err(SourceError::Collect)?;
    Ok(Done::Finalized)
}

struct Fetch<'a> {
    repository: &'a GitRepository,
    key: &'a Key,
    request: &'a GitRequest,
    rebuild: bool,
    context: &'a Arc<Context>,
}

impl Fetch<'_> {
    async fn run(&self, mut loaded: Option<Arc<Loaded>>) -> Result<Done, SourceError> {
        let source = &self.context.source;
        if loaded.is_none() && !self.rebuild {
            loaded = self.load_stored().await;
        }
        let last = loaded
            .as_ref()
            .and_then(|loaded| loaded.revision.parse::<Revision>().ok());
        let last = last.filter(|_| !self.rebuild);
        let fetched = source
            .fetch(self.request, last.as_ref())
            .await
            .map_err(SourceError::Fetch)?;
        let artifact = match fetched {
            Fetched::Unchanged => return Ok(Done::Unchanged),
            Fetched::New(artifact) => artifact,
        };
        let revision = artifact.revision.to_string();
        let stored = match self.current(&revision) {
            Some(current) => current,
            None => self.store(&artifact).await?,
        };
        self.keep(&artifact, &stored.digest);
        Ok(Done::Stored(Box::new(stored)))
    }

    /// After a restart: takes the tree of the status from the store, so that its consumers need not
    /// wait for the remote repository.
    async fn load_stored(&self) -> Option<Arc<Loaded>> {
        let artifact = self.repository.status.artifact.as_ref()?;
        let revision: Revision = artifact.revision.parse().ok()?;
        match self.context.source.load(self.request, &revision).await {
            Ok(Some(stored)) => Some(self.keep(&stored, &artifact.digest)),
            Ok(None) => None,
            Err(error) => {
                let error = bulkhead_api::chain(&error);
                tracing::info!(
                    error,
                    "failed to load the stored revision, fetching it again"
                );
                None
            }
        }
    }

    /// Returns the artifact of the status, if it is of this revision and need not be made anew.
    fn current(&self, revision: &str) -> Option<Artifact> {
        let current = self.repository.status.artifact.as_ref()?;
        (!self.rebuild && current.revision == revision).then(|| current.clone())
    }

    async fn store(&self, artifact: &bulkhead_source::Artifact) -> Result<Artifact, SourceError> {
        let file = format!("{}.tar.gz", artifact.revision.checksum);
        let path = Archives::path(GitRepository::KIND, self.key, &file);
        let (archives, tree, to) = (
            self.context.archives.clone(),
            artifact.tree.clone(),
            path.clone(),
        );
        let key = self.key.clone();
        let written = blocking(move || {
            let written = archives.store(&to, |out| write_archive(&tree, out))?;
            let now = cap_std::time::SystemClock::new(cap_std::ambient_authority()).now();
            if let Err(error) = archives.collect(GitRepository::KIND, &key, &to, now) {
                tracing::info!(
                    error = bulkhead_api::chain(&error),
                    "failed to remove old archives"
                );
            }
            Ok(written)
        });
        let written = written.await.map_err(SourceError::Archive)?;
        Ok(Artifact {
            digest: written.digest.to_string(),
            url: self.context.archives.url(&path),
            path,
            revision: artifact.revision.to_string(),
            last_update_time: meta::time(clock::now()),
            size: i64::try_from(written.size_bytes).ok(),
            metadata: Default::default(),
        })
    }

    fn keep(&self, artifact: &bulkhead_source::Artifact, digest: &str) -> Arc<Loaded> {
        let loaded = Arc::new(Loaded {
            revision: artifact.revision.to_string(),
            digest: digest.to_owned(),
            revision_time: u64::try_from(artifact.commit_seconds).unwrap_or_default(),
            tree: Arc::new(artifact.tree.clone()),
        });
        let source = SourceId::new::<GitRepository>(self.key.clone());
        self.context.trees.put(&source, loaded.clone());
        self.context.wake_consumers_waiting_for(source);
        loaded
    }
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    tokio::task::spawn_blocking(work)
        .await
        .unwrap_or_else(|ended| Err(io::Error::other(ended)))
}
