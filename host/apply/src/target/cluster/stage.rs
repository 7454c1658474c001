//! Takes one stage to its end: finds where its objects go, tries out what several updates would do,
//! sends, and waits.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::time::{Instant, sleep};

use super::api::{self, ApiError, Patch};
use super::look::Todo;
use super::recreate::is_immutable;
use super::send::Done;
use super::{Awaited, DEFINITIONS_LIMIT, LOOK_PAUSES, Resource, Run, all, object_error};
use crate::drift::{Records, Seen};
use crate::health::Status;
use crate::object::Object;
use crate::order::{self, Stage};
use crate::target::{Applied, ApplyError, Change, ObjectError};
use std::time::Duration;

/// From how many updates on a stage is tried out first.
const DRY_RUN_FROM: usize = 2;
/// How long a kind may take to be served after its definition is established.
const SERVED_LIMIT: Duration = Duration::from_secs(10);

/// Where objects go, by group, kind and version.
pub(super) type Resources = HashMap<(String, String, String), Resource>;

impl Run<'_> {
    /// Applies one stage and waits for it, if it is one to wait for.
    pub(super) async fn stage(
        &self,
        stage: Stage,
        todos: Vec<Todo>,
        records: &mut Records,
        applied: &mut Applied,
    ) -> Result<(), ApplyError> {
        let unseen = todos.iter().filter_map(|todo| {
            let failure = todo.failure.as_ref()?;
            Some(object_error(&todo.object, "query failed", failure))
        });
        fail(unseen.collect())?;
        let resources = self.resources(&todos).await?;
        self.dry_run(&todos, &resources, records).await?;
        let mut awaited = Vec::new();
        // Kinds of one rank go together; a ServiceAccount is there before the Pod that needs it.
        let is_same_rank =
            |left: &Todo, right: &Todo| order::is_same_rank(left.object.id(), right.object.id());
        for group in todos.chunk_by(is_same_rank) {
            let (done, errors) = self.send_all(group, &resources, records).await;
            for (todo, done) in done {
                let is_current = done
                    .health
                    .as_ref()
                    .is_some_and(|health| health.status == Status::Current);
                if stage.is_waited_for() && done.action.is_change() && !is_current {
                    awaited.push(Awaited::of(&todo.object));
                }
                applied.changes.push(settle(todo, done, records));
            }
            fail(errors)?;
        }
        if awaited.is_empty() {
            return Ok(());
        }
        let ready = self
            .cluster
            .wait_for_definitions(&awaited, DEFINITIONS_LIMIT)
            .await;
        self.cluster.discovery.forget().await;
        ready.map_err(ApplyError::NotReady)
    }

    /// Finds where the objects to apply go.
    async fn resources(&self, todos: &[Todo]) -> Result<Resources, ApplyError> {
        let mut found = Resources::new();
        for todo in todos.iter().filter(|todo| todo.is_apply()) {
            let (id, version) = (todo.object.id(), todo.object.version());
            let key = (id.group.clone(), id.kind.clone(), version.to_owned());
            if found.contains_key(&key) {
                continue;
            }
            match self.resource(&todo.object).await {
                Ok(resource) => drop(found.insert(key, resource)),
                Err(error) => fail(vec![object_error(&todo.object, "apply failed", &error)])?,
            }
        }
        Ok(found)
    }

    /// Finds a kind. One that this apply has just defined may take a moment.
    async fn resource(&self, object: &Object) -> Result<Resource, ApiError> {
        let (id, version) = (object.id(), object.version());
        let discovery = &self.cluster.discovery;
        let is_new = self
            .defined
            .iter()
            .any(|own| own.group == id.group && own.kind == id.kind);
        let deadline = Instant::now() + SERVED_LIMIT;
        loop {
            if let Some(resource) = discovery.find(&id.group, &id.kind, Some(version)).await? {
                return Ok(resource);
            }
            if !is_new || Instant::now() > deadline {
                return Err(no_match(object));
            }
            sleep(LOOK_PAUSES.0).await;
            discovery.forget().await;
        }
    }

    /// Tries out the updates of a stage before the first is done, when there are several.
    async fn dry_run(
        &self,
        todos: &[Todo],
        resources: &Resources,
        records: &Records,
    ) -> Result<(), ApplyError> {
        let updates: Vec<&Todo> = todos
            .iter()
            .filter(|todo| todo.is_apply() && exists(todo) && !self.is_accepted(todo, records))
            .collect();
        if updates.len() < DRY_RUN_FROM {
            return Ok(());
        }
        let patch = Patch {
            manager: &self.owner.manager,
            dry_run: true,
        };
        let errors = all(updates, |todo| async move {
            let path = path(todo, resources)?;
            match self.cluster.http.apply(&path, &todo.bytes, patch).await {
                Ok(_) => None,
                // It will be recreated, or fail with the same words.
                Err(error) if is_immutable(&error) && self.may_recreate(todo) => None,
                Err(error) => Some(object_error(&todo.object, "dry-run failed", &error)),
            }
        });
        fail(errors.await.into_iter().flatten().collect())
    }

    /// Whether the server took these very bytes before.
    fn is_accepted(&self, todo: &Todo, records: &Records) -> bool {
        match records.get(todo.object.id()) {
            Some(record) => record.sent == todo.sent,
            None => self.accepted,
        }
    }

    pub(super) fn may_recreate(&self, todo: &Todo) -> bool {
        let is_marked = matches!(&todo.seen, Seen::Live(live) if live.intent.force);
        self.force || todo.intent.force || is_marked
    }

    async fn send_all<'t>(
        &self,
        todos: &'t [Todo],
        resources: &Resources,
        records: &Records,
    ) -> (Vec<(&'t Todo, Done)>, Vec<ObjectError>) {
        let stopped = AtomicBool::new(false);
        let results = all(todos, |todo| {
            let stopped = &stopped;
            async move {
                if stopped.load(Ordering::Relaxed) {
                    return None;
                }
                let done = self.send(todo, resources, records).await;
                stopped.fetch_or(done.is_err(), Ordering::Relaxed);
                Some(done.map(|done| (todo, done)))
            }
        });
        let (mut done, mut errors) = (Vec::new(), Vec::new());
        for result in results.await.into_iter().flatten() {
            match result {
                Ok(one) => done.push(one),
                Err(error) => errors.push(error),
            }
        }
        (done, errors)
    }
}

/// Remembers what came of an object, and says it.
fn settle(todo: &Todo, done: Done, records: &mut Records) -> Change {
    let Done {
        action,
        record,
        health,
    } = done;
    let Awaited {
        id,
        version,
        may_vanish,
    } = Awaited::of(&todo.object);
    if let Some(record) = record {
        records.insert(id.clone(), record);
    }
    Change {
        version,
        may_vanish,
        health,
        ..Change::new(id, action)
    }
}

/// Says, in the words of Kubernetes clients, that a kind is not served.
fn no_match(object: &Object) -> ApiError {
    let (id, version) = (object.id(), object.version());
    let separator = if id.group.is_empty() { "" } else { "/" };
    let (group, kind) = (&id.group, &id.kind);
    ApiError::Refused {
        code: 404,
        reason: String::new(),
        message: format!(
            "no matches for kind \"{kind}\" in version \"{group}{separator}{version}\""
        ),
    }
}

fn fail(errors: Vec<ObjectError>) -> Result<(), ApplyError> {
    if errors.is_empty() {
        Ok(())
    } else {
        Err(ApplyError::Objects(errors))
    }
}

/// Whether an apply would be an update, as far as is known.
fn exists(todo: &Todo) -> bool {
    match todo.seen {
        Seen::Live(_) => true,
        Seen::Absent => false,
        Seen::Unknown => todo.is_known,
    }
}

/// Returns the path of an object whose kind was found.
pub(super) fn path(todo: &Todo, resources: &Resources) -> Option<String> {
    let id = todo.object.id();
    let key = (
        id.group.clone(),
        id.kind.clone(),
        todo.object.version().to_owned(),
    );
    resources.get(&key).map(|resource| api::path(resource, id))
}
