//! HelmRepository: downloads the index of a repository at every interval, and stores it as Flux does.
//! One of type `oci` has no index: it is left alone, without finalizer and status.

mod act;
mod decide;
mod error;
mod load;
pub(crate) mod request;
mod settle;

use std::sync::Arc;

use bulkhead_api::source::{HelmRepository, HelmRepositoryStatus};

use crate::clock;
use crate::context::Context;
use crate::queue::{Again, Class, Key};
use crate::sources::{self, report};
use crate::status::WriteError;

pub use error::IndexError;

/// Reconciles the object `key`.
///
/// # Errors
/// The API server could not be used; nothing is lost.
pub async fn reconcile(
    context: Arc<Context>,
    key: Key,
    _class: Class,
) -> Result<Again, WriteError> {
    if let Some(object) = context.helm_repositories.store.get(&key)
        && object.spec.is_oci()
    {
        return settle::settle(&context, &key, &object).await;
    }
    let Some(object) = sources::object::<HelmRepository>(&context, &key).await? else {
        return Ok(Again::OnEvent);
    };
    let observed = load::observe(&object, &key, &context).await;
    let decision = decide::decide(&object, &observed);
    let outcome = act::run(&object, &key, decision, observed, &context).await;
    let observe = |_: &mut HelmRepositoryStatus| {};
    let next = sources::next(&*object, &outcome, &context.archives, clock::now(), observe);
    let written = report::publish(&context, &key, &object, next, &outcome).await?;
    Ok(report::again(&context, &key, &*written, &outcome))
}
