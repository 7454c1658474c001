//! `bulkhead:base/tree`: the source's files, read lazily, counted and recorded.
//!
//! Every answer goes into the read set, misses included. Paths are resolved here, inside the
//! directory that a handle stands for; the source's tree never sees a `..`. A failure of the store
//! is never an answer: it ends the call, since the next try may end otherwise.

use std::sync::Arc;

use bulkhead_api::{Entry as TreeEntry, EntryKind, SourceTree, TreeError, TreePath};
use wasmtime::component::Resource;

use super::State;
use crate::bindings::renderer::bulkhead::base::tree::{Entry, Error, Host, HostTree, Kind};
use crate::error::Stop;
use crate::glob::{Glob, GlobError};
use crate::limits::{Limit, LimitHit};
use crate::manifest::FileRules;
use crate::read_set::{Operation, of_entries, of_error, of_file, of_stat};

/// A tree in a guest's hands: the directory that is its root.
#[derive(Clone, Debug, Default)]
pub struct Handle {
    root: TreePath,
}

/// The tree of one call, and what was taken from it.
pub(crate) struct Files {
    tree: Arc<dyn SourceTree>,
    rules: FileRules,
    pub(crate) files: u64,
    pub(crate) read_bytes: u64,
    entries: u64,
    handles: u64,
}

impl Files {
    pub(crate) fn new(tree: Arc<dyn SourceTree>, rules: FileRules) -> Self {
        Self {
            tree,
            rules,
            files: 0,
            read_bytes: 0,
            entries: 0,
            handles: 0,
        }
    }
}

/// Why an access has no value: an answer for the guest, or the end of the call.
#[derive(Debug)]
pub enum Failure {
    /// The guest is told.
    Answer(Error),
    /// The call ends.
    Stop(wasmtime::Error),
}

impl From<wasmtime::Error> for Failure {
    fn from(error: wasmtime::Error) -> Self {
        Self::Stop(error)
    }
}

impl From<LimitHit> for Failure {
    fn from(hit: LimitHit) -> Self {
        Self::Stop(hit.into())
    }
}

impl From<wasmtime::component::ResourceTableError> for Failure {
    fn from(error: wasmtime::component::ResourceTableError) -> Self {
        Self::Stop(error.into())
    }
}

impl From<TreeError> for Failure {
    fn from(error: TreeError) -> Self {
        Self::Answer(match error {
            TreeError::NotFound(_) => Error::NotFound,
            TreeError::NotAFile(_) => Error::NotAFile,
            TreeError::NotADirectory(_) => Error::NotADirectory,
            TreeError::TooLarge { limit_bytes, .. } => Error::TooLarge(limit_bytes),
            TreeError::Link(_) => Error::Other(error.to_string()),
            TreeError::Store { .. } => return Self::Stop(Stop::Source(error).into()),
        })
    }
}

impl State {
    fn source(&self) -> Result<Arc<dyn SourceTree>, Failure> {
        let tree = self.tree.as_ref().map(|files| Arc::clone(&files.tree));
        tree.ok_or(Failure::Answer(Error::Denied))
    }

    fn root(&self, handle: &Resource<Handle>) -> Result<TreePath, Failure> {
        Ok(self.table.get(handle)?.root.clone())
    }

    /// Resolves `path` inside the directory of `handle`: `..` never leaves it.
    fn resolve(
        &self,
        handle: &Resource<Handle>,
        path: &str,
    ) -> Result<(TreePath, TreePath), Failure> {
        let root = self.root(handle)?;
        let invalid = |_| Failure::Answer(Error::InvalidPath);
        let inside = TreePath::parse(path).map_err(invalid)?;
        let whole = root.join(inside.as_str()).map_err(invalid)?;
        Ok((inside, whole))
    }

    /// Records an answer. `None` is the answer of a store that failed, and is not recorded: the
    /// caller ends the call.
    fn record(
        &mut self,
        operation: Operation,
        path: &str,
        answer: Option<bulkhead_api::Digest>,
    ) -> Result<(), LimitHit> {
        let Some(answer) = answer else { return Ok(()) };
        if !self.reads.has(operation, path) {
            let weight = self.reads.weight_with(path);
            LimitHit::check(Limit::Accesses, weight, self.limits.accesses)?;
            self.reads.record(operation, path, answer);
        }
        Ok(())
    }

    /// Counts entries that were looked at.
    fn count_entries(&mut self, entries: u64) -> Result<(), LimitHit> {
        let Some(files) = &mut self.tree else {
            return Ok(());
        };
        files.entries = files.entries.saturating_add(entries);
        LimitHit::check(Limit::Entries, files.entries, self.limits.entries)
    }

    /// Fails for a file that the plugin was not granted. The rules are part of the request: what
    /// they deny needs no place in the read set.
    fn granted(&self, path: &TreePath, kind: EntryKind) -> Result<(), Failure> {
        if kind == EntryKind::Directory || self.may_see(path, kind) {
            return Ok(());
        }
        Err(Failure::Answer(Error::Denied))
    }

    /// Tells whether a listing shows an entry.
    fn may_see(&self, path: &TreePath, kind: EntryKind) -> bool {
        let allows = |files: &Files| files.rules.allows(path);
        kind == EntryKind::Directory || self.tree.as_ref().is_none_or(allows)
    }

    /// Reads a file, if its size and the sum of all reads allow. What is too large is known by its
    /// size: it is recorded as that.
    fn read_file(&mut self, path: &TreePath) -> Result<Vec<u8>, Failure> {
        let tree = self.source()?;
        let entry = match tree.stat(path) {
            Ok(entry) if entry.kind == EntryKind::File => entry,
            Ok(_) => return self.miss(Operation::Read, path, TreeError::NotAFile(path.clone())),
            Err(error) => return self.miss(Operation::Read, path, error),
        };
        self.granted(path, entry.kind)?;
        self.admit(path, &entry)?;
        let bytes = match tree.read(path) {
            Ok(bytes) => bytes,
            Err(error) => return self.miss(Operation::Read, path, error),
        };
        let answer = of_file(&*tree, path, Some(&bytes));
        self.record(Operation::Read, path.as_str(), answer)?;
        if let Some(files) = &mut self.tree {
            files.files += 1;
            files.read_bytes += bytes.len() as u64;
        }
        Ok(bytes)
    }

    /// Fails when a file is larger than what is left of the limits.
    fn admit(&mut self, path: &TreePath, entry: &TreeEntry) -> Result<(), Failure> {
        let read = self.tree.as_ref().map_or(0, |files| files.read_bytes);
        let sum = read.saturating_add(entry.size_bytes);
        let hit = LimitHit::check(Limit::FileBytes, entry.size_bytes, self.limits.file_bytes)
            .and_then(|()| LimitHit::check(Limit::ReadBytes, sum, self.limits.read_bytes));
        let Err(hit) = hit else { return Ok(()) };
        self.record(Operation::Stat, path.as_str(), of_stat(Ok(entry.clone())))?;
        self.refused.get_or_insert(hit);
        Err(Failure::Answer(Error::TooLarge(hit.allowed)))
    }

    fn miss<T>(
        &mut self,
        operation: Operation,
        path: &TreePath,
        error: TreeError,
    ) -> Result<T, Failure> {
        self.record(operation, path.as_str(), of_error(&error))?;
        Err(error.into())
    }
}

/// Shows an entry to the guest: its path starts at the root of the guest's handle.
fn shown(dir: &TreePath, entry: &TreeEntry) -> Entry {
    let name = entry.path.name().unwrap_or_default();
    shown_at(&dir.join(name).unwrap_or_default(), entry)
}

fn shown_at(path: &TreePath, entry: &TreeEntry) -> Entry {
    let kind = match entry.kind {
        EntryKind::File => Kind::File,
        EntryKind::Directory => Kind::Directory,
    };
    Entry {
        path: path.as_str().to_owned(),
        kind,
        size: entry.size_bytes,
    }
}

impl Host for State {
    fn convert_error(&mut self, failure: Failure) -> wasmtime::Result<Error> {
        match failure {
            Failure::Answer(error) => Ok(error),
            Failure::Stop(error) => Err(error),
        }
    }
}

impl HostTree for State {
    fn read_dir(&mut self, handle: Resource<Handle>, dir: String) -> Result<Vec<Entry>, Failure> {
        let (inside, path) = self.resolve(&handle, &dir)?;
        match self.source()?.read_dir(&path) {
            Ok(entries) => {
                self.count_entries(entries.len() as u64)?;
                let seen = entries.iter().filter(|entry| {
                    let name = entry.path.name().unwrap_or_default();
                    self.may_see(&path.join(name).unwrap_or_default(), entry.kind)
                });
                let shown = seen.map(|entry| shown(&inside, entry)).collect();
                self.record(Operation::ReadDir, path.as_str(), of_entries(Ok(entries)))?;
                Ok(shown)
            }
            Err(error) => self.miss(Operation::ReadDir, &path, error),
        }
    }

    fn glob(&mut self, handle: Resource<Handle>, pattern: String) -> Result<Vec<Entry>, Failure> {
        let root = self.root(&handle)?;
        // Resolved alone first, so that its `..` stay below the root of the handle.
        let wrong = |error: GlobError| {
            Failure::Answer(match error {
                GlobError::Path(_) => Error::InvalidPath,
                GlobError::Open(_) => Error::Other(error.to_string()),
            })
        };
        let glob = Glob::parse(&pattern).map_err(wrong)?.below(&root);
        let tree = self.source()?;
        let seen = self.tree.as_ref().map_or(0, |files| files.entries);
        let mut left = self.limits.entries.saturating_sub(seen).saturating_add(1);
        let before = left;
        let answer = glob.list(&*tree, &TreePath::root(), &mut left);
        self.count_entries(before - left)?;
        match answer {
            Ok(entries) => {
                let depth = root.parts().count();
                let path = |entry: &TreeEntry| {
                    let parts: Vec<_> = entry.path.parts().skip(depth).collect();
                    TreePath::parse(&parts.join("/")).unwrap_or_default()
                };
                let shown = entries
                    .iter()
                    .filter(|entry| self.may_see(&entry.path, entry.kind))
                    .map(|entry| shown_at(&path(entry), entry))
                    .collect();
                self.record(Operation::Glob, &glob.to_string(), of_entries(Ok(entries)))?;
                Ok(shown)
            }
            Err(error) => Err(error.into()),
        }
    }

    fn stat(&mut self, handle: Resource<Handle>, path: String) -> Result<Entry, Failure> {
        let (inside, path) = self.resolve(&handle, &path)?;
        match self.source()?.stat(&path) {
            Ok(entry) => {
                self.granted(&path, entry.kind)?;
                let shown = shown_at(&inside, &entry);
                self.record(Operation::Stat, path.as_str(), of_stat(Ok(entry)))?;
                Ok(shown)
            }
            Err(error) => self.miss(Operation::Stat, &path, error),
        }
    }

    fn read(&mut self, handle: Resource<Handle>, path: String) -> Result<Vec<u8>, Failure> {
        let (_, path) = self.resolve(&handle, &path)?;
        self.read_file(&path)
    }

    fn read_many(
        &mut self,
        handle: Resource<Handle>,
        paths: Vec<String>,
    ) -> Result<Vec<Vec<u8>>, Failure> {
        paths
            .iter()
            .map(|path| {
                let (_, path) = self.resolve(&handle, path)?;
                self.read_file(&path)
            })
            .collect()
    }

    fn subtree(
        &mut self,
        handle: Resource<Handle>,
        dir: String,
    ) -> Result<Resource<Handle>, Failure> {
        let (_, path) = self.resolve(&handle, &dir)?;
        match self.source()?.stat(&path) {
            Ok(entry) => {
                let kind = entry.kind;
                self.record(Operation::Stat, path.as_str(), of_stat(Ok(entry)))?;
                if kind == EntryKind::File {
                    return Err(Failure::Answer(Error::NotADirectory));
                }
            }
            Err(error) => return self.miss(Operation::Stat, &path, error),
        }
        if let Some(files) = &mut self.tree {
            files.handles += 1;
            LimitHit::check(Limit::TreeHandles, files.handles, self.limits.tree_handles)?;
        }
        Ok(self.push(Handle { root: path })?)
    }

    fn drop(&mut self, handle: Resource<Handle>) -> wasmtime::Result<()> {
        self.table.delete(handle)?;
        if let Some(files) = &mut self.tree {
            files.handles = files.handles.saturating_sub(1);
        }
        Ok(())
    }
}
