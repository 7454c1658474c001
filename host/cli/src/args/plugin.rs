//! The flags of `plugin` and of `render PLUGIN DIR`.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

use super::{CacheArguments, OutputFormat};

/// What to do with plugins.
#[derive(Debug, Subcommand)]
#[command(defer = true)]
pub(crate) enum PluginCommand {
    /// Write a working plugin into a new folder; needs no network
    New(NewArguments),
    /// Build the plugin in a folder into a component, with its language's own tools
    Build(BuildArguments),
    /// Tell what a component is, what it imports, and what is wrong with it
    Check(CheckArguments),
    /// Run the golden cases of a plugin: every folder in tests/, each twice
    Test(TestArguments),
    /// Run a plugin once on a folder and print what it returns
    Run(Box<RunPluginArguments>),
    /// Measure a plugin: fuel, time of a call, compiling, memory
    Bench(Box<BenchArguments>),
    /// Repeat a call from its transcript, without its source or cluster
    Replay(ReplayArguments),
    /// Show a plugin: WIT, imports, requests, signer, difference to what is installed
    Inspect(InspectArguments),
    /// Publish a component to a registry
    Push(PushArguments),
    /// Fetch a plugin from a registry into a file
    Pull(PullArguments),
    /// Sign a published plugin with a key
    Sign(SignArguments),
    /// Check the signature of a published plugin
    Verify(VerifyArguments),
    /// Write images of a repository, with their signatures, as files for another network
    Save(SaveArguments),
    /// Copy what `save` wrote into a registry
    Load(LoadArguments),
    /// List the plugins that are installed
    List(ListArguments),
    /// Install a plugin by reference, here or in a cluster
    Install(Box<InstallPluginArguments>),
    /// Remove an installed plugin
    Remove(RemoveArguments),
}

/// A language with a template.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Language {
    /// Rust, with cargo
    Rust,
    /// Go 1.25 or later
    Go,
    /// JavaScript, with Node
    Js,
    /// Python 3, with componentize-py
    Python,
    /// C, with clang and wasi-libc
    C,
}

/// A kind of plugin.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Kind {
    /// Turns files into objects
    Renderer,
    /// Changes rendered objects
    Transformer,
    /// Turns events into messages
    Notifier,
}

/// Flags of `plugin new`.
#[derive(Debug, Args)]
pub(crate) struct NewArguments {
    /// Name of the plugin: lower-case letters, digits and `-`
    pub name: String,
    /// Language to write it in
    #[arg(long, value_enum)]
    pub lang: Language,
    /// What it does
    #[arg(long, value_enum, default_value = "renderer")]
    pub kind: Kind,
    /// Folder to write; by default one named as the plugin
    #[arg(long, value_name = "DIR")]
    pub to: Option<PathBuf>,
    /// How to print
    #[arg(short, long, value_enum, default_value_t)]
    pub output: OutputFormat,
}

/// Flags of `plugin build`.
#[derive(Debug, Args)]
pub(crate) struct BuildArguments {
    /// Folder with a bulkhead-plugin.yaml
    #[arg(default_value = ".")]
    pub directory: PathBuf,
    /// Component to write; by default NAME.wasm in the folder
    #[arg(long, value_name = "FILE")]
    pub to: Option<PathBuf>,
    /// How to print
    #[arg(short, long, value_enum, default_value_t)]
    pub output: OutputFormat,
}

/// Flags of `plugin check`.
#[derive(Debug, Args)]
pub(crate) struct CheckArguments {
    /// Component, or folder of a plugin that was built
    #[arg(value_name = "FILE|DIR", default_value = ".")]
    pub plugin: String,
    /// Fail on warnings, too
    #[arg(long)]
    pub strict: bool,
    /// How to print
    #[arg(short, long, value_enum, default_value_t)]
    pub output: OutputFormat,
}

/// Flags of `plugin test`.
#[derive(Debug, Args)]
pub(crate) struct TestArguments {
    /// Folder of a plugin that was built
    #[arg(default_value = ".")]
    pub directory: PathBuf,
    /// Component to test; by default the one that `build` wrote
    #[arg(long, value_name = "FILE")]
    pub component: Option<PathBuf>,
    /// Run the cases whose name holds this text
    #[arg(long, value_name = "TEXT")]
    pub filter: Option<String>,
    /// Write what came out as what is expected
    #[arg(long)]
    pub update: bool,
    /// How to print
    #[arg(short, long, value_enum, default_value_t)]
    pub output: OutputFormat,
    #[command(flatten)]
    pub cache: CacheArguments,
}

/// How registries are reached.
#[derive(Clone, Debug, Args)]
pub(crate) struct RegistryArguments {
    /// Docker configuration with logins; by default $DOCKER_CONFIG/config.json or
    /// ~/.docker/config.json
    #[arg(long, value_name = "FILE")]
    pub registry_config: Option<PathBuf>,
    /// Registry to reach without TLS, `host:port`; may be given several times
    #[arg(long, value_name = "HOST")]
    pub plain_http: Vec<String>,
    /// File with certificates of authorities to trust beside the public ones
    #[arg(long, value_name = "FILE")]
    pub registry_ca: Option<PathBuf>,
}

/// Whose signatures are accepted.
#[derive(Clone, Debug, Args)]
pub(crate) struct PolicyArguments {
    /// Public key in PEM; may be given several times, one has to fit
    #[arg(long, value_name = "FILE")]
    pub key: Vec<PathBuf>,
    /// Issuer of keyless signatures: `https://token.actions.githubusercontent.com`
    #[arg(long, value_name = "URL", requires = "identity")]
    pub issuer: Option<String>,
    /// Subject of keyless signatures, or `^…$` for a regular expression
    #[arg(long, value_name = "SUBJECT", requires = "issuer")]
    pub identity: Option<String>,
    /// Trusted root of Sigstore, as `trusted_root.json`, where it is not the public one
    #[arg(long, value_name = "FILE")]
    pub trusted_root: Option<PathBuf>,
}

/// What a plugin is given beside the source.
#[derive(Clone, Debug, Args)]
pub(crate) struct CallArguments {
    /// Configuration: a YAML or JSON file, or a JSON object
    #[arg(long, value_name = "FILE|JSON")]
    pub config: Option<String>,
    /// Input that is not in the source; may be given several times
    #[arg(long = "input", value_name = "NAME=FILE")]
    pub inputs: Vec<String>,
    /// Name of the delivery that the plugin is told
    #[arg(long, default_value = "", hide_default_value = true)]
    pub name: String,
    /// Namespace of the delivery that the plugin is told
    #[arg(short, long, default_value = "", hide_default_value = true)]
    pub namespace: String,
    /// Version of Kubernetes that the plugin is told
    #[arg(long, value_name = "VERSION", default_value = "v1.36.0")]
    pub kube_version: String,
    /// Group, version and kind that the plugin is told there are; may be given several times
    #[arg(long, value_name = "GROUP/VERSION[/KIND]", value_delimiter = ',')]
    pub api_versions: Vec<String>,
    /// Grant what the plugin asks for: `memory=512Mi`, `deadline=1m`, `files=PATTERN`, `lookup`,
    /// `http=HOST`, `secret=NAME`; may be given several times
    #[arg(long, value_name = "GRANT")]
    pub grant: Vec<String>,
}

/// Flags of `render PLUGIN DIR`.
#[derive(Debug, Args)]
pub(crate) struct PluginRenderArguments {
    /// Renderer: a component file, a reference in a registry, or the name of an installed plugin
    #[arg(value_name = "REF|FILE.wasm|NAME", required = true)]
    pub plugin: Option<String>,
    /// Directory to render
    #[arg(default_value = ".")]
    pub directory: PathBuf,
    /// Folder that the renderer may read; by default the directory
    #[arg(long, value_name = "DIR")]
    pub root: Option<PathBuf>,
    /// Write an in-toto statement about the output to this file
    #[arg(long, value_name = "FILE")]
    pub provenance: Option<PathBuf>,
    /// Write all that the renderer asked and was answered to this file, for `plugin replay`; without
    /// it, a render that fails is kept in the cache
    #[arg(long, value_name = "FILE")]
    pub transcript: Option<PathBuf>,
    /// How to print the objects
    #[arg(short, long, value_enum, default_value_t)]
    pub output: OutputFormat,
    #[command(flatten)]
    pub call: CallArguments,
    #[command(flatten)]
    pub registry: RegistryArguments,
    #[command(flatten)]
    pub cache: CacheArguments,
}

/// Flags of `plugin run`.
#[derive(Debug, Args)]
pub(crate) struct RunPluginArguments {
    /// Renderer: directory to render. Transformer: file or directory of objects. Notifier: file with
    /// events
    #[arg(value_name = "DIR|FILE")]
    pub input: PathBuf,
    /// Component file, reference or installed plugin; by default the plugin in this folder
    #[arg(long, value_name = "REF|FILE.wasm|NAME")]
    pub plugin: Option<String>,
    /// How to print
    #[arg(short, long, value_enum, default_value_t)]
    pub output: OutputFormat,
    #[command(flatten)]
    pub call: CallArguments,
    #[command(flatten)]
    pub registry: RegistryArguments,
    #[command(flatten)]
    pub cache: CacheArguments,
}

/// Flags of `plugin bench`.
#[derive(Debug, Args)]
pub(crate) struct BenchArguments {
    /// As for `plugin run`; by default the first golden case that succeeds
    #[arg(value_name = "DIR|FILE")]
    pub input: Option<PathBuf>,
    /// Component file, reference or installed plugin; by default the plugin in this folder
    #[arg(long, value_name = "REF|FILE.wasm|NAME")]
    pub plugin: Option<String>,
    /// Calls to measure
    #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub calls: u32,
    /// How to print
    #[arg(short, long, value_enum, default_value_t)]
    pub output: OutputFormat,
    #[command(flatten)]
    pub call: CallArguments,
    #[command(flatten)]
    pub registry: RegistryArguments,
}

/// Flags of `plugin replay`.
#[derive(Debug, Args)]
pub(crate) struct ReplayArguments {
    /// Transcript of a call
    pub transcript: PathBuf,
    /// What the transcript left out, because it is secret or large: the input's name, or the file's
    /// path; may be given several times
    #[arg(long, value_name = "NAME=FILE")]
    pub again: Vec<String>,
    /// Component file, reference or installed plugin; by default the plugin in this folder
    #[arg(long, value_name = "REF|FILE.wasm|NAME")]
    pub plugin: Option<String>,
    /// How to print
    #[arg(short, long, value_enum, default_value_t)]
    pub output: OutputFormat,
    #[command(flatten)]
    pub registry: RegistryArguments,
    #[command(flatten)]
    pub cache: CacheArguments,
}

/// Flags of `plugin inspect`.
#[derive(Debug, Args)]
pub(crate) struct InspectArguments {
    /// Reference, component file, or installed plugin
    #[arg(value_name = "REF|FILE.wasm|NAME")]
    pub plugin: String,
    /// Print its WIT alone
    #[arg(long)]
    pub wit: bool,
    /// How to print
    #[arg(short, long, value_enum, default_value_t)]
    pub output: OutputFormat,
    #[command(flatten)]
    pub policy: PolicyArguments,
    #[command(flatten)]
    pub registry: RegistryArguments,
}

/// Flags of `plugin push`.
#[derive(Debug, Args)]
pub(crate) struct PushArguments {
    /// Where to: `ghcr.io/you/plugin:1.0.0`
    pub reference: String,
    /// Component, or folder of a plugin that was built; or a package of WIT, a file or a folder
    #[arg(value_name = "FILE|DIR", default_value = ".")]
    pub plugin: String,
    /// How to print
    #[arg(short, long, value_enum, default_value_t)]
    pub output: OutputFormat,
    #[command(flatten)]
    pub registry: RegistryArguments,
}

/// Flags of `plugin pull`.
#[derive(Debug, Args)]
pub(crate) struct PullArguments {
    /// Reference of a plugin
    pub reference: String,
    /// File to write; by default NAME.wasm, or NAME.wit for a package of WIT
    #[arg(long, value_name = "FILE")]
    pub to: Option<PathBuf>,
    /// How to print
    #[arg(short, long, value_enum, default_value_t)]
    pub output: OutputFormat,
    #[command(flatten)]
    pub policy: PolicyArguments,
    #[command(flatten)]
    pub registry: RegistryArguments,
}

/// How a signature is stored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum SignatureFormat {
    /// As a Sigstore bundle that refers to the image: cosign 3
    #[default]
    Bundle,
    /// Under a tag beside the image: every cosign, and Flux
    Legacy,
}

/// Flags of `plugin sign`.
#[derive(Debug, Args)]
pub(crate) struct SignArguments {
    /// Reference of a published plugin
    pub reference: String,
    /// Private key in PEM, as cosign makes them; the passphrase is read from $COSIGN_PASSWORD
    #[arg(long, value_name = "FILE")]
    pub key: PathBuf,
    /// How the signature is stored
    #[arg(long, value_enum, default_value_t)]
    pub format: SignatureFormat,
    /// How to print
    #[arg(short, long, value_enum, default_value_t)]
    pub output: OutputFormat,
    #[command(flatten)]
    pub registry: RegistryArguments,
}

/// Flags of `plugin verify`.
#[derive(Debug, Args)]
pub(crate) struct VerifyArguments {
    /// Reference of a published plugin
    pub reference: String,
    /// How to print
    #[arg(short, long, value_enum, default_value_t)]
    pub output: OutputFormat,
    #[command(flatten)]
    pub policy: PolicyArguments,
    #[command(flatten)]
    pub registry: RegistryArguments,
}

/// Flags of `plugin save`.
#[derive(Debug, Args)]
pub(crate) struct SaveArguments {
    /// References of plugins, all of one repository
    #[arg(required = true)]
    pub references: Vec<String>,
    /// New folder, or `.tar` file, to write as an OCI image layout
    #[arg(long, value_name = "DIR|FILE.tar")]
    pub to: PathBuf,
    /// How to print
    #[arg(short, long, value_enum, default_value_t)]
    pub output: OutputFormat,
    #[command(flatten)]
    pub registry: RegistryArguments,
}

/// Flags of `plugin load`.
#[derive(Debug, Args)]
pub(crate) struct LoadArguments {
    /// What `plugin save` wrote
    #[arg(value_name = "DIR|FILE.tar")]
    pub from: PathBuf,
    /// Repository to copy to; by default where it came from
    #[arg(long, value_name = "REGISTRY/PATH")]
    pub to: Option<String>,
    /// How to print
    #[arg(short, long, value_enum, default_value_t)]
    pub output: OutputFormat,
    #[command(flatten)]
    pub registry: RegistryArguments,
}

/// Which cluster, if one is meant.
#[derive(Clone, Debug, Args)]
pub(crate) struct ClusterArguments {
    /// Write to the cluster of this kubeconfig
    #[arg(long, value_name = "FILE")]
    pub kubeconfig: Option<PathBuf>,
    /// Write to the cluster of this context
    #[arg(long)]
    pub context: Option<String>,
    /// Namespace of the Plugin; without it a ClusterPlugin
    #[arg(short, long)]
    pub namespace: Option<String>,
    /// Namespace that Bulkhead runs in: that of a ClusterPlugin's Secrets
    #[arg(long, default_value = "flux-system")]
    pub runtime_namespace: String,
}

/// Flags of `plugin list`.
#[derive(Debug, Args)]
pub(crate) struct ListArguments {
    /// How to print
    #[arg(short, long, value_enum, default_value_t)]
    pub output: OutputFormat,
    #[command(flatten)]
    pub cluster: ClusterArguments,
}

/// Flags of `plugin install`.
#[derive(Debug, Args)]
pub(crate) struct InstallPluginArguments {
    /// Reference of a plugin
    pub reference: String,
    /// Name to install it under; by default its own
    #[arg(long = "as", value_name = "NAME")]
    pub named: Option<String>,
    /// Grant what the plugin asks for: `memory=512Mi`, `deadline=1m`, `files=PATTERN`, `lookup`,
    /// `http=HOST`, `secret=NAME`; may be given several times
    #[arg(long, value_name = "GRANT")]
    pub grant: Vec<String>,
    /// Grant all that the plugin asks for
    #[arg(long)]
    pub grant_all: bool,
    /// Print the Plugin, or ClusterPlugin, instead of installing it
    #[arg(long)]
    pub export: bool,
    /// How often the cluster looks for another digest behind the tag
    #[arg(long, value_name = "DURATION", default_value = "10m")]
    pub interval: String,
    /// Secret with the registry's login in the cluster
    #[arg(long, value_name = "NAME")]
    pub pull_secret: Option<String>,
    /// How to print
    #[arg(short, long, value_enum, default_value_t)]
    pub output: OutputFormat,
    #[command(flatten)]
    pub cluster: ClusterArguments,
    #[command(flatten)]
    pub policy: PolicyArguments,
    #[command(flatten)]
    pub registry: RegistryArguments,
}

/// Flags of `plugin remove`.
#[derive(Debug, Args)]
pub(crate) struct RemoveArguments {
    /// Name of an installed plugin
    pub name: String,
    /// How to print
    #[arg(short, long, value_enum, default_value_t)]
    pub output: OutputFormat,
    #[command(flatten)]
    pub cluster: ClusterArguments,
}
