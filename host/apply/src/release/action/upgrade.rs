//! A new version over an earlier one.

use std::collections::HashSet;
use std::future::Future;

use bulkhead_api::ObjectId;

use super::change::Change;
use super::install::check_name;
use super::{ActionError, Content, Done, Helm, Run, Target, Upgrade, now};
use crate::release::model::{Event, Info, Release};
use crate::release::objects::{Placed, Unknown};
use crate::release::status::Status;
use crate::release::storage::{Record, StorageError};

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

impl Helm {
    /// Finds the version that an upgrade would start from: the deployed one, or the newest.
    ///
    /// # Errors
    /// [`StorageError`]: records that cannot be read.
    pub async fn current(&self, name: &str) -> Result<Option<Release>, StorageError> {
        let records = self.storage.records(name).await?;
        let mut newest = records.iter().rev();
        let deployed = newest.find(|one| one.status == Status::Deployed);
        match deployed.or(records.last()) {
            Some(record) => self.storage.get(name, record.version).await,
            None => Ok(None),
        }
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
        let method = upgrade.server_side.method(base.last.apply_method);
        let mut labels = base.last.labels.clone();
        labels.extend(content.labels);
        let release = Release {
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
            apply_method: Some(method),
        };
        helm.storage.check(&release)?;
        helm.apply_crds(&content.crds, upgrade.crds, &crd_labels, method)
            .await?;
        let objects = helm.owned_objects(&release, Unknown::Refuse).await?;
        let earlier = helm.earlier(&base.earlier).await?;
        if !upgrade.take_ownership {
            let known: HashSet<&ObjectId> = earlier.iter().map(Placed::id).collect();
            let is_new = |placed: &&Placed| !known.contains(placed.id());
            let new: Vec<&Placed> = objects.iter().filter(is_new).collect();
            let owner = (target.name.as_str(), release.namespace.as_str());
            helm.check_ownership(&new, owner, "update").await?;
        }
        let change = Change {
            name: "Upgrade",
            before: Event::PRE_UPGRADE,
            after: Event::POST_UPGRADE,
            complete: "Upgrade complete".to_owned(),
            force: upgrade.force,
            cleanup_on_fail: upgrade.cleanup_on_fail,
            is_rollback: false,
            supersedes: Some(base.last.version),
        };
        let from = (base.records.as_slice(), base.earlier);
        self.change(release, (&objects, &earlier), from, change)
            .await
    }

    /// Finds what an upgrade starts from.
    pub(super) async fn base(&mut self) -> Result<Base, ActionError> {
        let name = &self.target.name;
        let records = self.records().await?;
        let none = || ActionError::NoDeployed(name.clone());
        let last = records.last().ok_or_else(none)?;
        if last.status.is_pending() {
            return Err(ActionError::Pending);
        }
        let is_deployed = records.iter().any(|one| one.status == Status::Deployed);
        if !is_deployed && !matches!(last.status, Status::Failed | Status::Superseded) {
            return Err(none());
        }
        let earlier = self.since_deployed(&records).await?;
        let last = earlier.last().cloned().ok_or_else(none)?;
        Ok(Base {
            records,
            last,
            earlier,
        })
    }
}
