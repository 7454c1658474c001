//! Names of things in registries: `ghcr.io/team/plugin:1.2@sha256:…`.
//!
//! In: what a user writes, with or without `oci://`. Out: parts that are safe to put into a URL.
//! Nothing is looked up. Names follow the grammar of the OCI distribution specification, defaults
//! follow Docker's: no registry means Docker Hub.

use std::fmt;
use std::str::FromStr;

use bulkhead_api::Digest;

/// Longest name of a repository, as in the distribution project.
const NAME_CHARACTERS: usize = 255;
const TAG_CHARACTERS: usize = 128;
/// What people call Docker Hub, and logins are filed under.
pub(super) const DOCKER_HUB: &str = "docker.io";
/// Who answers for it.
const DOCKER_HUB_HOST: &str = "registry-1.docker.io";

/// A repository of a registry.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Repository {
    registry: String,
    path: String,
}

impl Repository {
    /// Reads `registry/path`, with or without `oci://`.
    ///
    /// # Errors
    /// [`ReferenceError`], also when there is a tag or a digest.
    pub fn parse(text: &str) -> Result<Self, ReferenceError> {
        let reference = Reference::parse(text)?;
        match (reference.tag, reference.digest) {
            (None, None) => Ok(reference.repository),
            _ => Err(ReferenceError::NotBare(text.to_owned())),
        }
    }

    /// Returns host and port, in lower case: `ghcr.io`, `127.0.0.1:5000`.
    pub fn registry(&self) -> &str {
        &self.registry
    }

    /// Returns the path in the registry.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Returns host and port to connect to, which differ from the name for Docker Hub alone.
    pub(super) fn host(&self) -> &str {
        if self.registry == DOCKER_HUB {
            DOCKER_HUB_HOST
        } else {
            &self.registry
        }
    }

    /// Names a tag of this repository.
    ///
    /// # Errors
    /// [`ReferenceError::Tag`].
    pub fn tagged(&self, tag: &str) -> Result<Reference, ReferenceError> {
        check_tag(tag)?;
        Ok(Reference {
            repository: self.clone(),
            tag: Some(tag.to_owned()),
            digest: None,
        })
    }

    /// Names a manifest of this repository.
    pub fn pinned(&self, digest: Digest) -> Reference {
        Reference {
            repository: self.clone(),
            tag: None,
            digest: Some(digest),
        }
    }
}

impl fmt::Display for Repository {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.registry, self.path)
    }
}

/// A repository with a tag, a digest, both or neither. When there are both the digest decides, and
/// the tag is a note for people.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Reference {
    repository: Repository,
    tag: Option<String>,
    digest: Option<Digest>,
}

impl Reference {
    /// Reads a reference.
    ///
    /// A first part without dot, port or `localhost` is no registry: `nginx` is
    /// `docker.io/library/nginx`, `team/tool` is `docker.io/team/tool`.
    ///
    /// # Errors
    /// [`ReferenceError`] names the part that is wrong.
    pub fn parse(text: &str) -> Result<Self, ReferenceError> {
        let bare = text.strip_prefix("oci://").unwrap_or(text);
        if bare.contains("://") {
            return Err(ReferenceError::Scheme(text.to_owned()));
        }
        let (name, digest) = match bare.split_once('@') {
            None => (bare, None),
            Some((name, digest)) => {
                let digest = digest
                    .parse()
                    .map_err(|_| ReferenceError::Digest(digest.to_owned()))?;
                (name, Some(digest))
            }
        };
        let last = name.rfind('/').map_or(0, |at| at + 1);
        let has_registry_only = last == 0 && looks_like_registry(name);
        let (name, tag) = match name[last..].split_once(':') {
            Some((_, tag)) if !has_registry_only => {
                check_tag(tag)?;
                (&name[..name.len() - tag.len() - 1], Some(tag.to_owned()))
            }
            _ => (name, None),
        };
        let repository = split(name).ok_or_else(|| ReferenceError::NoPath(text.to_owned()))?;
        check_registry(&repository.registry)?;
        check_path(&repository.path)?;
        Ok(Self {
            repository,
            tag,
            digest,
        })
    }

    /// Returns host and port.
    pub fn registry(&self) -> &str {
        self.repository.registry()
    }

    /// Returns the path in the registry.
    pub fn repository(&self) -> &str {
        self.repository.path()
    }

    /// Returns registry and path as one value.
    pub fn name(&self) -> &Repository {
        &self.repository
    }

    /// Returns the tag, if one is named.
    pub fn tag(&self) -> Option<&str> {
        self.tag.as_deref()
    }

    /// Returns the digest of the manifest, if one is named.
    pub fn digest(&self) -> Option<Digest> {
        self.digest
    }

    /// Returns the same with `digest`.
    #[must_use]
    pub fn with_digest(&self, digest: Digest) -> Self {
        Self {
            digest: Some(digest),
            ..self.clone()
        }
    }

    /// Returns what to ask the registry for: the digest, else the tag, else `latest`.
    pub(super) fn wanted(&self) -> String {
        match (&self.digest, &self.tag) {
            (Some(digest), _) => digest.to_string(),
            (None, Some(tag)) => tag.clone(),
            (None, None) => "latest".to_owned(),
        }
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.repository.fmt(f)?;
        if let Some(tag) = &self.tag {
            write!(f, ":{tag}")?;
        }
        match &self.digest {
            Some(digest) => write!(f, "@{digest}"),
            None => Ok(()),
        }
    }
}

impl FromStr for Reference {
    type Err = ReferenceError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::parse(text)
    }
}

/// Says why a text names nothing in a registry.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReferenceError {
    /// It starts with another scheme than `oci://`.
    #[error("`{}` has another scheme than `oci://`", crate::error::clean(.0))]
    Scheme(String),
    /// It is a registry without a repository, or empty.
    #[error("`{}` names no repository", crate::error::clean(.0))]
    NoPath(String),
    /// The registry is no host name or address with an optional port.
    #[error("`{}` is not a registry: a host name and perhaps a port", crate::error::clean(.0))]
    Registry(String),
    /// The path is malformed.
    #[error(
        "`{}` is not the name of a repository: lower-case letters and digits, separated by `.`, `_`, `__`, `-` and `/`, at most {NAME_CHARACTERS} characters",
        crate::error::clean(.0)
    )]
    Path(String),
    /// The tag is malformed.
    #[error(
        "`{}` is not a tag: letters, digits, `_`, `.` and `-`, at most {TAG_CHARACTERS} characters",
        crate::error::clean(.0)
    )]
    Tag(String),
    /// The digest is malformed.
    #[error("`{}` is not a digest: `sha256:` and 64 hexadecimal digits", crate::error::clean(.0))]
    Digest(String),
    /// A repository was asked for, without tag and digest.
    #[error("`{}` has a tag or a digest, but only a repository is expected here", crate::error::clean(.0))]
    NotBare(String),
}

fn looks_like_registry(part: &str) -> bool {
    let host = part.split(':').next().unwrap_or_default();
    host == "localhost" && part != host || host.parse::<std::net::Ipv4Addr>().is_ok()
}

fn split(name: &str) -> Option<Repository> {
    let (first, rest) = match name.split_once('/') {
        Some((first, rest)) => (first, Some(rest)),
        None => (name, None),
    };
    let is_registry = first.contains(['.', ':', '[']) || first == "localhost";
    let (registry, path) = match rest {
        Some(rest) if is_registry => (first.to_ascii_lowercase(), rest.to_owned()),
        Some(_) => (DOCKER_HUB.to_owned(), name.to_owned()),
        None if first.is_empty() || looks_like_registry(first) || first == "localhost" => {
            return None;
        }
        None => (DOCKER_HUB.to_owned(), name.to_owned()),
    };
    let registry = match registry.as_str() {
        "index.docker.io" | DOCKER_HUB_HOST => DOCKER_HUB.to_owned(),
        _ => registry,
    };
    let path = if registry == DOCKER_HUB && !path.contains('/') {
        format!("library/{path}")
    } else {
        path
    };
    Some(Repository { registry, path })
}

fn check_registry(text: &str) -> Result<(), ReferenceError> {
    let wrong = || ReferenceError::Registry(text.to_owned());
    let (host, port) = match text.rfind(':') {
        Some(at) if !text[at..].contains(']') => (&text[..at], Some(&text[at + 1..])),
        _ => (text, None),
    };
    let is_port =
        |port: &str| port.bytes().all(|b| b.is_ascii_digit()) && port.parse::<u16>().is_ok();
    if port.is_some_and(|port| !is_port(port)) {
        return Err(wrong());
    }
    if let Some(address) = host.strip_prefix('[').and_then(|h| h.strip_suffix(']')) {
        return match address.parse::<std::net::Ipv6Addr>() {
            Ok(_) => Ok(()),
            Err(_) => Err(wrong()),
        };
    }
    let is_label = |label: &str| {
        !label.is_empty()
            && label.len() <= 63
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b == b'-')
    };
    if host.len() <= 253 && host.split('.').all(is_label) {
        Ok(())
    } else {
        Err(wrong())
    }
}

fn check_path(text: &str) -> Result<(), ReferenceError> {
    if text.len() <= NAME_CHARACTERS && text.split('/').all(is_component) {
        Ok(())
    } else {
        Err(ReferenceError::Path(text.to_owned()))
    }
}

/// Tells whether `text` is `[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*`.
fn is_component(text: &str) -> bool {
    let is_word = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let bytes = text.as_bytes();
    let ends_in_words =
        bytes.first().is_some_and(|b| is_word(*b)) && bytes.last().is_some_and(|b| is_word(*b));
    let separators = text.split(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit());
    ends_in_words
        && separators
            .filter(|s| !s.is_empty())
            .all(|s| matches!(s, "." | "_" | "__") || s.bytes().all(|b| b == b'-'))
}

fn check_tag(tag: &str) -> Result<(), ReferenceError> {
    let is_word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    let fits = tag.len() <= TAG_CHARACTERS
        && tag.bytes().next().is_some_and(is_word)
        && tag.bytes().all(|b| is_word(b) || matches!(b, b'.' | b'-'));
    if fits {
        Ok(())
    } else {
        Err(ReferenceError::Tag(tag.to_owned()))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic, reason = "a test may")]
mod tests {
    use super::*;

    fn show(text: &str) -> String {
        match Reference::parse(text) {
            Ok(reference) => reference.to_string(),
            Err(error) => format!("{error}"),
        }
    }

    #[test]
    fn references_are_completed_as_docker_does() {
        let hex = "a".repeat(64);
        let cases = [
            ("ghcr.io/x/y:1.0", "ghcr.io/x/y:1.0".to_owned()),
            ("oci://ghcr.io/x/y", "ghcr.io/x/y".to_owned()),
            ("GHCR.io/x/y", "ghcr.io/x/y".to_owned()),
            ("nginx", "docker.io/library/nginx".to_owned()),
            ("nginx:1", "docker.io/library/nginx:1".to_owned()),
            ("team/tool", "docker.io/team/tool".to_owned()),
            (
                "index.docker.io/team/tool",
                "docker.io/team/tool".to_owned(),
            ),
            ("localhost/tool", "localhost/tool".to_owned()),
            (
                "localhost:5000/tool:v1",
                "localhost:5000/tool:v1".to_owned(),
            ),
            ("127.0.0.1:5000/a/b", "127.0.0.1:5000/a/b".to_owned()),
            ("[::1]:5000/a/b:t", "[::1]:5000/a/b:t".to_owned()),
            ("[::1]/a", "[::1]/a".to_owned()),
        ];
        for (text, expected) in cases {
            assert_eq!(show(text), expected, "{text}");
        }
        let both = format!("ghcr.io/x/y:1.0@sha256:{hex}");
        assert_eq!(show(&both), both);
        let both = Reference::parse(&both).unwrap();
        assert_eq!(both.wanted(), format!("sha256:{hex}"));
        assert_eq!(both.tag(), Some("1.0"));
    }

    #[test]
    fn what_names_nothing_is_refused() {
        let long = format!("ghcr.io/{}", "a".repeat(256));
        let fits = format!("ghcr.io/{}", "a".repeat(255));
        assert!(Reference::parse(&fits).is_ok());
        assert!(matches!(
            Reference::parse(&long),
            Err(ReferenceError::Path(_))
        ));
        let tag = "t".repeat(128);
        assert!(Reference::parse(&format!("a/b:{tag}")).is_ok());
        assert!(matches!(
            Reference::parse(&format!("a/b:{tag}t")),
            Err(ReferenceError::Tag(_))
        ));
        for text in ["", "localhost", "localhost:5000", "127.0.0.1:5000"] {
            assert!(
                matches!(Reference::parse(text), Err(ReferenceError::NoPath(_))),
                "{text}: {}",
                show(text)
            );
        }
        for text in ["https://ghcr.io/x", "docker://x"] {
            assert!(matches!(
                Reference::parse(text),
                Err(ReferenceError::Scheme(_))
            ));
        }
        for text in [
            "ghcr.io/X",
            "ghcr.io/a..b",
            "ghcr.io/a___b",
            "ghcr.io//b",
            "ghcr.io/-a",
            "ghcr.io/../b",
            "ghcr.io/a?b",
            "ghcr.io/a%2f",
        ] {
            assert!(
                matches!(Reference::parse(text), Err(ReferenceError::Path(_))),
                "{text}"
            );
        }
        for text in ["a.b:99999/x", "u:p/x", "-a.b/x", "a..b/x", "user@host.io/x"] {
            assert!(Reference::parse(text).is_err(), "{text}: {}", show(text));
        }
        assert!(matches!(
            Reference::parse("ghcr.io/x/y@sha512:00"),
            Err(ReferenceError::Digest(_))
        ));
    }

    #[test]
    fn a_repository_has_neither_tag_nor_digest() {
        assert!(Repository::parse("oci://ghcr.io/x/y").is_ok());
        assert!(matches!(
            Repository::parse("ghcr.io/x/y:1"),
            Err(ReferenceError::NotBare(_))
        ));
        assert_eq!(
            Repository::parse("a/b").unwrap().host(),
            "registry-1.docker.io"
        );
    }
}
