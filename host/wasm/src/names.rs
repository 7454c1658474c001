//! What plugins are called, and what kinds there are.

use std::fmt;

use serde::{Deserialize, Serialize};

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
