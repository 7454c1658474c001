//! `generators`, `transformers` and `validators`: objects that configure a plugin. The built-in
//! plugins are here; programs are refused. In: objects. Out: generators and transformers.

use crate::decode::{self, Decode, Mode, decode_fields};
use crate::error::{Error, Outcome, fail};
use crate::fieldspec::{FieldSpec, Specs};
use crate::generate::{self, Made};
use crate::kustomization::{Generator, Image, Metadata, Patch, PatchOptions, Replica, Texts};
use crate::load::Loader;
use crate::replacement::ReplacementField;
use crate::resid::ResId;
use crate::resmap::{ResMap, name_object};
use crate::resource::{self, Resource};
use crate::selector::Selector;
use crate::transform::{
    JsonPatch, Patches, SmPatches, SubjectMode, Transformer, ValueAdd, no_field_specs,
};
use crate::world::World;
use crate::yaml::{self, Value};

/// A plugin that makes objects.
#[derive(Debug)]
pub(crate) enum Source {
    Made(Made, Box<Generator>),
    IamPolicy(Box<IamPolicy>),
}

/// The settings of `IAMPolicyGenerator`.
#[derive(Debug, Clone, Default)]
pub(crate) struct IamPolicy {
    cloud: String,
    service: Service,
    account: Account,
}

#[derive(Debug, Clone, Default)]
struct Service {
    name: String,
    namespace: String,
}

#[derive(Debug, Clone, Default)]
struct Account {
    name: String,
    project: String,
}

decode_fields!(IamPolicy {} embedded { "cloud" => cloud, "kubernetesService" => service, "serviceAccount" => account });
decode_fields!(Service { "name" => name, "namespace" => namespace });
decode_fields!(Account { "name" => name, "projectId" => project });

impl Source {
    /// Makes the objects.
    ///
    /// # Errors
    /// The settings lack something, or a file cannot be read.
    pub(crate) fn make(&self, world: &mut World<'_>, loader: &Loader<'_>) -> Outcome<ResMap> {
        let made = match self {
            Self::Made(made, settings) => generate::make(world, loader, *made, settings)?,
            Self::IamPolicy(settings) => settings.make(world)?,
        };
        Ok(ResMap::of(vec![made]))
    }
}

impl IamPolicy {
    fn make(&self, world: &mut World<'_>) -> Outcome<Resource> {
        if self.cloud != "gke" {
            return Err(fail!(
                GeneratorFailed,
                "cloud provider {} not supported yet",
                self.cloud
            ));
        }
        // Through text, as upstream: a name like `{}` is read as YAML.
        let mut text = format!(
            "apiVersion: v1\nkind: ServiceAccount\nmetadata:\n  annotations:\n    \
             iam.gke.io/gcp-service-account: {}@{}.iam.gserviceaccount.com\n  name: {}\n",
            self.account.name, self.account.project, self.service.name
        );
        if !self.service.namespace.is_empty() {
            text.push_str(&format!("\n  namespace: {}", self.service.namespace));
        }
        let object = yaml::parse_one(&mut world.tree, &text)?
            .ok_or_else(|| fail!(GeneratorFailed, "IAMPolicyGenerator made no object"))?;
        let object = world.tree.unwrap(object);
        Ok(Resource::new(object))
    }
}

fn id_of(world: &World<'_>, configuration: &Resource) -> ResId {
    configuration
        .ids(&world.tree, &world.schemas)
        .first()
        .clone()
}

/// The settings as JSON, and the kind of the plugin.
fn settings(world: &World<'_>, configuration: &Resource) -> Outcome<(Value, String)> {
    let Some(node) = configuration.node else {
        return Ok((Value::Null, String::new()));
    };
    let id = id_of(world, configuration);
    if !id.gvk.group.is_empty() || &*id.gvk.version != "builtin" {
        return Err(refuse(world, node, &id));
    }
    // Through text, as upstream.
    let text = yaml::print(&world.tree, node)?;
    Ok((
        yaml::to_json(text.as_bytes(), false)?,
        id.gvk.kind.to_string(),
    ))
}

/// The error for a plugin that is a program.
fn refuse(world: &World<'_>, node: crate::node::Id, id: &ResId) -> Box<Error> {
    let annotations = resource::metadata_map(&world.tree, node, "annotations");
    let is_function = ["config.kubernetes.io/function", "config.k8s.io/function"]
        .iter()
        .any(|key| annotations.contains_key(*key));
    let help = if is_function {
        "container, exec and starlark functions are not run here: render with a plugin of your own, or commit the \
         function's output"
    } else {
        "programs are not run here: use a built-in plugin (`apiVersion: builtin`), or a renderer plugin of your own"
    };
    let mut error = fail!(
        Unsupported,
        "external plugins disabled; unable to load external plugin '{}'",
        id.gvk.kind
    );
    error = error.advise(help);
    name_object(error, id)
}

/// The error for `helmCharts`.
pub(crate) fn refuse_helm() -> Box<Error> {
    fail!(Unsupported, "helmCharts are not inflated here: kustomize would run the program `helm`")
        .in_field("helmCharts")
        .advise("use a HelmRelease for the chart, or the helm renderer, and keep the kustomization for the rest")
}

fn unknown(id: &ResId) -> Box<Error> {
    name_object(fail!(Unsupported, "unable to load builtin {}", id.gvk), id)
}

fn configuration_error(error: Box<Error>, id: &ResId) -> Box<Error> {
    name_object(error.wrap(format!("plugin {id} fails configuration")), id)
}

/// Reads the configuration of a generator.
///
/// # Errors
/// It is a program, unknown, not a generator, or its settings are wrong.
pub(crate) fn generator(world: &World<'_>, configuration: &Resource) -> Outcome<Source> {
    let id = id_of(world, configuration);
    let (value, kind) = settings(world, configuration)?;
    let made = match kind.as_str() {
        "ConfigMapGenerator" => Made::ConfigMap,
        "SecretGenerator" => Made::Secret,
        "IAMPolicyGenerator" => {
            let read = decode::from_value(&value, "IAMPolicyGeneratorPlugin", Mode::Plugin);
            return read.map(|settings| Source::IamPolicy(Box::new(settings)));
        }
        "HelmChartInflationGenerator" => return Err(refuse_helm()),
        _ if is_transformer(&kind) => {
            return Err(fail!(Unsupported, "plugin {id} not a generator"));
        }
        _ => return Err(unknown(&id)),
    };
    let mut settings: Generator = decode::from_value(&value, "GeneratorPlugin", Mode::Plugin)
        .map_err(|error| configuration_error(error, &id))?;
    let metadata: Option<Metadata> = member(&value, "metadata")?;
    let metadata = metadata.unwrap_or_default();
    if settings.name.is_empty() {
        settings.name = metadata.name;
    }
    if settings.namespace.is_empty() {
        settings.namespace = metadata.namespace;
    }
    Ok(Source::Made(made, Box::new(settings)))
}

const TRANSFORMERS: [&str; 14] = [
    "AnnotationsTransformer",
    "HashTransformer",
    "ImageTagTransformer",
    "LabelTransformer",
    "NamespaceTransformer",
    "PatchJson6902Transformer",
    "PatchStrategicMergeTransformer",
    "PatchTransformer",
    "PrefixSuffixTransformer",
    "PrefixTransformer",
    "ReplacementTransformer",
    "ReplicaCountTransformer",
    "SuffixTransformer",
    "ValueAddTransformer",
];

fn is_transformer(kind: &str) -> bool {
    TRANSFORMERS.contains(&kind)
}

fn member<T: Decode>(value: &Value, name: &str) -> Outcome<T> {
    let found = value.as_object().and_then(|fields| {
        fields
            .iter()
            .find(|(key, _)| key.eq_ignore_ascii_case(name))
    });
    decode::from_value(
        found.map_or(&Value::Null, |(_, value)| value),
        "plugin",
        Mode::Plugin,
    )
}

fn specs(value: &Value) -> Outcome<Specs> {
    let specs: Vec<FieldSpec> = member(value, "fieldSpecs")?;
    Ok(specs.into())
}

/// Reads the configuration of a transformer, or of a validator.
///
/// # Errors
/// It is a program, unknown, not a transformer, or its settings are wrong.
pub(crate) fn transformer(
    world: &mut World<'_>,
    loader: &Loader<'_>,
    configuration: &Resource,
) -> Outcome<Vec<Transformer>> {
    let id = id_of(world, configuration);
    let (value, kind) = settings(world, configuration)?;
    if !is_transformer(&kind) {
        return Err(match kind.as_str() {
            "ConfigMapGenerator"
            | "SecretGenerator"
            | "IAMPolicyGenerator"
            | "HelmChartInflationGenerator" => {
                fail!(Unsupported, "plugin {id} not a transformer")
            }
            _ => unknown(&id),
        });
    }
    read_transformer(world, loader, &kind, &value).map_err(|error| configuration_error(error, &id))
}

fn read_transformer(
    world: &mut World<'_>,
    loader: &Loader<'_>,
    kind: &str,
    value: &Value,
) -> Outcome<Vec<Transformer>> {
    let one = match kind {
        "AnnotationsTransformer" => Transformer::Annotations {
            annotations: member(value, "annotations")?,
            specs: specs(value)?,
        },
        "LabelTransformer" => Transformer::Labels {
            labels: member::<Texts>(value, "labels")?,
            specs: specs(value)?,
        },
        "HashTransformer" => Transformer::Hash,
        "ImageTagTransformer" => Transformer::Images {
            image: member::<Option<Image>>(value, "imageTag")?.unwrap_or_default(),
            specs: specs(value)?,
        },
        "NamespaceTransformer" => Transformer::Namespace {
            namespace: member::<Option<Metadata>>(value, "metadata")?
                .unwrap_or_default()
                .namespace,
            specs: specs(value)?,
            unset_only: member(value, "unsetOnly")?,
            subjects: SubjectMode::parse(&member::<String>(value, "setRoleBindingSubjects")?)?,
        },
        "PatchJson6902Transformer" => {
            Transformer::JsonPatch(JsonPatch::read(loader, &json_patch(value)?)?)
        }
        "PatchStrategicMergeTransformer" => {
            let (paths, patches): (Vec<String>, String) =
                (member(value, "paths")?, member(value, "patches")?);
            Transformer::StrategicMerge(SmPatches::read(world, loader, &paths, &patches)?)
        }
        "PatchTransformer" => Transformer::Patch(Patches::read(
            world,
            loader,
            &patch(value)?,
            &yaml::show(value),
        )?),
        "PrefixSuffixTransformer" | "PrefixTransformer" | "SuffixTransformer" => {
            return affixes(kind, value);
        }
        "ReplacementTransformer" => {
            let entries: Vec<ReplacementField> = member(value, "replacements")?;
            Transformer::Replacements(replacements(loader, entries)?)
        }
        "ReplicaCountTransformer" => Transformer::Replicas {
            replica: member::<Option<Replica>>(value, "replica")?.unwrap_or_default(),
            specs: specs(value)?,
        },
        _ => {
            let settings: ValueAdd =
                decode::from_value(value, "ValueAddTransformerPlugin", Mode::Plugin)?;
            Transformer::ValueAdd(settings.complete(loader)?)
        }
    };
    Ok(vec![one])
}

/// A setting of the two plugins whose settings upstream reads with another decoder.
fn exact_member<T: Decode>(value: &Value, name: &str) -> Outcome<T> {
    let found = value.get(name).unwrap_or(&Value::Null);
    decode::from_value(found, "plugin", Mode::Yaml)
}

fn affixes(kind: &str, value: &Value) -> Outcome<Vec<Transformer>> {
    let specs: Option<Vec<FieldSpec>> = exact_member(value, "fieldSpecs")?;
    let specs: Specs = specs.ok_or_else(no_field_specs)?.into();
    let mut all = Vec::new();
    if kind != "SuffixTransformer" {
        all.push(Transformer::Prefix {
            prefix: exact_member(value, "prefix")?,
            specs: specs.clone(),
        });
    }
    if kind != "PrefixTransformer" {
        all.push(Transformer::Suffix {
            suffix: exact_member(value, "suffix")?,
            specs,
        });
    }
    Ok(all)
}

fn patch(value: &Value) -> Outcome<Patch> {
    Ok(Patch {
        path: member(value, "path")?,
        patch: member(value, "patch")?,
        target: member::<Option<Selector>>(value, "target")?,
        options: member::<Option<PatchOptions>>(value, "options")?.unwrap_or_default(),
    })
}

fn json_patch(value: &Value) -> Outcome<Patch> {
    Ok(Patch {
        patch: member(value, "jsonOp")?,
        ..patch(value)?
    })
}

/// The replacements of `replacements`: inline ones, and those of files.
pub(crate) fn replacements(
    loader: &Loader<'_>,
    entries: Vec<ReplacementField>,
) -> Outcome<Vec<crate::replacement::Replacement>> {
    let mut all = Vec::new();
    for entry in entries {
        if entry.path.is_empty() {
            all.push(entry.inline);
            continue;
        }
        if entry.inline.source.is_some() || !entry.inline.targets.is_empty() {
            return Err(fail!(
                ReplacementFailed,
                "cannot specify both path and inline replacement"
            ));
        }
        let bytes = loader.load(&entry.path)?;
        let in_file = |error: Box<Error>| error.in_file(&loader.display(&entry.path));
        let value = yaml::to_json(&bytes, false).map_err(in_file)?;
        match &value {
            Value::Array(_) => {
                all.extend(
                    decode::from_value::<Vec<_>>(&value, "Replacement", Mode::Plugin)
                        .map_err(in_file)?,
                );
            }
            Value::Object(_) => {
                all.push(decode::from_value(&value, "Replacement", Mode::Plugin).map_err(in_file)?)
            }
            other => {
                let kind = if other.is_null() { "invalid" } else { "string" };
                return Err(in_file(fail!(
                    ReplacementFailed,
                    "unsupported replacement type encountered within replacement path: {kind}"
                )));
            }
        }
    }
    Ok(all)
}
