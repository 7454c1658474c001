//! What the benchmarks share: the controllers as a process, what they use, and what the API server
//! counts.

use std::collections::BTreeMap;
use std::process::{Child, Command, Stdio};
use std::time::Instant;

use anyhow::{Context as _, Result, ensure};
use bulkhead_testing::cluster::Cluster;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use serde_json::{Value, json};

/// Ticks of the processor clock a second, as Linux counts them in /proc.
const TICKS: f64 = 100.0;

/// The controllers, as processes of their own.
pub(crate) struct Manager(Vec<Child>);

/// What the controllers used since they started.
#[derive(Clone, Copy)]
pub(crate) struct Usage {
    pub(crate) cpu: f64,
    pub(crate) peak_mib: f64,
    pub(crate) resident_mib: f64,
}

impl Manager {
    pub(crate) fn ended(&mut self) -> Result<Option<std::process::ExitStatus>> {
        for child in &mut self.0 {
            if let Some(status) = child.try_wait()? {
                return Ok(Some(status));
            }
        }
        Ok(None)
    }

    pub(crate) fn start(
        program: &str,
        cluster: &Cluster,
        storage: &std::path::Path,
    ) -> Result<Self> {
        let mut command = Command::new(program);
        command
            .arg("run")
            .arg(format!("--kubeconfig={}", cluster.kubeconfig().display()))
            .arg(format!("--storage-path={}", storage.display()))
            .args([
                "--storage-addr=127.0.0.1:0",
                "--health-addr=127.0.0.1:0",
                "--metrics-addr=127.0.0.1:0",
            ])
            .arg("--log-level=error")
            .stdout(Stdio::null())
            .stderr(Stdio::inherit());
        Self::start_all(vec![command])
    }

    /// Starts them, all at once.
    pub(crate) fn start_all(commands: Vec<Command>) -> Result<Self> {
        let mut all = Self(Vec::new());
        for mut command in commands {
            let name = command.get_program().to_string_lossy().into_owned();
            let child = command.spawn();
            all.0
                .push(child.with_context(|| format!("failed to start {name}"))?);
        }
        Ok(all)
    }

    /// Returns what they used, together.
    pub(crate) fn usage(&self) -> Result<Usage> {
        let each: Result<Vec<Usage>> = self.0.iter().map(usage).collect();
        let (mut cpu, mut peak_mib, mut resident_mib) = (0.0, 0.0, 0.0);
        for used in each? {
            cpu += used.cpu;
            peak_mib += used.peak_mib;
            resident_mib += used.resident_mib;
        }
        Ok(Usage {
            cpu,
            peak_mib,
            resident_mib,
        })
    }
}

fn usage(child: &Child) -> Result<Usage> {
    let of = |file: &str| {
        let path = format!("/proc/{}/{file}", child.id());
        std::fs::read_to_string(&path).with_context(|| format!("failed to read {path}"))
    };
    let stat = of("stat")?;
    let fields: Vec<&str> = stat
        .rsplit(')')
        .next()
        .unwrap_or("")
        .split_whitespace()
        .collect();
    // utime, stime, and those of children that ended: the compile worker.
    let ticks: f64 = (11..15)
        .filter_map(|index| fields.get(index)?.parse::<f64>().ok())
        .sum();
    let status = of("status")?;
    let kib = |name: &str| {
        let line = status.lines().find(|line| line.starts_with(name))?;
        line.split_whitespace().nth(1)?.parse::<f64>().ok()
    };
    Ok(Usage {
        cpu: ticks / TICKS,
        peak_mib: kib("VmHWM:").context("no VmHWM")? / 1024.0,
        resident_mib: kib("VmRSS:").context("no VmRSS")? / 1024.0,
    })
}

impl Drop for Manager {
    fn drop(&mut self) {
        for child in &mut self.0 {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// Prints one case.
pub(crate) fn report(
    case: &str,
    (kind, count): (&str, usize),
    started: Instant,
    usage: &Usage,
    requests: &BTreeMap<String, i64>,
) {
    let round = |value: f64| (value * 100.0).round() / 100.0;
    println!(
        "{}",
        json!({
            "case": case,
            kind: count,
            "seconds": round(started.elapsed().as_secs_f64()),
            "cpu_seconds": round(usage.cpu),
            "peak_mib": round(usage.peak_mib),
            "resident_mib": round(usage.resident_mib),
            "requests": requests,
        })
    );
}

pub(crate) async fn install(program: &str, cluster: &Cluster) -> Result<()> {
    let output = Command::new(program)
        .args(["install", "--export", "--output=json"])
        .output()?;
    ensure!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let mut definitions: Vec<CustomResourceDefinition> = Vec::new();
    for line in output
        .stdout
        .split(|byte| *byte == b'\n')
        .filter(|line| !line.is_empty())
    {
        let object: Value = serde_json::from_slice(line)?;
        if object["kind"] == "CustomResourceDefinition" {
            definitions.push(serde_json::from_value(object)?);
        }
    }
    cluster.install_crds(&definitions).await
}

/// Reads the API server's own counts of requests, by verb and resource.
pub(crate) async fn counted(cluster: &Cluster) -> Result<BTreeMap<String, i64>> {
    let request = http::Request::get("/metrics").body(Vec::new())?;
    let text = cluster.client()?.request_text(request).await?;
    let mut counts = BTreeMap::new();
    for line in text
        .lines()
        .filter(|line| line.starts_with("apiserver_request_total{"))
    {
        let label = |name: &str| {
            let start = line.find(&format!("{name}=\""))? + name.len() + 2;
            Some(&line[start..start + line[start..].find('"')?])
        };
        let value: f64 = line
            .rsplit(' ')
            .next()
            .unwrap_or("0")
            .parse()
            .unwrap_or(0.0);
        let (Some(verb), Some(dry)) = (label("verb"), label("dry_run")) else {
            continue;
        };
        let mut name = verb.to_owned();
        let parts = [label("resource"), label("subresource")];
        for part in parts.into_iter().flatten().filter(|name| !name.is_empty()) {
            name.push_str(&format!(" {part}"));
        }
        if !dry.is_empty() {
            name.push_str(" (dry run)");
        }
        *counts.entry(name).or_insert(0) += value as i64;
    }
    Ok(counts)
}

/// Returns what was asked since `before`. What the benchmark itself asked is among it: lists of the
/// objects that it waits for, four a second.
pub(crate) async fn difference(
    cluster: &Cluster,
    before: &BTreeMap<String, i64>,
) -> Result<BTreeMap<String, i64>> {
    let mut now = counted(cluster).await?;
    for (name, count) in &mut now {
        *count -= before.get(name).copied().unwrap_or(0);
    }
    now.retain(|_, count| *count != 0);
    Ok(now)
}
