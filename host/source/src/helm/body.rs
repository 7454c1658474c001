//! A body that is decompressed, counted and digested on its way into a file or memory.

use std::io::Write;

use bulkhead_api::Digest;
use flate2::write::MultiGzDecoder;
use sha2::{Digest as _, Sha256};

/// What came.
pub(super) struct Received {
    /// Digest of the bytes, decompressed.
    pub(super) digest: Digest,
    /// Their number.
    pub(super) size_bytes: u64,
}

/// A body on its way, perhaps compressed.
pub(super) enum Body<'a, W: Write> {
    Plain(Counted<'a, W>),
    Gzip(Box<MultiGzDecoder<Counted<'a, W>>>),
}

impl<'a, W: Write> Body<'a, W> {
    /// Takes bytes as they are, at most `allowed`.
    pub(super) fn plain(out: &'a mut W, allowed: u64) -> Self {
        Self::Plain(Counted::new(out, allowed))
    }

    /// Takes bytes that are compressed, at most `allowed` after decompression.
    pub(super) fn gzip(out: &'a mut W, allowed: u64) -> Self {
        let sink = Counted::new(out, allowed);
        Self::Gzip(Box::new(MultiGzDecoder::new(sink)))
    }

    pub(super) fn write(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        match self {
            Self::Plain(sink) => sink.write_all(bytes),
            Self::Gzip(decoder) => decoder.write_all(bytes),
        }
    }

    pub(super) fn finish(self) -> std::io::Result<Received> {
        let sink = match self {
            Self::Plain(sink) => sink,
            Self::Gzip(decoder) => decoder.finish()?,
        };
        Ok(Received {
            digest: Digest::from_bytes(sink.hasher.finalize().into()),
            size_bytes: sink.size_bytes,
        })
    }
}

pub(super) struct Counted<'a, W> {
    out: &'a mut W,
    hasher: Sha256,
    size_bytes: u64,
    allowed: u64,
}

impl<'a, W> Counted<'a, W> {
    fn new(out: &'a mut W, allowed: u64) -> Self {
        Self {
            out,
            hasher: Sha256::new(),
            size_bytes: 0,
            allowed,
        }
    }
}

/// The body is larger than allowed.
#[derive(Debug, thiserror::Error)]
#[error("too large")]
pub(super) struct TooLarge;

/// The body is a page for people.
#[derive(Debug, thiserror::Error)]
#[error("a web page")]
pub(super) struct Page;

impl<W: Write> Write for Counted<'_, W> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        if self.size_bytes == 0 && bytes.trim_ascii_start().starts_with(b"<") {
            return Err(std::io::Error::other(Page));
        }
        if self.size_bytes + bytes.len() as u64 > self.allowed {
            return Err(std::io::Error::other(TooLarge));
        }
        self.out.write_all(bytes)?;
        self.hasher.update(bytes);
        self.size_bytes += bytes.len() as u64;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.out.flush()
    }
}
