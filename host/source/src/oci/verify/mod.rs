//! Signatures of cosign: who has signed what was resolved?
//!
//! In: a resolved reference and a [`Policy`]. Out: the signer, or why nobody is trusted.
//! [`collect`] reads from the registry, [`check`] decides and does no IO; together they are
//! [`verify`]. A registry that does not answer is an error: nothing is trusted for lack of knowledge.
//!
//! What a trusted root names is asked for: with transparency logs the signature must be in one, with
//! certificate logs the certificate must be, with clocks their timestamps count. The certificate
//! must have been valid when a trusted log or clock says that the signature was made.

mod certificate;
mod claim;
mod collect;
mod der;
mod edwards;
mod error;
mod key;
mod log;
mod policy;
mod root;
mod sct;
mod timestamp;

use std::fmt;

use bulkhead_api::Digest;
use jiff::Timestamp;

use self::claim::Claim;
use super::{Registry, Resolved};

pub(super) use claim::{IN_TOTO, PREDICATE, SIGNATURE, envelope_message};
pub(super) use collect::{BUNDLE, SIMPLE_SIGNING, is_bundle, signature_tag};
pub use collect::{Signature, collect};
pub use error::{Rejection, VerifyError};
pub use key::{KeyError, PublicKey};
pub use policy::{Identity, Matcher, Mode, PatternError, Policy, Trust};
pub use root::{RootError, TrustedRoot};

/// What has been verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verified {
    /// Who has signed.
    pub identity: Signer,
    /// When, by the word of a log or a clock.
    pub time: Option<Timestamp>,
}

/// Who has signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Signer {
    /// The owner of a key, known by the digest of its public half.
    Key(Digest),
    /// Someone whose identity was confirmed.
    Identity {
        /// Who has confirmed it.
        issuer: String,
        /// An e-mail address, or the URL of a workflow.
        subject: String,
    },
}

impl fmt::Display for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Key(digest) => write!(f, "key {}", digest.short()),
            Self::Identity { issuer, subject } => write!(
                f,
                "{} ({})",
                crate::error::clean(subject),
                crate::error::clean(issuer)
            ),
        }
    }
}

/// What a policy says about what may be unsigned.
#[derive(Debug)]
pub enum Admitted {
    /// Someone who is trusted has signed it.
    Signed(Verified),
    /// Nobody has, and the policy only warns.
    Warned(VerifyError),
}

/// Verifies what was resolved, and applies the policy's mode.
///
/// # Errors
/// [`VerifyError`], only with [`Mode::Enforce`].
pub async fn admit(
    registry: &Registry,
    resolved: &Resolved,
    policy: &Policy,
) -> Result<Admitted, VerifyError> {
    match (verify(registry, resolved, policy).await, policy.mode) {
        (Ok(verified), _) => Ok(Admitted::Signed(verified)),
        (Err(error), Mode::Warn) => Ok(Admitted::Warned(error)),
        (Err(error), Mode::Enforce) => Err(error),
    }
}

/// Reads the signatures of what was resolved, and finds one that is trusted.
///
/// # Errors
/// [`VerifyError`]; [`VerifyError::Registry`] when not all signatures could be read and none of the
/// others is trusted.
pub async fn verify(
    registry: &Registry,
    resolved: &Resolved,
    policy: &Policy,
) -> Result<Verified, VerifyError> {
    let (signatures, failure) = collect(registry, resolved).await;
    match (check(resolved, &signatures, policy), failure) {
        (Ok(verified), _) => Ok(verified),
        (Err(_), Some(source)) => Err(VerifyError::Registry {
            place: resolved.pinned().to_string(),
            source,
        }),
        (Err(error), None) => Err(error),
    }
}

/// Finds a signature that is trusted. Does no IO.
///
/// # Errors
/// [`VerifyError::Unsigned`] and [`VerifyError::Rejected`].
#[allow(clippy::result_large_err, reason = "once a verification")]
pub fn check(
    resolved: &Resolved,
    signatures: &[Signature],
    policy: &Policy,
) -> Result<Verified, VerifyError> {
    let place = resolved.pinned().to_string();
    let mut nearest = None;
    for signature in signatures {
        match judge(resolved, signature, &policy.trust) {
            Ok(verified) => return Ok(verified),
            Err(rejection) => nearest = nearest.max(Some(rejection)),
        }
    }
    Err(match nearest {
        None => VerifyError::Unsigned { place },
        Some(source) => VerifyError::Rejected {
            place,
            count: signatures.len(),
            source,
        },
    })
}

fn judge(resolved: &Resolved, signature: &Signature, trust: &Trust) -> Result<Verified, Rejection> {
    let claim = match signature {
        Signature::Legacy {
            payload,
            annotations,
        } => claim::legacy(payload, annotations)?,
        Signature::Bundle(bytes) => claim::bundle(bytes, &resolved.manifest)?,
    };
    let digest = resolved.digest.to_string();
    if let Some(subjects) = &claim.subjects
        && !subjects.contains(&digest)
    {
        let found = subjects.first().map_or("nothing", String::as_str);
        return Err(Rejection::OtherDigest {
            found: crate::error::clean(found),
        });
    }
    match trust {
        Trust::Keys { keys, root } => by_key(&claim, keys, root.as_deref()),
        Trust::Keyless { identities, root } => by_identity(&claim, identities, root),
    }
}

fn by_key(
    claim: &Claim,
    keys: &[PublicKey],
    root: Option<&TrustedRoot>,
) -> Result<Verified, Rejection> {
    if !claim.certificates.is_empty() {
        return Err(Rejection::OtherKind {
            found: "without a key (keyless)",
            expected: "a key",
        });
    }
    let key = keys
        .iter()
        .find(|key| key.verifies(&claim.message, &claim.signature))
        .ok_or(Rejection::OtherKey)?;
    let mut time = None;
    if let Some(root) = root {
        time = times(claim, root, key.spki())?.into_iter().min();
    }
    Ok(Verified {
        identity: Signer::Key(key.digest()),
        time,
    })
}

fn by_identity(
    claim: &Claim,
    identities: &[Identity],
    root: &TrustedRoot,
) -> Result<Verified, Rejection> {
    let Some((certificate, others)) = claim.certificates.split_first() else {
        return Err(Rejection::OtherKind {
            found: "with a key",
            expected: "an identity",
        });
    };
    let leaf = certificate::read(certificate)?;
    if !leaf.key.verifies(&claim.message, &claim.signature) {
        return Err(Rejection::Signature);
    }
    let times = times(claim, root, certificate)?;
    let Some(first) = times.iter().min().copied() else {
        return Err(Rejection::TimeMissing);
    };
    let mut issuer = Vec::new();
    for time in times {
        issuer = certificate::verify(
            certificate,
            others,
            &root.authorities,
            certificate::CODE_SIGNING,
            time,
        )?;
    }
    if !root.certificate_logs.is_empty() {
        sct::verify(&leaf, &issuer, &root.certificate_logs)?;
    }
    let found = leaf.issuer.unwrap_or_default();
    let by_issuer = || {
        identities
            .iter()
            .filter(|identity| identity.issuer.fits(&found))
    };
    if by_issuer().next().is_none() {
        return Err(Rejection::OtherIssuer {
            found: crate::error::clean(&found),
        });
    }
    if !by_issuer().any(|identity| identity.subject.fits(&leaf.subject)) {
        return Err(Rejection::OtherSubject {
            found: crate::error::clean(&leaf.subject),
        });
    }
    Ok(Verified {
        identity: Signer::Identity {
            issuer: found,
            subject: leaf.subject,
        },
        time: Some(first),
    })
}

/// Verifies the log entries and timestamps that the root asks for; returns the times that they
/// prove. `signer` is the certificate, or the key's SubjectPublicKeyInfo.
fn times(claim: &Claim, root: &TrustedRoot, signer: &[u8]) -> Result<Vec<Timestamp>, Rejection> {
    let mut times = Vec::new();
    let mut windows = Vec::new();
    if !root.logs.is_empty() {
        for entry in &claim.entries {
            let logged = log::verify(entry, &root.logs, claim, signer)?;
            times.extend(logged.time);
            windows.push(logged.valid);
        }
        if windows.is_empty() {
            return Err(Rejection::LogMissing);
        }
    }
    if !root.clocks.is_empty() {
        for stamp in &claim.timestamps {
            times.push(timestamp::verify(stamp, &claim.signature, &root.clocks)?);
        }
    }
    let counts = |window: &root::Window| times.iter().all(|time| window.holds(*time));
    if !windows.iter().all(counts) {
        return Err(Rejection::LogProof("the log did not count at that time"));
    }
    Ok(times)
}

#[cfg(test)]
mod tests;
