//! The status of a Kustomization after what was done. Pure.

use std::collections::BTreeMap;
use std::time::Duration;

use bulkhead_api::conditions::{self, Stamp, Status};
use bulkhead_api::kustomize::{Kustomization, KustomizationStatus};
use bulkhead_api::meta::{self, requested_at};
use bulkhead_api::names::condition::HEALTHY;
use bulkhead_api::{Advice, Retry, message, reason};

use super::act::{Attempted, DeliverError, Done, Outcome, to_status};
use super::decide::Wait;
use crate::status::explain;

/// Returns the next status; `None` where nothing is to be written. `retry` is the pause before a
/// dependency is looked at again.
pub(super) fn next(
    outcome: &Outcome,
    retry: Duration,
    now: jiff::Timestamp,
) -> Option<KustomizationStatus> {
    let object = &*outcome.object;
    let mut status = object.status.clone();
    let stamp = Stamp::of(&object.metadata, now);
    match &outcome.result {
        Ok(Done::Finalized(_) | Done::Silent(_) | Done::Later | Done::Watching) => return None,
        Ok(Done::Suspended) => handled(object, &mut status),
        Ok(Done::Waiting(wait)) => {
            let (advice, message) = explain_wait(object, wait, retry);
            conditions::failed(&mut status.conditions, stamp, &advice, &message);
            observe(object, &mut status, stamp);
        }
        Ok(Done::HealthPending(attempted)) => pending(object, &mut status, stamp, attempted),
        Ok(Done::Untouched(attempted)) => {
            attempt(&mut status, attempted);
            succeeded(object, &mut status, stamp, attempted, outcome.took);
        }
        Ok(Done::Applied(attempted)) => {
            attempt(&mut status, attempted);
            conditions::remove(&mut status.conditions, HEALTHY);
            succeeded(object, &mut status, stamp, attempted, outcome.took);
        }
        Ok(Done::Healthy(attempted, took)) => {
            attempt(&mut status, attempted);
            let passed = message::health_check_passed(*took);
            let conditions = &mut status.conditions;
            conditions::set(
                conditions,
                stamp,
                HEALTHY,
                Status::True,
                reason::SUCCEEDED,
                &passed,
            );
            succeeded(object, &mut status, stamp, attempted, *took);
        }
        Err(error) => {
            attempt(&mut status, &outcome.attempted);
            failed(object, &mut status, stamp, error, outcome);
        }
    }
    Some(status)
}

/// Notes what was attempted: always, whatever came of it.
fn attempt(status: &mut KustomizationStatus, attempted: &Attempted) {
    if !attempted.revision.is_empty() {
        status.last_attempted_revision = Some(attempted.revision.clone());
    }
    if let Some(inventory) = &attempted.inventory {
        status.inventory = Some(to_status(inventory));
    }
}

fn pending(
    object: &Kustomization,
    status: &mut KustomizationStatus,
    stamp: Stamp,
    attempted: &Attempted,
) {
    attempt(status, attempted);
    let timeout = object.spec.timeout().unwrap_or_default();
    let message = message::step(message::Step::HealthChecks, &attempted.revision, timeout);
    conditions::progressing(&mut status.conditions, stamp, &message);
    let conditions = &mut status.conditions;
    conditions::set(
        conditions,
        stamp,
        HEALTHY,
        Status::Unknown,
        reason::PROGRESSING,
        &message,
    );
}

fn succeeded(
    object: &Kustomization,
    status: &mut KustomizationStatus,
    stamp: Stamp,
    attempted: &Attempted,
    took: Duration,
) {
    let reason = reason::RECONCILIATION_SUCCEEDED;
    let message = message::applied_revision(&attempted.revision);
    conditions::ready(&mut status.conditions, stamp, reason, &message);
    status.last_applied_revision = Some(attempted.revision.clone());
    status.last_applied_origin_revision = attempted.origin_revision.clone();
    record(status, attempted, reason, took, stamp.now);
    observe(object, status, stamp);
}

fn failed(
    object: &Kustomization,
    status: &mut KustomizationStatus,
    stamp: Stamp,
    error: &DeliverError,
    outcome: &Outcome,
) {
    let advice = error.advice();
    let message = explain(error, &advice);
    let conditions = &mut status.conditions;
    if matches!(error, DeliverError::Health { .. }) {
        conditions::set(
            conditions,
            stamp,
            HEALTHY,
            Status::False,
            advice.reason,
            &message,
        );
    }
    conditions::failed(conditions, stamp, &advice, &message);
    record(
        status,
        &outcome.attempted,
        advice.reason,
        outcome.took,
        stamp.now,
    );
    observe(object, status, stamp);
}

/// Ends every final status: the generation, and the request that was handled.
fn observe(object: &Kustomization, status: &mut KustomizationStatus, stamp: Stamp) {
    status.observed_generation =
        conditions::observed_generation(&status.conditions, stamp, status.observed_generation);
    handled(object, status);
}

fn handled(object: &Kustomization, status: &mut KustomizationStatus) {
    if let Some(requested) = requested_at(&object.metadata) {
        status.last_handled_reconcile_at = Some(requested.to_owned());
    }
}

/// Adds to the history when the outcome is another than the last one: an idle interval writes
/// nothing.
fn record(
    status: &mut KustomizationStatus,
    attempted: &Attempted,
    reason: &str,
    took: Duration,
    now: jiff::Timestamp,
) {
    let Some(digest) = attempted.digest else {
        return;
    };
    let mut metadata = BTreeMap::from([("revision".to_owned(), attempted.revision.clone())]);
    if let Some(origin) = &attempted.origin_revision {
        metadata.insert("originRevision".to_owned(), origin.clone());
    }
    let digest = digest.to_string();
    let is_same = status.history.first().is_some_and(|last| {
        last.digest == digest && last.last_reconciled_status == reason && last.metadata == metadata
    });
    if !is_same {
        let outcome = meta::Outcome {
            digest,
            status: reason.to_owned(),
            duration: took,
            metadata,
        };
        meta::record(&mut status.history, outcome, meta::time(now));
    }
}

/// Words a wait as Flux does.
pub(super) fn explain_wait(
    object: &Kustomization,
    wait: &Wait,
    retry: Duration,
) -> (Advice, String) {
    let artifact = || Advice::new(reason::ARTIFACT_FAILED, Retry::OnDependency);
    match wait {
        Wait::SourceMissing => (
            artifact(),
            message::source_not_found(&object.spec.source_ref.to_string()),
        ),
        Wait::NoArtifact => (artifact(), message::source_artifact_not_found(retry)),
        Wait::NotLoaded | Wait::Loading => (artifact(), message::source_not_ready(retry)),
        Wait::Dependency(unready) => (
            Advice::new(reason::DEPENDENCY_NOT_READY, Retry::OnDependency),
            unready.to_string(),
        ),
    }
}
