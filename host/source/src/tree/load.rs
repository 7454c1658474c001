//! From a commit's tree objects to a [`Directory`]: names judged, ignored files left out, limits kept.
//!
//! Every entry is judged for names that could lead out of a source; names that merely cannot be
//! used everywhere are refused only if they are not ignored. Symbolic links are left out, as in
//! Flux's artifacts; a submodule is an empty folder.

use std::collections::HashSet;

use gix::ObjectId;
use gix::bstr::{BStr, BString, ByteSlice as _};
use gix::objs::tree::EntryKind;
use gix::validate::path::component;

use super::{Directory, Node, NodeKind, TreeProblem};
use crate::ignore::{IGNORE_FILE, Matcher};
use crate::store::Objects;
use crate::{FetchError, Limits};

/// Loads the folder whose tree object is `root`.
pub(crate) fn load(
    objects: &Objects,
    root: ObjectId,
    ignore: Option<&str>,
    limits: &Limits,
) -> Result<Directory, FetchError> {
    if let Some(ignore) = ignore {
        check_ignore_size("`spec.ignore`", ignore.len() as u64, limits)?;
    }
    let mut walk = Walk {
        objects: objects.reader(),
        limits,
        entries: 0,
        ignore_files: Vec::new(),
    };
    let raw = walk.read(root, &mut Vec::new())?;
    let files = walk
        .ignore_files
        .iter()
        .map(|(folder, content)| (folder.clone(), content.as_str()));
    let matcher = Matcher::new(files, ignore);
    let mut filter = Filter {
        objects: objects.reader(),
        limits,
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

struct Walk<'a> {
    objects: crate::store::Reader,
    limits: &'a Limits,
    entries: usize,
    ignore_files: Vec<(Vec<String>, String)>,
}

impl Walk<'_> {
    fn read(
        &mut self,
        tree: ObjectId,
        path: &mut Vec<BString>,
    ) -> Result<Vec<RawEntry>, FetchError> {
        if path.len() > self.limits.depth {
            return Err(FetchError::limit(
                format!("the depth of `{}`", show(path)),
                "depth",
                self.limits.depth as u64,
            ));
        }
        let data = self.objects.tree(tree)?;
        let listed = gix::objs::TreeRef::from_bytes(&data, tree.kind())
            .map_err(|_| self.objects.damaged(tree, "is not a tree"))?;
        self.entries += listed.entries.len();
        if self.entries > self.limits.entries {
            return Err(FetchError::limit(
                "the number of entries",
                "entries",
                self.limits.entries as u64,
            ));
        }
        judge(&listed.entries, path)?;
        // Flux reads the ignore file of a folder before those below it.
        if let Some(entry) = listed
            .entries
            .iter()
            .find(|entry| entry.filename == IGNORE_FILE && entry.mode.is_blob())
        {
            self.read_ignore_file(entry.oid.to_owned(), path)?;
        }
        let mut sorted = listed.entries;
        sorted.sort_unstable_by_key(|entry| entry.filename);
        let mut entries = Vec::with_capacity(sorted.len());
        for entry in sorted {
            let kind = match entry.mode.kind() {
                EntryKind::Blob => RawKind::File {
                    id: entry.oid.to_owned(),
                    is_executable: false,
                },
                EntryKind::BlobExecutable => RawKind::File {
                    id: entry.oid.to_owned(),
                    is_executable: true,
                },
                EntryKind::Link => RawKind::Link,
                EntryKind::Commit => RawKind::Folder(Vec::new()),
                EntryKind::Tree => {
                    path.push(entry.filename.to_owned());
                    let below = self.read(entry.oid.to_owned(), path)?;
                    path.pop();
                    RawKind::Folder(below)
                }
            };
            entries.push(RawEntry {
                name: entry.filename.to_owned(),
                kind,
            });
        }
        Ok(entries)
    }

    fn read_ignore_file(&mut self, id: ObjectId, path: &[BString]) -> Result<(), FetchError> {
        let size_bytes = self.objects.size(id)?;
        check_ignore_size(
            &format!("`{}`", show_with(path, IGNORE_FILE.into())),
            size_bytes,
            self.limits,
        )?;
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
    objects: crate::store::Reader,
    limits: &'a Limits,
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
            let shown = entry.name.to_str_lossy().into_owned();
            path.push(shown);
            let parts: Vec<&str> = path.iter().map(String::as_str).collect();
            let is_dir = matches!(entry.kind, RawKind::Folder(_));
            let is_ignored = self.matcher.is_ignored(&parts, is_dir);
            let kind = match entry.kind {
                RawKind::Link => None,
                RawKind::File { .. } if is_ignored => None,
                RawKind::File { id, is_executable } => Some(self.file(id, is_executable, path)?),
                RawKind::Folder(below) => {
                    let below = self.children(below, path)?;
                    (!is_ignored || !below.is_empty())
                        .then(|| NodeKind::Directory(Directory::new(below)))
                }
            };
            let shown = path.pop().unwrap_or_default();
            if let Some(kind) = kind {
                check_portable(entry.name.as_bstr(), path)?;
                children.push(Node {
                    name: shown.into_boxed_str(),
                    kind,
                });
            }
        }
        Ok(children)
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

/// Judges the names of one folder, ignored or not.
fn judge(entries: &[gix::objs::tree::EntryRef<'_>], path: &[BString]) -> Result<(), TreeProblem> {
    let mut names = HashSet::with_capacity(entries.len());
    let mut has_link = false;
    for entry in entries {
        let is_link = entry.mode.is_link();
        has_link |= is_link;
        judge_name(entry.filename, is_link)
            .map_err(|why| TreeProblem::Forbidden(show_with(path, entry.filename), why))?;
        if !names.insert(entry.filename) {
            return Err(TreeProblem::Twice(show_with(path, entry.filename)));
        }
    }
    if has_link {
        let mut folded = std::collections::HashMap::new();
        for entry in entries {
            *folded
                .entry(entry.filename.to_str_lossy().to_lowercase())
                .or_insert(0) += 1;
        }
        let clash = |name: &BStr| {
            folded
                .get(&name.to_str_lossy().to_lowercase())
                .is_some_and(|count| *count > 1)
        };
        if let Some(entry) = entries
            .iter()
            .find(|entry| entry.mode.is_link() && clash(entry.filename))
        {
            return Err(TreeProblem::LinkClash(show_with(path, entry.filename)));
        }
    }
    Ok(())
}

fn judge_name(name: &BStr, is_link: bool) -> Result<(), &'static str> {
    use component::Error;
    if name.contains(&0) {
        return Err("it holds a NUL");
    }
    let options = component::Options {
        protect_windows: false,
        protect_hfs: true,
        protect_ntfs: true,
    };
    match gix::validate::path::component(name, is_link.then_some(component::Mode::Symlink), options)
    {
        Ok(_) => Ok(()),
        Err(Error::Empty) => Err("it is empty"),
        Err(Error::Relative) => Err("it leads elsewhere"),
        Err(Error::DotGitDir) => Err("some file systems take it for `.git`"),
        Err(Error::SymlinkedGitModules) => Err("`.gitmodules` may not be a symbolic link"),
        Err(Error::PathSeparator) => Err("it holds a `/`"),
        Err(_) => Err("some file systems cannot hold it"),
    }
}

/// Judges a name that a renderer will see.
fn check_portable(name: &BStr, path: &[String]) -> Result<(), TreeProblem> {
    let shown = || {
        let folder: Vec<BString> = path
            .iter()
            .map(|part| BString::from(part.as_str()))
            .collect();
        show_with(&folder, name)
    };
    let Ok(text) = name.to_str() else {
        return Err(TreeProblem::NotUtf8(shown()));
    };
    if text.chars().any(|c| c == '\\' || c.is_control()) {
        return Err(TreeProblem::Character(shown()));
    }
    if gix::validate::path::component_is_windows_device(name) {
        return Err(TreeProblem::Device(shown()));
    }
    Ok(())
}

fn show(path: &[BString]) -> String {
    let shown: Vec<String> = path.iter().map(|name| name.escape_ascii_lossy()).collect();
    crate::error::clean(&shown.join("/"))
}

fn show_with(path: &[BString], name: &BStr) -> String {
    let mut path = path.to_vec();
    path.push(name.to_owned());
    show(&path)
}

trait Escape {
    fn escape_ascii_lossy(&self) -> String;
}

impl Escape for BString {
    /// Shows what is readable as it is, and all else as `\xff`.
    fn escape_ascii_lossy(&self) -> String {
        let mut text = String::new();
        for chunk in self.utf8_chunks() {
            text.extend(
                chunk
                    .valid()
                    .chars()
                    .map(|c| if c.is_control() { '\u{fffd}' } else { c }),
            );
            for byte in chunk.invalid() {
                text.push_str(&format!("\\x{byte:02x}"));
            }
        }
        text
    }
}
