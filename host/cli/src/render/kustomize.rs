//! `bulkhead render kustomize DIR`: what `kustomize build DIR` prints, from the sandbox.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context as _;
use bulkhead_apply::parse::{self, Text};
use bulkhead_source::DirTree;
use bulkhead_wasm::{Document, Limits, RenderRequest};
use serde_json::json;

use super::{failure, joined, line};
use crate::args::{KustomizeArguments, LoadRestrictor, Reorder};
use crate::output::{self, CliError, Progress};
use crate::plugins;

/// Renders and prints.
pub(crate) async fn kustomize(arguments: KustomizeArguments) -> Result<(), CliError> {
    let directory = arguments.directory.canonicalize().map_err(|error| {
        CliError::from(
            anyhow::Error::new(error)
                .context(format!("failed to open {}", arguments.directory.display())),
        )
    })?;
    let root = root_of(&directory, arguments.root.as_deref())?;
    let limits = Limits::renderer();
    let tree = DirTree::open(&root, limits.file_bytes)
        .with_context(|| format!("failed to open {}", root.display()))?;
    let path = directory
        .strip_prefix(&root)
        .unwrap_or(Path::new(""))
        .display()
        .to_string();
    let mut request = RenderRequest::new(Arc::new(tree), path);
    request.config = config(&arguments);

    let cache = plugins::cache_folder(arguments.cache.cache_dir.clone());
    let host = plugins::host(cache.as_deref())?;
    let plugin = plugins::built_in(&host, "kustomize").await?;
    let progress = Progress::start(&format!("rendering {}", directory.display()));
    let rendered = plugin.render(request).await;
    drop(progress);
    let rendered = rendered.map_err(failure)?;
    for diagnostic in &rendered.diagnostics {
        output::note(&line(diagnostic));
    }
    match &arguments.output {
        Some(to) if to.is_dir() => write_each(&rendered.documents, to)?,
        Some(to) => std::fs::write(to, joined(&rendered.documents))
            .with_context(|| format!("failed to write {}", to.display()))?,
        None => output::data(&joined(&rendered.documents))?,
    }
    Ok(())
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
    })
    .to_string()
}

/// Writes one file an object, named as kustomize names them: `apps_v1_deployment_web.yaml`, with the
/// namespace first where there are several.
fn write_each(documents: &[Document], to: &Path) -> anyhow::Result<()> {
    let mut files = Vec::new();
    for document in documents {
        let texts = [Text::from(document.text.as_str())];
        let object = parse::objects(texts, &parse::Limits::default())?;
        let Some(object) = object.into_iter().next() else {
            continue;
        };
        files.push((object, document.text.as_str()));
    }
    let mut namespaces: Vec<&str> = files
        .iter()
        .map(|(object, _)| object.id().namespace.as_str())
        .collect();
    namespaces.retain(|namespace| !namespace.is_empty());
    namespaces.sort_unstable();
    namespaces.dedup();
    for (object, text) in &files {
        let id = object.id();
        let mut parts = vec![id.group.as_str(), object.version(), &id.kind, &id.name];
        if namespaces.len() > 1 {
            parts.insert(0, &id.namespace);
        }
        parts.retain(|part| !part.is_empty());
        let file = to.join(parts.join("_").to_lowercase() + ".yaml");
        std::fs::write(&file, text)
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
