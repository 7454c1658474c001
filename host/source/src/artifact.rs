//! What a fetch gives.

use bulkhead_api::{Digest, Revision};

use crate::GitTree;

/// The files of one commit, and which commit it is.
#[derive(Clone)]
pub struct Artifact {
    /// As in `status.artifact.revision`: `main@sha1:<hex>`.
    pub revision: Revision,
    /// The files. Cheap to clone, read by many at once.
    pub tree: GitTree,
    /// Identifies all files by name and content, whatever the commit.
    pub content: Digest,
    /// When the commit was made, in seconds since 1970: the wall clock of guests.
    pub commit_seconds: i64,
    /// First line of the commit's message, at most 50 characters and then `...`, as in Flux's events.
    pub commit_message: String,
}

/// The outcome of a fetch.
#[derive(Clone)]
pub enum Fetched {
    /// The source is still at the revision that was given, and the store has it.
    Unchanged,
    /// The source is at another revision, or the store had to get it again.
    New(Artifact),
}
