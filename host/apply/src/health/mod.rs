//! The health of an object, read from the object alone: kstatus rules as a pure function.
//!
//! What is not known here is current, unless its standard conditions say otherwise.
//!
//! # Source
//! `pkg/kstatus/status` of fluxcd/cli-utils; a file each in tests/cases/health.

mod custom;
mod kinds;
#[cfg(test)]
mod tests;

use std::fmt;

use jiff::Timestamp;
use serde_json::Value;

pub use custom::{Checks, ChecksError};

/// How an object is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Status {
    /// It is as it should be.
    Current,
    /// It is on its way.
    InProgress,
    /// It will not get there without a change.
    Failed,
    /// It is being deleted.
    Terminating,
    /// It is not there.
    NotFound,
    /// It cannot be told: an expression came to an error.
    Unknown,
}

impl fmt::Display for Status {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::Current => "Current",
            Self::InProgress => "InProgress",
            Self::Failed => "Failed",
            Self::Terminating => "Terminating",
            Self::NotFound => "NotFound",
            Self::Unknown => "Unknown",
        })
    }
}

/// A status, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// The status.
    pub status: Status,
    /// Why, in words; the words of a condition where one decided.
    pub message: String,
}

impl Verdict {
    pub(crate) fn new(status: Status, message: impl Into<String>) -> Self {
        Self {
            status,
            message: message.into(),
        }
    }

    fn current(message: impl Into<String>) -> Self {
        Self::new(Status::Current, message)
    }

    fn in_progress(message: impl Into<String>) -> Self {
        Self::new(Status::InProgress, message)
    }

    fn failed(message: impl Into<String>) -> Self {
        Self::new(Status::Failed, message)
    }
}

/// Returns the health of a live object with its status; `now` decides how long a pod may be
/// unschedulable.
///
/// # Examples
/// ```
/// use bulkhead_apply::health::{Status, status};
/// let claim = serde_json::json!({
///     "apiVersion": "v1", "kind": "PersistentVolumeClaim", "status": { "phase": "Pending" },
/// });
/// let verdict = status(&claim, jiff::Timestamp::UNIX_EPOCH);
/// assert_eq!(verdict.status, Status::InProgress);
/// ```
pub fn status(object: &Value, now: Timestamp) -> Verdict {
    if let Some(verdict) = generic(object) {
        return verdict;
    }
    if let Some(verdict) = kinds::status(object, now) {
        return verdict;
    }
    ready(object).unwrap_or_else(|| Verdict::current("Resource is current"))
}

/// What holds for every kind: deletion, generations, `Reconciling` and `Stalled`.
fn generic(object: &Value) -> Option<Verdict> {
    if text(object, "/metadata/deletionTimestamp").is_some_and(|time| !time.is_empty()) {
        let message = "Resource scheduled for deletion";
        return Some(Verdict::new(Status::Terminating, message));
    }
    let generation = integer(object, "/metadata/generation");
    let observed = integer(object, "/status/observedGeneration");
    if let (Some(generation), Some(observed)) = (generation, observed)
        && generation != observed
    {
        let kind = text(object, "/kind").unwrap_or_default();
        return Some(Verdict::in_progress(format!(
            "{kind} generation is {generation}, but latest observed generation is {observed}"
        )));
    }
    let decisive = conditions(object).find(|condition| {
        condition.status == "True" && matches!(condition.kind, "Reconciling" | "Stalled")
    })?;
    Some(match decisive.kind {
        "Stalled" => Verdict::failed(decisive.message),
        _ => Verdict::in_progress(decisive.message),
    })
}

/// The `Ready` condition, which many custom kinds have.
fn ready(object: &Value) -> Option<Verdict> {
    let ready = conditions(object).find(|condition| condition.kind == "Ready")?;
    match ready.status {
        "True" => Some(Verdict::current("Resource is Ready")),
        "False" | "Unknown" => Some(Verdict::in_progress(ready.message)),
        _ => None,
    }
}

/// A condition; what it lacks is empty.
#[derive(Clone, Copy, Debug)]
struct Condition<'a> {
    kind: &'a str,
    status: &'a str,
    reason: &'a str,
    message: &'a str,
}

fn conditions(object: &Value) -> impl Iterator<Item = Condition<'_>> {
    let conditions = object
        .pointer("/status/conditions")
        .and_then(Value::as_array);
    conditions.into_iter().flatten().map(|condition| {
        let field = |name| {
            condition
                .get(name)
                .and_then(Value::as_str)
                .unwrap_or_default()
        };
        Condition {
            kind: field("type"),
            status: field("status"),
            reason: field("reason"),
            message: field("message"),
        }
    })
}

fn text<'a>(object: &'a Value, pointer: &str) -> Option<&'a str> {
    object.pointer(pointer)?.as_str()
}

fn integer(object: &Value, pointer: &str) -> Option<i64> {
    object.pointer(pointer)?.as_i64()
}
