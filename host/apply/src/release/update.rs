//! Brings objects into the cluster, and takes them out: every write that a release makes to its
//! objects is here.
//!
//! Guarantees: an object is deleted only by its uid, and pruned only while it carries the release's
//! ownership metadata. Every write may be sent twice.

use std::collections::HashSet;
use std::time::Duration;

use bulkhead_api::ObjectId;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use super::action::{ActionError, Helm, Propagation};
use super::objects::Placed;
use super::ownership;
use super::wait::{Judge, is_awaited};
use crate::health::Status;
use crate::target::ObjectError;
use crate::target::cluster::api::{self, ApiError, Apply};
use crate::target::cluster::{Resource, adopt_updates, all, object_error};

/// How often a write is repeated that met another one.
const TRIES: u32 = 5;
/// The pause before it; it doubles.
const PAUSE: Duration = Duration::from_millis(50);
/// How long a kind may take to be served after its definition is established, and that.
const SERVED_LIMIT: Duration = Duration::from_secs(60);

/// How objects are brought into the cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    /// By server-side apply, over other managers.
    Apply,
    /// By server-side apply that gives way to other managers: hooks.
    Yield,
    /// Replaced as a whole, where they are there.
    Replace,
}

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
        way: Way,
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

    async fn send(&self, placed: &Placed, way: Way) -> Result<(bool, Value), ObjectError> {
        let failed = |error: ApiError| object_error(&placed.object, "apply failed", &error);
        let resource = self.served(placed).await.map_err(failed)?;
        let path = api::path(&resource, placed.id());
        let sent = match way {
            Way::Replace => self.replace(&path, placed).await,
            Way::Apply | Way::Yield => self.patch(&path, placed, way).await,
        };
        sent.map_err(failed)
    }

    async fn patch(
        &self,
        path: &str,
        placed: &Placed,
        way: Way,
    ) -> Result<(bool, Value), ApiError> {
        let bytes = placed.object.to_bytes();
        let apply = Apply {
            manager: &self.manager,
            force: way == Way::Apply,
            validation: "Strict",
            dry_run: false,
        };
        let mut pause = PAUSE;
        let mut attempt = 1;
        let (is_new, object) = loop {
            match self.cluster.http().apply_with(path, &bytes, apply).await {
                // A quota that somebody else changed; a kind that is served only just now.
                Err(error) if attempt < TRIES && is_passing(&error, placed.id()) => {
                    sleep(pause).await;
                    pause *= 2;
                    attempt += 1;
                }
                answer => break answer?,
            }
        };
        let entries = object["metadata"]["managedFields"].as_array();
        let entries = entries.map_or(&[] as &[Value], Vec::as_slice);
        let Some(entries) = adopt_updates(entries, &self.manager) else {
            return Ok((is_new, object));
        };
        // Fields that were applied client-side would stay when the chart drops them.
        let version = &object["metadata"]["resourceVersion"];
        let operations = json!([
            { "op": "replace", "path": "/metadata/managedFields", "value": entries },
            { "op": "replace", "path": "/metadata/resourceVersion", "value": version },
        ]);
        let http = self.cluster.http();
        match http.json_patch(path, &operations, &self.manager).await {
            Err(error) if error.code() != 409 => Err(error),
            // Who changed it meanwhile makes the next upgrade try again.
            Ok(()) | Err(_) => self.cluster.http().apply_with(path, &bytes, apply).await,
        }
    }

    async fn replace(&self, path: &str, placed: &Placed) -> Result<(bool, Value), ApiError> {
        let http = self.cluster.http();
        let mut attempt = 1;
        loop {
            let Some(live) = http.get_metadata(path).await? else {
                return self.patch(path, placed, Way::Apply).await;
            };
            let mut object = placed.object.to_value();
            object["metadata"]["resourceVersion"] = live["metadata"]["resourceVersion"].clone();
            match http.replace_as(path, &object, &self.manager).await {
                Err(error) if error.code() == 409 && attempt < TRIES => attempt += 1,
                Err(error) => return Err(error),
                Ok(object) => return Ok((false, object)),
            }
        }
    }

    /// Finds the kind of an object. One that comes with the release may take a moment.
    pub(super) async fn served(&self, placed: &Placed) -> Result<Resource, ApiError> {
        if let Some(resource) = &placed.resource {
            return Ok(resource.clone());
        }
        let (id, version) = (placed.id(), placed.object.version());
        let discovery = self.cluster.discovery();
        let deadline = Instant::now() + SERVED_LIMIT;
        loop {
            if let Some(found) = discovery.find(&id.group, &id.kind, Some(version)).await? {
                return Ok(found);
            }
            if Instant::now() > deadline {
                return Err(ApiError::Refused {
                    code: 404,
                    reason: String::new(),
                    message: format!(
                        "no matches for kind \"{}\" in {}/{version}",
                        id.kind, id.group
                    ),
                });
            }
            sleep(PAUSE * 2).await;
            discovery.forget().await;
        }
    }

    /// Reads the live object; `None` where there is none, or nothing of its kind.
    pub(super) async fn read(&self, placed: &Placed) -> Result<Option<Value>, ApiError> {
        let (id, version) = (placed.id(), placed.object.version());
        let resource = match &placed.resource {
            Some(resource) => Some(resource.clone()),
            None => {
                let discovery = self.cluster.discovery();
                discovery.find(&id.group, &id.kind, Some(version)).await?
            }
        };
        match resource {
            Some(resource) => self.cluster.http().get(&api::path(&resource, id)).await,
            None => Ok(None),
        }
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

fn is_passing(error: &ApiError, id: &ObjectId) -> bool {
    let is_custom = id.group.contains('.') && !id.group.ends_with(".k8s.io");
    let is_quota = error.code() == 409 && error.to_string().contains("on resourcequotas");
    is_quota || (error.code() == 404 && is_custom)
}
