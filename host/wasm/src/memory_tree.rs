//! A tree in memory, for tests and for callers that have files but no source.

use std::collections::BTreeMap;

use bulkhead_api::{Digest, Entry, EntryKind, PathError, SourceTree, TreeError, TreePath};

/// Files by path. Directories are there because files are in them; links do not exist.
#[derive(Clone, Debug, Default)]
pub struct MemoryTree {
    files: BTreeMap<TreePath, Vec<u8>>,
}

impl MemoryTree {
    /// Returns a tree without files.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a file, or replaces it.
    ///
    /// # Errors
    /// When `path` is not one of a tree.
    pub fn insert(
        &mut self,
        path: &str,
        content: impl Into<Vec<u8>>,
    ) -> Result<&mut Self, PathError> {
        self.files.insert(TreePath::parse(path)?, content.into());
        Ok(self)
    }

    /// Takes a file out; tells whether it was there.
    pub fn remove(&mut self, path: &TreePath) -> bool {
        self.files.remove(path).is_some()
    }

    /// Makes a tree of paths and contents.
    ///
    /// # Errors
    /// When a path is not one of a tree.
    pub fn from_files<P: AsRef<str>, C: Into<Vec<u8>>>(
        files: impl IntoIterator<Item = (P, C)>,
    ) -> Result<Self, PathError> {
        let mut tree = Self::new();
        for (path, content) in files {
            tree.insert(path.as_ref(), content)?;
        }
        Ok(tree)
    }

    /// Returns what lies below `dir`, paths from the root.
    fn below(&self, dir: &TreePath) -> impl Iterator<Item = (&TreePath, &Vec<u8>)> {
        let prefix = if dir.is_root() {
            String::new()
        } else {
            format!("{dir}/")
        };
        self.files
            .iter()
            .filter(move |(path, _)| path.as_str().starts_with(&prefix))
    }

    /// Digests a directory with all below it.
    fn digest(&self, dir: &TreePath) -> Digest {
        let parts: Vec<_> = self
            .below(dir)
            .flat_map(|(path, content)| [path.as_str().as_bytes(), content.as_slice()])
            .collect();
        Digest::of_parts(parts)
    }

    /// Fails when a part of `path` above it is a file.
    fn parents(&self, path: &TreePath) -> Result<(), TreeError> {
        let mut parent = TreePath::root();
        for part in path.parts() {
            if self.files.contains_key(&parent) {
                return Err(TreeError::NotFound(path.clone()));
            }
            parent = parent.join(part).unwrap_or_default();
        }
        Ok(())
    }
}

impl SourceTree for MemoryTree {
    fn stat(&self, path: &TreePath) -> Result<Entry, TreeError> {
        self.parents(path)?;
        if let Some(content) = self.files.get(path) {
            return Ok(Entry {
                path: path.clone(),
                kind: EntryKind::File,
                size_bytes: content.len() as u64,
                content: Some(Digest::of(content)),
            });
        }
        if !path.is_root() && self.below(path).next().is_none() {
            return Err(TreeError::NotFound(path.clone()));
        }
        Ok(Entry {
            path: path.clone(),
            kind: EntryKind::Directory,
            size_bytes: 0,
            content: Some(self.digest(path)),
        })
    }

    fn read_dir(&self, dir: &TreePath) -> Result<Vec<Entry>, TreeError> {
        if self.stat(dir)?.kind == EntryKind::File {
            return Err(TreeError::NotADirectory(dir.clone()));
        }
        let depth = dir.parts().count();
        let mut names: Vec<&str> = self
            .below(dir)
            .filter_map(|(path, _)| path.parts().nth(depth))
            .collect();
        names.sort_unstable();
        names.dedup();
        names
            .into_iter()
            .map(|name| {
                self.stat(
                    &dir.join(name)
                        .map_err(|_| TreeError::NotFound(dir.clone()))?,
                )
            })
            .collect()
    }

    fn read(&self, path: &TreePath) -> Result<Vec<u8>, TreeError> {
        match self.stat(path)?.kind {
            EntryKind::File => Ok(self.files[path].clone()),
            EntryKind::Directory => Err(TreeError::NotAFile(path.clone())),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may")]
    use super::*;

    #[test]
    fn directories_exist_by_their_files() {
        let tree = MemoryTree::from_files([("a/b.yaml", "1"), ("a/c/d.yaml", "22"), ("a.x", "")]);
        let tree = tree.unwrap();
        let path = |text| TreePath::parse(text).unwrap();
        let names: Vec<_> = tree
            .read_dir(&path("a"))
            .unwrap()
            .into_iter()
            .map(|entry| (entry.path.to_string(), entry.kind, entry.size_bytes))
            .collect();
        assert_eq!(
            names,
            [
                ("a/b.yaml".to_owned(), EntryKind::File, 1),
                ("a/c".to_owned(), EntryKind::Directory, 0),
            ]
        );
        assert!(matches!(tree.stat(&path("b")), Err(TreeError::NotFound(_))));
        assert!(matches!(
            tree.stat(&path("a.x/y")),
            Err(TreeError::NotFound(_))
        ));
        assert!(matches!(tree.read(&path("a")), Err(TreeError::NotAFile(_))));
        assert!(matches!(
            tree.read_dir(&path("a.x")),
            Err(TreeError::NotADirectory(_))
        ));
        assert_eq!(tree.read(&path("a/c/d.yaml")).unwrap(), b"22");
    }
}
