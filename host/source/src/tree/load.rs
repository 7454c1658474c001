//! From a commit's tree objects to a [`Directory`]: names judged, ignored files left out, limits kept.
//!
//! Every entry is judged for names that could lead out of a source; names that merely cannot be
//! used everywhere are refused only if they are not ignored. Symbolic links are left out, as in
//! Flux's artifacts; a submodule is an empty folder.

use bulkhead_api::TreePath;
use gix::ObjectId;
use gix::bstr::{BString, ByteSlice as _};
use gix::objs::tree::{EntryKind, EntryRef};

use super::names::{check_portable, judge, show, show_with};
use super::{Directory, Node, NodeKind};
use crate::ignore::{IGNORE_FILE, Matcher};
use crate::store::{Objects, Reader};
use crate::{FetchError, GitRequest, Limits};

/// Loads the folder whose tree object is `root`; `on_time` fails when the fetch has to end.
pub(crate) fn load(
    objects: &Objects,
    root: ObjectId,
    request: &GitRequest,
    on_time: &dyn Fn() -> Result<(), FetchError>,
) -> Result<Directory, FetchError> {
    let (ignore, limits) = (request.ignore.as_deref(), &request.limits);
    if let Some(ignore) = ignore {
        check_ignore_size("`spec.ignore`", ignore.len() as u64, limits)?;
    }
    let sparse = Sparse::read(&request.sparse_checkout)?;
    let reader = objects.reader();
    let mut walk = Walk {
        objects: &reader,
        request,
        sparse: &sparse,
        on_time,
        entries: 0,
        ignore_files: Vec::new(),
    };
    let raw = walk.read(root, &mut Vec::new())?;
    sparse.check(&raw)?;
    let files = walk
        .ignore_files
        .iter()
        .map(|(folder, content)| (folder.clone(), content.as_str()));
    let matcher = Matcher::new(files, ignore);
    let mut filter = Filter {
        objects: &reader,
        limits,
        sparse: &sparse,
        matcher,
        files: 0,
        bytes: 0,
    };
    Ok(Directory::new(filter.children(raw, &mut Vec::new())?))
}

struct RawEntry {
    name: BString,
    kind: RawKind,
}

enum RawKind {
    File { id: ObjectId, is_executable: bool },
    Link,
    Folder(Vec<RawEntry>),
}

/// `spec.sparseCheckout`: as in Flux, a file counts if its path starts with one of the texts.
struct Sparse(Vec<String>);

impl Sparse {
    fn read(folders: &[String]) -> Result<Self, FetchError> {
        let read = |folder: &String| {
            let wrong =
                || FetchError::Sparse(crate::error::clean(folder), "leads out of the repository");
            let is_plain = !folder.split('/').any(|part| part == "..");
            let path = TreePath::parse(folder)
                .ok()
                .filter(|_| is_plain)
                .ok_or_else(wrong)?;
            Ok(path.as_str().to_owned())
        };
        folders.iter().map(read).collect::<Result<_, _>>().map(Self)
    }

    fn has(&self, path: &str) -> bool {
        self.0.is_empty() || self.0.iter().any(|prefix| path.starts_with(prefix))
    }

    fn check(&self, root: &[RawEntry]) -> Result<(), FetchError> {
        for folder in &self.0 {
            let mut entries = root;
            for part in folder.split('/').filter(|part| !part.is_empty()) {
                entries = match entries
                    .iter()
                    .find(|entry| entry.name == part)
                    .map(|entry| &entry.kind)
                {
                    Some(RawKind::Folder(below)) => below,
                    Some(_) => &[],
                    None => {
                        let problem = "does not exist in the repository";
                        return Err(FetchError::Sparse(folder.clone(), problem));
                    }
                };
            }
        }
        Ok(())
    }
}

struct Walk<'a> {
    objects: &'a Reader,
    request: &'a GitRequest,
    sparse: &'a Sparse,
    on_time: &'a dyn Fn() -> Result<(), FetchError>,
    entries: usize,
    ignore_files: Vec<(Vec<String>, String)>,
}

impl Walk<'_> {
    fn read(
        &mut self,
        tree: ObjectId,
        path: &mut Vec<BString>,
    ) -> Result<Vec<RawEntry>, FetchError> {
        (self.on_time)()?;
        let limits = &self.request.limits;
        if path.len() > limits.depth {
            let what = format!("the depth of `{}`", show(path));
            return Err(FetchError::limit(what, "depth", limits.depth as u64));
        }
        let data = self.objects.tree(tree)?;
        let listed = gix::objs::TreeRef::from_bytes(&data, tree.kind())
            .map_err(|_| self.objects.damaged(tree, "is not a tree"))?;
        self.entries += listed.entries.len();
        if self.entries > limits.entries {
            return Err(FetchError::limit(
                "the number of entries",
                "entries",
                limits.entries as u64,
            ));
        }
        judge(&listed.entries, path)?;
        // Flux reads the ignore file of a folder before those below it.
        let is_ignore_file =
            |entry: &&EntryRef<'_>| entry.filename == IGNORE_FILE && entry.mode.is_blob();
        if let Some(entry) = listed.entries.iter().find(is_ignore_file) {
            self.read_ignore_file(entry.oid.to_owned(), path)?;
        }
        let mut sorted = listed.entries;
        sorted.sort_unstable_by_key(|entry| entry.filename);
        let mut entries = Vec::with_capacity(sorted.len());
        for entry in sorted {
            let kind = self.kind(&entry, path)?;
            entries.push(RawEntry {
                name: entry.filename.to_owned(),
                kind,
            });
        }
        Ok(entries)
    }

    fn kind(
        &mut self,
        entry: &EntryRef<'_>,
        path: &mut Vec<BString>,
    ) -> Result<RawKind, FetchError> {
        let id = entry.oid.to_owned();
        match entry.mode.kind() {
            EntryKind::Blob => Ok(RawKind::File {
                id,
                is_executable: false,
            }),
            EntryKind::BlobExecutable => Ok(RawKind::File {
                id,
                is_executable: true,
            }),
            EntryKind::Link => Ok(RawKind::Link),
            EntryKind::Commit if self.request.recurse_submodules => {
                Err(FetchError::Submodule(show_with(path, entry.filename)))
            }
            EntryKind::Commit => Ok(RawKind::Folder(Vec::new())),
            EntryKind::Tree => {
                path.push(entry.filename.to_owned());
                let below = self.read(id, path)?;
                path.pop();
                Ok(RawKind::Folder(below))
            }
        }
    }

    fn read_ignore_file(&mut self, id: ObjectId, path: &[BString]) -> Result<(), FetchError> {
        let shown = show_with(path, IGNORE_FILE.into());
        if !self.sparse.has(&shown) {
            return Ok(());
        }
        let size_bytes = self.objects.size(id)?;
        check_ignore_size(&format!("`{shown}`"), size_bytes, &self.request.limits)?;
        let content = self.objects.blob(id)?;
        let folder = path
            .iter()
            .map(|name| name.to_str_lossy().into_owned())
            .collect();
        self.ignore_files
            .push((folder, String::from_utf8_lossy(&content).into_owned()));
        Ok(())
    }
}

struct Filter<'a> {
    objects: &'a Reader,
    limits: &'a Limits,
    sparse: &'a Sparse,
    matcher: Matcher,
    files: usize,
    bytes: u64,
}

impl Filter<'_> {
    fn children(
        &mut self,
        raw: Vec<RawEntry>,
        path: &mut Vec<String>,
    ) -> Result<Vec<Node>, FetchError> {
        let mut children = Vec::new();
        for entry in raw {
            path.push(entry.name.to_str_lossy().into_owned());
            let kind = self.kind(entry.kind, path)?;
            let name = path.pop().unwrap_or_default();
            if let Some(kind) = kind {
                check_portable(entry.name.as_bstr(), path)?;
                children.push(Node {
                    name: name.into_boxed_str(),
                    kind,
                });
            }
        }
        Ok(children)
    }

    /// Returns what the tree shows of an entry; `None` if it is left out.
    fn kind(
        &mut self,
        raw: RawKind,
        path: &mut Vec<String>,
    ) -> Result<Option<NodeKind>, FetchError> {
        let parts: Vec<&str> = path.iter().map(String::as_str).collect();
        let is_dir = matches!(raw, RawKind::Folder(_));
        let is_out = self.matcher.is_ignored(&parts, is_dir) || !self.sparse.has(&path.join("/"));
        Ok(match raw {
            RawKind::Link => None,
            RawKind::File { .. } if is_out => None,
            RawKind::File { id, is_executable } => Some(self.file(id, is_executable, path)?),
            RawKind::Folder(below) => {
                let below = self.children(below, path)?;
                let is_shown = !is_out || !below.is_empty();
                is_shown.then(|| NodeKind::Directory(Directory::new(below)))
            }
        })
    }

    fn file(
        &mut self,
        id: ObjectId,
        is_executable: bool,
        path: &[String],
    ) -> Result<NodeKind, FetchError> {
        let size_bytes = self.objects.size(id)?;
        self.files += 1;
        self.bytes += size_bytes;
        if size_bytes > self.limits.file_bytes {
            let what = format!("`{}` of {size_bytes} bytes", path.join("/"));
            return Err(FetchError::limit(
                what,
                "file_bytes",
                self.limits.file_bytes,
            ));
        }
        if self.files > self.limits.files {
            return Err(FetchError::limit(
                "the number of files",
                "files",
                self.limits.files as u64,
            ));
        }
        if self.bytes > self.limits.tree_bytes {
            return Err(FetchError::limit(
                "the size of all files",
                "tree_bytes",
                self.limits.tree_bytes,
            ));
        }
        Ok(NodeKind::File {
            id,
            size_bytes,
            is_executable,
        })
    }
}

fn check_ignore_size(what: &str, size_bytes: u64, limits: &Limits) -> Result<(), FetchError> {
    if size_bytes > limits.ignore_bytes {
        return Err(FetchError::limit(what, "ignore_bytes", limits.ignore_bytes));
    }
    Ok(())
}
