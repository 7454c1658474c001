//! Trees of files: what a source gives and a renderer reads.
//!
//! A [`SourceTree`] answers lookups by normalised path; it never resolves `..`, follows nothing out
//! of its root and has no times, owners or modes. The Wasm host puts limits and the recorded read
//! set around it; sources implement it over their store.

use std::fmt;

use crate::digest::Digest;

/// A path inside a tree: relative, `/` between parts, no empty part, no `.` or `..`.
///
/// The root is the empty path.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct TreePath(String);

/// Says why a text cannot be a path of a tree.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PathError {
    /// It starts with `/`, or with a drive.
    #[error("path `{0}` is absolute; write it relative to the root of the source")]
    Absolute(String),
    /// Its `..` lead out of the tree.
    #[error("path `{0}` leads out of the source")]
    Outside(String),
    /// It holds a NUL or a backslash.
    #[error("path {0:?} has a character that no path in a source may have")]
    Character(String),
    /// It is longer than [`TreePath::MAX_BYTES`].
    #[error("path of {0} bytes is longer than {max}", max = TreePath::MAX_BYTES)]
    TooLong(usize),
}

impl TreePath {
    /// Longest path, in bytes.
    pub const MAX_BYTES: usize = 4096;

    /// Returns the root.
    pub fn root() -> Self {
        Self::default()
    }

    /// Resolves `path` from the root.
    ///
    /// # Errors
    /// See [`PathError`].
    pub fn parse(path: &str) -> Result<Self, PathError> {
        Self::root().join(path)
    }

    /// Resolves `path` from this directory as if the root had nothing above it: `..` there leads
    /// nowhere, and a `/` in front counts for nothing.
    ///
    /// # Errors
    /// See [`PathError`].
    pub fn within(&self, path: &str) -> Result<Self, PathError> {
        let mut depth = self.parts().count();
        let mut parts: Vec<&str> = Vec::new();
        for part in path.split('/').filter(|part| !matches!(*part, "" | ".")) {
            match part {
                ".." if depth == 0 => continue,
                ".." => depth -= 1,
                _ => depth += 1,
            }
            parts.push(part);
        }
        self.join(&parts.join("/"))
    }

    /// Resolves `path` from this directory; `.` and `..` are taken out.
    ///
    /// # Errors
    /// See [`PathError`].
    pub fn join(&self, path: &str) -> Result<Self, PathError> {
        if path.len() > Self::MAX_BYTES {
            return Err(PathError::TooLong(path.len()));
        }
        if path.starts_with('/') {
            return Err(PathError::Absolute(path.to_owned()));
        }
        if path.contains(['\0', '\\']) {
            return Err(PathError::Character(path.to_owned()));
        }
        let mut parts: Vec<&str> = self.parts().collect();
        for part in path.split('/') {
            match part {
                "" | "." => {}
                ".." => {
                    if parts.pop().is_none() {
                        return Err(PathError::Outside(path.to_owned()));
                    }
                }
                name => parts.push(name),
            }
        }
        let joined = parts.join("/");
        if joined.len() > Self::MAX_BYTES {
            return Err(PathError::TooLong(joined.len()));
        }
        Ok(Self(joined))
    }

    /// Returns the text: empty for the root.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Tells whether this is the root.
    pub fn is_root(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns the parts, from the root down.
    pub fn parts(&self) -> impl Iterator<Item = &str> {
        self.0.split('/').filter(|part| !part.is_empty())
    }

    /// Returns the last part; `None` for the root.
    pub fn name(&self) -> Option<&str> {
        self.parts().last()
    }
}

impl fmt::Display for TreePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.is_root() { "." } else { &self.0 })
    }
}

/// What a path names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EntryKind {
    /// A regular file.
    File,
    /// A directory.
    Directory,
}

/// One file or directory of a tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Where it is.
    pub path: TreePath,
    /// What it is.
    pub kind: EntryKind,
    /// Size in bytes; 0 for a directory.
    pub size_bytes: u64,
    /// Identifies the content: equal digests mean equal content, of a directory with all below it.
    /// Only comparable within one store; `None` where the tree cannot tell without reading.
    pub content: Option<Digest>,
}

/// Why an access failed.
#[derive(Debug, thiserror::Error)]
pub enum TreeError {
    /// Nothing is there.
    #[error("`{0}` does not exist")]
    NotFound(TreePath),
    /// A file was asked for, and it is a directory.
    #[error("`{0}` is a directory")]
    NotAFile(TreePath),
    /// A directory was asked for, and it is a file.
    #[error("`{0}` is a file")]
    NotADirectory(TreePath),
    /// A symbolic link leads out of the tree, to nothing that a tree may show, or in a circle.
    #[error("symbolic link `{0}` leads out of the source or in a circle")]
    Link(TreePath),
    /// The file is larger than the tree will read.
    #[error("`{path}` has {size_bytes} bytes; at most {limit_bytes} are read")]
    TooLarge {
        /// The file.
        path: TreePath,
        /// Its size.
        size_bytes: u64,
        /// The limit.
        limit_bytes: u64,
    },
    /// The store could not be read.
    #[error("failed to read `{path}` in the store")]
    Store {
        /// The file or directory.
        path: TreePath,
        /// Why.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

/// A read-only tree of files that does not change while it is held.
///
/// # Guarantees
/// Symbolic links inside the tree are resolved, others are [`TreeError::Link`] or absent. Listings
/// are sorted by the bytes of the names. Two calls with the same path answer the same.
pub trait SourceTree: Send + Sync {
    /// Tells what `path` names.
    ///
    /// # Errors
    /// [`TreeError::NotFound`] and the rest of [`TreeError`].
    fn stat(&self, path: &TreePath) -> Result<Entry, TreeError>;

    /// Lists a directory.
    ///
    /// # Errors
    /// [`TreeError::NotADirectory`] and the rest of [`TreeError`].
    fn read_dir(&self, dir: &TreePath) -> Result<Vec<Entry>, TreeError>;

    /// Reads a whole file.
    ///
    /// # Errors
    /// [`TreeError::NotAFile`] and the rest of [`TreeError`].
    fn read(&self, path: &TreePath) -> Result<Vec<u8>, TreeError>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_normalised() {
        let path = |text| TreePath::parse(text).map(|p| p.as_str().to_owned());
        assert_eq!(path("./a//b/../c/"), Ok("a/c".to_owned()));
        assert_eq!(path(""), Ok(String::new()));
        assert_eq!(path("."), Ok(String::new()));
        let clamped = |from: &str, text| {
            let from = TreePath::parse(from).expect("a path");
            from.within(text).map(|p| p.as_str().to_owned())
        };
        assert_eq!(clamped("a", "../../b/../../c/./d"), Ok("c/d".to_owned()));
        assert_eq!(clamped("a/b", "../c"), Ok("a/c".to_owned()));
        assert_eq!(clamped("", "/../x"), Ok("x".to_owned()));
        assert!(clamped("", "a\\b").is_err());
    }

    #[test]
    fn paths_stay_inside() {
        assert_eq!(
            TreePath::parse("a/../.."),
            Err(PathError::Outside("a/../..".into()))
        );
        assert_eq!(
            TreePath::parse("/etc"),
            Err(PathError::Absolute("/etc".into()))
        );
        assert_eq!(
            TreePath::parse("a\\b"),
            Err(PathError::Character("a\\b".into()))
        );
        assert!(TreePath::parse(&"a/".repeat(3000)).is_err());
    }
}
