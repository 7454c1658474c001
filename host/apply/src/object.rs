//! A rendered object: JSON that is known to have a kind, a name and a sane identity.
//!
//! Metadata is read and set here and nowhere else. `Debug` shows the identity alone: a Secret's
//! values never get into a log.

use std::fmt;

use bulkhead_api::ObjectId;
use serde_json::{Map, Value};

/// The longest name of an object.
pub const MAX_NAME_BYTES: usize = 253;

/// Where an object was written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Origin {
    /// The file, or what else the renderer names; empty when it is not known.
    pub path: String,
    /// The line, from 1.
    pub line: usize,
}

impl fmt::Display for Origin {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.path.as_str() {
            "" => write!(out, "line {} of the rendered output", self.line),
            path => write!(out, "{path}:{}", self.line),
        }
    }
}

/// Why a mapping is no Kubernetes object.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ShapeError {
    /// A required field is missing.
    #[error("has no `{field}`{}", of_kind(.kind))]
    Missing {
        /// The field: `apiVersion`, `kind`, `metadata.name`.
        field: &'static str,
        /// The kind, as far as it is known.
        kind: String,
    },
    /// A required field is there and is no text, as `name: on` or `name: 1`.
    #[error("has a `{field}` that is no text: quote it")]
    NotText {
        /// The field.
        field: &'static str,
    },
    /// A field has a value that Kubernetes could not have.
    #[error("has the {field} `{value}`, which {problem}")]
    Invalid {
        /// The field.
        field: &'static str,
        /// Its value, made printable.
        value: String,
        /// What is wrong with it.
        problem: &'static str,
    },
}

fn of_kind(kind: &str) -> String {
    if kind.is_empty() {
        String::new()
    } else {
        format!(" (it is a {kind})")
    }
}

/// A Kubernetes object as it is to be applied.
#[derive(Clone, PartialEq)]
pub struct Object {
    id: ObjectId,
    version: String,
    origin: Origin,
    body: Map<String, Value>,
}

impl fmt::Debug for Object {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Object({} from {})", self.id.subject(), self.origin)
    }
}

impl Object {
    /// Checks the identity of `body` and takes it.
    ///
    /// # Errors
    /// A missing `apiVersion`, `kind` or `metadata.name`, or one that no API server accepts and that
    /// would change a URL or a path: with `/`, `%`, control characters, `.` or `..` alone.
    pub fn new(body: Map<String, Value>, origin: Origin) -> Result<Self, ShapeError> {
        let kind = text("kind", body.get("kind"))?;
        let api_version = text("apiVersion", body.get("apiVersion"))?;
        let metadata = |field| {
            body.get("metadata")
                .and_then(|metadata| metadata.get(field))
        };
        let name = text("metadata.name", metadata("name"))?;
        let namespace = text("metadata.namespace", metadata("namespace"))?;
        let (group, version) = api_version.rsplit_once('/').unwrap_or(("", api_version));
        let fields = [
            ("apiVersion", version),
            ("kind", kind),
            ("metadata.name", name),
        ];
        if let Some((field, _)) = fields.into_iter().find(|(_, value)| value.is_empty()) {
            return Err(ShapeError::Missing {
                field,
                kind: kind.to_owned(),
            });
        }
        check_word("apiVersion", group)?;
        check_word("apiVersion", version)?;
        check_word("kind", kind)?;
        check_name("name", name)?;
        if !namespace.is_empty() {
            check_name("namespace", namespace)?;
        }
        let id = ObjectId {
            namespace: namespace.to_owned(),
            name: name.to_owned(),
            group: group.to_owned(),
            kind: kind.to_owned(),
        };
        let version = version.to_owned();
        Ok(Self {
            id,
            version,
            origin,
            body,
        })
    }

    /// Returns what makes it the same object.
    pub fn id(&self) -> &ObjectId {
        &self.id
    }

    /// Returns the version of its API, without the group: `v1`.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// Returns where it was written.
    pub fn origin(&self) -> &Origin {
        &self.origin
    }

    /// Returns the whole object.
    pub fn body(&self) -> &Map<String, Value> {
        &self.body
    }

    /// Returns the whole object to change anything but its identity.
    pub(crate) fn body_mut(&mut self) -> &mut Map<String, Value> {
        &mut self.body
    }

    /// Returns the object as one JSON value.
    pub fn to_value(&self) -> Value {
        Value::Object(self.body.clone())
    }

    /// Returns the compact JSON of the object: what is sent.
    pub fn to_bytes(&self) -> Vec<u8> {
        // A map with text keys and finite numbers always serialises.
        serde_json::to_vec(&self.body).unwrap_or_default()
    }

    /// Whether it is of this group and kind.
    pub fn is(&self, group: &str, kind: &str) -> bool {
        self.id.group == group && self.id.kind == kind
    }

    /// Returns the label, if it is there and a text.
    pub fn label(&self, key: &str) -> Option<&str> {
        self.metadata_text("labels", key)
    }

    /// Returns the annotation, if it is there and a text.
    pub fn annotation(&self, key: &str) -> Option<&str> {
        self.metadata_text("annotations", key)
    }

    /// Sets a label, over one that is there.
    pub fn set_label(&mut self, key: &str, value: &str) {
        self.set_metadata_text("labels", key, value);
    }

    /// Sets an annotation, over one that is there.
    pub fn set_annotation(&mut self, key: &str, value: &str) {
        self.set_metadata_text("annotations", key, value);
    }

    /// Puts it into a namespace; an empty one makes it cluster-scoped.
    pub fn set_namespace(&mut self, namespace: &str) {
        namespace.clone_into(&mut self.id.namespace);
        if let Some(metadata) = self.body.get_mut("metadata").and_then(Value::as_object_mut) {
            if namespace.is_empty() {
                metadata.shift_remove("namespace");
            } else {
                metadata.insert("namespace".to_owned(), namespace.into());
            }
        }
    }

    fn metadata_text(&self, field: &str, key: &str) -> Option<&str> {
        self.body.get("metadata")?.get(field)?.get(key)?.as_str()
    }

    fn set_metadata_text(&mut self, field: &str, key: &str, value: &str) {
        let Some(metadata) = self.body.get_mut("metadata").and_then(Value::as_object_mut) else {
            return;
        };
        let entries = metadata
            .entry(field)
            .or_insert_with(|| Value::Object(Map::new()));
        if entries.is_null() {
            *entries = Value::Object(Map::new());
        }
        if let Value::Object(entries) = entries {
            entries.insert(key.to_owned(), value.into());
        }
    }
}

fn text<'a>(field: &'static str, value: Option<&'a Value>) -> Result<&'a str, ShapeError> {
    match value {
        None | Some(Value::Null) => Ok(""),
        Some(Value::String(text)) => Ok(text),
        Some(_) => Err(ShapeError::NotText { field }),
    }
}

/// A group, version or kind: it becomes a part of URLs and of inventory ids.
fn check_word(field: &'static str, value: &str) -> Result<(), ShapeError> {
    let fine = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-');
    if value.len() <= MAX_NAME_BYTES && value.bytes().all(fine) && !value.starts_with('.') {
        return Ok(());
    }
    Err(invalid(
        field,
        value,
        "may only have letters, digits, `.` and `-`",
    ))
}

/// A name or namespace: as strict as a path segment of the API, no stricter.
fn check_name(field: &'static str, value: &str) -> Result<(), ShapeError> {
    let problem = if value.len() > MAX_NAME_BYTES {
        "is longer than 253 bytes"
    } else if value == "." || value == ".." {
        "is a path"
    } else if value.contains(['/', '%', '\\']) {
        "may not have `/`, `\\` or `%`"
    } else if value.contains(|char: char| char.is_control() || char.is_whitespace()) {
        "may not have white space or control characters"
    } else {
        return Ok(());
    };
    Err(invalid(field, value, problem))
}

fn invalid(field: &'static str, value: &str, problem: &'static str) -> ShapeError {
    let value = value
        .chars()
        .take(100)
        .flat_map(char::escape_default)
        .collect();
    ShapeError::Invalid {
        field,
        value,
        problem,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn object(value: Value) -> Result<Object, ShapeError> {
        Object::new(
            value.as_object().cloned().unwrap_or_default(),
            Origin::default(),
        )
    }

    #[test]
    fn identity_is_read_from_the_body() {
        let body = json!({
            "apiVersion": "apps/v1", "kind": "Deployment",
            "metadata": { "name": "web", "namespace": "dev" },
        });
        let object = object(body).expect("valid");
        assert_eq!(object.id().subject(), "Deployment/dev/web");
        assert_eq!(
            (object.id().group.as_str(), object.version()),
            ("apps", "v1")
        );
    }

    #[test]
    fn what_is_missing_or_dangerous_is_named() {
        let of = |name: &str| {
            let body =
                json!({ "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "name": name } });
            object(body).err().map(|error| error.to_string())
        };
        assert_eq!(of("a:b"), None);
        assert_eq!(of(&"a".repeat(MAX_NAME_BYTES)), None);
        assert!(of(&"a".repeat(MAX_NAME_BYTES + 1)).is_some_and(|text| text.contains("253")));
        assert_eq!(
            of(""),
            Some("has no `metadata.name` (it is a ConfigMap)".to_owned())
        );
        assert_eq!(
            of(".."),
            Some("has the name `..`, which is a path".to_owned())
        );
        for name in ["a/b", "%2e", "a\\b", "a\u{1b}[0m", "a b"] {
            assert!(of(name).is_some(), "{name}");
        }
        let no_kind = json!({ "apiVersion": "v1", "metadata": { "name": "a" } });
        let number = json!({ "apiVersion": "v1", "kind": "Pod", "metadata": { "name": 1 } });
        let message = "has a `metadata.name` that is no text: quote it";
        assert_eq!(
            object(number).map_err(|error| error.to_string()),
            Err(message.into())
        );
        assert_eq!(
            object(no_kind).map_err(|error| error.to_string()),
            Err("has no `kind`".into())
        );
        let word = json!({ "apiVersion": "a/b/v1", "kind": "X", "metadata": { "name": "a" } });
        assert!(object(word).is_err());
    }

    #[test]
    fn a_namespace_is_set_in_both_places() {
        let body = json!({ "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "name": "a" } });
        let mut object = object(body).expect("valid");
        object.set_namespace("dev");
        object.set_label("k", "v");
        assert_eq!(object.id().namespace, "dev");
        assert_eq!(
            object.to_value()["metadata"],
            json!({
                "name": "a", "namespace": "dev", "labels": { "k": "v" },
            })
        );
        assert_eq!(
            format!("{object:?}"),
            "Object(ConfigMap/dev/a from line 0 of the rendered output)"
        );
    }
}
