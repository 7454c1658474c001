//! The functions of the standard, and of the libraries that Flux turns on: optionals, encoders, sets,
//! and strings (in a file of their own).

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use jiff::{SignedDuration, Timestamp};

use super::eval::{Fault, Result, Run, no_overload, told};
use super::value::Value;
use super::{strings, time};

/// Tells whether functions have names that begin like this.
pub(super) fn is_space(name: &str) -> bool {
    matches!(name, "base64" | "sets" | "optional" | "strings")
}

/// Returns the type that has this name.
pub(super) fn type_named(name: &str) -> Option<&'static str> {
    let names = [
        "bool",
        "int",
        "uint",
        "double",
        "string",
        "bytes",
        "list",
        "map",
        "null_type",
        "type",
        "optional_type",
    ];
    names.into_iter().find(|known| *known == name)
}

/// The names of all functions that are called without a receiver.
pub(super) const GLOBAL: [&str; 13] = [
    "size",
    "int",
    "uint",
    "double",
    "string",
    "bytes",
    "bool",
    "duration",
    "timestamp",
    "type",
    "dyn",
    "matches",
    "has",
];

/// The names of all that are called on a receiver.
pub(super) const MEMBERS: [&str; 44] = [
    "size",
    "startsWith",
    "endsWith",
    "contains",
    "matches",
    "hasValue",
    "value",
    "or",
    "orValue",
    "first",
    "last",
    "unwrapOpt",
    "charAt",
    "indexOf",
    "lastIndexOf",
    "join",
    "lowerAscii",
    "upperAscii",
    "replace",
    "split",
    "substring",
    "trim",
    "reverse",
    "format",
    "getFullYear",
    "getMonth",
    "getDayOfYear",
    "getDayOfMonth",
    "getDate",
    "getDayOfWeek",
    "getHours",
    "getMinutes",
    "getSeconds",
    "getMilliseconds",
    "all",
    "exists",
    "exists_one",
    "existsOne",
    "map",
    "filter",
    "optMap",
    "optFlatMap",
    "encode",
    "decode",
];

/// The names of all that stand behind a name space.
pub(super) const SPACED: [(&str, &str); 10] = [
    ("base64", "encode"),
    ("base64", "decode"),
    ("sets", "contains"),
    ("sets", "equivalent"),
    ("sets", "intersects"),
    ("optional", "of"),
    ("optional", "none"),
    ("optional", "ofNonZeroValue"),
    ("optional", "unwrap"),
    ("strings", "quote"),
];

/// Calls a function; with a receiver, that is the first value.
pub(super) fn call<'v>(
    run: &Run<'v>,
    space: Option<&str>,
    has_receiver: bool,
    name: &str,
    values: &[Value<'v>],
) -> Result<Value<'v>> {
    match (space, values) {
        (Some("base64"), [value]) => encoding(name, value),
        (Some("sets"), [Value::List(one), Value::List(other)]) => {
            run.spend(one.len().saturating_mul(other.len()))?;
            for value in values {
                run.look(value)?;
            }
            let has = |item: &Value<'v>| other.iter().any(|known| known.equals(item));
            let contains = || {
                other
                    .iter()
                    .all(|item| one.iter().any(|known| known.equals(&item)))
            };
            Ok(Value::Bool(match name {
                "contains" => contains(),
                "equivalent" => contains() && one.iter().all(|item| has(&item)),
                "intersects" => one.iter().any(|item| has(&item)),
                _ => return unknown(name),
            }))
        }
        (Some("optional"), values) => optional(name, values),
        (Some("strings"), [Value::Text(text)]) if name == "quote" => {
            Ok(Value::text(strings::quote(text.as_str())))
        }
        (Some(_), _) => no_overload(),
        (None, values) if has_receiver => method(run, name, values),
        (None, values) => global(run, name, values),
    }
}

fn unknown<T>(name: &str) -> Result<T> {
    told(format!("unknown function '{name}'"))
}

fn global<'v>(run: &Run<'v>, name: &str, values: &[Value<'v>]) -> Result<Value<'v>> {
    match (name, values) {
        ("size" | "matches", _) => method(run, name, values),
        ("dyn", [value]) => Ok(value.clone()),
        ("type", [value]) => Ok(Value::Type(value.type_name())),
        ("bool", [value]) => match value {
            Value::Bool(_) => Ok(value.clone()),
            Value::Text(text) => match text.as_str() {
                "1" | "t" | "T" | "true" | "TRUE" | "True" => Ok(Value::Bool(true)),
                "0" | "f" | "F" | "false" | "FALSE" | "False" => Ok(Value::Bool(false)),
                _ => told("type conversion error from 'string' to 'bool'"),
            },
            _ => no_overload(),
        },
        ("int", [value]) => int(value),
        ("uint", [value]) => uint(value),
        ("double", [value]) => double(value),
        ("string", [value]) => match value {
            Value::Text(_) => Ok(value.clone()),
            Value::Null | Value::List(_) | Value::Map(_) | Value::Optional(_) => no_overload(),
            Value::Bytes(bytes) => match std::str::from_utf8(bytes) {
                Ok(text) => Ok(Value::text(text)),
                Err(_) => told("invalid UTF-8 in bytes, cannot convert to string"),
            },
            value => Ok(Value::text(shown(value))),
        },
        ("bytes", [value]) => match value {
            Value::Bytes(_) => Ok(value.clone()),
            Value::Text(text) => Ok(Value::Bytes(text.as_str().as_bytes().into())),
            _ => no_overload(),
        },
        ("duration", [value]) => match value {
            Value::Span(_) => Ok(value.clone()),
            Value::Text(text) => time::span(text.as_str()).map(Value::Span),
            _ => no_overload(),
        },
        ("timestamp", [value]) => match value {
            Value::Time(_) => Ok(value.clone()),
            Value::Text(text) => time::time(text.as_str()).map(Value::Time),
            Value::Int(seconds) => match Timestamp::from_second(*seconds) {
                Ok(time) => Ok(Value::Time(time)),
                Err(_) => told("timestamp out of range"),
            },
            _ => no_overload(),
        },
        _ if GLOBAL.contains(&name) => no_overload(),
        _ => unknown(name),
    }
}

fn method<'v>(run: &Run<'v>, name: &str, values: &[Value<'v>]) -> Result<Value<'v>> {
    match (name, values) {
        ("size", [value]) => {
            let size = match value {
                Value::Text(text) => text.as_str().chars().count(),
                Value::Bytes(bytes) => bytes.len(),
                Value::List(items) => items.len(),
                Value::Map(entries) => entries.len(),
                _ => return no_overload(),
            };
            Ok(Value::Int(i64::try_from(size).unwrap_or(i64::MAX)))
        }
        ("startsWith", [Value::Text(text), Value::Text(part)]) => {
            Ok(Value::Bool(text.as_str().starts_with(part.as_str())))
        }
        ("endsWith", [Value::Text(text), Value::Text(part)]) => {
            Ok(Value::Bool(text.as_str().ends_with(part.as_str())))
        }
        ("contains", [Value::Text(text), Value::Text(part)]) => {
            Ok(Value::Bool(text.as_str().contains(part.as_str())))
        }
        ("matches", [Value::Text(text), Value::Text(pattern)]) => {
            let regex = run.regex(pattern.as_str())?;
            // Linear, and slower than a copy.
            run.spend(text.as_str().len() / 4)?;
            Ok(Value::Bool(regex.is_match(text.as_str())))
        }
        ("first", [Value::List(items)]) => Ok(optional_of(items.get(0))),
        ("last", [Value::List(items)]) => {
            let last = items.len().checked_sub(1);
            Ok(optional_of(last.and_then(|last| items.get(last))))
        }
        ("unwrapOpt", [Value::List(_)]) => optional("unwrap", values),
        ("hasValue" | "value" | "or" | "orValue", [Value::Optional(value), rest @ ..]) => {
            match (name, value, rest) {
                ("hasValue", value, []) => Ok(Value::Bool(value.is_some())),
                ("value", Some(value), []) => Ok((**value).clone()),
                ("value", None, []) => told("optional.none() dereference"),
                ("or", Some(_), [Value::Optional(_)]) => Ok(values[0].clone()),
                ("or", None, [other @ Value::Optional(_)]) => Ok(other.clone()),
                ("orValue", Some(value), [_]) => Ok((**value).clone()),
                ("orValue", None, [other]) => Ok(other.clone()),
                _ => no_overload(),
            }
        }
        (name, [Value::Time(at), rest @ ..]) => time::of_time(*at, name, rest),
        (name, [Value::Span(span)]) => time::of_span(*span, name),
        _ => strings::method(run, name, values),
    }
}

fn optional_of(value: Option<Value<'_>>) -> Value<'_> {
    Value::Optional(value.map(Arc::new))
}

fn optional<'v>(name: &str, values: &[Value<'v>]) -> Result<Value<'v>> {
    match (name, values) {
        ("of", [value]) => Ok(Value::some(value.clone())),
        ("none", []) => Ok(Value::Optional(None)),
        ("ofNonZeroValue", [value]) => Ok(match is_zero(value) {
            true => Value::Optional(None),
            false => Value::some(value.clone()),
        }),
        ("unwrap", [Value::List(items)]) => {
            let mut found = Vec::new();
            for item in items.iter() {
                match item {
                    Value::Optional(value) => found.extend(value.map(|value| (*value).clone())),
                    _ => return no_overload(),
                }
            }
            Ok(Value::list(found))
        }
        _ => unknown(name),
    }
}

fn is_zero(value: &Value<'_>) -> bool {
    match value {
        Value::Null | Value::Bool(false) | Value::Int(0) | Value::Uint(0) => true,
        Value::Double(value) => *value == 0.0,
        Value::Text(text) => text.as_str().is_empty(),
        Value::Bytes(bytes) => bytes.is_empty(),
        Value::List(items) => items.len() == 0,
        Value::Map(entries) => entries.len() == 0,
        Value::Span(span) => span.is_zero(),
        Value::Time(_) | Value::Type(_) | Value::Optional(_) | Value::Bool(true) => false,
        Value::Int(_) | Value::Uint(_) => false,
    }
}

fn encoding<'v>(name: &str, value: &Value<'v>) -> Result<Value<'v>> {
    match (name, value) {
        ("encode", Value::Bytes(bytes)) => Ok(Value::text(STANDARD.encode(bytes))),
        ("decode", Value::Text(text)) => {
            let decoded = STANDARD.decode(text.as_str());
            let decoded = decoded.or_else(|_| STANDARD_NO_PAD.decode(text.as_str()));
            match decoded {
                Ok(bytes) => Ok(Value::Bytes(bytes.into())),
                Err(_) => told("illegal base64 data"),
            }
        }
        _ => no_overload(),
    }
}

fn range() -> Fault {
    Fault::Told("integer overflow".to_owned())
}

#[allow(clippy::cast_possible_truncation, reason = "the bounds were looked at")]
fn int<'v>(value: &Value<'v>) -> Result<Value<'v>> {
    Ok(Value::Int(match value {
        Value::Int(value) => *value,
        Value::Uint(value) => i64::try_from(*value).map_err(|_| range())?,
        Value::Double(value) => {
            const BOUND: f64 = 9_223_372_036_854_775_808.0;
            if !(*value > -BOUND && *value < BOUND) {
                return Err(range());
            }
            *value as i64
        }
        Value::Text(text) => match text.as_str().parse() {
            Ok(value) => value,
            Err(_) => return told("type conversion error from 'string' to 'int'"),
        },
        Value::Time(time) => time.as_second(),
        Value::Span(span) => i64::try_from(span.as_nanos()).map_err(|_| range())?,
        _ => return no_overload(),
    }))
}

#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the bounds were looked at"
)]
fn uint<'v>(value: &Value<'v>) -> Result<Value<'v>> {
    Ok(Value::Uint(match value {
        Value::Uint(value) => *value,
        Value::Int(value) => u64::try_from(*value).map_err(|_| range())?,
        Value::Double(value) => {
            if !(*value >= 0.0 && *value < 18_446_744_073_709_551_616.0) {
                return Err(range());
            }
            *value as u64
        }
        Value::Text(text) => match text.as_str().parse() {
            Ok(value) => value,
            Err(_) => return told("type conversion error from 'string' to 'uint'"),
        },
        _ => return no_overload(),
    }))
}

#[allow(clippy::cast_precision_loss, reason = "as in CEL")]
fn double<'v>(value: &Value<'v>) -> Result<Value<'v>> {
    Ok(Value::Double(match value {
        Value::Double(value) => *value,
        Value::Int(value) => *value as f64,
        Value::Uint(value) => *value as f64,
        Value::Text(text) => match text.as_str().parse() {
            Ok(value) => value,
            Err(_) => return told("type conversion error from 'string' to 'double'"),
        },
        _ => return no_overload(),
    }))
}

/// Shows a value as `string()` does.
pub(super) fn shown(value: &Value<'_>) -> String {
    match value {
        Value::Null => "null".to_owned(),
        Value::Bool(value) => value.to_string(),
        Value::Int(value) => value.to_string(),
        Value::Uint(value) => value.to_string(),
        Value::Double(value) => value.to_string(),
        Value::Text(text) => text.as_str().to_owned(),
        Value::Bytes(bytes) => String::from_utf8_lossy(bytes).into_owned(),
        Value::Time(time) => time.to_string(),
        Value::Span(span) => seconds(*span),
        Value::Type(name) => (*name).to_owned(),
        Value::List(_) | Value::Map(_) | Value::Optional(_) => value.type_name().to_owned(),
    }
}

/// `90s`, `0.5s`.
fn seconds(span: SignedDuration) -> String {
    let nanos = span.as_nanos();
    let sign = if nanos < 0 { "-" } else { "" };
    let nanos = nanos.unsigned_abs();
    let (whole, part) = (nanos / 1_000_000_000, nanos % 1_000_000_000);
    match part {
        0 => format!("{sign}{whole}s"),
        part => {
            let part = format!("{part:09}");
            format!("{sign}{whole}.{}s", part.trim_end_matches('0'))
        }
    }
}
