//! What a component exports and imports, judged before it is linked, so that a refusal can say what
//! is missing and what to do.

use wasmtime::Engine;
use wasmtime::component::Component;

use crate::error::LoadError;
use crate::host;
use crate::interface::Interface;
use crate::names::{PluginId, PluginKind};

/// What a component offers and asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Shape {
    pub(crate) kind: PluginKind,
    pub(crate) imports: Vec<String>,
}

/// Judges a component.
///
/// # Errors
/// [`LoadError::MissingExport`], [`LoadError::OtherVersion`], [`LoadError::ForeignImport`].
pub(crate) fn audit(
    engine: &Engine,
    component: &Component,
    plugin: &PluginId,
) -> Result<Shape, LoadError> {
    let shape = component.component_type();
    let imports: Vec<String> = shape
        .imports(engine)
        .map(|(name, _)| name.to_owned())
        .collect();
    let exports: Vec<String> = shape
        .exports(engine)
        .map(|(name, _)| name.to_owned())
        .collect();
    judge(&imports, &exports, plugin).map(|kind| Shape { kind, imports })
}

/// Tells the kind of a component by its exports, and refuses imports that the kind does not get.
fn judge(
    imports: &[String],
    exports: &[String],
    plugin: &PluginId,
) -> Result<PluginKind, LoadError> {
    let kind = kind(exports, plugin)?;
    let linked: Vec<_> = host::interfaces(kind);
    let linked: Vec<_> = linked.iter().map(|text| Interface::parse(text)).collect();
    let mut foreign = Vec::new();
    for import in imports {
        let interface = Interface::parse(import);
        if linked.iter().any(|linked| linked.fits(&interface)) {
            continue;
        }
        let ours = linked.iter().find(|linked| linked.name == interface.name);
        if let Some(Interface {
            name,
            version: Some(version),
        }) = ours
        {
            return Err(LoadError::OtherVersion {
                plugin: plugin.clone(),
                found: import.clone(),
                supported: format!("{name}@{version}"),
            });
        }
        foreign.push(import.clone());
    }
    if foreign.is_empty() {
        return Ok(kind);
    }
    Err(LoadError::ForeignImport {
        plugin: plugin.clone(),
        kind,
        imports: foreign,
    })
}

fn kind(exports: &[String], plugin: &PluginId) -> Result<PluginKind, LoadError> {
    let mut other = None;
    for (kind, ours) in PluginKind::ALL.into_iter().zip(PluginKind::EXPORTS) {
        let supported = Interface::parse(ours);
        for export in exports {
            let interface = Interface::parse(export);
            if supported.fits(&interface) {
                return Ok(kind);
            }
            if supported.name == interface.name {
                other = Some((export.clone(), (*ours).to_owned()));
            }
        }
    }
    let plugin = plugin.clone();
    Err(match other {
        Some((found, supported)) => LoadError::OtherVersion {
            plugin,
            found,
            supported,
        },
        None => LoadError::MissingExport {
            plugin,
            exports: exports.to_vec(),
        },
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may")]
    use super::*;

    fn judged(imports: &[&str], exports: &[&str]) -> Result<PluginKind, LoadError> {
        let owned = |names: &[&str]| {
            names
                .iter()
                .map(|name| (*name).to_owned())
                .collect::<Vec<_>>()
        };
        judge(
            &owned(imports),
            &owned(exports),
            &PluginId::new("test", "1.0.0"),
        )
    }

    #[test]
    fn exports_make_the_kind() {
        let render = "bulkhead:renderer/render@0.1.3";
        assert_eq!(judged(&[], &[render]).unwrap(), PluginKind::Renderer);
        let transform = "bulkhead:renderer/transform@0.1.0";
        assert_eq!(judged(&[], &[transform]).unwrap(), PluginKind::Transformer);
        assert!(matches!(
            judged(&[], &["a:b/c"]),
            Err(LoadError::MissingExport { .. })
        ));
        let newer = judged(&[], &["bulkhead:notifier/notify@0.2.0"]);
        assert!(matches!(newer, Err(LoadError::OtherVersion { .. })));
    }

    #[test]
    fn foreign_imports_are_named() {
        let imports = ["wasi:http/types@0.2.3", "wasi:cli/exit@0.2.3"];
        let error = judged(&imports, &["bulkhead:renderer/render@0.1.0"]).unwrap_err();
        assert_eq!(
            error.to_string(),
            "test 1.0.0 imports `wasi:http/types@0.2.3`, which renderers do not get"
        );
        assert!(error.advice().hint.unwrap().contains("--disable http"));
    }

    #[test]
    fn transformers_read_no_files() {
        let exports = ["bulkhead:renderer/transform@0.1.0"];
        let error = judged(&["bulkhead:base/tree@0.1.0"], &exports).unwrap_err();
        assert!(matches!(error, LoadError::ForeignImport { .. }));
    }
}
