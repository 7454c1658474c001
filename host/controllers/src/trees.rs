//! The trees that are loaded: what the last fetch of each source gave, for those who render it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bulkhead_api::SourceTree;

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

/// The loaded trees by source.
#[derive(Debug, Default)]
pub struct Trees(Mutex<HashMap<SourceId, Arc<Loaded>>>);

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

    fn lock(&self) -> MutexGuard<'_, HashMap<SourceId, Arc<Loaded>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
