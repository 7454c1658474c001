//! Finds the cluster that an object is for: this one, or the one that `spec.kubeConfig` names.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bulkhead_api::meta::{KubeConfigReference, SecretKeyReference};
use bulkhead_apply::target::cluster::Discovery;
use k8s_openapi::api::authentication::v1::{SelfSubjectReview, TokenRequest, TokenRequestSpec};
use k8s_openapi::api::core::v1::ServiceAccount;
use kube::api::PostParams;
use kube::config::{AuthInfo, Cluster as FileCluster, KubeConfigOptions, Kubeconfig};
use kube::{Api, Config};
use sha2::{Digest as _, Sha256};

use super::config_map::{self, Generic};
use super::kubeconfig::{self, Allowed, KubeconfigError};
use super::{Place, PlaceError, Remote, Remotes};
use crate::client::Clients;
use crate::holder::{Data, Found, Holder};
use crate::queue::Key;

/// Keys of a Secret that are looked for where none is named.
const KEYS: [&str; 2] = ["value", "value.yaml"];
/// How long a token lives where the server does not tell.
const TOKEN_LIFE: Duration = Duration::from_secs(600);

/// What it takes to find clusters.
pub struct Places<'a, H> {
    /// Clients of this cluster.
    pub clients: &'a Clients,
    /// What this cluster serves.
    pub discovery: &'a Discovery,
    /// The other clusters that were reached.
    pub remotes: &'a Remotes,
    /// Who has Secrets and ConfigMaps.
    pub holder: &'a H,
    /// What kubeconfigs may say.
    pub allowed: Allowed,
    /// Whose token is sent where a ConfigMap names nobody.
    pub default_account: Option<&'a str>,
}

impl<H: Holder> Places<'_, H> {
    /// Finds the cluster that an object of `namespace` is for, and acts there as `account`.
    ///
    /// # Errors
    /// [`PlaceError`]; nothing has been written.
    pub async fn find(
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
            client: remote.acting_as(self.clients, namespace, account)?,
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
        let found = self
            .holder
            .secret(&Key::new(namespace, &reference.name))
            .await;
        let data = named("secret", &name, found)?;
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
        let id = digest(&[b"secret", bytes]);
        if let Some(known) = self.remotes.get(&id) {
            return Ok(known);
        }
        let text = std::str::from_utf8(bytes).map_err(|_| wrong(KubeconfigError::Form))?;
        let config = kubeconfig::read(text, self.allowed).await;
        let remote = Remote::new(self.clients, config.map_err(wrong)?, None)?;
        Ok(self.remotes.keep(id, remote))
    }

    async fn of_config_map(&self, namespace: &str, map: &str) -> Result<Arc<Remote>, PlaceError> {
        let name = format!("{namespace}/{map}");
        let found = self.holder.config_map(&Key::new(namespace, map)).await;
        let data = named("configmap", &name, found)?.into_iter();
        let data = data.filter_map(|(key, value)| Some((key, String::from_utf8(value).ok()?)));
        let wrong = |problem: String| PlaceError::ConfigMap {
            name: name.clone(),
            problem,
        };
        let generic = config_map::read(&data.collect()).map_err(wrong)?;
        let (account_namespace, account) = self.account_of(namespace, &generic, &wrong).await?;
        let id = digest(&[
            b"generic",
            generic.address.as_bytes(),
            generic.ca.as_deref().unwrap_or_default().as_bytes(),
            generic.audiences.join("\n").as_bytes(),
            account_namespace.as_bytes(),
            account.as_bytes(),
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
        let remote = Remote::new(self.clients, config, Some(until))?;
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
        if let Some(account) = generic.account.as_deref().or(self.default_account) {
            return Ok((namespace.to_owned(), account.to_owned()));
        }
        let api: Api<SelfSubjectReview> = Api::all(self.clients.own().clone());
        let asked = api
            .create(&PostParams::default(), &SelfSubjectReview::default())
            .await;
        let review = asked.map_err(|error| PlaceError::Unreachable(error.into()))?;
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
            source: source.into(),
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

fn digest(parts: &[&[u8]]) -> [u8; 32] {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_le_bytes());
        hash.update(part);
    }
    hash.finalize().into()
}

/// Returns what a Secret or a ConfigMap holds.
fn named(kind: &'static str, name: &str, found: Found<Data>) -> Result<Data, PlaceError> {
    let problem = match found {
        Ok(Some(data)) => return Ok(data),
        // As the API server says it.
        Ok(None) => {
            let name = name.rsplit('/').next().unwrap_or_default();
            format!("{kind}s \"{name}\" not found")
        }
        Err(problem) => problem,
    };
    Err(PlaceError::Read {
        kind,
        name: name.to_owned(),
        problem,
    })
}
