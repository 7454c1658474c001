//! The generators and transformers that the fields of a kustomization file stand for, in
//! kustomize's order.

use serde_json::json;

use crate::config::Config;
use crate::error::{Error, Outcome};
use crate::fieldspec::{Specs, merge_all, merge_one, spec};
use crate::generate::{Made, merge_options};
use crate::kustomization::{Kustomization, Label, Patch};
use crate::load::Loader;
use crate::plugin::{self, Source};
use crate::selector::Selector;
use crate::transform::{JsonPatch, Patches, SmPatches, SubjectMode, Transformer};
use crate::world::World;
use crate::yaml::{self, Value};

/// `configMapGenerator` and `secretGenerator`.
pub(crate) fn sources(file: &Kustomization) -> Vec<Source> {
    let all = [
        (Made::ConfigMap, &file.config_maps),
        (Made::Secret, &file.secrets),
    ];
    let each = all
        .into_iter()
        .flat_map(|(made, list)| list.iter().map(move |settings| (made, settings)));
    each.map(|(made, settings)| {
        let mut settings = settings.clone();
        settings.options = merge_options(settings.options.take(), file.generator_options.as_ref());
        Source::Made(made, Box::new(settings))
    })
    .collect()
}

/// All transformers, in the order in which they run.
///
/// # Errors
/// The settings of one are wrong.
pub(crate) fn transformers(
    world: &mut World<'_>,
    loader: &Loader<'_>,
    file: &Kustomization,
    config: &Config,
) -> Outcome<Vec<Transformer>> {
    let mut all = Vec::new();
    patches(world, loader, file, &mut all)?;
    if !file.namespace.is_empty() {
        all.push(Transformer::Namespace {
            namespace: file.namespace.clone(),
            specs: config.namespace.clone(),
            unset_only: false,
            subjects: SubjectMode::default(),
        });
    }
    if !file.name_prefix.is_empty() {
        all.push(Transformer::Prefix {
            prefix: file.name_prefix.clone(),
            specs: config.name_prefix.clone(),
        });
    }
    if !file.name_suffix.is_empty() {
        all.push(Transformer::Suffix {
            suffix: file.name_suffix.clone(),
            specs: config.name_suffix.clone(),
        });
    }
    labels(file, config, &mut all)?;
    if !file.common_annotations.is_empty() {
        all.push(Transformer::Annotations {
            annotations: file.common_annotations.clone(),
            specs: config.common_annotations.clone(),
        });
    }
    for (i, entry) in file.patches_json6902.iter().enumerate() {
        let read = JsonPatch::read(loader, entry);
        let read = read
            .map_err(|error| in_config(error, "PatchJson6902Transformer", &shown(entry, "jsonOp")));
        all.push(Transformer::JsonPatch(
            read.map_err(|e| e.in_field(&format!("patchesJson6902[{i}]")))?,
        ));
    }
    for replica in &file.replicas {
        all.push(Transformer::Replicas {
            replica: replica.clone(),
            specs: config.replicas.clone(),
        });
    }
    for image in &file.images {
        all.push(Transformer::Images {
            image: image.clone(),
            specs: config.images.clone(),
        });
    }
    if !file.replacements.is_empty() {
        let read = plugin::replacements(loader, file.replacements.clone());
        all.push(Transformer::Replacements(
            read.map_err(|error| error.in_field("replacements"))?,
        ));
    }
    Ok(all)
}

fn patches(
    world: &mut World<'_>,
    loader: &Loader<'_>,
    file: &Kustomization,
    all: &mut Vec<Transformer>,
) -> Outcome<()> {
    if !file.patches_strategic_merge.is_empty() {
        let paths = &file.patches_strategic_merge;
        let read = SmPatches::read(world, loader, paths, "").map_err(|error| {
            in_config(
                error,
                "PatchStrategicMergeTransformer",
                &json!({ "paths": paths }),
            )
            .in_field("patchesStrategicMerge")
        });
        all.push(Transformer::StrategicMerge(read?));
    }
    for (i, entry) in file.patches.iter().enumerate() {
        let value = shown(entry, "patch");
        let read = Patches::read(world, loader, entry, &yaml::show(&value));
        let read = read.map_err(|error| {
            in_config(error, "PatchTransformer", &value).in_field(&format!("patches[{i}]"))
        });
        all.push(Transformer::Patch(read?));
    }
    Ok(())
}

fn in_config(error: Box<Error>, plugin: &str, config: &Value) -> Box<Error> {
    error.wrap(format!(
        "trouble configuring builtin {plugin} with config: `\n{}`",
        yaml::show(config)
    ))
}

/// A patch as the configuration of its plugin.
fn shown(entry: &Patch, text_field: &str) -> Value {
    let mut fields = serde_json::Map::new();
    let mut put = |name: &str, value: Value| drop(fields.insert(name.to_owned(), value));
    if !entry.path.is_empty() {
        put("path", json!(entry.path));
    }
    if !entry.patch.is_empty() {
        put(text_field, json!(entry.patch));
    }
    if let Some(target) = &entry.target {
        put("target", shown_selector(target));
    }
    let mut options = serde_json::Map::new();
    for (name, flag) in [
        ("allowNameChange", entry.options.allow_name_change),
        ("allowKindChange", entry.options.allow_kind_change),
    ] {
        if flag {
            options.insert(name.to_owned(), json!(true));
        }
    }
    if !options.is_empty() {
        put("options", Value::Object(options));
    }
    Value::Object(fields)
}

fn shown_selector(selector: &Selector) -> Value {
    let parts = [
        ("group", &selector.group),
        ("version", &selector.version),
        ("kind", &selector.kind),
        ("name", &selector.name),
        ("namespace", &selector.namespace),
        ("annotationSelector", &selector.annotation_selector),
        ("labelSelector", &selector.label_selector),
    ];
    let used = parts.into_iter().filter(|(_, value)| !value.is_empty());
    Value::Object(
        used.map(|(name, value)| (name.to_owned(), json!(value)))
            .collect(),
    )
}

fn labels(file: &Kustomization, config: &Config, all: &mut Vec<Transformer>) -> Outcome<()> {
    for (i, label) in file.labels.iter().enumerate() {
        let specs = label_specs(label, config).map_err(|error| {
            error
                .wrap("failed to merge labels")
                .in_field(&format!("labels[{i}]"))
        })?;
        all.push(Transformer::Labels {
            labels: label.pairs.clone(),
            specs,
        });
    }
    if !file.labels.is_empty() || !file.common_labels.is_empty() {
        all.push(Transformer::Labels {
            labels: file.common_labels.clone(),
            specs: config.common_labels.clone(),
        });
    }
    Ok(())
}

/// The fields that an entry of `labels` goes to.
fn label_specs(label: &Label, config: &Config) -> Outcome<Specs> {
    let mut specs: Specs = label.fields.clone().into();
    merge_all(&mut specs, &config.labels)?;
    if label.include_selectors {
        merge_all(&mut specs, &config.common_labels)?;
        return Ok(specs);
    }
    if label.include_templates {
        merge_all(&mut specs, &config.template_labels)
            .map_err(|error| error.wrap("failed to merge template fieldSpec"))?;
    }
    if label.include_claims {
        merge_all(&mut specs, &config.volume_claim_template_labels)
            .map_err(|error| error.wrap("failed to merge volumeClaimTemplate fieldSpec"))?;
    }
    merge_one(&mut specs, &spec("", "", "", "metadata/labels", true))?;
    Ok(specs)
}
