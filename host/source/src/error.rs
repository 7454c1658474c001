//! Why a fetch failed, and what that means for the user.

use std::path::PathBuf;
use std::time::Duration;

use bulkhead_api::{Advice, Retry};

use crate::constraint::ConstraintError;
use crate::tree::TreeProblem;
use crate::{Location, LocationError};

type Cause = Box<dyn std::error::Error + Send + Sync>;

/// Why there is no artifact. No text holds a credential; what a server said is shortened and has no
/// control characters.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// The URL is refused.
    #[error(transparent)]
    Location(#[from] LocationError),
    /// `spec.ref.commit` or `spec.ref.name` is malformed.
    #[error("`{0}` is not {1}")]
    ReferenceInvalid(String, &'static str),
    /// `spec.ref.semver` is not a range.
    #[error("failed to read `spec.ref.semver`")]
    Semver(#[from] ConstraintError),
    /// No tag is in the range.
    #[error("no tag of {location} has a version in `{range}`")]
    NoVersion {
        /// The repository.
        location: Location,
        /// The range.
        range: String,
        /// Highest versions there are.
        near: Vec<String>,
    },
    /// The reference does not exist.
    #[error("`{name}` does not exist in {location}")]
    ReferenceMissing {
        /// The repository.
        location: Location,
        /// The branch, tag, reference or commit.
        name: String,
        /// Names like it.
        near: Vec<String>,
    },
    /// The reference does not lead to a commit.
    #[error("`{name}` in {location} is not a commit")]
    NotACommit {
        /// The repository.
        location: Location,
        /// The reference.
        name: String,
    },
    /// The repository has no commit.
    #[error("git repository {0} is empty")]
    Empty(Location),
    /// The credentials are of the wrong kind or cannot be read.
    #[error("failed to use the credentials for {location}: {problem}")]
    Credentials {
        /// The repository.
        location: Location,
        /// What is wrong.
        problem: String,
    },
    /// The server refuses the credentials.
    #[error("{location} refused the login: {answer}")]
    Refused {
        /// The repository.
        location: Location,
        /// What it said.
        answer: String,
    },
    /// `known_hosts` has no key of the host.
    #[error("`known_hosts` has no key of {host}; it has offered {offered}")]
    HostUnknown {
        /// Host and port.
        host: String,
        /// Fingerprint of the key it showed.
        offered: String,
    },
    /// The host shows another key than `known_hosts` has.
    #[error("{host} showed key {offered}, but `known_hosts` has {expected}")]
    HostKeyMismatch {
        /// Host and port.
        host: String,
        /// Fingerprint of the key it showed.
        offered: String,
        /// Fingerprints of the keys that are known.
        expected: String,
    },
    /// The server knows no such repository, or hides it from this login.
    #[error("{0} does not exist, or this login may not see it")]
    NotFound(Location),
    /// The server asks for less.
    #[error("{location} is limiting requests: {answer}")]
    RateLimited {
        /// The repository.
        location: Location,
        /// What it said.
        answer: String,
        /// When it may be asked again, if it said so.
        retry_after: Option<Duration>,
    },
    /// The server answered with another status.
    #[error("{location} answered with {status}")]
    Status {
        /// The repository.
        location: Location,
        /// Status and reason.
        status: String,
    },
    /// What answered is no Git server.
    #[error("{location} did not answer as a Git server but with `{content_type}`")]
    NotGit {
        /// The repository.
        location: Location,
        /// The type of the answer.
        content_type: String,
    },
    /// A redirect was refused.
    #[error("refused to follow the redirect of {location}: {problem}")]
    Redirect {
        /// The repository.
        location: Location,
        /// Why.
        problem: String,
    },
    /// No connection, or it broke.
    #[error("failed to reach {location}")]
    Unreachable {
        /// The repository.
        location: Location,
        /// Why.
        #[source]
        source: Cause,
    },
    /// An address of the host is one that may not be connected to.
    #[error("{location} leads to {address}, inside a network that is closed to it")]
    Address {
        /// The file.
        location: Location,
        /// The address.
        address: std::net::IpAddr,
    },
    /// The server's certificate is not trusted.
    #[error("failed to trust the certificate of {location}")]
    Certificate {
        /// The repository.
        location: Location,
        /// Why.
        #[source]
        source: Cause,
    },
    /// It took longer than allowed.
    #[error("{location} was not fetched within {}s", after.as_secs_f64())]
    Timeout {
        /// The repository.
        location: Location,
        /// The time it had.
        after: Duration,
    },
    /// Something is larger than allowed.
    #[error("{what} is past the limit `{limit}` of {allowed}")]
    Limit {
        /// What is too large.
        what: String,
        /// Field of [`Limits`](crate::Limits).
        limit: &'static str,
        /// Its value.
        allowed: u64,
    },
    /// A folder of `spec.sparseCheckout` does not exist, or cannot.
    #[error("sparse checkout folder `{0}` {1}")]
    Sparse(String, &'static str),
    /// The repository needs what is not supported.
    #[error(
        "`{0}` is a submodule, which `spec.recurseSubmodules` asks to fetch; this is not supported"
    )]
    Submodule(String),
    /// A file or folder of the commit is refused.
    #[error(transparent)]
    Tree(#[from] TreeProblem),
    /// The server broke the protocol, or sent what is damaged.
    #[error("failed to fetch {location}: {problem}")]
    Protocol {
        /// The repository.
        location: Location,
        /// What it said, or what is wrong.
        problem: String,
    },
    /// The store could not be used.
    #[error("failed to {action} `{}` in the store", path.display())]
    Store {
        /// `read`, `write`, `create`, `remove`.
        action: &'static str,
        /// What.
        path: PathBuf,
        /// Why.
        #[source]
        source: Cause,
    },
}

impl FetchError {
    /// Names the reason (stable API), when to try again, and what the user can do.
    pub fn advice(&self) -> Advice {
        match self {
            Self::Location(_) => Advice::new("URLInvalid", Retry::OnChange)
                .hint("write `spec.url` as `https://host/path`, `http://host/path` or `ssh://user@host/path`"),
            Self::ReferenceInvalid(..) => operation(Retry::OnChange).hint("correct `spec.ref`"),
            Self::Semver(_) => operation(Retry::OnChange)
                .hint("write `spec.ref.semver` like `>=1.0.0 <2.0.0`, `^1.2.0` or `1.x`"),
            Self::NoVersion { near, .. } | Self::ReferenceMissing { near, .. } => {
                operation(Retry::Backoff).hint(names_hint(near))
            }
            Self::NotACommit { .. } => operation(Retry::Backoff).hint("point `spec.ref` at a commit"),
            Self::Empty(_) => operation(Retry::Backoff).hint("push a commit"),
            Self::Credentials { .. } => authentication().hint(
                "give `username` and `password`, or `bearerToken`, for http; `identity` and `known_hosts` for ssh",
            ),
            Self::Refused { .. } => authentication().hint(
                "check that the secret in `spec.secretRef` is current and may read the repository",
            ),
            Self::HostUnknown { .. } => authentication()
                .hint("compare the fingerprint with what the host's owner says, then add its line to `known_hosts`"),
            Self::HostKeyMismatch { .. } => authentication().hint(
                "ask the host's owner whether its key has changed; if so replace its line in `known_hosts`, \
                 if not someone is in between",
            ),
            Self::NotFound(_) => operation(Retry::Backoff)
                .hint("check `spec.url`; many hosts answer like this when the login is missing or may not read it"),
            Self::RateLimited { .. } => {
                operation(Retry::Backoff).hint("raise `spec.interval`, or log in for a higher quota")
            }
            Self::NotGit { .. } => operation(Retry::Backoff)
                .hint("check `spec.url`: it must be what `git clone` takes, not the page in a browser"),
            Self::Redirect { .. } => {
                operation(Retry::OnChange).hint("write the place it leads to into `spec.url`, if you trust it")
            }
            Self::Address { .. } => operation(Retry::OnChange)
                .hint("name a public host, or start with `--allow-private-networks`"),
            Self::Certificate { .. } => operation(Retry::Backoff)
                .hint("put the authority's certificate as `ca.crt` into the secret of `spec.secretRef`"),
            Self::Timeout { .. } => operation(Retry::Backoff).hint("raise `spec.timeout`"),
            Self::Limit { .. } => operation(Retry::OnChange)
                .hint("leave files out with `.sourceignore` or `spec.ignore`, or raise the limit"),
            Self::Sparse(..) => operation(Retry::OnChange).hint("correct `spec.sparseCheckout`"),
            Self::Submodule(_) => operation(Retry::OnChange)
                .hint("clear `spec.recurseSubmodules`, and name the submodule's repository in a source of its own"),
            Self::Tree(_) => Advice::new("InvalidPath", Retry::OnChange)
                .hint("rename it, or leave it out with `.sourceignore` or `spec.ignore` where that is enough"),
            Self::Status { .. } | Self::Unreachable { .. } | Self::Protocol { .. } => operation(Retry::Backoff),
            Self::Store { action: "create", .. } => Advice::new("DirectoryCreationFailed", Retry::Backoff),
            Self::Store { .. } => Advice::new("ReadOperationFailed", Retry::Backoff)
                .hint("check the space and the permissions of the store's folder"),
        }
    }

    /// Returns how long the server asked to be left alone.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::RateLimited { retry_after, .. } => *retry_after,
            _ => None,
        }
    }

    pub(crate) fn limit(what: impl Into<String>, limit: &'static str, allowed: u64) -> Self {
        Self::Limit {
            what: what.into(),
            limit,
            allowed,
        }
    }

    pub(crate) fn store(
        action: &'static str,
        path: impl Into<PathBuf>,
        source: impl Into<Cause>,
    ) -> Self {
        Self::Store {
            action,
            path: path.into(),
            source: source.into(),
        }
    }

    pub(crate) fn protocol(location: &Location, problem: impl AsRef<str>) -> Self {
        Self::Protocol {
            location: location.clone(),
            problem: clean(problem.as_ref()),
        }
    }
}

fn operation(retry: Retry) -> Advice {
    Advice::new("GitOperationFailed", retry)
}

fn authentication() -> Advice {
    Advice::new("AuthenticationFailed", Retry::Backoff)
}

fn names_hint(near: &[String]) -> String {
    if near.is_empty() {
        return "check `spec.ref`".to_owned();
    }
    let names: Vec<String> = near.iter().map(|name| format!("`{name}`")).collect();
    format!("check `spec.ref`; there is {}", names.join(", "))
}

/// Makes foreign text fit for a condition: at most 300 characters, no control characters.
pub(crate) fn clean(text: &str) -> String {
    const LONGEST: usize = 300;
    let words: Vec<&str> = text
        .split(|c: char| c.is_whitespace() || c.is_control())
        .filter(|w| !w.is_empty())
        .collect();
    let text = words.join(" ");
    match text.char_indices().nth(LONGEST) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text,
    }
}

/// Returns up to five of `names` that are most like `wanted`.
pub(crate) fn near<'a>(wanted: &str, names: impl IntoIterator<Item = &'a str>) -> Vec<String> {
    let wanted = wanted.to_lowercase();
    let mut scored: Vec<(usize, &str)> = names
        .into_iter()
        .take(1000)
        .map(|name| (distance(&wanted, &name.to_lowercase()), name))
        .collect();
    scored.sort_unstable();
    scored
        .into_iter()
        .take(5)
        .map(|(_, name)| clean(name))
        .collect()
}

/// Counts the changes that make one text of the other; long texts are compared at their start.
fn distance(one: &str, other: &str) -> usize {
    let other: Vec<char> = other.chars().take(64).collect();
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (at, a) in one.chars().take(64).enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], at + 1);
        for (column, b) in other.iter().enumerate() {
            let change = diagonal + usize::from(a != *b);
            diagonal = row[column + 1];
            row[column + 1] = change.min(diagonal + 1).min(row[column] + 1);
        }
    }
    row[other.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_names_come_first() {
        assert_eq!(near("mian", ["develop", "main", "x"])[0], "main");
        assert_eq!(near("a", std::iter::empty()), Vec::<String>::new());
    }

    #[test]
    fn foreign_text_is_tamed() {
        assert_eq!(clean("a\u{1b}[31m\r\nb"), "a [31m b");
        assert_eq!(clean(&"x".repeat(301)).chars().count(), 301);
        assert_eq!(clean(&"x".repeat(300)).chars().count(), 300);
    }
}
