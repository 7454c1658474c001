//! The file system of this machine, as the renderer reads files.

use std::path::{Path, PathBuf};

use bulkhead_kustomize::{FileError, FileKind, Files};

/// The file system from its root.
pub(crate) struct Disk;

impl Disk {
    fn path(path: &str) -> PathBuf {
        Path::new("/").join(path)
    }
}

impl Files for Disk {
    fn read(&self, path: &str) -> Result<Vec<u8>, FileError> {
        std::fs::read(Self::path(path)).map_err(|error| match error.kind() {
            std::io::ErrorKind::NotFound | std::io::ErrorKind::NotADirectory => FileError::NotFound,
            std::io::ErrorKind::IsADirectory => FileError::IsDirectory,
            _ => FileError::Other(error.to_string()),
        })
    }

    fn kind(&self, path: &str) -> Option<FileKind> {
        let found = std::fs::metadata(Self::path(path)).ok()?;
        Some(if found.is_dir() {
            FileKind::Directory
        } else {
            FileKind::File
        })
    }

    fn read_dir(&self, path: &str) -> Result<Vec<(String, FileKind)>, FileError> {
        let entries = std::fs::read_dir(Self::path(path)).map_err(|_| FileError::NotFound)?;
        let mut all: Vec<(String, FileKind)> = entries
            .flatten()
            .map(|entry| {
                let kind = if entry.path().is_dir() {
                    FileKind::Directory
                } else {
                    FileKind::File
                };
                (entry.file_name().to_string_lossy().into_owned(), kind)
            })
            .collect();
        all.sort();
        Ok(all)
    }
}
