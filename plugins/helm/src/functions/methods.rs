//! Methods of values that are no structs: `common.Values`, which `.Values` is, and Go's `time` integers.

use bulkhead_template::{Function, IntType, Param, Value, fixed, format};

use super::dict::{entry, typed};
use super::{date, int_of, text_of};

const M: Param = Param::Map;
const S: Param = Param::String;
const D: Param = Param::Named(DURATION);

const VALUES: &str = "common.Values";
const DURATION: &str = "time.Duration";

/// By type and name; the first parameter is the value itself.
pub(crate) const VALUES_METHODS: &[(&str, &str, Function)] = &[
    (VALUES, "AsMap", fixed(&[M], |_, a| Ok(typed(&a[0])))),
    (
        VALUES,
        "YAML",
        fixed(&[M], |_, a| Ok(crate::yaml::write(&a[0])?.into())),
    ),
    (VALUES, "Table", fixed(&[M, S], |_, a| table(a))),
    (VALUES, "PathValue", fixed(&[M, S], |_, a| path_value(a))),
    (
        DURATION,
        "Hours",
        fixed(&[D], |_, a| Ok(Value::Float(date::in_unit(&a[0], 3_600)))),
    ),
    (
        DURATION,
        "Minutes",
        fixed(&[D], |_, a| Ok(Value::Float(date::in_unit(&a[0], 60)))),
    ),
    (
        DURATION,
        "Seconds",
        fixed(&[D], |_, a| Ok(Value::Float(date::in_unit(&a[0], 1)))),
    ),
    (
        DURATION,
        "Milliseconds",
        fixed(&[D], |_, a| Ok(long(int_of(&a[0]) / 1_000_000))),
    ),
    (
        DURATION,
        "Microseconds",
        fixed(&[D], |_, a| Ok(long(int_of(&a[0]) / 1_000))),
    ),
    (
        DURATION,
        "Nanoseconds",
        fixed(&[D], |_, a| Ok(long(int_of(&a[0])))),
    ),
    (
        DURATION,
        "Abs",
        fixed(&[D], |_, a| {
            Ok(date::duration_value(int_of(&a[0]).saturating_abs()))
        }),
    ),
    (
        DURATION,
        "Round",
        fixed(&[D, D], |_, a| {
            Ok(date::duration_value(date::round(
                int_of(&a[0]),
                int_of(&a[1]),
            )))
        }),
    ),
    (
        DURATION,
        "Truncate",
        fixed(&[D, D], |_, a| {
            Ok(date::duration_value(date::truncate(
                int_of(&a[0]),
                int_of(&a[1]),
            )))
        }),
    ),
    (DURATION, "String", PRINTED),
    ("time.Month", "String", PRINTED),
    ("time.Weekday", "String", PRINTED),
];

const PRINTED: Function = fixed(&[D], |_, a| Ok(format::text(&a[0]).into()));

fn long(number: i64) -> Value {
    Value::Int(number, IntType::Int64)
}

fn table(args: &[Value]) -> super::Answer {
    let mut found = args[0].clone();
    for name in text_of(&args[1]).split('.') {
        found = match entry(&found, name) {
            Some(Value::Map(map)) => Value::Map(map.named(VALUES)),
            _ => return Err(format!("{name:?} is not a table").into()),
        };
    }
    Ok(found)
}

fn path_value(args: &[Value]) -> super::Answer {
    let path = text_of(&args[1]);
    if path.is_empty() {
        return Err("YAML path cannot be empty".into());
    }
    let (tables, key) = path
        .rsplit_once('.')
        .map_or(("", path), |(tables, key)| (tables, key));
    let mut found = Some(args[0].clone());
    for name in tables.split('.').filter(|name| !name.is_empty()) {
        found = found.and_then(|map| entry(&map, name));
    }
    match found.and_then(|map| entry(&map, key)) {
        Some(value) if !matches!(value, Value::Map(_)) => Ok(value),
        _ => Err(format!("{key:?} is not a value").into()),
    }
}
