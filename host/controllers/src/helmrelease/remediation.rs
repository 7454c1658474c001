//! What is done about a failure, and how often. Pure.
//!
//! # Source
//! `Remediation`, `GetActiveRemediation` and `GetActiveRetry` of helm-controller 1.6.

use std::time::Duration;

use bulkhead_api::SpecError;
use bulkhead_api::helmrelease::{
    HelmReleaseSpec, HelmReleaseStatus, InstallRemediation, ReleaseAction, RemediationStrategy,
    UpgradeRemediation,
};

/// How failures of the last action are remediated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Remediation {
    /// Of which action.
    action: ReleaseAction,
    retries: i64,
    ignore_test_failures: Option<bool>,
    remediate_last: bool,
    /// By which action.
    pub(super) strategy: RemediationStrategy,
}

impl Remediation {
    /// Of installs.
    pub(super) fn of_install(spec: &HelmReleaseSpec) -> Self {
        let InstallRemediation {
            retries,
            ignore_test_failures,
            remediate_last_failure,
        } = spec.install().remediation.unwrap_or_default();
        Self {
            action: ReleaseAction::Install,
            retries,
            ignore_test_failures,
            remediate_last: remediate_last_failure.unwrap_or(false),
            strategy: RemediationStrategy::Uninstall,
        }
    }

    /// Of upgrades.
    pub(super) fn of_upgrade(spec: &HelmReleaseSpec) -> Self {
        let UpgradeRemediation {
            retries,
            ignore_test_failures,
            remediate_last_failure,
            strategy,
        } = spec.upgrade().remediation.unwrap_or_default();
        Self {
            action: ReleaseAction::Upgrade,
            retries,
            ignore_test_failures,
            remediate_last: remediate_last_failure.unwrap_or(retries > 0),
            strategy: strategy.unwrap_or(RemediationStrategy::Rollback),
        }
    }

    /// Of the last action; `None` before the first.
    pub(super) fn active(spec: &HelmReleaseSpec, status: &HelmReleaseStatus) -> Option<Self> {
        match status.last_attempted_release_action.as_ref()? {
            ReleaseAction::Install => Some(Self::of_install(spec)),
            ReleaseAction::Upgrade => Some(Self::of_upgrade(spec)),
            _ => None,
        }
    }

    /// Returns how often the action failed since the last change.
    pub(super) fn failures(&self, status: &HelmReleaseStatus) -> i64 {
        match self.action {
            ReleaseAction::Install => status.install_failures,
            _ => status.upgrade_failures,
        }
    }

    /// Counts a failure.
    pub(super) fn count(&self, status: &mut HelmReleaseStatus) {
        match self.action {
            ReleaseAction::Install => status.install_failures += 1,
            _ => status.upgrade_failures += 1,
        }
    }

    /// Tells whether it failed more often than it may be tried again.
    pub(super) fn is_exhausted(&self, status: &HelmReleaseStatus) -> bool {
        self.retries >= 0 && self.failures(status) > self.retries
    }

    /// Tells whether the last failure is remediated too.
    pub(super) fn remediates_last(&self) -> bool {
        self.remediate_last
    }

    /// Tells whether a failed test is no failure of the release.
    pub(super) fn ignores_tests(&self, spec: &HelmReleaseSpec) -> bool {
        self.ignore_test_failures
            .unwrap_or_else(|| spec.test().ignore_failures)
    }

    /// Tells whether a failed upgrade removes the release, so that an install comes next.
    pub(super) fn is_uninstall_after_upgrade(&self) -> bool {
        self.action == ReleaseAction::Upgrade && self.strategy == RemediationStrategy::Uninstall
    }
}

/// Returns how long to wait before the last action is tried again, where failures are not remediated.
///
/// # Errors
/// The interval cannot be used.
pub(super) fn retry(
    spec: &HelmReleaseSpec,
    status: &HelmReleaseStatus,
) -> Result<Option<Duration>, SpecError> {
    match &status.last_attempted_release_action {
        Some(ReleaseAction::Install) => spec.install().retry(),
        Some(ReleaseAction::Upgrade) => spec.upgrade().retry(),
        _ => Ok(None),
    }
}
