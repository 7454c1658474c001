//! Why a HelmRelease cannot be rendered here.

use bulkhead_api::{Advice, Retry, reason};
use bulkhead_apply::release::StorageError;
use bulkhead_controllers::gitrepository::request::RequestError;
use bulkhead_controllers::helmchart;
use bulkhead_controllers::helmrelease::values::ValuesError;
use bulkhead_controllers::helmrelease::{self, ContentError, ReleaseError};
use bulkhead_controllers::ocirepository::PullError;
use bulkhead_source::FetchError;
use bulkhead_wasm::RenderError;

/// Why a HelmRelease cannot be rendered here.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    #[error(transparent)]
    Release(#[from] ReleaseError),
    #[error(transparent)]
    Values(#[from] Box<ValuesError>),
    #[error("`spec.chartRef.kind: {0}` is not supported yet")]
    Kind(String),
    #[error("neither `spec.chart` nor `spec.chartRef` is set")]
    NoChart,
    #[error("{field} names {subject}, which is not in the files{}", if *.asked { ", nor in the cluster" } else { "" })]
    Missing {
        field: &'static str,
        subject: String,
        asked: bool,
    },
    #[error("{subject} would have to be fetched, and `--offline` forbids that")]
    Offline { subject: String },
    #[error("failed to ask the cluster for {subject}: {problem}")]
    Asked { subject: String, problem: String },
    #[error("failed to read the chart at {path}")]
    Local {
        path: String,
        #[source]
        source: std::io::Error,
    },
    #[error("there is no chart `{chart}` in {path}: {problem}")]
    NotThere {
        chart: String,
        path: String,
        problem: String,
    },
    #[error("failed to build the chart of {subject}")]
    Build {
        subject: String,
        #[source]
        source: Box<helmchart::ChartError>,
    },
    #[error("failed to pull {subject}")]
    Pull {
        subject: String,
        #[source]
        source: Box<PullError>,
    },
    #[error("failed to fetch {subject}")]
    Request {
        subject: String,
        #[source]
        source: Box<RequestError>,
    },
    #[error("failed to fetch {subject}")]
    Fetch {
        subject: String,
        #[source]
        source: Box<FetchError>,
    },
    #[error("failed to read the chart of {subject}")]
    Chart {
        subject: String,
        #[source]
        source: Box<helmrelease::ChartError>,
    },
    #[error(transparent)]
    Storage(Box<StorageError>),
    #[error(transparent)]
    Content(Box<ContentError>),
    #[error("failed to keep what is fetched")]
    Scratch(#[source] std::io::Error),
    #[error("waiting for {0}")]
    Waiting(String),
}

impl From<StorageError> for Failure {
    fn from(error: StorageError) -> Self {
        Self::Storage(Box::new(error))
    }
}

impl From<ContentError> for Failure {
    fn from(error: ContentError) -> Self {
        Self::Content(Box::new(error))
    }
}

impl Failure {
    /// Names the reason, when to try again, and what the user can do.
    pub(crate) fn advice(&self) -> Advice {
        let stays = |reason| Advice::new(reason, Retry::OnChange);
        match self {
            Self::Release(error) => error.advice(),
            Self::Values(error) => match error.advice().hint {
                Some(hint) => error.advice().hint(format!(
                    "{hint}; its file can be named behind the HelmRelease's"
                )),
                None => error.advice(),
            },
            Self::Kind(_) => stays(reason::own::NOT_SUPPORTED)
                .hint("name an OCIRepository or a HelmChart, or a chart with `--chart`"),
            Self::NoChart => stays(reason::ARTIFACT_FAILED).hint("name a chart in one of them"),
            Self::Missing { .. } => stays(reason::ARTIFACT_FAILED)
                .hint("add its file or folder to the command, or name a chart with `--chart`"),
            Self::Offline { subject } => stays(reason::ARTIFACT_FAILED).hint(format!(
                "name a local copy with `--chart` or `--local-sources {subject}=DIR`"
            )),
            Self::Asked { .. } | Self::Scratch(_) => {
                Advice::new(reason::ARTIFACT_FAILED, Retry::Backoff)
            }
            Self::Local { .. } | Self::NotThere { .. } => stays(reason::ARTIFACT_FAILED)
                .hint("name a folder with a `Chart.yaml`, or a `.tgz` of one"),
            Self::Build { source, .. } => source.advice(),
            Self::Pull { source, .. } => source.advice(),
            Self::Request { source, .. } => source.advice(),
            Self::Fetch { source, .. } => source.advice(),
            Self::Chart { source, .. } => source.advice(),
            Self::Storage(error) => error.advice().hint(
                "the account that `spec.serviceAccountName` names, or else you, must be able to list and read Secrets where the release is stored",
            ),
            Self::Content(error) => content(error),
            Self::Waiting(_) => Advice::new(reason::helm::SOURCE_NOT_READY, Retry::OnDependency),
        }
    }
}

fn content(error: &ContentError) -> Advice {
    let failed = Advice::new(reason::BUILD_FAILED, Retry::OnChange);
    match error {
        ContentError::Render(error) => match &**error {
            RenderError::Refused(refusal) => {
                let mut all = refusal.diagnostics.iter();
                match all.find_map(|diagnostic| diagnostic.help.clone()) {
                    Some(help) => failed.hint(help),
                    None => error.advice(),
                }
            }
            error => error.advice(),
        },
        ContentError::Manifest(error) => error.advice(),
        ContentError::Output(_)
        | ContentError::Lacks(_)
        | ContentError::Documents(_)
        | ContentError::PostRender(_) => failed,
    }
}
