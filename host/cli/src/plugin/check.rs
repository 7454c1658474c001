//! `bulkhead plugin check`: what a component is, and what keeps it from being a plugin.

use anyhow::anyhow;
use bulkhead_wasm::inspect::{Gravity, ImportClass, Problem};
use bulkhead_wasm::{Inspection, inspect};
use serde_json::{Value, json};

use super::failure::advised;
use super::locate::{self, Found};
use super::print;
use crate::args::CheckArguments;
use crate::output::CliError;

/// Judges a component.
pub(super) fn check(arguments: &CheckArguments) -> Result<(), CliError> {
    let found = locate::local(&arguments.plugin)?;
    let inspection = look(&found)?;
    print::answer(arguments.output, &json(&found, &inspection), || {
        text(&found, &inspection)
    })?;
    let graver = |problem: &&Problem| arguments.strict || problem.gravity == Gravity::Error;
    match inspection.problems.iter().filter(graver).count() {
        0 => Ok(()),
        count => Err(anyhow!(
            "{} has {count} problem{}",
            found.place,
            if count == 1 { "" } else { "s" }
        )
        .into()),
    }
}

/// Inspects, and says of what is no component what it is.
pub(super) fn look(found: &Found) -> Result<Inspection, CliError> {
    inspect(&found.bytes).map_err(|error| {
        let failure = advised(error.advice(), error);
        CliError {
            error: failure
                .error
                .context(format!("{} is no plugin", found.place)),
            ..failure
        }
    })
}

/// Describes a component for programs.
pub(super) fn json(found: &Found, inspection: &Inspection) -> Value {
    json!({
        "plugin": found.place,
        "sizeBytes": inspection.size_bytes,
        "digest": inspection.digest.to_string(),
        "kind": inspection.kind.map(|kind| kind.to_string()),
        "world": inspection.world,
        "imports": inspection.imports,
        "exports": inspection.exports,
        "tools": inspection.tools,
        "manifest": inspection.manifest.as_ref().map(bulkhead_wasm::Manifest::to_json),
        "problems": inspection.problems,
    })
}

/// Describes a component for people.
pub(super) fn text(found: &Found, inspection: &Inspection) -> String {
    let mut rows = vec![row("plugin", &found.place)];
    if let Some(manifest) = &inspection.manifest {
        rows.push(row(
            "name",
            &format!("{} {}", manifest.name, manifest.version),
        ));
        rows.push(row("", &manifest.description));
        rows.push(row("licence", &manifest.license));
    }
    rows.push(row("world", inspection.world.as_deref().unwrap_or("none")));
    rows.push(row("digest", &inspection.digest.to_string()));
    rows.push(row("size", &print::size(inspection.size_bytes)));
    for (index, tool) in inspection.tools.iter().enumerate() {
        let label = if index == 0 { "made by" } else { "" };
        rows.push(row(label, &format!("{} {}", tool.name, tool.version)));
    }
    rows.extend(imports(inspection));
    if let Some(manifest) = &inspection.manifest {
        rows.extend(requests(&manifest.requests.to_json()));
    }
    let mut text = print::table(&rows);
    for problem in &inspection.problems {
        let gravity = match problem.gravity {
            Gravity::Warning => "warning",
            Gravity::Error => "error",
        };
        text.push_str(&format!("\n{gravity}: {}", problem.what));
        if !problem.why.is_empty() {
            text.push_str(&format!("\n  why:  {}", problem.why));
        }
        if !problem.help.is_empty() {
            text.push_str(&format!("\n  help: {}", problem.help));
        }
        text.push('\n');
    }
    text
}

fn imports(inspection: &Inspection) -> Vec<Vec<String>> {
    let class = |class| match class {
        ImportClass::Ours => "of its world",
        ImportClass::SealedWasi => "of WASI, without any power",
        ImportClass::Foreign => "NOT TO BE HAD",
    };
    let label = |index| if index == 0 { "imports" } else { "" };
    let rows = inspection
        .imports
        .iter()
        .enumerate()
        .map(|(index, import)| {
            vec![
                label(index).to_owned(),
                import.name.clone(),
                class(import.class).to_owned(),
            ]
        });
    rows.collect()
}

/// Lists what a plugin asks for.
fn requests(requests: &Value) -> Vec<Vec<String>> {
    let Some(fields) = requests.as_object().filter(|fields| !fields.is_empty()) else {
        return vec![row("asks for", "nothing")];
    };
    let label = |index| if index == 0 { "asks for" } else { "" };
    let value = |value: &Value| match value {
        Value::Array(items) => items
            .iter()
            .filter_map(Value::as_str)
            .collect::<Vec<_>>()
            .join(", "),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let rows = fields.iter().enumerate();
    rows.map(|(index, (name, given))| row(label(index), &format!("{name}: {}", value(given))))
        .collect()
}

fn row(label: &str, value: &str) -> Vec<String> {
    vec![label.to_owned(), value.to_owned()]
}
