//! The flags of `render helm`: those of `helm template`.

use std::path::PathBuf;

use clap::{ArgAction, Args};

use super::CacheArguments;

/// Flags of `render helm`: those of `helm template` that change the output.
#[derive(Debug, Args)]
#[command(disable_help_flag = true, disable_version_flag = true)]
pub(crate) struct HelmArguments {
    /// Name of the release, and the chart: a folder or a `.tgz`
    #[arg(
        value_name = "[NAME] CHART",
        required = true,
        allow_hyphen_values = false
    )]
    pub places: Vec<String>,
    /// Namespace of the release
    #[arg(short, long, default_value = "default", value_name = "NAMESPACE")]
    pub namespace: String,
    /// Template that makes the name of the release
    #[arg(
        long,
        value_name = "TEMPLATE",
        default_value = "",
        hide_default_value = true
    )]
    pub name_template: String,
    /// Make a name for the release of the chart's and the time
    #[arg(short, long)]
    pub generate_name: bool,
    /// File of values, or `-` for standard input; several times, the later over the earlier
    #[arg(short = 'f', long, value_name = "FILE", value_delimiter = ',')]
    pub values: Vec<String>,
    /// Set values: `a.b=1,c[0]=x`
    #[arg(long, value_name = "SET", allow_hyphen_values = true)]
    pub set: Vec<String>,
    /// Set values that are texts
    #[arg(long, value_name = "SET", allow_hyphen_values = true)]
    pub set_string: Vec<String>,
    /// Set values that are JSON: `a={"b":1}`
    #[arg(long, value_name = "SET", allow_hyphen_values = true)]
    pub set_json: Vec<String>,
    /// Set values to the texts of files: `a=path`
    #[arg(long, value_name = "SET", allow_hyphen_values = true)]
    pub set_file: Vec<String>,
    /// Set one value to a text with all its commas and braces
    #[arg(long, value_name = "SET", allow_hyphen_values = true)]
    pub set_literal: Vec<String>,
    /// What the cluster serves besides what every one does: `monitoring.coreos.com/v1`
    #[arg(short, long, value_name = "VERSION", value_delimiter = ',')]
    pub api_versions: Vec<String>,
    /// Version of Kubernetes that the chart is told
    #[arg(long, value_name = "VERSION")]
    pub kube_version: Option<String>,
    /// Print what is in `crds/` first
    #[arg(long)]
    pub include_crds: bool,
    /// Ignored: what is in `crds/` is printed only with `--include-crds`
    #[arg(long, hide = true)]
    pub skip_crds: bool,
    /// Leave out hooks
    #[arg(long)]
    pub no_hooks: bool,
    /// Leave out hooks that are tests
    #[arg(long)]
    pub skip_tests: bool,
    /// Print only what comes from this template; several times
    #[arg(short, long, value_name = "TEMPLATE")]
    pub show_only: Vec<String>,
    /// Tell the chart that this is an upgrade
    #[arg(long)]
    pub is_upgrade: bool,
    /// Do not check values against values.schema.json
    #[arg(long)]
    pub skip_schema_validation: bool,
    /// Write one file a template into this folder instead of printing
    #[arg(long, value_name = "DIR", conflicts_with_all = ["raw", "show_only"])]
    pub output_dir: Option<PathBuf>,
    /// Put the release's name between the folder and the templates
    #[arg(long, requires = "output_dir")]
    pub release_name: bool,
    /// Write each template's text as it was rendered, before anything reads it, to `DIR/<template>`
    #[arg(long, requires = "out")]
    pub raw: bool,
    /// Folder for `--raw`
    #[arg(long, value_name = "DIR", requires = "raw")]
    pub out: Option<PathBuf>,
    /// Write an in-toto statement about the output to this file
    #[arg(long, value_name = "FILE")]
    pub provenance: Option<PathBuf>,
    /// Folder that the renderer may read; by default the Git checkout around the chart, else the
    /// chart alone
    #[arg(long, value_name = "DIR")]
    pub root: Option<PathBuf>,
    /// Time that the chart is told, by RFC 3339; without it, 1970, so that nothing drifts
    #[arg(long, value_name = "TIME")]
    pub time: Option<jiff::Timestamp>,
    #[command(flatten)]
    pub refused: RefusedArguments,
    /// Print help
    #[arg(short, long, action = ArgAction::Help)]
    pub help: Option<bool>,
    #[command(flatten)]
    pub cache: CacheArguments,
}

/// Flags of `helm template` that no sandbox can do; hidden, so that the answer can say why.
#[derive(Debug, Args)]
pub(crate) struct RefusedArguments {
    #[arg(long, hide = true)]
    pub validate: bool,
    #[arg(long, hide = true, num_args = 0..=1, require_equals = true, default_missing_value = "unset")]
    pub dry_run: Option<String>,
    #[arg(long, hide = true, value_name = "PROGRAM")]
    pub post_renderer: Option<String>,
    #[arg(long, hide = true, allow_hyphen_values = true)]
    pub post_renderer_args: Vec<String>,
    #[arg(long, hide = true)]
    pub dependency_update: bool,
    #[arg(long, hide = true)]
    pub enable_dns: bool,
    #[arg(long, hide = true, value_name = "URL")]
    pub repo: Option<String>,
    #[arg(long, hide = true)]
    pub version: Option<String>,
    #[arg(long, hide = true)]
    pub verify: bool,
}
