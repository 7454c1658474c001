//! Texts of conditions and events, as helm-controller 1.6 words them. Pure.

use std::time::Duration;

use bulkhead_api::duration::go_text;
use bulkhead_api::helmrelease::{HelmRelease, ReleaseSnapshot};

use super::state::Wanted;

/// Condition `Drifted` of a release that has not.
pub(super) const NO_DRIFT: &str = "No drift detected against the cluster state";

/// Condition `Ready` of a release that is put right.
pub(super) const CORRECTING: &str = "correcting cluster drift";
/// Condition `Reconciling` until there is something to do.
pub(super) const PREREQUISITES: &str = "Fulfilling prerequisites";

fn names(entry: Option<&ReleaseSnapshot>) -> (String, String) {
    entry.map_or_else(Default::default, |entry| (entry.full_name(), entry.chart()))
}

pub(super) fn running(action: &str, timeout: Duration) -> String {
    format!(
        "Running '{action}' action with timeout of {}",
        go_text(timeout)
    )
}

pub(super) fn install_succeeded(entry: Option<&ReleaseSnapshot>) -> String {
    let (release, chart) = names(entry);
    format!("Helm install succeeded for release {release} with chart {chart}")
}

pub(super) fn upgrade_succeeded(entry: Option<&ReleaseSnapshot>) -> String {
    let (release, chart) = names(entry);
    format!("Helm upgrade succeeded for release {release} with chart {chart}")
}

/// `action` is `install` or `upgrade`.
pub(super) fn release_failed(
    action: &str,
    object: &HelmRelease,
    wanted: &Wanted,
    error: &str,
) -> String {
    let (namespace, name) = (object.release_namespace(), object.release_name());
    let (chart, version) = (&wanted.chart_name, &wanted.chart_version);
    format!(
        "Helm {action} failed for release {namespace}/{name} with chart {chart}@{version}: {error}"
    )
}

pub(super) fn awaiting_tests(entry: Option<&ReleaseSnapshot>) -> String {
    let (release, chart) = names(entry);
    format!("Helm release {release} with chart {chart} is awaiting tests")
}

pub(super) fn test_failed(entry: Option<&ReleaseSnapshot>, error: &str) -> String {
    let (release, chart) = names(entry);
    format!("Helm test failed for release {release} with chart {chart}: {error}")
}

pub(super) fn test_succeeded(entry: Option<&ReleaseSnapshot>) -> String {
    let (release, chart) = names(entry);
    let many = entry.and_then(|entry| entry.test_hooks.as_ref());
    let hooks = match many.map_or(0, |hooks| hooks.len()) {
        0 => "no test hooks".to_owned(),
        1 => "1 test hook completed successfully".to_owned(),
        many => format!("{many} test hooks completed successfully"),
    };
    format!("Helm test succeeded for release {release} with chart {chart}: {hooks}")
}

pub(super) fn rollback_failed(entry: Option<&ReleaseSnapshot>, error: &str) -> String {
    let (release, chart) = names(entry);
    format!("Helm rollback to previous release {release} with chart {chart} failed: {error}")
}

pub(super) fn rollback_succeeded(entry: Option<&ReleaseSnapshot>) -> String {
    let (release, chart) = names(entry);
    format!("Helm rollback to previous release {release} with chart {chart} succeeded")
}

pub(super) fn uninstall_remediation_failed(entry: Option<&ReleaseSnapshot>, error: &str) -> String {
    let (release, chart) = names(entry);
    format!("Helm uninstall remediation for release {release} with chart {chart} failed: {error}")
}

pub(super) fn uninstall_remediation_succeeded(entry: Option<&ReleaseSnapshot>) -> String {
    let (release, chart) = names(entry);
    format!("Helm uninstall remediation for release {release} with chart {chart} succeeded")
}

pub(super) fn uninstall_failed(entry: Option<&ReleaseSnapshot>, error: &str) -> String {
    let (release, chart) = names(entry);
    format!("Helm uninstall failed for release {release} with chart {chart}: {error}")
}

pub(super) fn uninstall_succeeded(entry: Option<&ReleaseSnapshot>) -> String {
    let (release, chart) = names(entry);
    format!("Helm uninstall succeeded for release {release} with chart {chart}")
}

pub(super) fn uninstall_not_found(entry: Option<&ReleaseSnapshot>) -> String {
    let (release, _) = names(entry);
    format!("Release {release} was not found, assuming it is uninstalled")
}

pub(super) fn uninstall_done_before(entry: Option<&ReleaseSnapshot>) -> String {
    let (release, _) = names(entry);
    format!("Release {release} was already uninstalled")
}

pub(super) fn unlocked(entry: Option<&ReleaseSnapshot>, status: &str) -> String {
    let (release, chart) = names(entry);
    format!("Unlocked Helm release {release} with chart {chart} in {status} state")
}

pub(super) fn unlock_failed(entry: Option<&ReleaseSnapshot>, status: &str, error: &str) -> String {
    let (release, chart) = names(entry);
    format!("Unlock of Helm release {release} with chart {chart} in {status} state failed: {error}")
}

pub(super) fn drifted(entry: Option<&ReleaseSnapshot>, lines: &str) -> String {
    let (release, _) = names(entry);
    format!("Cluster state of release {release} has drifted from the desired state:\n{lines}")
}

pub(super) fn corrected(entry: Option<&ReleaseSnapshot>, lines: &str) -> String {
    let (release, _) = names(entry);
    format!("Cluster state of release {release} has been corrected:\n{lines}")
}

pub(super) fn not_corrected(
    entry: Option<&ReleaseSnapshot>,
    errors: &str,
    corrected: &str,
) -> String {
    let (release, _) = names(entry);
    let partially = if corrected.is_empty() {
        ""
    } else {
        "partially "
    };
    let mut text =
        format!("Failed to {partially}correct cluster state of release {release}:\n{errors}");
    if !corrected.is_empty() {
        text.push_str("\n\nSuccessful corrections:\n");
        text.push_str(corrected);
    }
    text
}

pub(super) fn exceeded(action: &str, attempts: i64) -> String {
    format!("Failed to {action} after {attempts} attempt(s)")
}

pub(super) fn retrying(after: Duration) -> String {
    format!("retrying after {}", go_text(after))
}
