//! What an upgrade and a rollback share: the objects of a new version go over those of earlier ones.

use bulkhead_api::chain;

use super::{ActionError, Helm, Run};
use crate::release::model::Release;
use crate::release::objects::{Placed, Unknown};
use crate::release::send::{Earlier, Way};
use crate::release::status::Status;
use crate::release::storage::Record;

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
    /// Does so too when the wait, or a hook after it, fails. Helm's rollback cleans up only behind
    /// objects that could not be applied.
    pub(super) cleans_up_late: bool,
}

/// Why it failed, and what was made until then.
type Broken<'p> = (ActionError, Vec<&'p Placed>);

impl Run<'_> {
    /// Reads the versions whose objects may be there: from the deployed one on, or all where none is.
    pub(super) async fn since_deployed(
        &self,
        records: &[Record],
    ) -> Result<Vec<Release>, ActionError> {
        let deployed = records
            .iter()
            .rposition(|one| one.status == Status::Deployed);
        let mut since = Vec::new();
        for Record { version, .. } in &records[deployed.unwrap_or_default()..] {
            since.extend(self.helm.storage.get(&self.target.name, *version).await?);
        }
        Ok(since)
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
        since.retain(|release| release.info.status == Status::Deployed);
        self.create(&release, records).await?;
        let carried = self
            .carry_out(&mut release, objects, earlier, &change)
            .await;
        let result = match carried {
            Ok(()) => self.supersede(records, since).await,
            Err((error, created)) => {
                let name = &self.target.name;
                let told = format!("{} \"{name}\" failed: {}", change.name, chain(&error));
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
        let created = match change.cleans_up_late {
            true => created,
            false => Vec::new(),
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
        for release in releases.iter().rev() {
            let (manifest, namespace) = (&release.manifest, &release.namespace);
            found.extend(self.objects(manifest, namespace, Unknown::Drop).await?);
        }
        Ok(found)
    }
}
