//! C: clang with wasi-libc, from a WASI SDK or from Debian's packages.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::anyhow;

use super::tool;
use crate::output::CliError;
use crate::plugin::project::Project;

const GET: &str = "on Debian: `apt install clang lld wasi-libc libclang-rt-14-dev-wasm32` (14 is clang's version); elsewhere unpack https://github.com/WebAssembly/wasi-sdk/releases and set WASI_SDK_PATH";

/// Builds and returns the core module.
pub(super) fn build(project: &Project) -> Result<PathBuf, CliError> {
    let module = project.scratch()?.join("module.wasm");
    let sources = sources(project)?;
    let mut command = compiler(&project.folder)?;
    command
        .args(["-Os", "-mexec-model=reactor", "-Wl,--strip-debug", "-I."])
        .arg(format!("-DBULKHEAD_WORLD={}", project.manifest.kind))
        .arg("-o")
        .arg(std::path::absolute(&module)?)
        .args(&project.build.flags)
        .args(sources);
    tool::run(&mut command, "building with clang")?;
    Ok(module)
}

fn compiler(folder: &Path) -> Result<Command, CliError> {
    if let Some(sdk) = std::env::var_os("WASI_SDK_PATH").filter(|path| !path.is_empty()) {
        let sdk = PathBuf::from(sdk);
        let clang = sdk.join("bin/clang");
        if !clang.is_file() {
            let error = anyhow!(
                "WASI_SDK_PATH names {}, which has no bin/clang",
                sdk.display()
            );
            return Err(CliError::from(error).hint(GET));
        }
        let mut command = tool::command(clang, folder);
        command.arg("--target=wasm32-wasip1");
        command.arg(format!(
            "--sysroot={}",
            sdk.join("share/wasi-sysroot").display()
        ));
        return Ok(command);
    }
    let clang = tool::require("clang", GET)?;
    tool::require("wasm-ld", GET)?;
    if !Path::new("/usr/lib/wasm32-wasi/libc.a").is_file() {
        let error = anyhow!("wasi-libc is needed to build this plugin, and is not installed");
        return Err(CliError::from(error).hint(GET));
    }
    let mut command = tool::command(clang, folder);
    command.args([
        "--target=wasm32-wasi",
        "--sysroot=/usr",
        "-isystem",
        "/usr/include/wasm32-wasi",
        "-L/usr/lib/wasm32-wasi",
    ]);
    Ok(command)
}

/// The files to compile, sorted: those that the manifest names, or all in the folder and `bulkhead/`.
fn sources(project: &Project) -> Result<Vec<PathBuf>, CliError> {
    if !project.build.sources.is_empty() {
        return Ok(project.build.sources.iter().map(PathBuf::from).collect());
    }
    let mut sources = Vec::new();
    for folder in ["", "bulkhead"] {
        let Ok(entries) = std::fs::read_dir(project.folder.join(folder)) else {
            continue;
        };
        for entry in entries.flatten() {
            let path = Path::new(folder).join(entry.file_name());
            if path.extension().is_some_and(|extension| extension == "c") {
                sources.push(path);
            }
        }
    }
    sources.sort();
    Ok(sources)
}
