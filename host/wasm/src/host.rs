//! What a guest sees of the host: one file an interface.
//!
//! [`State`] is the data of one store, made for one call and dropped with it. A linker a kind of
//! plugin says which interfaces exist; what is not linked here does not exist for a guest: no files
//! but the tree, no network, no environment, no time but the revision's.

pub(crate) mod cli;
pub(crate) mod clocks;
pub(crate) mod cluster;
pub(crate) mod filesystem;
pub(crate) mod io;
pub(crate) mod log;
pub(crate) mod random;
pub(crate) mod tree;

use std::sync::Arc;

use wasmtime::Engine;
use wasmtime::component::{HasSelf, Linker, ResourceTable};

use crate::bindings::renderer::bulkhead::base as base_wit;
use crate::limits::{Limit, LimitHit, Limiter, Limits};
use crate::manifest::FileRules;
use crate::names::PluginKind;
use crate::read_set::Recorder;

pub use cluster::{Lookup, LookupAnswer, LookupError, LookupQuery};

/// Version of what this host offers to guests, sealed WASI profile included: part of every cache
/// key. Raised when a guest could see a difference.
pub(crate) const HOST_ABI: u32 = 1;

/// Most handles of all kinds that a guest may hold at once.
pub(crate) const HANDLES: usize = 10_000;

/// The data of one store.
pub(crate) struct State {
    pub(crate) limits: Limits,
    pub(crate) limiter: Limiter,
    pub(crate) table: ResourceTable,
    pub(crate) reads: Recorder,
    pub(crate) tree: Option<tree::Files>,
    pub(crate) cluster: cluster::Cluster,
    pub(crate) log: log::GuestLog,
    pub(crate) clock: clocks::Clock,
    pub(crate) random: random::Random,
    /// The first limit of an access that was reached; the guest was told.
    pub(crate) refused: Option<LimitHit>,
}

/// What a call is given, beside its arguments.
#[derive(Clone)]
pub(crate) struct Given {
    /// Plugin, for the log: `kustomize 0.1.0`.
    pub(crate) plugin: String,
    pub(crate) limits: Limits,
    pub(crate) tree: Option<Arc<dyn bulkhead_api::SourceTree>>,
    /// Which files of the tree.
    pub(crate) files: FileRules,
    /// Where a copy of its log goes.
    pub(crate) lines: Option<Arc<dyn log::Lines>>,
    pub(crate) lookup: Option<Arc<dyn Lookup>>,
    /// Seconds since 1970.
    pub(crate) wall_clock: u64,
    pub(crate) seed: bulkhead_api::Digest,
}

impl State {
    pub(crate) fn new(given: Given) -> Self {
        let limits = given.limits;
        let mut table = ResourceTable::new();
        table.set_max_capacity(HANDLES);
        Self {
            limiter: Limiter::new(&limits),
            table,
            reads: Recorder::default(),
            tree: given.tree.map(|tree| tree::Files::new(tree, given.files)),
            cluster: cluster::Cluster::new(given.lookup),
            log: log::GuestLog::new(given.plugin, &limits, given.lines),
            clock: clocks::Clock::new(given.wall_clock),
            random: random::Random::new(given.seed),
            refused: None,
            limits,
        }
    }

    /// Returns the limit that the call ran into, whether the guest was told or not.
    pub(crate) fn limit_hit(&self) -> Option<LimitHit> {
        self.limiter.refused.or(self.refused)
    }

    /// Puts `entry` into the table.
    pub(crate) fn push<T: Send + 'static>(
        &mut self,
        entry: T,
    ) -> wasmtime::Result<wasmtime::component::Resource<T>> {
        let full = LimitHit {
            limit: Limit::Handles,
            used: None,
            allowed: HANDLES as u64,
        };
        self.table.push(entry).map_err(|_| full.into())
    }
}

/// Links what a plugin of `kind` may import.
pub(crate) fn linker(engine: &Engine, kind: PluginKind) -> wasmtime::Result<Linker<State>> {
    let mut linker = Linker::new(engine);
    base_wit::log::add_to_linker::<_, HasSelf<_>>(&mut linker, |state: &mut State| state)?;
    if kind == PluginKind::Renderer {
        base_wit::tree::add_to_linker::<_, HasSelf<_>>(&mut linker, |state: &mut State| state)?;
        base_wit::cluster::add_to_linker::<_, HasSelf<_>>(&mut linker, |state: &mut State| state)?;
    }
    io::link(&mut linker)?;
    cli::link(&mut linker)?;
    clocks::link(&mut linker)?;
    random::link(&mut linker)?;
    filesystem::link(&mut linker)?;
    Ok(linker)
}

/// Returns the interfaces that a plugin of `kind` may import, with the version that is linked.
pub(crate) fn interfaces(kind: PluginKind) -> Vec<&'static str> {
    let mut names = vec!["bulkhead:base/types@0.1.0", "bulkhead:base/log@0.1.0"];
    match kind {
        PluginKind::Renderer => names.extend([
            "bulkhead:base/tree@0.1.0",
            "bulkhead:base/cluster@0.1.0",
            "bulkhead:renderer/types@0.1.0",
        ]),
        PluginKind::Transformer => names.push("bulkhead:renderer/types@0.1.0"),
        PluginKind::Notifier => {}
    }
    names.extend(SEALED_WASI);
    names
}

/// The WASI interfaces that exist: `wasi:http` and `wasi:sockets` do not.
const SEALED_WASI: [&str; 20] = [
    "wasi:io/error@0.2.12",
    "wasi:io/poll@0.2.12",
    "wasi:io/streams@0.2.12",
    "wasi:cli/environment@0.2.12",
    "wasi:cli/exit@0.2.12",
    "wasi:cli/stdin@0.2.12",
    "wasi:cli/stdout@0.2.12",
    "wasi:cli/stderr@0.2.12",
    "wasi:cli/terminal-input@0.2.12",
    "wasi:cli/terminal-output@0.2.12",
    "wasi:cli/terminal-stdin@0.2.12",
    "wasi:cli/terminal-stdout@0.2.12",
    "wasi:cli/terminal-stderr@0.2.12",
    "wasi:clocks/monotonic-clock@0.2.12",
    "wasi:clocks/wall-clock@0.2.12",
    "wasi:random/random@0.2.12",
    "wasi:random/insecure@0.2.12",
    "wasi:random/insecure-seed@0.2.12",
    "wasi:filesystem/types@0.2.12",
    "wasi:filesystem/preopens@0.2.12",
];
