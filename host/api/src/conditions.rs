//! Conditions of custom resources: how one is set, and what Ready, Reconciling and Stalled mean
//! together. In go the old conditions and what happened, out come the new ones.
//!
//! No step of a reconciler sets Ready, Reconciling or Stalled by itself: it ends in [`ready`],
//! [`failed`] or [`progressing`].

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;

use crate::advice::{Advice, Retry};
use crate::names::condition::{READY, RECONCILING, STALLED};
use crate::{meta, reason};

/// Longest message, in bytes; the API server refuses a longer one.
pub const MESSAGE_MAX_BYTES: usize = 32_768;

/// Message of Ready while the first result is on its way.
pub const IN_PROGRESS: &str = "Reconciliation in progress";

/// Status of a condition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// It holds.
    True,
    /// It does not.
    False,
    /// Not known yet.
    Unknown,
}

impl Status {
    /// Returns the text in the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::True => "True",
            Self::False => "False",
            Self::Unknown => "Unknown",
        }
    }
}

/// For which generation of the object, and when, conditions are set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamp {
    /// `metadata.generation` of the object that was reconciled.
    pub generation: i64,
    /// The time now.
    pub now: Timestamp,
}

impl Stamp {
    /// Takes the generation off an object's metadata; 0 for an object from a file.
    pub fn of(meta: &kube::core::ObjectMeta, now: Timestamp) -> Self {
        Self {
            generation: meta.generation.unwrap_or_default(),
            now,
        }
    }
}

/// Sets a condition.
///
/// # Guarantees
/// Each type occurs once. `lastTransitionTime` moves with status, reason and message, not with the
/// generation. The message has at most [`MESSAGE_MAX_BYTES`]. Order: Stalled, Reconciling, Ready, then
/// by type.
///
/// # Source
/// `conditions.Set` of fluxcd/pkg `runtime/conditions`, for the time.
pub fn set(
    conditions: &mut Vec<Condition>,
    stamp: Stamp,
    type_: &str,
    status: Status,
    reason: &str,
    message: &str,
) {
    let old = conditions.iter().find(|condition| condition.type_ == type_);
    let message = cut(message);
    let same = |old: &&Condition| state(old) == (status.as_str(), reason, message.as_str());
    let last_transition_time = match old.filter(same) {
        Some(old) => old.last_transition_time.clone(),
        None => meta::time(stamp.now),
    };
    remove(conditions, type_);
    conditions.push(Condition {
        last_transition_time,
        message,
        observed_generation: Some(stamp.generation),
        reason: reason.to_owned(),
        status: status.as_str().to_owned(),
        type_: type_.to_owned(),
    });
    conditions.sort_by(|a, b| (weight(a), &a.type_).cmp(&(weight(b), &b.type_)));
}

/// Gives conditions that are in the end as they were before the time that they had then, whatever
/// they were in between.
pub fn keep_times(conditions: &mut [Condition], before: &[Condition]) {
    for condition in conditions {
        let old = get(before, &condition.type_);
        if let Some(old) = old.filter(|old| state(old) == state(condition)) {
            condition.last_transition_time = old.last_transition_time.clone();
        }
    }
}

fn state(condition: &Condition) -> (&str, &str, &str) {
    (&condition.status, &condition.reason, &condition.message)
}

/// Removes a condition.
pub fn remove(conditions: &mut Vec<Condition>, type_: &str) {
    conditions.retain(|condition| condition.type_ != type_);
}

/// Returns a condition.
pub fn get<'a>(conditions: &'a [Condition], type_: &str) -> Option<&'a Condition> {
    conditions.iter().find(|condition| condition.type_ == type_)
}

/// Tells whether a condition is there and True.
pub fn is_true(conditions: &[Condition], type_: &str) -> bool {
    get(conditions, type_).is_some_and(|condition| condition.status == Status::True.as_str())
}

/// Ends a reconciliation well: Ready=True, neither Reconciling nor Stalled.
pub fn ready(conditions: &mut Vec<Condition>, stamp: Stamp, reason: &str, message: &str) {
    remove(conditions, RECONCILING);
    remove(conditions, STALLED);
    set(conditions, stamp, READY, Status::True, reason, message);
}

/// Ends a reconciliation badly: Ready=False with the reason of `advice`; Stalled when nothing will
/// happen before a change, else Reconciling with a retry.
pub fn failed(conditions: &mut Vec<Condition>, stamp: Stamp, advice: &Advice, message: &str) {
    set(
        conditions,
        stamp,
        READY,
        Status::False,
        advice.reason,
        message,
    );
    match advice.retry {
        Retry::OnChange => {
            remove(conditions, RECONCILING);
            set(
                conditions,
                stamp,
                STALLED,
                Status::True,
                advice.reason,
                message,
            );
        }
        Retry::Backoff | Retry::OnDependency => {
            remove(conditions, STALLED);
            let retry = reason::PROGRESSING_WITH_RETRY;
            set(conditions, stamp, RECONCILING, Status::True, retry, message);
        }
    }
}

/// Says what a reconciliation is doing: Reconciling=True, not Stalled, and Ready=Unknown.
pub fn progressing(conditions: &mut Vec<Condition>, stamp: Stamp, message: &str) {
    remove(conditions, STALLED);
    set(
        conditions,
        stamp,
        RECONCILING,
        Status::True,
        reason::PROGRESSING,
        message,
    );
    set(
        conditions,
        stamp,
        READY,
        Status::Unknown,
        reason::PROGRESSING,
        IN_PROGRESS,
    );
}

/// Returns what `status.observedGeneration` becomes with these conditions: the generation when Ready
/// or Stalled is True, else what it was.
pub fn observed_generation(conditions: &[Condition], stamp: Stamp, before: i64) -> i64 {
    if is_true(conditions, READY) || is_true(conditions, STALLED) {
        stamp.generation
    } else {
        before
    }
}

fn weight(condition: &Condition) -> u8 {
    match condition.type_.as_str() {
        STALLED => 0,
        RECONCILING => 1,
        READY => 2,
        _ => 3,
    }
}

/// Cuts a message to [`MESSAGE_MAX_BYTES`], with `...` at its end, between characters.
fn cut(message: &str) -> String {
    const MARK: &str = "...";
    if message.len() <= MESSAGE_MAX_BYTES {
        return message.to_owned();
    }
    let end = message.floor_char_boundary(MESSAGE_MAX_BYTES - MARK.len());
    format!("{}{MARK}", &message[..end])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stamp(generation: i64, second: i64) -> Stamp {
        Stamp {
            generation,
            now: Timestamp::from_second(second).unwrap_or_default(),
        }
    }

    fn summary(conditions: &[Condition]) -> Vec<String> {
        conditions
            .iter()
            .map(|c| {
                let generation = c.observed_generation.unwrap_or_default();
                let second = c.last_transition_time.0.as_second();
                format!(
                    "{}={} {} @{generation} {second}s",
                    c.type_, c.status, c.reason
                )
            })
            .collect()
    }

    const BUILD: Advice = Advice {
        reason: "BuildFailed",
        retry: Retry::Backoff,
        hint: None,
    };
    const SPEC: Advice = Advice {
        reason: "ValidationFailed",
        retry: Retry::OnChange,
        hint: None,
    };
    const WAITS: Advice = Advice {
        reason: "DependencyNotReady",
        retry: Retry::OnDependency,
        hint: None,
    };

    /// What happened, one after another, and the conditions after each.
    #[test]
    fn outcomes_become_conditions() {
        let mut conditions = Vec::new();
        progressing(&mut conditions, stamp(1, 10), "Fetching");
        assert_eq!(
            summary(&conditions),
            [
                "Reconciling=True Progressing @1 10s",
                "Ready=Unknown Progressing @1 10s"
            ]
        );
        failed(&mut conditions, stamp(1, 11), &BUILD, "no");
        assert_eq!(
            summary(&conditions),
            [
                "Reconciling=True ProgressingWithRetry @1 11s",
                "Ready=False BuildFailed @1 11s"
            ]
        );
        failed(&mut conditions, stamp(2, 12), &WAITS, "not yet");
        assert_eq!(
            summary(&conditions),
            [
                "Reconciling=True ProgressingWithRetry @2 12s",
                "Ready=False DependencyNotReady @2 12s"
            ]
        );
        failed(&mut conditions, stamp(2, 13), &SPEC, "never");
        assert_eq!(
            summary(&conditions),
            [
                "Stalled=True ValidationFailed @2 13s",
                "Ready=False ValidationFailed @2 13s"
            ]
        );
        ready(
            &mut conditions,
            stamp(3, 14),
            "ReconciliationSucceeded",
            "Applied revision: x",
        );
        assert_eq!(
            summary(&conditions),
            ["Ready=True ReconciliationSucceeded @3 14s"]
        );
        ready(
            &mut conditions,
            stamp(4, 15),
            "ReconciliationSucceeded",
            "Applied revision: x",
        );
        assert_eq!(
            summary(&conditions),
            ["Ready=True ReconciliationSucceeded @4 14s"],
            "a generation alone is no transition"
        );
        ready(
            &mut conditions,
            stamp(4, 16),
            "ReconciliationSucceeded",
            "Applied revision: y",
        );
        assert_eq!(
            summary(&conditions),
            ["Ready=True ReconciliationSucceeded @4 16s"]
        );
        assert_eq!(conditions[0].message, "Applied revision: y");
    }

    #[test]
    fn what_is_as_before_keeps_its_time() {
        let mut conditions = Vec::new();
        ready(&mut conditions, stamp(1, 10), "Succeeded", "x");
        let before = conditions.clone();
        progressing(&mut conditions, stamp(2, 11), "Fetching");
        ready(&mut conditions, stamp(2, 12), "Succeeded", "x");
        assert_eq!(summary(&conditions), ["Ready=True Succeeded @2 12s"]);
        keep_times(&mut conditions, &before);
        assert_eq!(summary(&conditions), ["Ready=True Succeeded @2 10s"]);
        ready(&mut conditions, stamp(3, 13), "Succeeded", "y");
        keep_times(&mut conditions, &before);
        assert_eq!(summary(&conditions), ["Ready=True Succeeded @3 13s"]);
    }

    #[test]
    fn the_generation_is_observed_on_ready_and_stalled_alone() {
        let after = |act: fn(&mut Vec<Condition>)| {
            let mut conditions = Vec::new();
            act(&mut conditions);
            observed_generation(&conditions, stamp(7, 0), -1)
        };
        assert_eq!(after(|c| ready(c, stamp(7, 0), "Succeeded", "")), 7);
        assert_eq!(after(|c| failed(c, stamp(7, 0), &SPEC, "")), 7);
        assert_eq!(after(|c| failed(c, stamp(7, 0), &BUILD, "")), -1);
        assert_eq!(after(|c| failed(c, stamp(7, 0), &WAITS, "")), -1);
        assert_eq!(after(|c| progressing(c, stamp(7, 0), "")), -1);
    }

    #[test]
    fn other_conditions_stay_and_come_last() {
        let mut conditions = Vec::new();
        set(
            &mut conditions,
            stamp(1, 1),
            "Healthy",
            Status::True,
            "Succeeded",
            "",
        );
        set(
            &mut conditions,
            stamp(1, 1),
            "ArtifactInStorage",
            Status::True,
            "Succeeded",
            "",
        );
        failed(&mut conditions, stamp(1, 1), &BUILD, "no");
        let types: Vec<_> = conditions.iter().map(|c| c.type_.as_str()).collect();
        assert_eq!(
            types,
            ["Reconciling", "Ready", "ArtifactInStorage", "Healthy"]
        );
        remove(&mut conditions, "Healthy");
        assert!(get(&conditions, "Healthy").is_none());
    }

    #[test]
    fn messages_are_cut_at_the_limit() {
        let length = |message: &str| {
            let mut conditions = Vec::new();
            ready(&mut conditions, stamp(1, 1), "Succeeded", message);
            (
                conditions[0].message.len(),
                conditions[0].message.ends_with("..."),
            )
        };
        assert_eq!(
            length(&"a".repeat(MESSAGE_MAX_BYTES)),
            (MESSAGE_MAX_BYTES, false)
        );
        assert_eq!(
            length(&"a".repeat(MESSAGE_MAX_BYTES + 1)),
            (MESSAGE_MAX_BYTES, true)
        );
        assert_eq!(
            length(&"é".repeat(MESSAGE_MAX_BYTES)),
            (MESSAGE_MAX_BYTES - 1, true)
        );
    }

    #[test]
    fn times_are_whole_seconds() {
        let now = Timestamp::from_millisecond(1_500).unwrap_or_default();
        let mut conditions = Vec::new();
        ready(
            &mut conditions,
            Stamp { generation: 1, now },
            "Succeeded",
            "",
        );
        let json = serde_json::to_value(&conditions[0].last_transition_time).unwrap_or_default();
        assert_eq!(json, "1970-01-01T00:00:01Z");
    }
}
