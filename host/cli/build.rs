//! Embeds the guests that `make plugins` built. A guest that is not there is embedded as empty: the
//! command that needs it says so.

#![allow(
    clippy::disallowed_methods,
    reason = "a build script is told by its environment and writes where cargo says"
)]

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};

/// The default set: every plugin that works without being installed.
const BUILT_IN: [&str; 4] = ["helm", "kustomize", "notify-discord", "notify-slack"];

fn main() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../plugins/target/components");
    println!("cargo::rerun-if-changed={}", root.display());
    let mut code =
        String::from("/// The guests of this build.\npub(crate) const BUILT_IN: &[BuiltIn] = &[\n");
    for name in BUILT_IN {
        let wasm = root.join(format!("{name}.wasm"));
        let digest: [u8; 32] = Sha256::digest(std::fs::read(&wasm).unwrap_or_default()).into();
        let wasm = embedded(&wasm);
        let _ = writeln!(
            code,
            "    BuiltIn {{ name: {name:?}, wasm: {wasm}, digest: {digest:?} }},"
        );
    }
    code.push_str("];\n");
    let out = std::env::var("OUT_DIR").expect("cargo sets OUT_DIR");
    std::fs::write(Path::new(&out).join("plugins.rs"), code).expect("OUT_DIR is writable");
    std::fs::write(Path::new(&out).join("templates.rs"), templates()).expect("OUT_DIR is writable");
}

/// Lists the files that `plugin new` writes: the templates, the sources of the Rust SDK, the WIT.
fn templates() -> String {
    let host = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folders = [
        (host.join("templates"), String::new()),
        (
            host.join("../../plugins/sdk/src"),
            "rust/vendor/bulkhead-plugin/src/".to_owned(),
        ),
        (host.join("../../wit"), "wit/".to_owned()),
    ];
    let mut code = String::from("const TEMPLATES: &[(&str, &[u8])] = &[\n");
    for (folder, prefix) in folders {
        println!("cargo::rerun-if-changed={}", folder.display());
        let mut files = Vec::new();
        below(&folder, &mut files);
        files.sort();
        for file in files {
            let path = file.strip_prefix(&folder).unwrap_or(&file);
            let name = format!("{prefix}{}", path.display());
            let _ = writeln!(code, "    ({name:?}, {}),", embedded(&file));
        }
    }
    code.push_str("];\n");
    code
}

/// Adds all files below a folder.
fn below(folder: &Path, files: &mut Vec<PathBuf>) {
    let Ok(entries) = std::fs::read_dir(folder) else {
        return;
    };
    for entry in entries.flatten() {
        let path = entry.path();
        if path.is_dir() {
            below(&path, files);
        } else {
            files.push(path);
        }
    }
}

fn embedded(file: &Path) -> String {
    println!("cargo::rerun-if-changed={}", file.display());
    match file.canonicalize() {
        Ok(file) => format!("include_bytes!({:?})", file.display().to_string()),
        Err(_) => "&[]".to_owned(),
    }
}
