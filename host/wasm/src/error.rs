//! Why a plugin could not be loaded, or a call has no answer, and what a user can do about it.
//!
//! A guest's refusal (its own answer) and a failure (it trapped, or the host stopped it) are
//! different things: the first is a fact about the input and may be cached, the second is a bug or
//! a lack of means.

use std::fmt;
use std::time::Duration;

use bulkhead_api::{Advice, Digest, Retry, TreeError};

use crate::bindings::renderer::bulkhead::base::types::{Diagnostic, Severity};
use crate::host::log::clean;
use crate::limits::{Limit, LimitHit, Limits, MachineRefused, Usage};
use crate::plugin::{PluginId, PluginKind};
use crate::read_set::ReadSet;
use crate::trap::Trap;

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
            Self::ForeignImport { kind, imports, .. } => {
                incompatible.hint(crate::audit::advice(*kind, imports))
            }
            Self::Incompatible { .. } => incompatible.hint(
                "the plugin was built from a changed or newer WIT: build it from the published one, or update Bulkhead",
            ),
            Self::Compile { .. } => incompatible.hint(
                "the component is broken, or uses WebAssembly features that are off (threads, 64-bit memory, garbage collection)",
            ),
            Self::CompilerStopped { .. } => Advice::new("PluginIncompatible", Retry::Backoff)
                .hint("the component is too costly to compile: build it for size"),
            Self::ShutDown { .. } => Advice::new("PluginHostFailed", Retry::Backoff),
        }
    }
}

/// A guest's own "no": what is wrong with its input, in its own words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// What is wrong; at least one.
    pub diagnostics: Vec<Diagnostic>,
    /// A limit that an access of the guest ran into; often the cause.
    pub limit: Option<LimitHit>,
    /// What the answer depends on.
    pub read_set: ReadSet,
    /// What the call took.
    pub usage: Usage,
    /// Whether the same call may end otherwise: an answer depended on a cluster that failed.
    pub transient: bool,
}

impl fmt::Display for Refusal {
    /// The first error with its place, and how many more there are.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let is_error = |d: &&Diagnostic| d.severity == Severity::Error;
        let first = self
            .diagnostics
            .iter()
            .find(is_error)
            .or(self.diagnostics.first());
        if let Some(diagnostic) = first {
            if let Some(at) = &diagnostic.at {
                write!(f, "{}", at.path)?;
                for number in [at.line, at.column].into_iter().flatten() {
                    write!(f, ":{number}")?;
                }
                write!(f, ": ")?;
            }
            write!(f, "{}", diagnostic.message)?;
        }
        match self.diagnostics.len() {
            0 | 1 => Ok(()),
            more => write!(f, " (and {} more)", more - 1),
        }
    }
}

impl std::error::Error for Refusal {}

impl Refusal {
    fn advice(&self, reason: &'static str) -> Advice {
        let retry = if self.transient {
            Retry::Backoff
        } else {
            Retry::OnChange
        };
        let advice = Advice::new(reason, retry);
        let help = self
            .diagnostics
            .iter()
            .find_map(|diagnostic| diagnostic.help.clone());
        match (self.limit, help) {
            (Some(hit), _) => advice.hint(hit.limit.raised_by(hit.allowed)),
            (None, Some(help)) => advice.hint(help),
            (None, None) => advice,
        }
    }
}

/// Why a renderer or transformer has no output.
#[derive(Debug, thiserror::Error)]
pub enum RenderError {
    /// The plugin refused its input.
    #[error(transparent)]
    Refused(Box<Refusal>),
    /// The plugin failed, or was stopped.
    #[error("{plugin} failed to render")]
    Failed {
        /// The plugin.
        plugin: PluginId,
        /// How.
        #[source]
        error: RunError,
    },
}

impl RenderError {
    /// Names the reason, when to try again, and what the user can do.
    pub fn advice(&self) -> Advice {
        match self {
            Self::Refused(refusal) => refusal.advice("BuildFailed"),
            Self::Failed { error, .. } => error.advice(),
        }
    }

    /// Tells whether the same call would end alike on any machine, so that the verdict may be kept
    /// as long as its read set holds. Never for what ran out of time or memory.
    pub fn is_cacheable(&self) -> bool {
        matches!(self, Self::Refused(refusal) if !refusal.transient && refusal.limit.is_none())
    }
}

/// Why a notifier has no outcome.
#[derive(Debug, thiserror::Error)]
pub enum NotifyError {
    /// The plugin refused its configuration: which field, and what it should be.
    #[error("{plugin} refused its configuration: {message}")]
    InvalidConfig {
        /// The plugin.
        plugin: PluginId,
        /// The plugin's words.
        message: String,
    },
    /// The plugin refused for another reason.
    #[error("{plugin} refused: {message}")]
    Refused {
        /// The plugin.
        plugin: PluginId,
        /// The plugin's words.
        message: String,
    },
    /// The plugin failed, or was stopped.
    #[error("{plugin} failed to notify")]
    Failed {
        /// The plugin.
        plugin: PluginId,
        /// How.
        #[source]
        error: RunError,
    },
}

impl NotifyError {
    /// Names the reason, when to try again, and what the user can do.
    pub fn advice(&self) -> Advice {
        match self {
            Self::InvalidConfig { .. } => Advice::new("InvalidConfig", Retry::OnChange),
            Self::Refused { .. } => Advice::new("NotificationFailed", Retry::OnChange),
            Self::Failed { error, .. } => error.advice(),
        }
    }
}

/// How a call ended without an answer.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The guest trapped: a bug of the plugin.
    #[error("{0}")]
    Trapped(Box<Trap>),
    /// The guest called `exit` instead of returning.
    #[error(
        "it exited with status {status} instead of returning{}",
        tail(log_tail)
    )]
    Exited {
        /// The status.
        status: u8,
        /// Its last log lines.
        log_tail: String,
    },
    /// The guest did not return in time.
    #[error("it ran for more than {deadline:?}{}", tail(log_tail))]
    OutOfTime {
        /// What is allowed.
        deadline: Duration,
        /// Its last log lines.
        log_tail: String,
    },
    /// The guest used up its fuel.
    #[error("it used up its {allowed} units of fuel")]
    OutOfFuel {
        /// What is allowed.
        allowed: u64,
    },
    /// The guest asked for more memory, or larger tables, and failed when it got none.
    #[error("it ran out of memory: {hit}{}", tail(log_tail))]
    OutOfMemory {
        /// The limit.
        hit: LimitHit,
        /// Its last log lines.
        log_tail: String,
    },
    /// The answer is larger than the host takes.
    #[error("its output is too large: {0}")]
    OutputTooLarge(LimitHit),
    /// Another limit was passed.
    #[error("it used too much: {0}")]
    TooMuch(LimitHit),
    /// The answer is no value of its type: text that is not UTF-8, a list outside of memory.
    #[error("its answer is not valid: {0}")]
    InvalidAnswer(String),
    /// The guest returned without dropping the tree that it had borrowed.
    #[error("it returned without dropping a handle that it had borrowed")]
    HandleKept,
    /// The guest called a function of a kind it is not.
    #[error("it is a {kind}, not a {wanted}")]
    WrongKind {
        /// What it is.
        kind: PluginKind,
        /// What was asked of it.
        wanted: PluginKind,
    },
    /// The source could not be read.
    #[error("failed to read the source")]
    Source(#[source] TreeError),
    /// The machine lacks memory, or the host is shutting down.
    #[error("the machine could not run it: {0}")]
    Machine(String),
    /// A fuel limit was given to a host that does not meter.
    #[error("a limit on fuel was given, and this host does not meter")]
    NotMetered,
}

fn tail(log_tail: &str) -> String {
    if log_tail.is_empty() {
        String::new()
    } else {
        format!("; it last wrote: {log_tail}")
    }
}

impl RunError {
    /// Names the reason, when to try again, and what the user can do.
    pub fn advice(&self) -> Advice {
        let author = "this is a bug of the plugin: report it to its author";
        match self {
            Self::Trapped(_) | Self::Exited { .. } => {
                Advice::new("PluginTrapped", Retry::OnChange).hint(author)
            }
            Self::OutOfTime { deadline, .. } => Advice::new("PluginTimedOut", Retry::Backoff)
                .hint(format!("raise the plugin limit `deadline` (now {deadline:?})")),
            Self::OutOfFuel { allowed } => Advice::new("PluginTimedOut", Retry::OnChange)
                .hint(format!("raise the plugin limit `fuel` (now {allowed})")),
            Self::OutOfMemory { hit, .. } => Advice::new("PluginOutOfMemory", Retry::Backoff)
                .hint(hit.limit.raised_by(hit.allowed)),
            Self::OutputTooLarge(hit) => Advice::new("PluginOutputTooLarge", Retry::OnChange)
                .hint(hit.limit.raised_by(hit.allowed)),
            Self::TooMuch(hit) => Advice::new("PluginLimitExceeded", Retry::OnChange)
                .hint(hit.limit.raised_by(hit.allowed)),
            Self::InvalidAnswer(_) => Advice::new("PluginTrapped", Retry::OnChange).hint(author),
            Self::HandleKept => Advice::new("PluginTrapped", Retry::OnChange).hint(
                "the plugin must drop the tree that it was lent before it returns (in Go `defer source.Drop()`, in C `..._drop_borrow_tree`)",
            ),
            Self::WrongKind { wanted, .. } => Advice::new("PluginIncompatible", Retry::OnChange)
                .hint(format!("name a plugin that is a {wanted}")),
            Self::Source(_) => Advice::new("ArtifactFailed", Retry::Backoff),
            Self::Machine(_) => Advice::new("PluginHostFailed", Retry::Backoff),
            Self::NotMetered => Advice::new("PluginHostFailed", Retry::OnChange)
                .hint("remove the limit `fuel`, or start the host so that it meters"),
        }
    }
}

/// Why a host function ended a call.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Stop {
    #[error("the plugin exited with status {0}")]
    Exit(u8),
    #[error("failed to read the source")]
    Source(#[source] TreeError),
    #[error("the plugin used a file handle, and there are none")]
    NoFiles,
}

/// What is known about a call beside its error.
pub(crate) struct Circumstances {
    pub(crate) plugin: PluginId,
    pub(crate) digest: Digest,
    /// A growth that the limiter refused.
    pub(crate) refused: Option<LimitHit>,
    pub(crate) limits: Limits,
    pub(crate) log_tail: String,
}

impl RunError {
    /// Reads wasmtime's error. What the host said comes first, then what the limiter refused, since
    /// a guest that gets no memory traps in its own way.
    pub(crate) fn new(error: wasmtime::Error, around: Circumstances) -> Self {
        if error.is::<Stop>() {
            return match error.downcast::<Stop>() {
                Ok(Stop::Exit(status)) => Self::Exited {
                    status,
                    log_tail: around.log_tail,
                },
                Ok(Stop::Source(error)) => Self::Source(error),
                Ok(stop @ Stop::NoFiles) => {
                    Self::Trapped(Box::new(Trap::new(&stop.into(), &around)))
                }
                Err(error) => Self::Machine(error.to_string()),
            };
        }
        if let Some(hit) = error.downcast_ref::<LimitHit>() {
            return Self::TooMuch(*hit);
        }
        if let Some(refused) = error.downcast_ref::<MachineRefused>() {
            return Self::Machine(refused.0.clone());
        }
        if error.downcast_ref() == Some(&wasmtime::Trap::OutOfFuel) {
            return Self::OutOfFuel {
                allowed: around.limits.fuel.unwrap_or_default(),
            };
        }
        if let Some(hit) = around.refused {
            return Self::OutOfMemory {
                hit,
                log_tail: around.log_tail,
            };
        }
        match Nature::of(&error, &around.limits) {
            Nature::Output(hit) => Self::OutputTooLarge(hit),
            Nature::Limit(hit) => Self::TooMuch(hit),
            Nature::HandleKept => Self::HandleKept,
            Nature::Invalid(message) => Self::InvalidAnswer(message),
            Nature::Trap => Self::Trapped(Box::new(Trap::new(&error, &around))),
            Nature::Machine(message) => Self::Machine(message),
        }
    }
}

/// What wasmtime tells in words alone.
enum Nature {
    Trap,
    Output(LimitHit),
    Limit(LimitHit),
    HandleKept,
    Invalid(String),
    Machine(String),
}

impl Nature {
    fn of(error: &wasmtime::Error, limits: &Limits) -> Self {
        if error.is::<wasmtime::Trap>() {
            return Self::Trap;
        }
        let message = error.root_cause().to_string();
        let hit = |limit, allowed| LimitHit {
            limit,
            used: None,
            allowed,
        };
        if message.contains("fuel allocated for hostcalls") {
            return Self::Output(hit(Limit::OutputBytes, limits.output_bytes));
        }
        if let Some(what) = message.strip_prefix("resource limit exceeded: ") {
            return Self::Limit(match what.split(' ').next() {
                Some("table") => hit(Limit::Tables, limits.tables),
                Some("memory") => hit(Limit::Memories, limits.memories),
                _ => hit(Limit::Instances, limits.instances),
            });
        }
        if message.contains("store handle limit") {
            return Self::Limit(hit(Limit::Handles, crate::host::HANDLES as u64));
        }
        if message.contains("handle index") {
            return Self::Trap;
        }
        if message.contains("borrow handles still remain") {
            return Self::HandleKept;
        }
        if error.is::<std::io::Error>() || error.is::<wasmtime::OutOfMemory>() {
            return Self::Machine(message);
        }
        Self::Invalid(clean(&message))
    }
}
