//! Every limit on what comes from outside, by name, with its default.

use std::time::Duration;

/// What a fetch may cost and a source may hold.
///
/// A value at its limit passes; one past it is refused with [`FetchError::Limit`], which names the
/// field.
///
/// [`FetchError::Limit`]: crate::FetchError::Limit
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Redirects that one request follows: 5.
    pub redirects: usize,
    /// References that a server may list: 100,000.
    pub references: usize,
    /// Bytes of answers other than the pack: 64 MiB.
    pub answer_bytes: u64,
    /// Bytes of a pack on the wire: 512 MiB.
    pub pack_bytes: u64,
    /// Objects of a pack: 1,000,000.
    pub objects: u64,
    /// Bytes of one object, unpacked: 64 MiB.
    pub object_bytes: u64,
    /// Bytes of all objects of a pack, unpacked: 1 GiB.
    pub unpacked_bytes: u64,
    /// Files of a source, without the ignored ones: 100,000.
    pub files: usize,
    /// Entries of a commit's trees, with the ignored ones: 1,000,000.
    pub entries: usize,
    /// Folders inside each other: 64.
    pub depth: usize,
    /// Bytes of one file that is not ignored: 50 MiB.
    pub file_bytes: u64,
    /// Bytes of all files that are not ignored: 1 GiB.
    pub tree_bytes: u64,
    /// Bytes of one `.sourceignore` or of `spec.ignore`: 256 KiB.
    pub ignore_bytes: u64,
    /// Bytes that the store keeps of one repository before it starts it anew: 512 MiB.
    pub store_bytes: u64,
    /// Longest `timeout` that a request may ask for: 1 hour.
    pub timeout: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        const MIB: u64 = 1024 * 1024;
        Self {
            redirects: 5,
            references: 100_000,
            answer_bytes: 64 * MIB,
            pack_bytes: 512 * MIB,
            objects: 1_000_000,
            object_bytes: 64 * MIB,
            unpacked_bytes: 1024 * MIB,
            files: 100_000,
            entries: 1_000_000,
            depth: 64,
            file_bytes: 50 * MIB,
            tree_bytes: 1024 * MIB,
            ignore_bytes: 256 * 1024,
            store_bytes: 512 * MIB,
            timeout: Duration::from_secs(3600),
        }
    }
}
