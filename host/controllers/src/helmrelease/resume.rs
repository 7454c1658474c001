//! The last action of a process that ended before it noted it: Helm's record tells what it did.
//!
//! Without this, a release that the history does not know is somebody else's: it would be upgraded
//! once more, and what it could be rolled back to would be forgotten. A record is taken for this
//! object's own only where every object in it carries this object's labels, it is the one that comes
//! next in the history, and, where there is no history, the record carries the object's UID. A version
//! that was broken off is no failure of the release: it does not count.

use std::time::Duration;

use bulkhead_api::helmrelease::{HelmRelease, HelmReleaseStatus, ReleaseAction, ReleaseSnapshot};
use bulkhead_api::names::label;
use bulkhead_apply::release::{Done, Release, Snapshot, Status, origin_labels};

use super::act::Act;
use super::decide::Action;
use super::error::ReleaseError;
use super::history;
use super::load::Observed;
use super::record::Ended;
use super::remediation::Remediation;
use super::state::Stored;

/// Says which action of this object's made `release`, of which the history does not know; `None` where
/// that cannot be told.
pub(super) fn made_by(
    object: &HelmRelease,
    status: &HelmReleaseStatus,
    release: &Release,
) -> Option<Action> {
    let name = object.metadata.name.as_deref().unwrap_or_default();
    if !release.has_labels(&origin_labels(name, object.own_namespace())) {
        return None;
    }
    let info = &release.info;
    // A version that an uninstall or a later one has ended was not made by what was broken off.
    if matches!(
        info.status,
        Status::Superseded | Status::Uninstalling | Status::Uninstalled
    ) {
        return None;
    }
    let latest = history::latest(&status.history);
    // Flux calls one that it removed after a failure `uninstalling`.
    let is_gone = |latest: &ReleaseSnapshot| latest.status.starts_with("uninstall");
    let Some(latest) = latest.filter(|latest| !is_gone(latest)) else {
        let uid = release.labels.get(label::HELM_RELEASE_UID);
        let is_own = uid.is_some() && uid == object.metadata.uid.as_ref();
        return match (is_own && info.rollback_revision == 0, release.version) {
            (false, _) => None,
            (true, 1) => Some(Action::Install),
            (true, _) => Some(Action::Upgrade),
        };
    };
    if !latest.targets(&release.name, &release.namespace, release.version - 1) {
        return None;
    }
    if info.rollback_revision == 0 {
        return Some(Action::Upgrade);
    }
    // One that was due: whoever else rolls back wants something that is not wanted.
    let remediation = Remediation::active(&object.spec, status)?;
    let ignore = Remediation::of_upgrade(&object.spec).ignores_tests(&object.spec);
    let target = history::previous(&status.history, ignore)?;
    let is_due = remediation.failures(status) > 0 && target.version == info.rollback_revision;
    is_due.then_some(Action::Rollback)
}

impl Act {
    /// Notes what the last action did, if nothing tells of it but its record.
    ///
    /// Returns whether there was one.
    pub(super) async fn resume(&mut self, observed: &Observed) -> Result<bool, ReleaseError> {
        let Some(Stored { snapshot }) = self.stored().await? else {
            return Ok(false);
        };
        let helm = self.helm().await?;
        let release = helm.storage().get(&snapshot.name, snapshot.version).await;
        let Some(release) = release.map_err(ReleaseError::from)? else {
            return Ok(false);
        };
        let Some(action) = made_by(&self.object, &self.status, &release) else {
            return Ok(false);
        };
        let history = &self.status.history;
        let versions: Vec<i64> = history.iter().map(|entry| entry.version).collect();
        let done = helm.settle(&self.target(), &versions).await;
        if let Some(error) = done.error {
            return Err(ReleaseError::Action(bulkhead_api::chain(&error)));
        }
        self.take_inventory(Some(helm.inventory(&release, &[]).await));
        tracing::info!(
            version = release.version,
            "found the record of a '{}' action that was not noted: taking it up",
            action.name()
        );
        self.note(action, &release, &done, observed);
        Ok(true)
    }

    fn note(&mut self, action: Action, release: &Release, done: &Done, observed: &Observed) {
        let previous = history::previous(&self.status.history, true).cloned();
        let oci_digest = match (action, &previous) {
            (Action::Rollback, Some(previous)) => previous.oci_digest.clone().unwrap_or_default(),
            _ => observed.wanted.oci_digest.clone(),
        };
        let newest = Snapshot::of(release, &oci_digest);
        let earlier = done.snapshots.iter();
        let earlier = earlier.filter(|one| one.version != release.version);
        let stored: Vec<Snapshot> = earlier.cloned().chain([newest]).collect();
        // What was read of it so far has no digest of an artifact.
        self.context.releases.forget_record(&self.key);
        let is_failed = release.info.status == Status::Failed;
        let ended = Ended {
            stored,
            error: is_failed.then(|| release.info.description.clone()),
            took: Duration::ZERO,
        };
        let report = match (action, previous) {
            (Action::Rollback, Some(previous)) if !release.was_unlocked() => {
                let token = &observed.wanted.config_digest;
                Some(self.record().rolled_back(&previous, token, &ended).0)
            }
            (Action::Rollback, _) => {
                let stored = &ended.stored;
                history::observe(&mut self.status.history, stored, None, true);
                None
            }
            _ => {
                self.record().begin(action);
                if release.was_unlocked() {
                    let made = match action {
                        Action::Install => ReleaseAction::Install,
                        _ => ReleaseAction::Upgrade,
                    };
                    history::record(&mut self.status.history, &ended.stored, &made);
                    None
                } else {
                    Some(self.record().released(action, &observed.wanted, &ended).0)
                }
            }
        };
        report.into_iter().for_each(|report| self.tell(report));
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may")]

    use serde_json::json;

    use super::*;
    use crate::helmrelease::history::tests::version;

    fn object() -> HelmRelease {
        serde_json::from_value(json!({
            "metadata": {
                "name": "web", "namespace": "apps", "generation": 1, "uid": "one",
            },
            "spec": { "interval": "1m", "chart": { "spec": {
                "chart": "podinfo", "sourceRef": { "kind": "HelmRepository", "name": "x" },
            } } },
        }))
        .unwrap()
    }

    /// A version with the labels of an object of this name, made by the one of this UID.
    fn release(number: i64, uid: &str, owner: &str) -> Release {
        let label = "helm.toolkit.fluxcd.io";
        Release {
            name: "web".into(),
            namespace: "apps".into(),
            version: number,
            manifest: format!(
                "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: a\n  labels:\n    \
                 {label}/name: {owner}\n    {label}/namespace: apps\n"
            ),
            labels: [(label::HELM_RELEASE_UID.to_owned(), uid.to_owned())].into(),
            ..Release::default()
        }
    }

    #[test]
    fn without_a_history_only_what_has_the_uid_is_ours() {
        let (object, status) = (object(), HelmReleaseStatus::default());
        let of = |release: &Release| made_by(&object, &status, release);
        assert_eq!(of(&release(1, "one", "web")), Some(Action::Install));
        assert_eq!(of(&release(4, "one", "web")), Some(Action::Upgrade));
        assert_eq!(of(&release(1, "two", "web")), None, "of the object before");
        assert_eq!(
            of(&release(1, "one", "other")),
            None,
            "made by `helm` since"
        );
        let mut of_flux = release(1, "one", "web");
        of_flux.labels.clear();
        assert_eq!(of(&of_flux), None, "upgraded, as Flux does");
        let mut back = release(3, "one", "web");
        back.info.rollback_revision = 1;
        assert_eq!(of(&back), None, "nobody failed");
    }

    #[test]
    fn with_a_history_only_what_comes_next_is_ours() {
        let object = object();
        let mut status = HelmReleaseStatus {
            history: vec![version(2, "failed"), version(1, "superseded")],
            last_attempted_release_action: Some(ReleaseAction::Upgrade),
            ..HelmReleaseStatus::default()
        };
        let next = release(3, "one", "web");
        assert_eq!(made_by(&object, &status, &next), Some(Action::Upgrade));
        assert_eq!(made_by(&object, &status, &release(4, "one", "web")), None);
        assert_eq!(made_by(&object, &status, &release(2, "one", "web")), None);
        // A rollback is ours where one was due, to the version that it was due to.
        let mut back = next;
        back.info.rollback_revision = 1;
        assert_eq!(made_by(&object, &status, &back), None);
        status.upgrade_failures = 1;
        assert_eq!(made_by(&object, &status, &back), Some(Action::Rollback));
        back.info.rollback_revision = 2;
        assert_eq!(made_by(&object, &status, &back), None);
    }
}
