//! A client for registries: OCI distribution over HTTP.
//!
//! In: references. Out: manifests and blobs whose digest and size have been checked against what
//! was asked for. Every answer is bounded, every wait has an end, a login goes to the registry's own
//! origin and to the token service that it names, never through a redirect.

mod answer;
mod blob;
mod challenge;
mod login;
mod push;
mod read;
mod send;

use std::collections::BTreeSet;
use std::fmt;
use std::future::Future;
use std::net::IpAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bulkhead_api::Digest;
use bytes::Bytes;
use url::Url;

use super::manifest::{self, Document};
use super::{Keychain, Limits, OciError, Reference, Repository};
use crate::address::{Resolver, is_reachable, literal};
use crate::transport::tls;
use crate::{ClientCertificate, Proxy, Secret};

pub use blob::Blob;

const USER_AGENT: &str = concat!("bulkhead/", env!("CARGO_PKG_VERSION"));

/// Settings of a [`Registry`]; the default logs in nowhere and speaks TLS alone.
#[derive(Clone, Debug)]
pub struct RegistryConfig {
    /// Logins.
    pub credentials: Keychain,
    /// Certificates in PEM to trust beside the built-in ones.
    pub authority: Option<Vec<u8>>,
    /// Certificate to show to registries.
    pub client_certificate: Option<ClientCertificate>,
    /// Proxy.
    pub proxy: Option<Proxy>,
    /// Registries that are spoken to without TLS, as they stand in references: `127.0.0.1:5000`.
    pub plain_http_hosts: BTreeSet<String>,
    /// What an exchange may cost.
    pub limits: Limits,
    /// Longest time for one operation, a pull with all its retries: 5 minutes.
    pub timeout: Duration,
    /// Tells whether an address may be connected to, of a registry, a token service or where a
    /// redirect leads; [`is_reachable`] unless set. Behind a proxy only addresses that stand in URLs
    /// are asked about.
    pub admits: fn(IpAddr) -> bool,
}

impl Default for RegistryConfig {
    fn default() -> Self {
        Self {
            credentials: Keychain::default(),
            authority: None,
            client_certificate: None,
            proxy: None,
            plain_http_hosts: BTreeSet::new(),
            limits: Limits::default(),
            timeout: Duration::from_secs(300),
            admits: is_reachable,
        }
    }
}

/// A client with one set of logins. Cheap to clone; clones share connections and tokens.
#[derive(Clone)]
pub struct Registry(Arc<Inner>);

struct Inner {
    http: reqwest::Client,
    config: RegistryConfig,
    tokens: Mutex<login::Tokens>,
}

impl fmt::Debug for Registry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Registry").field(&self.0.config).finish()
    }
}

/// A reference that has been looked up once. All that follows goes by its digest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resolved {
    /// What was asked for.
    pub reference: Reference,
    /// Digest of the manifest.
    pub digest: Digest,
    /// Type of the manifest, without parameters.
    pub media_type: String,
    /// The manifest; its digest is [`digest`](Self::digest).
    pub manifest: Bytes,
}

impl Resolved {
    /// Returns the reference with the digest: `ghcr.io/x/y:1@sha256:…`.
    pub fn pinned(&self) -> Reference {
        self.reference.with_digest(self.digest)
    }

    /// Reads the manifest.
    ///
    /// # Errors
    /// [`OciError::Manifest`].
    pub fn document(&self) -> Result<Document, OciError> {
        manifest::parse(&self.media_type, &self.manifest)
            .map_err(|problem| OciError::manifest(&self.reference.to_string(), problem))
    }
}

impl Registry {
    /// Prepares a client; nothing is sent.
    ///
    /// # Errors
    /// [`OciError::Settings`] when a certificate, key or proxy cannot be used.
    pub fn new(config: RegistryConfig) -> Result<Self, OciError> {
        let own = config.client_certificate.as_ref();
        let tls = tls::settings(config.authority.as_deref(), own).map_err(OciError::Settings)?;
        let mut builder = reqwest::Client::builder()
            .tls_backend_preconfigured(tls)
            .redirect(reqwest::redirect::Policy::none())
            .user_agent(USER_AGENT)
            .connect_timeout(config.limits.connect)
            .read_timeout(config.limits.idle)
            .dns_resolver(Arc::new(Resolver(config.admits)))
            .no_proxy()
            .http1_only();
        if let Some(proxy) = &config.proxy {
            builder = builder.proxy(through(proxy)?);
        }
        let http = builder
            .build()
            .map_err(|error| OciError::Settings(error.without_url().to_string()))?;
        Ok(Self(Arc::new(Inner {
            http,
            config,
            tokens: Mutex::default(),
        })))
    }

    /// Returns what an exchange may cost.
    pub fn limits(&self) -> &Limits {
        &self.0.config.limits
    }

    /// Returns the URL of `rest` in a repository.
    fn url(&self, repository: &Repository, rest: &str) -> Result<Url, OciError> {
        let is_plain = self
            .0
            .config
            .plain_http_hosts
            .iter()
            .any(|host| host.eq_ignore_ascii_case(repository.registry()));
        let scheme = if is_plain { "http" } else { "https" };
        let text = format!(
            "{scheme}://{}/v2/{}/{rest}",
            repository.host(),
            repository.path()
        );
        Url::parse(&text)
            .map_err(|error| OciError::protocol(&repository.to_string(), error.to_string()))
    }

    /// Judges the address that stands in a URL; names are judged when they are looked up.
    fn check_address(&self, place: &str, url: &Url) -> Result<(), OciError> {
        match literal(url).filter(|address| !(self.0.config.admits)(*address)) {
            None => Ok(()),
            Some(address) => Err(OciError::Address {
                place: place.to_owned(),
                address,
            }),
        }
    }

    /// Runs `work` within the time of one operation.
    async fn within<T>(
        &self,
        place: &str,
        work: impl Future<Output = Result<T, OciError>>,
    ) -> Result<T, OciError> {
        let after = self.0.config.timeout;
        match tokio::time::timeout(after, work).await {
            Ok(outcome) => outcome,
            Err(_) => Err(OciError::Timeout {
                place: place.to_owned(),
                after,
            }),
        }
    }
}

fn through(proxy: &Proxy) -> Result<reqwest::Proxy, OciError> {
    let wrong = |_| OciError::Settings("the address of the proxy is not a URL".to_owned());
    let through = reqwest::Proxy::all(&proxy.address).map_err(wrong)?;
    Ok(match &proxy.username {
        None => through,
        Some(name) => {
            let password = proxy.password.as_ref().map(Secret::expose);
            through.basic_auth(name, password.unwrap_or_default())
        }
    })
}
