//! Media types of what registries hold.

/// An image manifest: all artifacts are one.
pub const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
/// A list of manifests, one a platform, or of all that refers to another.
pub const INDEX: &str = "application/vnd.oci.image.index.v1+json";
/// Docker's image manifest.
pub const DOCKER_MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";
/// Docker's list of manifests.
pub const DOCKER_INDEX: &str = "application/vnd.docker.distribution.manifest.list.v2+json";
/// A configuration that says nothing.
pub const EMPTY: &str = "application/vnd.oci.empty.v1+json";
/// Configuration of a container image.
pub const IMAGE_CONFIG: &str = "application/vnd.oci.image.config.v1+json";
/// Configuration of a container image, Docker's.
pub const DOCKER_IMAGE_CONFIG: &str = "application/vnd.docker.container.image.v1+json";
/// Configuration of a Wasm artifact, by the CNCF's layout.
pub const WASM_CONFIG: &str = "application/vnd.wasm.config.v0+json";
/// Configuration of a Wasm artifact before that layout.
pub const LEGACY_WASM_CONFIG: &str = "application/vnd.wasm.config.v1+json";
/// A Wasm module, component or encoded WIT package, by the CNCF's layout.
pub const WASM: &str = "application/wasm";
/// The same before that layout.
pub const LEGACY_WASM: &str = "application/vnd.wasm.content.layer.v1+wasm";
/// A packaged Helm chart.
pub const HELM_CHART: &str = "application/vnd.cncf.helm.chart.content.v1.tar+gzip";

/// Returns a media type without its parameters, in lower case.
pub(super) fn essence(text: &str) -> String {
    let bare = text.split(';').next().unwrap_or_default();
    bare.trim().to_ascii_lowercase()
}

/// Tells whether `media_type` is a list of manifests.
pub fn is_index(media_type: &str) -> bool {
    matches!(media_type, INDEX | DOCKER_INDEX)
}

/// Tells whether `media_type` is a manifest with layers.
pub fn is_manifest(media_type: &str) -> bool {
    matches!(media_type, MANIFEST | DOCKER_MANIFEST)
}
