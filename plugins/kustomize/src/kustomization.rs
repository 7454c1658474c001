//! The kustomization file: its fields, how it is read, and the corrections that kustomize makes
//! before it uses one. In: YAML. Out: a [`Kustomization`]. Never: a file that it names.

use std::collections::BTreeMap;

use crate::decode::{self, Decode, Decoder, Mode, decode_fields};
use crate::error::{Outcome, fail};
use crate::fieldspec::FieldSpec;
use crate::replacement::{Replacement, ReplacementField};
use crate::selector::Selector;
use crate::vars::Var;
use crate::yaml::{self, Value};

/// Names of kustomization files, in the order in which they are looked for.
pub(crate) const FILE_NAMES: [&str; 3] =
    ["kustomization.yaml", "kustomization.yml", "Kustomization"];

const KIND: &str = "Kustomization";
const COMPONENT: &str = "Component";

/// Labels and annotations.
pub(crate) type Texts = BTreeMap<String, String>;

/// A kustomization file.
#[derive(Debug, Clone, Default)]
pub(crate) struct Kustomization {
    pub(crate) kind: String,
    pub(crate) api_version: String,
    pub(crate) openapi: Texts,
    pub(crate) name_prefix: String,
    pub(crate) name_suffix: String,
    pub(crate) namespace: String,
    pub(crate) common_labels: Texts,
    pub(crate) labels: Vec<Label>,
    pub(crate) common_annotations: Texts,
    pub(crate) patches_strategic_merge: Vec<String>,
    pub(crate) patches_json6902: Vec<Patch>,
    pub(crate) patches: Vec<Patch>,
    pub(crate) images: Vec<Image>,
    pub(crate) replacements: Vec<ReplacementField>,
    pub(crate) replicas: Vec<Replica>,
    pub(crate) vars: Vec<Var>,
    pub(crate) sort_options: Option<SortOptions>,
    pub(crate) resources: Vec<String>,
    pub(crate) components: Vec<String>,
    pub(crate) crds: Vec<String>,
    pub(crate) config_maps: Vec<Generator>,
    pub(crate) secrets: Vec<Generator>,
    pub(crate) helm_charts: usize,
    pub(crate) generator_options: Option<GeneratorOptions>,
    pub(crate) configurations: Vec<String>,
    pub(crate) generators: Vec<String>,
    pub(crate) transformers: Vec<String>,
    pub(crate) validators: Vec<String>,
    pub(crate) build_metadata: Vec<String>,
    /// Deprecated fields that it uses, as kustomize warns of them.
    pub(crate) warnings: Vec<String>,
    /// Whether it says anything at all beyond what it is.
    says_something: bool,
}

/// An entry of `labels`.
#[derive(Debug, Clone, Default)]
pub(crate) struct Label {
    pub(crate) pairs: Texts,
    pub(crate) include_selectors: bool,
    pub(crate) include_templates: bool,
    pub(crate) include_claims: bool,
    pub(crate) fields: Vec<FieldSpec>,
}

/// An entry of `patches` and `patchesJson6902`.
#[derive(Debug, Clone, Default)]
pub(crate) struct Patch {
    pub(crate) path: String,
    pub(crate) patch: String,
    pub(crate) target: Option<Selector>,
    pub(crate) options: PatchOptions,
}

/// What a patch may change besides its target's content.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct PatchOptions {
    pub(crate) allow_name_change: bool,
    pub(crate) allow_kind_change: bool,
}

/// An entry of `images`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Image {
    pub(crate) name: String,
    pub(crate) new_name: String,
    pub(crate) tag_suffix: String,
    pub(crate) new_tag: String,
    pub(crate) digest: String,
}

/// An entry of `replicas`.
#[derive(Debug, Clone, Default)]
pub(crate) struct Replica {
    pub(crate) name: String,
    pub(crate) count: i64,
}

/// `sortOptions`.
#[derive(Debug, Clone, Default)]
pub(crate) struct SortOptions {
    pub(crate) order: String,
    pub(crate) legacy: Option<LegacySortOptions>,
}

/// `sortOptions.legacySortOptions`.
#[derive(Debug, Clone, Default)]
pub(crate) struct LegacySortOptions {
    pub(crate) first: Vec<String>,
    pub(crate) last: Vec<String>,
}

/// An entry of `configMapGenerator` and `secretGenerator`.
#[derive(Debug, Clone, Default)]
pub(crate) struct Generator {
    pub(crate) namespace: String,
    pub(crate) name: String,
    pub(crate) behavior: String,
    pub(crate) literals: Vec<String>,
    pub(crate) files: Vec<String>,
    pub(crate) envs: Vec<String>,
    pub(crate) env: String,
    pub(crate) options: Option<GeneratorOptions>,
    pub(crate) secret_type: String,
}

/// `generatorOptions`, and the options of one generator.
#[derive(Debug, Clone, Default)]
pub(crate) struct GeneratorOptions {
    pub(crate) labels: Texts,
    pub(crate) annotations: Texts,
    pub(crate) disable_name_suffix_hash: bool,
    pub(crate) immutable: bool,
}

decode_fields!(Label {
    "pairs" => pairs,
    "includeSelectors" => include_selectors,
    "includeTemplates" => include_templates,
    "includeVolumeClaimTemplates" => include_claims,
    "fields" => fields,
});
decode_fields!(Patch { "path" => path, "patch" => patch, "target" => target, "options" => options });
decode_fields!(PatchOptions { "allowNameChange" => allow_name_change, "allowKindChange" => allow_kind_change });
decode_fields!(Image {
    "name" => name,
    "newName" => new_name,
    "tagSuffix" => tag_suffix,
    "newTag" => new_tag,
    "digest" => digest,
});
decode_fields!(Replica { "name" => name, "count" => count });
decode_fields!(SortOptions { "order" => order, "legacySortOptions" => legacy });
decode_fields!(LegacySortOptions { "orderFirst" => first, "orderLast" => last });
decode_fields!(GeneratorOptions {
    "labels" => labels,
    "annotations" => annotations,
    "disableNameSuffixHash" => disable_name_suffix_hash,
    "immutable" => immutable,
});
decode_fields!(Generator {} embedded {
    "namespace" => namespace,
    "name" => name,
    "behavior" => behavior,
    "literals" => literals,
    "files" => files,
    "envs" => envs,
    "env" => env,
    "options" => options,
    "type" => secret_type,
});

impl Kustomization {
    /// Reads a kustomization file and corrects it as kustomize does.
    ///
    /// # Errors
    /// It is not YAML, has unknown fields or fields of the wrong type, says nothing, or is of
    /// another kind or version.
    pub(crate) fn read(text: &[u8], directory: &str) -> Outcome<Self> {
        let value =
            yaml::to_json(text, false).map_err(|error| error.wrap("invalid Kustomization"))?;
        Self::from_json(&value, directory)
    }

    /// As [`Kustomization::read`], from what the YAML says.
    pub(crate) fn from_json(value: &Value, directory: &str) -> Outcome<Self> {
        let mut read: Self = decode::from_value(value, KIND, Mode::File)
            .map_err(|error| error.wrap("invalid Kustomization"))?;
        read.correct();
        if !read.says_something {
            return Err(fail!(KustomizationInvalid, "kustomization.yaml is empty"));
        }
        read.check_kind(directory)?;
        Ok(read)
    }

    /// Reads a kustomization file as Flux does: unknown fields are ignored, numbers may be text.
    ///
    /// # Errors
    /// It is not YAML, or has fields of the wrong type.
    pub(crate) fn read_leniently(text: &[u8]) -> Outcome<Self> {
        decode::from_yaml(text, KIND, Mode::Plugin)
    }

    /// Corrects and checks what Flux has put together.
    ///
    /// # Errors
    /// It is of another kind or version.
    pub(crate) fn check(&mut self) -> Outcome<()> {
        self.correct();
        self.check_kind("/")
    }

    /// Whether it is a component.
    pub(crate) fn is_component(&self) -> bool {
        self.kind == COMPONENT
    }

    fn correct(&mut self) {
        if self.kind.is_empty() {
            self.kind = KIND.to_owned();
        }
        if self.api_version.is_empty() {
            self.api_version = self.wanted_version().to_owned();
        }
        for generator in self.config_maps.iter_mut().chain(&mut self.secrets) {
            if !generator.env.is_empty() {
                generator.envs.push(std::mem::take(&mut generator.env));
            }
        }
    }

    fn wanted_version(&self) -> &'static str {
        if self.is_component() {
            "kustomize.config.k8s.io/v1alpha1"
        } else {
            "kustomize.config.k8s.io/v1beta1"
        }
    }

    fn check_kind(&self, directory: &str) -> Outcome<()> {
        let mut problems = Vec::new();
        if self.kind != KIND && self.kind != COMPONENT {
            problems.push(format!("kind should be {KIND} or {COMPONENT}"));
        }
        if self.api_version != self.wanted_version() {
            problems.push(format!(
                "apiVersion for {} should be {}",
                self.kind,
                self.wanted_version()
            ));
        }
        if problems.is_empty() {
            return Ok(());
        }
        let problems = problems.join("\n");
        Err(fail!(
            KustomizationInvalid,
            "Failed to read kustomization file under {directory}:\n{problems}"
        ))
    }

    fn warn(&mut self, field: &str, instead: &str, experimental: bool) {
        let mark = if experimental { "[EXPERIMENTAL] " } else { "" };
        self.warnings.push(format!(
            "# Warning: '{field}' is deprecated. Please use '{instead}' instead. {mark}Run 'kustomize edit fix' to \
             update your Kustomization automatically."
        ));
    }
}

impl Decode for Kustomization {
    fn decode(value: &Value, at: &Decoder) -> Outcome<Self> {
        let mut out = Self::default();
        let (mut bases, mut image_tags): (Vec<String>, Vec<Image>) = (Vec::new(), Vec::new());
        let mut old_charts = 0;
        at.fields(value, |name, value, at| {
            match name {
                "bases" => bases = Decode::decode(value, at)?,
                "imageTags" => image_tags = Decode::decode(value, at)?,
                "helmChartInflationGenerator" => {
                    old_charts = <Vec<Value>>::decode(value, at)?.len()
                }
                "kind" => out.kind = Decode::decode(value, at)?,
                "apiVersion" => out.api_version = Decode::decode(value, at)?,
                _ if !out.decode_field(name, value, at)? => return Ok(false),
                _ => out.says_something = out.says_something || !(value.is_null() || value == ""),
            }
            Ok(true)
        })?;
        let used = |name: &str| value.get(name).is_some_and(|value| !value.is_null());
        for (field, instead) in [
            ("bases", "resources"),
            ("commonLabels", "labels"),
            ("imageTags", "images"),
            ("patchesJson6902", "patches"),
            ("patchesStrategicMerge", "patches"),
            ("vars", "replacements"),
        ] {
            if used(field) {
                out.warn(field, instead, field == "vars");
            }
        }
        out.says_something |= !bases.is_empty() || !image_tags.is_empty() || old_charts > 0;
        out.resources.append(&mut bases);
        out.images.append(&mut image_tags);
        out.helm_charts += old_charts;
        Ok(out)
    }
}

impl Kustomization {
    fn decode_field(&mut self, name: &str, value: &Value, at: &Decoder) -> Outcome<bool> {
        match name {
            "metadata" => drop(<Option<Metadata>>::decode(value, at)?),
            "openapi" => self.openapi = Decode::decode(value, at)?,
            "namePrefix" => self.name_prefix = Decode::decode(value, at)?,
            "nameSuffix" => self.name_suffix = Decode::decode(value, at)?,
            "namespace" => self.namespace = Decode::decode(value, at)?,
            "commonLabels" => self.common_labels = Decode::decode(value, at)?,
            "labels" => self.labels = Decode::decode(value, at)?,
            "commonAnnotations" => self.common_annotations = Decode::decode(value, at)?,
            "patchesStrategicMerge" => self.patches_strategic_merge = Decode::decode(value, at)?,
            "patchesJson6902" => self.patches_json6902 = Decode::decode(value, at)?,
            "patches" => self.patches = Decode::decode(value, at)?,
            "images" => self.images = Decode::decode(value, at)?,
            "replacements" => self.replacements = Decode::decode(value, at)?,
            "replicas" => self.replicas = Decode::decode(value, at)?,
            "vars" => self.vars = Decode::decode(value, at)?,
            "sortOptions" => self.sort_options = Decode::decode(value, at)?,
            "resources" => self.resources = Decode::decode(value, at)?,
            "components" => self.components = Decode::decode(value, at)?,
            "crds" => self.crds = Decode::decode(value, at)?,
            "configMapGenerator" => self.config_maps = Decode::decode(value, at)?,
            "secretGenerator" => self.secrets = Decode::decode(value, at)?,
            "helmGlobals" => drop(<Option<BTreeMap<String, String>>>::decode(value, at)?),
            "helmCharts" => self.helm_charts = <Vec<Value>>::decode(value, at)?.len(),
            "generatorOptions" => self.generator_options = Decode::decode(value, at)?,
            "configurations" => self.configurations = Decode::decode(value, at)?,
            "generators" => self.generators = Decode::decode(value, at)?,
            "transformers" => self.transformers = Decode::decode(value, at)?,
            "validators" => self.validators = Decode::decode(value, at)?,
            "buildMetadata" => self.build_metadata = Decode::decode(value, at)?,
            _ => return Ok(false),
        }
        Ok(true)
    }
}

/// `metadata` of a kustomization, and of the configuration of a plugin.
#[derive(Debug, Clone, Default)]
pub(crate) struct Metadata {
    pub(crate) name: String,
    pub(crate) namespace: String,
    pub(crate) labels: Texts,
    pub(crate) annotations: Texts,
}

decode_fields!(Metadata {
    "name" => name,
    "namespace" => namespace,
    "labels" => labels,
    "annotations" => annotations,
});

decode_fields!(Replacement { "source" => source, "targets" => targets, "sourceValue" => source_value });
