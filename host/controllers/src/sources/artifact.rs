//! Gives the bytes of an artifact to those who use it: from our own storage, or over HTTP when
//! another controller made it. They are checked against the digest of its status.

use std::io;
use std::time::Duration;

use bulkhead_api::meta::Artifact;
use bulkhead_api::{Advice, Digest, Retry, reason};
use bulkhead_source::{
    FetchError, FileAnswer, FileRequest, LayerError, Limits, Location, LocationError, read_file,
};

use super::storage::blocking;
use crate::archives::Archives;

/// Why an artifact cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum ArtifactError {
    /// Its digest is no SHA-256.
    #[error("the digest `{0}` of the artifact is not `sha256:<hex>`")]
    Digest(String),
    /// Its address is none.
    #[error("the address of the artifact cannot be used")]
    Url(#[source] LocationError),
    /// It is not there (any more): its source makes it anew.
    #[error("artifact `{path}` not found: {answer}")]
    NotFound {
        /// Its path.
        path: String,
        /// What the server said.
        answer: String,
    },
    /// It is larger than allowed.
    #[error("artifact `{path}` has more than {allowed} bytes")]
    TooLarge {
        /// Its path.
        path: String,
        /// What is allowed.
        allowed: u64,
    },
    /// The server cannot be reached.
    #[error("failed to download artifact `{path}`")]
    Fetch {
        /// Its path.
        path: String,
        /// Why.
        #[source]
        source: FetchError,
    },
    /// Our own storage failed.
    #[error("failed to read artifact `{path}`")]
    Read {
        /// Its path.
        path: String,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// Its files cannot be taken out.
    #[error("failed to unpack artifact `{path}`")]
    Unpack {
        /// Its path.
        path: String,
        /// Why.
        #[source]
        source: Box<LayerError>,
    },
    /// The bytes are others than the status says.
    #[error("artifact `{path}` has digest {found}, and its status says {expected}")]
    Mismatch {
        /// Its path.
        path: String,
        /// The digest of what came.
        found: Digest,
        /// The digest of the status.
        expected: Digest,
    },
}

impl ArtifactError {
    /// Names the reason, when to try again, and what the user can do.
    pub fn advice(&self) -> Advice {
        let retry = match self {
            Self::NotFound { .. } | Self::Mismatch { .. } => Retry::OnDependency,
            Self::Digest(_) | Self::Url(_) | Self::TooLarge { .. } | Self::Unpack { .. } => {
                Retry::OnChange
            }
            Self::Fetch { .. } | Self::Read { .. } => Retry::Backoff,
        };
        Advice::new(reason::ARTIFACT_FAILED, retry)
    }
}

/// Reads an artifact of at most `allowed` bytes.
///
/// # Guarantees
/// The bytes have the digest of `artifact`.
///
/// # Errors
/// [`ArtifactError`]; [`ArtifactError::NotFound`] means that its source is about to make it anew.
pub async fn read(
    archives: &Archives,
    artifact: &Artifact,
    allowed: u64,
    timeout: Duration,
) -> Result<Vec<u8>, ArtifactError> {
    let wrong = |_| ArtifactError::Digest(artifact.digest.clone());
    let expected: Digest = artifact.digest.parse().map_err(wrong)?;
    let (own, of) = (archives.clone(), artifact.clone());
    let local = blocking(move || own.read(&of, allowed)).await;
    match local {
        Ok(bytes) if Digest::of(&bytes) == expected => return Ok(bytes),
        Err(error) if error.kind() == io::ErrorKind::FileTooLarge => {
            let path = artifact.path.clone();
            return Err(ArtifactError::TooLarge { path, allowed });
        }
        // Another controller's, or ours and altered: the server of the address has the last word.
        Ok(_) | Err(_) => {}
    }
    let bytes = download(artifact, allowed, timeout).await?;
    let found = Digest::of(&bytes);
    if found != expected {
        let path = artifact.path.clone();
        return Err(ArtifactError::Mismatch {
            path,
            found,
            expected,
        });
    }
    Ok(bytes)
}

async fn download(
    artifact: &Artifact,
    allowed: u64,
    timeout: Duration,
) -> Result<Vec<u8>, ArtifactError> {
    let path = || artifact.path.clone();
    let request = FileRequest {
        location: Location::of_file(&artifact.url).map_err(ArtifactError::Url)?,
        timeout,
        limits: Limits {
            file_bytes: allowed,
            ..Limits::default()
        },
        // Sources are inside the cluster.
        admits: |_| true,
    };
    match read_file(&request).await {
        Ok(FileAnswer::Content(bytes)) => Ok(bytes),
        Ok(FileAnswer::Status(answer)) => Err(ArtifactError::NotFound {
            path: path(),
            answer,
        }),
        Err(FetchError::Limit {
            limit: "file_bytes",
            ..
        }) => Err(ArtifactError::TooLarge {
            path: path(),
            allowed,
        }),
        Err(source) => Err(ArtifactError::Fetch {
            path: path(),
            source,
        }),
    }
}
