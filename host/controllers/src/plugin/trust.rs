//! Who must have signed an image: from `spec.verify` and its Secrets to a policy, and what the
//! answers mean.

use std::sync::Arc;

use bulkhead_api::plugin::{KeylessIdentity, PluginVerification, VerificationMode};
use bulkhead_api::{Advice, Digest, Retry, SpecError, reason::plugin as why};
use bulkhead_source::oci::verify::{
    self, Identity, KeyError, Matcher, Mode, PatternError, Policy, PublicKey, Rejection, RootError,
    TrustedRoot, VerifyError,
};
use bulkhead_source::oci::{Registry, Resolved};

use super::error::PluginError;
use super::request::{RequestError, Secrets, key};

/// Ending of the keys of a Secret that hold public keys.
const PUBLIC: &str = ".pub";
/// Key of a Secret with a trusted root.
const ROOT: &str = "trusted_root.json";

/// Why nobody can be trusted by `spec.verify`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TrustError {
    /// A value is not known.
    #[error(transparent)]
    Spec(#[from] SpecError),
    /// Nobody is named, or both keys and identities are.
    #[error("`spec.verify` names neither `secretRef` nor `keyless`, or both")]
    Nobody,
    /// An identity names no subject, or two.
    #[error("`spec.verify.keyless[{0}]` names neither `subject` nor `subjectRegExp`, or both")]
    Subject(usize),
    /// The Secret has no public keys.
    #[error("the secret of `spec.verify.secretRef` has no key that ends in `{PUBLIC}`")]
    NoKeys,
    /// A public key cannot be used.
    #[error("`{name}` in the secret of `spec.verify.secretRef` cannot be used")]
    Key {
        /// Its name in the Secret.
        name: String,
        /// Why.
        #[source]
        source: KeyError,
    },
    /// The trusted root cannot be used.
    #[error("`{ROOT}` in the secret of `spec.verify.trustedRootSecretRef` cannot be used")]
    Root(#[from] RootError),
    /// An expression cannot be used.
    #[error("`spec.verify.keyless[{index}].subjectRegExp` cannot be used")]
    Pattern {
        /// Which identity.
        index: usize,
        /// Why.
        #[source]
        source: PatternError,
    },
}

impl TrustError {
    /// Names the reason, when to try again, and what the user can do.
    pub fn advice(&self) -> Advice {
        let of_spec = Advice::new(why::INVALID_POLICY, Retry::OnChange);
        // A Secret is not watched: it is looked at again.
        let of_secret = Advice::new(why::INVALID_POLICY, Retry::Backoff);
        match self {
            Self::Spec(error) => error.advice(),
            Self::Nobody | Self::Subject(_) => of_spec.hint("name one of the two"),
            Self::Pattern { .. } => of_spec.hint("correct the expression"),
            Self::NoKeys => {
                of_secret.hint("`kubectl create secret generic <name> --from-file cosign.pub`")
            }
            Self::Key { .. } => of_secret.hint("put in the public key, as `cosign.pub` holds it"),
            Self::Root(_) => {
                of_secret.hint("put in a trusted root, as `cosign trusted-root` makes")
            }
        }
    }
}

/// Who is trusted, and a fingerprint that another policy does not have.
#[derive(Clone, Debug)]
pub(super) struct Trust {
    policy: Policy,
    pub(super) fingerprint: Digest,
}

/// What is known of a signature.
#[derive(Clone, Debug)]
pub(super) enum Signature {
    /// Somebody who is trusted made it: who.
    Good(String),
    /// Nobody who is trusted did, and that is only warned of.
    Bad(Arc<PluginError>),
}

impl Signature {
    /// Returns who is trusted and made it.
    pub(super) fn signer(&self) -> Option<String> {
        match self {
            Self::Good(signer) => Some(signer.clone()),
            Self::Bad(_) => None,
        }
    }
}

impl Trust {
    /// Returns who signed what was resolved.
    ///
    /// # Errors
    /// [`VerifyError`]; [`is_verdict`] tells what is known from what could not be had.
    pub(super) async fn check(
        &self,
        registry: &Registry,
        resolved: &Resolved,
    ) -> Result<String, VerifyError> {
        let verified = verify::verify(registry, resolved, &self.policy).await?;
        Ok(verified.identity.to_string())
    }
}

/// Reads `spec.verify`.
///
/// # Errors
/// [`RequestError`] names the field or the Secret.
pub(super) fn trust(
    verification: &PluginVerification,
    secrets: &Secrets,
) -> Result<Trust, RequestError> {
    if let VerificationMode::Other(value) = verification.mode() {
        let known = VerificationMode::KNOWN;
        let error = SpecError::unknown("spec.verify.mode", &value, known);
        return Err(TrustError::Spec(error).into());
    }
    let root = match &secrets.trusted_root {
        None => None,
        Some(data) => Some(key("spec.verify.trustedRootSecretRef", data, ROOT)?),
    };
    let parsed = root.map(TrustedRoot::from_json).transpose();
    let parsed = parsed.map_err(TrustError::Root)?.map(Arc::new);
    let mut parts: Vec<Vec<u8>> = vec![root.unwrap_or_default().to_vec()];
    let whom = match (&secrets.keys, verification.keyless.as_slice()) {
        (Some(data), []) => {
            let data = data.as_ref().map_err(Clone::clone)?;
            let public = || data.iter().filter(|(name, _)| name.ends_with(PUBLIC));
            parts.extend(public().map(|(_, pem)| pem.clone()));
            verify::Trust::Keys {
                keys: keys(public())?,
                root: parsed,
            }
        }
        (None, identities @ [_, ..]) => {
            parts.push(serde_json::to_vec(identities).unwrap_or_default());
            let root = match parsed {
                Some(root) => root,
                None => Arc::new(TrustedRoot::public_good().map_err(TrustError::Root)?),
            };
            let identities = identities.iter().enumerate().map(identity);
            let identities = identities.collect::<Result<_, TrustError>>()?;
            verify::Trust::Keyless { identities, root }
        }
        _ => return Err(TrustError::Nobody.into()),
    };
    Ok(Trust {
        // What a warning means is decided here, not there.
        policy: Policy {
            trust: whom,
            mode: Mode::Enforce,
        },
        fingerprint: fingerprint(&parts),
    })
}

/// Digests the parts with their lengths, so that no two lists of parts are the same bytes.
fn fingerprint(parts: &[Vec<u8>]) -> Digest {
    let lengths: Vec<_> = parts.iter().map(|part| part.len().to_le_bytes()).collect();
    let pairs = lengths.iter().zip(parts);
    Digest::of_parts(pairs.flat_map(|(length, part)| [length.as_slice(), part.as_slice()]))
}

fn keys<'a>(
    public: impl Iterator<Item = (&'a String, &'a Vec<u8>)>,
) -> Result<Vec<PublicKey>, TrustError> {
    let mut keys = Vec::new();
    for (name, pem) in public {
        let read = PublicKey::all_from_pem(pem).map_err(|source| TrustError::Key {
            name: name.clone(),
            source,
        });
        keys.extend(read?);
    }
    if keys.is_empty() {
        return Err(TrustError::NoKeys);
    }
    Ok(keys)
}

fn identity((index, identity): (usize, &KeylessIdentity)) -> Result<Identity, TrustError> {
    let subject = match (&identity.subject, &identity.subject_reg_exp) {
        (Some(subject), None) => Matcher::exact(subject),
        // The whole identity, not a part of it.
        (None, Some(pattern)) => Matcher::pattern(&format!("^(?:{pattern})$"))
            .map_err(|source| TrustError::Pattern { index, source })?,
        _ => return Err(TrustError::Subject(index)),
    };
    Ok(Identity {
        issuer: Matcher::exact(&identity.issuer),
        subject,
    })
}

/// Tells whether it is known that nobody who is trusted has signed, rather than not known who has.
pub(super) fn is_verdict(error: &PluginError) -> bool {
    match error {
        PluginError::Verify { source, .. } => !matches!(source, VerifyError::Registry { .. }),
        _ => false,
    }
}

/// Keeps the source crate's hint, and names the reason more narrowly. A signature may come later
/// than its image: it is always looked for again.
pub(super) fn advice(error: &VerifyError) -> Advice {
    let reason = match error {
        VerifyError::Registry { .. } => why::VERIFICATION_UNAVAILABLE,
        VerifyError::Unsigned { .. } => why::SIGNATURE_MISSING,
        VerifyError::Rejected { source, .. } => match source {
            Rejection::OtherDigest { .. } => why::SIGNATURE_OF_OTHER_DIGEST,
            Rejection::OtherIssuer { .. } | Rejection::OtherSubject { .. } => why::SIGNED_BY_OTHER,
            _ => why::SIGNATURE_INVALID,
        },
    };
    Advice {
        reason,
        retry: Retry::Backoff,
        ..error.advice()
    }
}
