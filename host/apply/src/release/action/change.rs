//! What an upgrade and a rollback share: the objects of a new version go over those of earlier ones.

use std::collections::HashSet;

use bulkhead_api::chain;

use super::{ActionError, Helm, Run, deployed};
use crate::release::model::Release;
use crate::release::objects::{Placed, Unknown};
use crate::release::send::{Earlier, Way};
use crate::release::status::Status;
use crate::release::storage::{Record, StorageError};

/// How one version becomes another.
pub(super) struct Change {
    /// What a failure is called: `Upgrade`.
    pub(super) name: &'static str,
    /// Event of the hooks before the objects.
    pub(super) before: &'static str,
    /// Event of the hooks after them.
    pub(super) after: &'static str,
    /// Description of the version once it is deployed.
    pub(super) complete: String,
    /// Replaces objects, where the version is applied by the client.
    pub(super) force: bool,
    /// Deletes new objects when it fails.
    pub(super) cleanup_on_fail: bool,
    /// Helm's rollback cleans up only behind objects that could not be applied, not when the wait or a
    /// hook after it fails; and it says `Release` where its wait fails (pkg/action/rollback.go).
    pub(super) is_rollback: bool,
    /// The version that a success supersedes where none is deployed: Helm's upgrade does so with the
    /// failed one that it starts from, its rollback with none.
    pub(super) supersedes: Option<i64>,
}

/// The most earlier versions that are read for one change, and the most bytes of their manifests.
const MAX_EARLIER: usize = 100;
const MAX_EARLIER_BYTES: usize = 64 << 20;

/// Returns the records from the deployed one on, or all where none is.
pub(super) fn from_deployed(records: &[Record]) -> &[Record] {
    let deployed = records
        .iter()
        .rposition(|one| one.status == Status::Deployed);
    &records[deployed.unwrap_or_default()..]
}

/// Why it failed, and what was made until then.
type Broken<'p> = (ActionError, Vec<&'p Placed>);

impl Run<'_> {
    /// Reads the versions whose objects may be there: from the deployed one on, or all where none is.
    pub(super) async fn since_deployed(
        &mut self,
        records: &[Record],
    ) -> Result<Vec<Release>, ActionError> {
        self.read_earlier(from_deployed(records), true).await
    }

    /// Reads earlier versions, the oldest first; of those that are neither deployed nor the newest only
    /// what they applied. Where not all must be had, one that cannot be read is left out, and told.
    pub(super) async fn read_earlier(
        &mut self,
        records: &[Record],
        is_strict: bool,
    ) -> Result<Vec<Release>, ActionError> {
        let storage = self.helm.storage.clone();
        let mut found = Vec::new();
        let (mut left, mut bytes_left) = (MAX_EARLIER, MAX_EARLIER_BYTES);
        for (place, record) in records.iter().rev().enumerate() {
            let is_main = place == 0 || record.status == Status::Deployed;
            let version = record.version;
            if !is_main && (left == 0 || bytes_left == 0) {
                let told = "one of too many versions since the deployed one: its objects are not looked for";
                self.done.kept.push(format!("version {version}: {told}"));
                continue;
            }
            let mut release = match storage.get(&self.target.name, version).await {
                Ok(Some(release)) => release,
                Ok(None) => continue,
                Err(error @ StorageError::Encode { .. }) if !(is_main && is_strict) => {
                    self.done
                        .kept
                        .push(format!("version {version}: {}", chain(&error)));
                    continue;
                }
                Err(error) => return Err(error.into()),
            };
            left = left.saturating_sub(1);
            bytes_left = bytes_left.saturating_sub(release.manifest.len());
            if !is_main {
                release.chart = None;
                release.config.clear();
                release.hooks.clear();
            }
            found.push(release);
        }
        found.reverse();
        Ok(found)
    }

    /// Records `release` as pending, changes the cluster, and records how that ended. `since` are the
    /// versions of [`since_deployed`](Self::since_deployed).
    pub(super) async fn change(
        &mut self,
        mut release: Release,
        (objects, earlier): (&[Placed], &[Placed]),
        (records, mut since): (&[Record], Vec<Release>),
        change: Change,
    ) -> Result<(), ActionError> {
        let helm = self.helm;
        let mut replaced = deployed(records);
        if replaced.is_empty() {
            replaced.extend(change.supersedes);
        }
        since.retain(|release| replaced.contains(&release.version));
        self.create(&release, records).await?;
        let carried = self
            .carry_out(&mut release, objects, earlier, &change)
            .await;
        let result = match carried {
            Ok(()) => {
                // The new version runs. The next upgrade supersedes all that are still deployed.
                if let Err(error) = self.supersede(replaced, since).await {
                    let told = format!(
                        "an earlier version is not marked as superseded: {}",
                        chain(&error)
                    );
                    self.done.kept.push(told);
                }
                Ok(())
            }
            Err((error, created)) => {
                let (name, cause) = (&self.target.name, chain(&error));
                let (called, error) = match error {
                    ActionError::Wait(_) if change.is_rollback => {
                        let (name, source) = (name.clone(), Box::new(error));
                        ("Release", ActionError::RolledBack { name, source })
                    }
                    error => (change.name, error),
                };
                let told = format!("{called} \"{name}\" failed: {cause}");
                self.fail(&mut release, told).await;
                Err(match change.cleanup_on_fail {
                    true => helm.clean_up(created, error).await,
                    false => error,
                })
            }
        };
        self.done.release = Some(release);
        result
    }

    async fn carry_out<'p>(
        &mut self,
        release: &mut Release,
        objects: &'p [Placed],
        earlier: &[Placed],
        change: &Change,
    ) -> Result<(), Broken<'p>> {
        let (helm, options) = (self.helm, self.options);
        let plain = |error: ActionError| (error, Vec::new());
        if options.hooks {
            let hooks = self.hooks(release, change.before, options.timeout, |_| true);
            hooks.await.map_err(plain)?;
        }
        let before = Earlier::new(earlier);
        let way = match (release.is_server_side(), change.force) {
            (true, _) => Way::Apply,
            (false, false) => Way::Merge(&before),
            (false, true) => Way::Replace,
        };
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
        let created = match change.is_rollback {
            true => Vec::new(),
            false => created,
        };
        if let Err(error) = self.wait_for(&applied.pending).await {
            return Err((error, created));
        }
        if options.hooks {
            let hooks = self.hooks(release, change.after, options.timeout, |_| true);
            if let Err(error) = hooks.await {
                return Err((error, created));
            }
        }
        // The new version first: were the process to end in between, two deployed versions are told
        // apart by their numbers, and a pending one would look broken off.
        release.set_status(Status::Deployed, change.complete.clone());
        self.update(release)
            .await
            .map_err(|error| plain(error.into()))
    }
}

impl Helm {
    /// Reads the objects of earlier versions, those of the newest first.
    pub(super) async fn earlier(&self, releases: &[Release]) -> Result<Vec<Placed>, ActionError> {
        let mut found: Vec<Placed> = Vec::new();
        let mut seen = HashSet::new();
        for release in releases.iter().rev() {
            let (manifest, namespace) = (&release.manifest, &release.namespace);
            if seen.insert((manifest, namespace)) {
                found.extend(self.objects(manifest, namespace, Unknown::Drop).await?);
            }
        }
        Ok(found)
    }
}
