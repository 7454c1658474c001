//! OCIRepository: asks a registry at every interval what a tag, a range of versions or a digest
//! means, and makes an artifact of one layer of it.

mod act;
mod decide;
mod error;
mod load;
mod once;

use std::sync::Arc;

use bulkhead_api::source::{OCIRepository, OciRepositoryStatus};

use crate::clock;
use crate::context::Context;
use crate::queue::{Again, Class, Key};
use crate::sources::{self, report};
use crate::status::WriteError;

pub use error::PullError;
pub use once::{Pulled, pull};

/// Reconciles the object `key`.
///
/// # Errors
/// The API server could not be used; nothing is lost.
pub async fn reconcile(
    context: Arc<Context>,
    key: Key,
    _class: Class,
) -> Result<Again, WriteError> {
    let Some(object) = sources::object::<OCIRepository>(&context, &key).await? else {
        return Ok(Again::OnEvent);
    };
    let observed = load::observe(&object, &key, &context).await;
    let decision = decide::decide(&object, &observed);
    let outcome = act::run(&object, &key, decision, observed, &context).await;
    let observe = |status: &mut OciRepositoryStatus| note(&object, status);
    let next = sources::next(&*object, &outcome, &context.archives, clock::now(), observe);
    let written = report::publish(&context, &key, &object, next, &outcome).await?;
    Ok(report::again(&context, &key, &*written, &outcome))
}

/// Notes what a new artifact was made with.
fn note(object: &OCIRepository, status: &mut OciRepositoryStatus) {
    status.observed_ignore = object.spec.ignore.clone();
    status.observed_layer_selector = object.spec.layer_selector.clone();
}
