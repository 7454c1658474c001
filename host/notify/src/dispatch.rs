//! The exchange with a notifier: start, send what it asks for, resume, until it is done.

use std::time::Duration;

use crate::error::NotifyError;
use crate::guest::{Event, Exchange, Guest, Outcome, Response, Step};
use crate::prepare::{PrepareError, prepare};
use crate::secrets::Secrets;
use crate::send::{Route, Sender};
use crate::state::STATE_MAX_BYTES;

/// Steps that one delivery may take.
pub const STEPS_MAX: usize = 8;

/// Requests that one step may send.
pub const REQUESTS_MAX: usize = 16;

/// What a delivery ended with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Done {
    /// What the notifier keeps.
    pub(crate) state: Vec<u8>,
    /// Requests that were sent.
    pub(crate) requests: usize,
}

/// Delivers `event` through `guest`.
///
/// # Errors
/// Everything that [`NotifyError`] has but what precedes a delivery; no secret is shown.
pub(crate) async fn deliver(
    guest: &impl Guest,
    event: Event,
    exchange: &Exchange,
    state: Vec<u8>,
    secrets: &Secrets,
    route: &Route,
    sender: &Sender,
) -> Result<Done, NotifyError> {
    let guest_failed = |error| NotifyError::Guest(Box::new(error));
    let mut done = 0;
    let mut requests = 0;
    let mut outcome = guest
        .start(event, exchange, state)
        .await
        .map_err(guest_failed)?;
    loop {
        let step = match outcome {
            Outcome::Done(state) => {
                check("bytes of state", state.len(), STATE_MAX_BYTES)?;
                return Ok(Done { state, requests });
            }
            Outcome::Retry(seconds) => {
                let after = seconds.map(|seconds| Duration::from_secs(seconds.into()));
                return Err(NotifyError::Busy { after });
            }
            Outcome::Failed(why) => return Err(NotifyError::Failed(route.scrubber.text(&why))),
            Outcome::Next(step) => step,
        };
        done += 1;
        check("steps", done, STEPS_MAX)?;
        requests += step.send.len();
        let responses = send(&step, secrets, route, sender).await?;
        outcome = guest
            .resume(responses, exchange, step.state)
            .await
            .map_err(guest_failed)?;
    }
}

fn check(what: &'static str, used: usize, limit: usize) -> Result<(), NotifyError> {
    if used > limit {
        Err(NotifyError::TooMany { what, used, limit })
    } else {
        Ok(())
    }
}

/// Sends the requests of a step in order; all are prepared before the first is sent.
async fn send(
    step: &Step,
    secrets: &Secrets,
    route: &Route,
    sender: &Sender,
) -> Result<Vec<Response>, NotifyError> {
    check("requests in one step", step.send.len(), REQUESTS_MAX)?;
    let mut prepared = Vec::new();
    for request in &step.send {
        let ready = prepare(request, secrets).map_err(|error| match error {
            PrepareError::Address(why) => PrepareError::Address(why.scrubbed(&route.scrubber)),
            other => other,
        });
        prepared.push((request.id, ready.map_err(NotifyError::Prepare)?));
    }
    let mut responses = Vec::new();
    for (id, request) in &prepared {
        responses.push(sender.send(*id, request, route).await?);
    }
    Ok(responses)
}
