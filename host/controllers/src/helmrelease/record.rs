//! What an action did, noted in the status, and what is told of it. Pure.
//!
//! # Source
//! The action reconcilers of helm-controller 1.6, `internal/reconcile`.

use std::collections::BTreeMap;
use std::time::Duration;

use bulkhead_api::conditions::{self, Stamp, Status};
use bulkhead_api::event::key as fact;
use bulkhead_api::helmrelease::{
    HelmRelease, HelmReleaseStatus, ReleaseAction, ReleaseSnapshot, TestHookStatus,
};
use bulkhead_api::names::condition::{RELEASED, REMEDIATED, TEST_SUCCESS};
use bulkhead_api::reason::helm as reason;
use bulkhead_apply::release::Snapshot;

use super::decide::Action;
use super::remediation::{self, Remediation};
use super::state::Wanted;
use super::summary::summarize;
use super::{history, message};
use crate::report::Report;

/// How an action ended.
#[derive(Clone, Debug, Default)]
pub(super) struct Ended {
    /// What was stored, in the order of the first change.
    pub(super) stored: Vec<Snapshot>,
    /// Why it failed, with what the user can do.
    pub(super) error: Option<String>,
    /// How long it took.
    pub(super) took: Duration,
}

/// What a status is changed for.
pub(super) struct Record<'a> {
    pub(super) object: &'a HelmRelease,
    pub(super) status: &'a mut HelmReleaseStatus,
    pub(super) stamp: Stamp,
}

/// What is told, and, where nothing was stored, the error for which it is tried again at once.
pub(super) type Told = (Report, Result<(), String>);

impl Record<'_> {
    /// Notes that an install or upgrade begins.
    pub(super) fn begin(&mut self, action: Action) {
        let status = &mut *self.status;
        let is_install = action == Action::Install;
        status.last_attempted_release_action = Some(match is_install {
            true => ReleaseAction::Install,
            false => ReleaseAction::Upgrade,
        });
        if is_install {
            status.history.clear();
        }
        conditions::remove(&mut status.conditions, TEST_SUCCESS);
        conditions::remove(&mut status.conditions, REMEDIATED);
    }

    /// Notes the end of an install or upgrade.
    pub(super) fn released(&mut self, action: Action, wanted: &Wanted, ended: &Ended) -> Told {
        let made = match action {
            Action::Install => ReleaseAction::Install,
            _ => ReleaseAction::Upgrade,
        };
        self.status.last_attempted_release_action_duration = Some(ended.took.into());
        history::record(&mut self.status.history, &ended.stored, &made);
        let told = match &ended.error {
            Some(error) => {
                let report = self.release_failed(action, wanted, error);
                if ended.stored.is_empty() {
                    (report, Err(error.clone()))
                } else {
                    let remediation = match action {
                        Action::Install => Remediation::of_install(&self.object.spec),
                        _ => Remediation::of_upgrade(&self.object.spec),
                    };
                    remediation.count(self.status);
                    (report, Ok(()))
                }
            }
            None => (self.release_succeeded(action), Ok(())),
        };
        self.summarize();
        told
    }

    fn release_failed(&mut self, action: Action, wanted: &Wanted, error: &str) -> Report {
        let text = message::release_failed(action.name(), self.object, wanted, error);
        let reason = match action {
            Action::Install => reason::INSTALL_FAILED,
            _ => reason::UPGRADE_FAILED,
        };
        self.status.failures += 1;
        self.set(RELEASED, Status::False, reason, &text);
        Report::error(reason, text)
            .fact(fact::REVISION, Some(&wanted.chart_version))
            .fact(fact::TOKEN, Some(&wanted.config_digest))
            .fact(APP_VERSION, Some(&wanted.app_version))
            .fact(OCI_DIGEST, Some(&wanted.oci_digest))
    }

    fn release_succeeded(&mut self, action: Action) -> Report {
        let latest = self.latest();
        let (reason, text) = match action {
            Action::Install => (
                reason::INSTALL_SUCCEEDED,
                message::install_succeeded(latest.as_ref()),
            ),
            _ => (
                reason::UPGRADE_SUCCEEDED,
                message::upgrade_succeeded(latest.as_ref()),
            ),
        };
        self.set(RELEASED, Status::True, reason, &text);
        let is_tested = latest
            .as_ref()
            .is_some_and(ReleaseSnapshot::has_been_tested);
        if self.object.spec.test().enable && !is_tested {
            let awaiting = message::awaiting_tests(latest.as_ref());
            self.set(
                TEST_SUCCESS,
                Status::Unknown,
                reason::AWAITING_TESTS,
                &awaiting,
            );
        }
        // With a strategy of retries, failures count only while the release is failed.
        if matches!(
            remediation::retry(&self.object.spec, self.status),
            Ok(Some(_))
        ) {
            self.status.clear_failures();
        }
        about(Report::info(reason, text), latest.as_ref())
    }

    /// Notes the end of tests: `hooks` are all tests of the release, with their last runs.
    pub(super) fn tested(
        &mut self,
        hooks: BTreeMap<String, TestHookStatus>,
        ended: &Ended,
    ) -> Told {
        let newest = self.latest();
        let stored = ended.stored.iter();
        let stored: Vec<Snapshot> = stored
            .filter(|stored| Some(stored.version) == newest.as_ref().map(|entry| entry.version))
            .cloned()
            .collect();
        history::observe(&mut self.status.history, &stored, None, false);
        if !stored.is_empty()
            && let Some(entry) = self.status.history.first_mut()
        {
            entry.test_hooks = Some(hooks);
        }
        let latest = self.latest();
        let told = match &ended.error {
            Some(error) => {
                let text = message::test_failed(latest.as_ref(), error);
                self.status.failures += 1;
                self.set(TEST_SUCCESS, Status::False, reason::TEST_FAILED, &text);
                let tested = latest
                    .as_ref()
                    .is_some_and(ReleaseSnapshot::has_been_tested);
                let active = Remediation::active(&self.object.spec, self.status);
                let counting = active.filter(|one| tested && !one.ignores_tests(&self.object.spec));
                if let Some(remediation) = counting {
                    remediation.count(self.status);
                }
                let report = about(Report::error(reason::TEST_FAILED, text), latest.as_ref());
                let result = if tested { Ok(()) } else { Err(error.clone()) };
                (report, result)
            }
            None => {
                let text = message::test_succeeded(latest.as_ref());
                self.set(TEST_SUCCESS, Status::True, reason::TEST_SUCCEEDED, &text);
                let report = Report::info(reason::TEST_SUCCEEDED, text);
                (about(report, latest.as_ref()), Ok(()))
            }
        };
        self.summarize();
        told
    }

    /// Notes the end of a rollback to `previous`; `token` is the digest of the values that are wanted.
    pub(super) fn rolled_back(
        &mut self,
        previous: &ReleaseSnapshot,
        token: &str,
        ended: &Ended,
    ) -> Told {
        let before = self.latest().map(|entry| entry.digest);
        let action = ReleaseAction::Rollback;
        history::observe(&mut self.status.history, &ended.stored, Some(&action), true);
        let changed = self.latest().map(|entry| entry.digest) != before;
        let (report, result) = match &ended.error {
            Some(error) => {
                let text = message::rollback_failed(Some(previous), error);
                self.status.failures += 1;
                self.set(REMEDIATED, Status::False, reason::ROLLBACK_FAILED, &text);
                let result = if changed { Ok(()) } else { Err(error.clone()) };
                (Report::error(reason::ROLLBACK_FAILED, text), result)
            }
            None => {
                let text = message::rollback_succeeded(Some(previous));
                self.set(REMEDIATED, Status::True, reason::ROLLBACK_SUCCEEDED, &text);
                (Report::info(reason::ROLLBACK_SUCCEEDED, text), Ok(()))
            }
        };
        self.summarize();
        let report = about(report, Some(previous)).fact(fact::TOKEN, Some(token));
        (report, result)
    }

    /// Notes the end of an uninstall after a failure.
    pub(super) fn uninstalled_after_failure(&mut self, ended: &Ended) -> Told {
        let action = ReleaseAction::UninstallRemediation;
        let before = self.latest().map(|entry| entry.digest);
        history::observe(
            &mut self.status.history,
            &ended.stored,
            Some(&action),
            false,
        );
        let latest = self.latest();
        let changed = latest.as_ref().map(|entry| entry.digest.clone()) != before;
        let (report, result) = match &ended.error {
            Some(error) => {
                let text = message::uninstall_remediation_failed(latest.as_ref(), error);
                self.status.failures += 1;
                self.set(REMEDIATED, Status::False, reason::UNINSTALL_FAILED, &text);
                let result = if changed { Ok(()) } else { Err(error.clone()) };
                (Report::error(reason::UNINSTALL_FAILED, text), result)
            }
            None => {
                let text = message::uninstall_remediation_succeeded(latest.as_ref());
                self.status.inventory = None;
                self.set(REMEDIATED, Status::True, reason::UNINSTALL_SUCCEEDED, &text);
                (Report::info(reason::UNINSTALL_SUCCEEDED, text), Ok(()))
            }
        };
        // Ready goes on to tell of the failure: helm-controller 1.6 does not summarize here.
        (about(report, latest.as_ref()), result)
    }

    /// Notes the end of an uninstall that was wanted. Without a report, somebody else did it.
    pub(super) fn uninstalled(&mut self, how: Uninstalled, ended: &Ended) -> Option<Report> {
        let action = ReleaseAction::Uninstall;
        history::observe(
            &mut self.status.history,
            &ended.stored,
            Some(&action),
            false,
        );
        let latest = self.latest();
        let latest = latest.as_ref();
        let succeeded = reason::UNINSTALL_SUCCEEDED;
        let report = match (how, &ended.error) {
            (Uninstalled::NotFound, _) => {
                let text = message::uninstall_not_found(latest);
                self.set(RELEASED, Status::False, succeeded, &text);
                None
            }
            (Uninstalled::Before, _) => {
                let text = message::uninstall_done_before(latest);
                self.set(RELEASED, Status::False, succeeded, &text);
                None
            }
            (Uninstalled::Now, Some(error)) => {
                let text = message::uninstall_failed(latest, error);
                self.status.failures += 1;
                self.set(RELEASED, Status::False, reason::UNINSTALL_FAILED, &text);
                Some(Report::error(reason::UNINSTALL_FAILED, text))
            }
            (Uninstalled::Now, None) => {
                let text = message::uninstall_succeeded(latest);
                self.status.inventory = None;
                self.set(RELEASED, Status::False, succeeded, &text);
                Some(Report::info(succeeded, text))
            }
        };
        self.summarize();
        report.map(|report| about(report, latest))
    }

    /// Notes that a version that was pending is `failed` now; `pending` is the status it had.
    pub(super) fn unlocked(&mut self, stored: &Snapshot, pending: &str, ended: &Ended) -> Told {
        history::observe(&mut self.status.history, &ended.stored, None, false);
        let entry = history::entry(stored, None);
        let name = reason::PENDING_RELEASE;
        let (report, result) = match &ended.error {
            Some(error) => {
                let text = message::unlock_failed(Some(&entry), pending, error);
                self.status.failures += 1;
                self.set(RELEASED, Status::False, name, &text);
                (Report::error(name, text), Err(error.clone()))
            }
            None => {
                let text = message::unlocked(Some(&entry), pending);
                self.set(RELEASED, Status::False, name, &text);
                (Report::info(name, text), Ok(()))
            }
        };
        self.summarize();
        (about(report, Some(&entry)), result)
    }

    fn latest(&self) -> Option<ReleaseSnapshot> {
        history::latest(&self.status.history).cloned()
    }

    fn set(&mut self, type_: &str, status: Status, reason: &str, text: &str) {
        let all = &mut self.status.conditions;
        conditions::set(all, self.stamp, type_, status, reason, text);
    }

    fn summarize(&mut self) {
        summarize(self.object, self.status, self.stamp);
    }
}

/// Who removed a release.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Uninstalled {
    /// This run, or nobody where it failed.
    Now,
    /// It was not there.
    NotFound,
    /// It was marked as removed, and its records are to be kept.
    Before,
}

/// Fact of events: version of what the chart installs.
const APP_VERSION: &str = "app-version";
/// Fact of events: digest of the OCI artifact that the chart comes from.
const OCI_DIGEST: &str = "oci-digest";

/// Adds the facts of a version of a release.
pub(super) fn about(report: Report, entry: Option<&ReleaseSnapshot>) -> Report {
    let Some(entry) = entry else {
        return report;
    };
    report
        .fact(fact::REVISION, Some(&entry.chart_version))
        .fact(fact::TOKEN, Some(&entry.config_digest))
        .fact(APP_VERSION, entry.app_version.as_deref())
        .fact(OCI_DIGEST, entry.oci_digest.as_deref())
}
