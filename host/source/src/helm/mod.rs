//! Helm repositories and charts: indexes, versions, downloads, archives, packing, dependencies.
//!
//! In: URLs and logins of repositories, trees of sources. Out: the artifacts that Flux would store.
//! No program is run, nothing is unpacked to disk, no login leaves for another host.
//!
//!
//! # The road of a `HelmRepository`
//! [`HttpRepository::fetch_index`] downloads `index.yaml` into a temporary file; the digest of what
//! came is the revision, and if that is the one that is stored already nothing more is done.
//! [`index::store`] writes the artifact `index-<hex of the revision>.yaml` (which is JSON, as in
//! Flux) and returns a [`Directory`](index::Directory), which finds versions in it without reading
//! the rest; after a restart [`Directory::scan`](index::Directory::scan) makes it anew.
//!
//! # The road of a `HelmChart`
//! - Of a repository over HTTP: [`Directory::choose`](index::Directory::choose),
//!   [`HttpRepository::locate`], [`HttpRepository::download`], [`build_remote`].
//! - Of a registry: [`registry::chart_repository`], [`registry::choose`], then
//!   [`verify`](crate::oci::verify::verify) of what was resolved, [`registry::pull`],
//!   [`build_remote`].
//! - Of a source: [`build_local`] with a [`Repositories`] for its dependencies.
//!
//! [`BuildOptions::version`] says beforehand which version will come out, so that nothing is
//! downloaded if it is the one that is stored; [`chart::inspect`] reads it from the stored chart.
//!
//! # Provenance
//! `spec.verify` of a `HelmChart` is for charts in registries, with cosign. Files named `.prov` with
//! OpenPGP signatures are of the `helm` command alone: Flux does not look at them, and neither is
//! anything here.

mod body;
mod build;
pub mod chart;
mod dependencies;
mod error;
mod fields;
mod gojson;
mod http;
pub mod index;
mod limits;
mod metadata;
pub mod registry;
mod repository;
mod stage;
pub mod version;

pub use crate::address::is_reachable;
pub use build::{BuildOptions, Built, build_local, build_remote, work};
pub use dependencies::Repositories;
pub use error::HelmError;
pub use http::masked;
pub use limits::Limits;
pub use metadata::{Dependency, Maintainer, Metadata};
pub use repository::{ChartLocation, HttpRepository, RawIndex, RepositoryConfig, normalize};
pub use stage::Stage;
