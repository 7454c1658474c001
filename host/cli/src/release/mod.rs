//! Renders HelmReleases without the controllers, by their code: for `render helmrelease` and `sync`.
//!
//! In: what files have, and a cluster behind them. Out: what the controller would store and apply.
//! Nothing is written.

mod archive;
mod chart;
mod checkout;
mod error;
mod known;
mod locals;

use std::sync::Arc;

use bulkhead_api::helmrelease::HelmRelease;
use bulkhead_apply::release::{Content, Helm, Reused, Status, Storage, reuse, shorten_name};
use bulkhead_controllers::archives::Archives;
use bulkhead_controllers::catalogue::{Catalogue, ClusterLookup};
use bulkhead_controllers::helmrelease::values::resolve;
use bulkhead_controllers::helmrelease::{For, Parts, Plugins, ReleaseError, content};
use bulkhead_wasm::Lookup;

pub(crate) use self::chart::Charts;
pub(crate) use self::error::Failure;
pub(crate) use self::known::{Known, Live};
pub(crate) use self::locals::Locals;

/// Renders releases.
pub(crate) struct Releases<'a> {
    /// What there is.
    pub known: &'a Known<'a>,
    /// Where charts are had.
    pub charts: &'a Charts<'a>,
    /// The plugins.
    pub catalogue: &'a Catalogue,
    /// Version of Kubernetes that is told; empty for what Helm tells without a cluster. A cluster
    /// tells its own.
    pub kube_version: String,
    /// What is served besides what every cluster does.
    pub api_versions: Vec<String>,
    /// The time that is told.
    pub now: jiff::Timestamp,
}

/// A release, rendered.
pub(crate) struct Rendered {
    /// What is stored and applied.
    pub content: Content,
    /// Whether there is a version before.
    pub is_upgrade: bool,
    /// Name and version of the chart.
    pub chart: String,
}

/// What is known of the cluster that a release goes to.
struct Facts {
    is_upgrade: bool,
    reused: Option<Reused>,
    version: i64,
    kube_version: String,
    api_versions: Vec<String>,
    lookup: Option<Arc<dyn Lookup>>,
}

/// A folder for what lies somewhere while it is fetched; it goes with this value.
pub(crate) struct Scratch {
    /// The folder.
    pub archives: Archives,
    _folder: tempfile::TempDir,
}

impl Scratch {
    /// Makes one.
    pub(crate) fn make() -> std::io::Result<Self> {
        let folder = tempfile::tempdir()?;
        let authority = cap_std::ambient_authority();
        let dir = cap_std::fs::Dir::open_ambient_dir(folder.path(), authority)?;
        Ok(Self {
            archives: Archives::new(Arc::new(dir), ""),
            _folder: folder,
        })
    }
}

impl Releases<'_> {
    /// Renders `object` as the next version of its release.
    pub(crate) async fn render(&self, object: &HelmRelease) -> Result<Rendered, Failure> {
        let values = resolve(object, self.known).await?;
        let (chart, oci_digest) = self.charts.of(object, self.known).await?;
        let plugins = Plugins::find(object, self.catalogue, None)?;
        let parts = Parts {
            chart: Arc::new(chart),
            values,
            plugins,
            oci_digest,
        };
        let facts = self.facts(object, &parts).await?;
        let is_upgrade = facts.is_upgrade;
        let chart = format!("{}@{}", parts.chart.name, parts.chart.version);
        let content = content(For {
            object,
            parts: &parts,
            is_upgrade,
            reused: facts.reused,
            version: facts.version,
            kube_version: facts.kube_version,
            api_versions: facts.api_versions,
            lookup: facts.lookup,
            now: self.now,
        })
        .await?;
        Ok(Rendered {
            content,
            is_upgrade,
            chart,
        })
    }

    /// Asks the cluster, with the rights of the account that the release is made as.
    async fn facts(&self, object: &HelmRelease, parts: &Parts) -> Result<Facts, Failure> {
        let Some(live) = self.known.cluster() else {
            return Ok(Facts {
                is_upgrade: false,
                reused: None,
                version: 1,
                kube_version: self.kube_version.clone(),
                api_versions: self.api_versions.clone(),
                lookup: None,
            });
        };
        let place = live.place(object, self.known).await?;
        let (client, discovery) = (place.client.clone(), place.discovery.clone());
        let cluster = place.cluster();
        let storage = Storage::new(cluster.clone(), object.storage_namespace());
        let helm = Helm::new(cluster, storage);
        let name = shorten_name(&object.release_name());
        let records = helm.storage().records(&name).await?;
        let newest = records.last();
        let is_upgrade = newest.is_some_and(|newest| newest.status != Status::Uninstalled);
        let current = match is_upgrade && object.spec.upgrade().preserve_values {
            true => helm.current(&name).await?,
            false => None,
        };
        let merged = &parts.values.merged;
        let reused = current.map(|current| reuse(merged.clone(), &current));
        let mut api_versions = discovery.api_versions().await.unwrap_or_default();
        api_versions.extend(self.api_versions.iter().cloned());
        Ok(Facts {
            is_upgrade,
            reused: reused.transpose().map_err(ReleaseError::Reuse)?,
            version: newest.map_or(0, |newest| newest.version) + 1,
            kube_version: match self.kube_version.is_empty() {
                true => place
                    .kube_version(&live.kube_version)
                    .await
                    .map_err(ReleaseError::from)?,
                false => self.kube_version.clone(),
            },
            api_versions,
            lookup: Some(Arc::new(ClusterLookup::new(client, discovery))),
        })
    }
}
