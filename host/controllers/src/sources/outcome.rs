//! How a run ended, as values: what was stored, or what failed and where.

use std::time::Duration;

use bulkhead_api::Advice;
use bulkhead_api::event::Severity;
use bulkhead_api::meta::Artifact;

/// A failure, and what it means for the conditions.
pub(crate) trait Failure: std::error::Error + Send + Sync + 'static {
    /// Names the reason, when to try again, and what the user can do.
    fn advice(&self) -> Advice;
    /// Says what failed.
    fn place(&self) -> Place;
    /// Says who is told of it: with `Trace`, those who look alone.
    fn severity(&self) -> Severity {
        Severity::Error
    }
    /// Returns how long a server asked to be left alone.
    fn retry_after(&self) -> Option<Duration> {
        None
    }
}

/// What failed: decides which condition says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// Fetching: `FetchFailed`.
    Fetch,
    /// Building an artifact of what was fetched: `BuildFailed`.
    Build,
    /// Our own storage: `StorageOperationFailed`.
    Storage,
    /// The signature: `SourceVerified` is False, and Ready with it.
    Signature,
    /// The signature of a chart: `BuildFailed` too.
    ChartSignature,
}

/// What is known of the signature after a run that went well.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Signature {
    /// Nobody asked for one.
    NotAsked,
    /// It was checked before, and what it is about is the same.
    Same,
    /// It was checked now: what the condition says.
    Checked(String),
}

/// What is said about an artifact that is in the storage.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Good {
    /// Reason of `ArtifactInStorage` and Ready.
    pub(crate) reason: &'static str,
    /// Their message.
    pub(crate) message: String,
    /// Reason and message of the event when the artifact is new.
    pub(crate) event: (&'static str, String),
    /// Reason of the event when a failure is over.
    pub(crate) recovered: &'static str,
    /// What is known of the signature.
    pub(crate) signature: Signature,
}

/// What was done.
#[derive(Debug)]
pub(crate) enum Done {
    /// The object may go.
    Finalized,
    /// Nothing, as it is suspended.
    Suspended,
    /// The artifact of the status is the newest.
    Kept(Good),
    /// There is a new artifact, or the old one was made anew.
    Stored(Box<Artifact>, Good),
}

/// Something newer than the artifact of the status, which was found and could not be stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Newer {
    /// Reason of `ArtifactOutdated`.
    pub(crate) reason: &'static str,
    /// Its message.
    pub(crate) message: String,
}

/// How a run ended.
#[derive(Debug)]
pub(crate) struct Outcome<E> {
    pub(crate) result: Result<Done, E>,
    /// The artifact that the status names is on disk.
    pub(crate) has_artifact: bool,
    /// What was found beside the artifact of the status.
    pub(crate) newer: Option<Newer>,
    pub(crate) took: Duration,
}
