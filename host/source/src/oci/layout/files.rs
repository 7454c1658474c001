//! A layout as a folder or a tar.
//!
//! # Source
//! OCI image specification, "Image Layout Specification" 1.0.0.

use std::io::{Read, Write};
use std::path::Path;

use bulkhead_api::Digest;
use bytes::Bytes;
use cap_std::fs::Dir;

use super::Layout;
use crate::oci::manifest::{Document, parse};
use crate::oci::{Limits, OciError, media};

const MARKER: &str = "oci-layout";
const MARKER_TEXT: &[u8] = br#"{"imageLayoutVersion":"1.0.0"}"#;
const INDEX: &str = "index.json";
const BLOBS: &str = "blobs/sha256";
/// Files of a layout that are read.
const FILES: usize = 10_000;
/// Bytes of all files of a layout that are read: 1 GiB.
const TOTAL_BYTES: u64 = 1024 * 1024 * 1024;

impl Layout {
    /// Writes the files into an empty folder.
    ///
    /// # Errors
    /// [`OciError::Layout`] names the file.
    pub fn write(&self, folder: &Dir) -> Result<(), OciError> {
        let failed = |path: &str| {
            let path = path.to_owned();
            move |error: std::io::Error| problem("write", format!("`{path}`: {error}"))
        };
        folder.create_dir_all(BLOBS).map_err(failed(BLOBS))?;
        for (path, content) in self.files() {
            folder.write(&path, &content).map_err(failed(&path))?;
        }
        Ok(())
    }

    /// Writes the files as a tar, the same bytes for the same layout.
    ///
    /// # Errors
    /// [`OciError::Layout`].
    pub fn write_tar(&self, out: impl Write) -> Result<(), OciError> {
        let failed = |error: std::io::Error| problem("write", error.to_string());
        let mut archive = tar::Builder::new(out);
        archive.mode(tar::HeaderMode::Deterministic);
        for (path, content) in self.files() {
            let mut header = tar::Header::new_ustar();
            header.set_size(content.len() as u64);
            header.set_mode(0o644);
            header.set_mtime(0);
            archive
                .append_data(&mut header, &path, content.as_ref())
                .map_err(failed)?;
        }
        archive
            .into_inner()
            .and_then(|mut out| out.flush())
            .map_err(failed)
    }

    /// Reads a folder.
    ///
    /// # Errors
    /// [`OciError::Layout`], [`OciError::DigestMismatch`], and [`OciError::Limit`].
    pub fn read(folder: &Dir, limits: &Limits) -> Result<Self, OciError> {
        let mut reading = Reading::new(limits);
        let open = |path: &str| {
            folder
                .open(path)
                .map_err(|error| problem("read", format!("`{path}`: {error}")))
        };
        reading.take(MARKER, open(MARKER)?)?;
        reading.take(INDEX, open(INDEX)?)?;
        let listed = folder
            .read_dir(BLOBS)
            .map_err(|error| problem("read", format!("`{BLOBS}`: {error}")))?;
        for entry in listed {
            let entry = entry.map_err(|error| problem("read", format!("`{BLOBS}`: {error}")))?;
            let path = format!("{BLOBS}/{}", entry.file_name().to_string_lossy());
            reading.take(&path, open(&path)?)?;
        }
        reading.finish()
    }

    /// Reads a tar, whose files may come in any order; files that are no part of a layout are left
    /// out, nothing is written.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    pub fn read_tar(input: impl Read, limits: &Limits) -> Result<Self, OciError> {
        let failed = |error: std::io::Error| problem("read", error.to_string());
        let mut reading = Reading::new(limits);
        let mut archive = tar::Archive::new(input);
        for entry in archive.entries().map_err(failed)? {
            let entry = entry.map_err(failed)?;
            if !entry.header().entry_type().is_file() {
                reading.count()?;
                continue;
            }
            let path = entry.path().map_err(failed)?.into_owned();
            let path = path.strip_prefix(".").unwrap_or(&path);
            let path = Path::new(path).to_string_lossy().into_owned();
            reading.take(&path, entry)?;
        }
        reading.finish()
    }

    /// Lists all files in order, the index last.
    fn files(&self) -> Vec<(String, Bytes)> {
        let mut files = vec![(MARKER.to_owned(), Bytes::from_static(MARKER_TEXT))];
        for (digest, blob) in &self.blobs {
            files.push((format!("{BLOBS}/{}", digest.to_hex()), blob.clone()));
        }
        files.push((INDEX.to_owned(), self.index().to_bytes().into()));
        files
    }
}

fn problem(action: &'static str, problem: impl AsRef<str>) -> OciError {
    OciError::Layout {
        action,
        problem: crate::error::clean(problem.as_ref()),
    }
}

/// A layout that is being read.
struct Reading<'a> {
    limits: &'a Limits,
    layout: Layout,
    files: usize,
    bytes: u64,
    has_marker: bool,
    index: Option<Bytes>,
}

impl<'a> Reading<'a> {
    fn new(limits: &'a Limits) -> Self {
        Self {
            limits,
            layout: Layout::default(),
            files: 0,
            bytes: 0,
            has_marker: false,
            index: None,
        }
    }

    fn count(&mut self) -> Result<(), OciError> {
        self.files += 1;
        if self.files > FILES {
            return Err(OciError::limit(
                "the image layout",
                "the number of files",
                "FILES",
                FILES as u64,
            ));
        }
        Ok(())
    }

    fn take(&mut self, path: &str, file: impl Read) -> Result<(), OciError> {
        self.count()?;
        let (limit, allowed) = match path {
            MARKER | INDEX => ("manifest_bytes", self.limits.manifest_bytes),
            _ if path.starts_with(BLOBS) => ("blob_bytes", self.limits.blob_bytes),
            _ => return Ok(()),
        };
        let mut content = Vec::new();
        file.take(allowed + 1)
            .read_to_end(&mut content)
            .map_err(|error| problem("read", format!("`{path}`: {error}")))?;
        if content.len() as u64 > allowed {
            return Err(OciError::limit("the image layout", path, limit, allowed));
        }
        self.bytes += content.len() as u64;
        if self.bytes > TOTAL_BYTES {
            return Err(OciError::limit(
                "the image layout",
                "the sum of all files",
                "TOTAL_BYTES",
                TOTAL_BYTES,
            ));
        }
        match path {
            MARKER => {
                let version: serde_json::Value =
                    serde_json::from_slice(&content).unwrap_or_default();
                self.has_marker = version["imageLayoutVersion"] == "1.0.0";
            }
            INDEX => self.index = Some(content.into()),
            _ => self.keep(path, content.into())?,
        }
        Ok(())
    }

    fn keep(&mut self, path: &str, content: Bytes) -> Result<(), OciError> {
        let hex = path.trim_start_matches(BLOBS).trim_start_matches('/');
        let expected: Digest = format!("sha256:{hex}")
            .parse()
            .map_err(|_| problem("read", format!("`{path}` is not named by a digest")))?;
        let found = Digest::of(&content);
        if found != expected {
            return Err(OciError::DigestMismatch {
                place: "the image layout".to_owned(),
                what: format!("`{path}`"),
                found,
                expected,
            });
        }
        self.layout.blobs.insert(found, content);
        Ok(())
    }

    fn finish(mut self) -> Result<Layout, OciError> {
        if !self.has_marker {
            return Err(problem(
                "read",
                format!("`{MARKER}` is missing, or of another version than 1.0.0"),
            ));
        }
        let index = self
            .index
            .take()
            .ok_or_else(|| problem("read", format!("`{INDEX}` is missing")))?;
        match parse(media::INDEX, &index) {
            Ok(Document::Index(index)) => self.layout.index = index.manifests,
            Ok(Document::Manifest(_)) => {
                return Err(problem("read", format!("`{INDEX}` is a manifest")));
            }
            Err(problem_found) => {
                return Err(problem("read", format!("`{INDEX}` {problem_found}")));
            }
        }
        Ok(self.layout)
    }
}
