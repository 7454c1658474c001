//! What would make one JSON value another: the operations of a JSON patch (RFC 6902). Pure.

use std::fmt;

use serde_json::{Value, json};

/// One operation. `Debug` shows the path alone: values may be a Secret's.
#[derive(Clone, PartialEq, Eq)]
pub enum Operation {
    /// A value is added.
    Add {
        /// The JSON pointer.
        path: String,
        /// The value.
        value: Value,
    },
    /// A value is replaced.
    Replace {
        /// The JSON pointer.
        path: String,
        /// The new value.
        value: Value,
    },
    /// A value is removed.
    Remove {
        /// The JSON pointer.
        path: String,
    },
}

impl Operation {
    /// Returns the JSON pointer of what changes.
    pub fn path(&self) -> &str {
        match self {
            Self::Add { path, .. } | Self::Replace { path, .. } | Self::Remove { path } => path,
        }
    }

    /// Returns the word: `add`, `replace`, `remove`.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Add { .. } => "add",
            Self::Replace { .. } => "replace",
            Self::Remove { .. } => "remove",
        }
    }

    /// Writes it as a member of a patch.
    pub(super) fn to_value(&self) -> Value {
        match self {
            Self::Add { path, value } | Self::Replace { path, value } => {
                json!({ "op": self.name(), "path": path, "value": value })
            }
            Self::Remove { path } => json!({ "op": "remove", "path": path }),
        }
    }
}

impl fmt::Debug for Operation {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{} {}", self.name(), self.path())
    }
}

/// Collects what makes `from` the value `to`, below the pointer `path`.
pub(super) fn compare(from: &Value, to: &Value, path: &str, found: &mut Vec<Operation>) {
    match (from, to) {
        (Value::Object(old), Value::Object(new)) => {
            for (key, value) in old {
                let path = format!("{path}/{}", escape(key));
                match new.get(key) {
                    Some(other) => compare(value, other, &path, found),
                    None => found.push(Operation::Remove { path }),
                }
            }
            for (key, value) in new.iter().filter(|(key, _)| !old.contains_key(*key)) {
                found.push(Operation::Add {
                    path: format!("{path}/{}", escape(key)),
                    value: value.clone(),
                });
            }
        }
        (Value::Array(old), Value::Array(new)) => {
            for (index, (value, other)) in old.iter().zip(new).enumerate() {
                compare(value, other, &format!("{path}/{index}"), found);
            }
            // From the end: each removal leaves the places of the others.
            for index in (new.len()..old.len()).rev() {
                found.push(Operation::Remove {
                    path: format!("{path}/{index}"),
                });
            }
            for value in new.iter().skip(old.len()) {
                found.push(Operation::Add {
                    path: format!("{path}/-"),
                    value: value.clone(),
                });
            }
        }
        (old, new) if old == new => {}
        (_, new) => found.push(Operation::Replace {
            path: path.to_owned(),
            value: new.clone(),
        }),
    }
}

/// Removes what a JSON pointer names, if it is there.
pub(super) fn remove(value: &mut Value, pointer: &str) {
    let Some((parent, last)) = pointer.rsplit_once('/') else {
        return;
    };
    let last = last.replace("~1", "/").replace("~0", "~");
    match value.pointer_mut(parent) {
        Some(Value::Object(entries)) => drop(entries.shift_remove(&last)),
        Some(Value::Array(items)) => {
            if let Ok(index) = last.parse::<usize>()
                && index < items.len()
            {
                items.remove(index);
            }
        }
        _ => {}
    }
}

fn escape(key: &str) -> String {
    key.replace('~', "~0").replace('/', "~1")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn operations_lead_from_one_value_to_the_other() {
        let from =
            json!({ "a/b": 1, "same": [1], "list": [1, 2, 3], "gone": {}, "deep": { "x": 1 } });
        let to = json!({ "a/b": 2, "same": [1], "list": [0], "deep": { "x": 1, "~y": [] } });
        let mut found = Vec::new();
        compare(&from, &to, "", &mut found);
        let told: Vec<String> = found
            .iter()
            .map(|operation| format!("{operation:?}"))
            .collect();
        assert_eq!(
            told,
            [
                "replace /a~1b",
                "replace /list/0",
                "remove /list/2",
                "remove /list/1",
                "remove /gone",
                "add /deep/~0y",
            ]
        );
        let mut found = Vec::new();
        compare(&json!([1]), &json!([1, 2, 3]), "/l", &mut found);
        assert_eq!(format!("{found:?}"), "[add /l/-, add /l/-]");
    }

    #[test]
    fn pointers_remove() {
        let mut value = json!({ "a": { "x/y": 1, "z": [1, 2] } });
        for pointer in ["/a/x~1y", "/a/z/0", "/a/none", "/b/c", "/a/z/9", ""] {
            remove(&mut value, pointer);
        }
        assert_eq!(value, json!({ "a": { "z": [2] } }));
    }
}
