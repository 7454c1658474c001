//! Values: read from YAML, laid over each other as Helm and Flux do.

use bulkhead_api::yaml;
use serde_json::{Map, Value};

use crate::helm::HelmError;

/// Reads a values file; of several documents later ones lie over earlier ones.
pub(crate) fn read(place: &str, file: &str, content: &[u8]) -> Result<Value, HelmError> {
    let problem = |problem: &str| HelmError::File {
        place: place.to_owned(),
        file: crate::error::clean(file),
        problem: problem.to_owned(),
    };
    let text = std::str::from_utf8(content).map_err(|_| problem("it is not UTF-8"))?;
    let documents = yaml::read(text).map_err(|source| HelmError::Yaml {
        place: place.to_owned(),
        file: crate::error::clean(file),
        source,
    })?;
    let mut values = Map::new();
    for document in documents {
        match document.value {
            Value::Object(map) => merge(&mut values, map),
            _ => return Err(problem("values must be a mapping")),
        }
    }
    Ok(Value::Object(values))
}

/// Lays `over` over `values`: mappings are merged, all else is replaced, by `null` too.
pub(crate) fn merge(values: &mut Map<String, Value>, over: Map<String, Value>) {
    for (key, value) in over {
        match (values.get_mut(&key), value) {
            (Some(Value::Object(own)), Value::Object(value)) => merge(own, value),
            (_, value) => {
                values.insert(key, value);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may")]

    use serde_json::json;

    use super::*;

    #[test]
    fn later_documents_lie_over_earlier_ones() {
        let text = "a: {b: 1, c: 2}\nd: [1]\n---\na: {b: null}\nd: [2]\n";
        assert_eq!(
            read("x", "values.yaml", text.as_bytes()).unwrap(),
            json!({ "a": { "b": null, "c": 2 }, "d": [2] })
        );
        assert_eq!(read("x", "y", b"").unwrap(), json!({}));
        assert!(read("x", "y", b"[1]").is_err());
        assert!(read("x", "y", b"\xff").is_err());
    }
}
