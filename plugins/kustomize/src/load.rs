//! Paths of a kustomization: where they lead, whether they may, and what is there. In: the tree of
//! files, a directory, and the directories that led to it. Never: a path outside the tree.

use std::rc::Rc;

use crate::error::{Code, Error, Outcome, fail};
use crate::kustomization::FILE_NAMES;
use crate::remote;

/// Why a file could not be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FileError {
    /// Nothing is there.
    NotFound,
    /// A directory is there.
    IsDirectory,
    /// The path leads out of the tree, or the file was not granted.
    Denied,
    /// Anything else, in words.
    Other(String),
}

/// What a path names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum FileKind {
    /// A regular file.
    File,
    /// A directory.
    Directory,
}

/// The files that a render may read. Paths are relative to the root of the tree, in their shortest
/// form, with `/` between parts; the root itself is the empty path.
pub trait Files {
    /// Reads a whole file.
    ///
    /// # Errors
    /// There is no such file, or it may not be read.
    fn read(&self, path: &str) -> Result<Vec<u8>, FileError>;

    /// Tells what a path names; nothing when nothing is there.
    fn kind(&self, path: &str) -> Option<FileKind>;

    /// Lists a directory: names, not paths, sorted, each with what it is.
    ///
    /// # Errors
    /// There is no such directory, or it may not be read.
    fn read_dir(&self, path: &str) -> Result<Vec<(String, FileKind)>, FileError>;

    /// The directory of the tree that holds a remote base, where the host has fetched it.
    fn remote(&self, url: &str) -> Option<String> {
        let _ = url;
        None
    }
}

/// Reads files for one kustomization.
#[derive(Clone)]
pub(crate) struct Loader<'a> {
    files: &'a dyn Files,
    pub(crate) root: Rc<str>,
    parent: Option<Rc<Loader<'a>>>,
    /// Whether files must be in or below the root.
    confined: bool,
}

impl<'a> Loader<'a> {
    /// A loader at the directory that the render starts from.
    ///
    /// # Errors
    /// There is no such directory.
    pub(crate) fn top(files: &'a dyn Files, path: &str, confined: bool) -> Outcome<Self> {
        let Some(root) = clean(path) else {
            return Err(outside(path));
        };
        check_directory(files, &root)?;
        Ok(Self {
            files,
            root: root.into(),
            parent: None,
            confined,
        })
    }

    /// A loader at a base or component.
    ///
    /// # Errors
    /// It is remote, absolute, not a directory, outside the tree, or one that led here.
    pub(crate) fn below(self: &Rc<Self>, path: &str) -> Outcome<Self> {
        if path.is_empty() {
            return Err(fail!(PathMissing, "new root cannot be empty"));
        }
        let root = if remote::is_repository(path) {
            self.files
                .remote(path)
                .ok_or_else(|| remote::refuse(path))?
        } else {
            self.local_root(path)?
        };
        let mut visited = Some(self);
        while let Some(loader) = visited {
            if is_below(&loader.root, &root) {
                return Err(fail!(
                    Cycle,
                    "cycle detected: candidate root '{}' contains visited root '{}'",
                    show(&root),
                    show(&loader.root)
                ));
            }
            visited = loader.parent.as_ref();
        }
        Ok(Self {
            files: self.files,
            root: root.into(),
            parent: Some(self.clone()),
            confined: self.confined,
        })
    }

    fn local_root(&self, path: &str) -> Outcome<String> {
        if path.starts_with('/') {
            return Err(fail!(PathDenied, "new root '{path}' cannot be absolute"));
        }
        let odd = |part: &str| part != ".." && part != "." && part.contains("..");
        if path.split('/').any(odd) {
            return Err(fail!(
                PathDenied,
                "path {} is ambiguous: resolves to {} after normalization, which is likely not the intended target; \
                 check for YAML indentation errors in your kustomization file",
                crate::error::go_quote(path),
                crate::error::go_quote(&clean(path).unwrap_or_default())
            ));
        }
        let Some(root) = self.join(path) else {
            return Err(outside(path));
        };
        check_directory(self.files, &root)?;
        Ok(root)
    }

    /// The path from the root of the tree; nothing when it leads out.
    pub(crate) fn join(&self, path: &str) -> Option<String> {
        if path.starts_with('/') {
            clean(path)
        } else {
            clean(&format!("{}/{path}", self.root))
        }
    }

    /// A path as messages show it.
    pub(crate) fn display(&self, path: &str) -> String {
        self.join(path).unwrap_or_else(|| path.to_owned())
    }

    /// Whether a path of this kustomization names a directory.
    pub(crate) fn is_directory(&self, path: &str) -> bool {
        self.join(path)
            .is_some_and(|path| self.files.kind(&path) == Some(FileKind::Directory))
    }

    /// Reads a file.
    ///
    /// # Errors
    /// It is remote, missing, not a file, or not in or below the root where that is demanded.
    pub(crate) fn load(&self, path: &str) -> Outcome<Vec<u8>> {
        if remote::is_file(path) {
            return Err(remote::refuse(path));
        }
        let Some(full) = self.join(path) else {
            return Err(outside(path));
        };
        if self.confined && !is_below(parent(&full), &self.root) {
            return Err(self.refuse(&full));
        }
        self.files
            .read(&full)
            .map_err(|error| self.read_error(&full, error))
    }

    fn refuse(&self, full: &str) -> Box<Error> {
        match self.files.kind(full) {
            None => missing(self.files, full),
            Some(FileKind::Directory) => {
                fail!(PathMissing, "'{}' must resolve to a file", show(full))
            }
            Some(FileKind::File) => {
                let root = show(&self.root);
                fail!(
                    PathDenied,
                    "security; file '{}' is not in or below '{root}'",
                    show(full)
                )
                .in_file(full)
            }
        }
    }

    fn read_error(&self, full: &str, error: FileError) -> Box<Error> {
        match error {
            FileError::NotFound => missing(self.files, full),
            FileError::IsDirectory => fail!(PathMissing, "'{}' must resolve to a file", show(full)),
            FileError::Denied => outside(full),
            FileError::Other(reason) => {
                fail!(PathMissing, "failed to read '{}': {reason}", show(full)).in_file(full)
            }
        }
    }

    /// The kustomization file: its name and content; nothing when the directory has none.
    ///
    /// # Errors
    /// The directory has several.
    pub(crate) fn kustomization(&self) -> Outcome<Option<(&'static str, Vec<u8>)>> {
        let mut found = None;
        for name in FILE_NAMES {
            let Some(path) = self.join(name) else {
                continue;
            };
            let Ok(content) = self.files.read(&path) else {
                continue;
            };
            if found.is_some() {
                return Err(fail!(
                    KustomizationMissing,
                    "Found multiple kustomization files under: {}\n",
                    show(&self.root)
                ));
            }
            found = Some((name, content));
        }
        Ok(found)
    }

    /// The directories that led here, outermost first.
    pub(crate) fn chain(&self) -> Vec<String> {
        let mut chain = self
            .parent
            .as_ref()
            .map(|parent| parent.chain())
            .unwrap_or_default();
        chain.push(self.root.to_string());
        chain
    }

    /// The files behind this loader.
    pub(crate) fn files(&self) -> &'a dyn Files {
        self.files
    }
}

/// The error for a directory without a kustomization file.
pub(crate) fn no_kustomization(root: &str) -> Box<Error> {
    let [first, second, third] = FILE_NAMES;
    let root = show(root);
    fail!(
        KustomizationMissing,
        "unable to find one of '{first}', '{second}' or '{third}' in directory '{root}'"
    )
}

fn check_directory(files: &dyn Files, root: &str) -> Outcome<()> {
    match files.kind(root) {
        Some(FileKind::Directory) => Ok(()),
        Some(FileKind::File) => Err(fail!(
            PathMissing,
            "must build at directory: '{}': file is not directory",
            show(root)
        )),
        None if root.is_empty() => Ok(()),
        None => Err(missing(files, root).wrap("must build at directory: not a valid directory")),
    }
}

fn missing(files: &dyn Files, full: &str) -> Box<Error> {
    let mut first = full;
    while !parent(first).is_empty() && files.kind(parent(first)).is_none() {
        first = parent(first);
    }
    let (full_shown, first) = (show(full), show(first));
    Error::new(
        Code::PathMissing,
        format!("evalsymlink failure on '{full_shown}' : lstat {first}: no such file or directory"),
    )
    .in_file(full)
    .advise("correct the path: it is relative to the kustomization file that names it")
}

fn outside(path: &str) -> Box<Error> {
    fail!(PathDenied, "security; path '{path}' is outside the source")
        .advise("keep every base and file inside the source")
}

/// A path of the tree as messages show it.
pub(crate) fn show(path: &str) -> String {
    format!("/{path}")
}

/// Whether `path` is `directory` or below it.
pub(crate) fn is_below(path: &str, directory: &str) -> bool {
    directory.is_empty()
        || path
            .strip_prefix(directory)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// The directory that a path is in.
pub(crate) fn parent(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(directory, _)| directory)
}

/// The shortest form of a path; nothing when it leads out of the tree.
pub(crate) fn clean(path: &str) -> Option<String> {
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop()?;
            }
            part => parts.push(part),
        }
    }
    Some(parts.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_stay_in_the_tree() {
        assert_eq!(clean("a/./b/../c//d").as_deref(), Some("a/c/d"));
        assert_eq!(clean("a/..").as_deref(), Some(""));
        assert_eq!(clean("a/../.."), None);
    }

    #[test]
    fn below_means_whole_parts() {
        assert!(is_below("a/b", "a"));
        assert!(is_below("a", "a"));
        assert!(!is_below("ab", "a"));
        assert!(is_below("x", ""));
    }
}
