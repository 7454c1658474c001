//! The road from a tree to objects, which the cluster and `bulkhead sync` share.
//!
//! A tree, a renderer, transformers, their configurations and variables go in; parsed objects come
//! out, with a digest of what was rendered and of what it was made from. Nothing after this knows
//! which renderer it was. A delivery whose read set still holds is not rendered again: the same
//! objects come out, marked as reused.

pub mod config;
mod error;
pub mod expand;
mod finish;
mod pattern;
mod pipeline;
pub mod provenance;
pub mod remote;
mod renderer;
pub mod substitute;
mod transcripts;

use std::sync::Arc;

use bulkhead_api::delivery::Render;
use bulkhead_api::{Digest, SourceTree};
use bulkhead_apply::Object;
use bulkhead_wasm::{Diagnostic, Lookup};

pub use error::DeliveryError;
pub use renderer::{Counts, Renderer, TargetFacts};
pub use transcripts::{Failure, KEPT, Transcripts};

use crate::catalogue::{Installed, Scope};
use substitute::Substitution;

/// What to deliver.
#[derive(Clone)]
pub struct Request {
    /// Kind of the object that asks: its name alone is not unique.
    pub kind: &'static str,
    /// Namespace of the object.
    pub namespace: String,
    /// Name of the object.
    pub name: String,
    /// Directory to render, as the spec writes it; the root when absent.
    pub path: Option<String>,
    /// What renders.
    pub renderer: Stage,
    /// What the renderer is given beside the files, by name.
    pub inputs: Vec<(String, Vec<u8>)>,
    /// Names of the inputs that are secret: no transcript shows them.
    pub secret_inputs: Vec<String>,
    /// Answers the renderer's questions about the cluster, where it was granted that.
    pub lookup: Option<Arc<dyn Lookup>>,
    /// Version of the cluster, where it is not the one that all are told of.
    pub kube_version: Option<String>,
    /// What changes the objects then, one after another.
    pub transformers: Vec<Stage>,
    /// Namespace that every object is put into, where the renderer was not told of it.
    pub target_namespace: Option<String>,
    /// The source.
    pub source: Source,
    /// Variables to put in before transformers run.
    pub substitution: Substitution,
}

impl Request {
    /// Returns the name of the first plugin that is not part of the binary.
    pub fn foreign(&self) -> Option<&str> {
        let stages = std::iter::once(&self.renderer).chain(&self.transformers);
        let foreign = |stage: &&Stage| stage.plugin.scope != Scope::BuiltIn;
        let mut foreign = stages.filter(foreign);
        foreign.next().map(|stage| stage.plugin.name.as_str())
    }
}

/// The files to render.
#[derive(Clone)]
pub struct Source {
    /// The files.
    pub tree: Arc<dyn SourceTree>,
    /// Their revision, as text.
    pub revision: String,
    /// Seconds since 1970 at which that revision was made.
    pub revision_time: u64,
}

/// A plugin, and what it is told.
#[derive(Clone, Debug)]
pub struct Stage {
    /// The plugin.
    pub plugin: Arc<Installed>,
    /// What it is told: see [`config::canonical`].
    pub config: String,
}

/// What came out.
#[derive(Clone, Debug)]
pub struct Delivered {
    /// The objects, in the order of the last plugin.
    pub objects: Arc<Vec<Object>>,
    /// Digest of the last text, variables put in: equal digests, equal objects.
    pub digest: Digest,
    /// What it was made from.
    pub render: Arc<Render>,
    /// Remarks of the plugins.
    pub diagnostics: Arc<Vec<Diagnostic>>,
    /// No plugin ran: all that the last render read answers as before.
    pub reused: bool,
}
