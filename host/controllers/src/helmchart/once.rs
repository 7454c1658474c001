//! Builds the chart of a HelmChart once, without storage: for who renders without the controllers.

use std::sync::Arc;

use bulkhead_api::source::{HelmChart, HelmRepository};
use bulkhead_source::helm::chart::inspect;
use bulkhead_source::helm::{Built, Limits, Stage, build_remote, work};

use super::act::{Build, Found};
use super::decide;
use super::error::ChartError;
use super::load::{self, Source};
use super::shelf::Shelf;
use crate::sources::StoreError;
use crate::trees::Loaded;
use crate::watch::key_of;

/// Where the chart is.
#[derive(Clone, Debug)]
pub enum Origin {
    /// In a repository.
    Repository(Arc<HelmRepository>),
    /// Among the files of a source.
    Files(Arc<Loaded>),
    /// Packed, as a repository would give it.
    Packed(Vec<u8>),
}

/// Builds the chart that the controller would store: with the version, values and dependencies that
/// it is to have. The index of a repository is downloaded for it.
///
/// # Errors
/// [`ChartError`], as the conditions of the HelmChart would tell it.
pub async fn build<S: Shelf>(
    object: &HelmChart,
    origin: Origin,
    shelf: &S,
) -> Result<Built, ChartError> {
    let source = match origin {
        Origin::Repository(repository) if repository.spec.is_oci() => Source::Registry(repository),
        Origin::Repository(repository) => Source::Index(repository, None),
        Origin::Files(loaded) => Source::Files(loaded),
        Origin::Packed(packed) => return of_packed(object, packed).await,
    };
    let key = key_of(object);
    let seen = load::of_source(object, &key, source, shelf.holder()).await;
    let plan = decide::plan(object, &seen)?;
    let build = Build {
        object,
        namespace: &key.namespace,
        plan: &plan,
        shelf,
    };
    match build.find(&mut None).await? {
        Found::New(built, _) => Ok(built),
        // It cannot be: nothing is stored.
        Found::Same(_) => Err(StoreError::Write(std::io::ErrorKind::AlreadyExists.into()).into()),
    }
}

async fn of_packed(object: &HelmChart, packed: Vec<u8>) -> Result<Built, ChartError> {
    let options = decide::options(object, None);
    let build = move || {
        let limits = Limits::default();
        let metadata = inspect("the archive", packed.as_slice(), &limits)?;
        build_remote(&metadata.name, &metadata.version, packed, &options, &limits)
    };
    let built = work(build).await;
    built.map_err(|error| ChartError::at(Stage::Package, "", error))
}
