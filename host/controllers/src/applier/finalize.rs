//! What becomes of the objects of a Kustomization or Delivery that is deleted.

use std::sync::Arc;

use bulkhead_apply::target::cluster::{Awaited, Check, Request};
use bulkhead_apply::{CommonMetadata, Inventory, Settings};
use k8s_openapi::api::core::v1::ServiceAccount;
use kube::Api;

use super::decide::RefuseError;
use super::deliver::Run;
use super::item::Item;
use super::memory::lock;
use super::outcome::{Attempted, DeliverError, Done, inventory_of, note};
use crate::place::Place;

impl Run<'_> {
    /// Deletes them, if `delete`; with `wait` until they are gone.
    pub(super) async fn finalize(
        &self,
        delete: bool,
        wait: bool,
        attempted: &mut Attempted,
    ) -> Result<Done, DeliverError> {
        let object = self.object().await;
        attempted.revision = object
            .status
            .last_applied_revision
            .clone()
            .unwrap_or_default();
        if delete {
            let inventory = inventory_of(&object)?;
            self.delete_all(&object, &inventory, wait, attempted)
                .await?;
        }
        let name = self.name;
        self.context.memories.remove(name);
        let renderer = &self.context.renderer;
        renderer.forget(name.face.kind(), &name.key.namespace, &name.key.name);
        Ok(Done::Finalized(attempted.clone()))
    }

    async fn delete_all(
        &self,
        object: &Arc<Item>,
        inventory: &Inventory,
        wait: bool,
        attempted: &mut Attempted,
    ) -> Result<(), DeliverError> {
        if object
            .status
            .unreadable
            .iter()
            .any(|field| field == "inventory" || field == "status")
        {
            return Err(RefuseError::Inventory.into());
        }
        if inventory.is_empty() {
            return Ok(());
        }
        let place = self.place(object).await?;
        if !self.account_exists(object, &place).await {
            let names: Vec<_> = inventory.iter().map(|(id, _)| id.subject()).collect();
            attempted.pruned = format!("unable to prune objects: \n{}", names.join("\n"));
            return Ok(());
        }
        let cluster = place.cluster();
        let owner = self.name.owner();
        let mut records = std::mem::take(&mut lock(&self.seen.memory).records);
        let request = Request {
            objects: Vec::new(),
            inventory,
            owner: &owner,
            common: &CommonMetadata::default(),
            target_namespace: "",
            settings: Settings {
                prune: true,
                ..self.plan_settings(object)
            },
            force: false,
            check: Check::Records,
            accepted: true,
        };
        let applied = cluster.apply(request, &mut records, async |_| Ok(())).await;
        note(attempted, &applied);
        if let Some(error) = applied.error {
            return Err(error.into());
        }
        if wait {
            let gone: Vec<Awaited> = inventory
                .iter()
                .map(|(id, version)| Awaited::new(id.clone(), version))
                .collect();
            let timeout = object.spec.timeout().unwrap_or_default();
            let left = cluster.wait_until_gone(&gone, timeout).await;
            if !left.is_empty() {
                tracing::error!(
                    left = left.len(),
                    "failed to wait for resources termination"
                );
            }
        }
        Ok(())
    }

    /// Tells whether the account to act as exists. When it is gone, its objects are let go, as in
    /// Flux: without it nobody may delete them.
    async fn account_exists(&self, object: &Item, place: &Place) -> bool {
        let Some(name) = self.account(object) else {
            return true;
        };
        let client = place.base(&self.context.clients).clone();
        let api: Api<ServiceAccount> = Api::namespaced(client, &self.name.key.namespace);
        !matches!(api.get_metadata_opt(name).await, Ok(None))
    }
}
