//! The read set: everything that a call learned from outside its arguments.
//!
//! Each access is kept with a digest of its answer. A render holds for another revision as long as
//! every access would be answered alike there, which is told without running the guest and, where
//! the tree knows its contents by digest, without reading a file.

use std::collections::BTreeMap;

use bulkhead_api::{Digest, Entry, EntryKind, SourceTree, TreeError, TreePath};
use serde::{Deserialize, Serialize};

use crate::glob::Glob;

/// What was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Operation {
    /// The content of a file.
    Read,
    /// The listing of a directory.
    ReadDir,
    /// What matches a pattern: the path is the pattern.
    Glob,
    /// Whether something is there, its kind and size.
    Stat,
    /// The time of the source's revision: the path is empty.
    WallClock,
    /// An object of the cluster: the path is `apiVersion|kind|namespace|name`.
    Lookup,
}

/// One access and its answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Access {
    /// What was asked.
    pub operation: Operation,
    /// Of what, from the root of the tree.
    pub path: String,
    /// Digest of the answer; misses have one too.
    pub answer: Digest,
}

/// All accesses of a call: each once, sorted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ReadSet {
    accesses: Vec<Access>,
}

impl ReadSet {
    /// Returns the accesses, sorted by operation and path.
    pub fn accesses(&self) -> &[Access] {
        &self.accesses
    }

    /// Returns the paths of files and directories that were accessed, misses included, and the
    /// directories that patterns start from; sorted, each once.
    ///
    /// For an index over many read sets: a change outside of these, and not behind a symbolic link
    /// among them, changes no answer.
    pub fn paths(&self) -> Vec<String> {
        let mut paths: Vec<String> = self
            .accesses
            .iter()
            .filter_map(|access| match access.operation {
                Operation::Read | Operation::ReadDir | Operation::Stat => Some(access.path.clone()),
                Operation::Glob => Glob::parse(&access.path).ok().map(|glob| glob.base()),
                Operation::WallClock | Operation::Lookup => None,
            })
            .collect();
        paths.sort_unstable();
        paths.dedup();
        paths
    }

    /// Tells whether the call asked the cluster: such a call is repeated when the cluster may have
    /// changed, which no tree can tell.
    pub fn has_lookups(&self) -> bool {
        self.accesses
            .iter()
            .any(|access| access.operation == Operation::Lookup)
    }

    /// Tells whether every access would be answered alike by `tree`, another revision of the
    /// source.
    ///
    /// `false` after a read of the wall clock or a look-up: neither is known here.
    pub fn still_holds(&self, tree: &dyn SourceTree) -> bool {
        self.accesses.iter().all(|access| access.holds(tree, None))
    }

    /// Tells the same where the revision's time is known: seconds since 1970.
    pub fn still_holds_at(&self, tree: &dyn SourceTree, wall_clock: u64) -> bool {
        self.accesses
            .iter()
            .all(|access| access.holds(tree, Some(wall_clock)))
    }
}

impl Access {
    fn holds(&self, tree: &dyn SourceTree, wall_clock: Option<u64>) -> bool {
        let now = match self.operation {
            Operation::WallClock => wall_clock.map(of_wall_clock),
            Operation::Lookup => None,
            Operation::Glob => Glob::parse(&self.path).ok().and_then(|glob| {
                let mut budget = u64::MAX;
                of_entries(glob.list(tree, &TreePath::root(), &mut budget))
            }),
            _ => TreePath::parse(&self.path)
                .ok()
                .and_then(|path| match self.operation {
                    Operation::Read => of_file(tree, &path, None),
                    Operation::ReadDir => of_entries(tree.read_dir(&path)),
                    _ => of_stat(tree.stat(&path)),
                }),
        };
        now == Some(self.answer)
    }
}

/// Collects accesses while a call runs.
#[derive(Debug, Default)]
pub(crate) struct Recorder {
    accesses: BTreeMap<(Operation, String), Digest>,
    weight: u64,
}

impl Recorder {
    pub(crate) fn record(&mut self, operation: Operation, path: &str, answer: Digest) {
        if self
            .accesses
            .insert((operation, path.to_owned()), answer)
            .is_none()
        {
            self.weight += Self::weight(path);
        }
    }

    pub(crate) fn has(&self, operation: Operation, path: &str) -> bool {
        self.accesses.contains_key(&(operation, path.to_owned()))
    }

    /// Returns what the accesses and one more of `path` would weigh: one each, and one more for
    /// every 256 bytes of path, so that their number bounds the memory that they take.
    pub(crate) fn weight_with(&self, path: &str) -> u64 {
        self.weight + Self::weight(path)
    }

    fn weight(path: &str) -> u64 {
        1 + path.len() as u64 / 256
    }

    pub(crate) fn take(&mut self) -> ReadSet {
        let accesses = std::mem::take(&mut self.accesses).into_iter();
        ReadSet {
            accesses: accesses
                .map(|((operation, path), answer)| Access {
                    operation,
                    path,
                    answer,
                })
                .collect(),
        }
    }
}

/// Digests the content of a file: by the tree's own digest of it, else by its bytes, which are
/// read unless given. `None` when the tree's store failed.
pub(crate) fn of_file(
    tree: &dyn SourceTree,
    path: &TreePath,
    bytes: Option<&[u8]>,
) -> Option<Digest> {
    let entry = match tree.stat(path) {
        Ok(entry) => entry,
        Err(error) => return of_error(&error),
    };
    if entry.kind == EntryKind::Directory {
        return of_error(&TreeError::NotAFile(path.clone()));
    }
    if let Some(content) = entry.content {
        return Some(Digest::of_parts([
            b"content".as_slice(),
            content.as_bytes(),
        ]));
    }
    let read;
    let bytes = match bytes {
        Some(bytes) => bytes,
        None => match tree.read(path) {
            Ok(bytes) => {
                read = bytes;
                &read
            }
            Err(error) => return of_error(&error),
        },
    };
    Some(Digest::of_parts([b"bytes".as_slice(), bytes]))
}

/// Digests a listing: names, kinds and sizes, as the guest saw them.
pub(crate) fn of_entries(answer: Result<Vec<Entry>, TreeError>) -> Option<Digest> {
    match answer {
        Ok(entries) => {
            let facts: Vec<_> = entries.iter().map(facts).collect();
            Some(Digest::of_parts(facts.iter().flatten().map(Vec::as_slice)))
        }
        Err(error) => of_error(&error),
    }
}

/// Digests a kind and a size.
pub(crate) fn of_stat(answer: Result<Entry, TreeError>) -> Option<Digest> {
    match answer {
        Ok(entry) => {
            let [_, kind, size] = facts(&entry);
            Some(Digest::of_parts([b"entry".as_slice(), &kind, &size]))
        }
        Err(error) => of_error(&error),
    }
}

/// Digests the time of a revision.
pub(crate) fn of_wall_clock(seconds: u64) -> Digest {
    Digest::of_parts([b"wall-clock".as_slice(), &seconds.to_le_bytes()])
}

fn facts(entry: &Entry) -> [Vec<u8>; 3] {
    let kind = match entry.kind {
        EntryKind::File => b'f',
        EntryKind::Directory => b'd',
    };
    let size = entry.size_bytes.to_le_bytes().to_vec();
    [entry.path.as_str().as_bytes().to_vec(), vec![kind], size]
}

/// Digests a miss; `None` for a failure of the store, which is no answer.
pub(crate) fn of_error(error: &TreeError) -> Option<Digest> {
    let name = match error {
        TreeError::NotFound(_) => "not-found",
        TreeError::NotAFile(_) => "not-a-file",
        TreeError::NotADirectory(_) => "not-a-directory",
        TreeError::Link(_) => "link",
        TreeError::TooLarge { .. } => "too-large",
        TreeError::Store { .. } => return None,
    };
    Some(Digest::of_parts([b"error".as_slice(), name.as_bytes()]))
}
