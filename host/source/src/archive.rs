//! The `.tar.gz` that Flux's contract demands at `status.artifact.url`.
//!
//! The same tree gives the same bytes: entries in the order of their names, owner 0, times 0,
//! folders 0750, files 0600, programs 0700, no symbolic links.

use std::io::{self, Write};

use bulkhead_api::Digest;
use flate2::Compression;
use flate2::write::GzEncoder;
use sha2::{Digest as _, Sha256};
use tar::{EntryType, Header};

use crate::GitTree;
use crate::tree::{Directory, NodeKind};

/// What was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Archive {
    /// Digest of the compressed bytes: `status.artifact.digest`.
    pub digest: Digest,
    /// Their number: `status.artifact.size`.
    pub size_bytes: u64,
}

/// Writes the files of `tree`; blocks while it reads and compresses.
///
/// # Errors
/// `out` failed, or an object in the store is damaged.
pub fn write_archive(tree: &GitTree, out: impl Write) -> io::Result<Archive> {
    let mut writer = Writer::new(out);
    append(&mut writer, tree, tree.root(), ".")?;
    writer.finish()
}

/// Writes entries in the order in which they are given.
pub(crate) struct Writer<W: Write>(tar::Builder<GzEncoder<Counted<W>>>);

impl<W: Write> Writer<W> {
    pub(crate) fn new(out: W) -> Self {
        let counted = Counted {
            out,
            hasher: Sha256::new(),
            size_bytes: 0,
        };
        let compressed = GzEncoder::new(counted, Compression::default());
        Self(tar::Builder::new(compressed))
    }

    pub(crate) fn directory(&mut self, path: &str) -> io::Result<()> {
        let mut header = header(EntryType::Directory, 0o750, 0);
        self.0.append_data(&mut header, path, io::empty())
    }

    pub(crate) fn file(
        &mut self,
        path: &str,
        content: &[u8],
        is_executable: bool,
    ) -> io::Result<()> {
        let mode = if is_executable { 0o700 } else { 0o600 };
        let mut header = header(EntryType::Regular, mode, content.len() as u64);
        self.0.append_data(&mut header, path, content)
    }

    pub(crate) fn finish(self) -> io::Result<Archive> {
        let mut counted = self.0.into_inner()?.finish()?;
        counted.out.flush()?;
        Ok(Archive {
            digest: Digest::from_bytes(counted.hasher.finalize().into()),
            size_bytes: counted.size_bytes,
        })
    }
}

fn append<W: Write>(
    writer: &mut Writer<W>,
    tree: &GitTree,
    directory: &Directory,
    path: &str,
) -> io::Result<()> {
    writer.directory(path)?;
    for child in &directory.children {
        let path = if path == "." {
            child.name.to_string()
        } else {
            format!("{path}/{}", child.name)
        };
        match &child.kind {
            NodeKind::Directory(below) => append(writer, tree, below, &path)?,
            NodeKind::File {
                id, is_executable, ..
            } => {
                let content = tree.objects().blob(*id).map_err(io::Error::other)?;
                writer.file(&path, &content, *is_executable)?;
            }
        }
    }
    Ok(())
}

fn header(kind: EntryType, mode: u32, size_bytes: u64) -> Header {
    let mut header = Header::new_gnu();
    header.set_entry_type(kind);
    header.set_mode(mode);
    header.set_size(size_bytes);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(0);
    header
}

pub(crate) struct Counted<W> {
    out: W,
    hasher: Sha256,
    size_bytes: u64,
}

impl<W: Write> Write for Counted<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.out.write(bytes)?;
        self.hasher.update(&bytes[..written]);
        self.size_bytes += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}
