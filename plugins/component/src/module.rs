//! Slims a core module: of its custom sections only the function names, which a trap's backtrace
//! shows, and the component types, which the encoder reads, are kept.

use anyhow::Result;
use wasm_encoder::{CustomSection, Module, NameMap, NameSection, RawSection};
use wasmparser::{KnownCustom, Name, NameSectionReader, Parser, Payload};

/// Writes `module` again without the custom sections that nothing reads.
pub(crate) fn slim(module: &[u8]) -> Result<Vec<u8>> {
    let mut slimmed = Module::new();
    for payload in Parser::new(0).parse_all(module) {
        let payload = payload?;
        if let Payload::CustomSection(section) = &payload {
            if let KnownCustom::Name(names) = section.as_known() {
                slimmed.section(&function_names(names)?);
            } else if section.name().starts_with("component-type") {
                let kept = CustomSection {
                    name: section.name().into(),
                    data: section.data().into(),
                };
                slimmed.section(&kept);
            }
        } else if let Some((id, range)) = payload.as_section() {
            let data = &module[usize::try_from(range.start)?..usize::try_from(range.end)?];
            slimmed.section(&RawSection { id, data });
        }
    }
    Ok(slimmed.finish())
}

fn function_names(sections: NameSectionReader<'_>) -> Result<NameSection> {
    let mut names = NameSection::new();
    for section in sections {
        if let Name::Function(functions) = section? {
            let mut map = NameMap::new();
            for naming in functions {
                let naming = naming?;
                map.append(naming.index, naming.name);
            }
            names.functions(&map);
        }
    }
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sections(module: &[u8]) -> Result<Vec<String>> {
        let mut found = Vec::new();
        for payload in Parser::new(0).parse_all(module) {
            if let Payload::CustomSection(section) = payload? {
                found.push(section.name().to_owned());
            }
        }
        Ok(found)
    }

    #[test]
    fn function_names_and_component_types_stay_the_rest_goes() -> Result<()> {
        let mut module = Module::new();
        for name in [
            "producers",
            "component-type:x",
            ".debug_info",
            "target_features",
        ] {
            module.section(&CustomSection {
                name: name.into(),
                data: (&[0_u8][..]).into(),
            });
        }
        let mut functions = NameMap::new();
        functions.append(0, "main");
        let mut names = NameSection::new();
        names.module("a module");
        names.functions(&functions);
        module.section(&names);
        let slimmed = slim(&module.finish())?;
        assert_eq!(sections(&slimmed)?, ["component-type:x", "name"]);
        assert!(slimmed.windows(4).any(|bytes| bytes == b"main"));
        assert!(!slimmed.windows(8).any(|bytes| bytes == b"a module"));
        Ok(())
    }
}
