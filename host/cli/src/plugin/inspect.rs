//! `bulkhead plugin inspect`: what a plugin is, asks for and is signed by, and what would change for
//! whom it is installed.

use anyhow::Context as _;
use bulkhead_wasm::{Inspection, Manifest};
use serde_json::json;
use wit_component::WitPrinter;

use super::installed::{Entry, Installed};
use super::locate::{self, From};
use super::{check, print, registry, trust};
use crate::args::InspectArguments;
use crate::output::{self, CliError};

/// Shows a plugin.
pub(super) async fn inspect(arguments: &InspectArguments) -> Result<(), CliError> {
    let found = locate::find(&arguments.plugin, &arguments.registry).await?;
    if arguments.wit {
        return Ok(output::data(&wit(&found.bytes)?)?);
    }
    let inspection = check::look(&found)?;
    let signer = match &found.from {
        From::Registry(resolved) => {
            let client = registry::client(&arguments.registry)?;
            trust::look(&client, resolved, &arguments.policy).await?
        }
        From::Installed(entry) => entry
            .signer
            .clone()
            .unwrap_or_else(|| "not checked".to_owned()),
        From::File => "a file has none".to_owned(),
    };
    let changes = changes(&inspection)?;
    let mut json = check::json(&found, &inspection);
    json["signer"] = json!(signer);
    json["changes"] = json!(changes);
    json["wit"] = json!(wit(&found.bytes)?);
    print::answer(arguments.output, &json, || {
        let mut text = check::text(&found, &inspection);
        text.push_str(&format!("\nsigner: {signer}\n"));
        if let Some(schema) = inspection
            .manifest
            .as_ref()
            .and_then(|m| m.config_schema.as_ref())
        {
            text.push_str("\nconfiguration:\n");
            text.push_str(&indented(&bulkhead_apply::yaml::write(schema)));
        }
        text.push_str(match changes.is_empty() {
            true => "\n",
            false => "\nagainst what is installed:\n",
        });
        for change in &changes {
            text.push_str(&format!("  {change}\n"));
        }
        text.push_str("WIT: `--wit` prints it\n");
        text
    })
}

/// Writes the WIT of a component.
fn wit(bytes: &[u8]) -> anyhow::Result<String> {
    let decoded = wit_component::decode(bytes).context("failed to read the component's WIT")?;
    let mut printer = WitPrinter::default();
    printer
        .print(decoded.resolve(), decoded.package(), &[])
        .context("failed to write the WIT")?;
    Ok(printer.output.to_string())
}

/// Tells what is different from the plugin of the same name that is installed.
fn changes(inspection: &Inspection) -> anyhow::Result<Vec<String>> {
    let Some(manifest) = &inspection.manifest else {
        return Ok(Vec::new());
    };
    let Ok(store) = Installed::open() else {
        return Ok(Vec::new());
    };
    let Some(entry) = store.find(&manifest.name)? else {
        return Ok(vec![format!("`{}` is not installed", manifest.name)]);
    };
    if entry.component == inspection.digest {
        return Ok(vec!["the same component is installed".to_owned()]);
    }
    Ok(compare(
        &entry,
        manifest,
        store.component(entry.component).ok().as_deref(),
    ))
}

fn compare(entry: &Entry, manifest: &Manifest, before: Option<&[u8]>) -> Vec<String> {
    let mut changes = Vec::new();
    if entry.version != manifest.version {
        changes.push(format!("version {} -> {}", entry.version, manifest.version));
    }
    if entry.world != manifest.world {
        changes.push(format!("world {} -> {}", entry.world, manifest.world));
    }
    let known = before.and_then(|bytes| Manifest::read(bytes).ok().flatten());
    if let Some(known) = known {
        let more = manifest.requests.exceeds(&known.requests);
        changes.extend(more.iter().map(|what| format!("asks for more: {what}")));
        let less = known.requests.exceeds(&manifest.requests);
        changes.extend(
            less.iter()
                .map(|what| format!("no longer asks for: {what}")),
        );
        if known.config_schema != manifest.config_schema {
            changes.push("its configuration has another schema".to_owned());
        }
    }
    if changes.is_empty() {
        changes.push("another component, which asks for the same".to_owned());
    }
    changes
}

fn indented(text: &str) -> String {
    text.lines().map(|line| format!("  {line}\n")).collect()
}
