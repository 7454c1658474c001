//! GitRepository: looks at the remote repository at every interval, and makes an archive and a tree
//! of each new commit.

mod act;
mod decide;
mod load;
mod report;
pub mod request;
mod status;

use std::sync::Arc;

use bulkhead_api::source::GitRepository;

use crate::clock;
use crate::context::Context;
use crate::queue::{Again, Class, Key};
use crate::sources;
use crate::status::WriteError;
use crate::watch::Change;

pub use act::{Outcome, SourceError};

/// Reconciles the object `key`.
///
/// # Errors
/// The API server could not be used; nothing is lost.
pub async fn reconcile(
    context: Arc<Context>,
    key: Key,
    _class: Class,
) -> Result<Again, WriteError> {
    let Some(repository) = load::object(&context, &key).await? else {
        return Ok(Again::OnEvent);
    };
    let observed = load::observe(&repository, &key, &context).await;
    let decision = decide::decide(&repository, &observed);
    let outcome = act::run(&repository, &key, decision, observed, &context).await;
    let next = status::next(&repository, &outcome, &context.archives, clock::now());
    let written = report::publish(&context, &key, &repository, next, &outcome).await?;
    Ok(report::again(&context, &key, &written, &outcome))
}

/// Tells whether a change is one that consumers of the artifact must see.
pub fn has_new_artifact(change: &Change<GitRepository>) -> bool {
    let Change::Put { before, now } = change else {
        return false;
    };
    let before = before.as_deref();
    let before = before.and_then(|before| before.status.artifact.as_ref());
    sources::is_new(before, now.status.artifact.as_ref())
}
