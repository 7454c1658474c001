//! `bulkhead render helm`: what it prints is what the real Helm prints, byte for byte; how it fails;
//! and that no chart makes the sandbox trap.

#![allow(clippy::disallowed_methods, reason = "a test looks at files")]

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::command::{Printed, bulkhead, program};

const CASES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/cases/helm/charts");
const METADATA: &str = "apiVersion: v2\nname: c\nversion: 0.1.0\n";

/// Fewest cases that have to be found.
const CASES_MIN: usize = 30;

fn chart(folder: &Path, files: &[(&str, &str)]) {
    for (path, text) in [("Chart.yaml", METADATA)].iter().chain(files) {
        let path = folder.join("c").join(path);
        std::fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
        std::fs::write(path, text).expect("a file");
    }
}

fn render(folder: &Path, more: &[&str]) -> Printed {
    bulkhead(folder, &[&["render", "helm", "rel", "c"], more].concat())
}

fn words_of(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[test]
fn charts_print_what_helm_prints() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut wrong = Vec::new();
    let mut count = 0;
    for case in std::fs::read_dir(CASES).expect("the cases") {
        let case = case.expect("a case").path();
        if !case.is_dir() {
            continue;
        }
        count += 1;
        let read = |name: &str| std::fs::read_to_string(case.join(name));
        let flags = read("flags").unwrap_or_default();
        let mut words = vec!["render", "helm"];
        if !flags.contains("--name-template") {
            words.push("rel");
        }
        words.extend([".", "-n", "ns"]);
        words.extend(flags.lines());
        let cache = folder.path().join("cache");
        let printed = Command::new(program())
            .args(words)
            .env("BULKHEAD_CACHE_DIR", cache)
            .current_dir(case.join("chart"))
            .output()
            .expect("the program starts");
        let err = String::from_utf8_lossy(&printed.stderr);
        let is_right = match read("expected.yaml") {
            Ok(text) => printed.status.success() && printed.stdout == text.as_bytes(),
            Err(_) => {
                let told = read("error.txt").expect("what Helm says");
                // Messages of guests are shown on one line.
                printed.status.code() == Some(1) && words_of(&err).contains(&words_of(&told))
            }
        };
        if !is_right {
            let out = String::from_utf8_lossy(&printed.stdout);
            wrong.push(format!("{}:\n{out}\n{err}", case.display()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(count >= CASES_MIN, "only {count} cases were found");
}

#[test]
fn archives_standard_input_and_folders_for_output_work() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path();
    chart(
        path,
        &[
            (
                "templates/a.yaml",
                "a: {{ .Values.a }}\nr: {{ randAlphaNum 9 }}\n",
            ),
            (
                "templates/h.yaml",
                "kind: Job\nmetadata: {annotations: {helm.sh/hook: test}}\n",
            ),
        ],
    );
    let mut child = Command::new(program())
        .args(["render", "helm", "rel", "c", "-f", "-"])
        .env("BULKHEAD_CACHE_DIR", path.join("cache"))
        .current_dir(path)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the program starts");
    let mut stdin = child.stdin.take().expect("a pipe");
    stdin.write_all(b"a: piped\n").expect("it reads");
    drop(stdin);
    let piped = child.wait_with_output().expect("it ends").stdout;
    let piped = String::from_utf8(piped).expect("UTF-8");
    assert!(piped.starts_with("---\n# Source: c/templates/a.yaml\na: piped\nr: "));
    // The same input renders the same, random values included, from an archive too.
    let packed = Command::new("tar")
        .args(["czf", "c.tgz", "c"])
        .current_dir(path)
        .status();
    assert!(packed.expect("tar runs").success());
    let archive = bulkhead(
        path,
        &["render", "helm", "rel", "c.tgz", "--set", "a=piped"],
    );
    assert_eq!(archive.out, piped);
    let written = render(
        path,
        &["--set", "a=piped", "--output-dir", "out", "--release-name"],
    );
    assert_eq!(
        written.out,
        "wrote out/rel/c/templates/a.yaml\nwrote out/rel/c/templates/h.yaml\n\n"
    );
    assert!(path.join("out/rel/c/templates/h.yaml").exists());
    let raw = render(path, &["--set", "a=piped", "--raw", "--out", "raw"]);
    assert_eq!((raw.status, raw.out.as_str()), (Some(0), ""));
    let text = std::fs::read_to_string(path.join("raw/c/templates/a.yaml")).expect("it is there");
    assert!(text.starts_with("a: piped\nr: "), "{text}");
}

#[test]
fn what_a_sandbox_does_not_do_is_refused_with_what_to_do() {
    let folder = tempfile::tempdir().expect("a folder");
    chart(folder.path(), &[("templates/a.yaml", "a: 1\n")]);
    for (flags, words) in [
        (&["--validate"][..], "kubectl apply --dry-run=server"),
        (&["--post-renderer", "x"], "transformer"),
        (&["--dependency-update"], "helm dependency build"),
        (&["-f", "https://x.example/values.yaml"], "curl"),
        (&["--version", "1.0.0"], "helm pull"),
    ] {
        let printed = render(folder.path(), flags);
        assert_eq!(printed.status, Some(2), "{flags:?}: {}", printed.err);
        assert!(
            printed.err.contains("\nhint: "),
            "{flags:?}: {}",
            printed.err
        );
        assert!(printed.err.contains(words), "{flags:?}: {}", printed.err);
    }
    let remote = bulkhead(
        folder.path(),
        &["render", "helm", "rel", "oci://x.example/c"],
    );
    assert_eq!(remote.status, Some(2), "{}", remote.err);
    let missing = bulkhead(folder.path(), &["render", "helm", "rel", "nowhere"]);
    assert_eq!(missing.status, Some(1), "{}", missing.err);
    assert!(
        missing.err.contains("path \"nowhere\" not found"),
        "{}",
        missing.err
    );
    let links = folder.path().join("c/templates/out.yaml");
    std::os::unix::fs::symlink("/etc/passwd", links).expect("a link");
    let printed = render(folder.path(), &[]);
    assert_eq!(printed.out, "---\n# Source: c/templates/a.yaml\na: 1\n");
}

#[test]
fn no_chart_makes_the_sandbox_trap() {
    let aliases: String = (1..9)
        .map(|at| {
            format!(
                "k{at}: &k{at} [{}]\n",
                vec![format!("*k{}", at - 1); 9].join(",")
            )
        })
        .collect();
    let aliases = format!("k0: &k0 [x,x,x]\n{aliases}");
    let deep = |open: &str, close: &str, levels: usize| {
        format!("a: {}1{}\n", open.repeat(levels), close.repeat(levels))
    };
    let (deep_map, too_deep) = (deep("{a: ", "}", 990), deep("[", "]", 1_500));
    let includes = "{{ define \"x\" }}{{ with . }}{{ range list . }}{{ include \"x\" $ | quote }}{{ end }}{{ end }}{{ end }}{{ include \"x\" . }}";
    let loops = "{{ define \"x\" }}{{ template \"x\" . }}{{ end }}{{ template \"x\" . }}";
    let builds = "{{ $d := 1 }}{{ range until 100000 }}{{ $d = dict \"a\" $d }}{{ end }}";
    let texts = "{{ range until 1000000 }}{{ $x := repeat 9999999 \"x\" }}{{ end }}";
    let schema = "{\"$ref\": \"#/definitions/a\", \"definitions\": {\"a\": {\"$ref\": \"#/definitions/a\"}}}";
    for (file, text, words) in [
        ("templates/a.yaml", includes, "maximum template depth (200)"),
        ("templates/a.yaml", loops, "maximum template depth (200)"),
        ("templates/a.yaml", builds, ""),
        ("templates/a.yaml", texts, "steps; is there a loop"),
        (
            "templates/a.yaml",
            "{{ until 99999999 }}",
            "more than 1000000 numbers",
        ),
        ("templates/a.yaml", "{{ printf \"%.99999999f\" 1.5 }}", ""),
        (
            "templates/a.yaml",
            "{{ .Files.Glob (repeat 100000 \"{\") | len }}",
            "",
        ),
        ("values.yaml", &aliases, "excessive aliasing"),
        ("values.yaml", &deep_map, ""),
        ("values.yaml", &too_deep, "exceeded max depth of 1000"),
        ("values.schema.json", schema, "nests deeper than 200"),
        (
            "values.schema.json",
            "{\"$ref\": \"file:///etc/passwd\"}",
            "not fetched",
        ),
    ] {
        let folder = tempfile::tempdir().expect("a folder");
        chart(
            folder.path(),
            &[
                ("templates/a.yaml", "a: {{ toYaml .Values | quote }}\n"),
                (file, text),
            ],
        );
        let printed = render(folder.path(), &[]);
        let start: String = text.chars().take(60).collect();
        assert!(
            matches!(printed.status, Some(0 | 1)),
            "{start}: {}",
            printed.err
        );
        assert!(printed.err.contains(words), "{start}: {}", printed.err);
        assert!(
            !printed.err.contains("failed to render"),
            "{start}: {}",
            printed.err
        );
    }
}
