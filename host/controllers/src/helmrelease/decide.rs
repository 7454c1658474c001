//! What to do next about a release, given its state. Pure: no client, no clock, no log.
//!
//! # Source
//! `actionForState` of helm-controller 1.6, `internal/reconcile/atomic_release.go`.

use bulkhead_api::conditions::{self, Stamp, Status};
use bulkhead_api::helmrelease::{DriftMode, HelmRelease, HelmReleaseStatus, RemediationStrategy};
use bulkhead_api::names::condition::{DRIFTED, READY, RELEASED, REMEDIATED};
use bulkhead_api::reason::helm as reason;
use bulkhead_api::{Advice, Retry, SpecError};
use bulkhead_apply::release::Status as Broken;

use super::remediation::{self, Remediation};
use super::state::State;
use super::summary::summarize;
use super::{history, message, target};

/// What can be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Action {
    /// Make the first version.
    Install,
    /// Make another version.
    Upgrade,
    /// Run the tests.
    Test,
    /// End an action that was broken off.
    Unlock,
    /// Go on with an uninstall that was broken off.
    FinishUninstall,
    /// Undo changes in the cluster.
    CorrectDrift,
    /// Go back to the last version that worked, if it is as it was.
    Rollback,
    /// Remove the release after a failure.
    UninstallRemediation,
}

/// Kinds of actions: of each, one a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Makes a version.
    Release,
    /// Tests one.
    Test,
    /// Unlocks one.
    Unlock,
    /// Undoes drift.
    Drift,
    /// Remediates a failure: nothing comes after it.
    Remediate,
}

impl Action {
    /// Returns its kind.
    pub(super) fn kind(self) -> Kind {
        match self {
            Self::Install | Self::Upgrade => Kind::Release,
            Self::Test => Kind::Test,
            Self::Unlock | Self::FinishUninstall => Kind::Unlock,
            Self::CorrectDrift => Kind::Drift,
            Self::Rollback | Self::UninstallRemediation => Kind::Remediate,
        }
    }

    /// Returns its name in messages.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Install => "install",
            Self::Upgrade => "upgrade",
            Self::Test => "test",
            Self::Unlock => "unlock",
            Self::CorrectDrift => "correct cluster drift",
            Self::Rollback => "rollback",
            Self::FinishUninstall | Self::UninstallRemediation => "uninstall",
        }
    }
}

/// Why nothing is done.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Halt {
    /// It failed as often as it may.
    #[error("exceeded maximum retries: cannot {0}")]
    Exceeded(&'static str),
    /// There is no version to go back to.
    #[error("missing target release for rollback: cannot remediate failed release")]
    MissingTarget,
    /// The record of the release has a status that nothing can be made of.
    #[error("unable to determine state for release with status '{0}'")]
    Unknown(String),
    /// A field of the spec cannot be used.
    #[error(transparent)]
    Spec(#[from] SpecError),
    /// The spec names a way to remediate that this version does not know.
    #[error("unknown remediation strategy: {0}")]
    Strategy(String),
}

impl Halt {
    /// Names the reason, when to try again, and what the user can do.
    pub fn advice(&self) -> Advice {
        match self {
            Self::Exceeded(_) => Advice::new(reason::RETRIES_EXCEEDED, Retry::OnChange),
            Self::MissingTarget => Advice::new(reason::MISSING_ROLLBACK_TARGET, Retry::OnChange),
            Self::Unknown(_) => Advice::new(reason::STATE_ERROR, Retry::Backoff),
            Self::Spec(error) => error.advice(),
            Self::Strategy(_) => {
                Advice::new(bulkhead_api::reason::VALIDATION_FAILED, Retry::OnChange)
                    .hint("write `rollback` or `uninstall`")
            }
        }
    }
}

/// Returns what to do next, and notes in the status what that says of the release; `None` when there
/// is nothing to do.
pub(super) fn next(
    object: &HelmRelease,
    status: &mut HelmReleaseStatus,
    state: &State,
    stamp: Stamp,
) -> Result<Option<Action>, Halt> {
    let spec = &object.spec;
    let forced = target::take_force(object, status);
    match state {
        State::InSync => {
            forget(object, status)?;
            if forced {
                return Ok(Some(Action::Upgrade));
            }
            in_sync(object, status, stamp);
            Ok(None)
        }
        State::Locked(Broken::Uninstalling) => Ok(Some(Action::FinishUninstall)),
        State::Locked(_) => Ok(Some(Action::Unlock)),
        State::Absent(_) => {
            let exhausted = Remediation::of_install(spec).is_exhausted(status);
            match exhausted && !forced {
                true => Err(Halt::Exceeded("install release")),
                false => Ok(Some(Action::Install)),
            }
        }
        State::Unmanaged(_) => {
            status.history.clear();
            Ok(Some(Action::Upgrade))
        }
        State::OutOfSync(_) => {
            let exhausted = Remediation::of_upgrade(spec).is_exhausted(status);
            match exhausted && !forced {
                true => Err(Halt::Exceeded("upgrade release")),
                false => Ok(Some(Action::Upgrade)),
            }
        }
        State::Drifted(lines) => {
            let told = message::drifted(history::latest(&status.history), lines);
            let detected = reason::DRIFT_DETECTED;
            conditions::set(
                &mut status.conditions,
                stamp,
                DRIFTED,
                Status::True,
                detected,
                &told,
            );
            Ok((spec.drift_mode() == DriftMode::Enabled).then_some(Action::CorrectDrift))
        }
        State::Untested => {
            replace_remediated(status, stamp);
            Ok(Some(Action::Test))
        }
        State::Failed(_) => failed(object, status, forced),
        State::Unknown(found) => Err(Halt::Unknown(found.to_string())),
    }
}

/// Forgets versions that are of no use to a release that is as it should be.
fn forget(object: &HelmRelease, status: &mut HelmReleaseStatus) -> Result<(), Halt> {
    let spec = &object.spec;
    if remediation::retry(spec, status)?.is_some() {
        history::truncate_to_newest(&mut status.history);
    } else {
        let active = Remediation::active(spec, status);
        let ignore = active.map_or(spec.test().ignore_failures, |one| one.ignores_tests(spec));
        history::truncate(&mut status.history, ignore);
    }
    Ok(())
}

fn in_sync(object: &HelmRelease, status: &mut HelmReleaseStatus, stamp: Stamp) {
    replace_remediated(status, stamp);
    let is_true = |type_: &str| conditions::is_true(&status.conditions, type_);
    if !is_true(READY) || !is_true(RELEASED) {
        let released = conditions::get(&status.conditions, RELEASED);
        let released = released.map(|released| released.reason.as_str());
        let latest = history::latest(&status.history);
        let now = match released {
            Some(reason::INSTALL_FAILED) => Some((
                reason::INSTALL_SUCCEEDED,
                message::install_succeeded(latest),
            )),
            Some(reason::UPGRADE_FAILED) => Some((
                reason::UPGRADE_SUCCEEDED,
                message::upgrade_succeeded(latest),
            )),
            _ => None,
        };
        if let Some((reason, told)) = now {
            let all = &mut status.conditions;
            conditions::set(all, stamp, RELEASED, Status::True, reason, &told);
            summarize(object, status, stamp);
        }
    }
    if object.spec.detects_drift() {
        let (all, told) = (&mut status.conditions, message::NO_DRIFT);
        conditions::set(
            all,
            stamp,
            DRIFTED,
            Status::False,
            reason::NO_DRIFT_DETECTED,
            told,
        );
    }
}

/// A release that was rolled back to what is wanted now is not remediated, but upgraded.
fn replace_remediated(status: &mut HelmReleaseStatus, stamp: Stamp) {
    if !conditions::is_true(&status.conditions, REMEDIATED) {
        return;
    }
    let told = message::upgrade_succeeded(history::latest(&status.history));
    let all = &mut status.conditions;
    conditions::remove(all, REMEDIATED);
    conditions::set(
        all,
        stamp,
        RELEASED,
        Status::True,
        reason::UPGRADE_SUCCEEDED,
        &told,
    );
}

fn failed(
    object: &HelmRelease,
    status: &mut HelmReleaseStatus,
    forced: bool,
) -> Result<Option<Action>, Halt> {
    let spec = &object.spec;
    if remediation::retry(spec, status)?.is_some() {
        history::truncate_to_newest(&mut status.history);
        return Ok(Some(Action::Upgrade));
    }
    // Without a count, what it failed by has changed.
    let Some(remediation) =
        Remediation::active(spec, status).filter(|one| one.failures(status) > 0 && !forced)
    else {
        return Ok(Some(Action::Upgrade));
    };
    if remediation.is_exhausted(status) && !remediation.remediates_last() {
        return Err(Halt::Exceeded("remediate failed release"));
    }
    history::truncate(&mut status.history, remediation.ignores_tests(spec));
    match &remediation.strategy {
        RemediationStrategy::Rollback => Ok(Some(Action::Rollback)),
        RemediationStrategy::Uninstall => Ok(Some(Action::UninstallRemediation)),
        RemediationStrategy::Other(strategy) => Err(Halt::Strategy(strategy.clone())),
    }
}

/// What is known of the version that is to be gone back to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum RollbackTarget {
    /// The history has none.
    Missing,
    /// Its record is gone, or was changed.
    Altered,
    /// It is as it was.
    Verified,
}

/// Returns what to do in place of a rollback whose target is as `found`.
pub(super) fn rollback(found: RollbackTarget) -> Result<Action, Halt> {
    match found {
        RollbackTarget::Missing => Err(Halt::MissingTarget),
        RollbackTarget::Altered => Ok(Action::Upgrade),
        RollbackTarget::Verified => Ok(Action::Rollback),
    }
}
