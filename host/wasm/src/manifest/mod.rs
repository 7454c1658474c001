//! The manifest of a plugin: what it is, how it is configured, what it asks for.
//!
//! It stands in `bulkhead-plugin.yaml` (or `.json`) beside the plugin's source and travels as JSON
//! in the component's custom section `bulkhead:manifest`. It is the author's word: what a plugin
//! gets is decided by [`Requests::within`] what its user grants.

mod error;
mod grants;
mod read;
mod schema;
mod value;

use std::collections::BTreeMap;
use std::time::Duration;

use bulkhead_api::GoDuration;
use serde_json::{Map, Value, json};

pub use error::{ConfigError, ConfigProblem, ManifestError};
pub use grants::{Effective, FileRules, GrantError, Grants};
pub use value::quantity;

use crate::names::PluginKind;
use crate::sections::{custom, sections};

/// Name of the custom section.
pub const SECTION: &str = "bulkhead:manifest";

/// Longest manifest.
pub const MANIFEST_BYTES: usize = 256 * 1024;

/// What a plugin says about itself.
#[derive(Clone, Debug, PartialEq)]
pub struct Manifest {
    /// What it does.
    pub kind: PluginKind,
    /// Name by which users refer to it: lower-case letters, digits and `-`, at most 63.
    pub name: String,
    /// What it does, in one sentence; may be empty.
    pub description: String,
    /// Version, as semver has it.
    pub version: String,
    /// Licence, as SPDX names it; may be empty.
    pub license: String,
    /// Where its source is; may be empty.
    pub source: String,
    /// World that it was built for: `bulkhead:renderer/renderer@0.1.0`.
    pub world: String,
    /// Oldest version of Bulkhead that it works with; empty for any.
    pub min_host: String,
    /// JSON Schema of its configuration; see [`check_config`](Self::check_config).
    pub config_schema: Option<Value>,
    /// What tells that a directory is for it.
    pub detect: Detect,
    /// What it asks its user to grant.
    pub requests: Requests,
    /// Size in bytes that its component may have, for those who build it; not embedded.
    pub max_bytes: Option<u64>,
}

/// What tells that a directory is for a renderer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Detect {
    /// Names of files of which one is there.
    pub files: Vec<String>,
}

/// What a plugin asks its user to grant.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Requests {
    /// Files of the source, as patterns of `glob`; empty for all of them.
    pub files: Vec<String>,
    /// Names of inputs that are not in the source.
    pub inputs: Vec<String>,
    /// Hosts to send to beside the provider's own address, `name` or `name:port`; notifiers alone.
    pub http: Vec<String>,
    /// Names of secrets to send with; notifiers alone.
    pub secrets: Vec<String>,
    /// Questions to the cluster; renderers alone.
    pub lookup: bool,
    /// Memory in bytes.
    pub memory: Option<u64>,
    /// Time of a call.
    pub deadline: Option<Duration>,
}

impl Manifest {
    /// Reads a manifest from YAML or JSON.
    ///
    /// # Errors
    /// [`ManifestError`] names the field that is wrong.
    pub fn parse(text: &str) -> Result<Self, ManifestError> {
        read::manifest(text)
    }

    /// Reads the manifest of a component; `None` when it has none.
    ///
    /// # Errors
    /// When there are several, when it is not valid, or when the component is cut off.
    pub fn read(component: &[u8]) -> Result<Option<Self>, ManifestError> {
        let mut found = Vec::new();
        for section in sections(component) {
            let section = section.map_err(|broken| ManifestError::Broken { at: broken.at })?;
            if let Some((SECTION, data)) = section.custom {
                found.push(data);
            }
        }
        match found[..] {
            [] => Ok(None),
            [data] => {
                let text = std::str::from_utf8(data)
                    .map_err(|error| ManifestError::Syntax(error.to_string()))?;
                Self::parse(text).map(Some)
            }
            ref several => Err(ManifestError::Several(several.len())),
        }
    }

    /// Returns the component with this manifest, instead of one that it had.
    pub fn embed(&self, component: &[u8]) -> Vec<u8> {
        let mut embedded = Vec::with_capacity(component.len() + 1024);
        let mut copied = 0;
        for section in sections(component).map_while(Result::ok) {
            if section.custom.is_some_and(|(name, _)| name == SECTION) {
                embedded.extend_from_slice(&component[copied..section.range.start]);
                copied = section.range.end;
            }
        }
        embedded.extend_from_slice(&component[copied..]);
        embedded.extend(custom(SECTION, self.to_json().to_string().as_bytes()));
        embedded
    }

    /// Checks a configuration, one JSON object, against the plugin's schema. A plugin without a
    /// schema takes any.
    ///
    /// # Errors
    /// [`ConfigError`] names each field that is wrong.
    pub fn check_config(&self, config: &str) -> Result<(), ConfigError> {
        schema::check(self.config_schema.as_ref(), config)
    }

    /// Returns the annotations of the plugin's OCI manifest: the standard ones, and ours under
    /// `dev.bulkhead.plugin.`. What is empty is left out.
    pub fn annotations(&self) -> BTreeMap<String, String> {
        let standard = |name: &str| format!("org.opencontainers.image.{name}");
        let ours = |name: &str| format!("dev.bulkhead.plugin.{name}");
        let requests = match self.requests.to_json() {
            Value::Object(map) if map.is_empty() => String::new(),
            requests => requests.to_string(),
        };
        [
            (standard("title"), self.name.clone()),
            (standard("description"), self.description.clone()),
            (standard("version"), self.version.clone()),
            (standard("licenses"), self.license.clone()),
            (standard("source"), self.source.clone()),
            (ours("kind"), self.kind.to_string()),
            (ours("world"), self.world.clone()),
            (ours("min-host"), self.min_host.clone()),
            (ours("requests"), requests),
        ]
        .into_iter()
        .filter(|(_, value)| !value.is_empty())
        .collect()
    }

    /// Returns what is embedded, fields in a fixed order.
    pub fn to_json(&self) -> Value {
        let mut json = json!({
            "kind": self.kind.to_string(),
            "name": self.name,
            "description": self.description,
            "version": self.version,
            "license": self.license,
            "source": self.source,
            "world": self.world,
            "minHost": self.min_host,
        });
        if let Some(schema) = &self.config_schema {
            json["configSchema"] = schema.clone();
        }
        if !self.detect.files.is_empty() {
            json["detect"] = json!({ "files": self.detect.files });
        }
        json["requests"] = self.requests.to_json();
        json
    }
}

impl Requests {
    /// Returns what is asked for; what is not asked for is left out.
    pub fn to_json(&self) -> Value {
        let Self {
            files,
            inputs,
            http,
            secrets,
            lookup,
            memory,
            deadline,
        } = self;
        let mut map = Map::new();
        let lists = [
            ("files", files),
            ("inputs", inputs),
            ("http", http),
            ("secrets", secrets),
        ];
        for (name, list) in lists {
            if !list.is_empty() {
                map.insert(name.to_owned(), json!(list));
            }
        }
        if *lookup {
            map.insert("lookup".to_owned(), json!(true));
        }
        if let Some(bytes) = memory {
            map.insert("memory".to_owned(), json!(value::quantity_text(*bytes)));
        }
        if let Some(deadline) = deadline {
            let text = GoDuration::from(*deadline).to_string();
            map.insert("deadline".to_owned(), json!(text));
        }
        Value::Object(map)
    }
}

#[cfg(test)]
mod tests;
