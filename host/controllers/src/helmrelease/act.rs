//! Does what is decided about a release, action by action, until there is nothing left to do or it is
//! to be tried again.
//!
//! # Source
//! `AtomicRelease` of helm-controller 1.6: of each kind of action one a run, and nothing after a
//! remediation.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bulkhead_api::conditions::{self, Stamp, Status};
use bulkhead_api::helmrelease::{HelmRelease, HelmReleaseStatus, ReleaseSnapshot};
use bulkhead_api::names::condition::{READY, RECONCILING, STALLED};
use bulkhead_api::{StatusFields as _, reason};
use bulkhead_apply::health::Checks;
use bulkhead_apply::release::{
    Crd, Drift, Helm, Record as Stamped, Snapshot, Storage, Target, shorten_name,
};

use tokio::sync::OnceCell;

use super::decide::{self, Action, Halt, Kind, RollbackTarget};
use super::error::ReleaseError;
use super::load::Observed;
use super::memory::Known;
use super::record::Record;
use super::remediation::{self, Remediation};
use super::state::{self, State, Stored, Wanted};
use super::summary::summarize;
use super::{history, message, options, target};
use crate::clock;
use crate::context::Context;
use crate::place::Place;
use crate::queue::Key;
use crate::report::{Audience, Report};
use crate::status::{self, WriteError};
use crate::watch::key_of;

/// After this long, an action says that it is under way; a shorter one is not worth a write.
const SILENT_FOR: Duration = Duration::from_secs(2);

/// How a run ends, if nothing is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// The release is as it should be.
    Done,
    /// It is tried again after this long.
    RetryAfter(Duration),
    /// It goes on as soon as the pauses between failures allow.
    Requeue,
    /// It goes on at once.
    Again,
    /// It is suspended.
    Suspended,
    /// The object may go.
    Finalized,
}

/// A run.
pub(super) struct Act {
    pub(super) context: Arc<Context>,
    /// The object as it was last written.
    pub(super) object: Arc<HelmRelease>,
    /// The status as it will be.
    pub(super) status: HelmReleaseStatus,
    pub(super) key: Key,
    /// Whether nothing is known to have changed: then a watch may say that nothing has.
    pub(super) trusts_watch: bool,
    /// The newest version, as an action of this run has just left it.
    pub(super) made: Option<Known>,
    /// Number of the newest version that was seen; 0 for none.
    pub(super) newest: i64,
    /// The CRDs of the chart that this run tried to bring.
    pub(super) crds: Vec<Crd>,
    /// The records, where the last look listed them.
    pub(super) listed: Option<Vec<Stamped>>,
    /// What the last comparison found.
    pub(super) drift: Option<Arc<Drift>>,
    place: OnceCell<Place>,
}

impl Act {
    pub(super) fn new(context: &Arc<Context>, object: &Arc<HelmRelease>) -> Self {
        Self {
            context: context.clone(),
            object: object.clone(),
            status: object.status.clone(),
            key: key_of(&**object),
            trusts_watch: false,
            made: None,
            newest: 0,
            listed: None,
            crds: Vec::new(),
            drift: None,
            place: OnceCell::new(),
        }
    }

    pub(super) fn stamp(&self) -> Stamp {
        Stamp::of(&self.object.metadata, clock::now())
    }

    /// Reports on the object.
    pub(super) fn tell(&self, report: Report) {
        let event = report.about(&*self.object, clock::now());
        self.context.reporter.report(event, Audience::Everyone);
    }

    /// Says that the run has begun: what keeps it from an action leaves this in place, as in Flux.
    pub(super) fn begin(&mut self) {
        let stamp = self.stamp();
        let (all, name) = (&mut self.status.conditions, reason::PROGRESSING);
        conditions::remove(all, STALLED);
        let told = message::PREREQUISITES;
        conditions::set(all, stamp, RECONCILING, Status::True, name, told);
    }

    /// Brings the release to what was observed.
    pub(super) async fn release(&mut self, observed: Arc<Observed>) -> Result<End, ReleaseError> {
        let wanted = &observed.wanted;
        self.place().await?;
        if let Some(why) = target::change(&self.object, &self.status, &wanted.chart_name) {
            tracing::info!(
                "release target configuration changed ({why}): running uninstall for current release"
            );
            self.uninstall().await?;
            self.status.history.clear();
            self.status.clear_failures();
            self.status.storage_namespace = None;
            return Ok(End::Again);
        }
        self.status.storage_namespace = Some(self.object.storage_namespace().to_owned());
        let reset = target::take_reset(&self.object, &mut self.status);
        if let Some(why) = target::reset(&self.object, &self.status, wanted, reset) {
            tracing::debug!("resetting failure count ({why})");
            self.status.clear_failures();
        }
        let status = &mut self.status;
        let text = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        status.last_attempted_generation = self.object.metadata.generation.unwrap_or_default();
        status.last_attempted_revision = Some(wanted.chart_version.clone());
        status.last_attempted_revision_digest = text(&wanted.oci_digest);
        status.last_attempted_config_digest = Some(wanted.config_digest.clone());
        status.last_attempted_values_checksum = None;
        status.last_release_revision = 0;
        conditions::remove(&mut status.conditions, STALLED);
        self.work(observed).await
    }

    async fn work(&mut self, observed: Arc<Observed>) -> Result<End, ReleaseError> {
        let mut done: Vec<Kind> = Vec::new();
        loop {
            let state = self.state(&observed).await?;
            let (word, why) = state.words();
            tracing::debug!(state = word, why, "determined the state of the release");
            let stamp = self.stamp();
            let next = decide::next(&self.object, &mut self.status, &state, stamp)?;
            if let State::Drifted(lines) = &state {
                let latest = history::latest(&self.status.history);
                let text = message::drifted(latest, lines);
                self.tell(Report::error(reason::helm::DRIFT_DETECTED, text));
            }
            let Some(mut action) = next else {
                conditions::remove(&mut self.status.conditions, RECONCILING);
                summarize(&self.object, &mut self.status, stamp);
                return Ok(End::Done);
            };
            if action == Action::Rollback {
                action = decide::rollback(self.rollback_target().await?)?;
            }
            if done.contains(&action.kind()) {
                return self.stop_before();
            }
            self.mark(action)?;
            if !done.is_empty() {
                self.write_progress().await;
            }
            tracing::info!(state = word, why, "running '{}' action", action.name());
            if let Err(error) = self.run(action, &observed).await? {
                return self.failed(error);
            }
            if action.kind() == Kind::Remediate {
                return self.stop_after();
            }
            done.push(action.kind());
        }
    }

    /// Says what is about to be done.
    fn mark(&mut self, action: Action) -> Result<(), ReleaseError> {
        let timeout = options::timeout(&self.object.spec, action)?;
        let (text, stamp) = (message::running(action.name(), timeout), self.stamp());
        let (all, name) = (&mut self.status.conditions, reason::PROGRESSING);
        conditions::set(all, stamp, RECONCILING, Status::True, name, &text);
        if action.kind() == Kind::Release {
            conditions::set(all, stamp, READY, Status::Unknown, name, &text);
        }
        Ok(())
    }

    /// An action of this kind ran already: what is left is for the next run.
    fn stop_before(&mut self) -> Result<End, ReleaseError> {
        if let Some(end) = self.retry()? {
            return Ok(end);
        }
        let remediation = Remediation::active(&self.object.spec, &self.status);
        if !remediation.is_some_and(|one| one.is_exhausted(&self.status)) {
            return Ok(self.requeue());
        }
        conditions::remove(&mut self.status.conditions, RECONCILING);
        Ok(End::Done)
    }

    /// A failure was remediated: nothing comes after that in one run.
    fn stop_after(&mut self) -> Result<End, ReleaseError> {
        if let Some(end) = self.retry()? {
            return Ok(end);
        }
        let remediation = Remediation::active(&self.object.spec, &self.status);
        let goes_on = remediation
            .is_none_or(|one| !one.is_exhausted(&self.status) || one.is_uninstall_after_upgrade());
        match goes_on {
            true => Ok(self.requeue()),
            false => Err(Halt::Exceeded("remediate failed release").into()),
        }
    }

    /// An action failed and stored nothing.
    fn failed(&mut self, error: String) -> Result<End, ReleaseError> {
        match self.retry()? {
            Some(end) => {
                tracing::error!(error, "failed to run an action");
                Ok(end)
            }
            None => Err(ReleaseError::Action(error)),
        }
    }

    fn retry(&mut self) -> Result<Option<End>, ReleaseError> {
        let retry = remediation::retry(&self.object.spec, &self.status)?;
        Ok(retry.map(|after| {
            let (stamp, text) = (self.stamp(), message::retrying(after));
            let (all, name) = (&mut self.status.conditions, reason::PROGRESSING_WITH_RETRY);
            conditions::set(all, stamp, RECONCILING, Status::True, name, &text);
            End::RetryAfter(after)
        }))
    }

    fn requeue(&mut self) -> End {
        let stamp = self.stamp();
        let ready = conditions::get(&self.status.conditions, READY);
        let text = ready.map_or(String::new(), |ready| ready.message.clone());
        let (all, name) = (&mut self.status.conditions, reason::PROGRESSING_WITH_RETRY);
        conditions::set(all, stamp, RECONCILING, Status::True, name, &text);
        End::Requeue
    }

    /// Returns the state of the release.
    async fn state(&mut self, observed: &Observed) -> Result<State, ReleaseError> {
        let mut state = self.recorded_state(observed).await?;
        if matches!(state, State::Unmanaged(_)) && self.resume(observed).await? {
            state = self.recorded_state(observed).await?;
        }
        match state == State::InSync && self.object.spec.detects_drift() {
            true => self.drifted().await,
            false => Ok(state),
        }
    }

    /// Returns the state as Helm's records and the history have it.
    async fn recorded_state(&mut self, observed: &Observed) -> Result<State, ReleaseError> {
        let stored = self.stored().await?;
        let reused = self.reused_digest(stored.as_ref(), observed).await?;
        let wanted = match reused {
            Some(config_digest) => &Wanted {
                config_digest,
                ..observed.wanted.clone()
            },
            None => &observed.wanted,
        };
        let stored = stored.as_ref();
        Ok(state::state(&self.object, &self.status, stored, wanted))
    }

    /// Reads the newest record; one that was read already is known by its resource version, and what
    /// this run has just written is not asked for.
    pub(super) async fn stored(&mut self) -> Result<Option<Stored>, ReleaseError> {
        self.listed = None;
        if let Some(made) = self.made.take() {
            let snapshot = made.snapshot.clone();
            self.newest = snapshot.version;
            self.context.releases.remember(&self.key, made);
            return Ok(Some(Stored { snapshot }));
        }
        let storage = self.storage().await?;
        let name = self.name();
        // Nobody watches another cluster.
        let is_watched = std::mem::take(&mut self.trusts_watch) && !self.place().await?.is_remote();
        if is_watched
            && let Some(record) = self
                .context
                .releases
                .records
                .newest(storage.namespace(), &name)
            && let Some(snapshot) = self.context.releases.known(&self.key, &record)
        {
            self.newest = record.version;
            return Ok(Some(Stored { snapshot }));
        }
        let records = storage.records(&name).await.map_err(ReleaseError::from)?;
        self.newest = records.last().map_or(0, |record| record.version);
        let newest = records.last().cloned();
        self.listed = Some(records);
        let Some(record) = newest else {
            return Ok(None);
        };
        if let Some(snapshot) = self.context.releases.known(&self.key, &record) {
            return Ok(Some(Stored { snapshot }));
        }
        let release = storage.get(&name, record.version).await;
        let Some(release) = release.map_err(ReleaseError::from)? else {
            return Ok(None);
        };
        let snapshot = Snapshot::of(&release, &self.oci_digest(record.version));
        let known = Known {
            record,
            snapshot: snapshot.clone(),
        };
        self.context.releases.remember(&self.key, known);
        Ok(Some(Stored { snapshot }))
    }

    /// Notes what an action has written, for the next look.
    pub(super) fn keep(&mut self, record: Option<Stamped>, stored: &[Snapshot]) {
        let newest = stored.iter().max_by_key(|stored| stored.version);
        let known = record.zip(newest);
        let known = known.filter(|(record, made)| {
            (record.version, &record.status) == (made.version, &made.status)
        });
        self.made = known.map(|(record, made)| Known {
            record,
            snapshot: made.clone(),
        });
    }

    fn oci_digest(&self, version: i64) -> String {
        let entry = self
            .status
            .history
            .iter()
            .find(|entry| entry.version == version);
        let digest = entry.and_then(|entry| entry.oci_digest.clone());
        digest.unwrap_or_default()
    }

    async fn rollback_target(&self) -> Result<RollbackTarget, ReleaseError> {
        let spec = &self.object.spec;
        let ignore = Remediation::of_upgrade(spec).ignores_tests(spec);
        let Some(previous) = history::previous(&self.status.history, ignore) else {
            return Ok(RollbackTarget::Missing);
        };
        let storage = self.storage().await?;
        let release = storage.get(&previous.name, previous.version).await;
        let Some(release) = release.map_err(ReleaseError::from)? else {
            return Ok(RollbackTarget::Altered);
        };
        let digest = previous.oci_digest.as_deref().unwrap_or_default();
        let snapshot = Snapshot::of(&release, digest);
        Ok(match state::is_observed(previous, &snapshot) {
            true => RollbackTarget::Verified,
            false => RollbackTarget::Altered,
        })
    }

    pub(super) fn record(&mut self) -> Record<'_> {
        let stamp = self.stamp();
        Record {
            object: &self.object,
            status: &mut self.status,
            stamp,
        }
    }

    /// Returns the name of the release in Helm's records.
    pub(super) fn name(&self) -> String {
        shorten_name(&self.object.release_name())
    }

    pub(super) fn target(&self) -> Target {
        Target {
            name: self.name(),
            namespace: self.object.release_namespace().to_owned(),
            oci_digests: self.oci_digests(),
            ..Target::default()
        }
    }

    pub(super) fn target_of(&self, entry: &ReleaseSnapshot) -> Target {
        Target {
            name: entry.name.clone(),
            namespace: entry.namespace.clone(),
            oci_digests: self.oci_digests(),
            ..Target::default()
        }
    }

    pub(super) fn oci_digests(&self) -> BTreeMap<i64, String> {
        let entries = self.status.history.iter();
        entries
            .filter_map(|entry| Some((entry.version, entry.oci_digest.clone()?)))
            .collect()
    }

    /// Returns the account that the release is made as; `None` for the engine's own.
    pub(super) fn account(&self) -> Option<&str> {
        let default = self.context.settings.default_service_account.as_deref();
        self.object.spec.service_account_name.as_deref().or(default)
    }

    /// Finds the cluster that the release is for, as its account sees it; once a run.
    pub(super) async fn place(&self) -> Result<&Place, ReleaseError> {
        let namespace = &self.key.namespace;
        let reference = self.object.spec.kube_config.as_ref();
        let found = self.place.get_or_try_init(|| {
            let context = &self.context;
            context.place(namespace, reference, self.account())
        });
        found.await.map_err(ReleaseError::from)
    }

    /// The records: where the last release was made, until it is another.
    pub(super) async fn storage(&self) -> Result<Storage, ReleaseError> {
        let namespace = self.status.storage_namespace.as_deref();
        let namespace = namespace.unwrap_or(self.object.storage_namespace());
        let many = usize::try_from(self.object.spec.max_history()).unwrap_or(usize::MAX);
        let cluster = self.place().await?.cluster();
        Ok(Storage::new(cluster, namespace).with_max_history(many))
    }

    pub(super) async fn helm(&self) -> Result<Helm, ReleaseError> {
        let storage = self.storage().await?;
        // Those that cannot be used are refused before; a release that is deleted goes without them.
        let checks = Checks::new(&self.object.spec.health_check_exprs).unwrap_or_default();
        let cluster = self.place().await?.cluster().with_checks(checks);
        Ok(Helm::new(cluster, storage))
    }

    /// Runs `work`; when it takes long, says so in the status, once.
    pub(super) async fn while_slow<T>(&mut self, work: impl Future<Output = T>) -> T {
        tokio::pin!(work);
        tokio::select! {
            done = &mut work => return done,
            () = tokio::time::sleep(SILENT_FOR) => {}
        }
        // Both go on: the write must not hold up the work.
        let (done, ()) = tokio::join!(work, self.write_progress());
        done
    }

    /// Writes the status as it is so far. What was asked for is not handled before the end.
    async fn write_progress(&mut self) {
        if let Err(error) = self.write(false).await {
            let error = bulkhead_api::chain(&error);
            tracing::info!(error, "failed to say what is under way");
        }
    }

    /// Writes the status.
    pub(super) async fn write(&mut self, is_final: bool) -> Result<(), WriteError> {
        let mut next = self.status.clone();
        if !is_final {
            let before = &self.object.status;
            next.last_handled_reconcile_at = before.last_handled_reconcile_at.clone();
            next.last_handled_force_at = before.last_handled_force_at.clone();
            next.last_handled_reset_at = before.last_handled_reset_at.clone();
        }
        conditions::keep_times(&mut next.conditions, &self.object.status.conditions);
        // What could not be read is written over.
        next.set_unreadable(Vec::new());
        let (client, store) = (
            self.context.clients.own(),
            &self.context.helm_releases.store,
        );
        self.object = status::write(client, store, &self.object, next).await?;
        Ok(())
    }
}
