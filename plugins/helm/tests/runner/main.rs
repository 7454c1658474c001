//! What the real Helm says of many expressions, and every limit at work.
#![allow(clippy::disallowed_methods, reason = "a test reads its cases")]

mod archives;
mod charts;
mod secrets;
mod stored;

use std::io::Result;

use bulkhead_helm::{Options, render, render_raw};
use bulkhead_plugin::files::MemoryFiles;
use bulkhead_template::Limits;

const CHART: &str = "apiVersion: v2\nname: c\nversion: 0.1.0\n";

fn chart(template: &str) -> MemoryFiles {
    MemoryFiles::new()
        .with("c/Chart.yaml", CHART)
        .with("c/templates/a.yaml", template)
}

fn options() -> Options {
    Options {
        name: "r".to_owned(),
        ..Options::default()
    }
}

#[test]
fn expressions_give_what_helm_gives() -> Result<()> {
    check_expressions("expressions", 400)
}

#[test]
fn every_function_gives_what_helm_gives() -> Result<()> {
    check_expressions("functions", 1_300)
}

fn check_expressions(folder: &str, least: usize) -> Result<()> {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/cases/helm/");
    let cases = format!("{root}{folder}/");
    let values = std::fs::read_to_string(format!("{cases}values.yaml"))?;
    let expected = std::fs::read_to_string(format!("{cases}expected.jsonl"))?;
    let mut count = 0;
    for line in expected.lines() {
        let case: serde_json::Value = serde_json::from_str(line)?;
        let text = |key: &str| case[key].as_str().unwrap_or_default();
        let expression = text("expression");
        let template = format!("v: {{{{ printf \"%v\" ({expression}) | b64enc }}}}\n");
        let files = chart(&template).with("c/values.yaml", values.clone());
        match render(&files, "c", &options()) {
            Ok(output) => {
                let got = output.to_text();
                let got = got.lines().find_map(|line| line.strip_prefix("v: "));
                assert_eq!(got.unwrap_or_default(), text("base64"), "{expression}");
            }
            Err(error) => assert_eq!(error, text("error"), "{expression}"),
        }
        count += 1;
    }
    assert!(count > least, "only {count} cases were found");
    Ok(())
}

fn told(template: &str, limits: Limits) -> Option<String> {
    let options = Options {
        limits,
        ..options()
    };
    render_raw(&chart(template), "c", &options).err()
}

#[test]
fn templates_end_at_each_limit() {
    let few = Limits {
        depth: 20,
        output_bytes: 1_000,
        steps: 1_000,
    };
    let fits = "{{ range until 100 }}{{ . }}{{ end }}";
    assert_eq!(told(fits, few), None);
    for (template, words) in [
        (
            "{{ define \"x\" }}{{ include \"x\" . }}{{ end }}{{ include \"x\" . }}",
            "exceeded maximum template depth (20)",
        ),
        (
            "{{ define \"x\" }}{{ template \"x\" . }}{{ end }}{{ template \"x\" . }}",
            "exceeded maximum template depth (20)",
        ),
        ("{{ range until 2000 }}{{ end }}", "more than 1000 steps"),
        (
            "{{ range until 400 }}{{ print \"0123456789\" }}{{ end }}",
            "more than 1000 bytes of output",
        ),
        (
            "{{ repeat 99999999 \"x\" }}",
            "strings: Repeat output length overflow",
        ),
        ("{{ until 99999999 }}", "more than 1000000 numbers"),
    ] {
        let error = told(template, few).unwrap_or_default();
        assert!(error.contains(words), "{template}: {error}");
    }
}

#[test]
fn no_size_depth_or_cycle_is_too_much() {
    let limits = Limits::default();
    for (template, words) in [
        (
            "{{ $d := 1 }}{{ range until 200000 }}{{ $d = dict \"a\" $d }}{{ end }}",
            "",
        ),
        (
            "{{ $d := 1 }}{{ range until 200000 }}{{ $d = list $d }}{{ end }}",
            "",
        ),
        ("{{ printf \"%.200000f\" 1.5 | len }}", ""),
        (
            "{{ range $k, $v := .Files.Glob (repeat 100000 \"{\") }}{{ end }}",
            "",
        ),
        (
            "{{ $_ := set .Values \"s\" .Values }}{{ toYaml .Values }}{{ toJson .Values }}",
            "",
        ),
        (
            "{{ $_ := set .Values \"s\" .Values }}{{ .Values }}",
            "itself",
        ),
        (
            "{{ $_ := set .Values \"s\" .Values }}{{ printf \"%#v\" .Values }}",
            "itself",
        ),
        (
            "{{ $_ := set .Values \"s\" .Values }}{{ fail (print .Values) }}",
            "",
        ),
        ("{{ until 1000001 }}", "more than 1000000 numbers"),
        (
            "{{ join (repeat 100000 \"y\") (until 1000) }}",
            "join: more than 33554432 bytes",
        ),
        (
            "{{ replace \"x\" (repeat 9999 \"y\") (repeat 9999 \"x\") }}",
            "replace: more than",
        ),
        (
            "{{ regexReplaceAll \"x\" (repeat 9999 \"x\") (repeat 9999 \"y\") }}",
            "bytes of output",
        ),
        (
            "{{ $s := repeat 20000000 \"x\" }}{{ printf \"%s%s\" $s $s }}",
            "bytes of output",
        ),
        (
            "{{ range until 1000000 }}{{ $x := repeat 10000000 \"x\" }}{{ end }}",
            "steps; is there a loop",
        ),
    ] {
        let error = told(template, limits).unwrap_or_default();
        let is_right = words.is_empty() || error.contains(words);
        assert!(is_right, "{template}: {}", &error[..error.len().min(500)]);
    }
    assert_eq!(told("{{ until 1000000 | len }}", limits), None);
}
