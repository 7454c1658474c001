//! The first version of a release, or the first after one that was uninstalled.

use std::future::Future;

use serde_json::json;

use super::{ActionError, Content, Done, Helm, Install, Readiness, Run, Target, now};
use crate::release::model::{Event, Info, Release};
use crate::release::objects::{Placed, Unknown};
use crate::release::ownership;
use crate::release::send::{Earlier, Way};
use crate::release::status::Status;
use crate::release::storage::Record;
use crate::release::wait::Judge;
use crate::target::cluster::Resource;
use crate::target::cluster::api::{self, ApiError};

impl Helm {
    /// Installs a release. `cancel` ends the wait for its objects.
    ///
    /// Recorded as pending, then as deployed or failed. Nothing is recorded when the chart's CRDs
    /// cannot be applied, when its kinds are not served, when it does not fit into its Secret, or
    /// when objects belong to somebody else.
    pub async fn install(
        &self,
        target: &Target,
        content: Content,
        install: &Install,
        cancel: impl Future<Output = ()> + Send + Sync,
    ) -> Done {
        let mut run = Run::new(self, target, &install.options, cancel);
        let result = run.install(content, install).await;
        run.end(result)
    }

    async fn create_namespace(&self, name: &str) -> Result<(), ActionError> {
        let namespace = json!({
            "apiVersion": "v1",
            "kind": "Namespace",
            "metadata": { "name": name, "labels": { "name": name } },
        });
        let collection = api::collection(&Resource::core("Namespace", "namespaces", false), "");
        match self.cluster.http().create(&collection, &namespace).await {
            Err(error) if error.code() != 409 => Err(ActionError::Namespace {
                name: name.to_owned(),
                source: error,
            }),
            Ok(_) | Err(ApiError::Refused { .. }) => Ok(()),
            Err(error) => Err(ActionError::Namespace {
                name: name.to_owned(),
                source: error,
            }),
        }
    }
}

impl Run<'_> {
    async fn install(&mut self, content: Content, install: &Install) -> Result<(), ActionError> {
        let (helm, target) = (self.helm, self.target);
        check_name(&target.name)?;
        let records = self.records().await?;
        let version = first_version(&records, install.replace)?;
        self.oci_digests.insert(version, content.oci_digest.clone());
        let at = now();
        let crd_labels = content.crd_labels.clone();
        let mut release = Release {
            name: target.name.clone(),
            info: Info {
                first_deployed: at,
                last_deployed: at,
                status: Status::PendingInstall,
                description: "Initial install underway".to_owned(),
                notes: content.notes,
                ..Info::default()
            },
            chart: content.chart,
            config: content.config,
            manifest: content.manifest,
            hooks: content.hooks,
            version,
            namespace: target.namespace.clone(),
            labels: content.labels,
            apply_method: Some(install.method),
        };
        helm.storage.check(&release)?;
        helm.apply_crds(&content.crds, install.crds, &crd_labels, install.method)
            .await?;
        let objects = helm.owned_objects(&release, Unknown::Refuse).await?;
        if !install.take_ownership {
            let objects: Vec<&Placed> = objects.iter().collect();
            let owner = (target.name.as_str(), target.namespace.as_str());
            helm.check_ownership(&objects, owner, "install").await?;
        }
        if install.create_namespace {
            helm.create_namespace(&target.namespace).await?;
        }
        self.create(&release, &records).await?;
        // Afterwards: a superseded version that is the newest is nothing that could be gone on with.
        if version > 1
            && let Err(error) = self.supersede_last(version - 1).await
        {
            let told = bulkhead_api::chain(&error);
            self.done.kept.push(format!(
                "version {} is not marked as superseded: {told}",
                version - 1
            ));
        }
        let result = self.bring(&mut release, &objects).await;
        if let Err(error) = &result {
            let told = format!(
                "Release \"{}\" failed: {}",
                target.name,
                bulkhead_api::chain(error)
            );
            self.fail(&mut release, told).await;
        }
        self.done.release = Some(release);
        result
    }

    /// Marks an uninstalled version as superseded; a failed one stays failed.
    async fn supersede_last(&mut self, version: i64) -> Result<(), ActionError> {
        let last = self.helm.storage.get(&self.target.name, version).await?;
        if let Some(mut last) = last.filter(|last| last.info.status != Status::Failed) {
            last.set_status(Status::Superseded, "superseded by new release");
            self.update(&last).await?;
        }
        Ok(())
    }

    async fn bring(
        &mut self,
        release: &mut Release,
        objects: &[Placed],
    ) -> Result<(), ActionError> {
        let (helm, options) = (self.helm, self.options);
        if options.hooks {
            self.hooks(release, Event::PRE_INSTALL, options.timeout, |_| true)
                .await?;
        }
        let none = Earlier::default();
        let way = match release.is_server_side() {
            true => Way::Apply,
            false => Way::Merge(&none),
        };
        let applied = helm.apply(objects, way, self.judge()).await;
        if !applied.errors.is_empty() {
            return Err(ActionError::Objects(applied.errors));
        }
        self.wait_for(&applied.pending).await?;
        if options.hooks {
            self.hooks(release, Event::POST_INSTALL, options.timeout, |_| true)
                .await?;
        }
        release.set_status(Status::Deployed, "Install complete");
        self.update(release).await?;
        Ok(())
    }

    pub(super) fn judge(&self) -> Judge {
        let wait = self.options.wait;
        match (wait.readiness, wait.jobs) {
            (Readiness::Legacy, jobs) => Judge::Legacy { jobs },
            (Readiness::Status, true) => Judge::Completed,
            (Readiness::Status, false) => Judge::Started,
        }
    }

    /// Waits for objects, if they are to be waited for.
    pub(super) async fn wait_for(&mut self, pending: &[&Placed]) -> Result<(), ActionError> {
        if !self.options.wait.objects {
            return Ok(());
        }
        let (judge, timeout) = (self.judge(), self.options.timeout);
        let cancel = Some(self.cancel.as_mut() as _);
        let waited = self.helm.wait(pending, judge, true, timeout, cancel).await;
        waited.map_err(ActionError::Wait)
    }
}

impl Helm {
    /// Reads the objects of a release, with its ownership metadata on them.
    pub(in crate::release) async fn owned_objects(
        &self,
        release: &Release,
        unknown: Unknown,
    ) -> Result<Vec<Placed>, ActionError> {
        let mut objects = self
            .objects(&release.manifest, &release.namespace, unknown)
            .await?;
        for placed in &mut objects {
            ownership::own(&mut placed.object, &release.name, &release.namespace);
        }
        Ok(objects)
    }
}

/// Returns the version that an install makes, if the name is free.
fn first_version(records: &[Record], replace: bool) -> Result<i64, ActionError> {
    match records.last() {
        None => Ok(1),
        Some(last) => match last.status {
            Status::Uninstalled | Status::Failed if replace => Ok(last.version + 1),
            _ => Err(ActionError::InUse),
        },
    }
}

/// Refuses what Helm takes for no name of a release.
pub(super) fn check_name(name: &str) -> Result<(), ActionError> {
    let is_plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let is_label = |label: &str| {
        let bytes = label.as_bytes();
        bytes.first().is_some_and(|byte| is_plain(*byte))
            && bytes.last().is_some_and(|byte| is_plain(*byte))
            && bytes.iter().all(|byte| is_plain(*byte) || *byte == b'-')
    };
    if name.len() <= 53 && name.split('.').all(is_label) {
        Ok(())
    } else {
        Err(ActionError::Name(name.chars().take(100).collect()))
    }
}
