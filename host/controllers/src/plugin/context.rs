//! What reconciliations of plugins use beside what all use.

use std::io;
use std::path::Path;
use std::sync::Arc;

use bulkhead_api::plugin::{ClusterPlugin, Plugin};
use bulkhead_wasm::Host;
use cap_std::fs::Dir;

use super::memory::PluginMemories;
use super::object::PluginObject;
use super::restore::reserve;
use super::vault::Vault;
use crate::catalogue::Catalogue;
use crate::kind;
use crate::metrics::Metrics;
use crate::queue::{Class, Queue};
use crate::watch::{Change, Store, key_of};
use crate::worker::Failures;

/// What outlives a term: the host that compiles, and the components on disk.
#[derive(Clone)]
pub struct Foundation {
    /// Compiles and runs.
    pub host: Host,
    /// Components on disk.
    pub vault: Arc<Vault>,
}

impl Foundation {
    /// Opens the folder `plugins` below the storage folder.
    ///
    /// # Errors
    /// When it cannot be used.
    pub fn open(host: Host, storage: &Path) -> io::Result<Self> {
        let authority = cap_std::ambient_authority();
        Dir::create_ambient_dir_all(storage, authority)?;
        let storage = Dir::open_ambient_dir(storage, authority)?;
        storage.create_dir_all("plugins")?;
        Ok(Self {
            host,
            vault: Arc::new(Vault::open(storage.open_dir("plugins")?)?),
        })
    }
}

/// What a term knows of plugins.
pub struct Plugins {
    /// What outlives it.
    pub foundation: Foundation,
    /// Plugins as the API server shows them.
    pub namespaced: Store<Plugin>,
    /// ClusterPlugins as the API server shows them.
    pub cluster: Store<ClusterPlugin>,
    /// Plugins that are to be reconciled.
    pub namespaced_queue: Queue,
    /// ClusterPlugins that are to be reconciled.
    pub cluster_queue: Queue,
    /// What is remembered of both.
    pub memories: PluginMemories,
    /// Failures in a row of both; a ClusterPlugin has no namespace.
    pub failures: Failures,
}

impl Plugins {
    /// Starts a term: empty stores, empty queues.
    pub fn new(foundation: &Foundation, catalogue: &Arc<Catalogue>, metrics: &Metrics) -> Self {
        let (namespaced_queue, cluster_queue) = (Queue::default(), Queue::default());
        Self {
            foundation: foundation.clone(),
            namespaced: store(&namespaced_queue, catalogue, metrics),
            cluster: store(&cluster_queue, catalogue, metrics),
            namespaced_queue,
            cluster_queue,
            memories: PluginMemories::default(),
            failures: Failures::default(),
        }
    }

    /// Waits until all plugins are known. A cluster that lacks the kinds has none.
    pub async fn wait_until_synced(&self) {
        self.namespaced.wait_until_synced().await;
        self.cluster.wait_until_synced().await;
    }
}

/// Connects changes of a kind with its queue. A name is taken from the moment that its object is
/// seen.
fn store<P: PluginObject>(
    queue: &Queue,
    catalogue: &Arc<Catalogue>,
    metrics: &Metrics,
) -> Store<P> {
    let (queue, catalogue, metrics) = (queue.clone(), catalogue.clone(), metrics.clone());
    let observe = move |change: Change<P>| match &change {
        Change::Put { now, .. } => {
            let key = key_of(&**now);
            if now.meta().deletion_timestamp.is_none() {
                reserve(&catalogue, &P::scope(&key), &key.name);
            }
            if let Some(class) = kind::wake(&change) {
                queue.add(key, class);
            }
        }
        Change::Broken(broken) => {
            reserve(&catalogue, &P::scope(&broken.key), &broken.key.name);
            queue.add(broken.key.clone(), Class::Spec);
        }
        Change::Deleted(key) => {
            catalogue.remove(&P::scope(key), &key.name);
            queue.remove(key);
            metrics.forget(P::KIND, key);
        }
    };
    Store::new(observe).not_needed()
}
