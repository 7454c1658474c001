//! Fetching: from a request to an artifact, with as little traffic as the server allows.

mod job;

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use bulkhead_api::{Digest, Revision};
use gix::ObjectId;
use tokio::sync::{Mutex as AsyncMutex, OwnedMutexGuard, OwnedSemaphorePermit, Semaphore};

use self::job::{Job, artifact};
use crate::store::{Repository, remove_folder};
use crate::{Artifact, FetchError, Fetched, GitRequest, Location};

/// Fetches that one host sees at a time.
const FETCHES_PER_HOST: usize = 8;

/// Git repositories on disk, shared by all sources of a process.
///
/// # Guarantees
/// One process uses a folder at a time. Each repository is fetched by one at a time, and a host by
/// eight. What is on disk is checked against its hashes when it is read; what is damaged is
/// fetched again.
pub struct Store {
    root: PathBuf,
    repositories: Mutex<HashMap<PathBuf, Arc<AsyncMutex<Option<Repository>>>>>,
    hosts: Mutex<HashMap<String, Arc<Semaphore>>>,
}

impl Store {
    /// Opens the store in `folder`, made if it does not exist, for its owner alone.
    ///
    /// # Errors
    /// [`FetchError::Store`]: the folder cannot be made.
    pub fn open(folder: impl AsRef<Path>) -> Result<Self, FetchError> {
        use std::os::unix::fs::DirBuilderExt as _;
        let root = folder.as_ref().to_owned();
        std::fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&root)
            .map_err(|error| FetchError::store("create", &root, error))?;
        let root = root
            .canonicalize()
            .map_err(|error| FetchError::store("read", &root, error))?;
        Ok(Self {
            root,
            repositories: Mutex::default(),
            hosts: Mutex::default(),
        })
    }

    /// Fetches what `request` asks for; `last` is the revision that the caller has.
    ///
    /// A head that has not moved costs one listing of references. Otherwise the server sends what
    /// the last two commits lack, without history where it can.
    ///
    /// # Errors
    /// [`FetchError`] names what is wrong; nothing of an earlier artifact is lost.
    pub async fn fetch(
        &self,
        request: &GitRequest,
        last: Option<&Revision>,
    ) -> Result<Fetched, FetchError> {
        let timeout = request.timeout.min(request.limits.timeout);
        let deadline = Instant::now() + timeout;
        let late = || FetchError::Timeout {
            location: request.location.clone(),
            after: timeout,
        };
        let stop = StopOnDrop(Arc::new(AtomicBool::new(false)));
        let work = async {
            let (repository, permit) = self.reserve(request).await?;
            let job = Job {
                root: self.folder_of(&request.location),
                request: request.clone(),
                last: last.cloned(),
                deadline,
                timeout,
                stop: stop.0.clone(),
            };
            let runtime = tokio::runtime::Handle::current();
            join(tokio::task::spawn_blocking(move || {
                let result = job.run(repository, runtime);
                drop(permit);
                result
            }))
            .await
        };
        // The thread ends by itself at the deadline; it gets a moment to say why.
        let result =
            tokio::time::timeout_at((deadline + Duration::from_millis(500)).into(), work).await;
        result.unwrap_or_else(|_| Err(late()))
    }

    /// Gives the artifact of `revision` if the store has it, with the request's `ignore`; no traffic.
    ///
    /// # Errors
    /// The files are refused or damaged.
    pub async fn load(
        &self,
        request: &GitRequest,
        revision: &Revision,
    ) -> Result<Option<Artifact>, FetchError> {
        let Ok(commit) = ObjectId::from_hex(revision.checksum.as_bytes()) else {
            return Ok(None);
        };
        let mut repository = self.slot(request).lock_owned().await;
        let (folder, request, revision) = (
            self.folder_of(&request.location),
            request.clone(),
            revision.clone(),
        );
        join(tokio::task::spawn_blocking(move || {
            let repository = opened(&mut repository, folder)?;
            repository.objects(&request.limits)?;
            if !repository.has(commit) {
                return Ok(None);
            }
            artifact(repository, &request, revision, commit, &|| Ok(())).map(Some)
        }))
        .await
    }

    /// Removes the repositories that are not in `keep`, but none that is being fetched or whose
    /// trees are held; those go next time.
    ///
    /// # Errors
    /// [`FetchError::Store`]: a folder cannot be listed or removed.
    pub async fn retain(&self, keep: &[Location]) -> Result<(), FetchError> {
        let mut kept: HashSet<PathBuf> = keep
            .iter()
            .map(|location| self.folder_of(location))
            .collect();
        // Held until the folders are gone, so that none is opened in between.
        let mut locks = Vec::new();
        {
            let mut repositories = self
                .repositories
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            repositories.retain(|folder, slot| {
                let idle = slot.clone().try_lock_owned().ok();
                let idle = idle.filter(|guard| !guard.as_ref().is_some_and(Repository::is_held));
                match idle {
                    Some(guard) if !kept.contains(folder) => locks.push(guard),
                    _ => {
                        kept.insert(folder.clone());
                    }
                }
                kept.contains(folder)
            });
        }
        let root = self.root.clone();
        join(tokio::task::spawn_blocking(move || {
            let problem = |error| FetchError::store("read", &root, error);
            for entry in std::fs::read_dir(&root).map_err(problem)? {
                let path = entry.map_err(problem)?.path();
                if !kept.contains(&path) {
                    remove_folder(&path)
                        .map_err(|error| FetchError::store("remove", &path, error))?;
                }
            }
            drop(locks);
            Ok(())
        }))
        .await
    }

    async fn reserve(
        &self,
        request: &GitRequest,
    ) -> Result<
        (
            OwnedMutexGuard<Option<Repository>>,
            Option<OwnedSemaphorePermit>,
        ),
        FetchError,
    > {
        let repository = self.slot(request).lock_owned().await;
        let Some(host) = request.location.authority() else {
            return Ok((repository, None));
        };
        let semaphore = {
            let mut hosts = self.hosts.lock().unwrap_or_else(PoisonError::into_inner);
            hosts
                .entry(host)
                .or_insert_with(|| Arc::new(Semaphore::new(FETCHES_PER_HOST)))
                .clone()
        };
        Ok((repository, semaphore.acquire_owned().await.ok()))
    }

    fn slot(&self, request: &GitRequest) -> Arc<AsyncMutex<Option<Repository>>> {
        let mut repositories = self
            .repositories
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        repositories
            .entry(self.folder_of(&request.location))
            .or_default()
            .clone()
    }

    fn folder_of(&self, location: &Location) -> PathBuf {
        let mut name = Digest::of(location.to_string()).to_hex();
        name.truncate(32);
        self.root.join(name)
    }
}

/// Tells the thread to stop when nobody waits for it any more.
struct StopOnDrop(Arc<AtomicBool>);

impl Drop for StopOnDrop {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

async fn join<T>(task: tokio::task::JoinHandle<Result<T, FetchError>>) -> Result<T, FetchError> {
    match task.await {
        Ok(result) => result,
        Err(error) => Err(FetchError::store("read", "", error)),
    }
}

fn opened(slot: &mut Option<Repository>, folder: PathBuf) -> Result<&mut Repository, FetchError> {
    match slot {
        Some(repository) => Ok(repository),
        None => Ok(slot.insert(Repository::open(folder)?)),
    }
}
