//! Measures what a plugin costs that was pulled, beside one that is part of the binary: `cold
//! FILE.wasm [RUNS]` prints how long it takes to load it from the compiled cache in a new process's
//! stead (a new host), and the medians of calls of both.

#![allow(
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a program of its own, which reads one file and prints"
)]

use std::sync::Arc;
use std::time::{Duration, Instant};

use bulkhead_api::Digest;
use bulkhead_wasm::{
    Embedded, Host, HostConfig, MemoryTree, Plugin, PluginId, RenderError, RenderRequest,
};
use cap_std::fs::Dir;

type Failed = Box<dyn std::error::Error>;

/// Largest page of a machine that this runs on.
const PAGE_BYTES: usize = 65536;

#[tokio::main]
async fn main() -> Result<(), Failed> {
    let mut arguments = std::env::args().skip(1);
    let file = arguments.next().ok_or("usage: cold FILE.wasm [RUNS]")?;
    let runs: usize = arguments.next().map_or(Ok(300), |text| text.parse())?;
    let bytes = std::fs::read(&file)?;
    let folder = tempfile::tempdir()?;
    let id = || PluginId::new("measured", "0");
    let host = || -> Result<Host, Failed> {
        let cache = Dir::open_ambient_dir(folder.path(), cap_std::ambient_authority())?;
        Ok(Host::new(HostConfig {
            cache: Some(cache),
            ..HostConfig::default()
        })?)
    };

    let started = Instant::now();
    drop(host()?.load(id(), &bytes).await?);
    let compiled = started.elapsed();
    let mut cold = Vec::new();
    for _ in 0..20 {
        let host = host()?;
        let started = Instant::now();
        drop(host.load(id(), &bytes).await?);
        cold.push(started.elapsed());
    }
    let megabytes = bytes.len() as f64 / 1e6;
    println!("component of {megabytes:.1} MB: compiled in {compiled:.0?}");
    println!("from the compiled cache: median {:.1?}", median(&mut cold));

    let pulled_by = host()?;
    let pulled = pulled_by.load(id(), &bytes).await?;
    let own = Host::new(HostConfig::default())?;
    let embedded = Embedded {
        digest: Digest::of(&bytes),
        compiled: in_place(&own.precompile(&id(), &bytes)?),
        wasm: Box::leak(bytes.into_boxed_slice()),
    };
    let embedded = own.load_embedded(id(), embedded).await?;
    let (mut of_pulled, mut of_embedded) = (Vec::new(), Vec::new());
    for _ in 0..runs {
        of_pulled.push(call(&pulled).await?);
        of_embedded.push(call(&embedded).await?);
    }
    let (pulled, embedded) = (median(&mut of_pulled), median(&mut of_embedded));
    let ratio = pulled.as_secs_f64() / embedded.as_secs_f64();
    println!("a call, in turn: pulled {pulled:.1?}, embedded {embedded:.1?}, ratio {ratio:.2}");
    Ok(())
}

/// Renders one resource, or is refused: that takes the same.
async fn call(plugin: &Plugin) -> Result<Duration, Failed> {
    let files = [
        ("kustomization.yaml", "resources: [map.yaml]\n"),
        (
            "map.yaml",
            "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: web\n",
        ),
    ];
    let tree = Arc::new(MemoryTree::from_files(files)?);
    let started = Instant::now();
    match plugin.render(RenderRequest::new(tree, ".")).await {
        Ok(_) | Err(RenderError::Refused(_)) => Ok(started.elapsed()),
        Err(error) => Err(error.into()),
    }
}

/// Copies code to the start of a page, for good: there it runs where it lies.
fn in_place(code: &[u8]) -> &'static [u8] {
    let room = Box::leak(vec![0; code.len() + 2 * PAGE_BYTES].into_boxed_slice());
    let start = room.as_ptr().align_offset(PAGE_BYTES);
    let place = &mut room[start..start + code.len()];
    place.copy_from_slice(code);
    place
}

fn median(times: &mut [Duration]) -> Duration {
    times.sort_unstable();
    times.get(times.len() / 2).copied().unwrap_or_default()
}
