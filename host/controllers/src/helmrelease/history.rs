//! The history of a release in its status: newest first, one entry a version. Pure.
//!
//! # Source
//! `Snapshots` of helm-controller 1.6, `api/v2/snapshot_types.go`; `observedReleases` and the observe
//! functions of `internal/reconcile`.

use bulkhead_api::helmrelease::{HelmReleaseSpec, ReleaseAction, ReleaseSnapshot};
use bulkhead_api::meta;
use bulkhead_apply::release;

/// Entries that are kept where there is nothing to roll back to.
const KEPT: usize = HelmReleaseSpec::DEFAULT_MAX_HISTORY as usize;

/// Makes an entry of what was stored.
pub(super) fn entry(stored: &release::Snapshot, action: Option<ReleaseAction>) -> ReleaseSnapshot {
    let text = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    let time = |at: release::Time| (!at.is_zero()).then(|| meta::time(at.timestamp()));
    ReleaseSnapshot {
        api_version: Some(ReleaseSnapshot::API_VERSION.to_owned()),
        digest: stored.digest.clone(),
        name: stored.name.clone(),
        namespace: stored.namespace.clone(),
        version: stored.version,
        status: stored.status.as_str().to_owned(),
        action,
        chart_name: stored.chart_name.clone(),
        chart_version: stored.chart_version.clone(),
        app_version: text(&stored.app_version),
        config_digest: stored.config_digest.clone(),
        first_deployed: time(stored.first_deployed),
        last_deployed: time(stored.last_deployed),
        deleted: time(stored.deleted),
        test_hooks: None,
        oci_digest: text(&stored.oci_digest),
    }
}

/// Puts the newest version first.
fn sort(history: &mut [ReleaseSnapshot]) {
    history.sort_by_key(|entry| std::cmp::Reverse(entry.version));
}

/// Returns the newest entry.
pub(super) fn latest(history: &[ReleaseSnapshot]) -> Option<&ReleaseSnapshot> {
    history.iter().max_by_key(|entry| entry.version)
}

/// Returns the newest entry before the newest that can be rolled back to.
pub(super) fn previous(
    history: &[ReleaseSnapshot],
    ignore_tests: bool,
) -> Option<&ReleaseSnapshot> {
    let newest = latest(history)?.version;
    let earlier = history.iter().filter(|entry| entry.version != newest);
    earlier
        .filter(|entry| entry.is_target(ignore_tests))
        .max_by_key(|entry| entry.version)
}

/// Forgets what is older than what can be rolled back to.
pub(super) fn truncate(history: &mut Vec<ReleaseSnapshot>, ignore_tests: bool) {
    if history.len() < 2 {
        return;
    }
    sort(history);
    let target = history
        .iter()
        .skip(1)
        .position(|entry| entry.is_target(ignore_tests));
    history.truncate(target.map_or(KEPT, |position| position + 2));
}

/// Forgets all but the newest few.
pub(super) fn truncate_to_newest(history: &mut Vec<ReleaseSnapshot>) {
    sort(history);
    history.truncate(KEPT);
}

/// Notes what an install or upgrade stored: the newest version is a new entry, older ones are brought
/// up to date where there is an entry. What made the one that it started from is forgotten, as in Flux,
/// where Helm writes that one again whether the new one fails or not.
pub(super) fn record(
    history: &mut Vec<ReleaseSnapshot>,
    stored: &[release::Snapshot],
    action: &ReleaseAction,
) {
    let Some(newest) = stored.iter().max_by_key(|stored| stored.version) else {
        return;
    };
    let older = stored
        .iter()
        .filter(|stored| stored.version != newest.version);
    let mut is_told = false;
    for stored in older {
        is_told |= update(history, stored, None);
    }
    history.retain(|entry| !is_about(entry, newest));
    let is_deployed = |entry: &ReleaseSnapshot| entry.status == "deployed";
    let from = history.iter().position(is_deployed).unwrap_or_default();
    if let Some(from) = history.get_mut(from).filter(|_| !is_told) {
        from.action = None;
    }
    history.insert(0, entry(newest, Some(action.clone())));
    sort(history);
}

/// Notes what another action stored: entries are brought up to date; a version without one is a new
/// entry where `adds` says so. Without an action, each keeps what made it.
pub(super) fn observe(
    history: &mut Vec<ReleaseSnapshot>,
    stored: &[release::Snapshot],
    action: Option<&ReleaseAction>,
    adds: bool,
) {
    for stored in stored {
        let before = history.iter().find(|entry| is_about(entry, stored));
        let made = action.cloned().or_else(|| before?.action.clone());
        if !update(history, stored, made.clone()) && adds {
            history.insert(0, entry(stored, made));
        }
    }
    sort(history);
}

fn is_about(entry: &ReleaseSnapshot, stored: &release::Snapshot) -> bool {
    entry.targets(&stored.name, &stored.namespace, stored.version)
}

/// Brings the entry of a version up to date; the tests and the digest of the artifact stay.
fn update(
    history: &mut [ReleaseSnapshot],
    stored: &release::Snapshot,
    action: Option<ReleaseAction>,
) -> bool {
    let Some(old) = history.iter_mut().find(|entry| is_about(entry, stored)) else {
        return false;
    };
    let new = ReleaseSnapshot {
        test_hooks: old.test_hooks.take(),
        oci_digest: old.oci_digest.take(),
        ..entry(stored, action)
    };
    *old = new;
    true
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(in super::super) fn version(version: i64, status: &str) -> ReleaseSnapshot {
        ReleaseSnapshot {
            api_version: Some("v2".into()),
            digest: format!("sha256:{version}"),
            name: "web".into(),
            namespace: "apps".into(),
            version,
            status: status.into(),
            chart_name: "podinfo".into(),
            chart_version: "6.5.0".into(),
            config_digest: "sha256:c".into(),
            ..Default::default()
        }
    }

    fn versions(history: &[ReleaseSnapshot]) -> Vec<i64> {
        history.iter().map(|entry| entry.version).collect()
    }

    #[test]
    fn what_is_older_than_the_target_is_forgotten() {
        let mut history = vec![
            version(1, "superseded"),
            version(4, "failed"),
            version(3, "failed"),
            version(2, "superseded"),
        ];
        assert_eq!(
            previous(&history, false).map(|entry| entry.version),
            Some(2)
        );
        truncate(&mut history, false);
        assert_eq!(versions(&history), [4, 3, 2]);
        let mut failed: Vec<_> = (1..=7).map(|number| version(number, "failed")).collect();
        assert_eq!(previous(&failed, false), None);
        truncate(&mut failed, false);
        assert_eq!(versions(&failed), [7, 6, 5, 4, 3]);
        let mut alone = vec![version(1, "deployed")];
        truncate(&mut alone, false);
        assert_eq!(versions(&alone), [1]);
    }
}
