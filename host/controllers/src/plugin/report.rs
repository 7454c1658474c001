//! Publishes what happened to a plugin: status, users, events, log lines, the next run.

use std::sync::Arc;

use bulkhead_api::event::key as fact;
use bulkhead_api::names::condition::READY;
use bulkhead_api::plugin::PluginStatus;
use bulkhead_api::{Retry, conditions, reason};
use bulkhead_source::oci::Reference;

use super::act::{self, Done, Outcome};
use super::error::PluginError;
use super::memory::Running;
use super::object::PluginObject;
use super::request::RequestError;
use super::status::summary;
use crate::backoff;
use crate::clock;
use crate::context::Context;
use crate::queue::{Again, Class, Key};
use crate::report::{Audience, Report};
use crate::status::{self, WriteError, explain};

/// Tells users, writes the status, then reports what is new in it.
pub(super) async fn publish<P: PluginObject>(
    context: &Arc<Context>,
    key: &Key,
    object: &Arc<P>,
    next: PluginStatus,
    outcome: &Outcome,
) -> Result<(), WriteError> {
    let (client, store) = (context.clients.own(), P::store(context));
    if matches!(outcome.result, Ok(Done::Finalized)) {
        context.plugins.failures.reset(key);
        status::remove_finalizer(client, store, object).await?;
        return Ok(());
    }
    let ready = conditions::get(&next.conditions, READY);
    let why = ready.map_or(("", ""), |ready| (&*ready.reason, &*ready.message));
    act::publish::<P>(key, outcome, why, context);
    let written = status::write(client, store, object, next).await?;
    log(outcome);
    if let Some(report) = report(object.status(), outcome) {
        context
            .reporter
            .report(report.about(&*written, clock::now()), Audience::Everyone);
    }
    Ok(())
}

fn log(outcome: &Outcome) {
    match &outcome.result {
        Ok(Done::Finalized) => tracing::info!("what was stored of the deleted plugin is removed"),
        Ok(Done::Suspended) => tracing::info!("reconciliation is suspended for this object"),
        Ok(Done::Unchanged) => tracing::debug!("{}", summary(outcome)),
        Ok(Done::Installed(_)) => tracing::info!(took = ?outcome.took, "{}", summary(outcome)),
        Ok(Done::Waits(error)) => tracing::info!("{error}"),
        Err(error) => {
            let error = bulkhead_api::chain(&**error);
            tracing::error!(error, took = ?outcome.took, "failed to install the plugin");
        }
    }
}

/// Says what is new: another digest, an image that waits, a failure, the end of one.
fn report(before: &PluginStatus, outcome: &Outcome) -> Option<Report> {
    let with_facts = |report: Report| {
        let record = outcome.running.as_ref().map(|(running, _)| &running.record);
        report
            .fact(fact::REVISION, record.map(|record| record.image.as_str()))
            .fact(
                fact::DIGEST,
                record.map(|record| record.digest.to_string()).as_deref(),
            )
    };
    let was_ready = conditions::is_true(&before.conditions, READY);
    match &outcome.result {
        Ok(Done::Finalized | Done::Suspended) => None,
        Ok(Done::Installed(_)) => Some(with_facts(installed(before, outcome))),
        Ok(Done::Unchanged) if !was_ready && !before.conditions.is_empty() => Some(with_facts(
            Report::info(reason::SUCCEEDED, summary(outcome)),
        )),
        Ok(Done::Unchanged) => None,
        Ok(Done::Waits(error)) => {
            let PluginError::NeedsApproval { digest, .. } = &**error else {
                return None;
            };
            let is_told = before.pending_digest.as_deref() == Some(&digest.to_string());
            let message = explain(&**error, &error.advice());
            (!is_told).then(|| with_facts(Report::info(reason::plugin::NEEDS_APPROVAL, message)))
        }
        Err(error) => {
            let advice = error.advice();
            Some(Report::error(advice.reason, explain(&**error, &advice)))
        }
    }
}

/// An image runs for the first time, or in the place of another: both digests are named.
fn installed(before: &PluginStatus, outcome: &Outcome) -> Report {
    let now = outcome.running.as_ref().map(|(running, _)| &**running);
    let ran = outcome
        .before
        .as_ref()
        .map(|running| &*running.record.image);
    let last = ran.or(before.image.as_deref());
    match (last, now) {
        (Some(last), Some(now)) if last != now.record.image => {
            Report::info(reason::plugin::UPDATED, moved(last, now))
        }
        _ => Report::info(reason::plugin::INSTALLED, summary(outcome)),
    }
}

fn moved(last: &str, now: &Running) -> String {
    let (from, to) = (Reference::parse(last), Reference::parse(&now.record.image));
    if let (Ok(from), Ok(to)) = (from, to)
        && let (Some(tag), Some(old)) = (to.tag(), from.digest())
        && from.name() == to.name()
        && from.tag() == to.tag()
    {
        let new = now.record.digest;
        return format!("tag `{tag}` of {} moved from {old} to {new}", to.name());
    }
    format!("{} runs instead of {last}", now.record.image)
}

/// Says when it is due again.
pub(super) fn again<P: PluginObject>(
    context: &Context,
    key: &Key,
    object: &P,
    outcome: &Outcome,
) -> Again {
    let at_interval = || match object.spec().interval() {
        Ok(interval) => {
            let pause = clock::jittered(interval, context.settings.interval_jitter);
            Again::After(pause, Class::Interval)
        }
        Err(_) => Again::OnEvent,
    };
    match &outcome.result {
        Ok(Done::Finalized | Done::Suspended) => Again::OnEvent,
        Ok(_) => {
            context.plugins.failures.reset(key);
            at_interval()
        }
        Err(error) if error.advice().retry == Retry::OnChange => {
            context.plugins.failures.reset(key);
            match &**error {
                // The object has to change.
                PluginError::Request(error) if !matches!(error, RequestError::Trust(_)) => {
                    Again::OnEvent
                }
                // The image has to change: its tag may move.
                _ => at_interval(),
            }
        }
        Err(error) => {
            let failures = context.plugins.failures.count(key);
            let interval = object.spec().interval().unwrap_or_default();
            let pause = backoff::pause_asked(failures, error.retry_after(), interval);
            Again::After(pause, Class::Retry)
        }
    }
}
