//! `bulkhead run`: everything together, until it is told to stop.
//!
//! Servers and archives live as long as the process; watches, queues and workers live as long as the
//! process holds the Lease. Losing it ends them at once: what was under way is taken up by the next
//! leader from the inventory that was written ahead.

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bulkhead_api::delivery::Delivery;
use bulkhead_api::helmrelease::HelmRelease;
use bulkhead_api::kustomize::Kustomization;
use bulkhead_api::plugin::{ClusterPlugin, Plugin};
use bulkhead_api::source::{GitRepository, HelmChart, HelmRepository, OCIRepository};
use bulkhead_apply::target::cluster::Discovery;
use bulkhead_wasm::Limits;
use cap_std::fs::{Dir, DirBuilder, DirBuilderExt as _};
use serde::de::DeserializeOwned;
use tokio::task::JoinSet;

use crate::applier::{self, Name};
use crate::archives::Archives;
use crate::catalogue::Installed;
use crate::client::{ClientError, Clients};
use crate::config::RunConfig;
use crate::context::{Context, Settings, Shared};
use crate::delivery::remote::{Remotes, Rules};
use crate::delivery::{Renderer, TargetFacts, Transcripts};
use crate::helmrelease::{Records, Referred, ReferredKind};
use crate::leader::Elector;
use crate::metrics::Metrics;
use crate::plugin::{self, Foundation};
use crate::report::{Outbox, Reporter};
use crate::server::{self, Readiness, ServeError};
use crate::watch::{self, Store, Target};
use crate::{
    alert, backoff, gitrepository, helmchart, helmrelease, helmrepository, ocirepository, worker,
};

/// How long running reconciliations may take to end when the process is told to stop.
const GRACE: Duration = Duration::from_secs(20);

/// HelmReleases that are worked on at once, for each object of another kind: Helm's actions wait for
/// what they installed.
const WAITING_RELEASES: usize = 4;

/// Why a manager does not run.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The settings of the API server are wrong.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// An address cannot be listened on.
    #[error(transparent)]
    Serve(#[from] ServeError),
    /// The storage folder cannot be used.
    #[error("failed to open the storage folder `{path}`")]
    Storage {
        /// The folder.
        path: std::path::PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The folder of fetched repositories cannot be used.
    #[error("failed to open the store of repositories")]
    Source(#[source] bulkhead_source::FetchError),
}

/// Runs until `shutdown` resolves. With an election, waits for the Lease as often as it is lost.
///
/// # Errors
/// [`RunError`], before anything is reconciled. Whatever fails later is retried.
pub async fn run(config: RunConfig, shutdown: impl Future<Output = ()>) -> Result<(), RunError> {
    tokio::pin!(shutdown);
    let metrics = Metrics::new();
    let readiness = Readiness::default();
    let mut servers = JoinSet::new();
    let (directory, source) = storage(&config)?;
    let address = serve(&config, &metrics, &readiness, &directory, &mut servers).await?;
    let advertised = config
        .artifacts_advertised
        .clone()
        .unwrap_or_else(|| address.to_string());
    let clients = Arc::new(Clients::new(config.kube.clone(), metrics.clone())?);
    let facts = TargetFacts {
        kube_version: kube_version(&clients, &mut shutdown)
            .await
            .unwrap_or_default(),
        api_versions: Vec::new(),
    };
    let plugins = Foundation::open(config.host.clone(), &config.storage);
    let plugins = plugins.map_err(|source| RunError::Storage {
        path: config.storage.join("plugins"),
        source,
    })?;
    let source = Arc::new(source);
    let renderer = Renderer::new(facts, metrics.clone()).with_transcripts(transcripts(&config)?);
    let renderer = renderer.with_remotes(Remotes::new(
        source.clone(),
        Rules {
            allowed: config.remote_bases,
            private_networks: config.allow_private_networks,
            local: false,
        },
    ));
    let shared = Shared {
        discovery: Discovery::new(clients.own().clone()),
        clients,
        metrics,
        archives: Archives::new(directory, &advertised),
        source,
        renderer: Arc::new(renderer),
        built_in: built_in(&config),
        plugins,
        settings: Arc::new(Settings::of(&config)),
    };
    match &config.election {
        None => {
            Term::new(&config, &shared, &readiness).run(shutdown).await;
        }
        Some(election) => {
            let elector = Elector::new(shared.clients.own().clone(), election.clone());
            lead(&config, &shared, &readiness, elector, shutdown).await;
        }
    }
    servers.shutdown().await;
    Ok(())
}

/// Returns the plugins of the binary by the names that they are found under.
fn built_in(config: &RunConfig) -> Vec<Arc<Installed>> {
    let limits = Limits::notifier();
    let notifiers = config.notifiers.iter();
    let notifiers = notifiers
        .map(|(name, plugin)| Installed::built_in(name, plugin.clone(), None, limits.clone()));
    let plugin = config.kustomize.clone();
    let limits = config.render_limits.clone();
    let kustomize = Installed::built_in(applier::face::KUSTOMIZE, plugin, None, limits);
    let helm = config.helm.clone().map(|plugin| {
        let limits = config.render_limits.clone();
        Installed::built_in(helmrelease::HELM, plugin, None, limits)
    });
    let all = notifiers.chain([kustomize]).chain(helm);
    all.map(Arc::new).collect()
}

/// Asks the API server for its version until it answers; `None` when told to stop before.
async fn kube_version(
    clients: &Clients,
    shutdown: &mut std::pin::Pin<&mut impl Future<Output = ()>>,
) -> Option<String> {
    let mut failures = 0;
    loop {
        let asked = tokio::select! {
            asked = clients.own().apiserver_version() => asked,
            () = &mut *shutdown => return None,
        };
        match asked {
            Ok(version) => return Some(version.git_version),
            Err(error) => {
                failures += 1;
                let error = bulkhead_api::chain(&error);
                tracing::error!(error, "failed to reach the API server, trying again");
            }
        }
        tokio::select! {
            () = tokio::time::sleep(backoff::pause(failures, backoff::LONGEST_SERVER)) => {}
            () = &mut *shutdown => return None,
        }
    }
}

/// Waits for the Lease, works while it is held, and again.
async fn lead(
    config: &RunConfig,
    shared: &Shared,
    readiness: &Readiness,
    mut elector: Elector,
    mut shutdown: std::pin::Pin<&mut impl Future<Output = ()>>,
) {
    loop {
        // A stand-by is ready: it serves what it has, and takes over.
        readiness.set(true);
        tokio::select! {
            () = elector.acquire() => {}
            () = &mut shutdown => return,
        }
        tracing::info!("this process holds the lease");
        shared.metrics.leading(true);
        readiness.set(false);
        let mut term = Box::pin(Term::new(config, shared, readiness).run(&mut shutdown));
        tokio::select! {
            // It was told to stop: the Lease is given up after the last write.
            () = &mut term => {
                drop(term);
                elector.release().await;
                return;
            }
            () = elector.hold() => {}
        }
        drop(term);
        shared.metrics.leading(false);
    }
}

/// The time during which this process writes.
struct Term {
    config: RunConfig,
    context: Arc<Context>,
    outbox: Outbox,
    readiness: Readiness,
}

impl Term {
    fn new(config: &RunConfig, shared: &Shared, readiness: &Readiness) -> Self {
        let (reporter, outbox) = Reporter::new(&config.instance, shared.metrics.clone());
        let context = Arc::new(Context::new(shared, reporter));
        Self {
            config: config.clone(),
            context,
            outbox,
            readiness: readiness.clone(),
        }
    }

    /// Works until `shutdown` resolves, then lets what runs come to its end, within [`GRACE`].
    /// Dropping it ends everything at once.
    async fn run(self, shutdown: impl Future<Output = ()>) {
        let Self {
            config,
            context,
            outbox,
            readiness,
        } = self;
        tokio::pin!(shutdown);
        let mut tasks = JoinSet::new();
        tasks.spawn(Outbox::record(outbox.events, context.clients.own().clone()));
        let notifier = alert::notifier(&config, &context.catalogue);
        tasks.spawn(alert::deliver_all(
            context.clone(),
            notifier,
            outbox.notifications,
        ));
        follow(&mut tasks, &config, &context);
        let synced = async {
            context.repositories.wait_until_synced().await;
            context.external_artifacts.wait_until_synced().await;
            context.oci_repositories.store.wait_until_synced().await;
            context.helm_repositories.store.wait_until_synced().await;
            context.helm_charts.store.wait_until_synced().await;
            context.helm_releases.store.wait_until_synced().await;
            context.kustomizations.wait_until_synced().await;
            context.deliveries.wait_until_synced().await;
            context.alerts.wait_until_synced().await;
            context.providers.wait_until_synced().await;
            context.plugins.wait_until_synced().await;
            plugin::restore(&context).await;
        };
        tokio::select! {
            () = synced => {}
            () = &mut shutdown => return,
        }
        readiness.set(true);
        tracing::info!("all custom resources are listed, reconciling");
        let (many, queues) = (config.concurrency, &context.queues);
        let queue = &queues.repositories;
        let reconcile = gitrepository::reconcile;
        worker::start::<GitRepository, _, _, _>(&mut tasks, many, &context, queue, reconcile);
        let queue = &context.oci_repositories.queue;
        let reconcile = ocirepository::reconcile;
        worker::start::<OCIRepository, _, _, _>(&mut tasks, many, &context, queue, reconcile);
        let queue = &context.helm_repositories.queue;
        let reconcile = helmrepository::reconcile;
        worker::start::<HelmRepository, _, _, _>(&mut tasks, many, &context, queue, reconcile);
        let queue = &context.helm_charts.queue;
        let reconcile = helmchart::reconcile;
        worker::start::<HelmChart, _, _, _>(&mut tasks, many, &context, queue, reconcile);
        let queue = &context.helm_releases.queue;
        let reconcile = helmrelease::reconcile;
        let waiting = many * WAITING_RELEASES;
        worker::start::<HelmRelease, _, _, _>(&mut tasks, waiting, &context, queue, reconcile);
        let queue = &queues.kustomizations;
        let reconcile =
            |context, key, class| applier::reconcile(context, Name::kustomization(key), class);
        worker::start::<Kustomization, _, _, _>(&mut tasks, many, &context, queue, reconcile);
        let queue = &queues.deliveries;
        let reconcile =
            |context, key, class| applier::reconcile(context, Name::delivery(key), class);
        worker::start::<Delivery, _, _, _>(&mut tasks, many, &context, queue, reconcile);
        let queue = &context.plugins.namespaced_queue;
        let reconcile = plugin::reconcile::<Plugin>;
        worker::start::<Plugin, _, _, _>(&mut tasks, many, &context, queue, reconcile);
        let queue = &context.plugins.cluster_queue;
        let reconcile = plugin::reconcile::<ClusterPlugin>;
        worker::start::<ClusterPlugin, _, _, _>(&mut tasks, many, &context, queue, reconcile);
        shutdown.await;
        tracing::info!("told to stop, waiting for running reconciliations");
        let idle = async {
            context.queues.repositories.close().await;
            context.oci_repositories.queue.close().await;
            context.helm_repositories.queue.close().await;
            context.helm_charts.queue.close().await;
            context.helm_releases.queue.close().await;
            context.queues.kustomizations.close().await;
            context.queues.deliveries.close().await;
            context.plugins.namespaced_queue.close().await;
            context.plugins.cluster_queue.close().await;
        };
        if tokio::time::timeout(GRACE, idle).await.is_err() {
            tracing::info!("stopped reconciliations that took too long to end");
        }
        tasks.shutdown().await;
    }
}

/// Starts a watch for each kind.
fn follow(tasks: &mut JoinSet<()>, config: &RunConfig, context: &Arc<Context>) {
    follow_kind(tasks, config, context, |context| &context.repositories);
    follow_kind(tasks, config, context, |context| {
        &context.external_artifacts
    });
    follow_kind(tasks, config, context, |context| {
        &context.oci_repositories.store
    });
    follow_kind(tasks, config, context, |context| {
        &context.helm_repositories.store
    });
    follow_kind(tasks, config, context, |context| &context.helm_charts.store);
    follow_kind(tasks, config, context, |context| {
        &context.helm_releases.store
    });
    follow_kind(tasks, config, context, |context| &context.kustomizations);
    follow_kind(tasks, config, context, |context| &context.deliveries);
    follow_kind(tasks, config, context, |context| &context.alerts);
    follow_kind(tasks, config, context, |context| &context.providers);
    follow_kind(tasks, config, context, |context| {
        &context.plugins.namespaced
    });
    let target = Records::target(config.namespace.as_deref());
    let (known, client) = (context.clone(), context.clients.watching().clone());
    tasks.spawn(async move { watch::follow(client, target, &known.releases.records).await });
    for kind in [ReferredKind::ConfigMap, ReferredKind::Secret] {
        if config.watched.is_empty() {
            break;
        }
        let target = kind.target(config.namespace.as_deref(), &config.watched);
        let client = context.clients.watching().clone();
        let referred = Referred::new(kind, context.clone());
        tasks.spawn(async move { watch::follow(client, target, &referred).await });
    }
    // Plugins of the cluster are everybody's: of a shard, and of an installation for one namespace.
    let target = Target::of::<ClusterPlugin>(None);
    let (context, client) = (context.clone(), context.clients.watching().clone());
    tasks.spawn(async move { watch::follow(client, target, &context.plugins.cluster).await });
}

fn follow_kind<K>(
    tasks: &mut JoinSet<()>,
    config: &RunConfig,
    context: &Arc<Context>,
    store: fn(&Context) -> &Store<K>,
) where
    K: kube::Resource<DynamicType = ()> + DeserializeOwned + Send + Sync + 'static,
{
    let mut target = Target::of::<K>(config.namespace.as_deref());
    target.labels = config.labels.clone();
    let (context, client) = (context.clone(), context.clients.watching().clone());
    tasks.spawn(async move { watch::follow(client, target, store(&context)).await });
}

/// Opens the folders for archives and for repositories.
fn storage(config: &RunConfig) -> Result<(Arc<Dir>, bulkhead_source::Store), RunError> {
    let open = || -> std::io::Result<Dir> {
        let authority = cap_std::ambient_authority();
        Dir::create_ambient_dir_all(&config.storage, authority)?;
        let storage = Dir::open_ambient_dir(&config.storage, authority)?;
        storage.create_dir_all("artifacts")?;
        let artifacts = storage.open_dir("artifacts")?;
        Archives::clear_scratch(&artifacts);
        Ok(artifacts)
    };
    let wrong = |source| RunError::Storage {
        path: config.storage.clone(),
        source,
    };
    let artifacts = open().map_err(wrong)?;
    let source = bulkhead_source::Store::open(config.storage.join("repositories"));
    Ok((Arc::new(artifacts), source.map_err(RunError::Source)?))
}

/// Opens the folder of transcripts: only this user may read what is in it.
fn transcripts(config: &RunConfig) -> Result<Transcripts, RunError> {
    let path = config.storage.join("transcripts");
    let open = || -> std::io::Result<Dir> {
        let storage = Dir::open_ambient_dir(&config.storage, cap_std::ambient_authority())?;
        let mut private = DirBuilder::new();
        private.recursive(true).mode(0o700);
        storage.create_dir_with("transcripts", &private)?;
        storage.open_dir("transcripts")
    };
    match open() {
        Ok(dir) => Ok(Transcripts::new(dir, path)),
        Err(source) => Err(RunError::Storage { path, source }),
    }
}

/// Starts the servers; returns where archives are served.
async fn serve(
    config: &RunConfig,
    metrics: &Metrics,
    readiness: &Readiness,
    directory: &Arc<Dir>,
    servers: &mut JoinSet<()>,
) -> Result<SocketAddr, RunError> {
    if let Some(address) = config.probes {
        let listener = server::listen("probes", address).await?;
        servers.spawn(server::serve(listener, server::probes(readiness.clone())));
    }
    if let Some(address) = config.metrics {
        let listener = server::listen("metrics", address).await?;
        servers.spawn(server::serve(listener, server::metrics(metrics.clone())));
    }
    let listener = server::listen("artifacts", config.artifacts).await?;
    let address = listener.local_addr().unwrap_or(config.artifacts);
    servers.spawn(server::serve(
        listener,
        server::artifacts(directory.clone()),
    ));
    Ok(address)
}
