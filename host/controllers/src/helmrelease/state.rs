//! In which state a release is: what Helm's records say, against what is wanted. Pure.
//!
//! # Source
//! `DetermineReleaseState` and `internal/action/verify.go` of helm-controller 1.6.

use bulkhead_api::helmrelease::{HelmRelease, HelmReleaseStatus, ReleaseSnapshot};
use bulkhead_apply::release::{Snapshot, Status};

use super::history;
use super::remediation::Remediation;

/// What is to be installed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Wanted {
    /// Name of the chart.
    pub(super) chart_name: String,
    /// Version of the chart, as the release has it.
    pub(super) chart_version: String,
    /// Version of what the chart installs; may be empty.
    pub(super) app_version: String,
    /// Digest of the values.
    pub(super) config_digest: String,
    /// Digest of the OCI artifact; empty for others.
    pub(super) oci_digest: String,
    /// Digest of the post-renderers; none without.
    pub(super) post_renderers: Option<String>,
    /// Digest of the common metadata; none without.
    pub(super) common_metadata: Option<String>,
}

/// The newest version in Helm's records.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Stored {
    /// As it would be in the history, with the digest of the OCI artifact that the history has.
    pub(super) snapshot: Snapshot,
}

/// The state of a release.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// It is not there.
    Absent(&'static str),
    /// It is there, and was not made for this object as it is now.
    Unmanaged(&'static str),
    /// It is not what is wanted.
    OutOfSync(&'static str),
    /// An action is under way, or was broken off.
    Locked(Status),
    /// It has to be tested.
    Untested,
    /// The last action failed, or its tests.
    Failed(&'static str),
    /// The cluster is not as it has it: one line an object.
    Drifted(String),
    /// It is as it should be; whether the cluster is too is another question.
    InSync,
    /// Its record has a status that nothing can be made of.
    Unknown(Status),
}

impl State {
    /// Returns the word of upstream, and the reason, for logs.
    pub(super) fn words(&self) -> (&'static str, String) {
        match self {
            Self::Absent(why) => ("Absent", (*why).to_owned()),
            Self::Unmanaged(why) => ("Unmanaged", (*why).to_owned()),
            Self::OutOfSync(why) => ("OutOfSync", (*why).to_owned()),
            Self::Locked(status) => ("Locked", format!("release with status '{status}'")),
            Self::Untested => ("Untested", String::new()),
            Self::Failed(why) => ("Failed", (*why).to_owned()),
            Self::Drifted(lines) => ("Drifted", lines.clone()),
            Self::InSync => ("InSync", String::new()),
            Self::Unknown(status) => ("Unknown", format!("release with status '{status}'")),
        }
    }
}

/// Determines the state.
pub(super) fn state(
    object: &HelmRelease,
    status: &HelmReleaseStatus,
    stored: Option<&Stored>,
    wanted: &Wanted,
) -> State {
    let Some(Stored { snapshot }) = stored else {
        return State::Absent("no release in storage for object");
    };
    if snapshot.status.is_pending() || snapshot.status == Status::Uninstalling {
        return State::Locked(snapshot.status.clone());
    }
    let Some(latest) = history::latest(&status.history) else {
        return match snapshot.status {
            Status::Uninstalled => State::Absent("found uninstalled release in storage"),
            _ => State::Unmanaged("found existing release in storage"),
        };
    };
    if !is_observed(latest, snapshot) {
        return State::Unmanaged("release not observed to be made for object");
    }
    match &snapshot.status {
        Status::Failed => State::Failed(""),
        Status::Uninstalled => State::Absent("found uninstalled release in storage"),
        Status::Deployed => deployed(object, status, latest, snapshot, wanted),
        other => State::Unknown(other.clone()),
    }
}

/// Tells whether a record is the one that the history tells of. The history of an older Flux has
/// digests of another kind, which are not compared.
pub(super) fn is_observed(entry: &ReleaseSnapshot, stored: &Snapshot) -> bool {
    let is_comparable = entry.api_version.as_deref() == Some(ReleaseSnapshot::API_VERSION);
    !is_comparable || entry.digest == stored.digest
}

fn deployed(
    object: &HelmRelease,
    status: &HelmReleaseStatus,
    latest: &ReleaseSnapshot,
    stored: &Snapshot,
    wanted: &Wanted,
) -> State {
    if (&stored.chart_name, &stored.chart_version) != (&wanted.chart_name, &wanted.chart_version) {
        return State::OutOfSync("release chart changed");
    }
    if latest.config_digest != wanted.config_digest {
        return State::OutOfSync("release config values changed");
    }
    // For a new generation alone: an engine that digests otherwise must not upgrade for ever.
    if Some(status.observed_generation) != object.metadata.generation {
        if status.observed_post_renderers_digest != wanted.post_renderers {
            return State::OutOfSync("postrenderers digest has changed");
        }
        if status.observed_common_metadata_digest != wanted.common_metadata {
            return State::OutOfSync("common metadata digest has changed");
        }
    }
    if object.spec.test().enable {
        if !latest.has_been_tested() {
            return State::Untested;
        }
        let remediation = Remediation::active(&object.spec, status);
        let counts = remediation.is_some_and(|one| !one.ignores_tests(&object.spec));
        if counts && latest.has_failed_test() {
            return State::Failed("release has test in failed phase");
        }
    }
    State::InSync
}
