//! What a plugin in Rust needs: the types of the WIT packages, one small trait for each kind of
//! plugin, a macro that turns an implementation into a component's exports, and helpers for files,
//! diagnostics and requests.
//!
//! The types and traits work natively too: a plugin's logic is tested with `cargo test`, on
//! [`files::MemoryFiles`], without a sandbox.
//!
//! # Examples
//! A whole renderer, which returns every `.yaml` file of a directory:
//! ```
//! use bulkhead_plugin::render::{Document, Error, Files, Output, Renderer, Request};
//!
//! struct Plain;
//!
//! impl Renderer for Plain {
//!     fn render(source: &dyn Files, request: &Request) -> Result<Output, Error> {
//!         let mut output = Output::default();
//!         for entry in source.glob(&format!("{}/*.yaml", request.path))? {
//!             let text = source.read_text(&entry.path)?;
//!             output.documents.push(Document::new(text).from_file(&entry.path));
//!         }
//!         Ok(output)
//!     }
//! }
//!
//! bulkhead_plugin::renderer!(Plain);
//! # fn main() {}
//! ```

pub mod bindings;
pub mod diagnostic;
pub mod files;
pub mod log;
pub mod notify;
pub mod render;
pub mod transform;

pub use bindings::renderer::bulkhead::base::types::{
    Attributes, Diagnostic, Location, ObjectRef, Severity,
};
pub use bindings::renderer::bulkhead::base::{cluster, tree};
pub use files::{Files, ReadError};
