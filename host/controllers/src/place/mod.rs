//! Where an object's objects go, and as whom: this cluster, or the one that `spec.kubeConfig` names.
//!
//! The kubeconfig is read anew for every reconciliation, so that a rotated credential counts at once;
//! what was made of the same text is shared. The account of `spec.serviceAccountName` is impersonated
//! there too.

mod config_map;
mod error;
pub mod kubeconfig;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use bulkhead_api::meta::{KubeConfigReference, SecretKeyReference};
use bulkhead_apply::target::cluster::{Cluster, Discovery};
use k8s_openapi::api::authentication::v1::{SelfSubjectReview, TokenRequest, TokenRequestSpec};
use k8s_openapi::api::core::v1::{ConfigMap, Secret, ServiceAccount};
use kube::api::PostParams;
use kube::config::{AuthInfo, Cluster as FileCluster, KubeConfigOptions, Kubeconfig};
use kube::{Api, Client, Config};
use sha2::{Digest as _, Sha256};
use tokio::sync::OnceCell;

use self::config_map::Generic;
pub use self::error::PlaceError;
use self::kubeconfig::KubeconfigError;
use crate::client::{Clients, service_account};
use crate::context::Context;

/// Keys of a Secret that are looked for where none is named.
const KEYS: [&str; 2] = ["value", "value.yaml"];
/// Clusters that are remembered; past it, all are reached anew.
const MAX_REMOTES: usize = 200;
/// How long a token lives where the server does not tell.
const TOKEN_LIFE: Duration = Duration::from_secs(600);

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
        let failed = |error| PlaceError::Unreachable(Box::new(error));
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
        let Some(reference) = reference else {
            let client = match account {
                None => self.clients.own().clone(),
                Some(name) => self.clients.acting_as(namespace, name)?,
            };
            return Ok(Place {
                client,
                discovery: self.discovery.clone(),
                remote: None,
            });
        };
        let remote = match (&reference.secret_ref, &reference.config_map_ref) {
            (Some(secret), None) => self.of_secret(namespace, secret).await?,
            (None, Some(map)) => self.of_config_map(namespace, &map.name).await?,
            _ => return Err(PlaceError::Reference),
        };
        Ok(Place {
            client: remote.acting_as(&self.clients, namespace, account)?,
            discovery: remote.discovery.clone(),
            remote: Some(remote),
        })
    }

    async fn of_secret(
        &self,
        namespace: &str,
        reference: &SecretKeyReference,
    ) -> Result<Arc<Remote>, PlaceError> {
        let name = format!("{namespace}/{}", reference.name);
        let api: Api<Secret> = Api::namespaced(self.clients.own().clone(), namespace);
        let secret = api
            .get(&reference.name)
            .await
            .map_err(|source| PlaceError::Read {
                kind: "secret",
                name: name.clone(),
                source: Box::new(source),
            })?;
        let data = secret.data.unwrap_or_default();
        let key = reference.key.as_deref().filter(|key| !key.is_empty());
        let bytes = match key {
            Some(key) => data.get(key),
            None => KEYS.iter().find_map(|key| data.get(*key)),
        };
        let bytes = bytes.ok_or_else(|| PlaceError::Key {
            name: name.clone(),
            key: key.unwrap_or(KEYS[0]).to_owned(),
        })?;
        let wrong = |source| PlaceError::Kubeconfig {
            name: name.clone(),
            source,
        };
        let id = digest(&["secret", &String::from_utf8_lossy(&bytes.0)]);
        if let Some(known) = self.remotes.get(&id) {
            return Ok(known);
        }
        let text = std::str::from_utf8(&bytes.0).map_err(|_| wrong(KubeconfigError::Form))?;
        let config = kubeconfig::read(text, self.settings.kubeconfigs).await;
        let remote = Remote::new(&self.clients, config.map_err(wrong)?, None)?;
        Ok(self.remotes.keep(id, remote))
    }

    async fn of_config_map(&self, namespace: &str, map: &str) -> Result<Arc<Remote>, PlaceError> {
        let name = format!("{namespace}/{map}");
        let api: Api<ConfigMap> = Api::namespaced(self.clients.own().clone(), namespace);
        let found = api.get(map).await.map_err(|source| PlaceError::Read {
            kind: "configmap",
            name: name.clone(),
            source: Box::new(source),
        })?;
        let wrong = |problem: String| PlaceError::ConfigMap {
            name: name.clone(),
            problem,
        };
        let generic = config_map::read(&found.data.unwrap_or_default()).map_err(wrong)?;
        let (account_namespace, account) = self.account_of(namespace, &generic, &wrong).await?;
        let id = digest(&[
            "generic",
            &generic.address,
            generic.ca.as_deref().unwrap_or_default(),
            &generic.audiences.join("\n"),
            &account_namespace,
            &account,
        ]);
        if let Some(known) = self.remotes.get(&id) {
            return Ok(known);
        }
        let (token, life) = self
            .token(&account_namespace, &account, &generic.audiences)
            .await?;
        let config = of_generic(&generic, token)
            .await
            .map_err(|error| wrong(format!("`ca.crt`: {}", bulkhead_api::chain(&error))))?;
        // A token is good for one more reconciliation, however long, after half its life.
        let until = Instant::now() + life / 2;
        let remote = Remote::new(&self.clients, config, Some(until))?;
        Ok(self.remotes.keep(id, remote))
    }

    /// Returns whose token is sent: the account that is named, that of the operator's choice, or that of
    /// this process.
    async fn account_of(
        &self,
        namespace: &str,
        generic: &Generic,
        wrong: &impl Fn(String) -> PlaceError,
    ) -> Result<(String, String), PlaceError> {
        let default = self.settings.default_kubeconfig_service_account.as_ref();
        if let Some(account) = generic.account.as_ref().or(default) {
            return Ok((namespace.to_owned(), account.clone()));
        }
        let api: Api<SelfSubjectReview> = Api::all(self.clients.own().clone());
        let asked = api
            .create(&PostParams::default(), &SelfSubjectReview::default())
            .await;
        let review = asked.map_err(|error| PlaceError::Unreachable(Box::new(error)))?;
        let user = review.status.and_then(|status| status.user_info);
        let user = user.and_then(|user| user.username).unwrap_or_default();
        match user.split(':').collect::<Vec<_>>().as_slice() {
            ["system", "serviceaccount", namespace, name] => {
                Ok(((*namespace).to_owned(), (*name).to_owned()))
            }
            _ => Err(wrong(
                "`serviceAccountName` is missing, and this process is no service account"
                    .to_owned(),
            )),
        }
    }

    async fn token(
        &self,
        namespace: &str,
        account: &str,
        audiences: &[String],
    ) -> Result<(String, Duration), PlaceError> {
        let api: Api<ServiceAccount> = Api::namespaced(self.clients.own().clone(), namespace);
        let request = TokenRequest {
            spec: Some(TokenRequestSpec {
                audiences: Some(audiences.to_vec()),
                ..Default::default()
            }),
            ..Default::default()
        };
        let asked = api
            .create_token_request(account, &PostParams::default(), &request)
            .await;
        let made = asked.map_err(|source| PlaceError::Token {
            account: format!("{namespace}/{account}"),
            source: Box::new(source),
        })?;
        let status = made.status.unwrap_or_default();
        let expiry = status.expiration_timestamp.map(|time| time.0);
        let left = expiry.map(|time| Duration::try_from(time - jiff::Timestamp::now()));
        let life = left.and_then(Result::ok).unwrap_or(TOKEN_LIFE);
        Ok((status.token.unwrap_or_default(), life))
    }
}

async fn of_generic(
    generic: &Generic,
    token: String,
) -> Result<Config, kube::config::KubeconfigError> {
    use base64::Engine as _;
    let engine = base64::engine::general_purpose::STANDARD;
    let cluster = FileCluster {
        server: Some(generic.address.clone()),
        certificate_authority_data: generic.ca.as_ref().map(|ca| engine.encode(ca)),
        ..Default::default()
    };
    let user = AuthInfo {
        token: Some(token.into()),
        ..Default::default()
    };
    let file = Kubeconfig {
        current_context: Some("a".to_owned()),
        contexts: vec![kube::config::NamedContext {
            name: "a".to_owned(),
            context: Some(kube::config::Context {
                cluster: "a".to_owned(),
                user: Some("a".to_owned()),
                ..Default::default()
            }),
            ..Default::default()
        }],
        clusters: vec![kube::config::NamedCluster {
            name: "a".to_owned(),
            cluster: Some(cluster),
            ..Default::default()
        }],
        auth_infos: vec![kube::config::NamedAuthInfo {
            name: "a".to_owned(),
            auth_info: Some(user),
            ..Default::default()
        }],
        ..Default::default()
    };
    Config::from_custom_kubeconfig(file, &KubeConfigOptions::default()).await
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

fn digest(parts: &[&str]) -> [u8; 32] {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_le_bytes());
        hash.update(part);
    }
    hash.finalize().into()
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
