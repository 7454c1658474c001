//! From flags and files to a call of a plugin, and its loading.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context as _, anyhow};
use bulkhead_apply::parse::{self, Text};
use bulkhead_source::DirTree;
use bulkhead_wasm::{
    Document, Effective, Grants, Host, Limits, Location, Manifest, Plugin, PluginId, PluginKind,
    RenderRequest, Target, TransformRequest, inspect,
};
use serde_json::{Map, Value};

use super::failure::advised;
use super::locate::Found;
use crate::args::CallArguments;
use crate::output::{CliError, Progress};

/// A plugin that can be called.
pub(crate) struct Loaded {
    pub(crate) plugin: Plugin,
    pub(crate) kind: PluginKind,
    pub(crate) manifest: Option<Manifest>,
    /// What it gets of what it asks for.
    pub(crate) effective: Effective,
}

impl Loaded {
    /// The limits of a call.
    pub(crate) fn limits(&self) -> Limits {
        self.effective.limits(self.kind)
    }
}

/// What a call is given beside the source.
#[derive(Clone, Debug, Default)]
pub(crate) struct Given {
    /// One JSON object, fields sorted.
    pub(crate) config: String,
    pub(crate) inputs: Vec<(String, Vec<u8>)>,
    pub(crate) target: Facts,
}

/// Where the objects go.
#[derive(Clone, Debug, Default)]
pub(crate) struct Facts {
    pub(crate) name: String,
    pub(crate) namespace: String,
    pub(crate) kube_version: String,
    pub(crate) api_versions: Vec<String>,
}

impl Facts {
    pub(crate) fn target(&self) -> Target {
        Target {
            name: self.name.clone(),
            namespace: self.namespace.clone(),
            kube_version: self.kube_version.clone(),
            api_versions: self.api_versions.clone(),
        }
    }
}

/// Loads a component: judges it first, so that an error says what to do.
pub(crate) async fn load(host: &Host, found: &Found, grants: Grants) -> Result<Loaded, CliError> {
    let inspection = inspect(&found.bytes).map_err(|error| {
        let failure = advised(error.advice(), error);
        CliError {
            error: failure
                .error
                .context(format!("{} is no plugin", found.place)),
            ..failure
        }
    })?;
    let manifest = inspection.manifest;
    let id = match &manifest {
        Some(manifest) => PluginId::new(&manifest.name, &manifest.version),
        None => PluginId::new(stem(&found.place), "0.0.0"),
    };
    let progress = Progress::start(&format!("compiling {id}"));
    let plugin = host.load(id, &found.bytes).await;
    drop(progress);
    let plugin = plugin.map_err(|error| advised(error.advice(), error))?;
    let effective = match &manifest {
        Some(manifest) => manifest.within(&grants),
        None => bulkhead_wasm::Requests::default().within(&grants),
    };
    Ok(Loaded {
        kind: plugin.kind(),
        plugin,
        manifest,
        effective,
    })
}

fn stem(place: &str) -> String {
    let name = Path::new(place)
        .file_stem()
        .unwrap_or_default()
        .to_string_lossy();
    if name.is_empty() {
        "plugin".to_owned()
    } else {
        name.into_owned()
    }
}

impl Given {
    /// Reads what the flags name.
    pub(crate) fn read(arguments: &CallArguments) -> Result<Self, CliError> {
        let mut inputs = Vec::new();
        for text in &arguments.inputs {
            let Some((name, path)) = text.split_once('=') else {
                let error = anyhow!("`--input {text}` names no file");
                return Err(CliError::from(error)
                    .usage()
                    .hint("write `--input NAME=FILE`"));
            };
            let content =
                std::fs::read(path).with_context(|| format!("failed to read the input {path}"))?;
            inputs.push((name.to_owned(), content));
        }
        Ok(Self {
            config: config(arguments.config.as_deref())?,
            inputs,
            target: Facts {
                name: arguments.name.clone(),
                namespace: arguments.namespace.clone(),
                kube_version: arguments.kube_version.clone(),
                api_versions: arguments.api_versions.clone(),
            },
        })
    }

    /// Checks the configuration against the plugin's schema.
    pub(crate) fn check(&self, manifest: Option<&Manifest>) -> Result<(), CliError> {
        match manifest {
            Some(manifest) => manifest
                .check_config(&self.config)
                .map_err(|error| advised(error.advice(), error)),
            None => Ok(()),
        }
    }

    /// Makes the request to render `path` of a folder.
    pub(crate) fn render(
        &self,
        root: &Path,
        path: &str,
        loaded: &Loaded,
    ) -> Result<RenderRequest, CliError> {
        let limits = loaded.limits();
        let tree = DirTree::open(root, limits.file_bytes)
            .with_context(|| format!("failed to open {}", root.display()))?;
        let mut request = RenderRequest::new(Arc::new(tree), path);
        request.config.clone_from(&self.config);
        request.inputs.clone_from(&self.inputs);
        request.target = self.target.target();
        request.files = loaded.effective.files.clone();
        request.limits = limits;
        Ok(request)
    }

    /// Makes the request to transform documents.
    pub(crate) fn transform(&self, documents: Vec<Document>, loaded: &Loaded) -> TransformRequest {
        TransformRequest {
            config: self.config.clone(),
            target: self.target.target(),
            limits: loaded.limits(),
            ..TransformRequest::new(documents)
        }
    }
}

/// Reads a configuration: a JSON object as it stands, or a YAML or JSON file.
pub(crate) fn config(given: Option<&str>) -> Result<String, CliError> {
    let Some(given) = given else {
        return Ok("{}".to_owned());
    };
    if given.trim_start().starts_with('{') {
        let object: Map<String, Value> = serde_json::from_str(given).map_err(|error| {
            CliError::from(anyhow!("the configuration is no JSON object: {error}")).usage()
        })?;
        return Ok(canonical(&object));
    }
    config_file(Path::new(given))
}

/// Reads a configuration from a YAML or JSON file.
pub(crate) fn config_file(path: &Path) -> Result<String, CliError> {
    let text = std::fs::read_to_string(path)
        .with_context(|| format!("failed to read the configuration {}", path.display()))?;
    if text.trim().is_empty() {
        return Ok("{}".to_owned());
    }
    let object: Map<String, Value> = serde_saphyr::from_str(&text)
        .with_context(|| format!("{} is no mapping in YAML or JSON", path.display()))?;
    Ok(canonical(&object))
}

fn canonical(object: &Map<String, Value>) -> String {
    bulkhead_controllers::delivery::config::canonical(object)
}

/// Reads the objects of a file, or of every YAML and JSON file below a folder, as a transformer gets
/// them: a document each, in JSON.
pub(crate) fn objects(path: &Path) -> Result<Vec<Document>, CliError> {
    let mut files = Vec::new();
    collect(path, &mut files)?;
    let mut documents = Vec::new();
    for file in files {
        let text = std::fs::read_to_string(&file)
            .with_context(|| format!("failed to read {}", file.display()))?;
        let name = file
            .strip_prefix(path)
            .unwrap_or(&file)
            .display()
            .to_string();
        let text = Text {
            text: &text,
            path: &name,
            line: 1,
        };
        let objects = parse::objects([text], &parse::Limits::default())
            .map_err(|error| advised(error.advice(), error))?;
        documents.extend(objects.iter().map(|object| Document {
            text: object.to_value().to_string(),
            origin: (!name.is_empty()).then(|| {
                Location {
                    path: name.clone(),
                    line: u32::try_from(object.origin().line)
                        .ok()
                        .filter(|line| *line > 0),
                    column: None,
                }
            }),
        }));
    }
    Ok(documents)
}

fn collect(path: &Path, files: &mut Vec<std::path::PathBuf>) -> Result<(), CliError> {
    let failed = || format!("failed to open {}", path.display());
    if !std::fs::metadata(path).with_context(failed)?.is_dir() {
        files.push(path.to_owned());
        return Ok(());
    }
    let entries: std::io::Result<Vec<_>> = std::fs::read_dir(path).with_context(failed)?.collect();
    let mut paths: Vec<_> = entries
        .with_context(failed)?
        .iter()
        .map(std::fs::DirEntry::path)
        .collect();
    paths.sort();
    for path in paths {
        let known = ["yaml", "yml", "json"];
        let named = path
            .extension()
            .is_some_and(|end| known.iter().any(|known| end == *known));
        if path.is_dir() || named {
            collect(&path, files)?;
        }
    }
    Ok(())
}
