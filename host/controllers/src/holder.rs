//! Who has what objects name: ConfigMaps, Secrets and pull secrets. The API server does in a cluster,
//! files where there is none.

use k8s_openapi::api::core::v1::{ConfigMap, Secret, ServiceAccount};
use kube::{Api, Client};

use crate::client::is_not_found;
use crate::queue::Key;

/// What a ConfigMap or Secret holds, by key.
pub type Data = std::collections::BTreeMap<String, Vec<u8>>;

/// What was found: `None` where nothing is; a text says why it could not be looked at.
pub type Found<T> = Result<Option<T>, String>;

/// Has the ConfigMaps, Secrets and pull secrets that objects name.
pub trait Holder: Send + Sync {
    /// Reads a ConfigMap.
    fn config_map(&self, key: &Key) -> impl Future<Output = Found<Data>> + Send;

    /// Reads a Secret.
    fn secret(&self, key: &Key) -> impl Future<Output = Found<Data>> + Send;

    /// Names the pull secrets of a ServiceAccount.
    fn pull_secrets(&self, account: &Key) -> impl Future<Output = Found<Vec<String>>> + Send;
}

/// What the API server has, with the rights of the client.
impl Holder for Client {
    async fn config_map(&self, key: &Key) -> Found<Data> {
        let api: Api<ConfigMap> = Api::namespaced(self.clone(), &key.namespace);
        let found = found(api.get(&key.name).await)?;
        Ok(found.map(|map| {
            let data = map.data.unwrap_or_default().into_iter();
            data.map(|(key, value)| (key, value.into_bytes())).collect()
        }))
    }

    async fn secret(&self, key: &Key) -> Found<Data> {
        let api: Api<Secret> = Api::namespaced(self.clone(), &key.namespace);
        let found = found(api.get(&key.name).await)?;
        Ok(found.map(|secret| {
            let data = secret.data.unwrap_or_default().into_iter();
            data.map(|(key, value)| (key, value.0)).collect()
        }))
    }

    async fn pull_secrets(&self, account: &Key) -> Found<Vec<String>> {
        let api: Api<ServiceAccount> = Api::namespaced(self.clone(), &account.namespace);
        let found = found(api.get(&account.name).await)?;
        Ok(found.map(|account| {
            let secrets = account.image_pull_secrets.unwrap_or_default().into_iter();
            secrets.map(|reference| reference.name).collect()
        }))
    }
}

fn found<T>(answer: kube::Result<T>) -> Found<T> {
    match answer {
        Ok(object) => Ok(Some(object)),
        Err(error) if is_not_found(&error) => Ok(None),
        Err(error) => Err(bulkhead_api::chain(&error)),
    }
}
