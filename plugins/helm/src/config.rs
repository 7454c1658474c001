//! What the user configures, and what becomes of it: [`Options`] of a render.

use bulkhead_plugin::Diagnostic;
use bulkhead_plugin::render::{Error, Files, Request};
use bulkhead_template::Limits;
use serde::Deserialize;

use crate::functions::Lookup;
use crate::options::{Options, Set, Values};
use crate::strvals::SetKind;
use crate::{problem, release, time};

/// Deepest chain of templates that include templates: what fits on a guest's stack.
const MAX_DEPTH: usize = 200;

/// Most steps of all templates together: a node that is walked is one, four bytes that a function
/// takes or gives are one. The largest charts take some hundred thousand.
const MAX_STEPS: u64 = 50_000_000;

/// Name of the attribute that names an input which holds a secret; one attribute an input.
const SECRET_INPUT: &str = "input.secret";

/// Name of the attribute with the time of the source's revision, by RFC 3339.
const SOURCE_TIME: &str = "source.time";

/// What the user configures; `bulkhead-plugin.json` says what each field is.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Config {
    release_name: Option<String>,
    release_namespace: Option<String>,
    name_template: Option<String>,
    values_files: Vec<String>,
    values_inputs: Vec<String>,
    values: Option<serde_json::Value>,
    default_values: Option<String>,
    set: Vec<ConfigSet>,
    kube_version: Option<String>,
    api_versions: Vec<String>,
    include_crds: bool,
    release: bool,
    is_upgrade: bool,
    revision: Option<i64>,
    skip_schema_validation: bool,
    pub(crate) no_hooks: bool,
    pub(crate) skip_tests: bool,
    pub(crate) show_only: Vec<String>,
    pub(crate) raw: bool,
}

#[derive(Debug, Deserialize)]
struct ConfigSet {
    #[serde(default)]
    kind: ConfigSetKind,
    text: String,
    /// Input whose text stands behind the `=`.
    input: Option<String>,
}

#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
enum ConfigSetKind {
    #[default]
    Typed,
    String,
    File,
    Json,
    Literal,
}

impl From<ConfigSetKind> for SetKind {
    fn from(kind: ConfigSetKind) -> Self {
        match kind {
            ConfigSetKind::Typed => Self::Typed,
            ConfigSetKind::String => Self::Text,
            ConfigSetKind::File => Self::File,
            ConfigSetKind::Json => Self::Json,
            ConfigSetKind::Literal => Self::Literal,
        }
    }
}

impl Config {
    /// Reads the configuration of a request.
    pub(crate) fn of(request: &Request) -> Result<Self, Error> {
        serde_json::from_str(&request.config)
            .map_err(|error| invalid(format!("failed to read the configuration: {error}")))
    }

    /// Gathers all that a render needs beside the chart.
    pub(crate) fn options(&self, source: &dyn Files, request: &Request) -> Result<Options, Error> {
        let kube = &request.target.kube_version;
        let kube = (!kube.is_empty()).then(|| kube.clone());
        let namespace = &request.target.namespace;
        let is_file = |set: &&ConfigSet| matches!(set.kind, ConfigSetKind::File);
        let set_files = if self.set.iter().any(|set| is_file(&set)) {
            request.inputs.clone()
        } else {
            Vec::new()
        };
        let mut options = Options {
            namespace: given(&self.release_namespace, namespace, "default"),
            values: self.all_values(source, request)?,
            default_values: self.default_values(request)?,
            kube_version: self.kube_version.clone().or(kube),
            api_versions: [request.target.api_versions.as_slice(), &self.api_versions].concat(),
            is_stored: self.release,
            include_crds: self.include_crds,
            is_upgrade: self.is_upgrade,
            revision: self.revision.unwrap_or(1),
            skip_schema: self.skip_schema_validation,
            set_files,
            secret_values: secret_inputs(request).map(str::to_owned).collect(),
            now: source_time(request),
            lookup: LOOKUP,
            limits: Limits {
                depth: MAX_DEPTH,
                steps: MAX_STEPS,
                ..Limits::default()
            },
            ..Options::default()
        };
        for set in &self.set {
            self.add_set(set, request, &mut options)?;
        }
        options.name = match &self.name_template {
            Some(template) => release::name_of(template, &options).map_err(problem::told)?,
            None => given(&self.release_name, &request.target.name, "release-name"),
        };
        Ok(options)
    }

    fn all_values(&self, source: &dyn Files, request: &Request) -> Result<Vec<Values>, Error> {
        let mut values = Vec::new();
        for path in &self.values_files {
            values.push(Values {
                name: path.clone(),
                text: source.read_text(path)?,
            });
        }
        for name in &self.values_inputs {
            values.push(Values {
                name: name.clone(),
                text: input(request, name)?,
            });
        }
        if let Some(own) = &self.values {
            values.push(Values {
                name: "values".to_owned(),
                text: own.to_string(),
            });
        }
        Ok(values)
    }

    fn default_values(&self, request: &Request) -> Result<Option<Values>, Error> {
        let Some(name) = &self.default_values else {
            return Ok(None);
        };
        Ok(Some(Values {
            name: name.clone(),
            text: input(request, name)?,
        }))
    }

    fn add_set(
        &self,
        set: &ConfigSet,
        request: &Request,
        options: &mut Options,
    ) -> Result<(), Error> {
        let mut text = set.text.clone();
        if let Some(name) = &set.input {
            let value = input(request, name)?;
            text = format!("{text}={value}");
            if secret_inputs(request).any(|secret| secret == name) {
                options.secret_texts.push(value);
            }
        }
        options.sets.push(Set {
            kind: set.kind.into(),
            text,
        });
        Ok(())
    }
}

fn given(own: &Option<String>, target: &str, default: &str) -> String {
    match own {
        Some(own) => own.clone(),
        None if target.is_empty() => default.to_owned(),
        None => target.to_owned(),
    }
}

fn input(request: &Request, name: &str) -> Result<String, Error> {
    let data = request.input(name);
    let data = data.ok_or_else(|| invalid(format!("failed to find the input `{name}`")))?;
    Ok(String::from_utf8_lossy(data).into_owned())
}

fn secret_inputs(request: &Request) -> impl Iterator<Item = &str> {
    let named = |(name, input): &'_ &(String, String)| name == SECRET_INPUT && !input.is_empty();
    let marked = request.attributes.iter().filter(named);
    marked.map(|(_, input)| input.as_str())
}

fn invalid(message: String) -> Error {
    Diagnostic::error("ConfigInvalid", message).into()
}

/// The time of the source's revision, where the host tells it; 1970 otherwise.
fn source_time(request: &Request) -> i128 {
    let mut attributes = request.attributes.iter();
    let text = attributes.find(|(name, _)| name == SOURCE_TIME);
    let time = text.and_then(|(_, text)| time::parse("2006-01-02T15:04:05Z07:00", text).ok());
    time.map_or(0, |time| time.nanoseconds)
}

#[cfg(not(target_arch = "wasm32"))]
const LOOKUP: Option<Lookup> = None;

#[cfg(target_arch = "wasm32")]
const LOOKUP: Option<Lookup> = Some(|api_version, kind, namespace, name| {
    use bulkhead_plugin::cluster::{self, Error};
    cluster::lookup(api_version, kind, namespace, name).map_err(|error| match error {
        Error::Forbidden(why) | Error::Unavailable(why) | Error::Other(why) => why,
        Error::TooMany(limit) => format!("more than {limit} look-ups"),
    })
});
