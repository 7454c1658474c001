//! `bulkhead sync`: keeps a directory as sources, Kustomizations, Deliveries and HelmReleases say,
//! without a cluster.
//!
//! Reads the custom resources from files, fetches, renders and applies with the same code as the
//! controllers; only the target, a directory, differs. A failure keeps the last good state of its
//! object and touches no other.

mod deliver;
mod display;
mod events;
mod fetch;
mod order;
mod plugins;
mod release;
mod schedule;
mod values;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Instant;

use anyhow::Context as _;
use bulkhead_apply::target::directory::Directory;
use bulkhead_controllers::alert::Installations;
use bulkhead_controllers::applier::{Name, face};
use bulkhead_controllers::catalogue::{Catalogue, Installed as Plugin};
use bulkhead_controllers::delivery::remote::{Remotes, Rules};
use bulkhead_controllers::delivery::{Renderer, TargetFacts};
use bulkhead_controllers::metrics::Metrics;
use bulkhead_notify::{Notifier, Reach, Settings};
use bulkhead_source::{Artifact, Store};
use bulkhead_wasm::{Host, Limits};

use self::display::Display;
use self::plugins::Made;
use self::schedule::Schedule;
use crate::args::{RegistryArguments, SyncArguments};
use crate::output::{self, CliError};
use crate::plugins as built_in;
use crate::resources::{Key, Resources};

pub(crate) use self::plugins::{Place, anchor, load as load_plugin};

/// Charts that were had in a round.
type Had = std::sync::Mutex<HashMap<String, (bulkhead_controllers::helmrelease::Chart, String)>>;

/// What goes on between rounds.
pub(crate) struct Engine {
    /// Runs the plugins; they stop working when it is gone.
    host: Host,
    /// How registries are reached.
    registry: RegistryArguments,
    store: Arc<Store>,
    renderer: Renderer,
    catalogue: Arc<Catalogue>,
    notifier: Notifier,
    directory: Directory,
    display: Display,
    schedule: Schedule,
    /// The plugins of the files that are installed, or failed to be.
    plugins: BTreeMap<Place, Made>,
    /// Why a plugin of the files is not installed.
    plugin_failures: BTreeMap<Place, String>,
    /// What each GitRepository is at.
    artifacts: HashMap<Key, Arc<Artifact>>,
    /// Why a GitRepository could not be fetched, as last told.
    source_failures: BTreeMap<Key, String>,
    /// Revision that each Kustomization and Delivery was last brought to.
    applied: HashMap<Name, String>,
    /// How each Kustomization and Delivery last failed, as last told.
    failures: BTreeMap<Name, String>,
    /// Chart that each HelmRelease was last brought to.
    released: HashMap<Key, String>,
    /// How each HelmRelease last failed, as last told.
    release_failures: BTreeMap<Key, String>,
    /// Version of Kubernetes that renderers are told.
    kube_version: String,
}

/// Syncs once, or until interrupted.
pub(crate) async fn run(arguments: SyncArguments) -> Result<(), CliError> {
    let mut resources = read(&arguments)?;
    let mut engine = engine(&arguments).await?;
    let odd = resources.warnings.iter().chain(&resources.unknown);
    odd.for_each(|warning| output::note(&format!("warning: {warning}")));
    let stop = crate::run::stopped();
    tokio::pin!(stop);
    loop {
        engine.load_helm(&resources).await?;
        tokio::select! {
            round = engine.round(&resources) => round?,
            () = &mut stop => return Ok(()),
        }
        if arguments.once {
            return engine.verdict();
        }
        let pause = engine.schedule.pause(&resources, Instant::now());
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = &mut stop => return Ok(()),
        }
        // The files may have changed. A mistake in them stops nothing that runs.
        match read(&arguments) {
            Ok(read) => resources = read,
            Err(error) => output::note(&format!("error: {error:#}; going on as before")),
        }
    }
}

fn read(arguments: &SyncArguments) -> anyhow::Result<Resources> {
    let resources = Resources::read(&arguments.filename)?;
    let is_empty = resources.appliers.is_empty()
        && resources.repositories.is_empty()
        && resources.releases.is_empty();
    if is_empty {
        let paths = arguments.filename.iter();
        let paths: Vec<String> = paths.map(|path| path.display().to_string()).collect();
        anyhow::bail!(
            "found no GitRepository, no Kustomization, no Delivery and no HelmRelease in {}",
            paths.join(", ")
        );
    }
    Ok(resources)
}

async fn engine(arguments: &SyncArguments) -> Result<Engine, CliError> {
    let cache = built_in::cache_folder(arguments.cache.cache_dir.clone());
    let cache = cache
        .context("found no folder to keep fetched sources in")
        .map_err(|error| {
            CliError::from(error)
                .usage()
                .hint("name one with `--cache-dir`, or set $HOME")
        })?;
    let host = built_in::host(Some(&cache))?;
    let catalogue = Arc::new(Catalogue::new(embedded(&host).await?, |_| {}));
    let mut settings = Settings::default();
    if arguments.allow_private_networks {
        settings.reach = Reach::local();
    }
    let store = Arc::new(Store::open(cache.join("git"))?);
    let rules = Rules {
        allowed: arguments.remote.allowed(),
        private_networks: true,
        local: true,
    };
    let remotes = Remotes::new(store.clone(), rules);
    let target = TargetFacts {
        kube_version: arguments.kube_version.clone(),
        api_versions: Vec::new(),
    };
    Ok(Engine {
        host,
        registry: arguments.registry.clone(),
        store,
        renderer: Renderer::new(target, Metrics::new()).with_remotes(remotes),
        notifier: Notifier::new(Installations(catalogue.clone()), settings),
        catalogue,
        directory: open(&arguments.to)?,
        display: Display::new(arguments.output, arguments.diff),
        schedule: Schedule::default(),
        plugins: BTreeMap::new(),
        plugin_failures: BTreeMap::new(),
        artifacts: HashMap::new(),
        source_failures: BTreeMap::new(),
        applied: HashMap::new(),
        failures: BTreeMap::new(),
        released: HashMap::new(),
        release_failures: BTreeMap::new(),
        kube_version: arguments.kube_version.clone(),
    })
}

/// Loads the plugins of the binary, by the names that they are found under.
async fn embedded(host: &Host) -> Result<Vec<Arc<Plugin>>, CliError> {
    let kustomize = built_in::built_in(host, face::KUSTOMIZE).await?;
    let limits = Limits::renderer();
    let kustomize = Plugin::built_in(face::KUSTOMIZE, kustomize, None, limits);
    let mut plugins = vec![Arc::new(kustomize)];
    for (name, folder) in built_in::notifiers() {
        let plugin = built_in::built_in(host, folder).await?;
        let plugin = Plugin::built_in(name, plugin, None, Limits::notifier());
        plugins.push(Arc::new(plugin));
    }
    Ok(plugins)
}

fn open(path: &std::path::Path) -> Result<Directory, CliError> {
    let failed = || format!("failed to open {}", path.display());
    std::fs::create_dir_all(path).with_context(failed)?;
    let dir = cap_std::fs::Dir::open_ambient_dir(path, cap_std::ambient_authority())
        .with_context(failed)?;
    Ok(Directory::new(dir))
}

impl Engine {
    /// Does all that is due.
    async fn round(&mut self, resources: &Resources) -> anyhow::Result<()> {
        self.install_plugins(resources).await?;
        self.fetch_due(resources).await?;
        self.deliver_due(resources).await?;
        self.release_due(resources).await
    }

    /// Returns what `--once` ends with.
    fn verdict(&self) -> Result<(), CliError> {
        let plugins = self.plugin_failures.keys().map(|(_, name)| name.clone());
        let failures = self.failures.len() + self.release_failures.len();
        let failed = self.source_failures.len() + failures + plugins.len();
        if failed == 0 {
            return Ok(());
        }
        let sources = self.source_failures.keys();
        let sources = sources.map(|(namespace, name)| format!("{namespace}/{name}"));
        let appliers = self.failures.keys().map(|name| name.key.to_string());
        let releases = self.release_failures.keys();
        let releases = releases.map(|(namespace, name)| format!("{namespace}/{name}"));
        let names = plugins.chain(sources).chain(appliers).chain(releases);
        let names: Vec<String> = names.collect();
        Err(anyhow::anyhow!("{failed} of the resources failed: {}", names.join(", ")).into())
    }
}
