//! Manifests and indexes: what they say, and whether they say it without contradiction.
//!
//! In: bytes whose digest has been checked. Out: values. A document that can be read as manifest and
//! as index both is refused: registries and clients have disagreed about such (CVE-2021-41190).

use std::collections::BTreeMap;

use bulkhead_api::Digest;
use serde::{Deserialize, Serialize};

use super::media;

/// Points at a blob or a manifest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Descriptor {
    /// What it is.
    pub media_type: String,
    /// Its digest.
    pub digest: Digest,
    /// Its length in bytes.
    pub size: u64,
    /// What kind of artifact a manifest is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub artifact_type: Option<String>,
    /// For which platform a manifest is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub platform: Option<Platform>,
    /// Notes.
    #[serde(
        default,
        skip_serializing_if = "BTreeMap::is_empty",
        deserialize_with = "or_default"
    )]
    pub annotations: BTreeMap<String, String>,
}

impl Descriptor {
    /// Describes `content`.
    pub fn of(media_type: &str, content: &[u8]) -> Self {
        Self {
            media_type: media_type.to_owned(),
            digest: Digest::of(content),
            size: content.len() as u64,
            artifact_type: None,
            platform: None,
            annotations: BTreeMap::new(),
        }
    }
}

/// A platform of an index.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Platform {
    /// `amd64`, `wasm`.
    pub architecture: String,
    /// `linux`, `wasip2`.
    pub os: String,
    /// `v8`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub variant: Option<String>,
}

/// A manifest: a configuration and layers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Manifest {
    /// Always 2.
    pub schema_version: u32,
    /// [`media::MANIFEST`] or Docker's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub media_type: Option<String>,
    /// What kind of artifact it is, if the configuration does not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub artifact_type: Option<String>,
    /// The configuration.
    pub config: Descriptor,
    /// The contents.
    #[serde(default, deserialize_with = "or_default")]
    pub layers: Vec<Descriptor>,
    /// The manifest that it says something about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<Descriptor>,
    /// Notes.
    #[serde(
        default,
        skip_serializing_if = "BTreeMap::is_empty",
        deserialize_with = "or_default"
    )]
    pub annotations: BTreeMap<String, String>,
}

impl Manifest {
    /// Builds a manifest.
    pub fn new(config: Descriptor, layers: Vec<Descriptor>) -> Self {
        Self {
            schema_version: 2,
            media_type: Some(media::MANIFEST.to_owned()),
            artifact_type: None,
            config,
            layers,
            subject: None,
            annotations: BTreeMap::new(),
        }
    }

    /// Returns the kind of the artifact: its own word for it, or the configuration's type.
    pub fn kind(&self) -> &str {
        match &self.artifact_type {
            Some(kind) if !kind.is_empty() => kind,
            _ => &self.config.media_type,
        }
    }

    /// Writes it; the same value always gives the same bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        serde_json::to_vec(self).unwrap_or_default()
    }
}

/// A list of manifests.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Index {
    /// Always 2.
    pub schema_version: u32,
    /// [`media::INDEX`] or Docker's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub media_type: Option<String>,
    /// The manifests.
    #[serde(default, deserialize_with = "or_default")]
    pub manifests: Vec<Descriptor>,
    /// Notes.
    #[serde(
        default,
        skip_serializing_if = "BTreeMap::is_empty",
        deserialize_with = "or_default"
    )]
    pub annotations: BTreeMap<String, String>,
}

impl Index {
    /// Builds an index.
    pub fn new(manifests: Vec<Descriptor>) -> Self {
        Self {
            schema_version: 2,
            media_type: Some(media::INDEX.to_owned()),
            manifests,
            annotations: BTreeMap::new(),
        }
    }

    /// Writes it; the same value always gives the same bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        serde_json::to_vec(self).unwrap_or_default()
    }
}

/// What stands behind a reference.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(
    clippy::large_enum_variant,
    reason = "one at a time, taken apart at once"
)]
pub enum Document {
    /// One artifact.
    Manifest(Manifest),
    /// Several.
    Index(Index),
}

/// Tells what a document says it is, without reading the rest.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Outline {
    schema_version: u32,
    media_type: Option<String>,
    config: Option<serde::de::IgnoredAny>,
    layers: Option<serde::de::IgnoredAny>,
    manifests: Option<serde::de::IgnoredAny>,
}

/// Reads a document that a registry called `media_type`.
///
/// # Errors
/// What is wrong, as a sentence fragment for `the manifest of x …`.
pub fn parse(media_type: &str, bytes: &[u8]) -> Result<Document, String> {
    let outline: Outline =
        serde_json::from_slice(bytes).map_err(|error| format!("cannot be read: {error}"))?;
    if outline.schema_version != 2 {
        return Err(format!(
            "has schema version {}, and only 2 is read",
            outline.schema_version
        ));
    }
    if let Some(own) = &outline.media_type
        && own != media_type
    {
        return Err(format!(
            "calls itself `{}`, but was served as `{media_type}`",
            crate::error::clean(own)
        ));
    }
    let has_layers = outline.config.is_some() || outline.layers.is_some();
    if has_layers && outline.manifests.is_some() {
        return Err("is a manifest and an index at once".to_owned());
    }
    let unreadable = |error: serde_json::Error| format!("cannot be read: {error}");
    if media::is_index(media_type) {
        let index = serde_json::from_slice(bytes).map_err(unreadable)?;
        return Ok(Document::Index(index));
    }
    let manifest = serde_json::from_slice(bytes).map_err(unreadable)?;
    Ok(Document::Manifest(manifest))
}

/// Reads `null` as nothing: Go writes empty lists and maps like that.
fn or_default<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: serde::Deserializer<'de>,
    T: Default + Deserialize<'de>,
{
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic, reason = "a test may")]
mod tests {
    use super::*;

    const CONFIG: &str = r#"{"mediaType":"application/vnd.oci.empty.v1+json","digest":"sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a","size":2}"#;

    #[test]
    fn documents_are_told_apart() {
        let manifest = format!(r#"{{"schemaVersion":2,"config":{CONFIG},"layers":null}}"#);
        assert!(matches!(
            parse(media::MANIFEST, manifest.as_bytes()),
            Ok(Document::Manifest(m)) if m.layers.is_empty()
        ));
        let index = r#"{"schemaVersion":2,"manifests":[]}"#;
        assert!(matches!(
            parse(media::DOCKER_INDEX, index.as_bytes()),
            Ok(Document::Index(_))
        ));
    }

    #[test]
    fn contradictions_are_refused() {
        let both = format!(r#"{{"schemaVersion":2,"config":{CONFIG},"manifests":[]}}"#);
        assert_eq!(
            parse(media::MANIFEST, both.as_bytes()).unwrap_err(),
            "is a manifest and an index at once"
        );
        let other = format!(
            r#"{{"schemaVersion":2,"mediaType":"{}","config":{CONFIG}}}"#,
            media::MANIFEST
        );
        assert!(
            parse(media::INDEX, other.as_bytes())
                .unwrap_err()
                .contains("calls itself")
        );
        assert!(
            parse(media::MANIFEST, br#"{"schemaVersion":1}"#)
                .unwrap_err()
                .contains("schema version 1")
        );
        let size = CONFIG.replace(":2}", ":-2}");
        let negative = format!(r#"{{"schemaVersion":2,"config":{size}}}"#);
        assert!(parse(media::MANIFEST, negative.as_bytes()).is_err());
    }

    #[test]
    fn the_same_manifest_has_the_same_bytes() {
        let mut manifest = Manifest::new(Descriptor::of(media::EMPTY, b"{}"), Vec::new());
        manifest.annotations.insert("b".into(), "2".into());
        manifest.annotations.insert("a".into(), "1".into());
        assert_eq!(
            String::from_utf8(manifest.to_bytes()).unwrap(),
            format!(
                r#"{{"schemaVersion":2,"mediaType":"{}","config":{CONFIG},"layers":[],"annotations":{{"a":"1","b":"2"}}}}"#,
                media::MANIFEST
            )
        );
    }
}
