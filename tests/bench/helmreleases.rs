//! 100 HelmReleases of one chart in a Git repository: from the start of the controllers until all are
//! ready, and while nothing changes.
//!
//! `cargo run --release -p bulkhead-tests --example helmreleases -- path/to/bulkhead CHART [COUNT]`,
//! where CHART is a folder as `helm create` makes one, prints one JSON object a case: seconds, CPU
//! seconds and peak memory of the controllers, and the requests that the API server counted, by verb and
//! resource.

#![allow(
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a program of its own: it runs the controllers, reads /proc and prints"
)]

mod measure;

use std::path::Path;
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
const LIMIT: Duration = Duration::from_secs(300);

#[tokio::main]
async fn main() -> Result<()> {
    let usage = "usage: helmreleases PATH CHART [COUNT]";
    let mut arguments = std::env::args().skip(1);
    let program = arguments.next().context(usage)?;
    let chart = arguments.next().context(usage)?;
    let count: usize = arguments.next().map_or(Ok(100), |text| text.parse())?;

    let cluster = Cluster::start().await?;
    install(&program, &cluster).await?;
    let repository = Repository::new()?;
    copy(Path::new(&chart), "chart", &repository)?;
    repository.commit("a chart")?;
    let server = HttpServer::start(&repository).await?;
    create(&cluster, &server, count).await?;

    let storage = tempfile::tempdir()?;
    let requests = counted(&cluster).await?;
    let started = Instant::now();
    let mut manager = Manager::start(&program, &cluster, storage.path())?;
    wait(&cluster, count, started, &mut manager).await?;
    let asked = difference(&cluster, &requests).await?;
    let many = ("helmreleases", count);
    report(
        "first convergence",
        many,
        started,
        &manager.usage()?,
        &asked,
    );

    tokio::time::sleep(Duration::from_secs(3)).await;
    let (requests, before, started) = (counted(&cluster).await?, manager.usage()?, Instant::now());
    // Two intervals of each release.
    tokio::time::sleep(Duration::from_secs(120)).await;
    let after = manager.usage()?;
    let used = Usage {
        cpu: after.cpu - before.cpu,
        ..after
    };
    let asked = difference(&cluster, &requests).await?;
    report("idle for two intervals", many, started, &used, &asked);
    Ok(())
}

/// Copies a folder into the repository.
fn copy(folder: &Path, to: &str, repository: &Repository) -> Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        let name = format!("{to}/{}", entry.file_name().to_string_lossy());
        match entry.file_type()?.is_dir() {
            true => copy(&entry.path(), &name, repository)?,
            false => repository.write(&name, std::fs::read_to_string(entry.path())?)?,
        }
    }
    Ok(())
}

fn api(cluster: &Cluster, group: &str, version: &str, kind: &str) -> Result<Api<DynamicObject>> {
    let kind = GroupVersionKind::gvk(group, version, kind);
    let resource = ApiResource::from_gvk(&kind);
    Ok(Api::namespaced_with(
        cluster.client()?,
        NAMESPACE,
        &resource,
    ))
}

async fn create(cluster: &Cluster, server: &HttpServer, count: usize) -> Result<()> {
    let namespace =
        json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": NAMESPACE } });
    let namespaces: Api<k8s_openapi::api::core::v1::Namespace> = Api::all(cluster.client()?);
    let parameters = PostParams::default();
    namespaces
        .create(&parameters, &serde_json::from_value(namespace)?)
        .await?;
    let source = json!({
        "apiVersion": "source.toolkit.fluxcd.io/v1", "kind": "GitRepository",
        "metadata": { "name": "charts", "namespace": NAMESPACE },
        "spec": { "interval": "10m", "url": server.url(), "ref": { "branch": "main" } },
    });
    let sources = api(cluster, "source.toolkit.fluxcd.io", "v1", "GitRepository")?;
    sources
        .create(&parameters, &serde_json::from_value(source)?)
        .await?;
    let chart = json!({
        "apiVersion": "source.toolkit.fluxcd.io/v1", "kind": "HelmChart",
        "metadata": { "name": "app", "namespace": NAMESPACE },
        "spec": {
            "interval": "10m", "chart": "./chart",
            "sourceRef": { "kind": "GitRepository", "name": "charts" },
        },
    });
    let charts = api(cluster, "source.toolkit.fluxcd.io", "v1", "HelmChart")?;
    charts
        .create(&parameters, &serde_json::from_value(chart)?)
        .await?;
    let releases = api(cluster, "helm.toolkit.fluxcd.io", "v2", "HelmRelease")?;
    for index in 0..count {
        let object = json!({
            "apiVersion": "helm.toolkit.fluxcd.io/v2", "kind": "HelmRelease",
            "metadata": { "name": format!("app-{index}"), "namespace": NAMESPACE },
            "spec": {
                "interval": "1m",
                "chartRef": { "kind": "HelmChart", "name": "app" },
                "values": { "replicaCount": 1 },
                // Nothing runs pods here.
                "install": { "disableWait": true },
            },
        });
        releases
            .create(&parameters, &serde_json::from_value(object)?)
            .await?;
    }
    Ok(())
}

/// Waits until all HelmReleases are ready; looks four times a second.
async fn wait(
    cluster: &Cluster,
    count: usize,
    started: Instant,
    manager: &mut Manager,
) -> Result<()> {
    let releases = api(cluster, "helm.toolkit.fluxcd.io", "v2", "HelmRelease")?;
    loop {
        let list = releases.list(&ListParams::default()).await?;
        let done = list.items.iter().filter(|object| is_ready(object)).count();
        if done == count {
            return Ok(());
        }
        if let Some(status) = manager.ended()? {
            bail!("the controllers ended: {status}");
        }
        let told = list.items.iter().find(|object| !is_ready(object));
        let told = told.map(|object| object.data["status"]["conditions"].to_string());
        ensure!(
            started.elapsed() < LIMIT,
            "only {done} of {count} are ready after {LIMIT:?}: {told:?}"
        );
        tokio::time::sleep(Duration::from_millis(250)).await;
    }
}

fn is_ready(object: &DynamicObject) -> bool {
    let conditions = object.data["status"]["conditions"].as_array();
    conditions
        .into_iter()
        .flatten()
        .any(|condition| condition["type"] == "Ready" && condition["status"] == "True")
}
