//! A release as the text that a Secret holds: JSON, packed by gzip, in base64.
//!
//! Guarantees: what is read takes at most [`MAX_RELEASE_BYTES`] of memory for its JSON; what would not
//! fit into a Secret is refused by [`encode`], before anything is touched.

use std::io::{Read as _, Write as _};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;

use super::json;
use super::model::Release;

/// The most bytes that a Secret's data may have, and so the encoded release.
pub const MAX_SECRET_BYTES: usize = 1024 * 1024;
/// The most bytes of JSON that a packed release may unpack to.
pub const MAX_RELEASE_BYTES: usize = 64 * 1024 * 1024;

const MAGIC: [u8; 3] = [0x1f, 0x8b, 0x08];

/// Why a release could not be packed or unpacked.
#[derive(Debug, thiserror::Error)]
pub enum EncodeError {
    /// It does not fit into a Secret.
    #[error(
        "the release takes {bytes} bytes in its Secret, which may have {MAX_SECRET_BYTES}: the chart \
         with its files, the values and the rendered objects are all in it"
    )]
    TooLarge {
        /// Its size.
        bytes: usize,
    },
    /// The text is no base64, or what it packs cannot be unpacked.
    #[error("the release cannot be unpacked: {0}")]
    Packed(String),
    /// What was unpacked is no release.
    #[error("the release is no JSON that Helm would write")]
    Json(#[source] serde_json::Error),
}

/// Packs a release.
///
/// # Errors
/// [`EncodeError::TooLarge`] when it would not fit into a Secret.
pub fn encode(release: &Release) -> Result<String, EncodeError> {
    let json = json::write(release).map_err(EncodeError::Json)?;
    let failed = |error: std::io::Error| EncodeError::Packed(error.to_string());
    let mut packer = GzEncoder::new(Vec::new(), Compression::best());
    packer.write_all(&json).map_err(failed)?;
    let text = STANDARD.encode(packer.finish().map_err(failed)?);
    if text.len() > MAX_SECRET_BYTES {
        return Err(EncodeError::TooLarge { bytes: text.len() });
    }
    Ok(text)
}

/// Unpacks a release; one that was stored unpacked is read too, as Helm does.
///
/// # Errors
/// What is wrong with the text.
pub fn decode(text: &[u8]) -> Result<Release, EncodeError> {
    let packed = STANDARD
        .decode(text)
        .map_err(|error| EncodeError::Packed(error.to_string()))?;
    let json = if packed.starts_with(&MAGIC) {
        let mut json = Vec::new();
        let limit = MAX_RELEASE_BYTES as u64 + 1;
        let unpacked = GzDecoder::new(packed.as_slice()).take(limit);
        let mut unpacked = unpacked;
        unpacked
            .read_to_end(&mut json)
            .map_err(|error| EncodeError::Packed(error.to_string()))?;
        if json.len() > MAX_RELEASE_BYTES {
            let told = format!("it has more than {MAX_RELEASE_BYTES} bytes");
            return Err(EncodeError::Packed(told));
        }
        json
    } else {
        packed
    };
    serde_json::from_slice(&json).map_err(EncodeError::Json)
}
