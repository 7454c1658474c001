//! Ends a run: conditions, status, events, log lines, the next run.

use std::time::Duration;

use bulkhead_api::Retry;
use bulkhead_api::conditions::{self, Status};
use bulkhead_api::event::Severity;
use bulkhead_api::meta::{Condition, requested_at};
use bulkhead_api::names::condition::{
    READY, RECONCILING, RELEASED, REMEDIATED, STALLED, TEST_SUCCESS,
};

use super::act::{Act, End};
use super::decide::Halt;
use super::error::ReleaseError;
use super::message;
use super::remediation::Remediation;
use super::summary::summarize;
use crate::backoff;
use crate::clock;
use crate::queue::{Again, Class};
use crate::report::Report;
use crate::status::{self, WriteError, explain};

/// Writes the status, then says when the object is due again.
pub(super) async fn conclude(
    mut act: Act,
    result: Result<End, ReleaseError>,
) -> Result<Again, WriteError> {
    if let Some(again) = silent(&act, &result) {
        return Ok(again);
    }
    if matches!(result, Ok(End::Finalized)) {
        return finalized(act).await;
    }
    settle(&mut act, &result);
    if let Some(requested) = requested_at(&act.object.metadata) {
        act.status.last_handled_reconcile_at = Some(requested.to_owned());
    }
    act.write(true).await?;
    log(&act, &result);
    Ok(again(&act, &result))
}

/// A wait is told only when it lasts: at a start most are over at once.
fn silent(act: &Act, result: &Result<End, ReleaseError>) -> Option<Again> {
    let waits = |error: &ReleaseError| {
        let waits = matches!(
            error,
            ReleaseError::Dependency(_)
                | ReleaseError::SourceNotReady(_)
                | ReleaseError::ArtifactGone(_)
        );
        waits
            && requested_at(&act.object.metadata)
                == act.object.status.last_handled_reconcile_at.as_deref()
    };
    let Err(error) = result else { return None };
    let left = act
        .context
        .releases
        .silence
        .left(&act.key)
        .filter(|_| waits(error))?;
    Some(Again::After(left, Class::Dependency))
}

async fn finalized(act: Act) -> Result<Again, WriteError> {
    let (client, store) = (act.context.clients.own(), &act.context.helm_releases.store);
    status::remove_finalizer(client, store, &act.object).await?;
    act.context.releases.forget(&act.key);
    tracing::info!("the finalizer is removed");
    Ok(Again::OnEvent)
}

/// Sets the conditions and the observed generation.
fn settle(act: &mut Act, result: &Result<End, ReleaseError>) {
    let stamp = act.stamp();
    let observes = match result {
        Ok(End::Done | End::RetryAfter(_) | End::Suspended) => true,
        Ok(End::Requeue | End::Again | End::Finalized) => false,
        Err(ReleaseError::Halt(halt @ (Halt::Exceeded(_) | Halt::MissingTarget))) => {
            stall(act, halt);
            true
        }
        Err(ReleaseError::Action(error)) => {
            let all = &mut act.status.conditions;
            if conditions::is_true(all, READY) {
                conditions::set(all, stamp, READY, Status::False, "ReconcileError", error);
            }
            false
        }
        Err(error) => {
            let advice = error.advice();
            let text = explain(error, &advice);
            let ready = conditions::get(&act.status.conditions, READY);
            let is_news = ready.is_none_or(|ready| ready.message != text);
            let all = &mut act.status.conditions;
            if advice.retry == Retry::OnChange {
                conditions::failed(all, stamp, &advice, &text);
            } else {
                // Reconciling goes on to tell what the run was at when it failed, as in Flux.
                conditions::remove(all, STALLED);
                conditions::set(all, stamp, READY, Status::False, advice.reason, &text);
            }
            let is_wait = advice.retry == Retry::OnDependency;
            if error.is_told() && (!is_wait || is_news) {
                act.tell(Report {
                    severity: if is_wait {
                        Severity::Info
                    } else {
                        Severity::Error
                    },
                    ..Report::info(advice.reason, error.event(text))
                });
            }
            advice.retry == Retry::OnChange
        }
    };
    if observes {
        act.status.observed_generation = stamp.generation;
    }
}

fn stall(act: &mut Act, halt: &Halt) {
    let stamp = act.stamp();
    let advice = halt.advice();
    let text = match halt {
        Halt::Exceeded(_) => {
            let action = act.status.last_attempted_release_action.clone();
            let action = action.map_or(String::new(), |action| action.to_string());
            let remediation = Remediation::active(&act.object.spec, &act.status);
            let attempts = remediation.map_or(0, |one| one.failures(&act.status));
            message::exceeded(&action, attempts)
        }
        _ => format!("Failed to perform remediation: {halt}"),
    };
    if !tells_of_release(&act.status.conditions) {
        summarize(&act.object, &mut act.status, stamp);
    }
    let all = &mut act.status.conditions;
    conditions::remove(all, RECONCILING);
    conditions::set(all, stamp, STALLED, Status::True, advice.reason, &text);
}

/// Tells whether Ready says what became of the release, and not what a run waited for that is there by
/// now.
fn tells_of_release(all: &[Condition]) -> bool {
    let ready = conditions::get(all, READY);
    let types = [RELEASED, REMEDIATED, TEST_SUCCESS];
    let mut causes = types.iter().filter_map(|type_| conditions::get(all, type_));
    causes.any(|cause| {
        ready
            .is_some_and(|ready| (&ready.reason, &ready.message) == (&cause.reason, &cause.message))
    })
}

fn log(act: &Act, result: &Result<End, ReleaseError>) {
    match result {
        Ok(End::Suspended) => tracing::info!("reconciliation is suspended for this object"),
        Ok(End::Done) => {
            let revision = act.status.last_attempted_revision.as_deref();
            tracing::debug!(revision, "release in-sync with desired state");
        }
        Ok(end) => tracing::debug!(?end, "the release is reconciled again"),
        Err(error) if error.advice().retry == Retry::OnDependency => {
            tracing::info!("{}", bulkhead_api::chain(error));
        }
        Err(error) => {
            tracing::error!(
                error = bulkhead_api::chain(error),
                "failed to reconcile the release"
            );
        }
    }
}

/// Says when it is due again.
fn again(act: &Act, result: &Result<End, ReleaseError>) -> Again {
    let settings = &act.context.settings;
    let failures = &act.context.helm_releases.failures;
    let jittered =
        |pause, class| Again::After(clock::jittered(pause, settings.interval_jitter), class);
    let at_interval = || match act.object.spec.interval() {
        Ok(interval) => jittered(interval, Class::Interval),
        Err(_) => Again::OnEvent,
    };
    let after_failure = || {
        let pause = backoff::pause(failures.count(&act.key), backoff::LONGEST);
        Again::After(pause, Class::Retry)
    };
    match result {
        Ok(End::Requeue) => return after_failure(),
        Err(error) if error.advice().retry == Retry::Backoff => return after_failure(),
        _ => failures.reset(&act.key),
    }
    match result {
        Ok(End::Done) => at_interval(),
        Ok(End::RetryAfter(pause)) => jittered(*pause, Class::Retry),
        Ok(End::Again) => Again::After(Duration::ZERO, Class::Spec),
        Ok(End::Suspended | End::Finalized | End::Requeue) => Again::OnEvent,
        Err(ReleaseError::Halt(_)) => Again::OnEvent,
        Err(error) => match error.advice().retry {
            Retry::OnDependency => jittered(settings.requeue_dependency, Class::Dependency),
            // What is wrong may be in other objects, which nobody tells of.
            Retry::OnChange | Retry::Backoff => at_interval(),
        },
    }
}
