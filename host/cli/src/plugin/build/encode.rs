//! From what a compiler wrote to a component: the world is described, WASI 0.1 adapted, the manifest
//! embedded.

use std::path::Path;

use anyhow::{Context as _, anyhow};
use bulkhead_wasm::Manifest;
use wasi_preview1_component_adapter_provider::{
    WASI_SNAPSHOT_PREVIEW1_ADAPTER_NAME, WASI_SNAPSHOT_PREVIEW1_REACTOR_ADAPTER,
};
use wit_component::{ComponentEncoder, StringEncoding};
use wit_parser::{PackageId, Resolve, WorldId};

use crate::plugin::template;

/// How a component, and how a core module, starts.
const COMPONENT: &[u8] = b"\0asm\x0d\0\x01\0";
const CORE_MODULE: &[u8] = b"\0asm\x01\0\0\0";

/// Name under which compilers leave the description of a world.
const DESCRIPTION: &[u8] = b"component-type";

/// Makes a component of a core module, or takes one as it is, and embeds the manifest.
///
/// The same input gives the same bytes.
pub(super) fn component(wasm: Vec<u8>, manifest: &Manifest) -> anyhow::Result<Vec<u8>> {
    let component = if wasm.starts_with(COMPONENT) {
        wasm
    } else if wasm.starts_with(CORE_MODULE) {
        encode(wasm, &manifest.world)?
    } else {
        return Err(anyhow!("what the build wrote is not WebAssembly"));
    };
    Ok(manifest.embed(&component))
}

fn encode(mut module: Vec<u8>, world: &str) -> anyhow::Result<Vec<u8>> {
    if !describes_itself(&module) {
        let (resolve, world) = find(world)?;
        wit_component::embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8)
            .context("failed to describe the module's world")?;
    }
    ComponentEncoder::default()
        .validate(true)
        .module(&module)
        .context("failed to read the module's world")?
        .adapter(
            WASI_SNAPSHOT_PREVIEW1_ADAPTER_NAME,
            WASI_SNAPSHOT_PREVIEW1_REACTOR_ADAPTER,
        )
        .context("failed to add the adapter for WASI 0.1")?
        // The adapter needs memory before the runtime of Go has started.
        .realloc_via_memory_grow(true)
        .encode()
        .context("failed to make a component of the module")
}

/// Tells whether the compiler left a description of the world, as wit-bindgen's macros do.
fn describes_itself(module: &[u8]) -> bool {
    module
        .windows(DESCRIPTION.len())
        .any(|bytes| bytes == DESCRIPTION)
}

/// Finds a world of the published packages by its name: `bulkhead:renderer/renderer@0.1.0`.
pub(in crate::plugin) fn find(world: &str) -> anyhow::Result<(Resolve, WorldId)> {
    let mut resolve = Resolve::default();
    let mut packages: Vec<PackageId> = Vec::new();
    for package in ["base", "renderer", "notifier"] {
        let text = std::str::from_utf8(template::wit_package(package))?;
        let file = Path::new(package).with_extension("wit");
        packages.push(
            resolve
                .push_str(file, text)
                .context("the published WIT is broken")?,
        );
    }
    let world = resolve
        .select_world(&packages, Some(world))
        .with_context(|| format!("there is no world `{world}`"))?;
    Ok((resolve, world))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_world_is_found_by_its_name() {
        for world in [
            "bulkhead:renderer/renderer@0.1.0",
            "bulkhead:renderer/transformer@0.1.0",
            "bulkhead:notifier/notifier@0.1.0",
        ] {
            assert!(find(world).is_ok(), "{world}");
        }
        let error = find("bulkhead:renderer/renderer@0.9.0")
            .map(|_| ())
            .expect_err("none");
        assert!(
            error
                .to_string()
                .contains("there is no world `bulkhead:renderer/renderer@0.9.0`")
        );
    }
}
