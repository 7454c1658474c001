//! `bulkhead plugin bench`: what a plugin costs. Fuel is the same on every machine; times are this
//! machine's.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use bulkhead_wasm::{Host, HostConfig, Limits, PluginKind, Usage};
use serde_json::json;

use super::call::{self, Given, Loaded};
use super::{case, exchange, locate, print, run};
use crate::args::BenchArguments;
use crate::output::{CliError, Progress};
use crate::render;

/// Fuel that a call may take while it is counted: without a limit nothing is counted.
const FUEL: u64 = u64::MAX / 2;

/// What was measured.
struct Measured {
    compile: Duration,
    calls: Vec<Duration>,
    usage: Option<Usage>,
    fuel: Option<u64>,
}

/// Measures and prints.
pub(super) async fn bench(arguments: BenchArguments) -> Result<(), CliError> {
    let found = locate::find_or_here(arguments.plugin.as_deref(), &arguments.registry).await?;
    let (given, input, path) = task(&arguments)?;
    let granted = || run::granted(&found, &arguments.call.grant);
    // Without a cache, so that compiling is seen.
    let host = Host::new(HostConfig::default())?;
    let started = Instant::now();
    let loaded = call::load(&host, &found, granted()?).await?;
    let compile = started.elapsed();
    given.check(loaded.manifest.as_ref())?;
    let mut measured = Measured {
        compile,
        calls: Vec::new(),
        usage: None,
        fuel: None,
    };
    let progress = Progress::start("calling");
    for _ in 0..arguments.calls {
        let started = Instant::now();
        let usage = once(&loaded, &given, &input, &path, loaded.limits()).await?;
        measured.calls.push(started.elapsed());
        measured.usage = usage;
    }
    drop(progress);
    let host = Host::new(HostConfig {
        meter: true,
        ..HostConfig::default()
    })?;
    let metered = call::load(&host, &found, granted()?).await?;
    let limits = Limits {
        fuel: Some(FUEL),
        ..metered.limits()
    };
    let usage = once(&metered, &given, &input, &path, limits).await?;
    measured.fuel = usage.and_then(|usage| usage.fuel);
    report(
        &arguments,
        &found.place,
        &measured,
        found.bytes.len() as u64,
    )
}

/// What to call the plugin with: what is named, else the first golden case.
fn task(arguments: &BenchArguments) -> Result<(Given, PathBuf, String), CliError> {
    match &arguments.input {
        Some(input) => Ok((Given::read(&arguments.call)?, input.clone(), String::new())),
        None => {
            let cases = case::list(Path::new("."))?;
            // What is refused is no measure.
            let succeeds = |case: &&case::Case| match case.expected() {
                Ok(Some(expected)) => !expected.starts_with("# error"),
                _ => false,
            };
            let case = cases.iter().find(succeeds).unwrap_or(&cases[0]);
            let (given, path) = case.given()?;
            Ok((given, case.input(), path))
        }
    }
}

/// Calls once; returns what the call took, where the plugin tells.
async fn once(
    loaded: &Loaded,
    given: &Given,
    input: &Path,
    path: &str,
    limits: Limits,
) -> Result<Option<Usage>, CliError> {
    let answer = match loaded.kind {
        PluginKind::Renderer => {
            let mut request = given.render(input, path, loaded)?;
            request.limits = limits;
            loaded.plugin.render(request).await
        }
        PluginKind::Transformer => {
            let mut request = given.transform(call::objects(input)?, loaded);
            request.limits = limits;
            loaded.plugin.transform(request).await
        }
        PluginKind::Notifier => {
            let events = exchange::events(input)?;
            exchange::run(&loaded.plugin, events, &given.config, &limits, &[]).await?;
            return Ok(None);
        }
    };
    Ok(Some(answer.map_err(render::failure)?.usage))
}

fn report(
    arguments: &BenchArguments,
    place: &str,
    measured: &Measured,
    size: u64,
) -> Result<(), CliError> {
    let mut calls = measured.calls.clone();
    calls.sort_unstable();
    let at = |hundredths: usize| calls[(calls.len() - 1) * hundredths / 100];
    let (median, p99) = (at(50), at(99));
    let micros = |time: Duration| u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
    let memory = measured.usage.as_ref().map(|usage| usage.peak_memory_bytes);
    let json = json!({
        "plugin": place, "calls": calls.len(), "sizeBytes": size,
        "compileMicros": micros(measured.compile),
        "medianMicros": micros(median), "p99Micros": micros(p99),
        "peakMemoryBytes": memory, "fuel": measured.fuel,
    });
    print::answer(arguments.output, &json, || {
        let mut rows = [
            ["size", &print::size(size)],
            ["compile", &format!("{:.1?}", measured.compile)],
            [
                "call, median",
                &format!(
                    "{median:.1?} of {} calls, each in an instance of its own",
                    calls.len()
                ),
            ],
            ["call, 99th of 100", &format!("{p99:.1?}")],
        ]
        .map(|cells| cells.map(str::to_owned).to_vec())
        .to_vec();
        if let Some(memory) = memory {
            rows.push(vec!["memory, peak".to_owned(), print::size(memory)]);
        }
        if let Some(fuel) = measured.fuel {
            rows.push(vec![
                "fuel".to_owned(),
                format!("{fuel} (the same on every machine)"),
            ]);
        }
        print::table(&rows)
    })
}
