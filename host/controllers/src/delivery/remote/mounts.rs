//! A source with what is remote put into it: each file and repository below `.bulkhead/remote`,
//! where the renderer looks for it. A listing of the source does not show them.

use std::collections::BTreeMap;
use std::sync::Arc;

use bulkhead_api::{Digest, Entry, EntryKind, SourceTree, TreeError, TreePath};

/// The folder that everything remote is put into.
const FOLDER: &str = ".bulkhead/remote";

/// What stands at one place.
#[derive(Clone)]
pub(super) enum Mount {
    /// The files of a commit.
    Repository(Arc<dyn SourceTree>),
    /// A file.
    File(Arc<[u8]>),
    /// An empty folder: there is no such file.
    Absent,
}

/// Everything remote that a render has, by the digest of its name.
#[derive(Clone, Default)]
pub(super) struct Mounts(BTreeMap<String, Mount>);

impl Mounts {
    /// Puts in what goes by `name`.
    pub(super) fn insert(&mut self, name: &str, mount: Mount) {
        self.0.insert(Digest::of(name).to_hex(), mount);
    }

    /// Returns `source` with everything in its place.
    pub(super) fn over(&self, source: Arc<dyn SourceTree>) -> Arc<dyn SourceTree> {
        if self.0.is_empty() {
            return source;
        }
        Arc::new(Mounted {
            source,
            mounts: self.0.clone(),
        })
    }
}

struct Mounted {
    source: Arc<dyn SourceTree>,
    mounts: BTreeMap<String, Mount>,
}

/// Where a path leads.
enum Place<'a> {
    Source,
    Mount {
        mount: &'a Mount,
        root: TreePath,
        inner: TreePath,
    },
}

impl Mounted {
    fn place(&self, path: &TreePath) -> Place<'_> {
        let below = path.as_str().strip_prefix(FOLDER);
        let Some(rest) = below.and_then(|rest| rest.strip_prefix('/')) else {
            return Place::Source;
        };
        let (name, inner) = rest.split_once('/').unwrap_or((rest, ""));
        let root = TreePath::parse(&format!("{FOLDER}/{name}"));
        match (self.mounts.get(name), root, TreePath::parse(inner)) {
            (Some(mount), Ok(root), Ok(inner)) => Place::Mount { mount, root, inner },
            _ => Place::Source,
        }
    }
}

impl SourceTree for Mounted {
    fn stat(&self, path: &TreePath) -> Result<Entry, TreeError> {
        let (mount, root, inner) = match self.place(path) {
            Place::Source => return self.source.stat(path),
            Place::Mount { mount, root, inner } => (mount, root, inner),
        };
        match mount {
            Mount::Repository(tree) => {
                let entry = tree.stat(&inner).map_err(|error| moved(error, &root))?;
                Ok(placed(entry, &root))
            }
            Mount::File(content) if inner.is_root() => Ok(Entry {
                path: path.clone(),
                kind: EntryKind::File,
                size_bytes: content.len() as u64,
                content: Some(Digest::of(content)),
            }),
            Mount::Absent if inner.is_root() => Ok(Entry {
                path: path.clone(),
                kind: EntryKind::Directory,
                size_bytes: 0,
                content: None,
            }),
            Mount::File(_) | Mount::Absent => Err(TreeError::NotFound(path.clone())),
        }
    }

    fn read_dir(&self, dir: &TreePath) -> Result<Vec<Entry>, TreeError> {
        let (mount, root, inner) = match self.place(dir) {
            Place::Source => return self.source.read_dir(dir),
            Place::Mount { mount, root, inner } => (mount, root, inner),
        };
        match mount {
            Mount::Repository(tree) => {
                let entries = tree.read_dir(&inner).map_err(|error| moved(error, &root))?;
                Ok(entries
                    .into_iter()
                    .map(|entry| placed(entry, &root))
                    .collect())
            }
            Mount::Absent if inner.is_root() => Ok(Vec::new()),
            Mount::File(_) if inner.is_root() => Err(TreeError::NotADirectory(dir.clone())),
            Mount::File(_) | Mount::Absent => Err(TreeError::NotFound(dir.clone())),
        }
    }

    fn read(&self, path: &TreePath) -> Result<Vec<u8>, TreeError> {
        let (mount, root, inner) = match self.place(path) {
            Place::Source => return self.source.read(path),
            Place::Mount { mount, root, inner } => (mount, root, inner),
        };
        match mount {
            Mount::Repository(tree) => tree.read(&inner).map_err(|error| moved(error, &root)),
            Mount::File(content) if inner.is_root() => Ok(content.to_vec()),
            Mount::Absent if inner.is_root() => Err(TreeError::NotAFile(path.clone())),
            Mount::File(_) | Mount::Absent => Err(TreeError::NotFound(path.clone())),
        }
    }
}

fn placed(mut entry: Entry, root: &TreePath) -> Entry {
    entry.path = below(root, &entry.path);
    entry
}

/// A path that is too long is cut to its mount: it names nothing anyway.
fn below(root: &TreePath, inner: &TreePath) -> TreePath {
    root.join(inner.as_str()).unwrap_or_else(|_| root.clone())
}

fn moved(error: TreeError, root: &TreePath) -> TreeError {
    let place = |path: TreePath| below(root, &path);
    match error {
        TreeError::NotFound(path) => TreeError::NotFound(place(path)),
        TreeError::NotAFile(path) => TreeError::NotAFile(place(path)),
        TreeError::NotADirectory(path) => TreeError::NotADirectory(place(path)),
        TreeError::Link(path) => TreeError::Link(place(path)),
        TreeError::TooLarge {
            path,
            size_bytes,
            limit_bytes,
        } => TreeError::TooLarge {
            path: place(path),
            size_bytes,
            limit_bytes,
        },
        TreeError::Store { path, source } => TreeError::Store {
            path: place(path),
            source,
        },
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may")]

    use bulkhead_wasm::MemoryTree;

    use super::*;

    fn path(text: &str) -> TreePath {
        TreePath::parse(text).unwrap()
    }

    #[test]
    fn what_is_remote_stands_beside_the_source() {
        let source = MemoryTree::from_files([("a.yaml", "own")]).unwrap();
        let base = MemoryTree::from_files([("x/b.yaml", "theirs")]).unwrap();
        let mut mounts = Mounts::default();
        mounts.insert("repo", Mount::Repository(Arc::new(base)));
        mounts.insert("file", Mount::File(b"text".as_slice().into()));
        mounts.insert("none", Mount::Absent);
        let tree = mounts.over(Arc::new(source));
        let at =
            |name: &str, rest: &str| path(&format!("{FOLDER}/{}{rest}", Digest::of(name).to_hex()));
        assert_eq!(tree.read(&path("a.yaml")).unwrap(), b"own");
        assert_eq!(tree.read(&at("repo", "/x/b.yaml")).unwrap(), b"theirs");
        assert_eq!(tree.read(&at("file", "")).unwrap(), b"text");
        let listed = tree.read_dir(&at("repo", "/x")).unwrap();
        assert_eq!(listed[0].path, at("repo", "/x/b.yaml"));
        assert_eq!(
            tree.stat(&at("none", "")).unwrap().kind,
            EntryKind::Directory
        );
        let names: Vec<_> = tree.read_dir(&TreePath::root()).unwrap();
        assert_eq!(names.len(), 1, "a listing shows the source alone");
        let read = tree.read(&at("repo", "/y"));
        assert!(
            matches!(&read, Err(TreeError::NotFound(found)) if *found == at("repo", "/y")),
            "{read:?}"
        );
    }
}
