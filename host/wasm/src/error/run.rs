//! How a call ended without an answer: what wasmtime, the limits and the host said, told apart.

use std::time::Duration;

use bulkhead_api::{Advice, Digest, Retry, TreeError};

use crate::host::log::clean;
use crate::limits::{Limit, LimitHit, Limits, MachineRefused};
use crate::names::{PluginId, PluginKind};
use crate::trap::Trap;

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
    /// A limit on fuel was given for a plugin that was loaded without counting it.
    #[error("a limit on fuel was given, and the plugin was loaded without counting it")]
    NotMetered,
}

fn tail(log_tail: &str) -> String {
    if log_tail.is_empty() {
        String::new()
    } else {
        format!("; it last wrote: {log_tail}")
    }
}

/// What traps of a plugin in Python that looks for a module: componentize-py stands there instead of
/// the files.
const STUBBED_FILES: &str = "filesystem_preopens_get_directories";

impl RunError {
    /// Names the reason, when to try again, and what the user can do.
    pub fn advice(&self) -> Advice {
        let author = "this is a bug of the plugin: report it to its author";
        match self {
            Self::Trapped(trap) if trap.function.as_deref() == Some(STUBBED_FILES) => {
                Advice::new("PluginTrapped", Retry::OnChange).hint(
                    "a plugin in Python has no files, and imports nothing when it runs: its author has to import at the top of a module, or use once there, what is imported late",
                )
            }
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
                .hint("remove the limit `fuel`, or load the plugin so that it is metered"),
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
