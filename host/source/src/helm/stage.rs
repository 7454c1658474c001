//! The steps of building a chart, with Flux's reasons and words for their failures.

use bulkhead_api::{Advice, Retry};

use super::HelmError;

/// A step of building a chart.
///
/// # Source
/// source-controller 1.9, internal/helm/chart/errors.go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Finding the chart.
    Reference,
    /// Downloading it.
    Pull,
    /// Setting its version.
    Metadata,
    /// Merging values files.
    Values,
    /// Adding dependencies.
    Dependencies,
    /// Packing it.
    Package,
    /// Verifying its signature.
    Verification,
}

impl Stage {
    /// Returns the reason of conditions and events: stable API.
    pub fn reason(self) -> &'static str {
        match self {
            Self::Reference => "InvalidChartReference",
            Self::Pull => "ChartPullError",
            Self::Metadata => "MetadataPatchError",
            Self::Values => "ValuesFilesError",
            Self::Dependencies => "DependencyBuildError",
            Self::Package => "ChartPackageError",
            Self::Verification => "ChartVerificationError",
        }
    }

    /// Returns what stands in front of the cause.
    pub fn summary(self) -> &'static str {
        match self {
            Self::Reference => "invalid chart reference",
            Self::Pull => "chart pull error",
            Self::Metadata => "chart metadata patch error",
            Self::Values => "values files merge error",
            Self::Dependencies => "dependency build error",
            Self::Package => "chart package error",
            Self::Verification => "chart verification error",
        }
    }

    /// Tells whether trying again without a change is of no use, as Flux sees it.
    fn is_persistent(self) -> bool {
        matches!(self, Self::Reference | Self::Metadata | Self::Values)
    }

    /// Names this step as the one that failed.
    pub(super) fn failed(self, source: impl Into<HelmError>) -> HelmError {
        HelmError::Build {
            stage: self,
            source: Box::new(source.into()),
        }
    }

    /// Returns the advice for a failure of this step; a login that fails is told as such whatever
    /// was being built, as in Flux.
    pub(super) fn advice(self, cause: Advice) -> Advice {
        let reason = match cause.reason {
            "AuthenticationFailed" => cause.reason,
            _ => self.reason(),
        };
        let retry = match cause.retry {
            _ if self.is_persistent() => Retry::OnChange,
            Retry::OnChange => Retry::Backoff,
            retry => retry,
        };
        Advice {
            reason,
            retry,
            ..cause
        }
    }
}
