//! The archives of sources on disk: `<kind>/<namespace>/<name>/<file>`, as `status.artifact.path`
//! names them.
//!
//! A file is complete or not there: it is written beside its place and renamed. What serves them is
//! `server::artifacts`. All of it blocks.

use std::io::{self, Read, Write};
use std::sync::Arc;
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

    /// Tells whether the file of `artifact` is there and has the digest that its status tells.
    pub fn holds(&self, artifact: &Artifact) -> bool {
        let Ok(digest) = artifact.digest.parse::<Digest>() else {
            return false;
        };
        is_inside(&artifact.path)
            && self
                .digest(&artifact.path)
                .is_ok_and(|found| found == digest)
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
            if path != current {
                files.push((entry.metadata()?.modified()?, path));
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
        assert!(archives.holds(&artifact(&path, b"content")));
        assert!(!archives.holds(&artifact(&path, b"altered")));
        assert!(!archives.holds(&artifact("gitrepository/../../etc/passwd", b"")));
        assert_eq!(
            archives.url(&path),
            "http://source.example:80/gitrepository/apps/web/1.tar.gz"
        );
        archives.remove("GitRepository", &key).unwrap();
        archives.remove("GitRepository", &key).unwrap();
        assert!(!archives.holds(&artifact(&path, b"content")));
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
        assert!(archives.holds(&artifact(&current, b"x")));
    }
}
