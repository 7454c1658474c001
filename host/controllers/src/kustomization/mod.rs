//! Kustomization: renders a directory of a source and keeps the cluster as it says.

mod act;
mod decide;
mod deliver;
mod dependencies;
mod finalize;
mod health;
mod load;
pub mod memory;
mod outcome;
mod progress;
mod report;
mod status;

use std::sync::Arc;

use bulkhead_api::kustomize::Kustomization;

use crate::context::Context;
use crate::queue::{Again, Class, Key};
use crate::status::WriteError;
use crate::watch::Change;

pub use decide::RefuseError;
pub use outcome::{DeliverError, Outcome};

/// Reconciles the object `key`.
///
/// # Errors
/// The API server could not be used; nothing is lost.
pub async fn reconcile(context: Arc<Context>, key: Key, class: Class) -> Result<Again, WriteError> {
    let Some(object) = load::object(&context, &key).await? else {
        return Ok(Again::OnEvent);
    };
    let observed = load::observe(&object, &key, &context).await;
    let is_due = is_due(&object, &observed, class, &context);
    let decision = decide::decide(&object, &observed, class, &context.settings, is_due);
    let outcome = act::run(&object, &key, decision, observed, &context).await;
    report::publish(&context, &outcome, class).await?;
    Ok(report::again(&context, &outcome))
}

/// Tells whether all objects are to be compared with the cluster: at the interval where no watch
/// would have shown a change, and now and then in any case.
fn is_due(
    object: &Kustomization,
    observed: &load::Observed,
    class: Class,
    context: &Context,
) -> bool {
    let Some(applied) = &observed.remembered.applied else {
        return false;
    };
    if applied.compared.elapsed() >= context.settings.sweep {
        return true;
    }
    let entries = object
        .status
        .inventory
        .iter()
        .flat_map(|inventory| &inventory.entries);
    let objects: Vec<_> = entries.filter_map(|entry| entry.object().ok()).collect();
    class == Class::Interval && !context.drift.covers(objects.iter())
}

/// Names the GitRepository of a Kustomization; `None` for a source of another kind.
pub fn source_key(object: &Kustomization) -> Option<Key> {
    load::source_key(object)
}

/// Tells whether a change is one that dependents may wait for.
pub fn may_free_dependents(change: &Change<Kustomization>) -> bool {
    match change {
        Change::Put {
            before: Some(before),
            now,
        } => before.status != now.status || before.metadata.generation != now.metadata.generation,
        Change::Put { before: None, .. } | Change::Deleted(_) => true,
        Change::Broken(_) => false,
    }
}
