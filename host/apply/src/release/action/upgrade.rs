//! A new version over an earlier one.

use std::future::Future;

use bulkhead_api::chain;

use super::install::check_name;
use super::{ActionError, Content, Done, Helm, Run, Target, Upgrade, now};
use crate::release::model::{ApplyMethod, Event, Info, Release};
use crate::release::objects::{Placed, Unknown};
use crate::release::status::Status;
use crate::release::storage::Record;
use crate::release::update::Way;

impl Helm {
    /// Upgrades a release. `cancel` ends the wait for its objects.
    ///
    /// Recorded as pending, then as deployed or failed; the versions that were deployed before are
    /// superseded. Pruned is what the deployed version has, and what failed ones since then have, and
    /// the new one has not.
    pub async fn upgrade(
        &self,
        target: &Target,
        content: Content,
        upgrade: &Upgrade,
        cancel: impl Future<Output = ()> + Send + Sync,
    ) -> Done {
        let mut run = Run::new(self, target, &upgrade.options, cancel);
        let result = run.upgrade(content, upgrade).await;
        run.end(result)
    }
}

/// What an upgrade starts from.
pub(super) struct Base {
    /// What is recorded.
    pub(super) records: Vec<Record>,
    /// The newest version.
    pub(super) last: Release,
    /// The versions whose objects may be there: the deployed one, and those since.
    pub(super) earlier: Vec<Release>,
}

impl Base {
    /// The version whose first deployment counts: the deployed one, or the newest.
    pub(super) fn current(&self) -> &Release {
        let mut earlier = self.earlier.iter();
        earlier
            .find(|release| release.info.status == Status::Deployed)
            .unwrap_or(&self.last)
    }
}

impl Run<'_> {
    async fn upgrade(&mut self, content: Content, upgrade: &Upgrade) -> Result<(), ActionError> {
        let (helm, target) = (self.helm, self.target);
        check_name(&target.name)?;
        let base = self.base().await?;
        let version = base.last.version + 1;
        self.oci_digests.insert(version, content.oci_digest.clone());
        let crd_labels = content.crd_labels.clone();
        let mut labels = base.last.labels.clone();
        labels.extend(content.labels);
        let mut release = Release {
            name: target.name.clone(),
            info: Info {
                first_deployed: base.current().info.first_deployed,
                last_deployed: now(),
                status: Status::PendingUpgrade,
                description: "Preparing upgrade".to_owned(),
                notes: content.notes,
                ..Info::default()
            },
            chart: content.chart,
            config: content.config,
            manifest: content.manifest,
            hooks: content.hooks,
            version,
            namespace: base.current().namespace.clone(),
            labels,
            apply_method: Some(upgrade.server_side.method(base.last.apply_method)),
        };
        helm.storage.check(&release)?;
        helm.apply_crds(&content.crds, upgrade.crds, &crd_labels)
            .await?;
        let objects = helm.owned_objects(&release, Unknown::Refuse).await?;
        let earlier = helm.earlier(&base.earlier).await?;
        if !upgrade.take_ownership {
            let is_new = |placed: &&Placed| !earlier.iter().any(|old| old.id() == placed.id());
            let new: Vec<&Placed> = objects.iter().filter(is_new).collect();
            let owner = (target.name.as_str(), release.namespace.as_str());
            helm.check_ownership(&new, owner, "update").await?;
        }
        let Base {
            records,
            earlier: mut deployed,
            ..
        } = base;
        deployed.retain(|release| release.info.status == Status::Deployed);
        self.create(&release, &records).await?;
        let replaces = upgrade.force && release.apply_method == Some(ApplyMethod::ClientSide);
        let way = if replaces { Way::Replace } else { Way::Apply };
        let result = match self.replace(&mut release, &objects, &earlier, way).await {
            Ok(()) => self.supersede(&records, deployed).await,
            Err((error, created)) => {
                let told = format!("Upgrade \"{}\" failed: {}", target.name, chain(&error));
                self.fail(&mut release, told).await;
                Err(match upgrade.cleanup_on_fail {
                    true => helm.clean_up(created, error).await,
                    false => error,
                })
            }
        };
        self.done.release = Some(release);
        result
    }

    /// Finds what an upgrade starts from.
    pub(super) async fn base(&mut self) -> Result<Base, ActionError> {
        let (helm, name) = (self.helm, &self.target.name);
        let records = helm.storage.records(name).await?;
        let none = || ActionError::NoDeployed(name.clone());
        let last = records.last().ok_or_else(none)?;
        if last.status.is_pending() {
            return Err(ActionError::Pending);
        }
        let deployed = records
            .iter()
            .rposition(|one| one.status == Status::Deployed);
        if deployed.is_none() && !matches!(last.status, Status::Failed | Status::Superseded) {
            return Err(none());
        }
        // Without a deployed version, any of them may have left something.
        let since = &records[deployed.unwrap_or_default()..];
        let mut earlier = Vec::new();
        for Record { version, .. } in since {
            earlier.extend(helm.storage.get(name, *version).await?);
        }
        let last = earlier.last().cloned().ok_or_else(none)?;
        Ok(Base {
            records,
            last,
            earlier,
        })
    }

    async fn replace<'p>(
        &mut self,
        release: &mut Release,
        objects: &'p [Placed],
        earlier: &[Placed],
        way: Way,
    ) -> Result<(), (ActionError, Vec<&'p Placed>)> {
        let (helm, options) = (self.helm, self.options);
        let plain = |error: ActionError| (error, Vec::new());
        if options.hooks {
            let hooks = self.hooks(release, Event::PRE_UPGRADE, options.timeout, |_| true);
            hooks.await.map_err(plain)?;
        }
        let applied = helm.apply(objects, way, self.judge()).await;
        let created = applied.created;
        if !applied.errors.is_empty() {
            return Err((ActionError::Objects(applied.errors), created));
        }
        let namespace = release.namespace.clone();
        match helm
            .prune(earlier, objects, (&release.name, &namespace))
            .await
        {
            Ok(kept) => self.done.kept.extend(kept),
            Err(errors) => return Err((ActionError::Objects(errors), created)),
        }
        if let Err(error) = self.wait_for(&applied.pending).await {
            return Err((error, created));
        }
        if options.hooks {
            let hooks = self.hooks(release, Event::POST_UPGRADE, options.timeout, |_| true);
            if let Err(error) = hooks.await {
                return Err((error, created));
            }
        }
        // The new version first: were the process to end in between, two deployed versions are told
        // apart by their numbers, and a pending one would look broken off.
        release.set_status(Status::Deployed, "Upgrade complete");
        self.update(release)
            .await
            .map_err(|error| plain(error.into()))
    }
}

impl Helm {
    /// Reads the objects of earlier versions, each once.
    pub(super) async fn earlier(&self, releases: &[Release]) -> Result<Vec<Placed>, ActionError> {
        let mut found: Vec<Placed> = Vec::new();
        for release in releases.iter().rev() {
            let objects = self
                .objects(&release.manifest, &release.namespace, Unknown::Drop)
                .await?;
            for placed in objects {
                if !found.iter().any(|known| known.id() == placed.id()) {
                    found.push(placed);
                }
            }
        }
        Ok(found)
    }
}
