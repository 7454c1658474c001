//! From a chart to manifests: load, choose subcharts, put values together, check them, render, sort.

use std::rc::Rc;

use bulkhead_plugin::Files;
use bulkhead_template::{Entries, IntType, Map, Value, bytes};

use crate::capabilities::{self, KubeVersion};
use crate::chart::{Chart, map};
use crate::coalesce::{Coalesce, new_map};
use crate::manifests::{self, Manifest};
use crate::options::Options;
use crate::secrets::Secrets;
use crate::stored::{self, Stored};
use crate::{dependencies, engine, load, random, release, schema, semver};

/// What a chart renders to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Output {
    /// Objects, CRDs first where they were asked for, in the order of installation.
    pub manifests: Vec<Manifest>,
    /// Hooks, in the order of installation by kind.
    pub hooks: Vec<Manifest>,
    /// NOTES.txt of the chart itself.
    pub notes: String,
    /// Remarks for the user.
    pub warnings: Vec<String>,
    /// What a release stores beside all that, where [`Options::is_stored`] asks for it.
    pub stored: Option<Stored>,
}

impl Output {
    /// Writes what `helm template` prints; stand-ins for bytes that are not UTF-8 included.
    pub fn to_text(&self) -> String {
        let mut text = String::new();
        for one in &self.manifests {
            text.push_str(&format!("---\n# Source: {}\n{}\n", one.source, one.text));
        }
        let mut out = text.trim().to_owned();
        out.push('\n');
        for hook in &self.hooks {
            out.push_str(&format!("---\n# Source: {}\n{}\n", hook.source, hook.text));
        }
        out
    }
}

/// Renders the chart at `path`: a folder or a `.tgz`.
///
/// # Errors
/// What Helm says, in its words.
pub fn render(files: &dyn Files, path: &str, options: &Options) -> Result<Output, String> {
    let secrets = Rc::new(Secrets::default());
    let mut output = Output::default();
    let rendered = render_into(files, path, options, &secrets, &mut output);
    for warning in &mut output.warnings {
        *warning = secrets.mask(warning);
    }
    rendered.map_err(|error| secrets.mask(&error))?;
    Ok(output)
}

fn render_into(
    files: &dyn Files,
    path: &str,
    options: &Options,
    secrets: &Rc<Secrets>,
    output: &mut Output,
) -> Result<(), String> {
    let (chart, user, mut texts) = texts(files, path, options, secrets, &mut output.warnings)?;
    let notes = format!("{}/templates/NOTES.txt", chart.name());
    texts.retain(|(name, text)| {
        if *name == notes {
            output.notes.clone_from(text);
        }
        !name.ends_with("NOTES.txt")
    });
    let (manifests, hooks) = manifests::sort(&texts, &mut output.warnings)?;
    let mut definitions = Vec::new();
    if options.include_crds || options.is_stored {
        crds(&chart, chart.name(), &mut definitions);
    }
    if options.is_stored {
        let found = definitions.iter();
        output.stored = Some(Stored {
            chart: stored::chart(&chart)?,
            config: user,
            crds: found
                .map(|crd| (crd.source.clone(), crd.text.clone()))
                .collect(),
        });
    }
    if options.include_crds {
        output.manifests = definitions;
    }
    output.manifests.extend(manifests);
    output.hooks = hooks;
    Ok(())
}

/// Renders the chart at `path`; returns each template's text as it is, by the template's name.
///
/// # Errors
/// As [`render`], except for what is wrong with the texts themselves.
pub fn render_raw(
    files: &dyn Files,
    path: &str,
    options: &Options,
) -> Result<Vec<(String, Vec<u8>)>, String> {
    let secrets = Rc::new(Secrets::default());
    let rendered = texts(files, path, options, &secrets, &mut Vec::new());
    let (_, _, texts) = rendered.map_err(|error| secrets.mask(&error))?;
    Ok(texts
        .into_iter()
        .map(|(name, text)| (name, bytes::of(&text).into_owned()))
        .collect())
}

type Texts = Vec<(String, String)>;

fn texts(
    files: &dyn Files,
    path: &str,
    options: &Options,
    secrets: &Rc<Secrets>,
    warnings: &mut Vec<String>,
) -> Result<(Chart, String, Texts), String> {
    let kube = options
        .kube_version
        .as_deref()
        .unwrap_or(capabilities::DEFAULT_KUBE_VERSION);
    let kube = KubeVersion::parse(kube)
        .map_err(|error| format!("invalid kube version '{kube}': {error}"))?;
    let user = new_map(options.merged_values(secrets)?);
    let mut chart = load::load(files, path, warnings)?;
    if let Some(defaults) = &options.default_values {
        chart.values = options.read_values(defaults, secrets)?;
        chart.has_values = true;
    }
    check_installable(&chart, warnings)?;
    dependencies::check(&chart)?;
    release::check_name(&options.name)?;
    let config = stored::values(&user)?;
    let seed = random::seed(&[
        &options.name,
        &options.namespace,
        chart.name(),
        &chart.metadata.version,
        &config,
    ]);
    dependencies::process(&mut chart, &user, warnings)
        .map_err(|error| format!("chart dependencies processing failed: {error}"))?;
    let values = Coalesce {
        is_merge: false,
        warnings,
    }
    .run(&chart, &user)?;
    if !options.skip_schema {
        schema::check(&chart, &values).map_err(|error| {
            format!("values don't meet the specifications of the schema(s) in the following chart(s):\n{error}")
        })?;
    }
    let wanted = &chart.metadata.kube_version;
    if !wanted.is_empty() && !semver::is_compatible(wanted, &kube.normalized) {
        return Err(format!(
            "chart requires kubeVersion: {wanted} which is incompatible with Kubernetes {}",
            kube.version
        ));
    }
    let top = top(options, &kube, values);
    let context = engine::context(seed, options, secrets);
    let texts = engine::render(&chart, &top, context, options.limits)?;
    Ok((chart, config, texts))
}

fn check_installable(chart: &Chart, warnings: &mut Vec<String>) -> Result<(), String> {
    let kind = &chart.metadata.kind;
    if !matches!(kind.as_str(), "" | "application") {
        return Err(format!("{kind} charts are not installable"));
    }
    if chart.metadata.is_deprecated {
        warnings.push("this chart is deprecated".to_owned());
    }
    Ok(())
}

fn top(options: &Options, kube: &KubeVersion, values: Map) -> Map {
    let release = map([
        ("Name", options.name.as_str().into()),
        ("Namespace", options.namespace.as_str().into()),
        ("IsUpgrade", options.is_upgrade.into()),
        ("IsInstall", (!options.is_upgrade).into()),
        ("Revision", Value::Int(options.revision, IntType::Int)),
        ("Service", "Helm".into()),
    ]);
    new_map(Entries::from([
        ("Release".into(), release),
        (
            "Capabilities".into(),
            capabilities::capabilities(kube, &options.api_versions),
        ),
        ("Values".into(), Value::Map(values)),
    ]))
}

fn crds(chart: &Chart, path: &str, found: &mut Vec<Manifest>) {
    let has_extension = |name: &str| {
        let name = name.to_ascii_lowercase();
        [".yaml", ".yml", ".json"]
            .iter()
            .any(|extension| name.ends_with(extension))
    };
    for file in &chart.files {
        if file.name.starts_with("crds/") && has_extension(&file.name) {
            found.push(Manifest {
                source: format!("{path}/{}", file.name),
                text: bytes::to_text(&file.data).into_owned(),
                kind: "CustomResourceDefinition".to_owned(),
                name: String::new(),
                hook: None,
            });
        }
    }
    for sub in &chart.dependencies {
        crds(sub, &format!("{path}/charts/{}", sub.name()), found);
    }
}
