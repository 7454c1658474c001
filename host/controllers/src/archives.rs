//! The archives of sources on disk: `<kind>/<namespace>/<name>/<file>`, as `status.artifact.path`
//! names them.
//!
//! A file is complete or not there: it is written beside its place and renamed. What serves them is
//! `server::artifacts`. All of it blocks.

use std::io::{self, Read, Seek, SeekFrom, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bulkhead_api::Digest;
use bulkhead_api::meta::Artifact;
use cap_std::fs::Dir;
use cap_std::time::SystemTime;
use sha2::{Digest as _, Sha256};

use crate::queue::Key;

/// Archives that are kept of one object, the current one included.
const KEPT: usize = 2;
/// An archive younger than this is kept, so that who was just told of it can load it.
const KEPT_FOR: Duration = Duration::from_secs(60);

/// Folder of what is being written; nothing in it is served.
const SCRATCH: &str = ".scratch";

/// What is known of a file that a status names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Held {
    /// It is there, with the digest of the status.
    Yes,
    /// It is not there.
    Missing,
    /// It is there, with another digest.
    Altered,
}

/// The folder with all archives, and the address under which it is served.
#[derive(Clone)]
pub struct Archives {
    directory: Arc<Dir>,
    advertised: String,
}

impl Archives {
    /// Takes the folder, and the host and port that are put into `status.artifact.url`.
    pub fn new(directory: Arc<Dir>, advertised: &str) -> Self {
        Self {
            directory,
            advertised: advertised.to_owned(),
        }
    }

    /// Returns the folder.
    pub fn directory(&self) -> &Arc<Dir> {
        &self.directory
    }

    /// Returns the path of a file of the object `key`: `gitrepository/apps/web/1f0c.tar.gz`.
    pub fn path(kind: &str, key: &Key, file: &str) -> String {
        format!(
            "{}/{}/{}/{file}",
            kind.to_lowercase(),
            key.namespace,
            key.name
        )
    }

    /// Returns the URL of a path.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}/{path}", self.advertised)
    }

    /// Tells whether the file of `artifact`, of the object `key`, is there and has the digest that its
    /// status tells.
    pub fn holds(&self, kind: &str, key: &Key, artifact: &Artifact) -> bool {
        self.check(kind, key, artifact) == Held::Yes
    }

    /// Tells what is known of the file of `artifact`. A file of another object is missing.
    pub fn check(&self, kind: &str, key: &Key, artifact: &Artifact) -> Held {
        let Ok(digest) = artifact.digest.parse::<Digest>() else {
            return Held::Missing;
        };
        if !is_own(kind, key, &artifact.path) {
            return Held::Missing;
        }
        match self.digest(&artifact.path) {
            Ok(found) if found == digest => Held::Yes,
            Ok(_) => Held::Altered,
            Err(_) => Held::Missing,
        }
    }

    /// Reads the file of `artifact`, which may have `allowed` bytes; its digest is not checked.
    ///
    /// # Errors
    /// What the disk says; [`io::ErrorKind::FileTooLarge`].
    pub fn read(&self, artifact: &Artifact, allowed: u64) -> io::Result<Vec<u8>> {
        let file = self.open(artifact)?;
        if file.metadata()?.len() > allowed {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        let mut bytes = Vec::new();
        file.take(allowed).read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    /// Opens the file of `artifact`.
    ///
    /// # Errors
    /// What the disk says; [`io::ErrorKind::NotFound`] also for a path that leads elsewhere.
    pub fn open(&self, artifact: &Artifact) -> io::Result<cap_std::fs::File> {
        match is_inside(&artifact.path) {
            true => self.directory.open(&artifact.path),
            false => Err(io::ErrorKind::NotFound.into()),
        }
    }

    /// Opens the file of `artifact`, of the object `key`.
    ///
    /// # Errors
    /// What the disk says; [`io::ErrorKind::NotFound`] also for a file of another object.
    pub fn open_own(
        &self,
        kind: &str,
        key: &Key,
        artifact: &Artifact,
    ) -> io::Result<cap_std::fs::File> {
        match is_own(kind, key, &artifact.path) {
            true => self.directory.open(&artifact.path),
            false => Err(io::ErrorKind::NotFound.into()),
        }
    }

    /// Removes the file of `artifact`, if it is there and of the object `key`.
    pub fn discard(&self, kind: &str, key: &Key, artifact: &Artifact) {
        if is_own(kind, key, &artifact.path) {
            // What cannot be removed is overwritten.
            let _ = self.directory.remove_file(&artifact.path);
        }
    }

    /// Removes what a process before left half written in `directory`.
    pub fn clear_scratch(directory: &Dir) {
        // Nothing may be there; what cannot be removed is overwritten.
        let _ = directory.remove_dir_all(SCRATCH);
    }

    /// Starts a file that nobody sees until it is [adopted](Self::adopt).
    ///
    /// # Errors
    /// What the disk says.
    pub fn scratch(&self) -> io::Result<Scratch> {
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        self.directory.create_dir_all(SCRATCH)?;
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let path = format!("{SCRATCH}/{}-{number}", std::process::id());
        let mut options = cap_std::fs::OpenOptions::new();
        options.read(true).write(true).create(true).truncate(true);
        Ok(Scratch {
            file: self.directory.open_with(&path, &options)?.into_std(),
            directory: self.directory.clone(),
            path,
            hasher: Sha256::new(),
            size_bytes: 0,
        })
    }

    /// Puts a complete file in its place.
    ///
    /// # Errors
    /// What the disk says; what was at `path` before is still there then.
    pub fn adopt(&self, scratch: Scratch, path: &str) -> io::Result<Stored> {
        let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
        self.directory.create_dir_all(folder)?;
        scratch.file.sync_all()?;
        self.directory
            .rename(&scratch.path, &self.directory, path)?;
        Ok(Stored {
            digest: scratch.digest(),
            size_bytes: scratch.size_bytes,
        })
    }

    /// Lets the name `name` beside the file at `path` lead to it.
    ///
    /// # Errors
    /// What the disk says.
    pub fn link(&self, path: &str, name: &str) -> io::Result<()> {
        let (folder, file) = path.rsplit_once('/').unwrap_or(("", path));
        let (beside, link) = (format!("{folder}/{name}.part"), format!("{folder}/{name}"));
        let _ = self.directory.remove_file(&beside);
        self.directory.symlink(file, &beside)?;
        self.directory.rename(&beside, &self.directory, &link)
    }

    fn digest(&self, path: &str) -> io::Result<Digest> {
        let mut file = self.directory.open(path)?;
        let mut hasher = Sha256::new();
        let mut chunk = vec![0; 64 << 10];
        loop {
            match file.read(&mut chunk)? {
                0 => return Ok(Digest::from_bytes(hasher.finalize().into())),
                read => hasher.update(&chunk[..read]),
            }
        }
    }

    /// Writes the file at `path`; `write` gets it to write to. Nothing is there if that fails.
    ///
    /// # Errors
    /// What the disk, or `write`, says.
    pub fn store<T>(
        &self,
        path: &str,
        write: impl FnOnce(&mut dyn Write) -> io::Result<T>,
    ) -> io::Result<T> {
        let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
        self.directory.create_dir_all(folder)?;
        let beside = format!("{path}.part");
        let written = self.directory.create(&beside).and_then(|file| {
            let mut file = io::BufWriter::new(file);
            let written = write(&mut file)?;
            file.into_inner()
                .map_err(io::IntoInnerError::into_error)?
                .sync_all()?;
            self.directory.rename(&beside, &self.directory, path)?;
            Ok(written)
        });
        if written.is_err() {
            // What is left over is overwritten the next time.
            let _ = self.directory.remove_file(&beside);
        }
        written
    }

    /// Removes old files of an object: all but `current`, the youngest, and those of a minute ago.
    ///
    /// # Errors
    /// What the disk says.
    pub fn collect(
        &self,
        kind: &str,
        key: &Key,
        current: &str,
        now: SystemTime,
    ) -> io::Result<usize> {
        let folder = Self::path(kind, key, "");
        let mut files = Vec::new();
        for entry in self.directory.read_dir(folder.trim_end_matches('/'))? {
            let entry = entry?;
            let name = entry.file_name().to_string_lossy().into_owned();
            let path = format!("{folder}{name}");
            let metadata = entry.metadata()?;
            if path != current && !metadata.is_symlink() {
                files.push((metadata.modified()?, path));
            }
        }
        files.sort_by(|(one, _), (other, _)| other.cmp(one));
        let mut removed = 0;
        for (modified, path) in files.into_iter().skip(KEPT - 1) {
            if now.duration_since(modified).is_ok_and(|age| age > KEPT_FOR) {
                self.directory.remove_file(&path)?;
                removed += 1;
            }
        }
        Ok(removed)
    }

    /// Removes all files of an object that is gone.
    ///
    /// # Errors
    /// What the disk says; that nothing is there is no error.
    pub fn remove(&self, kind: &str, key: &Key) -> io::Result<()> {
        let folder = Self::path(kind, key, "");
        match self.directory.remove_dir_all(folder.trim_end_matches('/')) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            other => other,
        }
    }
}

/// A file that is being written: it is gone when dropped, unless it was adopted.
pub struct Scratch {
    directory: Arc<Dir>,
    path: String,
    file: std::fs::File,
    hasher: Sha256,
    size_bytes: u64,
}

/// What an adopted file has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stored {
    /// Digest of its bytes.
    pub digest: Digest,
    /// Their number.
    pub size_bytes: u64,
}

impl Scratch {
    /// Returns the digest of what was written.
    pub fn digest(&self) -> Digest {
        Digest::from_bytes(self.hasher.clone().finalize().into())
    }

    /// Returns the file itself; what is written to it so is not digested.
    pub fn file_mut(&mut self) -> &mut std::fs::File {
        &mut self.file
    }

    /// Returns the file, to be read from its start.
    ///
    /// # Errors
    /// What the disk says.
    pub fn reader(&mut self) -> io::Result<&mut (impl Read + Seek + use<>)> {
        self.file.seek(SeekFrom::Start(0))?;
        Ok(&mut self.file)
    }
}

impl Write for Scratch {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.file.write(bytes)?;
        self.hasher.update(&bytes[..written]);
        self.size_bytes += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // An adopted file is no longer there under this name.
        let _ = self.directory.remove_file(&self.path);
    }
}

/// Tells whether `path` is one that [`Archives::path`] gives for the object: whoever may write the
/// status of one object must not reach the files of another.
fn is_own(kind: &str, key: &Key, path: &str) -> bool {
    let file = path.strip_prefix(&Archives::path(kind, key, ""));
    file.is_some_and(|file| is_inside(file) && !file.contains('/'))
}

/// A status may have been written by others: its path is looked up only if it leads nowhere else.
fn is_inside(path: &str) -> bool {
    path.split('/')
        .all(|part| !part.is_empty() && part != "." && part != "..")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may")]

    use super::*;

    fn archives() -> (tempfile::TempDir, Archives) {
        let temporary = tempfile::tempdir().unwrap();
        let directory =
            Dir::open_ambient_dir(temporary.path(), cap_std::ambient_authority()).unwrap();
        (
            temporary,
            Archives::new(Arc::new(directory), "source.example:80"),
        )
    }

    fn artifact(path: &str, content: &[u8]) -> Artifact {
        Artifact {
            digest: Digest::of(content).to_string(),
            path: path.into(),
            url: String::new(),
            revision: "main@sha1:1".into(),
            last_update_time: bulkhead_api::meta::time(jiff::Timestamp::UNIX_EPOCH),
            size: None,
            metadata: Default::default(),
        }
    }

    #[test]
    fn a_file_is_held_only_with_its_digest() {
        let (_temporary, archives) = archives();
        let key = Key::new("apps", "web");
        let path = Archives::path("GitRepository", &key, "1.tar.gz");
        assert_eq!(path, "gitrepository/apps/web/1.tar.gz");
        archives
            .store(&path, |out| out.write_all(b"content"))
            .unwrap();
        let holds = |kind: &str, key: &Key, path: &str, content: &[u8]| {
            archives.holds(kind, key, &artifact(path, content))
        };
        let (kind, content) = ("GitRepository", b"content");
        assert!(holds(kind, &key, &path, content));
        assert!(!holds(kind, &key, &path, b"altered"));
        assert!(!holds(kind, &key, "gitrepository/../../etc/passwd", b""));
        // It is another's.
        let other = Key::new("apps", "other");
        assert!(!holds(kind, &other, &path, content));
        assert!(!holds("HelmChart", &key, &path, content));
        let beside = format!("gitrepository/apps/other/../web/{}", &path[23..]);
        assert!(!holds(kind, &other, &beside, content));
        archives.discard(kind, &other, &artifact(&path, content));
        let opened = archives.open_own(kind, &other, &artifact(&path, content));
        assert!(opened.is_err());
        assert!(holds(kind, &key, &path, content));
        assert_eq!(
            archives.url(&path),
            "http://source.example:80/gitrepository/apps/web/1.tar.gz"
        );
        archives.remove("GitRepository", &key).unwrap();
        archives.remove("GitRepository", &key).unwrap();
        assert!(!archives.holds("GitRepository", &key, &artifact(&path, b"content")));
    }

    #[test]
    fn a_write_that_fails_leaves_nothing() {
        let (_temporary, archives) = archives();
        let path = "gitrepository/apps/web/1.tar.gz";
        let failed: io::Result<()> = archives.store(path, |out| {
            out.write_all(b"half")?;
            Err(io::Error::other("no"))
        });
        assert!(failed.is_err());
        assert_eq!(
            archives
                .directory()
                .read_dir("gitrepository/apps/web")
                .unwrap()
                .count(),
            0
        );
    }

    #[test]
    fn a_scratch_is_adopted_whole_or_gone() {
        let (_temporary, archives) = archives();
        let path = "helmchart/apps/web/web-1.0.0.tgz";
        let mut scratch = archives.scratch().unwrap();
        scratch.write_all(b"content").unwrap();
        let mut read = String::new();
        scratch.reader().unwrap().read_to_string(&mut read).unwrap();
        assert_eq!(read, "content");
        let stored = archives.adopt(scratch, path).unwrap();
        assert_eq!(stored.size_bytes, 7);
        archives.link(path, "latest.tar.gz").unwrap();
        archives.link(path, "latest.tar.gz").unwrap();
        let held = artifact(path, b"content");
        assert_eq!(stored.digest.to_string(), held.digest);
        let (kind, key) = ("HelmChart", Key::new("apps", "web"));
        assert_eq!(archives.check(kind, &key, &held), Held::Yes);
        assert_eq!(archives.read(&held, 7).unwrap(), b"content");
        assert!(archives.read(&held, 6).is_err());
        let latest = archives
            .directory()
            .read("helmchart/apps/web/latest.tar.gz");
        assert_eq!(latest.unwrap(), b"content");
        let other = artifact(path, b"other");
        assert_eq!(archives.check(kind, &key, &other), Held::Altered);
        archives.discard(kind, &key, &held);
        assert_eq!(archives.check(kind, &key, &held), Held::Missing);
        drop(archives.scratch().unwrap());
        let left = archives.directory().read_dir(SCRATCH).unwrap().count();
        assert_eq!(left, 0);
    }

    #[test]
    fn old_files_go_and_the_last_two_stay() {
        let (_temporary, archives) = archives();
        let key = Key::new("apps", "web");
        for number in 1..=4 {
            let path = Archives::path("GitRepository", &key, &format!("{number}.tar.gz"));
            archives.store(&path, |out| out.write_all(b"x")).unwrap();
        }
        let current = Archives::path("GitRepository", &key, "4.tar.gz");
        let now = archives
            .directory()
            .metadata(&current)
            .unwrap()
            .modified()
            .unwrap();
        let collect = |now| {
            archives
                .collect("GitRepository", &key, &current, now)
                .unwrap()
        };
        assert_eq!(collect(now), 0);
        assert_eq!(collect(now + KEPT_FOR + Duration::from_secs(1)), 2);
        assert!(archives.holds("GitRepository", &key, &artifact(&current, b"x")));
    }
}
