//! The trusted root: which authorities, logs and clocks are believed.
//!
//! In: JSON as `cosign trusted-root create` and Sigstore's TUF repository write it. Out: keys and
//! certificates with the time in which they count.

use base64::Engine as _;
use jiff::Timestamp;
use rustls_pki_types::CertificateDer;
use serde::Deserialize;

use super::key::PublicKey;

/// Largest file that is read.
const ROOT_BYTES: usize = 1024 * 1024;
/// Sigstore's public instance, as its TUF repository published it (version 15 of its root).
const PUBLIC_GOOD: &[u8] = include_bytes!("public-good.json");

/// Which authorities, logs and clocks are believed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TrustedRoot {
    pub(super) authorities: Vec<Authority>,
    pub(super) logs: Vec<Log>,
    pub(super) certificate_logs: Vec<Log>,
    pub(super) clocks: Vec<Authority>,
}

/// A certificate authority or a timestamp authority.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Authority {
    /// From the issuer of leaves, or the leaf of a clock, up to the root.
    pub(super) chain: Vec<CertificateDer<'static>>,
    pub(super) valid: Window,
}

/// A log and its key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Log {
    pub(super) id: Vec<u8>,
    pub(super) key: PublicKey,
    pub(super) valid: Window,
}

/// When a key or a certificate counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Window {
    pub(super) start: Option<Timestamp>,
    pub(super) end: Option<Timestamp>,
}

impl Window {
    pub(super) fn holds(&self, time: Timestamp) -> bool {
        self.start.is_none_or(|start| start <= time) && self.end.is_none_or(|end| time <= end)
    }
}

/// Says why a trusted root cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RootError {
    /// The file is too large.
    #[error("the trusted root has {0} bytes, and at most {ROOT_BYTES} are read")]
    TooLarge(usize),
    /// It is not JSON of the expected shape.
    #[error("the trusted root cannot be read: {0}")]
    Unreadable(String),
    /// A key or a certificate cannot be used.
    #[error("`{0}` of the trusted root {1}")]
    Entry(String, String),
    /// It names no authority.
    #[error("the trusted root has no `certificateAuthorities`")]
    Empty,
}

impl TrustedRoot {
    /// Reads a trusted root.
    ///
    /// # Errors
    /// [`RootError`] names the entry.
    pub fn from_json(bytes: &[u8]) -> Result<Self, RootError> {
        if bytes.len() > ROOT_BYTES {
            return Err(RootError::TooLarge(bytes.len()));
        }
        let file: File = serde_json::from_slice(bytes)
            .map_err(|error| RootError::Unreadable(error.to_string()))?;
        let name = |list: &str, at: usize| format!("{list}[{at}]");
        let logs = |list: &str, logs: Vec<LogFile>| -> Result<Vec<Log>, RootError> {
            let read = |(at, log): (usize, LogFile)| log.read(&name(list, at)).transpose();
            logs.into_iter().enumerate().filter_map(read).collect()
        };
        let authorities = |list: &str,
                           all: Vec<AuthorityFile>|
         -> Result<Vec<Authority>, RootError> {
            let read = |(at, authority): (usize, AuthorityFile)| authority.read(&name(list, at));
            all.into_iter().enumerate().map(read).collect()
        };
        let root = Self {
            authorities: authorities("certificateAuthorities", file.certificate_authorities)?,
            logs: logs("tlogs", file.tlogs)?,
            certificate_logs: logs("ctlogs", file.ctlogs)?,
            clocks: authorities("timestampAuthorities", file.timestamp_authorities)?,
        };
        if root.authorities.is_empty() && root.logs.is_empty() {
            return Err(RootError::Empty);
        }
        Ok(root)
    }

    /// Returns the root of Sigstore's public instance, as known when this version was made.
    ///
    /// # Errors
    /// Never, as long as its test passes.
    pub fn public_good() -> Result<Self, RootError> {
        Self::from_json(PUBLIC_GOOD)
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct File {
    #[serde(default)]
    tlogs: Vec<LogFile>,
    #[serde(default)]
    ctlogs: Vec<LogFile>,
    #[serde(default)]
    certificate_authorities: Vec<AuthorityFile>,
    #[serde(default)]
    timestamp_authorities: Vec<AuthorityFile>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct LogFile {
    public_key: KeyFile,
    log_id: IdFile,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct KeyFile {
    raw_bytes: String,
    #[serde(default)]
    key_details: String,
    #[serde(default)]
    valid_for: WindowFile,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct IdFile {
    key_id: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct AuthorityFile {
    cert_chain: ChainFile,
    #[serde(default)]
    valid_for: WindowFile,
}

#[derive(Deserialize)]
struct ChainFile {
    certificates: Vec<CertificateFile>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct CertificateFile {
    raw_bytes: String,
}

#[derive(Default, Deserialize)]
struct WindowFile {
    start: Option<Timestamp>,
    end: Option<Timestamp>,
}

impl LogFile {
    /// Reads a log; a key of a kind that is not known leaves the log out, so that a newer root works.
    fn read(self, name: &str) -> Result<Option<Log>, RootError> {
        let spki = decode(name, "publicKey.rawBytes", &self.public_key.raw_bytes)?;
        let Ok(key) = PublicKey::from_spki(&spki) else {
            tracing::debug!(
                name,
                kind = self.public_key.key_details,
                "leaving out a log with an unknown key"
            );
            return Ok(None);
        };
        Ok(Some(Log {
            id: decode(name, "logId.keyId", &self.log_id.key_id)?,
            key,
            valid: self.public_key.valid_for.into(),
        }))
    }
}

impl AuthorityFile {
    fn read(self, name: &str) -> Result<Authority, RootError> {
        let mut chain = Vec::new();
        for certificate in &self.cert_chain.certificates {
            let der = CertificateDer::from(decode(name, "certChain", &certificate.raw_bytes)?);
            if webpki::anchor_from_trusted_cert(&der).is_err() {
                return Err(RootError::Entry(
                    name.to_owned(),
                    "holds a certificate that cannot be read".to_owned(),
                ));
            }
            chain.push(der);
        }
        if chain.is_empty() {
            return Err(RootError::Entry(
                name.to_owned(),
                "has no certificate".to_owned(),
            ));
        }
        Ok(Authority {
            chain,
            valid: self.valid_for.into(),
        })
    }
}

impl From<WindowFile> for Window {
    fn from(file: WindowFile) -> Self {
        Self {
            start: file.start,
            end: file.end,
        }
    }
}

fn decode(name: &str, field: &str, text: &str) -> Result<Vec<u8>, RootError> {
    base64::engine::general_purpose::STANDARD
        .decode(text)
        .map_err(|_| RootError::Entry(format!("{name}.{field}"), "is not base64".to_owned()))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic, reason = "a test may")]
mod tests {
    use super::*;

    #[test]
    fn the_embedded_root_can_be_used() {
        let root = TrustedRoot::public_good().unwrap();
        assert_eq!(
            (
                root.authorities.len(),
                root.logs.len(),
                root.certificate_logs.len(),
                root.clocks.len()
            ),
            (2, 2, 2, 1)
        );
    }

    #[test]
    fn damage_names_the_entry() {
        let error = |json: &str| {
            TrustedRoot::from_json(json.as_bytes())
                .unwrap_err()
                .to_string()
        };
        assert!(error("{").starts_with("the trusted root cannot be read"));
        assert_eq!(
            error("{}"),
            "the trusted root has no `certificateAuthorities`"
        );
        assert_eq!(
            error(r#"{"certificateAuthorities":[{"certChain":{"certificates":[]}}]}"#),
            "`certificateAuthorities[0]` of the trusted root has no certificate"
        );
        assert_eq!(
            error(
                r#"{"certificateAuthorities":[{"certChain":{"certificates":[{"rawBytes":"AAAA"}]}}]}"#
            ),
            "`certificateAuthorities[0]` of the trusted root holds a certificate that cannot be read"
        );
        assert_eq!(
            error(r#"{"tlogs":[{"publicKey":{"rawBytes":"*"},"logId":{"keyId":""}}]}"#),
            "`tlogs[0].publicKey.rawBytes` of the trusted root is not base64"
        );
        let large = " ".repeat(ROOT_BYTES + 1);
        assert_eq!(
            TrustedRoot::from_json(large.as_bytes()),
            Err(RootError::TooLarge(ROOT_BYTES + 1))
        );
    }
}
