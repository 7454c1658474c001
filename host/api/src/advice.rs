//! What an error means for the user: the reason that a condition shows, when to try again, and what
//! to do. Each error enum of the engine answers these in one table, its `advice` method.

/// When a failed step is worth trying again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retry {
    /// Not before the object or its source changes: `Stalled=True`.
    OnChange,
    /// After a growing pause, or the object's `retryInterval`: `Reconciling=True`.
    Backoff,
    /// When something it waits for is there: a source, a dependency.
    OnDependency,
}

/// The meaning of an error.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Advice {
    /// Reason in CamelCase, stable API: what a condition and an Event carry.
    pub reason: &'static str,
    /// When to try again.
    pub retry: Retry,
    /// What the user can do, as one sentence fragment: ``raise `spec.timeout` ``.
    pub hint: Option<String>,
}

impl Advice {
    /// Names the reason and when to try again.
    pub fn new(reason: &'static str, retry: Retry) -> Self {
        Self {
            reason,
            retry,
            hint: None,
        }
    }

    /// Adds what the user can do.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

/// Joins an error and its causes by `: `, as conditions, Events and log lines show them.
pub fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}
