//! What a fetch is asked for: plain values, filled from a GitRepository or from a flag.

use std::time::Duration;

use crate::{Limits, Location, Secret};

/// One repository at one reference, and how to get at it.
#[derive(Clone, Debug)]
pub struct GitRequest {
    /// Where the repository is.
    pub location: Location,
    /// Which commit of it.
    pub reference: Reference,
    /// How to log in.
    pub credentials: Credentials,
    /// Certificates in PEM to trust beside the built-in ones; `ca.crt` of the secret.
    pub authority: Option<Vec<u8>>,
    /// Client certificate and key in PEM; `tls.crt` and `tls.key` of the secret.
    pub client_certificate: Option<ClientCertificate>,
    /// Proxy for HTTP.
    pub proxy: Option<Proxy>,
    /// Longest time for the whole fetch; Flux's default is 60 seconds.
    pub timeout: Duration,
    /// `spec.ignore`: gitignore patterns that replace the default ones.
    pub ignore: Option<String>,
    /// `spec.sparseCheckout`: only files whose path starts with one of these texts; all if empty.
    pub sparse_checkout: Vec<String>,
    /// `spec.recurseSubmodules`: a commit that has submodules is refused if this is set.
    pub recurse_submodules: bool,
    /// What it may cost.
    pub limits: Limits,
}

impl GitRequest {
    /// Asks for branch `master`, as Flux does, without credentials, within 60 seconds.
    pub fn new(location: Location) -> Self {
        Self {
            location,
            reference: Reference::default(),
            credentials: Credentials::None,
            authority: None,
            client_certificate: None,
            proxy: None,
            timeout: Duration::from_secs(60),
            ignore: None,
            sparse_checkout: Vec::new(),
            recurse_submodules: false,
            limits: Limits::default(),
        }
    }
}

/// `spec.ref`. When several are given, commit wins over name, name over semver, semver over tag,
/// tag over branch; a branch beside a commit only appears in the revision.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Reference {
    /// A branch, without `refs/heads/`; `master` when nothing is given.
    pub branch: Option<String>,
    /// A tag, without `refs/tags/`.
    pub tag: Option<String>,
    /// A range of versions among the tags.
    pub semver: Option<String>,
    /// An absolute reference, like `refs/pull/1/head`.
    pub name: Option<String>,
    /// A commit in 40 hexadecimal digits.
    pub commit: Option<String>,
}

impl Reference {
    /// Names a branch.
    pub fn branch(name: impl Into<String>) -> Self {
        Self {
            branch: Some(name.into()),
            ..Self::default()
        }
    }

    /// Names a tag.
    pub fn tag(name: impl Into<String>) -> Self {
        Self {
            tag: Some(name.into()),
            ..Self::default()
        }
    }

    /// Names a range of versions.
    pub fn semver(range: impl Into<String>) -> Self {
        Self {
            semver: Some(range.into()),
            ..Self::default()
        }
    }

    /// Names an absolute reference.
    pub fn name(name: impl Into<String>) -> Self {
        Self {
            name: Some(name.into()),
            ..Self::default()
        }
    }

    /// Names a commit.
    pub fn commit(commit: impl Into<String>) -> Self {
        Self {
            commit: Some(commit.into()),
            ..Self::default()
        }
    }
}

/// How to log in. A user or password in the URL fills what is missing here.
#[derive(Clone, Debug, Default)]
pub enum Credentials {
    /// Not at all.
    #[default]
    None,
    /// HTTP basic authentication.
    Basic {
        /// Name; may be empty.
        username: String,
        /// Password or token.
        password: Secret,
    },
    /// HTTP bearer token.
    Bearer(Secret),
    /// SSH with a key.
    Ssh {
        /// Private key in PEM: ed25519, ecdsa or rsa.
        identity: Secret,
        /// Lines of a `known_hosts` file, one of which must name the host.
        known_hosts: String,
        /// Passphrase of the key.
        password: Option<Secret>,
    },
}

/// A client certificate for TLS.
#[derive(Clone, Debug)]
pub struct ClientCertificate {
    /// Certificate chain in PEM.
    pub chain: Vec<u8>,
    /// Key in PEM.
    pub key: Secret,
}

/// An HTTP or SOCKS proxy.
#[derive(Clone, Debug)]
pub struct Proxy {
    /// `http://host:port`, `https://host:port` or `socks5://host:port`.
    pub address: String,
    /// Name to log in with.
    pub username: Option<String>,
    /// Password to log in with.
    pub password: Option<Secret>,
}
