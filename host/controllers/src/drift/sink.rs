//! Judges what the watch of one kind shows, and tells those whose objects are suspect.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use bulkhead_api::ObjectId;
use bulkhead_apply::target::cluster::Resource;
use serde_json::Value;
use serde_json::value::RawValue;

use super::Policy;
use crate::applier::memory::lock;
use crate::applier::{Face, Name, Raw};
use crate::clock;
use crate::context::Context;
use crate::queue::{Class, Key};
use crate::report::{Audience, Report};
use crate::watch::Sink;

/// Reason of the Event that tells of a suspect.
const DRIFT_DETECTED: &str = "DriftDetected";

/// Receives the events of one kind.
pub(super) struct KindSink {
    context: Weak<Context>,
    face: Face,
    resource: Resource,
    is_live: Arc<AtomicBool>,
    listed: Mutex<Option<HashSet<ObjectId>>>,
}

impl KindSink {
    pub(super) fn new(
        context: Weak<Context>,
        face: Face,
        resource: Resource,
        is_live: Arc<AtomicBool>,
    ) -> Self {
        Self {
            context,
            face,
            resource,
            is_live,
            listed: Mutex::default(),
        }
    }

    /// Reads who the object is and whose it is; its metadata stay as they are.
    fn read(&self, object: &RawValue) -> Option<(ObjectId, Name, Value)> {
        let live: Value = serde_json::from_str(object.get()).ok()?;
        let metadata = live.get("metadata")?;
        let text = |name: &str| {
            metadata
                .get(name)
                .and_then(Value::as_str)
                .unwrap_or_default()
        };
        let label = |name: &str| metadata.get("labels")?.get(name)?.as_str();
        let Resource { group, kind, .. } = &self.resource;
        let id = ObjectId::new(text("namespace"), text("name"), group, kind);
        let face = self.face;
        let key = Key::new(
            label(face.owner_namespace_label())?,
            label(face.owner_label())?,
        );
        let owner = Name { face, key };
        Some((id, owner, live))
    }

    fn judge(&self, owner: &Name, id: &ObjectId, live: Option<&Value>) {
        let Some(context) = self.context.upgrade() else {
            return;
        };
        // Objects that nothing of ours recorded are none of our business.
        let Some(memory) = context.memories.find(owner) else {
            return;
        };
        let is_new = lock(&memory).saw(owner, id, live);
        if is_new {
            tell(&context, owner, id);
        }
    }
}

/// Notes a suspect: a metric, an Event, and the queue where drift is put back at once.
pub(crate) fn tell(context: &Context, owner: &Name, id: &ObjectId) {
    context.metrics.drifted("suspect", 1);
    let Some(object) = Raw::find(context, owner) else {
        return;
    };
    let subject = id.subject();
    tracing::info!(
        controllerKind = owner.face.kind(),
        name = &*owner.key.name,
        namespace = &*owner.key.namespace,
        object = subject,
        "somebody changed an applied object"
    );
    let report = Report::info(
        DRIFT_DETECTED,
        format!("{subject} is no longer as it was applied"),
    );
    let event = object.event(report, clock::now());
    context.reporter.report(event, Audience::Everyone);
    if Policy::of(&object) == Policy::Enforce {
        let queue = context.queues.of(owner.face);
        queue.add(owner.key.clone(), Class::Drift);
    }
}

impl Sink for KindSink {
    fn begin(&self) {
        *self.listed.lock().unwrap_or_else(PoisonError::into_inner) = Some(HashSet::new());
    }

    fn put(&self, object: &RawValue) {
        let Some((id, owner, live)) = self.read(object) else {
            return;
        };
        if let Some(listed) = &mut *self.listed.lock().unwrap_or_else(PoisonError::into_inner) {
            listed.insert(id.clone());
        }
        self.judge(&owner, &id, Some(&live));
    }

    fn delete(&self, object: &RawValue) {
        // The last form: it has the labels, also when it was a label that went.
        if let Some((id, owner, _)) = self.read(object) {
            self.judge(&owner, &id, None);
        }
    }

    fn end(&self) {
        let listed = self
            .listed
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        let (Some(listed), Some(context)) = (listed, self.context.upgrade()) else {
            return;
        };
        let Resource { group, kind, .. } = &self.resource;
        for object in context.appliers(self.face) {
            let gone = object.inventory().into_iter();
            let gone =
                gone.filter(|id| (&id.group, &id.kind) == (group, kind) && !listed.contains(id));
            for id in gone {
                self.judge(&object.name(), &id, None);
            }
        }
        self.is_live.store(true, Ordering::Release);
    }

    fn unavailable(&self, _why: &kube::Error) {
        self.is_live.store(false, Ordering::Release);
    }
}
