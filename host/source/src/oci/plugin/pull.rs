//! Reads a plugin: the manifest is judged before anything else is downloaded.

use bytes::Bytes;

use super::{PluginImage, WasmConfig};
use crate::oci::manifest::{Descriptor, Document, Index, Manifest};
use crate::oci::{Limits, OciError, Registry, Resolved, media};

/// Platforms of an index that an error names.
const SHOWN: usize = 4;

/// What is wanted when something else is there.
const EXPECTED: &str = "a Wasm component (layer `application/wasm`)";

impl Registry {
    /// Downloads the plugin that has been resolved; the tag is not asked again.
    ///
    /// # Guarantees
    /// Size and digest of all that is returned are those of the manifest, whose digest is
    /// `resolved.digest`.
    ///
    /// # Errors
    /// [`OciError`] has a case for each thing that is no plugin; those come before the component is
    /// downloaded.
    pub async fn pull_plugin(&self, resolved: &Resolved) -> Result<PluginImage, OciError> {
        let limits = self.limits();
        let name = resolved.reference.name();
        let place = resolved.pinned().to_string();
        let (manifest, layer) = layer_of(resolved, limits)?;
        let mut config = None;
        if manifest.config.media_type == media::WASM_CONFIG {
            let allowed = ("config_bytes", limits.config_bytes);
            let bytes = self
                .pull_blob(name, &manifest.config, "the configuration", allowed)
                .await?;
            read_config(&place, &bytes, &layer)?;
            config = Some(bytes);
        }
        let allowed = ("blob_bytes", limits.blob_bytes);
        let wasm = self
            .pull_blob(name, &layer, "the component", allowed)
            .await?;
        read_image(&place, manifest, &layer, config, wasm)
    }
}

/// Returns the manifest of a plugin and its one layer, or says what stands there instead.
pub(in crate::oci) fn layer_of(
    resolved: &Resolved,
    limits: &Limits,
) -> Result<(Manifest, Descriptor), OciError> {
    let place = resolved.pinned().to_string();
    let manifest = manifest_of(resolved)?;
    let layer = plugin_layer(&place, &manifest)?.clone();
    if layer.size > limits.blob_bytes {
        return Err(OciError::limit(
            &place,
            "the component",
            "blob_bytes",
            limits.blob_bytes,
        ));
    }
    Ok((manifest, layer))
}

/// Puts the verified parts of a plugin together.
pub(in crate::oci) fn read_image(
    place: &str,
    manifest: Manifest,
    layer: &Descriptor,
    config: Option<Bytes>,
    wasm: Bytes,
) -> Result<PluginImage, OciError> {
    let config = config
        .map(|bytes| read_config(place, &bytes, layer))
        .transpose()?;
    Ok(PluginImage {
        wasm,
        wasm_digest: layer.digest,
        config,
        annotations: manifest.annotations,
    })
}

pub(in crate::oci) fn manifest_of(resolved: &Resolved) -> Result<Manifest, OciError> {
    match resolved.document()? {
        Document::Manifest(manifest) => Ok(manifest),
        Document::Index(index) => Err(OciError::Index {
            place: resolved.pinned().to_string(),
            count: index.manifests.len(),
            platforms: platforms(&index),
        }),
    }
}

/// Returns the one layer that is the component, or says what the artifact is instead.
fn plugin_layer<'a>(place: &str, manifest: &'a Manifest) -> Result<&'a Descriptor, OciError> {
    let place = place.to_owned();
    let config = manifest.config.media_type.as_str();
    let is_wasm = |layer: &Descriptor| {
        layer.media_type.starts_with(media::WASM)
            || layer.media_type.starts_with(media::LEGACY_WASM)
    };
    if matches!(config, media::IMAGE_CONFIG | media::DOCKER_IMAGE_CONFIG)
        && !manifest.layers.iter().any(is_wasm)
    {
        return Err(OciError::Image { place });
    }
    let [layer] = manifest.layers.as_slice() else {
        let count = manifest.layers.len();
        return Err(OciError::Layers { place, count });
    };
    match layer.media_type.as_str() {
        media::WASM | media::LEGACY_WASM => Ok(layer),
        found if is_wasm(layer) || found.ends_with("gzip") || found.ends_with("zstd") => {
            Err(OciError::Compressed {
                place,
                media_type: crate::error::clean(found),
            })
        }
        found => Err(OciError::MediaType {
            place,
            found: crate::error::clean(match manifest.kind() {
                media::EMPTY | "" => found,
                kind => kind,
            }),
            expected: EXPECTED,
        }),
    }
}

fn read_config(place: &str, bytes: &[u8], layer: &Descriptor) -> Result<WasmConfig, OciError> {
    let wrong = |problem: String| {
        OciError::manifest(
            place,
            format!("has a configuration that is wrong: {problem}"),
        )
    };
    let config: WasmConfig =
        serde_json::from_slice(bytes).map_err(|error| wrong(error.to_string()))?;
    match config.problem(layer.digest) {
        Some(problem) => Err(wrong(problem)),
        None => Ok(config),
    }
}

fn platforms(index: &Index) -> String {
    let name = |descriptor: &Descriptor| match &descriptor.platform {
        Some(platform) => format!("{}/{}", platform.os, platform.architecture),
        None => descriptor.digest.to_string(),
    };
    let mut names: Vec<String> = index.manifests.iter().take(SHOWN).map(name).collect();
    if index.manifests.len() > SHOWN {
        names.push("…".to_owned());
    }
    if names.is_empty() {
        names.push("it is empty".to_owned());
    }
    crate::error::clean(&names.join(", "))
}
