//! What a call costs: run with `--release`, `--ignored` and `--nocapture`.

use std::time::{Duration, Instant};

use crate::fake::{HELLO, load, renderer, request};

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
