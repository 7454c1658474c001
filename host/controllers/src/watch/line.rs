//! Splits a stream into lines, none longer than a limit.

use std::io;
use std::pin::Pin;

use futures::{AsyncBufRead, AsyncBufReadExt};

/// The lines of a stream, one at a time, in one buffer.
pub(super) struct Lines<S> {
    stream: Pin<Box<S>>,
    buffer: Vec<u8>,
    limit_bytes: usize,
}

impl<S: AsyncBufRead> Lines<S> {
    pub(super) fn new(stream: S, limit_bytes: usize) -> Self {
        Self {
            stream: Box::pin(stream),
            buffer: Vec::new(),
            limit_bytes,
        }
    }

    /// Returns the next line without its end; `None` at the end of the stream. Empty lines are
    /// left out. After cancellation, what was read of a line is lost: drop the stream then.
    pub(super) async fn next(&mut self) -> io::Result<Option<&[u8]>> {
        self.buffer.clear();
        if self.buffer.capacity() > 1 << 20 {
            self.buffer.shrink_to(64 << 10);
        }
        loop {
            let available = self.stream.fill_buf().await?;
            if available.is_empty() {
                return Ok((!self.buffer.is_empty()).then_some(self.buffer.as_slice()));
            }
            let (part, used, ended) = match available.iter().position(|byte| *byte == b'\n') {
                Some(end) => (&available[..end], end + 1, true),
                None => (available, available.len(), false),
            };
            if self.buffer.len() + part.len() > self.limit_bytes {
                let text = format!("a line is longer than {} bytes", self.limit_bytes);
                return Err(io::Error::new(io::ErrorKind::InvalidData, text));
            }
            self.buffer.extend_from_slice(part);
            self.stream.as_mut().consume_unpin(used);
            if ended && !self.buffer.is_empty() {
                return Ok(Some(&self.buffer));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may")]

    use super::*;

    #[tokio::test]
    async fn lines_up_to_the_limit_pass() {
        let mut lines = Lines::new(b"abc\n\ndef".as_slice(), 3);
        assert_eq!(lines.next().await.unwrap(), Some(b"abc".as_slice()));
        assert_eq!(lines.next().await.unwrap(), Some(b"def".as_slice()));
        assert_eq!(lines.next().await.unwrap(), None);
    }

    #[tokio::test]
    async fn one_byte_more_is_an_error() {
        let mut lines = Lines::new(b"abcd\n".as_slice(), 3);
        assert!(lines.next().await.is_err());
    }
}
