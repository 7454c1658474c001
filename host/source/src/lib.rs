//! Fetches Git repositories into a verified, content-addressed store, and artifacts from registries.
//!
//! In: a [`GitRequest`]. Out: an [`Artifact`] whose tree is read straight from the store's objects.
//! Nothing is ever checked out, no program is run, and no credential leaves for another host.

mod address;
mod archive;
mod artifact;
mod constraint;
mod error;
mod fetch;
pub mod helm;
mod http;
pub mod ignore;
mod layer;
mod limits;
mod location;
pub mod oci;
mod refs;
mod request;
mod secret;
mod session;
mod store;
mod transport;
mod tree;
mod web;

pub use archive::{Archive, write_archive};
pub use artifact::{Artifact, Fetched};
pub use constraint::{Constraint, ConstraintError, highest, version_of_tag};
pub use error::FetchError;
pub use fetch::Store;
pub use layer::{FileTree, LayerError};
pub use limits::Limits;
pub use location::{Location, LocationError};
pub use request::{ClientCertificate, Credentials, GitRequest, Proxy, Reference};
pub use secret::Secret;
pub use tree::{DirTree, GitTree, TreeProblem};
pub use web::{FileAnswer, FileRequest, read_file};
