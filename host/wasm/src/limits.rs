//! Every limit of a call: what it is named, its default, and the counting.
//!
//! A [`Limits`] goes in; the host compares as a guest allocates, reads and answers. What a call took
//! comes out as [`Usage`], what it ran into as [`LimitHit`].

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use wasmtime::ResourceLimiter;

use crate::names::PluginKind;

const KIB: u64 = 1024;
const MIB: u64 = 1024 * KIB;

/// What one call of a guest may take.
///
/// # Guarantees
/// Each limit ends the call, or the access, that goes one past it, with an error that names the
/// limit. Those of the log cut instead.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct Limits {
    /// Sum of all linear memories.
    pub memory_bytes: u64,
    /// From instantiation to the answer, waiting for a free processor not counted.
    pub deadline: Duration,
    /// What the guest hands to the host in one call, its answer above all.
    pub output_bytes: u64,
    /// Documents in an answer.
    pub documents: u64,
    /// One document of an answer.
    pub document_bytes: u64,
    /// One file that the guest reads.
    pub file_bytes: u64,
    /// Sum of all files that the guest reads.
    pub read_bytes: u64,
    /// Different accesses to the tree: each is a line of the read set. Long paths count more than
    /// once, one more for every 256 bytes.
    pub accesses: u64,
    /// Sum of all entries that listings and globs look at.
    pub entries: u64,
    /// Trees that the guest holds at once: `subtree` makes one.
    pub tree_handles: u64,
    /// Look-ups in the cluster.
    pub lookups: u64,
    /// Sum of all answers to look-ups.
    pub lookup_bytes: u64,
    /// Core instances of the component.
    pub instances: u64,
    /// Linear memories of the component.
    pub memories: u64,
    /// Tables of the component.
    pub tables: u64,
    /// Elements of one table.
    pub table_elements: u64,
    /// Lines of the log, cut beyond.
    pub log_bytes: u64,
    /// Standard output and error together, cut beyond.
    pub stdio_bytes: u64,
    /// Fuel: about one unit an instruction, the same on every machine. Needs a plugin that was loaded
    /// to be metered ([`LoadOptions::meter`](crate::LoadOptions::meter)); `None` is unlimited.
    pub fuel: Option<u64>,
}

impl Limits {
    /// Returns the defaults for renderers and transformers.
    pub fn renderer() -> Self {
        Self {
            memory_bytes: 256 * MIB,
            deadline: Duration::from_secs(30),
            output_bytes: 32 * MIB,
            documents: 20_000,
            document_bytes: 16 * MIB,
            file_bytes: 16 * MIB,
            read_bytes: 128 * MIB,
            accesses: 100_000,
            entries: 1_000_000,
            tree_handles: 1_000,
            lookups: 1_000,
            lookup_bytes: 16 * MIB,
            // componentize-py 0.25 links Python from more than 20 modules.
            instances: 64,
            memories: 8,
            tables: 16,
            table_elements: 50_000,
            log_bytes: 16 * KIB,
            stdio_bytes: 64 * KIB,
            fuel: None,
        }
    }

    /// Returns the defaults for plugins of `kind`.
    pub fn of(kind: PluginKind) -> Self {
        match kind {
            PluginKind::Renderer | PluginKind::Transformer => Self::renderer(),
            PluginKind::Notifier => Self::notifier(),
        }
    }

    /// Returns the defaults for notifiers.
    pub fn notifier() -> Self {
        Self {
            memory_bytes: 64 * MIB,
            deadline: Duration::from_secs(5),
            output_bytes: MIB,
            ..Self::renderer()
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self::renderer()
    }
}

/// Names a limit; the text is the field of [`Limits`] that sets it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[allow(
    missing_docs,
    reason = "each is the field of `Limits` of the same name"
)]
pub enum Limit {
    MemoryBytes,
    OutputBytes,
    Documents,
    DocumentBytes,
    FileBytes,
    ReadBytes,
    Accesses,
    Entries,
    TreeHandles,
    Lookups,
    LookupBytes,
    Instances,
    Memories,
    Tables,
    TableElements,
    RandomBytes,
    Handles,
}

impl Limit {
    /// Returns the name of the setting: `memoryBytes`.
    pub fn setting(self) -> &'static str {
        match self {
            Self::MemoryBytes => "memoryBytes",
            Self::OutputBytes => "outputBytes",
            Self::Documents => "documents",
            Self::DocumentBytes => "documentBytes",
            Self::FileBytes => "fileBytes",
            Self::ReadBytes => "readBytes",
            Self::Accesses => "accesses",
            Self::Entries => "entries",
            Self::TreeHandles => "treeHandles",
            Self::Lookups => "lookups",
            Self::LookupBytes => "lookupBytes",
            Self::Instances => "instances",
            Self::Memories => "memories",
            Self::Tables => "tables",
            Self::TableElements => "tableElements",
            Self::RandomBytes => "randomBytes",
            Self::Handles => "handles",
        }
    }

    /// Tells what a user can do about it, as advice says it.
    pub fn raised_by(self, allowed: u64) -> String {
        match self {
            Self::RandomBytes | Self::Handles => {
                "this limit is fixed; ask the plugin's author to stay below it".to_owned()
            }
            _ => format!(
                "raise the plugin limit `{}` (now {allowed})",
                self.setting()
            ),
        }
    }

    fn what(self) -> &'static str {
        match self {
            Self::MemoryBytes => "bytes of memory",
            Self::OutputBytes => "bytes of output",
            Self::Documents => "documents",
            Self::DocumentBytes => "bytes in one document",
            Self::FileBytes => "bytes in one file",
            Self::ReadBytes => "bytes read",
            Self::Accesses => "accesses to files",
            Self::Entries => "directory entries listed",
            Self::TreeHandles => "open trees",
            Self::Lookups => "look-ups in the cluster",
            Self::LookupBytes => "bytes of answers to look-ups",
            Self::Instances => "core instances",
            Self::Memories => "linear memories",
            Self::Tables => "tables",
            Self::TableElements => "table elements",
            Self::RandomBytes => "random bytes in one call",
            Self::Handles => "open handles",
        }
    }
}

/// A limit that a call ran into.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LimitHit {
    /// Which one.
    pub limit: Limit,
    /// What the call asked for; `None` where the host stopped before it knew.
    pub used: Option<u64>,
    /// What is allowed.
    pub allowed: u64,
}

impl LimitHit {
    pub(crate) fn new(limit: Limit, used: u64, allowed: u64) -> Self {
        Self {
            limit,
            used: Some(used),
            allowed,
        }
    }

    /// Fails when `used` is more than `allowed`.
    pub(crate) fn check(limit: Limit, used: u64, allowed: u64) -> Result<(), Self> {
        if used > allowed {
            Err(Self::new(limit, used, allowed))
        } else {
            Ok(())
        }
    }
}

impl fmt::Display for LimitHit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (allowed, what) = (self.allowed, self.limit.what());
        match self.used {
            Some(used) => write!(f, "{used} {what}, at most {allowed} are allowed"),
            None => write!(f, "more than {allowed} {what}"),
        }
    }
}

impl std::error::Error for LimitHit {}

/// What a call took.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Usage {
    /// Largest sum of all linear memories.
    pub peak_memory_bytes: u64,
    /// From instantiation to the answer.
    pub duration: Duration,
    /// Reads of files, repeated ones included.
    pub files: u64,
    /// Sum of the files' sizes.
    pub read_bytes: u64,
    /// Sum of the documents' sizes.
    pub output_bytes: u64,
    /// Fuel, where the host meters.
    pub fuel: Option<u64>,
}

/// Counts what instances allocate, summed over all memories of one store.
pub(crate) struct Limiter {
    memory_limit_bytes: u64,
    table_limit: u64,
    counts: [usize; 3],
    memory_bytes: u64,
    pub(crate) peak_memory_bytes: u64,
    /// The first growth that was refused.
    pub(crate) refused: Option<LimitHit>,
}

impl Limiter {
    pub(crate) fn new(limits: &Limits) -> Self {
        let count = |limit: u64| usize::try_from(limit).unwrap_or(usize::MAX);
        Self {
            memory_limit_bytes: limits.memory_bytes,
            table_limit: limits.table_elements,
            counts: [
                count(limits.instances),
                count(limits.tables),
                count(limits.memories),
            ],
            memory_bytes: 0,
            peak_memory_bytes: 0,
            refused: None,
        }
    }

    fn refuse(&mut self, hit: LimitHit) -> bool {
        self.refused.get_or_insert(hit);
        false
    }
}

/// The machine could not give what the limits allow: another run may end otherwise.
#[derive(Clone, Debug, thiserror::Error)]
#[error("the machine refused memory to the plugin: {0}")]
pub(crate) struct MachineRefused(pub(crate) String);

impl ResourceLimiter for Limiter {
    fn memory_growing(
        &mut self,
        current: usize,
        desired: usize,
        maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        if maximum.is_some_and(|maximum| desired > maximum) {
            return Ok(false); // the memory's own maximum: the guest asked for this answer
        }
        let sum = self
            .memory_bytes
            .saturating_add(desired.saturating_sub(current) as u64);
        if let Err(hit) = LimitHit::check(Limit::MemoryBytes, sum, self.memory_limit_bytes) {
            return Ok(self.refuse(hit));
        }
        self.memory_bytes = sum;
        self.peak_memory_bytes = self.peak_memory_bytes.max(sum);
        Ok(true)
    }

    /// Only the machine is left to fail: never an answer that a guest may see, since another run
    /// would see another.
    fn memory_grow_failed(&mut self, error: wasmtime::Error) -> wasmtime::Result<()> {
        match error.downcast_ref::<std::io::Error>() {
            Some(_) => Err(MachineRefused(error.to_string()).into()),
            None => Ok(()),
        }
    }

    fn table_growing(
        &mut self,
        _current: usize,
        desired: usize,
        maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        if maximum.is_some_and(|maximum| desired > maximum) {
            return Ok(false);
        }
        match LimitHit::check(Limit::TableElements, desired as u64, self.table_limit) {
            Ok(()) => Ok(true),
            Err(hit) => Ok(self.refuse(hit)),
        }
    }

    fn instances(&self) -> usize {
        self.counts[0]
    }

    fn tables(&self) -> usize {
        self.counts[1]
    }

    fn memories(&self) -> usize {
        self.counts[2]
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may")]
    use super::*;

    #[test]
    fn memories_are_summed_and_refused_one_past_the_limit() {
        let mut limiter = Limiter::new(&Limits {
            memory_bytes: 100,
            ..Limits::renderer()
        });
        assert!(limiter.memory_growing(0, 60, None).unwrap());
        assert!(limiter.memory_growing(0, 40, None).unwrap());
        assert!(!limiter.memory_growing(40, 41, None).unwrap());
        assert_eq!(
            limiter.refused,
            Some(LimitHit::new(Limit::MemoryBytes, 101, 100))
        );
        assert_eq!(limiter.peak_memory_bytes, 100);
    }

    #[test]
    fn tables_are_refused_one_past_the_limit() {
        let mut limiter = Limiter::new(&Limits {
            table_elements: 10,
            ..Limits::renderer()
        });
        assert!(limiter.table_growing(0, 10, None).unwrap());
        assert!(!limiter.table_growing(10, 11, None).unwrap());
    }

    #[test]
    fn a_memory_s_own_maximum_is_not_our_limit() {
        let mut limiter = Limiter::new(&Limits::renderer());
        assert!(!limiter.memory_growing(0, 60, Some(50)).unwrap());
        assert_eq!(limiter.refused, None);
    }

    #[test]
    fn unknown_limits_are_refused() {
        assert!(serde_json::from_str::<Limits>("{\"memory\": 1}").is_err());
        let limits: Limits = serde_json::from_str("{\"memoryBytes\": 1}").unwrap();
        assert_eq!(
            limits,
            Limits {
                memory_bytes: 1,
                ..Limits::renderer()
            }
        );
    }
}
