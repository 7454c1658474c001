//! Where an object's objects go, and as whom: this cluster, or the one that `spec.kubeConfig` names.
//!
//! The kubeconfig is read anew for every reconciliation, so that a rotated credential counts at once;
//! what was made of the same text is shared. The account of `spec.serviceAccountName` is impersonated
//! there too.

mod config_map;
mod error;
mod find;
pub mod kubeconfig;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use bulkhead_api::meta::KubeConfigReference;
use bulkhead_apply::target::cluster::{Cluster, Discovery};
use kube::{Client, Config};
use tokio::sync::OnceCell;

pub use self::error::PlaceError;
pub use self::find::Places;
use crate::client::{Clients, service_account};
use crate::context::Context;

/// Clusters that are remembered; past it, all are reached anew.
const MAX_REMOTES: usize = 200;

/// A cluster as one account sees it.
#[derive(Clone)]
pub struct Place {
    /// The client, with the rights of the account.
    pub client: Client,
    /// What the cluster serves.
    pub discovery: Discovery,
    remote: Option<Arc<Remote>>,
}

/// Another cluster.
struct Remote {
    config: Config,
    /// Without impersonation.
    base: Client,
    discovery: Discovery,
    accounts: Mutex<HashMap<String, Client>>,
    version: OnceCell<String>,
    /// When a new token is due.
    until: Option<Instant>,
}

/// The other clusters that were reached.
#[derive(Default)]
pub struct Remotes(Mutex<HashMap<[u8; 32], Arc<Remote>>>);

impl Place {
    /// Tells whether it is another cluster than the one that the object is in.
    pub fn is_remote(&self) -> bool {
        self.remote.is_some()
    }

    /// Returns the cluster to apply to.
    pub fn cluster(&self) -> Cluster {
        Cluster::new(self.client.clone(), self.discovery.clone())
    }

    /// Returns a client that may look for the account itself: nobody is impersonated.
    pub fn base<'a>(&'a self, clients: &'a Clients) -> &'a Client {
        match &self.remote {
            Some(remote) => &remote.base,
            None => clients.own(),
        }
    }

    /// Returns the version of the cluster; `local` is that of this one.
    ///
    /// # Errors
    /// [`PlaceError::Unreachable`].
    pub async fn kube_version(&self, local: &str) -> Result<String, PlaceError> {
        let Some(remote) = &self.remote else {
            return Ok(local.to_owned());
        };
        let asked = remote.version.get_or_try_init(|| async {
            let version = remote.base.apiserver_version().await;
            version.map(|version| version.git_version)
        });
        let failed = |error: kube::Error| PlaceError::Unreachable(error.into());
        asked.await.cloned().map_err(failed)
    }
}

impl Context {
    /// Finds the cluster that an object of `namespace` is for, and acts there as `account`.
    ///
    /// # Errors
    /// [`PlaceError`]; nothing has been written.
    pub async fn place(
        &self,
        namespace: &str,
        reference: Option<&KubeConfigReference>,
        account: Option<&str>,
    ) -> Result<Place, PlaceError> {
        let default = self.settings.default_kubeconfig_service_account.as_deref();
        let places = Places {
            clients: &self.clients,
            discovery: &self.discovery,
            remotes: &self.remotes,
            holder: self.clients.own(),
            allowed: self.settings.kubeconfigs,
            default_account: default,
        };
        places.find(namespace, reference, account).await
    }
}

impl Remote {
    fn new(clients: &Clients, config: Config, until: Option<Instant>) -> Result<Self, PlaceError> {
        let base = clients.elsewhere(config.clone(), None)?;
        Ok(Self {
            config,
            discovery: Discovery::new(base.clone()),
            base,
            accounts: Mutex::default(),
            version: OnceCell::new(),
            until,
        })
    }

    fn acting_as(
        &self,
        clients: &Clients,
        namespace: &str,
        account: Option<&str>,
    ) -> Result<Client, PlaceError> {
        let Some(account) = account else {
            return Ok(self.base.clone());
        };
        let user = service_account(namespace, account)?;
        let mut accounts = lock(&self.accounts);
        if let Some(known) = accounts.get(&user) {
            return Ok(known.clone());
        }
        let made = clients.elsewhere(self.config.clone(), Some(&user))?;
        accounts.insert(user, made.clone());
        Ok(made)
    }

    fn is_good(&self) -> bool {
        self.until.is_none_or(|until| Instant::now() < until)
    }
}

impl Remotes {
    fn get(&self, id: &[u8; 32]) -> Option<Arc<Remote>> {
        let known = lock(&self.0);
        known.get(id).filter(|remote| remote.is_good()).cloned()
    }

    fn keep(&self, id: [u8; 32], remote: Remote) -> Arc<Remote> {
        let remote = Arc::new(remote);
        let mut known = lock(&self.0);
        if known.len() >= MAX_REMOTES {
            known.clear();
        }
        known.insert(id, remote.clone());
        remote
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
