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
/// The bytes that a new release leaves free: for what hooks and a failure add to its record.
pub(super) const ROOM_BYTES: usize = 8 * 1024;
/// The most bytes of JSON that a packed release may unpack to.
pub const MAX_RELEASE_BYTES: usize = 64 * 1024 * 1024;

const MAGIC: [u8; 3] = [0x1f, 0x8b, 0x08];

/// Why a release could not be packed or unpacked.
#[derive(Debug, thiserror::Error)]
pub enum EncodeError {
    /// It does not fit into a Secret.
    #[error(
        "the release takes {bytes} bytes in its Secret, of {limit}: the chart with its files, the values \
         and the rendered objects are all in it"
    )]
    TooLarge {
        /// Its size.
        bytes: usize,
        /// What it may have.
        limit: usize,
    },
    /// It is another release, or another version, than its name says.
    #[error("it holds version {version} of the release `{name}`")]
    Other {
        /// The release that it holds.
        name: String,
        /// Its version.
        version: i64,
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
    encode_within(release, MAX_SECRET_BYTES)
}

/// Packs a release into at most so many bytes.
pub(super) fn encode_within(release: &Release, limit: usize) -> Result<String, EncodeError> {
    let json = json::write(release).map_err(EncodeError::Json)?;
    let failed = |error: std::io::Error| EncodeError::Packed(error.to_string());
    let mut packer = GzEncoder::new(Vec::new(), Compression::best());
    packer.write_all(&json).map_err(failed)?;
    let text = STANDARD.encode(packer.finish().map_err(failed)?);
    if text.len() > limit {
        return Err(EncodeError::TooLarge {
            bytes: text.len(),
            limit,
        });
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
        let mut unpacked = GzDecoder::new(packed.as_slice()).take(limit);
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_release_reads_back_packed_or_not() {
        let json = r#"{"name":"a","info":{"first_deployed":"2026-11-29T07:51:14+02:00","deleted":"","status":"deployed"},"chart":{"metadata":{"name":"c","version":"1.0.0"},"templates":[{"name":"t","data":"YQ=="}],"new":{"of":"Helm 5"}},"config":null,"hooks":null,"version":2,"namespace":"b","apply_method":"ssa"}"#;
        let plain = STANDARD.encode(json);
        let release = decode(plain.as_bytes()).expect("a release");
        assert_eq!((release.name.as_str(), release.version), ("a", 2));
        let again = decode(encode(&release).expect("it fits").as_bytes()).expect("a release");
        let written = String::from_utf8(json::write(&again).expect("serialises")).expect("UTF-8");
        // Absent and null are one; what is in the chart stays as it was.
        let expected = json
            .replace(r#""deleted":"","#, "")
            .replace(r#""config":null,"hooks":null,"#, "");
        assert_eq!(written, expected);
    }

    #[test]
    fn limits_hold_at_the_limit_and_one_past() {
        let release = Release::default();
        let bytes = encode(&release).expect("it fits").len();
        assert!(encode_within(&release, bytes).is_ok());
        let error = encode_within(&release, bytes - 1).expect_err("too large");
        assert!(error.to_string().contains(&format!("takes {bytes} bytes")));
        let bomb = |bytes: usize| {
            let mut packer = GzEncoder::new(Vec::new(), Compression::fast());
            packer.write_all(&vec![b' '; bytes]).expect("packs");
            STANDARD.encode(packer.finish().expect("packs"))
        };
        let told = |bytes: usize| {
            decode(bomb(bytes).as_bytes())
                .expect_err("no release")
                .to_string()
        };
        assert_eq!(
            told(MAX_RELEASE_BYTES),
            "the release is no JSON that Helm would write"
        );
        assert!(told(MAX_RELEASE_BYTES + 1).contains("has more than"));
        assert!(decode(b"not base64!").is_err());
    }
}
