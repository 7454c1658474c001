//! Gathers what a decision about a HelmChart needs: its source, the Secrets of that, its own Secret,
//! its artifact.

use std::sync::Arc;

use bulkhead_api::meta::Artifact;
use bulkhead_api::source::{ChartSourceKind, GitRepository, HelmChart, HelmRepository};

use crate::context::Context;
use crate::helmrepository::request::Secrets;
use crate::holder::Holder;
use crate::index::SourceId;
use crate::queue::Key;
use crate::sources::{self, secrets};
use crate::trees::Loaded;

/// The source, as far as it is there.
#[derive(Clone, Debug)]
pub(super) enum Source {
    /// It was not looked for.
    Unknown,
    /// It does not exist.
    Missing,
    /// It has no artifact, or its files are not loaded yet.
    NoArtifact,
    /// A repository with an index, and where that is stored.
    Index(Arc<HelmRepository>, Option<Box<Artifact>>),
    /// A registry.
    Registry(Arc<HelmRepository>),
    /// Files.
    Files(Arc<Loaded>),
}

/// What there is.
#[derive(Debug)]
pub(super) struct Observed {
    pub(super) source: Source,
    /// The Secrets of a HelmRepository.
    pub(super) secrets: Secrets,
    /// What `verify.secretRef` names.
    pub(super) keys: Option<secrets::Read>,
    /// The artifact of the status is in the storage.
    pub(super) has_artifact: bool,
}

impl Observed {
    /// Returns the revision of the source's artifact.
    pub(super) fn source_revision(&self) -> Option<String> {
        match &self.source {
            Source::Index(_, artifact) => Some(artifact.as_ref()?.revision.clone()),
            Source::Files(loaded) => Some(loaded.revision.clone()),
            _ => None,
        }
    }
}

/// Reads what the object refers to.
pub(super) async fn observe(object: &HelmChart, key: &Key, context: &Arc<Context>) -> Observed {
    if object.metadata.deletion_timestamp.is_some() || object.spec.suspend {
        return Observed {
            source: Source::Unknown,
            secrets: Secrets::default(),
            keys: None,
            has_artifact: false,
        };
    }
    let source = source(object, key, context);
    Observed {
        has_artifact: sources::is_held(context, object).await,
        ..of_source(object, key, source, context.clients.own()).await
    }
}

/// Reads what a chart of `source` refers to.
pub(super) async fn of_source(
    object: &HelmChart,
    key: &Key,
    source: Source,
    holder: &impl Holder,
) -> Observed {
    let secrets = match &source {
        Source::Index(repository, _) | Source::Registry(repository) => {
            Secrets::read(holder, key, &repository.spec).await
        }
        _ => Secrets::default(),
    };
    let verify = object.spec.verify.as_ref();
    let reference = verify.and_then(|verify| verify.secret_ref.as_ref());
    Observed {
        source,
        secrets,
        keys: secrets::read(holder, key, reference).await,
        has_artifact: false,
    }
}

fn source(object: &HelmChart, key: &Key, context: &Context) -> Source {
    let reference = &object.spec.source_ref;
    let of = Key::new(&key.namespace, &reference.name);
    match reference.kind {
        ChartSourceKind::HelmRepository => match context.helm_repositories.store.get(&of) {
            None => Source::Missing,
            Some(repository) if repository.spec.is_oci() => Source::Registry(repository),
            Some(repository) => match repository.status.artifact.clone() {
                Some(artifact) => Source::Index(repository, Some(Box::new(artifact))),
                None => Source::NoArtifact,
            },
        },
        ChartSourceKind::GitRepository => match context.repositories.get(&of) {
            None => Source::Missing,
            Some(repository) => files(&repository, &of, context),
        },
        ChartSourceKind::Bucket | ChartSourceKind::Other(_) => Source::Unknown,
    }
}

fn files(repository: &GitRepository, key: &Key, context: &Context) -> Source {
    let Some(artifact) = &repository.status.artifact else {
        return Source::NoArtifact;
    };
    match context
        .trees
        .get(&SourceId::new::<GitRepository>(key.clone()))
    {
        Some(loaded) if loaded.is_of(artifact) => Source::Files(loaded),
        _ => Source::NoArtifact,
    }
}
