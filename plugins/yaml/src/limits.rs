//! The bounds of one parse. Each is an error at the limit plus one, never a crash.

/// How much one text may ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Longest text, in bytes. Default: 32 MiB.
    pub bytes: usize,
    /// Deepest nesting of collections. Default: 1,000, so that a walk over a tree fits the 1 MiB
    /// stack of a guest. go-yaml allows 10,000; a text between the two is an error here.
    pub depth: usize,
    /// Most nodes in all documents of one text. Default: 4,000,000.
    pub nodes: usize,
}

impl Limits {
    /// The limits that guests use.
    pub const DEFAULT: Self = Self {
        bytes: 32 << 20,
        depth: 1_000,
        nodes: 4_000_000,
    };
}

impl Default for Limits {
    fn default() -> Self {
        Self::DEFAULT
    }
}
