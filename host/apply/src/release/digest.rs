//! The digests by which Flux recognises a release and its values in a status.
//!
//! In: a release as it is stored, or values. Out: `sha256:<hex>`, byte for byte what helm-controller
//! writes into `status.history`: another digest, and it would upgrade what is up to date.
//!
//! # Source
//! helm-controller 1.6, `internal/release` (`Observation`, `Digest`) and `chartutil.DigestValues` of
//! fluxcd/pkg.

use bulkhead_api::Digest;
use serde::{Serialize, Serializer};
use serde_json::{Map, Value};

use super::chart::Metadata;
use super::json::{self, SortedMap};
use super::model::{Event, Hook, Info, Release};
use super::values;

/// The `apiVersion` of a history entry whose digest is this one.
pub const SNAPSHOT_API_VERSION: &str = "v2";

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Observation<'a> {
    name: &'a str,
    version: i64,
    info: &'a Info,
    chart_metadata: &'a Metadata,
    #[serde(serialize_with = "map_or_null")]
    config: &'a Map<String, Value>,
    manifest: &'a str,
    #[serde(serialize_with = "list_or_null")]
    hooks: Vec<&'a Hook>,
    namespace: &'a str,
    #[serde(rename = "ociDigest", skip_serializing_if = "str::is_empty")]
    oci_digest: &'a str,
}

/// Returns the digest of a release for `status.history[].digest`; `oci_digest` is that of the chart's
/// OCI artifact, or empty.
///
/// Test hooks are left out: a test that somebody ran by hand changes nothing.
pub fn release_digest(release: &Release, oci_digest: &str) -> Digest {
    Digest::of(observation(release, oci_digest))
}

fn observation(release: &Release, oci_digest: &str) -> Vec<u8> {
    let none = Metadata::default();
    let metadata = release.chart.as_ref().map(|chart| chart.metadata());
    let hooks = release
        .hooks
        .iter()
        .filter(|hook| !hook.is_for(Event::TEST));
    let observed = Observation {
        name: &release.name,
        version: release.version,
        info: &release.info,
        chart_metadata: metadata.unwrap_or(&none),
        config: &release.config,
        manifest: &release.manifest,
        hooks: hooks.collect(),
        namespace: &release.namespace,
        oci_digest,
    };
    // Nothing of it can fail to serialise.
    let mut bytes = json::write(&observed).unwrap_or_default();
    bytes.push(b'\n');
    bytes
}

/// Returns the digest of values for `status.history[].configDigest`; none and empty are one.
pub fn values_digest(config: &Map<String, Value>) -> Digest {
    if config.is_empty() {
        return Digest::of(b"");
    }
    Digest::of(values::write(config).as_bytes())
}

fn map_or_null<S: Serializer>(map: &&Map<String, Value>, serializer: S) -> Result<S::Ok, S::Error> {
    if map.is_empty() {
        serializer.serialize_none()
    } else {
        SortedMap(map).serialize(serializer)
    }
}

fn list_or_null<S: Serializer>(list: &[&Hook], serializer: S) -> Result<S::Ok, S::Error> {
    if list.is_empty() {
        serializer.serialize_none()
    } else {
        list.serialize(serializer)
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    /// A line of digests.jsonl: what helm-controller 1.6, with the Helm 4.2 in it, made of it.
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Vector {
        values: Option<Map<String, Value>>,
        release: Option<Release>,
        #[serde(default)]
        oci_digest: String,
        digest: String,
    }

    const VECTORS: &str = include_str!("../../../../tests/cases/release/digests.jsonl");

    #[test]
    fn digests_are_those_of_flux() {
        let mut count = 0;
        for (number, line) in VECTORS.lines().enumerate() {
            let vector: Vector = serde_json::from_str(line).expect("a vector");
            let (digest, text) = match (&vector.values, &vector.release) {
                (Some(config), _) => (values_digest(config), values::write(config)),
                (None, Some(release)) => {
                    let observed = observation(release, &vector.oci_digest);
                    let text = String::from_utf8(observed).expect("UTF-8");
                    (release_digest(release, &vector.oci_digest), text)
                }
                (None, None) => unreachable!("line {number} is no vector"),
            };
            assert_eq!(digest.to_string(), vector.digest, "line {number}: {text}");
            count += 1;
        }
        assert!(count > 100, "only {count} vectors");
    }
}
