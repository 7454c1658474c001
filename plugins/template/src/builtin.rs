//! The functions that every template has, as Go 1.26's text/template defines them (funcs.go).

use std::cmp::Ordering;
use std::rc::Rc;

use crate::bytes;
use crate::error::Error;
use crate::exec::Run;
use crate::format;
use crate::func::{Function, Functions, Param, fixed, variadic};
use crate::quote::is_print;
use crate::value::{IntType, List, Value};

const RAW: Param = Param::Raw;

/// Adds the built-in functions; those that are there already stay.
pub fn add(functions: &mut Functions) {
    for (name, function) in BUILT_IN {
        functions.entry(name).or_insert(*function);
    }
}

const BUILT_IN: &[(&str, Function)] = &[
    // `and` and `or` are evaluated by the executor: they stop early.
    ("and", variadic(&[RAW], RAW, nothing)),
    ("or", variadic(&[RAW], RAW, nothing)),
    (
        "call",
        variadic(&[RAW], RAW, |_, _| Err("call of nil".into())),
    ),
    ("html", variadic(&[], Param::Any, html)),
    ("index", variadic(&[RAW], RAW, index)),
    ("slice", variadic(&[RAW], RAW, slice)),
    ("js", variadic(&[], Param::Any, js)),
    ("len", fixed(&[RAW], len)),
    (
        "not",
        fixed(&[RAW], |_, args| Ok(Value::Bool(!args[0].truth()))),
    ),
    (
        "print",
        variadic(&[], Param::Any, |_, args| Ok(format::sprint(args).into())),
    ),
    ("printf", variadic(&[Param::String], Param::Any, printf)),
    (
        "println",
        variadic(&[], Param::Any, |_, args| Ok(format::sprintln(args).into())),
    ),
    (
        "urlquery",
        variadic(&[], Param::Any, |_, args| {
            Ok(url_query(&joined(args)).into())
        }),
    ),
    (
        "eq",
        variadic(&[RAW], RAW, |_, args| {
            Ok(Value::Bool(eq(&args[0], &args[1..])?))
        }),
    ),
    (
        "ne",
        fixed(&[RAW, RAW], |_, args| {
            Ok(Value::Bool(!eq(&args[0], &args[1..])?))
        }),
    ),
    (
        "lt",
        fixed(&[RAW, RAW], |_, args| {
            Ok(Value::Bool(lt(&args[0], &args[1])?))
        }),
    ),
    (
        "le",
        fixed(&[RAW, RAW], |_, args| {
            Ok(Value::Bool(le(&args[0], &args[1])?))
        }),
    ),
    (
        "gt",
        fixed(&[RAW, RAW], |_, args| {
            Ok(Value::Bool(!le(&args[0], &args[1])?))
        }),
    ),
    (
        "ge",
        fixed(&[RAW, RAW], |_, args| {
            Ok(Value::Bool(!lt(&args[0], &args[1])?))
        }),
    ),
];

fn nothing(_: &mut Run<'_>, _: &[Value]) -> Result<Value, Error> {
    Ok(Value::Invalid)
}

fn printf(_: &mut Run<'_>, args: &[Value]) -> Result<Value, Error> {
    let format = args[0].as_str().unwrap_or_default();
    Ok(format::sprintf(format, &args[1..]).into())
}

fn len(_: &mut Run<'_>, args: &[Value]) -> Result<Value, Error> {
    let length = match &args[0] {
        Value::Invalid => {
            return Err("reflect: call of reflect.Value.Type on zero Value".into());
        }
        Value::Nil => return Err("len of nil pointer".into()),
        Value::String(text) => bytes::len(text),
        Value::Bytes(bytes) => bytes.len(),
        Value::List(list) => list.items.len(),
        Value::Map(map) => map.entries.borrow().len(),
        Value::Object(object) if object.entries().is_some() => {
            object.entries().unwrap_or_default().len()
        }
        other => return Err(format!("len of type {}", pointed(other)).into()),
    };
    Ok(Value::int(length as i64))
}

/// The type that a pointer points at, or that a value has.
fn pointed(value: &Value) -> String {
    value.type_name().trim_start_matches('*').to_owned()
}

fn position(index: &Value, most: usize) -> Result<usize, String> {
    match index {
        Value::Int(at, _) => usize::try_from(*at)
            .ok()
            .filter(|at| *at <= most)
            .ok_or_else(|| format!("index out of range: {at}")),
        Value::Invalid | Value::Nil => Err("cannot index slice/array with nil".to_owned()),
        other => Err(format!(
            "cannot index slice/array with type {}",
            other.type_name()
        )),
    }
}

fn index(_: &mut Run<'_>, args: &[Value]) -> Result<Value, Error> {
    let mut item = args[0].clone();
    if item.is_nil() {
        return Err("index of untyped nil".into());
    }
    for key in &args[1..] {
        item = index_one(&item, key)?;
    }
    Ok(item)
}

fn index_one(item: &Value, key: &Value) -> Result<Value, String> {
    // Go lets an index of just the length through, and panics then.
    let past = |at: usize, length: usize| {
        format!("reflect: slice index out of range: {at} with length {length}")
    };
    match item {
        Value::Invalid | Value::Nil => Err("index of nil pointer".to_owned()),
        Value::String(text) => {
            let text = bytes::of(text);
            let at = position(key, text.len())?;
            let byte = text.get(at);
            let byte = byte.ok_or("reflect: string index out of range")?;
            Ok(Value::Int(i64::from(*byte), IntType::Uint8))
        }
        Value::Bytes(bytes) => {
            let at = position(key, bytes.len())?;
            let byte = bytes.get(at).ok_or_else(|| past(at, bytes.len()))?;
            Ok(Value::Int(i64::from(*byte), IntType::Uint8))
        }
        Value::List(list) => {
            let at = position(key, list.items.len())?;
            list.items
                .get(at)
                .cloned()
                .ok_or_else(|| "reflect: slice index out of range".to_owned())
        }
        Value::Map(map) => match key {
            Value::String(name) => {
                let missing = if map.type_name == "map[string]string" {
                    "".into()
                } else {
                    Value::Nil
                };
                Ok(map.entries.borrow().get(name).cloned().unwrap_or(missing))
            }
            Value::Invalid | Value::Nil => Err("value is nil; should be of type string".to_owned()),
            other => Err(format!(
                "value has type {}; should be string",
                other.type_name()
            )),
        },
        Value::Object(object) => {
            let entries = object.entries();
            let entries =
                entries.ok_or_else(|| format!("can't index item of type {}", pointed(item)))?;
            let name = key
                .as_str()
                .ok_or_else(|| format!("value has type {}; should be string", key.type_name()))?;
            let found = entries
                .into_iter()
                .find(|(known, _)| known.as_str() == Some(name));
            Ok(found.map_or(Value::Nil, |(_, value)| value))
        }
        other => Err(format!("can't index item of type {}", other.type_name())),
    }
}

fn slice(_: &mut Run<'_>, args: &[Value]) -> Result<Value, Error> {
    let (item, bounds) = (&args[0], &args[1..]);
    if bounds.len() > 3 {
        return Err(format!("too many slice indexes: {}", bounds.len()).into());
    }
    let length = match item {
        Value::Invalid | Value::Nil => return Err("slice of untyped nil".into()),
        Value::String(_) if bounds.len() == 3 => {
            return Err("cannot 3-index slice a string".into());
        }
        Value::String(text) => bytes::len(text),
        Value::Bytes(bytes) => bytes.len(),
        Value::List(list) => list.items.len(),
        other => return Err(format!("can't slice item of type {}", other.type_name()).into()),
    };
    let mut at = [0, length, length];
    for (slot, bound) in at.iter_mut().zip(bounds) {
        *slot = position(bound, length)?;
    }
    for (low, high) in [(at[0], at[1]), (at[1], at[2])] {
        if low > high {
            return Err(format!("invalid slice index: {low} > {high}").into());
        }
    }
    let range = at[0]..at[1];
    Ok(match item {
        Value::String(text) => bytes::slice(text, range.start, range.end)
            .unwrap_or_default()
            .into(),
        Value::Bytes(bytes) => Value::Bytes(bytes[range].into()),
        Value::List(list) => Value::List(List {
            items: Rc::new(list.items[range].to_vec()),
            element: list.element,
            is_nil: false,
        }),
        _ => Value::Nil,
    })
}

/// Kinds that can be compared.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Other,
    Bool,
    Int,
    Float,
    String,
    Uint,
    Complex,
}

fn kind(value: &Value) -> Kind {
    match value {
        Value::Bool(_) => Kind::Bool,
        Value::Int(_, kind) if kind.is_signed() => Kind::Int,
        Value::Int(..) => Kind::Uint,
        Value::Float(_) => Kind::Float,
        Value::String(_) => Kind::String,
        Value::Complex(..) => Kind::Complex,
        _ => Kind::Other,
    }
}

fn incompatible(one: &Value, other: &Value) -> String {
    format!(
        "incompatible types for comparison: {} and {}",
        one.type_name(),
        other.type_name()
    )
}

/// Tells whether a value equals one of several.
///
/// # Errors
/// What Go says of types that cannot be compared.
pub fn eq(one: &Value, others: &[Value]) -> Result<bool, String> {
    if others.is_empty() {
        return Err("missing argument for comparison".to_owned());
    }
    for other in others {
        let equal = match (one, other) {
            (Value::Bool(a), Value::Bool(b)) => a == b,
            (Value::Float(a), Value::Float(b)) => a == b,
            (Value::Complex(a, i), Value::Complex(b, j)) => a == b && i == j,
            (Value::String(a), Value::String(b)) => a == b,
            (Value::Int(a, kind_a), Value::Int(b, kind_b)) => {
                a == b && (kind_a.is_signed() == kind_b.is_signed() || *a >= 0)
            }
            _ if kind(one) != kind(other) => {
                if !one.is_nil() && !other.is_nil() {
                    return Err(incompatible(one, other));
                }
                false
            }
            _ => eq_other(one, other)?,
        };
        if equal {
            return Ok(true);
        }
    }
    Ok(false)
}

fn eq_other(one: &Value, other: &Value) -> Result<bool, String> {
    let is_nil = |value: &Value| match value {
        Value::List(list) => list.is_nil,
        Value::Map(map) => map.is_nil,
        value => value.is_nil(),
    };
    if one.is_nil() || other.is_nil() {
        return Ok(is_nil(one) && is_nil(other));
    }
    if one.kind() == other.kind() && (is_nil(one) || is_nil(other)) {
        return Ok(is_nil(one) && is_nil(other));
    }
    if one.kind() != other.kind() {
        return Err(format!(
            "non-comparable types {}: {}, {}: {}",
            format::sprintf("%s", std::slice::from_ref(one)),
            one.type_name(),
            other.type_name(),
            format::text(other)
        ));
    }
    match (one, other) {
        (Value::Object(a), Value::Object(b)) => Ok(Rc::ptr_eq(a, b)),
        _ => Err(format!(
            "non-comparable type {}: {}",
            format::sprintf("%s", std::slice::from_ref(other)),
            other.type_name()
        )),
    }
}

fn lt(one: &Value, other: &Value) -> Result<bool, String> {
    let order = |a: Option<Ordering>| a == Some(Ordering::Less);
    match (one, other) {
        (Value::Int(a, kind_a), Value::Int(b, kind_b)) => {
            Ok(match (kind_a.is_signed(), kind_b.is_signed()) {
                (true, true) => a < b,
                (true, false) => *a < 0 || (*a as u64) < *b as u64,
                (false, true) => *b >= 0 && (*a as u64) < *b as u64,
                (false, false) => (*a as u64) < *b as u64,
            })
        }
        (Value::Float(a), Value::Float(b)) => Ok(order(a.partial_cmp(b))),
        (Value::String(a), Value::String(b)) => Ok(a.as_bytes() < b.as_bytes()),
        _ if kind(one) == Kind::Other || kind(other) == Kind::Other => {
            Err("invalid type for comparison".to_owned())
        }
        (Value::Bool(_), Value::Bool(_)) | (Value::Complex(..), Value::Complex(..)) => {
            Err("invalid type for comparison".to_owned())
        }
        _ => Err(incompatible(one, other)),
    }
}

fn le(one: &Value, other: &Value) -> Result<bool, String> {
    Ok(lt(one, other)? || eq(one, std::slice::from_ref(other))?)
}

fn joined(args: &[Value]) -> String {
    if let [Value::String(text)] = args {
        return text.to_string();
    }
    let args: Vec<Value> = args
        .iter()
        .map(|arg| {
            if arg.is_nil() {
                "<no value>".into()
            } else {
                arg.clone()
            }
        })
        .collect();
    format::sprint_shown(&args)
}

fn html(_: &mut Run<'_>, args: &[Value]) -> Result<Value, Error> {
    let mut out = String::new();
    for c in joined(args).chars() {
        match c {
            '\0' => out.push('\u{fffd}'),
            '"' => out.push_str("&#34;"),
            '\'' => out.push_str("&#39;"),
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            c => out.push(c),
        }
    }
    Ok(out.into())
}

fn js(_: &mut Run<'_>, args: &[Value]) -> Result<Value, Error> {
    let mut out = String::new();
    for c in joined(args).chars() {
        match c {
            '\\' | '\'' | '"' => out.extend(['\\', c]),
            '<' | '>' | '&' | '=' => out.push_str(&format!("\\u{:04X}", c as u32)),
            c if c < ' ' => out.push_str(&format!("\\u{:04X}", c as u32)),
            c if c.is_ascii() || is_print(c) || bytes::stands_for(c).is_some() => out.push(c),
            c => out.push_str(&format!("\\u{:04X}", c as u32)),
        }
    }
    Ok(out.into())
}

/// Escapes a text for the query of a URL, as `url.QueryEscape` does.
pub fn url_query(text: &str) -> String {
    let mut out = String::new();
    for byte in bytes::of(text).iter().copied() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => {
                out.push(byte as char);
            }
            b' ' => out.push('+'),
            byte => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}
