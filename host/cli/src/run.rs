//! `bulkhead run`: reads the settings of the controllers and starts them.

use anyhow::Context as _;
use bulkhead_controllers::config::RunConfig;
use bulkhead_controllers::log::FluxJson;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

use crate::args::{LogEncoding, LogLevel, RunArguments};
use crate::output::CliError;
use crate::plugins;

/// Runs the controllers until the process is told to stop.
pub(crate) async fn run(arguments: RunArguments) -> Result<(), CliError> {
    log_to_stderr(arguments.log_level, arguments.log_encoding);
    let kube = kube_config(&arguments).await?;
    let host = plugins::host(Some(&arguments.storage_path))?;
    let kustomize = plugins::built_in(&host, "kustomize").await?;
    let instance =
        std::env::var("HOSTNAME").unwrap_or_else(|_| format!("bulkhead-{}", std::process::id()));
    let mut config = RunConfig::new(
        kube,
        &instance,
        &arguments.runtime_namespace,
        arguments.storage_path.clone(),
        host.clone(),
        kustomize,
    );
    config.helm = Some(plugins::built_in(&host, "helm").await?);
    for (name, folder) in plugins::notifiers() {
        config
            .notifiers
            .push((name.to_owned(), plugins::built_in(&host, folder).await?));
    }
    if !arguments.watch_all_namespaces {
        config.namespace = Some(arguments.runtime_namespace.clone());
    }
    if !arguments.enable_leader_election {
        config.election = None;
    }
    config.labels = arguments.watch_label_selector.clone();
    config.watched = arguments.watch_configs_label_selector.clone();
    config.artifacts = arguments.storage_addr;
    config.artifacts_advertised = arguments.storage_adv_addr.clone();
    config.probes = Some(arguments.health_addr);
    config.metrics = Some(arguments.metrics_addr);
    config.concurrency = arguments.concurrent.max(1);
    config.no_cross_namespace_refs = arguments.no_cross_namespace_refs;
    config.default_service_account = arguments.default_service_account.clone();
    config.default_kubeconfig_service_account =
        arguments.default_kubeconfig_service_account.clone();
    config.insecure_kubeconfig_tls = arguments.insecure_kubeconfig_tls;
    config.requeue_dependency = arguments.requeue_dependency;
    config.allow_private_networks = arguments.allow_private_networks;
    config.remote_bases = arguments.remote.allowed();
    config.interval_jitter = f64::from(arguments.interval_jitter_percentage.min(100)) / 100.0;
    tracing::info!(
        version = env!("CARGO_PKG_VERSION"),
        instance,
        "starting bulkhead"
    );
    bulkhead_controllers::run::run(config, stopped()).await?;
    tracing::info!("stopped");
    Ok(())
}

async fn kube_config(arguments: &RunArguments) -> Result<kube::Config, CliError> {
    let options = kube::config::KubeConfigOptions {
        context: arguments.context.clone(),
        ..Default::default()
    };
    let hint = "name a kubeconfig with `--kubeconfig`, or run in a cluster with a service account";
    let config = match &arguments.kubeconfig {
        Some(path) => {
            let file = kube::config::Kubeconfig::read_from(path)
                .with_context(|| format!("failed to read {}", path.display()))?;
            kube::Config::from_custom_kubeconfig(file, &options)
                .await
                .map_err(anyhow::Error::from)
        }
        None if arguments.context.is_some() => kube::Config::from_kubeconfig(&options)
            .await
            .map_err(anyhow::Error::from),
        None => kube::Config::infer().await.map_err(anyhow::Error::from),
    };
    config
        .context("failed to find out how to reach the API server")
        .map_err(|error| CliError::from(error).hint(hint))
}

fn log_to_stderr(level: LogLevel, encoding: LogEncoding) {
    let ours = match level {
        LogLevel::Debug => LevelFilter::DEBUG,
        LogLevel::Info => LevelFilter::INFO,
        LogLevel::Error => LevelFilter::ERROR,
    };
    // Libraries speak up only when something is wrong.
    let theirs = if level == LogLevel::Error {
        LevelFilter::ERROR
    } else {
        LevelFilter::WARN
    };
    let mut targets = Targets::new().with_default(theirs);
    for name in [
        "bulkhead",
        "bulkhead_source",
        "bulkhead_wasm",
        "bulkhead_apply",
        "bulkhead_notify",
        "bulkhead_controllers",
        "plugin",
    ] {
        targets = targets.with_target(name, ours);
    }
    let registry = tracing_subscriber::registry().with(targets);
    match encoding {
        LogEncoding::Json => registry.with(FluxJson::new(std::io::stderr)).init(),
        LogEncoding::Console => {
            registry
                .with(tracing_subscriber::fmt::layer().with_writer(std::io::stderr))
                .init();
        }
    }
}

/// Resolves when the process is asked to stop: SIGTERM, as from a kubelet, or an interrupt.
pub(crate) async fn stopped() {
    use tokio::signal::unix::{SignalKind, signal};
    let terminated = async {
        match signal(SignalKind::terminate()) {
            Ok(mut signal) => {
                signal.recv().await;
            }
            Err(_) => std::future::pending().await,
        }
    };
    tokio::select! {
        () = terminated => {}
        _ = tokio::signal::ctrl_c() => {}
    }
}
