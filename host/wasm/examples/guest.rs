//! Measures a renderer in one process, warm. `guest FILE.wasm [RUNS [ROOT PATH]]` renders the folder
//! PATH of ROOT, by default the smallest overlay: one resource. It prints the medians of whole calls,
//! and of what of them is spent from instantiation to the answer.

#![allow(
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a program of its own, which reads one file and prints"
)]

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bulkhead_wasm::{Host, HostConfig, MemoryTree, PluginId, RenderRequest};

const SERVICE: &str =
    "apiVersion: v1\nkind: Service\nmetadata:\n  name: web\nspec:\n  ports:\n    - port: 80\n";

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let file = arguments
        .next()
        .ok_or("usage: guest FILE.wasm [RUNS [ROOT PATH]]")?;
    let runs: usize = arguments.next().map_or(Ok(1_000), |text| text.parse())?;
    let bytes = std::fs::read(&file)?;

    let host = Host::new(HostConfig::default())?;
    let started = Instant::now();
    let plugin = host.load(PluginId::new("measured", "0"), &bytes).await?;
    let compiled = started.elapsed();

    let (tree, path) = match (arguments.next(), arguments.next()) {
        (Some(root), Some(path)) => (folder(Path::new(&root))?, path),
        _ => {
            let files = [
                ("kustomization.yaml", "resources: [service.yaml]\n"),
                ("service.yaml", SERVICE),
            ];
            (MemoryTree::from_files(files)?, ".".to_owned())
        }
    };
    let tree = Arc::new(tree);
    let mut calls = Vec::with_capacity(runs);
    let mut guests = Vec::with_capacity(runs);
    for _ in 0..runs {
        let request = RenderRequest::new(tree.clone(), path.as_str());
        let started = Instant::now();
        let rendered = plugin.render(request).await?;
        calls.push(started.elapsed());
        guests.push(rendered.usage.duration);
    }
    println!("component {} bytes, compiled in {compiled:?}", bytes.len());
    println!(
        "{runs} calls: median {:?}, of which in the guest's store {:?}",
        median(&mut calls),
        median(&mut guests)
    );
    Ok(())
}

/// Reads all files of a folder.
fn folder(root: &Path) -> Result<MemoryTree, Box<dyn std::error::Error>> {
    let mut tree = MemoryTree::new();
    let mut waiting: Vec<PathBuf> = vec![root.to_owned()];
    while let Some(folder) = waiting.pop() {
        for entry in std::fs::read_dir(folder)? {
            let path = entry?.path();
            if path.is_dir() {
                waiting.push(path);
            } else {
                let name = path.strip_prefix(root)?.to_string_lossy().into_owned();
                tree.insert(&name, std::fs::read(&path)?)?;
            }
        }
    }
    Ok(tree)
}

fn median(times: &mut [Duration]) -> Duration {
    times.sort_unstable();
    times.get(times.len() / 2).copied().unwrap_or_default()
}
