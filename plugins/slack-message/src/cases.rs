//! Reads the cases of `tests/cases/notify` for the native tests of both notifiers: an event as Flux
//! posts it, with its metadata combined, the configuration, and the payload that Flux 2.9 sends.

use std::path::Path;

use bulkhead_plugin::notify::{CONTROLLER, Event};
use bulkhead_plugin::{ObjectRef, Severity};
use serde_json::Value;

/// One case.
#[derive(Debug)]
pub struct Case {
    /// Its folder's name, which is what it claims.
    pub name: String,
    /// The event, as the host hands it to a notifier.
    pub event: Event,
    /// The configuration, as JSON.
    pub config: String,
    /// The payload.
    pub expected: String,
}

/// Reads the cases of one notifier, sorted by name.
///
/// # Errors
/// A file that is missing or is not JSON.
#[allow(
    clippy::disallowed_methods,
    reason = "tests read their cases from the checkout"
)]
pub fn of(notifier: &str) -> Result<Vec<Case>, Box<dyn std::error::Error>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/cases/notify");
    let mut cases = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        let case: Value = serde_json::from_slice(&std::fs::read(path.join("case.json"))?)?;
        if case["type"] == notifier {
            cases.push(Case {
                name: path
                    .file_name()
                    .unwrap_or_default()
                    .to_string_lossy()
                    .into_owned(),
                event: event(&case["event"]),
                config: case["config"].to_string(),
                expected: std::fs::read_to_string(path.join("expected.json"))?,
            });
        }
    }
    cases.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(cases)
}

fn event(event: &Value) -> Event {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let object = &event["involvedObject"];
    let mut attributes: Vec<(String, String)> = event["metadata"]
        .as_object()
        .map(|metadata| {
            metadata
                .iter()
                .map(|(name, value)| (name.clone(), text(value)))
                .collect()
        })
        .unwrap_or_default();
    attributes.push((CONTROLLER.to_owned(), text(&event["reportingController"])));
    Event {
        id: "1".to_owned(),
        time: text(&event["timestamp"]),
        severity: if event["severity"] == "error" {
            Severity::Error
        } else {
            Severity::Info
        },
        reason: text(&event["reason"]),
        message: text(&event["message"]),
        object: ObjectRef {
            api_version: text(&object["apiVersion"]),
            kind: text(&object["kind"]),
            namespace: object["namespace"].as_str().map(str::to_owned),
            name: text(&object["name"]),
        },
        revision: None,
        links: Vec::new(),
        attributes,
    }
}
