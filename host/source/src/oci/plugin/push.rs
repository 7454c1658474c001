//! Publishes a plugin.

use bulkhead_api::Digest;
use bytes::Bytes;

use super::{PluginArtifact, WasmConfig};
use crate::oci::manifest::{Descriptor, Manifest};
use crate::oci::{OciError, Reference, Registry, media};

impl PluginArtifact {
    /// Returns the bytes of configuration and manifest; the same artifact always has the same.
    pub fn encode(&self) -> (Bytes, Bytes) {
        let layer = Descriptor::of(media::WASM, &self.wasm);
        let config = serde_json::to_vec(&WasmConfig::of(self, layer.digest)).unwrap_or_default();
        let mut manifest = Manifest::new(Descriptor::of(media::WASM_CONFIG, &config), vec![layer]);
        manifest.annotations = self.annotations.clone();
        (config.into(), manifest.to_bytes().into())
    }

    /// Returns the digest that the manifest will have.
    pub fn digest(&self) -> Digest {
        Digest::of(self.encode().1)
    }
}

impl Registry {
    /// Publishes a plugin under the reference's tag, or under its digest alone if it has none; what
    /// the registry has already is not sent again.
    ///
    /// # Errors
    /// [`OciError`]; [`OciError::Limit`] for a component or a manifest that could not be pulled again.
    pub async fn push_plugin(
        &self,
        reference: &Reference,
        plugin: &PluginArtifact,
    ) -> Result<Digest, OciError> {
        let place = reference.to_string();
        let limits = self.limits();
        let (config, manifest) = plugin.encode();
        let sizes = [
            (
                "the component",
                plugin.wasm.len(),
                "blob_bytes",
                limits.blob_bytes,
            ),
            (
                "the configuration",
                config.len(),
                "config_bytes",
                limits.config_bytes,
            ),
            (
                "the manifest",
                manifest.len(),
                "manifest_bytes",
                limits.manifest_bytes,
            ),
        ];
        for (what, size, limit, allowed) in sizes {
            if size as u64 > allowed {
                return Err(OciError::limit(&place, what, limit, allowed));
            }
        }
        self.push_blob(reference.name(), plugin.wasm.clone())
            .await?;
        self.push_blob(reference.name(), config).await?;
        self.push_manifest(reference, media::MANIFEST, manifest)
            .await
    }
}
