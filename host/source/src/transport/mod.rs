//! How bytes get from a Git server to this process, within time and size.
//!
//! The protocol itself is gix's and blocks; it runs on a thread of its own. Its reads and writes
//! come here and are done by the asynchronous clients, under one deadline for the whole fetch.

pub(crate) mod http;
pub(crate) mod known_hosts;
pub(crate) mod local;
pub(crate) mod ssh;
pub(crate) mod tls;

use std::cell::{Cell, RefCell};
use std::future::Future;
use std::io;
use std::time::{Duration, Instant};

use crate::{FetchError, Location};

/// Time and bytes that a fetch may still use, and the first error with a meaning.
///
/// gix carries errors as text; what this crate knows better is kept here and wins.
pub(crate) struct Meter {
    pub(crate) location: Location,
    runtime: tokio::runtime::Handle,
    deadline: Instant,
    timeout: Duration,
    bytes_left: Cell<u64>,
    limit: Cell<(&'static str, u64)>,
    failure: RefCell<Option<FetchError>>,
}

impl Meter {
    pub(crate) fn new(
        location: Location,
        runtime: tokio::runtime::Handle,
        deadline: Instant,
        timeout: Duration,
    ) -> Self {
        Self {
            location,
            runtime,
            deadline,
            timeout,
            bytes_left: Cell::new(u64::MAX),
            limit: Cell::new(("", u64::MAX)),
            failure: RefCell::new(None),
        }
    }

    /// Allows so many bytes from now on; `name` is the limit's field.
    pub(crate) fn allow(&self, name: &'static str, bytes: u64) {
        self.limit.set((name, bytes));
        self.bytes_left.set(bytes);
    }

    /// Counts bytes that have arrived.
    pub(crate) fn count(&self, bytes: usize) -> io::Result<()> {
        let Some(left) = self.bytes_left.get().checked_sub(bytes as u64) else {
            let (name, allowed) = self.limit.get();
            return Err(self.fail(FetchError::limit("the server's answer", name, allowed)));
        };
        self.bytes_left.set(left);
        Ok(())
    }

    /// Waits for `future` until the deadline.
    pub(crate) fn wait<F: Future>(&self, future: F) -> io::Result<F::Output> {
        let deadline = tokio::time::Instant::from_std(self.deadline);
        let result = self
            .runtime
            .block_on(async { tokio::time::timeout_at(deadline, future).await });
        result.map_err(|_| self.fail(self.timeout()))
    }

    /// Returns the error for a fetch that took too long.
    pub(crate) fn timeout(&self) -> FetchError {
        FetchError::Timeout {
            location: self.location.clone(),
            after: self.timeout,
        }
    }

    /// Tells whether the deadline has passed.
    pub(crate) fn is_late(&self) -> bool {
        Instant::now() >= self.deadline
    }

    /// Keeps `error` unless an earlier one is kept, and returns what to hand to gix.
    pub(crate) fn fail(&self, error: FetchError) -> io::Error {
        let text = error.to_string();
        self.failure.borrow_mut().get_or_insert(error);
        io::Error::other(text)
    }

    /// Returns the kept error, or else one that says what gix said.
    pub(crate) fn take(&self, said: impl std::fmt::Display) -> FetchError {
        match self.failure.borrow_mut().take() {
            Some(error) => error,
            None if self.is_late() => self.timeout(),
            None => FetchError::protocol(&self.location, said.to_string()),
        }
    }

    /// Returns the kept error.
    pub(crate) fn take_failure(&self) -> Option<FetchError> {
        self.failure.borrow_mut().take()
    }
}
