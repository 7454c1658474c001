//! What stands in a component: names of imports and exports, and the tools that made it. Nothing is
//! validated, and no code is looked at.

use std::collections::BTreeSet;

use wasmparser::{BinaryReader, ComponentExportSectionReader, ComponentImportSectionReader};
use wasmparser::{BinaryReaderError, ProducersSectionReader};

use super::{InspectError, Tool};
use crate::host::log::clean;
use crate::sections::{HEADER_BYTES, sections};

const CORE_MODULE: u8 = 1;
const COMPONENT: u8 = 4;
const IMPORT: u8 = 10;
const EXPORT: u8 = 11;

/// Imports, and exports, that are read.
const NAMES: usize = 1000;

/// Components inside one another whose tools are read.
const DEPTH: usize = 4;

/// Tools that are told.
const TOOLS: usize = 32;

/// Bytes of a name that are shown.
const NAME_BYTES: usize = 200;

/// What was found.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) imports: Vec<String>,
    pub(super) exports: Vec<String>,
    pub(super) tools: BTreeSet<Tool>,
}

/// Walks over the outermost sections of `component`.
pub(super) fn walk(component: &[u8]) -> Result<Found, InspectError> {
    let mut found = Found::default();
    for section in sections(component) {
        let section = section.map_err(|broken| InspectError::Broken(broken.to_string()))?;
        let reader = || BinaryReader::new(section.content, section.range.start);
        let broken = |error: BinaryReaderError| InspectError::Broken(clean(&error.to_string()));
        match section.number {
            IMPORT => {
                let imports = ComponentImportSectionReader::new(reader()).map_err(broken)?;
                for import in imports {
                    let name = import.map_err(broken)?.name.name;
                    push(&mut found.imports, name, "imports")?;
                }
            }
            EXPORT => {
                let exports = ComponentExportSectionReader::new(reader()).map_err(broken)?;
                for export in exports {
                    let name = export.map_err(broken)?.name.name;
                    push(&mut found.exports, name, "exports")?;
                }
            }
            _ => {}
        }
    }
    tools(component, &mut found.tools, DEPTH);
    Ok(found)
}

fn push(names: &mut Vec<String>, name: &str, what: &'static str) -> Result<(), InspectError> {
    if names.len() == NAMES {
        return Err(InspectError::Broken(format!(
            "it has more than {NAMES} {what}"
        )));
    }
    names.push(name.to_owned());
    Ok(())
}

/// Collects what the `producers` sections tell, of modules and components inside too. What cannot
/// be read tells nothing.
fn tools(component: &[u8], found: &mut BTreeSet<Tool>, depth: usize) {
    for section in sections(component).map_while(Result::ok) {
        if found.len() >= TOOLS {
            return;
        }
        match (section.number, section.custom) {
            (_, Some(("producers", data))) => producers(data, found),
            (CORE_MODULE | COMPONENT, _) if depth > 0 && section.content.len() > HEADER_BYTES => {
                tools(section.content, found, depth - 1);
            }
            _ => {}
        }
    }
}

fn producers(data: &[u8], found: &mut BTreeSet<Tool>) {
    let Ok(fields) = ProducersSectionReader::new(BinaryReader::new(data, 0)) else {
        return;
    };
    let short = |text: &str| clean(text).chars().take(NAME_BYTES).collect::<String>();
    for field in fields.into_iter().map_while(Result::ok) {
        for value in field.values.into_iter().map_while(Result::ok) {
            if found.len() >= TOOLS {
                return;
            }
            found.insert(Tool {
                role: short(field.name),
                name: short(value.name),
                version: short(value.version),
            });
        }
    }
}
