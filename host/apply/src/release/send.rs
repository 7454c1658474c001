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
use crate::target::cluster::{Resource, adopt_updates, definition_versions, object_error};

/// How often a write is repeated that met another one.
pub(super) const TRIES: u32 = 5;
/// The pause before it; it doubles.
pub(super) const PAUSE: Duration = Duration::from_millis(50);
/// The longest pause between looks at what is served.
const LONGEST_PAUSE: Duration = Duration::from_secs(1);
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

/// Group, kind and version.
type KindKey = (String, String, String);

/// The kinds that come with the objects, as far as they are looked for.
#[derive(Debug, Default)]
pub(super) struct Served(HashMap<KindKey, Result<Resource, ApiError>>);

impl Served {
    /// Notes that the kinds of a definition, which could not be applied, will not be served.
    pub(super) fn refuse(&mut self, definition: &Object) {
        for (group, kind, version) in definition_versions(definition) {
            let told = format!("the definition of {kind}.{group} could not be applied");
            let refused = Err(not_served(&told));
            self.0.entry((group, kind, version)).or_insert(refused);
        }
    }

    fn of(&self, placed: &Placed) -> Result<Resource, ApiError> {
        match (&placed.resource, self.0.get(&kind_of(placed))) {
            (Some(resource), _) => Ok(resource.clone()),
            (None, Some(found)) => found.clone(),
            (None, None) => Err(not_served("nobody looked for its kind")),
        }
    }
}

fn kind_of(placed: &Placed) -> KindKey {
    let ObjectId { group, kind, .. } = placed.id();
    let version = placed.object.version().to_owned();
    (group.clone(), kind.clone(), version)
}

fn not_served(message: &str) -> ApiError {
    ApiError::Refused {
        code: 404,
        reason: String::new(),
        message: message.to_owned(),
    }
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
        served: &Served,
        way: Way<'_>,
    ) -> Result<(bool, Value), ObjectError> {
        let failed = |error: ApiError| object_error(&placed.object, "apply failed", &error);
        let resource = served.of(placed).map_err(failed)?;
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
        let version = live
            .get("metadata")
            .and_then(|metadata| metadata.get("resourceVersion"));
        metadata["resourceVersion"] = version.cloned().unwrap_or_default();
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

    /// Waits until the kind of an object is served, that may come with the release: once for all
    /// objects of a kind.
    pub(super) async fn await_served(&self, placed: &Placed, served: &mut Served) {
        let key = kind_of(placed);
        if placed.resource.is_some() || served.0.contains_key(&key) {
            return;
        }
        let found = self.find_served(&key).await;
        served.0.insert(key, found);
    }

    async fn find_served(&self, (group, kind, version): &KindKey) -> Result<Resource, ApiError> {
        let discovery = self.cluster.discovery();
        let deadline = Instant::now() + SERVED_LIMIT;
        let mut pause = PAUSE * 2;
        loop {
            if let Some(found) = discovery.find(group, kind, Some(version)).await? {
                return Ok(found);
            }
            if Instant::now() > deadline {
                return Err(not_served(&format!(
                    "no matches for kind \"{kind}\" in {group}/{version}"
                )));
            }
            sleep(pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
            discovery.forget().await;
        }
    }

    /// Reads the live object; `None` where there is none, or nothing of its kind.
    pub(super) async fn read(&self, placed: &Placed) -> Result<Option<Value>, ApiError> {
        match self.path_of(placed).await? {
            Some(path) => self.cluster.http().get(&path).await,
            None => Ok(None),
        }
    }

    /// The same, of its metadata alone.
    pub(super) async fn read_metadata(&self, placed: &Placed) -> Result<Option<Value>, ApiError> {
        match self.path_of(placed).await? {
            Some(path) => self.cluster.http().get_metadata(&path).await,
            None => Ok(None),
        }
    }

    async fn path_of(&self, placed: &Placed) -> Result<Option<String>, ApiError> {
        let (id, version) = (placed.id(), placed.object.version());
        if let Some(resource) = &placed.resource {
            return Ok(Some(api::path(resource, id)));
        }
        let discovery = self.cluster.discovery();
        let found = discovery.find(&id.group, &id.kind, Some(version)).await?;
        Ok(found.map(|resource| api::path(&resource, id)))
    }
}

/// Whether a group may be one of Kubernetes' own.
pub(super) fn is_built_in(group: &str) -> bool {
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
