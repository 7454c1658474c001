//! From a HelmRepository and its Secrets to how its charts are had, for itself and for HelmCharts.
//!
//! # Source
//! source-controller 1.9, `internal/helm/getter/client_opts.go`.

use bulkhead_api::source::{HelmRepositorySpec, HelmRepositoryType, RegistryProvider};
use bulkhead_api::{Advice, Retry, SpecError, reason};
use bulkhead_source::helm::{RepositoryConfig, masked};
use bulkhead_source::oci::RegistryConfig;
use bulkhead_source::{Credentials, Secret};

use crate::holder::Holder;
use crate::queue::Key;
use crate::sources::registry::{self, AccessError};
use crate::sources::secrets;

/// What the Secrets of a HelmRepository hold.
#[derive(Debug, Default)]
pub(crate) struct Secrets {
    /// What `secretRef` names.
    pub(crate) login: Option<secrets::Read>,
    /// What `certSecretRef` names.
    pub(crate) certificate: Option<secrets::Read>,
}

impl Secrets {
    /// Reads them.
    pub(crate) async fn read(holder: &impl Holder, key: &Key, spec: &HelmRepositorySpec) -> Self {
        Self {
            login: secrets::read(holder, key, spec.secret_ref.as_ref()).await,
            certificate: secrets::read(holder, key, spec.cert_secret_ref.as_ref()).await,
        }
    }
}

/// Why a repository cannot be asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RequestError {
    /// A field cannot be used.
    #[error(transparent)]
    Spec(#[from] SpecError),
    /// A feature that is not there yet.
    #[error("`spec.provider` of the HelmRepository is not supported yet")]
    Provider,
    /// The URL is one of a registry, and the type is not.
    #[error(
        "invalid Helm repository URL: 'oci' URL scheme cannot be used with 'default' HelmRepository \
         type"
    )]
    Scheme,
    /// The URL is none of a registry, and the type is.
    #[error("failed to construct Helm client: invalid OCI registry URL: {0}")]
    Registry(String),
    /// There is no login that can be used.
    #[error("failed to detect authentication methods")]
    Login(#[source] AccessError),
    /// There is no login for a registry that can be used.
    #[error("failed to configure OCI registry authentication")]
    RegistryLogin(#[source] AccessError),
    /// The login of Docker is for other registries.
    #[error(
        "failed to configure OCI registry authentication: no auth config for '{host}' in the \
         docker-registry Secret '{secret}'"
    )]
    NoEntry {
        /// The registry.
        host: String,
        /// The Secret.
        secret: String,
    },
    /// The Secret of the login could not be read.
    #[error("failed to get authentication secret")]
    LoginSecret(#[source] AccessError),
    /// The Secret of the certificates could not be read.
    #[error("failed to get TLS authentication secret")]
    CertificateSecret(#[source] AccessError),
    /// The certificates cannot be used.
    #[error("failed to construct Helm client's TLS config")]
    Certificate(#[source] AccessError),
}

impl RequestError {
    /// Names the reason, when to try again, and what the user can do.
    pub(crate) fn advice(&self) -> Advice {
        match self {
            Self::Spec(error) => error.advice(),
            Self::Provider => Advice::new(reason::own::NOT_SUPPORTED, Retry::OnChange)
                .hint("use `generic` and a secret"),
            Self::Scheme => Advice::new(reason::URL_INVALID, Retry::OnChange)
                .hint("set `spec.type: oci`, or write `spec.url` with `https://`"),
            Self::Registry(_) => Advice::new(reason::FAILED, Retry::OnChange)
                .hint("write `spec.url` of the HelmRepository with `oci://`"),
            Self::NoEntry { host, .. } => {
                Advice::new(reason::AUTHENTICATION_FAILED, Retry::Backoff).hint(format!(
                    "make the secret with `kubectl create secret docker-registry \
                     --docker-server={host}`, or leave `spec.secretRef` out"
                ))
            }
            Self::Login(error)
            | Self::RegistryLogin(error)
            | Self::LoginSecret(error)
            | Self::CertificateSecret(error)
            | Self::Certificate(error) => error.advice(),
        }
    }
}

/// Says how a repository with an index is asked.
///
/// # Errors
/// [`RequestError`].
pub(crate) fn web(
    spec: &HelmRepositorySpec,
    secrets: &Secrets,
) -> Result<RepositoryConfig, RequestError> {
    match &spec.type_ {
        None | Some(HelmRepositoryType::Default) => {}
        Some(other) => {
            let (field, known) = ("spec.type", HelmRepositoryType::KNOWN);
            return Err(SpecError::unknown(field, other.as_str(), known).into());
        }
    }
    if spec.url.starts_with("oci://") {
        return Err(RequestError::Scheme);
    }
    let mut config = RepositoryConfig::new(&spec.url);
    config.timeout = spec.timeout()?;
    config.pass_credentials = spec.pass_credentials;
    if let Some(data) = &secrets.login {
        let data = data.as_ref().map_err(|error| error.clone().into());
        let data = data.map_err(RequestError::LoginSecret)?;
        if let Some((username, password)) = registry::basic(data).map_err(RequestError::Login)? {
            let password = Secret::new(password);
            config.credentials = Credentials::Basic { username, password };
        }
        // An old way to name certificates; half of a pair is none.
        if let Ok((authority, own)) = registry::certificates(data) {
            config.authority = authority;
            config.client_certificate = own;
        }
    }
    if let Some((authority, own)) = certificates(secrets)? {
        config.authority = authority;
        config.client_certificate = own;
    }
    Ok(config)
}

/// Says how the registry `host` of a repository of type `oci` is asked.
///
/// # Errors
/// [`RequestError`].
pub(crate) fn oci(
    spec: &HelmRepositorySpec,
    secrets: &Secrets,
    host: &str,
) -> Result<RegistryConfig, RequestError> {
    match spec.provider() {
        RegistryProvider::Generic => {}
        RegistryProvider::Other(value) => {
            let known = RegistryProvider::KNOWN;
            return Err(SpecError::unknown("spec.provider", &value, known).into());
        }
        // As in Flux, a secret comes before the cloud's login.
        _ if spec.secret_ref.is_some() => {}
        _ => return Err(RequestError::Provider),
    }
    if !spec.url.starts_with("oci://") {
        return Err(RequestError::Registry(masked(&spec.url)));
    }
    let mut config = registry::config(host, spec.timeout()?, spec.insecure);
    if let Some(data) = &secrets.login {
        let data = data.as_ref().map_err(|error| error.clone().into());
        let data = data.map_err(RequestError::LoginSecret)?;
        let login = registry::login(data, host);
        let login = login.map_err(RequestError::RegistryLogin)?;
        if registry::is_docker_login(data) && !login.names(host) {
            let secret = spec.secret_ref.as_ref();
            return Err(RequestError::NoEntry {
                host: host.to_owned(),
                secret: secret.map(|secret| secret.name.clone()).unwrap_or_default(),
            });
        }
        config.credentials = login;
        // An old way to name certificates; half of a pair is none.
        if let Ok((authority, own)) = registry::certificates(data) {
            config.authority = authority;
            config.client_certificate = own;
        }
    }
    if let Some((authority, own)) = certificates(secrets)? {
        config.authority = authority;
        config.client_certificate = own;
    }
    Ok(config)
}

type Certificates = (Option<Vec<u8>>, Option<bulkhead_source::ClientCertificate>);

fn certificates(secrets: &Secrets) -> Result<Option<Certificates>, RequestError> {
    let Some(data) = &secrets.certificate else {
        return Ok(None);
    };
    let data = data.as_ref().map_err(|error| error.clone().into());
    let data = data.map_err(RequestError::CertificateSecret)?;
    let read = registry::certificates(data);
    read.map(Some).map_err(RequestError::Certificate)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may")]

    use std::time::Duration;

    use super::*;
    use crate::gitrepository::request::SecretError;

    fn spec(url: &str) -> HelmRepositorySpec {
        HelmRepositorySpec::new(url, Duration::from_secs(60))
    }

    fn with(pairs: &[(&str, &str)]) -> Secrets {
        let pairs = pairs.iter();
        let data = pairs.map(|(k, v)| ((*k).to_owned(), v.as_bytes().to_vec()));
        Secrets {
            login: Some(Ok(data.collect())),
            certificate: None,
        }
    }

    fn told(error: &RequestError) -> (String, &'static str, Retry) {
        let advice = error.advice();
        (bulkhead_api::chain(error), advice.reason, advice.retry)
    }

    #[test]
    fn a_login_is_user_name_and_password() {
        let url = "https://charts.example.com";
        let login = with(&[("username", "u"), ("password", "p")]);
        let config = web(&spec(url), &login).unwrap();
        assert!(
            matches!(config.credentials, Credentials::Basic { username, .. } if username == "u")
        );
        let (text, reason, retry) =
            told(&web(&spec(url), &with(&[("username", "u")])).unwrap_err());
        assert_eq!(
            text,
            "failed to detect authentication methods: the secret has `username` and no `password`"
        );
        assert_eq!((reason, retry), ("AuthenticationFailed", Retry::Backoff));
        let missing = Secrets {
            login: Some(Err(SecretError::Missing("apps/login".into()))),
            certificate: None,
        };
        let (text, ..) = told(&web(&spec(url), &missing).unwrap_err());
        assert_eq!(
            text,
            "failed to get authentication secret: failed to get secret 'apps/login': it does not \
             exist"
        );
    }

    #[test]
    fn a_docker_login_is_one_for_the_registry() {
        let mut spec = spec("oci://registry.example.com/charts");
        spec.secret_ref = Some(bulkhead_api::meta::LocalObjectReference {
            name: "pull".into(),
        });
        let login = |host: &str| {
            let auths = format!(r#"{{"auths":{{"{host}":{{"username":"u","password":"p"}}}}}}"#);
            with(&[(".dockerconfigjson", &auths), ("ca.crt", "authority")])
        };
        let ask = |login: &Secrets| oci(&spec, login, "registry.example.com");
        for host in [
            "registry.example.com",
            "https://registry.example.com/v1/",
            "registry.example.com/charts",
        ] {
            let config = ask(&login(host)).unwrap();
            // An old way to name certificates.
            assert_eq!(config.authority.as_deref(), Some(&b"authority"[..]));
        }
        let (text, reason, retry) = told(&ask(&login("other.example.com")).unwrap_err());
        assert_eq!(
            text,
            "failed to configure OCI registry authentication: no auth config for \
             'registry.example.com' in the docker-registry Secret 'pull'"
        );
        assert_eq!((reason, retry), ("AuthenticationFailed", Retry::Backoff));
    }

    #[test]
    fn no_error_repeats_a_login_of_the_url() {
        let url = "https://user:secret@example.com/charts?token=secret";
        let error = oci(&spec(url), &Secrets::default(), "example.com").unwrap_err();
        let (text, ..) = told(&error);
        assert!(text.ends_with(": https://example.com/charts"), "{text}");
    }

    #[test]
    fn type_and_url_must_fit() {
        let none = Secrets::default();
        let registry = spec("oci://example.com/charts");
        let (text, reason, retry) = told(&web(&registry, &none).unwrap_err());
        assert_eq!(
            text,
            "invalid Helm repository URL: 'oci' URL scheme cannot be used with 'default' \
             HelmRepository type"
        );
        assert_eq!((reason, retry), ("URLInvalid", Retry::OnChange));
        let mut registry = registry;
        registry.insecure = true;
        let config = oci(&registry, &none, "example.com").unwrap();
        assert!(config.plain_http_hosts.contains("example.com"));
        let wrong = spec("https://example.com/charts");
        assert_eq!(
            told(&oci(&wrong, &none, "example.com").unwrap_err()).1,
            "Failed"
        );
        registry.provider = Some(RegistryProvider::Gcp);
        let refused = oci(&registry, &none, "example.com").unwrap_err();
        assert_eq!(refused, RequestError::Provider);
    }
}
