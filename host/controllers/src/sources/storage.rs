//! Puts artifacts into the storage, and looks whether they still are what their status says.

use std::collections::BTreeMap;
use std::io;

use bulkhead_api::meta::{self, Artifact};
use bulkhead_api::{Advice, Retry, reason};

use super::Source;
use crate::archives::{Archives, Held, Scratch};
use crate::clock;
use crate::context::Context;
use crate::queue::Key;
use crate::report::{Audience, Report};
use crate::watch::key_of;

/// Why an artifact could not be stored, or removed.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// It could not be written.
    #[error("unable to save artifact to storage")]
    Write(#[source] io::Error),
    /// The artifacts of an object that is deleted could not be removed.
    #[error("garbage collection for deleted resource failed")]
    Collect(#[source] io::Error),
}

impl StoreError {
    /// Names the reason, when to try again, and what the user can do.
    pub(crate) fn advice(&self) -> Advice {
        match self {
            Self::Write(_) => Advice::new(reason::ARCHIVE_OPERATION_FAILED, Retry::Backoff)
                .hint("check the space and the permissions of the storage folder"),
            Self::Collect(_) => Advice::new(reason::GARBAGE_COLLECTION_FAILED, Retry::Backoff),
        }
    }
}

/// Tells whether the artifact of the status is in the storage. One that was altered is removed, and
/// an event tells of it.
pub(crate) async fn is_held<K: Source>(context: &Context, source: &K) -> bool {
    let Some(artifact) = source.artifact().cloned() else {
        return false;
    };
    let (archives, key) = (context.archives.clone(), key_of(source));
    let check = move || {
        let held = archives.check(K::KIND, &key, &artifact);
        if held == Held::Altered {
            archives.discard(K::KIND, &key, &artifact);
        }
        Ok(held)
    };
    match blocking(check).await {
        Ok(Held::Yes) => true,
        Ok(Held::Altered) => {
            let message = "failed to verify integrity of artifact: its file has another digest than the \
                 status says; it is made anew";
            let report = Report::error(reason::ARTIFACT_VERIFICATION_FAILED, message);
            let event = report.about(source, clock::now());
            context.reporter.report(event, Audience::Everyone);
            false
        }
        Ok(Held::Missing) | Err(_) => false,
    }
}

/// What an artifact is called, and what is known of it.
pub(crate) struct Label {
    /// Name of the file.
    pub(crate) file: String,
    /// Revision.
    pub(crate) revision: String,
    /// What upstream says of it.
    pub(crate) metadata: BTreeMap<String, String>,
}

/// Makes what was written the newest artifact of an object, and removes old ones.
///
/// # Errors
/// [`StoreError::Write`]; the artifact from before is still there.
pub(crate) async fn put<K: Source>(
    archives: &Archives,
    key: &Key,
    label: Label,
    scratch: Scratch,
) -> Result<Artifact, StoreError> {
    let path = Archives::path(K::KIND, key, &label.file);
    let url = archives.url(&path);
    let (archives, key, to) = (archives.clone(), key.clone(), path.clone());
    let place = move || {
        let stored = archives.adopt(scratch, &to)?;
        if let Err(error) = archives.link(&to, K::LATEST) {
            let error = bulkhead_api::chain(&error);
            tracing::info!(error, "failed to update status URL symlink");
        }
        let now = cap_std::time::SystemClock::new(cap_std::ambient_authority()).now();
        if let Err(error) = archives.collect(K::KIND, &key, &to, now) {
            let error = bulkhead_api::chain(&error);
            tracing::info!(error, "failed to remove old archives");
        }
        Ok(stored)
    };
    let stored = blocking(place).await.map_err(StoreError::Write)?;
    Ok(Artifact {
        digest: stored.digest.to_string(),
        path,
        url,
        revision: label.revision,
        last_update_time: meta::time(clock::now()),
        size: i64::try_from(stored.size_bytes).ok(),
        metadata: label.metadata,
    })
}

/// Runs what blocks where it may.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    tokio::task::spawn_blocking(work)
        .await
        .unwrap_or_else(|ended| Err(io::Error::other(ended)))
}
