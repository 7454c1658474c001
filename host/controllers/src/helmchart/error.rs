//! Why there is no new artifact of a HelmChart, in the words of Flux.
//!
//! # Source
//! source-controller 1.9, `internal/controller/helmchart_controller.go` and
//! `internal/helm/chart/errors.go`.

use std::time::Duration;

use bulkhead_api::event::Severity;
use bulkhead_api::{Advice, Retry, SpecError, reason};
use bulkhead_source::helm::{HelmError, Stage};

use crate::helmrepository::request::RequestError;
use crate::sources::registry::TrustError;
use crate::sources::{Failure, Place, StoreError};

/// Why there is no new artifact.
#[derive(Debug, thiserror::Error)]
pub enum ChartError {
    /// A field cannot be used.
    #[error(transparent)]
    Spec(#[from] SpecError),
    /// A feature that is not there yet.
    #[error("`{field}` is not supported yet")]
    Unsupported {
        /// Path of the field, and its value if that matters.
        field: &'static str,
    },
    /// Only charts of registries are signed.
    #[error("`spec.verify` is only supported when the HelmRepository has the type `oci`")]
    VerifyIndex,
    /// The kind of the source has no charts.
    #[error(
        "failed to get source: unsupported source kind '{0}', must be one of: [HelmRepository \
         GitRepository Bucket]"
    )]
    Kind(String),
    /// The source does not exist.
    #[error("failed to get source: {kind}.source.toolkit.fluxcd.io \"{name}\" not found")]
    Missing {
        /// Its kind, which upstream's cache has in the place of the resource.
        kind: &'static str,
        /// Its name.
        name: String,
    },
    /// The source has no artifact.
    #[error("no artifact available for {kind} source '{name}'")]
    NoArtifact {
        /// Its kind.
        kind: String,
        /// Its name.
        name: String,
    },
    /// The repository cannot be asked.
    #[error(transparent)]
    Request(#[from] RequestError),
    /// The URL of the repository is none.
    #[error("invalid Helm repository URL")]
    Url(#[source] Box<HelmError>),
    /// The settings of the repository cannot be used.
    #[error("failed to construct Helm client")]
    Client(#[source] Box<HelmError>),
    /// The repository refused the login, or wants one.
    #[error("failed to authenticate with the Helm repository: {}", step(.stage, .what))]
    Login {
        /// The step.
        stage: Stage,
        /// What it did.
        what: &'static str,
        /// Why.
        #[source]
        source: Box<HelmError>,
    },
    /// A step of building the chart failed.
    #[error("{}", step(.stage, .what))]
    Build {
        /// The step.
        stage: Stage,
        /// What it did; empty if the cause says enough.
        what: &'static str,
        /// Why.
        #[source]
        source: Box<HelmError>,
    },
    /// There is no such version of the chart.
    #[error(
        "{}: failed to get chart version for remote reference: no '{name}' chart with version \
         matching '{wanted}' found",
        .stage.summary()
    )]
    NoVersion {
        /// The step.
        stage: Stage,
        /// The chart.
        name: String,
        /// Version or range.
        wanted: String,
        /// What there is.
        #[source]
        source: Box<HelmError>,
    },
    /// The path is no relative one.
    #[error(
        "invalid chart reference: local chart reference path is expected to be relative: `{0}`"
    )]
    Path(String),
    /// Nobody can be trusted.
    #[error("failed to verify the signature using provider '{provider}'")]
    Trust {
        /// `cosign`, `cosign keyless`.
        provider: String,
        /// Why.
        #[source]
        source: TrustError,
    },
    /// The storage failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Joins the summary of a step with what it did.
fn step(stage: &Stage, what: &str) -> String {
    match what {
        "" => stage.summary().to_owned(),
        what => format!("{}: {what}", stage.summary()),
    }
}

impl ChartError {
    /// Names the step that failed, and what it did. A refused login is told apart, as in Flux.
    pub(super) fn at(stage: Stage, what: &'static str, source: HelmError) -> Self {
        let advice = source.advice();
        match source {
            // It names its step itself.
            HelmError::Build { stage, source } => Self::at(stage, "", *source),
            source if advice.reason == reason::AUTHENTICATION_FAILED => Self::Login {
                stage,
                what,
                source: Box::new(source),
            },
            source => Self::Build {
                stage,
                what,
                source: Box::new(source),
            },
        }
    }

    /// Says why no version was found.
    pub(super) fn version(stage: Stage, name: &str, wanted: &str, source: HelmError) -> Self {
        match source {
            source @ (HelmError::NoChart { .. } | HelmError::NoVersion { .. }) => Self::NoVersion {
                stage,
                name: name.to_owned(),
                wanted: wanted.to_owned(),
                source: Box::new(source),
            },
            HelmError::Name(_) => Self::at(Stage::Reference, "", source),
            other => {
                let what = "failed to get chart version for remote reference";
                // Only what the user wrote is wrong for good; a server or a disk is asked again.
                let stage = match other {
                    HelmError::Range { .. } => stage,
                    _ => Stage::Pull,
                };
                Self::at(stage, what, other)
            }
        }
    }
}

impl ChartError {
    /// Names the reason, when to try again, and what the user can do.
    pub fn advice(&self) -> Advice {
        Failure::advice(self)
    }
}

impl Failure for ChartError {
    fn severity(&self) -> Severity {
        match self {
            // The source's own event tells why, if that lasts.
            Self::NoArtifact { .. } => Severity::Trace,
            _ => Severity::Error,
        }
    }
    fn advice(&self) -> Advice {
        let staged = |stage: &Stage, source: &HelmError| Advice {
            reason: stage.reason(),
            // What a source has may change at any time; it wakes the chart, or is asked again.
            retry: match stage {
                Stage::Reference | Stage::Metadata | Stage::Values => Retry::OnChange,
                _ => Retry::Backoff,
            },
            ..source.advice()
        };
        match self {
            Self::Spec(error) => error.advice(),
            Self::Unsupported { field } => Advice::new(reason::own::NOT_SUPPORTED, Retry::OnChange)
                .hint(format!("change `{field}`")),
            Self::VerifyIndex => Advice::new(reason::VERIFICATION_ERROR, Retry::OnChange)
                .hint("remove `spec.verify`, or take the chart from a registry"),
            Self::Kind(_) => Advice::new(reason::UNSUPPORTED_SOURCE_KIND, Retry::OnChange),
            Self::Missing { .. } => Advice::new(reason::SOURCE_UNAVAILABLE, Retry::OnDependency),
            Self::NoArtifact { .. } => Advice::new(reason::NO_SOURCE_ARTIFACT, Retry::OnDependency),
            Self::Request(error) => error.advice(),
            Self::Url(error) => Advice {
                reason: reason::URL_INVALID,
                retry: Retry::OnChange,
                ..error.advice()
            },
            Self::Client(error) => Advice {
                reason: reason::FAILED,
                retry: Retry::Backoff,
                ..error.advice()
            },
            Self::Login { source, .. } => Advice {
                retry: Retry::Backoff,
                ..source.advice()
            },
            Self::Build { stage, source, .. } | Self::NoVersion { stage, source, .. } => {
                staged(stage, source)
            }
            Self::Path(_) => Advice::new(Stage::Reference.reason(), Retry::OnChange)
                .hint("write `spec.chart` as a path below the root of the source: `./charts/web`"),
            Self::Trust { source, .. } => source.advice(),
            Self::Store(error) => error.advice(),
        }
    }

    fn place(&self) -> Place {
        match self {
            Self::Store(_) => Place::Storage,
            Self::Trust { .. } | Self::VerifyIndex => Place::Signature,
            Self::Build { stage, .. } => match stage {
                Stage::Reference | Stage::Pull => Place::Fetch,
                Stage::Verification => Place::ChartSignature,
                Stage::Metadata | Stage::Values | Stage::Dependencies | Stage::Package => {
                    Place::Build
                }
            },
            _ => Place::Fetch,
        }
    }

    fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Build { source, .. } | Self::Login { source, .. } => source.retry_after(),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_disk_that_fails_is_asked_again() {
        let broken = HelmError::Store {
            action: "read the stored index",
            source: std::io::Error::other("EIO"),
        };
        let error = ChartError::version(Stage::Reference, "web", "1.x", broken);
        let advice = Failure::advice(&error);
        assert_eq!(
            (advice.reason, advice.retry),
            ("ChartPullError", Retry::Backoff)
        );
        let none = HelmError::NoChart {
            place: "x".into(),
            name: "web".into(),
            near: String::new(),
        };
        let error = ChartError::version(Stage::Reference, "web", "1.x", none);
        assert_eq!(Failure::advice(&error).retry, Retry::OnChange);
    }
}
