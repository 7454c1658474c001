//! The cluster target against a real API server. Each test has a namespace of its own; the audit log
//! counts the requests.
#![allow(clippy::unwrap_used, reason = "a test may")]

mod failure;
mod kinds;
mod others;
mod release;
mod requests;

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bulkhead_api::ObjectId;
use bulkhead_apply::drift::Records;
use bulkhead_apply::health::Status;
use bulkhead_apply::parse::{self, Limits};
use bulkhead_apply::target::cluster::{
    Awaited, Check, Cluster, Discovery, Request, WaitError, WaitOptions,
};
use bulkhead_apply::{Applied, ApplyError, CommonMetadata, Inventory, Owner, Settings};
use bulkhead_testing::cluster::Cluster as TestCluster;
use k8s_openapi::api::core::v1::{ConfigMap, Secret, Service};
use kube::api::{Api, DeleteParams, ObjectMeta, Patch, PatchParams, PostParams};
use tokio::sync::Notify;

const THREE: &str = "
apiVersion: v1
kind: ConfigMap
metadata: {name: settings}
data: {color: blue}
---
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {selector: {app: web}, ports: [{port: 80}]}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: web, image: web:1}]}
";

const KINDS: [&str; 3] = ["configmaps", "services", "deployments"];

/// One delivery in a namespace of its own.
struct Delivery {
    server: &'static TestCluster,
    cluster: Cluster,
    namespace: String,
    owner: Owner,
    inventory: Inventory,
    records: Records,
    ahead: Vec<Inventory>,
    force: bool,
    check: Check,
    accepted: bool,
    settings: Settings,
}

impl Delivery {
    async fn new(name: &str) -> Self {
        let server = TestCluster::shared().await.unwrap();
        let client = server.client().unwrap();
        Self {
            server,
            cluster: Cluster::new(client.clone(), Discovery::new(client)),
            namespace: server.namespace(name).await.unwrap(),
            owner: Owner::kustomization(name, "flux-system"),
            inventory: Inventory::new(),
            records: Records::new(),
            ahead: Vec::new(),
            force: false,
            check: Check::Records,
            accepted: false,
            settings: Settings {
                prune: true,
                ..Settings::default()
            },
        }
    }

    async fn apply(&mut self, yaml: &str) -> Applied {
        let objects = parse::objects([yaml.into()], &Limits::default()).unwrap();
        let common = CommonMetadata::default();
        let request = Request {
            objects,
            inventory: &self.inventory,
            owner: &self.owner,
            common: &common,
            target_namespace: &self.namespace,
            settings: self.settings.clone(),
            force: self.force,
            check: self.check,
            accepted: self.accepted,
        };
        let ahead = &mut self.ahead;
        let record = |inventory| {
            ahead.push(inventory);
            std::future::ready(Ok(()))
        };
        let applied = spawnable(self.cluster.apply(request, &mut self.records, record)).await;
        self.inventory = applied.inventory.clone();
        applied
    }

    /// Applies what must succeed, and returns its changes.
    async fn applied(&mut self, yaml: &str) -> Vec<String> {
        let applied = self.apply(yaml).await;
        assert!(applied.error.is_none(), "{}", applied.error.unwrap());
        applied
            .changes
            .iter()
            .map(|change| self.short(&change.to_string()))
            .collect()
    }

    /// Applies what must fail, and returns the error.
    async fn refused(&mut self, yaml: &str) -> (Applied, String) {
        let applied = self.apply(yaml).await;
        let message = self.short(&applied.error.as_ref().unwrap().to_string());
        (applied, message)
    }

    fn short(&self, text: &str) -> String {
        text.replace(&self.namespace, "NS")
    }

    fn maps(&self) -> Api<ConfigMap> {
        Api::namespaced(self.server.client().unwrap(), &self.namespace)
    }

    /// Counts the requests of this namespace's test that are not this test's own, by verb.
    fn mark(&self) -> usize {
        self.server.audit().unwrap().len()
    }

    fn requests(&self, mark: usize, resources: &[&str]) -> BTreeMap<String, usize> {
        let mut counts = BTreeMap::new();
        for event in &self.server.audit().unwrap()[mark..] {
            let object = event.object_ref.clone().unwrap_or_default();
            if object.namespace == self.namespace && resources.contains(&object.resource.as_str()) {
                *counts.entry(event.verb.clone()).or_insert(0) += 1;
            }
        }
        counts
    }
}

/// Proves that a worker can spawn the future.
fn spawnable<T: Send>(future: T) -> T {
    future
}

fn map(name: &str, value: &str) -> String {
    format!(
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}}}\ndata: {{key: '{value}'}}\n---\n"
    )
}

fn counts<const N: usize>(pairs: [(&str, usize); N]) -> BTreeMap<String, usize> {
    pairs
        .into_iter()
        .map(|(verb, count)| (verb.to_owned(), count))
        .collect()
}

/// A client that runs `hook` before it sends, and loses the answers that it says.
fn meddling<F, R>(inner: kube::Client, hook: F) -> kube::Client
where
    F: Fn(String, String) -> R + Send + Sync + Clone + 'static,
    R: Future<Output = bool> + Send + 'static,
{
    let service = tower::service_fn(move |request: http::Request<kube::client::Body>| {
        let (inner, hook) = (inner.clone(), hook.clone());
        async move {
            let (method, path) = (
                request.method().to_string(),
                request.uri().path().to_owned(),
            );
            let loses = hook(method, path).await;
            let response = inner.send(request).await?;
            if loses {
                return Err(kube::Error::Service("the answer got lost".into()));
            }
            Ok(response)
        }
    });
    kube::Client::new(service, "default")
}

/// A client that stops for good before write number `crash_after`, and what tells that it has.
fn crashing(inner: kube::Client, crash_after: usize) -> (kube::Client, Arc<Notify>) {
    let (writes, crash) = (Arc::new(AtomicUsize::new(0)), Arc::new(Notify::new()));
    let crashed = crash.clone();
    let client = meddling(inner, move |method, _| {
        let is_write = method != "GET";
        let count = if is_write {
            writes.fetch_add(1, Ordering::Relaxed)
        } else {
            0
        };
        let crash = crash.clone();
        async move {
            if is_write && count >= crash_after {
                crash.notify_one();
                std::future::pending::<()>().await;
            }
            false
        }
    });
    (client, crashed)
}
