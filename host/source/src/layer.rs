//! Files that come as a compressed archive: the layer of an OCI artifact, an archive of ours.
//!
//! In: a `.tar.gz`. Out: its files in memory, less those that are ignored, as a tree to render and as
//! the `.tar.gz` of Flux's contract. Symbolic links are left out, as in Flux; a name that leads
//! elsewhere is an error.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Read, Write};

use bulkhead_api::{Digest, Entry, EntryKind, SourceTree, TreeError, TreePath};
use flate2::read::MultiGzDecoder;
use tar::EntryType;

use crate::archive::{Archive, Writer};
use crate::ignore::{IGNORE_FILE, Matcher};
use crate::{FetchError, Limits};

/// Why an archive cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum LayerError {
    /// It is no archive, or ends too early.
    #[error("it is not a tar archive that is compressed with gzip")]
    Format(#[source] io::Error),
    /// A file has a name that no source may have.
    #[error("tar contained invalid name `{0}`")]
    Name(String),
    /// There is something else than files, folders and links.
    #[error("tar file entry `{name}` has the type {kind:?}, which no source may hold")]
    Kind {
        /// Its name.
        name: String,
        /// Its type.
        kind: EntryType,
    },
    /// There is more than is taken.
    #[error(transparent)]
    Limit(FetchError),
}

/// Parts of a path: sorted by them, a folder comes before what is in it.
type Parts = Vec<String>;

#[derive(Clone, Debug, PartialEq, Eq)]
struct File {
    content: Vec<u8>,
    digest: Digest,
    is_executable: bool,
}

/// The files of an archive, in memory.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FileTree {
    files: BTreeMap<Parts, File>,
    folders: BTreeSet<Parts>,
}

impl FileTree {
    /// Unpacks an archive; `files`, `entries`, `depth`, `file_bytes` and `tree_bytes` of `limits`
    /// count, also for what is ignored later.
    ///
    /// # Errors
    /// [`LayerError`] names the entry.
    pub fn unpack(archive: impl Read, limits: &Limits) -> Result<Self, LayerError> {
        let mut unpacking = Unpacking {
            limits,
            entries: 0,
            bytes: 0,
            tree: Self::default(),
        };
        let mut archive = tar::Archive::new(MultiGzDecoder::new(archive));
        for entry in archive.entries().map_err(LayerError::Format)? {
            unpacking.add(entry.map_err(LayerError::Format)?)?;
        }
        Ok(unpacking.tree)
    }

    /// Leaves files out, as `.sourceignore` files, `spec.ignore` and Flux's default excludes say.
    #[must_use]
    pub fn without_ignored(mut self, ignore: Option<&str>) -> Self {
        let is_rules = |(path, _): &(&Parts, &File)| {
            path.last().is_some_and(|name| name.as_str() == IGNORE_FILE)
        };
        let rules: Vec<(Parts, String)> = self
            .files
            .iter()
            .filter(is_rules)
            .map(|(path, file)| {
                let folder = path[..path.len() - 1].to_vec();
                (folder, String::from_utf8_lossy(&file.content).into_owned())
            })
            .collect();
        let rules = rules
            .iter()
            .map(|(folder, content)| (folder.clone(), content.as_str()));
        let matcher = Matcher::new(rules, ignore);
        let is_kept = |path: &Parts, is_dir: bool| {
            let parts: Vec<&str> = path.iter().map(String::as_str).collect();
            !matcher.is_ignored(&parts, is_dir)
        };
        self.files.retain(|path, _| is_kept(path, false));
        self.folders.retain(|path| is_kept(path, true));
        self
    }

    /// Writes the archive of Flux's contract; the same files give the same bytes.
    ///
    /// # Errors
    /// `out` failed.
    pub fn write_archive(&self, out: impl Write) -> io::Result<Archive> {
        let mut writer = Writer::new(out);
        writer.directory(".")?;
        let files = self.files.iter().map(|(path, file)| (path, Some(file)));
        let folders = self.folders.iter().map(|path| (path, None));
        let all: BTreeMap<&Parts, Option<&File>> = folders.chain(files).collect();
        for (path, file) in all {
            match file {
                Some(file) => writer.file(&path.join("/"), &file.content, file.is_executable)?,
                None => writer.directory(&path.join("/"))?,
            }
        }
        writer.finish()
    }

    /// Counts the files.
    pub fn file_count(&self) -> usize {
        self.files.len()
    }

    fn is_folder(&self, path: &Parts) -> bool {
        let is_above = || {
            let next = self.files.range(path.clone()..).next();
            next.is_some_and(|(file, _)| file.len() > path.len() && file.starts_with(path))
        };
        path.is_empty() || self.folders.contains(path) || is_above()
    }
}

struct Unpacking<'a> {
    limits: &'a Limits,
    entries: usize,
    bytes: u64,
    tree: FileTree,
}

impl Unpacking<'_> {
    fn add(&mut self, mut entry: tar::Entry<'_, impl Read>) -> Result<(), LayerError> {
        self.entries += 1;
        if self.entries > self.limits.entries {
            return Err(limit(
                "the number of entries",
                "entries",
                self.limits.entries,
            ));
        }
        let kind = entry.header().entry_type();
        let name = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
        match kind {
            EntryType::Directory => {
                let path = self.parts(&name)?;
                if !path.is_empty() {
                    self.tree.folders.insert(path);
                }
                Ok(())
            }
            EntryType::Regular | EntryType::Continuous => {
                let path = self.parts(&name)?;
                if path.is_empty() {
                    return Err(LayerError::Name(crate::error::clean(&name)));
                }
                let mode = entry.header().mode().unwrap_or_default();
                let content = self.content(&name, &mut entry)?;
                self.put(path, content, mode & 0o111 != 0)
            }
            EntryType::Symlink | EntryType::XGlobalHeader => Ok(()),
            kind => Err(LayerError::Kind {
                name: crate::error::clean(&name),
                kind,
            }),
        }
    }

    fn put(
        &mut self,
        path: Parts,
        content: Vec<u8>,
        is_executable: bool,
    ) -> Result<(), LayerError> {
        for depth in 1..path.len() {
            self.tree.folders.insert(path[..depth].to_vec());
        }
        let file = File {
            digest: Digest::of(&content),
            content,
            is_executable,
        };
        self.tree.files.insert(path, file);
        if self.tree.files.len() > self.limits.files {
            return Err(limit("the number of files", "files", self.limits.files));
        }
        Ok(())
    }

    fn content(
        &mut self,
        name: &str,
        entry: &mut tar::Entry<'_, impl Read>,
    ) -> Result<Vec<u8>, LayerError> {
        let allowed = self.limits.file_bytes;
        let too_large =
            |what: String| LayerError::Limit(FetchError::limit(what, "file_bytes", allowed));
        let shown = || format!("the size of `{}`", crate::error::clean(name));
        if entry.size() > allowed {
            return Err(too_large(shown()));
        }
        let mut content = Vec::new();
        entry
            .read_to_end(&mut content)
            .map_err(LayerError::Format)?;
        self.bytes += content.len() as u64;
        if self.bytes > self.limits.tree_bytes {
            let allowed = self.limits.tree_bytes;
            let error = FetchError::limit("the size of all files", "tree_bytes", allowed);
            return Err(LayerError::Limit(error));
        }
        Ok(content)
    }

    /// Takes a name apart; one that leads elsewhere, or that a renderer could not name, is refused.
    fn parts(&self, name: &str) -> Result<Parts, LayerError> {
        let wrong = || LayerError::Name(crate::error::clean(name));
        let leads_elsewhere = name.starts_with('/') || name.split('/').any(|part| part == "..");
        if leads_elsewhere || name.chars().any(char::is_control) {
            return Err(wrong());
        }
        let path = TreePath::parse(name).map_err(|_| wrong())?;
        let parts: Parts = path.parts().map(str::to_owned).collect();
        if parts.len() > self.limits.depth {
            let what = format!("the depth of `{path}`");
            return Err(limit(what, "depth", self.limits.depth));
        }
        Ok(parts)
    }
}

fn limit(what: impl Into<String>, limit: &'static str, allowed: usize) -> LayerError {
    LayerError::Limit(FetchError::limit(what, limit, allowed as u64))
}

fn parts(path: &TreePath) -> Parts {
    path.parts().map(str::to_owned).collect()
}

impl FileTree {
    fn entry(&self, path: TreePath) -> Result<Entry, TreeError> {
        let parts = parts(&path);
        if let Some(file) = self.files.get(&parts) {
            return Ok(Entry {
                path,
                kind: EntryKind::File,
                size_bytes: file.content.len() as u64,
                content: Some(file.digest),
            });
        }
        match self.is_folder(&parts) {
            false => Err(TreeError::NotFound(path)),
            true => Ok(Entry {
                path,
                kind: EntryKind::Directory,
                size_bytes: 0,
                content: Some(self.digest_below(&parts)),
            }),
        }
    }

    /// Digests names and contents of all that is in a folder.
    fn digest_below(&self, folder: &Parts) -> Digest {
        let folders = self.folders.range(folder.clone()..);
        let folders = folders.map(|path| (path, None));
        let files = self.files.range(folder.clone()..);
        let files = files.map(|(path, file)| (path, Some(file.digest)));
        let is_below = |(path, _): &(&Parts, Option<Digest>)| path.starts_with(folder);
        let mut pieces: Vec<Vec<u8>> = vec![b"directory".to_vec()];
        for (path, digest) in folders
            .take_while(is_below)
            .chain(files.take_while(is_below))
        {
            pieces.push(path[folder.len()..].join("/").into_bytes());
            pieces.push(digest.map_or_else(Vec::new, |digest| digest.as_bytes().to_vec()));
        }
        Digest::of_parts(pieces.iter().map(Vec::as_slice))
    }

    /// Returns the names that a folder has, each once.
    fn names(&self, folder: &Parts) -> BTreeSet<&str> {
        let depth = folder.len();
        let folders = self.folders.range(folder.clone()..);
        let files = self.files.range(folder.clone()..).map(|(path, _)| path);
        let folders = folders.take_while(|path| path.starts_with(folder));
        let files = files.take_while(|path| path.starts_with(folder));
        folders
            .chain(files)
            .filter_map(|path| path.get(depth).map(String::as_str))
            .collect()
    }
}

impl SourceTree for FileTree {
    fn stat(&self, path: &TreePath) -> Result<Entry, TreeError> {
        self.entry(path.clone())
    }

    fn read_dir(&self, dir: &TreePath) -> Result<Vec<Entry>, TreeError> {
        if self.entry(dir.clone())?.kind == EntryKind::File {
            return Err(TreeError::NotADirectory(dir.clone()));
        }
        self.names(&parts(dir))
            .into_iter()
            .map(|name| {
                let path = dir.join(name).map_err(|error| TreeError::Store {
                    path: dir.clone(),
                    source: Box::new(error),
                })?;
                self.entry(path)
            })
            .collect()
    }

    fn read(&self, path: &TreePath) -> Result<Vec<u8>, TreeError> {
        match self.files.get(&parts(path)) {
            Some(file) => Ok(file.content.clone()),
            None if self.is_folder(&parts(path)) => Err(TreeError::NotAFile(path.clone())),
            None => Err(TreeError::NotFound(path.clone())),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may")]

    use flate2::Compression;
    use flate2::write::GzEncoder;

    use super::*;

    fn header(kind: EntryType, size: usize, mode: u32) -> tar::Header {
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(kind);
        header.set_size(size as u64);
        header.set_mode(mode);
        header.set_mtime(1_700_000_000);
        header
    }

    fn packed(files: &[(&str, &str)]) -> Vec<u8> {
        let mut builder = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::fast()));
        for (name, content) in files {
            let mode = if name.ends_with(".sh") { 0o755 } else { 0o644 };
            let mut header = header(EntryType::Regular, content.len(), mode);
            // The name is set by hand: the builder refuses those that lead elsewhere.
            let field = &mut header.as_old_mut().name;
            field[..name.len()].copy_from_slice(name.as_bytes());
            header.set_cksum();
            builder.append(&header, content.as_bytes()).unwrap();
        }
        let mut link = header(EntryType::Symlink, 0, 0o777);
        builder.append_link(&mut link, "link", "a.yaml").unwrap();
        builder.into_inner().unwrap().finish().unwrap()
    }

    fn unpack(files: &[(&str, &str)]) -> Result<FileTree, LayerError> {
        FileTree::unpack(packed(files).as_slice(), &Limits::default())
    }

    fn names(archive: &[u8]) -> Vec<String> {
        let mut archive = tar::Archive::new(MultiGzDecoder::new(archive));
        let entries = archive.entries().unwrap();
        entries
            .map(|entry| {
                let entry = entry.unwrap();
                let name = entry.path().unwrap().display().to_string();
                format!("{name} {:o}", entry.header().mode().unwrap())
            })
            .collect()
    }

    #[test]
    fn a_layer_becomes_the_archive_of_the_contract() {
        let tree = unpack(&[
            ("b/x.yaml", "1"),
            ("a-b/run.sh", "2"),
            ("./a/picture.png", "3"),
            ("a/z.yaml", "4"),
        ]);
        let tree = tree.unwrap().without_ignored(None);
        let mut archive = Vec::new();
        let written = tree.write_archive(&mut archive).unwrap();
        assert_eq!(written.digest, Digest::of(&archive));
        assert_eq!(
            names(&archive),
            [
                ". 750",
                "a 750",
                "a/z.yaml 600",
                "a-b 750",
                "a-b/run.sh 700",
                "b 750",
                "b/x.yaml 600"
            ]
        );
        let again = FileTree::unpack(archive.as_slice(), &Limits::default()).unwrap();
        assert_eq!(again, tree, "our own archive reads back");
    }

    #[test]
    fn rules_of_the_layer_and_of_the_object_count() {
        let files = [
            (".sourceignore", "*.md"),
            ("a/.sourceignore", "b.yaml"),
            ("a/b.yaml", "1"),
            ("a/c.yaml", "2"),
            ("b.yaml", "3"),
            ("README.md", "4"),
        ];
        let of = |ignore| {
            let tree = unpack(&files).unwrap().without_ignored(ignore);
            let paths = tree.files.keys().map(|path| path.join("/"));
            paths.collect::<Vec<_>>()
        };
        let kept = [".sourceignore", "a/.sourceignore", "a/c.yaml", "b.yaml"];
        assert_eq!(of(None), kept);
        assert!(of(Some("!README.md")).contains(&"README.md".to_owned()));
    }

    #[test]
    fn a_tree_answers_as_every_source_does() {
        let tree = unpack(&[("a/b/c.yaml", "1"), ("a/d.yaml", "22"), ("e.yaml", "")]).unwrap();
        let path = |text: &str| TreePath::parse(text).unwrap();
        let listed = |folder: &str| {
            let entries = tree.read_dir(&path(folder)).unwrap().into_iter();
            entries
                .map(|entry| format!("{} {:?} {}", entry.path, entry.kind, entry.size_bytes))
                .collect::<Vec<_>>()
        };
        assert_eq!(listed(""), ["a Directory 0", "e.yaml File 0"]);
        assert_eq!(listed("a"), ["a/b Directory 0", "a/d.yaml File 2"]);
        assert_eq!(tree.read(&path("a/d.yaml")).unwrap(), b"22");
        assert!(matches!(tree.read(&path("a")), Err(TreeError::NotAFile(_))));
        assert!(matches!(tree.stat(&path("b")), Err(TreeError::NotFound(_))));
        assert!(matches!(
            tree.read_dir(&path("e.yaml")),
            Err(TreeError::NotADirectory(_))
        ));
        let content = |tree: &FileTree| tree.stat(&path("a")).unwrap().content;
        let other = unpack(&[("a/b/c.yaml", "2"), ("a/d.yaml", "22")]).unwrap();
        let same = unpack(&[("a/d.yaml", "22"), ("a/b/c.yaml", "1")]).unwrap();
        assert_ne!(content(&tree), content(&other));
        assert_eq!(content(&tree), content(&same));
    }

    #[test]
    fn what_leads_elsewhere_is_refused() {
        for name in ["../a", "a/../../b", "/etc/passwd", "a/../b", "a\\b"] {
            assert!(
                matches!(unpack(&[(name, "x")]), Err(LayerError::Name(_))),
                "{name}"
            );
        }
        let plain = FileTree::unpack(b"not gzip".as_slice(), &Limits::default());
        assert!(matches!(plain, Err(LayerError::Format(_))));
        let cut = packed(&[("a", "1")]);
        let cut = FileTree::unpack(&cut[..cut.len() / 2], &Limits::default());
        assert!(matches!(cut, Err(LayerError::Format(_))));
    }

    #[test]
    fn limits_hold_at_the_limit_and_one_past() {
        let archive = packed(&[("a/b/c", "123"), ("d", "4567")]);
        let refused = |set: fn(&mut Limits, u64), at: u64| {
            let mut limits = Limits::default();
            set(&mut limits, at);
            FileTree::unpack(archive.as_slice(), &limits).is_err()
        };
        type Set = fn(&mut Limits, u64);
        let sets: [(Set, u64); 5] = [
            (|limits, at| limits.files = at as usize, 2),
            (|limits, at| limits.entries = at as usize, 3),
            (|limits, at| limits.depth = at as usize, 3),
            (|limits, at| limits.file_bytes = at, 4),
            (|limits, at| limits.tree_bytes = at, 7),
        ];
        for (number, (set, at)) in sets.into_iter().enumerate() {
            assert!(!refused(set, at), "{number} at the limit");
            assert!(refused(set, at - 1), "{number} past the limit");
        }
    }
}
