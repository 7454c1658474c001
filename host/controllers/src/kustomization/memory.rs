//! What is remembered of a Kustomization between two runs. Losing it costs requests, nothing else.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bulkhead_api::{Digest, ObjectId};
use bulkhead_apply::drift::Records;
use bulkhead_apply::target::cluster::WaitError;
use tokio::task::AbortHandle;
use tokio::time::Instant;

use crate::queue::Key;

/// What was applied, in full and without error.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AppliedFacts {
    /// Digest of the rendered objects.
    pub digest: Digest,
    /// Generation of the Kustomization.
    pub generation: i64,
    /// When all objects were last compared with the cluster.
    pub compared: Instant,
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

/// What is remembered of one Kustomization.
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
}

/// The memories by Kustomization.
#[derive(Debug, Default)]
pub struct Memories(Mutex<HashMap<Key, Arc<Mutex<Memory>>>>);

impl Memories {
    /// Returns the memory of `key`, made if there is none.
    pub fn of(&self, key: &Key) -> Arc<Mutex<Memory>> {
        lock(&self.0).entry(key.clone()).or_default().clone()
    }

    /// Returns the memory of `key`, if there is one.
    pub fn find(&self, key: &Key) -> Option<Arc<Mutex<Memory>>> {
        lock(&self.0).get(key).cloned()
    }

    /// Forgets an object that is gone.
    pub fn remove(&self, key: &Key) {
        lock(&self.0).remove(key);
    }
}

/// Locks; a panic of another holder leaves nothing half done here.
pub fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
