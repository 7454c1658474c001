//! The functions that Helm gives templates: Go's own, Sprig's, and Helm's. One table; the modules
//! below hold what they do, by what they work on.

mod crypto;
mod data;
mod date;
mod dict;
mod helm;
mod keys;
mod list;
mod math;
mod methods;
mod regex;
mod text;
mod toml;
mod toml_read;
mod url;
mod words;

use std::cell::RefCell;
use std::collections::HashMap;

use bulkhead_template::{Error, Functions, Run, Value, builtin, bytes, format};

use crate::random::Random;

pub(crate) use self::regex::compile;
pub(crate) use self::url::read_url;
pub use data::Lookup;
pub(crate) use helm::{WARN_END, WARN_START, without_no_value};
pub(crate) use methods::VALUES_METHODS;

/// Steps that a function takes which is slow by design: keys and hashes of passwords.
const SLOW_STEPS: u64 = 1_000_000;

type Answer = Result<Value, Error>;

/// What functions know besides their arguments.
pub(crate) struct Context {
    /// Names that are being included, and how often.
    pub(crate) included: RefCell<HashMap<String, usize>>,
    pub(crate) random: RefCell<Random>,
    /// The time that `now` tells, in nanoseconds since 1970.
    pub(crate) now: i128,
    pub(crate) lookup: Option<Lookup>,
    /// What no message may show; `lookup` adds to it.
    pub(crate) secrets: std::rc::Rc<crate::secrets::Secrets>,
    pub(crate) patterns: RefCell<HashMap<String, Result<self::regex::Expression, String>>>,
}

/// Finds the context of a run.
fn context<'r>(run: &Run<'r>) -> Result<&'r Context, Error> {
    run.context
        .downcast_ref()
        .ok_or_else(|| "no context".into())
}

/// All functions.
pub(crate) fn all() -> Functions {
    let mut functions = Functions::new();
    for table in [
        text::TABLE,
        words::TABLE,
        list::TABLE,
        dict::TABLE,
        math::TABLE,
        data::TABLE,
        date::TABLE,
        crypto::TABLE,
        keys::TABLE,
        regex::TABLE,
        url::TABLE,
        helm::TABLE,
    ] {
        functions.extend(table.iter().copied());
    }
    builtin::add(&mut functions);
    functions
}

/// The text of an argument that the executor has checked.
fn text_of(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// The number of an argument that the executor has checked.
fn int_of(value: &Value) -> i64 {
    match value {
        Value::Int(number, _) => *number,
        _ => 0,
    }
}

/// Sprig's `strval`.
fn strval(value: &Value) -> String {
    match value {
        Value::String(text) => text.to_string(),
        Value::Bytes(data) => bytes::to_text(data).into_owned(),
        other => format::text(other),
    }
}

/// Sprig's `empty`.
fn is_empty(value: &Value) -> bool {
    !value.truth()
}

/// cast.ToInt64: 0 for what is no number.
fn to_int(value: &Value) -> i64 {
    match value {
        Value::Int(number, bulkhead_template::IntType::Named(..)) => {
            let _ = number;
            0
        }
        Value::Int(number, _) => *number,
        Value::Float(number) => float_to_int(*number),
        Value::Bool(value) => i64::from(*value),
        Value::String(text) => {
            bulkhead_template::number::parse_int(trim_zero_decimal(text)).unwrap_or(0)
        }
        _ => 0,
    }
}

/// As Go converts on amd64: what does not fit becomes the smallest number.
fn float_to_int(number: f64) -> i64 {
    if (-9_223_372_036_854_775_808.0..9_223_372_036_854_775_808.0).contains(&number) {
        number as i64
    } else {
        i64::MIN
    }
}

/// Drops `.0` and the like from the end of a number.
fn trim_zero_decimal(text: &str) -> &str {
    match text.trim_end_matches('0').strip_suffix('.') {
        Some(whole) if text.ends_with('0') => whole,
        _ => text,
    }
}

/// cast.ToFloat64: 0 for what is no number.
fn to_float(value: &Value) -> f64 {
    match value {
        Value::Int(_, bulkhead_template::IntType::Named(..)) => 0.0,
        Value::Int(number, kind) if kind.is_signed() => *number as f64,
        Value::Int(number, _) => *number as u64 as f64,
        Value::Float(number) => *number,
        Value::Bool(value) => f64::from(u8::from(*value)),
        Value::String(text) => bulkhead_template::number::parse_float(text).unwrap_or(0.0),
        _ => 0.0,
    }
}

/// The elements of a slice of any kind; `None` for what is not one.
fn elements(value: &Value) -> Option<Vec<Value>> {
    match value {
        Value::List(list) => Some(list.items.to_vec()),
        Value::Bytes(data) => {
            let item = |byte: &u8| Value::Int(i64::from(*byte), bulkhead_template::IntType::Uint8);
            Some(data.iter().map(item).collect())
        }
        _ => None,
    }
}

/// What Go says where a type is asked of nil.
const NIL_POINTER: &str = "runtime error: invalid memory address or nil pointer dereference";

/// Deepest nesting that is compared: beyond, a map holds itself, which Go takes for equal.
const MAX_EQUAL_DEPTH: usize = 1_000;

/// `reflect.DeepEqual`.
pub(crate) fn deep_equal(one: &Value, other: &Value) -> bool {
    equal_at(one, other, 0)
}

fn equal_at(one: &Value, other: &Value, depth: usize) -> bool {
    if depth > MAX_EQUAL_DEPTH {
        return true;
    }
    let deep_equal = |one: &Value, other: &Value| equal_at(one, other, depth + 1);
    match (one, other) {
        (Value::Invalid | Value::Nil, Value::Invalid | Value::Nil) => true,
        (Value::Bool(a), Value::Bool(b)) => a == b,
        (Value::Int(a, kind), Value::Int(b, other)) => a == b && kind == other,
        (Value::Float(a), Value::Float(b)) => a == b,
        (Value::String(a), Value::String(b)) => a == b,
        (Value::Bytes(a), Value::Bytes(b)) => a == b,
        (Value::List(a), Value::List(b)) => {
            a.element == b.element
                && a.is_nil == b.is_nil
                && a.items.len() == b.items.len()
                && a.items
                    .iter()
                    .zip(b.items.iter())
                    .all(|(a, b)| deep_equal(a, b))
        }
        (Value::Map(a), Value::Map(b)) => {
            if std::rc::Rc::ptr_eq(&a.entries, &b.entries) {
                return a.type_name == b.type_name;
            }
            let (left, right) = (a.entries.borrow(), b.entries.borrow());
            a.type_name == b.type_name
                && a.is_nil == b.is_nil
                && left.len() == right.len()
                && left
                    .iter()
                    .all(|(key, a)| right.get(key).is_some_and(|b| deep_equal(a, b)))
        }
        (Value::Object(a), Value::Object(b)) => {
            std::rc::Rc::ptr_eq(a, b) || (a.type_name() == b.type_name() && a.print() == b.print())
        }
        _ => false,
    }
}
