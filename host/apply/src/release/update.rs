//! Brings a release's objects into the cluster, kind by kind, and takes them out. How one is brought
//! there is [`send`](super::send)'s.
//!
//! Guarantees: an object is deleted only by its uid, and pruned only while it carries the release's
//! ownership metadata. Every write may be sent twice.

use std::collections::HashSet;

use bulkhead_api::ObjectId;
use tokio::time::sleep;

use super::action::Propagation;
use super::error::ActionError;
use super::helm::Helm;
use super::objects::Placed;
use super::ownership;
use super::send::{PAUSE, SERVED_LIMIT, Served, TRIES, Way, is_built_in};
use super::wait::{Judge, is_awaited};
use crate::health::Status;
use crate::target::ObjectError;
use crate::target::cluster::api::{self, ApiError};
use crate::target::cluster::{all, object_error};

/// What came of applying objects.
#[derive(Debug, Default)]
pub(super) struct Applied<'p> {
    /// Those that were not there.
    pub(super) created: Vec<&'p Placed>,
    /// Those that are not yet done.
    pub(super) pending: Vec<&'p Placed>,
    /// Those that failed.
    pub(super) errors: Vec<ObjectError>,
}

/// What came of deleting an object.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Removal {
    /// It was not there, or nothing of its kind.
    Absent,
    /// It is on its way out.
    Going,
    /// It was left alone: why.
    Kept(String),
}

impl Helm {
    /// Applies objects in their order, those of one kind at once. What fails does not stop the rest.
    pub(super) async fn apply<'p>(
        &self,
        objects: &'p [Placed],
        way: Way<'_>,
        judge: Judge,
    ) -> Applied<'p> {
        let mut applied = Applied::default();
        let mut served = Served::default();
        for kind in objects.chunk_by(|one, other| one.id().kind == other.id().kind) {
            for placed in kind {
                self.await_served(placed, &mut served).await;
            }
            let known = &served;
            let sent = all(kind, |placed| async move {
                (placed, self.send(placed, known, way).await)
            });
            let mut defined = Vec::new();
            for (placed, result) in sent.await {
                let (is_new, object) = match result {
                    Ok(answer) => answer,
                    Err(error) => {
                        served.refuse(&placed.object);
                        applied.errors.push(error);
                        continue;
                    }
                };
                if is_new {
                    applied.created.push(placed);
                }
                let verdict = self.verdict(judge, &object);
                if !is_awaited(&object) || is_settled(placed, verdict.status) {
                    continue;
                }
                applied.pending.push(placed);
                if placed
                    .object
                    .is("apiextensions.k8s.io", "CustomResourceDefinition")
                {
                    defined.push(placed);
                }
            }
            if !defined.is_empty() {
                // Objects of these kinds may come next. Their own failure tells more than this wait's.
                let _ = self
                    .wait(&defined, Judge::Started, false, SERVED_LIMIT, None)
                    .await;
                self.cluster.discovery().forget().await;
            }
        }
        applied
    }

    /// Deletes what an earlier version had and `keep` has not, unless it is marked to stay.
    pub(super) async fn prune(
        &self,
        earlier: &[Placed],
        keep: &[Placed],
        owner: (&str, &str),
    ) -> Result<Vec<String>, Vec<ObjectError>> {
        let kept: HashSet<&ObjectId> = keep.iter().map(Placed::id).collect();
        let gone: Vec<&Placed> = earlier
            .iter()
            .filter(|old| !kept.contains(old.id()))
            .collect();
        let mut seen = HashSet::new();
        let gone = gone.into_iter().filter(|old| seen.insert(old.id()));
        let results = all(gone, |placed| {
            let deleting = self.delete(placed, Some(owner), Propagation::Background);
            async move { (placed, deleting.await) }
        });
        sort_results(results.await)
    }

    /// Deletes an object. With an owner, only while it is one of that release and not marked to stay.
    pub(super) async fn delete(
        &self,
        placed: &Placed,
        owner: Option<(&str, &str)>,
        propagation: Propagation,
    ) -> Result<Removal, ObjectError> {
        let failed = |error: ApiError| object_error(&placed.object, "delete failed", &error);
        let Some(resource) = &placed.resource else {
            return Ok(Removal::Absent);
        };
        let path = api::path(resource, placed.id());
        let http = self.cluster.http();
        let mut uid = None;
        let mut pause = PAUSE;
        let mut attempt = 1;
        loop {
            let Some(live) = http.get_metadata(&path).await.map_err(failed)? else {
                return Ok(Removal::Absent);
            };
            let kept = |told: &str| Ok(Removal::Kept(format!("{}: {told}", placed.told())));
            if let Some((name, namespace)) = owner {
                if ownership::is_kept_live(&live) {
                    return kept("kept due to the resource policy");
                }
                if let Some(told) = ownership::foreign(&live, name, namespace) {
                    return kept(&format!("not owned by this release: {told}"));
                }
            }
            let found = live["metadata"]["uid"]
                .as_str()
                .unwrap_or_default()
                .to_owned();
            let is_going = live["metadata"]["deletionTimestamp"].is_string();
            if uid.as_ref().is_some_and(|first| *first != found) {
                return Ok(Removal::Absent);
            }
            if is_going {
                return Ok(Removal::Going);
            }
            match http.delete_uid(&path, &found, propagation.as_str()).await {
                Ok(()) => return Ok(Removal::Going),
                Err(error) if error.code() == 404 => return Ok(Removal::Absent),
                Err(error) if error.code() == 409 && attempt < TRIES => uid = Some(found),
                Err(error) => return Err(failed(error)),
            }
            sleep(pause).await;
            pause *= 2;
            attempt += 1;
        }
    }

    /// Deletes what an action has created, after it failed.
    pub(super) async fn clean_up(
        &self,
        created: Vec<&Placed>,
        original: ActionError,
    ) -> ActionError {
        let results = all(created, |placed| {
            let deleting = self.delete(placed, None, Propagation::Background);
            async move { (placed, deleting.await) }
        });
        match sort_results(results.await) {
            Ok(_) => original,
            Err(errors) => ActionError::Cleanup {
                original: Box::new(original),
                errors,
            },
        }
    }

    /// Fails when an object is there that is not the release's.
    pub(super) async fn check_ownership(
        &self,
        objects: &[&Placed],
        owner: (&str, &str),
        action: &'static str,
    ) -> Result<(), ActionError> {
        let (name, namespace) = owner;
        let looks = all(objects.to_vec(), |placed| async move {
            let failed = |told: String| ActionError::Ownership { action, told };
            match self.read_metadata(placed).await {
                Ok(None) => Ok(()),
                Ok(Some(live)) => match ownership::foreign(&live, name, namespace) {
                    None => Ok(()),
                    Some(told) => Err(failed(format!(
                        "{} exists and cannot be imported into the current release: {told}",
                        placed.told()
                    ))),
                },
                Err(error) => Err(failed(format!(
                    "could not get information about the resource {}: {error}",
                    placed.told()
                ))),
            }
        });
        looks.await.into_iter().collect()
    }
}

fn sort_results(
    results: Vec<(&Placed, Result<Removal, ObjectError>)>,
) -> Result<Vec<String>, Vec<ObjectError>> {
    let (mut kept, mut errors) = (Vec::new(), Vec::new());
    for (_, result) in results {
        match result {
            Ok(Removal::Kept(told)) => kept.push(told),
            Ok(Removal::Absent | Removal::Going) => {}
            Err(error) => errors.push(error),
        }
    }
    if errors.is_empty() {
        Ok(kept)
    } else {
        Err(errors)
    }
}

/// Whether nothing will change about an object that the answer shows as current: no controller of a
/// custom kind has seen it yet.
fn is_settled(placed: &Placed, status: Status) -> bool {
    is_built_in(&placed.id().group) && status == Status::Current
}
