//! Renders, and keeps what still holds.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bulkhead_api::{Digest, TreePath};
use bulkhead_wasm::{Diagnostic, Document, Limits, ReadSet, RenderRequest, Target};

use super::error::DeliveryError;
use super::remote::{Fetches, Remotes};
use super::substitute::Substitution;
use super::transcripts::Transcripts;
use super::{Delivered, Request, Stage};
use crate::metrics::Metrics;

/// What renderers are told about where objects go.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TargetFacts {
    /// Version of the cluster: `v1.36.0`.
    pub kube_version: String,
    /// Groups, versions and kinds that it serves.
    pub api_versions: Vec<String>,
}

/// Runs plugins, with the results that may still hold: the last one of each object.
pub struct Renderer {
    target: TargetFacts,
    metrics: Metrics,
    pub(super) remotes: Option<Remotes>,
    pub(super) transcripts: Option<Transcripts>,
    results: Mutex<HashMap<Asker, Arc<Rendering>>>,
    renders: AtomicU64,
    reuses: AtomicU64,
}

/// Kind, namespace and name of the object that asks.
type Asker = (String, String, String);

/// One render that happened.
pub(super) struct Rendering {
    /// Digest of everything but the tree that the renderer depends on.
    pub(super) key: Digest,
    pub(super) read_set: Arc<ReadSet>,
    /// What was fetched for it.
    pub(super) fetches: Fetches,
    /// [`digest_read_set`](super::provenance::digest_read_set) of it.
    pub(super) read_digest: Digest,
    /// What the renderer returned; kept only where transformers follow.
    pub(super) documents: Option<Arc<Vec<Document>>>,
    pub(super) diagnostics: Vec<Diagnostic>,
    pub(super) transformed: Vec<Transformed>,
    pub(super) tail: Tail,
    pub(super) delivered: Delivered,
}

/// What one transformer did.
#[derive(Clone)]
pub(super) struct Transformed {
    /// Digest of everything that it depends on, but the time of the revision.
    pub(super) key: Digest,
    pub(super) read_set: ReadSet,
    pub(super) documents: Arc<Vec<Document>>,
    pub(super) diagnostics: Vec<Diagnostic>,
}

/// What happens after the renderer.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Tail {
    substitution: Substitution,
    target_namespace: Option<String>,
    transformers: Vec<(Digest, String, Limits)>,
}

impl Tail {
    pub(super) fn of(request: &Request) -> Self {
        let of = |stage: &Stage| {
            let plugin = &stage.plugin;
            let digest = plugin.plugin.digest();
            (digest, stage.config.clone(), plugin.limits.clone())
        };
        Self {
            substitution: request.substitution.clone(),
            target_namespace: request.target_namespace.clone(),
            transformers: request.transformers.iter().map(of).collect(),
        }
    }
}

impl Rendering {
    /// Tells whether the renderer would return the same.
    fn head_holds(&self, key: Digest, request: &Request, fetches: &Fetches) -> bool {
        let tree = fetches.over(request.source.tree.clone());
        let time = request.source.revision_time;
        self.key == key && self.read_set.still_holds_at(tree.as_ref(), time)
    }

    fn tail_holds(&self, request: &Request) -> bool {
        let time = request.source.revision_time;
        let holds = |one: &Transformed| {
            one.read_set
                .still_holds_at(request.source.tree.as_ref(), time)
        };
        self.tail == Tail::of(request) && self.transformed.iter().all(holds)
    }
}

/// How often guests ran, and how often they did not have to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Calls of renderers and transformers.
    pub renders: u64,
    /// Results of theirs that still held.
    pub reuses: u64,
}

impl Renderer {
    /// Makes a renderer without results, that counts in `metrics`.
    pub fn new(target: TargetFacts, metrics: Metrics) -> Self {
        Self {
            target,
            metrics,
            remotes: None,
            transcripts: None,
            results: Mutex::default(),
            renders: AtomicU64::new(0),
            reuses: AtomicU64::new(0),
        }
    }

    /// Fetches remote bases for the default plugins; without this there are none.
    #[must_use]
    pub fn with_remotes(mut self, remotes: Remotes) -> Self {
        self.remotes = Some(remotes);
        self
    }

    /// Writes failed renders down; without this they are not.
    #[must_use]
    pub fn with_transcripts(mut self, transcripts: Transcripts) -> Self {
        self.transcripts = Some(transcripts);
        self
    }

    /// Returns how often guests ran.
    pub fn counts(&self) -> Counts {
        Counts {
            renders: self.renders.load(Ordering::Relaxed),
            reuses: self.reuses.load(Ordering::Relaxed),
        }
    }

    /// Forgets the result of an object that is gone.
    pub fn forget(&self, kind: &str, namespace: &str, name: &str) {
        self.lock().remove(&asker(kind, namespace, name));
        if let Some(transcripts) = &self.transcripts {
            transcripts.forget(kind, namespace, name);
        }
    }

    /// Delivers: reuses what the last time gave where it still holds, runs plugins where not.
    ///
    /// # Errors
    /// See [`DeliveryError`]; nothing is remembered of a failure.
    pub async fn deliver(&self, request: &Request) -> Result<Delivered, DeliveryError> {
        let path = directory(request)?;
        let call = self.call(request, &path);
        let key = call.key(&request.renderer.plugin.plugin);
        let asker = asker(request.kind, &request.namespace, &request.name);
        let last = self.lock().get(&asker).cloned();
        let fetches = match (&self.remotes, &last) {
            (Some(remotes), Some(last)) => remotes.again(&last.fetches).await?,
            _ => Fetches::default(),
        };
        let last = last.filter(|last| last.head_holds(key, request, &fetches));
        if let Some(last) = last.as_ref().filter(|last| last.tail_holds(request)) {
            let stages = std::iter::once(&request.renderer).chain(&request.transformers);
            stages.for_each(|stage| self.count(stage, "cached"));
            return Ok(Delivered {
                reused: true,
                ..last.delivered.clone()
            });
        }
        match self.run(request, call, fetches, last).await? {
            (delivered, None) => {
                self.lock().remove(&asker);
                Ok(delivered)
            }
            (delivered, Some(rendering)) => {
                self.lock().insert(asker, Arc::new(rendering));
                Ok(delivered)
            }
        }
    }

    /// Counts what became of the call of a plugin: `run`, `cached` or `failed`.
    pub(super) fn count(&self, stage: &Stage, word: &str) {
        let counter = match word {
            "cached" => &self.reuses,
            _ => &self.renders,
        };
        counter.fetch_add(1, Ordering::Relaxed);
        self.metrics.rendered(&stage.plugin.name, word);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Asker, Arc<Rendering>>> {
        self.results.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The revision is not among the attributes: a guest that could see it would have to be run
    /// again for every commit.
    fn call(&self, request: &Request, path: &TreePath) -> RenderRequest {
        let installed = &request.renderer.plugin;
        RenderRequest {
            config: request.renderer.config.clone(),
            inputs: request.inputs.clone(),
            lookup: request.lookup.clone(),
            target: self.target(request),
            limits: installed.limits.clone(),
            files: installed.permissions.files.clone(),
            wall_clock: request.source.revision_time,
            ..RenderRequest::new(request.source.tree.clone(), path.to_string())
        }
    }

    /// Returns what renderers are told of the cluster.
    pub fn told(&self) -> &TargetFacts {
        &self.target
    }

    pub(super) fn target(&self, request: &Request) -> Target {
        Target {
            name: request.name.clone(),
            namespace: request.namespace.clone(),
            kube_version: match &request.kube_version {
                Some(version) => version.clone(),
                None => self.target.kube_version.clone(),
            },
            api_versions: self.target.api_versions.clone(),
        }
    }
}

fn asker(kind: &str, namespace: &str, name: &str) -> Asker {
    (kind.to_owned(), namespace.to_owned(), name.to_owned())
}

/// Returns the directory that the spec names, if it is there. Flux takes absolute paths as relative
/// to the source.
fn directory(request: &Request) -> Result<TreePath, DeliveryError> {
    let path = request.path.as_deref().unwrap_or_default();
    let path = TreePath::parse(path.trim_start_matches('/')).map_err(DeliveryError::Path)?;
    match request.source.tree.stat(&path) {
        Ok(_) => Ok(path),
        Err(_) => {
            let revision = request.source.revision.clone();
            Err(DeliveryError::PathNotFound { path, revision })
        }
    }
}
