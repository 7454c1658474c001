//! Looks at a component without compiling or running it: what it is, what it asks for, and what
//! keeps it from being a plugin.
//!
//! Bytes go in, an [`Inspection`] comes out. It takes time in the size of the component and no more;
//! types and code are checked when the component is loaded.

mod format;
mod judge;
mod problem;
mod walk;

use bulkhead_api::{Advice, Digest, Retry};
use serde::Serialize;

use crate::compile::CompileLimits;
use crate::manifest::{Manifest, ManifestError};
use crate::names::PluginKind;
use format::Format;
pub(crate) use judge::needs_newer_host;
pub use problem::{Gravity, Problem};

/// Version of this host: what a manifest's `minHost` is compared with.
pub const HOST_VERSION: &str = env!("CARGO_PKG_VERSION");

/// What a component is.
#[derive(Clone, Debug)]
pub struct Inspection {
    /// Size in bytes.
    pub size_bytes: u64,
    /// Its digest: its identity.
    pub digest: Digest,
    /// What kind of plugin its exports make it; `None` when they make it none.
    pub kind: Option<PluginKind>,
    /// The world that it fits: `bulkhead:renderer/renderer@0.1.0`.
    pub world: Option<String>,
    /// What it imports, in its order.
    pub imports: Vec<Import>,
    /// What it exports, in its order.
    pub exports: Vec<Export>,
    /// What made it: compilers, languages and kits.
    pub tools: Vec<Tool>,
    /// Its manifest; `None` when it has none, or none that is valid.
    pub manifest: Option<Manifest>,
    /// What is wrong with it, the gravest first.
    pub problems: Vec<Problem>,
}

/// An interface, or function, that a component imports.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Import {
    /// Its name: `bulkhead:base/tree@0.1.0`.
    pub name: String,
    /// Whose it is.
    pub class: ImportClass,
}

/// Whose an import is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ImportClass {
    /// Of the plugin's world.
    Ours,
    /// Of the part of WASI that exists here without any power.
    SealedWasi,
    /// Nothing answers it.
    Foreign,
}

/// What a component exports.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Export {
    /// Its name: `bulkhead:renderer/render@0.1.0`.
    pub name: String,
    /// Whether this host calls it.
    pub known: bool,
}

/// Something that a component was made with, in its own words.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Tool {
    /// `language`, `processed-by` or `sdk`.
    pub role: String,
    /// Name: `wit-bindgen-rust`.
    pub name: String,
    /// Version; may be empty.
    pub version: String,
}

/// Why there is nothing to inspect.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InspectError {
    /// It is something else.
    #[error("it is {what}, not a WebAssembly component")]
    NotWasm {
        /// What it is: `a gzip archive`.
        what: &'static str,
    },
    /// It is WebAssembly of a version that nobody reads, or of one to come.
    #[error("it is WebAssembly of a version that this host does not know")]
    OtherWasm,
    /// It is a core module, before its packaging as a component.
    #[error("it is a core WebAssembly module, not a component")]
    CoreModule,
    /// It is larger than the host compiles.
    #[error("it has {size_bytes} bytes; at most {limit_bytes} are compiled")]
    TooLarge {
        /// Its size.
        size_bytes: u64,
        /// The limit.
        limit_bytes: u64,
    },
    /// It starts as a component and goes on as none.
    #[error("it is a broken component: {0}")]
    Broken(String),
}

impl InspectError {
    /// Names the reason, when to try again, and what the user can do.
    pub fn advice(&self) -> Advice {
        let advice = Advice::new("PluginIncompatible", Retry::OnChange);
        match self {
            Self::NotWasm { what } => advice.hint(format::help(what)),
            Self::OtherWasm => advice.hint(
                "build it with tools of today: the binary format of components has version 0x0d",
            ),
            Self::CoreModule => advice.hint(
                "turn it into a component: `bulkhead plugin build`, or `wasm-tools component new`",
            ),
            Self::TooLarge { .. } => {
                advice.hint("build the plugin for size and strip it of debug information")
            }
            Self::Broken(_) => advice.hint("is the file whole? fetch or build it again"),
        }
    }
}

/// Looks at a component. At most 64 MiB.
///
/// # Errors
/// [`InspectError`] when it is none. What keeps a component from being a plugin is no error here,
/// but among its [`problems`](Inspection::problems).
pub fn inspect(bytes: &[u8]) -> Result<Inspection, InspectError> {
    let (size_bytes, limit_bytes) = (bytes.len() as u64, CompileLimits::default().component_bytes);
    match format::format(bytes) {
        Format::Component if size_bytes > limit_bytes => {
            return Err(InspectError::TooLarge {
                size_bytes,
                limit_bytes,
            });
        }
        Format::Component => {}
        Format::CoreModule => return Err(InspectError::CoreModule),
        Format::OtherWasm => return Err(InspectError::OtherWasm),
        Format::Other(what) => return Err(InspectError::NotWasm { what }),
    }
    let found = walk::walk(bytes)?;
    let manifest = Manifest::read(bytes);
    let mut inspection = judge::shape(&found.imports, &found.exports);
    judge::manifest(&mut inspection, &manifest);
    inspection
        .problems
        .sort_by_key(|problem| std::cmp::Reverse(problem.gravity));
    Ok(Inspection {
        size_bytes,
        digest: Digest::of(bytes),
        tools: found.tools.into_iter().collect(),
        manifest: manifest.ok().flatten(),
        ..inspection
    })
}

impl Inspection {
    /// Tells whether nothing that was looked at keeps it from being loaded.
    pub fn is_loadable(&self) -> bool {
        let grave = |problem: &Problem| problem.gravity == Gravity::Error;
        !self.problems.iter().any(grave)
    }

    /// Returns everything, for tools.
    pub fn to_json(&self) -> serde_json::Value {
        serde_json::json!({
            "digest": self.digest,
            "sizeBytes": self.size_bytes,
            "kind": self.kind,
            "world": self.world,
            "imports": self.imports,
            "exports": self.exports,
            "tools": self.tools,
            "manifest": self.manifest.as_ref().map(Manifest::to_json),
            "problems": self.problems,
        })
    }
}

/// Prints the WIT of a component's imports and exports.
///
/// # Errors
/// [`InspectError::Broken`] says what is wrong with its types.
pub fn wit(bytes: &[u8]) -> Result<String, InspectError> {
    inspect(bytes)?;
    let broken = |error: &dyn std::fmt::Display| {
        InspectError::Broken(crate::host::log::clean(&error.to_string()))
    };
    let decoded = wit_component::decode(bytes).map_err(|error| broken(&error))?;
    let mut printer = wit_component::WitPrinter::default();
    printer
        .print(decoded.resolve(), decoded.package(), &[])
        .map_err(|error| broken(&error))?;
    Ok(printer.output.to_string())
}

/// What is told of a manifest that could not be read.
type ManifestRead = Result<Option<Manifest>, ManifestError>;

#[cfg(test)]
mod tests;
