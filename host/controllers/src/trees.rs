//! The trees that are loaded: what the last fetch of each source gave, for those who render it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use bulkhead_api::SourceTree;
use bulkhead_api::meta::Artifact;

use crate::index::SourceId;

/// A tree, and what its artifact's status says.
pub struct Loaded {
    /// Revision as text: `main@sha1:<hex>`.
    pub revision: String,
    /// Digest of the archive, as text.
    pub digest: String,
    /// Seconds since 1970 at which the revision was made.
    pub revision_time: u64,
    /// The files.
    pub tree: Arc<dyn SourceTree>,
}

impl std::fmt::Debug for Loaded {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Loaded")
            .field("revision", &self.revision)
            .finish_non_exhaustive()
    }
}

impl Loaded {
    /// Whether it is what an artifact holds.
    pub fn is_of(&self, artifact: &Artifact) -> bool {
        self.revision == artifact.revision && self.digest == artifact.digest
    }
}

/// The loaded trees by source.
#[derive(Debug, Default)]
pub struct Trees {
    loaded: Mutex<HashMap<SourceId, Arc<Loaded>>>,
    turns: Mutex<HashMap<SourceId, Weak<Turn>>>,
}

/// Held by who loads a tree.
type Turn = tokio::sync::Mutex<()>;

impl Trees {
    /// Returns the tree of the source.
    pub fn get(&self, source: &SourceId) -> Option<Arc<Loaded>> {
        self.lock().get(source).cloned()
    }

    /// Puts a tree in, in the place of the one before.
    pub fn put(&self, source: &SourceId, loaded: Arc<Loaded>) {
        self.lock().insert(source.clone(), loaded);
    }

    /// Forgets the tree of an object that is gone.
    pub fn remove(&self, source: &SourceId) {
        self.lock().remove(source);
    }

    /// Keeps the trees whose sources `is_used` names.
    pub fn retain(&self, is_used: impl Fn(&SourceId) -> bool) {
        self.lock().retain(|source, _| is_used(source));
    }

    /// Returns what is held by who loads the tree of a source that any of its users may load.
    pub(crate) fn turn(&self, source: &SourceId) -> Arc<Turn> {
        let mut turns = self.turns.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(turn) = turns.get(source).and_then(Weak::upgrade) {
            return turn;
        }
        turns.retain(|_, turn| turn.strong_count() > 0);
        let turn = Arc::new(Turn::default());
        turns.insert(source.clone(), Arc::downgrade(&turn));
        turn
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<SourceId, Arc<Loaded>>> {
        self.loaded.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
