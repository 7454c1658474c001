//! Paths of a kustomization: where they lead, whether they may, and what is there. In: the tree of
//! files, a directory, and the directories that led to it. Never: a path outside the tree.

mod files;
mod paths;

use std::cell::Cell;
use std::rc::Rc;

use crate::error::{Code, Error, Outcome, fail};
use crate::kustomization::FILE_NAMES;
use crate::remote::{self, Remote, RemoteKind, Shared};

pub use self::files::{FileError, FileKind, Files};
pub(crate) use self::paths::{clean, is_below, parent, show};

/// Reads files for one kustomization.
#[derive(Clone)]
pub(crate) struct Loader<'a> {
    files: &'a dyn Files,
    pub(crate) root: Rc<str>,
    parent: Option<Rc<Loader<'a>>>,
    /// Whether files must be in or below the root.
    confined: bool,
    /// The repository that the root is the first directory of.
    repository: Option<Mounted>,
    /// Name of the kustomization file, once it has been found.
    file_name: Cell<&'static str>,
    remotes: Shared,
}

/// A remote repository in the tree.
#[derive(Clone)]
struct Mounted {
    /// As the kustomization names it.
    raw: Rc<str>,
    /// Its root in the tree.
    path: Rc<str>,
}

impl<'a> Loader<'a> {
    /// A loader at the directory that the render starts from.
    ///
    /// # Errors
    /// There is no such directory.
    pub(crate) fn top(files: &'a dyn Files, path: &str, confined: bool) -> Outcome<Self> {
        let mut top = Self {
            files,
            root: "".into(),
            parent: None,
            confined,
            repository: None,
            file_name: Cell::new(FILE_NAMES[0]),
            remotes: Shared::default(),
        };
        if let Some(repository) = remote::repository(path) {
            let outside = Rc::new(top);
            let inside = outside.inside(path, &repository);
            return inside.map_err(|error| outside.explain(error));
        }
        let Some(root) = clean(path) else {
            return Err(outside(path));
        };
        check_directory(files, &root)?;
        top.root = root.into();
        Ok(top)
    }

    /// A loader at a base or component.
    ///
    /// # Errors
    /// It is remote, absolute, not a directory, outside the tree, or one that led here.
    pub(crate) fn below(self: &Rc<Self>, path: &str) -> Outcome<Self> {
        if path.is_empty() {
            return Err(fail!(PathMissing, "new root cannot be empty"));
        }
        if let Some(repository) = remote::repository(path) {
            return self.inside(path, &repository);
        }
        let root = self.local_root(path)?;
        for loader in self.chain_up() {
            if is_below(&loader.root, &root) {
                return Err(fail!(
                    Cycle,
                    "cycle detected: candidate root '{}' contains visited root '{}'",
                    show(&root),
                    show(&loader.root)
                ));
            }
            // What led to a repository is elsewhere, whatever else is in the same place.
            if loader.repository.is_some() {
                break;
            }
        }
        Ok(self.child(root, self.confined, None))
    }

    /// A loader in a remote repository.
    fn inside(self: &Rc<Self>, path: &str, repository: &remote::Repository) -> Outcome<Self> {
        for loader in self.chain_up() {
            let Some(Mounted { raw, .. }) = &loader.repository else {
                continue;
            };
            if raw.starts_with(path) {
                return Err(fail!(
                    Cycle,
                    "cycle detected: URI '{path}' referenced by previous URI '{raw}'"
                ));
            }
        }
        let name = repository.name();
        let mount = remote::mount(&name);
        if self.files.kind(&mount) != Some(FileKind::Directory) {
            return Err(self.want(RemoteKind::Repository, name, path));
        }
        let place = (mount.clone(), name);
        let mounted = &mut self.remotes.borrow_mut().mounted;
        if !mounted.contains(&place) {
            mounted.push(place);
        }
        let below = clean(&repository.below).unwrap_or_default();
        let root = clean(&format!("{mount}/{below}")).unwrap_or_default();
        match self.files.kind(&root) {
            Some(FileKind::Directory) => {}
            Some(FileKind::File) => {
                return Err(fail!(
                    PathMissing,
                    "'{path}' refers to file '{below}'; expecting directory"
                ));
            }
            None => {
                return Err(fail!(
                    PathMissing,
                    "'{path}' refers to '{below}', which is not in the repository"
                ));
            }
        }
        let mounted = Mounted {
            raw: path.into(),
            path: mount.into(),
        };
        // Files outside of its own directory are nothing that a repository of others may read.
        Ok(self.child(root, true, Some(mounted)))
    }

    fn child(self: &Rc<Self>, root: String, confined: bool, repository: Option<Mounted>) -> Self {
        Self {
            files: self.files,
            root: root.into(),
            parent: Some(self.clone()),
            confined,
            repository,
            file_name: Cell::new(FILE_NAMES[0]),
            remotes: self.remotes.clone(),
        }
    }

    /// This loader and those that led here.
    fn chain_up(&self) -> impl Iterator<Item = &Self> {
        std::iter::successors(Some(self), |loader| loader.parent.as_deref())
    }

    /// Notes that something remote is lacking.
    fn want(&self, kind: RemoteKind, name: String, path: &str) -> Box<Error> {
        let lacking = &mut self.remotes.borrow_mut().lacking;
        if !lacking.iter().any(|remote| remote.name == name) {
            lacking.push(Remote {
                kind,
                name,
                path: path.to_owned(),
                named_in: self.display(self.file_name.get()),
            });
        }
        remote::missing(path)
    }

    /// Says what is remote in an error of this loader or one below it.
    pub(crate) fn explain(&self, error: Box<Error>) -> Box<Error> {
        self.remotes.borrow().explain(error)
    }

    /// Says how the kustomization file is called, where something else has found it.
    pub(crate) fn is_called(&self, file_name: &'static str) {
        self.file_name.set(file_name);
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
        let root = self.join(path);
        let repository = self
            .chain_up()
            .find_map(|loader| loader.repository.as_ref());
        if let Some(Mounted { path: mount, .. }) = repository
            && !root.as_ref().is_some_and(|root| is_below(root, mount))
        {
            return Err(fail!(
                PathDenied,
                "security; bases in kustomizations found in cloned git repos must be within the repo, \
                 but base '{path}' is outside '{}'",
                show(mount)
            ));
        }
        let root = root.ok_or_else(|| outside(path))?;
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
            return self.load_remote(path, RemoteKind::File);
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

    /// Reads a resource: a file whose URL may be that of a repository instead.
    ///
    /// # Errors
    /// As [`load`](Self::load).
    pub(crate) fn load_resource(&self, path: &str) -> Outcome<Vec<u8>> {
        if remote::is_file(path) && remote::repository(path).is_some() {
            return self.load_remote(path, RemoteKind::FileOrRepository);
        }
        self.load(path)
    }

    fn load_remote(&self, url: &str, kind: RemoteKind) -> Outcome<Vec<u8>> {
        let mount = remote::mount(url);
        match self.files.kind(&mount) {
            Some(FileKind::File) => self
                .files
                .read(&mount)
                .map_err(|error| self.read_error(&mount, error)),
            Some(FileKind::Directory) => Err(fail!(PathMissing, "URL is a git repository")),
            None => Err(self.want(kind, url.to_owned(), url)),
        }
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
        if let Some((name, _)) = &found {
            self.is_called(name);
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
