//! `bulkhead render kustomize DIR`: what `kustomize build DIR` prints, from the sandbox.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context as _;
use bulkhead_controllers::delivery::remote::{self, Fetches, RemoteRenderError, Remotes, Rules};
use bulkhead_source::{DirTree, Store};
use bulkhead_wasm::{Limits, MemoryTree, Plugin, RenderRequest, Rendered};
use serde_json::json;

use super::{failure, joined, line, provenance, stream};
use crate::args::{KustomizeArguments, LoadRestrictor, Reorder};
use crate::output::{self, CliError, Progress};
use crate::plugins;

/// Renders and prints.
pub(crate) async fn kustomize(arguments: KustomizeArguments) -> Result<(), CliError> {
    let mut request = request(&arguments)?;
    request.config = config(&arguments);
    let cache = plugins::cache_folder(arguments.cache.cache_dir.clone());
    let plugin = plugins::one_call(cache.as_deref(), "kustomize").await?;
    let progress = Progress::start(&format!("rendering {}", arguments.directory.display()));
    let facts = provenance::Facts::of(&request);
    let rendered = match plugin.render(request.clone()).await {
        Err(error) if remote::is_lacking(&error) && arguments.provenance.is_some() => {
            // What was fetched is not in the tree that the statement is about.
            return Err(
                failure(error).hint("there is no statement about remote bases: vendor them")
            );
        }
        Err(error) if remote::is_lacking(&error) => {
            with_remote_bases(&arguments, cache, &plugin, request).await?
        }
        rendered => rendered.map_err(failure)?,
    };
    drop(progress);
    if let Some(to) = &arguments.provenance {
        let subject = arguments.directory.display().to_string();
        provenance::write(to, &facts.statement(&subject, &plugin, None, &rendered))?;
    }
    for diagnostic in &rendered.diagnostics {
        output::note(&line(diagnostic));
    }
    match &arguments.output {
        Some(to) if to.is_dir() => write_each(&rendered, to)?,
        Some(to) => std::fs::write(to, joined(&rendered.documents))
            .with_context(|| format!("failed to write {}", to.display()))?,
        None => output::parts(stream(&rendered.documents))?,
    }
    Ok(())
}

/// Says what to render: a directory of this machine, or a repository by its URL.
fn request(arguments: &KustomizeArguments) -> Result<RenderRequest, CliError> {
    let named = &arguments.directory;
    let directory = match named.canonicalize() {
        Ok(directory) => directory,
        Err(_) if is_remote(named) => {
            let url = named.display().to_string();
            return Ok(RenderRequest::new(Arc::new(MemoryTree::new()), url));
        }
        Err(error) => {
            let context = format!("failed to open {}", named.display());
            return Err(anyhow::Error::new(error).context(context).into());
        }
    };
    let root = root_of(&directory, arguments.root.as_deref())?;
    let tree = DirTree::open(&root, Limits::renderer().file_bytes)
        .with_context(|| format!("failed to open {}", root.display()))?;
    let path = directory.strip_prefix(&root).unwrap_or(Path::new(""));
    Ok(RenderRequest::new(
        Arc::new(tree),
        path.display().to_string(),
    ))
}

/// Tells whether something that is no directory looks like the URL of a repository; the renderer
/// tells for sure.
fn is_remote(named: &Path) -> bool {
    let text = named.to_string_lossy();
    ["://", "@", "github.com/", "github.com:"]
        .iter()
        .any(|mark| text.contains(mark))
}

/// Renders again with what the first try lacked.
async fn with_remote_bases(
    arguments: &KustomizeArguments,
    cache: Option<PathBuf>,
    plugin: &Plugin,
    request: RenderRequest,
) -> Result<Rendered, CliError> {
    let cache = cache
        .context("found no folder to keep remote bases in")
        .map_err(|error| CliError::from(error).hint("name one with `--cache-dir`, or set $HOME"))?;
    let rules = Rules {
        allowed: arguments.remote.allowed(),
        private_networks: true,
        local: true,
    };
    let remotes = Remotes::new(Arc::new(Store::open(cache.join("git"))?), rules);
    let rendered = remotes.render(plugin, request, Fetches::default()).await;
    rendered.map(|(rendered, _)| rendered).map_err(|error| {
        let hint = error.advice().hint;
        match error {
            RemoteRenderError::Render(error) => failure(error),
            RemoteRenderError::Remote(error) => CliError {
                hint,
                ..CliError::from(error)
            },
        }
    })
}

/// Returns the folder that the guest may read: the one named; else the checkout that the directory
/// is in, since overlays name their bases by `../`; else all, as kustomize itself may.
fn root_of(directory: &Path, named: Option<&Path>) -> Result<PathBuf, CliError> {
    if let Some(named) = named {
        let root = named
            .canonicalize()
            .with_context(|| format!("failed to open {}", named.display()))?;
        if !directory.starts_with(&root) {
            let error = anyhow::anyhow!("{} is not inside {}", directory.display(), root.display());
            return Err(CliError::from(error)
                .usage()
                .hint("name a folder above it with `--root`"));
        }
        return Ok(root);
    }
    let checkout = directory
        .ancestors()
        .find(|folder| folder.join(".git").exists());
    Ok(checkout.unwrap_or(Path::new("/")).to_owned())
}

fn config(arguments: &KustomizeArguments) -> String {
    let reorder = match arguments.reorder {
        Some(Reorder::Legacy) => "legacy",
        Some(Reorder::None) => "none",
        None => "unspecified",
    };
    let restrictor = match arguments.load_restrictor {
        LoadRestrictor::RootOnly => "rootOnly",
        LoadRestrictor::None => "none",
    };
    json!({
        "generate": arguments.generate,
        "reorder": reorder,
        "loadRestrictor": restrictor,
        "enableAlphaPlugins": arguments.enable_alpha_plugins,
        "managedByLabel": arguments.enable_managedby_label,
        "fileNames": arguments.output.as_deref().is_some_and(Path::is_dir),
    })
    .to_string()
}

/// Writes one file an object, under the name that the renderer gives it.
fn write_each(rendered: &Rendered, to: &Path) -> anyhow::Result<()> {
    for (index, document) in rendered.documents.iter().enumerate() {
        let attribute = format!("kustomize.file-name.{index}");
        let mut attributes = rendered.attributes.iter();
        let named = attributes.find(|(name, _)| *name == attribute);
        let name = named.map(|(_, name)| name.as_str()).unwrap_or_default();
        anyhow::ensure!(
            !name.is_empty() && !name.contains(['/', '\0']),
            "object {} has a name that cannot be the name of a file: `{name}`",
            index + 1
        );
        let file = to.join(name);
        std::fs::write(&file, &document.text)
            .with_context(|| format!("failed to write {}", file.display()))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_root_must_hold_the_directory() {
        let folder = tempfile::tempdir().expect("a folder");
        let inner = folder.path().join("a");
        std::fs::create_dir(&inner).expect("a folder");
        assert!(root_of(folder.path(), Some(&inner)).is_err());
        assert!(root_of(&inner, Some(folder.path())).is_ok());
    }
}
