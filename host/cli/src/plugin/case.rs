//! Golden cases: folders in `tests/` with an input, what the plugin is given, and what is expected.
//!
//! `input/` is the source of a renderer, the objects of a transformer, the events of a notifier.
//! `config.yaml`, `inputs/` (by file name), `target.yaml` and `responses.yaml` may be absent.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, anyhow};
use serde::Deserialize;

use super::call::{self, Facts, Given, Loaded};
use super::{exchange, outcome};
use crate::output::CliError;
use crate::render;

/// Name of the file with what is expected.
const EXPECTED: &str = "expected.yaml";

/// One folder.
#[derive(Debug)]
pub(super) struct Case {
    pub(super) name: String,
    folder: PathBuf,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
struct TargetFile {
    path: String,
    name: String,
    namespace: String,
    kube_version: String,
    api_versions: Vec<String>,
}

/// Lists the cases of a plugin by name.
///
/// # Errors
/// There are none: a plugin without a case is not tested.
pub(super) fn list(project: &Path) -> Result<Vec<Case>, CliError> {
    let folder = project.join("tests");
    let mut cases = Vec::new();
    for entry in std::fs::read_dir(&folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.join("input").exists() {
            let name = entry.file_name().to_string_lossy().into_owned();
            cases.push(Case { name, folder: path });
        }
    }
    cases.sort_by(|a, b| a.name.cmp(&b.name));
    if cases.is_empty() {
        let error = anyhow!("there is no case in {}", folder.display());
        return Err(CliError::from(error).hint(
            "make a folder `tests/NAME` with `input/`, and run `bulkhead plugin test --update`",
        ));
    }
    Ok(cases)
}

impl Case {
    /// The folder, or file, that the plugin is given.
    pub(super) fn input(&self) -> PathBuf {
        self.folder.join("input")
    }

    /// What is expected; `None` where nothing was written yet.
    pub(super) fn expected(&self) -> anyhow::Result<Option<String>> {
        let path = self.folder.join(EXPECTED);
        match std::fs::read_to_string(&path) {
            Ok(text) => Ok(Some(text)),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error).with_context(|| format!("failed to read {}", path.display())),
        }
    }

    /// Writes what is expected.
    pub(super) fn expect(&self, text: &str) -> anyhow::Result<()> {
        let path = self.folder.join(EXPECTED);
        std::fs::write(&path, text).with_context(|| format!("failed to write {}", path.display()))
    }

    /// Calls the plugin once, and returns what it did as text.
    pub(super) async fn run(&self, loaded: &Loaded) -> Result<String, CliError> {
        let (given, path) = self.given()?;
        given.check(loaded.manifest.as_ref())?;
        call(
            loaded,
            &given,
            &self.input(),
            &path,
            Some(&self.folder.join("responses.yaml")),
        )
        .await
    }

    /// What the plugin is given beside the input, and the directory to render.
    pub(super) fn given(&self) -> Result<(Given, String), CliError> {
        let mut config = "{}".to_owned();
        for name in ["config.yaml", "config.json"] {
            let file = self.folder.join(name);
            if file.is_file() {
                config = call::config_file(&file)?;
            }
        }
        let file = self.folder.join("target.yaml");
        let target: TargetFile = if file.is_file() {
            let text = std::fs::read_to_string(&file)
                .with_context(|| format!("failed to read {}", file.display()))?;
            serde_saphyr::from_str(&text)
                .with_context(|| format!("{} is no target", file.display()))?
        } else {
            TargetFile::default()
        };
        let given = Given {
            config,
            inputs: self.inputs()?,
            target: Facts {
                name: target.name,
                namespace: target.namespace,
                kube_version: target.kube_version,
                api_versions: target.api_versions,
            },
        };
        Ok((given, target.path))
    }

    fn inputs(&self) -> anyhow::Result<Vec<(String, Vec<u8>)>> {
        let folder = self.folder.join("inputs");
        let mut inputs = Vec::new();
        for entry in std::fs::read_dir(&folder).into_iter().flatten() {
            let entry = entry.with_context(|| format!("failed to list {}", folder.display()))?;
            let content = std::fs::read(entry.path())
                .with_context(|| format!("failed to read {}", entry.path().display()))?;
            inputs.push((entry.file_name().to_string_lossy().into_owned(), content));
        }
        inputs.sort();
        Ok(inputs)
    }
}

/// Calls a plugin of any kind once, and returns what it did as text.
pub(super) async fn call(
    loaded: &Loaded,
    given: &Given,
    input: &Path,
    path: &str,
    responses: Option<&Path>,
) -> Result<String, CliError> {
    use bulkhead_wasm::PluginKind;
    let answer = match loaded.kind {
        PluginKind::Renderer => {
            let request = given.render(input, path, loaded)?;
            loaded.plugin.render(request).await
        }
        PluginKind::Transformer => {
            let documents = call::objects(input)?;
            loaded
                .plugin
                .transform(given.transform(documents, loaded))
                .await
        }
        PluginKind::Notifier => {
            let events = exchange::events(input)?;
            let responses = match responses {
                Some(file) => exchange::responses(file)?,
                None => Vec::new(),
            };
            let limits = loaded.limits();
            let steps =
                exchange::run(&loaded.plugin, events, &given.config, &limits, &responses).await?;
            return Ok(bulkhead_apply::yaml::write(&steps));
        }
    };
    outcome::text(answer).map_err(render::failure)
}
