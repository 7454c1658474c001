//! Artifacts of any kind: which tag is meant, which manifest, which layer.
//!
//! In: tags, manifests and what a specification asks for. Out: the one that is meant, by Flux's
//! rules. Only [`Registry::artifact`] asks the registry.
//!
//! Source: source-controller 1.9, internal/controller/ocirepository_controller.go.

use bulkhead_api::Digest;
use regex::RegexBuilder;

use super::manifest::{Descriptor, Document, Manifest};
use super::{OciError, Registry, Repository, media};
use crate::{Constraint, ConstraintError, highest};

/// Largest automaton that a filter of tags may become, in bytes.
const FILTER_BYTES: usize = 1024 * 1024;
/// Platform of an index that is taken.
const PLATFORM: (&str, &str) = ("linux", "amd64");

/// Why nothing of what a registry has is meant.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ArtifactError {
    /// The range cannot be read.
    #[error("semver '{range}' parse error")]
    Range {
        /// The range.
        range: String,
        /// Why.
        #[source]
        source: ConstraintError,
    },
    /// The filter is no regular expression.
    #[error("semverFilter '{0}' is not a regular expression, or one too large")]
    Filter(String),
    /// No tag is in the range.
    #[error("no match found for semver: {0}")]
    NoTag(String),
    /// There is no layer at all.
    #[error("no layers found in artifact")]
    NoLayer,
    /// No layer has the media type.
    #[error("failed to find layer with media type '{0}' in artifact")]
    NoLayerOfType(String),
}

/// Returns the tag with the highest version in `range` among those that match `filter`.
///
/// In tags of Helm charts, by the media type of their layer, `_` stands for the `+` of a version.
///
/// # Errors
/// [`ArtifactError`].
pub fn choose_tag(
    tags: &[String],
    range: &str,
    filter: Option<&str>,
    media_type: Option<&str>,
) -> Result<String, ArtifactError> {
    let filter = filter.map(|text| {
        let built = RegexBuilder::new(text).size_limit(FILTER_BYTES).build();
        built.map_err(|_| ArtifactError::Filter(crate::error::clean(text)))
    });
    let filter = filter.transpose()?;
    let constraint = Constraint::parse(range).map_err(|source| ArtifactError::Range {
        range: crate::error::clean(range),
        source,
    })?;
    let is_chart = media_type == Some(media::HELM_CHART);
    let versions: Vec<String> = tags
        .iter()
        .filter(|tag| filter.as_ref().is_none_or(|filter| filter.is_match(tag)))
        .map(|tag| match is_chart {
            true => tag.replace('_', "+"),
            false => tag.clone(),
        })
        .collect();
    let mut found = highest(&constraint, versions.iter().map(String::as_str));
    // Of several that are equal, always the same one.
    found.sort_unstable();
    match found.last() {
        Some(version) if is_chart => Ok(version.replace('+', "_")),
        Some(version) => Ok((*version).to_owned()),
        None => Err(ArtifactError::NoTag(crate::error::clean(range))),
    }
}

/// Returns the layer with the media type, or the first.
///
/// # Errors
/// [`ArtifactError`].
pub fn choose_layer<'a>(
    manifest: &'a Manifest,
    media_type: Option<&str>,
) -> Result<&'a Descriptor, ArtifactError> {
    let layers = &manifest.layers;
    match media_type {
        _ if layers.is_empty() => Err(ArtifactError::NoLayer),
        None => layers.first().ok_or(ArtifactError::NoLayer),
        Some(wanted) => layers
            .iter()
            .find(|layer| layer.media_type == wanted)
            .ok_or_else(|| ArtifactError::NoLayerOfType(crate::error::clean(wanted))),
    }
}

impl Registry {
    /// Reads the manifest of an artifact; of an index, that for `linux/amd64`.
    ///
    /// # Errors
    /// [`OciError`]; [`OciError::Manifest`] for an index without that platform, or one of indexes.
    pub async fn artifact(
        &self,
        repository: &Repository,
        digest: Digest,
    ) -> Result<Manifest, OciError> {
        let resolved = self.pull_manifest(repository, digest).await?;
        let index = match resolved.document()? {
            Document::Manifest(manifest) => return Ok(manifest),
            Document::Index(index) => index,
        };
        let place = resolved.pinned().to_string();
        let is_wanted = |descriptor: &&Descriptor| {
            let platform = descriptor.platform.as_ref();
            platform.is_some_and(|platform| {
                (platform.os.as_str(), platform.architecture.as_str()) == PLATFORM
            })
        };
        let Some(child) = index.manifests.iter().find(is_wanted) else {
            let problem = "is an index without the platform linux/amd64";
            return Err(OciError::manifest(&place, problem));
        };
        match self
            .pull_manifest(repository, child.digest)
            .await?
            .document()?
        {
            Document::Manifest(manifest) => Ok(manifest),
            Document::Index(_) => Err(OciError::manifest(&place, "is an index of indexes")),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may")]
mod tests {
    use super::*;

    fn choose(range: &str, filter: Option<&str>, kind: Option<&str>) -> Result<String, String> {
        let tags = [
            "latest",
            "1.2.0",
            "v1.3.0",
            "1.4.0-rc.1",
            "1.4.0-rc.2",
            "1.5",
            "2.0.0_7",
        ];
        let tags = tags.map(str::to_owned);
        choose_tag(&tags, range, filter, kind).map_err(|error| bulkhead_api::chain(&error))
    }

    #[test]
    fn tags_are_chosen_by_version() {
        assert_eq!(choose(">=1.0.0", None, None), Ok("v1.3.0".into()));
        assert_eq!(choose("1.2.x", None, None), Ok("1.2.0".into()));
        let candidates = choose(">=1.4.0-0", Some(r".*-rc\..*"), None);
        assert_eq!(candidates, Ok("1.4.0-rc.2".into()));
        assert_eq!(
            choose("2.x", None, None),
            Err("no match found for semver: 2.x".into()),
            "only charts have `_` for `+`"
        );
        let chart = choose("2.x", None, Some(media::HELM_CHART));
        assert_eq!(chart, Ok("2.0.0_7".into()), "as the registry spells it");
    }

    #[test]
    fn what_cannot_be_read_is_named() {
        let wrong = choose("newest", None, None).unwrap_err();
        assert!(
            wrong.starts_with("semver 'newest' parse error: "),
            "{wrong}"
        );
        assert_eq!(
            choose("*", Some("("), None),
            Err("semverFilter '(' is not a regular expression, or one too large".into())
        );
    }

    #[test]
    fn layers_are_chosen_by_type() {
        let layer = |kind: &str| Descriptor::of(kind, kind.as_bytes());
        let config = Descriptor::of(media::EMPTY, b"{}");
        let none = Manifest::new(config.clone(), Vec::new());
        let two = Manifest::new(config, vec![layer("one"), layer("two")]);
        assert_eq!(choose_layer(&two, None).unwrap().media_type, "one");
        assert_eq!(choose_layer(&two, Some("two")).unwrap().media_type, "two");
        assert_eq!(
            choose_layer(&two, Some("three")).unwrap_err().to_string(),
            "failed to find layer with media type 'three' in artifact"
        );
        for kind in [None, Some("one")] {
            assert_eq!(choose_layer(&none, kind), Err(ArtifactError::NoLayer));
        }
    }
}
