//! The end of a release: its objects, then its records.

use std::collections::HashSet;
use std::future::pending;

use bulkhead_api::chain;

use super::change::from_deployed;
use super::install::check_name;
use super::{ActionError, Done, Helm, Run, Target, Uninstall, deployed, now};
use crate::release::encode::EncodeError;
use crate::release::model::{Event, Phase, Release};
use crate::release::objects::Placed;
use crate::release::status::Status;
use crate::release::storage::{Record, StorageError};
use crate::release::update::Removal;
use crate::release::{kinds, ownership};
use crate::target::cluster::all;

impl Helm {
    /// Uninstalls a release: deletes the objects of its newest version, and of failed ones before it
    /// down to the deployed one, as far as they are still its own; then the records, or keeps them.
    ///
    /// One that was broken off goes on where it was: hooks that ran are not run again. The records stay
    /// until the objects are gone, where that is waited for.
    pub async fn uninstall(&self, target: &Target, uninstall: &Uninstall) -> Done {
        let mut run = Run::new(self, target, &uninstall.options, pending());
        let result = run.uninstall(uninstall).await;
        run.end(result)
    }
}

impl Run<'_> {
    async fn uninstall(&mut self, uninstall: &Uninstall) -> Result<(), ActionError> {
        let (helm, name) = (self.helm, self.target.name.as_str());
        check_name(name)?;
        let records = helm.storage.records(name).await?;
        let newest = records.last().ok_or(ActionError::NotFound)?;
        let newest = helm.storage.get(name, newest.version).await?;
        let mut release = newest.ok_or(ActionError::NotFound)?;
        if release.info.status == Status::Uninstalled {
            if uninstall.keep_history {
                return Err(ActionError::AlreadyDeleted(name.to_owned()));
            }
            self.purge(&records, &release).await?;
            self.done.release = Some(release);
            return Ok(());
        }
        let is_resumed = release.info.status == Status::Uninstalling;
        if !is_resumed {
            release.info.deleted = now();
            release.set_status(
                Status::Uninstalling,
                "Deletion in progress (or silently failed)",
            );
        }
        self.done.release = Some(release.clone());
        let result = self
            .take_down(&mut release, &records, uninstall, is_resumed)
            .await;
        self.done.release = Some(release);
        result
    }

    async fn take_down(
        &mut self,
        release: &mut Release,
        records: &[Record],
        uninstall: &Uninstall,
        is_resumed: bool,
    ) -> Result<(), ActionError> {
        let (helm, options) = (self.helm, self.options);
        let began = release.info.deleted;
        let ran = |hook: &crate::release::Hook| {
            let run = &hook.last_run;
            is_resumed
                && run.phase == Phase::SUCCEEDED
                && run.started_at.timestamp() >= began.timestamp()
        };
        // Recorded before the first hook runs: a broken uninstall is no release to upgrade.
        self.note(release).await?;
        let has = |release: &Release, event| release.hooks.iter().any(|hook| hook.is_for(event));
        if options.hooks && has(release, Event::PRE_DELETE) {
            self.hooks(release, Event::PRE_DELETE, options.timeout, |hook| {
                !ran(hook)
            })
            .await?;
            self.note(release).await?;
        }
        let objects = self.objects_since_deployed(release, records).await?;
        let (going, kept) = self.delete_all(release, &objects, uninstall).await?;
        self.done.kept.extend(kept);
        if options.wait.objects {
            let left = helm.wait_until_gone(&going, options.timeout).await;
            let left: Vec<String> = left.iter().map(bulkhead_api::ObjectId::subject).collect();
            if !left.is_empty() {
                return Err(ActionError::NotGone(left));
            }
        }
        let mut errors = Vec::new();
        if options.hooks && has(release, Event::POST_DELETE) {
            let hooks = self.hooks(release, Event::POST_DELETE, options.timeout, |hook| {
                !ran(hook)
            });
            if let Err(error) = hooks.await {
                errors.push(chain(&error));
            }
            self.note(release).await?;
        }
        release.set_status(Status::Uninstalled, "Uninstallation complete");
        if uninstall.keep_history {
            self.update(release).await?;
            let mut earlier = deployed(records);
            earlier.retain(|version| *version != release.version);
            self.supersede(earlier, Vec::new()).await?;
        } else {
            self.purge(records, release).await?;
        }
        if errors.is_empty() {
            Ok(())
        } else {
            Err(ActionError::Uninstalled(errors))
        }
    }

    /// Records how far it is; a record that another has filled to the brim stays as it is.
    async fn note(&mut self, release: &Release) -> Result<(), StorageError> {
        match self.update(release).await {
            Err(StorageError::Encode {
                source: EncodeError::TooLarge { .. },
                ..
            }) => Ok(()),
            result => result,
        }
    }

    /// Reads the objects of the newest version, and of those since the deployed one.
    async fn objects_since_deployed(
        &mut self,
        release: &Release,
        records: &[Record],
    ) -> Result<Vec<Placed>, ActionError> {
        let since = from_deployed(records).split_last();
        let earlier = since.map_or(&[] as &[Record], |(_, earlier)| earlier);
        let mut releases = self.read_earlier(earlier, false).await?;
        releases.push(release.clone());
        let mut objects = self.helm.earlier(&releases).await?;
        let mut seen = HashSet::new();
        objects.retain(|placed| seen.insert(placed.id().clone()));
        Ok(objects)
    }

    /// Deletes objects by kind, in Helm's order; returns what is on its way out, and what stays.
    async fn delete_all<'p>(
        &mut self,
        release: &Release,
        objects: &'p [Placed],
        uninstall: &Uninstall,
    ) -> Result<(Vec<&'p Placed>, Vec<String>), ActionError> {
        let mut sorted: Vec<&Placed> = objects.iter().collect();
        sorted.sort_by(|one, other| kinds::uninstall_order(&one.id().kind, &other.id().kind));
        let owner = Some((release.name.as_str(), release.namespace.as_str()));
        let (mut going, mut kept, mut errors) = (Vec::new(), Vec::new(), Vec::new());
        for kind in sorted.chunk_by(|one, other| one.id().kind == other.id().kind) {
            let is_kept = |placed: &&&Placed| ownership::is_kept_by_manifest(&placed.object);
            let (stay, go): (Vec<&&Placed>, Vec<&&Placed>) = kind.iter().partition(is_kept);
            kept.extend(
                stay.iter()
                    .map(|placed| format!("{}: kept due to the resource policy", placed.told())),
            );
            let results = all(go, |placed| {
                let deleting = self.helm.delete(placed, owner, uninstall.propagation);
                async move { (*placed, deleting.await) }
            });
            for (placed, result) in results.await {
                match result {
                    Ok(Removal::Absent) => {}
                    Ok(Removal::Going) => going.push(placed),
                    Ok(Removal::Kept(told)) => kept.push(told),
                    Err(error) => errors.push(error),
                }
            }
        }
        if errors.is_empty() {
            return Ok((going, kept));
        }
        let name = release.name.clone();
        Err(ActionError::Delete { name, errors })
    }

    /// Deletes the records, the newest last: while it is there, what is left can be found.
    async fn purge(&mut self, records: &[Record], release: &Release) -> Result<(), ActionError> {
        for record in records {
            self.helm
                .storage
                .delete(&release.name, record.version)
                .await?;
        }
        self.observe(release);
        Ok(())
    }
}
