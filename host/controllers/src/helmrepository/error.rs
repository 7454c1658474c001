//! Why there is no new index of a HelmRepository, in the words of Flux.

use std::time::Duration;

use bulkhead_api::{Advice, Retry, reason};
use bulkhead_source::helm::HelmError;

use super::request::RequestError;
use crate::sources::{Failure, Place, StoreError};

/// Why there is no new index.
#[derive(Debug, thiserror::Error)]
pub enum IndexError {
    /// The repository cannot be asked.
    #[error(transparent)]
    Request(#[from] RequestError),
    /// The URL is none.
    #[error("invalid Helm repository URL")]
    Url(#[source] HelmError),
    /// The settings cannot be used.
    #[error("failed to construct Helm client")]
    Client(#[source] HelmError),
    /// The index could not be downloaded.
    #[error("failed to fetch Helm repository index")]
    Fetch(#[source] HelmError),
    /// The index cannot be used.
    #[error("failed to load Helm repository from index YAML")]
    Load(#[source] HelmError),
    /// The storage failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Failure for IndexError {
    fn advice(&self) -> Advice {
        // What a repository has may change at any time: it is asked again.
        let of = |reason, retry, advice: Advice| Advice {
            reason,
            retry,
            ..advice
        };
        match self {
            Self::Request(error) => error.advice(),
            Self::Url(error) => of(reason::URL_INVALID, Retry::OnChange, error.advice()),
            Self::Client(error) => of(reason::FAILED, Retry::Backoff, error.advice()),
            Self::Fetch(error) => of(reason::FAILED, Retry::Backoff, error.advice()),
            Self::Load(error) => of(reason::INDEXATION_FAILED, Retry::Backoff, error.advice()),
            Self::Store(error) => error.advice(),
        }
    }

    fn place(&self) -> Place {
        match self {
            Self::Store(_) => Place::Storage,
            _ => Place::Fetch,
        }
    }

    fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Fetch(error) => error.retry_after(),
            _ => None,
        }
    }
}
