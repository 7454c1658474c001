//! The folder of a plugin: its manifest, and how it is built.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, anyhow};
use bulkhead_wasm::Manifest;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::failure::advised;
use crate::output::CliError;

/// Names of the manifest's file.
const MANIFESTS: [&str; 2] = ["bulkhead-plugin.yaml", "bulkhead-plugin.json"];

/// A folder with a plugin's source.
#[derive(Debug)]
pub(super) struct Project {
    /// The folder.
    pub(super) folder: PathBuf,
    /// Its manifest.
    pub(super) manifest: Manifest,
    /// How it is built.
    pub(super) build: Build,
}

/// The section `build` of a manifest's file; it is not embedded.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Build {
    /// `rust`, `go`, `js`, `python` or `c`: build as that language's template does.
    pub(crate) language: Option<String>,
    /// Run first, in the folder: a bundler, a generator.
    pub(crate) before: Vec<String>,
    /// Run instead of what the language has; writes `output`.
    pub(crate) command: Vec<String>,
    /// What `command` writes, or what was made elsewhere, from the folder: a core module or a
    /// component.
    pub(crate) output: Option<PathBuf>,
    /// JavaScript: the file; Python: the module. `plugin.js`, `app`.
    pub(crate) entry: Option<String>,
    /// C: the files; all in the folder and in `bulkhead/` by default.
    pub(crate) sources: Vec<String>,
    /// Further arguments for the compiler.
    pub(crate) flags: Vec<String>,
}

impl Project {
    /// Reads a plugin's folder.
    ///
    /// # Errors
    /// There is no manifest, or it is not valid: the field is named.
    pub(super) fn open(folder: &Path) -> Result<Self, CliError> {
        let found = MANIFESTS.iter().find(|name| folder.join(name).is_file());
        let Some(name) = found else {
            let error = anyhow!("there is no {} in {}", MANIFESTS[0], folder.display());
            return Err(CliError::from(error)
                .hint("go to the plugin's folder, or start one with `bulkhead plugin new`"));
        };
        let path = folder.join(name);
        let text = std::fs::read_to_string(&path)
            .with_context(|| format!("failed to read {}", path.display()))?;
        let (manifest, build) = parse(&text).map_err(|failure| CliError {
            error: failure
                .error
                .context(format!("failed to use {}", path.display())),
            ..failure
        })?;
        Ok(Self {
            folder: folder.to_owned(),
            manifest,
            build,
        })
    }

    /// The component that `build` writes.
    pub(super) fn component(&self) -> PathBuf {
        self.folder.join(format!("{}.wasm", self.manifest.name))
    }

    /// Folder of intermediate files.
    pub(super) fn scratch(&self) -> anyhow::Result<PathBuf> {
        let folder = self.folder.join("build");
        std::fs::create_dir_all(&folder)
            .with_context(|| format!("failed to make {}", folder.display()))?;
        Ok(folder)
    }
}

/// Splits a manifest's file into what is embedded and how it is built.
pub(crate) fn parse(text: &str) -> Result<(Manifest, Build), CliError> {
    let mut fields: Map<String, Value> =
        serde_saphyr::from_str(text).context("it is not valid YAML")?;
    let build = match fields.remove("build") {
        None | Some(Value::Null) => Build::default(),
        Some(section) => {
            serde_json::from_value(section).context("its field `build` is not valid")?
        }
    };
    let manifest = Manifest::parse(&Value::Object(fields).to_string())
        .map_err(|error| advised(error.advice(), error))?;
    Ok((manifest, build))
}

#[cfg(test)]
mod tests {
    use super::*;

    const MANIFEST: &str =
        "kind: renderer\nname: x\nversion: 0.1.0\nworld: bulkhead:renderer/renderer@0.1.0\n";

    #[test]
    fn the_build_section_is_not_part_of_the_manifest() {
        let text = format!("{MANIFEST}build: {{language: go, flags: [-tags, x]}}\n");
        let (manifest, build) = parse(&text).expect("valid");
        assert_eq!(build.language.as_deref(), Some("go"));
        assert_eq!(build.flags, ["-tags", "x"]);
        assert!(manifest.to_json().get("build").is_none());
    }

    #[test]
    fn wrong_fields_are_named() {
        let told = |text: String| {
            parse(&text)
                .map_err(|f| format!("{:#}", f.error))
                .map(|_| ())
        };
        let wrong = told(format!("{MANIFEST}build: {{languge: go}}\n"));
        assert!(wrong.is_err_and(|text| text.contains("languge")));
        let wrong = told(MANIFEST.replace("name: x", "title: x"));
        assert!(wrong.is_err_and(|text| text.contains("title") || text.contains("name")));
    }
}
