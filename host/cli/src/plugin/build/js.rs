//! JavaScript: componentize-js, from the plugin's own node_modules.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use serde_json::Value;

use super::tool;
use crate::output::{self, CliError};
use crate::plugin::project::Project;

const NODE: &str = "install Node 20 or later: https://nodejs.org";

/// What a plugin must not import is turned off: it would be a trap, not an import.
const SCRIPT: &str = "
import { componentize } from '@bytecodealliance/componentize-js';
import { writeFile } from 'node:fs/promises';
const [sourcePath, worldName, to] = process.argv.slice(1);
const disableFeatures = ['random', 'stdio', 'clocks', 'http', 'fetch-event'];
const made = await componentize({ sourcePath, witPath: 'wit', worldName, disableFeatures });
await writeFile(to, made.component);
";

/// Installs the packages that package.json names, where one is not there.
pub(super) fn install(project: &Project) -> Result<(), CliError> {
    tool::require("node", NODE)?;
    if !lacks_packages(&project.folder)? {
        return Ok(());
    }
    let npm = tool::require(
        "npm",
        "install npm, which comes with Node: https://nodejs.org",
    )?;
    output::note("npm install");
    let mut install = tool::command(npm, &project.folder);
    install.args(["install", "--no-audit", "--no-fund"]);
    tool::run(&mut install, "installing packages with npm")?;
    Ok(())
}

/// Tells whether a package that package.json names is not in node_modules.
fn lacks_packages(folder: &Path) -> anyhow::Result<bool> {
    let path = folder.join("package.json");
    let what = || format!("failed to read {}", path.display());
    let text = std::fs::read_to_string(&path).with_context(what)?;
    let package: Value = serde_json::from_str(&text).with_context(what)?;
    let named = ["dependencies", "devDependencies"]
        .into_iter()
        .filter_map(|field| package[field].as_object())
        .flat_map(|packages| packages.keys());
    let modules = folder.join("node_modules");
    Ok(named
        .into_iter()
        .any(|name| !modules.join(name).join("package.json").is_file()))
}

/// Builds and returns the component.
pub(super) fn build(project: &Project) -> Result<PathBuf, CliError> {
    let node = tool::require("node", NODE)?;
    let component = project.scratch()?.join("module.wasm");
    let mut command = tool::command(node, &project.folder);
    command
        .args(["--input-type=module", "-e", SCRIPT])
        .arg(project.build.entry.as_deref().unwrap_or("plugin.js"))
        .arg(project.manifest.kind.to_string())
        .arg(std::path::absolute(&component)?);
    tool::run(&mut command, "building with componentize-js")?;
    Ok(component)
}
