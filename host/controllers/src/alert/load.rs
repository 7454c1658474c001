//! Reads the provider of an alert, and the provider's Secrets.

use bulkhead_api::meta::LocalObjectReference;
use bulkhead_api::notification::Alert;
use bulkhead_notify::{SecretData, Secrets, SecretsError, Subscription};
use k8s_openapi::api::core::v1::Secret;
use kube::Api;

use crate::client::is_not_found;
use crate::context::Context;
use crate::queue::Key;

/// Why an alert has nowhere to send to.
#[derive(Debug, thiserror::Error)]
pub(super) enum SubscriptionError {
    /// The provider does not exist.
    #[error("provider '{0}' not found")]
    Provider(Key),
    /// A Secret does not exist.
    #[error("failed to read secret '{0}': it does not exist")]
    Missing(String),
    /// The API server refused, or could not be reached.
    #[error("failed to read secret '{name}'")]
    Request {
        /// The Secret.
        name: String,
        /// What it said.
        #[source]
        source: kube::Error,
    },
    /// What a Secret holds cannot be used.
    #[error(transparent)]
    Secrets(#[from] SecretsError),
}

/// Gathers what a delivery to the provider of `alert` needs.
pub(super) async fn subscription(
    context: &Context,
    alert: &Alert,
) -> Result<Subscription, SubscriptionError> {
    let namespace = alert.metadata.namespace.as_deref().unwrap_or_default();
    let key = Key::new(namespace, &alert.spec.provider_ref.name);
    let provider = context
        .providers
        .get(&key)
        .ok_or(SubscriptionError::Provider(key))?;
    let spec = &provider.spec;
    let secret = secret(context, namespace, spec.secret_ref.as_ref()).await?;
    let mut secrets = Secrets::new(spec, secret.as_ref())?;
    if let Some(data) = self::secret(context, namespace, spec.cert_secret_ref.as_ref()).await? {
        secrets = secrets.with_certificates(&data)?;
    }
    if let Some(data) = self::secret(context, namespace, spec.proxy_secret_ref.as_ref()).await? {
        secrets = secrets.with_proxy(&data)?;
    }
    Ok(Subscription {
        alert: alert.clone(),
        provider: (*provider).clone(),
        secrets,
    })
}

async fn secret(
    context: &Context,
    namespace: &str,
    reference: Option<&LocalObjectReference>,
) -> Result<Option<SecretData>, SubscriptionError> {
    let Some(reference) = reference else {
        return Ok(None);
    };
    let api: Api<Secret> = Api::namespaced(context.clients.own().clone(), namespace);
    let name = || format!("{namespace}/{}", reference.name);
    match api.get(&reference.name).await {
        Ok(secret) => {
            let data = secret.data.unwrap_or_default();
            Ok(Some(
                data.into_iter()
                    .map(|(key, value)| (key, value.0))
                    .collect(),
            ))
        }
        Err(error) if is_not_found(&error) => Err(SubscriptionError::Missing(name())),
        Err(source) => Err(SubscriptionError::Request {
            name: name(),
            source,
        }),
    }
}
