//! URLs of Git repositories: what is accepted, and how they are shown.
//!
//! Accepted are `https`, `http`, `ssh` and, where the request allows it, `file`. User and password
//! are taken out of the URL when it is parsed, so that no message can show them.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use url::Url;

use crate::Secret;

/// Why a URL is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LocationError {
    /// It does not parse.
    #[error("failed to read the URL of the repository: {0}")]
    Syntax(String),
    /// Its scheme is not one of those accepted.
    #[error("scheme `{0}` is not supported; use `https`, `http` or `ssh`")]
    Scheme(String),
    /// It is a `file` URL where none is allowed.
    #[error("a `file` URL is only accepted by `bulkhead sync`")]
    File,
    /// It has no host.
    #[error("the URL of the repository has no host")]
    Host,
    /// It has no path.
    #[error("the URL of the repository has no path")]
    Path,
    /// User, host or path hold what could be read as an option or as shell text.
    #[error("the {0} in the URL of the repository has a character that is not allowed there")]
    Character(&'static str),
    /// It has a query or a fragment.
    #[error("the URL of the repository has a query or a fragment")]
    Query,
}

/// A repository's place, without its credentials.
///
/// `Display` and `Debug` never show a user or a password of `http`.
///
/// Cheap to clone.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Location(Arc<Parts>);

#[derive(PartialEq, Eq, Hash)]
struct Parts {
    kind: Kind,
    user: Option<String>,
    password: Option<Secret>,
}

/// How a repository is reached.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) enum Kind {
    /// Over HTTP; the URL has no user and no password.
    Http(Url),
    /// Over SSH.
    Ssh {
        host: String,
        port: u16,
        path: String,
    },
    /// In a folder of this machine.
    File(PathBuf),
}

impl Location {
    /// Parses a URL; `allow_file` says whether `file` is accepted.
    ///
    /// # Errors
    /// See [`LocationError`].
    pub fn parse(text: &str, allow_file: bool) -> Result<Self, LocationError> {
        let url = Url::parse(text).map_err(|error| match error {
            url::ParseError::RelativeUrlWithoutBase if is_scp(text) => LocationError::Syntax(
                "the short form `user@host:path` is not supported, write `ssh://user@host/path`"
                    .to_owned(),
            ),
            error => LocationError::Syntax(error.to_string()),
        })?;
        match url.scheme() {
            "http" | "https" => http(url),
            "ssh" => ssh(&url),
            "file" if allow_file => file(&url),
            "file" => Err(LocationError::File),
            // `host:path` parses as a URL whose scheme is the host.
            _ if is_scp(text) => Err(LocationError::Syntax(
                "the short form `host:path` is not supported, write `ssh://user@host/path`"
                    .to_owned(),
            )),
            other => Err(LocationError::Scheme(other.to_owned())),
        }
    }

    /// Parses the URL of a file on the web, which may have a query.
    ///
    /// # Errors
    /// See [`LocationError`].
    pub fn of_file(text: &str) -> Result<Self, LocationError> {
        let mut url = Url::parse(text).map_err(|error| LocationError::Syntax(error.to_string()))?;
        url.set_fragment(None);
        match url.scheme() {
            "http" | "https" => web(url),
            other => Err(LocationError::Scheme(other.to_owned())),
        }
    }

    pub(crate) fn kind(&self) -> &Kind {
        &self.0.kind
    }

    /// Returns the user named in the URL.
    pub fn user(&self) -> Option<&str> {
        self.0.user.as_deref()
    }

    /// Returns the password named in the URL.
    pub fn password(&self) -> Option<&Secret> {
        self.0.password.as_ref()
    }

    /// Returns the host and port that requests go to; `None` for a folder.
    pub fn authority(&self) -> Option<String> {
        match &self.0.kind {
            Kind::Http(url) => Some(format!(
                "{}:{}",
                url.host_str()?,
                url.port_or_known_default().unwrap_or_default()
            )),
            Kind::Ssh { host, port, .. } => Some(format!("{host}:{port}")),
            Kind::File(_) => None,
        }
    }
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0.kind {
            // The query of a file may hold a token.
            Kind::Http(url) if url.query().is_some() => {
                let mut url = url.clone();
                url.set_query(None);
                write!(f, "{url}")
            }
            Kind::Http(url) => write!(f, "{url}"),
            Kind::Ssh {
                host,
                port: 22,
                path,
            } => write!(f, "ssh://{host}{path}"),
            Kind::Ssh { host, port, path } => write!(f, "ssh://{host}:{port}{path}"),
            Kind::File(path) => write!(f, "file://{}", path.display()),
        }
    }
}

impl fmt::Debug for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

fn is_scp(text: &str) -> bool {
    text.split_once(':').is_some_and(|(host, rest)| {
        !rest.starts_with("//")
            && !rest.starts_with(':')
            && (host.contains('@') || host.contains('.'))
    })
}

fn http(url: Url) -> Result<Location, LocationError> {
    if url.query().is_some() || url.fragment().is_some() {
        return Err(LocationError::Query);
    }
    web(url)
}

fn web(mut url: Url) -> Result<Location, LocationError> {
    if url.host_str().is_none_or(str::is_empty) {
        return Err(LocationError::Host);
    }
    let decode = |text: &str| percent_decoded(text).ok_or(LocationError::Character("user"));
    let user = Some(url.username())
        .filter(|user| !user.is_empty())
        .map(decode)
        .transpose()?;
    let password = url.password().map(decode).transpose()?.map(Secret::new);
    // Both fail only for URLs without a host.
    let _ = url.set_username("");
    let _ = url.set_password(None);
    Ok(Location(Arc::new(Parts {
        kind: Kind::Http(url),
        user,
        password,
    })))
}

fn ssh(url: &Url) -> Result<Location, LocationError> {
    if url.query().is_some() || url.fragment().is_some() {
        return Err(LocationError::Query);
    }
    let host = url
        .host_str()
        .filter(|host| !host.is_empty())
        .ok_or(LocationError::Host)?;
    if host.starts_with('-')
        || !host
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"-._:[]".contains(&b))
    {
        return Err(LocationError::Character("host"));
    }
    let user = percent_decoded(url.username()).ok_or(LocationError::Character("user"))?;
    if user.starts_with('-')
        || !user
            .chars()
            .all(|c| c.is_alphanumeric() || "-._@+\\".contains(c))
    {
        return Err(LocationError::Character("user"));
    }
    let path = percent_decoded(url.path()).ok_or(LocationError::Character("path"))?;
    if path.is_empty() || path == "/" {
        return Err(LocationError::Path);
    }
    if path.starts_with("/-") || path.contains(|c: char| c.is_control() || "'\"\\`$!".contains(c)) {
        return Err(LocationError::Character("path"));
    }
    let kind = Kind::Ssh {
        host: host.trim_matches(['[', ']']).to_owned(),
        port: url.port().unwrap_or(22),
        path,
    };
    Ok(Location(Arc::new(Parts {
        kind,
        user: Some(user).filter(|user| !user.is_empty()),
        password: None,
    })))
}

fn file(url: &Url) -> Result<Location, LocationError> {
    if url.query().is_some() || url.fragment().is_some() {
        return Err(LocationError::Query);
    }
    let path = url.to_file_path().map_err(|()| LocationError::Host)?;
    Ok(Location(Arc::new(Parts {
        kind: Kind::File(path),
        user: None,
        password: None,
    })))
}

fn percent_decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        let decoded = match byte {
            b'%' => {
                let digit = |byte: Option<u8>| (byte? as char).to_digit(16);
                u8::try_from(digit(rest.next())? * 16 + digit(rest.next())?).ok()?
            }
            byte => byte,
        };
        bytes.push(decoded);
    }
    String::from_utf8(bytes)
        .ok()
        .filter(|text| !text.contains(['\0', '\n', '\r']))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic, reason = "a test may")]
    use super::*;

    #[test]
    fn credentials_are_taken_out() {
        let location = Location::parse("https://me:p%40ss@example.com/a.git", false).unwrap();
        assert_eq!(location.to_string(), "https://example.com/a.git");
        assert_eq!(location.user(), Some("me"));
        assert_eq!(location.password().unwrap().expose(), "p@ss");
        assert!(!format!("{location:?}").contains("p@ss"));
    }

    #[test]
    fn the_query_of_a_file_is_kept_and_never_shown() {
        let location = Location::of_file("https://me:x@example.com/a.yaml?token=y#z").unwrap();
        assert_eq!(location.to_string(), "https://example.com/a.yaml");
        let Kind::Http(url) = location.kind() else {
            panic!("{location}")
        };
        assert_eq!(url.as_str(), "https://example.com/a.yaml?token=y");
        assert!(Location::of_file("ssh://host/a").is_err());
    }

    #[test]
    fn ssh_parts_are_read() {
        let location = Location::parse("ssh://git@example.com:2222/a/b.git", false).unwrap();
        assert_eq!(location.user(), Some("git"));
        assert_eq!(location.to_string(), "ssh://example.com:2222/a/b.git");
        assert_eq!(location.authority().unwrap(), "example.com:2222");
    }

    #[test]
    fn tricks_are_refused() {
        for (text, part) in [
            ("ssh://-oProxyCommand=x/a", "host"),
            ("ssh://-oProxyCommand=x@host/a", "user"),
            ("ssh://%2doProxyCommand=x@host/a", "user"),
            ("ssh://host/a'b", "path"),
            ("ssh://host/a%27b", "path"),
            ("ssh://host/a$(id)", "path"),
            ("ssh://host/%60id%60", "path"),
            ("ssh://host/-x", "path"),
            ("ssh://host/a%0ab", "path"),
        ] {
            assert_eq!(
                Location::parse(text, false),
                Err(LocationError::Character(part)),
                "{text}"
            );
        }
        assert_eq!(
            Location::parse("ext::sh -c id", false),
            Err(LocationError::Scheme("ext".into()))
        );
        assert_eq!(
            Location::parse("git://host/a", false),
            Err(LocationError::Scheme("git".into()))
        );
        assert_eq!(
            Location::parse("file:///etc", false),
            Err(LocationError::File)
        );
        assert_eq!(
            Location::parse("https://host/a?x=1", false),
            Err(LocationError::Query)
        );
        assert_eq!(
            Location::parse("ssh://host/", false),
            Err(LocationError::Path)
        );
        for text in ["git@example.com:a/b.git", "example.com:a/b.git", "", "a b"] {
            assert!(
                matches!(Location::parse(text, false), Err(LocationError::Syntax(_))),
                "{text}"
            );
        }
    }
}
