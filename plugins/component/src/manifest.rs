//! The manifest of a plugin: what it is, what it asks for, and how large it may be. It stands in
//! `bulkhead-plugin.json` beside the plugin's Cargo.toml and travels in the component's custom
//! section `bulkhead:manifest`.

use anyhow::{Context, Result, bail, ensure};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// Name of the custom section.
pub(crate) const SECTION: &str = "bulkhead:manifest";

/// Size in bytes that a component may have when its manifest names none: 2 MiB.
pub(crate) const DEFAULT_MAX_BYTES: usize = 2 * 1024 * 1024;

/// What a plugin says about itself. Versions, licence and source that it does not name are those of
/// the workspace.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Manifest {
    /// `renderer`, `transformer` or `notifier`.
    pub(crate) kind: String,
    /// Name by which users refer to it.
    pub(crate) name: String,
    /// What it does, in one sentence.
    pub(crate) description: String,
    #[serde(default = "workspace_version")]
    pub(crate) version: String,
    #[serde(default = "workspace_license")]
    pub(crate) license: String,
    /// Where its source is.
    #[serde(default = "workspace_source")]
    pub(crate) source: String,
    /// World that it exports, with its version: `bulkhead:renderer/renderer@0.1.0`.
    pub(crate) world: String,
    /// Oldest host that it works with.
    #[serde(default = "workspace_version")]
    pub(crate) min_host: String,
    /// JSON Schema of its configuration.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) config_schema: Option<Value>,
    /// Files that tell that a directory is for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) detect: Option<Value>,
    /// What it asks the user to grant.
    #[serde(default)]
    pub(crate) requests: Map<String, Value>,
    /// Limit of the component's size; not embedded.
    #[serde(default = "default_max_bytes", skip_serializing)]
    pub(crate) max_bytes: usize,
}

/// Reads a manifest and checks what can be checked without the component.
pub(crate) fn parse(text: &[u8]) -> Result<Manifest> {
    let manifest: Manifest = serde_json::from_slice(text).context("it is not a valid manifest")?;
    let world = match manifest.kind.as_str() {
        "renderer" => "bulkhead:renderer/renderer@",
        "transformer" => "bulkhead:renderer/transformer@",
        "notifier" => "bulkhead:notifier/notifier@",
        other => bail!("kind `{other}` is not `renderer`, `transformer` or `notifier`"),
    };
    ensure!(
        manifest.world.starts_with(world),
        "world `{}` is not that of a {}: `{world}<version>`",
        manifest.world,
        manifest.kind
    );
    Ok(manifest)
}

impl Manifest {
    /// The bytes of the custom section: JSON with its fields in a fixed order.
    pub(crate) fn to_json(&self) -> Result<Vec<u8>> {
        Ok(serde_json::to_vec(self)?)
    }

    /// Refuses a component that is larger than the plugin may be.
    pub(crate) fn check_size(&self, bytes: usize) -> Result<()> {
        ensure!(
            bytes <= self.max_bytes,
            "component `{}` has {bytes} bytes, more than its limit of {} (`maxBytes` in its manifest)",
            self.name,
            self.max_bytes
        );
        Ok(())
    }
}

fn workspace_version() -> String {
    env!("CARGO_PKG_VERSION").to_owned()
}

fn workspace_license() -> String {
    env!("CARGO_PKG_LICENSE").to_owned()
}

fn workspace_source() -> String {
    env!("CARGO_PKG_REPOSITORY").to_owned()
}

fn default_max_bytes() -> usize {
    DEFAULT_MAX_BYTES
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINIMAL: &str = r#"{"kind":"notifier","name":"slack","description":"Posts to Slack.",
        "world":"bulkhead:notifier/notifier@0.1.0"}"#;

    fn told(text: &str) -> String {
        parse(text.as_bytes()).map_or_else(|error| format!("{error:#}"), |m| m.name)
    }

    #[test]
    fn what_a_manifest_leaves_out_is_the_workspaces() -> Result<()> {
        let manifest = parse(MINIMAL.as_bytes())?;
        assert_eq!(manifest.version, env!("CARGO_PKG_VERSION"));
        let json: Value = serde_json::from_slice(&manifest.to_json()?)?;
        assert_eq!(json["license"], "Apache-2.0");
        assert_eq!(json["requests"], Value::Object(Map::new()));
        assert!(json.get("maxBytes").is_none());
        Ok(())
    }

    #[test]
    fn wrong_kinds_worlds_and_fields_are_refused() {
        assert!(told(&MINIMAL.replace("\"notifier\"", "\"mailer\"")).contains("kind `mailer`"));
        assert!(told(&MINIMAL.replace("/notifier@", "/sender@")).contains("world `bulkhead:not"));
        assert!(told(&MINIMAL.replace("\"name\"", "\"title\"")).contains("unknown field `title`"));
    }

    #[test]
    fn size_is_limited_at_the_byte() -> Result<()> {
        let manifest = parse(MINIMAL.as_bytes())?;
        manifest.check_size(DEFAULT_MAX_BYTES)?;
        let error = manifest
            .check_size(DEFAULT_MAX_BYTES + 1)
            .err()
            .map(|e| e.to_string());
        assert!(error.is_some_and(|text| text.contains("2097153 bytes, more than its limit")));
        Ok(())
    }
}
