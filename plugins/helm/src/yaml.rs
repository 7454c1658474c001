//! YAML to values and back, through sigs.k8s.io/yaml's rules: numbers come in as floats, as Helm 4.3
//! has them, and go out by way of JSON.

use bulkhead_template::{Entries, IntType, Plain, Value, bytes, format};
use bulkhead_yaml as yaml;
use bulkhead_yaml::{EmitOptions, Limits, sigs};

/// Reads the first document of a text.
pub(crate) fn parse(text: &str) -> Result<Value, String> {
    read(text, false)
}

/// Reads the first document of a text; whole numbers stay whole, for fields that are texts.
pub(crate) fn parse_typed(text: &str) -> Result<Value, String> {
    read(text, true)
}

/// Reads as [`parse_typed`] does. Of a map only the fields with these names come back, in whatever
/// case, but all of it is checked.
pub(crate) fn parse_fields(text: &str, names: &[&str]) -> Result<Value, String> {
    let told = |error: String| format!("error converting YAML to JSON: {error}");
    let items = match decode(text)? {
        yaml::Value::Mapping(items) | yaml::Value::Struct(items) => items,
        other => return from_yaml(other, true).map_err(told),
    };
    let mut entries = Entries::new();
    for (key, item) in items {
        let name = key_text(key, &item).map_err(told)?;
        if names.iter().any(|wanted| name.eq_ignore_ascii_case(wanted)) {
            let item = from_yaml(item, true).map_err(told)?;
            entries.insert(name.into(), item);
        } else {
            check(&item).map_err(told)?;
        }
    }
    Ok(Value::map(entries))
}

/// The text that a field of type string makes of a value; `None` if it is an error.
pub(crate) fn field_text(value: &Value) -> Option<String> {
    match value {
        Value::Nil => Some(String::new()),
        Value::String(text) => Some(text.to_string()),
        Value::Bool(_) | Value::Int(..) | Value::Float(_) => {
            Some(bulkhead_template::format::text(value))
        }
        _ => None,
    }
}

fn read(text: &str, whole: bool) -> Result<Value, String> {
    let document = decode(text)?;
    from_yaml(document, whole).map_err(|error| format!("error converting YAML to JSON: {error}"))
}

fn decode(text: &str) -> Result<yaml::Value, String> {
    let plain = bytes::lossy(text);
    let read = sigs::read(plain.as_bytes(), false, &Limits::DEFAULT);
    read.map_err(|error| format!("error converting YAML to JSON: {error}"))
}

/// Reads the first document of a text, which has to be a map.
pub(crate) fn parse_map(text: &str) -> Result<Entries, String> {
    match parse(text)? {
        Value::Nil => Ok(Entries::new()),
        Value::Map(map) => Ok(take(map)),
        other => Err(wrong_type(&other, "map[string]interface {}")),
    }
}

/// Takes the entries out of a map that nobody else holds.
pub(crate) fn take(map: bulkhead_template::Map) -> Entries {
    std::mem::take(&mut *map.entries.borrow_mut())
}

/// What encoding/json says of a value that does not fit.
pub(crate) fn wrong_type(value: &Value, wanted: &str) -> String {
    format!(
        "error unmarshaling JSON: while decoding JSON: {}",
        cannot_unmarshal(value, wanted)
    )
}

/// What encoding/json says of a value that does not fit, by itself.
pub(crate) fn cannot_unmarshal(value: &Value, wanted: &str) -> String {
    let kind = match value {
        Value::String(_) => "string",
        Value::Float(_) | Value::Int(..) => "number",
        Value::Bool(_) => "bool",
        Value::List(_) => "array",
        _ => "object",
    };
    format!("json: cannot unmarshal {kind} into Go value of type {wanted}")
}

fn from_yaml(value: yaml::Value, whole: bool) -> Result<Value, String> {
    Ok(match value {
        yaml::Value::Null => Value::Nil,
        yaml::Value::Bool(value) => Value::Bool(value),
        yaml::Value::Int(number) if whole => Value::int(number),
        yaml::Value::Int(number) => Value::Float(number as f64),
        yaml::Value::Uint(number) => Value::Float(number as f64),
        yaml::Value::Float(number) if !number.is_finite() => {
            return Err(crate::json::number(number).err().unwrap_or_default());
        }
        yaml::Value::Float(number) => Value::Float(number),
        yaml::Value::Timestamp(text) | yaml::Value::String(text) => text.into(),
        yaml::Value::Binary(bytes) => bytes::lossy(&bytes::to_text(&bytes)).into_owned().into(),
        yaml::Value::Sequence(items) => Value::list(
            items
                .into_iter()
                .map(|item| from_yaml(item, whole))
                .collect::<Result<_, _>>()?,
        ),
        yaml::Value::Mapping(items) | yaml::Value::Struct(items) => {
            let mut entries = Entries::new();
            for (key, item) in items {
                let name = key_text(key, &item)?;
                entries.insert(name.into(), from_yaml(item, whole)?);
            }
            Value::map(entries)
        }
    })
}

/// Fails where [`from_yaml`] does, without what it makes.
fn check(value: &yaml::Value) -> Result<(), String> {
    match value {
        yaml::Value::Float(number) if !number.is_finite() => {
            Err(crate::json::number(*number).err().unwrap_or_default())
        }
        yaml::Value::Sequence(items) => items.iter().try_for_each(check),
        yaml::Value::Mapping(items) | yaml::Value::Struct(items) => {
            items.iter().try_for_each(|(key, item)| {
                if !matches!(key, yaml::Value::String(_)) {
                    key_text(key.clone(), item)?;
                }
                check(item)
            })
        }
        _ => Ok(()),
    }
}

/// The text that JSON makes of a key.
fn key_text(key: yaml::Value, item: &yaml::Value) -> Result<String, String> {
    match key {
        yaml::Value::String(name) => Ok(name),
        other => other.json_key().ok_or_else(|| {
            let map = yaml::Value::Mapping(vec![(other, item.clone())]);
            let told = sigs::to_json(&map).err();
            told.map_or_else(String::new, |error| error.to_string())
        }),
    }
}

/// Writes a value as `toYaml` does, the last line break included.
pub(crate) fn write(value: &Value) -> Result<String, String> {
    let plain = to_yaml(value, true, 0)?;
    sigs::to_yaml(&plain).map_err(|error| error.to_string())
}

/// Writes a value as `toYamlPretty` does: go-yaml v3 with two columns.
pub(crate) fn write_pretty(value: &Value) -> Result<String, String> {
    let plain = to_yaml(value, false, 0)?;
    Ok(yaml::emit_value(&plain, EmitOptions::kyaml_wide()))
}

/// Deepest nesting that is written: beyond, a map may hold itself.
const MAX_DEPTH: usize = 1_000;

fn to_yaml(value: &Value, is_json: bool, depth: usize) -> Result<yaml::Value, String> {
    if depth > MAX_DEPTH {
        let type_name = value.type_name();
        return Err(format!(
            "json: unsupported value: encountered a cycle via {type_name}"
        ));
    }
    let inner = |item: &Value| to_yaml(item, is_json, depth + 1);
    Ok(match value {
        Value::Invalid | Value::Nil => yaml::Value::Null,
        Value::Bool(value) => yaml::Value::Bool(*value),
        Value::Int(_, IntType::Named("time.Duration", _)) if !is_json => {
            yaml::Value::String(format::text(value))
        }
        Value::Int(number, kind) if kind.is_signed() => yaml::Value::Int(*number),
        Value::Int(number, _) => yaml::Value::Uint(*number as u64),
        Value::Float(number) => yaml::Value::Float(*number),
        Value::Complex(..) => return Err("json: unsupported type: complex128".to_owned()),
        Value::String(text) => yaml::Value::String(bytes::lossy(text).into_owned()),
        Value::Bytes(bytes) if is_json => yaml::Value::String(crate::encoding::base64(bytes)),
        Value::Bytes(bytes) => yaml::Value::Sequence(
            bytes
                .iter()
                .map(|byte| yaml::Value::Int(i64::from(*byte)))
                .collect(),
        ),
        Value::List(list) if list.is_nil && is_json => yaml::Value::Null,
        Value::Map(map) if map.is_nil && is_json => yaml::Value::Null,
        Value::List(list) => {
            yaml::Value::Sequence(list.items.iter().map(inner).collect::<Result<_, _>>()?)
        }
        Value::Map(map) => {
            let entry = |(key, item): (&std::rc::Rc<str>, &Value)| {
                let key = yaml::Value::String(bytes::lossy(key).into_owned());
                Ok((key, inner(item)?))
            };
            yaml::Value::Mapping(
                map.entries
                    .borrow()
                    .iter()
                    .map(entry)
                    .collect::<Result<_, String>>()?,
            )
        }
        Value::Object(object) if !is_json => match (object.go_fields(), object.plain()) {
            // go-yaml names a field by its name in lower case.
            (Some(fields), _) | (None, Plain::Struct(fields)) => {
                let entry = |(key, item): &(&str, Value)| {
                    Ok((yaml::Value::String(key.to_lowercase()), inner(item)?))
                };
                yaml::Value::Struct(fields.iter().map(entry).collect::<Result<_, String>>()?)
            }
            (None, Plain::Value(Value::String(text))) if crate::time::Time::of(value).is_some() => {
                yaml::Value::Timestamp(text.to_string())
            }
            (None, Plain::Value(value)) => inner(&value)?,
        },
        Value::Object(object) => match object.plain() {
            Plain::Value(value) => inner(&value)?,
            Plain::Struct(fields) => {
                let entry = |(key, item): &(&str, Value)| {
                    Ok((yaml::Value::String((*key).to_owned()), inner(item)?))
                };
                yaml::Value::Mapping(fields.iter().map(entry).collect::<Result<_, String>>()?)
            }
        },
    })
}
