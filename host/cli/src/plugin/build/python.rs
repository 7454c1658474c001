//! Python: componentize-py, from the PATH or from the plugin's own .venv.

use std::path::{Path, PathBuf};

use super::tool;
use crate::output::{self, CliError};
use crate::plugin::project::Project;

const GET: &str = "install Python 3 with venv (Debian: `apt install python3-venv`), or put componentize-py on the PATH (`pip install componentize-py`)";

/// Builds and returns the component.
pub(super) fn build(project: &Project) -> Result<PathBuf, CliError> {
    let tool = componentize(&project.folder)?;
    let component = project.scratch()?.join("module.wasm");
    let mut command = tool::command(&tool, &project.folder);
    // Its interpreter is asked where packages are.
    if let (Some(folder), Some(path)) = (tool.parent(), std::env::var_os("PATH")) {
        let mut folders = vec![folder.to_owned()];
        folders.extend(std::env::split_paths(&path));
        command.env("PATH", std::env::join_paths(folders)?);
    }
    command
        .args(["-d", "wit", "-w"])
        .arg(project.manifest.kind.to_string())
        .args(["componentize", "--stub-wasi", "-p", "src"])
        .args(&project.build.flags)
        .arg(project.build.entry.as_deref().unwrap_or("app"))
        .arg("-o")
        .arg(std::path::absolute(&component)?);
    tool::run(&mut command, "building with componentize-py")?;
    Ok(component)
}

/// Finds componentize-py, and installs it into .venv where there is none.
fn componentize(folder: &Path) -> Result<PathBuf, CliError> {
    let own = std::path::absolute(folder.join(".venv/bin/componentize-py"))?;
    if own.is_file() {
        return Ok(own);
    }
    if let Some(found) = tool::find("componentize-py") {
        return Ok(found);
    }
    let python = tool::require("python3", GET)?;
    output::note("python3 -m venv .venv && .venv/bin/pip install -r requirements.txt");
    let mut venv = tool::command(python, folder);
    venv.args(["-m", "venv", ".venv"]);
    tool::run(&mut venv, "making .venv").map_err(|failure| failure.hint(GET))?;
    let mut pip = tool::command(std::path::absolute(folder.join(".venv/bin/pip"))?, folder);
    pip.args([
        "install",
        "--disable-pip-version-check",
        "-r",
        "requirements.txt",
    ]);
    tool::run(&mut pip, "installing componentize-py with pip")?;
    Ok(own)
}
