//! `bulkhead plugin install`, `list` and `remove`, for this user; cluster.rs has the same for a
//! cluster.

use anyhow::anyhow;
use bulkhead_wasm::inspect::Gravity;
use bulkhead_wasm::{Grants, Manifest};
use serde_json::json;

use super::installed::{Entry, Installed};
use super::locate::{self, Found};
use super::{check, cluster, grants, print, registry, trust};
use crate::args::{InstallPluginArguments, ListArguments, RemoveArguments};
use crate::output::{self, CliError};

/// Installs a plugin by reference.
pub(super) async fn install(arguments: InstallPluginArguments) -> Result<(), CliError> {
    if arguments.export && arguments.named.is_some() {
        // The object can be written without asking the registry.
        return cluster::export(
            &arguments,
            arguments.named.as_deref().unwrap_or_default(),
            None,
        );
    }
    let client = registry::client(&arguments.registry)?;
    let reference = registry::reference(&arguments.reference)?;
    let resolved = registry::resolve(&client, &reference).await?;
    let signer = trust::check(&client, &resolved, &arguments.policy).await?;
    let image = registry::pull(&client, &resolved).await?;
    let found = Found {
        bytes: image.wasm.to_vec(),
        place: resolved.pinned().to_string(),
        from: locate::From::Registry(Box::new(resolved.clone())),
    };
    let manifest = usable(&found)?;
    let granted = granted(&arguments, &manifest)?;
    let name = arguments
        .named
        .clone()
        .unwrap_or_else(|| manifest.name.clone());
    if arguments.export {
        return cluster::export(&arguments, &name, Some((&manifest, &granted)));
    }
    if cluster::is_meant(&arguments.cluster) {
        return cluster::install(&arguments, &name, &manifest, &granted).await;
    }
    let entry = Entry {
        reference: reference.to_string(),
        digest: resolved.digest,
        component: image.wasm_digest,
        kind: manifest.kind.to_string(),
        version: manifest.version.clone(),
        world: manifest.world.clone(),
        signer,
        requests: manifest.requests.to_json(),
        grants: grants::to_json(&granted),
    };
    let before = Installed::open()?.put(&name, entry.clone(), &found.bytes)?;
    told(&arguments, &name, &entry, before.as_ref())
}

fn told(
    arguments: &InstallPluginArguments,
    name: &str,
    entry: &Entry,
    before: Option<&Entry>,
) -> Result<(), CliError> {
    if entry.signer.is_none() {
        output::note(
            "note: its signature was not checked; `--key` or `--issuer` with `--identity` does",
        );
    }
    let result = match before {
        None => "installed",
        Some(before) if before.component == entry.component => "unchanged",
        Some(_) => "updated",
    };
    print::answer(
        arguments.output,
        &json!({"name": name, "result": result, "plugin": entry}),
        || {
            let use_it = match entry.kind.as_str() {
                "renderer" => format!("bulkhead render {name} DIR"),
                _ => format!("bulkhead plugin run --plugin {name} FILE"),
            };
            format!("{result} {name} {}: {use_it}\n", entry.version)
        },
    )
}

/// Refuses what would not load; returns the manifest.
fn usable(found: &Found) -> Result<Manifest, CliError> {
    let inspection = check::look(found)?;
    if let Some(problem) = inspection
        .problems
        .iter()
        .find(|one| one.gravity == Gravity::Error)
    {
        let error = anyhow!("{} cannot be used: {}", found.place, problem.what);
        return Err(CliError::from(error).hint(problem.help.clone()));
    }
    inspection.manifest.ok_or_else(|| {
        CliError::from(anyhow!(
            "{} has no manifest: nobody can tell what it asks for",
            found.place
        ))
        .hint("its author embeds one with `bulkhead plugin build`")
    })
}

/// What is granted; what is asked for and not granted is said.
fn granted(arguments: &InstallPluginArguments, manifest: &Manifest) -> Result<Grants, CliError> {
    if arguments.grant_all {
        return Ok(grants::all(&manifest.requests));
    }
    let granted = grants::parse(&arguments.grant)?;
    for withheld in manifest.within(&granted).withheld(manifest.kind) {
        output::note(&format!(
            "note: it asks for {withheld}, which is not granted"
        ));
    }
    Ok(granted)
}

/// Lists what is installed.
pub(super) async fn list(arguments: &ListArguments) -> Result<(), CliError> {
    if cluster::is_meant(&arguments.cluster) {
        return cluster::list(arguments).await;
    }
    let plugins = Installed::open()?.list()?;
    let json = json!(
        plugins
            .iter()
            .map(|(name, entry)| json!({"name": name, "plugin": entry}))
            .collect::<Vec<_>>()
    );
    print::answer(arguments.output, &json, || {
        if plugins.is_empty() {
            return "no plugin is installed: `bulkhead plugin install REF`\n".to_owned();
        }
        let head = [
            "NAME",
            "KIND",
            "VERSION",
            "REFERENCE",
            "COMPONENT",
            "SIGNER",
            "GRANTS",
        ];
        let mut rows = vec![head.map(str::to_owned).to_vec()];
        for (name, entry) in &plugins {
            let digest = entry.component.to_string();
            rows.push(vec![
                name.clone(),
                entry.kind.clone(),
                entry.version.clone(),
                entry.reference.clone(),
                digest.chars().take(19).collect(),
                entry
                    .signer
                    .clone()
                    .unwrap_or_else(|| "not checked".to_owned()),
                entry.grants.to_string(),
            ]);
        }
        print::table(&rows)
    })
}

/// Removes a plugin.
pub(super) async fn remove(arguments: &RemoveArguments) -> Result<(), CliError> {
    if cluster::is_meant(&arguments.cluster) {
        return cluster::remove(arguments).await;
    }
    let name = &arguments.name;
    match Installed::open()?.remove(name)? {
        Some(entry) => print::answer(
            arguments.output,
            &json!({"name": name, "result": "removed", "plugin": entry}),
            || format!("removed {name} ({})\n", entry.reference),
        ),
        None => Err(CliError::from(anyhow!("no plugin `{name}` is installed"))
            .hint("`bulkhead plugin list` shows what is")),
    }
}
