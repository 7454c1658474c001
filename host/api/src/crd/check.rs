//! Checks a manifest from a file against its definition, as the API server does before it stores
//! one. In go the manifest, out come the fields that are wrong.
//!
//! Not checked: patterns (a duration is checked where it is used, and a `file://` address is fine for
//! a file) and rules in CEL.

use std::fmt;

use serde_json::{Map, Value};

use super::all;
use super::schema::PRESERVE;

/// One field that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// Path of the field: `spec.images[0].name`.
    pub path: String,
    /// What is wrong with it.
    pub problem: Problem,
}

/// What is wrong with a field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Problem {
    /// No such field: the API server drops it, `kubectl` warns.
    Unknown,
    /// The version is not served; the manifest was checked against the one that is stored.
    Version {
        /// Served versions, in backticks, joined by commas.
        served: String,
    },
    /// It must be there.
    Missing,
    /// It has the wrong type.
    Type {
        /// What it is, with its article.
        found: &'static str,
        /// What it must be, with its article.
        expected: &'static str,
    },
    /// It is none of the values that are allowed.
    Value {
        /// The value.
        found: String,
        /// Allowed values, in backticks, joined by commas.
        allowed: String,
    },
    /// It is too short or too long.
    Length {
        /// Characters it has.
        characters: u64,
        /// Fewest.
        least: u64,
        /// Most.
        most: u64,
    },
}

impl Violation {
    /// Tells whether the API server refuses the manifest for it; else it is worth a warning.
    pub fn is_error(&self) -> bool {
        !matches!(self.problem, Problem::Unknown | Problem::Version { .. })
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` ", self.path)?;
        match &self.problem {
            Problem::Unknown => f.write_str("is not known and has no effect"),
            Problem::Version { served } => write!(f, "is none of {served}"),
            Problem::Missing => f.write_str("is missing"),
            Problem::Type { found, expected } => write!(f, "is {found}; it must be {expected}"),
            Problem::Value { found, allowed } => {
                write!(f, "is `{found}`; it must be one of {allowed}")
            }
            Problem::Length {
                characters,
                least,
                most,
            } => {
                write!(
                    f,
                    "has {characters} characters; it must have {least} to {most}"
                )
            }
        }
    }
}

/// Checks a manifest of one of the kinds of [`all`]; nothing is found in one of another kind.
///
/// Nulls are taken out of its `spec` first, as the API server does: they stand for fields that are
/// not set. `metadata` and `status` are not looked at.
pub fn check(object: &mut Value) -> Vec<Violation> {
    let api_version = object["apiVersion"].as_str().unwrap_or_default();
    let (group, version) = crate::ObjectId::group_version(api_version);
    let kind = &object["kind"];
    let definition = all()
        .into_iter()
        .find(|crd| crd["spec"]["group"] == group && crd["spec"]["names"]["kind"] == *kind);
    let Some(definition) = definition else {
        return Vec::new();
    };
    let none = Vec::new();
    let versions = definition["spec"]["versions"].as_array().unwrap_or(&none);
    let mut violations = Vec::new();
    let served = versions.iter().find(|served| served["name"] == version);
    if served.is_none() {
        let served: Vec<_> = versions
            .iter()
            .filter_map(|served| served["name"].as_str())
            .collect();
        let served: Vec<_> = served
            .iter()
            .map(|name| format!("`{group}/{name}`"))
            .collect();
        let problem = Problem::Version {
            served: served.join(", "),
        };
        violations.push(Violation {
            path: "apiVersion".to_owned(),
            problem,
        });
    }
    let stored = || versions.iter().find(|version| version["storage"] == true);
    let Some(version) = served.or_else(stored) else {
        return violations;
    };
    let schema = &version["schema"]["openAPIV3Schema"]["properties"]["spec"];
    match object.get_mut("spec") {
        Some(spec) => {
            drop_nulls(spec, schema);
            visit("spec", spec, schema, &mut violations);
        }
        None => violations.push(Violation {
            path: "spec".to_owned(),
            problem: Problem::Missing,
        }),
    }
    violations
}

/// Takes entries without a value out of objects, at every depth; what has no schema is the user's.
fn drop_nulls(value: &mut Value, schema: &Value) {
    if is_anything(schema) {
        return;
    }
    match value {
        Value::Object(fields) => {
            fields.retain(|_, field| !field.is_null());
            for (name, field) in fields {
                let known = schema["properties"].get(name);
                let known = known.or_else(|| schema.get("additionalProperties"));
                drop_nulls(field, known.unwrap_or(&Value::Null));
            }
        }
        Value::Array(items) => items
            .iter_mut()
            .for_each(|item| drop_nulls(item, &schema["items"])),
        _ => {}
    }
}

/// Tells whether a schema takes whatever there is, as that of `spec.values` does.
fn is_anything(schema: &Value) -> bool {
    schema[PRESERVE] == true && schema.get("type").is_none()
}

fn visit(path: &str, value: &Value, schema: &Value, violations: &mut Vec<Violation>) {
    let mut report = |problem| {
        violations.push(Violation {
            path: path.to_owned(),
            problem,
        })
    };
    if is_anything(schema) {
        return;
    }
    match (schema["type"].as_str().unwrap_or_default(), value) {
        ("object", Value::Object(fields)) => visit_fields(path, fields, schema, violations),
        ("array", Value::Array(items)) => {
            for (index, item) in items.iter().enumerate() {
                visit(
                    &format!("{path}[{index}]"),
                    item,
                    &schema["items"],
                    violations,
                );
            }
        }
        ("string", Value::String(text)) => {
            if let Some(problem) = wrong_text(text, schema) {
                report(problem);
            }
        }
        ("boolean", Value::Bool(_)) => {}
        ("integer", Value::Number(number)) if number.is_i64() => {}
        (expected, value) => {
            report(Problem::Type {
                found: name_of(value),
                expected: name_of_type(expected),
            });
        }
    }
}

fn visit_fields(
    path: &str,
    fields: &Map<String, Value>,
    schema: &Value,
    violations: &mut Vec<Violation>,
) {
    for name in schema["required"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
    {
        if !fields.contains_key(name) {
            let path = format!("{path}.{name}");
            violations.push(Violation {
                path,
                problem: Problem::Missing,
            });
        }
    }
    for (name, field) in fields {
        let path = format!("{path}.{name}");
        let known = schema["properties"]
            .get(name)
            .or_else(|| schema.get("additionalProperties"));
        match known {
            Some(schema) => visit(&path, field, schema, violations),
            None if schema[PRESERVE] == true => {}
            None => violations.push(Violation {
                path,
                problem: Problem::Unknown,
            }),
        }
    }
}

fn wrong_text(text: &str, schema: &Value) -> Option<Problem> {
    if let Some(allowed) = schema["enum"].as_array()
        && !allowed.iter().any(|allowed| allowed == text)
    {
        let allowed: Vec<_> = allowed.iter().filter_map(Value::as_str).collect();
        let allowed: Vec<_> = allowed
            .iter()
            .map(|allowed| format!("`{allowed}`"))
            .collect();
        return Some(Problem::Value {
            found: text.to_owned(),
            allowed: allowed.join(", "),
        });
    }
    let least = schema["minLength"].as_u64().unwrap_or(0);
    let most = schema["maxLength"].as_u64().unwrap_or(u64::MAX);
    let characters = text.chars().count() as u64;
    let fits = (least..=most).contains(&characters);
    (!fits).then_some(Problem::Length {
        characters,
        least,
        most,
    })
}

fn name_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "nothing",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

fn name_of_type(type_: &str) -> &'static str {
    match type_ {
        "boolean" => "true or false",
        "integer" => "a whole number",
        "string" => "a text",
        "array" => "a list",
        _ => "an object",
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn found(version: &str, kind: &str, spec: Value) -> Vec<String> {
        let mut object = json!({
            "apiVersion": version,
            "kind": kind,
            "metadata": { "name": "web" },
            "spec": spec,
        });
        check(&mut object)
            .iter()
            .map(|violation| {
                format!(
                    "{}: {violation}",
                    if violation.is_error() {
                        "error"
                    } else {
                        "warning"
                    }
                )
            })
            .collect()
    }

    const KUSTOMIZE: &str = "kustomize.toolkit.fluxcd.io/v1";

    #[test]
    fn a_good_manifest_has_no_violation() {
        let spec = json!({
            "interval": "1m",
            "prune": true,
            "sourceRef": { "kind": "GitRepository", "name": "web" },
            "postBuild": { "substitute": { "any": "text", "unset": null } },
            "timeout": null,
            "patches": [{ "patch": "- op: remove" }],
        });
        assert_eq!(found(KUSTOMIZE, "Kustomization", spec), [""; 0]);
        assert_eq!(found("v1", "ConfigMap", json!(null)), [""; 0]);
    }

    #[test]
    fn values_of_charts_are_whatever_they_are() {
        let mut object = json!({
            "apiVersion": "helm.toolkit.fluxcd.io/v2",
            "kind": "HelmRelease",
            "spec": {
                "interval": "1m",
                "suspend": null,
                "chartRef": { "kind": "HelmChart", "name": "web" },
                "values": { "a": null, "b": [1, { "c": null }] },
            },
        });
        assert_eq!(check(&mut object).len(), 0);
        assert_eq!(object["spec"].get("suspend"), None);
        let values = json!({ "a": null, "b": [1, { "c": null }] });
        assert_eq!(
            object["spec"]["values"], values,
            "null takes a default away"
        );
    }

    #[test]
    fn each_problem_names_its_field() {
        let spec = json!({
            "interval": 60,
            "prune": "yes",
            "pathh": "./a",
            "sourceRef": { "kind": "Ark" },
            "namePrefix": "",
            "images": [{ "name": "a" }, { "newTag": "b" }],
            "components": "a",
        });
        assert_eq!(
            found(KUSTOMIZE, "Kustomization", spec),
            [
                "error: `spec.interval` is a number; it must be a text",
                "error: `spec.prune` is a text; it must be true or false",
                "warning: `spec.pathh` is not known and has no effect",
                "error: `spec.sourceRef.name` is missing",
                "error: `spec.sourceRef.kind` is `Ark`; it must be one of `OCIRepository`, \
                 `GitRepository`, `Bucket`, `ExternalArtifact`",
                "error: `spec.namePrefix` has 0 characters; it must have 1 to 200",
                "error: `spec.images[1].name` is missing",
                "error: `spec.components` is a text; it must be a list",
            ]
        );
    }

    #[test]
    fn lengths_are_checked_at_the_limit_and_one_past() {
        let name_prefix = |length: usize| {
            let spec = json!({
                "interval": "1m",
                "prune": true,
                "sourceRef": { "kind": "Bucket", "name": "web" },
                "namePrefix": "é".repeat(length),
            });
            found(KUSTOMIZE, "Kustomization", spec).len()
        };
        assert_eq!([name_prefix(200), name_prefix(201)], [0, 1]);
    }

    #[test]
    fn old_versions_are_checked_by_their_own_schema() {
        let spec = json!({ "type": "discord", "proxySecretRef": { "name": "a" } });
        let old = "notification.toolkit.fluxcd.io/v1beta1";
        let new = "notification.toolkit.fluxcd.io/v1beta3";
        assert_eq!(found(new, "Provider", spec.clone()), [""; 0]);
        assert_eq!(
            found(old, "Provider", spec),
            ["warning: `spec.proxySecretRef` is not known and has no effect"]
        );
    }

    #[test]
    fn a_version_that_is_not_served_is_a_warning() {
        let spec = json!({ "url": "https://example.com/web", "interval": "1m" });
        assert_eq!(
            found("source.toolkit.fluxcd.io/v1beta2", "GitRepository", spec),
            ["warning: `apiVersion` is none of `source.toolkit.fluxcd.io/v1`"]
        );
        let mut object = json!({ "apiVersion": KUSTOMIZE, "kind": "Kustomization" });
        assert_eq!(
            check(&mut object)
                .iter()
                .map(ToString::to_string)
                .collect::<Vec<_>>(),
            ["`spec` is missing"]
        );
    }
}
