//! Does what was decided about a Kustomization: renders, applies, prunes, watches health.

use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;
use std::time::Duration;

use bulkhead_api::conditions::{self, Stamp};
use bulkhead_api::kustomize::Kustomization;
use bulkhead_api::meta::{Inventory as StatusInventory, InventoryEntry, requested_at};
use bulkhead_api::{Advice, Digest, ObjectId, Retry, message, reason};
use bulkhead_apply::health::Status;
use bulkhead_apply::target::cluster::{Awaited, Check, Cluster, Request, WaitError};
use bulkhead_apply::{
    Action, Applied, ApplyError, Change, CommonMetadata, Inventory, Owner, Settings,
};
use tokio::sync::Mutex as AsyncMutex;
use tokio::time::Instant;

use super::decide::{Decision, Deliver, RefuseError, Wait};
use super::health;
use super::load::{Observed, Source};
use super::memory::{AppliedFacts, Attempt, Health, lock};
use crate::client::ClientError;
use crate::clock;
use crate::context::Context;
use crate::delivery::{self, Delivered, DeliveryError};
use crate::drift;
use crate::queue::{Class, Key};
use crate::status::{self, WriteError};

/// After this long, a reconciliation says that it is under way; a shorter one is not worth a write.
const SILENT_FOR: Duration = Duration::from_secs(2);

/// Why a Kustomization is not as it should be.
#[derive(Debug, thiserror::Error)]
pub enum DeliverError {
    /// It is not even tried.
    #[error(transparent)]
    Refused(#[from] RefuseError),
    /// The account to act as cannot be used.
    #[error("failed to build kube client")]
    Client(#[source] ClientError),
    /// Nothing could be rendered.
    #[error(transparent)]
    Delivery(#[from] DeliveryError),
    /// The inventory of the status has an entry that is none.
    #[error("failed to read `status.inventory`")]
    Inventory(#[source] bulkhead_api::object::ObjectIdError),
    /// The cluster refused something.
    #[error(transparent)]
    Apply(#[from] ApplyError),
    /// Not all objects became healthy.
    #[error("health check failed after {}", bulkhead_api::duration::go_text(*.took))]
    Health {
        /// How long it was waited.
        took: Duration,
        /// Which objects.
        #[source]
        source: WaitError,
    },
}

impl DeliverError {
    /// Names the reason, when to try again, and what the user can do.
    pub fn advice(&self) -> Advice {
        match self {
            Self::Refused(error) => error.advice(),
            Self::Client(_) => Advice::new(reason::RECONCILIATION_FAILED, Retry::OnChange)
                .hint("name a service account in `spec.serviceAccountName`"),
            Self::Delivery(error) => error.advice(),
            Self::Inventory(_) => RefuseError::Inventory.advice(),
            Self::Apply(error) => error.advice(),
            Self::Health { source, .. } => source.advice(),
        }
    }
}

/// What all outcomes of an attempt tell.
#[derive(Clone, Debug, Default)]
pub(super) struct Attempted {
    /// Revision of the artifact.
    pub(super) revision: String,
    /// Revision that the artifact was made from.
    pub(super) origin_revision: Option<String>,
    /// Digest of what was rendered; none if that failed.
    pub(super) digest: Option<Digest>,
    /// What the cluster may have now; none if nothing was sent.
    pub(super) inventory: Option<Inventory>,
    /// One line for each object that was created or configured.
    pub(super) changes: String,
    /// One line for each object that was deleted.
    pub(super) pruned: String,
    /// Objects that the cluster answered to be healthy.
    pub(super) healthy: HashSet<ObjectId>,
}

/// What was done.
#[derive(Debug)]
pub(super) enum Done {
    /// The object may go.
    Finalized(Attempted),
    /// Nothing, as it is suspended.
    Suspended,
    /// Something is not there yet.
    Waiting(Wait),
    /// The same, for so short a time that nobody need know.
    Silent(Duration),
    /// Nothing was to be done, and saying so has time.
    Later,
    /// Nothing was to be done but to note the revision.
    Untouched(Attempted),
    /// All objects are as they should be.
    Applied(Attempted),
    /// They are, and now their health is waited for.
    HealthPending(Attempted),
    /// That wait goes on.
    Watching,
    /// It ended well.
    Healthy(Attempted, Duration),
}

/// How it ended.
#[derive(Debug)]
pub struct Outcome {
    pub(super) result: Result<Done, DeliverError>,
    /// What was attempted before an error.
    pub(super) attempted: Attempted,
    /// The object as it was last written.
    pub(super) object: Arc<Kustomization>,
    pub(super) took: Duration,
}

/// Does it.
///
/// # Errors
/// The API server could not be used for the status.
pub(super) async fn run(
    object: &Arc<Kustomization>,
    key: &Key,
    decision: Decision,
    seen: Observed,
    context: &Arc<Context>,
) -> Outcome {
    let started = Instant::now();
    let progress = Progress::new(object, context);
    let mut attempted = Attempted::default();
    let result = match decision {
        Decision::Suspend => Ok(Done::Suspended),
        Decision::Refuse(error) => Err(error.into()),
        Decision::Watch => Ok(Done::Watching),
        Decision::Wait(wait) => Ok(waiting(wait, &seen, context)),
        Decision::Conclude(health) => {
            if let Source::Ready(artifact, _) = &seen.source {
                attempted.revision = artifact.revision.clone();
                attempted.origin_revision = artifact.origin_revision().map(str::to_owned);
            }
            attempted.digest = Some(health.attempt.digest);
            lock(&seen.memory).health = Health::None;
            match health.result {
                Ok(()) => {
                    lock(&seen.memory).note_health();
                    Ok(Done::Healthy(attempted.clone(), health.took))
                }
                Err(source) => Err(DeliverError::Health {
                    took: health.took,
                    source,
                }),
            }
        }
        Decision::Finalize { delete, wait } => {
            let run = Run {
                key,
                seen: &seen,
                context,
                progress: &progress,
            };
            run.finalize(delete, wait, &mut attempted).await
        }
        Decision::Deliver(deliver) => {
            let run = Run {
                key,
                seen: &seen,
                context,
                progress: &progress,
            };
            progress
                .while_slow(run.deliver(&deliver, &mut attempted))
                .await
        }
    };
    Outcome {
        result,
        attempted,
        object: progress.into_object(),
        took: started.elapsed(),
    }
}

/// A wait is told only when it lasts: at a start, and at a new commit, most are over at once.
fn waiting(wait: Wait, seen: &Observed, context: &Context) -> Done {
    if wait == Wait::Loading {
        return Done::Silent(context.settings.requeue_dependency);
    }
    if let Wait::Dependency(unready) = &wait {
        // One that is to be reconciled anyway goes before those that nobody waits for.
        let queue = &context.queues.kustomizations;
        if queue.is_wanted(unready.key()) {
            queue.add(unready.key().clone(), Class::Dependency);
        }
    }
    let since = *lock(&seen.memory)
        .waiting_since
        .get_or_insert_with(Instant::now);
    let left = SILENT_FOR.saturating_sub(since.elapsed());
    match left.is_zero() {
        true => Done::Waiting(wait),
        false => Done::Silent(left),
    }
}

/// The object as it was last written, and what to say if it takes long.
struct Progress<'a> {
    context: &'a Context,
    object: AsyncMutex<Arc<Kustomization>>,
    step: std::sync::Mutex<Option<(message::Step, String)>>,
}

impl<'a> Progress<'a> {
    fn new(object: &Arc<Kustomization>, context: &'a Context) -> Self {
        Self {
            context,
            object: AsyncMutex::new(object.clone()),
            step: Default::default(),
        }
    }

    fn into_object(self) -> Arc<Kustomization> {
        self.object.into_inner()
    }

    fn at(&self, step: message::Step, revision: &str) {
        *lock(&self.step) = Some((step, revision.to_owned()));
    }

    /// Runs `work`; when it takes long, says so in the status, once.
    async fn while_slow<T>(&self, work: impl Future<Output = T>) -> T {
        tokio::pin!(work);
        tokio::select! {
            done = &mut work => return done,
            () = tokio::time::sleep(SILENT_FOR) => {}
        }
        let step = lock(&self.step).clone();
        if let Some((step, revision)) = step {
            // Both go on: the write must not hold up the work.
            let say = self.write(|object, status| {
                let timeout = object.spec.timeout().unwrap_or_default();
                let text = message::step(step, &revision, timeout);
                let stamp = Stamp::of(&object.metadata, clock::now());
                conditions::progressing(&mut status.conditions, stamp, &text);
            });
            tokio::pin!(say);
            tokio::select! {
                done = &mut work => {
                    // What is half sent would come after the final status.
                    let _ = say.await;
                    return done;
                }
                said = &mut say => {
                    if let Err(error) = said {
                        tracing::info!(error = bulkhead_api::chain(&error), "failed to say what is under way");
                    }
                }
            }
        }
        work.await
    }

    async fn write(
        &self,
        change: impl FnOnce(&Kustomization, &mut bulkhead_api::kustomize::KustomizationStatus),
    ) -> Result<(), WriteError> {
        let mut object = self.object.lock().await;
        let mut next = object.status.clone();
        change(&object, &mut next);
        let (client, store) = (self.context.clients.own(), &self.context.kustomizations);
        *object = status::write(client, store, &object, next).await?;
        Ok(())
    }
}

/// One run that may send something.
struct Run<'a> {
    key: &'a Key,
    seen: &'a Observed,
    context: &'a Arc<Context>,
    progress: &'a Progress<'a>,
}

impl Run<'_> {
    async fn object(&self) -> Arc<Kustomization> {
        self.progress.object.lock().await.clone()
    }

    async fn deliver(
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
        let request = delivery::Request::of_kustomization(
            (&self.key.namespace, &self.key.name),
            &object.spec,
            (
                loaded.tree.clone(),
                &artifact.revision,
                loaded.revision_time,
            ),
            deliver.substitution.clone(),
        );
        let delivered = self.render(&request).await?;
        attempted.digest = Some(delivered.digest);
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
        self.apply(&object, &delivered, deliver.compare, attempted)
            .await?;
        self.check_health(&object, &delivered, attempted).await
    }

    async fn render(&self, request: &delivery::Request) -> Result<Delivered, DeliveryError> {
        let delivered = self.context.renderer.deliver(request).await;
        self.context.metrics.rendered(match &delivered {
            Ok(delivered) if delivered.reused => "cached",
            Ok(_) => "run",
            Err(_) => "failed",
        });
        delivered
    }

    /// Tells whether exactly this was applied for this generation, and nobody changed it since.
    fn is_applied(&self, object: &Kustomization, delivered: &Delivered) -> bool {
        let memory = lock(&self.seen.memory);
        memory.suspects.is_empty()
            && memory.applied.as_ref().is_some_and(|applied| {
                applied.is_healthy
                    && applied.digest == delivered.digest
                    && Some(applied.generation) == object.metadata.generation
            })
    }

    async fn apply(
        &self,
        object: &Arc<Kustomization>,
        delivered: &Delivered,
        compare: bool,
        attempted: &mut Attempted,
    ) -> Result<(), DeliverError> {
        let cluster = self.cluster(object)?;
        let inventory = inventory_of(object)?;
        let owner = Owner::kustomization(&self.key.name, &self.key.namespace);
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
            check: if compare { Check::Live } else { Check::Records },
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
        self.context
            .drift
            .watch(self.context, applied.inventory.iter());
        let result = applied.error.map_or(Ok(()), |error| Err(error.into()));
        let mut remembered = lock(&self.seen.memory);
        let suspects = remembered.end(self.key, records);
        if result.is_ok() {
            remembered.applied = Some(AppliedFacts {
                digest: delivered.digest,
                generation: object.metadata.generation.unwrap_or_default(),
                compared: Instant::now(),
                is_healthy: false,
            });
        }
        drop(remembered);
        for id in suspects {
            drift::tell(self.context, self.key, &id);
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

    fn cluster(&self, object: &Kustomization) -> Result<Cluster, DeliverError> {
        let discovery = self.context.discovery.clone();
        let account = object.spec.service_account_name.as_deref();
        let default = self.context.settings.default_service_account.as_deref();
        let client = match account.or(default) {
            None => self.context.clients.own().clone(),
            Some(name) => self
                .context
                .clients
                .acting_as(&self.key.namespace, name)
                .map_err(DeliverError::Client)?,
        };
        Ok(Cluster::new(client, discovery))
    }

    fn plan_settings(&self, object: &Kustomization) -> Settings {
        let namespace = |name: &str| ObjectId::new("", name, "", "Namespace");
        Settings {
            prune: object.spec.prune,
            custom_stage: BTreeSet::new(),
            protected: BTreeSet::from([
                namespace(&self.key.namespace),
                namespace(&self.context.settings.own_namespace),
            ]),
        }
    }

    async fn check_health(
        &self,
        object: &Arc<Kustomization>,
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
            generation: object.metadata.generation.unwrap_or_default(),
            revision: attempted.revision.clone(),
            requested: requested_at(&object.metadata).map(str::to_owned),
        };
        let cluster = self.cluster(object)?;
        let started = Instant::now();
        if health::are_healthy(&cluster, &awaited, &attempted.healthy).await {
            lock(&self.seen.memory).note_health();
            return Ok(Done::Healthy(attempted.clone(), started.elapsed()));
        }
        let timeout = object.spec.timeout().unwrap_or_default();
        health::watch(self.context, self.key, cluster, awaited, timeout, attempt);
        Ok(Done::HealthPending(attempted.clone()))
    }

    async fn finalize(
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
        self.context.memories.remove(self.key);
        self.context
            .renderer
            .forget(&self.key.namespace, &self.key.name);
        Ok(Done::Finalized(attempted.clone()))
    }

    async fn delete_all(
        &self,
        object: &Arc<Kustomization>,
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
        if !self.account_exists(object).await {
            let names: Vec<_> = inventory.iter().map(|(id, _)| id.subject()).collect();
            attempted.pruned = format!("unable to prune objects: \n{}", names.join("\n"));
            return Ok(());
        }
        let cluster = self.cluster(object)?;
        let owner = Owner::kustomization(&self.key.name, &self.key.namespace);
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
    async fn account_exists(&self, object: &Kustomization) -> bool {
        let default = self.context.settings.default_service_account.as_deref();
        let Some(name) = object.spec.service_account_name.as_deref().or(default) else {
            return true;
        };
        let api: kube::Api<k8s_openapi::api::core::v1::ServiceAccount> =
            kube::Api::namespaced(self.context.clients.own().clone(), &self.key.namespace);
        !matches!(api.get_metadata_opt(name).await, Ok(None))
    }
}

fn note(attempted: &mut Attempted, applied: &Applied) {
    attempted.inventory = Some(applied.inventory.clone());
    let lines = |wanted: fn(Action) -> bool| {
        let changes = applied
            .changes
            .iter()
            .filter(|change| wanted(change.action));
        changes
            .map(ToString::to_string)
            .collect::<Vec<_>>()
            .join("\n")
    };
    attempted.changes = lines(|action| matches!(action, Action::Created | Action::Configured));
    let current = |change: &&Change| {
        change
            .health
            .as_ref()
            .is_some_and(|verdict| verdict.status == Status::Current)
    };
    let healthy = applied
        .changes
        .iter()
        .filter(current)
        .map(|change| change.id.clone());
    attempted.healthy = healthy.collect();
    attempted.pruned = lines(|action| action == Action::Deleted);
}

fn inventory_of(object: &Kustomization) -> Result<Inventory, DeliverError> {
    let entries = object
        .status
        .inventory
        .iter()
        .flat_map(|inventory| &inventory.entries);
    Inventory::from_entries(entries.map(|entry| (entry.id.as_str(), entry.v.as_str())))
        .map_err(DeliverError::Inventory)
}

/// Returns the inventory in the form of the status.
pub(super) fn to_status(inventory: &Inventory) -> StatusInventory {
    let entries = inventory
        .to_entries()
        .into_iter()
        .map(|(id, v)| InventoryEntry { id, v });
    StatusInventory {
        entries: entries.collect(),
    }
}

fn common_metadata(object: &Kustomization) -> CommonMetadata {
    let Some(common) = &object.spec.common_metadata else {
        return CommonMetadata::default();
    };
    CommonMetadata {
        labels: common.labels.clone(),
        annotations: common.annotations.clone(),
    }
}
