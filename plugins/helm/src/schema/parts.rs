//! What the keywords look at: the parts of a schema, and values as the messages show them.

use bulkhead_template::{Value, format};

use super::quoted;
use crate::functions::deep_equal;

pub(super) fn get(value: &Value, key: &str) -> Option<Value> {
    match value {
        Value::Map(map) => map.entries.borrow().get(key).cloned(),
        _ => None,
    }
}

pub(super) fn entries(value: Option<Value>) -> Vec<(String, Value)> {
    match value {
        Some(Value::Map(map)) => map
            .entries
            .borrow()
            .iter()
            .map(|(k, v)| (k.to_string(), v.clone()))
            .collect(),
        _ => Vec::new(),
    }
}

pub(super) fn items(value: Option<Value>) -> Vec<Value> {
    match value {
        Some(Value::List(list)) => list.items.to_vec(),
        _ => Vec::new(),
    }
}

pub(super) fn number(value: &Value) -> Option<f64> {
    match value {
        Value::Float(number) => Some(*number),
        Value::Int(number, _) => Some(*number as f64),
        _ => None,
    }
}

pub(super) fn kind(value: &Value) -> &'static str {
    match value {
        Value::Bool(_) => "boolean",
        Value::Float(_) | Value::Int(..) => "number",
        Value::String(_) => "string",
        Value::List(_) => "array",
        Value::Map(_) => "object",
        _ => "null",
    }
}

pub(super) fn equal(one: &Value, other: &Value) -> bool {
    match (number(one), number(other)) {
        (Some(a), Some(b)) => a == b,
        _ => deep_equal(one, other),
    }
}

pub(super) fn shown(value: &Value) -> String {
    match value {
        Value::String(text) => quoted(text),
        Value::Nil | Value::Invalid => "null".to_owned(),
        other => format::text(other),
    }
}

pub(super) fn joined(names: &[String]) -> String {
    let names: Vec<String> = names.iter().map(|name| quoted(name)).collect();
    names.join(", ")
}

pub(super) fn below(at: &str, key: &str) -> String {
    format!("{at}/{}", key.replace('~', "~0").replace('/', "~1"))
}

/// The part of a document that has an identifier, or one that ends so.
pub(super) fn with_id(schema: &Value, id: &str, depth: usize) -> Option<Value> {
    if depth > 32 {
        return None;
    }
    let is_named = ["$id", "id"].iter().any(|keyword| {
        let known = get(schema, keyword);
        let known = known.as_ref().and_then(Value::as_str).unwrap_or_default();
        let known = known.trim_end_matches('#');
        known == id
            || known
                .strip_suffix(id)
                .is_some_and(|base| base.ends_with('/'))
    });
    if is_named {
        return Some(schema.clone());
    }
    match schema {
        Value::Map(map) => {
            let entries = map.entries.borrow();
            entries
                .values()
                .find_map(|inner| with_id(inner, id, depth + 1))
        }
        Value::List(list) => list
            .items
            .iter()
            .find_map(|inner| with_id(inner, id, depth + 1)),
        _ => None,
    }
}

/// A fragment of a URL without its escapes.
pub(super) fn decoded(fragment: &str) -> String {
    let hex = |bytes: &[u8]| {
        std::str::from_utf8(bytes)
            .ok()
            .and_then(|text| u8::from_str_radix(text, 16).ok())
    };
    let bytes = fragment.as_bytes();
    let (mut out, mut at) = (Vec::with_capacity(bytes.len()), 0);
    while at < bytes.len() {
        let escaped = (bytes[at] == b'%')
            .then(|| bytes.get(at + 1..at + 3).and_then(hex))
            .flatten();
        out.push(escaped.unwrap_or(bytes[at]));
        at += if escaped.is_some() { 3 } else { 1 };
    }
    String::from_utf8_lossy(&out).into_owned()
}

/// The part of a schema that has a name of its own.
pub(super) fn anchor(schema: &Value, name: &str, depth: usize) -> Option<Value> {
    if depth > 32 {
        return None;
    }
    let is_named = |keyword: &str, want: &str| {
        get(schema, keyword).is_some_and(|id| id.as_str() == Some(want))
    };
    let is_anchor = is_named("$anchor", name) || is_named("$dynamicAnchor", name);
    if is_anchor || is_named("id", &format!("#{name}")) || is_named("$id", &format!("#{name}")) {
        return Some(schema.clone());
    }
    match schema {
        Value::Map(map) => map
            .entries
            .borrow()
            .values()
            .find_map(|inner| anchor(inner, name, depth + 1)),
        Value::List(list) => list
            .items
            .iter()
            .find_map(|inner| anchor(inner, name, depth + 1)),
        _ => None,
    }
}

pub(super) fn missing(value: &Value, wanted: Option<Value>) -> Vec<String> {
    let wanted = items(wanted);
    let names = wanted.iter().filter_map(Value::as_str);
    names
        .filter(|name| get(value, name).is_none())
        .map(str::to_owned)
        .collect()
}

pub(super) fn wrong_type(schema: &Value, value: &Value) -> Option<String> {
    let types = match get(schema, "type")? {
        Value::String(name) => vec![name.to_string()],
        list => items(Some(list))
            .iter()
            .filter_map(Value::as_str)
            .map(str::to_owned)
            .collect(),
    };
    let is_whole = number(value).is_some_and(|number| number.fract() == 0.0);
    let fits = |name: &String| name == kind(value) || (name == "integer" && is_whole);
    if types.is_empty() || types.iter().any(fits) {
        return None;
    }
    // The original names them in an order of its own.
    const ORDER: [&str; 7] = [
        "null", "boolean", "number", "integer", "string", "array", "object",
    ];
    let mut types = types;
    types.sort_by_key(|name| ORDER.iter().position(|known| known == name));
    Some(format!("got {}, want {}", kind(value), types.join(" or ")))
}

pub(super) fn not_in_enum(schema: &Value, value: &Value) -> Option<String> {
    let Some(Value::List(wanted)) = get(schema, "enum") else {
        return None;
    };
    let wanted = &wanted.items;
    if wanted.iter().any(|one| equal(one, value)) {
        return None;
    }
    if wanted
        .iter()
        .any(|one| matches!(one, Value::List(_) | Value::Map(_)))
    {
        return Some("'enum' failed".to_owned());
    }
    let texts: Vec<String> = wanted.iter().map(shown).collect();
    let one_of = if texts.len() == 1 { "" } else { "one of " };
    Some(format!("value must be {one_of}{}", texts.join(", ")))
}

/// Writes a number with a comma between its thousands, as the original's printer does.
pub(super) fn plain(number: f64) -> String {
    let text = format::float(number, 'f', None);
    let (whole, fraction) = text.split_once('.').unwrap_or((&text, ""));
    let (sign, digits) = match whole.strip_prefix('-') {
        Some(digits) => ("-", digits),
        None => ("", whole),
    };
    let mut out = sign.to_owned();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    if !fraction.is_empty() {
        out.push('.');
        out.push_str(fraction);
    }
    out
}
