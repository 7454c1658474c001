//! The flags of every command. Only this crate reads flags and the environment.

mod helm;
pub(crate) mod plugin;
mod remote;
mod render;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};

pub(crate) use helm::HelmArguments;
pub(crate) use plugin::{
    BenchArguments, BuildArguments, CallArguments, CheckArguments, ClusterArguments,
    InspectArguments, InstallPluginArguments, Kind, Language, ListArguments, LoadArguments,
    NewArguments, PluginCommand, PluginRenderArguments, PolicyArguments, PullArguments,
    PushArguments, RegistryArguments, RemoveArguments, ReplayArguments, RunPluginArguments,
    SaveArguments, SignArguments, SignatureFormat, TestArguments, VerifyArguments,
};
pub(crate) use remote::RemoteArguments;
pub(crate) use render::{
    HelmReleaseArguments, KustomizeArguments, LoadRestrictor, RenderArguments, RenderCommand,
    Reorder,
};

/// A GitOps engine for Kubernetes that renders in a sandbox.
#[derive(Debug, Parser)]
#[command(
    name = "bulkhead",
    version,
    propagate_version = true,
    max_term_width = 100
)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
#[command(defer = true)]
pub(crate) enum Command {
    /// Keep a directory as the sources say, without a cluster
    Sync(SyncArguments),
    /// Render a directory and print the objects
    Render(Box<RenderArguments>),
    /// Write, build, test, publish and install plugins
    #[command(subcommand)]
    Plugin(PluginCommand),
    /// Run the controllers in, or against, a cluster
    Run(Box<RunArguments>),
    /// Print what has to be applied to a cluster to run Bulkhead there
    Install(InstallArguments),
    /// Compile a component from standard input, under limits; the host starts this itself
    #[command(hide = true)]
    CompilePlugin,
    /// Compile the built-in components, and write what comes out behind this program
    #[command(hide = true)]
    Precompile {
        /// File to write; without it this program's own
        to: Option<PathBuf>,
    },
}

/// How a person, or a program, wants to read the answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum OutputFormat {
    /// For people
    #[default]
    Text,
    /// One JSON object a line
    Json,
}

/// Flags of `sync`.
#[derive(Debug, Args)]
pub(crate) struct SyncArguments {
    /// File or directory with the custom resources (GitRepository, Kustomization, Delivery,
    /// HelmRelease and its sources, Plugin, ClusterPlugin, Alert, Provider, and the Secrets and
    /// ConfigMaps they name); may be given several times
    #[arg(short, long = "filename", value_name = "FILE|DIR", required = true)]
    pub filename: Vec<PathBuf>,
    /// Directory to keep; only files that Bulkhead wrote are changed or deleted
    #[arg(long, value_name = "DIR")]
    pub to: PathBuf,
    /// Do it once, instead of at every interval until interrupted
    #[arg(long)]
    pub once: bool,
    /// Show each changed object's difference
    #[arg(long)]
    pub diff: bool,
    /// Let notifiers send to loopback and private addresses, and without TLS
    #[arg(long)]
    pub allow_private_networks: bool,
    /// Version of Kubernetes that renderers are told
    #[arg(long, value_name = "VERSION", default_value = "v1.36.0")]
    pub kube_version: String,
    /// How to print
    #[arg(short, long, value_enum, default_value_t)]
    pub output: OutputFormat,
    #[command(flatten)]
    pub registry: RegistryArguments,
    #[command(flatten)]
    pub remote: RemoteArguments,
    #[command(flatten)]
    pub cache: CacheArguments,
}

/// Where fetched sources and compiled plugins are kept.
#[derive(Debug, Args)]
pub(crate) struct CacheArguments {
    /// Folder for fetched sources and compiled plugins; private to the user
    #[arg(long, value_name = "DIR", env = "BULKHEAD_CACHE_DIR")]
    pub cache_dir: Option<PathBuf>,
}

/// Flags of `install`.
#[derive(Debug, Args)]
pub(crate) struct InstallArguments {
    /// Print the manifests; without it the command says how to apply them
    #[arg(long)]
    pub export: bool,
    /// Namespace to run in
    #[arg(short, long, default_value = "flux-system")]
    pub namespace: String,
    /// Container image with a tag
    #[arg(long, value_name = "IMAGE")]
    pub image: Option<String>,
    /// How to print: `text` is YAML
    #[arg(short, long, value_enum, default_value_t)]
    pub output: OutputFormat,
}

/// Flags of `run`. Names and defaults are those of Flux's controllers where they have one.
#[derive(Debug, Args)]
pub(crate) struct RunArguments {
    /// Path of a kubeconfig; without it $KUBECONFIG, the user's own, or the pod's service account
    #[arg(long, value_name = "FILE")]
    pub kubeconfig: Option<PathBuf>,
    /// Context of the kubeconfig
    #[arg(long)]
    pub context: Option<String>,
    /// Namespace the controllers run in: leader election, artifact addresses
    #[arg(long, env = "RUNTIME_NAMESPACE", default_value = "flux-system")]
    pub runtime_namespace: String,
    /// Reconcile the objects of all namespaces
    #[arg(long, default_value_t = true, action = clap::ArgAction::Set, num_args = 0..=1,
          default_missing_value = "true", value_name = "BOOL")]
    pub watch_all_namespaces: bool,
    /// Reconcile only objects with these labels; Flux's shard key is `sharding.fluxcd.io/key`
    #[arg(long, value_name = "SELECTOR", default_value = "")]
    pub watch_label_selector: String,
    /// ConfigMaps and Secrets with these labels start the HelmReleases that refer to them when they
    /// change
    #[arg(
        long,
        value_name = "SELECTOR",
        default_value = "reconcile.fluxcd.io/watch=Enabled"
    )]
    pub watch_configs_label_selector: String,
    /// Elect a leader among replicas before anything is written
    #[arg(long, num_args = 0..=1, default_value_t = false, default_missing_value = "true",
          action = clap::ArgAction::Set, value_name = "BOOL")]
    pub enable_leader_election: bool,
    /// Folder for fetched sources, artifacts and compiled plugins
    #[arg(long, value_name = "DIR", default_value = "/data")]
    pub storage_path: PathBuf,
    /// Address that serves artifacts
    #[arg(long, value_name = "ADDRESS", default_value = "0.0.0.0:9090")]
    pub storage_addr: SocketAddr,
    /// Host, and port if not 80, in the artifact addresses that others read
    #[arg(long, value_name = "HOST")]
    pub storage_adv_addr: Option<String>,
    /// Address of the probes `/healthz` and `/readyz`
    #[arg(long, value_name = "ADDRESS", default_value = "0.0.0.0:9440")]
    pub health_addr: SocketAddr,
    /// Address of `/metrics`
    #[arg(long, value_name = "ADDRESS", default_value = "0.0.0.0:8080")]
    pub metrics_addr: SocketAddr,
    /// Objects reconciled at the same time
    #[arg(long, default_value_t = 8)]
    pub concurrent: usize,
    /// Refuse references to objects in other namespaces
    #[arg(long)]
    pub no_cross_namespace_refs: bool,
    /// Service account to apply as where a Kustomization names none
    #[arg(long, value_name = "NAME")]
    pub default_service_account: Option<String>,
    /// Service account whose token reaches the cluster of a `configMapRef` that names none
    #[arg(long, value_name = "NAME")]
    pub default_kubeconfig_service_account: Option<String>,
    /// Let kubeconfigs in Secrets turn off the verification of the server, or name one without TLS
    #[arg(long)]
    pub insecure_kubeconfig_tls: bool,
    /// Pause before an unready dependency is looked at again; a change wakes it at once
    #[arg(long, value_parser = duration, default_value = "30s")]
    pub requeue_dependency: Duration,
    /// Jitter of intervals, in percent
    #[arg(long, default_value_t = 5)]
    pub interval_jitter_percentage: u8,
    /// Let notifiers send to loopback and private addresses, and without TLS
    #[arg(long)]
    pub allow_private_networks: bool,
    #[command(flatten)]
    pub remote: RemoteArguments,
    /// Least severe log lines that are printed
    #[arg(long, value_enum, default_value_t)]
    pub log_level: LogLevel,
    /// Form of the log lines
    #[arg(long, value_enum, default_value_t)]
    pub log_encoding: LogEncoding,
}

/// Least severe log lines that are printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogLevel {
    /// Every step
    Debug,
    /// What happened
    #[default]
    Info,
    /// What went wrong
    Error,
}

/// Form of the log lines.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogEncoding {
    /// One JSON object a line, in Flux's schema
    #[default]
    Json,
    /// For people
    Console,
}

fn duration(text: &str) -> Result<Duration, String> {
    let (digits, unit) = text.split_at(
        text.find(|c: char| !c.is_ascii_digit())
            .unwrap_or(text.len()),
    );
    let amount: u64 = digits
        .parse()
        .map_err(|_| format!("`{text}` is not a duration such as 30s"))?;
    let seconds = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3600,
        _ => return Err(format!("`{text}` is not a duration such as 30s, 5m or 1h")),
    };
    Ok(Duration::from_secs(amount.saturating_mul(seconds)))
}
