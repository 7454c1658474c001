//! Why a Helm repository, its index or a chart cannot be used, and what that means for the user.

use std::time::Duration;

use bulkhead_api::yaml::YamlError;
use bulkhead_api::yaml::pieces::PieceError;
use bulkhead_api::{Advice, Digest, Retry, TreeError};

use super::Stage;
use crate::ConstraintError;
use crate::oci::OciError;
use crate::oci::verify::VerifyError;

type Cause = Box<dyn std::error::Error + Send + Sync>;

/// Why there is no index or no chart. No text holds a credential or the content of a file; what
/// others said is shortened and has no control characters. `place` is a URL without login and query,
/// a reference, or a path.
#[derive(Debug, thiserror::Error)]
pub enum HelmError {
    /// The URL cannot be used.
    #[error("`{url}` is not the URL of a Helm repository: {problem}")]
    Url {
        /// The URL, without login and query.
        url: String,
        /// What is wrong.
        problem: String,
    },
    /// Certificates, key or proxy cannot be used.
    #[error("failed to prepare the connection to {place}: {problem}")]
    Settings {
        /// What was asked for.
        place: String,
        /// What is wrong with which key of which secret.
        problem: String,
    },
    /// No connection, or it broke.
    #[error("failed to reach {place}")]
    Unreachable {
        /// What was asked for.
        place: String,
        /// Why.
        #[source]
        source: Cause,
    },
    /// The certificate is not trusted, or the server does not speak TLS.
    #[error("failed to trust the certificate of {place}")]
    Certificate {
        /// What was asked for.
        place: String,
        /// Why.
        #[source]
        source: Cause,
    },
    /// It took longer than allowed, or was silent for too long.
    #[error("{place} did not {what} within {}s", after.as_secs_f64())]
    Timeout {
        /// What was asked for.
        place: String,
        /// `answer`, `finish`.
        what: &'static str,
        /// The time it had.
        after: Duration,
    },
    /// An address that may not be connected to.
    #[error("{place} has the address {address}, which may not be connected to")]
    Address {
        /// What was asked for.
        place: String,
        /// The address.
        address: std::net::IpAddr,
    },
    /// A redirect was refused.
    #[error("refused to follow the redirect of {place}: {problem}")]
    Redirect {
        /// What was asked for.
        place: String,
        /// Why.
        problem: String,
    },
    /// The server wants another login (401, 407), or does not let this one read (403).
    #[error("{place} needs a login, or refused it: {answer}")]
    Unauthorised {
        /// What was asked for.
        place: String,
        /// The status.
        answer: String,
        /// Whether a login was sent.
        had_login: bool,
    },
    /// The server asks for fewer requests, or is not available for now.
    #[error("{place} is not available for now: {answer}")]
    Busy {
        /// What was asked for.
        place: String,
        /// The status.
        answer: String,
        /// When it may be asked again, if it said so.
        retry_after: Option<Duration>,
    },
    /// The server answered with a status that is no success.
    #[error("{place} answered with {answer}")]
    Status {
        /// What was asked for.
        place: String,
        /// The status.
        answer: String,
        /// Its number.
        status: u16,
    },
    /// A page for people stands where an index or a chart should.
    #[error("{place} answered with a web page instead of {expected}")]
    Page {
        /// What was asked for.
        place: String,
        /// `an index`, `a chart`.
        expected: &'static str,
    },
    /// The answer cannot be decompressed, or ends too early.
    #[error("failed to read the answer of {place}: {problem}")]
    Body {
        /// What was asked for.
        place: String,
        /// What is wrong.
        problem: String,
    },
    /// Something is larger than allowed.
    #[error("{what} is past the limit `{limit}` of {allowed}")]
    Limit {
        /// What is too large, and where it is.
        what: String,
        /// Field of [`Limits`](super::Limits).
        limit: &'static str,
        /// Its value.
        allowed: u64,
    },
    /// The bytes are others than the index says.
    #[error("{place} has digest {found}, but its repository's index says {expected}")]
    DigestMismatch {
        /// What was downloaded.
        place: String,
        /// The digest of what came.
        found: Digest,
        /// The digest of the index.
        expected: Digest,
    },
    /// The index cannot be read.
    #[error("failed to read the index")]
    Index(#[source] PieceError),
    /// The index is not one.
    #[error("the index {0}")]
    NoIndex(&'static str),
    /// The repository has no such chart.
    #[error("{place} has no chart `{name}`{near}")]
    NoChart {
        /// The repository.
        place: String,
        /// What was asked for.
        name: String,
        /// Empty, or the names that are most like it.
        near: String,
    },
    /// No version is in the range.
    #[error("{place} has no version that is `{wanted}`: {near}")]
    NoVersion {
        /// The chart.
        place: String,
        /// Version or range.
        wanted: String,
        /// The versions that are near.
        near: String,
    },
    /// The range cannot be read.
    #[error("failed to choose a version of {place}")]
    Range {
        /// The chart.
        place: String,
        /// Why.
        #[source]
        source: ConstraintError,
    },
    /// The entry of the index says nowhere where the chart is.
    #[error("version {version} of chart `{name}` has no URL in the index that can be used")]
    NoUrl {
        /// The chart.
        name: String,
        /// The version.
        version: String,
    },
    /// A name that no chart can have.
    #[error("`{0}` is not the name of a chart: lower-case letters, digits, `-`, `.` and `/`")]
    Name(String),
    /// Build metadata cannot be set.
    #[error("failed to add `{metadata}` to version `{version}`: {problem}")]
    Metadata {
        /// The version.
        version: String,
        /// What was to be added.
        metadata: String,
        /// Why not.
        problem: String,
    },
    /// The archive cannot be read, or holds what no chart may.
    #[error("failed to unpack {place}: {problem}")]
    Archive {
        /// The archive.
        place: String,
        /// What is wrong, with the name of the entry.
        problem: String,
    },
    /// A file of a chart cannot be read.
    #[error("failed to read `{file}` of {place}: {problem}")]
    File {
        /// The chart.
        place: String,
        /// The file.
        file: String,
        /// What is wrong.
        problem: String,
    },
    /// A file of a chart is not YAML.
    #[error("failed to read `{file}` of {place}")]
    Yaml {
        /// The chart.
        place: String,
        /// The file.
        file: String,
        /// Where and why.
        #[source]
        source: YamlError,
    },
    /// There is no `Chart.yaml` in a folder at the top.
    #[error("{place} is not a valid chart: it has no `Chart.yaml`")]
    NoMetadata {
        /// The chart.
        place: String,
    },
    /// `Chart.yaml` says what no chart may say.
    #[error("{place} is not a valid chart: {problem}")]
    Invalid {
        /// The chart.
        place: String,
        /// What is wrong.
        problem: String,
    },
    /// A values file is missing.
    #[error("there is no values file `{path}` in {place}")]
    NoValues {
        /// The path as it was written.
        path: String,
        /// The chart or the source.
        place: String,
    },
    /// A dependency cannot be added.
    #[error("failed to add dependency `{name}` from {repository}")]
    Dependency {
        /// Its name or alias.
        name: String,
        /// The repository as it is written, without login.
        repository: String,
        /// Why.
        #[source]
        source: Box<HelmError>,
    },
    /// A dependency names a repository that cannot be one.
    #[error(
        "`{0}` is not a repository for dependencies: write https://, http://, oci:// or file://"
    )]
    DependencyUrl(String),
    /// The lock file is for other dependencies.
    #[error("`{file}` of {place} does not fit the dependencies of `Chart.yaml`")]
    Lock {
        /// The chart.
        place: String,
        /// `Chart.lock`, `requirements.lock`.
        file: &'static str,
    },
    /// The source's tree cannot be read.
    #[error("failed to read the source")]
    Tree(#[from] TreeError),
    /// A file of ours could not be read or written.
    #[error("failed to {action}")]
    Store {
        /// `write the index`.
        action: &'static str,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// A registry refused, or has something else.
    #[error(transparent)]
    Registry(#[from] OciError),
    /// A signature is missing or not trusted.
    #[error(transparent)]
    Signature(#[from] Box<VerifyError>),
    /// A step of building a chart failed: says which, in Flux's words.
    #[error("{}", .stage.summary())]
    Build {
        /// The step.
        stage: Stage,
        /// Why.
        #[source]
        source: Box<HelmError>,
    },
}

impl From<VerifyError> for HelmError {
    fn from(error: VerifyError) -> Self {
        Self::Signature(Box::new(error))
    }
}

impl HelmError {
    /// Names the reason (stable API), when to try again, and what the user can do.
    pub fn advice(&self) -> Advice {
        match self {
            Self::Url { .. } => Advice::new("URLInvalid", Retry::OnChange)
                .hint("write it as `https://charts.example.org/path`, or `oci://` with `type: oci`"),
            Self::Settings { .. } => authentication(Retry::OnChange)
                .hint("check `ca.crt`, `tls.crt` and `tls.key` of the certificate's secret"),
            Self::Unauthorised { had_login: false, .. } => authentication(Retry::Backoff)
                .hint("name a secret with `username` and `password` in `spec.secretRef`; if the chart is on another host than the index, set `spec.passCredentials`"),
            Self::Unauthorised { .. } => authentication(Retry::Backoff)
                .hint("check that the login is current and may read the repository"),
            Self::Certificate { .. } => authentication(Retry::Backoff)
                .hint("give the authority's certificate as `ca.crt` in `spec.certSecretRef`"),
            Self::Timeout { .. } => failed(Retry::Backoff).hint("raise `spec.timeout`"),
            Self::Address { .. } => failed(Retry::OnChange)
                .hint("name a repository that does not lead to link-local addresses"),
            Self::Redirect { .. } => failed(Retry::OnChange)
                .hint("name the address that it leads to, if you trust it"),
            Self::Page { .. } => failed(Retry::Backoff)
                .hint("check the URL: `index.yaml` must be below it, without a login page in between"),
            Self::Limit { .. } => failed(Retry::OnChange).hint("publish something smaller"),
            Self::DigestMismatch { .. } => failed(Retry::Backoff)
                .hint("rebuild the index with `helm repo index`; if it stays, someone in between is changing the chart"),
            Self::Index(_) | Self::NoIndex(_) => Advice::new("IndexationFailed", Retry::Backoff)
                .hint("rebuild the index with `helm repo index`"),
            Self::NoChart { .. } | Self::NoVersion { .. } | Self::NoUrl { .. } => reference(Retry::Backoff),
            Self::Name(_) | Self::Range { .. } => reference(Retry::OnChange),
            Self::Metadata { .. } => Advice::new(Stage::Metadata.reason(), Retry::OnChange),
            Self::NoValues { .. } => Advice::new(Stage::Values.reason(), Retry::OnChange).hint(
                "paths are relative to the root of a Git source, and to the chart's folder otherwise; or set `ignoreMissingValuesFiles`",
            ),
            Self::Dependency { source, .. } => Advice {
                reason: Stage::Dependencies.reason(),
                ..source.advice()
            },
            Self::DependencyUrl(_) => Advice::new(Stage::Dependencies.reason(), Retry::OnChange)
                .hint("an alias (`@name`) is known to the `helm` command of one machine alone: write the URL"),
            Self::Lock { .. } => Advice::new(Stage::Dependencies.reason(), Retry::OnChange)
                .hint("run `helm dependency update` and commit the lock file"),
            Self::Archive { .. }
            | Self::File { .. }
            | Self::Yaml { .. }
            | Self::NoMetadata { .. }
            | Self::Invalid { .. } => {
                Advice::new(Stage::Package.reason(), Retry::OnChange)
                    .hint("check the chart with `helm lint`")
            }
            Self::Tree(_) => reference(Retry::OnChange),
            Self::Unreachable { .. }
            | Self::Busy { .. }
            | Self::Status { .. }
            | Self::Body { .. }
            | Self::Store { .. } => failed(Retry::Backoff),
            Self::Registry(error) => error.advice(),
            Self::Signature(error) => error.advice(),
            Self::Build { stage, source } => stage.advice(source.advice()),
        }
    }

    /// Returns how long the server asked to be left alone.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Busy { retry_after, .. } => *retry_after,
            Self::Registry(error) => error.retry_after(),
            Self::Dependency { source, .. } | Self::Build { source, .. } => source.retry_after(),
            _ => None,
        }
    }

    pub(super) fn limit(what: impl Into<String>, limit: &'static str, allowed: u64) -> Self {
        Self::Limit {
            what: what.into(),
            limit,
            allowed,
        }
    }

    pub(super) fn invalid(place: &str, problem: impl AsRef<str>) -> Self {
        Self::Invalid {
            place: place.to_owned(),
            problem: crate::error::clean(problem.as_ref()),
        }
    }

    pub(super) fn archive(place: &str, problem: impl AsRef<str>) -> Self {
        Self::Archive {
            place: place.to_owned(),
            problem: crate::error::clean(problem.as_ref()),
        }
    }
}

fn failed(retry: Retry) -> Advice {
    Advice::new("Failed", retry)
}

fn authentication(retry: Retry) -> Advice {
    Advice::new("AuthenticationFailed", retry)
}

fn reference(retry: Retry) -> Advice {
    Advice::new(Stage::Reference.reason(), retry)
}
