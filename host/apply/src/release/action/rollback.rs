//! An earlier version once more, as a new one.

use std::future::Future;

use super::change::Change;
use super::install::check_name;
use super::{ActionError, Done, Helm, Rollback, Run, Target, now};
use crate::release::model::{Event, Info, Release};
use crate::release::objects::Unknown;
use crate::release::status::Status;

impl Helm {
    /// Rolls a release back. `cancel` ends the wait for its objects.
    ///
    /// Recorded as pending, then as deployed or failed. Unlike Helm, whose rollback forgets them, it
    /// prunes what any version since the deployed one has brought.
    pub async fn rollback(
        &self,
        target: &Target,
        rollback: &Rollback,
        cancel: impl Future<Output = ()> + Send + Sync,
    ) -> Done {
        let mut run = Run::new(self, target, &rollback.options, cancel);
        let result = run.rollback(rollback).await;
        run.end(result)
    }
}

impl Run<'_> {
    async fn rollback(&mut self, rollback: &Rollback) -> Result<(), ActionError> {
        let (helm, target) = (self.helm, self.target);
        check_name(&target.name)?;
        let records = helm.storage.records(&target.name).await?;
        let newest = records.last().ok_or(ActionError::NotFound)?;
        if newest.status.is_pending() {
            return Err(ActionError::Pending);
        }
        let back = match rollback.version {
            0 => newest.version - 1,
            version => version,
        };
        let gone = || ActionError::NoVersion(back);
        let previous = helm
            .storage
            .get(&target.name, back)
            .await?
            .ok_or_else(gone)?;
        let since = self.since_deployed(&records).await?;
        let current = since.last().ok_or(ActionError::NotFound)?;
        let version = current.version + 1;
        let oci_digest = self.oci_digests.get(&back).cloned();
        self.oci_digests
            .extend(oci_digest.map(|digest| (version, digest)));
        let release = Release {
            name: target.name.clone(),
            info: Info {
                first_deployed: current.info.first_deployed,
                last_deployed: now(),
                status: Status::PendingRollback,
                description: format!("Rollback to {back}"),
                rollback_revision: back,
                notes: previous.info.notes,
                ..Info::default()
            },
            chart: previous.chart,
            config: previous.config,
            manifest: previous.manifest,
            hooks: previous.hooks,
            version,
            namespace: current.namespace.clone(),
            labels: previous.labels,
            apply_method: Some(rollback.server_side.method(previous.apply_method)),
        };
        helm.storage.check(&release)?;
        let objects = helm.owned_objects(&release, Unknown::Refuse).await?;
        let earlier = helm.earlier(&since).await?;
        let change = Change {
            name: "Rollback",
            before: Event::PRE_ROLLBACK,
            after: Event::POST_ROLLBACK,
            complete: release.info.description.clone(),
            force: rollback.force,
            cleanup_on_fail: rollback.cleanup_on_fail,
            is_rollback: true,
            supersedes: None,
        };
        self.change(release, (&objects, &earlier), (&records, since), change)
            .await
    }
}
