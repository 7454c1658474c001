//! Finds out at once when somebody changes an applied object: one watch of metadata for each kind
//! that is in an inventory.
//!
//! What a watch shows is judged by the records of the last apply. A suspect is compared with the
//! cluster and put back at the interval of its Kustomization, as Flux does, or at once where the
//! Kustomization asks for that. While nothing is suspect, an interval costs no request.

mod sink;

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use bulkhead_api::ObjectId;
use bulkhead_apply::target::cluster::Resource;
use tokio::task::JoinSet;

use crate::applier::{Face, Raw};
use crate::context::Context;
use crate::watch::{self, Target};
use sink::KindSink;
pub(crate) use sink::tell;

/// Annotation of a Kustomization or Delivery that says what to do about drift: see [`Policy`].
pub const ANNOTATION: &str = "bulkhead.dev/drift";

/// Kinds that are watched, at most; those beyond are compared at every interval.
const MAX_KINDS: usize = 500;

/// What to do about drift.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Policy {
    /// Put it back at the interval: the default, and what Flux does.
    Interval,
    /// Put it back at once.
    Enforce,
}

impl Policy {
    /// Reads the annotation; what it does not know is the default.
    pub fn of(object: &Raw) -> Self {
        let annotations = object.metadata().annotations.as_ref();
        match annotations.and_then(|all| all.get(ANNOTATION)) {
            Some(value) if value.eq_ignore_ascii_case("enforce") => Self::Enforce,
            _ => Self::Interval,
        }
    }
}

/// Whose objects, their group and kind: a selector of labels cannot name two owners.
type Watched = (Face, String, String);

/// The watches of one term.
#[derive(Debug, Default)]
pub struct Drift {
    kinds: Mutex<HashMap<Watched, Arc<AtomicBool>>>,
    tasks: Mutex<JoinSet<()>>,
}

impl Drift {
    /// Watches the kinds of these objects from now on.
    pub fn watch<'a>(
        &self,
        context: &Arc<Context>,
        face: Face,
        objects: impl Iterator<Item = (&'a ObjectId, &'a str)>,
    ) {
        for (id, version) in objects {
            let kind = (face, id.group.clone(), id.kind.clone());
            let mut kinds = self.kinds.lock().unwrap_or_else(PoisonError::into_inner);
            if kinds.contains_key(&kind) || kinds.len() >= MAX_KINDS {
                continue;
            }
            let is_live = Arc::new(AtomicBool::new(false));
            kinds.insert(kind.clone(), is_live.clone());
            let follow = follow(Arc::downgrade(context), kind, version.to_owned(), is_live);
            self.tasks
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .spawn(follow);
        }
    }

    /// Tells whether a watch would have shown a change of each of these objects.
    pub fn covers<'a>(&self, face: Face, mut objects: impl Iterator<Item = &'a ObjectId>) -> bool {
        let kinds = self.kinds.lock().unwrap_or_else(PoisonError::into_inner);
        objects.all(|id| {
            kinds
                .get(&(face, id.group.clone(), id.kind.clone()))
                .is_some_and(|is_live| is_live.load(Ordering::Acquire))
        })
    }
}

/// Follows one kind until the term ends. `is_live` is true while a complete listing was seen and the
/// kind is served.
async fn follow(
    context: Weak<Context>,
    (face, group, kind): Watched,
    version: String,
    is_live: Arc<AtomicBool>,
) {
    let mut failures = 0;
    let resource = loop {
        let found = match context.upgrade() {
            None => return,
            Some(context) => context.discovery.find(&group, &kind, Some(&version)).await,
        };
        match found {
            Ok(Some(resource)) => break resource,
            // A definition that was just made is served in a moment.
            Ok(None) | Err(_) => failures += 1,
        }
        let pause = crate::backoff::pause(failures, crate::backoff::LONGEST_SERVER);
        tokio::time::sleep(pause).await;
    };
    let Some(strong) = context.upgrade() else {
        return;
    };
    let client = strong.clients.watching().clone();
    drop(strong);
    let target = Target {
        path: collection(&resource),
        labels: face.owner_label().to_owned(),
        metadata_only: true,
    };
    let sink = KindSink::new(context, face, resource, is_live);
    watch::follow(client, target, &sink).await;
}

/// Path of all objects of a kind, in all namespaces.
fn collection(resource: &Resource) -> String {
    let Resource {
        group,
        version,
        plural,
        ..
    } = resource;
    match group.as_str() {
        "" => format!("/api/{version}/{plural}"),
        group => format!("/apis/{group}/{version}/{plural}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn collections_are_of_all_namespaces() {
        let resource = |group: &str| Resource {
            group: group.to_owned(),
            version: "v1".to_owned(),
            kind: "X".to_owned(),
            plural: "xs".to_owned(),
            namespaced: true,
        };
        assert_eq!(collection(&resource("")), "/api/v1/xs");
        assert_eq!(collection(&resource("apps")), "/apis/apps/v1/xs");
    }

    #[test]
    fn a_kind_that_nobody_watches_is_not_covered() {
        let id = ObjectId::new("a", "b", "", "ConfigMap");
        let (drift, face) = (Drift::default(), Face::Kustomization);
        assert!(!drift.covers(face, [&id].into_iter()));
        let is_live = Arc::new(AtomicBool::new(false));
        let kinds = || drift.kinds.lock().unwrap_or_else(PoisonError::into_inner);
        kinds().insert((face, String::new(), "ConfigMap".into()), is_live.clone());
        assert!(!drift.covers(face, [&id].into_iter()), "not listed yet");
        is_live.store(true, Ordering::Release);
        assert!(drift.covers(face, [&id].into_iter()));
        assert!(drift.covers(face, [].into_iter()), "nothing cannot change");
        let others = Face::Delivery;
        assert!(
            !drift.covers(others, [&id].into_iter()),
            "others have other labels"
        );
    }
}
