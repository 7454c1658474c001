//! Gathers what a decision needs: the source, the dependencies, the plugins, variables and inputs,
//! and what is remembered of the object.

use std::sync::{Arc, Mutex};

use bulkhead_api::conditions;
use bulkhead_api::delivery::Delivery;
use bulkhead_api::kustomize::{Kustomization, SourceKind};
use bulkhead_api::meta::{Artifact, Condition};
use bulkhead_api::names::condition::{FETCH_FAILED, STORAGE_OPERATION_FAILED};
use bulkhead_api::source::{ExternalArtifact, GitRepository, OCIRepository};

use super::dependencies::{self, Unready};
use super::item::{Item, Raw};
use super::memory::{AppliedFacts, Attempt, Health, HealthResult, Memory, lock};
use super::name::{Face, Name};
use super::plugins::{self, Chosen, PluginsError};
use super::values::{self, ValuesError};
use crate::context::Context;
use crate::delivery::substitute::Substitution;
use crate::index::{Awaited, SourceId};
use crate::kind::Kind;
use crate::queue::{Class, Key};
use crate::sources::ArtifactError;
use crate::sources::files::load_external;
use crate::status::{self, WriteError};
use crate::trees::Loaded;
use crate::watch::Store;

/// The source, as far as it is there.
#[derive(Clone, Debug)]
pub(super) enum Source {
    /// It does not exist.
    Missing,
    /// It has no artifact.
    NoArtifact,
    /// It has one, but this process has not loaded its files yet.
    Loading {
        /// Loading was tried and failed.
        failed: bool,
    },
    /// Its artifact, another controller's, cannot be loaded.
    Failed(String),
    /// Its files are loaded.
    Ready(Box<Artifact>, Arc<Loaded>),
}

/// What the memory says.
#[derive(Debug, Default)]
pub(super) struct Remembered {
    pub(super) applied: Option<AppliedFacts>,
    pub(super) has_suspects: bool,
    /// What is waited for, and not over.
    pub(super) waiting: Option<Attempt>,
    /// A wait that has ended.
    pub(super) health: Option<HealthResult>,
}

/// What there is.
#[derive(Debug)]
pub(super) struct Observed {
    pub(super) source: Source,
    pub(super) cycle: Option<Vec<Name>>,
    pub(super) unready: Option<Unready>,
    pub(super) plugins: Result<Chosen, PluginsError>,
    pub(super) values: Result<Values, ValuesError>,
    pub(super) remembered: Remembered,
    pub(super) memory: Arc<Mutex<Memory>>,
}

/// What ConfigMaps and Secrets give.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Values {
    pub(super) substitution: Substitution,
    pub(super) inputs: Vec<(String, Vec<u8>)>,
}

/// Returns the object, with the finalizer; `None` when there is none to reconcile.
pub(super) async fn object(
    context: &Context,
    name: &Name,
) -> Result<Option<Arc<Item>>, WriteError> {
    let raw = match Raw::find(context, name) {
        None => {
            match name.face {
                Face::Kustomization => {
                    broken::<Kustomization>(context, &context.kustomizations, &name.key).await?;
                }
                Face::Delivery => {
                    broken::<Delivery>(context, &context.deliveries, &name.key).await?;
                }
            }
            return Ok(None);
        }
        Some(raw) if raw.metadata().deletion_timestamp.is_some() => raw,
        Some(raw) => Item::add_finalizer(context, &raw).await?,
    };
    Ok(Some(Arc::new(Item::of(raw))))
}

/// Says on an object that cannot be read what is wrong with it.
async fn broken<K: Kind>(context: &Context, store: &Store<K>, key: &Key) -> Result<(), WriteError> {
    match store.broken(key) {
        Some(broken) => status::write_broken::<K>(context.clients.own(), &broken).await,
        None => Ok(()),
    }
}

/// Names the source of an object; `None` for one of a kind that is not supported.
pub(super) fn source_id(object: &Raw) -> Option<SourceId> {
    let reference = object.source();
    let own = object.metadata().namespace.as_deref().unwrap_or_default();
    let namespace = reference.namespace.as_deref().unwrap_or(own);
    let key = Key::new(namespace, &reference.name);
    match reference.kind {
        SourceKind::GitRepository => Some(SourceId::new::<GitRepository>(key)),
        SourceKind::OciRepository => Some(SourceId::new::<OCIRepository>(key)),
        SourceKind::ExternalArtifact => Some(SourceId::external(key)),
        SourceKind::Bucket | SourceKind::Other(_) => None,
    }
}

/// Reads what the object refers to. Who waits is noted before what it waits for is read, so that no
/// change goes unseen.
pub(super) async fn observe(object: &Item, context: &Context) -> Observed {
    let name = &object.name;
    let memory = context.memories.of(name);
    let source = source(object, context).await;
    let find = |name: &Name| Raw::find(context, name);
    let (mut cycle, mut unready) = (None, None);
    if !object.spec.depends_on.is_empty() {
        for dependency in object.raw().dependencies() {
            context.index.wait(name, Awaited::Dependency(dependency));
        }
        cycle = dependencies::cycle(object.raw(), find);
        if let Source::Ready(artifact, _) = &source {
            unready = dependencies::first_unready(object.raw(), &artifact.revision, find);
        }
    }
    let used = plugins::names(&object.spec);
    context.catalogue.set_uses(&name.user(), used);
    let plugins = plugins::resolve(&context.catalogue, &name.key.namespace, &object.spec);
    let is_ready = matches!(source, Source::Ready(..)) && cycle.is_none() && unready.is_none();
    let values = match is_ready && plugins.is_ok() {
        true => values(object, context).await,
        false => Ok(Values {
            substitution: without_variables(context),
            inputs: Vec::new(),
        }),
    };
    let remembered = remembered(&memory);
    Observed {
        source,
        cycle,
        unready,
        plugins,
        values,
        remembered,
        memory,
    }
}

async fn values(object: &Item, context: &Context) -> Result<Values, ValuesError> {
    let key = &object.name.key;
    let substitution = match &object.spec.post_build {
        Some(post_build) => values::substitution(post_build, key, context).await?,
        None => without_variables(context),
    };
    let inputs = values::inputs(&object.spec.inputs, key, context).await?;
    Ok(Values {
        substitution,
        inputs,
    })
}

async fn source(object: &Item, context: &Context) -> Source {
    let Some(source) = source_id(object.raw()) else {
        return Source::Missing;
    };
    let awaited = Awaited::Source(source.clone());
    context.index.wait(&object.name, awaited);
    let (artifact, conditions) = match source.kind {
        OCIRepository::KIND => match context.oci_repositories.store.get(&source.key) {
            None => return Source::Missing,
            Some(found) => (
                found.status.artifact.clone(),
                found.status.conditions.clone(),
            ),
        },
        ExternalArtifact::KIND => return external(&source, context).await,
        _ => match context.repositories.get(&source.key) {
            None => return Source::Missing,
            Some(found) => (
                found.status.artifact.clone(),
                found.status.conditions.clone(),
            ),
        },
    };
    let Some(artifact) = artifact else {
        return Source::NoArtifact;
    };
    match context.trees.get(&source) {
        Some(loaded) if loaded.is_of(&artifact) => Source::Ready(Box::new(artifact), loaded),
        _ => {
            if source.kind == OCIRepository::KIND {
                // Its files are loaded for those who ask.
                let queue = &context.oci_repositories.queue;
                queue.add(source.key.clone(), Class::Dependency);
            }
            Source::Loading {
                failed: has_failed(&conditions),
            }
        }
    }
}

/// Loads what another controller has made.
async fn external(source: &SourceId, context: &Context) -> Source {
    let Some(found) = context.external_artifacts.get(&source.key) else {
        return Source::Missing;
    };
    let Some(artifact) = &found.status.artifact else {
        return Source::NoArtifact;
    };
    match load_external(context, source, artifact).await {
        Ok(loaded) => Source::Ready(Box::new(artifact.clone()), loaded),
        Err(ArtifactError::NotFound { .. }) => Source::Loading { failed: true },
        Err(error) => Source::Failed(bulkhead_api::chain(&error)),
    }
}

fn has_failed(conditions: &[Condition]) -> bool {
    [FETCH_FAILED, STORAGE_OPERATION_FAILED]
        .iter()
        .any(|type_| conditions::is_true(conditions, type_))
}

fn remembered(memory: &Mutex<Memory>) -> Remembered {
    let memory = lock(memory);
    let (waiting, health) = match &memory.health {
        Health::None => (None, None),
        Health::Waiting(attempt, _) => (Some(attempt.clone()), None),
        Health::Finished(result) => (None, Some(result.clone())),
    };
    Remembered {
        applied: memory.applied.clone(),
        has_suspects: !memory.suspects.is_empty(),
        waiting,
        health,
    }
}

fn without_variables(context: &Context) -> Substitution {
    Substitution {
        strict: context.settings.strict_substitutions,
        ..Substitution::none()
    }
}
