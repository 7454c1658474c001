//! Helm repositories over HTTP: the index, and the charts that it names.

use std::fs::File;
use std::io::Write;
use std::net::IpAddr;
use std::time::Duration;

use bulkhead_api::Digest;
use url::Url;

use super::http::{Http, Wanted, shown};
use super::index::ChartVersion;
use super::{HelmError, Limits};
use crate::address::is_reachable;
use crate::{ClientCertificate, Credentials, Proxy};

/// Where a repository is, and how to get at it.
#[derive(Clone, Debug)]
pub struct RepositoryConfig {
    /// `https://charts.example.org/path`; `index.yaml` is below it.
    pub url: String,
    /// The login: basic or bearer. Half a basic login is none, as in Helm.
    pub credentials: Credentials,
    /// Sends login and client's certificate to every host that the index names, not to the
    /// repository's own scheme, host and port alone. They never follow a redirect to another.
    pub pass_credentials: bool,
    /// Certificates in PEM to trust beside the built-in ones.
    pub authority: Option<Vec<u8>>,
    /// Certificate to show.
    pub client_certificate: Option<ClientCertificate>,
    /// Proxy.
    pub proxy: Option<Proxy>,
    /// Longest time for one download, redirects and all: 60 seconds, as in Flux.
    pub timeout: Duration,
    /// What it may cost.
    pub limits: Limits,
    /// Tells whether an address may be connected to; [`is_reachable`] unless set. Behind a proxy
    /// only addresses that stand in URLs are asked about.
    pub admits: fn(IpAddr) -> bool,
}

impl RepositoryConfig {
    /// Names a repository that needs no login.
    pub fn new(url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            credentials: Credentials::None,
            pass_credentials: false,
            authority: None,
            client_certificate: None,
            proxy: None,
            timeout: Duration::from_secs(60),
            limits: Limits::default(),
            admits: is_reachable,
        }
    }
}

/// A repository; cheap to clone, clones share connections.
#[derive(Clone)]
pub struct HttpRepository {
    url: Url,
    http: Http,
    timeout: Duration,
    limits: Limits,
}

/// An index as it came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RawIndex {
    /// Digest of its bytes, decompressed: the revision of the `HelmRepository`.
    pub revision: Digest,
    /// Their number.
    pub size_bytes: u64,
}

/// Where a chart is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ChartLocation {
    /// On a web server.
    Web(Url),
    /// In a registry: `registry/path/name:tag`.
    Registry(crate::oci::Reference),
}

impl HttpRepository {
    /// Prepares a client; nothing is sent.
    ///
    /// # Errors
    /// [`HelmError::Url`] and [`HelmError::Settings`].
    pub fn new(config: &RepositoryConfig) -> Result<Self, HelmError> {
        let url = base(&config.url)?;
        Ok(Self {
            http: Http::new(&url, config)?,
            url,
            timeout: config.timeout,
            limits: config.limits.clone(),
        })
    }

    /// Returns the URL without login and query, for people.
    pub fn place(&self) -> String {
        shown(&self.url)
    }

    /// Downloads the index into `file`, which is emptied first.
    ///
    /// # Errors
    /// [`HelmError`]; the file's content is then of no use.
    pub async fn fetch_index(&self, file: &mut File) -> Result<RawIndex, HelmError> {
        let stored = |source| HelmError::Store {
            action: "write the index",
            source,
        };
        file.set_len(0).map_err(stored)?;
        std::io::Seek::rewind(file).map_err(stored)?;
        let mut url = self.url.clone();
        url.path_segments_mut()
            .map_err(|()| wrong(&self.url, "it has no path"))?
            .pop_if_empty()
            .push("index.yaml");
        let wanted = Wanted {
            expected: "an index",
            limit: "index_bytes",
            allowed: self.limits.index_bytes,
            may_be_compressed: true,
        };
        let received = self.within(&url, &wanted, file).await?;
        Ok(RawIndex {
            revision: received.digest,
            size_bytes: received.size_bytes,
        })
    }

    /// Says where a version is: its first URL, relative to the repository unless it is absolute.
    ///
    /// # Errors
    /// [`HelmError::NoUrl`].
    pub fn locate(&self, version: &ChartVersion) -> Result<ChartLocation, HelmError> {
        let none = || HelmError::NoUrl {
            name: crate::error::clean(&version.metadata.name),
            version: crate::error::clean(&version.metadata.version),
        };
        let text = version.urls.first().ok_or_else(none)?;
        if text.starts_with("oci://") {
            let reference = crate::oci::Reference::parse(text).map_err(|_| none())?;
            return Ok(ChartLocation::Registry(reference));
        }
        let url = resolve(&self.url, text).ok_or_else(none)?;
        match url.scheme() {
            "http" | "https" => Ok(ChartLocation::Web(url)),
            _ => Err(none()),
        }
    }

    /// Downloads the packed chart of a version from `url`, where [`locate`](Self::locate) found it.
    ///
    /// # Guarantees
    /// It has the digest of the index, if the index has one of SHA-256.
    ///
    /// # Errors
    /// [`HelmError`]; [`HelmError::DigestMismatch`].
    pub async fn download(&self, version: &ChartVersion, url: &Url) -> Result<Vec<u8>, HelmError> {
        let mut chart = Vec::new();
        let wanted = Wanted {
            expected: "a chart",
            limit: "chart_bytes",
            allowed: self.limits.chart_bytes,
            may_be_compressed: false,
        };
        let received = self.within(url, &wanted, &mut chart).await?;
        match digest_of(&version.digest) {
            Some(expected) if expected != received.digest => Err(HelmError::DigestMismatch {
                place: shown(url),
                found: received.digest,
                expected,
            }),
            _ => Ok(chart),
        }
    }

    async fn within(
        &self,
        url: &Url,
        wanted: &Wanted,
        out: &mut impl Write,
    ) -> Result<super::body::Received, HelmError> {
        let read = self.http.read(url, wanted, out);
        match tokio::time::timeout(self.timeout, read).await {
            Ok(outcome) => outcome,
            Err(_) => Err(HelmError::Timeout {
                place: shown(url),
                what: "finish",
                after: self.timeout,
            }),
        }
    }
}

/// Reads the digest of an index, with `sha256:` in front or not.
fn digest_of(text: &str) -> Option<Digest> {
    let hex = text.strip_prefix("sha256:").unwrap_or(text);
    format!("sha256:{}", hex.to_ascii_lowercase()).parse().ok()
}

fn base(text: &str) -> Result<Url, HelmError> {
    let masked = |problem: &str| HelmError::Url {
        url: crate::error::clean(text.rsplit('@').next().unwrap_or_default()),
        problem: problem.to_owned(),
    };
    let url = Url::parse(text).map_err(|error| masked(&error.to_string()))?;
    match url.scheme() {
        "http" | "https" if url.has_host() => Ok(url),
        "oci" => Err(wrong(&url, "`oci://` needs `type: oci`")),
        _ => Err(wrong(&url, "it must start with https:// or http://")),
    }
}

fn wrong(url: &Url, problem: &str) -> HelmError {
    HelmError::Url {
        url: shown(url),
        problem: problem.to_owned(),
    }
}

/// Resolves a reference of an index: the repository's URL is a folder, and its query stays.
///
/// Source: helm 4.3, pkg/repo/v1/chartrepo.go `ResolveReferenceURL`.
fn resolve(base: &Url, text: &str) -> Option<Url> {
    if let Ok(absolute) = Url::parse(text) {
        return Some(absolute);
    }
    let mut folder = base.clone();
    folder.path_segments_mut().ok()?.pop_if_empty().push("");
    let mut url = folder.join(text).ok()?;
    url.set_query(base.query());
    Some(url)
}

/// Brings the URL of a repository into the form by which repositories are compared: one `/` at the
/// end over HTTP, none in a registry.
///
/// # Errors
/// [`HelmError::Url`].
pub fn normalize(text: &str) -> Result<String, HelmError> {
    let url = Url::parse(text).map_err(|error| HelmError::Url {
        url: crate::error::clean(text.rsplit('@').next().unwrap_or_default()),
        problem: error.to_string(),
    })?;
    let mut url = url;
    let path = url.path().trim_end_matches('/').to_owned();
    match url.scheme() {
        "oci" => url.set_path(&path),
        _ => url.set_path(&format!("{path}/")),
    }
    Ok(url.into())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may")]

    use super::*;

    // Each answer is that of Helm 4.3.
    #[test]
    fn references_are_resolved_against_the_folder_of_the_index() {
        for (base, text, expected) in [
            ("https://a.b/c", "d-1.tgz", "https://a.b/c/d-1.tgz"),
            ("https://a.b/c/", "d-1.tgz", "https://a.b/c/d-1.tgz"),
            ("https://a.b/c/", "/d-1.tgz", "https://a.b/d-1.tgz"),
            ("https://a.b/c/", "../d-1.tgz", "https://a.b/d-1.tgz"),
            ("https://a.b/c?x=y", "d-1.tgz", "https://a.b/c/d-1.tgz?x=y"),
            (
                "https://a.b/c?x=y",
                "d-1.tgz?z=1",
                "https://a.b/c/d-1.tgz?x=y",
            ),
            ("https://a.b/c", "https://d.e/f.tgz", "https://d.e/f.tgz"),
            (
                "https://a.b/c",
                "charts/d+e-1.tgz",
                "https://a.b/c/charts/d+e-1.tgz",
            ),
        ] {
            let base = Url::parse(base).unwrap();
            assert_eq!(resolve(&base, text).unwrap().as_str(), expected);
        }
    }

    #[test]
    fn urls_are_compared_in_one_form() {
        assert_eq!(normalize("https://a.b").unwrap(), "https://a.b/");
        assert_eq!(normalize("https://a.b/c//").unwrap(), "https://a.b/c/");
        assert_eq!(normalize("oci://a.b/c/").unwrap(), "oci://a.b/c");
        let secret = normalize("https://user:pass word@:x").unwrap_err();
        assert!(!secret.to_string().contains("pass"), "{secret}");
    }

    #[test]
    fn only_repositories_over_http_are_asked() {
        let told = |url: &str| HttpRepository::new(&RepositoryConfig::new(url)).err();
        assert!(told("https://user:secret@a.b/c").is_none());
        let oci = told("oci://user:secret@a.b/c").unwrap();
        assert_eq!(
            oci.to_string(),
            "`oci://a.b/c` is not the URL of a Helm repository: `oci://` needs `type: oci`"
        );
        assert_eq!(oci.advice().reason, "URLInvalid");
        assert!(told("ftp://a.b").is_some());
        assert!(told("a.b/c").is_some());
    }

    #[test]
    fn machines_credentials_are_out_of_reach() {
        for (address, expected) in [
            ("169.254.169.254", false),
            ("::ffff:169.254.169.254", false),
            ("fe80::1", false),
            ("10.0.0.1", true),
            ("127.0.0.1", true),
        ] {
            assert_eq!(
                is_reachable(address.parse().unwrap()),
                expected,
                "{address}"
            );
        }
    }
}
