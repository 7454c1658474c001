//! WIT packages as registries keep them: the binary form of the package, in the layout of a plugin.
//! Other tools that follow the CNCF's layout read and write the same.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context as _, anyhow};
use bulkhead_source::oci::PluginArtifact;
use wit_component::{DecodedWasm, WitPrinter};
use wit_parser::{PackageId, PackageName, Resolve, UnresolvedPackageGroup};

use super::template;

/// A WIT package that can be pushed.
#[derive(Debug)]
pub(super) struct WitPackage {
    /// Its name: `bulkhead:base@0.1.0`.
    name: PackageName,
    wasm: Vec<u8>,
    /// Its interfaces and worlds.
    exports: Vec<String>,
}

/// Tells whether a path names WIT: a `.wit` file, or a folder with some and without a plugin.
pub(super) fn is_wit(path: &Path) -> bool {
    let ends = |path: &Path| path.extension().is_some_and(|ending| ending == "wit");
    if path.is_file() {
        return ends(path);
    }
    let entries = std::fs::read_dir(path).into_iter().flatten().flatten();
    let names: Vec<_> = entries.map(|entry| entry.path()).collect();
    names.iter().any(|path| ends(path)) && !names.iter().any(|path| path.ends_with(MANIFEST))
}

const MANIFEST: &str = "bulkhead-plugin.yaml";

/// Reads a WIT package. What it uses stands in its folder `deps`; the published packages of Bulkhead
/// need not.
pub(super) fn open(path: &Path) -> anyhow::Result<WitPackage> {
    let what = || format!("failed to read the WIT of {}", path.display());
    let (resolve, package) = resolve(path).with_context(what)?;
    let wasm = wit_component::encode(&resolve, package).with_context(what)?;
    let name = resolve.packages[package].name.clone();
    let found = &resolve.packages[package];
    let exports = found.interfaces.keys().chain(found.worlds.keys());
    Ok(WitPackage {
        exports: exports.map(|export| name.interface_id(export)).collect(),
        wasm,
        name,
    })
}

fn resolve(path: &Path) -> anyhow::Result<(Resolve, PackageId)> {
    let mut resolve = Resolve::default();
    if path.join("deps").is_dir() {
        let (package, _) = resolve.push_dir(path)?;
        return Ok((resolve, package));
    }
    let group = if path.is_dir() {
        UnresolvedPackageGroup::parse_dir(path)?
    } else {
        let text = std::fs::read_to_string(path)?;
        UnresolvedPackageGroup::parse(path, &text)
            .map_err(|(map, error)| anyhow!("{}", error.render(&map)))?
    };
    let uses_base = |name: &PackageName| name.namespace == "bulkhead" && name.name == "base";
    if group.main.foreign_deps.keys().any(uses_base) {
        resolve.push_str(
            "base.wit",
            std::str::from_utf8(template::wit_package("base"))?,
        )?;
    }
    let package = resolve.push_group(group)?;
    Ok((resolve, package))
}

impl WitPackage {
    /// Describes it as registries have it.
    pub(super) fn artifact(self) -> PluginArtifact {
        let version = self.name.version.as_ref().map(ToString::to_string);
        let title = format!("{}:{}", self.name.namespace, self.name.name);
        let mut annotations =
            BTreeMap::from([("org.opencontainers.image.title".to_owned(), title)]);
        if let Some(version) = version {
            annotations.insert("org.opencontainers.image.version".to_owned(), version);
        }
        PluginArtifact {
            wasm: self.wasm.into(),
            exports: self.exports,
            annotations,
            ..PluginArtifact::default()
        }
    }
}

/// Returns the text of a WIT package in its binary form; `None` for a component.
pub(super) fn text(wasm: &[u8]) -> Option<String> {
    let Ok(DecodedWasm::WitPackage(resolve, package)) = wit_component::decode(wasm) else {
        return None;
    };
    let mut printer = WitPrinter::default();
    printer.print(&resolve, package, &[]).ok()?;
    Some(printer.output.to_string())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may")]

    use super::*;

    #[test]
    fn the_published_packages_come_back_as_they_were() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../wit");
        for (folder, part) in [
            ("base", "interface tree {"),
            ("renderer", "export render;"),
            ("notifier", "world notifier {"),
        ] {
            let path = root.join(folder);
            assert!(is_wit(&path), "{folder}");
            let package = open(&path).unwrap();
            assert_eq!(package.name.to_string(), format!("bulkhead:{folder}@0.1.0"));
            let artifact = package.artifact();
            let text = text(&artifact.wasm).unwrap();
            let named = format!("package bulkhead:{folder}@0.1.0;");
            assert!(text.contains(&named), "{text}");
            assert!(text.contains(part), "{text}");
            // Read again, it is the same package.
            let folder = tempfile::tempdir().unwrap();
            let file = folder.path().join("again.wit");
            std::fs::write(&file, &text).unwrap();
            assert_eq!(open(&file).unwrap().artifact().wasm, artifact.wasm);
        }
    }

    #[test]
    fn a_broken_package_names_its_line() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("a.wit");
        std::fs::write(&file, "package a:b;\ninterface c { d: fun(); }\n").unwrap();
        let error = format!("{:#}", open(&file).unwrap_err());
        assert!(error.contains("a.wit:2"), "{error}");
    }
}
