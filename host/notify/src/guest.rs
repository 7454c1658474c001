//! The exchange with a notifier plugin, in the words of `wit/`: the one place that names the types,
//! and the seam between the loop and the sandbox.

use std::future::Future;

pub(crate) use bulkhead_wasm::{
    Event, NotifyError as GuestError, ObjectRef, Outcome, Part, Request, Response, Severity,
    Signing, Step,
};
use bulkhead_wasm::{Limits, Plugin, ResumeRequest, StartRequest};

/// What a call is about.
#[derive(Clone, Debug)]
pub(crate) struct Exchange {
    /// The Provider's settings without its secrets, as JSON.
    pub(crate) config: String,
    /// What the guest's wall clock shows, in seconds since 1970: the time of the event.
    pub(crate) wall_clock: u64,
    /// What one call may take.
    pub(crate) limits: Limits,
}

/// Answers the two calls of a notifier: a plugin in its sandbox, or a test.
pub(crate) trait Guest {
    /// Begins to deliver an event.
    fn start(
        &self,
        event: Event,
        exchange: &Exchange,
        state: Vec<u8>,
    ) -> impl Future<Output = Result<Outcome, GuestError>> + Send;

    /// Goes on with the responses to the last step.
    fn resume(
        &self,
        responses: Vec<Response>,
        exchange: &Exchange,
        state: Vec<u8>,
    ) -> impl Future<Output = Result<Outcome, GuestError>> + Send;
}

impl Guest for Plugin {
    async fn start(
        &self,
        event: Event,
        exchange: &Exchange,
        state: Vec<u8>,
    ) -> Result<Outcome, GuestError> {
        let request = StartRequest {
            events: vec![event],
            config: exchange.config.clone(),
            state,
            limits: exchange.limits.clone(),
            wall_clock: exchange.wall_clock,
        };
        Self::start(self, request).await
    }

    async fn resume(
        &self,
        responses: Vec<Response>,
        exchange: &Exchange,
        state: Vec<u8>,
    ) -> Result<Outcome, GuestError> {
        let request = ResumeRequest {
            responses,
            config: exchange.config.clone(),
            state,
            limits: exchange.limits.clone(),
            wall_clock: exchange.wall_clock,
        };
        Self::resume(self, request).await
    }
}
