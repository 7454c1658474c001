//! Plugins in registries, by the CNCF's layout for Wasm artifacts: a small configuration, and one
//! layer that is the component as it is.
//!
//! In: a resolved reference, or a component with its notes. Out: verified bytes, or a digest that is
//! the same for the same component on every machine. What is no plugin is refused by name before
//! its contents are downloaded. Encoded WIT packages are published and read in the same way.

mod config;
mod pull;
mod push;

use std::collections::BTreeMap;

use bulkhead_api::Digest;
use bytes::Bytes;

pub(super) use pull::{layer_of, manifest_of, read_image};

pub use config::{Component, Target, WasmConfig};

/// A component to publish.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PluginArtifact {
    /// The component, or the encoded WIT package.
    pub wasm: Bytes,
    /// Interfaces that it exports: `bulkhead:renderer/render@0.1.0`.
    pub exports: Vec<String>,
    /// Interfaces that it imports.
    pub imports: Vec<String>,
    /// The world that it was made for: `bulkhead:renderer/renderer@0.1.0`.
    pub target: Option<String>,
    /// Which WASI it was made for.
    pub system: System,
    /// Who made it.
    pub author: Option<String>,
    /// When it was made. Left out unless given: with it the same component has another digest.
    pub created: Option<jiff::Timestamp>,
    /// Annotations of the manifest, such as those of the plugin's own manifest.
    pub annotations: BTreeMap<String, String>,
}

/// Which WASI a component was made for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum System {
    /// WASI 0.1: a core module.
    Wasip1,
    /// WASI 0.2: a component, also one that imports nothing of WASI.
    #[default]
    Wasip2,
}

impl System {
    /// Returns the text that stands in the configuration.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Wasip1 => "wasip1",
            Self::Wasip2 => "wasip2",
        }
    }
}

/// A component from a registry, whole and verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PluginImage {
    /// The component, or the encoded WIT package.
    pub wasm: Bytes,
    /// Its digest, which is not the manifest's.
    pub wasm_digest: Digest,
    /// What the configuration says; `None` in the legacy layout, whose configuration says nothing.
    pub config: Option<WasmConfig>,
    /// Annotations of the manifest.
    pub annotations: BTreeMap<String, String>,
}
