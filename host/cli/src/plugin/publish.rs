//! `bulkhead plugin push` and `pull`.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, anyhow};
use bulkhead_api::Digest;
use bulkhead_source::oci::PluginArtifact;
use bulkhead_wasm::Inspection;
use bulkhead_wasm::inspect::Gravity;
use serde_json::json;

use super::{check, locate, print, registry, trust, wit};
use crate::args::{PullArguments, PushArguments};
use crate::output::{self, CliError, Progress};

/// Publishes a component, once it is known that it loads, or a package of WIT.
pub(super) async fn push(arguments: &PushArguments) -> Result<(), CliError> {
    let reference = registry::reference(&arguments.reference)?;
    let path = Path::new(&arguments.plugin);
    let (artifact, component) = if wit::is_wit(path) {
        let artifact = wit::open(path)?.artifact();
        let digest = Digest::of(&artifact.wasm);
        (artifact, digest)
    } else {
        plugin(&arguments.plugin)?
    };
    let client = registry::client(&arguments.registry)?;
    let progress = Progress::start(&format!("pushing {reference}"));
    let digest = client.push_plugin(&reference, &artifact).await;
    drop(progress);
    let digest = digest.map_err(registry::failed)?;
    let pinned = reference.with_digest(digest).to_string();
    print::answer(
        arguments.output,
        &json!({"reference": pinned, "digest": digest.to_string(),
                "component": component.to_string()}),
        || format!("{pinned}\n"),
    )
}

/// Reads a plugin that loads, and says how registries have it.
fn plugin(named: &str) -> Result<(PluginArtifact, Digest), CliError> {
    let found = locate::local(named)?;
    let inspection = check::look(&found)?;
    if let Some(problem) = inspection
        .problems
        .iter()
        .find(|one| one.gravity == Gravity::Error)
    {
        let error = anyhow!("{} would not load: {}", found.place, problem.what);
        return Err(CliError::from(error).hint("`bulkhead plugin check` says what to do"));
    }
    let digest = inspection.digest;
    Ok((artifact(&inspection, found.bytes), digest))
}

/// Describes a component as registries have it.
fn artifact(inspection: &Inspection, bytes: Vec<u8>) -> PluginArtifact {
    PluginArtifact {
        wasm: bytes.into(),
        exports: inspection
            .exports
            .iter()
            .map(|export| export.name.clone())
            .collect(),
        imports: inspection
            .imports
            .iter()
            .map(|import| import.name.clone())
            .collect(),
        target: inspection.world.clone(),
        annotations: inspection
            .manifest
            .as_ref()
            .map(bulkhead_wasm::Manifest::annotations)
            .unwrap_or_default(),
        ..PluginArtifact::default()
    }
}

/// Fetches a component, or a package of WIT, into a file, its signature checked if a signer is named.
pub(super) async fn pull(arguments: &PullArguments) -> Result<(), CliError> {
    let client = registry::client(&arguments.registry)?;
    let reference = registry::reference(&arguments.reference)?;
    let resolved = registry::resolve(&client, &reference).await?;
    let signer = trust::check(&client, &resolved, &arguments.policy).await?;
    let image = registry::pull(&client, &resolved).await?;
    let name = resolved
        .reference
        .repository()
        .rsplit('/')
        .next()
        .unwrap_or("plugin");
    // A WIT package is for people, and for other tools: as text.
    let text = wit::text(&image.wasm);
    let ending = if text.is_some() { "wit" } else { "wasm" };
    let to = arguments
        .to
        .clone()
        .unwrap_or_else(|| PathBuf::from(format!("{name}.{ending}")));
    let content = text.as_ref().map_or(&*image.wasm, |text| text.as_bytes());
    std::fs::write(&to, content).with_context(|| format!("failed to write {}", to.display()))?;
    if signer.is_none() {
        output::note(
            "note: its signature was not checked; `--key` or `--issuer` with `--identity` does",
        );
    }
    let (file, size) = (to.display().to_string(), content.len() as u64);
    let component: Digest = image.wasm_digest;
    print::answer(
        arguments.output,
        &json!({"reference": resolved.pinned().to_string(), "digest": resolved.digest.to_string(),
                "component": component.to_string(), "file": file, "sizeBytes": size, "signer": signer}),
        || {
            format!(
                "{file}: {}, from {}\n",
                print::size(size),
                resolved.pinned()
            )
        },
    )
}
