//! Brings one object into the cluster: every such write of a release is here.
//!
//! Guarantees: a write may be sent twice; what somebody else changed meanwhile is read again, never
//! written over unseen.

use std::collections::HashMap;
use std::time::Duration;

use bulkhead_api::ObjectId;
use serde_json::{Map, Value, json};
use tokio::time::{Instant, sleep};

use super::helm::Helm;
use super::objects::Placed;
use crate::merge;
use crate::object::Object;
use crate::target::ObjectError;
use crate::target::cluster::api::{self, ApiError, Apply};
use crate::target::cluster::{Resource, adopt_updates, object_error};

/// How often a write is repeated that met another one.
pub(super) const TRIES: u32 = 5;
/// The pause before it; it doubles.
const PAUSE: Duration = Duration::from_millis(50);
/// How long a kind may take to be served after its definition is established, and that.
pub(super) const SERVED_LIMIT: Duration = Duration::from_secs(60);

/// How objects are brought into the cluster.
#[derive(Clone, Copy, Debug)]
pub(super) enum Way<'a> {
    /// By server-side apply, over other managers.
    Apply,
    /// By server-side apply that gives way to other managers: hooks.
    Yield,
    /// By the client: created, or merged with what is there and what earlier versions had.
    Merge(&'a Earlier<'a>),
    /// By the client: created, or replaced as a whole.
    Replace,
}

/// The objects of earlier versions, the newest first.
#[derive(Debug, Default)]
pub(super) struct Earlier<'a>(HashMap<&'a ObjectId, Vec<&'a Object>>);

impl<'a> Earlier<'a> {
    pub(super) fn new(objects: &'a [Placed]) -> Self {
        let mut found: HashMap<&ObjectId, Vec<&Object>> = HashMap::new();
        for placed in objects {
            found.entry(placed.id()).or_default().push(&placed.object);
        }
        Self(found)
    }

    fn of(&self, id: &ObjectId) -> &[&'a Object] {
        self.0.get(id).map_or(&[], Vec::as_slice)
    }
}

impl Helm {
    /// Brings an object into the cluster. Returns whether it is new, and the object.
    pub(super) async fn send(
        &self,
        placed: &Placed,
        way: Way<'_>,
    ) -> Result<(bool, Value), ObjectError> {
        let failed = |error: ApiError| object_error(&placed.object, "apply failed", &error);
        let resource = self.served(placed).await.map_err(failed)?;
        let path = api::path(&resource, placed.id());
        let mut pause = PAUSE;
        let mut attempt = 1;
        loop {
            let sent = match way {
                Way::Apply => self.patch(&path, placed, true).await,
                Way::Yield => self.patch(&path, placed, false).await,
                Way::Merge(earlier) => {
                    let earlier = earlier.of(placed.id());
                    self.merge(&resource, &path, placed, earlier).await
                }
                Way::Replace => self.replace(&resource, &path, placed).await,
            };
            let is_apply = matches!(way, Way::Apply | Way::Yield);
            match sent {
                Err(error) if attempt < TRIES && is_passing(&error, placed.id(), is_apply) => {
                    sleep(pause).await;
                    pause *= 2;
                    attempt += 1;
                }
                answer => return answer.map_err(failed),
            }
        }
    }

    async fn patch(
        &self,
        path: &str,
        placed: &Placed,
        force: bool,
    ) -> Result<(bool, Value), ApiError> {
        let bytes = placed.object.to_bytes();
        let apply = Apply {
            manager: &self.manager,
            force,
            validation: "Strict",
            dry_run: false,
        };
        let http = self.cluster.http();
        let (is_new, object) = http.apply_with(path, &bytes, apply).await?;
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
        match http.json_patch(path, &operations, &self.manager).await {
            Err(error) if error.code() != 409 => Err(error),
            // Who changed it meanwhile makes the next upgrade try again.
            Ok(()) | Err(_) => http.apply_with(path, &bytes, apply).await,
        }
    }

    /// Creates an object, or merges it with what is there.
    ///
    /// # Source
    /// `createPatch` of `pkg/kube/client.go`, Helm 4.3: what an upgrade changes in a custom kind is
    /// what changed in the chart; an object that is taken over is changed to what the chart says.
    async fn merge(
        &self,
        resource: &Resource,
        path: &str,
        placed: &Placed,
        earlier: &[&Object],
    ) -> Result<(bool, Value), ApiError> {
        let http = self.cluster.http();
        let Some(live) = http.get(path).await? else {
            return self.make(resource, placed).await;
        };
        let Value::Object(live) = live else {
            return Err(ApiError::Unreadable(format!("{path}: no object")));
        };
        let patch = self.merging(resource, placed.object.body(), &live, earlier);
        let mut patch = patch.await?;
        if patch.is_empty() {
            return Ok((false, Value::Object(live)));
        }
        // What changed since it was read is read again.
        let metadata = patch.entry("metadata").or_insert_with(|| json!({}));
        metadata["resourceVersion"] = live["metadata"]["resourceVersion"].clone();
        let patch = Value::Object(patch);
        let object = http.merge_patch(path, &patch, &self.manager).await?;
        Ok((false, object))
    }

    /// Returns the merge patch that brings a live object up to date.
    async fn merging(
        &self,
        resource: &Resource,
        wanted: &Map<String, Value>,
        live: &Map<String, Value>,
        earlier: &[&Object],
    ) -> Result<Map<String, Value>, ApiError> {
        let schemas = if is_built_in(&resource.group) {
            Some(self.cluster.discovery().schemas(resource).await?)
        } else {
            None
        };
        let Resource {
            group,
            version,
            kind,
            ..
        } = resource;
        let shape = schemas
            .as_ref()
            .and_then(|schemas| schemas.kind(group, version, kind));
        if let (None, [before]) = (shape, earlier) {
            return Ok(merge::difference(before.body(), wanted));
        }
        let earlier: Vec<&Map<String, Value>> = earlier.iter().map(|one| one.body()).collect();
        let merged = merge::three_way(&earlier, wanted, live, shape);
        Ok(merge::difference(live, &merged))
    }

    async fn replace(
        &self,
        resource: &Resource,
        path: &str,
        placed: &Placed,
    ) -> Result<(bool, Value), ApiError> {
        let http = self.cluster.http();
        let Some(live) = http.get_metadata(path).await? else {
            return self.make(resource, placed).await;
        };
        let mut object = placed.object.to_value();
        object["metadata"]["resourceVersion"] = live["metadata"]["resourceVersion"].clone();
        let object = http.replace_as(path, &object, &self.manager).await?;
        Ok((false, object))
    }

    async fn make(&self, resource: &Resource, placed: &Placed) -> Result<(bool, Value), ApiError> {
        let collection = api::collection(resource, &placed.id().namespace);
        let object = placed.object.to_value();
        let http = self.cluster.http();
        let made = http.create_as(&collection, &object, &self.manager).await?;
        Ok((true, made))
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
}

/// Whether a group may be one of Kubernetes' own.
fn is_built_in(group: &str) -> bool {
    !group.contains('.') || group.ends_with(".k8s.io")
}

/// Whether a refusal says nothing about the object: a quota that somebody else changed, a kind that is
/// served only just now and, where the client merges, somebody who was faster.
fn is_passing(error: &ApiError, id: &ObjectId, is_apply: bool) -> bool {
    match error.code() {
        409 => !is_apply || error.to_string().contains("on resourcequotas"),
        404 => id.group.contains('.') && !error.to_string().starts_with("namespaces "),
        _ => false,
    }
}
