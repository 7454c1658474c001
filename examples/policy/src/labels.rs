//! Labels: put where they are missing, on objects and on the pods that they make.

use std::collections::BTreeMap;

use bulkhead_plugin::Diagnostic;
use serde_json::{Map, Value};

/// Rules by the label's name.
pub(crate) type Rules = BTreeMap<String, Rule>;

#[derive(serde::Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Rule {
    /// Put where the label is missing.
    value: Option<String>,
    /// The values that are allowed; any, where there are none.
    #[serde(default)]
    one_of: Vec<String>,
}

/// Puts labels on an object, and tells which it lacks or has with a value that is not allowed.
pub(crate) fn apply(rules: &Rules, object: &mut Value) -> Vec<Diagnostic> {
    if rules.is_empty() {
        return Vec::new();
    }
    let found = label(rules, object, "the object");
    // Deployments and their like have it here, CronJobs a level deeper.
    for place in ["/spec/template", "/spec/jobTemplate/spec/template"] {
        if let Some(template) = object.pointer_mut(place).filter(|at| at.is_object()) {
            // What the object itself lacks was told.
            let _ = label(rules, template, "its pods");
        }
    }
    found
}

fn label(rules: &Rules, object: &mut Value, whose: &str) -> Vec<Diagnostic> {
    let metadata = mapping(object, "metadata");
    let labels = metadata.and_then(|metadata| mapping(metadata, "labels"));
    let Some(labels) = labels.and_then(Value::as_object_mut) else {
        let message = format!("the labels of {whose} are no mapping");
        return vec![Diagnostic::error("LabelsInvalid", message)];
    };
    rules
        .iter()
        .filter_map(|(name, rule)| {
            if let Some(value) = rule.value.as_ref().filter(|_| !labels.contains_key(name)) {
                labels.insert(name.clone(), value.as_str().into());
            }
            judge(name, rule, labels.get(name), whose)
        })
        .collect()
}

fn judge(name: &str, rule: &Rule, value: Option<&Value>, whose: &str) -> Option<Diagnostic> {
    let allowed = rule.one_of.join("`, `");
    let Some(value) = value.and_then(Value::as_str) else {
        let help = match allowed.as_str() {
            "" => format!("set `metadata.labels.{name}`"),
            _ => format!("set `metadata.labels.{name}` to one of `{allowed}`"),
        };
        let wrong = Diagnostic::error("LabelMissing", format!("{whose} has no label `{name}`"));
        return Some(wrong.help(help));
    };
    if rule.one_of.is_empty() || rule.one_of.iter().any(|one| one == value) {
        return None;
    }
    let message =
        format!("{whose} has the label `{name}` with the value `{value}`, which is not allowed");
    Some(
        Diagnostic::error("LabelNotAllowed", message).help(format!("set it to one of `{allowed}`")),
    )
}

/// Returns the mapping in a field, and makes one of what is missing or null.
fn mapping<'a>(object: &'a mut Value, field: &str) -> Option<&'a mut Value> {
    let inner = object.as_object_mut()?.entry(field).or_insert(Value::Null);
    if inner.is_null() {
        *inner = Value::Object(Map::new());
    }
    inner.is_object().then_some(inner)
}
