//! The rules of the tree: which crate may depend on which, and that no case is forgotten.

#![allow(
    clippy::disallowed_methods,
    reason = "reads the checkout and asks cargo about it"
)]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

/// The arrows that DESIGN draws: `api <- {source, wasm, apply, notify} <- controllers <- cli`, and
/// among the four only `notify -> wasm`. A new arrow is a design change.
const ARROWS: &[(&str, &[&str])] = &[
    ("api", &[]),
    ("source", &["api"]),
    ("wasm", &["api"]),
    ("apply", &["api"]),
    ("notify", &["api", "wasm"]),
    ("controllers", &["api", "source", "wasm", "apply", "notify"]),
    (
        "cli",
        &["api", "source", "wasm", "apply", "notify", "controllers"],
    ),
    ("testing", &["api"]),
    ("tests", &[]),
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("..")
        .canonicalize()
        .expect("the checkout")
}

fn metadata(directory: &Path) -> Value {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--no-deps", "--format-version=1", "--offline"])
        .current_dir(directory)
        .output()
        .expect("cargo runs");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    serde_json::from_slice(&output.stdout).expect("cargo prints JSON")
}

/// Returns `(from, to)` for every dependency inside a workspace, development ones left out.
fn arrows(metadata: &Value, prefix: &str) -> BTreeSet<(String, String)> {
    let packages = metadata["packages"].as_array().expect("packages");
    let mut arrows = BTreeSet::new();
    for package in packages {
        let from = package["name"].as_str().expect("name");
        for dependency in package["dependencies"].as_array().expect("dependencies") {
            let to = dependency["name"].as_str().expect("name");
            if dependency["kind"] != "dev" && dependency["path"].is_string() {
                let short = |name: &str| name.trim_start_matches(prefix).to_owned();
                arrows.insert((short(from), short(to)));
            }
        }
    }
    arrows
}

#[test]
fn crate_arrows_are_those_of_the_design() {
    for (from, to) in arrows(&metadata(&root()), "bulkhead-") {
        let allowed = ARROWS
            .iter()
            .find(|(name, _)| *name == from)
            .map(|(_, to)| *to);
        let allowed = allowed.unwrap_or_else(|| panic!("crate `{from}` is not in the design"));
        assert!(
            allowed.contains(&to.as_str()),
            "`{from} -> {to}` is an arrow that the design does not draw: see ARCHITECTURE.md"
        );
    }
}

#[test]
fn guests_depend_on_no_host_crate() {
    let host = root().join("host");
    for package in metadata(&root().join("plugins"))["packages"]
        .as_array()
        .expect("packages")
    {
        for dependency in package["dependencies"].as_array().expect("dependencies") {
            let path = dependency["path"].as_str().unwrap_or_default();
            assert!(
                !Path::new(path).starts_with(&host),
                "guest {} depends on {path}; guests depend on wit/ and on crates under plugins/",
                package["name"]
            );
        }
    }
}

#[test]
fn only_the_cli_prints_or_reads_flags_and_environment() {
    for package in ["api", "source", "wasm", "apply", "notify", "controllers"] {
        for file in rust_files(&root().join("host").join(package).join("src")) {
            let text = std::fs::read_to_string(&file).expect("a source file");
            for word in [
                "clap::",
                "println!(",
                "eprintln!(",
                "env::var(",
                "env::args(",
            ] {
                let found = text
                    .lines()
                    .enumerate()
                    .find(|(_, line)| line.contains(word) && !line.trim_start().starts_with("//"));
                if let Some((line, _)) = found {
                    panic!(
                        "{}:{}: `{word}` belongs in host/cli",
                        file.display(),
                        line + 1
                    );
                }
            }
        }
    }
}

fn rust_files(directory: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(directory).expect("a directory").flatten() {
        let path = entry.path();
        if path.is_dir() {
            files.extend(rust_files(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    files
}
