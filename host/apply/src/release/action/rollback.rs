//! An earlier version once more, as a new one.

use std::future::Future;

use bulkhead_api::chain;

use super::install::check_name;
use super::{ActionError, Done, Helm, Rollback, Run, Target, now};
use crate::release::model::{ApplyMethod, Event, Info, Release};
use crate::release::objects::{Placed, Unknown};
use crate::release::status::Status;
use crate::release::update::Way;

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
        // From the deployed version on, or all where none is: their objects may be there.
        let deployed = records
            .iter()
            .rposition(|one| one.status == Status::Deployed);
        let mut since = Vec::new();
        for record in &records[deployed.unwrap_or_default()..] {
            since.extend(helm.storage.get(&target.name, record.version).await?);
        }
        let current = since.last().ok_or(ActionError::NotFound)?;
        let version = current.version + 1;
        let oci_digest = self.oci_digests.get(&back).cloned();
        self.oci_digests
            .extend(oci_digest.map(|digest| (version, digest)));
        let mut release = Release {
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
        since.retain(|release| release.info.status == Status::Deployed);
        self.create(&release, &records).await?;
        let replaces = rollback.force && release.apply_method == Some(ApplyMethod::ClientSide);
        let way = if replaces { Way::Replace } else { Way::Apply };
        let result = match self.go_back(&mut release, &objects, &earlier, way).await {
            Ok(()) => self.supersede(&records, since).await,
            Err((error, created)) => {
                let told = format!("Rollback \"{}\" failed: {}", target.name, chain(&error));
                self.fail(&mut release, told).await;
                Err(match rollback.cleanup_on_fail {
                    true => helm.clean_up(created, error).await,
                    false => error,
                })
            }
        };
        self.done.release = Some(release);
        result
    }

    async fn go_back<'p>(
        &mut self,
        release: &mut Release,
        objects: &'p [Placed],
        earlier: &[Placed],
        way: Way,
    ) -> Result<(), (ActionError, Vec<&'p Placed>)> {
        let (helm, options) = (self.helm, self.options);
        let plain = |error: ActionError| (error, Vec::new());
        if options.hooks {
            let hooks = self.hooks(release, Event::PRE_ROLLBACK, options.timeout, |_| true);
            hooks.await.map_err(plain)?;
        }
        let applied = helm.apply(objects, way, self.judge()).await;
        if !applied.errors.is_empty() {
            return Err((ActionError::Objects(applied.errors), applied.created));
        }
        let namespace = release.namespace.clone();
        match helm
            .prune(earlier, objects, (&release.name, &namespace))
            .await
        {
            Ok(kept) => self.done.kept.extend(kept),
            Err(errors) => return Err((ActionError::Objects(errors), applied.created)),
        }
        // Helm cleans up only behind objects that could not be applied.
        self.wait_for(&applied.pending).await.map_err(plain)?;
        if options.hooks {
            let hooks = self.hooks(release, Event::POST_ROLLBACK, options.timeout, |_| true);
            hooks.await.map_err(plain)?;
        }
        let described = release.info.description.clone();
        release.set_status(Status::Deployed, described);
        self.update(release)
            .await
            .map_err(|error| plain(error.into()))
    }
}
