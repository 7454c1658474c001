//! Why a plugin could not be loaded, or a call has no answer, and what a user can do about it.
//!
//! A guest's refusal (its own answer) and a failure (it trapped, or the host stopped it) are
//! different things: the first is a fact about the input and may be cached, the second is a bug or
//! a lack of means.

mod call;
mod run;

use std::time::Duration;

use bulkhead_api::{Advice, Retry};

pub use call::{NotifyError, Refusal, RenderError};
pub use run::RunError;
pub(crate) use run::{Circumstances, Stop};

use crate::host::log::clean;
use crate::names::{PluginId, PluginKind};

/// Why the host itself could not be made.
#[derive(Debug, thiserror::Error)]
pub enum HostError {
    /// wasmtime refused the configuration, or this machine.
    #[error("failed to set up the WebAssembly engine: {0}")]
    Engine(String),
    /// No thread could be started.
    #[error("failed to start the threads of the WebAssembly host")]
    Thread(#[source] std::io::Error),
    /// The folder of the compiled cache cannot be used.
    #[error("failed to open the cache of compiled plugins")]
    Cache(#[source] std::io::Error),
}

impl HostError {
    /// Names the reason, when to try again, and what the user can do.
    pub fn advice(&self) -> Advice {
        match self {
            Self::Engine(_) => Advice::new("PluginHostFailed", Retry::OnChange)
                .hint("this is a bug, or a processor that is not supported: report it"),
            Self::Thread(_) => Advice::new("PluginHostFailed", Retry::Backoff),
            Self::Cache(_) => Advice::new("PluginHostFailed", Retry::Backoff)
                .hint("give the process a folder of its own that it can write to"),
        }
    }
}

/// Why a plugin could not be loaded.
#[derive(Clone, Debug, thiserror::Error)]
pub enum LoadError {
    /// The bytes are no WebAssembly at all.
    #[error("{plugin} is not a WebAssembly component")]
    NotAComponent {
        /// The plugin.
        plugin: PluginId,
    },
    /// The bytes are a core module, before its packaging as a component.
    #[error("{plugin} is a core WebAssembly module, not a component")]
    CoreModule {
        /// The plugin.
        plugin: PluginId,
    },
    /// The component is larger than the host compiles.
    #[error("{plugin} has {size_bytes} bytes; at most {limit_bytes} are compiled")]
    TooLarge {
        /// The plugin.
        plugin: PluginId,
        /// Its size.
        size_bytes: u64,
        /// The limit.
        limit_bytes: u64,
    },
    /// It exports none of the interfaces that make a plugin.
    #[error(
        "{plugin} exports {}, but a plugin exports one of {}",
        list(exports),
        list(PluginKind::EXPORTS)
    )]
    MissingExport {
        /// The plugin.
        plugin: PluginId,
        /// What it exports.
        exports: Vec<String>,
    },
    /// It was built for another version of the interfaces.
    #[error("{plugin} was built for `{found}`, this host has `{supported}`")]
    OtherVersion {
        /// The plugin.
        plugin: PluginId,
        /// Interface and version that it has.
        found: String,
        /// Interface and version of the host.
        supported: String,
    },
    /// Its manifest names a later version of the host.
    #[error(
        "{plugin} needs Bulkhead {wanted}, and this is {}",
        crate::inspect::HOST_VERSION
    )]
    NewerHost {
        /// The plugin.
        plugin: PluginId,
        /// The oldest version that it works with.
        wanted: String,
    },
    /// It asks for interfaces that plugins of its kind do not get.
    #[error("{plugin} imports {}, which {kind}s do not get", list(imports))]
    ForeignImport {
        /// The plugin.
        plugin: PluginId,
        /// What kind of plugin it is.
        kind: PluginKind,
        /// The imports that nothing answers.
        imports: Vec<String>,
    },
    /// An interface has the right name, and functions or types that are not the published ones.
    #[error("{plugin} does not fit the host: {message}")]
    Incompatible {
        /// The plugin.
        plugin: PluginId,
        /// What does not fit.
        message: String,
    },
    /// The component is not valid, or uses features of WebAssembly that are off.
    #[error("failed to compile {plugin}: {message}")]
    Compile {
        /// The plugin.
        plugin: PluginId,
        /// What the compiler said.
        message: String,
    },
    /// Compiling took more time or memory than the compiler may have.
    #[error("failed to compile {plugin}: the compiler {message}")]
    CompilerStopped {
        /// The plugin.
        plugin: PluginId,
        /// What it ran into.
        message: String,
    },
    /// Whoever asks has had more compiled lately than one may.
    #[error(
        "failed to compile {plugin}: `{tenant}` has had the compiler run for {time:.0?} lately, which is all that one may take"
    )]
    QuotaSpent {
        /// The plugin.
        plugin: PluginId,
        /// Who asks.
        tenant: String,
        /// Time that compiling for it took.
        time: Duration,
        /// When a part of it is free again.
        again: Duration,
    },
    /// The engine that counts fuel could not be started.
    #[error("failed to load {plugin}: {message}")]
    Engine {
        /// The plugin.
        plugin: PluginId,
        /// Why.
        message: String,
    },
    /// The host is being dropped.
    #[error("failed to load {plugin}: the host is shutting down")]
    ShutDown {
        /// The plugin.
        plugin: PluginId,
    },
}

/// Writes names for a person: `` `a`, `b` ``, or `nothing`. A component chose them: at most 20 are
/// shown.
fn list(names: &[impl AsRef<str>]) -> String {
    const SHOWN: usize = 20;
    let quoted = |name: &str| format!("`{}`", clean(name).chars().take(200).collect::<String>());
    let mut shown: Vec<_> = names
        .iter()
        .take(SHOWN)
        .map(|name| quoted(name.as_ref()))
        .collect();
    match names.len() {
        0 => return "nothing".to_owned(),
        more if more > SHOWN => shown.push(format!("and {} more", more - SHOWN)),
        _ => {}
    }
    shown.join(", ")
}

impl LoadError {
    /// Names the reason, when to try again, and what the user can do.
    pub fn advice(&self) -> Advice {
        let incompatible = Advice::new("PluginIncompatible", Retry::OnChange);
        match self {
            Self::NotAComponent { .. } => incompatible
                .hint("the file must be a WebAssembly component; is it one, and is it whole?"),
            Self::CoreModule { .. } => incompatible.hint(
                "turn it into a component: `wasm-tools component new`, or `cargo component`",
            ),
            Self::TooLarge { .. } => incompatible
                .hint("build the plugin for size and strip it of debug information"),
            Self::MissingExport { .. } => incompatible
                .hint("build the plugin for the world `renderer`, `transformer` or `notifier`"),
            Self::OtherVersion { .. } => incompatible.hint(
                "use a release of the plugin and one of Bulkhead that share a version of the interface",
            ),
            Self::NewerHost { .. } => {
                incompatible.hint("update Bulkhead, or use an older release of the plugin")
            }
            Self::ForeignImport { kind, imports, .. } => {
                incompatible.hint(crate::interface::advice(*kind, imports))
            }
            Self::Incompatible { .. } => incompatible.hint(
                "the plugin was built from a changed or newer WIT: build it from the published one, or update Bulkhead",
            ),
            Self::Compile { .. } => incompatible.hint(
                "the component is broken, or uses WebAssembly features that are off (threads, 64-bit memory, garbage collection)",
            ),
            Self::CompilerStopped { .. } => Advice::new("PluginIncompatible", Retry::Backoff)
                .hint("the component is too costly to compile: build it for size"),
            Self::QuotaSpent { again, .. } => Advice::new("PluginIncompatible", Retry::Backoff)
                .hint(format!(
                    "wait for {again:.0?}; what is compiled already runs on. Which component of that tenant does not compile?"
                )),
            Self::Engine { .. } | Self::ShutDown { .. } => {
                Advice::new("PluginHostFailed", Retry::Backoff)
            }
        }
    }
}
