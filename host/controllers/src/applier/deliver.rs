//! Renders, applies what is not as it should be, and looks at its health.

use std::collections::BTreeSet;
use std::sync::Arc;

use bulkhead_api::meta::requested_at;
use bulkhead_api::{ObjectId, message};
use bulkhead_apply::drift::Records;
use bulkhead_apply::health::Checks;
use bulkhead_apply::target::cluster::{Check, Cluster, Request};
use bulkhead_apply::{CommonMetadata, Inventory, Settings};
use tokio::time::Instant;

use super::decide::{Deliver, RefuseError};
use super::health;
use super::item::Item;
use super::load::{Observed, Source, Values};
use super::memory::{AppliedFacts, Attempt, lock};
use super::name::Name;
use super::outcome::{Attempted, DeliverError, Done, inventory_of, note, to_status};
use super::progress::Progress;
use super::rendering::rendering;
use super::upgrade;
use crate::catalogue::ClusterLookup;
use crate::context::Context;
use crate::delivery::{self, Delivered};
use crate::drift;
use crate::place::Place;

/// One run that may send something.
pub(super) struct Run<'a> {
    pub(super) name: &'a Name,
    pub(super) seen: &'a Observed,
    pub(super) context: &'a Arc<Context>,
    pub(super) progress: &'a Progress<'a>,
}

impl Run<'_> {
    pub(super) async fn object(&self) -> Arc<Item> {
        self.progress.object().await
    }

    pub(super) async fn deliver(
        &self,
        deliver: &Deliver,
        attempted: &mut Attempted,
    ) -> Result<Done, DeliverError> {
        let Source::Ready(artifact, loaded) = &self.seen.source else {
            return Ok(Done::Silent(self.context.settings.requeue_dependency));
        };
        let object = self.object().await;
        attempted.revision = artifact.revision.clone();
        attempted.origin_revision = artifact.origin_revision().map(str::to_owned);
        lock(&self.seen.memory).waiting_since = None;
        self.progress
            .at(message::Step::Building, &artifact.revision);
        let source = delivery::Source {
            tree: loaded.tree.clone(),
            revision: loaded.revision.clone(),
            revision_time: loaded.revision_time,
        };
        let Values {
            substitution,
            inputs,
        } = deliver.values.clone();
        let mut request = rendering(&object, &deliver.plugins, (substitution, inputs), source);
        let place = self.place(&object).await?;
        if place.is_remote() {
            let told = &self.context.renderer.told().kube_version;
            request.kube_version = Some(place.kube_version(told).await?);
        }
        if request.renderer.plugin.permissions.lookup {
            let lookup = ClusterLookup::new(place.client.clone(), place.discovery.clone());
            request.lookup = Some(Arc::new(lookup));
        }
        let delivered = self.context.renderer.deliver(&request).await?;
        refuse_emptied(&object, &request, &delivered)?;
        upgrade::check(&object, &request, &delivered, &artifact.revision)?;
        attempted.digest = Some(delivered.digest);
        attempted.render = Some(delivered.render.clone());
        attempted.plugins = upgrade::plugins(&request);
        if !deliver.compare && self.is_applied(&object, &delivered) {
            let is_noted =
                object.status.last_applied_revision.as_deref() == Some(&artifact.revision);
            return Ok(match deliver.yields && !is_noted {
                true => Done::Later,
                false => Done::Untouched(attempted.clone()),
            });
        }
        self.progress
            .at(message::Step::DetectingDrift, &artifact.revision);
        self.apply(&object, &place, (&delivered, deliver.compare), attempted)
            .await?;
        self.check_health(&object, &place, &delivered, attempted)
            .await
    }

    /// Tells whether exactly this was applied for this generation, and nobody changed it since.
    fn is_applied(&self, object: &Item, delivered: &Delivered) -> bool {
        let memory = lock(&self.seen.memory);
        memory.suspects.is_empty()
            && memory.applied.as_ref().is_some_and(|applied| {
                applied.is_healthy
                    && applied.digest == delivered.digest
                    && Some(applied.generation) == object.metadata().generation
            })
    }

    async fn apply(
        &self,
        object: &Arc<Item>,
        place: &Place,
        (delivered, compare): (&Delivered, bool),
        attempted: &mut Attempted,
    ) -> Result<(), DeliverError> {
        let cluster = judging(place, object)?;
        let inventory = inventory_of(object)?;
        let owner = self.name.owner();
        let common = common_metadata(object);
        let (mut records, suspects) = lock(&self.seen.memory).begin();
        let digest = delivered.digest.to_string();
        let request = Request {
            objects: delivered.objects.as_ref().clone(),
            inventory: &inventory,
            owner: &owner,
            common: &common,
            target_namespace: object.spec.target_namespace.as_deref().unwrap_or_default(),
            settings: self.plan_settings(object),
            force: object.spec.force,
            // Nobody watches another cluster.
            check: match compare || place.is_remote() {
                true => Check::Live,
                false => Check::Records,
            },
            accepted: object.status.history.iter().any(|one| one.digest == digest),
        };
        let applied = cluster
            .apply(request, &mut records, |before| self.write_ahead(before))
            .await;
        if !suspects.is_empty() {
            self.context
                .metrics
                .drifted("healed", suspects.len() as u64);
        }
        note(attempted, &applied);
        match place.is_remote() {
            // What is here under the same names is not what was applied.
            true => records = Records::default(),
            false => {
                self.context
                    .drift
                    .watch(self.context, self.name.face, applied.inventory.iter())
            }
        }
        let result = applied.error.map_or(Ok(()), |error| Err(error.into()));
        let mut remembered = lock(&self.seen.memory);
        let suspects = remembered.end(self.name, records);
        if result.is_ok() {
            remembered.applied = Some(AppliedFacts {
                digest: delivered.digest,
                generation: object.metadata().generation.unwrap_or_default(),
                compared: Instant::now(),
                is_healthy: false,
            });
        }
        drop(remembered);
        for id in suspects {
            drift::tell(self.context, self.name, &id);
        }
        result
    }

    /// Records what may exist from now on, before the first change.
    async fn write_ahead(&self, before: Inventory) -> Result<(), String> {
        let write = self
            .progress
            .write(|_, status| status.inventory = Some(to_status(&before)));
        write.await.map_err(|error| bulkhead_api::chain(&error))
    }

    /// Finds the cluster that the object is for, as its account sees it.
    pub(super) async fn place(&self, object: &Item) -> Result<Place, DeliverError> {
        let namespace = &self.name.key.namespace;
        let reference = object.spec.kube_config.as_ref();
        let place = self
            .context
            .place(namespace, reference, self.account(object));
        Ok(place.await?)
    }

    /// Returns the account to act as; `None` for the engine's own.
    pub(super) fn account<'o>(&'o self, object: &'o Item) -> Option<&'o str> {
        let default = self.context.settings.default_service_account.as_deref();
        object.spec.service_account_name.as_deref().or(default)
    }

    pub(super) fn plan_settings(&self, object: &Item) -> Settings {
        let namespace = |name: &str| ObjectId::new("", name, "", "Namespace");
        Settings {
            prune: object.spec.prune,
            custom_stage: BTreeSet::new(),
            protected: BTreeSet::from([
                namespace(&self.name.key.namespace),
                namespace(&self.context.settings.own_namespace),
            ]),
        }
    }

    async fn check_health(
        &self,
        object: &Arc<Item>,
        place: &Place,
        delivered: &Delivered,
        attempted: &mut Attempted,
    ) -> Result<Done, DeliverError> {
        let inventory = attempted.inventory.clone().unwrap_or_default();
        let awaited = health::awaited(object, &delivered.objects, &inventory);
        if awaited.is_empty() {
            lock(&self.seen.memory).note_health();
            return Ok(Done::Applied(attempted.clone()));
        }
        let attempt = Attempt {
            digest: delivered.digest,
            generation: object.metadata().generation.unwrap_or_default(),
            revision: attempted.revision.clone(),
            requested: requested_at(object.metadata()).map(str::to_owned),
        };
        let cluster = judging(place, object)?;
        let started = Instant::now();
        if health::are_healthy(&cluster, &awaited, &attempted.healthy).await {
            lock(&self.seen.memory).note_health();
            return Ok(Done::Healthy(attempted.clone(), started.elapsed()));
        }
        let timeout = object.spec.timeout().unwrap_or_default();
        health::watch(self.context, self.name, cluster, awaited, timeout, attempt);
        Ok(Done::HealthPending(attempted.clone()))
    }
}

/// The cluster, with the expressions that tell the health of some kinds.
fn judging(place: &Place, object: &Item) -> Result<Cluster, RefuseError> {
    let checks = Checks::new(&object.spec.health_check_exprs);
    let wrong = |error| RefuseError::Expression(bulkhead_api::chain(&error));
    Ok(place.cluster().with_checks(checks.map_err(wrong)?))
}

/// A plugin of a user's that returns nothing may be broken: what is applied stays.
fn refuse_emptied(
    object: &Item,
    request: &delivery::Request,
    delivered: &Delivered,
) -> Result<(), DeliverError> {
    let applied = object.status.inventory.as_ref();
    let applied = applied.map_or(0, |inventory| inventory.entries.len());
    match request.foreign() {
        Some(plugin) if delivered.objects.is_empty() && applied > 0 => Err(DeliverError::Emptied {
            plugin: plugin.to_owned(),
            applied,
        }),
        _ => Ok(()),
    }
}

fn common_metadata(object: &Item) -> CommonMetadata {
    let Some(common) = &object.spec.common_metadata else {
        return CommonMetadata::default();
    };
    CommonMetadata {
        labels: common.labels.clone(),
        annotations: common.annotations.clone(),
    }
}
