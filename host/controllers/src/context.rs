//! What every reconciliation can use. One for each term as leader: a new term starts from what the
//! API server says.

use std::sync::Arc;
use std::time::Duration;

use bulkhead_api::kustomize::Kustomization;
use bulkhead_api::notification::{Alert, Provider};
use bulkhead_api::source::GitRepository;
use bulkhead_apply::target::cluster::Discovery;

use crate::archives::Archives;
use crate::client::Clients;
use crate::config::RunConfig;
use crate::delivery::Renderer;
use crate::drift::Drift;
use crate::index::{Awaited, Index};
use crate::kustomization::memory::Memories;
use crate::metrics::Metrics;
use crate::queue::{Class, Key, Queue};
use crate::report::Reporter;
use crate::trees::Trees;
use crate::watch::{Change, Store, key_of};
use crate::worker::Failures;
use crate::{gitrepository, kind, kustomization};

/// The queues, one a kind.
#[derive(Clone, Debug, Default)]
pub struct Queues {
    /// GitRepositories.
    pub repositories: Queue,
    /// Kustomizations.
    pub kustomizations: Queue,
}

/// What the operator chose, as far as reconcilers ask.
#[derive(Clone, Debug)]
pub struct Settings {
    /// See [`RunConfig::own_namespace`].
    pub own_namespace: String,
    /// See [`RunConfig::no_cross_namespace_refs`].
    pub no_cross_namespace_refs: bool,
    /// See [`RunConfig::default_service_account`].
    pub default_service_account: Option<String>,
    /// See [`RunConfig::requeue_dependency`].
    pub requeue_dependency: Duration,
    /// See [`RunConfig::interval_jitter`].
    pub interval_jitter: f64,
    /// See [`RunConfig::sweep`].
    pub sweep: Duration,
    /// See [`RunConfig::strict_substitutions`].
    pub strict_substitutions: bool,
}

impl Settings {
    /// Takes them from the configuration.
    pub fn of(config: &RunConfig) -> Self {
        Self {
            own_namespace: config.own_namespace.clone(),
            no_cross_namespace_refs: config.no_cross_namespace_refs,
            default_service_account: config.default_service_account.clone(),
            requeue_dependency: config.requeue_dependency,
            interval_jitter: config.interval_jitter,
            sweep: config.sweep,
            strict_substitutions: config.strict_substitutions,
        }
    }
}

/// What outlives a term.
#[derive(Clone)]
pub struct Shared {
    /// Clients of the API server.
    pub clients: Arc<Clients>,
    /// Counters.
    pub metrics: Metrics,
    /// Archives on disk.
    pub archives: Archives,
    /// Fetched repositories on disk.
    pub source: Arc<bulkhead_source::Store>,
    /// Renders, and reuses what still holds.
    pub renderer: Arc<Renderer>,
    /// What the API server serves.
    pub discovery: Discovery,
    /// What the operator chose.
    pub settings: Arc<Settings>,
}

/// What every reconciliation can use.
pub struct Context {
    /// Clients of the API server.
    pub clients: Arc<Clients>,
    /// Counters.
    pub metrics: Metrics,
    /// Archives on disk.
    pub archives: Archives,
    /// Fetched repositories on disk.
    pub source: Arc<bulkhead_source::Store>,
    /// Renders, and reuses what still holds.
    pub renderer: Arc<Renderer>,
    /// What the API server serves.
    pub discovery: Discovery,
    /// What the operator chose.
    pub settings: Arc<Settings>,
    /// Takes reports.
    pub reporter: Reporter,
    /// What is to be reconciled.
    pub queues: Queues,
    /// Who waits for what.
    pub index: Arc<Index>,
    /// Loaded trees.
    pub trees: Trees,
    /// What is remembered of Kustomizations.
    pub memories: Arc<Memories>,
    /// Watches of what was applied.
    pub drift: Drift,
    /// GitRepositories as the API server shows them.
    pub repositories: Store<GitRepository>,
    /// Kustomizations as the API server shows them.
    pub kustomizations: Store<Kustomization>,
    /// Alerts as the API server shows them.
    pub alerts: Store<Alert>,
    /// Providers as the API server shows them.
    pub providers: Store<Provider>,
    /// Failures in a row of GitRepositories.
    pub repository_failures: Failures,
}

impl Context {
    /// Starts a term: empty stores, empty queues.
    pub fn new(shared: &Shared, reporter: Reporter) -> Self {
        let (queues, index) = (Queues::default(), Arc::new(Index::default()));
        let memories = Arc::new(Memories::default());
        Self {
            clients: shared.clients.clone(),
            metrics: shared.metrics.clone(),
            archives: shared.archives.clone(),
            source: shared.source.clone(),
            renderer: shared.renderer.clone(),
            discovery: shared.discovery.clone(),
            settings: shared.settings.clone(),
            reporter,
            repositories: repositories(shared, &queues, &index),
            kustomizations: kustomizations(shared, &queues, &index, &memories),
            alerts: Store::new(|_| {}),
            providers: Store::new(|_| {}),
            queues,
            index,
            trees: Trees::default(),
            memories,
            drift: Drift::default(),
            repository_failures: Failures::default(),
        }
    }

    /// Starts the Kustomizations that wait for the artifact of the GitRepository `source`.
    pub fn wake_consumers_waiting_for(&self, source: &Key) {
        for key in self.index.take_waiting(&Awaited::Source(source.clone())) {
            self.queues.kustomizations.add(key, Class::Dependency);
        }
    }
}

/// Connects changes of GitRepositories with the queues.
fn repositories(shared: &Shared, queues: &Queues, index: &Arc<Index>) -> Store<GitRepository> {
    let (queues, index, metrics) = (queues.clone(), index.clone(), shared.metrics.clone());
    Store::new(move |change| {
        if gitrepository::has_new_artifact(&change)
            && let Change::Put { now, .. } = &change
        {
            for key in index.of_source(&key_of(&**now)) {
                queues.kustomizations.add(key, Class::Artifact);
            }
        }
        match &change {
            Change::Put { now, .. } => {
                if let Some(class) = kind::wake(&change) {
                    queues.repositories.add(key_of(&**now), class);
                }
            }
            Change::Broken(broken) => queues.repositories.add(broken.key.clone(), Class::Spec),
            Change::Deleted(key) => {
                queues.repositories.remove(key);
                metrics.forget(GitRepository::KIND, key);
            }
        }
    })
}

/// Connects changes of Kustomizations with the queue.
fn kustomizations(
    shared: &Shared,
    queues: &Queues,
    index: &Arc<Index>,
    memories: &Arc<Memories>,
) -> Store<Kustomization> {
    let (queue, index) = (queues.kustomizations.clone(), index.clone());
    let memories = memories.clone();
    let (metrics, renderer) = (shared.metrics.clone(), shared.renderer.clone());
    Store::new(move |change| {
        let key = match &change {
            Change::Put { now, .. } => {
                let key = key_of(&**now);
                index.set_source(&key, kustomization::source_key(now));
                if let Some(class) = kind::wake(&change) {
                    queue.add(key.clone(), class);
                }
                key
            }
            Change::Broken(broken) => {
                queue.add(broken.key.clone(), Class::Spec);
                broken.key.clone()
            }
            Change::Deleted(key) => {
                index.set_source(key, None);
                queue.remove(key);
                memories.remove(key);
                metrics.forget(Kustomization::KIND, key);
                renderer.forget(&key.namespace, &key.name);
                key.clone()
            }
        };
        if kustomization::may_free_dependents(&change) {
            for waiting in index.take_waiting(&Awaited::Dependency(key)) {
                queue.add(waiting, Class::Dependency);
            }
        }
    })
}
