//! Go: the stock compiler, for WASI 0.1 as a library.

use std::path::PathBuf;

use super::tool;
use crate::output::CliError;
use crate::plugin::project::Project;

/// Builds and returns the core module.
pub(super) fn build(project: &Project) -> Result<PathBuf, CliError> {
    let go = tool::require("go", "install Go 1.25 or later: https://go.dev/dl")?;
    let module = project.scratch()?.join("module.wasm");
    let to = module
        .canonicalize()
        .unwrap_or(std::path::absolute(&module)?);
    let mut command = tool::command(go, &project.folder);
    command
        .args([
            "build",
            "-buildmode=c-shared",
            "-trimpath",
            "-buildvcs=false",
        ])
        // The runtime is asked for memory before it has started.
        .arg("-ldflags=-checklinkname=0 -s -w")
        .arg("-o")
        .arg(&to)
        .args(&project.build.flags)
        .arg(".")
        .env("GOOS", "wasip1")
        .env("GOARCH", "wasm")
        .env("CGO_ENABLED", "0");
    tool::run(&mut command, "building with Go")?;
    Ok(module)
}
