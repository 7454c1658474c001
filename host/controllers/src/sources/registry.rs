//! From Secrets to how a registry is spoken to, and whom to trust. Pure.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use bulkhead_api::source::{OciIdentity, VerificationProvider};
use bulkhead_api::{Advice, Retry, SpecError, reason};
use bulkhead_source::oci::verify::{
    Identity, KeyError, Matcher, Mode, PatternError, Policy, PublicKey, RootError, Trust,
    TrustedRoot,
};
use bulkhead_source::oci::{CredentialsError, Keychain, Login, RegistryConfig};
use bulkhead_source::{ClientCertificate, Proxy, Secret};

use super::secrets::Read;
use crate::gitrepository::request::{Data, SecretError};

/// Keys of Secrets.
const PULL: &str = ".dockerconfigjson";
const LEGACY_PULL: &str = ".dockercfg";
const PUBLIC: &str = ".pub";
const ROOT: &str = "trusted_root.json";

/// Why a Secret cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AccessError {
    /// It could not be read.
    #[error(transparent)]
    Secret(#[from] SecretError),
    /// It has neither a login of Docker nor, where that counts, user name and password.
    #[error("the secret has no `{0}`")]
    Lacks(&'static str),
    /// Its login cannot be read.
    #[error("failed to read the login of Docker in the secret")]
    Login(#[from] CredentialsError),
    /// Half of a pair is missing.
    #[error("the secret has `{present}` and no `{missing}`")]
    Half {
        /// What is there.
        present: &'static str,
        /// What is missing.
        missing: &'static str,
    },
    /// A value is no text.
    #[error("the value of key `{0}` in the secret is not UTF-8")]
    NotText(&'static str),
}

impl AccessError {
    /// Names the reason, when to try again, and what the user can do. Secrets are not watched: they
    /// are looked at again.
    pub(crate) fn advice(&self) -> Advice {
        let advice = Advice::new(reason::AUTHENTICATION_FAILED, Retry::Backoff);
        match self {
            Self::Secret(SecretError::Account(..)) => {
                advice.hint("create the ServiceAccount in the same namespace")
            }
            Self::Secret(_) => advice.hint("create the Secret in the same namespace"),
            Self::Lacks(PULL) | Self::Login(_) => {
                advice.hint("make the secret with `kubectl create secret docker-registry`")
            }
            Self::Lacks(key) | Self::NotText(key) | Self::Half { missing: key, .. } => {
                advice.hint(format!("correct `{key}` of the secret"))
            }
        }
    }
}

/// Reads logins of Docker, the earlier before the later.
pub(crate) fn keychain<'a>(
    secrets: impl IntoIterator<Item = &'a Data>,
) -> Result<Keychain, AccessError> {
    let mut keychain = Keychain::default();
    for data in secrets {
        keychain = keychain.and(docker_login(data)?);
    }
    Ok(keychain)
}

fn docker_login(data: &Data) -> Result<Keychain, AccessError> {
    if let Some(bytes) = data.get(PULL) {
        return Ok(Keychain::docker_config(bytes)?);
    }
    let bytes = data.get(LEGACY_PULL).ok_or(AccessError::Lacks(PULL))?;
    // The old form is the inner part of the new one.
    let wrapped = [br#"{"auths":"#.as_slice(), bytes, b"}"].concat();
    Ok(Keychain::docker_config(&wrapped)?)
}

/// Tells whether the Secret holds a login of Docker.
pub(crate) fn is_docker_login(data: &Data) -> bool {
    data.contains_key(PULL) || data.contains_key(LEGACY_PULL)
}

/// Reads a login for one registry: user name and password, or a login of Docker.
pub(crate) fn login(data: &Data, registry: &str) -> Result<Keychain, AccessError> {
    if is_docker_login(data) {
        return docker_login(data);
    }
    match basic(data)? {
        None => Ok(Keychain::default()),
        Some((username, password)) => {
            Ok(Keychain::default().with(registry, Login::basic(username, password)))
        }
    }
}

/// Returns user name and password; `None` when the Secret has neither.
pub(crate) fn basic(data: &Data) -> Result<Option<(String, String)>, AccessError> {
    let half = |present, missing| Err(AccessError::Half { present, missing });
    match (text(data, "username")?, text(data, "password")?) {
        (None, None) => Ok(None),
        (Some(username), Some(password)) => Ok(Some((username, password))),
        (Some(_), None) => half("username", "password"),
        (None, Some(_)) => half("password", "username"),
    }
}

/// Returns the certificates that a Secret names: whom to trust, and what to show.
pub(crate) fn certificates(
    data: &Data,
) -> Result<(Option<Vec<u8>>, Option<ClientCertificate>), AccessError> {
    let find = |keys: [&str; 2]| {
        let found = keys.iter().find_map(|key| data.get(*key));
        found.filter(|value| !value.is_empty()).cloned()
    };
    let chain = find(["tls.crt", "certFile"]);
    let key = find(["tls.key", "keyFile"]);
    let own = match (chain, key) {
        (None, None) => None,
        (Some(chain), Some(key)) => {
            let key = String::from_utf8(key).map_err(|_| AccessError::NotText("tls.key"))?;
            let key = Secret::new(key);
            Some(ClientCertificate { chain, key })
        }
        (Some(_), None) => {
            let (present, missing) = ("tls.crt", "tls.key");
            return Err(AccessError::Half { present, missing });
        }
        (None, Some(_)) => {
            let (present, missing) = ("tls.key", "tls.crt");
            return Err(AccessError::Half { present, missing });
        }
    };
    Ok((find(["ca.crt", "caFile"]), own))
}

/// Returns the proxy that a Secret names.
pub(crate) fn proxy(data: &Data) -> Result<Proxy, AccessError> {
    Ok(Proxy {
        address: text(data, "address")?.ok_or(AccessError::Lacks("address"))?,
        username: text(data, "username")?,
        password: text(data, "password")?.map(Secret::new),
    })
}

fn text(data: &Data, key: &'static str) -> Result<Option<String>, AccessError> {
    let Some(value) = data.get(key).filter(|value| !value.is_empty()) else {
        return Ok(None);
    };
    match String::from_utf8(value.clone()) {
        Ok(text) => Ok(Some(text)),
        Err(_) => Err(AccessError::NotText(key)),
    }
}

/// Prepares to speak to `registry`, without TLS if it is `insecure`.
pub(crate) fn config(registry: &str, timeout: Duration, insecure: bool) -> RegistryConfig {
    let plain = insecure.then(|| registry.to_owned());
    RegistryConfig {
        timeout,
        plain_http_hosts: plain.into_iter().collect::<BTreeSet<_>>(),
        ..RegistryConfig::default()
    }
}

/// Why nobody can be trusted by `spec.verify`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TrustError {
    /// The provider is not known.
    #[error(transparent)]
    Spec(#[from] SpecError),
    /// Notation is not there yet.
    #[error("`spec.verify.provider` `notation` is not supported yet")]
    Notation,
    /// A Secret could not be read.
    #[error(transparent)]
    Secret(#[from] SecretError),
    /// The Secret has no public keys.
    #[error("no public keys found in the secret of `spec.verify.secretRef`")]
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
    /// The Secret has no trusted root.
    #[error("`{ROOT}` not found in the secret of `spec.verify.trustedRootSecretRef`")]
    NoRoot,
    /// The trusted root cannot be used.
    #[error("`{ROOT}` in the secret of `spec.verify.trustedRootSecretRef` cannot be used")]
    Root(#[from] RootError),
    /// An expression cannot be used.
    #[error("`spec.verify.matchOIDCIdentity[{index}]` cannot be used")]
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
    pub(crate) fn advice(&self) -> Advice {
        let of_spec = Advice::new(reason::VERIFICATION_ERROR, Retry::OnChange);
        let of_secret = Advice::new(reason::VERIFICATION_ERROR, Retry::Backoff);
        match self {
            Self::Spec(error) => error.advice(),
            Self::Notation => {
                Advice::new(reason::own::NOT_SUPPORTED, Retry::OnChange).hint("sign with cosign")
            }
            Self::Pattern { .. } => of_spec.hint("correct the expression"),
            Self::Secret(_) => of_secret.hint("create the Secret in the same namespace"),
            Self::NoKeys | Self::Key { .. } => {
                of_secret.hint("put in the public key, as `cosign.pub` holds it")
            }
            Self::NoRoot | Self::Root(_) => {
                of_secret.hint("put in a trusted root, as `cosign trusted-root` makes")
            }
        }
    }
}

/// What `spec.verify` and its Secrets say.
pub(crate) struct Verification<'a> {
    pub(crate) provider: &'a VerificationProvider,
    pub(crate) identities: &'a [OciIdentity],
    pub(crate) keys: Option<&'a Read>,
    pub(crate) root: Option<&'a Read>,
}

impl Verification<'_> {
    /// Names the provider as errors do.
    pub(crate) fn provider(&self) -> String {
        match (self.provider, self.keys) {
            (VerificationProvider::Cosign, None) => "cosign keyless".to_owned(),
            (provider, _) => provider.to_string(),
        }
    }

    /// Says whose signature counts. Without identities anybody's does that Sigstore vouches for, as
    /// in Flux.
    pub(crate) fn policy(&self) -> Result<Policy, TrustError> {
        match self.provider {
            VerificationProvider::Cosign => {}
            VerificationProvider::Notation => return Err(TrustError::Notation),
            VerificationProvider::Other(value) => {
                let (field, known) = ("spec.verify.provider", VerificationProvider::KNOWN);
                return Err(SpecError::unknown(field, value, known).into());
            }
        }
        let root = match self.root {
            None => None,
            Some(data) => {
                let data = data.as_ref().map_err(Clone::clone)?;
                let bytes = data.get(ROOT).ok_or(TrustError::NoRoot)?;
                Some(Arc::new(TrustedRoot::from_json(bytes)?))
            }
        };
        let trust = match self.keys {
            Some(data) => Trust::Keys {
                keys: keys(data.as_ref().map_err(Clone::clone)?)?,
                root,
            },
            None => Trust::Keyless {
                identities: identities(self.identities)?,
                root: match root {
                    Some(root) => root,
                    None => Arc::new(TrustedRoot::public_good()?),
                },
            },
        };
        Ok(Policy {
            trust,
            mode: Mode::Enforce,
        })
    }
}

fn keys(data: &Data) -> Result<Vec<PublicKey>, TrustError> {
    let mut keys = Vec::new();
    for (name, pem) in data.iter().filter(|(name, _)| name.ends_with(PUBLIC)) {
        let read = PublicKey::all_from_pem(pem).map_err(|source| TrustError::Key {
            name: name.clone(),
            source,
        });
        keys.extend(read?);
    }
    match keys.is_empty() {
        true => Err(TrustError::NoKeys),
        false => Ok(keys),
    }
}

fn identities(wanted: &[OciIdentity]) -> Result<Vec<Identity>, TrustError> {
    let read = |(index, issuer, subject): (usize, &str, &str)| {
        let pattern =
            |text| Matcher::pattern(text).map_err(|source| TrustError::Pattern { index, source });
        Ok(Identity {
            issuer: pattern(issuer)?,
            subject: pattern(subject)?,
        })
    };
    if wanted.is_empty() {
        return Ok(vec![read((0, "", ""))?]);
    }
    let wanted = wanted.iter().enumerate();
    wanted
        .map(|(index, identity)| read((index, &identity.issuer, &identity.subject)))
        .collect()
}
