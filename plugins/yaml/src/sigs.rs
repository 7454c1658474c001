//! What sigs.k8s.io/yaml does: YAML to JSON and back through go-yaml v2. kubectl reads so, and
//! Helm's `toYaml` and `fromYaml` are built on it.

use crate::decode::{DecodeOptions, decode};
use crate::encode::{emit_as_json, emit_value};
use crate::source::EmitOptions;
use crate::value::Value;
use crate::{Dialect, Error, Limits, go_text, number, parse_first};

/// Keys up to this length can be read back from JSON as YAML, whatever else is on the line.
const SAFE_KEY: usize = 1_000;

/// Reads the first document of `text` by v2's rules; nothing gives null.
///
/// # Errors
/// What go-yaml v2 refuses; with `strict` also double keys.
pub fn read(text: impl AsRef<[u8]>, strict: bool, limits: &Limits) -> Result<Value, Error> {
    let options = DecodeOptions {
        strict,
        depth: limits.depth,
        ..DecodeOptions::V2
    };
    match parse_first(text, Dialect::V2, limits)? {
        Some(document) => decode(&document, options),
        None => Ok(Value::Null),
    }
}

/// `YAMLToJSON`: the first document, keys made text and sorted, `<`, `>` and `&` escaped.
///
/// # Errors
/// What go-yaml v2 refuses, keys that JSON cannot have, and numbers that it cannot (`.nan`).
///
/// # Examples
/// ```
/// let json = bulkhead_yaml::sigs::yaml_to_json("b: yes\na: [1, 0x10]\n", &Default::default())?;
/// assert_eq!(json, r#"{"a":[1,16],"b":true}"#);
/// # Ok::<(), bulkhead_yaml::Error>(())
/// ```
pub fn yaml_to_json(text: impl AsRef<[u8]>, limits: &Limits) -> Result<String, Error> {
    to_json(&read(text, false, limits)?)
}

/// `JSONToYAML`: reads the JSON as YAML, and writes it by v2's rules.
///
/// # Errors
/// What go-yaml v2 refuses.
pub fn json_to_yaml(json: impl AsRef<[u8]>, limits: &Limits) -> Result<String, Error> {
    Ok(emit_value(&read(json, false, limits)?, EmitOptions::v2()))
}

/// `json.Marshal` of decoded YAML.
///
/// # Errors
/// Keys that JSON cannot have, and `.nan` or `.inf`.
pub fn to_json(value: &Value) -> Result<String, Error> {
    let mut out = String::new();
    write_json(value, &mut out)?;
    Ok(out)
}

/// `yaml.Marshal`: through JSON, so that numbers and order come out as from kubectl and Helm.
///
/// # Errors
/// As [`to_json`], and characters that JSON leaves alone but YAML forbids.
pub fn to_yaml(value: &Value) -> Result<String, Error> {
    if survives_json(value) {
        Ok(emit_as_json(value, EmitOptions::v2()))
    } else {
        json_to_yaml(to_json(value)?, &Limits::DEFAULT)
    }
}

/// Whether the value comes back from its JSON as it is, but for floats that become whole numbers.
fn survives_json(value: &Value) -> bool {
    match value {
        Value::Float(number) => number.is_finite(),
        Value::Timestamp(text) | Value::String(text) => is_safe(text),
        Value::Sequence(items) => items.iter().all(survives_json),
        Value::Mapping(entries) | Value::Struct(entries) => entries.iter().all(|(key, value)| {
            let key = key
                .as_str()
                .filter(|key| key.len() <= SAFE_KEY && is_safe(key));
            key.is_some() && survives_json(value)
        }),
        Value::Binary(_) => false,
        Value::Null | Value::Bool(_) | Value::Int(_) | Value::Uint(_) => true,
    }
}

/// Whether text survives JSON's quotes when YAML reads them.
fn is_safe(text: &str) -> bool {
    text.is_ascii() && !text.contains('\x7F')
        || !text.chars().any(|found| {
            matches!(
                found,
                '\x7F'..='\u{9F}' | '\u{FEFF}' | '\u{FFFE}' | '\u{FFFF}'
            )
        })
}

fn write_json(value: &Value, out: &mut String) -> Result<(), Error> {
    match value {
        Value::Null => out.push_str("null"),
        Value::Bool(value) => out.push_str(if *value { "true" } else { "false" }),
        Value::Int(number) => out.push_str(&number.to_string()),
        Value::Uint(number) => out.push_str(&number.to_string()),
        Value::Float(number) => {
            let text = number::json_float(*number).ok_or_else(|| {
                let text = number::go_float(*number);
                Error::bare(format!("json: unsupported value: {text}"))
            })?;
            out.push_str(&text);
        }
        Value::Timestamp(text) | Value::String(text) => write_json_text(text, out),
        Value::Binary(bytes) => out.push_str(&json_text(&go_text::lossy(bytes), true)),
        Value::Sequence(items) => {
            out.push('[');
            for (at, item) in items.iter().enumerate() {
                if at > 0 {
                    out.push(',');
                }
                write_json(item, out)?;
            }
            out.push(']');
        }
        Value::Mapping(entries) | Value::Struct(entries) => {
            let mut sorted = Vec::with_capacity(entries.len());
            for (key, value) in entries {
                let raw = key.json_key().ok_or_else(|| unsupported_key(key, value))?;
                let text = json_text(&raw, matches!(key, Value::Binary(_)));
                sorted.push((raw, text, value));
            }
            sorted.sort_by(|left, right| left.0.cmp(&right.0));
            out.push('{');
            for (at, (raw, key, value)) in sorted.iter().enumerate() {
                // Two keys may become one text; Go then takes either.
                if sorted.get(at + 1).is_some_and(|next| next.0 == *raw) {
                    continue;
                }
                if !out.ends_with('{') {
                    out.push(',');
                }
                out.push_str(key);
                out.push(':');
                write_json(value, out)?;
            }
            out.push('}');
        }
    }
    Ok(())
}

fn unsupported_key(key: &Value, value: &Value) -> Error {
    let show = |value: &Value| go_text::syntax_at_top(value, Dialect::V2);
    let (kind, key, value) = (key.go_type(), show(key), show(value));
    Error::bare(format!(
        "unsupported map key of type: {kind}, key: {key}, value: {value}"
    ))
}

/// Text in quotes. Where bytes were replaced, Go writes the replacement as an escape.
fn json_text(text: &str, replaced: bool) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    write_json_text(text, &mut out);
    if replaced {
        out.replace('\u{FFFD}', "\\ufffd")
    } else {
        out
    }
}

/// Text in quotes as `encoding/json` escapes it, for HTML too.
fn write_json_text(text: &str, out: &mut String) {
    out.push('"');
    let mut from = 0;
    for (at, found) in text.char_indices() {
        let escape = match found {
            '"' => "\\\"".to_owned(),
            '\\' => "\\\\".to_owned(),
            '\n' => "\\n".to_owned(),
            '\r' => "\\r".to_owned(),
            '\t' => "\\t".to_owned(),
            '\x08' => "\\b".to_owned(),
            '\x0C' => "\\f".to_owned(),
            '\0'..='\x1F' | '<' | '>' | '&' | '\u{2028}' | '\u{2029}' => {
                format!("\\u{:04x}", u32::from(found))
            }
            _ => continue,
        };
        out.push_str(&text[from..at]);
        out.push_str(&escape);
        from = at + found.len_utf8();
    }
    out.push_str(&text[from..]);
    out.push('"');
}
