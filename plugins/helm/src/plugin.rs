//! The guest: reads a request of the host's, renders, and returns documents. What is random in a
//! chart is seeded by the release, the chart's path and the values, so that nothing drifts.

use bulkhead_plugin::render::{Document, Error, Files, Output, Renderer, Request};
use bulkhead_plugin::{Diagnostic, Location};
use bulkhead_template::Limits;
use serde::Deserialize;
use sha2::{Digest, Sha256};

use crate::functions::Lookup;
use crate::options::{Options, Set, Values};
use crate::render::{render, render_raw};
use crate::strvals::SetKind;
use crate::time;

/// Deepest chain of templates that include templates: what fits on a guest's stack.
const MAX_DEPTH: usize = 200;

/// The plugin.
pub struct Helm;

/// What the user configures.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Config {
    release_name: Option<String>,
    release_namespace: Option<String>,
    values_files: Vec<String>,
    values_inputs: Vec<String>,
    values: Option<serde_json::Value>,
    set: Vec<ConfigSet>,
    kube_version: Option<String>,
    api_versions: Vec<String>,
    include_crds: bool,
    no_hooks: bool,
    is_upgrade: bool,
    revision: Option<i64>,
    skip_schema_validation: bool,
    raw: bool,
}

#[derive(Debug, Deserialize)]
struct ConfigSet {
    #[serde(default)]
    kind: ConfigSetKind,
    text: String,
}

#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
enum ConfigSetKind {
    #[default]
    Typed,
    String,
    Json,
    Literal,
}

impl Renderer for Helm {
    fn render(source: &dyn Files, request: &Request) -> Result<Output, Error> {
        let config: Config = serde_json::from_str(&request.config).map_err(|error| {
            invalid(
                "ConfigInvalid",
                format!("failed to read the configuration: {error}"),
            )
        })?;
        let options = options(source, request, &config)?;
        let path = if request.path.is_empty() {
            "."
        } else {
            &request.path
        };
        if config.raw {
            return raw(source, path, &options);
        }
        let rendered = render(source, path, &options).map_err(told)?;
        let mut output = Output::default();
        let hooks = if config.no_hooks {
            &[][..]
        } else {
            &rendered.hooks[..]
        };
        for manifest in rendered.manifests.iter().chain(hooks) {
            let text = bulkhead_template::bytes::lossy(&manifest.text).into_owned();
            output
                .documents
                .push(Document::new(text).from_file(&manifest.source));
        }
        output
            .attributes
            .push(("helm.hooks".to_owned(), hooks.len().to_string()));
        if !rendered.notes.is_empty() {
            output
                .attributes
                .push(("render.notes".to_owned(), rendered.notes));
        }
        let remark = |text: String| Diagnostic::warning("ChartWarning", text);
        output.diagnostics = rendered.warnings.into_iter().map(remark).collect();
        Ok(output)
    }
}

bulkhead_plugin::renderer!(Helm);

fn invalid(code: &str, message: String) -> Error {
    Diagnostic::error(code, message).into()
}

/// Finds the place in a message of Helm's: `… (chart/templates/x.yaml:3:5): …`.
fn told(message: String) -> Error {
    let place = message
        .split(|c: char| c == '(' || c == ')' || c.is_whitespace())
        .find_map(|word| {
            let mut parts = word.trim_end_matches(':').split(':');
            let path = parts.next().filter(|path| path.contains("/templates/"))?;
            Some((path, parts.next().and_then(|line| line.parse().ok())))
        });
    let diagnostic = Diagnostic::error("RenderFailed", message.clone());
    Error::from(match place {
        Some((path, Some(line))) => diagnostic.at(Location::file(path).line(line)),
        Some((path, None)) => diagnostic.at(Location::file(path)),
        None => diagnostic,
    })
}

fn raw(source: &dyn Files, path: &str, options: &Options) -> Result<Output, Error> {
    let mut output = Output::default();
    for (name, text) in render_raw(source, path, options).map_err(told)? {
        let text = String::from_utf8_lossy(&text).into_owned();
        output.documents.push(Document::new(text).from_file(name));
    }
    Ok(output)
}

fn options(source: &dyn Files, request: &Request, config: &Config) -> Result<Options, Error> {
    let given = |own: &Option<String>, target: &str, default: &str| match own {
        Some(own) => own.clone(),
        None if target.is_empty() => default.to_owned(),
        None => target.to_owned(),
    };
    let mut values = Vec::new();
    for path in &config.values_files {
        values.push(Values {
            name: path.clone(),
            text: source.read_text(path)?,
        });
    }
    for name in &config.values_inputs {
        let data = request.input(name).ok_or_else(|| {
            invalid(
                "ConfigInvalid",
                format!("failed to find the input `{name}`"),
            )
        })?;
        values.push(Values {
            name: name.clone(),
            text: String::from_utf8_lossy(data).into_owned(),
        });
    }
    if let Some(own) = &config.values {
        values.push(Values {
            name: "values".to_owned(),
            text: own.to_string(),
        });
    }
    let set = |one: &ConfigSet| Set {
        kind: match one.kind {
            ConfigSetKind::Typed => SetKind::Typed,
            ConfigSetKind::String => SetKind::Text,
            ConfigSetKind::Json => SetKind::Json,
            ConfigSetKind::Literal => SetKind::Literal,
        },
        text: one.text.clone(),
    };
    let kube = &request.target.kube_version;
    let mut options = Options {
        name: given(&config.release_name, &request.target.name, "release-name"),
        namespace: given(
            &config.release_namespace,
            &request.target.namespace,
            "default",
        ),
        values,
        sets: config.set.iter().map(set).collect(),
        kube_version: config
            .kube_version
            .clone()
            .or_else(|| (!kube.is_empty()).then(|| kube.clone())),
        api_versions: [request.target.api_versions.as_slice(), &config.api_versions].concat(),
        include_crds: config.include_crds,
        is_upgrade: config.is_upgrade,
        revision: config.revision.unwrap_or(1),
        skip_schema: config.skip_schema_validation,
        now: source_time(request),
        lookup: LOOKUP,
        limits: Limits {
            depth: MAX_DEPTH,
            ..Limits::default()
        },
        ..Options::default()
    };
    options.seed = seed(&options, &request.path);
    Ok(options)
}

/// The time of the source's revision, where the host tells it; 1970 otherwise.
fn source_time(request: &Request) -> i128 {
    let text = request
        .attributes
        .iter()
        .find(|(name, _)| name == "source.time");
    let time = text.and_then(|(_, text)| time::parse("2006-01-02T15:04:05Z07:00", text).ok());
    time.map_or(0, |time| time.nanoseconds)
}

fn seed(options: &Options, path: &str) -> [u8; 32] {
    let mut hash = Sha256::new();
    let mut add = |text: &str| {
        hash.update((text.len() as u64).to_le_bytes());
        hash.update(text);
    };
    add(&options.name);
    add(&options.namespace);
    add(path);
    options.values.iter().for_each(|values| add(&values.text));
    options.sets.iter().for_each(|set| add(&set.text));
    hash.finalize().into()
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

#[cfg(test)]
mod tests {
    use bulkhead_plugin::files::MemoryFiles;

    use super::*;

    type Tested = Result<(), Box<dyn std::error::Error>>;

    fn chart() -> MemoryFiles {
        MemoryFiles::new()
            .with(
                "web/Chart.yaml",
                "apiVersion: v2\nname: web\nversion: 1.2.3\n",
            )
            .with("web/values.yaml", "replicas: 1\n")
            .with(
                "web/templates/a.yaml",
                "kind: A\nn: {{ .Values.replicas }}\nr: {{ randAlphaNum 8 }}\n",
            )
            .with("web/templates/NOTES.txt", "Hello {{ .Release.Name }}")
            .with(
                "web/templates/hook.yaml",
                "kind: B\nmetadata:\n  annotations: {helm.sh/hook: test}\n",
            )
    }

    fn request(config: &str) -> Request {
        let mut request = Request::for_path("web");
        request.config = config.to_owned();
        request.target.name = "site".to_owned();
        request
    }

    #[test]
    fn a_chart_becomes_documents_with_their_origins() -> Tested {
        let config = r#"{"values": {"replicas": 3}}"#;
        let output =
            Helm::render(&chart(), &request(config)).map_err(|error| format!("{error:?}"))?;
        let origins: Vec<_> = output
            .documents
            .iter()
            .map(|d| d.origin.as_ref().map(|o| o.path.as_str()))
            .collect();
        assert_eq!(
            origins,
            [
                Some("web/templates/a.yaml"),
                Some("web/templates/hook.yaml")
            ]
        );
        assert!(output.documents[0].text.contains("n: 3\n"));
        assert!(
            output
                .attributes
                .contains(&("helm.hooks".to_owned(), "1".to_owned()))
        );
        assert!(
            output
                .attributes
                .contains(&("render.notes".to_owned(), "Hello site".to_owned()))
        );
        let again =
            Helm::render(&chart(), &request(config)).map_err(|error| format!("{error:?}"))?;
        assert_eq!(output.documents, again.documents);
        Ok(())
    }

    #[test]
    fn a_mistake_names_the_file_and_the_line() {
        let files = chart().with("web/templates/b.yaml", "a: 1\nb: {{ .Values.x.y }}\n");
        let Err(Error::Invalid(diagnostics)) = Helm::render(&files, &request("{}")) else {
            unreachable!("it renders");
        };
        let at = diagnostics[0].at.as_ref();
        assert_eq!(
            at.map(|at| (at.path.as_str(), at.line)),
            Some(("web/templates/b.yaml", Some(2)))
        );
    }
}
