//! Values of a manifest: a reader over JSON that names the field it is at, and sizes as Kubernetes
//! writes them.

use bulkhead_api::GoDuration;
use serde_json::{Map, Value};
use std::time::Duration;

use super::ManifestError;

/// Entries of one list.
const LIST_ENTRIES: usize = 64;

/// Bytes of one text, unless a field says otherwise.
const TEXT_BYTES: usize = 2048;

/// One object of a manifest, and where it is.
pub(super) struct Fields<'a> {
    map: &'a Map<String, Value>,
    at: &'a str,
}

impl<'a> Fields<'a> {
    /// Takes an object whose fields are among `known`.
    pub(super) fn new(
        value: &'a Value,
        at: &'a str,
        known: &[&str],
    ) -> Result<Self, ManifestError> {
        let Value::Object(map) = value else {
            return match at {
                "" => Err(ManifestError::Syntax(format!(
                    "it is {}, not an object with fields",
                    kind(value)
                ))),
                _ => Err(wrong(at.to_owned(), "is not an object with fields")),
            };
        };
        let fields = Self { map, at };
        match map.keys().find(|name| !known.contains(&name.as_str())) {
            Some(name) => Err(ManifestError::Unknown {
                field: fields.path(&crate::host::log::clean(name)),
                known: known.join(", "),
            }),
            None => Ok(fields),
        }
    }

    pub(super) fn path(&self, name: &str) -> String {
        match self.at {
            "" => name.to_owned(),
            at => format!("{at}.{name}"),
        }
    }

    pub(super) fn get(&self, name: &str) -> Option<&'a Value> {
        self.map.get(name).filter(|value| !value.is_null())
    }

    /// Returns a text; the empty one when it is not there.
    pub(super) fn text(&self, name: &str) -> Result<String, ManifestError> {
        match self.get(name) {
            None => Ok(String::new()),
            Some(value) => text(value, || self.path(name)),
        }
    }

    /// Returns a text that has to be there.
    pub(super) fn required(&self, name: &str, what: &'static str) -> Result<String, ManifestError> {
        match self.text(name)? {
            text if text.is_empty() => Err(ManifestError::Missing {
                field: self.path(name),
                what,
            }),
            text => Ok(text),
        }
    }

    /// Returns a list of texts, each accepted by `check`, which says what is wrong with others.
    pub(super) fn list(
        &self,
        name: &str,
        check: impl Fn(&str) -> Result<(), String>,
    ) -> Result<Vec<String>, ManifestError> {
        let path = self.path(name);
        let entries = match self.get(name) {
            None => return Ok(Vec::new()),
            Some(Value::Array(entries)) => entries,
            Some(_) => return Err(wrong(path, "is not a list")),
        };
        if entries.len() > LIST_ENTRIES {
            let problem = format!("has {} entries, at most {LIST_ENTRIES}", entries.len());
            return Err(wrong(path, &format!("{problem} are allowed")));
        }
        let mut texts = Vec::with_capacity(entries.len());
        for (index, entry) in entries.iter().enumerate() {
            let at = || format!("{path}[{index}]");
            let text = text(entry, at)?;
            check(&text).map_err(|problem| wrong(at(), &problem))?;
            texts.push(text);
        }
        Ok(texts)
    }

    pub(super) fn flag(&self, name: &str) -> Result<bool, ManifestError> {
        match self.get(name) {
            None => Ok(false),
            Some(Value::Bool(value)) => Ok(*value),
            Some(_) => Err(wrong(self.path(name), "is neither `true` nor `false`")),
        }
    }

    /// Returns a size in bytes: `256Mi`, or a number.
    pub(super) fn bytes(&self, name: &str) -> Result<Option<u64>, ManifestError> {
        let bytes = match self.get(name) {
            None => return Ok(None),
            Some(Value::Number(number)) => number.as_u64(),
            Some(Value::String(text)) => quantity(text),
            Some(_) => None,
        };
        match bytes {
            Some(bytes) if bytes > 0 => Ok(Some(bytes)),
            _ => Err(wrong(self.path(name), "is not a size, as `256Mi` is")),
        }
    }

    pub(super) fn duration(&self, name: &str) -> Result<Option<Duration>, ManifestError> {
        let text = match self.get(name) {
            None => return Ok(None),
            Some(value) => text(value, || self.path(name))?,
        };
        match GoDuration::new(text).get() {
            Ok(duration) if !duration.is_zero() => Ok(Some(duration)),
            _ => Err(wrong(self.path(name), "is not a duration, as `30s` is")),
        }
    }
}

pub(super) fn wrong(field: String, problem: &str) -> ManifestError {
    ManifestError::Field {
        field,
        problem: problem.to_owned(),
    }
}

fn text(value: &Value, at: impl Fn() -> String) -> Result<String, ManifestError> {
    let text = match value {
        Value::String(text) => text,
        Value::Number(number) => {
            return Err(wrong(
                at(),
                &format!("is a number, not a text: quote it, as \"{number}\""),
            ));
        }
        other => return Err(wrong(at(), &format!("is {}, not a text", kind(other)))),
    };
    if text.len() > TEXT_BYTES {
        let problem = format!("has {} bytes, at most {TEXT_BYTES} are allowed", text.len());
        return Err(wrong(at(), &problem));
    }
    if text.chars().any(char::is_control) {
        return Err(wrong(at(), "has control characters"));
    }
    Ok(text.clone())
}

/// Names the type of a value for a person.
pub(super) fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "nothing",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

const UNITS: [(&str, u64); 8] = [
    ("Ki", 1 << 10),
    ("Mi", 1 << 20),
    ("Gi", 1 << 30),
    ("Ti", 1 << 40),
    ("k", 1_000),
    ("M", 1_000_000),
    ("G", 1_000_000_000),
    ("T", 1_000_000_000_000),
];

/// Reads a whole number of bytes as Kubernetes writes it: `256Mi`, `1G`, `65536`.
pub fn quantity(text: &str) -> Option<u64> {
    let digits = text.find(|c: char| !c.is_ascii_digit());
    let (number, unit) = text.split_at(digits.unwrap_or(text.len()));
    let factor = match unit {
        "" => 1,
        unit => UNITS.iter().find(|(name, _)| *name == unit)?.1,
    };
    number.parse::<u64>().ok()?.checked_mul(factor)
}

/// Writes a number of bytes in the largest binary unit that it is a whole number of.
pub(super) fn quantity_text(bytes: u64) -> String {
    let fits = |(_, factor): &&(&str, u64)| bytes != 0 && bytes.is_multiple_of(*factor);
    match UNITS[..4].iter().rev().find(fits) {
        Some((unit, factor)) => format!("{}{unit}", bytes / factor),
        None => bytes.to_string(),
    }
}
