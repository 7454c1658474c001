//! The content of a file in a transcript: as text, as base64, or left out.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bulkhead_api::Digest;
use serde::{Deserialize, Serialize};

/// Bytes that a plugin was given.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Content {
    /// UTF-8.
    Text(String),
    /// Anything else.
    Base64(String),
    /// Secret, or too much: the digest of the bytes.
    LeftOut(Digest),
}

impl Content {
    /// Writes down `bytes` as they are.
    pub(super) fn of(bytes: &[u8]) -> Self {
        match std::str::from_utf8(bytes) {
            Ok(text) => Self::Text(text.to_owned()),
            Err(_) => Self::Base64(STANDARD.encode(bytes)),
        }
    }

    /// Writes down their digest alone.
    pub(super) fn left_out(bytes: &[u8]) -> Self {
        Self::LeftOut(Digest::of(bytes))
    }

    pub(super) fn is_left_out(&self) -> bool {
        matches!(self, Self::LeftOut(_))
    }

    /// Returns the bytes; `None` when they were left out, or are no base64.
    pub fn bytes(&self) -> Option<Vec<u8>> {
        match self {
            Self::Text(text) => Some(text.clone().into_bytes()),
            Self::Base64(text) => STANDARD.decode(text).ok(),
            Self::LeftOut(_) => None,
        }
    }
}
