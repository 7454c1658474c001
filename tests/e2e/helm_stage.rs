//! What tests of releases share: a namespace with a Helm repository, charts in it, releases of them.

use std::sync::Mutex;
use std::time::Duration;

use anyhow::Result;
use bulkhead_api::helmrelease::HelmRelease;
use bulkhead_api::source::{HelmRepository, HelmRepositorySpec};
use bulkhead_testing::cluster::Cluster;
use k8s_openapi::api::core::v1::Secret;
use kube::api::ListParams;
use serde_json::{Value, json};

use crate::artifacts;
use crate::shelf::Shelf;
use crate::space::{Space, is_ready, ready};

/// A packed chart: name, version, archive.
type Packed = (String, String, Vec<u8>);

/// A namespace with a HelmRepository `charts`, looked at every second.
pub(crate) struct Stage {
    /// The namespace.
    pub(crate) space: Space,
    /// The web server of the repository.
    pub(crate) shelf: Shelf,
    charts: Mutex<Vec<Packed>>,
}

impl Stage {
    /// Makes one.
    pub(crate) async fn new(cluster: &Cluster, prefix: &str) -> Result<Self> {
        let stage = Self {
            space: Space::new(cluster, prefix).await?,
            shelf: Shelf::open().await?,
            charts: Mutex::new(Vec::new()),
        };
        let spec = HelmRepositorySpec::new(stage.shelf.url(), Duration::from_secs(1));
        let object = HelmRepository::new(&stage.space.namespace, "charts", spec);
        stage.space.create(&object).await?;
        Ok(stage)
    }

    /// Puts a chart of these files, beside its `Chart.yaml`, into the repository.
    pub(crate) fn chart(&self, name: &str, version: &str, files: &[(&str, &str)]) -> Result<()> {
        self.packed(name, version, artifacts::chart(name, version, files)?);
        Ok(())
    }

    /// Puts a packed chart into the repository.
    pub(crate) fn packed(&self, name: &str, version: &str, packed: Vec<u8>) {
        let mut charts = self.charts.lock().unwrap();
        charts.push((name.to_owned(), version.to_owned(), packed));
        let all: Vec<(&str, &str, &[u8])> = charts
            .iter()
            .map(|(name, version, packed)| (&**name, &**version, &**packed))
            .collect();
        self.shelf.put_charts(&all);
    }

    /// Creates a HelmRelease of a chart, with these fields more, once an hour.
    pub(crate) async fn release(&self, name: &str, chart: &str, fields: Value) -> Result<()> {
        let mut spec = json!({
            "interval": "1h",
            "chart": { "spec": {
                "chart": chart,
                "interval": "1s",
                "sourceRef": { "kind": "HelmRepository", "name": "charts" },
            }},
        });
        merge(&mut spec, fields);
        self.object(name, spec).await
    }

    /// Creates a HelmRelease.
    pub(crate) async fn object(&self, name: &str, spec: Value) -> Result<()> {
        let metadata = json!({ "name": name, "namespace": self.space.namespace });
        let object = json!({ "metadata": metadata, "spec": spec });
        let object: HelmRelease = serde_json::from_value(object)?;
        self.space.create(&object).await.map(drop)
    }

    /// Changes the specification of a release.
    pub(crate) async fn change(&self, name: &str, spec: Value) -> Result<()> {
        let patch = json!({ "spec": spec });
        self.space.patch::<HelmRelease>(name, patch).await.map(drop)
    }

    /// Waits until a release is Ready at a version, for its generation.
    pub(crate) async fn deployed(&self, name: &str, version: i64) -> Result<HelmRelease> {
        deployed(&self.space, name, version).await
    }

    /// Waits until Ready has this reason; returns its message.
    pub(crate) async fn told(&self, name: &str, reason: &str) -> Result<(HelmRelease, String)> {
        told(&self.space, name, reason).await
    }

    /// Waits until a request by annotation is handled.
    pub(crate) async fn handled(&self, name: &str, at: &str) -> Result<HelmRelease> {
        let is_so =
            |found: &HelmRelease| found.status.last_handled_reconcile_at.as_deref() == Some(at);
        self.space.wait(name, "handled", is_so).await
    }

    /// Returns `v1 deployed` of each record of a release, in order.
    pub(crate) async fn records(&self, name: &str) -> Result<Vec<String>> {
        let list = ListParams::default().labels(&format!("owner=helm,name={name}"));
        let secrets = self.space.api::<Secret>().list(&list).await?;
        let mut found: Vec<(i64, String)> = Vec::new();
        for secret in secrets {
            let labels = secret.metadata.labels.unwrap_or_default();
            found.push((labels["version"].parse()?, labels["status"].clone()));
        }
        found.sort();
        let found = found.into_iter();
        Ok(found
            .map(|(version, status)| format!("v{version} {status}"))
            .collect())
    }
}

/// Puts the fields of `more` over those of `base`, map by map.
pub(crate) fn merge(base: &mut Value, more: Value) {
    match (base, more) {
        (Value::Object(base), Value::Object(more)) => {
            for (key, value) in more {
                merge(base.entry(key).or_insert(Value::Null), value);
            }
        }
        (base, more) => *base = more,
    }
}

/// Waits until a release is Ready at a version, for its generation.
pub(crate) async fn deployed(space: &Space, name: &str, version: i64) -> Result<HelmRelease> {
    let is_so = |found: &HelmRelease| {
        is_ready(&found.status.conditions)
            && found.metadata.generation == Some(found.status.observed_generation)
            && found
                .status
                .history
                .first()
                .is_some_and(|entry| entry.version == version && entry.status == "deployed")
    };
    let what = format!("deployed as v{version}");
    space.wait(name, &what, is_so).await
}

/// Waits until Ready has this reason; returns its message.
pub(crate) async fn told(space: &Space, name: &str, reason: &str) -> Result<(HelmRelease, String)> {
    let is_so = |found: &HelmRelease| {
        ready(&found.status.conditions).is_some_and(|ready| ready.reason == reason)
    };
    let found = space.wait(name, reason, is_so).await?;
    let message = ready(&found.status.conditions).unwrap().message.clone();
    Ok((found, message))
}
