//! Which objects a rule is for. Pure.
//!
//! # Source
//! `ssa/jsondiff` of fluxcd/pkg: each field is a regular expression over the whole text, the two
//! selectors are those of Kubernetes.

use bulkhead_api::kustomize::{IgnoreRule, Selector};
use bulkhead_api::{Advice, ObjectId, Retry, reason};
use bulkhead_apply::Object;
use regex::Regex;

/// Why a selector cannot be used.
#[derive(Clone, Debug, thiserror::Error)]
pub enum SelectorError {
    /// A field is no regular expression.
    #[error("failed to read `{field}` of a target in `spec.driftDetection.ignore`")]
    Pattern {
        /// The field.
        field: &'static str,
        /// Why.
        #[source]
        source: regex::Error,
    },
    /// A selector of labels or annotations cannot be read.
    #[error("`{0}` is no selector of labels")]
    Labels(String),
}

impl SelectorError {
    /// Names the reason, when to try again, and what the user can do.
    pub fn advice(&self) -> Advice {
        Advice::new(reason::VALIDATION_FAILED, Retry::OnChange)
            .hint("write a selector as in `app=web,tier in (a,b)`")
    }
}

/// Rules that were read.
#[derive(Debug)]
pub(super) struct Rules(Vec<(Option<Matcher>, Vec<String>)>);

#[derive(Debug)]
struct Matcher {
    patterns: [Option<Regex>; 5],
    labels: Vec<Requirement>,
    annotations: Vec<Requirement>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Requirement {
    key: String,
    operator: Operator,
    values: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Operator {
    In,
    NotIn,
    Exists,
    NotExists,
}

impl Rules {
    /// Reads the rules.
    pub(super) fn read(rules: &[IgnoreRule]) -> Result<Self, SelectorError> {
        let read = rules.iter().map(|rule| {
            let target = rule.target.as_ref().map(Matcher::read).transpose()?;
            Ok((target, rule.paths.clone()))
        });
        Ok(Self(read.collect::<Result<_, _>>()?))
    }

    /// Returns the paths that are left out of an object.
    pub(super) fn paths(&self, object: &Object) -> Vec<String> {
        let matching = self
            .0
            .iter()
            .filter(|(target, _)| target.as_ref().is_none_or(|target| target.matches(object)));
        matching.flat_map(|(_, paths)| paths.clone()).collect()
    }
}

impl Matcher {
    fn read(selector: &Selector) -> Result<Self, SelectorError> {
        let pattern = |field, text: &Option<String>| {
            let Some(text) = text else { return Ok(None) };
            let whole = format!("^(?:{text})$");
            let read = Regex::new(&whole);
            read.map(Some)
                .map_err(|source| SelectorError::Pattern { field, source })
        };
        Ok(Self {
            patterns: [
                pattern("group", &selector.group)?,
                pattern("version", &selector.version)?,
                pattern("kind", &selector.kind)?,
                pattern("namespace", &selector.namespace)?,
                pattern("name", &selector.name)?,
            ],
            labels: requirements(selector.label_selector.as_deref())?,
            annotations: requirements(selector.annotation_selector.as_deref())?,
        })
    }

    fn matches(&self, object: &Object) -> bool {
        let ObjectId {
            namespace,
            name,
            group,
            kind,
        } = object.id();
        let texts = [group, object.version(), kind, namespace, name];
        let mut pairs = self.patterns.iter().zip(texts);
        pairs.all(|(pattern, text)| pattern.as_ref().is_none_or(|one| one.is_match(text)))
            && self
                .labels
                .iter()
                .all(|one| one.holds(object.label(&one.key)))
            && self
                .annotations
                .iter()
                .all(|one| one.holds(object.annotation(&one.key)))
    }
}

impl Requirement {
    fn holds(&self, value: Option<&str>) -> bool {
        let is_named = || value.is_some_and(|value| self.values.iter().any(|one| one == value));
        match self.operator {
            Operator::In => is_named(),
            Operator::NotIn => !is_named(),
            Operator::Exists => value.is_some(),
            Operator::NotExists => value.is_none(),
        }
    }
}

/// Reads a selector of labels: requirements joined by commas, which all must hold.
fn requirements(text: Option<&str>) -> Result<Vec<Requirement>, SelectorError> {
    let Some(text) = text.map(str::trim).filter(|text| !text.is_empty()) else {
        return Ok(Vec::new());
    };
    let mut depth = 0_usize;
    let apart = text.split(|char| {
        match char {
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            _ => {}
        }
        char == ',' && depth == 0
    });
    let read = apart
        .map(|part| requirement(part.trim()).ok_or_else(|| SelectorError::Labels(text.to_owned())));
    read.collect()
}

fn requirement(text: &str) -> Option<Requirement> {
    let make = |key: &str, operator, values: Vec<String>| {
        let key = key.trim();
        let is_key = !key.is_empty() && !key.contains(char::is_whitespace);
        is_key.then(|| Requirement {
            key: key.to_owned(),
            operator,
            values,
        })
    };
    let one = |value: &str| vec![value.trim().to_owned()];
    if let Some((key, value)) = text.split_once("!=") {
        return make(key, Operator::NotIn, one(value));
    }
    if let Some((key, value)) = text.split_once("==").or_else(|| text.split_once('=')) {
        return make(key, Operator::In, one(value));
    }
    if let Some((head, list)) = text.split_once('(') {
        let values = list.strip_suffix(')')?.split(',');
        let values = values.map(|value| value.trim().to_owned()).collect();
        let mut words = head.split_whitespace();
        let key = words.next()?;
        return match (words.next()?, words.next()) {
            ("in", None) => make(key, Operator::In, values),
            ("notin", None) => make(key, Operator::NotIn, values),
            _ => None,
        };
    }
    match text.strip_prefix('!') {
        Some(key) => make(key, Operator::NotExists, Vec::new()),
        None => make(text, Operator::Exists, Vec::new()),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may")]

    use bulkhead_apply::parse;
    use serde_json::json;

    use super::*;

    fn object() -> Object {
        let text = json!({
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": { "name": "web", "namespace": "apps", "labels": { "tier": "front" } },
        });
        let text = text.to_string();
        let objects = parse::objects([text.as_str().into()], &parse::Limits::default());
        objects.unwrap().remove(0)
    }

    fn paths(target: serde_json::Value) -> Result<usize, SelectorError> {
        let rule = json!({ "paths": ["/spec/replicas"], "target": target });
        let rule: IgnoreRule = serde_json::from_value(rule).unwrap();
        Ok(Rules::read(&[rule])?.paths(&object()).len())
    }

    #[test]
    fn fields_are_expressions_over_the_whole_text() {
        for (target, is_for) in [
            (json!({}), 1),
            (json!({ "kind": "Deployment", "name": "w.*" }), 1),
            (json!({ "name": "we" }), 0),
            (json!({ "group": "apps", "version": "v1|v2" }), 1),
            (json!({ "namespace": "other" }), 0),
            (json!({ "labelSelector": "tier in (front, back),!old" }), 1),
            (json!({ "labelSelector": "tier!=front" }), 0),
            (json!({ "labelSelector": "tier=front,team" }), 0),
            (json!({ "annotationSelector": "tier notin (x)" }), 1),
        ] {
            assert_eq!(paths(target.clone()).unwrap(), is_for, "{target}");
        }
        assert!(paths(json!({ "name": "(" })).is_err());
        assert!(paths(json!({ "labelSelector": "a like (b)" })).is_err());
    }
}
