//! Renders charts for the fuzzer: the counterpart of `oracle/main.go`, line for line.
//!
//! Each line of stdin is a case, `{"files": {path: text}, "set": [...]}`; each line of stdout its
//! answer, `{"texts": {template: base64}}` or `{"error": text}`. Built without optimisation's cuts: an
//! overflow panics, and a panic is an answer that the oracle never gives.
#![allow(
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "a tool for developers"
)]

use std::io::{BufRead, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;

use bulkhead_helm::{Options, Set, SetKind, Values, render_raw};
use bulkhead_plugin::files::MemoryFiles;
use serde_json::{Value, json};

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

fn base64(data: &[u8]) -> String {
    let mut out = String::new();
    for chunk in data.chunks(3) {
        let bits = (0..3).fold(0_u32, |bits, at| {
            bits << 8 | u32::from(chunk.get(at).copied().unwrap_or(0))
        });
        for at in 0..4 {
            let index = bits >> (18 - 6 * at) & 63;
            let is_data = at <= chunk.len();
            out.push(if is_data {
                char::from(ALPHABET[index as usize])
            } else {
                '='
            });
        }
    }
    out
}

fn render(case: &Value) -> Value {
    let mut files = MemoryFiles::new();
    for (path, text) in case["files"].as_object().into_iter().flatten() {
        files = files.with(&format!("c/{path}"), text.as_str().unwrap_or_default());
    }
    let mut options = Options {
        name: "r".to_owned(),
        now: std::time::UNIX_EPOCH
            .elapsed()
            .map_or(0, |time| time.as_nanos() as i128),
        ..Options::default()
    };
    for (field, kind) in [
        ("set-json", SetKind::Json),
        ("set", SetKind::Typed),
        ("set-string", SetKind::Text),
        ("set-literal", SetKind::Literal),
    ] {
        for text in case[field].as_array().into_iter().flatten() {
            let text = text.as_str().unwrap_or_default().to_owned();
            options.sets.push(Set { kind, text });
        }
    }
    if case["whole"].as_bool() == Some(true) {
        return whole(&files, options, case);
    }
    let rendered = catch_unwind(AssertUnwindSafe(|| render_raw(&files, "c", &options)));
    let texts = rendered.unwrap_or_else(|_| Ok(vec![("panicked".to_owned(), Vec::new())]));
    answer(texts.map_err(|error| error.to_string()))
}

fn answer(texts: Result<Vec<(String, Vec<u8>)>, String>) -> Value {
    match texts {
        Ok(texts) => {
            let entry = |(name, text): (String, Vec<u8>)| (name, base64(&text).into());
            let texts: serde_json::Map<String, Value> = texts.into_iter().map(entry).collect();
            json!({ "texts": texts })
        }
        Err(error) => json!({ "error": error }),
    }
}

/// What `helm template` prints for the chart.
fn whole(files: &MemoryFiles, mut options: Options, case: &Value) -> Value {
    "ns".clone_into(&mut options.namespace);
    for (at, text) in case["values"].as_array().into_iter().flatten().enumerate() {
        options.values.push(Values {
            name: format!("values{at}.yaml"),
            text: text.as_str().unwrap_or_default().to_owned(),
        });
    }
    let mut has_hooks = true;
    for flag in case["flags"].as_array().into_iter().flatten() {
        let flag = flag.as_str().unwrap_or_default();
        match flag.split_once('=').unwrap_or((flag, "")) {
            ("--kube-version", version) => options.kube_version = Some(version.to_owned()),
            ("--api-versions", version) => options.api_versions.push(version.to_owned()),
            ("--include-crds", _) => options.include_crds = true,
            ("--is-upgrade", _) => options.is_upgrade = true,
            ("--no-hooks", _) => has_hooks = false,
            _ => {}
        }
    }
    let rendered = catch_unwind(AssertUnwindSafe(|| {
        bulkhead_helm::render(files, "c", &options)
    }));
    let text = rendered.map_or_else(
        |_| Ok(vec![("panicked".to_owned(), Vec::new())]),
        |rendered| {
            let mut output = rendered.map_err(|error| error.to_string())?;
            if !has_hooks {
                output.hooks.clear();
            }
            let text = bulkhead_template::bytes::of(&output.to_text()).into_owned();
            Ok(vec![("out".to_owned(), text)])
        },
    );
    answer(text)
}

fn serve() -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    for line in std::io::stdin().lock().lines() {
        let answer = match serde_json::from_str(&line?) {
            Ok(case) => render(&case),
            Err(error) => json!({ "error": format!("case: {error}") }),
        };
        writeln!(out, "{answer}")?;
        out.flush()?;
    }
    Ok(())
}

fn main() -> ExitCode {
    // Templates nest deeply: the walk needs more than the main thread's stack.
    let thread = std::thread::Builder::new()
        .stack_size(512 << 20)
        .spawn(serve);
    match thread.map(std::thread::JoinHandle::join) {
        Ok(Ok(Ok(()))) => ExitCode::SUCCESS,
        _ => ExitCode::FAILURE,
    }
}
