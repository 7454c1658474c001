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

/// Makes what a JSON pointer names in `wanted` what it is in `live`, so that no difference is found there.
/// Items of lists keep their places: those behind them are found where they are.
pub(super) fn leave(live: &Value, wanted: &mut Value, pointer: &str) {
    let Some((parent, last)) = pointer.rsplit_once('/') else {
        return;
    };
    let last = last.replace("~1", "/").replace("~0", "~");
    match (live.pointer(pointer), wanted.pointer_mut(parent)) {
        (Some(value), Some(Value::Object(entries))) => {
            entries.insert(last, value.clone());
        }
        (None, Some(Value::Object(entries))) => {
            entries.shift_remove(&last);
        }
        (value, Some(Value::Array(items))) => {
            let Ok(place) = last.parse::<usize>() else {
                return;
            };
            match value {
                Some(value) if place < items.len() => items[place] = value.clone(),
                Some(value) if place == items.len() => items.push(value.clone()),
                // Only the last can go without the others' moving.
                None if place + 1 == items.len() => items.truncate(place),
                _ => {}
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
    fn what_is_left_out_is_the_same_on_both_sides_and_moves_nothing() {
        let live =
            json!({ "a": { "x/y": 1, "own": 2 }, "list": [{ "i": 1 }, { "i": 2 }, { "i": 3 }] });
        let wanted = json!({ "a": { "x/y": 9, "new": 1 }, "list": [{ "i": 7 }, { "i": 8 }] });
        let found = |pointers: &[&str]| {
            let mut wanted = wanted.clone();
            for pointer in pointers {
                leave(&live, &mut wanted, pointer);
            }
            let mut found = Vec::new();
            compare(&live, &wanted, "", &mut found);
            let mut found: Vec<String> = found.iter().map(|one| format!("{one:?}")).collect();
            found.sort();
            found
        };
        // The second item is put back where it is, though the first is left out.
        assert_eq!(
            found(&["/a", "/list/0"]),
            ["remove /list/2", "replace /list/1/i"]
        );
        assert_eq!(found(&["/a", "/list/0", "/list/1", "/list/2"]), [""; 0]);
        let fields = ["/a/x~1y", "/a/new", "/a/own", "/list", "/none/at/all", ""];
        assert_eq!(found(&fields), [""; 0]);
    }
}
