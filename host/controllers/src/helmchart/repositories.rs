//! Where the dependencies of a chart are had: a HelmRepository of the namespace with the same URL
//! gives its login, else the repository is asked as it is.
//!
//! # Source
//! `namespacedChartRepositoryCallback` of source-controller 1.9,
//! `internal/controller/helmchart_controller.go`.

use std::sync::Arc;

use bulkhead_api::source::{HelmRepository, HelmRepositorySpec, HelmRepositoryType};
use bulkhead_source::helm::index;
use bulkhead_source::helm::registry::chart_repository;
use bulkhead_source::helm::{
    Dependency, HelmError, HttpRepository, Limits, Repositories, normalize,
};

use super::charts;
use crate::context::Context;
use crate::helmrepository::request::{self, RequestError, Secrets};
use crate::queue::Key;
use crate::sources::blocking;
use crate::watch::key_of;

/// The repositories that a namespace may ask.
pub(super) struct OfNamespace<'a> {
    pub(super) context: &'a Context,
    pub(super) namespace: &'a str,
}

impl Repositories for OfNamespace<'_> {
    async fn fetch(&self, url: &str, dependency: &Dependency) -> Result<Vec<u8>, HelmError> {
        let known = self.find(url);
        let (spec, secrets, key) = match &known {
            None => (anonymous(url), Secrets::default(), None),
            Some(repository) => {
                let key = key_of(&**repository);
                let secrets =
                    Secrets::read(self.context.clients.own(), &key, &repository.spec).await;
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

impl OfNamespace<'_> {
    /// Returns the HelmRepository with this URL; of several the first by name.
    fn find(&self, url: &str) -> Option<Arc<HelmRepository>> {
        let all = self.context.helm_repositories.store.all().into_iter();
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
            let chosen = charts::choose(self.context, key, artifact, place, wanted.clone()).await;
            if let Some(chosen) = chosen {
                return charts::download(&repository, &chosen?).await;
            }
        }
        let version = self.choose_anew(&repository, wanted).await?;
        charts::download(&repository, &version).await
    }

    /// Downloads an index that nobody keeps, to choose from it once.
    async fn choose_anew(
        &self,
        repository: &HttpRepository,
        (name, wanted): (String, String),
    ) -> Result<index::ChartVersion, HelmError> {
        let stored = |source| HelmError::Store {
            action: "write the index",
            source,
        };
        let archives = &self.context.archives;
        let scratch = || archives.scratch().map_err(stored);
        let (mut raw, mut spool, mut sorted) = (scratch()?, scratch()?, scratch()?);
        repository.fetch_index(raw.file_mut()).await?;
        let place = repository.place();
        let work = move || {
            let limits = Limits::default();
            let (text, spool) = (raw.file_mut(), spool.file_mut());
            let index = match index::store(text, spool, &mut sorted, &limits) {
                Ok(index) => index,
                Err(error) => return Ok(Err(error)),
            };
            let file = sorted.file_mut();
            Ok(index.directory.choose(&place, file, &name, &wanted))
        };
        blocking(work).await.map_err(stored)?
    }
}

fn settings(url: &str, error: &RequestError) -> HelmError {
    HelmError::Settings {
        place: url.to_owned(),
        problem: bulkhead_api::chain(error),
    }
}
