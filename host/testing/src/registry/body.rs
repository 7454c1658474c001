//! Bodies that stop, break or do not end.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};

/// What comes after the bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// Nothing: the body is whole.
    Whole,
    /// Silence.
    Stall,
    /// The connection closes.
    Cut,
    /// Zeros for ever.
    Endless,
}

/// Bytes and what comes after them.
pub(crate) struct Answer {
    bytes: Bytes,
    announced: Option<u64>,
    end: End,
}

impl Answer {
    pub(crate) fn whole(bytes: impl Into<Bytes>) -> Self {
        let bytes = bytes.into();
        let announced = Some(bytes.len() as u64);
        Self {
            bytes,
            announced,
            end: End::Whole,
        }
    }

    /// Announces the length of `bytes` but sends only the first `sent`, then `end`.
    pub(crate) fn broken(bytes: Bytes, sent: usize, end: End) -> Self {
        let announced = (end != End::Endless).then_some(bytes.len() as u64);
        let bytes = bytes.slice(..sent.min(bytes.len()));
        Self {
            bytes,
            announced,
            end,
        }
    }
}

/// The reason for a closed connection.
#[derive(Debug)]
pub(crate) struct Closed;

impl std::fmt::Display for Closed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("closed on purpose")
    }
}

impl std::error::Error for Closed {}

impl Body for Answer {
    type Data = Bytes;
    type Error = Closed;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Closed>>> {
        if !self.bytes.is_empty() {
            let bytes = std::mem::take(&mut self.bytes);
            return Poll::Ready(Some(Ok(Frame::data(bytes))));
        }
        match self.end {
            End::Whole => Poll::Ready(None),
            End::Stall => Poll::Pending,
            End::Cut => Poll::Ready(Some(Err(Closed))),
            End::Endless => Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(&[0; 4096]))))),
        }
    }

    fn size_hint(&self) -> SizeHint {
        self.announced.map(SizeHint::with_exact).unwrap_or_default()
    }

    fn is_end_stream(&self) -> bool {
        self.end == End::Whole && self.bytes.is_empty()
    }
}
