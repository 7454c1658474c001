//! One fetch, on its own thread: decide, ask the server for as little as can be, load.

use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use bulkhead_api::Revision;
use gix::ObjectId;
use gix::objs::Kind;
use tokio::sync::OwnedMutexGuard;

use super::opened;
use crate::refs::{Candidate, Wanted, wanted};
use crate::session::{Order, Session};
use crate::store::Repository;
use crate::transport::Meter;
use crate::tree::{self, GitTree};
use crate::{Artifact, FetchError, Fetched, GitRequest};

/// One fetch, on its thread.
pub(super) struct Job {
    pub(super) root: PathBuf,
    pub(super) request: GitRequest,
    pub(super) last: Option<Revision>,
    pub(super) deadline: Instant,
    pub(super) timeout: Duration,
    pub(super) stop: Arc<AtomicBool>,
}

impl Job {
    /// Does the work; `slot` is the repository's place, held until the end.
    pub(super) fn run(
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
        let order = Order {
            wants: &wants,
            haves: &haves,
            shallow_file: repository.shallow_file(),
            with_history: false,
        };
        let result = session.fetch(&order, &objects, &self.stop);
        match (result, wanted) {
            (Err(error @ FetchError::Protocol { .. }), Wanted::Commit { branch, .. }) => {
                self.get_with_history(repository, session, wanted, branch.as_deref(), error)
            }
            (result, _) => result,
        }
    }

    /// Looks for a commit that the server did not give by itself. A server of the first protocol
    /// gives only what a reference points to, and its history.
    fn get_with_history(
        &self,
        repository: &mut Repository,
        session: &mut Session<'_>,
        wanted: &Wanted,
        branch: Option<&str>,
        error: FetchError,
    ) -> Result<(), FetchError> {
        let objects = repository.objects(&self.request.limits)?;
        if session.is_first_protocol() {
            let order = Order {
                wants: &self.tips(session, branch)?,
                haves: &[],
                shallow_file: repository.shallow_file(),
                with_history: true,
            };
            session.fetch(&order, &objects, &self.stop)?;
            let found = wanted.find(&[]).unwrap_or_default();
            if found
                .iter()
                .all(|one| objects.reader().kind(one.commit).is_some())
            {
                return Ok(());
            }
        }
        match session.list(vec![
            "HEAD".into(),
            "refs/heads/".into(),
            "refs/tags/".into(),
        ]) {
            Ok(listed) if is_refusal(&error) => {
                Err(wanted.missing(&self.request.location, &listed))
            }
            _ => Err(error),
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

/// Loads the files of a commit that is in the store.
pub(super) fn artifact(
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
