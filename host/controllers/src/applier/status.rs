//! The status of an object after what was done. Pure.

use std::collections::BTreeMap;
use std::time::Duration;

use bulkhead_api::conditions::{self, Stamp, Status};
use bulkhead_api::delivery::DeliveryStatus;
use bulkhead_api::meta::{self, requested_at};
use bulkhead_api::names::annotation;
use bulkhead_api::names::condition::HEALTHY;
use bulkhead_api::{Advice, Retry, message, reason};

use super::decide::Wait;
use super::item::Item;
use super::outcome::{Attempted, DeliverError, Done, Outcome, to_status};
use crate::status::explain;

/// Returns the next status; `None` where nothing is to be written. `retry` is the pause before a
/// dependency is looked at again.
pub(super) fn next(
    outcome: &Outcome,
    retry: Duration,
    now: jiff::Timestamp,
) -> Option<DeliveryStatus> {
    let object = &*outcome.object;
    let mut status = object.status.clone();
    let stamp = Stamp::of(object.metadata(), now);
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
fn attempt(status: &mut DeliveryStatus, attempted: &Attempted) {
    if !attempted.revision.is_empty() {
        status.last_attempted_revision = Some(attempted.revision.clone());
    }
    if let Some(render) = &attempted.render {
        status.render = Some(render.as_ref().clone());
    }
    if let Some(inventory) = &attempted.inventory {
        status.inventory = Some(to_status(inventory));
    }
}

fn pending(object: &Item, status: &mut DeliveryStatus, stamp: Stamp, attempted: &Attempted) {
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
    object: &Item,
    status: &mut DeliveryStatus,
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
    object: &Item,
    status: &mut DeliveryStatus,
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
fn observe(object: &Item, status: &mut DeliveryStatus, stamp: Stamp) {
    status.observed_generation =
        conditions::observed_generation(&status.conditions, stamp, status.observed_generation);
    handled(object, status);
}

fn handled(object: &Item, status: &mut DeliveryStatus) {
    if let Some(requested) = requested_at(object.metadata()) {
        status.last_handled_reconcile_at = Some(requested.to_owned());
    }
}

/// Adds to the history when the outcome is another than the last one: an idle interval writes
/// nothing.
fn record(
    status: &mut DeliveryStatus,
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
    if let Some(render) = &attempted.render {
        metadata.insert(annotation::RENDER.to_owned(), render.digest.clone());
    }
    if let Some(plugins) = &attempted.plugins {
        metadata.insert(annotation::PLUGINS.to_owned(), plugins.clone());
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
pub(super) fn explain_wait(object: &Item, wait: &Wait, retry: Duration) -> (Advice, String) {
    let artifact = || Advice::new(reason::ARTIFACT_FAILED, Retry::OnDependency);
    match wait {
        Wait::SourceMissing => (
            artifact(),
            message::source_not_found(&object.spec.source_ref.to_string()),
        ),
        Wait::NoArtifact => (artifact(), message::source_artifact_not_found(retry)),
        Wait::NotLoaded | Wait::Loading => (artifact(), message::source_not_ready(retry)),
        Wait::Artifact(problem) => (artifact(), problem.clone()),
        Wait::Dependency(unready) => (
            Advice::new(reason::DEPENDENCY_NOT_READY, Retry::OnDependency),
            unready.to_string(),
        ),
        Wait::Plugin(error) => {
            let advice = error.advice();
            let message = explain(error, &advice);
            (advice, message)
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may")]

    use std::sync::Arc;

    use bulkhead_api::Digest;
    use bulkhead_api::kustomize::{Kustomization, KustomizationSpec, SourceKind, SourceReference};
    use bulkhead_api::names::annotation;
    use bulkhead_apply::target::cluster::WaitError;
    use bulkhead_apply::{ApplyError, Inventory};

    use super::super::dependencies::Unready;
    use super::super::face;
    use super::super::item::Raw;
    use super::super::name::Name;
    use super::*;
    use crate::queue::Key;

    const RETRY: Duration = Duration::from_secs(30);

    fn item(object: &Kustomization) -> Item {
        Item::of(Raw::Kustomization(Arc::new(object.clone())))
    }

    fn kustomization() -> Kustomization {
        let source = SourceReference::new(SourceKind::GitRepository, "app");
        let mut spec = KustomizationSpec::new(source, Duration::from_secs(600), true);
        spec.wait = true;
        let mut object = Kustomization::new("apps", "web", spec);
        object.metadata.generation = Some(2);
        object.status.observed_generation = 1;
        let requested = (
            annotation::RECONCILE_REQUESTED_AT.to_owned(),
            "now".to_owned(),
        );
        object.metadata.annotations = Some(BTreeMap::from([requested]));
        object
    }

    fn attempted(revision: &str, content: &str) -> Attempted {
        Attempted {
            revision: revision.to_owned(),
            digest: Some(Digest::of(content)),
            inventory: Some(Inventory::from_entries([("d_c__ConfigMap", "v1")]).unwrap()),
            ..Attempted::default()
        }
    }

    /// Applies an outcome to the object; returns its conditions.
    fn step(
        object: &mut Kustomization,
        result: Result<Done, DeliverError>,
        attempted: Attempted,
    ) -> Vec<String> {
        let took = Duration::from_secs(1);
        let outcome = Outcome {
            result,
            attempted,
            object: Arc::new(item(object)),
            took,
        };
        if let Some(next) = next(&outcome, RETRY, jiff::Timestamp::UNIX_EPOCH) {
            object.status = face::kustomization_status(&next);
        }
        let conditions = object.status.conditions.iter();
        conditions
            .map(|c| format!("{}={} {}", c.type_, c.status, c.reason))
            .collect()
    }

    fn succeed(object: &mut Kustomization, revision: &str, content: &str) -> Vec<String> {
        let attempted = attempted(revision, content);
        step(object, Ok(Done::Applied(attempted.clone())), attempted)
    }

    #[test]
    fn success_is_told_as_flux_does() {
        let mut object = kustomization();
        assert_eq!(
            succeed(&mut object, "main@sha1:1", "a"),
            ["Ready=True ReconciliationSucceeded"]
        );
        let status = &object.status;
        assert_eq!(
            status.conditions[0].message,
            "Applied revision: main@sha1:1"
        );
        assert_eq!(status.observed_generation, 2);
        assert_eq!(status.last_handled_reconcile_at.as_deref(), Some("now"));
        assert_eq!(status.last_applied_revision.as_deref(), Some("main@sha1:1"));
        assert_eq!(
            status.last_attempted_revision.as_deref(),
            Some("main@sha1:1")
        );
        assert_eq!(
            status.inventory.as_ref().unwrap().entries[0].id,
            "d_c__ConfigMap"
        );
        assert_eq!(status.history.len(), 1);
    }

    #[test]
    fn the_same_outcome_again_changes_nothing() {
        let mut object = kustomization();
        succeed(&mut object, "main@sha1:1", "a");
        let before = object.status.clone();
        succeed(&mut object, "main@sha1:1", "a");
        assert_eq!(object.status, before);
        for revision in 2..9 {
            succeed(
                &mut object,
                &format!("main@sha1:{revision}"),
                &revision.to_string(),
            );
        }
        assert_eq!(object.status.history.len(), 5);
        assert_eq!(object.status.history[0].metadata["revision"], "main@sha1:8");
    }

    #[test]
    fn a_failure_keeps_what_was_applied() {
        let mut object = kustomization();
        succeed(&mut object, "main@sha1:1", "a");
        object.metadata.generation = Some(3);
        let error = DeliverError::Apply(ApplyError::WriteAhead("no".into()));
        let failed = Attempted {
            inventory: None,
            ..attempted("main@sha1:2", "b")
        };
        assert_eq!(
            step(&mut object, Err(error), failed),
            [
                "Reconciling=True ProgressingWithRetry",
                "Ready=False ReconciliationFailed"
            ]
        );
        let status = &object.status;
        assert_eq!(
            status.observed_generation, 2,
            "not on a failure that is retried"
        );
        assert_eq!(status.last_applied_revision.as_deref(), Some("main@sha1:1"));
        assert_eq!(
            status.last_attempted_revision.as_deref(),
            Some("main@sha1:2")
        );
        assert_eq!(status.inventory.as_ref().unwrap().entries.len(), 1);
    }

    #[test]
    fn health_is_pending_then_told() {
        let mut object = kustomization();
        let attempt = attempted("main@sha1:1", "a");
        assert_eq!(
            step(
                &mut object,
                Ok(Done::HealthPending(attempt.clone())),
                attempt.clone()
            ),
            [
                "Reconciling=True Progressing",
                "Ready=Unknown Progressing",
                "Healthy=Unknown Progressing"
            ]
        );
        assert_eq!(
            object.status.last_handled_reconcile_at, None,
            "that is not the end yet"
        );
        assert_eq!(object.status.observed_generation, 1);
        assert_eq!(
            object.status.conditions[0].message,
            "Running health checks for revision main@sha1:1 with a timeout of 9m30s"
        );
        let took = Duration::from_millis(1500);
        let source = WaitError::NotReady {
            timed_out: true,
            objects: Vec::new(),
        };
        let conditions = step(
            &mut object,
            Err(DeliverError::Health { took, source }),
            attempt.clone(),
        );
        assert_eq!(
            conditions,
            [
                "Reconciling=True ProgressingWithRetry",
                "Ready=False HealthCheckFailed",
                "Healthy=False HealthCheckFailed"
            ]
        );
        let message = &object.status.conditions[1].message;
        assert!(
            message.starts_with("health check failed after 1.5s: timeout waiting for: []"),
            "{message}"
        );
        assert_eq!(
            step(
                &mut object,
                Ok(Done::Healthy(attempt.clone(), took)),
                attempt
            ),
            [
                "Ready=True ReconciliationSucceeded",
                "Healthy=True Succeeded"
            ]
        );
        assert_eq!(
            object.status.conditions[1].message,
            "Health check passed in 1.5s"
        );
    }

    #[test]
    fn waits_have_flux_s_words() {
        let object = kustomization();
        let words = |wait: Wait| {
            let (advice, message) = explain_wait(&item(&object), &wait, RETRY);
            format!("{}: {message}", advice.reason)
        };
        assert_eq!(
            words(Wait::SourceMissing),
            "ArtifactFailed: Source 'GitRepository/app' not found"
        );
        assert_eq!(
            words(Wait::NoArtifact),
            "ArtifactFailed: Source artifact not found, retrying in 30s"
        );
        assert_eq!(
            words(Wait::NotLoaded),
            "ArtifactFailed: Source is not ready, artifact not found, retrying in 30s"
        );
        assert_eq!(
            words(Wait::Dependency(Unready::NotReady(Name::kustomization(
                Key::new("apps", "base")
            )))),
            "DependencyNotReady: dependency 'apps/base' is not ready"
        );
    }

    #[test]
    fn what_is_not_over_writes_nothing() {
        for done in [Done::Later, Done::Watching, Done::Silent(RETRY)] {
            let mut object = kustomization();
            let before = object.clone();
            step(&mut object, Ok(done), Attempted::default());
            assert_eq!(object, before);
        }
    }
}
