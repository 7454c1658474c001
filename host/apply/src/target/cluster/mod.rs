//! Carries a plan out in a cluster: server-side apply without asking first, stage by stage, prune,
//! and the waiting in between.
//!
//! Guarantees: the inventory is recorded before the first change; a failed stage is the last; what is
//! recorded and unchanged costs no request; nothing is deleted without uid and resource version.

mod api;
mod discovery;
mod live;
mod look;
mod prune;
mod send;
mod wait;

use std::future::Future;
use std::time::Duration;

use bulkhead_api::ObjectId;
use futures::stream::{self, StreamExt};

pub use api::ApiError;
pub use discovery::{Discovery, Resource};
pub use wait::{Awaited, WaitError, WaitOptions};

use super::{Applied, ApplyError, ObjectError};
use crate::drift::Records;
use crate::inventory::{Inventory, MAX_INVENTORY_BYTES};
use crate::metadata::{self, CommonMetadata, Owner, Scope};
use crate::normalize;
use crate::object::Object;
use crate::order;
use crate::parse;
use crate::plan::{self, Plan, Settings};
use api::Http;
use look::Todo;

/// How many requests of one apply are in flight.
const CONCURRENCY: usize = 8;
/// How long definitions and classes may take to become ready, as in Flux.
const DEFINITIONS_LIMIT: Duration = Duration::from_secs(60);

/// What is known before an apply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Check {
    /// The records are trusted: for a new revision.
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
}

impl Cluster {
    /// Applies as the identity of `client`; `discovery` may be another's, if the server is the same.
    pub fn new(client: kube::Client, discovery: Discovery) -> Self {
        Self {
            http: Http::new(client),
            discovery,
        }
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
        let objects = self
            .prepare(objects, owner, common, target_namespace)
            .await?;
        let plan = plan::plan(objects, inventory, owner, &settings);
        let Plan {
            stages,
            prune,
            kept: _,
            inventory_before,
            inventory_after,
        } = plan;
        check_size(&inventory_before)?;
        let run = Run {
            cluster: self,
            owner,
            force,
            accepted,
        };
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
        };
        applied.error = run
            .prune(prune, &mut Records::new(), &mut applied)
            .await
            .err();
        applied
    }

    /// Gives objects the form, the labels and the namespaces in which they are applied.
    async fn prepare(
        &self,
        mut objects: Vec<Object>,
        owner: &Owner,
        common: &CommonMetadata,
        target_namespace: &str,
    ) -> Result<Vec<Object>, ApplyError> {
        let defined = definitions(&objects);
        for object in &mut objects {
            normalize::normalize(object);
            let decrypted = owner.key("decrypt");
            let is_left = object
                .annotation(&decrypted)
                .is_some_and(|value| value == "disabled");
            if normalize::is_encrypted(object) && !is_left {
                return Err(ApplyError::Encrypted(object.id().clone()));
            }
            let scope = self.scope(object.id(), object.version(), &defined).await?;
            if !metadata::place(object, scope, target_namespace) {
                return Err(ApplyError::NoNamespace(object.id().clone()));
            }
        }
        parse::refuse_duplicates(&objects).map_err(ApplyError::Parse)?;
        metadata::set(&mut objects, owner, common);
        Ok(objects)
    }

    async fn scope(
        &self,
        id: &ObjectId,
        version: &str,
        defined: &[Definition],
    ) -> Result<Scope, ApplyError> {
        let own = defined
            .iter()
            .find(|own| own.group == id.group && own.kind == id.kind);
        if let Some(own) = own {
            return Ok(own.scope);
        }
        let found = self
            .discovery
            .find(&id.group, &id.kind, Some(version))
            .await;
        match found {
            Ok(Some(resource)) if resource.namespaced => Ok(Scope::Namespaced),
            Ok(Some(_)) => Ok(Scope::Cluster),
            Ok(None) => Ok(Scope::Unknown),
            Err(error) => Err(ApplyError::Unreachable {
                what: "what the API server serves".to_owned(),
                message: error.to_string(),
            }),
        }
    }
}

/// One apply: what all of its steps need.
struct Run<'a> {
    cluster: &'a Cluster,
    owner: &'a Owner,
    force: bool,
    accepted: bool,
}

/// A kind that comes with the objects.
struct Definition {
    group: String,
    kind: String,
    scope: Scope,
}

fn definitions(objects: &[Object]) -> Vec<Definition> {
    let crds = objects.iter().filter(|object| order::is_crd(object.id()));
    crds.map(|crd| {
        let spec = crd.body().get("spec");
        let text = |pointer: &str| {
            let value = spec.and_then(|spec| spec.pointer(pointer)?.as_str());
            value.unwrap_or_default().to_owned()
        };
        let scope = match text("/scope").as_str() {
            "Namespaced" => Scope::Namespaced,
            "Cluster" => Scope::Cluster,
            _ => Scope::Unknown,
        };
        Definition {
            group: text("/group"),
            kind: text("/names/kind"),
            scope,
        }
    })
    .collect()
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
async fn all<T, W, R, O>(items: impl IntoIterator<Item = T>, work: W) -> Vec<O>
where
    W: Fn(T) -> R,
    R: Future<Output = O>,
{
    stream::iter(items.into_iter().map(work))
        .buffered(CONCURRENCY)
        .collect()
        .await
}

/// Names what failed, without any value of a Secret.
fn object_error(object: &Object, what: &str, error: &ApiError) -> ObjectError {
    let message = send::scrub(object, &error.to_string());
    let what = format!("{what}{}", error.in_brackets());
    ObjectError {
        id: Box::new(object.id().clone()),
        what,
        message,
    }
}
