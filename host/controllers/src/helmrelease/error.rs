//! Why a release is not as it should be.

use bulkhead_api::{Advice, Retry, SpecError, reason};
use bulkhead_apply::health::ChecksError;
use bulkhead_apply::release::{ManifestError, StorageError};

use super::chart::ChartError;
use super::decide::Halt;
use super::selector::SelectorError;
use super::values::ValuesError;
use crate::applier::FaceError;
use crate::applier::plugins::PluginsError;
use crate::client::Refused;
use crate::place::PlaceError;
use crate::sources::ArtifactError;

/// Why a release is not as it should be.
#[derive(Debug, thiserror::Error)]
pub enum ReleaseError {
    /// A field cannot be used.
    #[error(transparent)]
    Spec(#[from] SpecError),
    /// A feature that is not there yet.
    #[error("`{0}` is not supported yet")]
    Unsupported(&'static str),
    /// An annotation cannot be used.
    #[error(transparent)]
    Face(Box<FaceError>),
    /// A plugin cannot be used.
    #[error(transparent)]
    Plugins(Box<PluginsError>),
    /// An expression cannot be used. The event says so without the first words, as in Flux.
    #[error("Reconciliation failed terminally due to configuration error: {0}")]
    Expression(String),
    /// A reference into another namespace is forbidden.
    #[error("cross-namespace references are not allowed: cannot access {0}")]
    AccessDenied(String),
    /// The history cannot be read from the status: nothing is done by guessing.
    #[error("failed to read `status.{0}`")]
    Status(String),
    /// The HelmChart could not be applied or deleted.
    #[error("failed to run server-side apply")]
    HelmChart(#[source] Refused),
    /// A dependency is not there, or not ready.
    #[error("{0}")]
    Dependency(String),
    /// The source is not there.
    #[error("could not get Source object: {0}")]
    NoSource(String),
    /// The source is not ready.
    #[error("{0}")]
    SourceNotReady(String),
    /// Values could not be put together.
    #[error(transparent)]
    Values(Box<ValuesError>),
    /// The artifact is not there (any more).
    #[error("Source not ready: artifact not found. Retrying in {0}")]
    ArtifactGone(String),
    /// The artifact cannot be had.
    #[error("Could not load chart")]
    Artifact(#[source] Box<ArtifactError>),
    /// The artifact is no chart.
    #[error("Could not load chart")]
    Chart(#[source] Box<ChartError>),
    /// The cluster, or the account to act as, cannot be used.
    #[error(transparent)]
    Place(Box<PlaceError>),
    /// Helm's records cannot be read.
    #[error("Could not determine release state")]
    State(#[source] Box<StorageError>),
    /// The chart of the version before has values that cannot be kept.
    #[error(
        "failed to read the values of the version before, which `spec.upgrade.preserveValues` keeps"
    )]
    Reuse(#[source] serde_json::Error),
    /// A rule of what to ignore cannot be used.
    #[error(transparent)]
    Selector(Box<SelectorError>),
    /// The cluster could not be compared.
    #[error("Could not determine release state: unable to determine cluster state: {0}")]
    Drift(String),
    /// Nothing can be done.
    #[error(transparent)]
    Halt(#[from] Halt),
    /// An action failed and stored nothing; conditions and events have told of it.
    #[error("{0}")]
    Action(String),
}

impl From<Box<ValuesError>> for ReleaseError {
    fn from(error: Box<ValuesError>) -> Self {
        Self::Values(error)
    }
}

impl From<ChecksError> for ReleaseError {
    fn from(error: ChecksError) -> Self {
        Self::Expression(bulkhead_api::chain(&error))
    }
}

impl From<kube::Error> for ReleaseError {
    fn from(error: kube::Error) -> Self {
        Self::HelmChart(error.into())
    }
}

macro_rules! boxed {
    ($($case:ident($error:ty)),+ $(,)?) => {
        $(impl From<$error> for ReleaseError {
            fn from(error: $error) -> Self {
                Self::$case(Box::new(error))
            }
        })+
    };
}

boxed!(
    Face(FaceError),
    Plugins(PluginsError),
    Values(ValuesError),
    Artifact(ArtifactError),
    Chart(ChartError),
    Place(PlaceError),
    State(StorageError),
    Selector(SelectorError),
);

impl ReleaseError {
    /// Names the reason, when to try again, and what the user can do.
    pub fn advice(&self) -> Advice {
        let stalled = |reason| Advice::new(reason, Retry::OnChange);
        match self {
            Self::Spec(error) => error.advice(),
            Self::Unsupported(field) => {
                stalled(reason::own::NOT_SUPPORTED).hint(format!("remove `{field}`"))
            }
            Self::Face(error) => error.advice(),
            Self::Plugins(error) => error.advice(),
            Self::Expression(_) => stalled(reason::INVALID_CEL_EXPRESSION),
            Self::AccessDenied(_) => stalled(reason::ACCESS_DENIED),
            Self::Status(field) => stalled(reason::helm::STATE_ERROR).hint(format!(
                "correct `status.{field}`, or remove it to adopt the release anew"
            )),
            Self::HelmChart(_) | Self::NoSource(_) => {
                Advice::new(reason::ARTIFACT_FAILED, Retry::Backoff)
            }
            Self::Dependency(_) => Advice::new(reason::DEPENDENCY_NOT_READY, Retry::OnDependency),
            Self::SourceNotReady(_) => {
                Advice::new(reason::helm::SOURCE_NOT_READY, Retry::OnDependency)
            }
            Self::Values(error) => error.advice(),
            Self::ArtifactGone(_) => Advice::new(reason::ARTIFACT_FAILED, Retry::OnDependency),
            Self::Artifact(error) => error.advice(),
            Self::Chart(error) => error.advice(),
            Self::Place(error) => error.advice(reason::helm::REST_CLIENT_ERROR),
            Self::State(error) => Advice {
                reason: reason::helm::STATE_ERROR,
                ..error.advice()
            },
            Self::Reuse(_) => {
                stalled(reason::helm::STATE_ERROR).hint("remove `spec.upgrade.preserveValues`")
            }
            Self::Selector(error) => error.advice(),
            Self::Drift(_) => Advice::new(reason::helm::STATE_ERROR, Retry::Backoff),
            Self::Halt(error) => error.advice(),
            Self::Action(_) => Advice::new(reason::FAILED, Retry::Backoff),
        }
    }

    /// Returns the text of the event; `told` is that of the condition.
    pub(super) fn event(&self, told: String) -> String {
        match self {
            Self::Expression(text) => text.clone(),
            _ => told,
        }
    }

    /// Tells whether an event says so: what is waited for, and what was told already, need none.
    pub(super) fn is_told(&self) -> bool {
        !matches!(
            self,
            Self::SourceNotReady(_)
                | Self::NoSource(_)
                | Self::ArtifactGone(_)
                | Self::Halt(_)
                | Self::Action(_)
        )
    }
}

/// Why a chart could not be rendered into a release.
#[derive(Debug, thiserror::Error)]
pub enum ContentError {
    /// The guest refused, or failed.
    #[error(transparent)]
    Render(Box<bulkhead_wasm::RenderError>),
    /// What the guest returned cannot be read.
    #[error("failed to read what the chart was rendered to")]
    Output(#[source] serde_json::Error),
    /// The renderer does not give what a release stores.
    #[error("the renderer returned no `{0}`")]
    Lacks(&'static str),
    /// The manifests are no YAML.
    #[error(transparent)]
    Manifest(#[from] ManifestError),
    /// What transformers are given is no YAML.
    #[error("failed to read what a transformer is given")]
    Documents(#[source] bulkhead_api::yaml::YamlError),
    /// Post-rendering failed.
    #[error("{0}")]
    PostRender(String),
}

impl From<bulkhead_wasm::RenderError> for ContentError {
    fn from(error: bulkhead_wasm::RenderError) -> Self {
        Self::Render(Box::new(error))
    }
}
