//! The client for registries, made of the flags and the user's Docker configuration.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, anyhow};
use bulkhead_source::oci::{
    Keychain, OciError, PluginImage, Reference, Registry, RegistryConfig, Resolved,
};

use super::failure::advised;
use crate::args::RegistryArguments;
use crate::output::{CliError, Progress};

/// Makes a client; nothing is sent.
pub(super) fn client(arguments: &RegistryArguments) -> Result<Registry, CliError> {
    let authority = match &arguments.registry_ca {
        Some(path) => Some(read(path)?),
        None => None,
    };
    let config = RegistryConfig {
        credentials: keychain(arguments.registry_config.as_deref())?,
        authority,
        plain_http_hosts: arguments.plain_http.iter().cloned().collect(),
        ..RegistryConfig::default()
    };
    Registry::new(config).map_err(failed)
}

/// Reads a reference as a person wrote it.
pub(super) fn reference(text: &str) -> Result<Reference, CliError> {
    Reference::parse(text).map_err(|error| {
        CliError::from(anyhow::Error::new(error).context(format!("`{text}` is no reference")))
            .usage()
            .hint("write it as REGISTRY/PATH:TAG, or REGISTRY/PATH@sha256:…")
    })
}

/// Looks a reference up: one read of its manifest.
pub(super) async fn resolve(
    registry: &Registry,
    reference: &Reference,
) -> Result<Resolved, CliError> {
    let _progress = Progress::start(&format!("looking up {reference}"));
    registry.resolve(reference).await.map_err(failed)
}

/// Fetches the component of a manifest; its digest and size are checked.
pub(super) async fn pull(
    registry: &Registry,
    resolved: &Resolved,
) -> Result<PluginImage, CliError> {
    let _progress = Progress::start(&format!("pulling {}", resolved.reference));
    registry.pull_plugin(resolved).await.map_err(failed)
}

/// Tells a person what a registry said.
pub(super) fn failed(error: OciError) -> CliError {
    let plain = error.to_string().contains("TLS");
    let advice = error.advice();
    let failure = advised(advice, error);
    match failure.hint {
        None if plain => failure.hint("for a registry without TLS: `--plain-http HOST:PORT`"),
        _ => failure,
    }
}

fn keychain(named: Option<&Path>) -> Result<Keychain, CliError> {
    let of = |name: &str| {
        std::env::var_os(name)
            .filter(|value| !value.is_empty())
            .map(PathBuf::from)
    };
    let path = match named {
        Some(path) => path.to_owned(),
        None => {
            let folder = of("DOCKER_CONFIG").or_else(|| Some(of("HOME")?.join(".docker")));
            match folder
                .map(|folder| folder.join("config.json"))
                .filter(|path| path.is_file())
            {
                Some(path) => path,
                None => return Ok(Keychain::default()),
            }
        }
    };
    let bytes = read(&path)?;
    Keychain::docker_config(&bytes).map_err(|error| {
        let what = anyhow!("failed to use the logins in {}", path.display());
        CliError::from(what.context(error.to_string()))
            .hint("`docker login`, or another tool that writes this file, writes it anew")
    })
}

fn read(path: &Path) -> anyhow::Result<Vec<u8>> {
    std::fs::read(path).with_context(|| format!("failed to read {}", path.display()))
}
