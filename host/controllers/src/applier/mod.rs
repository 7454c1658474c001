//! What renders and applies: Kustomization and Delivery, two faces of one model.
//!
//! A Kustomization is read as the Delivery that it stands for ([`Item`]); from there on there is one
//! road for both: a directory of a source is rendered, and the cluster kept as it says.

mod act;
mod decide;
mod deliver;
mod dependencies;
pub mod face;
mod finalize;
mod health;
mod item;
mod load;
pub mod memory;
mod name;
mod outcome;
pub mod plugins;
mod progress;
mod rendering;
mod report;
mod status;
mod upgrade;
mod values;

use std::sync::Arc;

use crate::context::Context;
use crate::index::SourceId;
use crate::kind::Kind;
use crate::queue::{Again, Class};
use crate::status::WriteError;
use crate::watch::Change;

pub use decide::RefuseError;
pub use face::FaceError;
pub use item::{Item, Raw};
pub use name::{Face, Name};
pub use outcome::{DeliverError, Outcome};
pub use rendering::rendering;

/// Reconciles the object `name`.
///
/// # Errors
/// The API server could not be used; nothing is lost.
pub async fn reconcile(
    context: Arc<Context>,
    name: Name,
    class: Class,
) -> Result<Again, WriteError> {
    let Some(object) = load::object(&context, &name).await? else {
        return Ok(Again::OnEvent);
    };
    let observed = load::observe(&object, &context).await;
    let is_due = is_due(&object, &observed, class, &context);
    let decision = decide::decide(&object, &observed, class, &context.settings, is_due);
    let outcome = act::run(&object, decision, observed, &context).await;
    report::publish(&context, &outcome, class).await?;
    Ok(report::again(&context, &outcome))
}

/// Tells whether all objects are to be compared with the cluster: at the interval where no watch
/// would have shown a change, and now and then in any case.
fn is_due(object: &Item, observed: &load::Observed, class: Class, context: &Context) -> bool {
    let Some(applied) = &observed.remembered.applied else {
        return false;
    };
    if applied.compared.elapsed() >= context.settings.sweep {
        return true;
    }
    let objects = object.raw().inventory();
    if class == Class::Interval && object.spec.kube_config.is_some() {
        // Nobody watches another cluster.
        return true;
    }
    class == Class::Interval && !context.drift.covers(object.name.face, objects.iter())
}

/// Names the source of an object; `None` for one of a kind that is not supported.
pub fn source_id(object: &Raw) -> Option<SourceId> {
    load::source_id(object)
}

/// Tells whether a change is one that dependents may wait for.
pub fn may_free_dependents<K: Kind>(change: &Change<K>) -> bool {
    match change {
        Change::Put {
            before: Some(before),
            now,
        } => before.status() != now.status() || before.meta().generation != now.meta().generation,
        Change::Put { before: None, .. } | Change::Deleted(_) => true,
        Change::Broken(_) => false,
    }
}
