//! All hostile plugins at once on the running manager: it stays, each object says what happened to
//! it, and those of others are reconciled as before.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use bulkhead_api::delivery::Delivery;
use bulkhead_api::plugin::{Plugin, PluginSpec};
use bulkhead_testing::cluster::Cluster;
use bulkhead_testing::git::{HttpServer, Repository};
use serde_json::json;

use crate::any_renderer::{Shop, applied, delivery};
use crate::guests;
use crate::manager::{Manager, install_definitions};
use crate::space::{Space, config_map, is_ready, ready};

/// Reconciliations of a neighbour whose time is taken.
const SAMPLES: usize = 20;

/// What each hostile plugin must be told.
const REASONS: [(&str, &str); 8] = [
    ("loops", "PluginTimedOut"),
    ("fills", "PluginTimedOut"),
    ("grows", "PluginOutOfMemory"),
    ("recurses", "PluginTrapped"),
    ("traps", "PluginTrapped"),
    ("floods", "PluginOutputTooLarge"),
    ("babbles", "PluginTrapped"),
    ("laughs", "BuildFailed"),
];

/// Changes a neighbour, and takes the time until it is applied, again and again; returns the median
/// and the longest.
async fn latency(space: &Space, from: usize) -> Result<(Duration, Duration)> {
    let mut times = Vec::with_capacity(SAMPLES);
    for number in from..from + SAMPLES {
        let name = format!("n{}", number % 3);
        let began = Instant::now();
        let config = json!({ "spec": { "config": { "replicas": number } } });
        let patched = space.patch::<Delivery>(&name, config).await?;
        let generation = patched.metadata.generation;
        loop {
            let found = space.api::<Delivery>().get(&name).await?;
            let observed = Some(found.status.observed_generation) == generation;
            if observed && is_ready(&found.status.conditions) {
                break;
            }
            let waited = began.elapsed();
            ensure!(
                waited < Duration::from_secs(60),
                "{name}: {:?}",
                found.status
            );
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        times.push(began.elapsed());
    }
    times.sort_unstable();
    Ok((times[times.len() / 2], times[times.len() - 1]))
}

#[tokio::test]
#[ignore = "needs kube-apiserver"]
async fn all_hostile_plugins_at_once_cost_their_own_objects_alone() -> Result<()> {
    let (cluster, folder) = (Cluster::start().await?, tempfile::tempdir()?);
    install_definitions(&cluster).await?;
    let manager = Manager::start(&cluster, folder.path()).await?;
    let (quiet, space) = (
        Space::new(&cluster, "quiet").await?,
        Space::new(&cluster, "hostile").await?,
    );
    let shop = Shop::open().await?;
    let web = config_map("web", "1");
    let files: Vec<(String, &str)> = (0..3).map(|n| (format!("n{n}/app.yaml"), &*web)).collect();
    let git = Repository::with_files(files.iter().map(|(path, text)| (&**path, *text)))?;
    let server = HttpServer::start(&git).await?;
    for space in [&quiet, &space] {
        space.repository("app", server.url()).await?;
    }
    shop.install(&quiet, "files", &guests::renderer()).await?;
    for number in 0..3 {
        let name = format!("n{number}");
        quiet
            .create(&delivery(&quiet, &name, "files", &name))
            .await?;
        applied(&quiet, &name, &git.head()?).await?;
    }
    let alone = latency(&quiet, 100).await?;

    for (name, component) in guests::hostile() {
        shop.install(&space, name, &component).await?;
        let mut object = delivery(&space, name, name, "n0");
        object.spec.retry_interval = Some(Duration::from_millis(200).into());
        space.create(&object).await?;
    }
    // One that the compiler has to be stopped at, for good measure.
    let image = shop.push("costly", &guests::costly(100_000)).await?;
    let mut spec = PluginSpec::new(&image);
    spec.insecure = true;
    space
        .create(&Plugin::new(&space.namespace, "costly", spec))
        .await?;
    for (name, reason) in REASONS {
        let has_failed = |found: &Delivery| {
            let ready = ready(&found.status.conditions);
            ready.is_some_and(|ready| ready.status == "False" && ready.reason == reason)
        };
        // A loop takes its deadline of 30 s, in a lane that gives way.
        let told = async || space.wait(name, reason, has_failed).await;
        if told().await.is_err() {
            told().await.with_context(|| format!("{name} {reason}"))?;
        }
    }
    let besieged = latency(&quiet, 200).await?;
    #[allow(clippy::print_stderr, reason = "a measurement")]
    {
        eprintln!("median and longest: alone {alone:?}, besieged {besieged:?}");
    }
    ensure!(manager.is_alive(), "the manager ended:\n{}", manager.log());
    ensure!(!manager.log().contains("panicked"), "{}", manager.log());
    let most = alone.0 * 10 + Duration::from_secs(1);
    ensure!(besieged.0 < most, "alone {alone:?}, besieged {besieged:?}");
    // With the manager ends what it started.
    manager.kill()?;
    let deadline = Instant::now() + Duration::from_secs(10);
    while !compilers(folder.path())?.is_empty() {
        ensure!(Instant::now() < deadline, "a compiler outlives the manager");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    Ok(())
}

/// Processes that compile for a manager which was started with files in `folder`: children of nobody
/// once it is gone.
fn compilers(_folder: &std::path::Path) -> Result<Vec<u32>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir("/proc")? {
        let Ok(id) = entry?.file_name().to_string_lossy().parse::<u32>() else {
            continue;
        };
        let line = std::fs::read(format!("/proc/{id}/cmdline")).unwrap_or_default();
        let status = std::fs::read_to_string(format!("/proc/{id}/status")).unwrap_or_default();
        let is_orphan = status
            .lines()
            .any(|line| line.split_whitespace().eq(["PPid:", "1"]));
        if is_orphan
            && line
                .split(|byte| *byte == 0)
                .any(|word| word == b"compile-plugin")
        {
            found.push(id);
        }
    }
    Ok(found)
}
