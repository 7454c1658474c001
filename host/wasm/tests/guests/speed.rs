//! What a call costs: run with `--release`, `--ignored` and `--nocapture`.

use std::time::{Duration, Instant};

use bulkhead_wasm::{Host, HostConfig};
use cap_std::fs::Dir;

use crate::fake::{HELLO, id, large, load, renderer, request};

#[tokio::test]
#[ignore = "a measurement; meaningful with --release"]
async fn a_call_is_cheap() {
    let plugin = load(&renderer(HELLO)).await.unwrap();
    let (mut inside, mut whole) = (Vec::new(), Vec::new());
    for _ in 0..1000 {
        let began = Instant::now();
        inside.push(plugin.render(request()).await.unwrap().usage.duration);
        whole.push(began.elapsed());
    }
    let median = |times: &mut Vec<Duration>| {
        times.sort_unstable();
        times[times.len() / 2]
    };
    let (inside, whole) = (median(&mut inside), median(&mut whole));
    #[allow(clippy::print_stderr, reason = "a measurement")]
    {
        eprintln!("instantiate, call and drop: {inside:?}; with the way there: {whole:?}");
    }
    assert!(inside < Duration::from_micros(500), "{inside:?}");
}

#[tokio::test]
#[ignore = "a measurement; meaningful with --release"]
async fn a_cached_plugin_loads_fast() {
    let folder = tempfile::tempdir().unwrap();
    let host = || {
        let cache = Dir::open_ambient_dir(folder.path(), cap_std::ambient_authority()).unwrap();
        Host::new(HostConfig {
            cache: Some(cache),
            ..HostConfig::default()
        })
        .unwrap()
    };
    let bytes = large(20_000);
    let mut times = Vec::new();
    for _ in 0..4 {
        let host = host();
        let began = Instant::now();
        host.load(id(), &bytes).await.unwrap();
        times.push(began.elapsed());
    }
    #[allow(clippy::print_stderr, reason = "a measurement")]
    {
        eprintln!(
            "{} bytes: compiled in {:?}, from the cache in {:?}",
            bytes.len(),
            times[0],
            times[3]
        );
    }
}
