//! Keeps what another version of a plugin no longer returns, until a person lets it go. Pure.
//!
//! A plugin may be updated by a tag that moved, without a commit and without a look by anybody. What
//! it creates and changes can be mended by the version before; what it makes us delete cannot.

use bulkhead_api::conditions;
use bulkhead_api::meta::is_requested;
use bulkhead_api::names::annotation;
use bulkhead_api::names::condition::READY;
use bulkhead_api::{ObjectId, reason};
use bulkhead_apply::Object;

use super::item::Item;
use super::outcome::DeliverError;
use crate::catalogue::Scope;
use crate::delivery::{Delivered, Request};

/// Names the plugins of a request that are no part of the binary, with the digests of their
/// components: `cue@sha256:…,labels@sha256:…`; `None` when there is none.
pub(super) fn plugins(request: &Request) -> Option<String> {
    let stages = std::iter::once(&request.renderer).chain(&request.transformers);
    let foreign = stages.filter(|stage| stage.plugin.scope != Scope::BuiltIn);
    let named: Vec<String> = foreign
        .map(|stage| format!("{}@{}", stage.plugin.name, stage.plugin.plugin.digest()))
        .collect();
    (!named.is_empty()).then(|| named.join(","))
}

/// Refuses a render of other versions of the plugins than the last one, of the same revision and
/// specification, that leaves out what is applied. A request for a reconciliation lets it pass.
pub(super) fn check(
    object: &Item,
    request: &Request,
    delivered: &Delivered,
    revision: &str,
) -> Result<(), DeliverError> {
    let Some(now) = plugins(request).filter(|_| object.spec.prune) else {
        return Ok(());
    };
    let is_same_spec = object.metadata().generation == Some(object.status.observed_generation);
    let is_same_revision = object.status.last_applied_revision.as_deref() == Some(revision);
    // What was kept is not let go by a commit that happens to follow.
    let is_kept = conditions::get(&object.status.conditions, READY)
        .is_some_and(|ready| ready.reason == reason::own::PLUGIN_CHANGED_OUTPUT);
    let last = object.status.last_handled_reconcile_at.as_deref();
    let is_asked = is_requested(object.metadata(), last);
    let Some(before) = before(object).filter(|before| *before != now) else {
        return Ok(());
    };
    if is_asked || !(is_kept || (is_same_spec && is_same_revision)) {
        return Ok(());
    }
    let lost = lost(&object.raw().inventory(), &delivered.objects);
    if lost.is_empty() {
        return Ok(());
    }
    Err(DeliverError::UpgradePrunes {
        before: before.to_owned(),
        now,
        lost,
    })
}

/// The plugins of what was applied last.
fn before(object: &Item) -> Option<&str> {
    let succeeded = |status: &str| status == reason::RECONCILIATION_SUCCEEDED;
    let mut history = object.status.history.iter();
    let last = history.find(|one| succeeded(&one.last_reconciled_status))?;
    let plugins = last.metadata.get(annotation::PLUGINS)?;
    Some(plugins)
}

/// The objects that are applied and not among those that were rendered. Of a rendered object that
/// names no namespace, any will do.
fn lost(applied: &[ObjectId], rendered: &[Object]) -> Vec<ObjectId> {
    let is_there = |id: &ObjectId| {
        let mut ids = rendered.iter().map(Object::id);
        ids.any(|one| {
            let same = (&one.group, &one.kind, &one.name) == (&id.group, &id.kind, &id.name);
            let either = one.namespace.is_empty() || id.namespace.is_empty();
            same && (either || one.namespace == id.namespace)
        })
    };
    let lost = applied.iter().filter(|id| !is_there(id));
    lost.cloned().collect()
}
