//! Everything that changes the objects of a build: one file a transformer. In: the objects. Out:
//! the same objects, changed.

mod image;
mod metadata;
mod names;
mod namespace;
mod patch;
mod patch_json;
mod replicas;
mod sort;
mod value_add;

use crate::error::{Outcome, fail};
use crate::fieldspec::Specs;
use crate::kustomization::{Image, Replica, SortOptions, Texts};
use crate::replacement::{self, Replacement};
use crate::resmap::ResMap;
use crate::world::World;

pub(crate) use namespace::SubjectMode;
pub(crate) use patch::{Patches, SmPatches};
pub(crate) use patch_json::JsonPatch;
pub(crate) use value_add::ValueAdd;

/// A transformer ready to be used.
#[derive(Debug)]
pub(crate) enum Transformer {
    StrategicMerge(SmPatches),
    Patch(Patches),
    JsonPatch(JsonPatch),
    Namespace {
        namespace: String,
        specs: Specs,
        unset_only: bool,
        subjects: SubjectMode,
    },
    Prefix {
        prefix: String,
        specs: Specs,
    },
    Suffix {
        suffix: String,
        specs: Specs,
    },
    Labels {
        labels: Texts,
        specs: Specs,
    },
    Annotations {
        annotations: Texts,
        specs: Specs,
    },
    Replicas {
        replica: Replica,
        specs: Specs,
    },
    Images {
        image: Image,
        specs: Specs,
    },
    Replacements(Vec<Replacement>),
    ValueAdd(ValueAdd),
    Sort(SortOptions),
    Hash,
}

impl Transformer {
    /// The name of the plugin, as in configurations of transformers.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::StrategicMerge(_) => "PatchStrategicMergeTransformer",
            Self::Patch(_) => "PatchTransformer",
            Self::JsonPatch(_) => "PatchJson6902Transformer",
            Self::Namespace { .. } => "NamespaceTransformer",
            Self::Prefix { .. } => "PrefixTransformer",
            Self::Suffix { .. } => "SuffixTransformer",
            Self::Labels { .. } => "LabelTransformer",
            Self::Annotations { .. } => "AnnotationsTransformer",
            Self::Replicas { .. } => "ReplicaCountTransformer",
            Self::Images { .. } => "ImageTagTransformer",
            Self::Replacements(_) => "ReplacementTransformer",
            Self::ValueAdd(_) => "ValueAddTransformer",
            Self::Sort(_) => "SortOrderTransformer",
            Self::Hash => "HashTransformer",
        }
    }

    /// Changes the objects.
    ///
    /// # Errors
    /// What the transformer is told to do cannot be done to an object.
    pub(crate) fn apply(&self, world: &mut World<'_>, map: &mut ResMap) -> Outcome<()> {
        map.changed();
        match self {
            Self::StrategicMerge(patches) => patches.apply(world, map),
            Self::Patch(patches) => patches.apply(world, map),
            Self::JsonPatch(patch) => patch.apply(world, map),
            Self::Namespace {
                namespace,
                specs,
                unset_only,
                subjects,
            } => {
                let setter = namespace::Setter {
                    namespace,
                    unset_only: *unset_only,
                    subjects: *subjects,
                };
                setter.apply(world, map, specs)
            }
            Self::Prefix { prefix, specs } => {
                names::apply(world, map, names::Affix::Prefix(prefix), specs)
            }
            Self::Suffix { suffix, specs } => {
                names::apply(world, map, names::Affix::Suffix(suffix), specs)
            }
            Self::Labels { labels, specs } => metadata::apply(world, map, labels, specs),
            Self::Annotations { annotations, specs } => {
                metadata::apply(world, map, annotations, specs)
            }
            Self::Replicas { replica, specs } => replicas::apply(world, map, replica, specs),
            Self::Images { image, specs } => image::apply(world, map, image, specs),
            Self::Replacements(replacements) => replacement::apply(world, map, replacements),
            Self::ValueAdd(settings) => settings.apply(world, map),
            Self::Sort(options) => sort::apply(world, map, options),
            Self::Hash => crate::hash::apply(world, map),
        }
    }
}

/// Sets one annotation on all objects, plainly.
pub(crate) fn annotate_all(
    world: &mut World<'_>,
    map: &mut ResMap,
    key: &str,
    value: &str,
) -> Outcome<()> {
    let specs = [crate::fieldspec::spec(
        "",
        "",
        "",
        "metadata/annotations",
        true,
    )];
    metadata::apply(
        world,
        map,
        &Texts::from([(key.to_owned(), value.to_owned())]),
        &specs,
    )
}

/// The value that `app.kubernetes.io/managed-by` gets.
const MANAGED_BY: &str = "kustomize-v5.8.2";

/// Labels all objects as made by kustomize.
pub(crate) fn label_managed_by(world: &mut World<'_>, map: &mut ResMap) -> Outcome<()> {
    let specs = [crate::fieldspec::spec("", "", "", "metadata/labels", true)];
    let labels = Texts::from([(
        "app.kubernetes.io/managed-by".to_owned(),
        MANAGED_BY.to_owned(),
    )]);
    metadata::apply(world, map, &labels, &specs)
}

/// The error for a transformer that needs fields and was given none.
pub(crate) fn no_field_specs() -> Box<crate::error::Error> {
    fail!(TransformFailed, "fieldSpecs is not expected to be nil")
}
