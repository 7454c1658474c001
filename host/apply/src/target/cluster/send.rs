//! Sends the objects of a stage: dry-run where several are updated, server-side apply, the take-over
//! from other tools, and the recreation of what cannot be changed.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use base64::Engine;
use serde_json::Value;
use tokio::time::{Instant, sleep};

use super::api::{self, ApiError, Patch};
use super::live::Live;
use super::look::Todo;
use super::{Awaited, DEFINITIONS_LIMIT, Resource, Run, all, object_error};
use crate::drift::{Need, Record, Records, Seen};
use crate::health::{self, Status, Verdict};
use crate::object::Object;
use crate::order::{self, Stage};
use crate::target::{Action, Applied, ApplyError, Change, ObjectError};

/// From how many updates on a stage is tried out first.
const DRY_RUN_FROM: usize = 2;
/// How long a kind may take to be served after its definition is established.
const SERVED_LIMIT: Duration = Duration::from_secs(10);
/// How often an apply is repeated that met a write of somebody else, or a kind just defined.
const TRIES: u32 = 5;
/// The pause between looks at something that is awaited; it doubles up to the second one.
const PAUSES: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(1));

/// What came of one object.
struct Done {
    action: Action,
    record: Option<Record>,
    health: Option<Verdict>,
}

impl Run<'_> {
    /// Applies one stage and waits for it, if it is one to wait for.
    pub(super) async fn stage(
        &self,
        stage: Stage,
        todos: Vec<Todo>,
        records: &mut Records,
        applied: &mut Applied,
    ) -> Result<(), ApplyError> {
        let unseen: Vec<ObjectError> = todos
            .iter()
            .filter_map(|todo| {
                Some(object_error(
                    &todo.object,
                    "query failed",
                    todo.failure.as_ref()?,
                ))
            })
            .collect();
        fail(unseen)?;
        let resources = self.resources(&todos).await?;
        self.dry_run(&todos, &resources, records).await?;
        let mut awaited = Vec::new();
        // Kinds of one rank go together; a ServiceAccount is there before the Pod that needs it.
        for group in
            todos.chunk_by(|left, right| order::is_same_rank(left.object.id(), right.object.id()))
        {
            let (done, errors) = self.send_all(group, &resources, records).await;
            for (todo, done) in done {
                let id = todo.object.id();
                if let Some(record) = done.record {
                    records.insert(id.clone(), record);
                }
                let is_current = done
                    .health
                    .as_ref()
                    .is_some_and(|health| health.status == Status::Current);
                if stage.is_waited_for() && done.action.is_change() && !is_current {
                    awaited.push(Awaited::new(id.clone(), todo.object.version()));
                }
                let Awaited {
                    id,
                    version,
                    may_vanish,
                } = Awaited::of(&todo.object);
                let change = Change::new(id, done.action);
                applied.changes.push(Change {
                    version,
                    may_vanish,
                    health: done.health,
                    ..change
                });
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

    /// Finds where the objects to apply go. A kind that is only just defined may take a moment.
    async fn resources(
        &self,
        todos: &[Todo],
    ) -> Result<HashMap<(String, String, String), Resource>, ApplyError> {
        let mut found = HashMap::new();
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

    async fn resource(&self, object: &Object) -> Result<Resource, ApiError> {
        let (id, version) = (object.id(), object.version());
        let discovery = &self.cluster.discovery;
        let deadline = Instant::now() + SERVED_LIMIT;
        loop {
            if let Some(resource) = discovery.find(&id.group, &id.kind, Some(version)).await? {
                return Ok(resource);
            }
            let definition = self.is_defined(&id.group, &id.kind).await;
            if !definition || Instant::now() > deadline {
                let name = if id.group.is_empty() {
                    String::new()
                } else {
                    format!("{}/", id.group)
                };
                return Err(ApiError::Refused {
                    code: 404,
                    reason: String::new(),
                    message: format!(
                        "no matches for kind \"{}\" in version \"{name}{version}\"",
                        id.kind
                    ),
                });
            }
            sleep(PAUSES.1 / 4).await;
            discovery.forget().await;
        }
    }

    /// Whether there is a definition of the kind, so that it will be served soon.
    async fn is_defined(&self, group: &str, kind: &str) -> bool {
        if group.is_empty() {
            return false;
        }
        // The plural is not known: the definitions of the group are asked for the kind.
        let path = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";
        let Ok(Some(list)) = self.cluster.http.get(path).await else {
            return false;
        };
        let items = list.get("items").and_then(Value::as_array);
        items.into_iter().flatten().any(|crd| {
            crd.pointer("/spec/group").and_then(Value::as_str) == Some(group)
                && crd.pointer("/spec/names/kind").and_then(Value::as_str) == Some(kind)
        })
    }

    /// Tries out the updates of a stage before the first is done, when there are several.
    async fn dry_run(
        &self,
        todos: &[Todo],
        resources: &HashMap<(String, String, String), Resource>,
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

    fn may_recreate(&self, todo: &Todo) -> bool {
        let is_marked = matches!(&todo.seen, Seen::Live(live) if live.intent.force);
        self.force || todo.intent.force || is_marked
    }

    async fn send_all<'t>(
        &self,
        todos: &'t [Todo],
        resources: &HashMap<(String, String, String), Resource>,
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

    async fn send(
        &self,
        todo: &Todo,
        resources: &HashMap<(String, String, String), Resource>,
        records: &Records,
    ) -> Result<Done, ObjectError> {
        let settled = |action| {
            Ok(Done {
                action,
                record: None,
                health: None,
            })
        };
        match todo.need {
            Need::Nothing | Need::Remember | Need::Look => return settled(Action::Unchanged),
            Need::Skip => return settled(Action::Skipped),
            Need::Apply => {}
        }
        let Some(path) = path(todo, resources) else {
            return settled(Action::Skipped);
        };
        let failed = |error: ApiError| object_error(&todo.object, "apply failed", &error);
        let (mut created, mut object) = match self.patch(&path, todo).await {
            Ok(answer) => answer,
            Err(error) if is_immutable(&error) => match self.recreate(&path, todo, error).await? {
                Some(answer) => answer,
                None => return settled(Action::Skipped),
            },
            Err(error) => return Err(failed(error)),
        };
        let took_over = !created
            && self
                .take_over(&path, todo, &mut object)
                .await
                .map_err(failed)?;
        let live = Live(&object);
        let record = live.record(self.owner, &records.digests, todo.sent);
        let before = match (&todo.seen, records.get(todo.object.id())) {
            (Seen::Live(live), _) => Some(live),
            (Seen::Unknown, record) => record,
            (Seen::Absent, _) => None,
        };
        let is_same = before.is_some_and(|before| {
            before.uid == record.uid && before.resource_version == record.resource_version
        });
        // Without a 201 an object that was not there was brought by somebody else meanwhile.
        created &= !took_over;
        let action = match (created, is_same && !took_over) {
            (true, _) => Action::Created,
            (false, true) => Action::Unchanged,
            (false, false) => Action::Configured,
        };
        let health = health::status(&object, jiff::Timestamp::now());
        Ok(Done {
            action,
            record: Some(record),
            health: Some(health),
        })
    }

    /// Applies one object, again where it met somebody else's write.
    async fn patch(&self, path: &str, todo: &Todo) -> Result<(bool, Value), ApiError> {
        let patch = Patch {
            manager: &self.owner.manager,
            dry_run: false,
        };
        let mut pause = PAUSES.0;
        for attempt in 1.. {
            match self.cluster.http.apply(path, &todo.bytes, patch).await {
                // 409: a race with another writer. 404: a kind that is served only just now.
                Err(error) if attempt < TRIES && is_passing(&error, &todo.object) => {
                    sleep(pause).await;
                    pause = (pause * 2).min(PAUSES.1);
                }
                answer => return answer,
            }
        }
        Err(ApiError::Lost("it was tried too often".to_owned()))
    }

    /// Takes the fields of `kubectl` and the like over; they would stay when we drop them.
    async fn take_over(
        &self,
        path: &str,
        todo: &Todo,
        object: &mut Value,
    ) -> Result<bool, ApiError> {
        let mut took_over = false;
        for attempt in 1.. {
            let live = Live(object);
            let merges = todo.intent.merge || live.intent(self.owner).merge;
            let Some(operations) = live.take_over(self.owner).filter(|_| !merges) else {
                return Ok(took_over);
            };
            let manager = &self.owner.manager;
            match self
                .cluster
                .http
                .json_patch(path, &operations, manager)
                .await
            {
                Ok(()) => took_over = true,
                Err(error) if error.code() == 409 && attempt < TRIES => {}
                Err(error) => return Err(error),
            }
            (_, *object) = self.patch(path, todo).await?;
            if took_over {
                return Ok(true);
            }
        }
        Ok(took_over)
    }

    /// Deletes and applies an object with fields that cannot change, if that is asked for.
    ///
    /// Nothing is deleted before it is known that the new object would be accepted: the server says
    /// that a field is immutable, or takes a copy under another name in a dry-run.
    async fn recreate(
        &self,
        path: &str,
        todo: &Todo,
        refusal: ApiError,
    ) -> Result<Option<(bool, Value)>, ObjectError> {
        let failed = |what: &str, error: ApiError| object_error(&todo.object, what, &error);
        let http = &self.cluster.http;
        let live = http
            .get_metadata(path)
            .await
            .map_err(|error| failed("query failed", error))?;
        if let Some(live) = live {
            let live = Live(&live);
            let intent = live.intent(self.owner);
            if intent.ignore {
                return Ok(None);
            }
            if !(self.may_recreate(todo) || intent.force) {
                return Err(failed("apply failed", refusal));
            }
            if !says_immutable(&refusal) && !self.would_be_created(path, &todo.object).await {
                return Err(failed("apply failed", refusal));
            }
            let what = "immutable field detected, failed to delete object";
            match http.delete(path, live.uid(), live.resource_version()).await {
                Ok(()) => {}
                Err(error) if error.code() == 404 => {}
                Err(error) => return Err(failed(what, error)),
            }
            let what = "immutable field detected, failed to wait for object to be deleted";
            self.wait_until_gone(path, live.uid())
                .await
                .map_err(|error| failed(what, error))?;
        }
        let answer = self.patch(path, todo).await;
        answer
            .map(Some)
            .map_err(|error| failed("apply failed", error))
    }

    async fn would_be_created(&self, path: &str, object: &Object) -> bool {
        let collection = path
            .rsplit_once('/')
            .map_or(path, |(collection, _)| collection);
        let mut copy = object.to_value();
        copy["metadata"]["name"] = "bulkhead-dry-run".into();
        self.cluster
            .http
            .try_create(collection, &copy)
            .await
            .is_ok()
    }

    async fn wait_until_gone(&self, path: &str, uid: &str) -> Result<(), ApiError> {
        let deadline = Instant::now() + DEFINITIONS_LIMIT;
        let mut pause = PAUSES.0;
        while let Some(live) = self.cluster.http.get_metadata(path).await? {
            if Live(&live).uid() != uid {
                return Ok(());
            }
            if Instant::now() > deadline {
                let message = format!("it is still there after {DEFINITIONS_LIMIT:?}");
                return Err(ApiError::Refused {
                    code: 408,
                    reason: String::new(),
                    message,
                });
            }
            sleep(pause).await;
            pause = (pause * 2).min(PAUSES.1);
        }
        Ok(())
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

fn path(todo: &Todo, resources: &HashMap<(String, String, String), Resource>) -> Option<String> {
    let id = todo.object.id();
    let key = (
        id.group.clone(),
        id.kind.clone(),
        todo.object.version().to_owned(),
    );
    resources.get(&key).map(|resource| api::path(resource, id))
}

/// Whether a refusal may be due to a field that cannot change.
fn is_immutable(error: &ApiError) -> bool {
    error.code() == 422 || says_immutable(error)
}

fn says_immutable(error: &ApiError) -> bool {
    let ApiError::Refused { message, .. } = error else {
        return false;
    };
    let words = [
        "is immutable",
        "immutable field",
        "may not change fields other than",
        "updates to statefulset spec for fields other than",
        "may not change once set",
        "cannot be changed",
    ];
    words.iter().any(|words| message.contains(words))
}

fn is_passing(error: &ApiError, object: &Object) -> bool {
    let is_custom = object.id().group.contains('.') && !object.id().group.ends_with(".k8s.io");
    error.code() == 409 || (error.code() == 404 && is_custom)
}

/// Takes the values of a Secret out of a message of the server.
pub(super) fn scrub(object: &Object, message: &str) -> String {
    if !object.is("", "Secret") {
        return message.to_owned();
    }
    let mut scrubbed = message.to_owned();
    let data = object.body().get("data").and_then(Value::as_object);
    for value in data.into_iter().flat_map(|data| data.values()) {
        let encoded = value
            .as_str()
            .map_or_else(|| value.to_string(), str::to_owned);
        let bytes = base64::engine::general_purpose::STANDARD.decode(&encoded);
        let plain = bytes
            .ok()
            .and_then(|bytes| String::from_utf8(bytes).ok())
            .unwrap_or_default();
        for text in [encoded, plain.clone(), plain.trim().to_owned()] {
            if !text.is_empty() {
                scrubbed = scrubbed.replace(&format!("\"{text}\""), "\"***\"");
                // Short texts are parts of ordinary words; in quotes they are covered above.
                if text.len() >= 4 {
                    scrubbed = scrubbed.replace(&text, "***");
                }
            }
        }
    }
    scrubbed
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::object::Origin;

    #[test]
    fn a_secret_value_never_gets_into_a_message() {
        let body = json!({
            "apiVersion": "v1", "kind": "Secret", "metadata": { "name": "a" },
            "data": { "long": "aHVudGVyMg==", "short": "eA==", "number": 12345 },
        });
        let body = body.as_object().cloned().unwrap_or_default();
        let secret = Object::new(body, Origin::default()).expect("valid");
        let message = "data.long: Invalid value: \"aHVudGVyMg==\": hunter2, x \"x\" 12345";
        assert_eq!(
            scrub(&secret, message),
            "data.long: Invalid value: \"***\": ***, x \"***\" ***"
        );
    }

    #[test]
    fn immutable_fields_are_recognised() {
        let refused = |code, message: &str| ApiError::Refused {
            code,
            reason: String::new(),
            message: message.to_owned(),
        };
        assert!(is_immutable(&refused(422, "spec.x: wrong")));
        assert!(!says_immutable(&refused(422, "spec.x: wrong")));
        assert!(is_immutable(&refused(403, "admission: spec is immutable")));
        assert!(says_immutable(&refused(
            422,
            "spec.selector: field is immutable"
        )));
        assert!(!is_immutable(&refused(409, "the object has been modified")));
        assert!(!is_immutable(&ApiError::Lost("is immutable".to_owned())));
    }
}
