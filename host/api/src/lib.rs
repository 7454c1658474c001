//! The shared vocabulary of the engine: custom-resource types, conditions, reasons, revisions,
//! digests, and the trees that sources give and renderers read.
//!
//! Plain values and the rules about them. Nothing here does IO, is async, knows a client or wasmtime.

pub mod advice;
pub mod digest;
pub mod object;
pub mod revision;
pub mod tree;

pub use advice::{Advice, Retry, chain};
pub use digest::Digest;
pub use object::ObjectId;
pub use revision::Revision;
pub use tree::{Entry, EntryKind, PathError, SourceTree, TreeError, TreePath};
