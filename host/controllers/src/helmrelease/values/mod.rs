//! The values of a release: what ConfigMaps and Secrets hold, what the spec says, one over the other.
//! Pure but for `resolve`, which reads.
//!
//! # Source
//! `ChartValuesFromReferences` of fluxcd/pkg `chartutil`.

mod resolve;
mod strvals;
mod tree;

use bulkhead_api::helmrelease::ValuesReference;
use bulkhead_api::kustomize::ValuesKind;
use bulkhead_api::{Advice, Retry, reason};
use bulkhead_apply::yaml;
use serde_json::{Map, Number, Value};

use self::tree::Node;

pub use resolve::{Values, resolve};

/// Whole numbers up to this one are exact in the floating-point numbers that Helm reads values as.
const EXACT: u64 = 1 << 53;

/// Why the values of a release cannot be put together. Its texts are upstream's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("could not resolve {}{kind} chart values reference '{namespace}/{name}' with key '{key}': {problem}", if *.optional { "optional " } else { "" })]
pub struct ValuesError {
    /// `ConfigMap` or `Secret`.
    pub kind: String,
    /// Namespace of the object.
    pub namespace: String,
    /// Name of the object.
    pub name: String,
    /// Key in the object.
    pub key: String,
    /// Whether the reference is optional.
    pub optional: bool,
    /// What is wrong.
    pub problem: ValuesProblem,
}

/// What is wrong with a reference to values.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ValuesProblem {
    /// The object is not there.
    #[error("{0} not found")]
    NotFound(String),
    /// The object has no such key.
    #[error("key not found")]
    Key,
    /// No such kind holds values.
    #[error("unsupported values reference kind")]
    Kind,
    /// The API server refused, or could not be reached.
    #[error("{0}")]
    Request(String),
    /// What the key holds is no file of values.
    #[error("failed to read values data: {0}")]
    Read(String),
    /// What the key holds cannot be put at the path.
    #[error("failed to merge value: {0}")]
    Merge(String),
}

impl ValuesError {
    /// Describes what is wrong with `reference` of an object in `namespace`.
    pub fn new(reference: &ValuesReference, namespace: &str, problem: ValuesProblem) -> Self {
        Self {
            kind: reference.kind.as_str().to_owned(),
            namespace: namespace.to_owned(),
            name: reference.name.clone(),
            key: reference.key().to_owned(),
            optional: reference.optional,
            problem,
        }
    }

    /// Names the reason, when to try again, and what the user can do.
    pub fn advice(&self) -> Advice {
        let advice = Advice::new(reason::helm::VALUES_ERROR, Retry::Backoff);
        match &self.problem {
            ValuesProblem::NotFound(_) | ValuesProblem::Key => {
                advice.hint("create it, or mark it as `optional` in `spec.valuesFrom`")
            }
            ValuesProblem::Kind => advice.hint("write `ConfigMap` or `Secret`"),
            ValuesProblem::Request(_) => advice,
            ValuesProblem::Read(_) => advice.hint("the key must hold one YAML map"),
            ValuesProblem::Merge(_) => {
                advice.hint("set `literal: true` where the value is to be taken as it is")
            }
        }
    }
}

/// What a reference gave.
#[derive(Clone, Debug)]
pub struct Part<'a> {
    /// The reference.
    pub reference: &'a ValuesReference,
    /// What its key holds.
    pub data: String,
}

/// Puts the values together: parts in their order, a later one over an earlier one, then `inline`; a
/// part with a path is put over what there is, `inline` included.
///
/// # Errors
/// [`ValuesError`] names the reference; what a Secret holds is not shown.
pub fn merge(
    inline: Map<String, Value>,
    parts: &[Part<'_>],
    namespace: &str,
) -> Result<Map<String, Value>, Box<ValuesError>> {
    let inline = tree::map(inline);
    let mut values = tree::map(Map::new());
    for Part { reference, data } in parts {
        let wrong = |problem| Box::new(ValuesError::new(reference, namespace, problem));
        let is_secret = reference.kind == ValuesKind::Secret;
        values = match &reference.target_path {
            Some(path) => {
                let values = tree::merge(&values, &inline);
                let set = strvals::set(&values, path, data, reference.literal);
                set.map_err(|error| {
                    let shown = if is_secret { hidden() } else { error };
                    wrong(ValuesProblem::Merge(shown))
                })?;
                values
            }
            None => {
                let read = read(data).map_err(|error| {
                    let shown = if is_secret { hidden() } else { error };
                    wrong(ValuesProblem::Read(shown))
                })?;
                tree::merge(&values, &tree::map(read))
            }
        };
    }
    match Node::Map(tree::merge(&values, &inline)).into_value() {
        Value::Object(values) => Ok(numbers_of(values)),
        _ => Ok(Map::new()),
    }
}

fn hidden() -> String {
    "not shown, since it is secret".to_owned()
}

/// Reads one YAML map; nothing is an empty one. As Helm does: the first document, and of two equal keys
/// the last (`ReadValues` of `pkg/chart/common`).
fn read(text: &str) -> Result<Map<String, Value>, String> {
    match yaml::read_first(text).map_err(|error| bulkhead_api::chain(&error))? {
        Value::Null => Ok(Map::new()),
        Value::Object(values) => Ok(values),
        _ => Err("it is no map of values".to_owned()),
    }
}

/// Makes numbers what Go makes of them in values: floating-point, and whole where they are.
fn numbers_of(values: Map<String, Value>) -> Map<String, Value> {
    let values = values.into_iter();
    values.map(|(key, value)| (key, numbers(value))).collect()
}

fn numbers(value: Value) -> Value {
    match value {
        Value::Object(values) => Value::Object(numbers_of(values)),
        Value::Array(items) => items.into_iter().map(numbers).collect(),
        Value::Number(number) => Value::Number(go_number(number)),
        other => other,
    }
}

fn go_number(number: Number) -> Number {
    let is_exact = |whole: u64| whole <= EXACT;
    if number
        .as_i64()
        .is_some_and(|whole| is_exact(whole.unsigned_abs()))
    {
        return number;
    }
    let Some(float) = number.as_f64() else {
        return number;
    };
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        reason = "compared right after, and only whole numbers that are exact are taken"
    )]
    let whole = (float.abs() <= EXACT as f64).then_some(float as i64);
    #[expect(clippy::cast_precision_loss, reason = "it is exact up to 2^53")]
    #[expect(clippy::float_cmp, reason = "equal is what is meant")]
    match whole {
        Some(whole) if whole as f64 == float => whole.into(),
        _ => Number::from_f64(float).unwrap_or(number),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may")]

    use serde_json::json;

    use super::*;

    fn reference(kind: ValuesKind, path: Option<&str>, literal: bool) -> ValuesReference {
        ValuesReference {
            kind,
            name: "values".into(),
            values_key: None,
            target_path: path.map(str::to_owned),
            optional: false,
            literal,
        }
    }

    fn merged(inline: Value, parts: &[(Option<&str>, bool, &str)]) -> Result<Value, String> {
        let references: Vec<_> = parts
            .iter()
            .map(|(path, literal, _)| reference(ValuesKind::ConfigMap, *path, *literal))
            .collect();
        let parts: Vec<_> = references
            .iter()
            .zip(parts)
            .map(|(reference, (_, _, data))| Part {
                reference,
                data: (*data).to_owned(),
            })
            .collect();
        let Value::Object(inline) = inline else {
            unreachable!("a map");
        };
        merge(inline, &parts, "apps")
            .map(Value::Object)
            .map_err(|error| bulkhead_api::chain(&error))
    }

    #[test]
    fn a_later_part_wins_and_the_spec_over_all_without_a_path() {
        let parts = [
            (None, false, "flat: value\nnested:\n  a: 1\n  list: [x]\n"),
            (
                None,
                false,
                "flat:\n  nested: value\nnested: {list: [u, z]}\n",
            ),
        ];
        assert_eq!(
            merged(json!({ "other": "values", "nested": { "b": 2 } }), &parts).unwrap(),
            json!({
                "flat": { "nested": "value" },
                "nested": { "a": 1, "list": ["u", "z"], "b": 2 },
                "other": "values",
            })
        );
    }

    #[test]
    fn a_part_with_a_path_wins_as_far_as_it_does_upstream() {
        let inline = json!({ "nested": { "configuration": ["list", "item", "option"] } });
        let at = Some("nested.configuration[0]");
        assert_eq!(
            merged(
                inline.clone(),
                &[(at, false, "foo"), (None, false, "flat: 1")]
            )
            .unwrap(),
            json!({ "flat": 1, "nested": { "configuration": ["foo", "item", "option"] } })
        );
        // What upstream shares between the spec's maps and the result is changed for good; a key of
        // the top level, and a map that was merged of two, are not shared.
        assert_eq!(
            merged(json!({ "a": 1 }), &[(Some("a"), false, "2")]).unwrap(),
            json!({ "a": 1 })
        );
        let merged_map = [(None, false, "m: {x: 1}"), (Some("m.a"), false, "2")];
        assert_eq!(
            merged(json!({ "m": { "a": 1 } }), &merged_map).unwrap(),
            json!({ "m": { "x": 1, "a": 1 } })
        );
    }

    #[test]
    fn values_at_a_path_are_typed_unless_quoted_or_literal() {
        let one = |text, literal| merged(json!({}), &[(Some("a.b"), literal, text)]);
        for (text, literal, value) in [
            ("1", false, json!(1)),
            ("true", false, json!(true)),
            ("null", false, json!(null)),
            ("\"1\"", false, json!("1")),
            ("'true'", false, json!("true")),
            ("{x,y}", false, json!(["x", "y"])),
            ("1", true, json!("1")),
            ("{x,y}", true, json!("{x,y}")),
            ("a: [b=c, d]\n\\e", true, json!("a: [b=c, d]\n\\e")),
        ] {
            assert_eq!(
                one(text, literal).unwrap(),
                json!({ "a": { "b": value } }),
                "{text}"
            );
        }
        assert_eq!(
            one("k1:9092,k2:9092", false).unwrap_err(),
            "could not resolve ConfigMap chart values reference 'apps/values' with key \
             'values.yaml': failed to merge value: key \"k2:9092\" has no value"
        );
    }

    #[test]
    fn of_equal_keys_the_last_counts_and_of_documents_the_first() {
        let text = "a: 1\nb: {c: 1, c: 2}\na: 3\n---\na: 4\n";
        let found = merged(json!({}), &[(None, false, text)]);
        assert_eq!(found, Ok(json!({ "a": 3, "b": { "c": 2 } })));
    }

    #[test]
    fn errors_do_not_show_secrets() {
        let hidden = |reference: &ValuesReference, text: &str| {
            let part = Part {
                reference,
                data: text.to_owned(),
            };
            let error = merge(Map::new(), &[part], "apps").unwrap_err();
            bulkhead_api::chain(&error)
        };
        for text in ["s3cr3t: [", "s3cr3t"] {
            let told = hidden(&reference(ValuesKind::Secret, None, false), text);
            assert!(!told.contains("s3cr3t"), "{told}");
        }
        let told = hidden(&reference(ValuesKind::Secret, Some("a"), false), "x,s3cr3t");
        assert!(!told.contains("s3cr3t"), "{told}");
    }

    #[test]
    fn numbers_are_those_of_go() {
        assert_eq!(
            merged(
                json!({ "a": 3.0, "b": 1.5, "c": 9_007_199_254_740_993_i64 }),
                &[]
            )
            .unwrap(),
            json!({ "a": 3, "b": 1.5, "c": 9_007_199_254_740_992_i64 })
        );
    }
}
