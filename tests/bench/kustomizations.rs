//! 300 Kustomizations of three objects each on one repository: from the start of the controllers
//! until all are ready, and from a commit that touches one of them until all show it.
//!
//! `cargo run --release -p bulkhead-tests --example kustomizations -- path/to/bulkhead [COUNT]`
//! prints one JSON object a case: seconds, CPU seconds and peak memory of the controllers, and the
//! requests that the API server counted, by verb and resource. The API server, etcd and the Git server
//! run beside on the same processors.

#![allow(
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a program of its own: it runs the controllers, reads /proc and prints"
)]

mod measure;

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use bulkhead_testing::cluster::Cluster;
use bulkhead_testing::git::{HttpServer, Repository};
use kube::api::{Api, DynamicObject, ListParams, PostParams};
use kube::core::{ApiResource, GroupVersionKind};
use serde_json::json;

use self::measure::{Manager, Usage, counted, difference, install, report};

const NAMESPACE: &str = "flux-system";
/// Longest time for one case.
const LIMIT: Duration = Duration::from_secs(180);

#[tokio::main]
async fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let program = arguments
        .next()
        .context("usage: kustomizations PATH [COUNT]")?;
    let count: usize = arguments.next().map_or(Ok(300), |text| text.parse())?;

    let cluster = Cluster::start().await?;
    install(&program, &cluster).await?;
    let repository = repository(count)?;
    let server = HttpServer::start(&repository).await?;
    create(&cluster, &server, count).await?;

    let storage = tempfile::tempdir()?;
    let requests = counted(&cluster).await?;
    let started = Instant::now();
    let mut manager = Manager::start(&program, &cluster, storage.path())?;
    let revision = format!("main@sha1:{}", repository.head()?);
    wait(&cluster, count, &revision, started, &mut manager).await?;
    let first = manager.usage()?;
    report(
        "first convergence",
        ("kustomizations", count),
        started,
        &first,
        &difference(&cluster, &requests).await?,
    );

    tokio::time::sleep(Duration::from_secs(3)).await;
    let requests = counted(&cluster).await?;
    let before = manager.usage()?;
    repository.write("apps/app-7/patch.yaml", patch(7, 2))?;
    repository.commit("touch one application")?;
    let started = Instant::now();
    request(&cluster).await?;
    let revision = format!("main@sha1:{}", repository.head()?);
    wait(&cluster, count, &revision, started, &mut manager).await?;
    let after = manager.usage()?;
    let used = Usage {
        cpu: after.cpu - before.cpu,
        ..after
    };
    report(
        "commit that touches one",
        ("kustomizations", count),
        started,
        &used,
        &difference(&cluster, &requests).await?,
    );

    tokio::time::sleep(Duration::from_secs(3)).await;
    let (requests, before, started) = (counted(&cluster).await?, manager.usage()?, Instant::now());
    tokio::time::sleep(Duration::from_secs(20)).await;
    let after = manager.usage()?;
    let used = Usage {
        cpu: after.cpu - before.cpu,
        ..after
    };
    report(
        "idle for 20 s",
        ("kustomizations", count),
        started,
        &used,
        &difference(&cluster, &requests).await?,
    );
    Ok(())
}

/// A base, and an overlay an application that changes it by a patch of its own.
fn repository(count: usize) -> Result<Repository> {
    let repository = Repository::new()?;
    repository.write(
        "base/kustomization.yaml",
        "resources: [deployment.yaml, service.yaml, config.yaml]\n",
    )?;
    repository.write(
        "base/deployment.yaml",
        "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: web\nspec:\n  replicas: 1\n  selector:\n    matchLabels: {app: web}\n  template:\n    metadata:\n      labels: {app: web}\n    spec:\n      containers:\n        - name: web\n          image: nginx:1.29\n",
    )?;
    repository.write("base/service.yaml", "apiVersion: v1\nkind: Service\nmetadata:\n  name: web\nspec:\n  selector: {app: web}\n  ports: [{port: 80}]\n")?;
    repository.write(
        "base/config.yaml",
        "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: web\ndata:\n  level: info\n",
    )?;
    for index in 0..count {
        repository.write(
            &format!("apps/app-{index}/kustomization.yaml"),
            format!("namespace: {NAMESPACE}\nnamePrefix: app-{index}-\nresources: [../../base]\npatches: [{{path: patch.yaml}}]\n"),
        )?;
        repository.write(&format!("apps/app-{index}/patch.yaml"), patch(index, 1))?;
    }
    repository.commit("three hundred applications")?;
    Ok(repository)
}

fn patch(index: usize, version: usize) -> String {
    format!(
        "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: web\ndata:\n  app: \"{index}\"\n  version: \"{version}\"\n"
    )
}

fn api(cluster: &Cluster, group: &str, kind: &str) -> Result<Api<DynamicObject>> {
    let kind = GroupVersionKind::gvk(group, "v1", kind);
    Ok(Api::namespaced_with(
        cluster.client()?,
        NAMESPACE,
        &ApiResource::from_gvk(&kind),
    ))
}

async fn create(cluster: &Cluster, server: &HttpServer, count: usize) -> Result<()> {
    let namespace =
        json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": NAMESPACE } });
    let namespaces: Api<k8s_openapi::api::core::v1::Namespace> = Api::all(cluster.client()?);
    namespaces
        .create(&PostParams::default(), &serde_json::from_value(namespace)?)
        .await?;
    let source = json!({
        "apiVersion": "source.toolkit.fluxcd.io/v1", "kind": "GitRepository",
        "metadata": { "name": "apps", "namespace": NAMESPACE },
        "spec": { "interval": "10m", "url": server.url(), "ref": { "branch": "main" } },
    });
    let sources = api(cluster, "source.toolkit.fluxcd.io", "GitRepository")?;
    sources
        .create(&PostParams::default(), &serde_json::from_value(source)?)
        .await?;
    let kustomizations = api(cluster, "kustomize.toolkit.fluxcd.io", "Kustomization")?;
    for index in 0..count {
        let object = json!({
            "apiVersion": "kustomize.toolkit.fluxcd.io/v1", "kind": "Kustomization",
            "metadata": { "name": format!("app-{index}"), "namespace": NAMESPACE },
            "spec": {
                "interval": "10m", "prune": true, "path": format!("./apps/app-{index}"),
                "sourceRef": { "kind": "GitRepository", "name": "apps" },
            },
        });
        kustomizations
            .create(&PostParams::default(), &serde_json::from_value(object)?)
            .await?;
    }
    Ok(())
}

/// Asks for the source to be fetched now, as `flux reconcile source git` does.
async fn request(cluster: &Cluster) -> Result<()> {
    let sources = api(cluster, "source.toolkit.fluxcd.io", "GitRepository")?;
    let patch =
        json!({ "metadata": { "annotations": { "reconcile.fluxcd.io/requestedAt": "bench" } } });
    sources
        .patch("apps", &Default::default(), &kube::api::Patch::Merge(patch))
        .await?;
    Ok(())
}

/// Waits until all Kustomizations are ready at `revision`; looks four times a second.
async fn wait(
    cluster: &Cluster,
    count: usize,
    revision: &str,
    started: Instant,
    manager: &mut Manager,
) -> Result<()> {
    let kustomizations = api(cluster, "kustomize.toolkit.fluxcd.io", "Kustomization")?;
    loop {
        let list = kustomizations.list(&ListParams::default()).await?;
        let done = list
            .items
            .iter()
            .filter(|object| is_at(object, revision))
            .count();
        if done == count {
            return Ok(());
        }
        if let Some(status) = manager.ended()? {
            bail!("the controllers ended: {status}");
        }
        ensure!(
            started.elapsed() < LIMIT,
            "only {done} of {count} are at {revision} after {LIMIT:?}"
        );
        tokio::time::sleep(Duration::from_millis(250)).await;
    }
}

fn is_at(object: &DynamicObject, revision: &str) -> bool {
    let status = &object.data["status"];
    let ready = status["conditions"].as_array().is_some_and(|conditions| {
        conditions
            .iter()
            .any(|condition| condition["type"] == "Ready" && condition["status"] == "True")
    });
    ready && status["lastAppliedRevision"] == revision
}
