//! Publishes what happened to a source: status, events, log lines, the next run.

use std::sync::Arc;

use bulkhead_api::conditions;
use bulkhead_api::event::{Severity, key as fact};
use bulkhead_api::message;
use bulkhead_api::meta::Artifact;
use bulkhead_api::{Retry, reason};

use super::Source;
use super::outcome::{Done, Failure, Outcome};
use super::status::FAILURES;
use crate::backoff;
use crate::clock;
use crate::context::Context;
use crate::kind::Kind;
use crate::queue::{Again, Class, Key};
use crate::report::{Audience, Report};
use crate::status::{self, WriteError, explain};

/// Writes the status, then reports what is new in it.
pub(crate) async fn publish<K: Source, E: Failure>(
    context: &Arc<Context>,
    key: &Key,
    source: &Arc<K>,
    next: K::Status,
    outcome: &Outcome<E>,
) -> Result<Arc<K>, WriteError> {
    let (client, kept) = (context.clients.own(), K::kept(context));
    if matches!(outcome.result, Ok(Done::Finalized)) {
        kept.failures.reset(key);
        tell_collected(context, &**source, source.artifact());
        return status::remove_finalizer(client, &kept.store, source).await;
    }
    let written = status::write(client, &kept.store, source, next).await?;
    log(&**source, &*written, outcome);
    if let Some(report) = report(&**source, &*written, outcome) {
        context
            .reporter
            .report(report.about(&*written, clock::now()), Audience::Everyone);
    }
    Ok(written)
}

/// Tells that the artifacts of an object went with it, if it had any.
pub(crate) fn tell_collected<K: Kind>(context: &Context, source: &K, artifact: Option<&Artifact>) {
    if artifact.is_none() {
        return;
    }
    let text = "garbage collected artifacts for deleted resource";
    let report = Report {
        severity: Severity::Trace,
        ..Report::info(reason::GARBAGE_COLLECTION_SUCCEEDED, text)
    };
    let event = report.about(source, clock::now());
    context.reporter.record(event);
}

fn log<K: Source, E: Failure>(before: &K, after: &K, outcome: &Outcome<E>) {
    match &outcome.result {
        Ok(Done::Finalized) => tracing::info!("artifacts of the deleted object are removed"),
        Ok(Done::Suspended) => tracing::info!("reconciliation is suspended for this object"),
        Ok(Done::Stored(_, good)) if is_new(before, after) => {
            tracing::info!(took = ?outcome.took, "{}", good.event.1);
        }
        Ok(Done::Kept(_) | Done::Stored(..)) => {
            let revision = after.artifact().map_or("", |artifact| &artifact.revision);
            tracing::debug!("{}", message::artifact_up_to_date(revision));
        }
        Err(error) => {
            let error = bulkhead_api::chain(error);
            tracing::error!(error, took = ?outcome.took, "failed to make the artifact");
        }
    }
}

fn is_new<K: Source>(before: &K, after: &K) -> bool {
    let digest = |source: &K| source.artifact().map(|artifact| artifact.digest.clone());
    digest(after).is_some() && digest(before) != digest(after)
}

/// # Source
/// `notify` of the controllers of source-controller: one event when the digest changed, one when a
/// failure is over.
fn report<K: Source, E: Failure>(before: &K, after: &K, outcome: &Outcome<E>) -> Option<Report> {
    let good = match &outcome.result {
        Err(error) => {
            let advice = error.advice();
            return Some(Report {
                severity: error.severity(),
                ..Report::error(advice.reason, explain(error, &advice))
            });
        }
        Ok(Done::Finalized | Done::Suspended) => return None,
        Ok(Done::Kept(good) | Done::Stored(_, good)) => good,
    };
    let artifact = after.artifact()?;
    let (reason, message) = &good.event;
    let reason = if is_new(before, after) {
        reason
    } else if had_failed(before) {
        good.recovered
    } else {
        return None;
    };
    let report = Report::info(reason, message.clone())
        .fact(fact::REVISION, Some(&artifact.revision))
        .fact(fact::DIGEST, Some(&artifact.digest));
    Some(report)
}

fn had_failed<K: Source>(source: &K) -> bool {
    let conditions = K::conditions(Kind::status(source));
    FAILURES
        .iter()
        .any(|type_| conditions::is_true(conditions, type_))
}

/// Says when it is due again.
pub(crate) fn again<K: Source, E: Failure>(
    context: &Context,
    key: &Key,
    source: &K,
    outcome: &Outcome<E>,
) -> Again {
    let failures = &K::kept(context).failures;
    let error = match &outcome.result {
        Ok(Done::Finalized | Done::Suspended) => return Again::OnEvent,
        Ok(Done::Kept(_) | Done::Stored(..)) => {
            failures.reset(key);
            let Ok(interval) = source.interval() else {
                return Again::OnEvent;
            };
            let pause = clock::jittered(interval, context.settings.interval_jitter);
            return Again::After(pause, Class::Interval);
        }
        Err(error) => error,
    };
    match error.advice().retry {
        Retry::OnChange => Again::OnEvent,
        Retry::OnDependency => Again::After(context.settings.requeue_dependency, Class::Retry),
        Retry::Backoff => {
            let interval = source.interval().unwrap_or_default();
            let failures = failures.count(key);
            let pause = backoff::pause_asked(failures, error.retry_after(), interval);
            Again::After(pause, Class::Retry)
        }
    }
}
