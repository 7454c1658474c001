//! Rendered documents in, objects out: Lists taken apart, every limit kept, every mistake with the
//! file and line it came from.
//!
//! Duplicate identities are an error that names both places. Kustomize's own configuration objects
//! are dropped, as Flux does.

use std::collections::HashMap;

use bulkhead_api::{Advice, ObjectId, Retry};
use serde_json::{Map, Value};

use crate::object::{Object, Origin, ShapeError};
use crate::yaml::{self, YamlError};

/// How deep `kind: List` may nest.
pub(crate) const MAX_LIST_DEPTH: usize = 8;

/// What a render may be at most.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Objects, Lists taken apart. 20,000 by default.
    pub objects: usize,
    /// Bytes of one object as compact JSON. 1.5 MiB by default, what etcd takes.
    pub object_bytes: usize,
    /// Bytes of all texts. 64 MiB by default.
    pub total_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            objects: 20_000,
            object_bytes: 1536 * 1024,
            total_bytes: 64 * 1024 * 1024,
        }
    }
}

/// A rendered text with one or more YAML or JSON documents.
#[derive(Clone, Copy, Debug)]
pub struct Text<'a> {
    /// The text.
    pub text: &'a str,
    /// The file that it came from; empty when it is not known.
    pub path: &'a str,
    /// The line in that file where it starts, from 1; 0 when it is not known.
    pub line: usize,
}

impl<'a> From<&'a str> for Text<'a> {
    fn from(text: &'a str) -> Self {
        Self {
            text,
            path: "",
            line: 0,
        }
    }
}

/// Why rendered documents are no set of objects.
#[derive(Debug, thiserror::Error)]
pub enum ParseError {
    /// Broken YAML or JSON.
    #[error("failed to read {}", place(.path))]
    Yaml {
        /// The file.
        path: String,
        /// Where in it, and why.
        #[source]
        source: YamlError,
    },
    /// A document that is no mapping.
    #[error("{origin} is {found}, not a Kubernetes object")]
    NotAMapping {
        /// Where it is.
        origin: Origin,
        /// What it is instead: `a list`.
        found: &'static str,
    },
    /// A mapping that is no Kubernetes object.
    #[error("the object at {origin} {problem}")]
    Shape {
        /// Where it is.
        origin: Origin,
        /// What is wrong.
        problem: ShapeError,
    },
    /// Two objects with one identity.
    #[error("{} is there twice: at {first} and at {second}", .id.subject())]
    Duplicate {
        /// The identity.
        id: Box<ObjectId>,
        /// Where it came first.
        first: Origin,
        /// Where it came again.
        second: Origin,
    },
    /// An object that etcd would not take.
    #[error("{} at {origin} has {bytes} bytes; an object may have {limit}", .id.subject())]
    ObjectTooLarge {
        /// The object.
        id: Box<ObjectId>,
        /// Where it is.
        origin: Origin,
        /// Its size.
        bytes: usize,
        /// The limit.
        limit: usize,
    },
    /// Too many objects.
    #[error("the render has more than {limit} objects")]
    TooManyObjects {
        /// The limit.
        limit: usize,
    },
    /// Too much text.
    #[error("the render has {bytes} bytes; it may have {limit}")]
    TooLarge {
        /// Its size.
        bytes: usize,
        /// The limit.
        limit: usize,
    },
}

fn place(path: &str) -> &str {
    if path.is_empty() {
        "the rendered output"
    } else {
        path
    }
}

impl ParseError {
    /// Names the reason, when to try again, and what the user can do.
    pub fn advice(&self) -> Advice {
        let advice = Advice::new("BuildFailed", Retry::OnChange);
        match self {
            Self::Yaml { .. } | Self::NotAMapping { .. } | Self::Shape { .. } => advice,
            Self::Duplicate { .. } => advice.hint("remove one of the two, or give it another name"),
            Self::ObjectTooLarge { .. } => advice.hint("split the object: etcd takes 1.5 MiB"),
            Self::TooManyObjects { .. } | Self::TooLarge { .. } => {
                advice.hint("split the Kustomization in two")
            }
        }
    }
}

/// Reads rendered texts into objects, in their order.
///
/// # Errors
/// The first mistake or limit; then nothing of the render may be used.
///
/// # Examples
/// ```
/// use bulkhead_apply::parse::{Limits, objects};
/// let text = "{apiVersion: v1, kind: ConfigMap, metadata: {name: web, namespace: dev}}";
/// let found = objects([text.into()], &Limits::default())?;
/// assert_eq!(found[0].id().subject(), "ConfigMap/dev/web");
/// # Ok::<(), bulkhead_apply::parse::ParseError>(())
/// ```
pub fn objects<'a>(
    texts: impl IntoIterator<Item = Text<'a>>,
    limits: &Limits,
) -> Result<Vec<Object>, ParseError> {
    let found = with_duplicates(texts, limits)?;
    refuse_duplicates(&found)?;
    Ok(found)
}

/// Reads rendered texts into objects, in their order; two may have one identity.
pub(crate) fn with_duplicates<'a>(
    texts: impl IntoIterator<Item = Text<'a>>,
    limits: &Limits,
) -> Result<Vec<Object>, ParseError> {
    let mut found = Vec::new();
    let mut total_bytes = 0;
    for text in texts {
        total_bytes += text.text.len();
        if total_bytes > limits.total_bytes {
            return Err(ParseError::TooLarge {
                bytes: total_bytes,
                limit: limits.total_bytes,
            });
        }
        let documents = yaml::read(text.text).map_err(|source| yaml_error(text, source))?;
        for document in documents {
            let line = document.line + text.line.saturating_sub(1);
            let origin = Origin {
                path: text.path.to_owned(),
                line,
            };
            collect(document.value, origin, 0, limits, &mut found)?;
        }
    }
    Ok(found)
}

/// Fails when two objects are one.
pub fn refuse_duplicates(objects: &[Object]) -> Result<(), ParseError> {
    let mut seen = HashMap::with_capacity(objects.len());
    for object in objects {
        if let Some(first) = seen.insert(object.id(), object) {
            return Err(ParseError::Duplicate {
                id: Box::new(object.id().clone()),
                first: first.origin().clone(),
                second: object.origin().clone(),
            });
        }
    }
    Ok(())
}

fn yaml_error(text: Text<'_>, mut source: YamlError) -> ParseError {
    source.line += text.line.saturating_sub(1);
    ParseError::Yaml {
        path: text.path.to_owned(),
        source,
    }
}

fn collect(
    value: Value,
    origin: Origin,
    depth: usize,
    limits: &Limits,
    found: &mut Vec<Object>,
) -> Result<(), ParseError> {
    let mut body = match value {
        Value::Object(body) => body,
        other => {
            return Err(ParseError::NotAMapping {
                origin,
                found: name_of(&other),
            });
        }
    };
    if depth < MAX_LIST_DEPTH
        && let Some(Value::Array(items)) = list_items(&mut body)
    {
        for item in items {
            collect(item, origin.clone(), depth + 1, limits, found)?;
        }
        return Ok(());
    }
    if is_kustomize_configuration(&body) {
        return Ok(());
    }
    if found.len() == limits.objects {
        return Err(ParseError::TooManyObjects {
            limit: limits.objects,
        });
    }
    let object = Object::new(body, origin.clone()).map_err(|problem| ParseError::Shape {
        origin: origin.clone(),
        problem,
    })?;
    let bytes = object.to_bytes().len();
    if bytes > limits.object_bytes {
        let (id, limit) = (Box::new(object.id().clone()), limits.object_bytes);
        return Err(ParseError::ObjectTooLarge {
            id,
            origin,
            bytes,
            limit,
        });
    }
    found.push(object);
    Ok(())
}

/// Returns the items of a list: anything whose kind ends with `List` and that has them.
pub(crate) fn list_items(body: &mut Map<String, Value>) -> Option<Value> {
    let is_list = body
        .get("kind")
        .and_then(Value::as_str)
        .is_some_and(|kind| kind.ends_with("List"));
    let has_items = body.get("items").is_some_and(Value::is_array);
    (is_list && has_items)
        .then(|| body.remove("items"))
        .flatten()
}

fn is_kustomize_configuration(body: &Map<String, Value>) -> bool {
    let field = |name| body.get(name).and_then(Value::as_str).unwrap_or_default();
    field("kind").eq_ignore_ascii_case("kustomization")
        && field("apiVersion").starts_with("kustomize.config.k8s.io/")
}

fn name_of(value: &Value) -> &'static str {
    match value {
        Value::Array(_) => "a list",
        Value::String(_) => "a text",
        Value::Number(_) => "a number",
        Value::Bool(_) => "a boolean",
        Value::Null | Value::Object(_) => "empty",
    }
}

#[cfg(test)]
mod tests {
    use bulkhead_api::chain;

    use super::*;

    const MAP: &str = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: a\n";

    fn parse(text: &str) -> Result<Vec<String>, String> {
        let text = Text {
            text,
            path: "app.yaml",
            line: 1,
        };
        objects([text], &Limits::default())
            .map(|objects| objects.iter().map(|object| object.id().subject()).collect())
            .map_err(|error| chain(&error))
    }

    #[test]
    fn lists_are_taken_apart() {
        let text = "kind: List\napiVersion: v1\nitems:\n- {apiVersion: v1, kind: ConfigMap, \
                    metadata: {name: a}}\n- kind: SecretList\n  apiVersion: v1\n  items:\n  - \
                    {apiVersion: v1, kind: Secret, metadata: {name: b, namespace: x}}\n";
        assert_eq!(
            parse(text),
            Ok(vec!["ConfigMap/a".into(), "Secret/x/b".into()])
        );
    }

    #[test]
    fn kustomize_configuration_is_dropped() {
        let text =
            "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\nresources: []";
        assert_eq!(parse(text), Ok(vec![]));
    }

    #[test]
    fn mistakes_say_where() {
        let cases = [
            ("a: [", "failed to read app.yaml: line 1"),
            (
                "- 1\n- 2\n",
                "app.yaml:1 is a list, not a Kubernetes object",
            ),
            (
                "---\nkind: A\n",
                "the object at app.yaml:2 has no `apiVersion` (it is a A)",
            ),
            (
                "apiVersion: v1\nkind: Pod\n",
                "the object at app.yaml:1 has no `metadata.name` (it",
            ),
        ];
        for (text, message) in cases {
            let error = parse(text).expect_err(text);
            assert!(error.starts_with(message), "{error}");
        }
        let twice = format!("{MAP}---\n{MAP}");
        let error = "ConfigMap/a is there twice: at app.yaml:1 and at app.yaml:6";
        assert_eq!(parse(&twice), Err(error.to_owned()));
    }

    #[test]
    fn limits_hold_at_the_limit_and_one_past() {
        let sized = |bytes: usize| {
            let frame =
                r#"{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"a"},"data":{"k":""}}"#;
            frame.replace(
                r#""k":"""#,
                &format!(r#""k":"{}""#, "x".repeat(bytes - frame.len())),
            )
        };
        let limits = Limits {
            objects: 2,
            object_bytes: 200,
            total_bytes: 500,
        };
        let run = |texts: &[String]| {
            objects(texts.iter().map(|text| text.as_str().into()), &limits).map(|found| found.len())
        };
        assert!(matches!(run(&[sized(200)]), Ok(1)));
        let error = run(&[sized(201)]).expect_err("too large").to_string();
        assert_eq!(
            error,
            "ConfigMap/a at line 1 of the rendered output has 201 bytes; an object may have 200"
        );
        let named = |name: &str| MAP.replace("name: a", &format!("name: {name}"));
        assert!(matches!(run(&[named("a"), named("b")]), Ok(2)));
        let three = run(&[named("a"), named("b"), named("c")]);
        assert!(matches!(
            three,
            Err(ParseError::TooManyObjects { limit: 2 })
        ));
        let comment = |bytes: usize| format!("#{}", "x".repeat(bytes - 1));
        assert!(matches!(run(&[comment(500)]), Ok(0)));
        assert!(matches!(
            run(&[comment(501)]),
            Err(ParseError::TooLarge {
                bytes: 501,
                limit: 500
            })
        ));
    }
}
