//! Python: componentize-py, from the PATH or from the plugin's own .venv.

use std::path::{Path, PathBuf};

use anyhow::Context as _;

use super::tool;
use crate::output::{self, CliError};
use crate::plugin::project::Project;

const GET: &str = "install Python 3 with venv (Debian: `apt install python3-venv`), or put componentize-py on the PATH (`pip install componentize-py`)";

const REQUIREMENTS: &str = "requirements.txt";

/// Builds and returns the component.
pub(super) fn build(project: &Project) -> Result<PathBuf, CliError> {
    let tool = install(&project.folder)?;
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

/// Finds componentize-py, and installs what requirements.txt names into .venv where that is needed:
/// there is no componentize-py on the PATH, the plugin has packages of its own, or the file changed.
pub(super) fn install(folder: &Path) -> Result<PathBuf, CliError> {
    let own = std::path::absolute(folder.join(".venv/bin/componentize-py"))?;
    let wanted = std::fs::read_to_string(folder.join(REQUIREMENTS)).unwrap_or_default();
    let stamp = folder.join(".venv").join(REQUIREMENTS);
    if own.is_file() {
        let installed = std::fs::read_to_string(&stamp);
        // Without our mark, the environment is its author's own.
        if installed.is_ok_and(|installed| installed != wanted) {
            pip(folder, &wanted, &stamp)?;
        }
        return Ok(own);
    }
    if !has_packages(&wanted)
        && let Some(found) = tool::find("componentize-py")
    {
        return Ok(found);
    }
    let python = tool::require("python3", GET)?;
    output::note("python3 -m venv .venv && .venv/bin/pip install -r requirements.txt");
    let mut venv = tool::command(python, folder);
    venv.args(["-m", "venv", ".venv"]);
    tool::run(&mut venv, "making .venv").map_err(|failure| failure.hint(GET))?;
    pip(folder, &wanted, &stamp)?;
    Ok(own)
}

fn pip(folder: &Path, wanted: &str, stamp: &Path) -> Result<(), CliError> {
    let mut pip = tool::command(std::path::absolute(folder.join(".venv/bin/pip"))?, folder);
    pip.args(["install", "--disable-pip-version-check", "-r", REQUIREMENTS]);
    tool::run(&mut pip, "installing packages with pip")?;
    std::fs::write(stamp, wanted)
        .with_context(|| format!("failed to write {}", stamp.display()))?;
    Ok(())
}

/// Tells whether requirements.txt names more than componentize-py.
fn has_packages(requirements: &str) -> bool {
    requirements
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .any(|line| !line.starts_with("componentize-py"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packages_beside_the_tool_are_noticed() {
        assert!(!has_packages(""));
        assert!(!has_packages("# the tool\ncomponentize-py==0.25.1\n"));
        assert!(has_packages("componentize-py==0.25.1\njinja2==3.1.6\n"));
    }
}
