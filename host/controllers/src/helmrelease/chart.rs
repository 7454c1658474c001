//! The chart of a release: an archive of which the metadata are read here, and the rest by the guest.
//! Pure.

use std::io::{self, Read};
use std::sync::Arc;

use bulkhead_api::{Advice, Retry, SourceTree, reason};
use bulkhead_apply::yaml;
use bulkhead_wasm::MemoryTree;
use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use semver::{BuildMetadata, Version};
use serde_json::Value;

/// The archive in the tree that the guest reads.
pub(super) const ARCHIVE: &str = "chart.tgz";
/// Largest chart when unpacked, in bytes; as Helm's.
const UNPACKED_MAX_BYTES: u64 = 100 << 20;
/// Largest `Chart.yaml`, in bytes; as Helm's for one file.
const METADATA_MAX_BYTES: u64 = 5 << 20;
/// Digits of a digest that become part of a version.
const DIGEST_DIGITS: usize = 12;

/// A chart that is ready to be rendered.
#[derive(Clone)]
pub(super) struct Chart {
    /// Its name.
    pub(super) name: String,
    /// Its version, with the digest of an OCI artifact.
    pub(super) version: String,
    /// The version of what it installs; may be empty.
    pub(super) app_version: String,
    /// A tree with [`ARCHIVE`].
    pub(super) tree: Arc<dyn SourceTree>,
}

impl std::fmt::Debug for Chart {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Chart({}@{})", self.name, self.version)
    }
}

/// Why an archive is no chart.
#[derive(Debug, thiserror::Error)]
pub enum ChartError {
    /// It cannot be unpacked.
    #[error("failed to unpack the chart archive")]
    Archive(#[source] io::Error),
    /// It has no `Chart.yaml` in a folder at its top.
    #[error("Chart.yaml file is missing")]
    NoMetadata,
    /// Its `Chart.yaml` is no map.
    #[error("cannot load Chart.yaml: {0}")]
    Metadata(String),
    /// A field that every chart has is missing.
    #[error("validation: chart.metadata.{0} is required")]
    Required(&'static str),
    /// The artifact's revision and the chart's version do not fit.
    #[error("{0}")]
    Revision(String),
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
    pub(super) fn read(archive: Vec<u8>, revision: Option<&str>) -> Result<Self, ChartError> {
        let metadata = metadata(&archive)?;
        let text = |field: &str| metadata[field].as_str().unwrap_or_default().to_owned();
        let (name, mut version) = (text("name"), text("version"));
        if name.is_empty() {
            return Err(ChartError::Required("name"));
        }
        if version.is_empty() {
            return Err(ChartError::Required("version"));
        }
        let mut archive = archive;
        if let Some(revision) = revision {
            version = tracked(&version, revision)?;
            archive = with_version(&archive, metadata.clone(), &version)?;
        }
        let tree = MemoryTree::from_files([(ARCHIVE, archive)])
            .map_err(|error| ChartError::Metadata(bulkhead_api::chain(&error)))?;
        Ok(Self {
            name,
            version,
            app_version: match &metadata["appVersion"] {
                Value::String(text) => text.clone(),
                Value::Null => String::new(),
                other => other.to_string(),
            },
            tree: Arc::new(tree),
        })
    }
}

/// Returns the digest in the revision of an artifact: `sha256:1f0c` of `1.2.3@sha256:1f0c`.
pub(super) fn digest_in(revision: &str) -> &str {
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
    let build = BuildMetadata::new(hex.ok_or_else(wrong)?).map_err(|_| wrong())?;
    Ok(Version { build, ..own }.to_string())
}

/// Reads a tag as a version: registries have `_` for `+`, people write `v` and leave numbers out.
fn version_of(tag: &str) -> Option<Version> {
    let text = tag.replace('_', "+");
    let text = text.strip_prefix('v').unwrap_or(&text);
    let end = text.find(['-', '+']).unwrap_or(text.len());
    let (numbers, rest) = text.split_at(end);
    let missing = 2usize.saturating_sub(numbers.matches('.').count());
    Version::parse(&format!("{numbers}{}{rest}", ".0".repeat(missing))).ok()
}

fn entries(archive: &[u8]) -> tar::Archive<io::Take<GzDecoder<&[u8]>>> {
    tar::Archive::new(GzDecoder::new(archive).take(UNPACKED_MAX_BYTES))
}

fn is_metadata<R: Read>(entry: &tar::Entry<'_, R>) -> bool {
    let path = entry.path_bytes();
    let path = String::from_utf8_lossy(&path);
    let path = path.trim_start_matches("./");
    matches!(path.split_once('/'), Some((_, "Chart.yaml")))
}

fn metadata(archive: &[u8]) -> Result<Value, ChartError> {
    let mut archive = entries(archive);
    for entry in archive.entries().map_err(ChartError::Archive)? {
        let entry = entry.map_err(ChartError::Archive)?;
        if !is_metadata(&entry) {
            continue;
        }
        let mut text = String::new();
        let mut entry = entry.take(METADATA_MAX_BYTES);
        entry
            .read_to_string(&mut text)
            .map_err(ChartError::Archive)?;
        let wrong = |error: &yaml::YamlError| ChartError::Metadata(bulkhead_api::chain(error));
        let documents = yaml::read(&text).map_err(|error| wrong(&error))?;
        let first = documents.into_iter().next().map(|document| document.value);
        return match first {
            Some(value @ Value::Object(_)) => Ok(value),
            _ => Err(ChartError::Metadata("it is no map".to_owned())),
        };
    }
    Err(ChartError::NoMetadata)
}

/// Packs a chart again with another version: what its templates see and its release stores.
fn with_version(archive: &[u8], metadata: Value, version: &str) -> Result<Vec<u8>, ChartError> {
    let mut metadata = metadata;
    metadata["version"] = version.into();
    let text = yaml::write(&metadata);
    let packed = GzEncoder::new(Vec::new(), Compression::fast());
    let mut packed = tar::Builder::new(packed);
    let mut archive = entries(archive);
    let copy = |entry: tar::Entry<'_, _>, packed: &mut tar::Builder<_>| -> io::Result<()> {
        let mut header = entry.header().clone();
        let path = entry.path()?.into_owned();
        if is_metadata(&entry) {
            header.set_size(text.len() as u64);
            return packed.append_data(&mut header, path, text.as_bytes());
        }
        if entry.header().entry_type().is_file() {
            header.set_size(entry.size());
            packed.append_data(&mut header, path, entry)?;
        }
        Ok(())
    };
    for entry in archive.entries().map_err(ChartError::Archive)? {
        let entry = entry.map_err(ChartError::Archive)?;
        copy(entry, &mut packed).map_err(ChartError::Archive)?;
    }
    let packed = packed.into_inner().and_then(GzEncoder::finish);
    packed.map_err(ChartError::Archive)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may")]

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
            ("web/charts/db/Chart.yaml", "name: db\nversion: 9.9.9\n"),
            (
                "web/Chart.yaml",
                "name: web\nversion: 1.2.3\nappVersion: 7\n",
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
            ("web/Chart.yaml", "name: web\nversion: 1.2.3\n"),
            ("web/a", "x"),
        ]);
        let chart = Chart::read(chart, Some(digest)).unwrap();
        assert_eq!(chart.version, "1.2.3+0123456789ab");
    }
}
