//! Why something remote is not there, and what that means for the user.

use bulkhead_api::{Advice, Retry, reason};
use bulkhead_source::{FetchError, Location, LocationError};

/// Something remote that a kustomization names: for people, without login and query.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Named {
    /// The URL, as far as it may be shown.
    pub what: String,
    /// The kustomization file that names it.
    pub by: String,
}

impl std::fmt::Display for Named {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "remote base `{}`, named in `{}`,", self.what, self.by)
    }
}

impl Named {
    /// Names a place.
    pub(super) fn new(location: &Location, by: &str) -> Self {
        Self {
            what: location.to_string(),
            by: by.to_owned(),
        }
    }
}

/// Why something remote is not there.
#[derive(Debug, thiserror::Error)]
pub enum RemoteError {
    /// The operator allows nothing remote.
    #[error("{0} is refused: `--no-remote-bases` is set")]
    Off(Named),
    /// Its reference may mean another commit tomorrow.
    #[error("{0} is not pinned to a commit")]
    Unpinned(Named),
    /// It is a file, which no reference pins.
    #[error("{0} is a file behind a URL, which nothing pins")]
    File(Named),
    /// There are too many.
    #[error("a render names more than {0} remote bases")]
    TooMany(usize),
    /// It is nowhere that can be fetched from.
    #[error("failed to read the URL of a remote base named in `{by}`")]
    Location {
        /// The kustomization file that names it.
        by: String,
        /// What is wrong with it.
        #[source]
        source: LocationError,
    },
    /// It wants a login that nobody gives.
    #[error("{0} is behind SSH, and remote bases are fetched without credentials")]
    Login(Named),
    /// It could not be fetched.
    #[error("{named} could not be fetched")]
    Fetch {
        /// What.
        named: Named,
        /// Why.
        #[source]
        source: FetchError,
    },
    /// The server has no such file.
    #[error("{named} could not be fetched: the server answered with {status}")]
    Status {
        /// What.
        named: Named,
        /// Status and reason.
        status: String,
    },
}

impl RemoteError {
    /// Names the reason, when to try again, and what the user can do.
    pub fn advice(&self) -> Advice {
        let build = |retry| Advice::new(reason::BUILD_FAILED, retry);
        let source = "copy it into the source, or make it a source with a Kustomization of its own";
        match self {
            Self::Off(_) => build(Retry::OnChange).hint(source),
            Self::Unpinned(_) => build(Retry::OnChange).hint(
                "write `?ref=` with the 40 digits of the commit, or allow any with `--allow-unpinned-remote-bases`",
            ),
            Self::File(_) => build(Retry::OnChange).hint(
                "copy it into the source, or allow it with `--allow-unpinned-remote-bases`",
            ),
            Self::TooMany(_) => build(Retry::OnChange)
                .hint("split the kustomization, or copy its bases into the source"),
            Self::Location { .. } => build(Retry::OnChange)
                .hint("write it like `https://host/org/repo//directory?ref=<commit>`"),
            Self::Login(_) => build(Retry::OnChange).hint(source),
            Self::Fetch { source: error, .. } => {
                let advice = match error {
                    FetchError::Unreachable { .. } => {
                        "the host must be online for remote bases; offline, copy it into the source"
                    }
                    FetchError::ReferenceMissing { .. } => "correct its `ref`",
                    FetchError::Submodule(_) => {
                        "add `submodules=false` to its query, if the base does not need them"
                    }
                    _ => source,
                };
                build(error.advice().retry).hint(advice)
            }
            Self::Status { .. } => build(Retry::Backoff).hint("correct its URL"),
        }
    }
}
