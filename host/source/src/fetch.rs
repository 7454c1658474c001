//! Fetching: from a request to an artifact, with as little traffic as the server allows.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use bulkhead_api::{Digest, Revision};
use gix::ObjectId;
use gix::objs::Kind;
use tokio::sync::{Mutex as AsyncMutex, OwnedMutexGuard, OwnedSemaphorePermit, Semaphore};

use crate::refs::{Candidate, Wanted, wanted};
use crate::session::{Order, Session};
use crate::store::{Repository, remove_folder};
use crate::transport::Meter;
use crate::tree::{self, GitTree};
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

/// One fetch, on its thread.
struct Job {
    root: PathBuf,
    request: GitRequest,
    last: Option<Revision>,
    deadline: Instant,
    timeout: Duration,
    stop: Arc<AtomicBool>,
}

impl Job {
    fn run(
        &self,
        mut slot: OwnedMutexGuard<Option<Repository>>,
        runtime: tokio::runtime::Handle,
    ) -> Result<Fetched, FetchError> {
        let wanted = wanted(&self.request.reference)?;
        let repository = opened(&mut slot, self.root.clone())?;
        repository.objects(&self.request.limits)?;
        if let Wanted::Commit { .. } = &wanted
            && let Some(found) = wanted.find(&[])
            && found
                .iter()
                .any(|candidate| self.is_current(repository, candidate))
        {
            return Ok(Fetched::Unchanged);
        }
        let meter = Rc::new(Meter::new(
            self.request.location.clone(),
            runtime,
            self.deadline,
            self.timeout,
        ));
        let mut session = Session::open(&self.request, meter)?;
        let candidates = self.candidates(&wanted, &mut session)?;
        if let [candidate] = candidates.as_slice()
            && self.is_current(repository, candidate)
        {
            return Ok(Fetched::Unchanged);
        }
        self.get(repository, &mut session, &wanted, &candidates)?;
        let chosen = self.youngest(repository, candidates)?;
        if self.is_current(repository, &chosen) {
            return Ok(Fetched::Unchanged);
        }
        self.finish(repository, &mut session, &wanted, chosen)
            .map(Fetched::New)
    }

    fn is_current(&self, repository: &Repository, candidate: &Candidate) -> bool {
        self.last.as_ref() == Some(&revision(candidate)) && repository.has(candidate.commit)
    }

    fn candidates(
        &self,
        wanted: &Wanted,
        session: &mut Session<'_>,
    ) -> Result<Vec<Candidate>, FetchError> {
        let listed = session.list(wanted.prefixes())?;
        if let Some(found) = wanted.find(&listed) {
            return Ok(found);
        }
        let listed = session.list(vec![
            "HEAD".into(),
            "refs/heads/".into(),
            "refs/tags/".into(),
        ])?;
        Err(wanted.missing(&self.request.location, &listed))
    }

    /// Fetches the candidates that the store lacks.
    fn get(
        &self,
        repository: &mut Repository,
        session: &mut Session<'_>,
        wanted: &Wanted,
        candidates: &[Candidate],
    ) -> Result<(), FetchError> {
        let lacks = |repository: &Repository| -> Vec<ObjectId> {
            candidates
                .iter()
                .filter(|one| !repository.has(one.commit))
                .map(|one| one.want)
                .collect()
        };
        if lacks(repository).is_empty() {
            return Ok(());
        }
        repository.renew_if_needed(&self.request.limits)?;
        let objects = repository.objects(&self.request.limits)?;
        let wants = lacks(repository);
        let haves = repository.commits();
        let shallow_file = repository.shallow_file();
        let order = Order {
            wants: &wants,
            haves: &haves,
            shallow_file: shallow_file.clone(),
            with_history: false,
        };
        let result = session.fetch(&order, &objects, &self.stop);
        let (Err(error), Wanted::Commit { branch, .. }) = (&result, wanted) else {
            return result;
        };
        if !matches!(error, FetchError::Protocol { .. }) {
            return result;
        }
        // A server of the first protocol gives only what a reference points to, and its history.
        if session.is_first_protocol() {
            let tips = self.tips(session, branch.as_deref())?;
            let order = Order {
                wants: &tips,
                haves: &[],
                shallow_file,
                with_history: true,
            };
            session.fetch(&order, &objects, &self.stop)?;
            if wants
                .iter()
                .all(|want| objects.reader().kind(*want).is_some())
            {
                return Ok(());
            }
        }
        let listed = session.list(vec![
            "HEAD".into(),
            "refs/heads/".into(),
            "refs/tags/".into(),
        ]);
        match (listed, is_refusal(error)) {
            (Ok(listed), true) => Err(wanted.missing(&self.request.location, &listed)),
            _ => result,
        }
    }

    fn tips(
        &self,
        session: &mut Session<'_>,
        branch: Option<&str>,
    ) -> Result<Vec<ObjectId>, FetchError> {
        let full = branch.map(|branch| format!("refs/heads/{branch}"));
        let listed = session.list(vec!["refs/heads/".into()])?;
        let mut tips: Vec<ObjectId> = listed
            .iter()
            .filter(|reference| {
                full.as_ref()
                    .map_or(reference.name.starts_with("refs/heads/"), |f| {
                        *f == reference.name
                    })
            })
            .map(|reference| reference.id)
            .collect();
        tips.sort_unstable();
        tips.dedup();
        Ok(tips)
    }

    /// Of versions that differ only in build metadata the youngest commit counts, as in Flux.
    fn youngest(
        &self,
        repository: &mut Repository,
        mut candidates: Vec<Candidate>,
    ) -> Result<Candidate, FetchError> {
        let reader = repository.objects(&self.request.limits)?.reader();
        for candidate in &candidates {
            if reader
                .kind(candidate.commit)
                .is_some_and(|kind| kind != Kind::Commit)
            {
                let name = candidate
                    .shown
                    .clone()
                    .unwrap_or_else(|| candidate.commit.to_string());
                return Err(FetchError::NotACommit {
                    location: self.request.location.clone(),
                    name,
                });
            }
        }
        if candidates.len() > 1 {
            let mut dated = Vec::with_capacity(candidates.len());
            for candidate in candidates {
                dated.push((reader.commit(candidate.commit)?.seconds, candidate));
            }
            dated.sort_by_key(|(seconds, _)| *seconds);
            candidates = dated.into_iter().map(|(_, candidate)| candidate).collect();
        }
        candidates
            .pop()
            .ok_or_else(|| FetchError::protocol(&self.request.location, "no commit was found"))
    }

    fn artifact(
        &self,
        repository: &mut Repository,
        chosen: &Candidate,
    ) -> Result<Artifact, FetchError> {
        let on_time = || {
            let is_late = Instant::now() >= self.deadline || self.stop.load(Ordering::Relaxed);
            let late = || FetchError::Timeout {
                location: self.request.location.clone(),
                after: self.timeout,
            };
            if is_late { Err(late()) } else { Ok(()) }
        };
        artifact(
            repository,
            &self.request,
            revision(chosen),
            chosen.commit,
            &on_time,
        )
    }

    /// Loads what was fetched; if the store turns out to be damaged, it is fetched once more.
    fn finish(
        &self,
        repository: &mut Repository,
        session: &mut Session<'_>,
        wanted: &Wanted,
        chosen: Candidate,
    ) -> Result<Artifact, FetchError> {
        let mut result = self.artifact(repository, &chosen);
        if result.is_err() && repository.objects(&self.request.limits)?.is_damaged() {
            tracing::warn!(source = %self.request.location, "stored objects are damaged, fetching them again");
            repository.renew()?;
            self.get(repository, session, wanted, std::slice::from_ref(&chosen))?;
            result = self.artifact(repository, &chosen);
        }
        let artifact = result?;
        repository.record(chosen.commit)?;
        Ok(artifact)
    }
}

/// Tells whether the server said that it does not give the object.
fn is_refusal(error: &FetchError) -> bool {
    let text = error.to_string();
    text.contains("not our ref") || text.contains("unadvertised object")
}

fn revision(candidate: &Candidate) -> Revision {
    Revision::git(candidate.shown.as_deref(), &candidate.commit.to_string())
}

fn artifact(
    repository: &mut Repository,
    request: &GitRequest,
    revision: Revision,
    commit: ObjectId,
    on_time: &dyn Fn() -> Result<(), FetchError>,
) -> Result<Artifact, FetchError> {
    let objects = repository.objects(&request.limits)?;
    let commit = objects.reader().commit(commit)?;
    let root = tree::load(&objects, commit.tree, request, on_time)?;
    Ok(Artifact {
        revision,
        content: root.content,
        tree: GitTree::new(objects, root),
        commit_seconds: commit.seconds,
        commit_message: commit.message,
    })
}
