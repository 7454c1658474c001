//! Waits for a release's objects and hooks: like the wait of a delivery, with Helm's view of Jobs and
//! Pods.

use std::collections::{HashMap, HashSet};
use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use bulkhead_api::ObjectId;
use jiff::Timestamp;
use serde_json::Value;
use tokio::time::{Instant, sleep, timeout_at};

use super::helm::Helm;
use super::objects::Placed;
use crate::health::{self, Status, Verdict};
use crate::target::cluster::{Awaited, WaitError, all, definition_versions};

/// The pause between looks; it doubles up to the second one.
const PAUSES: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(2));

/// When an object counts as done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Judge {
    /// By kstatus: a Job is fine once it has started.
    Started,
    /// By kstatus, and Jobs have to be done.
    Completed,
    /// Jobs and Pods have to be done; anything else is, as soon as it is there.
    Hook,
    /// By Helm 3's rules: [`legacy`](super::legacy).
    Legacy {
        /// Whether Jobs have to be done.
        jobs: bool,
    },
}

impl Judge {
    /// Returns how a live object is doing.
    pub(super) fn verdict(self, object: &Value, now: Timestamp) -> Verdict {
        let is = |api_version: &str, kind: &str| {
            object["apiVersion"] == api_version && object["kind"] == kind
        };
        match self {
            Self::Completed | Self::Hook if is("batch/v1", "Job") => job(object, now),
            Self::Hook if is("v1", "Pod") => pod(object),
            Self::Hook => Verdict::new(Status::Current, "Resource is current"),
            Self::Started | Self::Completed => health::status(object, now),
            // An answer to an apply is not enough for these rules.
            Self::Legacy { .. } => Verdict::new(Status::InProgress, "it is not looked at yet"),
        }
    }
}

/// A Job that is only on its way is not done.
fn job(object: &Value, now: Timestamp) -> Verdict {
    let verdict = health::status(object, now);
    let conditions = object["status"]["conditions"].as_array();
    let is_complete = conditions
        .into_iter()
        .flatten()
        .any(|condition| condition["type"] == "Complete" && condition["status"] == "True");
    match verdict.status {
        Status::Current if !is_complete => Verdict::new(Status::InProgress, verdict.message),
        _ => verdict,
    }
}

fn pod(object: &Value) -> Verdict {
    let name = object["metadata"]["name"].as_str().unwrap_or_default();
    match object["status"]["phase"].as_str() {
        Some("Succeeded") => Verdict::new(Status::Current, format!("pod {name} succeeded")),
        Some("Failed") => Verdict::new(Status::Failed, format!("pod {name} failed")),
        _ => Verdict::new(Status::InProgress, "Pod in progress"),
    }
}

/// Whether an object is waited for at all: a paused Deployment gets nowhere.
pub(super) fn is_awaited(object: &Value) -> bool {
    let is_deployment = object["apiVersion"] == "apps/v1" && object["kind"] == "Deployment";
    !(is_deployment && object["spec"]["paused"] == true)
}

impl Helm {
    /// Waits until all objects are done.
    ///
    /// # Errors
    /// [`WaitError::NotReady`] when time is over, with `fails_fast` at the first failure, or when none
    /// is on its way any more; [`WaitError::Cancelled`] when `cancel` completes.
    pub(super) async fn wait(
        &self,
        objects: &[&Placed],
        judge: Judge,
        fails_fast: bool,
        timeout: Duration,
        cancel: Option<Pin<&mut (dyn Future<Output = ()> + Send + Sync)>>,
    ) -> Result<(), WaitError> {
        let work = self.wait_for(objects, judge, fails_fast, timeout);
        match cancel {
            None => work.await,
            Some(cancel) => tokio::select! {
                result = work => result,
                () = cancel => Err(WaitError::Cancelled),
            },
        }
    }

    async fn wait_for(
        &self,
        objects: &[&Placed],
        judge: Judge,
        fails_fast: bool,
        timeout: Duration,
    ) -> Result<(), WaitError> {
        let deadline = Instant::now() + timeout;
        let mut pending: Vec<&Placed> = objects.to_vec();
        let mut verdicts: HashMap<&ObjectId, Verdict> = HashMap::new();
        let mut pause = PAUSES.0;
        while !pending.is_empty() {
            let round = all(pending.clone(), |placed| self.look(placed, judge));
            let is_late = match timeout_at(deadline, round).await {
                Ok(round) => {
                    verdicts.extend(pending.iter().map(|placed| placed.id()).zip(round));
                    Instant::now() >= deadline
                }
                Err(_) => true,
            };
            let status = |placed: &Placed| verdicts.get(placed.id()).map(|found| found.status);
            pending.retain(|placed| status(placed) != Some(Status::Current));
            let failed = pending
                .iter()
                .filter(|placed| status(placed) == Some(Status::Failed));
            let failed = failed.count();
            let is_over = failed == pending.len() || (fails_fast && failed > 0);
            if !pending.is_empty() && (is_late || is_over) {
                if !is_late {
                    pending.retain(|placed| status(placed) == Some(Status::Failed));
                }
                return Err(not_ready(&pending, &mut verdicts, is_late));
            }
            if !pending.is_empty() {
                sleep(pause.min(deadline.saturating_duration_since(Instant::now()))).await;
                pause = (pause * 2).min(PAUSES.1);
            }
        }
        Ok(())
    }

    /// Returns how a live object is doing: by the user's expressions for its kind, if there are any.
    pub(super) fn verdict(&self, judge: Judge, object: &Value) -> Verdict {
        let custom = match judge {
            Judge::Hook | Judge::Legacy { .. } => None,
            Judge::Started | Judge::Completed => self.cluster.custom_status(object),
        };
        custom.unwrap_or_else(|| judge.verdict(object, Timestamp::now()))
    }

    async fn look(&self, placed: &Placed, judge: Judge) -> Verdict {
        let may_vanish = Awaited::of(&placed.object).may_vanish;
        match self.read(placed).await {
            Ok(Some(object)) => match judge {
                Judge::Legacy { jobs } => self.legacy_status(&object, jobs).await,
                _ => self.verdict(judge, &object),
            },
            Ok(None) if may_vanish => Verdict::new(Status::Current, "Job finished and was deleted"),
            Ok(None) => Verdict::new(Status::NotFound, "Resource not found"),
            Err(error) => Verdict::new(Status::InProgress, error.to_string()),
        }
    }

    /// Waits until deleted objects are gone; returns those that are still there.
    pub(super) async fn wait_until_gone(
        &self,
        objects: &[&Placed],
        timeout: Duration,
    ) -> Vec<ObjectId> {
        // A definition goes after its objects, and then nothing is served that could be asked for them.
        let definitions = objects
            .iter()
            .flat_map(|placed| definition_versions(&placed.object));
        let kinds: HashSet<(String, String)> =
            definitions.map(|(group, kind, _)| (group, kind)).collect();
        let is_told = |placed: &&&Placed| {
            let ObjectId { group, kind, .. } = placed.id();
            !kinds.contains(&(group.clone(), kind.clone()))
        };
        // The version that is served: the one that was recorded may be gone.
        let awaited = objects.iter().filter(is_told).filter_map(|placed| {
            let version = &placed.resource.as_ref()?.version;
            Some(Awaited::new(placed.id().clone(), version))
        });
        let awaited: Vec<Awaited> = awaited.collect();
        if awaited.is_empty() {
            return Vec::new();
        }
        self.cluster.wait_until_gone(&awaited, timeout).await
    }
}

fn not_ready(
    pending: &[&Placed],
    verdicts: &mut HashMap<&ObjectId, Verdict>,
    timed_out: bool,
) -> WaitError {
    let unknown = || Verdict::new(Status::InProgress, "its status could not be read in time");
    let objects = pending.iter().map(|placed| {
        let verdict = verdicts.remove(placed.id()).unwrap_or_else(unknown);
        (placed.id().clone(), verdict)
    });
    WaitError::NotReady {
        timed_out,
        objects: objects.collect(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn jobs_and_pods_are_judged_by_what_is_waited_for() {
        let now = Timestamp::UNIX_EPOCH;
        let status = |judge: Judge, object: &Value| judge.verdict(object, now).status;
        let running = json!({
            "apiVersion": "batch/v1", "kind": "Job",
            "status": { "startTime": "2026-01-01T00:00:00Z", "active": 1 },
        });
        assert_eq!(status(Judge::Started, &running), Status::Current);
        assert_eq!(status(Judge::Completed, &running), Status::InProgress);
        assert_eq!(status(Judge::Hook, &running), Status::InProgress);
        let mut done = running;
        done["status"]["conditions"] = json!([{ "type": "Complete", "status": "True" }]);
        assert_eq!(status(Judge::Hook, &done), Status::Current);
        done["status"]["conditions"] = json!([{ "type": "Failed", "status": "True" }]);
        assert_eq!(status(Judge::Hook, &done), Status::Failed);
        let pod = |phase: &str| json!({ "apiVersion": "v1", "kind": "Pod", "status": { "phase": phase } });
        assert_eq!(status(Judge::Hook, &pod("Running")), Status::InProgress);
        assert_eq!(status(Judge::Hook, &pod("Failed")), Status::Failed);
        let map = json!({ "apiVersion": "v1", "kind": "ConfigMap" });
        assert_eq!(status(Judge::Hook, &map), Status::Current);
    }
}
