//! Writes the generated part of the templates of `bulkhead plugin new`: bindings for Go and C, one
//! set a world, by wit-bindgen's own generators. `cargo run -p bulkhead-bindings` after a change of
//! `wit/`; a test here fails while what is checked in is not what the generators make.

#![allow(
    clippy::disallowed_methods,
    reason = "a build tool reads and writes the files of the checkout"
)]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use wit_bindgen_core::Files;
use wit_bindgen_core::wit_parser::{Resolve, WorldId};

/// Kinds of plugins with the packages of their worlds.
const KINDS: [(&str, &str); 3] = [
    ("renderer", "bulkhead:renderer/renderer"),
    ("transformer", "bulkhead:renderer/transformer"),
    ("notifier", "bulkhead:notifier/notifier"),
];

/// Module of the bindings in a Go scaffold.
const GO_MODULE: &str = "bulkhead.dev/plugin";

fn main() -> Result<()> {
    let templates = templates();
    for (path, content) in generated()? {
        let to = templates.join(path);
        std::fs::create_dir_all(to.parent().unwrap_or(&templates))?;
        std::fs::write(&to, content)
            .with_context(|| format!("failed to write {}", to.display()))?;
    }
    Ok(())
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn templates() -> PathBuf {
    root().join("host/cli/templates")
}

/// Returns every generated file by its path below the templates' folder.
fn generated() -> Result<BTreeMap<PathBuf, Vec<u8>>> {
    let mut files = BTreeMap::new();
    for (kind, name) in KINDS {
        let (resolve, world) = world(name)?;
        for (file, content) in go(resolve.clone(), world)?.iter() {
            let path = Path::new(&format!("go-{kind}")).join("bulkhead").join(file);
            files.insert(path, content.to_vec());
        }
        for (file, content) in c(resolve, world)?.iter() {
            let path = Path::new(&format!("c-{kind}")).join("bulkhead").join(file);
            files.insert(path, content.to_vec());
        }
    }
    Ok(files)
}

fn world(name: &str) -> Result<(Resolve, WorldId)> {
    let mut resolve = Resolve::default();
    let mut packages = Vec::new();
    for package in ["base", "renderer", "notifier"] {
        packages.push(resolve.push_dir(root().join("wit").join(package))?.0);
    }
    let world = resolve.select_world(&packages, Some(name))?;
    Ok((resolve, world))
}

fn go(mut resolve: Resolve, world: WorldId) -> Result<Files> {
    let mut files = Files::default();
    let mut generator = wit_bindgen_go::Opts {
        pkg_name: Some(GO_MODULE.to_owned()),
        ..Default::default()
    }
    .build();
    generator.generate(&mut resolve, world, &mut files)?;
    Ok(files)
}

fn c(mut resolve: Resolve, world: WorldId) -> Result<Files> {
    let mut files = Files::default();
    let mut generator = wit_bindgen_c::Opts {
        no_object_file: true,
        autodrop_borrows: wit_bindgen_c::Enabled::Yes,
        ..Default::default()
    }
    .build();
    generator.generate(&mut resolve, world, &mut files)?;
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_checked_in_is_what_the_generators_make_today() -> Result<()> {
        for (path, content) in generated()? {
            let found = std::fs::read(templates().join(&path))
                .with_context(|| format!("{} is missing", path.display()))?;
            assert!(
                found == content,
                "{} is stale, or made without gofmt: run `cargo run -p bulkhead-bindings` in plugins/",
                path.display()
            );
        }
        Ok(())
    }
}
