//! The JSON merge patch from one value to another.

use serde_json::{Map, Value};

/// Returns the merge patch (RFC 7386) that turns `before` into `after`; `None` when they are equal.
///
/// Lists are replaced as a whole. Both must be objects without null fields, as ours are.
pub fn difference(before: &Value, after: &Value) -> Option<Value> {
    let (Value::Object(before), Value::Object(after)) = (before, after) else {
        return (before != after).then(|| after.clone());
    };
    let mut changes = Map::new();
    for name in before.keys().filter(|name| !after.contains_key(*name)) {
        changes.insert(name.clone(), Value::Null);
    }
    for (name, value) in after {
        match before.get(name) {
            None => {
                changes.insert(name.clone(), value.clone());
            }
            Some(old) => {
                if let Some(change) = difference(old, value) {
                    changes.insert(name.clone(), change);
                }
            }
        }
    }
    (!changes.is_empty()).then_some(Value::Object(changes))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_what_changed_is_in_the_patch() {
        let before = json!({"a": 1, "b": {"x": 1, "y": [1, 2]}, "gone": true});
        let after = json!({"a": 1, "b": {"x": 1, "y": [1]}, "new": {"z": 0}});
        assert_eq!(
            difference(&before, &after),
            Some(json!({"gone": null, "b": {"y": [1]}, "new": {"z": 0}}))
        );
        assert_eq!(difference(&after, &after), None);
    }
}
