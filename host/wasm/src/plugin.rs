//! A loaded plugin: what it is called, what it is, and the calls it answers.

use std::fmt;
use std::sync::Arc;

use bulkhead_api::Digest;

use crate::bindings::{notifier, renderer, transformer};
use crate::host::State;
use crate::manifest::{Manifest, ManifestError};
use crate::names::{PluginId, PluginKind};
use crate::runtime::Guests;
use crate::share::Share;

/// A compiled and linked plugin, ready to be called. Cheap to clone.
///
/// Every call gets a store and an instance of its own, which nothing outlives.
#[derive(Clone)]
pub struct Plugin {
    pub(crate) inner: Arc<Inner>,
}

#[derive(Clone)]
pub(crate) struct Inner {
    pub(crate) id: PluginId,
    pub(crate) digest: Digest,
    pub(crate) imports: Vec<String>,
    /// The component, where it is part of this binary.
    pub(crate) embedded: Option<&'static [u8]>,
    pub(crate) linked: Linked,
    pub(crate) guests: Guests,
    pub(crate) share: Arc<Share>,
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

    /// Returns what a plugin that is part of this binary says about itself.
    ///
    /// # Errors
    /// When that is not valid: see [`Manifest::read`].
    pub fn embedded_manifest(&self) -> Result<Option<Manifest>, ManifestError> {
        self.inner.embedded.map_or(Ok(None), Manifest::read)
    }

    /// Tells whether its calls count fuel, and may have a limit on it.
    pub fn is_metered(&self) -> bool {
        self.inner.guests.is_metered()
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
