//! A loaded plugin: what it is called, what it is, and the calls it answers.

use std::fmt;
use std::sync::Arc;

use bulkhead_api::Digest;
use serde::{Deserialize, Serialize};

use crate::bindings::{notifier, renderer, transformer};
use crate::host::State;
use crate::runtime::Guests;

/// What a plugin is called.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct PluginId {
    /// Name: `kustomize`.
    pub name: String,
    /// Version: `0.1.0`.
    pub version: String,
}

impl PluginId {
    /// Names a plugin.
    pub fn new(name: impl Into<String>, version: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            version: version.into(),
        }
    }
}

impl fmt::Display for PluginId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.name, self.version)
    }
}

/// What a plugin does; told by what it exports.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PluginKind {
    /// Turns files into objects.
    Renderer,
    /// Changes rendered objects.
    Transformer,
    /// Turns events into messages.
    Notifier,
}

impl PluginKind {
    /// Every kind. A component that exports several is the first of them.
    pub const ALL: [Self; 3] = [Self::Renderer, Self::Transformer, Self::Notifier];

    /// The interface that makes each kind, in the same order.
    pub const EXPORTS: &'static [&'static str; 3] = &[
        "bulkhead:renderer/render@0.1.0",
        "bulkhead:renderer/transform@0.1.0",
        "bulkhead:notifier/notify@0.1.0",
    ];
}

impl fmt::Display for PluginKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Renderer => "renderer",
            Self::Transformer => "transformer",
            Self::Notifier => "notifier",
        })
    }
}

/// A compiled and linked plugin, ready to be called. Cheap to clone.
///
/// Every call gets a store and an instance of its own, which nothing outlives.
#[derive(Clone)]
pub struct Plugin {
    pub(crate) inner: Arc<Inner>,
}

pub(crate) struct Inner {
    pub(crate) id: PluginId,
    pub(crate) digest: Digest,
    pub(crate) imports: Vec<String>,
    pub(crate) linked: Linked,
    pub(crate) guests: Guests,
}

/// A component with every import resolved and every export found.
#[derive(Clone)]
pub(crate) enum Linked {
    Renderer(renderer::RendererPre<State>),
    Transformer(transformer::TransformerPre<State>),
    Notifier(notifier::NotifierPre<State>),
}

impl Plugin {
    /// Returns its name and version.
    pub fn id(&self) -> &PluginId {
        &self.inner.id
    }

    /// Returns its name.
    pub fn name(&self) -> &str {
        &self.inner.id.name
    }

    /// Returns its version.
    pub fn version(&self) -> &str {
        &self.inner.id.version
    }

    /// Returns the digest of its component: its identity.
    pub fn digest(&self) -> Digest {
        self.inner.digest
    }

    /// Tells what it does.
    pub fn kind(&self) -> PluginKind {
        match self.inner.linked {
            Linked::Renderer(_) => PluginKind::Renderer,
            Linked::Transformer(_) => PluginKind::Transformer,
            Linked::Notifier(_) => PluginKind::Notifier,
        }
    }

    /// Returns the interfaces that it imports, with their versions: what it could possibly do.
    pub fn imports(&self) -> &[String] {
        &self.inner.imports
    }
}

impl fmt::Debug for Plugin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Plugin({} {} {})", self.kind(), self.id(), self.digest())
    }
}
