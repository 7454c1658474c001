//! Fuzzes the reader of what renderers return: `fuzz-documents SECONDS`.

#![allow(
    clippy::print_stdout,
    clippy::expect_used,
    clippy::disallowed_methods,
    reason = "a program of its own, which keeps what failed and prints"
)]

#[path = "../../wasm/examples/fuzz/mutate.rs"]
mod mutate;

use std::time::Duration;

use bulkhead_apply::parse::{Limits, Text, objects};

const SEEDS: [&str; 5] = [
    "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: a\n  labels: {x: \"1\"}\ndata:\n  text: |-\n    one\n    two\n---\n# end\n",
    "apiVersion: v1\nkind: List\nitems:\n- apiVersion: v1\n  kind: Secret\n  metadata: {name: b, namespace: c}\n  data: {k: !!binary aGk=}\n",
    "a: &a [1, 0x1f, 0o7, 1e3, .inf, ~, yes, 2001-01-01]\nb: {<<: *a, ? {x: 1} : y}\n",
    r#"{"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "d"}, "spec": {"é": "\u00e9\ud83d\ude00"}}"#,
    "%YAML 1.1\n---\n>+\n  folded\n  text\n...\n--- !!map\nkey: 'it''s'\n",
];

fn main() {
    let seconds = std::env::args().nth(1).and_then(|text| text.parse().ok());
    let time = Duration::from_secs(seconds.expect("usage: fuzz-documents SECONDS"));
    let seeds = SEEDS.map(|text| text.as_bytes().to_vec()).into();
    let (runs, words) = mutate::fuzz("documents", seeds, time, |bytes| {
        let text = String::from_utf8_lossy(bytes);
        match objects([Text::from(&*text)], &Limits::default()) {
            Ok(found) => format!("{} objects", found.len()),
            Err(error) => error
                .to_string()
                .chars()
                .filter(|c| !c.is_ascii_digit())
                .take(60)
                .collect(),
        }
    });
    println!("documents: {runs} runs, {words} different ends, nothing failed");
}
