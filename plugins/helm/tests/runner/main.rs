//! What the real Helm says of many expressions, and every limit at work.
#![allow(clippy::disallowed_methods, reason = "a test reads its cases")]

mod charts;
mod secrets;

use std::io::{Error, Result};

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
    let cases = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../tests/cases/helm/expressions/"
    );
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
    assert!(count > 400, "only {count} cases were found");
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
        ("{{ until 99999999 }}", "more than 10000000 numbers"),
    ] {
        let error = told(template, few).unwrap_or_default();
        assert!(error.contains(words), "{template}: {error}");
    }
}

#[test]
fn archives_are_unpacked_and_bombs_refused() -> Result<()> {
    let packed = tgz(&[
        ("c/Chart.yaml", CHART.as_bytes()),
        ("c/templates/a.yaml", b"a: {{ .Chart.Name }}\n"),
    ]);
    let files = MemoryFiles::new().with("c.tgz", packed);
    let texts = render_raw(&files, "c.tgz", &options()).map_err(Error::other)?;
    assert_eq!(
        texts,
        [("c/templates/a.yaml".to_owned(), b"a: c\n".to_vec())]
    );
    let large = vec![b'#'; (5 << 20) + 1];
    let bomb = tgz(&[("c/Chart.yaml", CHART.as_bytes()), ("c/large", &large)]);
    let files = MemoryFiles::new().with("c.tgz", bomb);
    let error = render_raw(&files, "c.tgz", &options())
        .err()
        .unwrap_or_default();
    assert!(
        error.contains("larger than the maximum file size 5242880"),
        "{error}"
    );
    let escaping = tgz(&[("c/../../x", b"x")]);
    let files = MemoryFiles::new().with("c.tgz", escaping);
    let error = render_raw(&files, "c.tgz", &options()).err();
    assert_eq!(
        error.as_deref(),
        Some("chart illegally references parent directory")
    );
    Ok(())
}

/// Packs files as gzip of tar.
fn tgz(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut tar = Vec::new();
    for (name, data) in files {
        let mut header = [0_u8; 512];
        header[..name.len()].copy_from_slice(name.as_bytes());
        header[124..135].copy_from_slice(format!("{:011o}", data.len()).as_bytes());
        header[156] = b'0';
        header[257..263].copy_from_slice(b"ustar\0");
        tar.extend(header);
        tar.extend_from_slice(data);
        tar.resize(tar.len().next_multiple_of(512), 0);
    }
    tar.resize(tar.len() + 1024, 0);
    let mut out = vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255];
    out.extend(miniz_oxide::deflate::compress_to_vec(&tar, 6));
    out.extend([0; 8]);
    out
}
