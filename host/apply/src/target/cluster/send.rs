//! Sends one object: server-side apply, and the take-over from other tools.

use base64::Engine;
use serde_json::Value;
use tokio::time::sleep;

use super::api::{ApiError, Patch};
use super::live::Live;
use super::look::Todo;
use super::recreate::is_immutable;
use super::stage::{Resources, path};
use super::{LOOK_PAUSES, Run, object_error};
use crate::drift::{Need, Record, Records, Seen};
use crate::health::Verdict;
use crate::object::Object;
use crate::target::{Action, ObjectError};

/// How often an apply is repeated that met a write of somebody else, or a kind just defined.
const TRIES: u32 = 5;

/// What came of one object.
pub(super) struct Done {
    pub(super) action: Action,
    pub(super) record: Option<Record>,
    pub(super) health: Option<Verdict>,
}

impl Run<'_> {
    /// Does what an object needs.
    pub(super) async fn send(
        &self,
        todo: &Todo,
        resources: &Resources,
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
        // Without a 201 an object that was not there was brought by somebody else meanwhile.
        created &= !took_over;
        let action = match created {
            true => Action::Created,
            false if !took_over && was_same(todo, &record, records) => Action::Unchanged,
            false => Action::Configured,
        };
        let health = self.cluster.status(&object);
        Ok(Done {
            action,
            record: Some(record),
            health: Some(health),
        })
    }

    /// Applies one object, again where it met somebody else's write.
    pub(super) async fn patch(&self, path: &str, todo: &Todo) -> Result<(bool, Value), ApiError> {
        let patch = Patch {
            manager: &self.owner.manager,
            dry_run: false,
        };
        let mut pause = LOOK_PAUSES.0;
        for attempt in 1.. {
            match self.cluster.http.apply(path, &todo.bytes, patch).await {
                // 409: a race with another writer. 404: a kind that is served only just now.
                Err(error) if attempt < TRIES && is_passing(&error, &todo.object) => {
                    sleep(pause).await;
                    pause = (pause * 2).min(LOOK_PAUSES.1);
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
}

/// Whether the object is, after the apply, the one that was seen or remembered before.
fn was_same(todo: &Todo, after: &Record, records: &Records) -> bool {
    let before = match &todo.seen {
        Seen::Live(live) => Some(live),
        Seen::Unknown => records.get(todo.object.id()),
        Seen::Absent => None,
    };
    before.is_some_and(|before| {
        before.uid == after.uid && before.resource_version == after.resource_version
    })
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
    let mut values = Vec::new();
    for field in ["data", "stringData"] {
        leaves(object.body().get(field), &mut values);
    }
    // The longest first: one may be a part of another.
    values.sort_by_key(|value| std::cmp::Reverse(value.len()));
    let mut scrubbed = message.to_owned();
    for value in values.iter().filter(|value| !value.is_empty()) {
        scrubbed = scrubbed.replace(&format!("\"{value}\""), "\"***\"");
        // Short texts are parts of ordinary words; in quotes they are covered above.
        if value.len() >= 4 {
            scrubbed = scrubbed.replace(value, "***");
        }
    }
    scrubbed
}

/// Collects all texts and numbers, as they are and decoded.
fn leaves(value: Option<&Value>, found: &mut Vec<String>) {
    match value {
        Some(Value::Object(entries)) => entries
            .values()
            .for_each(|value| leaves(Some(value), found)),
        Some(Value::Array(items)) => items.iter().for_each(|value| leaves(Some(value), found)),
        Some(Value::String(text)) => {
            found.push(text.clone());
            let bytes = base64::engine::general_purpose::STANDARD.decode(text);
            if let Some(plain) = bytes.ok().and_then(|bytes| String::from_utf8(bytes).ok()) {
                found.push(plain.trim().to_owned());
                found.push(plain);
            }
        }
        Some(Value::Number(number)) => found.push(number.to_string()),
        Some(Value::Bool(_) | Value::Null) | None => {}
    }
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
            "data": { "long": "aHVudGVyMg==", "short": "eA==", "number": 12345, "deep": { "a": ["s3cret-inside"] } },
        });
        let body = body.as_object().cloned().unwrap_or_default();
        let secret = Object::new(body, Origin::default()).expect("valid");
        let message =
            "data.long: Invalid value: \"aHVudGVyMg==\": hunter2, x \"x\" 12345 {s3cret-inside}";
        assert_eq!(
            scrub(&secret, message),
            "data.long: Invalid value: \"***\": ***, x \"***\" *** {***}"
        );
    }
}
