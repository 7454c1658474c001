//! The actions of a release: Helm does them, the status notes them, events tell of them.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use bulkhead_api::helmrelease::{ReleaseSnapshot, TestHookStatus};
use bulkhead_api::meta::{self, Inventory, InventoryEntry};
use bulkhead_api::reason;
use bulkhead_apply::release::{ActionError, Done, HookRun, Release, Target, Time};

use super::act::Act;
use super::content::{For, content};
use super::decide::{Action, Halt};
use super::error::{ContentError, ReleaseError};
use super::load::Observed;
use super::record::{Ended, Uninstalled};
use super::remediation::Remediation;
use super::state::Stored;
use super::{history, options};
use crate::catalogue::ClusterLookup;
use crate::report::Report;
use crate::{clock, status};

impl Act {
    /// Does it. The inner error is of an action that stored nothing.
    pub(super) async fn run(
        &mut self,
        action: Action,
        observed: &Arc<Observed>,
    ) -> Result<Result<(), String>, ReleaseError> {
        match action {
            Action::Install | Action::Upgrade => self.make(action, observed).await,
            Action::Test => self.test().await,
            Action::Unlock => self.unlock().await,
            Action::FinishUninstall => self.finish_uninstall().await,
            Action::CorrectDrift => self.correct().await,
            Action::Rollback => self.roll_back(observed).await,
            Action::UninstallRemediation => self.uninstall_remediation().await,
        }
    }

    async fn make(
        &mut self,
        action: Action,
        observed: &Arc<Observed>,
    ) -> Result<Result<(), String>, ReleaseError> {
        // Nothing was written since the look by which the state was determined.
        let target = Target {
            records: self.listed.take(),
            ..self.target()
        };
        let helm = self.helm().await?;
        let install = options::install(&self.object.spec)?;
        let upgrade = options::upgrade(&self.object.spec)?;
        let reused = match action {
            Action::Upgrade => self.reused(&helm, &target.name, observed).await?,
            _ => None,
        };
        let place = self.place().await?.clone();
        let lookup = ClusterLookup::new(place.client.clone(), place.discovery.clone());
        let local = &self.context.renderer.told().kube_version;
        let kube_version = place.kube_version(local).await?;
        // As of the look by which the state was determined.
        let version = self.newest + 1;
        self.record().begin(action);
        let started = Instant::now();
        let object = self.object.clone();
        let seen = observed.clone();
        let work = async move {
            let wanted = For {
                object: &object,
                parts: &seen.parts,
                is_upgrade: action == Action::Upgrade,
                reused,
                version,
                kube_version,
                api_versions: place.discovery.api_versions().await.unwrap_or_default(),
                lookup: Some(Arc::new(lookup)),
                now: clock::now(),
            };
            let content = content(wanted).await?;
            let crds = content.crds.clone();
            let never = std::future::pending();
            let done = match action {
                Action::Install => helm.install(&target, content, &install, never).await,
                _ => helm.upgrade(&target, content, &upgrade, never).await,
            };
            let inventory = match &done.release {
                Some(release) if !done.snapshots.is_empty() => {
                    Some(helm.inventory(release, &crds).await)
                }
                _ => None,
            };
            Ok::<_, ContentError>((done, inventory, crds))
        };
        let ended = match self.while_slow(work).await {
            Ok((done, inventory, crds)) => {
                self.crds = crds;
                self.take_inventory(inventory);
                told_kept(&done);
                self.keep(done.record.clone(), &done.snapshots);
                ended(done, started)
            }
            Err(error) => Ended {
                error: Some(bulkhead_api::chain(&error)),
                took: started.elapsed(),
                ..Ended::default()
            },
        };
        let wanted = observed.wanted.clone();
        let (report, result) = self.record().released(action, &wanted, &ended);
        self.tell(report);
        Ok(result)
    }

    async fn test(&mut self) -> Result<Result<(), String>, ReleaseError> {
        let (helm, target) = (self.helm().await?, self.target());
        let test = options::test(&self.object.spec)?;
        let started = Instant::now();
        let work = async move { helm.test(&target, &test).await };
        let done = self.while_slow(work).await;
        let hooks = done.release.as_ref().map(hooks);
        self.keep(done.record.clone(), &done.snapshots);
        let ended = ended(done, started);
        let (report, result) = self.record().tested(hooks.unwrap_or_default(), &ended);
        self.tell(report);
        Ok(result)
    }

    async fn unlock(&mut self) -> Result<Result<(), String>, ReleaseError> {
        let (helm, target) = (self.helm().await?, self.target());
        let Some(Stored { snapshot }) = self.stored().await? else {
            return Ok(Ok(()));
        };
        let pending = snapshot.status.to_string();
        let started = Instant::now();
        let done = helm.unlock(&target).await;
        let unlocked = done.snapshots.last().cloned().unwrap_or(snapshot);
        let ended = ended(done, started);
        let (report, result) = self.record().unlocked(&unlocked, &pending, &ended);
        self.tell(report);
        Ok(result)
    }

    /// Goes on with an uninstall that was broken off.
    async fn finish_uninstall(&mut self) -> Result<Result<(), String>, ReleaseError> {
        let Some(Stored { snapshot }) = self.stored().await? else {
            return Ok(Ok(()));
        };
        let helm = self.helm().await?;
        let uninstall = options::uninstall(&self.object.spec)?;
        let target = Target {
            name: snapshot.name.clone(),
            namespace: snapshot.namespace.clone(),
            oci_digests: self.oci_digests(),
            ..Target::default()
        };
        let started = Instant::now();
        let done = self
            .while_slow(async move { helm.uninstall(&target, &uninstall).await })
            .await;
        told_kept(&done);
        let ended = ended(done, started);
        let (report, result) = self.record().unlocked(&snapshot, "uninstalling", &ended);
        self.tell(report);
        Ok(result)
    }

    async fn roll_back(
        &mut self,
        observed: &Arc<Observed>,
    ) -> Result<Result<(), String>, ReleaseError> {
        let spec = &self.object.spec;
        let ignore = Remediation::of_upgrade(spec).ignores_tests(spec);
        let previous = history::previous(&self.status.history, ignore).cloned();
        let previous = previous.ok_or(Halt::MissingTarget)?;
        let (helm, target) = (self.helm().await?, self.target());
        let rollback = options::rollback(spec, previous.version)?;
        let started = Instant::now();
        // They stay with a rollback.
        let crds = std::mem::take(&mut self.crds);
        let work = async move {
            let never = std::future::pending();
            let done = helm.rollback(&target, &rollback, never).await;
            let inventory = match &done.release {
                Some(release) if !done.snapshots.is_empty() => {
                    Some(helm.inventory(release, &crds).await)
                }
                _ => None,
            };
            (done, inventory)
        };
        let (done, inventory) = self.while_slow(work).await;
        self.take_inventory(inventory);
        told_kept(&done);
        let ended = ended(done, started);
        let token = observed.wanted.config_digest.clone();
        let (report, result) = self.record().rolled_back(&previous, &token, &ended);
        self.tell(report);
        Ok(result)
    }

    async fn uninstall_remediation(&mut self) -> Result<Result<(), String>, ReleaseError> {
        let Some(latest) = history::latest(&self.status.history).cloned() else {
            return Ok(Err("no latest release: required to uninstall".to_owned()));
        };
        let helm = self.helm().await?;
        let uninstall = options::uninstall(&self.object.spec)?;
        let target = self.target_of(&latest);
        let started = Instant::now();
        let done = self
            .while_slow(async move { helm.uninstall(&target, &uninstall).await })
            .await;
        told_kept(&done);
        let ended = checked(ended(done, started), &latest);
        let (report, result) = self.record().uninstalled_after_failure(&ended);
        self.tell(report);
        Ok(result)
    }

    /// Removes the release that the history tells of, if any.
    pub(super) async fn uninstall(&mut self) -> Result<(), ReleaseError> {
        let Some(latest) = history::latest(&self.status.history).cloned() else {
            return Ok(());
        };
        let helm = self.helm().await?;
        let uninstall = options::uninstall(&self.object.spec)?;
        let target = self.target_of(&latest);
        let keeps = uninstall.keep_history;
        let started = Instant::now();
        let done = self
            .while_slow(async move { helm.uninstall(&target, &uninstall).await })
            .await;
        told_kept(&done);
        let how = match &done.error {
            Some(ActionError::NotFound) => Uninstalled::NotFound,
            Some(ActionError::AlreadyDeleted(_)) if keeps => Uninstalled::Before,
            _ => Uninstalled::Now,
        };
        let ended = checked(ended(done, started), &latest);
        let report = self.record().uninstalled(how, &ended);
        report.into_iter().for_each(|report| self.tell(report));
        match (how, ended.error) {
            (Uninstalled::Now, Some(error)) => Err(ReleaseError::Action(error)),
            _ => Ok(()),
        }
    }

    pub(super) fn take_inventory(
        &mut self,
        found: Option<Result<Vec<(bulkhead_api::ObjectId, String)>, ActionError>>,
    ) {
        match found {
            Some(Ok(objects)) => {
                let entries = objects.iter().map(|(id, v)| InventoryEntry::new(id, v));
                self.status.inventory = Some(Inventory {
                    entries: entries.collect(),
                });
            }
            Some(Err(error)) => {
                let error = bulkhead_api::chain(&error);
                tracing::error!(error, "failed to build the inventory of the release");
                let text = format!("failed to build inventory for {}: {error}", self.key);
                self.tell(Report::error(reason::helm::INVENTORY_BUILD_FAILED, text));
            }
            None => {}
        }
    }
}

/// Makes of what an action did what is noted of it.
fn ended(done: Done, started: Instant) -> Ended {
    let error = done.error.as_ref().map(|error| {
        let advice = error.advice(reason::FAILED);
        status::explain(error, &advice)
    });
    Ended {
        stored: done.snapshots,
        error,
        took: started.elapsed(),
    }
}

/// An uninstall is of the newest version: that must be the one that the history tells of.
fn checked(ended: Ended, latest: &ReleaseSnapshot) -> Ended {
    let other = ended.stored.iter().max_by_key(|stored| stored.version);
    let other = other.filter(|other| !latest.targets(&other.name, &other.namespace, other.version));
    match (other, &ended.error) {
        (Some(other), None) => Ended {
            error: Some(format!(
                "release mismatch: uninstalled release {} != current release {}",
                other.full_name(),
                latest.full_name()
            )),
            ..ended
        },
        _ => ended,
    }
}

fn told_kept(done: &Done) {
    for line in &done.kept {
        tracing::info!("{line}");
    }
}

/// Returns the tests of a release, those too that no filter selects, as Flux does.
fn hooks(release: &Release) -> BTreeMap<String, TestHookStatus> {
    let time = |at: Time| (!at.is_zero()).then(|| meta::time(at.timestamp()));
    let of = |run: &HookRun| TestHookStatus {
        last_started: time(run.started_at),
        last_completed: time(run.completed_at),
        phase: (!run.phase.is_empty()).then(|| run.phase.clone()),
    };
    let hooks = release.test_hooks(&[]);
    hooks
        .map(|hook| (hook.name.clone(), of(&hook.last_run)))
        .collect()
}
