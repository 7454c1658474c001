//! Releases on a real API server: their life, what breaks it, and the real `helm` beside us.

mod client;
mod crash;
mod helm;
mod life;
mod odd;
mod steps;

use bulkhead_apply::release::{
    Chart, Content, Done, Helm, Install, Source, Storage, Target, Upgrade, sort,
};
use bulkhead_apply::target::cluster::{Cluster, Discovery};
use bulkhead_testing::cluster::Cluster as TestCluster;
use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use kube::api::{Api, ListParams};

/// A release in a namespace of its own.
pub(crate) struct Scene {
    pub(crate) server: &'static TestCluster,
    pub(crate) helm: Helm,
    pub(crate) target: Target,
}

impl Scene {
    pub(crate) async fn new(name: &str) -> Self {
        let server = TestCluster::shared().await.unwrap();
        let namespace = server.namespace(name).await.unwrap();
        Self {
            server,
            helm: helm_of(server.client().unwrap(), &namespace),
            target: Target {
                name: "app".to_owned(),
                namespace,
                ..Target::default()
            },
        }
    }

    pub(crate) fn maps(&self) -> Api<ConfigMap> {
        Api::namespaced(self.server.client().unwrap(), &self.target.namespace)
    }

    /// Returns the names of our ConfigMaps, in order.
    pub(crate) async fn names(&self) -> Vec<String> {
        let maps = self.maps().list(&ListParams::default()).await.unwrap();
        let names = maps.items.into_iter().filter_map(|map| map.metadata.name);
        names.filter(|name| name != "kube-root-ca.crt").collect()
    }

    /// Returns `version status` of each record, in order.
    pub(crate) async fn records(&self) -> Vec<String> {
        let records = self.helm.storage().records("app").await.unwrap();
        let records = records.iter();
        records
            .map(|one| format!("{} {}", one.version, one.status))
            .collect()
    }

    pub(crate) async fn secrets(&self) -> usize {
        let secrets: Api<Secret> =
            Api::namespaced(self.server.client().unwrap(), &self.target.namespace);
        secrets
            .list(&ListParams::default().labels("owner=helm"))
            .await
            .unwrap()
            .items
            .len()
    }

    pub(crate) async fn install(&self, content: Content) -> Done {
        let install = Install::default();
        self.helm
            .install(&self.target, content, &install, std::future::pending())
            .await
    }

    pub(crate) async fn upgrade(&self, content: Content) -> Done {
        let upgrade = Upgrade::default();
        self.helm
            .upgrade(&self.target, content, &upgrade, std::future::pending())
            .await
    }
}

pub(crate) fn helm_of(client: kube::Client, namespace: &str) -> Helm {
    let cluster = Cluster::new(client.clone(), Discovery::new(client));
    Helm::new(cluster.clone(), Storage::new(cluster, namespace))
}

/// What a chart of these templates renders to.
pub(crate) fn content(version: &str, templates: &[(&str, &str)]) -> Content {
    let sources: Vec<Source> = templates
        .iter()
        .map(|(name, text)| Source::new(format!("web/templates/{name}.yaml"), *text))
        .collect();
    let sorted = sort(&sources).unwrap();
    let chart = serde_json::json!({
        "metadata": { "name": "web", "version": version, "apiVersion": "v2", "appVersion": "9" },
        "lock": null, "templates": [], "values": {}, "schema": null,
        "schemamodtime": "0001-01-01T00:00:00Z", "files": null,
    });
    let config = serde_json::json!({ "replicas": 2, "text": "<é>" });
    Content {
        chart: Some(Chart::from_json(chart.to_string()).unwrap()),
        config: config.as_object().cloned().unwrap(),
        manifest: sorted.manifest,
        hooks: sorted.hooks,
        notes: "Hello".to_owned(),
        ..Content::default()
    }
}

pub(crate) fn map(name: &str, value: &str) -> String {
    format!(
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}}}\ndata: {{key: '{value}'}}\n"
    )
}

pub(crate) fn hook(name: &str, events: &str, policies: &str) -> String {
    format!(
        "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {name}\n  annotations:\n    \
         helm.sh/hook: {events}\n    helm.sh/hook-delete-policy: {policies}\n"
    )
}

pub(crate) fn error(done: &Done) -> String {
    done.error
        .as_ref()
        .map(|error| bulkhead_api::chain(error))
        .unwrap_or_default()
}
