//! What OCIRepository, HelmRepository and HelmChart have in common: an object with a finalizer, an
//! artifact that is hashed again at every run, conditions that say what happened, events, and when
//! the next run is due. What is fetched, and how, is in the folder of each kind.

mod artifact;
pub(crate) mod files;
mod outcome;
pub(crate) mod registry;
pub(crate) mod report;
pub(crate) mod secrets;
mod silence;
mod status;
mod storage;

use std::sync::Arc;
use std::time::Duration;

use bulkhead_api::SpecError;
use bulkhead_api::meta::{Artifact, Condition};
use bulkhead_api::source::{HelmChart, HelmRepository, OCIRepository};

use crate::context::Context;
use crate::kind::Kind;
use crate::queue::{Key, Queue};
use crate::status::{WriteError, add_finalizer, write_broken};
use crate::watch::{Change, Store};
use crate::worker::Failures;

pub use artifact::{ArtifactError, read as read_artifact};
pub(crate) use outcome::{Done, Failure, Good, Newer, Outcome, Place, Signature};
pub use silence::Silence;
pub(crate) use status::next;
pub use storage::StoreError;
pub(crate) use storage::{Label, blocking, is_held, put};

/// Objects of one kind as the API server shows them, and what is to be done about them.
pub struct Kept<K: Kind> {
    /// The objects.
    pub store: Store<K>,
    /// What is to be reconciled.
    pub queue: Queue,
    /// Failures in a row.
    pub failures: Failures,
    /// Waits that nobody was told of yet.
    pub silence: Silence,
}

impl<K: Kind> Kept<K> {
    pub(crate) fn new(store: Store<K>, queue: Queue) -> Self {
        Self {
            store,
            queue,
            failures: Failures::default(),
            silence: Silence::default(),
        }
    }
}

/// What all sources have in their status.
pub(crate) struct Common<'a> {
    pub(crate) observed_generation: &'a mut i64,
    pub(crate) conditions: &'a mut Vec<Condition>,
    pub(crate) artifact: &'a mut Option<Artifact>,
    pub(crate) url: &'a mut Option<String>,
    pub(crate) last_handled: &'a mut Option<String>,
}

/// A kind whose status has an artifact.
pub(crate) trait Source: Kind {
    /// Name of the file beside the artifacts that always leads to the newest.
    const LATEST: &'static str;

    /// Returns the artifact of the status.
    fn artifact(&self) -> Option<&Artifact>;
    /// Returns the parts of a status that all sources have.
    fn common(status: &mut Self::Status) -> Common<'_>;
    /// Tells whether it is used without an artifact of its own.
    fn is_static(&self) -> bool {
        false
    }
    /// Returns how often it is looked at.
    fn interval(&self) -> Result<Duration, SpecError>;
    /// Returns where its objects are kept.
    fn kept(context: &Context) -> &Kept<Self>;
}

macro_rules! source {
    ($kind:ty, $latest:literal, $kept:ident $(, $is_static:expr)?) => {
        impl Source for $kind {
            const LATEST: &'static str = $latest;

            fn artifact(&self) -> Option<&Artifact> {
                self.status.artifact.as_ref()
            }
            fn common(status: &mut Self::Status) -> Common<'_> {
                Common {
                    observed_generation: &mut status.observed_generation,
                    conditions: &mut status.conditions,
                    artifact: &mut status.artifact,
                    url: &mut status.url,
                    last_handled: &mut status.last_handled_reconcile_at,
                }
            }
            $(
                fn is_static(&self) -> bool {
                    $is_static(self)
                }
            )?
            fn interval(&self) -> Result<Duration, SpecError> {
                self.spec.interval()
            }
            fn kept(context: &Context) -> &Kept<Self> {
                &context.$kept
            }
        }
    };
}

source!(OCIRepository, "latest.tar.gz", oci_repositories);
source!(
    HelmRepository,
    "index.yaml",
    helm_repositories,
    |repository: &HelmRepository| repository.spec.is_oci()
);
source!(HelmChart, "latest.tar.gz", helm_charts);

/// Returns the object, with the finalizer; `None` when there is none to reconcile.
pub(crate) async fn object<K: Source>(
    context: &Context,
    key: &Key,
) -> Result<Option<Arc<K>>, WriteError> {
    let store = &K::kept(context).store;
    match store.get(key) {
        None => {
            if let Some(broken) = store.broken(key) {
                write_broken::<K>(context.clients.own(), &broken).await?;
            }
            Ok(None)
        }
        Some(object) if object.meta().deletion_timestamp.is_some() => Ok(Some(object)),
        Some(object) => add_finalizer(context.clients.own(), store, &object)
            .await
            .map(Some),
    }
}

/// Tells whether a change is one that those who have the source must see: a new artifact, or one that
/// was made anew, or, of a kind of source that has none, another specification.
pub(crate) fn must_wake<K: Source>(change: &Change<K>) -> bool {
    let Change::Put { before, now } = change else {
        return false;
    };
    let before = before.as_deref();
    if now.is_static() {
        let before = before.filter(|before| before.is_static());
        return before.is_none_or(|before| before.meta().generation != now.meta().generation);
    }
    let before = before.filter(|before| !before.is_static());
    is_new(before.and_then(K::artifact), now.artifact())
}

/// Tells whether there is another artifact than before, or one that was made anew: that may have been
/// missed.
pub(crate) fn is_new(before: Option<&Artifact>, now: Option<&Artifact>) -> bool {
    now.is_some_and(|now| {
        before.is_none_or(|before| {
            before.revision != now.revision
                || before.digest != now.digest
                || before.last_update_time != now.last_update_time
        })
    })
}

/// Removes all artifacts of an object that is deleted.
pub(crate) async fn remove_artifacts<K: Source>(
    context: &Context,
    key: &Key,
) -> Result<(), std::io::Error> {
    let (archives, key) = (context.archives.clone(), key.clone());
    blocking(move || archives.remove(K::KIND, &key)).await
}
