//! What the caller asks for beside the files: flags of `kustomize build`, and Flux's overlay.

use serde::Deserialize;

/// Whether the result is sorted, unless the kustomization says so itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Reorder {
    /// Nothing was asked: kustomize sorts as for `legacy`.
    #[default]
    Unspecified,
    /// In the order of the files.
    None,
    /// Kinds that others need first.
    Legacy,
}

/// Which files a kustomization may read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum LoadRestrictor {
    /// Those in or below its own directory; bases may be anywhere in the tree.
    #[default]
    RootOnly,
    /// All of the tree.
    None,
}

/// How to render.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Options {
    /// The order of the result.
    pub reorder: Reorder,
    /// Which files may be read.
    pub load_restrictor: LoadRestrictor,
    /// Whether plugins that are programs were allowed: they are refused with better advice then.
    pub enable_alpha_plugins: bool,
    /// Whether a directory without a kustomization is rendered as Flux does: all objects in it.
    pub generate: bool,
    /// Whether objects get the label `app.kubernetes.io/managed-by`.
    pub managed_by_label: bool,
    /// Whether the result names a file for each object, as `kustomize build --output FOLDER` does.
    pub file_names: bool,
    /// What a Flux Kustomization adds to the kustomization file.
    pub overlay: Overlay,
}

/// What a Flux Kustomization adds to the kustomization file.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Overlay {
    /// In place of the file's namespace.
    pub namespace: String,
    /// In place of the file's prefix.
    pub name_prefix: String,
    /// In place of the file's suffix.
    pub name_suffix: String,
    /// After the file's patches.
    pub patches: Vec<PatchOverlay>,
    /// Over the file's images, by name.
    pub images: Vec<ImageOverlay>,
    /// After the file's components; those that are there already are not repeated.
    pub components: Vec<String>,
    /// Whether components that are not there are left out.
    pub ignore_missing_components: bool,
    /// In place of the file's build metadata.
    pub build_metadata: Vec<String>,
}

/// A patch of the overlay.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct PatchOverlay {
    /// The patch: strategic merge or JSON.
    pub patch: String,
    /// What it is for.
    pub target: Option<TargetOverlay>,
}

/// The target of a patch of the overlay; parts are regular expressions.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct TargetOverlay {
    /// API group.
    pub group: String,
    /// API version.
    pub version: String,
    /// Kind.
    pub kind: String,
    /// Name.
    pub name: String,
    /// Namespace.
    pub namespace: String,
    /// Selector of annotations.
    pub annotation_selector: String,
    /// Selector of labels.
    pub label_selector: String,
}

/// An image of the overlay.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ImageOverlay {
    /// The name to look for.
    pub name: String,
    /// Another name.
    pub new_name: String,
    /// Another tag.
    pub new_tag: String,
    /// Another digest.
    pub digest: String,
}
