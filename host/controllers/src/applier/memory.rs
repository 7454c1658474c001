//! What is remembered of an object between two runs. Losing it costs requests, nothing else.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bulkhead_api::meta::requested_at;
use bulkhead_api::{Digest, ObjectId};
use bulkhead_apply::drift::{Need, Records};
use bulkhead_apply::target::cluster::WaitError;
use serde_json::Value;
use tokio::task::AbortHandle;
use tokio::time::Instant;

use super::item::Item;
use super::name::Name;

/// What was applied, in full and without error.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AppliedFacts {
    /// Digest of the rendered objects.
    pub digest: Digest,
    /// Generation of the object.
    pub generation: i64,
    /// When all objects were last compared with the cluster.
    pub compared: Instant,
    /// Whether the health that was asked for came too.
    pub is_healthy: bool,
}

/// Which apply a wait for health belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attempt {
    /// Digest of the rendered objects.
    pub digest: Digest,
    /// Generation of the Kustomization.
    pub generation: i64,
    /// Revision of the artifact.
    pub revision: String,
    /// The request of a person that it answers.
    pub requested: Option<String>,
}

impl Attempt {
    /// Tells whether this is still what `object` asks for, with the artifact at `revision`.
    pub fn is_current(&self, object: &Item, revision: &str) -> bool {
        Some(self.generation) == object.metadata().generation
            && self.revision == revision
            && self.requested.as_deref() == requested_at(object.metadata())
    }
}

/// How a wait for health ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HealthResult {
    /// What it was for.
    pub attempt: Attempt,
    /// How long it took.
    pub took: Duration,
    /// Whether all objects became healthy.
    pub result: Result<(), WaitError>,
}

/// A wait for health: a state, not a worker that is held.
#[derive(Debug, Default)]
pub enum Health {
    /// Nothing is waited for.
    #[default]
    None,
    /// A task looks at the objects; it ends with this value.
    Waiting(Attempt, Watcher),
    /// It has ended.
    Finished(HealthResult),
}

/// The task of a wait.
#[derive(Debug)]
pub struct Watcher(pub AbortHandle);

impl Drop for Watcher {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// What is remembered of one object.
#[derive(Debug, Default)]
pub struct Memory {
    /// What was sent and answered, by object.
    pub records: Records,
    /// What was applied last.
    pub applied: Option<AppliedFacts>,
    /// Objects that somebody else changed since.
    pub suspects: HashSet<ObjectId>,
    /// The wait for health.
    pub health: Health,
    /// Since when a dependency is waited for.
    pub waiting_since: Option<Instant>,
    /// What watches showed while an apply was under way: judged when its records are in.
    parked: Option<HashMap<ObjectId, Option<Value>>>,
}

impl Memory {
    /// Judges what a watch shows of an object: `None` when it is gone. Returns whether that makes it
    /// a suspect that it was not before.
    pub fn saw(&mut self, name: &Name, id: &ObjectId, live: Option<&Value>) -> bool {
        if let Some(parked) = &mut self.parked {
            parked.insert(id.clone(), live.cloned());
            return false;
        }
        self.records.judge(&name.owner(), id, live) == Need::Apply
            && self.suspects.insert(id.clone())
    }

    /// Notes that what was applied is healthy, or that nobody asked for its health.
    pub fn note_health(&mut self) {
        if let Some(applied) = &mut self.applied {
            applied.is_healthy = true;
        }
    }

    /// Begins an apply: gives the records away, forgets what was applied and what is suspect.
    pub fn begin(&mut self) -> (Records, HashSet<ObjectId>) {
        self.applied = None;
        self.health = Health::None;
        self.parked = Some(HashMap::new());
        (
            std::mem::take(&mut self.records),
            std::mem::take(&mut self.suspects),
        )
    }

    /// Ends it: takes the records back, and judges what was seen meanwhile. Returns new suspects.
    pub fn end(&mut self, name: &Name, records: Records) -> Vec<ObjectId> {
        self.records = records;
        let mut suspects = Vec::new();
        for (id, live) in self.parked.take().unwrap_or_default() {
            if self.saw(name, &id, live.as_ref()) {
                suspects.push(id);
            }
        }
        suspects
    }
}

/// The memories by object.
#[derive(Debug, Default)]
pub struct Memories(Mutex<HashMap<Name, Arc<Mutex<Memory>>>>);

impl Memories {
    /// Returns the memory of `name`, made if there is none.
    pub fn of(&self, name: &Name) -> Arc<Mutex<Memory>> {
        lock(&self.0).entry(name.clone()).or_default().clone()
    }

    /// Returns the memory of `name`, if there is one.
    pub fn find(&self, name: &Name) -> Option<Arc<Mutex<Memory>>> {
        lock(&self.0).get(name).cloned()
    }

    /// Forgets an object that is gone.
    pub fn remove(&self, name: &Name) {
        lock(&self.0).remove(name);
    }
}

/// Locks; a panic of another holder leaves nothing half done here.
pub fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use bulkhead_apply::drift::Record;
    use bulkhead_apply::metadata::Intent;
    use serde_json::json;

    use super::*;
    use crate::queue::Key;

    #[test]
    fn what_is_seen_during_an_apply_is_judged_after_it() {
        let key = Name::kustomization(Key::new("f", "apps"));
        let id = ObjectId::new("d", "c", "", "ConfigMap");
        let live = |version: &str| {
            json!({ "metadata": { "uid": "u", "resourceVersion": version, "labels": {
                "kustomize.toolkit.fluxcd.io/name": "apps",
                "kustomize.toolkit.fluxcd.io/namespace": "f",
            }}})
        };
        let record = Record {
            uid: "u".into(),
            resource_version: "5".into(),
            fields: Some([1; 16]),
            sent: [2; 16],
            is_owned: true,
            intent: Intent::default(),
        };
        let mut memory = Memory::default();
        assert!(
            !memory.saw(&key, &id, None),
            "what was not applied is nobody's"
        );
        let (mut records, _) = memory.begin();
        assert!(!memory.saw(&key, &id, Some(&live("5"))));
        records.insert(id.clone(), record.clone());
        assert!(
            memory.end(&key, records).is_empty(),
            "the echo of the own write"
        );
        assert!(memory.saw(&key, &id, Some(&live("6"))), "our entry is gone");
        assert!(!memory.saw(&key, &id, Some(&live("7"))), "it is told once");
        let (mut records, suspects) = memory.begin();
        assert_eq!(suspects.len(), 1);
        assert!(!memory.saw(&key, &id, None));
        records.insert(id.clone(), record);
        assert_eq!(
            memory.end(&key, records),
            [id],
            "deleted right after it was applied"
        );
    }
}
