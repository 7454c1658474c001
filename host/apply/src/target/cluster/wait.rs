//! Waits until objects are healthy, or gone.

use std::collections::HashMap;
use std::future::Future;
use std::time::Duration;

use bulkhead_api::{Advice, ObjectId, Retry};
use tokio::time::{Instant, sleep, timeout_at};

use super::api::{self, ApiError};
use super::{Cluster, all};
use crate::health::{Status, Verdict};
use crate::object::Object;

/// The pause between looks; it doubles up to the second one.
const PAUSES: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(2));

/// An object that is waited for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Awaited {
    /// The object.
    pub id: ObjectId,
    /// The version of its API; empty for the preferred one.
    pub version: String,
    /// It counts as done when it is gone: a Job with `ttlSecondsAfterFinished`.
    pub may_vanish: bool,
}

impl Awaited {
    /// Waits for an object that must stay.
    pub fn new(id: ObjectId, version: &str) -> Self {
        Self {
            id,
            version: version.to_owned(),
            may_vanish: false,
        }
    }

    /// Waits for an applied object; a Job that deletes itself may vanish.
    pub fn of(object: &Object) -> Self {
        let has_ttl = object
            .body()
            .get("spec")
            .and_then(|spec| spec.get("ttlSecondsAfterFinished"))
            .is_some_and(|ttl| ttl.is_i64());
        let may_vanish = object.is("batch", "Job") && has_ttl;
        Self {
            may_vanish,
            ..Self::new(object.id().clone(), object.version())
        }
    }
}

/// How to wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WaitOptions {
    /// How long at most.
    pub timeout: Duration,
    /// Stop at the first failed object, instead of when no other is on its way.
    pub fail_fast: bool,
}

/// Why the objects are not all healthy. `Display` has Flux's words.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WaitError {
    /// Something newer came up.
    #[error("the wait was cancelled")]
    Cancelled,
    /// Some are not healthy.
    #[error("{}: [{}]", if *.timed_out { "timeout waiting for" } else { "failed early due to stalled resources" }, statuses(.objects))]
    NotReady {
        /// Whether time ran out; else the others were done, or the first failure was enough.
        timed_out: bool,
        /// The objects, in the order in which they were given.
        objects: Vec<(ObjectId, Verdict)>,
    },
}

fn statuses(objects: &[(ObjectId, Verdict)]) -> String {
    let shown = objects.iter().map(|(id, Verdict { status, message })| {
        let subject = id.subject();
        if message.is_empty() {
            format!("{subject} status: '{status}'")
        } else {
            format!("{subject} status: '{status}': {message}")
        }
    });
    shown.collect::<Vec<_>>().join(", ")
}

impl WaitError {
    /// Names the reason, when to try again, and what the user can do.
    pub fn advice(&self) -> Advice {
        match self {
            Self::Cancelled => Advice::new("HealthCheckCanceled", Retry::OnDependency),
            Self::NotReady { .. } => Advice::new("HealthCheckFailed", Retry::Backoff)
                .hint("look at the status of these objects, or raise `spec.timeout`"),
        }
    }
}

impl Cluster {
    /// Waits until all objects are current. Each is asked again until it is, and not after.
    ///
    /// # Errors
    /// [`WaitError::NotReady`] when time is over, or when none is on its way and some have failed;
    /// [`WaitError::Cancelled`] as soon as `cancel` completes.
    pub async fn wait(
        &self,
        objects: &[Awaited],
        options: WaitOptions,
        cancel: impl Future<Output = ()>,
    ) -> Result<(), WaitError> {
        let work = self.wait_until_current(objects, options);
        tokio::select! {
            result = work => result,
            () = cancel => Err(WaitError::Cancelled),
        }
    }

    async fn wait_until_current(
        &self,
        objects: &[Awaited],
        options: WaitOptions,
    ) -> Result<(), WaitError> {
        let deadline = Instant::now() + options.timeout;
        let mut pending: Vec<&Awaited> = objects.iter().collect();
        let mut verdicts: HashMap<&ObjectId, Verdict> = HashMap::new();
        let mut pause = PAUSES.0;
        loop {
            let round = all(pending.clone(), |awaited| self.health(awaited));
            let timed_out = match timeout_at(deadline, round).await {
                Ok(round) => {
                    verdicts.extend(pending.iter().map(|awaited| &awaited.id).zip(round));
                    Instant::now() >= deadline
                }
                Err(_) => true,
            };
            let status = |awaited: &Awaited| verdicts.get(&awaited.id).map(|found| found.status);
            pending.retain(|awaited| status(awaited) != Some(Status::Current));
            if pending.is_empty() {
                return Ok(());
            }
            let failed = pending
                .iter()
                .filter(|awaited| status(awaited) == Some(Status::Failed));
            let failed = failed.count();
            if timed_out || failed == pending.len() || (options.fail_fast && failed > 0) {
                if !timed_out {
                    pending.retain(|awaited| status(awaited) == Some(Status::Failed));
                }
                return Err(not_ready(&pending, &mut verdicts, timed_out));
            }
            sleep(pause.min(deadline.saturating_duration_since(Instant::now()))).await;
            pause = (pause * 2).min(PAUSES.1);
        }
    }

    /// Waits until objects that were deleted are gone; returns those that are still there.
    pub async fn wait_until_gone(&self, objects: &[Awaited], limit: Duration) -> Vec<ObjectId> {
        let deadline = Instant::now() + limit;
        let mut pending: Vec<&Awaited> = objects.iter().collect();
        let mut pause = PAUSES.0;
        loop {
            let verdicts = all(pending.clone(), |awaited| self.look_at(awaited)).await;
            let mut verdicts = verdicts.into_iter();
            pending.retain(|_| {
                let verdict = verdicts.next().and_then(Result::ok);
                verdict.is_none_or(|verdict| verdict.status != Status::NotFound)
            });
            if pending.is_empty() || Instant::now() >= deadline {
                return pending
                    .into_iter()
                    .map(|awaited| awaited.id.clone())
                    .collect();
            }
            sleep(pause).await;
            pause = (pause * 2).min(PAUSES.1);
        }
    }

    /// Waits for definitions between stages; returns what is wrong with those that are not ready.
    pub(super) async fn wait_for_definitions(
        &self,
        objects: &[Awaited],
        limit: Duration,
    ) -> Result<(), Vec<String>> {
        let options = WaitOptions {
            timeout: limit,
            fail_fast: false,
        };
        match self.wait_until_current(objects, options).await {
            Ok(()) | Err(WaitError::Cancelled) => Ok(()),
            Err(WaitError::NotReady { objects, .. }) => Err(objects
                .into_iter()
                .map(|object| statuses(&[object]))
                .collect()),
        }
    }

    /// Returns the health of one object now. What cannot be read is on its way.
    pub async fn health(&self, awaited: &Awaited) -> Verdict {
        match self.look_at(awaited).await {
            Ok(verdict) if verdict.status == Status::NotFound && awaited.may_vanish => {
                Verdict::new(Status::Current, "Job finished and was deleted")
            }
            Ok(verdict) => verdict,
            Err(error) => Verdict::new(Status::InProgress, error.to_string()),
        }
    }

    async fn look_at(&self, awaited: &Awaited) -> Result<Verdict, ApiError> {
        let Awaited { id, version, .. } = awaited;
        let version = (!version.is_empty()).then_some(version.as_str());
        let Some(resource) = self.discovery.find(&id.group, &id.kind, version).await? else {
            return Ok(Verdict::new(Status::InProgress, "the kind is not served"));
        };
        Ok(match self.http.get(&api::path(&resource, id)).await? {
            Some(object) => self.status(&object),
            None => Verdict::new(Status::NotFound, "Resource not found"),
        })
    }
}

fn not_ready(
    pending: &[&Awaited],
    verdicts: &mut HashMap<&ObjectId, Verdict>,
    timed_out: bool,
) -> WaitError {
    let unknown = || Verdict::new(Status::InProgress, "its status could not be read in time");
    let objects = pending.iter().map(|awaited| {
        (
            awaited.id.clone(),
            verdicts.remove(&awaited.id).unwrap_or_else(unknown),
        )
    });
    WaitError::NotReady {
        timed_out,
        objects: objects.collect(),
    }
}
