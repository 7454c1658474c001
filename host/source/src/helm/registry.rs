//! Charts in OCI registries: `oci://host/path` with a chart's name below it.
//!
//! A version is a tag, with `_` where the version has `+`. What is pulled is the layer with the
//! packed chart; the manifest's digest is what a signature is about, and what a release remembers.
//!
//! Source: source-controller 1.9, internal/helm/repository/oci_chart_repository.go; helm 4.3,
//! pkg/registry/client.go.

use bulkhead_api::Digest;
use bytes::Bytes;
use semver::Version;

use super::{HelmError, Limits, version};
use crate::oci::manifest::{Document, Manifest};
use crate::oci::{OciError, Reference, Registry, Repository, Resolved};

/// Configuration of a chart: what its `Chart.yaml` says, as JSON.
pub const CONFIG: &str = "application/vnd.cncf.helm.config.v1+json";
/// The packed chart.
pub const CONTENT: &str = "application/vnd.cncf.helm.chart.content.v1.tar+gzip";
/// The packed chart, as Helm 3.0 to 3.6 called it.
pub const LEGACY_CONTENT: &str = "application/tar+gzip";

/// A chart's version in a registry, looked up once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RegistryChart {
    /// The version, with `+`.
    pub version: String,
    /// What stands behind its tag.
    pub resolved: Resolved,
}

/// A chart that was pulled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PulledChart {
    /// Digest of the manifest.
    pub digest: Digest,
    /// The packed chart.
    pub content: Bytes,
    /// Annotations of the manifest.
    pub annotations: Vec<(String, String)>,
}

/// Names the repository of chart `name` below `url`: `oci://host/path` and `name` become
/// `host/path/name`.
///
/// # Errors
/// [`HelmError::Url`], [`HelmError::Name`] and [`HelmError::Registry`].
pub fn chart_repository(url: &str, name: &str) -> Result<Repository, HelmError> {
    let Some(base) = url.strip_prefix("oci://") else {
        return Err(HelmError::Url {
            url: crate::error::clean(url.rsplit('@').next().unwrap_or_default()),
            problem: "it must start with oci://".to_owned(),
        });
    };
    check_name(name)?;
    let text = format!("{}/{name}", base.trim_end_matches('/'));
    Repository::parse(&text).map_err(|error| OciError::from(error).into())
}

/// Judges the name of a chart in a repository, as Flux does: `^([-a-z0-9]+/?\.?)+$`.
///
/// # Errors
/// [`HelmError::Name`].
pub fn check_name(name: &str) -> Result<(), HelmError> {
    let is_word = |char: char| char.is_ascii_lowercase() || char.is_ascii_digit() || char == '-';
    let mut separators = name.split(is_word).filter(|between| !between.is_empty());
    let fits =
        name.starts_with(is_word) && separators.all(|between| matches!(between, "/" | "." | "/."));
    if fits {
        Ok(())
    } else {
        Err(HelmError::Name(crate::error::clean(name)))
    }
}

/// Chooses a version of a chart and looks it up.
///
/// # Errors
/// Those of [`choose_version`] and [`look_up`].
pub async fn choose(
    registry: &Registry,
    repository: &Repository,
    wanted: &str,
) -> Result<RegistryChart, HelmError> {
    let version = choose_version(registry, repository, wanted).await?;
    look_up(registry, repository, version).await
}

/// Chooses a version of a chart. A full version is its own tag, so that nothing is asked; else the
/// tags that are versions are listed, and the highest in the range is taken.
///
/// # Errors
/// [`HelmError::Range`], [`HelmError::NoVersion`] and [`HelmError::Registry`].
pub async fn choose_version(
    registry: &Registry,
    repository: &Repository,
    wanted: &str,
) -> Result<String, HelmError> {
    if crate::version_of_tag(wanted).is_some() {
        return Ok(wanted.to_owned());
    }
    let tags = registry.tags(repository).await?;
    let versions: Vec<String> = tags
        .iter()
        .map(|tag| tag.replace('_', "+"))
        .filter(|tag| Version::parse(tag).is_ok())
        .collect();
    version::choose(&repository.to_string(), &versions, wanted).cloned()
}

/// Looks a version up that was chosen.
///
/// # Errors
/// [`HelmError::Registry`].
pub async fn look_up(
    registry: &Registry,
    repository: &Repository,
    version: String,
) -> Result<RegistryChart, HelmError> {
    let reference = repository
        .tagged(&version.replace('+', "_"))
        .map_err(OciError::from)?;
    let resolved = registry.resolve(&reference).await?;
    Ok(RegistryChart { version, resolved })
}

/// Pulls the packed chart that was looked up.
///
/// # Errors
/// [`HelmError::Registry`]; [`OciError::MediaType`] when it is no chart.
pub async fn pull(
    registry: &Registry,
    resolved: &Resolved,
    limits: &Limits,
) -> Result<PulledChart, HelmError> {
    let reference: &Reference = &resolved.reference;
    let manifest = manifest_of(resolved)?;
    let layer = [CONTENT, LEGACY_CONTENT].iter().find_map(|kind| {
        let mut layers = manifest.layers.iter();
        layers.find(|layer| layer.media_type == *kind)
    });
    let Some(layer) = layer else {
        let found = manifest
            .layers
            .first()
            .map_or("nothing", |layer| &layer.media_type);
        return Err(no_chart(resolved, found));
    };
    let allowed = ("chart_bytes", limits.chart_bytes);
    let content = registry
        .pull_blob(reference.name(), layer, "the chart", allowed)
        .await?;
    Ok(PulledChart {
        digest: resolved.digest,
        content,
        annotations: manifest.annotations.into_iter().collect(),
    })
}

fn manifest_of(resolved: &Resolved) -> Result<Manifest, HelmError> {
    match resolved.document()? {
        Document::Manifest(manifest) if manifest.config.media_type == CONFIG => Ok(manifest),
        Document::Manifest(manifest) => Err(no_chart(resolved, &manifest.config.media_type)),
        Document::Index(_) => Err(no_chart(resolved, &resolved.media_type)),
    }
}

fn no_chart(resolved: &Resolved, found: &str) -> HelmError {
    HelmError::Registry(OciError::MediaType {
        place: resolved.pinned().to_string(),
        found: crate::error::clean(found),
        expected: "a Helm chart (configuration `application/vnd.cncf.helm.config.v1+json`)",
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may")]

    use super::*;

    #[test]
    fn charts_have_repositories_of_their_own() {
        let name = |url: &str, name: &str| {
            chart_repository(url, name)
                .map(|repository| repository.to_string())
                .map_err(|error| error.to_string())
        };
        assert_eq!(name("oci://a.b/c/", "d").unwrap(), "a.b/c/d");
        assert_eq!(name("oci://a.b", "d/e").unwrap(), "a.b/d/e");
        for wrong in ["", "D", "../x", "a//b", "a:1", "a@b"] {
            assert!(name("oci://a.b/c", wrong).is_err(), "{wrong}");
        }
        assert!(name("https://user:secret@a.b", "c").is_err_and(|text| !text.contains("secret")));
    }
}
