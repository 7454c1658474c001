//! `bulkhead render PLUGIN DIR`: what any renderer makes of a directory, by reference, file or name.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, anyhow};
use bulkhead_wasm::PluginKind;

use super::{failure, joined, line, provenance};
use crate::args::{OutputFormat, PluginRenderArguments};
use crate::output::{self, CliError, Progress};
use crate::plugin::{call, granted, locate, replay};
use crate::plugins;

/// Renders and prints.
pub(crate) async fn plugin(arguments: PluginRenderArguments) -> Result<(), CliError> {
    let named = arguments.plugin.as_deref().unwrap_or_default();
    let (root, path) = places(&arguments)?;
    let found = locate::find(named, &arguments.registry).await?;
    let cache = plugins::cache_folder(arguments.cache.cache_dir.clone());
    let host = plugins::host(cache.as_deref())?;
    let granted = granted(&found, &arguments.call.grant)?;
    let loaded = call::load(&host, &found, granted).await?;
    if loaded.kind != PluginKind::Renderer {
        let error = anyhow!("{} is a {}, not a renderer", found.place, loaded.kind);
        return Err(CliError::from(error).hint("`bulkhead plugin run` calls plugins of every kind"));
    }
    let given = call::Given::read(&arguments.call)?;
    given.check(loaded.manifest.as_ref())?;
    for withheld in loaded.effective.withheld(loaded.kind) {
        output::note(&format!(
            "warning: it asks for {withheld}, which `--grant` does not grant"
        ));
    }
    let request = given.render(&root, &path, &loaded)?;
    let facts = provenance::Facts::of(&request);
    let progress = Progress::start(&format!("rendering {}", arguments.directory.display()));
    let (to, cache) = (arguments.transcript.as_deref(), cache.as_deref());
    let rendered = replay::recorded(&loaded.plugin, request, to, cache).await;
    drop(progress);
    let rendered = rendered?.map_err(failure)?;
    for diagnostic in &rendered.diagnostics {
        output::note(&line(diagnostic));
    }
    if let Some(to) = &arguments.provenance {
        let name = if path.is_empty() { "." } else { &path };
        let manifest = loaded.manifest.as_ref();
        provenance::write(
            to,
            &facts.statement(name, &loaded.plugin, manifest, &rendered),
        )?;
    }
    match arguments.output {
        OutputFormat::Text => output::data(&joined(&rendered.documents))?,
        OutputFormat::Json => {
            for document in &rendered.documents {
                output::data(&format!("{}\n", serde_json::to_string(document)?))?;
            }
        }
    }
    Ok(())
}

/// The folder that may be read, and the directory in it.
fn places(arguments: &PluginRenderArguments) -> Result<(PathBuf, String), CliError> {
    let open = |path: &Path| {
        path.canonicalize()
            .with_context(|| format!("failed to open {}", path.display()))
    };
    let directory = open(&arguments.directory)?;
    let Some(root) = &arguments.root else {
        return Ok((directory, String::new()));
    };
    let root = open(root)?;
    match directory.strip_prefix(&root) {
        Ok(path) => Ok((root.clone(), path.display().to_string())),
        Err(_) => {
            let error = anyhow!("{} is not inside {}", directory.display(), root.display());
            Err(CliError::from(error)
                .usage()
                .hint("name a folder above it with `--root`"))
        }
    }
}
