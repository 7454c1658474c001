//! A commit's files as a [`SourceTree`].

use std::sync::Arc;

use bulkhead_api::{Entry, EntryKind, SourceTree, TreeError, TreePath};
use gix::ObjectId;

use super::{Directory, Node, NodeKind};
use crate::store::Objects;

/// The files of one commit that are not ignored. Reads go to the store, and each is checked
/// against its hash.
///
/// Cheap to clone; many may read it at once. While it is held, its objects stay in the store.
#[derive(Clone)]
pub struct GitTree {
    objects: Arc<Objects>,
    root: Arc<Directory>,
}

impl GitTree {
    pub(crate) fn new(objects: Arc<Objects>, root: Directory) -> Self {
        Self {
            objects,
            root: Arc::new(root),
        }
    }

    pub(crate) fn root(&self) -> &Directory {
        &self.root
    }

    pub(crate) fn objects(&self) -> &Objects {
        &self.objects
    }

    /// Counts the files.
    pub fn file_count(&self) -> usize {
        fn count(directory: &Directory) -> usize {
            directory
                .children
                .iter()
                .map(|child| match &child.kind {
                    NodeKind::File { .. } => 1,
                    NodeKind::Directory(below) => count(below),
                })
                .sum()
        }
        count(&self.root)
    }

    fn find(&self, path: &TreePath) -> Result<Found<'_>, TreeError> {
        let mut found = Found::Directory(&self.root);
        for part in path.parts() {
            let Found::Directory(directory) = found else {
                return Err(TreeError::NotFound(path.clone()));
            };
            found = match directory.child(part).map(|child| &child.kind) {
                None => return Err(TreeError::NotFound(path.clone())),
                Some(NodeKind::Directory(below)) => Found::Directory(below),
                Some(NodeKind::File { id, .. }) => Found::File(*id, directory.child(part)),
            };
        }
        Ok(found)
    }
}

enum Found<'a> {
    Directory(&'a Directory),
    File(ObjectId, Option<&'a Node>),
}

impl SourceTree for GitTree {
    fn stat(&self, path: &TreePath) -> Result<Entry, TreeError> {
        match self.find(path)? {
            Found::File(_, Some(node)) => Ok(entry(path.clone(), node)),
            Found::File(_, None) => Err(TreeError::NotFound(path.clone())),
            Found::Directory(directory) => Ok(Entry {
                path: path.clone(),
                kind: EntryKind::Directory,
                size_bytes: 0,
                content: Some(directory.content),
            }),
        }
    }

    fn read_dir(&self, dir: &TreePath) -> Result<Vec<Entry>, TreeError> {
        let Found::Directory(directory) = self.find(dir)? else {
            return Err(TreeError::NotADirectory(dir.clone()));
        };
        directory
            .children
            .iter()
            .map(|child| match dir.join(&child.name) {
                Ok(path) => Ok(entry(path, child)),
                Err(error) => Err(TreeError::Store {
                    path: dir.clone(),
                    source: Box::new(error),
                }),
            })
            .collect()
    }

    fn read(&self, path: &TreePath) -> Result<Vec<u8>, TreeError> {
        match self.find(path)? {
            Found::Directory(_) => Err(TreeError::NotAFile(path.clone())),
            Found::File(id, _) => self.objects.blob(id).map_err(|error| TreeError::Store {
                path: path.clone(),
                source: Box::new(error),
            }),
        }
    }
}

fn entry(path: TreePath, node: &Node) -> Entry {
    let (kind, size_bytes) = match &node.kind {
        NodeKind::File { size_bytes, .. } => (EntryKind::File, *size_bytes),
        NodeKind::Directory(_) => (EntryKind::Directory, 0),
    };
    Entry {
        path,
        kind,
        size_bytes,
        content: Some(node.content()),
    }
}
