//! The shared vocabulary of the engine: custom-resource types, conditions, reasons, revisions,
//! digests, and the trees that sources give and renderers read.
//!
//! Plain values and the rules about them. Nothing here does IO, is async, knows a client or wasmtime.

pub mod advice;
pub mod cel;
pub mod conditions;
pub mod crd;
pub mod delivery;
pub mod digest;
pub mod duration;
pub mod event;
pub mod helmrelease;
pub mod kustomize;
mod lenient;
pub mod message;
pub mod meta;
pub mod names;
pub mod notification;
pub mod object;
pub mod plugin;
pub mod quantity;
pub mod reason;
mod resource;
pub mod revision;
pub mod source;
pub mod spec;
mod text;
pub mod tree;
pub mod yaml;

pub use advice::{Advice, Retry, chain};
pub use digest::Digest;
pub use duration::{DurationError, GoDuration};
pub use lenient::StatusFields;
pub use object::ObjectId;
pub use quantity::{Quantity, QuantityError};
pub use revision::Revision;
pub use spec::SpecError;
pub use tree::{Entry, EntryKind, PathError, SourceTree, TreeError, TreePath};
