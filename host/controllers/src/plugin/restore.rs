//! What a process does with plugins before it reconciles: all names are known, and what was verified
//! before runs at once, whether the registry answers or not.

use std::sync::Arc;

use bulkhead_api::plugin::{ClusterPlugin, Plugin};
use bulkhead_api::{chain, reason};
use bytes::Bytes;

use super::grants;
use super::make::{make, with_vault};
use super::memory::{Memory, Running};
use super::object::PluginObject;
use crate::catalogue::{Entry, Installed, Scope};
use crate::context::Context;
use crate::queue::Key;
use crate::watch::key_of;

/// Message of a name whose plugin is not there yet.
const NOT_YET: &str = "it is being installed";

/// Loads what is kept of all plugins. What cannot be loaded is fetched again later.
pub async fn restore(context: &Arc<Context>) {
    restore_kind::<ClusterPlugin>(context).await;
    restore_kind::<Plugin>(context).await;
}

async fn restore_kind<P: PluginObject>(context: &Arc<Context>) {
    for object in P::store(context).all() {
        let key = key_of(&*object);
        if let Some(running) = load(&*object, &key, context).await {
            run(&*object, &key, running, context);
        }
    }
}

async fn load<P: PluginObject>(
    object: &P,
    key: &Key,
    context: &Arc<Context>,
) -> Option<Arc<Running>> {
    let owner = P::owner(key);
    let name = owner.clone();
    let kept = with_vault(context, move |vault| vault.get(&name)).await;
    let loaded = match kept {
        Ok(None) => return None,
        Ok(Some((record, _))) if object.meta().uid.as_deref() != Some(&record.uid) => return None,
        Ok(Some((record, wasm))) => {
            let host = &context.plugins.foundation.host;
            let granted = grants::granted(object.spec(), P::GRANTS_PRIVATE_NETWORKS);
            let meters = granted.is_ok_and(|granted| granted.meters());
            make(host, &owner, meters, (record, &Bytes::from(wasm))).await
        }
        Err(error) => Err(error),
    };
    match loaded {
        Ok(running) => Some(Arc::new(running)),
        Err(error) => {
            tracing::warn!(plugin = %key, error = chain(&error), "failed to load a stored plugin");
            None
        }
    }
}

fn run<P: PluginObject>(object: &P, key: &Key, running: Arc<Running>, context: &Context) {
    let granted = grants::granted(object.spec(), P::GRANTS_PRIVATE_NETWORKS).unwrap_or_default();
    let kind = running.plugin.kind();
    let allowed = grants::allowed(running.manifest.as_ref(), kind, &granted);
    let scope = P::scope(key);
    let installed = Installed {
        name: key.name.to_string(),
        scope: scope.clone(),
        plugin: running.plugin.clone(),
        manifest: running.manifest.clone(),
        image: Some(running.record.image.clone()),
        permissions: allowed.permissions,
        limits: allowed.limits,
    };
    let entry = Entry::Ready(Arc::new(installed));
    context.catalogue.put(&scope, &key.name, entry);
    let memory = Memory {
        running: Some(running),
        granted: Some(granted),
        verdict: None,
    };
    context.plugins.memories.put(&P::owner(key), memory);
}

/// Keeps a name from meaning what is behind it: its plugin was seen, and does not run yet.
pub(crate) fn reserve(catalogue: &crate::catalogue::Catalogue, scope: &Scope, name: &str) {
    if catalogue.entry(scope, name).is_none() {
        let entry = Entry::NotReady {
            reason: reason::PROGRESSING.to_owned(),
            message: NOT_YET.to_owned(),
        };
        catalogue.put(scope, name, entry);
    }
}
