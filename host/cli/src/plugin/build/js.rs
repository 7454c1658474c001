//! JavaScript: componentize-js, from the plugin's own node_modules.

use std::path::PathBuf;

use super::tool;
use crate::output::{self, CliError};
use crate::plugin::project::Project;

const PACKAGE: &str = "node_modules/@bytecodealliance/componentize-js";

/// What a plugin must not import is turned off: it would be a trap, not an import.
const SCRIPT: &str = "
import { componentize } from '@bytecodealliance/componentize-js';
import { writeFile } from 'node:fs/promises';
const [sourcePath, worldName, to] = process.argv.slice(1);
const disableFeatures = ['random', 'stdio', 'clocks', 'http', 'fetch-event'];
const made = await componentize({ sourcePath, witPath: 'wit', worldName, disableFeatures });
await writeFile(to, made.component);
";

/// Builds and returns the component.
pub(super) fn build(project: &Project) -> Result<PathBuf, CliError> {
    let node = tool::require("node", "install Node 20 or later: https://nodejs.org")?;
    if !project.folder.join(PACKAGE).is_dir() {
        let npm = tool::require(
            "npm",
            "install npm, which comes with Node: https://nodejs.org",
        )?;
        output::note("npm install");
        let mut install = tool::command(npm, &project.folder);
        install.args(["install", "--no-audit", "--no-fund"]);
        tool::run(&mut install, "installing packages with npm")?;
    }
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
