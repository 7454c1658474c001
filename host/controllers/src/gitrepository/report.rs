//! Publishes what happened to a GitRepository: status, events, log lines, the next run.

use std::sync::Arc;

use bulkhead_api::conditions;
use bulkhead_api::event::key as fact;
use bulkhead_api::names::condition::{FETCH_FAILED, STORAGE_OPERATION_FAILED};
use bulkhead_api::source::{GitRepository, GitRepositoryStatus};
use bulkhead_api::{Retry, message, reason};

use super::act::{Done, Outcome};
use crate::backoff;
use crate::clock;
use crate::context::Context;
use crate::queue::{Again, Class, Key};
use crate::report::{Audience, Report};
use crate::sources::report::tell_collected;
use crate::status::{self, WriteError, explain};

/// Writes the status, then reports what is new in it.
pub(super) async fn publish(
    context: &Arc<Context>,
    key: &Key,
    repository: &Arc<GitRepository>,
    next: GitRepositoryStatus,
    outcome: &Outcome,
) -> Result<Arc<GitRepository>, WriteError> {
    let (client, store) = (context.clients.own(), &context.repositories);
    if matches!(outcome.result, Ok(Done::Finalized)) {
        context.repository_failures.reset(key);
        tell_collected(context, &**repository, repository.status.artifact.as_ref());
        return status::remove_finalizer(client, store, repository).await;
    }
    let written = status::write(client, store, repository, next).await?;
    log(repository, &written, outcome);
    if let Some(report) = report(repository, &written, outcome) {
        context
            .reporter
            .report(report.about(&*written, clock::now()), Audience::Everyone);
    }
    Ok(written)
}

fn log(before: &GitRepository, after: &GitRepository, outcome: &Outcome) {
    let revision = after
        .status
        .artifact
        .as_ref()
        .map_or("", |artifact| &artifact.revision);
    match &outcome.result {
        Ok(Done::Finalized) => tracing::info!("artifacts of the deleted object are removed"),
        Ok(Done::Suspended) => tracing::info!("reconciliation is suspended for this object"),
        Ok(Done::Unchanged) => tracing::debug!("{}", message::artifact_up_to_date(revision)),
        Ok(Done::Stored(_)) if is_new(before, after) => {
            tracing::info!(took = ?outcome.took, "stored artifact for commit '{revision}'");
        }
        Ok(Done::Stored(_)) => tracing::debug!("{}", message::artifact_up_to_date(revision)),
        Err(error) => {
            let error = bulkhead_api::chain(error);
            tracing::error!(error, took = ?outcome.took, "failed to fetch the source");
        }
    }
}

fn is_new(before: &GitRepository, after: &GitRepository) -> bool {
    let digest = |repository: &GitRepository| {
        repository
            .status
            .artifact
            .as_ref()
            .map(|artifact| artifact.digest.clone())
    };
    digest(after).is_some() && digest(before) != digest(after)
}

/// # Source
/// `notify` of Flux's `gitrepository_controller.go`: NewArtifact when the digest changed, Succeeded
/// when a failure is over.
fn report(before: &GitRepository, after: &GitRepository, outcome: &Outcome) -> Option<Report> {
    let artifact = after.status.artifact.as_ref();
    let with_facts = |report: Report| {
        report
            .fact(
                fact::REVISION,
                artifact.map(|artifact| artifact.revision.as_str()),
            )
            .fact(
                fact::DIGEST,
                artifact.map(|artifact| artifact.digest.as_str()),
            )
    };
    match &outcome.result {
        Err(error) => {
            let advice = error.advice();
            Some(Report::error(advice.reason, explain(error, &advice)))
        }
        Ok(Done::Finalized | Done::Suspended) => None,
        Ok(Done::Unchanged | Done::Stored(_)) => {
            let message = format!("stored artifact for commit '{}'", artifact?.revision);
            if is_new(before, after) {
                Some(with_facts(Report::info(reason::NEW_ARTIFACT, message)))
            } else if had_failed(before) {
                Some(with_facts(Report::info(reason::SUCCEEDED, message)))
            } else {
                None
            }
        }
    }
}

fn had_failed(repository: &GitRepository) -> bool {
    [FETCH_FAILED, STORAGE_OPERATION_FAILED]
        .iter()
        .any(|type_| conditions::is_true(&repository.status.conditions, type_))
}

/// Says when it is due again.
pub(super) fn again(
    context: &Context,
    key: &Key,
    repository: &GitRepository,
    outcome: &Outcome,
) -> Again {
    match &outcome.result {
        Ok(Done::Finalized | Done::Suspended) => Again::OnEvent,
        Ok(Done::Unchanged | Done::Stored(_)) => {
            context.repository_failures.reset(key);
            match repository.spec.interval() {
                Ok(interval) => {
                    let pause = clock::jittered(interval, context.settings.interval_jitter);
                    Again::After(pause, Class::Interval)
                }
                Err(_) => Again::OnEvent,
            }
        }
        Err(error) if error.advice().retry == Retry::OnChange => Again::OnEvent,
        Err(error) => {
            let failures = context.repository_failures.count(key);
            let interval = repository.spec.interval().unwrap_or_default();
            let pause = backoff::pause_asked(failures, error.retry_after(), interval);
            Again::After(pause, Class::Retry)
        }
    }
}
