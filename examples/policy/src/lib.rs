//! A transformer: puts labels on every object, and holds images to digests and registries. What
//! does not comply is told all at once, with the object and the file that it came from.

mod images;
mod labels;

use bulkhead_plugin::transform::{Error, Output, Request, Transformer};
use bulkhead_plugin::{Diagnostic, ObjectRef, Severity};
use serde_json::Value;

struct Policy;

bulkhead_plugin::transformer!(Policy);

/// What the user may set; `bulkhead-plugin.yaml` has its schema.
#[derive(Default, serde::Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Config {
    labels: labels::Rules,
    images: images::Rules,
    mode: Mode,
}

#[derive(Default, PartialEq, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
enum Mode {
    #[default]
    Enforce,
    Warn,
}

impl Transformer for Policy {
    fn transform(request: Request) -> Result<Output, Error> {
        let broken = |error: serde_json::Error| Error::Failed(error.to_string());
        let config: Config = serde_json::from_str(&request.config).map_err(broken)?;
        let mut output = Output::default();
        for mut document in request.documents {
            let mut object: Value = serde_json::from_str(&document.text).map_err(broken)?;
            let mut found = labels::apply(&config.labels, &mut object);
            found.extend(images::apply(&config.images, &mut object));
            let about = reference(&object);
            output
                .diagnostics
                .extend(found.into_iter().map(|wrong| Diagnostic {
                    object: Some(about.clone()),
                    at: document.origin.clone(),
                    ..wrong
                }));
            document.text = object.to_string();
            output.documents.push(document);
        }
        match config.mode {
            Mode::Enforce if !output.diagnostics.is_empty() => Err(output.diagnostics.into()),
            Mode::Enforce => Ok(output),
            Mode::Warn => {
                for wrong in &mut output.diagnostics {
                    wrong.severity = Severity::Warning;
                }
                Ok(output)
            }
        }
    }
}

/// Names an object.
fn reference(object: &Value) -> ObjectRef {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    ObjectRef {
        api_version: text(&object["apiVersion"]),
        kind: text(&object["kind"]),
        namespace: object["metadata"]["namespace"].as_str().map(str::to_owned),
        name: text(&object["metadata"]["name"]),
    }
}
