//! The configuration of a Wasm artifact.
//!
//! # Source
//! CNCF TAG Runtime, "Wasm OCI Artifact Layout", `application/vnd.wasm.config.v0+json`.

use bulkhead_api::Digest;
use serde::{Deserialize, Serialize};

use super::PluginArtifact;

/// What a Wasm artifact says about itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct WasmConfig {
    /// When it was made, in RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created: Option<String>,
    /// Who made it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub author: Option<String>,
    /// Always `wasm`.
    pub architecture: String,
    /// `wasip1` or `wasip2`.
    pub os: String,
    /// Digests of the layers, of which there is one.
    #[serde(default)]
    pub layer_digests: Vec<Digest>,
    /// What the component imports and exports; not there for a core module.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub component: Option<Component>,
}

/// The outside of a component.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Component {
    /// Interfaces that it exports.
    pub exports: Vec<String>,
    /// Interfaces that it imports.
    pub imports: Vec<String>,
    /// The world that it was made for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target: Option<Target>,
}

/// A world: its name as text, or an object of tools that say more.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Target {
    /// The name.
    World(String),
    /// Anything else.
    Other(serde_json::Value),
}

impl WasmConfig {
    /// Describes `artifact`: the same value for the same artifact, with no time of its own.
    pub(super) fn of(artifact: &PluginArtifact, layer: Digest) -> Self {
        let mut component = Component {
            exports: artifact.exports.clone(),
            imports: artifact.imports.clone(),
            target: artifact.target.clone().map(Target::World),
        };
        component.exports.sort();
        component.imports.sort();
        Self {
            created: artifact.created.map(|time| time.to_string()),
            author: artifact.author.clone(),
            architecture: "wasm".to_owned(),
            os: artifact.system.as_str().to_owned(),
            layer_digests: vec![layer],
            component: (artifact.system == super::System::Wasip2).then_some(component),
        }
    }

    /// Says what contradicts the manifest's one layer.
    pub(super) fn problem(&self, layer: Digest) -> Option<String> {
        if self.architecture != "wasm" {
            return Some(format!(
                "`architecture` is `{}`, not `wasm`",
                self.architecture
            ));
        }
        if !matches!(self.os.as_str(), "wasip1" | "wasip2") {
            return Some(format!("`os` is `{}`, not `wasip1` or `wasip2`", self.os));
        }
        if !self.layer_digests.is_empty() && self.layer_digests != [layer] {
            return Some("`layerDigests` names another layer than the manifest".to_owned());
        }
        None
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic, reason = "a test may")]
mod tests {
    use super::*;

    #[test]
    fn the_same_artifact_has_the_same_configuration() {
        let artifact = PluginArtifact {
            exports: vec!["b:b/b@1.0.0".into(), "a:a/a@1.0.0".into()],
            target: Some("a:a/w@1.0.0".into()),
            ..PluginArtifact::default()
        };
        let layer = Digest::of(b"wasm");
        let text = serde_json::to_string(&WasmConfig::of(&artifact, layer)).unwrap();
        assert_eq!(
            text,
            format!(
                r#"{{"architecture":"wasm","os":"wasip2","layerDigests":["{layer}"],"component":{{"exports":["a:a/a@1.0.0","b:b/b@1.0.0"],"imports":[],"target":"a:a/w@1.0.0"}}}}"#
            )
        );
        let read: WasmConfig = serde_json::from_str(&text).unwrap();
        assert_eq!(read, WasmConfig::of(&artifact, layer));
        assert_eq!(read.problem(layer), None);
    }

    #[test]
    fn contradictions_are_told() {
        let layer = Digest::of(b"wasm");
        let config = WasmConfig::of(&PluginArtifact::default(), layer);
        assert!(
            config
                .problem(Digest::of(b"other"))
                .unwrap()
                .contains("layerDigests")
        );
        let linux = WasmConfig {
            os: "linux".into(),
            ..config.clone()
        };
        assert!(linux.problem(layer).unwrap().contains("`os` is `linux`"));
        let amd64 = WasmConfig {
            architecture: "amd64".into(),
            ..config
        };
        assert!(amd64.problem(layer).unwrap().contains("`architecture`"));
    }
}
