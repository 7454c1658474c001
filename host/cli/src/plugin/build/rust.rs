//! Rust: cargo for wasm32-unknown-unknown. Where the toolchain lacks that target, Debian's compiler,
//! which builds the standard library from its sources.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, anyhow};
use serde_json::Value;

use super::tool;
use crate::output::CliError;
use crate::plugin::project::Project;

const TARGET: &str = "wasm32-unknown-unknown";

/// Where Debian's packages `rustc-web`, `cargo-web` and `rust-web-src` put things.
const DEBIAN: [&str; 3] = [
    "/usr/bin/rustc",
    "/usr/bin/cargo",
    "/usr/lib/rustlib/src/rust",
];

const GET: &str = "run `rustup target add wasm32-unknown-unknown`; on Debian without rustup: `apt install rustc-web cargo-web rust-web-src lld`";

/// Builds and returns the core module.
pub(super) fn build(project: &Project) -> Result<PathBuf, CliError> {
    let mut cargo = if has_target() {
        tool::command("cargo", &project.folder)
    } else if has_debian() {
        debian(&project.folder)
    } else {
        return Err(
            CliError::from(anyhow!("no Rust compiler for {TARGET} is installed")).hint(GET),
        );
    };
    cargo
        .args(["build", "--release", "--target", TARGET])
        .arg("--message-format=json-render-diagnostics")
        .args(&project.build.flags)
        .env_remove("RUSTFLAGS")
        .env_remove("CARGO_ENCODED_RUSTFLAGS")
        .env_remove("CARGO_BUILD_TARGET")
        .env(
            "CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_RUSTFLAGS",
            rust_flags(),
        );
    let output = tool::run(&mut cargo, "building with cargo")?;
    let modules = modules(&String::from_utf8_lossy(&output.stdout));
    match modules.as_slice() {
        [module] => Ok(module.clone()),
        [] => Err(CliError::from(anyhow!("cargo built no module"))
            .hint("Cargo.toml needs `[lib]` with `crate-type = [\"cdylib\"]`")),
        _ => Err(
            CliError::from(anyhow!("cargo built {} modules", modules.len()))
                .hint("name the package: `build: {language: rust, flags: [-p, NAME]}`"),
        ),
    }
}

fn has_target() -> bool {
    let asked = Command::new("rustc")
        .args(["--print", "target-libdir", "--target", TARGET])
        .output();
    asked.is_ok_and(|output| {
        output.status.success()
            && Path::new(String::from_utf8_lossy(&output.stdout).trim()).is_dir()
    }) && tool::find("cargo").is_some()
}

fn has_debian() -> bool {
    DEBIAN.iter().all(|path| Path::new(path).exists()) && tool::find("wasm-ld").is_some()
}

fn debian(folder: &Path) -> Command {
    let mut cargo = tool::command("/usr/bin/cargo", folder);
    cargo
        .args(["-Zbuild-std=std,panic_abort"])
        .env("RUSTC", "/usr/bin/rustc")
        .env("RUSTC_BOOTSTRAP", "1")
        .env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER", "wasm-ld")
        .env_remove("RUSTUP_TOOLCHAIN");
    cargo
}

/// Takes this machine's folders out of what panics name: two machines build the same. The plugin's
/// own files are named from its folder already; flags that are the same for all plugins let them
/// share a target folder.
fn rust_flags() -> String {
    let home = std::env::var_os("CARGO_HOME")
        .map(PathBuf::from)
        .or_else(|| std::env::var_os("HOME").map(|home| Path::new(&home).join(".cargo")));
    home.map_or_else(String::new, |home| {
        format!("--remap-path-prefix={}=cargo", home.display())
    })
}

/// Finds the modules among cargo's messages.
fn modules(messages: &str) -> Vec<PathBuf> {
    let mut modules = Vec::new();
    for line in messages.lines() {
        let Ok(message) = serde_json::from_str::<Value>(line).context("a message") else {
            continue;
        };
        let files = message["filenames"].as_array().into_iter().flatten();
        let wasm = files
            .filter_map(Value::as_str)
            .filter(|file| file.ends_with(".wasm"));
        modules.extend(wasm.map(PathBuf::from));
    }
    modules
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modules_are_found_among_messages() {
        let messages = concat!(
            "{\"reason\":\"compiler-artifact\",\"filenames\":[\"/t/libserde.rlib\"]}\n",
            "not json\n",
            "{\"reason\":\"compiler-artifact\",\"filenames\":[\"/t/plugin.wasm\",\"/t/plugin.rlib\"]}\n",
            "{\"reason\":\"build-finished\",\"success\":true}\n",
        );
        assert_eq!(modules(messages), [PathBuf::from("/t/plugin.wasm")]);
    }
}
