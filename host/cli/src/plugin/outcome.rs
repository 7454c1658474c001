//! What a renderer or transformer returned, as one text that a person reads and a golden file keeps:
//! remarks and refusals as comments, then the documents.

use bulkhead_wasm::{Diagnostic, Document, RenderError, Rendered, Severity};
use serde_json::{Map, Value, json};

/// Writes an answer. An error that is not the plugin's own answer stays one.
pub(super) fn text(answer: Result<Rendered, RenderError>) -> Result<String, RenderError> {
    match answer {
        Ok(rendered) => {
            let mut text = comments(&rendered.diagnostics);
            text.push_str(&documents(&rendered.documents));
            Ok(text)
        }
        Err(RenderError::Refused(refusal)) => Ok(comments(&refusal.diagnostics)),
        Err(failed) => Err(failed),
    }
}

/// Joins documents. JSON, which nobody reads, is written as YAML with its fields sorted; YAML stays
/// as it is.
pub(super) fn documents(documents: &[Document]) -> String {
    let mut text = String::new();
    for (index, document) in documents.iter().enumerate() {
        if index > 0 {
            text.push_str("---\n");
        }
        match serde_json::from_str::<Map<String, Value>>(&document.text) {
            Ok(object) => {
                text.push_str(&bulkhead_apply::yaml::write(&sorted(Value::Object(object))))
            }
            Err(_) => {
                text.push_str(&document.text);
                if !document.text.ends_with('\n') {
                    text.push('\n');
                }
            }
        }
    }
    text
}

fn sorted(value: Value) -> Value {
    match value {
        Value::Object(object) => {
            let mut fields: Vec<_> = object
                .into_iter()
                .map(|(name, value)| (name, sorted(value)))
                .collect();
            fields.sort_by(|(a, _), (b, _)| a.cmp(b));
            Value::Object(fields.into_iter().collect())
        }
        Value::Array(items) => items.into_iter().map(sorted).collect(),
        other => other,
    }
}

fn comments(diagnostics: &[Diagnostic]) -> String {
    let mut text = String::new();
    for diagnostic in diagnostics {
        let severity = match diagnostic.severity {
            Severity::Info => "info",
            Severity::Warning => "warning",
            Severity::Error => "error",
        };
        let place = diagnostic.at.as_ref().map(|at| match at.line {
            Some(line) => format!("{}:{line}: ", at.path),
            None => format!("{}: ", at.path),
        });
        let about = diagnostic.object.as_ref().map(|object| {
            let namespace = object.namespace.as_deref().map(|name| format!("{name}/"));
            let namespace = namespace.unwrap_or_default();
            format!(", {} {namespace}{}", object.kind, object.name)
        });
        let message = format!(
            "{}{} ({}{})",
            place.unwrap_or_default(),
            diagnostic.message,
            diagnostic.code,
            about.unwrap_or_default()
        );
        text.push_str(&format!(
            "# {severity}: {}\n",
            message.replace('\n', "\n#   ")
        ));
        if let Some(help) = &diagnostic.help {
            text.push_str(&format!("# help: {}\n", help.replace('\n', "\n#   ")));
        }
    }
    text
}

/// The same for programs.
pub(super) fn json(rendered: &Rendered) -> Value {
    json!({
        "documents": rendered.documents,
        "diagnostics": rendered.diagnostics,
        "attributes": rendered.attributes.iter().cloned().collect::<std::collections::BTreeMap<_, _>>(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn document(text: &str) -> Document {
        Document {
            text: text.to_owned(),
            origin: None,
        }
    }

    #[test]
    fn json_is_shown_as_yaml_and_yaml_as_it_is() {
        let shown = documents(&[
            document("b: 1 # kept\na: 2"),
            document(r#"{"b":{"d":1,"c":2},"a":[]}"#),
        ]);
        assert_eq!(shown, "b: 1 # kept\na: 2\n---\na: []\nb:\n  c: 2\n  d: 1\n");
    }

    #[test]
    fn diagnostics_are_comments_on_lines_of_their_own() {
        let diagnostic = Diagnostic {
            severity: Severity::Error,
            code: "Broken".to_owned(),
            message: "two\nlines".to_owned(),
            at: Some(bulkhead_wasm::Location {
                path: "a.yaml".to_owned(),
                line: Some(3),
                column: None,
            }),
            object: Some(bulkhead_wasm::ObjectRef {
                api_version: "v1".to_owned(),
                kind: "Service".to_owned(),
                namespace: Some("shop".to_owned()),
                name: "web".to_owned(),
            }),
            help: Some("mend it".to_owned()),
        };
        assert_eq!(
            comments(&[diagnostic]),
            "# error: a.yaml:3: two\n#   lines (Broken, Service shop/web)\n# help: mend it\n"
        );
    }
}
