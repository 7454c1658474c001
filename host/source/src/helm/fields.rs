//! Reads the fields of a mapping as Go's decoders fill a struct: the names' case does not matter,
//! `null` is nothing, and what YAML takes for a number or a truth value is text where text is wanted.

use serde_json::{Map, Value};

/// Where a value comes from: YAML is read with more lenience than JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    Yaml,
    Json,
}

/// The fields of one mapping. Every error names the field.
#[derive(Clone, Copy)]
pub(super) struct Fields<'a> {
    map: &'a Map<String, Value>,
    format: Format,
}

impl<'a> Fields<'a> {
    /// Reads `value`, which `what` names; `null` has no fields.
    pub(super) fn of(value: &'a Value, format: Format, what: &str) -> Result<Self, String> {
        static NOTHING: std::sync::LazyLock<Map<String, Value>> =
            std::sync::LazyLock::new(Map::new);
        match value {
            Value::Object(map) => Ok(Self { map, format }),
            Value::Null => Ok(Self {
                map: &NOTHING,
                format,
            }),
            other => Err(format!("{what} must be a mapping, not {}", kind(other))),
        }
    }

    pub(super) fn get(&self, name: &str) -> Option<&'a Value> {
        let exact = self.map.get(name);
        let found = exact.or_else(|| {
            let mut all = self.map.iter();
            all.find(|(key, _)| key.eq_ignore_ascii_case(name))
                .map(|(_, value)| value)
        });
        found.filter(|value| !value.is_null())
    }

    /// Refuses fields that are not among `known`.
    pub(super) fn only(&self, known: &[&str]) -> Result<(), String> {
        let unknown = self
            .map
            .keys()
            .find(|key| !known.iter().any(|name| key.eq_ignore_ascii_case(name)));
        match unknown {
            Some(key) => Err(format!("unknown field `{}`", crate::error::clean(key))),
            None => Ok(()),
        }
    }

    pub(super) fn text(&self, name: &str) -> Result<String, String> {
        match self.get(name) {
            None => Ok(String::new()),
            Some(value) => text(value, self.format).ok_or_else(|| wrong(name, "text", value)),
        }
    }

    /// Returns a list of texts; `None` when there is none.
    pub(super) fn texts(&self, name: &str) -> Result<Option<Vec<String>>, String> {
        let Some(items) = self.list(name)? else {
            return Ok(None);
        };
        let read = |item: &Value| match item {
            Value::Null => Ok(String::new()),
            item => text(item, self.format).ok_or_else(|| wrong(name, "a list of texts", item)),
        };
        items.iter().map(read).collect::<Result<_, _>>().map(Some)
    }

    /// Returns a mapping of texts, sorted by name.
    pub(super) fn text_map(&self, name: &str) -> Result<Vec<(String, String)>, String> {
        let Some(value) = self.get(name) else {
            return Ok(Vec::new());
        };
        let Value::Object(map) = value else {
            return Err(wrong(name, "a mapping of texts", value));
        };
        let mut entries = Vec::with_capacity(map.len());
        for (key, value) in map {
            let read = match value {
                Value::Null => Some(String::new()),
                value => text(value, self.format),
            };
            let read = read.ok_or_else(|| wrong(name, "a mapping of texts", value))?;
            entries.push((key.clone(), read));
        }
        entries.sort_unstable();
        Ok(entries)
    }

    pub(super) fn list(&self, name: &str) -> Result<Option<&'a [Value]>, String> {
        match self.get(name) {
            None => Ok(None),
            Some(Value::Array(items)) => Ok(Some(items)),
            Some(other) => Err(wrong(name, "a list", other)),
        }
    }

    pub(super) fn flag(&self, name: &str) -> Result<bool, String> {
        match self.get(name) {
            None => Ok(false),
            Some(Value::Bool(flag)) => Ok(*flag),
            Some(other) => Err(wrong(name, "true or false", other)),
        }
    }
}

fn text(value: &Value, format: Format) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Bool(flag) if format == Format::Yaml => Some(flag.to_string()),
        Value::Number(number) if format == Format::Yaml => Some(match number.as_f64() {
            Some(float) if number.is_f64() => shortest(float),
            _ => number.to_string(),
        }),
        _ => None,
    }
}

/// Writes a float as Go's `FormatFloat(_, 'g', -1, 64)`.
fn shortest(float: f64) -> String {
    let scientific = format!("{float:e}");
    let (digits, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    match exponent.parse::<i32>() {
        Ok(exponent) if !(-4..6).contains(&exponent) => {
            let sign = if exponent < 0 { '-' } else { '+' };
            format!("{digits}e{sign}{:02}", exponent.abs())
        }
        _ => float.to_string(),
    }
}

fn wrong(name: &str, wanted: &str, found: &Value) -> String {
    let hint = match found {
        Value::Number(_) | Value::Bool(_) if wanted.contains("text") => ": put it in quotes",
        _ => "",
    };
    format!("`{name}` must be {wanted}, not {}{hint}", kind(found))
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "text",
        Value::Array(_) => "a list",
        Value::Object(_) => "a mapping",
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may")]

    use serde_json::json;

    use super::*;

    // Each answer is that of sigs.k8s.io/yaml 1.6.
    #[test]
    fn yaml_numbers_are_text_where_text_is_wanted() {
        let value =
            json!({ "a": 1.1, "b": 5, "c": true, "D": "x", "e": 1e21, "f": null, "g": 1234567.5 });
        let fields = Fields::of(&value, Format::Yaml, "x").unwrap();
        for (name, expected) in [
            ("a", "1.1"),
            ("b", "5"),
            ("c", "true"),
            ("d", "x"),
            ("e", "1e+21"),
            ("f", ""),
            ("g", "1.2345675e+06"),
        ] {
            assert_eq!(fields.text(name).unwrap(), expected);
        }
        let fields = Fields::of(&value, Format::Json, "x").unwrap();
        assert_eq!(
            fields.text("a").unwrap_err(),
            "`a` must be text, not a number: put it in quotes"
        );
        assert!(fields.only(&["a", "b", "c", "d", "e", "f"]).is_err());
    }
}
