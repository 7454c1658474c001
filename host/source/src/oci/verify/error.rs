//! Why something is not trusted, and what that means for the user.

use bulkhead_api::{Advice, Retry};

use crate::oci::OciError;

/// Why a verification did not succeed. Nothing that it is about may run.
#[derive(Debug, thiserror::Error)]
pub enum VerifyError {
    /// The signatures could not be read: nothing is known, and nothing is trusted.
    #[error("failed to read the signatures of {place}")]
    Registry {
        /// What was to be verified.
        place: String,
        /// Why.
        #[source]
        source: OciError,
    },
    /// There is no signature.
    #[error("{place} is not signed")]
    Unsigned {
        /// What was to be verified.
        place: String,
    },
    /// There are signatures, and none satisfies the policy; the cause is that of the one that came
    /// closest.
    #[error("none of the {count} signatures of {place} is trusted")]
    Rejected {
        /// What was to be verified.
        place: String,
        /// How many there are.
        count: usize,
        /// Why the one that came closest is not trusted.
        #[source]
        source: Rejection,
    },
}

/// Why one signature is not trusted, in the order of the checks: a later one came closer.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, thiserror::Error)]
pub enum Rejection {
    /// It cannot be read.
    #[error("the signature is malformed: {0}")]
    Malformed(String),
    /// It is of a kind that is not verified here.
    #[error("the signature is of a kind that is not verified: {0}")]
    Unsupported(String),
    /// It was made with a key, and the policy wants an identity, or the other way round.
    #[error("the signature was made {found}, and the policy asks for {expected}")]
    OtherKind {
        /// `with a key`, `without a key (keyless)`.
        found: &'static str,
        /// `a key`, `an identity`.
        expected: &'static str,
    },
    /// It is about another manifest.
    #[error("the signature is about {found}")]
    OtherDigest {
        /// The digest that was signed.
        found: String,
    },
    /// No key of the policy has made it, or what it signs was changed.
    #[error("no key of the policy has made the signature, or what it signs was changed")]
    OtherKey,
    /// It was not made by the key of its certificate, or what it signs was changed.
    #[error("the signature was not made with its certificate, or what it signs was changed")]
    Signature,
    /// A log entry is of a log that the trusted root does not name.
    #[error("the entry is in the transparency log `{0}`, which the trusted root does not name")]
    LogUnknown(String),
    /// The log's promise is not signed by the log.
    #[error("the transparency log has not signed its promise for this entry")]
    LogPromise,
    /// The log's proof does not hold.
    #[error("the entry is not proven to be in the transparency log: {0}")]
    LogProof(&'static str),
    /// The log entry is about another signature.
    #[error("the entry in the transparency log is about another signature: its {0} differs")]
    LogEntry(&'static str),
    /// There is no entry in a log.
    #[error("the signature is in no transparency log")]
    LogMissing,
    /// A timestamp does not hold.
    #[error("the timestamp of the signature is not valid: {0}")]
    Timestamp(&'static str),
    /// Nobody who is trusted says when it was made.
    #[error("no trusted log or timestamp says when the signature was made")]
    TimeMissing,
    /// The certificate was not valid when the signature was made.
    #[error("the certificate was not valid when the signature was made ({0})")]
    Expired(String),
    /// The certificate does not lead to an authority of the trusted root.
    #[error("the certificate is not from an authority of the trusted root: {0}")]
    Certificate(String),
    /// The certificate is in no certificate log.
    #[error("the certificate is in no certificate transparency log of the trusted root: {0}")]
    CertificateLog(&'static str),
    /// Another issuer has confirmed the identity.
    #[error("the identity was confirmed by `{found}`")]
    OtherIssuer {
        /// The issuer.
        found: String,
    },
    /// It was made by another identity.
    #[error("the signature was made by `{found}`")]
    OtherSubject {
        /// The identity.
        found: String,
    },
}

impl VerifyError {
    /// Names the reason (stable API), when to try again, and what the user can do.
    pub fn advice(&self) -> Advice {
        let failed = || Advice::new("VerificationError", Retry::Backoff);
        match self {
            Self::Registry { source, .. } => match source.advice().hint {
                Some(hint) => failed().hint(hint),
                None => failed()
                    .hint("it is tried again; until then what was verified before keeps running"),
            },
            Self::Unsigned { .. } => failed()
                .hint("sign it with `bulkhead plugin sign` or `cosign sign`, or take `verify` out"),
            Self::Rejected { source, .. } => failed().hint(source.hint()),
        }
    }

    /// Returns how long the registry asked to be left alone.
    pub fn retry_after(&self) -> Option<std::time::Duration> {
        match self {
            Self::Registry { source, .. } => source.retry_after(),
            Self::Unsigned { .. } | Self::Rejected { .. } => None,
        }
    }
}

impl Rejection {
    fn hint(&self) -> &'static str {
        match self {
            Self::Malformed(_) | Self::Unsupported(_) => "sign it again with a current cosign",
            Self::OtherKind { .. } | Self::OtherKey => {
                "check which key signed it, and put the public half into `verify`"
            }
            Self::OtherDigest { .. } => {
                "sign this digest: a signature of another version was copied"
            }
            Self::Signature | Self::LogEntry(_) | Self::LogPromise | Self::LogProof(_) => {
                "sign it again; if it stays, someone is changing it"
            }
            Self::LogUnknown(_) | Self::Certificate(_) | Self::CertificateLog(_) => {
                "check that `verify` has the trusted root of the service that signed it, and a current one"
            }
            Self::LogMissing | Self::TimeMissing | Self::Timestamp(_) => {
                "sign it with an entry in the log or a timestamp, which cosign does unless told otherwise"
            }
            Self::Expired(_) => "sign it again, within the lifetime of the certificate",
            Self::OtherIssuer { .. } | Self::OtherSubject { .. } => {
                "check who signed it, and correct issuer and subject in `verify` if you trust them"
            }
        }
    }
}
