//! Waits for the health of what was applied, without holding a worker: a task looks, and the
//! object is woken when it knows.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use bulkhead_api::ObjectId;
use bulkhead_apply::health::Status;
use bulkhead_apply::target::cluster::{Awaited, Cluster, WaitOptions};
use bulkhead_apply::{Inventory, Object};
use futures::stream::{self, StreamExt};
use tokio::time::Instant;

use super::item::Item;
use super::memory::{Attempt, Health, HealthResult, Watcher, lock};
use super::name::Name;
use crate::context::Context;
use crate::queue::Class;

/// Objects that are looked at together.
const LOOKS: usize = 8;

/// Names the objects whose health the specification asks for: all that were applied with `wait`, else
/// those of `healthChecks`. Itself is left out: it would wait for ever.
pub(super) fn awaited(object: &Item, rendered: &[Object], inventory: &Inventory) -> Vec<Awaited> {
    let itself = object.id();
    let mut awaited = if object.spec.wait {
        inventory
            .iter()
            .map(|(id, version)| of_inventory(id, version, rendered))
            .collect()
    } else {
        of_references(object)
    };
    awaited.retain(|one: &Awaited| one.id != itself);
    awaited
}

/// A rendered object may have got its namespace later: kind and name tell whether it is a Job that
/// removes itself.
fn of_inventory(id: &ObjectId, version: &str, rendered: &[Object]) -> Awaited {
    let same = |object: &&Object| {
        let other = object.id();
        let namespace = other.namespace.is_empty() || other.namespace == id.namespace;
        namespace && (&other.name, &other.group, &other.kind) == (&id.name, &id.group, &id.kind)
    };
    let may_vanish = rendered
        .iter()
        .find(same)
        .is_some_and(|found| Awaited::of(found).may_vanish);
    Awaited {
        may_vanish,
        ..Awaited::new(id.clone(), version)
    }
}

fn of_references(object: &Item) -> Vec<Awaited> {
    let own = object.metadata().namespace.as_deref().unwrap_or_default();
    let references = object.spec.health_checks.iter();
    references
        .map(|reference| {
            let api_version = reference.api_version.as_deref().unwrap_or_default();
            let (group, version) = ObjectId::group_version(api_version);
            let namespace = reference.namespace.as_deref().unwrap_or(own);
            Awaited::new(
                ObjectId::new(namespace, &reference.name, group, &reference.kind),
                version,
            )
        })
        .collect()
}

/// Tells whether all are healthy already: what the apply's answers do not tell is asked for, once.
pub(super) async fn are_healthy(
    cluster: &Cluster,
    awaited: &[Awaited],
    known: &HashSet<ObjectId>,
) -> bool {
    let unknown = awaited.iter().filter(|one| !known.contains(&one.id));
    let looks: Vec<_> = unknown.map(|one| cluster.health(one)).collect();
    let mut verdicts = stream::iter(looks).buffer_unordered(LOOKS);
    while let Some(verdict) = verdicts.next().await {
        if verdict.status != Status::Current {
            return false;
        }
    }
    true
}

/// Starts to look. The task ends with the memory of the wait; when it knows, it wakes the object.
pub(super) fn watch(
    context: &Arc<Context>,
    name: &Name,
    cluster: Cluster,
    awaited: Vec<Awaited>,
    timeout: Duration,
    attempt: Attempt,
) {
    let memory = context.memories.of(name);
    let (context, name) = (Arc::downgrade(context), name.clone());
    let (remembered, of) = (Arc::downgrade(&memory), attempt.clone());
    // The task must find that it is waited for when it ends, however soon that is.
    let mut guard = lock(&memory);
    let task = tokio::spawn(async move {
        let started = Instant::now();
        let options = WaitOptions {
            timeout,
            fail_fast: true,
        };
        let result = cluster
            .wait(&awaited, options, std::future::pending())
            .await;
        let (Some(context), Some(remembered)) = (context.upgrade(), remembered.upgrade()) else {
            return;
        };
        let mut memory = lock(&remembered);
        // Another attempt may have taken its place.
        if matches!(&memory.health, Health::Waiting(waiting, _) if *waiting == of) {
            let took = started.elapsed();
            memory.health = Health::Finished(HealthResult {
                attempt: of,
                took,
                result,
            });
            drop(memory);
            let queue = context.queues.of(name.face);
            queue.add(name.key, Class::Dependency);
        }
    });
    guard.health = Health::Waiting(attempt, Watcher(task.abort_handle()));
}
