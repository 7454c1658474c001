//! What to do about a HelmChart. Pure.

use std::sync::Arc;

use bulkhead_api::meta::Artifact;
use bulkhead_api::source::{
    ChartSourceKind, GitRepository, HelmChart, HelmRepository, ReconcileStrategy,
    VerificationProvider,
};
use bulkhead_api::{Revision, SpecError, TreePath};
use bulkhead_source::helm::registry::chart_repository;
use bulkhead_source::helm::{BuildOptions, RepositoryConfig};
use bulkhead_source::oci::verify::Policy;
use bulkhead_source::oci::{RegistryConfig, Repository};

use super::error::ChartError;
use super::load::{Observed, Source};
use crate::helmrepository::request;
use crate::sources::registry::Verification;
use crate::trees::Loaded;

/// Characters of a source's revision that become part of a version.
const REVISION_CHARACTERS: usize = 12;

/// What to do.
#[derive(Debug)]
pub(super) enum Decision {
    /// It is being deleted: its artifacts go, then its finalizer.
    Finalize,
    /// It is suspended: nothing.
    Suspend,
    /// Nothing can be built.
    Refuse(ChartError),
    /// Build the chart, unless it is there.
    Build(Box<Plan>),
}

/// What to build of what.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) from: From,
    pub(super) options: BuildOptions,
    /// Name and version of the artifact, if it is in the storage and was made for this generation.
    pub(super) current: Option<(String, String)>,
}

/// Where the chart is.
#[derive(Debug)]
pub(super) enum From {
    /// In a repository with an index; without an artifact that is asked for anew.
    Index {
        repository: Arc<HelmRepository>,
        artifact: Option<Box<Artifact>>,
        config: Box<RepositoryConfig>,
    },
    /// In a registry.
    Registry {
        repository: Repository,
        config: Box<RegistryConfig>,
        policy: Option<Box<Policy>>,
    },
    /// Among the files of a source.
    Files { path: TreePath, loaded: Arc<Loaded> },
}

/// Decides.
pub(super) fn decide(object: &HelmChart, seen: &Observed) -> Decision {
    if object.metadata.deletion_timestamp.is_some() {
        return Decision::Finalize;
    }
    if object.spec.suspend {
        return Decision::Suspend;
    }
    match plan(object, seen) {
        Err(error) => Decision::Refuse(error),
        Ok(plan) => Decision::Build(Box::new(plan)),
    }
}

/// Says what is to be built of what.
pub(super) fn plan(object: &HelmChart, seen: &Observed) -> Result<Plan, ChartError> {
    let spec = &object.spec;
    spec.interval()?;
    let strategy = spec.reconcile_strategy();
    if let ReconcileStrategy::Other(value) = &strategy {
        let (field, known) = ("spec.reconcileStrategy", ReconcileStrategy::KNOWN);
        return Err(SpecError::unknown(field, value, known).into());
    }
    let notation = |verify: &bulkhead_api::source::ChartVerification| {
        verify.provider == VerificationProvider::Notation
    };
    if spec.verify.as_ref().is_some_and(notation) {
        let field = "spec.verify.provider: notation";
        return Err(ChartError::Unsupported { field });
    }
    let from = from(object, seen)?;
    let source_revision = match (&seen.source, strategy) {
        (Source::Files(loaded), ReconcileStrategy::Revision) => Some(&*loaded.revision),
        _ => None,
    };
    Ok(Plan {
        from,
        options: options(object, source_revision),
        current: current(object, seen),
    })
}

fn from(object: &HelmChart, seen: &Observed) -> Result<From, ChartError> {
    let (spec, reference) = (&object.spec, &object.spec.source_ref);
    match &seen.source {
        Source::Unknown => Err(match &reference.kind {
            ChartSourceKind::Other(value) => ChartError::Kind(value.clone()),
            _ => ChartError::Unsupported {
                field: "spec.sourceRef.kind: Bucket",
            },
        }),
        Source::Missing => Err(ChartError::Missing {
            kind: match reference.kind {
                ChartSourceKind::GitRepository => GitRepository::KIND,
                _ => HelmRepository::KIND,
            },
            name: reference.name.clone(),
        }),
        Source::NoArtifact => Err(ChartError::NoArtifact {
            kind: reference.kind.to_string(),
            name: reference.name.clone(),
        }),
        Source::Index(..) if spec.verify.is_some() => Err(ChartError::VerifyIndex),
        Source::Index(repository, artifact) => Ok(From::Index {
            config: Box::new(request::web(&repository.spec, &seen.secrets)?),
            repository: repository.clone(),
            artifact: artifact.clone(),
        }),
        Source::Registry(repository) => {
            let stage = bulkhead_source::helm::Stage::Pull;
            let wrong = |error| ChartError::version(stage, &spec.chart, spec.version(), error);
            let named = chart_repository(&repository.spec.url, &spec.chart).map_err(wrong)?;
            let config = request::oci(&repository.spec, &seen.secrets, named.registry())?;
            Ok(From::Registry {
                config: Box::new(config),
                policy: policy(object, seen)?.map(Box::new),
                repository: named,
            })
        }
        Source::Files(loaded) => {
            let wrong = |_| ChartError::Path(spec.chart.clone());
            Ok(From::Files {
                // As in Flux, `..` at the root of the source stays there.
                path: match spec.chart.starts_with('/') {
                    true => return Err(ChartError::Path(spec.chart.clone())),
                    false => TreePath::root().within(&spec.chart).map_err(wrong)?,
                },
                loaded: loaded.clone(),
            })
        }
    }
}

fn policy(object: &HelmChart, seen: &Observed) -> Result<Option<Policy>, ChartError> {
    let Some(verify) = &object.spec.verify else {
        return Ok(None);
    };
    let verification = Verification {
        provider: &verify.provider,
        identities: &verify.match_oidc_identity,
        keys: seen.keys.as_ref(),
        root: None,
    };
    let policy = verification.policy();
    policy.map(Some).map_err(|source| ChartError::Trust {
        provider: verification.provider(),
        source,
    })
}

/// Says what is to become of the chart.
///
/// # Source
/// `buildFromHelmRepository` and `buildFromTarballArtifact`: what the version gets, so that who uses
/// the artifact sees a change.
pub(super) fn options(object: &HelmChart, source_revision: Option<&str>) -> BuildOptions {
    let mut options = BuildOptions {
        version_metadata: source_revision.map(short).unwrap_or_default(),
        values_files: object.spec.values_files.clone(),
        ignore_missing_values_files: object.spec.ignore_missing_values_files,
    };
    if !options.values_files().is_empty() {
        if !options.version_metadata.is_empty() {
            options.version_metadata.push('.');
        }
        let generation = object.metadata.generation.unwrap_or_default();
        options.version_metadata.push_str(&generation.to_string());
    }
    options
}

/// Returns the start of the checksum of a revision.
fn short(revision: &str) -> String {
    let checksum = match revision.parse::<Revision>() {
        Ok(revision) => revision.checksum,
        Err(_) => revision.to_owned(),
    };
    checksum.chars().take(REVISION_CHARACTERS).collect()
}

fn current(object: &HelmChart, seen: &Observed) -> Option<(String, String)> {
    let status = &object.status;
    let is_of_this = object.metadata.generation == Some(status.observed_generation);
    if !seen.has_artifact || !is_of_this {
        return None;
    }
    let version = status.artifact.as_ref()?.revision.clone();
    Some((status.observed_chart_name.clone()?, version))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may")]

    use std::time::Duration;

    use bulkhead_api::source::{
        ChartSourceReference, ChartVerification, HelmChartSpec, HelmRepositorySpec,
        HelmRepositoryType,
    };
    use bulkhead_api::{Retry, meta};

    use super::*;
    use crate::helmrepository::request::Secrets;
    use crate::sources::{Failure as _, Place};

    fn chart(kind: ChartSourceKind, change: impl FnOnce(&mut HelmChartSpec)) -> HelmChart {
        let source = ChartSourceReference::new(kind, "podinfo");
        let mut spec = HelmChartSpec::new("podinfo", source, Duration::from_secs(60));
        change(&mut spec);
        let mut chart = HelmChart::new("apps", "web", spec);
        chart.metadata.generation = Some(3);
        chart
    }

    fn seen(source: Source) -> Observed {
        Observed {
            source,
            secrets: Secrets::default(),
            keys: None,
            has_artifact: false,
        }
    }

    fn registry() -> Source {
        let url = "oci://registry.example.com/charts";
        let mut spec = HelmRepositorySpec::new(url, Duration::from_secs(60));
        spec.type_ = Some(HelmRepositoryType::Oci);
        Source::Registry(Arc::new(HelmRepository::new("apps", "podinfo", spec)))
    }

    fn refused(object: &HelmChart, seen: &Observed) -> (String, &'static str, Retry) {
        let error = plan(object, seen).unwrap_err();
        let advice = error.advice();
        (bulkhead_api::chain(&error), advice.reason, advice.retry)
    }

    #[test]
    fn sources_that_lack_something_have_flux_s_words() {
        let helm = chart(ChartSourceKind::HelmRepository, |_| {});
        assert_eq!(
            refused(&helm, &seen(Source::Missing)),
            (
                "failed to get source: HelmRepository.source.toolkit.fluxcd.io \"podinfo\" not \
                 found"
                    .into(),
                "SourceUnavailable",
                Retry::OnDependency
            )
        );
        let git = chart(ChartSourceKind::GitRepository, |_| {});
        assert_eq!(
            refused(&git, &seen(Source::NoArtifact)),
            (
                "no artifact available for GitRepository source 'podinfo'".into(),
                "NoSourceArtifact",
                Retry::OnDependency
            )
        );
        let bucket = chart(ChartSourceKind::Bucket, |_| {});
        let (text, reason, retry) = refused(&bucket, &seen(Source::Unknown));
        assert_eq!(text, "`spec.sourceRef.kind: Bucket` is not supported yet");
        assert_eq!((reason, retry), ("NotSupported", Retry::OnChange));
        let other = chart("Ark".into(), |_| {});
        assert_eq!(
            refused(&other, &seen(Source::Unknown)).1,
            "UnsupportedSourceKind"
        );
    }

    #[test]
    fn versions_get_the_generation_and_the_revision() {
        let values = |files: &[&str]| {
            let files = files.iter().map(ToString::to_string).collect();
            chart(ChartSourceKind::GitRepository, |spec| {
                spec.values_files = files
            })
        };
        let revision = "main@sha1:1f0c9a8b7c6d5e4f3a2b1c0d9e8f7a6b5c4d3e2f";
        let of = |chart: &HelmChart, revision| options(chart, revision).version_metadata;
        assert_eq!(of(&values(&[]), None), "");
        assert_eq!(of(&values(&["values.yaml"]), None), "");
        assert_eq!(of(&values(&["a.yaml"]), None), "3");
        assert_eq!(of(&values(&[]), Some(revision)), "1f0c9a8b7c6d");
        assert_eq!(of(&values(&["a.yaml"]), Some(revision)), "1f0c9a8b7c6d.3");
    }

    #[test]
    fn the_artifact_counts_for_its_generation() {
        let mut helm = chart(ChartSourceKind::HelmRepository, |_| {});
        helm.status.observed_chart_name = Some("podinfo".into());
        helm.status.artifact = Some(Artifact {
            digest: "sha256:00".into(),
            path: "helmchart/apps/web/podinfo-1.0.0.tgz".into(),
            url: String::new(),
            revision: "1.0.0".into(),
            last_update_time: meta::time(jiff::Timestamp::UNIX_EPOCH),
            size: None,
            metadata: Default::default(),
        });
        let mut held = seen(registry());
        assert_eq!(current(&helm, &held), None, "it is gone");
        held.has_artifact = true;
        assert_eq!(current(&helm, &held), None, "it is of another generation");
        helm.status.observed_generation = 3;
        let expected = Some(("podinfo".into(), "1.0.0".into()));
        assert_eq!(current(&helm, &held), expected);
    }

    #[test]
    fn a_registry_has_a_repository_for_each_chart() {
        let helm = chart(ChartSourceKind::HelmRepository, |_| {});
        let plan = plan(&helm, &seen(registry())).unwrap();
        let From::Registry { repository, .. } = plan.from else {
            unreachable!("it is a registry")
        };
        assert_eq!(
            repository.to_string(),
            "registry.example.com/charts/podinfo"
        );
        let wrong = chart(ChartSourceKind::HelmRepository, |spec| {
            spec.chart = "../podinfo".into();
        });
        let (text, reason, retry) = refused(&wrong, &seen(registry()));
        assert!(text.starts_with("invalid chart reference: "), "{text}");
        assert_eq!((reason, retry), ("InvalidChartReference", Retry::OnChange));
    }

    #[test]
    fn paths_stay_inside_of_the_source() {
        let loaded = Arc::new(Loaded {
            revision: "main@sha1:1".into(),
            digest: String::new(),
            revision_time: 0,
            tree: Arc::new(NoFiles),
        });
        let path = |text: &str| {
            let helm = chart(ChartSourceKind::GitRepository, |spec| {
                spec.chart = text.into()
            });
            plan(&helm, &seen(Source::Files(loaded.clone()))).map(|plan| match plan.from {
                From::Files { path, .. } => path.to_string(),
                _ => unreachable!("it is of files"),
            })
        };
        assert_eq!(path("./charts/web").unwrap(), "charts/web");
        // As in Flux.
        assert_eq!(path("../charts/web").unwrap(), "charts/web");
        assert!(matches!(path("/charts/web"), Err(ChartError::Path(_))));
    }

    struct NoFiles;

    impl bulkhead_api::SourceTree for NoFiles {
        fn stat(&self, path: &TreePath) -> Result<bulkhead_api::Entry, bulkhead_api::TreeError> {
            Err(bulkhead_api::TreeError::NotFound(path.clone()))
        }
        fn read_dir(
            &self,
            path: &TreePath,
        ) -> Result<Vec<bulkhead_api::Entry>, bulkhead_api::TreeError> {
            Err(bulkhead_api::TreeError::NotFound(path.clone()))
        }
        fn read(&self, path: &TreePath) -> Result<Vec<u8>, bulkhead_api::TreeError> {
            Err(bulkhead_api::TreeError::NotFound(path.clone()))
        }
    }

    #[test]
    fn signatures_need_keys() {
        let signed = chart(ChartSourceKind::HelmRepository, |spec| {
            spec.verify = Some(ChartVerification {
                provider: VerificationProvider::Cosign,
                secret_ref: None,
                match_oidc_identity: Vec::new(),
            });
        });
        let mut observed = seen(registry());
        observed.keys = Some(Ok(Default::default()));
        let error = plan(&signed, &observed).unwrap_err();
        assert_eq!(error.place(), Place::Signature);
        assert_eq!(error.advice().reason, "VerificationError");
    }
}
