//! Where the dependencies of a chart are had: a HelmRepository of the namespace with the same URL
//! gives its login, else the repository is asked as it is.
//!
//! # Source
//! `namespacedChartRepositoryCallback` of source-controller 1.9,
//! `internal/controller/helmchart_controller.go`.

use std::sync::Arc;

use bulkhead_api::source::{HelmRepository, HelmRepositorySpec, HelmRepositoryType};
use bulkhead_source::helm::registry::chart_repository;
use bulkhead_source::helm::{
    Dependency, HelmError, HttpRepository, Repositories, masked, normalize,
};

use super::charts;
use super::shelf::Shelf;
use crate::helmrepository::request::{self, RequestError, Secrets};
use crate::queue::Key;
use crate::watch::key_of;

/// The repositories that a namespace may ask.
pub(super) struct OfNamespace<'a, S> {
    pub(super) shelf: &'a S,
    pub(super) namespace: &'a str,
}

impl<S: Shelf> Repositories for OfNamespace<'_, S> {
    async fn fetch(&self, url: &str, dependency: &Dependency) -> Result<Vec<u8>, HelmError> {
        if self.shelf.is_offline() {
            let why = "nothing may be fetched; `helm dependency build` puts it into the chart";
            return Err(HelmError::Unreachable {
                place: masked(url),
                source: why.into(),
            });
        }
        let known = self.find(url);
        let (spec, secrets, key) = match &known {
            None => (anonymous(url), Secrets::default(), None),
            Some(repository) => {
                let key = key_of(&**repository);
                let secrets = Secrets::read(self.shelf.holder(), &key, &repository.spec).await;
                (repository.spec.clone(), secrets, Some(key))
            }
        };
        let stored = known
            .as_ref()
            .and_then(|known| known.status.artifact.as_ref())
            .zip(key.as_ref());
        match spec.is_oci() {
            true => self.of_registry(&spec, &secrets, dependency).await,
            false => self.of_index(&spec, &secrets, stored, dependency).await,
        }
    }
}

/// Stands for a repository that no object names.
fn anonymous(url: &str) -> HelmRepositorySpec {
    let mut spec = HelmRepositorySpec::new(url, HelmRepositorySpec::DEFAULT_INTERVAL);
    if url.starts_with("oci://") {
        spec.type_ = Some(HelmRepositoryType::Oci);
    }
    spec
}

impl<S: Shelf> OfNamespace<'_, S> {
    /// Returns the HelmRepository with this URL; of several the first by name.
    fn find(&self, url: &str) -> Option<Arc<HelmRepository>> {
        let all = self.shelf.repositories().into_iter();
        let is_it = |repository: &Arc<HelmRepository>| {
            repository.metadata.namespace.as_deref() == Some(self.namespace)
                && normalize(&repository.spec.url).is_ok_and(|own| own == url)
        };
        all.filter(is_it)
            .min_by(|one, other| one.metadata.name.cmp(&other.metadata.name))
    }

    async fn of_registry(
        &self,
        spec: &HelmRepositorySpec,
        secrets: &Secrets,
        dependency: &Dependency,
    ) -> Result<Vec<u8>, HelmError> {
        let named = chart_repository(&spec.url, &dependency.name)?;
        let config = request::oci(spec, secrets, named.registry());
        let config = config.map_err(|error| settings(&spec.url, &error))?;
        let (registry, found) = charts::look_up(&config, &named, &dependency.version).await?;
        charts::pull(&registry, &found).await
    }

    async fn of_index(
        &self,
        spec: &HelmRepositorySpec,
        secrets: &Secrets,
        stored: Option<(&bulkhead_api::meta::Artifact, &Key)>,
        dependency: &Dependency,
    ) -> Result<Vec<u8>, HelmError> {
        let config = request::web(spec, secrets);
        let config = config.map_err(|error| settings(&spec.url, &error))?;
        let repository = HttpRepository::new(&config)?;
        let wanted = (dependency.name.clone(), dependency.version.clone());
        if let Some((artifact, key)) = stored {
            let place = repository.place();
            let chosen = self
                .shelf
                .choose(key, artifact, place, wanted.clone())
                .await;
            if let Some(chosen) = chosen {
                return charts::download(&repository, &chosen?).await;
            }
        }
        let version = charts::ask(self.shelf.archives(), &repository, wanted).await?;
        charts::download(&repository, &version).await
    }
}

fn settings(url: &str, error: &RequestError) -> HelmError {
    HelmError::Settings {
        place: masked(url),
        problem: bulkhead_api::chain(error),
    }
}
