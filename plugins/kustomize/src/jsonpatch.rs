//! JSON patches (RFC 6902), with the leniencies of the library that kustomize uses: `replace` adds
//! what is missing in a mapping, indexes may be negative, a missing `value` is null.

use crate::error::{Outcome, fail};
use crate::yaml::{self, Value};

/// One operation.
#[derive(Debug, Clone)]
pub(crate) struct Operation {
    op: String,
    path: Option<String>,
    from: Option<String>,
    value: Value,
}

/// Reads a patch from JSON or YAML.
///
/// # Errors
/// It is not a list of operations.
pub(crate) fn read(text: &str) -> Outcome<Vec<Operation>> {
    Ok(read_any(text)?.unwrap_or_default())
}

/// The same; nothing when the text says null, which is no patch where a patch need not be one.
pub(crate) fn read_any(text: &str) -> Outcome<Option<Vec<Operation>>> {
    if text.is_empty() {
        return Err(fail!(PatchFailed, "empty json patch operations"));
    }
    let value = if text.starts_with('[') {
        serde_json::from_str(text).map_err(|error| fail!(PatchFailed, "{error}"))?
    } else {
        yaml::to_json(text.as_bytes(), false)?
    };
    let operations = match value {
        Value::Array(operations) => operations,
        Value::Null => return Ok(None),
        _ => {
            return Err(fail!(
                PatchFailed,
                "json: cannot unmarshal object into Go value of type jsonpatch.Patch"
            ));
        }
    };
    let operations = operations.into_iter().map(read_operation);
    operations.collect::<Outcome<_>>().map(Some)
}

fn read_operation(value: Value) -> Outcome<Operation> {
    let Value::Object(mut fields) = value else {
        return Err(fail!(
            PatchFailed,
            "json: cannot unmarshal string into Go value of type jsonpatch.Operation"
        ));
    };
    let text = |name: &str| match fields.get(name) {
        Some(Value::String(text)) => Some(text.clone()),
        _ => None,
    };
    let (op, path, from) = (
        text("op").unwrap_or_else(|| "unknown".to_owned()),
        text("path"),
        text("from"),
    );
    Ok(Operation {
        op,
        path,
        from,
        value: fields.remove("value").unwrap_or(Value::Null),
    })
}

/// Applies a patch.
///
/// # Errors
/// The first operation that does not apply.
pub(crate) fn apply(document: &mut Value, patch: &[Operation]) -> Outcome<()> {
    patch
        .iter()
        .try_for_each(|operation| operation.apply(document))
}

impl Operation {
    fn apply(&self, document: &mut Value) -> Outcome<()> {
        match self.op.as_str() {
            "add" => self.add(document),
            "remove" => self.remove(document),
            "replace" => self.replace(document),
            "move" => self.copy(document, true),
            "test" => self.test(document),
            "copy" => self.copy(document, false),
            other => Err(fail!(PatchFailed, "Unexpected kind: {other}")),
        }
    }

    fn path(&self) -> Outcome<&str> {
        let missing = || {
            fail!(
                PatchFailed,
                "{} operation failed to decode path: missing value",
                self.op
            )
        };
        self.path.as_deref().ok_or_else(missing)
    }

    fn add(&self, document: &mut Value) -> Outcome<()> {
        let path = self.path()?;
        let Some((place, key)) = find(document, path) else {
            return Err(fail!(
                PatchFailed,
                "add operation does not apply: doc is missing path: \"{path}\": missing value"
            ));
        };
        insert(place, &key, self.value.clone())
            .map_err(|error| error.wrap(format!("error in add for path: '{path}'")))
    }

    fn remove(&self, document: &mut Value) -> Outcome<()> {
        let path = self.path()?;
        let Some((place, key)) = find(document, path) else {
            return Err(fail!(
                PatchFailed,
                "remove operation does not apply: doc is missing path: \"{path}\": missing value"
            ));
        };
        take(place, &key)
            .map(drop)
            .map_err(|error| error.wrap(format!("error in remove for path: '{path}'")))
    }

    fn replace(&self, document: &mut Value) -> Outcome<()> {
        let path = self.path()?;
        if path.is_empty() {
            if !self.value.is_object() && !self.value.is_array() {
                return Err(fail!(
                    PatchFailed,
                    "replace operation value must be object or array"
                ));
            }
            *document = self.value.clone();
            return Ok(());
        }
        let Some((place, key)) = find(document, path) else {
            return Err(fail!(
                PatchFailed,
                "replace operation does not apply: doc is missing path: {path}: missing value"
            ));
        };
        match place {
            Value::Object(fields) => drop(fields.insert(key, self.value.clone())),
            Value::Array(items) => {
                let Ok(at) = index(&key, items.len()) else {
                    return Err(fail!(
                        PatchFailed,
                        "replace operation does not apply: doc is missing key: {path}: missing value"
                    ));
                };
                items[at] = self.value.clone();
            }
            _ => {}
        }
        Ok(())
    }

    fn copy(&self, document: &mut Value, takes: bool) -> Outcome<()> {
        let name = &self.op;
        let Some(from) = self.from.as_deref() else {
            return Err(fail!(
                PatchFailed,
                "{name} operation failed to decode from: missing value"
            ));
        };
        let Some((place, key)) = find(document, from) else {
            return Err(fail!(
                PatchFailed,
                "{name} operation does not apply: doc is missing from path: {from}: missing value"
            ));
        };
        let value = if takes {
            take(place, &key)
        } else {
            get(place, &key).map(|v| v.cloned().unwrap_or(Value::Null))
        };
        let value =
            value.map_err(|error| error.wrap(format!("error in {name} for path: '{key}'")))?;
        let path = self.path()?;
        let Some((place, key)) = find(document, path) else {
            return Err(fail!(
                PatchFailed,
                "{name} operation does not apply: doc is missing destination path: {path}: missing value"
            ));
        };
        insert(place, &key, value)
            .map_err(|error| error.wrap(format!("error in {name} for path: '{path}'")))
    }

    fn test(&self, document: &mut Value) -> Outcome<()> {
        let path = self.path()?;
        let failed = || fail!(PatchFailed, "testing value {path} failed: test failed");
        if path.is_empty() {
            return if *document == self.value {
                Ok(())
            } else {
                Err(failed())
            };
        }
        let Some((place, key)) = find(document, path) else {
            return Err(fail!(
                PatchFailed,
                "test operation does not apply: is missing path: {path}: missing value"
            ));
        };
        let found = get(place, &key)
            .map_err(|error| error.wrap(format!("error in test for path: '{path}'")))?;
        if *found.unwrap_or(&Value::Null) == self.value {
            Ok(())
        } else {
            Err(failed())
        }
    }
}

/// The collection that a path ends in, and the last part.
fn find<'v>(document: &'v mut Value, path: &str) -> Option<(&'v mut Value, String)> {
    let mut parts = path.split('/');
    parts.next();
    let mut parts: Vec<String> = parts
        .map(|part| part.replace("~1", "/").replace("~0", "~"))
        .collect();
    let key = parts.pop()?;
    let mut at = document;
    for part in &parts {
        at = match at {
            Value::Object(fields) => fields.get_mut(part)?,
            Value::Array(items) => {
                let at = index(part, items.len()).ok()?;
                &mut items[at]
            }
            _ => return None,
        };
    }
    matches!(at, Value::Object(_) | Value::Array(_)).then_some((at, key))
}

/// An index of an element that is there; negative counts from the end.
fn index(key: &str, len: usize) -> Outcome<usize> {
    let number: i64 = key.parse().map_err(|_| {
        fail!(
            PatchFailed,
            "strconv.Atoi: parsing \"{key}\": invalid syntax"
        )
    })?;
    let len = i64::try_from(len).unwrap_or(i64::MAX);
    let at = if number < 0 { number + len } else { number };
    match usize::try_from(at) {
        Ok(found) if at < len => Ok(found),
        _ => Err(fail!(
            PatchFailed,
            "Unable to access invalid index: {number}: invalid index referenced"
        )),
    }
}

fn get<'v>(place: &'v Value, key: &str) -> Outcome<Option<&'v Value>> {
    match place {
        Value::Array(items) => Ok(items.get(index(key, items.len())?)),
        place => Ok(place.get(key)),
    }
}

fn insert(place: &mut Value, key: &str, value: Value) -> Outcome<()> {
    match place {
        Value::Array(items) if key == "-" => items.push(value),
        Value::Array(items) => {
            if key.parse::<i64>().is_err() {
                return Err(fail!(
                    PatchFailed,
                    "value was not a proper array index: '{key}': strconv.Atoi: parsing \"{key}\": invalid syntax"
                ));
            }
            let at = index(key, items.len() + 1)?;
            items.insert(at, value);
        }
        Value::Object(fields) => drop(fields.insert(key.to_owned(), value)),
        _ => {}
    }
    Ok(())
}

fn take(place: &mut Value, key: &str) -> Outcome<Value> {
    match place {
        Value::Array(items) => {
            let at = index(key, items.len())?;
            Ok(items.remove(at))
        }
        place => {
            let fields = place.as_object_mut();
            fields
                .and_then(|fields| fields.shift_remove(key))
                .ok_or_else(|| {
                    fail!(
                        PatchFailed,
                        "Unable to remove nonexistent key: {key}: missing value"
                    )
                })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn patched(mut document: Value, patch: &Value) -> Result<Value, String> {
        let patch = read(&patch.to_string()).map_err(|error| error.to_string())?;
        apply(&mut document, &patch).map_err(|error| error.to_string())?;
        Ok(document)
    }

    #[test]
    fn every_operation_does_what_it_says() {
        let document = json!({"a": [1, 2], "b": {"c/d": 3}});
        let patch = json!([
            {"op": "test", "path": "/b/c~1d", "value": 3},
            {"op": "add", "path": "/a/-", "value": 4},
            {"op": "add", "path": "/a/-2", "value": 9},
            {"op": "replace", "path": "/a/0", "value": 0},
            {"op": "replace", "path": "/new", "value": true},
            {"op": "copy", "from": "/a/0", "path": "/x"},
            {"op": "move", "from": "/b/c~1d", "path": "/y"},
            {"op": "remove", "path": "/b"},
        ]);
        let wanted = json!({"a": [0, 2, 9, 4], "new": true, "x": 0, "y": 3});
        assert_eq!(patched(document, &patch), Ok(wanted));
    }

    #[test]
    fn what_does_not_apply_is_an_error() {
        for (patch, wanted) in [
            (
                json!([{"op": "remove", "path": "/z"}]),
                "Unable to remove nonexistent key: z",
            ),
            (
                json!([{"op": "add", "path": "/z/y", "value": 1}]),
                "doc is missing path: \"/z/y\"",
            ),
            (
                json!([{"op": "replace", "path": "/a/5", "value": 1}]),
                "doc is missing key: /a/5",
            ),
            (
                json!([{"op": "test", "path": "/a/0", "value": 5}]),
                "testing value /a/0 failed",
            ),
            (
                json!([{"op": "add", "path": "/a/3", "value": 5}]),
                "invalid index: 3",
            ),
            (
                json!([{"op": "jump", "path": "/a"}]),
                "Unexpected kind: jump",
            ),
            (json!({"op": "add"}), "cannot unmarshal"),
        ] {
            let error = patched(json!({"a": [1, 2]}), &patch).expect_err("an error");
            assert!(error.contains(wanted), "{error}");
        }
    }
}
