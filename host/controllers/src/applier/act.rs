//! Does what was decided.

use std::sync::Arc;

use tokio::time::Instant;

use super::decide::{Decision, Wait};
use super::deliver::Run;
use super::item::Item;
use super::load::{Observed, Source};
use super::memory::{Health, HealthResult, lock};
use super::outcome::{Attempted, DeliverError, Done, Outcome};
use super::progress::{Progress, SILENT_FOR};
use crate::context::Context;
use crate::queue::Class;

/// Does it.
pub(super) async fn run(
    object: &Arc<Item>,
    decision: Decision,
    seen: Observed,
    context: &Arc<Context>,
) -> Outcome {
    let started = Instant::now();
    let progress = Progress::new(object, context);
    let mut attempted = Attempted::default();
    let run = Run {
        name: &object.name,
        seen: &seen,
        context,
        progress: &progress,
    };
    let result = match decision {
        Decision::Suspend => Ok(Done::Suspended),
        Decision::Refuse(error) => Err(error.into()),
        Decision::Watch => Ok(Done::Watching),
        Decision::Wait(wait) => Ok(waiting(wait, &seen, context)),
        Decision::Conclude(health) => conclude(health, &seen, &mut attempted),
        Decision::Finalize { delete, wait } => run.finalize(delete, wait, &mut attempted).await,
        Decision::Deliver(deliver) => {
            progress
                .while_slow(run.deliver(&deliver, &mut attempted))
                .await
        }
    };
    let (object, took) = (progress.into_object(), started.elapsed());
    Outcome {
        result,
        attempted,
        object,
        took,
    }
}

/// Ends the attempt whose health was waited for.
fn conclude(
    health: HealthResult,
    seen: &Observed,
    attempted: &mut Attempted,
) -> Result<Done, DeliverError> {
    if let Source::Ready(artifact, _) = &seen.source {
        attempted.revision = artifact.revision.clone();
        attempted.origin_revision = artifact.origin_revision().map(str::to_owned);
    }
    attempted.digest = Some(health.attempt.digest);
    let mut memory = lock(&seen.memory);
    memory.health = Health::None;
    match health.result {
        Ok(()) => {
            memory.note_health();
            Ok(Done::Healthy(attempted.clone(), health.took))
        }
        Err(source) => Err(DeliverError::Health {
            took: health.took,
            source,
        }),
    }
}

/// A wait is told only when it lasts: at a start, and at a new commit, most are over at once.
fn waiting(wait: Wait, seen: &Observed, context: &Context) -> Done {
    if wait == Wait::Loading {
        return Done::Silent(context.settings.requeue_dependency);
    }
    if let Wait::Dependency(unready) = &wait {
        // One that is to be reconciled anyway goes before those that nobody waits for.
        let name = unready.name();
        let queue = context.queues.of(name.face);
        if queue.is_wanted(&name.key) {
            queue.add(name.key.clone(), Class::Dependency);
        }
    }
    let since = *lock(&seen.memory)
        .waiting_since
        .get_or_insert_with(Instant::now);
    let left = SILENT_FOR.saturating_sub(since.elapsed());
    match left.is_zero() {
        true => Done::Waiting(wait),
        false => Done::Silent(left),
    }
}
