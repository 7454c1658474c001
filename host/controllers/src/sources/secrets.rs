//! Reads the Secrets that a source names.

use bulkhead_api::meta::LocalObjectReference;
use k8s_openapi::api::core::v1::{Secret, ServiceAccount};
use kube::Api;

use crate::client::is_not_found;
use crate::context::Context;
use crate::gitrepository::request::{Data, SecretError};
use crate::queue::Key;

/// A Secret that an object names: its data, or why there is none.
pub(crate) type Read = Result<Data, SecretError>;

/// Reads the Secret `reference` of an object; `None` when it names none.
pub(crate) async fn read(
    context: &Context,
    key: &Key,
    reference: Option<&LocalObjectReference>,
) -> Option<Read> {
    Some(named(context, key, &reference?.name).await)
}

/// Reads the pull secrets of a ServiceAccount.
pub(crate) async fn of_account(
    context: &Context,
    key: &Key,
    account: Option<&str>,
) -> Result<Vec<Data>, SecretError> {
    let Some(account) = account else {
        return Ok(Vec::new());
    };
    let api: Api<ServiceAccount> = Api::namespaced(context.clients.own().clone(), &key.namespace);
    let found = api.get(account).await.map_err(|error| {
        let name = format!("{}/{account}", key.namespace);
        SecretError::Account(name, problem(&error))
    })?;
    let mut secrets = Vec::new();
    for reference in found.image_pull_secrets.unwrap_or_default() {
        secrets.push(named(context, key, &reference.name).await?);
    }
    Ok(secrets)
}

async fn named(context: &Context, key: &Key, name: &str) -> Read {
    let api: Api<Secret> = Api::namespaced(context.clients.own().clone(), &key.namespace);
    let path = format!("{}/{name}", key.namespace);
    match api.get(name).await {
        Ok(secret) => Ok(secret
            .data
            .unwrap_or_default()
            .into_iter()
            .map(|(k, v)| (k, v.0))
            .collect()),
        Err(error) if is_not_found(&error) => Err(SecretError::Missing(path)),
        Err(error) => Err(SecretError::Request(path, problem(&error))),
    }
}

fn problem(error: &kube::Error) -> String {
    match is_not_found(error) {
        true => "it does not exist".to_owned(),
        false => bulkhead_api::chain(error),
    }
}
