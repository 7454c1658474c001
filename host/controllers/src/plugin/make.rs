//! From verified bytes to what can run: looked at, and compiled at the cost of its owner.

use std::sync::Arc;

use bulkhead_wasm::{Host, InspectError, Inspection, LoadOptions, PluginId, inspect};
use bytes::Bytes;

use super::approve::Asked;
use super::error::{PluginError, grave};
use super::memory::Running;
use super::vault::{Owner, Record, Vault};
use crate::context::Context;

/// Makes a plugin of verified bytes. With `meter` its calls count fuel.
pub(super) async fn make(
    host: &Host,
    owner: &Owner,
    meter: bool,
    (record, wasm): (Record, &Bytes),
) -> Result<Running, PluginError> {
    let bytes = wasm.clone();
    let looked: Result<Inspection, InspectError> =
        tokio::task::spawn_blocking(move || inspect(&bytes))
            .await
            .unwrap_or_else(|ended| Err(InspectError::Broken(ended.to_string())));
    let image = record.image.clone();
    let inspection = looked.map_err(|source| PluginError::Inspect {
        image: image.clone(),
        source,
    })?;
    let problems = grave(&inspection.problems);
    if !problems.is_empty() {
        return Err(PluginError::Incompatible { image, problems });
    }
    let Inspection {
        manifest,
        imports,
        world,
        ..
    } = inspection;
    let version = manifest
        .as_ref()
        .map_or("", |manifest| manifest.version.as_str());
    let options = LoadOptions {
        tenant: owner.scope.tenant(),
        meter,
    };
    let id = PluginId::new(&owner.name, version);
    let plugin = host.load_as(id, wasm, options).await?;
    Ok(Running {
        record,
        plugin,
        world: world.unwrap_or_default(),
        asked: Asked {
            imports: imports.into_iter().map(|import| import.name).collect(),
            requests: manifest
                .as_ref()
                .map(|manifest| manifest.requests.clone())
                .unwrap_or_default(),
        },
        manifest,
    })
}

/// Works on the vault, off the threads that must not block.
pub(super) async fn with_vault<T: Send + 'static>(
    context: &Arc<Context>,
    work: impl FnOnce(&Vault) -> std::io::Result<T> + Send + 'static,
) -> Result<T, PluginError> {
    let vault = context.plugins.foundation.vault.clone();
    tokio::task::spawn_blocking(move || work(&vault))
        .await
        .unwrap_or_else(|ended| Err(std::io::Error::other(ended)))
        .map_err(PluginError::Store)
}
