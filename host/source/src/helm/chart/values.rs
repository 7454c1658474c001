//! Values: read from YAML, laid over each other as Helm and Flux do.

use bulkhead_api::yaml;
use serde_json::{Map, Value};

use crate::helm::HelmError;

/// Reads the `values.yaml` of a chart; of several documents later ones lie over earlier ones.
pub(crate) fn read(place: &str, file: &str, content: &[u8]) -> Result<Value, HelmError> {
    let documents = yaml::read_lenient(text(place, file, content)?);
    let documents = documents.map_err(|source| wrong(place, file, source))?;
    let mut values = Map::new();
    for document in documents {
        merge(&mut values, mapping(place, file, document.value)?);
    }
    Ok(Value::Object(values))
}

/// Reads another values file; of several documents the first counts.
pub(crate) fn read_file(place: &str, file: &str, content: &[u8]) -> Result<Value, HelmError> {
    let first = yaml::read_first(text(place, file, content)?);
    match first.map_err(|source| wrong(place, file, source))? {
        Value::Null => Ok(Value::Object(Map::new())),
        value => mapping(place, file, value).map(Value::Object),
    }
}

fn text<'a>(place: &str, file: &str, content: &'a [u8]) -> Result<&'a str, HelmError> {
    std::str::from_utf8(content).map_err(|_| problem(place, file, "it is not UTF-8"))
}

fn mapping(place: &str, file: &str, value: Value) -> Result<Map<String, Value>, HelmError> {
    match value {
        Value::Object(map) => Ok(map),
        _ => Err(problem(place, file, "values must be a mapping")),
    }
}

fn problem(place: &str, file: &str, problem: &str) -> HelmError {
    HelmError::File {
        place: place.to_owned(),
        file: crate::error::clean(file),
        problem: problem.to_owned(),
    }
}

fn wrong(place: &str, file: &str, source: yaml::YamlError) -> HelmError {
    HelmError::Yaml {
        place: place.to_owned(),
        file: crate::error::clean(file),
        source,
    }
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
        let first = read_file("x", "prod.yaml", text.as_bytes()).unwrap();
        assert_eq!(first, json!({ "a": { "b": 1, "c": 2 }, "d": [1] }));
        assert_eq!(read_file("x", "y", b"# none\n").unwrap(), json!({}));
        assert!(read_file("x", "y", b"[1]").is_err());
        assert_eq!(read("x", "y", b"").unwrap(), json!({}));
        // Helm takes the later of two.
        assert_eq!(read("x", "y", b"a: 1\na: 2\n").unwrap(), json!({ "a": 2 }));
        assert!(read("x", "y", b"[1]").is_err());
        assert!(read("x", "y", b"\xff").is_err());
    }
}
