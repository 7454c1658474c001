//! What there is to make releases of: the objects of files, and those of a cluster behind them.

use std::collections::BTreeMap;
use std::sync::Arc;

use bulkhead_api::helmrelease::HelmRelease;
use bulkhead_api::meta::Artifact;
use bulkhead_api::source::{GitRepository, HelmChart, HelmRepository, OCIRepository};
use bulkhead_apply::target::cluster::Discovery;
use bulkhead_controllers::archives::Archives;
use bulkhead_controllers::client::{Clients, is_not_found};
use bulkhead_controllers::helmchart::Shelf;
use bulkhead_controllers::helmrelease::ReleaseError;
use bulkhead_controllers::holder::{Data, Found, Holder};
use bulkhead_controllers::metrics::Metrics;
use bulkhead_controllers::place::kubeconfig::Allowed;
use bulkhead_controllers::place::{Place, Places, Remotes};
use bulkhead_controllers::queue::Key as ObjectKey;
use bulkhead_source::helm::HelmError;
use bulkhead_source::helm::index::ChartVersion;
use kube::api::ListParams;
use kube::core::NamespaceResourceScope;
use kube::{Api, Config, Resource};
use serde::de::DeserializeOwned;

use super::error::Failure;
use crate::output::CliError;
use crate::resources::{Key, Resources};

/// A cluster.
pub(crate) struct Live {
    clients: Clients,
    discovery: Discovery,
    remotes: Remotes,
    /// Its version.
    pub kube_version: String,
    repositories: Vec<Arc<HelmRepository>>,
}

impl Live {
    /// Connects, and reads what every release may need.
    pub(crate) async fn connect(config: Config) -> Result<Self, CliError> {
        let clients = Clients::new(config, Metrics::new())?;
        let own = clients.own().clone();
        let unreachable = |error: kube::Error| {
            let error = anyhow::Error::new(error).context("failed to reach the API server");
            CliError::from(error).hint("check `--kubeconfig` and `--context`")
        };
        let version = own.apiserver_version().await.map_err(unreachable)?;
        // They are asked for by URL; a cluster without them has none.
        let all: Api<HelmRepository> = Api::all(own.clone());
        let listed = all.list(&ListParams::default()).await;
        Ok(Self {
            discovery: Discovery::new(own),
            remotes: Remotes::default(),
            clients,
            kube_version: version.git_version,
            repositories: listed.map_or(Vec::new(), |list| {
                list.items.into_iter().map(Arc::new).collect()
            }),
        })
    }

    /// Finds the cluster that a release is for, with the rights of the account that it is made as: the
    /// one that its spec names, else the user's own.
    pub(super) async fn place(
        &self,
        object: &HelmRelease,
        known: &Known<'_>,
    ) -> Result<Place, Failure> {
        let places = Places {
            clients: &self.clients,
            discovery: &self.discovery,
            remotes: &self.remotes,
            holder: known,
            allowed: Allowed::default(),
            default_account: None,
        };
        let account = object.spec.service_account_name.as_deref();
        let reference = object.spec.kube_config.as_ref();
        let found = places
            .find(object.own_namespace(), reference, account)
            .await;
        Ok(found.map_err(ReleaseError::from)?)
    }
}

/// The objects that there are. A file's comes before the cluster's.
pub(crate) struct Known<'a> {
    files: &'a Resources,
    cluster: Option<&'a Live>,
    archives: Archives,
    is_offline: bool,
}

impl<'a> Known<'a> {
    /// Looks at `files`, then at `cluster`; `archives` is where downloads lie in between.
    pub(crate) fn new(files: &'a Resources, cluster: Option<&'a Live>, archives: Archives) -> Self {
        Self {
            files,
            cluster,
            archives,
            is_offline: false,
        }
    }

    /// Forbids to fetch anything.
    pub(crate) fn offline(mut self, is_offline: bool) -> Self {
        self.is_offline = is_offline;
        self
    }

    pub(super) fn cluster(&self) -> Option<&'a Live> {
        self.cluster
    }

    pub(super) async fn git(&self, key: &Key) -> Result<Option<Arc<GitRepository>>, Failure> {
        self.find(&self.files.repositories, key).await
    }

    pub(super) async fn oci(&self, key: &Key) -> Result<Option<Arc<OCIRepository>>, Failure> {
        self.find(&self.files.oci_repositories, key).await
    }

    pub(super) async fn helm(&self, key: &Key) -> Result<Option<Arc<HelmRepository>>, Failure> {
        self.find(&self.files.helm_repositories, key).await
    }

    pub(super) async fn chart(&self, key: &Key) -> Result<Option<Arc<HelmChart>>, Failure> {
        self.find(&self.files.helm_charts, key).await
    }

    /// Returns the generation of the HelmChart that the cluster has under this name.
    pub(super) async fn generation(&self, key: &Key) -> Result<Option<i64>, Failure> {
        let found = self
            .find(&BTreeMap::<Key, Arc<HelmChart>>::new(), key)
            .await?;
        Ok(found.and_then(|chart| chart.metadata.generation))
    }

    async fn find<K>(
        &self,
        files: &BTreeMap<Key, Arc<K>>,
        key: &Key,
    ) -> Result<Option<Arc<K>>, Failure>
    where
        K: Resource<Scope = NamespaceResourceScope, DynamicType = ()>
            + Clone
            + std::fmt::Debug
            + DeserializeOwned,
    {
        if let Some(found) = files.get(key) {
            return Ok(Some(found.clone()));
        }
        let Some(live) = self.cluster else {
            return Ok(None);
        };
        let api: Api<K> = Api::namespaced(live.clients.own().clone(), &key.0);
        match api.get(&key.1).await {
            Ok(found) => Ok(Some(Arc::new(found))),
            Err(error) if is_not_found(&error) => Ok(None),
            Err(error) => Err(Failure::Asked {
                subject: format!("{}/{}/{}", K::kind(&()), key.0, key.1),
                problem: bulkhead_api::chain(&error),
            }),
        }
    }
}

fn key_of(place: &ObjectKey) -> Key {
    (place.namespace.to_string(), place.name.to_string())
}

impl Holder for Known<'_> {
    async fn config_map(&self, key: &ObjectKey) -> Found<Data> {
        match (self.files.config_maps.get(&key_of(key)), self.cluster) {
            (Some(data), _) => Ok(Some(data.clone())),
            (None, Some(live)) => live.clients.own().config_map(key).await,
            (None, None) => Ok(None),
        }
    }

    async fn secret(&self, key: &ObjectKey) -> Found<Data> {
        match (self.files.secrets.get(&key_of(key)), self.cluster) {
            (Some(data), _) => Ok(Some(data.clone())),
            (None, Some(live)) => live.clients.own().secret(key).await,
            (None, None) => Ok(None),
        }
    }

    async fn pull_secrets(&self, account: &ObjectKey) -> Found<Vec<String>> {
        match (self.files.accounts.get(&key_of(account)), self.cluster) {
            (Some(names), _) => Ok(Some(names.clone())),
            (None, Some(live)) => live.clients.own().pull_secrets(account).await,
            (None, None) => Ok(None),
        }
    }
}

impl Shelf for Known<'_> {
    type Holder = Self;

    fn holder(&self) -> &Self {
        self
    }

    fn archives(&self) -> &Archives {
        &self.archives
    }

    fn repositories(&self) -> Vec<Arc<HelmRepository>> {
        let files = self.files.helm_repositories.values();
        let live = self.cluster.into_iter().flat_map(|live| &live.repositories);
        files.chain(live).cloned().collect()
    }

    fn is_offline(&self) -> bool {
        self.is_offline
    }

    /// No index is stored here.
    async fn choose(
        &self,
        _key: &ObjectKey,
        _artifact: &Artifact,
        _place: String,
        _wanted: (String, String),
    ) -> Option<Result<ChartVersion, HelmError>> {
        None
    }
}
