//! Publishes what happened to an object: status, events, log lines, the next run.

use std::sync::Arc;
use std::time::Duration;

use bulkhead_api::conditions;
use bulkhead_api::event::key as fact;
use bulkhead_api::names::condition::{HEALTHY, READY};
use bulkhead_api::{Retry, message, reason};

use super::decide::Wait;
use super::item::Item;
use super::outcome::{Attempted, Done, Outcome};
use super::status::{explain_wait, next};
use crate::clock;
use crate::context::Context;
use crate::queue::{Again, Class};
use crate::report::{Audience, Report};
use crate::status::{WriteError, explain};

/// Writes the status, then reports what is new in it.
pub(super) async fn publish(
    context: &Arc<Context>,
    outcome: &Outcome,
    class: Class,
) -> Result<(), WriteError> {
    let before = &outcome.object;
    let after = match &outcome.result {
        Ok(Done::Finalized(_)) => Arc::new(before.remove_finalizer(context).await?),
        _ => match next(outcome, context.settings.requeue_dependency, clock::now()) {
            Some(next) => Arc::new(before.write(context, next).await?),
            None => before.clone(),
        },
    };
    log(context, outcome);
    for (report, audience) in reports(context, before, &after, outcome, class) {
        let event = after.raw().event(report, clock::now());
        context.reporter.report(event, audience);
    }
    Ok(())
}

fn log(context: &Context, outcome: &Outcome) {
    let object = &outcome.object;
    let revision = outcome.attempted.revision.as_str();
    match &outcome.result {
        Ok(Done::Finalized(attempted)) if !attempted.pruned.is_empty() => {
            tracing::info!(output = attempted.pruned, "garbage collection completed");
        }
        Ok(Done::Finalized(_)) => tracing::info!("the finalizer is removed"),
        Ok(Done::Suspended) => tracing::info!("Reconciliation is suspended for this object"),
        Ok(Done::Waiting(wait)) => {
            let (_, text) = explain_wait(object, wait, context.settings.requeue_dependency);
            tracing::info!("{text}");
        }
        Ok(Done::Silent(_) | Done::Later | Done::Watching | Done::HealthPending(_)) => {}
        Ok(Done::Untouched(_)) => tracing::debug!(revision, "nothing to apply"),
        Ok(Done::Applied(attempted) | Done::Healthy(attempted, _)) => {
            let next = object.spec.interval().unwrap_or_default();
            let text = message::reconciliation_finished(outcome.took, next);
            tracing::info!(revision, output = attempted.changes, "{text}");
        }
        Err(error) => {
            let next = object.spec.retry_interval().unwrap_or_default();
            let text = message::reconciliation_failed(outcome.took, next);
            tracing::error!(revision, error = bulkhead_api::chain(error), "{text}");
        }
    }
}

type Reports = Vec<(Report, Audience)>;

fn reports(
    context: &Context,
    before: &Item,
    after: &Item,
    outcome: &Outcome,
    class: Class,
) -> Reports {
    let attempted = match &outcome.result {
        Ok(
            Done::Finalized(attempted)
            | Done::Untouched(attempted)
            | Done::Applied(attempted)
            | Done::HealthPending(attempted)
            | Done::Healthy(attempted, _),
        ) => attempted,
        _ => &outcome.attempted,
    };
    let mut reports = changes(attempted);
    match &outcome.result {
        Ok(Done::Waiting(wait @ Wait::Dependency(_))) if is_news(before, after) => {
            let retry = context.settings.requeue_dependency;
            let (advice, _) = explain_wait(before, wait, retry);
            let report = Report::info(advice.reason, message::dependencies_not_ready(retry));
            reports.push((report, Audience::Everyone));
        }
        Ok(Done::Healthy(_, took)) => {
            let was_healthy = conditions::is_true(&before.status.conditions, HEALTHY);
            if !was_healthy {
                let report = Report::info(reason::PROGRESSING, message::health_check_passed(*took));
                reports.push((report, Audience::Everyone));
            }
            reports.push(finished(before, outcome, class));
        }
        Ok(Done::Applied(_)) => reports.push(finished(before, outcome, class)),
        Ok(Done::Untouched(_)) if is_news(before, after) => {
            reports.push(finished(before, outcome, class));
        }
        Err(error) => {
            let advice = error.advice();
            let report = Report::error(advice.reason, explain(error, &advice));
            reports.push((report, Audience::Everyone));
        }
        Ok(_) => {}
    }
    let with_facts = |report: Report| {
        report
            .fact(fact::REVISION, Some(&attempted.revision))
            .fact(fact::ORIGIN_REVISION, attempted.origin_revision.as_deref())
    };
    reports
        .into_iter()
        .map(|(report, audience)| (with_facts(report), audience))
        .collect()
}

/// Flux tells of changes while Ready is unknown: their reason is `Progressing`.
fn changes(attempted: &Attempted) -> Reports {
    let lines = [&attempted.changes, &attempted.pruned];
    lines
        .into_iter()
        .filter(|lines| !lines.is_empty())
        .map(|lines| {
            (
                Report::info(reason::PROGRESSING, lines.clone()),
                Audience::Everyone,
            )
        })
        .collect()
}

/// Every run that ends well is told to those who keep commit statuses. People see it where the change
/// itself says nothing: they asked for the run, or it ends a failure.
fn finished(before: &Item, outcome: &Outcome, class: Class) -> (Report, Audience) {
    let next = before.spec.interval().unwrap_or_default();
    let text = message::reconciliation_finished(outcome.took, next);
    let report = Report::info(reason::RECONCILIATION_SUCCEEDED, text).commit_status();
    let had_failed = conditions::get(&before.status.conditions, READY)
        .is_some_and(|ready| ready.status == conditions::Status::False.as_str());
    let is_told = had_failed || class == Class::Request;
    (
        report,
        if is_told {
            Audience::Everyone
        } else {
            Audience::Notifiers
        },
    )
}

fn is_news(before: &Item, after: &Item) -> bool {
    let ready = |object: &Item| {
        conditions::get(&object.status.conditions, READY)
            .map(|ready| (ready.reason.clone(), ready.message.clone()))
    };
    ready(before) != ready(after)
}

/// Says when it is due again.
pub(super) fn again(context: &Context, outcome: &Outcome) -> Again {
    let object = &outcome.object;
    let settings = &context.settings;
    let at_interval = |class| match object.spec.interval() {
        Ok(interval) => Again::After(clock::jittered(interval, settings.interval_jitter), class),
        Err(_) => Again::OnEvent,
    };
    match &outcome.result {
        Ok(Done::Finalized(_) | Done::Suspended) => Again::OnEvent,
        Ok(Done::Silent(pause)) => Again::After(*pause, Class::Dependency),
        Ok(Done::Later) => Again::After(Duration::ZERO, Class::Status),
        Ok(Done::Waiting(Wait::SourceMissing)) => retry(object),
        Ok(Done::Waiting(_)) => Again::After(settings.requeue_dependency, Class::Dependency),
        // The task that looks wakes it; this is for the case that it was lost.
        Ok(Done::HealthPending(_) | Done::Watching) => {
            let timeout = object.spec.timeout().unwrap_or_default();
            Again::After(timeout + settings.requeue_dependency, Class::Retry)
        }
        Ok(Done::Untouched(_) | Done::Applied(_) | Done::Healthy(..)) => {
            at_interval(Class::Interval)
        }
        // What its specification cannot have is not in the object alone: ConfigMaps, other objects.
        Err(error) if error.advice().retry == Retry::OnChange => at_interval(Class::Interval),
        Err(_) => retry(object),
    }
}

fn retry(object: &Item) -> Again {
    match object.spec.retry_interval() {
        Ok(pause) => Again::After(pause, Class::Retry),
        Err(_) => Again::OnEvent,
    }
}
