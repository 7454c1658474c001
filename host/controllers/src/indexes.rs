//! Where the charts are in the stored indexes: what was found when they were stored, or found anew
//! after a restart.

use std::collections::HashMap;
use std::io::{self, BufReader};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bulkhead_api::meta::Artifact;
use bulkhead_api::source::HelmRepository;
use bulkhead_source::helm::index::Directory;

use crate::archives::Archives;
use crate::queue::Key;

/// The directories by HelmRepository, each with the digest of its artifact.
#[derive(Debug, Default)]
pub struct Indexes(Mutex<HashMap<Key, (String, Arc<Directory>)>>);

impl Indexes {
    /// Puts the directory of an artifact in, in the place of the one before.
    pub fn put(&self, key: &Key, digest: &str, directory: Arc<Directory>) {
        self.lock()
            .insert(key.clone(), (digest.to_owned(), directory));
    }

    /// Forgets a repository that is gone.
    pub fn remove(&self, key: &Key) {
        self.lock().remove(key);
    }

    /// Returns the directory of the artifact of `key`, which is read if it is not known. Blocks.
    ///
    /// # Errors
    /// What the disk says; [`io::ErrorKind::NotFound`] when the artifact is not there.
    pub fn get(
        &self,
        archives: &Archives,
        key: &Key,
        artifact: &Artifact,
    ) -> io::Result<Arc<Directory>> {
        let known = self.lock().get(key).cloned();
        if let Some((digest, directory)) = known
            && digest == artifact.digest
        {
            return Ok(directory);
        }
        // Only what has the digest of the status was written by us, or by Flux.
        if !archives.holds(HelmRepository::KIND, key, artifact) {
            return Err(io::ErrorKind::NotFound.into());
        }
        let mut reader = BufReader::with_capacity(64 << 10, archives.open(artifact)?);
        let directory = Arc::new(Directory::scan(&mut reader)?);
        self.put(key, &artifact.digest, directory.clone());
        Ok(directory)
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Key, (String, Arc<Directory>)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
