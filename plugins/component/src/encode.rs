//! Encodes a slimmed module as a component, with its manifest, and checks it against its world.

use std::path::Path;

use anyhow::{Context, Result};
use wasm_encoder::{ComponentSection, CustomSection};
use wit_component::ComponentEncoder;
use wit_parser::{PackageId, Resolve};

use crate::manifest::{Manifest, SECTION};

/// Makes a component of `module` that carries `manifest`.
///
/// # Errors
/// It names what the component imports or exports that the world in `wit` does not have.
pub(crate) fn component(module: &[u8], manifest: &Manifest, wit: &Path) -> Result<Vec<u8>> {
    let mut component = ComponentEncoder::default()
        .validate(true)
        .reject_legacy_names(false)
        .module(module)
        .context("failed to read the module's component types")?
        .encode()
        .context("failed to encode the component")?;
    check_world(&component, manifest, wit)?;
    let data = manifest.to_json()?;
    CustomSection {
        name: SECTION.into(),
        data: data.into(),
    }
    .append_to_component(&mut component);
    Ok(component)
}

fn check_world(component: &[u8], manifest: &Manifest, wit: &Path) -> Result<()> {
    let mut resolve = Resolve::default();
    let packages: Vec<PackageId> = ["base", "renderer", "notifier"]
        .iter()
        .map(|package| Ok(resolve.push_dir(wit.join(package))?.0))
        .collect::<Result<_>>()
        .with_context(|| format!("failed to read the WIT packages in `{}`", wit.display()))?;
    let world = resolve
        .select_world(&packages, Some(&manifest.world))
        .with_context(|| format!("no world `{}`", manifest.world))?;
    wit_component::targets(&resolve, world, component).with_context(|| {
        format!(
            "`{}` is not a component of `{}`",
            manifest.name, manifest.world
        )
    })
}
