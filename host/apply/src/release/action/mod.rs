//! What is done with releases: install, upgrade, rollback, uninstall, test, unlock.
//!
//! Each action returns a [`Done`], with what it recorded on the way whether it failed or not.

mod change;
mod crds;
mod hooks;
mod install;
mod options;
mod rollback;
mod settle;
mod test;
mod uninstall;
mod unlock;
mod upgrade;

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;

use jiff::Timestamp;
use serde_json::{Map, Value};

pub use crds::{Crd, CrdPolicy};
pub use options::{
    Install, Options, Propagation, Readiness, Rollback, ServerSide, Test, Uninstall, Upgrade, Wait,
};

use super::chart::Chart;
use super::error::ActionError;
use super::helm::Helm;
use super::model::{Hook, Release};
use super::snapshot::Snapshot;
use super::status::Status;
use super::storage::{Record, StorageError};
use super::time::Time;

/// The longest description that is stored, in characters: a release near its Secret's limit must
/// still fit when it fails.
const MAX_DESCRIPTION: usize = 4_000;

/// Which release is meant.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Target {
    /// Its name; at most 53 bytes.
    pub name: String,
    /// The namespace that it is installed into.
    pub namespace: String,
    /// The digests of the OCI artifacts of its versions, as far as the status has them: they are part
    /// of the digests of [`Snapshot`]s.
    pub oci_digests: BTreeMap<i64, String>,
    /// Its records as the caller has just listed them, for an install or an upgrade; listed again where
    /// there are none here. Another process that made a version meanwhile is noticed either way: a
    /// version can be made but once.
    pub records: Option<Vec<Record>>,
}

/// What a new version of a release is made of.
#[derive(Clone, Debug, Default)]
pub struct Content {
    /// The chart: the guest's attribute `helm.chart`.
    pub chart: Option<Chart>,
    /// The user's values.
    pub config: Map<String, Value>,
    /// The manifests: [`Sorted::manifest`](super::Sorted::manifest).
    pub manifest: String,
    /// The hooks.
    pub hooks: Vec<Hook>,
    /// The rendered NOTES.txt: the guest's attribute `render.notes`.
    pub notes: String,
    /// The chart's CRDs, subcharts' included.
    pub crds: Vec<Crd>,
    /// Labels of the record.
    pub labels: BTreeMap<String, String>,
    /// The digest of the chart's OCI artifact; empty for others.
    pub oci_digest: String,
    /// Labels that CRDs of the chart get: [`origin_labels`](super::origin_labels).
    pub crd_labels: BTreeMap<String, String>,
}

/// What an action did.
#[derive(Debug, Default)]
pub struct Done {
    /// The version that it was about, as it is stored now; none where nothing was recorded.
    pub release: Option<Release>,
    /// The versions that were stored or deleted, as they are now, in the order of their first change.
    pub snapshots: Vec<Snapshot>,
    /// The record of the newest version that was stored, as it is now: who remembers it need not list
    /// them again. None where nothing was stored, or an answer got lost.
    pub record: Option<Record>,
    /// What was left alone, and why: one line each.
    pub kept: Vec<String>,
    /// Why it failed.
    pub error: Option<ActionError>,
}

/// An action on its way: what its steps have in common.
pub(super) struct Run<'a> {
    pub(super) helm: &'a Helm,
    pub(super) target: &'a Target,
    pub(super) options: &'a Options,
    pub(super) cancel: Pin<Box<dyn Future<Output = ()> + Send + Sync + 'a>>,
    oci_digests: BTreeMap<i64, String>,
    pub(super) done: Done,
}

impl<'a> Run<'a> {
    fn new(
        helm: &'a Helm,
        target: &'a Target,
        options: &'a Options,
        cancel: impl Future<Output = ()> + Send + Sync + 'a,
    ) -> Self {
        Self {
            helm,
            target,
            options,
            cancel: Box::pin(cancel),
            oci_digests: target.oci_digests.clone(),
            done: Done::default(),
        }
    }

    /// Ends it: with what was recorded, and the error.
    fn end(mut self, result: Result<(), ActionError>) -> Done {
        self.done.error = result.err();
        self.done
    }

    /// Returns the records of the release, the oldest version first.
    async fn records(&self) -> Result<Vec<Record>, StorageError> {
        match &self.target.records {
            Some(records) => Ok(records.clone()),
            None => self.helm.storage.records(&self.target.name).await,
        }
    }

    async fn create(&mut self, release: &Release, records: &[Record]) -> Result<(), StorageError> {
        let record = self.helm.storage.create(release, records).await?;
        self.wrote(release, record);
        Ok(())
    }

    pub(super) async fn update(&mut self, release: &Release) -> Result<(), StorageError> {
        let record = self.helm.storage.update(release).await?;
        self.wrote(release, record);
        Ok(())
    }

    /// Notes a version as it was written.
    fn wrote(&mut self, release: &Release, record: Option<Record>) {
        let newest = self.done.snapshots.iter().map(|known| known.version).max();
        if newest.is_none_or(|newest| newest <= release.version) {
            self.done.record = record;
        }
        self.observe(release);
    }

    /// Notes a version as it is stored.
    fn observe(&mut self, release: &Release) {
        let oci_digest = self.oci_digests.get(&release.version);
        let snapshot = Snapshot::of(release, oci_digest.map_or("", String::as_str));
        let known = self.done.snapshots.iter_mut();
        match known
            .into_iter()
            .find(|known| known.version == snapshot.version)
        {
            Some(known) => *known = snapshot,
            None => self.done.snapshots.push(snapshot),
        }
    }

    /// Records a version as failed, after whatever went wrong.
    async fn fail(&mut self, release: &mut Release, told: String) {
        let told = told.chars().take(MAX_DESCRIPTION).collect::<String>();
        release.set_status(Status::Failed, told);
        // There is an error to report already; a record that stays pending is unlocked later.
        let _ = self.update(release).await;
    }

    /// Marks these versions as superseded; `known` are some that were read.
    async fn supersede(
        &mut self,
        versions: Vec<i64>,
        known: Vec<Release>,
    ) -> Result<(), ActionError> {
        let (helm, name) = (self.helm, &self.target.name);
        let mut known = known;
        for version in versions {
            let position = known.iter().position(|one| one.version == version);
            let release = match position {
                Some(position) => Some(known.swap_remove(position)),
                None => helm.storage.get(name, version).await?,
            };
            if let Some(mut release) = release {
                release.info.status = Status::Superseded;
                self.update(&release).await?;
            }
        }
        Ok(())
    }
}

/// Returns the versions that are deployed.
fn deployed(records: &[Record]) -> Vec<i64> {
    let deployed = records.iter().filter(|one| one.status == Status::Deployed);
    deployed.map(|record| record.version).collect()
}

fn now() -> Time {
    Time::new(Timestamp::now())
}
