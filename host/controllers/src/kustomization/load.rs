//! Gathers what a decision about a Kustomization needs: its source, its dependencies, its variables,
//! and what is remembered of it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use bulkhead_api::conditions;
use bulkhead_api::kustomize::{
    Kustomization, PostBuild, SourceKind, SubstituteStrategy, ValuesKind,
};
use bulkhead_api::meta::Artifact;
use bulkhead_api::names::condition::{FETCH_FAILED, STORAGE_OPERATION_FAILED};
use bulkhead_api::source::GitRepository;
use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use kube::Api;

use super::dependencies::{self, Unready};
use super::memory::{AppliedFacts, Attempt, Health, HealthResult, Memory, lock};
use crate::client::is_not_found;
use crate::context::Context;
use crate::delivery::substitute::{Substitution, Variables};
use crate::index::Awaited;
use crate::queue::Key;
use crate::status::{self, WriteError};
use crate::trees::Loaded;

/// The source, as far as it is there.
#[derive(Clone, Debug)]
pub(super) enum Source {
    /// The GitRepository does not exist.
    Missing,
    /// It has no artifact.
    NoArtifact,
    /// It has one, but this process has not loaded its files yet.
    Loading {
        /// Loading was tried and failed.
        failed: bool,
    },
    /// Its files are loaded.
    Ready(Box<Artifact>, Arc<Loaded>),
}

/// Why variables could not be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum VariablesError {
    /// A ConfigMap or Secret is not there.
    #[error("substitute from '{kind}/{name}' error: it does not exist")]
    Missing {
        /// `ConfigMap` or `Secret`.
        kind: String,
        /// Its name.
        name: String,
    },
    /// The server refused, or could not be reached.
    #[error("substitute from '{kind}/{name}' error: {message}")]
    Request {
        /// `ConfigMap` or `Secret`.
        kind: String,
        /// Its name.
        name: String,
        /// What it said.
        message: String,
    },
    /// A value is no text.
    #[error("substitute from '{kind}/{name}' error: the value of `{variable}` is not UTF-8")]
    NotText {
        /// `ConfigMap` or `Secret`.
        kind: String,
        /// Its name.
        name: String,
        /// The key.
        variable: String,
    },
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
    pub(super) cycle: Option<Vec<Key>>,
    pub(super) unready: Option<Unready>,
    pub(super) substitution: Result<Substitution, VariablesError>,
    pub(super) remembered: Remembered,
    pub(super) memory: Arc<Mutex<Memory>>,
}

/// Returns the object, with the finalizer; `None` when there is none to reconcile.
pub(super) async fn object(
    context: &Context,
    key: &Key,
) -> Result<Option<Arc<Kustomization>>, WriteError> {
    let store = &context.kustomizations;
    match store.get(key) {
        None => {
            if let Some(broken) = store.broken(key) {
                status::write_broken::<Kustomization>(context.clients.own(), &broken).await?;
            }
            Ok(None)
        }
        Some(object) if object.metadata.deletion_timestamp.is_some() => Ok(Some(object)),
        Some(object) => status::add_finalizer(context.clients.own(), store, &object)
            .await
            .map(Some),
    }
}

/// Names the GitRepository of a Kustomization; `None` for a source of another kind.
pub(super) fn source_key(object: &Kustomization) -> Option<Key> {
    let reference = &object.spec.source_ref;
    let own = object.metadata.namespace.as_deref().unwrap_or_default();
    (reference.kind == SourceKind::GitRepository).then(|| {
        Key::new(
            reference.namespace.as_deref().unwrap_or(own),
            &reference.name,
        )
    })
}

/// Reads what the object refers to. Who waits is noted before what it waits for is read, so that no
/// change goes unseen.
pub(super) async fn observe(object: &Kustomization, key: &Key, context: &Context) -> Observed {
    let memory = context.memories.of(key);
    let source = source(object, key, context);
    let find = |key: &Key| context.kustomizations.get(key);
    let (mut cycle, mut unready) = (None, None);
    if !object.spec.depends_on.is_empty() {
        for dependency in dependencies::keys(object) {
            context.index.wait(key, Awaited::Dependency(dependency));
        }
        cycle = dependencies::cycle(object, find);
        if let Source::Ready(artifact, _) = &source {
            unready = dependencies::first_unready(object, &artifact.revision, find);
        }
    }
    let is_ready = matches!(source, Source::Ready(..)) && cycle.is_none() && unready.is_none();
    let substitution = match &object.spec.post_build {
        Some(post_build) if is_ready => substitution(post_build, key, context).await,
        _ => Ok(without_variables(context)),
    };
    let remembered = remembered(&memory);
    Observed {
        source,
        cycle,
        unready,
        substitution,
        remembered,
        memory,
    }
}

fn source(object: &Kustomization, key: &Key, context: &Context) -> Source {
    let Some(source) = source_key(object) else {
        return Source::Missing;
    };
    context.index.wait(key, Awaited::Source(source.clone()));
    let Some(repository) = context.repositories.get(&source) else {
        return Source::Missing;
    };
    let Some(artifact) = &repository.status.artifact else {
        return Source::NoArtifact;
    };
    match context.trees.get(&source) {
        Some(loaded)
            if loaded.revision == artifact.revision && loaded.digest == artifact.digest =>
        {
            Source::Ready(Box::new(artifact.clone()), loaded)
        }
        _ => Source::Loading {
            failed: has_failed(&repository),
        },
    }
}

fn has_failed(repository: &GitRepository) -> bool {
    let conditions = &repository.status.conditions;
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
        variables: Variables::new(),
        always: false,
        strict: context.settings.strict_substitutions,
    }
}

/// # Source
/// `LoadVariables` of fluxcd/pkg `kustomize`: a later reference wins, inline values win over all.
async fn substitution(
    post_build: &PostBuild,
    key: &Key,
    context: &Context,
) -> Result<Substitution, VariablesError> {
    let mut variables = Variables::new();
    for reference in &post_build.substitute_from {
        let name = &reference.name;
        let read = match &reference.kind {
            ValuesKind::Secret => secret(context, key, name).await,
            _ => config_map(context, key, name).await,
        };
        let kind = reference.kind.as_str().to_owned();
        match read {
            Ok(Some(values)) => {
                for (variable, value) in values {
                    let value = String::from_utf8(value).map_err(|_| VariablesError::NotText {
                        kind: kind.clone(),
                        name: name.clone(),
                        variable: variable.clone(),
                    })?;
                    variables.insert(variable, value);
                }
            }
            Ok(None) if reference.optional => {}
            Ok(None) => {
                return Err(VariablesError::Missing {
                    kind,
                    name: name.clone(),
                });
            }
            Err(error) => {
                let message = bulkhead_api::chain(&error);
                return Err(VariablesError::Request {
                    kind,
                    name: name.clone(),
                    message,
                });
            }
        }
    }
    variables.extend(post_build.substitute.clone());
    let always = post_build.strategy() == SubstituteStrategy::Always;
    Ok(Substitution {
        variables,
        always,
        strict: context.settings.strict_substitutions,
    })
}

type Values = Option<HashMap<String, Vec<u8>>>;

async fn secret(context: &Context, key: &Key, name: &str) -> Result<Values, kube::Error> {
    let api: Api<Secret> = Api::namespaced(context.clients.own().clone(), &key.namespace);
    Ok(found(api.get(name).await)?.map(|secret| {
        secret
            .data
            .unwrap_or_default()
            .into_iter()
            .map(|(key, value)| (key, value.0))
            .collect()
    }))
}

async fn config_map(context: &Context, key: &Key, name: &str) -> Result<Values, kube::Error> {
    let api: Api<ConfigMap> = Api::namespaced(context.clients.own().clone(), &key.namespace);
    Ok(found(api.get(name).await)?.map(|map| {
        let data = map.data.unwrap_or_default();
        data.into_iter()
            .map(|(key, value)| (key, value.into_bytes()))
            .collect()
    }))
}

fn found<T>(answer: Result<T, kube::Error>) -> Result<Option<T>, kube::Error> {
    match answer {
        Ok(object) => Ok(Some(object)),
        Err(error) if is_not_found(&error) => Ok(None),
        Err(error) => Err(error),
    }
}
