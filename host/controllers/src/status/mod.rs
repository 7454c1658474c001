//! Writes what a reconciliation found: the status, the finalizer, and what is wrong with an object
//! that cannot be read.
//!
//! One merge patch a reconciliation, with nothing but what changed, and none when nothing did. The
//! server answers with metadata alone; what was written goes into the store at once.

mod difference;

use std::sync::Arc;

use bulkhead_api::advice::{Advice, Retry};
use bulkhead_api::conditions::{self, Stamp};
use bulkhead_api::names::FINALIZER;
use bulkhead_api::reason;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::{Client, ResourceExt};
use serde_json::{Value, json};

pub use difference::difference;

use crate::client::{is_not_found, merge_patch};
use crate::clock;
use crate::kind::Kind;
use crate::watch::{Broken, Store, key_of};

/// Why a status could not be written.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// The server refused, or could not be reached.
    #[error("failed to write the {what} of {kind} `{key}`")]
    Request {
        /// `status` or `finalizers`.
        what: &'static str,
        /// Kind of the object.
        kind: &'static str,
        /// The object.
        key: String,
        /// What it said.
        #[source]
        source: kube::Error,
    },
    /// The status is no JSON: our bug.
    #[error("failed to encode the status of {kind} `{key}`")]
    Encode {
        /// Kind of the object.
        kind: &'static str,
        /// The object.
        key: String,
        /// Why.
        #[source]
        source: serde_json::Error,
    },
}

/// Joins an error with its causes and what the user can do: the message of a condition.
pub fn explain(error: &(dyn std::error::Error + 'static), advice: &Advice) -> String {
    let text = bulkhead_api::chain(error);
    match &advice.hint {
        Some(hint) => format!("{text}; {hint}"),
        None => text,
    }
}

/// Writes `next` as the status of `object`, as far as it differs from what it has.
///
/// Returns the object as it is then; an object that is gone stays as it was.
///
/// # Errors
/// [`WriteError`]; what was not written is written by the next reconciliation.
pub async fn write<K: Kind>(
    client: &Client,
    store: &Store<K>,
    object: &Arc<K>,
    next: K::Status,
) -> Result<Arc<K>, WriteError> {
    let encode = |source| WriteError::Encode {
        kind: K::KIND,
        key: path_name(&**object),
        source,
    };
    let before = serde_json::to_value(object.status()).map_err(encode)?;
    let after = serde_json::to_value(&next).map_err(encode)?;
    let Some(changes) = difference(&before, &after) else {
        return Ok(object.clone());
    };
    let path = format!("{}/status", path(&**object));
    let patch = json!({ "status": changes });
    match merge_patch(client, &path, K::MANAGER, &patch).await {
        Ok(metadata) => Ok(remember(store, object, metadata, next)),
        Err(error) if is_not_found(&error) => Ok(object.clone()),
        Err(source) => Err(failed("status", &**object, source)),
    }
}

/// Adds the finalizer, if it is not there yet.
///
/// # Errors
/// [`WriteError::Request`], also when the object changed since it was read: it is read again then.
pub async fn add_finalizer<K: Kind>(
    client: &Client,
    store: &Store<K>,
    object: &Arc<K>,
) -> Result<Arc<K>, WriteError> {
    if object.finalizers().iter().any(|name| name == FINALIZER) {
        return Ok(object.clone());
    }
    let mut finalizers = object.finalizers().to_vec();
    finalizers.push(FINALIZER.to_owned());
    set_finalizers(client, store, object, finalizers).await
}

/// Removes the finalizer, if it is there.
///
/// # Errors
/// As [`add_finalizer`].
pub async fn remove_finalizer<K: Kind>(
    client: &Client,
    store: &Store<K>,
    object: &Arc<K>,
) -> Result<Arc<K>, WriteError> {
    if !object.finalizers().iter().any(|name| name == FINALIZER) {
        return Ok(object.clone());
    }
    let finalizers = object
        .finalizers()
        .iter()
        .filter(|name| *name != FINALIZER)
        .cloned()
        .collect();
    set_finalizers(client, store, object, finalizers).await
}

async fn set_finalizers<K: Kind>(
    client: &Client,
    store: &Store<K>,
    object: &Arc<K>,
    finalizers: Vec<String>,
) -> Result<Arc<K>, WriteError> {
    let patch = json!({
        "metadata": { "finalizers": finalizers, "resourceVersion": object.resource_version() }
    });
    match merge_patch(client, &path(&**object), K::MANAGER, &patch).await {
        Ok(metadata) if is_over(&metadata) => {
            store.ended(key_of(&**object));
            Ok(object.clone())
        }
        Ok(metadata) => Ok(remember(store, object, metadata, object.status().clone())),
        Err(error) if is_not_found(&error) => Ok(object.clone()),
        Err(source) => Err(failed("finalizers", &**object, source)),
    }
}

/// Tells whether an object ends with this write.
fn is_over(metadata: &ObjectMeta) -> bool {
    let finalizers = metadata.finalizers.as_ref();
    metadata.deletion_timestamp.is_some() && finalizers.is_none_or(Vec::is_empty)
}

/// Puts what was written into the store. If somebody changed the specification meanwhile, the store
/// waits for that change instead: its event is on the way.
fn remember<K: Kind>(
    store: &Store<K>,
    object: &Arc<K>,
    metadata: ObjectMeta,
    status: K::Status,
) -> Arc<K> {
    let same_spec = metadata.generation == object.meta().generation;
    let written = object.with(metadata, status);
    if same_spec {
        store.wrote(written.clone());
    }
    Arc::new(written)
}

/// Says on an object that cannot be read what is wrong with it: Stalled until it is changed.
///
/// # Errors
/// [`WriteError::Request`].
pub async fn write_broken<K: Kind>(client: &Client, broken: &Broken) -> Result<(), WriteError> {
    let namespace = Some(&*broken.key.namespace).filter(|namespace| !namespace.is_empty());
    let path = format!("{}/{}/status", K::url_path(&(), namespace), broken.key.name);
    let patch = broken_patch(broken, clock::now());
    match merge_patch(client, &path, K::MANAGER, &patch).await {
        Err(error) if !is_not_found(&error) => Err(WriteError::Request {
            what: "status",
            kind: K::KIND,
            key: broken.key.to_string(),
            source: error,
        }),
        _ => Ok(()),
    }
}

fn broken_patch(broken: &Broken, now: jiff::Timestamp) -> Value {
    let mut conditions = Vec::new();
    let stamp = Stamp {
        generation: broken.generation,
        now,
    };
    let advice = Advice::new(reason::VALIDATION_FAILED, Retry::OnChange);
    let message = format!("failed to read the object: {}", broken.error);
    conditions::failed(&mut conditions, stamp, &advice, &message);
    json!({ "status": { "conditions": conditions, "observedGeneration": broken.generation } })
}

fn failed<K: Kind>(what: &'static str, object: &K, source: kube::Error) -> WriteError {
    WriteError::Request {
        what,
        kind: K::KIND,
        key: path_name(object),
        source,
    }
}

fn path<K: Kind>(object: &K) -> String {
    format!(
        "{}/{}",
        K::url_path(&(), object.namespace().as_deref()),
        object.name_any()
    )
}

fn path_name<K: Kind>(object: &K) -> String {
    format!(
        "{}/{}",
        object.namespace().unwrap_or_default(),
        object.name_any()
    )
}

#[cfg(test)]
mod tests {
    use crate::queue::Key;

    use super::*;

    #[test]
    fn a_broken_object_is_stalled_at_its_generation() {
        let broken = Broken {
            key: Key::new("apps", "web"),
            uid: "u".into(),
            generation: 4,
            resource_version: "9".into(),
            error: "missing field `interval`".into(),
        };
        let patch = broken_patch(&broken, jiff::Timestamp::UNIX_EPOCH);
        assert_eq!(patch["status"]["observedGeneration"], 4);
        let conditions = &patch["status"]["conditions"];
        assert_eq!(conditions[0]["type"], "Stalled");
        assert_eq!(conditions[1]["type"], "Ready");
        assert_eq!(conditions[1]["status"], "False");
        assert_eq!(conditions[1]["reason"], "ValidationFailed");
        assert_eq!(
            conditions[1]["message"],
            "failed to read the object: missing field `interval`"
        );
    }
}
