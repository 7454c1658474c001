//! The kustomize renderer: what `kustomize build` prints, from a tree of files, without programs,
//! network or time. In: [`Files`], a path, [`Options`]. Out: one document an object, or an
//! [`Error`] that names file, field, object and the overlays that led there.
//!
//! The algorithm is kustomize 5.8's (api and kyaml v0.21.2), node by node, so that its output is
//! the same byte for byte, quirks included.

mod accumulate;
mod build;
mod built_in;
mod config;
mod decode;
mod edit;
mod error;
mod fieldspec;
mod flux;
mod generate;
pub mod guest;
mod hash;
mod json;
mod jsonpatch;
mod kustomization;
mod labels;
mod load;
mod merge;
mod nameref;
mod node;
mod options;
mod origin;
mod plugin;
mod read;
mod remote;
mod replacement;
mod resid;
mod resmap;
mod resource;
mod schema;
mod selector;
mod tables;
mod transform;
mod validate;
mod vars;
mod world;
mod yaml;

pub use error::{Code, Error, ObjectName, Outcome};
pub use load::{FileError, FileKind, Files};
pub use options::{
    ImageOverlay, LoadRestrictor, Options, Overlay, PatchOverlay, Reorder, TargetOverlay,
};
pub use remote::{Remote, RemoteKind};

#[cfg(target_family = "wasm")]
#[global_allocator]
static ALLOCATOR: bulkhead_allocator::GuestAllocator = bulkhead_allocator::GuestAllocator::new();

/// One object of the result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Document {
    /// The object as `kustomize build` prints it.
    pub text: String,
    /// The file that it came from, where that is known.
    pub origin: Option<String>,
    /// The file that kustomize would write it to, where [`Options::file_names`] asks for it.
    pub file_name: Option<String>,
}

/// The result of a render.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Output {
    /// The objects in order; joined by `---` and a line break they are the output of kustomize.
    pub documents: Vec<Document>,
    /// Remarks for the user, in kustomize's words.
    pub warnings: Vec<String>,
}

/// Renders the directory `path` of a tree.
///
/// # Errors
/// See [`Code`].
pub fn render(files: &dyn Files, path: &str, options: &Options) -> Outcome<Output> {
    build::run(files, path, options)
}
