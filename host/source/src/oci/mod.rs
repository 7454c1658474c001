//! OCI registries: plugins, their signatures, and whatever else is published there.
//!
//! In: a [`Reference`] and a [`Keychain`]. Out: bytes whose digest is the one that was resolved and,
//! where a policy asks for it, signed. A tag is asked for once; no program is run; no login leaves
//! for another host.

mod artifact;
mod client;
mod credentials;
mod error;
pub mod layout;
mod limits;
pub mod manifest;
pub mod media;
mod plugin;
mod reference;
pub mod sign;
pub mod verify;

pub use artifact::{ArtifactError, choose_layer, choose_tag};
pub use client::{Blob, Registry, RegistryConfig, Resolved};
pub use credentials::{CredentialsError, Keychain, Login};
pub use error::OciError;
pub use limits::Limits;
pub use plugin::{Component, PluginArtifact, PluginImage, System, Target, WasmConfig};
pub use reference::{Reference, ReferenceError, Repository};
