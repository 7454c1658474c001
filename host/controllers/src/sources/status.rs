//! The status of a source after what was done. Pure.
//!
//! # Source
//! Which condition comes when, and what Ready takes its words from: source-controller 1.9,
//! `internal/reconcile/summarize` and the lists at the head of each controller.

use bulkhead_api::conditions::{self, Stamp, Status};
use bulkhead_api::meta::{Artifact, requested_at};
use bulkhead_api::names::condition::{
    ARTIFACT_IN_STORAGE, ARTIFACT_OUTDATED, BUILD_FAILED, FETCH_FAILED, READY, SOURCE_VERIFIED,
    STORAGE_OPERATION_FAILED,
};
use bulkhead_api::reason;

use super::outcome::{Done, Failure, Good, Outcome, Place, Signature};
use super::{Common, Source};
use crate::archives::Archives;
use crate::status::explain;

/// Conditions that say that something failed.
pub(super) const FAILURES: [&str; 3] = [FETCH_FAILED, BUILD_FAILED, STORAGE_OPERATION_FAILED];

/// Returns the next status; `observe` notes in it what a new artifact was made with.
pub(crate) fn next<K: Source, E: Failure>(
    source: &K,
    outcome: &Outcome<E>,
    archives: &Archives,
    now: jiff::Timestamp,
    observe: impl FnOnce(&mut K::Status),
) -> K::Status {
    let mut status = source.status().clone();
    let stamp = Stamp::of(source.meta(), now);
    let common = K::common(&mut status);
    match &outcome.result {
        Ok(Done::Finalized) => {
            *common.artifact = None;
            *common.url = None;
        }
        Ok(Done::Suspended) => suspended(source, common, stamp),
        Ok(Done::Kept(good)) => succeeded(source, common, stamp, good),
        Ok(Done::Stored(artifact, good)) => {
            store::<K>(common, artifact, archives);
            observe(&mut status);
            succeeded(source, K::common(&mut status), stamp, good);
        }
        Err(error) => failed(source, common, stamp, error, outcome),
    }
    let common = K::common(&mut status);
    // What fails as it failed before is nothing to write.
    conditions::keep_times(common.conditions, K::conditions(source.status()));
    if let Some(artifact) = common.artifact {
        // The address may be another than when it was written.
        artifact.url = archives.url(&artifact.path);
        *common.url = Some(latest_url::<K>(artifact, archives));
    }
    status
}

fn store<K: Source>(common: Common<'_>, artifact: &Artifact, archives: &Archives) {
    *common.url = Some(latest_url::<K>(artifact, archives));
    *common.artifact = Some(artifact.clone());
}

fn latest_url<K: Source>(artifact: &Artifact, archives: &Archives) -> String {
    let folder = artifact
        .path
        .rsplit_once('/')
        .map_or("", |(folder, _)| folder);
    archives.url(&format!("{folder}/{}", K::LATEST))
}

fn handled<K: Source>(source: &K, last_handled: &mut Option<String>) {
    if let Some(requested) = requested_at(source.meta()) {
        *last_handled = Some(requested.to_owned());
    }
}

/// A spec that is suspended counts as seen, as in Flux: nothing will come of it.
fn suspended<K: Source>(source: &K, common: Common<'_>, stamp: Stamp) {
    let ready = common.conditions.iter_mut();
    for ready in ready.filter(|one| one.type_ == READY) {
        ready.observed_generation = Some(stamp.generation);
    }
    *common.observed_generation = stamp.generation;
    handled(source, common.last_handled);
}

fn succeeded<K: Source>(source: &K, common: Common<'_>, stamp: Stamp, good: &Good) {
    let conditions = common.conditions;
    for type_ in FAILURES.into_iter().chain([ARTIFACT_OUTDATED]) {
        conditions::remove(conditions, type_);
    }
    let (type_, is) = (ARTIFACT_IN_STORAGE, Status::True);
    conditions::set(conditions, stamp, type_, is, good.reason, &good.message);
    match &good.signature {
        Signature::NotAsked => conditions::remove(conditions, SOURCE_VERIFIED),
        Signature::Same => {}
        Signature::Checked(message) => {
            let (type_, is) = (SOURCE_VERIFIED, Status::True);
            conditions::set(conditions, stamp, type_, is, reason::SUCCEEDED, message);
        }
    }
    conditions::ready(conditions, stamp, good.reason, &good.message);
    *common.observed_generation = stamp.generation;
    handled(source, common.last_handled);
}

fn failed<K: Source, E: Failure>(
    source: &K,
    common: Common<'_>,
    stamp: Stamp,
    error: &E,
    outcome: &Outcome<E>,
) {
    let mut advice = error.advice();
    let message = explain(error, &advice);
    let conditions = common.conditions;
    let types: &[&str] = match error.place() {
        Place::Fetch => &[FETCH_FAILED],
        Place::Build | Place::ChartSignature => &[BUILD_FAILED],
        Place::Storage => &[STORAGE_OPERATION_FAILED],
        Place::Signature => &[],
    };
    for type_ in FAILURES {
        conditions::remove(conditions, type_);
    }
    for type_ in types {
        let is = Status::True;
        conditions::set(conditions, stamp, type_, is, advice.reason, &message);
    }
    if matches!(error.place(), Place::Signature | Place::ChartSignature) {
        let (type_, is) = (SOURCE_VERIFIED, Status::False);
        advice.reason = reason::VERIFICATION_ERROR;
        conditions::set(conditions, stamp, type_, is, advice.reason, &message);
    } else if !conditions::is_true(conditions, SOURCE_VERIFIED) {
        // A check that failed says nothing about the next try.
        conditions::remove(conditions, SOURCE_VERIFIED);
    }
    if !outcome.has_artifact {
        // What is not there is not promised; the next run makes it anew.
        conditions::remove(conditions, ARTIFACT_IN_STORAGE);
        *common.artifact = None;
        *common.url = None;
    }
    match &outcome.newer {
        _ if common.artifact.is_none() => conditions::remove(conditions, ARTIFACT_OUTDATED),
        Some(newer) => {
            let (type_, is) = (ARTIFACT_OUTDATED, Status::True);
            conditions::set(conditions, stamp, type_, is, newer.reason, &newer.message);
        }
        // What was found before may still be there.
        None => {}
    }
    conditions::failed(conditions, stamp, &advice, &message);
    *common.observed_generation =
        conditions::observed_generation(conditions, stamp, *common.observed_generation);
    handled(source, common.last_handled);
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may")]

    use std::collections::BTreeMap;
    use std::sync::Arc;
    use std::time::Duration;

    use bulkhead_api::meta::time;
    use bulkhead_api::names::annotation;
    use bulkhead_api::source::{OCIRepository, OciRepositorySpec};
    use bulkhead_api::{Advice, Retry};

    use super::super::outcome::Newer;
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("no luck")]
    struct NoLuck(Place, Retry);

    impl Failure for NoLuck {
        fn advice(&self) -> Advice {
            Advice::new("NoLuck", self.1).hint("try harder")
        }
        fn place(&self) -> Place {
            self.0
        }
    }

    struct Fixture {
        _temporary: tempfile::TempDir,
        archives: Archives,
        object: OCIRepository,
        has_artifact: bool,
        newer: Option<Newer>,
    }

    fn fixture() -> Fixture {
        let temporary = tempfile::tempdir().unwrap();
        let authority = cap_std::ambient_authority();
        let directory = cap_std::fs::Dir::open_ambient_dir(temporary.path(), authority).unwrap();
        let spec = OciRepositorySpec::new("oci://example.com/x", Duration::from_secs(60));
        let mut object = OCIRepository::new("apps", "web", spec);
        object.metadata.generation = Some(3);
        let requested = annotation::RECONCILE_REQUESTED_AT.to_owned();
        let annotations = BTreeMap::from([(requested, "now".to_owned())]);
        object.metadata.annotations = Some(annotations);
        Fixture {
            archives: Archives::new(Arc::new(directory), "source.example"),
            object,
            has_artifact: true,
            newer: None,
            _temporary: temporary,
        }
    }

    impl Fixture {
        fn step(&mut self, result: Result<Done, NoLuck>) -> Vec<String> {
            let outcome = Outcome {
                result,
                has_artifact: self.has_artifact,
                newer: self.newer.clone(),
                took: Duration::ZERO,
            };
            let now = jiff::Timestamp::UNIX_EPOCH;
            let note = |status: &mut bulkhead_api::source::OciRepositoryStatus| {
                status.observed_ignore = Some("noted".into());
            };
            self.object.status = next(&self.object, &outcome, &self.archives, now, note);
            let conditions = self.object.status.conditions.iter();
            conditions
                .map(|c| format!("{}={} {}", c.type_, c.status, c.reason))
                .collect()
        }

        fn store(&mut self, signature: Signature) -> Vec<String> {
            self.step(Ok(Done::Stored(artifact(), good(signature))))
        }
    }

    fn artifact() -> Box<Artifact> {
        Box::new(Artifact {
            digest: "sha256:00".into(),
            path: "ocirepository/apps/web/1.tar.gz".into(),
            url: String::new(),
            revision: "latest@sha256:1".into(),
            last_update_time: time(jiff::Timestamp::UNIX_EPOCH),
            size: Some(1),
            metadata: BTreeMap::new(),
        })
    }

    fn good(signature: Signature) -> Good {
        Good {
            reason: "Succeeded",
            message: "stored".into(),
            event: ("NewArtifact", "stored".into()),
            recovered: "Succeeded",
            signature,
        }
    }

    #[test]
    fn a_stored_artifact_is_ready_and_has_addresses() {
        let mut fixture = fixture();
        let checked = Signature::Checked("verified".into());
        assert_eq!(
            fixture.store(checked),
            [
                "Ready=True Succeeded",
                "ArtifactInStorage=True Succeeded",
                "SourceVerified=True Succeeded"
            ]
        );
        let status = &fixture.object.status;
        assert_eq!(status.observed_generation, 3);
        assert_eq!(status.last_handled_reconcile_at.as_deref(), Some("now"));
        assert_eq!(status.observed_ignore.as_deref(), Some("noted"));
        let folder = "http://source.example/ocirepository/apps/web";
        let latest = format!("{folder}/latest.tar.gz");
        assert_eq!(status.url.as_deref(), Some(&*latest));
        let artifact = status.artifact.as_ref().unwrap();
        assert_eq!(artifact.url, format!("{folder}/1.tar.gz"));
        let same = fixture.step(Ok(Done::Kept(good(Signature::Same))));
        assert_eq!(same[2], "SourceVerified=True Succeeded");
        let unasked = fixture.step(Ok(Done::Kept(good(Signature::NotAsked))));
        assert_eq!(unasked.len(), 2);
    }

    #[test]
    fn a_failure_is_told_where_it_happened() {
        for (place, expected) in [
            (
                Place::Fetch,
                vec!["Ready=False NoLuck", "FetchFailed=True NoLuck"],
            ),
            (
                Place::Build,
                vec!["Ready=False NoLuck", "BuildFailed=True NoLuck"],
            ),
            (
                Place::Storage,
                vec!["Ready=False NoLuck", "StorageOperationFailed=True NoLuck"],
            ),
            (
                Place::Signature,
                vec![
                    "Ready=False VerificationError",
                    "SourceVerified=False VerificationError",
                ],
            ),
            (
                Place::ChartSignature,
                vec![
                    "Ready=False VerificationError",
                    "BuildFailed=True NoLuck",
                    "SourceVerified=False VerificationError",
                ],
            ),
        ] {
            let mut fixture = fixture();
            let told = fixture.step(Err(NoLuck(place, Retry::Backoff)));
            assert_eq!(told[0], "Reconciling=True ProgressingWithRetry");
            assert_eq!(told[1..], expected, "{place:?}");
            assert_eq!(fixture.object.status.observed_generation, -1);
            let message = &fixture.object.status.conditions[1].message;
            assert_eq!(message, "no luck; try harder");
        }
    }

    #[test]
    fn a_failure_keeps_the_artifact_and_says_what_is_newer() {
        let mut fixture = fixture();
        fixture.store(Signature::NotAsked);
        fixture.newer = Some(Newer {
            reason: "NewRevision",
            message: "new".into(),
        });
        let failed = || Err(NoLuck(Place::Fetch, Retry::Backoff));
        let told = fixture.step(failed());
        assert!(told.contains(&"ArtifactOutdated=True NewRevision".to_owned()));
        assert!(told.contains(&"ArtifactInStorage=True Succeeded".to_owned()));
        fixture.newer = None;
        let told = fixture.step(failed());
        assert!(told.contains(&"ArtifactOutdated=True NewRevision".to_owned()));
        fixture.has_artifact = false;
        let told = fixture.step(failed());
        assert_eq!(told.len(), 3, "nothing is promised: {told:?}");
        assert_eq!(fixture.object.status.artifact, None);
        assert_eq!(fixture.object.status.url, None);
    }

    #[test]
    fn what_cannot_work_is_stalled_at_its_generation() {
        let mut fixture = fixture();
        let told = fixture.step(Err(NoLuck(Place::Fetch, Retry::OnChange)));
        assert_eq!(told[0], "Stalled=True NoLuck");
        assert_eq!(fixture.object.status.observed_generation, 3);
        let recovered = fixture.store(Signature::NotAsked);
        assert_eq!(
            recovered,
            ["Ready=True Succeeded", "ArtifactInStorage=True Succeeded"]
        );
    }

    #[test]
    fn a_signature_that_was_refused_says_nothing_about_the_next_try() {
        let mut fixture = fixture();
        fixture.step(Err(NoLuck(Place::Signature, Retry::Backoff)));
        let told = fixture.step(Err(NoLuck(Place::Fetch, Retry::Backoff)));
        assert!(!told.iter().any(|one| one.starts_with("SourceVerified")));
    }
}
