//! The status of a GitRepository after what was done. Pure.

use bulkhead_api::conditions::{self, Stamp, Status};
use bulkhead_api::meta::{Artifact, requested_at};
use bulkhead_api::names::condition::{
    ARTIFACT_IN_STORAGE, ARTIFACT_OUTDATED, FETCH_FAILED, READY, STORAGE_OPERATION_FAILED,
};
use bulkhead_api::source::{GitRepository, GitRepositoryStatus};
use bulkhead_api::{message, reason};

use super::act::{Done, Outcome, SourceError};
use crate::archives::Archives;
use crate::status::explain;

/// Returns the next status.
pub(super) fn next(
    repository: &GitRepository,
    outcome: &Outcome,
    archives: &Archives,
    now: jiff::Timestamp,
) -> GitRepositoryStatus {
    let mut status = repository.status.clone();
    let stamp = Stamp::of(&repository.metadata, now);
    match &outcome.result {
        Ok(Done::Finalized) => status.artifact = None,
        Ok(Done::Suspended) => {
            // A spec that is suspended counts as seen, as in Flux: nothing will come of it.
            let ready = status.conditions.iter_mut();
            for ready in ready.filter(|one| one.type_ == READY) {
                ready.observed_generation = Some(stamp.generation);
            }
            status.observed_generation = stamp.generation;
            handled(repository, &mut status);
        }
        Ok(Done::Unchanged) => {
            let artifact = status.artifact.clone();
            succeeded(repository, &mut status, stamp, artifact);
        }
        Ok(Done::Stored(artifact)) => {
            succeeded(repository, &mut status, stamp, Some((**artifact).clone()));
        }
        Err(error) => failed(repository, &mut status, stamp, error, outcome.has_archive),
    }
    // What fails as it failed before is nothing to write.
    conditions::keep_times(&mut status.conditions, &repository.status.conditions);
    if let Some(artifact) = &mut status.artifact {
        // The address may be another than when it was written.
        artifact.url = archives.url(&artifact.path);
    }
    status
}

fn handled(repository: &GitRepository, status: &mut GitRepositoryStatus) {
    if let Some(requested) = requested_at(&repository.metadata) {
        status.last_handled_reconcile_at = Some(requested.to_owned());
    }
}

fn succeeded(
    repository: &GitRepository,
    status: &mut GitRepositoryStatus,
    stamp: Stamp,
    artifact: Option<Artifact>,
) {
    let revision = artifact
        .as_ref()
        .map(|artifact| artifact.revision.clone())
        .unwrap_or_default();
    let message = message::stored_artifact(&revision);
    let conditions = &mut status.conditions;
    for type_ in [ARTIFACT_OUTDATED, FETCH_FAILED, STORAGE_OPERATION_FAILED] {
        conditions::remove(conditions, type_);
    }
    conditions::set(
        conditions,
        stamp,
        ARTIFACT_IN_STORAGE,
        Status::True,
        reason::SUCCEEDED,
        &message,
    );
    conditions::ready(conditions, stamp, reason::SUCCEEDED, &message);
    status.artifact = artifact;
    status.observed_ignore = repository.spec.ignore.clone();
    status.observed_generation = stamp.generation;
    handled(repository, status);
}

fn failed(
    repository: &GitRepository,
    status: &mut GitRepositoryStatus,
    stamp: Stamp,
    error: &SourceError,
    has_archive: bool,
) {
    let advice = error.advice();
    let message = explain(error, &advice);
    let conditions = &mut status.conditions;
    let (failed, other) = if error.is_storage() {
        (STORAGE_OPERATION_FAILED, FETCH_FAILED)
    } else {
        (FETCH_FAILED, STORAGE_OPERATION_FAILED)
    };
    conditions::remove(conditions, other);
    conditions::set(
        conditions,
        stamp,
        failed,
        Status::True,
        advice.reason,
        &message,
    );
    if !has_archive {
        // What is not there is not promised; the next fetch makes it anew.
        conditions::remove(conditions, ARTIFACT_IN_STORAGE);
        status.artifact = None;
    }
    conditions::failed(conditions, stamp, &advice, &message);
    status.observed_generation =
        conditions::observed_generation(conditions, stamp, status.observed_generation);
    handled(repository, status);
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may")]

    use std::collections::BTreeMap;
    use std::sync::Arc;
    use std::time::Duration;

    use bulkhead_api::meta::time;
    use bulkhead_api::names::annotation;
    use bulkhead_api::source::GitRepositorySpec;
    use bulkhead_source::{FetchError, Location};

    use super::*;

    struct Fixture {
        _temporary: tempfile::TempDir,
        archives: Archives,
        repository: GitRepository,
    }

    fn fixture() -> Fixture {
        let temporary = tempfile::tempdir().unwrap();
        let directory =
            cap_std::fs::Dir::open_ambient_dir(temporary.path(), cap_std::ambient_authority());
        let spec = GitRepositorySpec::new("https://example.com/x", Duration::from_secs(60));
        let mut repository = GitRepository::new("apps", "web", spec);
        repository.metadata.generation = Some(3);
        let requested = (
            annotation::RECONCILE_REQUESTED_AT.to_owned(),
            "now".to_owned(),
        );
        repository.metadata.annotations = Some(BTreeMap::from([requested]));
        Fixture {
            archives: Archives::new(Arc::new(directory.unwrap()), "source.example"),
            repository,
            _temporary: temporary,
        }
    }

    impl Fixture {
        fn step(&mut self, result: Result<Done, SourceError>, has_archive: bool) -> Vec<String> {
            let outcome = Outcome {
                result,
                has_archive,
                took: Duration::ZERO,
            };
            let now = jiff::Timestamp::UNIX_EPOCH;
            self.repository.status = next(&self.repository, &outcome, &self.archives, now);
            let conditions = self.repository.status.conditions.iter();
            conditions
                .map(|c| format!("{}={} {}", c.type_, c.status, c.reason))
                .collect()
        }
    }

    fn artifact() -> Box<Artifact> {
        Box::new(Artifact {
            digest: "sha256:00".into(),
            path: "gitrepository/apps/web/1.tar.gz".into(),
            url: String::new(),
            revision: "main@sha1:1".into(),
            last_update_time: time(jiff::Timestamp::UNIX_EPOCH),
            size: Some(1),
            metadata: BTreeMap::new(),
        })
    }

    fn unreachable() -> SourceError {
        let location = Location::parse("https://example.com/x", false).unwrap();
        SourceError::Fetch(FetchError::Empty(location))
    }

    #[test]
    fn a_fetch_that_fails_keeps_the_last_artifact() {
        let mut fixture = fixture();
        assert_eq!(
            fixture.step(Ok(Done::Stored(artifact())), true),
            ["Ready=True Succeeded", "ArtifactInStorage=True Succeeded"]
        );
        let status = &fixture.repository.status;
        assert_eq!(status.observed_generation, 3);
        assert_eq!(status.last_handled_reconcile_at.as_deref(), Some("now"));
        assert_eq!(
            status.conditions[0].message,
            "stored artifact for revision 'main@sha1:1'"
        );
        fixture.repository.metadata.generation = Some(4);
        assert_eq!(
            fixture.step(Err(unreachable()), true),
            [
                "Reconciling=True ProgressingWithRetry",
                "Ready=False GitOperationFailed",
                "ArtifactInStorage=True Succeeded",
                "FetchFailed=True GitOperationFailed"
            ]
        );
        let status = &fixture.repository.status;
        assert_eq!(
            status.observed_generation, 3,
            "not on a failure that is retried"
        );
        assert!(status.artifact.is_some());
        let message = &status.conditions[1].message;
        assert!(
            message.starts_with("failed to checkout and determine revision: git repository"),
            "{message}"
        );
        assert_eq!(
            fixture.step(Ok(Done::Unchanged), true),
            ["Ready=True Succeeded", "ArtifactInStorage=True Succeeded"]
        );
    }

    #[test]
    fn an_archive_that_is_gone_is_not_promised() {
        let mut fixture = fixture();
        fixture.step(Ok(Done::Stored(artifact())), true);
        let conditions = fixture.step(Err(unreachable()), false);
        assert!(
            !conditions
                .iter()
                .any(|condition| condition.starts_with("ArtifactInStorage"))
        );
        assert_eq!(fixture.repository.status.artifact, None);
    }

    #[test]
    fn an_own_failure_is_the_storage_s() {
        let mut fixture = fixture();
        let full = SourceError::Archive(std::io::Error::other("no space"));
        let conditions = fixture.step(Err(full), false);
        assert!(conditions.contains(&"StorageOperationFailed=True ArchiveOperationFailed".into()));
    }

    #[test]
    fn the_url_follows_the_address() {
        let mut fixture = fixture();
        fixture.step(Ok(Done::Stored(artifact())), true);
        assert_eq!(
            fixture.repository.status.artifact.as_ref().unwrap().url,
            "http://source.example/gitrepository/apps/web/1.tar.gz"
        );
    }
}
