//! Brings a release's objects into the cluster, kind by kind, and takes them out. How one is brought
//! there is [`send`](super::send)'s.
//!
//! Guarantees: an object is deleted only by its uid, and pruned only while it carries the release's
//! ownership metadata. Every write may be sent twice.

use std::collections::HashSet;

use bulkhead_api::ObjectId;

use super::action::Propagation;
use super::error::ActionError;
use super::helm::Helm;
use super::objects::Placed;
use super::ownership;
use super::send::{SERVED_LIMIT, TRIES, Way};
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

impl Helm {
    /// Applies objects in their order, those of one kind at once. What fails does not stop the rest.
    pub(super) async fn apply<'p>(
        &self,
        objects: &'p [Placed],
        way: Way<'_>,
        judge: Judge,
    ) -> Applied<'p> {
        let mut applied = Applied::default();
        for kind in objects.chunk_by(|one, other| one.id().kind == other.id().kind) {
            let sent = all(kind, |placed| async move {
                (placed, self.send(placed, way).await)
            });
            let mut defined = Vec::new();
            for (placed, result) in sent.await {
                let (is_new, object) = match result {
                    Ok(answer) => answer,
                    Err(error) => {
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
    ///
    /// Returns why it was left alone, if it was.
    pub(super) async fn delete(
        &self,
        placed: &Placed,
        owner: Option<(&str, &str)>,
        propagation: Propagation,
    ) -> Result<Option<String>, ObjectError> {
        let failed = |error: ApiError| object_error(&placed.object, "delete failed", &error);
        let Some(resource) = &placed.resource else {
            return Ok(None);
        };
        let path = api::path(resource, placed.id());
        let http = self.cluster.http();
        let mut uid = None;
        for _ in 0..TRIES {
            let Some(live) = http.get_metadata(&path).await.map_err(failed)? else {
                return Ok(None);
            };
            if let Some((name, namespace)) = owner {
                if ownership::is_kept_live(&live) {
                    return Ok(Some(format!(
                        "{}: kept due to the resource policy",
                        placed.told()
                    )));
                }
                if let Some(told) = ownership::foreign(&live, name, namespace) {
                    return Ok(Some(format!(
                        "{}: not owned by this release: {told}",
                        placed.told()
                    )));
                }
            }
            let found = live["metadata"]["uid"]
                .as_str()
                .unwrap_or_default()
                .to_owned();
            let is_going = live["metadata"]["deletionTimestamp"].is_string();
            if is_going || uid.as_ref().is_some_and(|first| *first != found) {
                return Ok(None);
            }
            match http.delete_uid(&path, &found, propagation.as_str()).await {
                Err(error) if error.code() == 409 => uid = Some(found),
                Err(error) if error.code() != 404 => return Err(failed(error)),
                Ok(()) | Err(_) => return Ok(None),
            }
        }
        Ok(None)
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
            match self.read(placed).await {
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
    results: Vec<(&Placed, Result<Option<String>, ObjectError>)>,
) -> Result<Vec<String>, Vec<ObjectError>> {
    let (mut kept, mut errors) = (Vec::new(), Vec::new());
    for (_, result) in results {
        match result {
            Ok(told) => kept.extend(told),
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
    let group = &placed.id().group;
    let is_built_in = !group.contains('.') || group.ends_with(".k8s.io");
    is_built_in && status == Status::Current
}
