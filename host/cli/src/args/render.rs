//! The flags of `render`.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

use super::{
    CacheArguments, HelmArguments, OutputFormat, PluginRenderArguments, RegistryArguments,
    RemoteArguments,
};

/// Flags of `render`: a default renderer by name, or any plugin.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub(crate) struct RenderArguments {
    #[command(subcommand)]
    pub command: Option<RenderCommand>,
    #[command(flatten)]
    pub plugin: PluginRenderArguments,
}

/// The default renderers, with the flags of the programs they stand for.
#[derive(Debug, Subcommand)]
#[command(defer = true)]
pub(crate) enum RenderCommand {
    /// Print what `kustomize build DIR` prints
    Kustomize(Box<KustomizeArguments>),
    /// Print what `helm template NAME CHART` prints
    Helm(Box<HelmArguments>),
    /// Print what the controller would store and apply for HelmReleases, without one
    #[command(name = "helmrelease", visible_alias = "hr")]
    HelmRelease(Box<HelmReleaseArguments>),
}

/// Flags of `render helmrelease`.
#[derive(Debug, Args)]
pub(crate) struct HelmReleaseArguments {
    /// File or folder with the HelmReleases
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// Files and folders with what they refer to: sources, ConfigMaps, Secrets, plugins
    #[arg(value_name = "FILE|DIR")]
    pub more: Vec<PathBuf>,
    /// Chart of all the HelmReleases: a folder or a `.tgz`, whatever they name
    #[arg(long, value_name = "PATH")]
    pub chart: Option<PathBuf>,
    /// Folders that stand for sources: `KIND/NAMESPACE/NAME=PATH`, with the kinds GitRepository,
    /// HelmRepository, OCIRepository and HelmChart
    #[arg(long, value_name = "SOURCE=PATH", value_delimiter = ',')]
    pub local_sources: Vec<String>,
    /// Fetch nothing: charts must be on this machine
    #[arg(long)]
    pub offline: bool,
    /// Ask the cluster of this kubeconfig for what the files lack, its version and kinds, and
    /// `lookup`, as the account that `spec.serviceAccountName` names
    #[arg(long, value_name = "FILE")]
    pub kubeconfig: Option<PathBuf>,
    /// Ask the cluster of this context
    #[arg(long)]
    pub context: Option<String>,
    /// Version of Kubernetes that charts are told
    #[arg(
        long,
        value_name = "VERSION",
        default_value = "",
        hide_default_value = true
    )]
    pub kube_version: String,
    /// What the cluster serves besides what every one does: `monitoring.coreos.com/v1`
    #[arg(short, long, value_name = "VERSION", value_delimiter = ',')]
    pub api_versions: Vec<String>,
    /// Time that charts are told, by RFC 3339; without it, 1970, so that nothing drifts
    #[arg(long, value_name = "TIME")]
    pub time: Option<jiff::Timestamp>,
    /// Leave out hooks
    #[arg(long)]
    pub no_hooks: bool,
    /// Leave out the CRDs of charts
    #[arg(long)]
    pub skip_crds: bool,
    /// How to print
    #[arg(short, long, value_enum, default_value_t)]
    pub output: OutputFormat,
    #[command(flatten)]
    pub registry: RegistryArguments,
    #[command(flatten)]
    pub cache: CacheArguments,
}

/// Flags of `render kustomize`: those of `kustomize build`, and ours.
#[derive(Debug, Args)]
pub(crate) struct KustomizeArguments {
    /// Directory with a kustomization file, or URL of a repository
    #[arg(default_value = ".")]
    pub directory: PathBuf,
    /// File, or existing directory for one file an object; standard output if absent
    #[arg(short, long, value_name = "PATH")]
    pub output: Option<PathBuf>,
    /// Order of the objects: `legacy` sorts by kind, `none` keeps the order of the resources
    #[arg(long, value_enum)]
    pub reorder: Option<Reorder>,
    /// Whether files may lie outside the directory of their kustomization
    #[arg(long, value_enum, default_value_t)]
    pub load_restrictor: LoadRestrictor,
    /// Allow plugins; the built-in ones need no leave, and all others are refused
    #[arg(long)]
    pub enable_alpha_plugins: bool,
    /// Label every object with `app.kubernetes.io/managed-by`
    #[arg(long)]
    pub enable_managedby_label: bool,
    #[command(flatten)]
    pub remote: RemoteArguments,
    /// Folder that the renderer may read; by default the Git checkout around DIR, else everything,
    /// as for kustomize
    #[arg(long, value_name = "DIR")]
    pub root: Option<PathBuf>,
    /// Write an in-toto statement about the output to this file
    #[arg(long, value_name = "FILE")]
    pub provenance: Option<PathBuf>,
    /// Generate the kustomization that is not there, as for a Flux Kustomization
    #[arg(long)]
    pub generate: bool,
    #[command(flatten)]
    pub programs: ProgramArguments,
    #[command(flatten)]
    pub cache: CacheArguments,
}

/// Flags of `kustomize build` about programs that it would run. A kustomization that needs one is
/// refused with advice; the flags are taken so that a command line works unchanged.
#[derive(Debug, Args)]
pub(crate) struct ProgramArguments {
    #[arg(long, hide = true)]
    pub as_current_user: bool,
    #[arg(long, hide = true)]
    pub enable_exec: bool,
    #[arg(long, hide = true)]
    pub enable_helm: bool,
    #[arg(short, long, hide = true)]
    pub env: Vec<String>,
    #[arg(long, hide = true)]
    pub helm_api_versions: Vec<String>,
    #[arg(long, hide = true)]
    pub helm_command: Option<String>,
    #[arg(long, hide = true)]
    pub helm_debug: bool,
    #[arg(long, hide = true)]
    pub helm_kube_version: Option<String>,
    #[arg(long, hide = true)]
    pub mount: Vec<String>,
    #[arg(long, hide = true)]
    pub network: bool,
    #[arg(long, hide = true)]
    pub network_name: Option<String>,
    #[arg(long, hide = true)]
    pub stack_trace: bool,
}

/// Order of the objects.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Reorder {
    /// Namespaces and CRDs first, webhooks last
    Legacy,
    /// As the resources are listed
    None,
}

/// Which files a kustomization may read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum LoadRestrictor {
    /// Those in its own directory and below
    #[default]
    #[value(name = "LoadRestrictionsRootOnly")]
    RootOnly,
    /// All of the tree
    #[value(name = "LoadRestrictionsNone")]
    None,
}
