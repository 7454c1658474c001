//! Finding a plugin by what a person calls it: a file, a folder, an installed name, a reference.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, anyhow};
use bulkhead_source::oci::Resolved;
use bulkhead_wasm::{Grants, Manifest};

use super::failure::advised;
use super::installed::{Entry, Installed};
use super::project::Project;
use super::registry;
use crate::args::RegistryArguments;
use crate::output::CliError;

/// A component, and how it was found.
#[derive(Debug)]
pub(crate) struct Found {
    /// The component, as it is; not judged yet.
    pub(crate) bytes: Vec<u8>,
    /// Where it is from, for people.
    pub(crate) place: String,
    /// How it was found.
    pub(crate) from: From,
}

/// How a plugin was found.
#[derive(Debug)]
pub(crate) enum From {
    /// A file of this machine: the user's own.
    File,
    /// An installed plugin, with its record.
    Installed(Box<Entry>),
    /// A registry.
    Registry(Box<Resolved>),
}

impl Found {
    /// Reads its manifest; `None` when it has none.
    pub(crate) fn manifest(&self) -> Result<Option<Manifest>, CliError> {
        Manifest::read(&self.bytes).map_err(|error| advised(error.advice(), error))
    }

    /// What it is granted where nothing else is said: a file is the user's own and gets what it asks
    /// for, an installed plugin what was granted then, one from a registry nothing.
    pub(crate) fn grants(&self, manifest: Option<&Manifest>) -> Grants {
        match (&self.from, manifest) {
            (From::File, Some(manifest)) => super::grants::all(&manifest.requests),
            (From::Installed(entry), _) => super::grants::from_json(&entry.grants),
            (From::Registry(_) | From::File, _) => Grants::default(),
        }
    }
}

/// Finds a plugin.
///
/// A path that exists, or ends in `.wasm`, is a file; a name without `/`, `:` and `.` is installed;
/// all else is a reference.
pub(crate) async fn find(named: &str, registry: &RegistryArguments) -> Result<Found, CliError> {
    let path = Path::new(named);
    if path.is_file() || named.ends_with(".wasm") || named.starts_with("./") {
        return file(path);
    }
    if path.join("bulkhead-plugin.yaml").is_file() {
        return folder(path);
    }
    if !named.contains(['/', ':', '.']) {
        return installed(named);
    }
    reference(named, registry).await
}

/// Pulls a plugin from a registry.
pub(crate) async fn reference(
    named: &str,
    registry: &RegistryArguments,
) -> Result<Found, CliError> {
    let client = registry::client(registry)?;
    let reference = registry::reference(named)?;
    let resolved = registry::resolve(&client, &reference).await?;
    let image = registry::pull(&client, &resolved).await?;
    Ok(Found {
        bytes: image.wasm.to_vec(),
        place: resolved.pinned().to_string(),
        from: From::Registry(Box::new(resolved)),
    })
}

/// Finds the plugin that is named, or the one of this folder.
pub(crate) async fn find_or_here(
    named: Option<&str>,
    registry: &RegistryArguments,
) -> Result<Found, CliError> {
    match named {
        Some(named) => find(named, registry).await,
        None => folder(Path::new(".")),
    }
}

/// Reads a component, or the one that was built in a folder.
pub(super) fn local(named: &str) -> Result<Found, CliError> {
    let path = Path::new(named);
    if path.is_dir() {
        folder(path)
    } else {
        file(path)
    }
}

/// Reads the component that was built in a folder.
pub(super) fn folder(folder: &Path) -> Result<Found, CliError> {
    let component = Project::open(folder)?.component();
    if !component.is_file() {
        let error = anyhow!("{} is not there", component.display());
        return Err(CliError::from(error).hint("build it with `bulkhead plugin build`"));
    }
    file(&component)
}

/// Reads a component.
pub(crate) fn file(path: &Path) -> Result<Found, CliError> {
    let bytes =
        std::fs::read(path).with_context(|| format!("failed to read {}", path.display()))?;
    Ok(Found {
        bytes,
        place: path.display().to_string(),
        from: From::File,
    })
}

fn installed(name: &str) -> Result<Found, CliError> {
    let store = Installed::open()?;
    let Some(entry) = store.find(name)? else {
        return Err(CliError::from(anyhow!("no plugin `{name}` is installed")).hint(
            "`bulkhead plugin list` shows what is; a file is named by its path, a plugin in a registry by REGISTRY/PATH:TAG",
        ));
    };
    let bytes = store.component(entry.component).map_err(|error| {
        CliError::from(error).hint(format!(
            "install it again: `bulkhead plugin install {}`",
            entry.reference
        ))
    })?;
    Ok(Found {
        bytes,
        place: format!("{name} ({})", entry.reference),
        from: From::Installed(Box::new(entry)),
    })
}

/// Returns a file that `--component` names, else the one that was built in a folder.
pub(super) fn component(folder: &Path, named: Option<&PathBuf>) -> Result<Found, CliError> {
    match named {
        Some(path) => file(path),
        None => self::folder(folder),
    }
}
