//! `bulkhead plugin build`: the language's own tools make a module, and this binary a component of
//! it, with the manifest inside.

mod c;
pub(super) mod encode;
mod go;
mod js;
mod python;
mod rust;
mod tool;
mod vendor;

use std::path::PathBuf;
use std::time::Instant;

use anyhow::{Context as _, anyhow};
use bulkhead_api::Digest;
use serde_json::json;

use super::print;
use super::project::Project;
use crate::args::{BuildArguments, Language};
use crate::output::CliError;

/// Builds the plugin in a folder.
pub(super) fn build(arguments: &BuildArguments) -> Result<(), CliError> {
    let started = Instant::now();
    let project = Project::open(&arguments.directory)?;
    let module = module(&project)?;
    let wasm =
        std::fs::read(&module).with_context(|| format!("failed to read {}", module.display()))?;
    let component = encode::component(wasm, &project.manifest).map_err(|error| {
        CliError::from(error).hint(format!(
            "the module has to be one of the world `{}`: are the plugin's exports there?",
            project.manifest.world
        ))
    })?;
    check_size(&project, component.len())?;
    let to = arguments.to.clone().unwrap_or_else(|| project.component());
    std::fs::write(&to, &component).with_context(|| format!("failed to write {}", to.display()))?;
    let digest = Digest::of(&component).to_string();
    let size = component.len() as u64;
    let file = to.display().to_string();
    print::answer(
        arguments.output,
        &json!({"plugin": project.manifest.name, "file": file, "sizeBytes": size, "digest": digest}),
        || {
            format!(
                "{file}: {}, {digest}, in {:.1?}\n",
                print::size(size),
                started.elapsed()
            )
        },
    )
}

/// Runs the tools; returns what they wrote.
fn module(project: &Project) -> Result<PathBuf, CliError> {
    if !project.build.command.is_empty() || project.build.output.is_some() {
        return made_elsewhere(project);
    }
    let named = project.build.language.as_deref();
    let language = named
        .and_then(Language::named)
        .ok_or_else(|| unknown(named))?;
    vendor::write_missing(project, language)?;
    // A bundler is one of the packages.
    match language {
        Language::Js => js::install(project)?,
        Language::Python => {
            python::install(&project.folder)?;
        }
        Language::Rust | Language::Go | Language::C => {}
    }
    before(project)?;
    match language {
        Language::Rust => rust::build(project),
        Language::Go => go::build(project),
        Language::Js => js::build(project),
        Language::Python => python::build(project),
        Language::C => c::build(project),
    }
}

/// Runs the command that the manifest names, if any; returns what is there then.
fn made_elsewhere(project: &Project) -> Result<PathBuf, CliError> {
    before(project)?;
    if let Some((program, arguments)) = project.build.command.split_first() {
        let mut command = tool::command(program, &project.folder);
        tool::run(command.args(arguments), &format!("running {program}"))?;
    }
    let output = project.build.output.as_ref().ok_or_else(|| {
        CliError::from(anyhow!("`build` names a command and not what it writes"))
            .hint("set `build.output` to the module or component that the command writes")
    })?;
    Ok(project.folder.join(output))
}

fn before(project: &Project) -> Result<(), CliError> {
    if let Some((program, arguments)) = project.build.before.split_first() {
        let mut command = tool::command(program, &project.folder);
        tool::run(command.args(arguments), &format!("running {program}"))?;
    }
    Ok(())
}

fn unknown(named: Option<&str>) -> CliError {
    let error = match named {
        Some(language) => anyhow!("`build.language` is `{language}`, which is not known"),
        None => anyhow!("the manifest does not say how the plugin is built"),
    };
    CliError::from(error).hint(
        "set `build: {language: rust}` (or go, js, python, c), or `build: {command: [make], output: plugin.wasm}` for any other",
    )
}

/// Refuses a component that is larger than its author wants it to be.
fn check_size(project: &Project, bytes: usize) -> Result<(), CliError> {
    match project.manifest.max_bytes {
        Some(limit) if bytes as u64 > limit => {
            let error = anyhow!("the component has {bytes} bytes, more than its limit of {limit}");
            Err(CliError::from(error).hint("make it smaller, or raise `maxBytes` in its manifest"))
        }
        _ => Ok(()),
    }
}
