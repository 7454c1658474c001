//! The list of referrers, which the program does not know.

use anyhow::Result;
use bytes::Bytes;
use serde_json::{Value, json};

pub(super) const INDEX: &str = "application/vnd.oci.image.index.v1+json";

/// A manifest that says something about another.
pub(super) struct Referrer {
    pub(super) subject: String,
    descriptor: Value,
}

impl Referrer {
    /// Reads a manifest; `None` when it has no subject.
    pub(super) fn of(manifest: &[u8]) -> Option<Self> {
        let value: Value = serde_json::from_slice(manifest).ok()?;
        let subject = value["subject"]["digest"].as_str()?.to_owned();
        let digest = ring::digest::digest(&ring::digest::SHA256, manifest);
        let hex: String = digest
            .as_ref()
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        let mut descriptor = json!({
            "mediaType": value["mediaType"],
            "digest": format!("sha256:{hex}"),
            "size": manifest.len(),
            "artifactType": match &value["artifactType"] {
                Value::Null => &value["config"]["mediaType"],
                kind => kind,
            },
        });
        if value["annotations"].is_object() {
            descriptor["annotations"] = value["annotations"].clone();
        }
        Some(Self {
            subject,
            descriptor,
        })
    }
}

/// Lists what refers to `digest`.
pub(super) fn index(all: &[Referrer], digest: &str) -> Result<Bytes> {
    let found = all.iter().filter(|referrer| referrer.subject == digest);
    let manifests: Vec<&Value> = found.map(|referrer| &referrer.descriptor).collect();
    let index = json!({ "schemaVersion": 2, "mediaType": INDEX, "manifests": manifests });
    Ok(serde_json::to_vec(&index)?.into())
}
