//! Why an exchange with a registry failed, and what that means for the user.

use std::time::Duration;

use bulkhead_api::{Advice, Digest, Retry};

use super::{CredentialsError, ReferenceError};

type Cause = Box<dyn std::error::Error + Send + Sync>;

/// Why there is no answer, or none that can be used. No text holds a credential; what a registry
/// said is shortened and has no control characters. `place` is what was asked for: a reference, or
/// a repository.
#[derive(Debug, thiserror::Error)]
pub enum OciError {
    /// The reference is malformed.
    #[error(transparent)]
    Reference(#[from] ReferenceError),
    /// The settings cannot be used.
    #[error("failed to prepare the connection to a registry: {0}")]
    Settings(String),
    /// The logins cannot be read.
    #[error("failed to read the logins of registries")]
    Credentials(#[from] CredentialsError),
    /// It does not exist, or this login may not see it.
    #[error("{place} does not exist, or this login may not see it: {answer}")]
    NotFound {
        /// What was asked for.
        place: String,
        /// What the registry said.
        answer: String,
    },
    /// The registry wants another login.
    #[error("{place} needs a login, or refused it: {answer}")]
    Unauthorised {
        /// What was asked for.
        place: String,
        /// What the registry said.
        answer: String,
        /// Whether there was a login to send.
        had_login: bool,
        /// The credential helper that the configuration names, and that is not run.
        helper: Option<String>,
    },
    /// The login may not do this.
    #[error("the login may not use {place}: {answer}")]
    Forbidden {
        /// What was asked for.
        place: String,
        /// What the registry said.
        answer: String,
    },
    /// The registry asks for less.
    #[error("{place} is limiting requests: {answer}")]
    RateLimited {
        /// What was asked for.
        place: String,
        /// What the registry said.
        answer: String,
        /// When it may be asked again, if it said so.
        retry_after: Option<Duration>,
    },
    /// The registry fails.
    #[error("{place} is not available: {answer}")]
    Unavailable {
        /// What was asked for.
        place: String,
        /// Status and what the registry said.
        answer: String,
        /// When it may be asked again, if it said so.
        retry_after: Option<Duration>,
    },
    /// The registry answers with a status that has no meaning here.
    #[error("{place} answered with {answer}")]
    Status {
        /// What was asked for.
        place: String,
        /// Status and what the registry said.
        answer: String,
        /// The status.
        status: u16,
    },
    /// What answered is no registry.
    #[error("{place} did not answer as a registry but with `{content_type}`")]
    NotRegistry {
        /// What was asked for.
        place: String,
        /// The type of the answer.
        content_type: String,
    },
    /// The registry broke the protocol.
    #[error("failed to use the answer of {place}: {problem}")]
    Protocol {
        /// What was asked for.
        place: String,
        /// What is wrong.
        problem: String,
    },
    /// An address that may not be connected to.
    #[error("{place} has the address {address}, which may not be connected to")]
    Address {
        /// What was asked for.
        place: String,
        /// The address.
        address: std::net::IpAddr,
    },
    /// A redirect was refused.
    #[error("refused to follow the redirect of {place}: {problem}")]
    Redirect {
        /// What was asked for.
        place: String,
        /// Why.
        problem: String,
    },
    /// No connection, or it broke.
    #[error("failed to reach {place}")]
    Unreachable {
        /// What was asked for.
        place: String,
        /// Why.
        #[source]
        source: Cause,
    },
    /// The registry's certificate is not trusted, or it does not speak TLS.
    #[error("failed to trust the certificate of {place}")]
    Certificate {
        /// What was asked for.
        place: String,
        /// Why.
        #[source]
        source: Cause,
    },
    /// It took longer than allowed.
    #[error("{place} did not finish within {}s", after.as_secs_f64())]
    Timeout {
        /// What was asked for.
        place: String,
        /// The time it had.
        after: Duration,
    },
    /// Something is larger than allowed.
    #[error("{what} of {place} is past the limit `{limit}` of {allowed}")]
    Limit {
        /// What was asked for.
        place: String,
        /// What is too large.
        what: String,
        /// Field of [`Limits`](super::Limits).
        limit: &'static str,
        /// Its value.
        allowed: u64,
    },
    /// The bytes are others than the digest says.
    #[error("{what} of {place} has digest {found}, but {expected} was asked for")]
    DigestMismatch {
        /// What was asked for.
        place: String,
        /// `the manifest`, `layer 1`.
        what: String,
        /// The digest that the bytes have.
        found: Digest,
        /// The digest that they should have.
        expected: Digest,
    },
    /// There are more or fewer bytes than the manifest says.
    #[error("{what} of {place} has {found} bytes, but its descriptor says {expected}")]
    SizeMismatch {
        /// What was asked for.
        place: String,
        /// `layer 1`.
        what: String,
        /// `12`, `more than 12`.
        found: String,
        /// What the descriptor says.
        expected: u64,
    },
    /// The manifest cannot be read, or contradicts itself.
    #[error("the manifest of {place} {problem}")]
    Manifest {
        /// What was asked for.
        place: String,
        /// What is wrong.
        problem: String,
    },
    /// Another kind of thing stands there than is read here.
    #[error("{place} is of type `{found}`, and {expected} is expected")]
    MediaType {
        /// What was asked for.
        place: String,
        /// The type.
        found: String,
        /// What can be read.
        expected: &'static str,
    },
    /// A container image stands where a plugin should.
    #[error("{place} is a container image, not a Wasm component")]
    Image {
        /// What was asked for.
        place: String,
    },
    /// A list of platforms stands where a plugin should.
    #[error("{place} is an index of {count} platforms, not one Wasm component: {platforms}")]
    Index {
        /// What was asked for.
        place: String,
        /// How many manifests it lists.
        count: usize,
        /// The first of them.
        platforms: String,
    },
    /// A plugin has one layer, neither none nor several.
    #[error("{place} has {count} layers, and a Wasm component has exactly one")]
    Layers {
        /// What was asked for.
        place: String,
        /// How many there are.
        count: usize,
    },
    /// The layer is compressed.
    #[error("the layer of {place} is compressed (`{media_type}`), and is only read uncompressed")]
    Compressed {
        /// What was asked for.
        place: String,
        /// The type of the layer.
        media_type: String,
    },
    /// A layout on disk or in an archive cannot be used.
    #[error("failed to {action} the image layout: {problem}")]
    Layout {
        /// `read`, `write`.
        action: &'static str,
        /// What is wrong, with the file.
        problem: String,
    },
}

impl OciError {
    /// Names the reason (stable API), when to try again, and what the user can do.
    pub fn advice(&self) -> Advice {
        match self {
            Self::Reference(_) => Advice::new("URLInvalid", Retry::OnChange)
                .hint("write it as `registry.example/team/name:tag` or `registry.example/team/name@sha256:…`"),
            Self::Settings(_) => authentication(Retry::OnChange)
                .hint("check `ca.crt`, `tls.crt` and `tls.key` of the certificate's secret"),
            Self::Credentials(_) => authentication(Retry::OnChange)
                .hint("make the secret with `kubectl create secret docker-registry`"),
            Self::NotFound { .. } => pull(Retry::Backoff)
                .hint("check name and tag; many registries answer like this when the login is missing or may not read it"),
            Self::Unauthorised { helper: Some(helper), .. } => authentication(Retry::Backoff).hint(format!(
                "the login is kept by the credential helper `{helper}`, and programs are not run: log in with a token of its own"
            )),
            Self::Unauthorised { had_login: false, .. } => {
                authentication(Retry::Backoff).hint("log in with `docker login`, or name a pull secret for this registry")
            }
            Self::Unauthorised { .. } => authentication(Retry::Backoff)
                .hint("check that the login for this registry is current and may read the repository"),
            Self::Forbidden { .. } => authentication(Retry::Backoff)
                .hint("let this login read the repository (and write it, for a push)"),
            Self::RateLimited { .. } => pull(Retry::Backoff).hint("raise the interval, or log in for a higher quota"),
            Self::NotRegistry { .. } => pull(Retry::Backoff)
                .hint("check the host name: it must be the registry, not the page where one browses it"),
            Self::Address { .. } => pull(Retry::OnChange)
                .hint("name a registry that does not lead to link-local addresses"),
            Self::Redirect { .. } => pull(Retry::OnChange).hint("name the registry that it leads to, if you trust it"),
            Self::Certificate { .. } => pull(Retry::Backoff).hint(
                "give the authority's certificate as `ca.crt`; if the registry speaks plain http, allow that for its host",
            ),
            Self::Timeout { .. } => pull(Retry::Backoff).hint("raise the timeout"),
            Self::Limit { limit: "blob_bytes", .. } => pull(Retry::OnChange)
                .hint("make the component smaller: strip it, and leave out data that can be configuration"),
            Self::Limit { .. } => pull(Retry::OnChange).hint("publish something smaller"),
            Self::DigestMismatch { .. } | Self::SizeMismatch { .. } => pull(Retry::Backoff)
                .hint("push it again; if it stays, the registry or someone in between is changing it"),
            Self::Manifest { .. } => pull(Retry::OnChange).hint("push it again with a current tool"),
            Self::MediaType { .. } => pull(Retry::OnChange).hint("name an artifact of the expected kind"),
            Self::Image { .. } => pull(Retry::OnChange)
                .hint("publish the component with `bulkhead plugin push`, not with `docker push`"),
            Self::Index { .. } => pull(Retry::OnChange)
                .hint("a component runs on every platform: push it once, and name that manifest"),
            Self::Layers { .. } => pull(Retry::OnChange).hint("push the component alone, with `bulkhead plugin push`"),
            Self::Compressed { .. } => pull(Retry::OnChange)
                .hint("push the component as it is: `application/wasm` is never compressed"),
            Self::Layout { .. } => pull(Retry::OnChange).hint("make the archive again with `bulkhead plugin save`"),
            Self::Unavailable { .. } | Self::Status { .. } | Self::Protocol { .. } | Self::Unreachable { .. } => {
                pull(Retry::Backoff)
            }
        }
    }

    /// Returns how long the registry asked to be left alone.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::RateLimited { retry_after, .. } | Self::Unavailable { retry_after, .. } => {
                *retry_after
            }
            _ => None,
        }
    }

    pub(super) fn limit(place: &str, what: &str, limit: &'static str, allowed: u64) -> Self {
        Self::Limit {
            place: place.to_owned(),
            what: what.to_owned(),
            limit,
            allowed,
        }
    }

    pub(super) fn protocol(place: &str, problem: impl AsRef<str>) -> Self {
        Self::Protocol {
            place: place.to_owned(),
            problem: crate::error::clean(problem.as_ref()),
        }
    }

    pub(super) fn manifest(place: &str, problem: impl AsRef<str>) -> Self {
        Self::Manifest {
            place: place.to_owned(),
            problem: crate::error::clean(problem.as_ref()),
        }
    }
}

fn pull(retry: Retry) -> Advice {
    Advice::new("OCIArtifactPullFailed", retry)
}

fn authentication(retry: Retry) -> Advice {
    Advice::new("AuthenticationFailed", retry)
}
