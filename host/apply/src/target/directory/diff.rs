//! What changed in a file, as a unified diff; of a Secret only which values did.

use serde_json::{Map, Value};
use similar::TextDiff;

use crate::yaml;

/// How many lines around a change are shown.
const CONTEXT_LINES: usize = 3;

/// Returns the diff of two versions of an object; `None` is no file.
pub(super) fn unified(path: &str, before: Option<&Value>, after: Option<&Value>) -> String {
    let (mut old, mut new) = (before.cloned(), after.cloned());
    mask(old.as_mut(), new.as_mut());
    let text = |value: &Option<Value>| value.as_ref().map(yaml::write).unwrap_or_default();
    let name = |value: &Option<Value>, side| match value {
        Some(_) => format!("{side}/{path}"),
        None => "/dev/null".to_owned(),
    };
    TextDiff::from_lines(text(&old), text(&new))
        .unified_diff()
        .context_radius(CONTEXT_LINES)
        .header(&name(&old, "a"), &name(&new, "b"))
        .to_string()
}

/// Replaces the values of Secrets: the same on both sides by one mask, others by two.
fn mask<'a>(mut old: Option<&'a mut Value>, mut new: Option<&'a mut Value>) {
    for field in ["data", "stringData"] {
        let before = data(old.as_deref(), field);
        let after = data(new.as_deref(), field);
        let masked = |own: &Map<String, Value>, other: &Map<String, Value>, mark: &str| {
            let values = own.iter().map(|(key, value)| {
                let is_same = other.get(key).is_none_or(|other| other == value);
                let mask = if is_same {
                    "***".to_owned()
                } else {
                    format!("*** ({mark})")
                };
                (key.clone(), Value::String(mask))
            });
            Value::Object(values.collect())
        };
        for (side, own, other, mark) in [
            (&mut old, &before, &after, "before"),
            (&mut new, &after, &before, "after"),
        ] {
            if let (Some(Value::Object(body)), Some(own)) = (side.as_deref_mut(), own) {
                let none = Map::new();
                body.insert(
                    field.to_owned(),
                    masked(own, other.as_ref().unwrap_or(&none), mark),
                );
            }
        }
    }
    for side in [old, new]
        .into_iter()
        .flatten()
        .filter(|value| is_secret(value))
    {
        // What kubectl remembers of it has the values, too.
        let annotations = side
            .pointer_mut("/metadata/annotations")
            .and_then(Value::as_object_mut);
        if let Some(annotations) = annotations {
            let key = "kubectl.kubernetes.io/last-applied-configuration";
            if let Some(value) = annotations.get_mut(key) {
                *value = "***".into();
            }
        }
    }
}

fn is_secret(value: &Value) -> bool {
    value["kind"] == "Secret" && value["apiVersion"] == "v1"
}

fn data(value: Option<&Value>, field: &str) -> Option<Map<String, Value>> {
    let value = value.filter(|value| is_secret(value))?;
    value.get(field)?.as_object().cloned()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_change_is_shown_with_its_surroundings() {
        let before = json!({ "kind": "ConfigMap", "data": { "a": "1", "b": "x" } });
        let after = json!({ "kind": "ConfigMap", "data": { "a": "2", "b": "x" } });
        let diff = unified("dev/configmap/c.yaml", Some(&before), Some(&after));
        assert_eq!(
            diff,
            "--- a/dev/configmap/c.yaml\n+++ b/dev/configmap/c.yaml\n@@ -1,4 +1,4 @@\n kind: \
             ConfigMap\n data:\n-  a: \"1\"\n+  a: \"2\"\n   b: x\n"
        );
        assert!(unified("x", None, Some(&after)).starts_with("--- /dev/null\n+++ b/x\n"));
    }

    #[test]
    fn values_of_secrets_are_never_shown() {
        let secret = |a: &str, more: Value| {
            json!({ "apiVersion": "v1", "kind": "Secret", "more": more, "data": {
                "changed": a, "same": "c2FtZQ==" } })
        };
        let (before, after) = (secret("b2xk", json!(1)), secret("bmV3", json!(2)));
        let diff = unified("s", Some(&before), Some(&after));
        assert!(
            diff.contains("-  changed: \"*** (before)\"\n+  changed: \"*** (after)\""),
            "{diff}"
        );
        for value in ["b2xk", "bmV3", "c2FtZQ=="] {
            assert!(!diff.contains(value), "{diff}");
            assert!(!unified("s", None, Some(&after)).contains(value));
            assert!(!unified("s", Some(&before), None).contains(value));
        }
    }
}
