//! Why nothing came out of a delivery.

use bulkhead_api::{Advice, PathError, Retry, TreePath, reason};
use bulkhead_apply::parse::ParseError;
use bulkhead_wasm::RenderError;

use super::remote::{RemoteError, RemoteRenderError};
use super::substitute::SubstituteError;
use super::transcripts::Failure;

/// Why nothing came out.
#[derive(Debug, thiserror::Error)]
pub enum DeliveryError {
    /// The path of the spec leads out of the source.
    #[error("`spec.path` is wrong")]
    Path(#[source] PathError),
    /// The path of the spec is not there.
    #[error("kustomization path not found: `{path}` does not exist in {revision}")]
    PathNotFound {
        /// The path.
        path: TreePath,
        /// The revision.
        revision: String,
    },
    /// The renderer refused, failed, or was stopped.
    #[error(transparent)]
    Render(#[from] Failure),
    /// A remote base is not there.
    #[error(transparent)]
    Remote(#[from] RemoteError),
    /// A transformer refused, failed, or was stopped.
    #[error("transformer `{name}` failed")]
    Transform {
        /// Its name, as the spec has it.
        name: String,
        /// How.
        #[source]
        source: Box<RenderError>,
    },
    /// What the renderer returned is no set of objects.
    #[error(transparent)]
    Parse(#[from] ParseError),
    /// What a transformer returned is no set of objects.
    #[error("transformer `{name}` failed")]
    ParseTransformed {
        /// Its name, as the spec has it.
        name: String,
        /// Why.
        #[source]
        source: Box<ParseError>,
    },
    /// Variables could not be put in.
    #[error(transparent)]
    Substitute(#[from] SubstituteError),
}

impl From<RemoteRenderError> for DeliveryError {
    fn from(error: RemoteRenderError) -> Self {
        match error {
            RemoteRenderError::Render(error) => Self::Render(error.into()),
            RemoteRenderError::Remote(error) => Self::Remote(error),
        }
    }
}

impl DeliveryError {
    /// Names the reason, when to try again, and what the user can do.
    pub fn advice(&self) -> Advice {
        match self {
            Self::Path(_) => Advice::new(reason::INVALID_PATH, Retry::OnChange)
                .hint("name a directory inside the source in `spec.path`"),
            Self::PathNotFound { .. } => Advice::new(reason::ARTIFACT_FAILED, Retry::Backoff)
                .hint("correct `spec.path`, or commit the directory"),
            Self::Render(failure) => failure.advice(),
            Self::Transform { source, .. } => source.advice(),
            Self::Remote(error) => error.advice(),
            Self::Parse(error) => error.advice(),
            Self::ParseTransformed { source, .. } => source.advice(),
            Self::Substitute(SubstituteError::Name(_)) => {
                Advice::new(reason::BUILD_FAILED, Retry::OnChange)
                    .hint("rename the key in `spec.postBuild` or in what it reads from")
            }
            Self::Substitute(SubstituteError::Expression { .. }) => {
                Advice::new(reason::BUILD_FAILED, Retry::Backoff).hint(
                    "set the variable in `spec.postBuild`, give it a default (`${name:-value}`), \
                     or write `$${name}` for a literal",
                )
            }
        }
    }
}
