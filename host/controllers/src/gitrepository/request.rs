//! From a specification and its Secrets to what the source crate is asked for. Pure but for reading
//! those.

use bulkhead_api::source::{GitProvider, GitRepositoryRef, GitRepositorySpec};
use bulkhead_api::{Advice, Retry, SpecError, reason};
use bulkhead_source::{
    ClientCertificate, Credentials, GitRequest, Location, LocationError, Proxy, Reference, Secret,
};

use crate::holder::Holder;
use crate::queue::Key;
use crate::sources::secrets;

/// The data of a Secret.
pub use crate::holder::Data;

/// Why a Secret could not be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SecretError {
    /// It is not there.
    #[error("failed to get secret '{0}': it does not exist")]
    Missing(String),
    /// The server refused, or could not be reached.
    #[error("failed to get secret '{0}': {1}")]
    Request(String, String),
    /// The ServiceAccount with pull secrets could not be read.
    #[error("failed to get serviceaccount '{0}': {1}")]
    Account(String, String),
}

/// What the Secrets hold that a repository names, where it names them.
#[derive(Clone, Debug, Default)]
pub struct Secrets {
    /// What `secretRef` names.
    pub credentials: Option<Result<Data, SecretError>>,
    /// What `proxySecretRef` names.
    pub proxy: Option<Result<Data, SecretError>>,
}

impl Secrets {
    /// Reads the Secrets of the repository `key`.
    pub async fn read(holder: &impl Holder, key: &Key, spec: &GitRepositorySpec) -> Self {
        Self {
            credentials: secrets::read(holder, key, spec.secret_ref.as_ref()).await,
            proxy: secrets::read(holder, key, spec.proxy_secret_ref.as_ref()).await,
        }
    }
}

/// Where a repository may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// Behind HTTP or SSH.
    Remote,
    /// There, and in a folder of this machine: `file://`, for who runs `bulkhead sync`.
    Local,
}

/// Why nothing can be asked for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RequestError {
    /// A field cannot be used.
    #[error(transparent)]
    Spec(#[from] SpecError),
    /// The URL is refused.
    #[error("failed to read `spec.url`")]
    Location(#[from] LocationError),
    /// A feature that is not there yet.
    #[error("`{field}` is not supported yet")]
    Unsupported {
        /// Path of the field.
        field: &'static str,
    },
    /// A Secret could not be read.
    #[error(transparent)]
    Secret(#[from] SecretError),
    /// A Secret lacks a key, or has one that does not fit.
    #[error("failed to configure authentication options: {0}")]
    Authentication(String),
    /// The Secret of the proxy lacks a key.
    #[error("failed to configure proxy options: {0}")]
    Proxy(String),
}

impl RequestError {
    /// Names the reason, when to try again, and what the user can do.
    pub fn advice(&self) -> Advice {
        let authentication = || Advice::new(reason::AUTHENTICATION_FAILED, Retry::Backoff);
        match self {
            Self::Spec(error) => error.advice(),
            Self::Location(_) => Advice::new(reason::URL_INVALID, Retry::OnChange)
                .hint("write `spec.url` as `https://host/path` or `ssh://user@host/path`"),
            Self::Unsupported { field } => Advice::new(reason::own::NOT_SUPPORTED, Retry::OnChange)
                .hint(format!("remove `{field}`")),
            Self::Secret(_) => authentication().hint("create the Secret in the same namespace"),
            Self::Authentication(_) => authentication().hint(
                "give `username` and `password`, or `bearerToken`, for http; `identity` and \
                 `known_hosts` for ssh",
            ),
            Self::Proxy(_) => authentication().hint("give `address` in the Secret of the proxy"),
        }
    }
}

/// Makes the request of a repository.
///
/// # Errors
/// See [`RequestError`].
pub fn request(
    spec: &GitRepositorySpec,
    secrets: &Secrets,
    reach: Reach,
) -> Result<GitRequest, RequestError> {
    spec.interval()?;
    refuse_what_is_missing(spec)?;
    let location = Location::parse(&spec.url, reach == Reach::Local)?;
    let mut request = GitRequest::new(location);
    request.timeout = spec.timeout()?;
    request.reference = reference(spec.reference.as_ref());
    request.ignore = spec.ignore.clone();
    if let Some(secret) = &secrets.credentials {
        let data = secret.as_ref().map_err(Clone::clone)?;
        request.credentials = credentials(&spec.url, data)?;
        request.authority = bytes(data, &["ca.crt", "caFile"]);
        request.client_certificate = certificate(data)?;
    } else if spec.url.starts_with("ssh://") {
        return Err(missing("identity"));
    }
    if let Some(proxy) = &secrets.proxy {
        request.proxy = Some(proxy_of(proxy.as_ref().map_err(Clone::clone)?)?);
    }
    Ok(request)
}

fn refuse_what_is_missing(spec: &GitRepositorySpec) -> Result<(), RequestError> {
    let unsupported = |field| Err(RequestError::Unsupported { field });
    match spec.provider() {
        GitProvider::Generic => {}
        GitProvider::Aws | GitProvider::Azure | GitProvider::GitHub => {
            return unsupported("spec.provider");
        }
        GitProvider::Other(value) => {
            return Err(SpecError::unknown("spec.provider", &value, GitProvider::KNOWN).into());
        }
    }
    // Leaving one of these out would apply what nobody asked for, or what nobody signed.
    if spec.verify.is_some() {
        return unsupported("spec.verify");
    }
    if spec.recurse_submodules {
        return unsupported("spec.recurseSubmodules");
    }
    if !spec.include.is_empty() {
        return unsupported("spec.include");
    }
    if !spec.sparse_checkout.is_empty() {
        return unsupported("spec.sparseCheckout");
    }
    Ok(())
}

fn reference(reference: Option<&GitRepositoryRef>) -> Reference {
    let Some(reference) = reference else {
        return Reference::default();
    };
    Reference {
        branch: reference.branch.clone(),
        tag: reference.tag.clone(),
        semver: reference.semver.clone(),
        name: reference.name.clone(),
        commit: reference.commit.clone(),
    }
}

/// # Source
/// Keys and their precedence as in fluxcd/pkg `git/options.go`.
fn credentials(url: &str, data: &Data) -> Result<Credentials, RequestError> {
    if url.starts_with("ssh://") {
        let identity = text(data, "identity")?.ok_or_else(|| missing("identity"))?;
        let known_hosts = text(data, "known_hosts")?.ok_or_else(|| missing("known_hosts"))?;
        let password = text(data, "password")?.map(Secret::new);
        return Ok(Credentials::Ssh {
            identity: Secret::new(identity),
            known_hosts,
            password,
        });
    }
    if let Some(token) = text(data, "bearerToken")? {
        return Ok(Credentials::Bearer(Secret::new(token)));
    }
    let username = text(data, "username")?;
    let password = text(data, "password")?;
    match (username, password) {
        (None, None) => Ok(Credentials::None),
        (None, Some(_)) => Err(RequestError::Authentication(
            "invalid 'https' auth option: 'password' requires 'username' to be set".into(),
        )),
        (Some(username), password) => Ok(Credentials::Basic {
            username,
            password: Secret::new(password.unwrap_or_default()),
        }),
    }
}

fn missing(key: &str) -> RequestError {
    RequestError::Authentication(format!("invalid 'ssh' auth option: '{key}' is required"))
}

fn certificate(data: &Data) -> Result<Option<ClientCertificate>, RequestError> {
    let chain = bytes(data, &["tls.crt", "certFile"]);
    let key = bytes(data, &["tls.key", "keyFile"]);
    match (chain, key) {
        (None, None) => Ok(None),
        (Some(chain), Some(key)) => {
            let key = String::from_utf8(key).map_err(|_| not_text("tls.key"))?;
            Ok(Some(ClientCertificate {
                chain,
                key: Secret::new(key),
            }))
        }
        _ => Err(RequestError::Authentication(
            "'tls.crt' and 'tls.key' must both be set, or neither".into(),
        )),
    }
}

fn proxy_of(data: &Data) -> Result<Proxy, RequestError> {
    let address = text(data, "address")?;
    let address =
        address.ok_or_else(|| RequestError::Proxy("key 'address' not found in secret".into()))?;
    Ok(Proxy {
        address,
        username: text(data, "username")?,
        password: text(data, "password")?.map(Secret::new),
    })
}

fn bytes(data: &Data, keys: &[&str]) -> Option<Vec<u8>> {
    keys.iter()
        .find_map(|key| data.get(*key))
        .filter(|value| !value.is_empty())
        .cloned()
}

/// Returns the value of a key; `None` when it is absent or empty. The value is never quoted.
fn text(data: &Data, key: &str) -> Result<Option<String>, RequestError> {
    let Some(value) = bytes(data, &[key]) else {
        return Ok(None);
    };
    String::from_utf8(value)
        .map(Some)
        .map_err(|_| not_text(key))
}

fn not_text(key: &str) -> RequestError {
    RequestError::Authentication(format!("the value of key '{key}' is not UTF-8"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may")]

    use std::time::Duration;

    use super::*;

    fn spec(url: &str) -> GitRepositorySpec {
        GitRepositorySpec::new(url, Duration::from_secs(60))
    }

    fn observed(pairs: &[(&str, &str)]) -> Secrets {
        let data = pairs
            .iter()
            .map(|(k, v)| ((*k).to_owned(), v.as_bytes().to_vec()))
            .collect();
        Secrets {
            credentials: Some(Ok(data)),
            ..Secrets::default()
        }
    }

    fn refused(spec: &GitRepositorySpec, observed: &Secrets) -> (String, &'static str, Retry) {
        let error = request(spec, observed, Reach::Remote).unwrap_err();
        let advice = error.advice();
        (bulkhead_api::chain(&error), advice.reason, advice.retry)
    }

    #[test]
    fn keys_of_flux_become_credentials() {
        let https = spec("https://example.com/x");
        let basic = request(
            &https,
            &observed(&[("username", "u"), ("password", "p")]),
            Reach::Remote,
        )
        .unwrap();
        assert!(
            matches!(basic.credentials, Credentials::Basic { username, .. } if username == "u")
        );
        let keys = [("bearerToken", "t"), ("username", "u"), ("password", "p")];
        let bearer = request(&https, &observed(&keys), Reach::Remote).unwrap();
        assert!(matches!(bearer.credentials, Credentials::Bearer(_)));
        let ssh = spec("ssh://git@example.com/x");
        let keys = [("identity", "k"), ("known_hosts", "h")];
        let ssh = request(&ssh, &observed(&keys), Reach::Remote).unwrap();
        assert!(matches!(
            ssh.credentials,
            Credentials::Ssh { password: None, .. }
        ));
    }

    #[test]
    fn what_is_wrong_has_flux_s_words_and_reason() {
        let ssh = spec("ssh://git@example.com/x");
        assert_eq!(
            refused(&ssh, &observed(&[("identity", "k")])),
            (
                "failed to configure authentication options: invalid 'ssh' auth option: \
                 'known_hosts' is required"
                    .into(),
                "AuthenticationFailed",
                Retry::Backoff
            )
        );
        assert_eq!(refused(&ssh, &Secrets::default()).1, "AuthenticationFailed");
        let missing = Secrets {
            credentials: Some(Err(SecretError::Missing("apps/login".into()))),
            ..Secrets::default()
        };
        let https = spec("https://example.com/x");
        assert_eq!(
            refused(&https, &missing).0,
            "failed to get secret 'apps/login': it does not exist"
        );
    }

    #[test]
    fn addresses_that_are_none_stall() {
        for url in ["file:///etc", "ftp://x/y", "git@github.com:a/b", "ext::sh"] {
            let (_, reason, retry) = refused(&spec(url), &Secrets::default());
            assert_eq!((reason, retry), ("URLInvalid", Retry::OnChange), "{url}");
        }
    }

    #[test]
    fn an_interval_that_no_clock_can_hold_stalls() {
        let mut spec = spec("https://example.com/x");
        spec.interval = bulkhead_api::GoDuration::new("99999999999h");
        let (text, reason, retry) = refused(&spec, &Secrets::default());
        assert_eq!((reason, retry), ("ValidationFailed", Retry::OnChange));
        assert!(
            text.contains("`spec.interval`") && text.contains("99999999999h"),
            "{text}"
        );
    }

    #[test]
    fn what_is_not_there_yet_is_refused_and_not_ignored() {
        let mut spec = spec("https://example.com/x");
        spec.recurse_submodules = true;
        let (text, _, retry) = refused(&spec, &Secrets::default());
        assert_eq!(text, "`spec.recurseSubmodules` is not supported yet");
        assert_eq!(retry, Retry::OnChange);
    }
}
