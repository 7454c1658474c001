//! What building a chart takes from around it: HelmRepositories, their Secrets and their indexes.

use std::sync::Arc;

use bulkhead_api::meta::Artifact;
use bulkhead_api::source::HelmRepository;
use bulkhead_source::helm::HelmError;
use bulkhead_source::helm::index::ChartVersion;
use kube::Client;

use super::charts;
use crate::archives::Archives;
use crate::context::Context;
use crate::holder::Holder;
use crate::queue::{Class, Key};

/// Has what building a chart takes: the controllers, or who builds one once from files.
pub trait Shelf: Send + Sync {
    /// Who has the Secrets.
    type Holder: Holder;

    /// Returns who has the Secrets of HelmRepositories.
    fn holder(&self) -> &Self::Holder;

    /// Returns the folder for indexes that nobody keeps.
    fn archives(&self) -> &Archives;

    /// Returns all HelmRepositories that there are.
    fn repositories(&self) -> Vec<Arc<HelmRepository>>;

    /// Tells whether nothing may be fetched: a chart that lacks dependencies fails then.
    fn is_offline(&self) -> bool {
        false
    }

    /// Chooses a version of a chart from the stored index of the HelmRepository `key`; `None` when
    /// that is not in the storage. `place` is what errors call the repository.
    fn choose(
        &self,
        key: &Key,
        artifact: &Artifact,
        place: String,
        wanted: (String, String),
    ) -> impl Future<Output = Option<Result<ChartVersion, HelmError>>> + Send;
}

impl Shelf for Context {
    type Holder = Client;

    fn holder(&self) -> &Client {
        self.clients.own()
    }

    fn archives(&self) -> &Archives {
        &self.archives
    }

    fn repositories(&self) -> Vec<Arc<HelmRepository>> {
        self.helm_repositories.store.all()
    }

    async fn choose(
        &self,
        key: &Key,
        artifact: &Artifact,
        place: String,
        wanted: (String, String),
    ) -> Option<Result<ChartVersion, HelmError>> {
        let chosen = charts::choose(self, key, artifact, place, wanted).await;
        if chosen.is_none() {
            // It is made anew, and that wakes the chart.
            let queue = &self.helm_repositories.queue;
            queue.add(key.clone(), Class::Dependency);
        }
        chosen
    }
}
