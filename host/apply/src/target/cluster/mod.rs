//! Carries a plan out in a cluster: server-side apply without asking first, stage by stage, prune,
//! and the waiting in between.
//!
//! Guarantees: the inventory is recorded before the first change; a failed stage is the last; what is
//! recorded and unchanged costs no request; nothing is deleted without uid and resource version.

pub(crate) mod api;
mod discovery;
mod live;
mod look;
mod prepare;
mod prune;
mod recreate;
mod send;
mod stage;
mod wait;

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use futures::stream::{self, StreamExt};
use jiff::Timestamp;
use serde_json::Value;

pub use api::ApiError;
pub use discovery::{Discovery, Resource};
pub(crate) use live::adopt_updates;
pub(crate) use prepare::{definition_scopes, definition_versions};
pub use wait::{Awaited, WaitError, WaitOptions};

use super::{Applied, ApplyError, ObjectError};
use crate::drift::Records;
use crate::health::{self, Checks, Verdict};
use crate::inventory::{Inventory, MAX_INVENTORY_BYTES};
use crate::metadata::{CommonMetadata, Owner};
use crate::object::Object;
use crate::plan::{self, Plan, Settings};
use api::Http;
use look::Todo;
use prepare::{Definition, definitions};

/// How many requests of one apply are in flight.
const CONCURRENCY: usize = 8;
/// How long definitions and classes may take to become ready, as in Flux.
const DEFINITIONS_LIMIT: Duration = Duration::from_secs(60);

/// The pause between looks at something that is awaited; it doubles up to the second one.
const LOOK_PAUSES: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(1));

/// What is known before an apply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Check {
    /// The records are trusted: for a new revision. Objects without a record are looked at, but on
    /// a first apply (an empty inventory): then an object that is there already, and that somebody
    /// marked to be left alone, is applied once.
    Records,
    /// The metadata of all objects are read, and what others changed is put back: at the interval.
    Live,
}

/// What to apply, for whom, and how.
#[derive(Clone, Debug)]
pub struct Request<'a> {
    /// The rendered objects.
    pub objects: Vec<Object>,
    /// What the last apply recorded.
    pub inventory: &'a Inventory,
    /// Who applies.
    pub owner: &'a Owner,
    /// Labels and annotations for all.
    pub common: &'a CommonMetadata,
    /// The namespace for namespaced objects without one; empty for none.
    pub target_namespace: &'a str,
    /// Prune, custom stages, protected objects.
    pub settings: Settings,
    /// `spec.force`: objects are recreated where fields are immutable.
    pub force: bool,
    /// What is believed without asking.
    pub check: Check,
    /// This revision was applied before: its bytes need no dry-run again.
    pub accepted: bool,
}

/// An API server under one identity. Cheap to clone.
#[derive(Clone)]
pub struct Cluster {
    http: Http,
    discovery: Discovery,
    checks: Arc<Checks>,
}

impl Cluster {
    /// Applies as the identity of `client`; `discovery` may be another's, if the server is the same.
    pub fn new(client: kube::Client, discovery: Discovery) -> Self {
        Self {
            http: Http::new(client),
            discovery,
            checks: Arc::default(),
        }
    }

    /// Lets expressions tell the health of some kinds.
    #[must_use]
    pub fn with_checks(self, checks: Checks) -> Self {
        let checks = Arc::new(checks);
        Self { checks, ..self }
    }

    /// Returns how a live object is doing.
    pub(crate) fn status(&self, object: &Value) -> Verdict {
        let custom = self.checks.verdict(object);
        custom.unwrap_or_else(|| health::status(object, Timestamp::now()))
    }

    /// Returns how a live object is doing by the expressions, if there are any for its kind.
    pub(crate) fn custom_status(&self, object: &Value) -> Option<Verdict> {
        self.checks.verdict(object)
    }

    /// Returns the connection.
    pub(crate) fn http(&self) -> &Http {
        &self.http
    }

    /// Returns what the server serves.
    pub fn discovery(&self) -> &Discovery {
        &self.discovery
    }

    /// Returns the client.
    pub fn client(&self) -> &kube::Client {
        self.http.client()
    }

    /// Brings the cluster to what `request` wants.
    ///
    /// `before_first_change` must have recorded the inventory that it gets when it returns; it is
    /// called at most once, and not when nothing changes or nothing new is added. Record
    /// [`Applied::inventory`] in the end, whatever came of it.
    pub async fn apply<F, R>(
        &self,
        request: Request<'_>,
        records: &mut Records,
        before_first_change: F,
    ) -> Applied
    where
        F: FnOnce(Inventory) -> R,
        R: Future<Output = Result<(), String>>,
    {
        let mut applied = Applied {
            inventory: request.inventory.clone(),
            ..Applied::default()
        };
        let result = self
            .run(request, records, before_first_change, &mut applied)
            .await;
        applied.error = result.err();
        applied
    }

    async fn run<F, R>(
        &self,
        request: Request<'_>,
        records: &mut Records,
        before_first_change: F,
        applied: &mut Applied,
    ) -> Result<(), ApplyError>
    where
        F: FnOnce(Inventory) -> R,
        R: Future<Output = Result<(), String>>,
    {
        let Request {
            objects,
            inventory,
            owner,
            common,
            target_namespace,
            settings,
            force,
            check,
            accepted,
        } = request;
        let defined = definitions(&objects);
        let run = Run {
            cluster: self,
            owner,
            force,
            accepted,
            defined,
        };
        let objects = run.prepare(objects, common, target_namespace).await?;
        let plan = plan::plan(objects, inventory, owner, &settings);
        let Plan {
            stages,
            prune,
            kept: _,
            inventory_before,
            inventory_after,
        } = plan;
        check_size(&inventory_before)?;
        let stages = run.look(stages, inventory, records, check).await;
        let applies = stages
            .iter()
            .any(|(_, todos)| todos.iter().any(Todo::is_apply));
        if applies && inventory_before != *inventory {
            before_first_change(inventory_before.clone())
                .await
                .map_err(ApplyError::WriteAhead)?;
        }
        if applies {
            applied.inventory = inventory_before;
        }
        for (stage, todos) in stages {
            run.stage(stage, todos, records, applied).await?;
        }
        applied.inventory = inventory_after;
        run.prune(prune, records, applied).await
    }

    /// Deletes what is left of a delivery, as pruning does: for its finalizer.
    ///
    /// Protected objects stay, and stay in [`Applied::inventory`].
    pub async fn delete_all(
        &self,
        inventory: &Inventory,
        owner: &Owner,
        settings: &Settings,
    ) -> Applied {
        let settings = Settings {
            prune: true,
            ..settings.clone()
        };
        let Plan {
            stages: _,
            prune,
            kept: _,
            inventory_before: _,
            inventory_after,
        } = plan::plan(Vec::new(), inventory, owner, &settings);
        let mut applied = Applied {
            inventory: inventory_after,
            ..Applied::default()
        };
        let run = Run {
            cluster: self,
            owner,
            force: false,
            accepted: false,
            defined: Vec::new(),
        };
        applied.error = run
            .prune(prune, &mut Records::new(), &mut applied)
            .await
            .err();
        applied
    }
}

/// One apply: what all of its steps need.
struct Run<'a> {
    cluster: &'a Cluster,
    owner: &'a Owner,
    force: bool,
    accepted: bool,
    /// The kinds that come with the objects.
    defined: Vec<Definition>,
}

fn check_size(inventory: &Inventory) -> Result<(), ApplyError> {
    let bytes = inventory.bytes();
    if bytes > MAX_INVENTORY_BYTES {
        return Err(ApplyError::InventoryTooLarge {
            objects: inventory.len(),
            bytes,
        });
    }
    Ok(())
}

/// Runs `work` on all items, [`CONCURRENCY`] at a time; the results come in the order of the items.
///
/// The futures are made before the first is polled: a closure that is held over an await makes the
/// whole future one that the compiler cannot prove to be `Send`.
pub(crate) fn all<T, W, R, O>(
    items: impl IntoIterator<Item = T>,
    work: W,
) -> impl Future<Output = Vec<O>>
where
    W: FnMut(T) -> R,
    R: Future<Output = O>,
{
    let work: Vec<R> = items.into_iter().map(work).collect();
    stream::iter(work).buffered(CONCURRENCY).collect()
}

/// Names what failed, without any value of a Secret.
pub(crate) fn object_error(object: &Object, what: &str, error: &ApiError) -> ObjectError {
    let message = send::scrub(object, &error.to_string());
    let what = format!("{what}{}", error.in_brackets());
    ObjectError {
        id: Box::new(object.id().clone()),
        what,
        message,
    }
}
