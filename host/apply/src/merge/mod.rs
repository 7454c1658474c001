//! The three-way merge of a client-side apply: what earlier versions wanted, what is wanted now, and
//! what is there, become one object. Pure.
//!
//! Fields that an earlier version had and the new one has not go; what others have added stays.
//! Lists of built-in kinds are merged by their keys where the kind says so ([`schema`]); every other
//! list is one value.
//!
//! # Source
//! `CreateThreeWayMergePatch` of `util/strategicpatch` in Kubernetes' apimachinery 0.36, whose result
//! is made here, instead of a patch that makes the server come to it. On items that share a key, where
//! upstream mixes them up (two ports 53 of two protocols), the first is taken for the first, and so on.

pub(crate) mod lists;
pub(crate) mod schema;

use serde_json::{Map, Value};

use schema::{Field, Shape};

type Fields = Map<String, Value>;

/// Merges `wanted` into `live`; `earlier` are the versions that were applied before. Without a shape,
/// as for custom kinds, no list is merged.
pub(crate) fn three_way(
    earlier: &[&Fields],
    wanted: &Fields,
    live: &Fields,
    shape: Option<Shape<'_>>,
) -> Fields {
    let mut merged = live.clone();
    let is_wanted = |key: &str| wanted.get(key).is_some_and(|value| !value.is_null());
    for key in earlier.iter().flat_map(|one| one.keys()) {
        if !is_wanted(key) {
            merged.shift_remove(key);
        }
    }
    for (key, value) in wanted {
        if value.is_null() {
            merged.shift_remove(key);
            continue;
        }
        let value = match live.get(key) {
            None => without_nulls(value),
            Some(live) => {
                let earlier: Vec<&Value> = earlier.iter().filter_map(|one| one.get(key)).collect();
                let field = shape.map(|shape| shape.field(key)).unwrap_or_default();
                merge_value(&earlier, value, live, field)
            }
        };
        merged.insert(key.clone(), value);
    }
    merged
}

fn merge_value(earlier: &[&Value], wanted: &Value, live: &Value, field: Field<'_>) -> Value {
    match (wanted, live) {
        (Value::Object(wanted), Value::Object(live)) if !field.replaces => {
            let earlier: Vec<&Fields> = earlier.iter().filter_map(|one| one.as_object()).collect();
            Value::Object(merge_item(&earlier, wanted, live, field))
        }
        (Value::Array(wanted), Value::Array(live)) if field.merges => {
            let earlier = earlier.iter().filter_map(|one| one.as_array());
            let earlier: Vec<&[Value]> = earlier.map(Vec::as_slice).collect();
            Value::Array(lists::merge(&earlier, wanted, live, field))
        }
        _ => wanted.clone(),
    }
}

/// Merges an object that is the value of `field`, or an item of it.
fn merge_item(earlier: &[&Fields], wanted: &Fields, live: &Fields, field: Field<'_>) -> Fields {
    let mut merged = three_way(earlier, wanted, live, field.shape);
    let is_wanted = |key: &str| wanted.get(key).is_some_and(|value| !value.is_null());
    if field.retains_keys && wanted.keys().any(|key| is_wanted(key)) {
        // One of many: a volume cannot be of two kinds.
        merged.retain(|key, _| is_wanted(key));
    }
    merged
}

/// Returns a value as the server takes it: without fields that are null.
fn without_nulls(value: &Value) -> Value {
    match value {
        Value::Object(fields) => {
            let fields = fields.iter().filter(|(_, value)| !value.is_null());
            let fields = fields.map(|(key, value)| (key.clone(), without_nulls(value)));
            Value::Object(fields.collect())
        }
        Value::Array(items) => Value::Array(items.iter().map(without_nulls).collect()),
        other => other.clone(),
    }
}

/// Returns the JSON merge patch (RFC 7386) that makes `from` to `to`; empty where they are the same.
pub(crate) fn difference(from: &Fields, to: &Fields) -> Fields {
    let mut patch = Fields::new();
    for (key, value) in to {
        match (from.get(key), value) {
            (Some(old), new) if old == new => {}
            (Some(Value::Object(old)), Value::Object(new)) => {
                let inner = difference(old, new);
                if !inner.is_empty() {
                    patch.insert(key.clone(), Value::Object(inner));
                }
            }
            (None | Some(Value::Null), Value::Null) => {}
            (_, new) => {
                patch.insert(key.clone(), new.clone());
            }
        }
    }
    for (key, _) in from.iter().filter(|(_, value)| !value.is_null()) {
        if !to.contains_key(key) {
            patch.insert(key.clone(), Value::Null);
        }
    }
    patch
}

#[cfg(test)]
mod tests;
