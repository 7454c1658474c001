//! From a specification and its Secrets to what the registry is asked for, and whom to trust. Pure.

use std::collections::BTreeSet;

use bulkhead_api::meta::LocalObjectReference;
use bulkhead_api::plugin::{PluginSpec, VerificationMode};
use bulkhead_api::{Advice, Digest, Retry, SpecError, reason};
use bulkhead_source::oci::{CredentialsError, Keychain, Reference, ReferenceError, RegistryConfig};

use super::grants::{self, GrantsError};
use super::trust::{self, Trust, TrustError};
use crate::gitrepository::request::{Data, SecretError};

/// What the Secrets hold that an object names, where it names them.
#[derive(Clone, Debug, Default)]
pub(super) struct Secrets {
    /// What `pullSecretRef` names.
    pub(super) pull: Option<Result<Data, SecretError>>,
    /// What `certSecretRef` names.
    pub(super) certificate: Option<Result<Data, SecretError>>,
    /// What `verify.secretRef` names.
    pub(super) keys: Option<Result<Data, SecretError>>,
    /// What `verify.trustedRootSecretRef` names.
    pub(super) trusted_root: Option<Result<Data, SecretError>>,
}

/// Why nothing can be asked for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RequestError {
    /// A field cannot be used.
    #[error(transparent)]
    Spec(#[from] SpecError),
    /// The image is named by nothing.
    #[error("failed to read `spec.image`")]
    Image(#[from] ReferenceError),
    /// `spec.approve` is no digest.
    #[error("`spec.approve` is `{0}`, which is no digest")]
    Approve(String),
    /// A grant or a limit cannot be used.
    #[error(transparent)]
    Grants(#[from] GrantsError),
    /// A Secret could not be read.
    #[error(transparent)]
    Secret(#[from] SecretError),
    /// A Secret lacks what it is named for.
    #[error("`{field}` names a secret that has no `{key}`")]
    Lacks {
        /// Path of the field.
        field: &'static str,
        /// What is missing.
        key: &'static str,
    },
    /// The pull secret cannot be used.
    #[error("failed to read the secret of `spec.pullSecretRef`")]
    Credentials(#[from] CredentialsError),
    /// Nobody can be trusted by `spec.verify`.
    #[error(transparent)]
    Trust(#[from] TrustError),
}

impl RequestError {
    /// Names the reason, when to try again, and what the user can do.
    pub fn advice(&self) -> Advice {
        let invalid = Advice::new(reason::VALIDATION_FAILED, Retry::OnChange);
        match self {
            Self::Spec(error) | Self::Grants(GrantsError::Spec(error)) => error.advice(),
            Self::Image(_) => Advice::new(reason::plugin::INVALID_IMAGE, Retry::OnChange).hint(
                "write it as `registry.example.com/plugins/name:tag` or `…/name@sha256:<digest>`",
            ),
            Self::Approve(_) => invalid.hint("copy `status.pendingDigest`"),
            Self::Grants(GrantsError::Grant(error)) => {
                invalid.hint(format!("correct `spec.grants.{}`", error.field))
            }
            Self::Grants(GrantsError::TooMuch { field, .. }) => {
                invalid.hint(format!("lower `{field}`"))
            }
            Self::Grants(GrantsError::Fuel(_)) => {
                invalid.hint("raise `spec.limits.fuel`, or take it out: `bulkhead plugin bench` prints what a call needs")
            }
            // A Secret is not watched: it is looked for again.
            Self::Secret(_) => Advice::new(reason::AUTHENTICATION_FAILED, Retry::Backoff),
            Self::Lacks { key, .. } => Advice::new(reason::AUTHENTICATION_FAILED, Retry::Backoff)
                .hint(format!("add `{key}` to the secret")),
            Self::Credentials(_) => Advice::new(reason::AUTHENTICATION_FAILED, Retry::Backoff)
                .hint("make the secret with `kubectl create secret docker-registry`"),
            Self::Trust(error) => error.advice(),
        }
    }
}

/// What an object asks for.
#[derive(Debug)]
pub(super) struct Request {
    /// The image.
    pub(super) reference: Reference,
    /// How the registry is spoken to.
    pub(super) registry: RegistryConfig,
    /// Who must have signed; nobody when absent.
    pub(super) trust: Option<Trust>,
    /// The digest that the user approves.
    pub(super) approve: Option<Digest>,
    /// Whether fuel has to be counted.
    pub(super) meters: bool,
}

/// Key of a pull secret.
const PULL: &str = ".dockerconfigjson";
/// Key of a certificate secret.
const AUTHORITY: &str = "ca.crt";

/// Reads a specification. `private_networks` tells whether the kind may grant those.
///
/// # Errors
/// [`RequestError`] names the field or the Secret.
pub(super) fn request(
    spec: &PluginSpec,
    secrets: &Secrets,
    private_networks: bool,
) -> Result<Request, RequestError> {
    spec.interval()?;
    let timeout = spec.timeout()?;
    let reference = Reference::parse(&spec.image)?;
    let meters = grants::granted(spec, private_networks)?.meters();
    let approve = spec.approve.as_ref().map(|text| {
        let wrong = |_| RequestError::Approve(text.clone());
        text.parse::<Digest>().map_err(wrong)
    });
    let mut registry = RegistryConfig {
        timeout,
        ..RegistryConfig::default()
    };
    if let Some(data) = &secrets.pull {
        let bytes = key("spec.pullSecretRef", data, PULL)?;
        registry.credentials = Keychain::docker_config(bytes)?;
    }
    if let Some(data) = &secrets.certificate {
        let bytes = key("spec.certSecretRef", data, AUTHORITY)?;
        registry.authority = Some(bytes.to_vec());
    }
    if spec.insecure {
        registry.plain_http_hosts = BTreeSet::from([reference.registry().to_owned()]);
    }
    let trust = match &spec.verify {
        None => None,
        Some(verify) => Some(trust::trust(verify, secrets)?),
    };
    Ok(Request {
        reference,
        registry,
        trust,
        approve: approve.transpose()?,
        meters,
    })
}

/// Returns one key of a Secret that must have it.
pub(super) fn key<'a>(
    field: &'static str,
    data: &'a Result<Data, SecretError>,
    key: &'static str,
) -> Result<&'a [u8], RequestError> {
    let data = data.as_ref().map_err(Clone::clone)?;
    data.get(key)
        .map(Vec::as_slice)
        .ok_or(RequestError::Lacks { field, key })
}

/// Tells whether an image without a good signature is run.
pub(super) fn only_warns(spec: &PluginSpec) -> bool {
    let verify = spec.verify.as_ref();
    verify.is_some_and(|verify| verify.mode() == VerificationMode::Warn)
}

/// The Secrets that a spec names: pull, certificate, keys and trusted root.
pub(super) fn references(spec: &PluginSpec) -> [Option<&LocalObjectReference>; 4] {
    let verify = spec.verify.as_ref();
    [
        spec.pull_secret_ref.as_ref(),
        spec.cert_secret_ref.as_ref(),
        verify.and_then(|verify| verify.secret_ref.as_ref()),
        verify.and_then(|verify| verify.trusted_root_secret_ref.as_ref()),
    ]
}
