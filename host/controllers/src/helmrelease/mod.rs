//! HelmRelease: a chart, installed with values and kept as it is written, through Helm's own records.
//!
//! What is wanted is compared with the newest record; only an action renders. What an action did is
//! noted in the status, and events tell of it, in upstream's words.

mod act;
mod actions;
mod chart;
mod content;
mod decide;
mod digests;
mod drift;
mod error;
mod finalize;
mod history;
mod load;
mod memory;
mod message;
mod options;
mod plugins;
mod record;
mod records;
mod referred;
mod remediation;
mod report;
mod resume;
mod reuse;
mod selector;
mod state;
mod summary;
mod target;
mod template;
pub mod values;

use std::sync::Arc;

use self::act::{Act, End};
use crate::context::Context;
use crate::queue::{Again, Class, Key};
use crate::status::WriteError;

pub use chart::{ARCHIVE_MAX_BYTES, Chart, ChartError, digest_in};
pub use content::{For, Parts, content};
pub use error::{ContentError, ReleaseError};
pub use load::source_id;
pub use memory::Releases;
pub use plugins::{HELM, Plugins};
pub use records::Records;
pub use referred::{Referred, ReferredKind};
pub use selector::SelectorError;
pub use template::chart_of;

/// Reconciles the HelmRelease `key`.
///
/// # Errors
/// The API server could not be used; nothing is lost.
pub async fn reconcile(context: Arc<Context>, key: Key, class: Class) -> Result<Again, WriteError> {
    let Some(object) = load::object(&context, &key).await? else {
        return Ok(Again::OnEvent);
    };
    let mut act = Act::new(&context, &object);
    // Its source may have come while the finalizer was written.
    let was_asked = context.helm_releases.queue.catch_up(&key);
    act.trusts_watch = class == Class::Interval && !was_asked;
    let result = run(&mut act).await;
    report::conclude(act, result).await
}

async fn run(act: &mut Act) -> Result<End, ReleaseError> {
    let object = act.object.clone();
    if object.metadata.deletion_timestamp.is_some() {
        return act.finalize().await;
    }
    if object.spec.suspend {
        return Ok(End::Suspended);
    }
    load::check(&object)?;
    let made = template::reconcile(&object, &act.context).await?;
    act.status.helm_chart = made.chart;
    made.reports.into_iter().for_each(|report| act.tell(report));
    act.begin();
    let observed = load::observe(&object, &act.context, made.generation).await?;
    act.context.releases.silence.over(&act.key);
    act.release(Arc::new(observed)).await
}

#[cfg(test)]
mod tests;
