//! What every reconciliation can use. One for each term as leader: a new term starts from what the
//! API server says.

use std::sync::Arc;
use std::time::Duration;

use bulkhead_api::delivery::Delivery;
use bulkhead_api::helmrelease::HelmRelease;
use bulkhead_api::kustomize::Kustomization;
use bulkhead_api::notification::{Alert, Provider};
use bulkhead_api::source::{
    ExternalArtifact, GitRepository, HelmChart, HelmRepository, OCIRepository,
};
use bulkhead_apply::target::cluster::Discovery;

use crate::applier::memory::Memories;
use crate::applier::{self, Face, Name, Raw};
use crate::archives::Archives;
use crate::catalogue::{Catalogue, Installed, User};
use crate::client::Clients;
use crate::config::RunConfig;
use crate::delivery::Renderer;
use crate::drift::Drift;
use crate::helmrelease::{self, Releases};
use crate::index::{Awaited, Consumers, Index, SourceId};
use crate::indexes::Indexes;
use crate::kind::Kind;
use crate::metrics::Metrics;
use crate::place::Remotes;
use crate::place::kubeconfig::Allowed;
use crate::plugin::{Foundation, Plugins};
use crate::queue::{Class, Key, Queue};
use crate::report::Reporter;
use crate::sources::{self, Kept, Source};
use crate::trees::Trees;
use crate::watch::{Change, Store, key_of};
use crate::worker::Failures;
use crate::{gitrepository, helmchart, kind};

/// The queues, one a kind.
#[derive(Clone, Debug, Default)]
pub struct Queues {
    /// GitRepositories.
    pub repositories: Queue,
    /// Kustomizations.
    pub kustomizations: Queue,
    /// Deliveries.
    pub deliveries: Queue,
}

impl Queues {
    /// Returns the queue of what renders and applies.
    pub fn of(&self, face: Face) -> &Queue {
        match face {
            Face::Kustomization => &self.kustomizations,
            Face::Delivery => &self.deliveries,
        }
    }

    /// Makes an object that renders and applies ready.
    pub fn add(&self, name: Name, class: Class) {
        self.of(name.face).add(name.key, class);
    }
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
    /// See [`RunConfig::default_kubeconfig_service_account`].
    pub default_kubeconfig_service_account: Option<String>,
    /// See [`RunConfig::insecure_kubeconfig_tls`].
    pub kubeconfigs: Allowed,
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
            default_kubeconfig_service_account: config.default_kubeconfig_service_account.clone(),
            kubeconfigs: Allowed {
                insecure_tls: config.insecure_kubeconfig_tls,
            },
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
    /// The plugins of the binary.
    pub built_in: Vec<Arc<Installed>>,
    /// What installs plugins by reference.
    pub plugins: Foundation,
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
    /// Other clusters.
    pub remotes: Remotes,
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
    /// Plugins by name.
    pub catalogue: Arc<Catalogue>,
    /// Plugins and ClusterPlugins, and what is known of them.
    pub plugins: Plugins,
    /// What is remembered of Kustomizations and Deliveries.
    pub memories: Arc<Memories>,
    /// Watches of what was applied.
    pub drift: Drift,
    /// GitRepositories as the API server shows them.
    pub repositories: Store<GitRepository>,
    /// ExternalArtifacts: other controllers reconcile them.
    pub external_artifacts: Store<ExternalArtifact>,
    /// OCIRepositories.
    pub oci_repositories: Kept<OCIRepository>,
    /// HelmRepositories.
    pub helm_repositories: Kept<HelmRepository>,
    /// HelmCharts.
    pub helm_charts: Kept<HelmChart>,
    /// HelmReleases.
    pub helm_releases: Kept<HelmRelease>,
    /// What is known of HelmReleases.
    pub releases: Arc<Releases>,
    /// Which HelmCharts have which source.
    pub chart_sources: Arc<Consumers<Key>>,
    /// Where the charts are in the stored indexes.
    pub indexes: Arc<Indexes>,
    /// Kustomizations as the API server shows them.
    pub kustomizations: Store<Kustomization>,
    /// Deliveries as the API server shows them.
    pub deliveries: Store<Delivery>,
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
        let releases_queue = Queue::default();
        let catalogue = Arc::new(catalogue(shared, &queues, &releases_queue));
        let charts_queue = Queue::default();
        let wakers = Wakers {
            appliers: index.clone(),
            queues: queues.clone(),
            charts: Arc::default(),
            charts_queue: charts_queue.clone(),
            releases: Arc::default(),
            releases_queue: releases_queue.clone(),
        };
        let wiring = Wiring {
            queues: queues.clone(),
            index: index.clone(),
            memories: memories.clone(),
            catalogue: catalogue.clone(),
            metrics: shared.metrics.clone(),
            renderer: shared.renderer.clone(),
        };
        Self {
            clients: shared.clients.clone(),
            metrics: shared.metrics.clone(),
            archives: shared.archives.clone(),
            source: shared.source.clone(),
            renderer: shared.renderer.clone(),
            discovery: shared.discovery.clone(),
            remotes: Remotes::default(),
            settings: shared.settings.clone(),
            reporter,
            repositories: repositories(shared, &queues, &wakers),
            external_artifacts: external_artifacts(&wakers),
            oci_repositories: sources(shared, Queue::default(), &wakers),
            helm_repositories: sources(shared, Queue::default(), &wakers),
            helm_charts: charts(shared, charts_queue, &wakers),
            helm_releases: releases(shared, releases_queue, &wakers, &catalogue),
            releases: wakers.releases.clone(),
            chart_sources: wakers.charts.clone(),
            indexes: Arc::default(),
            kustomizations: appliers(
                wiring.clone(),
                |object| Raw::Kustomization(object.clone()),
                Name::kustomization,
            ),
            deliveries: appliers(
                wiring,
                |object: &Arc<Delivery>| Raw::Delivery(object.clone()),
                Name::delivery,
            )
            .not_needed(),
            alerts: Store::new(|_| {}),
            providers: Store::new(|_| {}),
            queues,
            index,
            trees: Trees::default(),
            plugins: Plugins::new(&shared.plugins, &catalogue, &shared.metrics),
            catalogue,
            memories,
            drift: Drift::default(),
            repository_failures: Failures::default(),
        }
    }

    /// Starts what waits for the artifact of `source`.
    pub fn wake_consumers_waiting_for(&self, source: SourceId) {
        for chart in self.chart_sources.of(&source) {
            self.helm_charts.queue.add(chart, Class::Dependency);
        }
        for name in self.index.take_waiting(&Awaited::Source(source)) {
            self.queues.add(name, Class::Dependency);
        }
    }

    /// Returns all objects of a kind that renders and applies.
    pub fn appliers(&self, face: Face) -> Vec<Raw> {
        match face {
            Face::Kustomization => {
                let all = self.kustomizations.all().into_iter();
                all.map(Raw::Kustomization).collect()
            }
            Face::Delivery => {
                let all = self.deliveries.all().into_iter();
                all.map(Raw::Delivery).collect()
            }
        }
    }
}

/// Who is started when a source has a new artifact.
#[derive(Clone)]
struct Wakers {
    appliers: Arc<Index>,
    queues: Queues,
    charts: Arc<Consumers<Key>>,
    charts_queue: Queue,
    releases: Arc<Releases>,
    releases_queue: Queue,
}

impl Wakers {
    /// Starts all that have `source`.
    fn wake(&self, source: &SourceId) {
        for name in self.appliers.sources.of(source) {
            self.queues.add(name, Class::Artifact);
        }
        for chart in self.charts.of(source) {
            self.charts_queue.add(chart, Class::Artifact);
        }
        for release in self.releases.sources.of(source) {
            self.releases_queue.add(release, Class::Artifact);
        }
    }
}

/// Connects changes of GitRepositories with the queues.
fn repositories(shared: &Shared, queues: &Queues, wakers: &Wakers) -> Store<GitRepository> {
    let (queue, wakers) = (queues.repositories.clone(), wakers.clone());
    let metrics = shared.metrics.clone();
    Store::new(move |change| {
        if gitrepository::has_new_artifact(&change)
            && let Change::Put { now, .. } = &change
        {
            wakers.wake(&SourceId::new::<GitRepository>(key_of(&**now)));
        }
        follow(&change, &queue, &metrics);
    })
}

/// Connects new artifacts of other controllers with those who use them.
fn external_artifacts(wakers: &Wakers) -> Store<ExternalArtifact> {
    let wakers = wakers.clone();
    let store = Store::new(move |change: Change<ExternalArtifact>| {
        let Change::Put { before, now } = &change else {
            return;
        };
        let of = |object: &ExternalArtifact| {
            let artifact = object.status.artifact.as_ref()?;
            Some((artifact.revision.clone(), artifact.digest.clone()))
        };
        if of(now).is_some() && before.as_deref().and_then(of) != of(now) {
            wakers.wake(&SourceId::external(key_of(&**now)));
        }
    });
    store.not_needed()
}

/// Connects changes of a kind of source with the queues.
fn sources<K: Source>(shared: &Shared, queue: Queue, wakers: &Wakers) -> Kept<K> {
    let (changes, wakers) = (queue.clone(), wakers.clone());
    let metrics = shared.metrics.clone();
    let store = Store::new(move |change: Change<K>| {
        if sources::must_wake(&change)
            && let Change::Put { now, .. } = &change
        {
            wakers.wake(&SourceId::new::<K>(key_of(&**now)));
        }
        follow(&change, &changes, &metrics);
    });
    Kept::new(store.not_needed(), queue)
}

/// Connects changes of HelmCharts with the queues, and notes whose source is which.
fn charts(shared: &Shared, queue: Queue, wakers: &Wakers) -> Kept<HelmChart> {
    let (changes, wakers) = (queue.clone(), wakers.clone());
    let metrics = shared.metrics.clone();
    let store = Store::new(move |change: Change<HelmChart>| {
        match &change {
            Change::Put { now, .. } => {
                wakers
                    .charts
                    .set(&key_of(&**now), helmchart::source_id(now));
            }
            Change::Deleted(key) => wakers.charts.set(key, None),
            Change::Broken(_) => {}
        }
        if sources::must_wake(&change)
            && let Change::Put { now, .. } = &change
        {
            wakers.wake(&SourceId::new::<HelmChart>(key_of(&**now)));
        }
        follow(&change, &changes, &metrics);
    });
    Kept::new(store.not_needed(), queue)
}

/// Connects changes of HelmReleases with the queues, and notes whose source is which.
fn releases(
    shared: &Shared,
    queue: Queue,
    wakers: &Wakers,
    catalogue: &Arc<Catalogue>,
) -> Kept<HelmRelease> {
    let (changes, known) = (queue.clone(), wakers.releases.clone());
    let (metrics, catalogue) = (shared.metrics.clone(), catalogue.clone());
    let store = Store::new(move |change: Change<HelmRelease>| {
        let key = match &change {
            Change::Put { now, .. } => {
                let key = key_of(&**now);
                known.sources.set(&key, helmrelease::source_id(now));
                key
            }
            Change::Deleted(key) => {
                known.forget(key);
                catalogue.set_uses(&User::new(HelmRelease::KIND, key), []);
                key.clone()
            }
            Change::Broken(broken) => broken.key.clone(),
        };
        if applier::may_free_dependents(&change) {
            for waiting in known.take_waiting(&key) {
                changes.add(waiting, Class::Dependency);
            }
        }
        follow(&change, &changes, &metrics);
    });
    Kept::new(store.not_needed(), queue)
}

/// Puts an object that changed into the queue of its kind, if that makes a run necessary.
fn follow<K: Kind>(change: &Change<K>, queue: &Queue, metrics: &Metrics) {
    match change {
        Change::Put { now, .. } => {
            if let Some(class) = kind::wake(change) {
                queue.add(key_of(&**now), class);
            }
        }
        Change::Broken(broken) => queue.add(broken.key.clone(), Class::Spec),
        Change::Deleted(key) => {
            queue.remove(key);
            metrics.forget(K::KIND, key);
        }
    }
}

/// Makes the catalogue of a term: what is built in, and a wake-up for those who use a name.
fn catalogue(shared: &Shared, queues: &Queues, releases: &Queue) -> Catalogue {
    let (queues, releases) = (queues.clone(), releases.clone());
    Catalogue::new(shared.built_in.clone(), move |user| {
        if let Some(name) = Name::of_user(user) {
            queues.add(name, Class::Dependency);
        } else if user.kind == HelmRelease::KIND {
            releases.add(user.key.clone(), Class::Dependency);
        }
    })
}

/// What changes of Kustomizations and Deliveries are told to.
#[derive(Clone)]
struct Wiring {
    queues: Queues,
    index: Arc<Index>,
    memories: Arc<Memories>,
    catalogue: Arc<Catalogue>,
    metrics: Metrics,
    renderer: Arc<Renderer>,
}

/// Connects changes of a kind that renders and applies with its queue.
fn appliers<K: Kind>(wiring: Wiring, raw: fn(&Arc<K>) -> Raw, named: fn(Key) -> Name) -> Store<K> {
    Store::new(move |change| {
        let Wiring { queues, index, .. } = &wiring;
        let name = match &change {
            Change::Put { now, .. } => {
                let name = named(key_of(&**now));
                index.sources.set(&name, applier::source_id(&raw(now)));
                if let Some(class) = kind::wake(&change) {
                    queues.add(name.clone(), class);
                }
                name
            }
            Change::Broken(broken) => {
                let name = named(broken.key.clone());
                queues.add(name.clone(), Class::Spec);
                name
            }
            Change::Deleted(key) => {
                let name = named(key.clone());
                wiring.forget(&name);
                name
            }
        };
        if applier::may_free_dependents(&change) {
            for waiting in index.take_waiting(&Awaited::Dependency(name)) {
                queues.add(waiting, Class::Dependency);
            }
        }
    })
}

impl Wiring {
    /// Forgets an object that is gone.
    fn forget(&self, name: &Name) {
        let (kind, key) = (name.face.kind(), &name.key);
        self.index.sources.set(name, None);
        self.queues.of(name.face).remove(key);
        self.memories.remove(name);
        self.catalogue.set_uses(&name.user(), []);
        self.metrics.forget(kind, key);
        self.renderer.forget(kind, &key.namespace, &key.name);
    }
}
