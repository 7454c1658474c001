//! A folder of this machine as a [`SourceTree`], for rendering without a source.
//!
//! Everything goes through a cap-std folder: symbolic links inside it are followed, others are
//! errors. Names that are not UTF-8 are left out of listings, as is `.git` at the root.

use std::io::{ErrorKind, Read as _};

use bulkhead_api::{Entry, EntryKind, SourceTree, TreeError, TreePath};
use cap_std::ambient_authority;
use cap_std::fs::Dir;

/// A folder, read when asked.
///
/// The folder may change while it is held; two calls may then answer differently.
pub struct DirTree {
    dir: Dir,
    file_bytes: u64,
}

impl DirTree {
    /// Opens a folder; files over `file_bytes` are refused.
    ///
    /// # Errors
    /// It does not exist, is no folder, or may not be read.
    pub fn open(path: impl AsRef<std::path::Path>, file_bytes: u64) -> std::io::Result<Self> {
        Ok(Self {
            dir: Dir::open_ambient_dir(path, ambient_authority())?,
            file_bytes,
        })
    }

    fn entry(&self, path: TreePath) -> Result<Entry, TreeError> {
        let metadata = self
            .dir
            .metadata(name(&path))
            .map_err(|error| problem(&path, error))?;
        let (kind, size_bytes) = if metadata.is_dir() {
            (EntryKind::Directory, 0)
        } else if metadata.is_file() {
            (EntryKind::File, metadata.len())
        } else {
            return Err(TreeError::NotFound(path));
        };
        Ok(Entry {
            path,
            kind,
            size_bytes,
            content: None,
        })
    }
}

impl SourceTree for DirTree {
    fn stat(&self, path: &TreePath) -> Result<Entry, TreeError> {
        self.entry(path.clone())
    }

    fn read_dir(&self, dir: &TreePath) -> Result<Vec<Entry>, TreeError> {
        if self.entry(dir.clone())?.kind == EntryKind::File {
            return Err(TreeError::NotADirectory(dir.clone()));
        }
        let mut entries = Vec::new();
        for found in self
            .dir
            .read_dir(name(dir))
            .map_err(|error| problem(dir, error))?
        {
            let found = found.map_err(|error| problem(dir, error))?;
            let file_name = found.file_name();
            let Some(text) = file_name
                .to_str()
                .filter(|text| !(dir.is_root() && *text == ".git"))
            else {
                continue;
            };
            let Ok(path) = dir.join(text) else { continue };
            match self.entry(path) {
                Ok(entry) => entries.push(entry),
                // A link that leads out or nowhere: not part of the tree.
                Err(TreeError::Link(_) | TreeError::NotFound(_)) => {}
                Err(error) => return Err(error),
            }
        }
        entries.sort_unstable_by(|one, other| {
            one.path
                .as_str()
                .as_bytes()
                .cmp(other.path.as_str().as_bytes())
        });
        Ok(entries)
    }

    fn read(&self, path: &TreePath) -> Result<Vec<u8>, TreeError> {
        let entry = self.entry(path.clone())?;
        if entry.kind == EntryKind::Directory {
            return Err(TreeError::NotAFile(path.clone()));
        }
        let too_large = |size_bytes| TreeError::TooLarge {
            path: path.clone(),
            size_bytes,
            limit_bytes: self.file_bytes,
        };
        if entry.size_bytes > self.file_bytes {
            return Err(too_large(entry.size_bytes));
        }
        let file = self
            .dir
            .open(name(path))
            .map_err(|error| problem(path, error))?;
        let mut content = Vec::new();
        // The file may have grown since.
        file.take(self.file_bytes + 1)
            .read_to_end(&mut content)
            .map_err(|error| problem(path, error))?;
        if content.len() as u64 > self.file_bytes {
            return Err(too_large(content.len() as u64));
        }
        Ok(content)
    }
}

fn name(path: &TreePath) -> &str {
    if path.is_root() { "." } else { path.as_str() }
}

fn problem(path: &TreePath, error: std::io::Error) -> TreeError {
    const TOO_MANY_LINKS: i32 = 40;
    match error.kind() {
        ErrorKind::NotFound | ErrorKind::NotADirectory => TreeError::NotFound(path.clone()),
        // What cap-std answers for a path that leads out of its folder.
        ErrorKind::PermissionDenied if error.raw_os_error().is_none() => {
            TreeError::Link(path.clone())
        }
        _ if error.raw_os_error() == Some(TOO_MANY_LINKS) => TreeError::Link(path.clone()),
        _ if error.raw_os_error() == Some(18) => TreeError::Link(path.clone()),
        _ => TreeError::Store {
            path: path.clone(),
            source: Box::new(error),
        },
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "a test may")]
    use super::*;

    fn tree(limit: u64) -> (tempfile::TempDir, DirTree) {
        let home = tempfile::tempdir().unwrap();
        let root = home.path().join("root");
        std::fs::create_dir_all(root.join("a/.git")).unwrap();
        std::fs::create_dir_all(root.join(".git")).unwrap();
        std::fs::write(root.join("a/x.yaml"), "12345").unwrap();
        std::fs::write(home.path().join("secret"), "s").unwrap();
        for (target, link) in [
            ("a/x.yaml", "inside"),
            ("../secret", "outside"),
            ("loop", "loop"),
            ("/etc", "absolute"),
            ("a", "folder"),
        ] {
            std::os::unix::fs::symlink(target, root.join(link)).unwrap();
        }
        let tree = DirTree::open(root, limit).unwrap();
        (home, tree)
    }

    #[test]
    fn links_are_followed_inside_alone() {
        let (_home, tree) = tree(5);
        let path = |text| TreePath::parse(text).unwrap();
        assert_eq!(tree.read(&path("inside")).unwrap(), b"12345");
        assert_eq!(tree.read(&path("folder/x.yaml")).unwrap(), b"12345");
        for link in ["outside", "loop", "absolute"] {
            assert!(
                matches!(tree.read(&path(link)), Err(TreeError::Link(_))),
                "{link}"
            );
        }
        assert!(matches!(
            tree.read(&path("absolute/passwd")),
            Err(TreeError::Link(_))
        ));
        let names: Vec<String> = tree
            .read_dir(&path(""))
            .unwrap()
            .iter()
            .map(|e| e.path.to_string())
            .collect();
        assert_eq!(names, ["a", "folder", "inside"]);
    }

    #[test]
    fn files_are_read_up_to_the_limit() {
        let path = TreePath::parse("a/x.yaml").unwrap();
        assert!(tree(5).1.read(&path).is_ok());
        assert!(matches!(
            tree(4).1.read(&path),
            Err(TreeError::TooLarge {
                size_bytes: 5,
                limit_bytes: 4,
                ..
            })
        ));
    }
}
