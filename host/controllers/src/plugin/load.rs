//! Gathers what a decision about a plugin needs: its Secrets, what runs, what was seen before.

use std::sync::Arc;

use bulkhead_api::meta::LocalObjectReference;
use k8s_openapi::api::core::v1::Secret;
use kube::Api;

use super::memory::Memory;
use super::object::PluginObject;
use super::request::{self, Secrets};
use crate::client::is_not_found;
use crate::context::Context;
use crate::gitrepository::request::{Data, SecretError};
use crate::queue::Key;
use crate::status::{self, WriteError};

/// What there is.
#[derive(Debug, Default)]
pub(super) struct Observed {
    /// The Secrets that it names.
    pub(super) secrets: Secrets,
    /// What runs, and what the last image was found to be.
    pub(super) memory: Memory,
}

/// Returns the object, with the finalizer; `None` when there is none to reconcile.
pub(super) async fn object<P: PluginObject>(
    context: &Context,
    key: &Key,
) -> Result<Option<Arc<P>>, WriteError> {
    let store = P::store(context);
    match store.get(key) {
        None => {
            if let Some(broken) = store.broken(key) {
                status::write_broken::<P>(context.clients.own(), &broken).await?;
            }
            Ok(None)
        }
        Some(object) if object.meta().deletion_timestamp.is_some() => Ok(Some(object)),
        Some(object) => status::add_finalizer(context.clients.own(), store, &object)
            .await
            .map(Some),
    }
}

/// Reads what the object refers to.
pub(super) async fn observe<P: PluginObject>(object: &P, key: &Key, context: &Context) -> Observed {
    let memory = context.plugins.memories.get(&P::owner(key));
    if object.meta().deletion_timestamp.is_some() || object.spec().suspend {
        return Observed {
            memory,
            ..Observed::default()
        };
    }
    let namespace = P::namespace_of_secrets(key, context);
    let [pull, certificate, keys, trusted_root] =
        request::references(object.spec()).map(|reference| secret(context, namespace, reference));
    Observed {
        secrets: Secrets {
            pull: pull.await,
            certificate: certificate.await,
            keys: keys.await,
            trusted_root: trusted_root.await,
        },
        memory,
    }
}

async fn secret(
    context: &Context,
    namespace: &str,
    reference: Option<&LocalObjectReference>,
) -> Option<Result<Data, SecretError>> {
    let reference = reference?;
    let api: Api<Secret> = Api::namespaced(context.clients.own().clone(), namespace);
    let name = format!("{namespace}/{}", reference.name);
    Some(match api.get(&reference.name).await {
        Ok(secret) => {
            let data = secret.data.unwrap_or_default();
            Ok(data.into_iter().map(|(k, v)| (k, v.0)).collect())
        }
        Err(error) if is_not_found(&error) => Err(SecretError::Missing(name)),
        Err(error) => Err(SecretError::Request(name, bulkhead_api::chain(&error))),
    })
}
