//! The chart of a release: an archive of which the metadata are read here, and the rest by the guest.
//! Pure.

use std::sync::Arc;

use bulkhead_api::{Advice, Retry, SourceTree, reason};
use bulkhead_source::helm::chart::{self, inspect};
use bulkhead_source::helm::{HelmError, Limits, version};
use bulkhead_wasm::MemoryTree;

/// The archive in the tree that the guest reads.
pub(super) const ARCHIVE: &str = "chart.tgz";
/// Largest chart archive, in bytes.
pub const ARCHIVE_MAX_BYTES: u64 = 64 << 20;
/// Digits of a digest that become part of a version.
const DIGEST_DIGITS: usize = 12;
/// What errors call the archive.
const PLACE: &str = "the chart archive";

/// A chart that is ready to be rendered.
#[derive(Clone)]
pub struct Chart {
    /// Its name.
    pub name: String,
    /// Its version, with the digest of an OCI artifact.
    pub version: String,
    /// The version of what it installs; may be empty.
    pub app_version: String,
    /// A tree with the archive `chart.tgz`.
    pub(super) tree: Arc<dyn SourceTree>,
}

impl std::fmt::Debug for Chart {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Chart({}@{})", self.name, self.version)
    }
}

/// Why an archive is no chart. Where upstream documents a text, it is upstream's.
#[derive(Debug, thiserror::Error)]
pub enum ChartError {
    /// It has no `Chart.yaml` in a folder at its top.
    #[error("Chart.yaml file is missing")]
    NoMetadata,
    /// It cannot be unpacked, or is no valid chart.
    #[error(transparent)]
    Archive(HelmError),
    /// The artifact's revision and the chart's version do not fit.
    #[error("{0}")]
    Revision(String),
    /// Reading it was broken off.
    #[error("failed to read the chart: {0}")]
    Lost(String),
}

impl From<HelmError> for ChartError {
    fn from(error: HelmError) -> Self {
        match error {
            HelmError::NoMetadata { .. } => Self::NoMetadata,
            error => Self::Archive(error),
        }
    }
}

impl ChartError {
    /// Names the reason, when to try again, and what the user can do.
    pub fn advice(&self) -> Advice {
        match self {
            Self::Revision(_) => Advice::new(reason::helm::CHART_MUTATE_ERROR, Retry::Backoff)
                .hint("push the chart with the tag that its Chart.yaml has as `version`"),
            _ => Advice::new(reason::ARTIFACT_FAILED, Retry::Backoff)
                .hint("the artifact must be a packaged chart, as `helm package` makes one"),
        }
    }
}

impl Chart {
    /// Reads an archive. `revision` is that of a source whose artifacts have a digest: the digest
    /// becomes part of the version, so that a tag that moves is seen.
    ///
    /// # Errors
    /// [`ChartError`].
    pub fn read(archive: Vec<u8>, revision: Option<&str>) -> Result<Self, ChartError> {
        let limits = Limits {
            chart_bytes: ARCHIVE_MAX_BYTES,
            ..Limits::default()
        };
        let metadata = inspect(PLACE, archive.as_slice(), &limits)?;
        let (mut version, mut archive) = (metadata.version, archive);
        if let Some(revision) = revision {
            version = tracked(&version, revision)?;
            archive = with_version(&archive, &version, &limits)?;
        }
        let tree = MemoryTree::from_files([(ARCHIVE, archive)])
            .map_err(|error| ChartError::Lost(bulkhead_api::chain(&error)))?;
        Ok(Self {
            name: metadata.name,
            version,
            app_version: metadata.app_version,
            tree: Arc::new(tree),
        })
    }
}

/// Returns the digest in the revision of an artifact: `sha256:1f0c` of `1.2.3@sha256:1f0c`.
pub fn digest_in(revision: &str) -> &str {
    match revision.split_once('@') {
        Some((tag, digest)) if version_of(tag).is_some() => digest,
        _ => revision,
    }
}

/// Returns the version of a chart with the digest of the artifact that it is in.
///
/// # Source
/// `mutateChartWithSourceRevision` of helm-controller 1.6.
fn tracked(version: &str, revision: &str) -> Result<String, ChartError> {
    let own = version_of(version)
        .ok_or_else(|| ChartError::Revision(format!("invalid chart version {version}")))?;
    let tag = revision.split_once('@').map(|(tag, _)| tag);
    if let Some(tag) = tag
        && let Some(tagged) = version_of(tag)
        && tagged.cmp_precedence(&own).is_ne()
    {
        let told = format!("artifact revision {tag} does not match chart version {version}");
        return Err(ChartError::Revision(told));
    }
    let wrong = || ChartError::Revision(format!("invalid artifact revision {revision}"));
    let hex = match digest_in(revision).split_once(':') {
        Some((_, hex)) if !hex.contains(':') => hex.get(..DIGEST_DIGITS),
        _ => None,
    };
    let digits = hex.ok_or_else(wrong)?;
    version::with_metadata(version, digits).map_err(|_| wrong())
}

/// Reads a tag as a version: registries have `_` for `+`, people write `v` and leave numbers out.
fn version_of(tag: &str) -> Option<semver::Version> {
    version::parse(&tag.replace('_', "+"))
}

/// Packs a chart again with another version: what its templates see and its release stores.
fn with_version(archive: &[u8], version: &str, limits: &Limits) -> Result<Vec<u8>, ChartError> {
    let mut chart = chart::Chart::unpack(PLACE, archive, limits)?;
    version.clone_into(&mut chart.metadata.version);
    Ok(chart.package(limits)?)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may")]

    use flate2::Compression;
    use flate2::write::GzEncoder;

    use super::*;

    fn packed(files: &[(&str, &str)]) -> Vec<u8> {
        let mut builder = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::fast()));
        for (path, text) in files {
            let mut header = tar::Header::new_gnu();
            header.set_size(text.len() as u64);
            header.set_mode(0o644);
            builder
                .append_data(&mut header, path, text.as_bytes())
                .unwrap();
        }
        builder.into_inner().unwrap().finish().unwrap()
    }

    #[test]
    fn metadata_are_read_from_the_top() {
        let files = [
            (
                "web/charts/db/Chart.yaml",
                "apiVersion: v2\nname: db\nversion: 9.9.9\n",
            ),
            (
                "web/Chart.yaml",
                "apiVersion: v2\nname: web\nversion: 1.2.3\nappVersion: 7\n",
            ),
            ("web/templates/a.yaml", "kind: A\n"),
        ];
        let chart = Chart::read(packed(&files), None).unwrap();
        assert_eq!((&*chart.name, &*chart.version), ("web", "1.2.3"));
        assert_eq!(chart.app_version, "7");
        let none = Chart::read(packed(&files[2..]), None).unwrap_err();
        assert_eq!(none.to_string(), "Chart.yaml file is missing");
        assert!(matches!(
            Chart::read(b"no archive".to_vec(), None),
            Err(ChartError::Archive(_))
        ));
    }

    #[test]
    fn a_digest_becomes_part_of_the_version() {
        let of = |version: &str, revision: &str| {
            tracked(version, revision).map_err(|error| error.to_string())
        };
        let digest = "sha256:0123456789abcdef";
        assert_eq!(
            of("1.2.3", &format!("1.2.3@{digest}")).unwrap(),
            "1.2.3+0123456789ab"
        );
        assert_eq!(
            of("1.2.3+x", &format!("1.2.3_x@{digest}")).unwrap(),
            "1.2.3+0123456789ab"
        );
        assert_eq!(
            of("1.2", &format!("latest@{digest}")).unwrap(),
            "1.2.0+0123456789ab"
        );
        assert_eq!(
            of("1.2.3", "sha256:0123").unwrap_err(),
            "invalid artifact revision sha256:0123"
        );
        assert_eq!(of("1.2.3", digest).unwrap(), "1.2.3+0123456789ab");
        assert_eq!(
            of("1.2.3", &format!("1.2.4@{digest}")).unwrap_err(),
            "artifact revision 1.2.4 does not match chart version 1.2.3"
        );
        assert_eq!(digest_in(&format!("1.2.3@{digest}")), digest);
        let chart = packed(&[
            (
                "web/Chart.yaml",
                "apiVersion: v2\nname: web\nversion: 1.2.3\n",
            ),
            ("web/a", "x"),
        ]);
        let chart = Chart::read(chart, Some(digest)).unwrap();
        assert_eq!(chart.version, "1.2.3+0123456789ab");
    }
}
