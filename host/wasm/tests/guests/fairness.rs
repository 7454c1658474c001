//! P1, P30: what hostile plugins cost their neighbours: a place in a queue, never the queue.

use std::num::NonZero;
use std::time::{Duration, Instant};

use bulkhead_wasm::{Host, HostConfig, Limits, Plugin, PluginId, RenderRequest};

use crate::fake::{HELLO, id, renderer, request};

/// A loop; `number` makes it a plugin of its own.
fn endless(number: usize) -> Vec<u8> {
    renderer(&format!(
        "(func $render (param i32) (result i32) (loop (br 0)) (i32.const {number}))"
    ))
}

fn until(deadline: Duration) -> RenderRequest {
    let limits = Limits {
        deadline,
        ..Limits::renderer()
    };
    RenderRequest {
        limits,
        ..request()
    }
}

async fn host(parallel: usize) -> Host {
    Host::new(HostConfig {
        parallel: NonZero::new(parallel),
        ..HostConfig::default()
    })
    .unwrap()
}

/// Calls every plugin over and over, several times at once, until the result is dropped.
fn besiege(plugins: &[Plugin], at_once: usize) -> tokio::task::JoinSet<()> {
    let mut siege = tokio::task::JoinSet::new();
    for plugin in plugins {
        for _ in 0..at_once {
            let plugin = plugin.clone();
            siege.spawn(async move {
                loop {
                    let _ = plugin.render(until(Duration::from_secs(30))).await;
                }
            });
        }
    }
    siege
}

async fn load(host: &Host, guests: usize) -> Vec<Plugin> {
    let mut plugins = Vec::new();
    for number in 0..guests {
        let name = PluginId::new(format!("hostile-{number}"), "1.0.0");
        plugins.push(host.load(name, &endless(number)).await.unwrap());
    }
    plugins
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn loops_of_many_plugins_leave_neighbours_their_place() {
    let host = host(2).await;
    let hello = host.load(id(), &renderer(HELLO)).await.unwrap();
    let siege = besiege(&load(&host, 8).await, 4);
    // Each hostile plugin has had its quick try: all wait for the slow lane, for 30 s each.
    tokio::time::sleep(Duration::from_secs(3)).await;
    let began = Instant::now();
    for _ in 0..20 {
        assert!(hello.render(request()).await.is_ok());
    }
    let took = began.elapsed();
    drop(siege);
    assert!(took < Duration::from_secs(10), "{took:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slow_plugin_has_its_place_beside_a_loop() {
    let host = host(1).await;
    let endless = load(&host, 1).await;
    let siege = besiege(&endless, 8);
    tokio::time::sleep(Duration::from_millis(600)).await;
    // Slow and harmless: it ends at its own deadline, while the loop has 30 s.
    let slow = host.load(id(), &self::endless(99)).await.unwrap();
    let began = Instant::now();
    assert!(
        slow.render(until(Duration::from_millis(500)))
            .await
            .is_err()
    );
    let took = began.elapsed();
    drop(siege);
    assert!(took < Duration::from_secs(10), "{took:?}");
}

fn percentile(times: &mut [Duration], hundredths: usize) -> Duration {
    times.sort_unstable();
    times[(times.len() - 1) * hundredths / 100]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a measurement; meaningful with --release on an idle machine"]
async fn latency_of_a_neighbour() {
    let parallel = std::thread::available_parallelism().unwrap().get();
    let host = host(parallel).await;
    let hello = host.load(id(), &renderer(HELLO)).await.unwrap();
    let measure = async |calls: usize| {
        let mut times = Vec::with_capacity(calls);
        for _ in 0..calls {
            let began = Instant::now();
            hello.render(request()).await.unwrap();
            times.push(began.elapsed());
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        [50, 99].map(|hundredths| percentile(&mut times, hundredths))
    };
    measure(500).await;
    let alone = measure(3000).await;
    let siege = besiege(&load(&host, 2 * parallel).await, 2 * parallel);
    tokio::time::sleep(Duration::from_secs(3)).await;
    let besieged = measure(3000).await;
    drop(siege);
    #[allow(clippy::print_stderr, reason = "a measurement")]
    {
        eprintln!("median and 99th percentile: alone {alone:?}, besieged {besieged:?}");
    }
}
