//! 100 HelmReleases of one chart in a Git repository: from the start of the controllers until all are
//! ready, and while nothing changes; then the same with Flux's own controllers, each on a server of its
//! own.
//!
//! `cargo run --release -p bulkhead-tests --example helmreleases -- path/to/bulkhead CHART [COUNT]`,
//! where CHART is a folder as `helm create` makes one, prints one JSON object a case: seconds, CPU
//! seconds and peak memory of the controllers, and the requests that the API server counted, by verb and
//! resource. Where the programs that `SOURCE_CONTROLLER` and `HELM_CONTROLLER` name are there, it goes on
//! with those, and ends with the ratios.

#![allow(
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a program of its own: it runs the controllers, reads /proc and prints"
)]

mod measure;

use std::collections::BTreeMap;
use std::net::TcpListener;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use bulkhead_testing::cluster::Cluster;
use bulkhead_testing::git::{HttpServer, Repository};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::{Api, DynamicObject, ListParams, PostParams};
use kube::core::{ApiResource, GroupVersionKind};
use serde_json::{Value, json};

use self::measure::{Manager, Usage, counted, difference, install, report};

const NAMESPACE: &str = "flux-system";
/// Longest time for one case.
const LIMIT: Duration = Duration::from_secs(300);
/// Two intervals of each release.
const IDLE: Duration = Duration::from_secs(120);

#[tokio::main]
async fn main() -> Result<()> {
    let usage = "usage: helmreleases PATH CHART [COUNT]";
    let mut arguments = std::env::args().skip(1);
    let program = arguments.next().context(usage)?;
    let chart = arguments.next().context(usage)?;
    let count: usize = arguments.next().map_or(Ok(100), |text| text.parse())?;

    let scene = Scene::new(&program, &chart, count).await?;
    let storage = tempfile::tempdir()?;
    let start = || Manager::start(&program, &scene.cluster, storage.path());
    let ours = scene.measure("bulkhead", start).await?;
    drop(scene);

    let named = |variable| std::env::var(variable).ok();
    let (source, helm) = (named("SOURCE_CONTROLLER"), named("HELM_CONTROLLER"));
    let Some((source, helm)) = source.zip(helm) else {
        return Ok(());
    };
    let scene = Scene::new(&program, &chart, count).await?;
    scene.cluster.install_crds(&[buckets()?]).await?;
    let storage = tempfile::tempdir()?;
    let start = || Manager::start_all(flux(&source, &helm, &scene.cluster, storage.path())?);
    let theirs = scene.measure("flux", start).await?;
    println!("{}", ratios(&ours, &theirs));
    Ok(())
}

/// What one engine took.
struct Took {
    seconds: f64,
    first: Usage,
    requests: i64,
    idle_cpu: f64,
    idle_requests: i64,
}

/// How often ours goes into theirs. Among the requests are a few of the server's own, the same for both.
fn ratios(ours: &Took, theirs: &Took) -> Value {
    let times = |ours: f64, theirs: f64| (theirs / ours * 10.0).round() / 10.0;
    #[allow(clippy::cast_precision_loss, reason = "some thousands")]
    let of = |ours: i64, theirs: i64| times(ours as f64, theirs as f64);
    json!({
        "case": "flux / bulkhead",
        "seconds": times(ours.seconds, theirs.seconds),
        "cpu_seconds": times(ours.first.cpu, theirs.first.cpu),
        "peak_mib": times(ours.first.peak_mib, theirs.first.peak_mib),
        "requests": of(ours.requests, theirs.requests),
        "idle_cpu_seconds": times(ours.idle_cpu, theirs.idle_cpu),
        "idle_requests": of(ours.idle_requests, theirs.idle_requests),
    })
}

/// Flux's two controllers with the flags of its own manifests, but for leader election, which they only
/// do in a cluster; addresses and storage are this machine's.
fn flux(source: &str, helm: &str, cluster: &Cluster, storage: &Path) -> Result<Vec<Command>> {
    let free = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
    let shipped = [
        "--watch-all-namespaces",
        "--log-level=info",
        "--log-encoding=json",
        "--enable-leader-election=false",
        "--health-addr=127.0.0.1:0",
        "--metrics-addr=127.0.0.1:0",
    ];
    let start = |program: &str| {
        let mut command = Command::new(program);
        command
            .args(shipped)
            .env("KUBECONFIG", cluster.kubeconfig())
            .env("RUNTIME_NAMESPACE", NAMESPACE)
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        command
    };
    let mut sources = start(source);
    sources
        .arg(format!("--storage-path={}", storage.display()))
        .arg(format!("--storage-addr={free}"))
        .arg(format!("--storage-adv-addr={free}"));
    Ok(vec![sources, start(helm)])
}

/// The kind that Flux's controllers do not start without, and Bulkhead does not serve.
fn buckets() -> Result<CustomResourceDefinition> {
    let definition = json!({
        "metadata": { "name": "buckets.source.toolkit.fluxcd.io" },
        "spec": {
            "group": "source.toolkit.fluxcd.io", "scope": "Namespaced",
            "names": { "kind": "Bucket", "plural": "buckets" },
            "versions": [{
                "name": "v1", "served": true, "storage": true, "subresources": { "status": {} },
                "schema": { "openAPIV3Schema": {
                    "type": "object", "x-kubernetes-preserve-unknown-fields": true,
                } },
            }],
        },
    });
    serde_json::from_value(definition).context("not a definition")
}

/// A server with releases that nobody has seen yet.
struct Scene {
    cluster: Cluster,
    count: usize,
    _server: HttpServer,
    _repository: Repository,
}

impl Scene {
    async fn new(program: &str, chart: &str, count: usize) -> Result<Self> {
        let cluster = Cluster::start().await?;
        install(program, &cluster).await?;
        let repository = Repository::new()?;
        copy(Path::new(chart), "chart", &repository)?;
        repository.commit("a chart")?;
        let server = HttpServer::start(&repository).await?;
        create(&cluster, &server, count).await?;
        Ok(Self {
            cluster,
            count,
            _server: server,
            _repository: repository,
        })
    }

    async fn measure(&self, name: &str, start: impl Fn() -> Result<Manager>) -> Result<Took> {
        let (cluster, many) = (&self.cluster, ("helmreleases", self.count));
        let requests = counted(cluster).await?;
        let started = Instant::now();
        let mut manager = start()?;
        let polls = wait(cluster, self.count, started, &mut manager).await?;
        let (seconds, first) = (started.elapsed().as_secs_f64(), manager.usage()?);
        let mut asked = difference(cluster, &requests).await?;
        // Not theirs: the looks of the benchmark itself.
        *asked.entry("LIST helmreleases".into()).or_default() -= polls;
        report(
            &format!("{name}: first convergence"),
            many,
            started,
            &first,
            &asked,
        );

        tokio::time::sleep(Duration::from_secs(3)).await;
        let (requests, before, started) =
            (counted(cluster).await?, manager.usage()?, Instant::now());
        tokio::time::sleep(IDLE).await;
        let after = manager.usage()?;
        let used = Usage {
            cpu: after.cpu - before.cpu,
            ..after
        };
        let idle = difference(cluster, &requests).await?;
        report(
            &format!("{name}: idle for two intervals"),
            many,
            started,
            &used,
            &idle,
        );
        let sum = |asked: &BTreeMap<String, i64>| asked.values().sum();
        Ok(Took {
            seconds,
            first,
            requests: sum(&asked),
            idle_cpu: used.cpu,
            idle_requests: sum(&idle),
        })
    }
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

/// Waits until all HelmReleases are ready; looks four times a second. Returns how often it looked.
async fn wait(
    cluster: &Cluster,
    count: usize,
    started: Instant,
    manager: &mut Manager,
) -> Result<i64> {
    let releases = api(cluster, "helm.toolkit.fluxcd.io", "v2", "HelmRelease")?;
    for looked in 1.. {
        let list = releases.list(&ListParams::default()).await?;
        let done = list.items.iter().filter(|object| is_ready(object)).count();
        if done == count {
            return Ok(looked);
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
    bail!("looked too often")
}

fn is_ready(object: &DynamicObject) -> bool {
    let conditions = object.data["status"]["conditions"].as_array();
    conditions
        .into_iter()
        .flatten()
        .any(|condition| condition["type"] == "Ready" && condition["status"] == "True")
}
