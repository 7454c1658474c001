//! Why there is no new artifact of an OCIRepository, in the words of Flux.
//!
//! # Source
//! `reconcileSource` of source-controller 1.9, `internal/controller/ocirepository_controller.go`.

use std::time::Duration;

use bulkhead_api::{Advice, Retry, SpecError, reason};
use bulkhead_source::LayerError;
use bulkhead_source::oci::verify::VerifyError;
use bulkhead_source::oci::{ArtifactError, OciError, ReferenceError};

use crate::sources::registry::{AccessError, TrustError};
use crate::sources::{Failure, Place, StoreError};

/// Why there is no new artifact.
#[derive(Debug, thiserror::Error)]
pub enum PullError {
    /// A field cannot be used.
    #[error(transparent)]
    Spec(#[from] SpecError),
    /// A feature that is not there yet.
    #[error("`{field}` is not supported yet")]
    Unsupported {
        /// Path of the field, and its value if that matters.
        field: &'static str,
    },
    /// The URL is none of a repository.
    #[error("URL validation failed for '{url}'")]
    Url {
        /// The URL.
        url: String,
        /// Why.
        #[source]
        source: ReferenceError,
    },
    /// There is no login that can be used.
    #[error("failed to get credential")]
    Credential(#[source] AccessError),
    /// The certificates cannot be used.
    #[error("failed to generate transport for '{url}'")]
    Transport {
        /// The URL.
        url: String,
        /// Why.
        #[source]
        source: Box<AccessError>,
    },
    /// The settings cannot be used together.
    #[error("failed to generate transport for '{url}'")]
    Client {
        /// The URL.
        url: String,
        /// Why.
        #[source]
        source: Box<OciError>,
    },
    /// The proxy cannot be used.
    #[error("failed to get proxy address")]
    Proxy(#[source] AccessError),
    /// The tags could not be listed.
    #[error("failed to determine the artifact tag for '{url}'")]
    Tags {
        /// The URL.
        url: String,
        /// Why.
        #[source]
        source: Box<OciError>,
    },
    /// No tag is meant.
    #[error("failed to determine the artifact tag for '{url}'")]
    Tag {
        /// The URL.
        url: String,
        /// Why.
        #[source]
        source: ArtifactError,
    },
    /// `spec.ref.digest` or `spec.ref.tag` is none.
    #[error("failed to determine artifact digest")]
    Reference(#[source] ReferenceError),
    /// The digest could not be had.
    #[error("failed to determine artifact digest")]
    Digest(#[source] Box<OciError>),
    /// Nobody can be trusted.
    #[error("failed to verify the signature using provider '{provider}'")]
    Trust {
        /// `cosign`, `cosign keyless`.
        provider: String,
        /// Why.
        #[source]
        source: Box<TrustError>,
    },
    /// What was to be verified could not be read.
    #[error("failed to verify the signature using provider '{provider}'")]
    Unread {
        /// `cosign`, `cosign keyless`.
        provider: String,
        /// Why.
        #[source]
        source: Box<OciError>,
    },
    /// Nobody who is trusted has signed it.
    #[error(
        "failed to verify the signature using provider '{provider}': no matching signatures were \
         found for '{reference}'"
    )]
    Signature {
        /// `cosign`, `cosign keyless`.
        provider: String,
        /// What was verified.
        reference: String,
        /// Why.
        #[source]
        source: Box<VerifyError>,
    },
    /// It could not be pulled.
    #[error("failed to pull artifact from '{url}'")]
    Pull {
        /// The URL.
        url: String,
        /// Why.
        #[source]
        source: Box<OciError>,
    },
    /// There is no such layer.
    #[error(transparent)]
    Layer(#[from] ArtifactError),
    /// The layer is larger than is taken.
    #[error("the layer has {found} bytes, and at most {allowed} are taken")]
    TooLarge {
        /// Its size.
        found: u64,
        /// What is allowed.
        allowed: u64,
    },
    /// The layer cannot be unpacked.
    #[error("failed to extract layer contents from artifact")]
    Extract(#[source] Box<LayerError>),
    /// The storage failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl PullError {
    /// Names the reason, when to try again, and what the user can do.
    pub fn advice(&self) -> Advice {
        Failure::advice(self)
    }
}

impl Failure for PullError {
    fn advice(&self) -> Advice {
        // What a registry has may change at any time: it is asked again.
        let of = |reason, advice: Advice| Advice {
            reason,
            retry: Retry::Backoff,
            ..advice
        };
        let layer = |retry| Advice::new(reason::OCI_ARTIFACT_LAYER_OPERATION_FAILED, retry);
        match self {
            Self::Spec(error) => error.advice(),
            Self::Unsupported { field } => Advice::new(reason::own::NOT_SUPPORTED, Retry::OnChange)
                .hint(format!("change `{field}`")),
            Self::Url { .. } => Advice::new(reason::URL_INVALID, Retry::OnChange)
                .hint("write `spec.url` as `oci://registry.example.com/path`, without a tag"),
            Self::Credential(error) | Self::Proxy(error) => error.advice(),
            Self::Transport { source, .. } => source.advice(),
            Self::Client { source, .. } => of(reason::AUTHENTICATION_FAILED, source.advice()),
            Self::Tags { source, .. } => of(reason::READ_OPERATION_FAILED, source.advice()),
            Self::Tag { source, .. } => {
                let retry = match source {
                    ArtifactError::Range { .. } | ArtifactError::Filter(_) => Retry::OnChange,
                    _ => Retry::Backoff,
                };
                Advice::new(reason::READ_OPERATION_FAILED, retry)
            }
            Self::Reference(_) => Advice::new(reason::OCI_ARTIFACT_PULL_FAILED, Retry::OnChange)
                .hint("write `spec.ref.digest` as `sha256:<64 hexadecimal digits>`"),
            Self::Digest(source) | Self::Pull { source, .. } => {
                of(reason::OCI_ARTIFACT_PULL_FAILED, source.advice())
            }
            Self::Trust { source, .. } => source.advice(),
            Self::Unread { source, .. } => of(reason::VERIFICATION_ERROR, source.advice()),
            Self::Signature { source, .. } => of(reason::VERIFICATION_ERROR, source.advice()),
            Self::Layer(ArtifactError::NoLayerOfType(_)) => {
                layer(Retry::Backoff).hint("correct `spec.layerSelector.mediaType`")
            }
            Self::Layer(_) => layer(Retry::Backoff),
            Self::TooLarge { .. } => layer(Retry::Backoff).hint("publish something smaller"),
            Self::Extract(error) => match &**error {
                LayerError::Format(_) => layer(Retry::Backoff).hint(
                    "name a layer that is a `.tar.gz`, or set `spec.layerSelector.operation: copy`",
                ),
                _ => layer(Retry::Backoff),
            },
            Self::Store(error) => error.advice(),
        }
    }

    fn place(&self) -> Place {
        match self {
            Self::Trust { .. } | Self::Unread { .. } | Self::Signature { .. } => Place::Signature,
            Self::Store(_) => Place::Storage,
            _ => Place::Fetch,
        }
    }

    fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Tags { source, .. }
            | Self::Digest(source)
            | Self::Unread { source, .. }
            | Self::Pull { source, .. } => source.retry_after(),
            _ => None,
        }
    }
}
