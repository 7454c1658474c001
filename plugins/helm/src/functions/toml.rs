//! TOML as BurntSushi/toml 1.6 writes it: values first, then tables, each sorted by name.

use std::rc::Rc;

use bulkhead_template::{IntType, Plain, Value, format};

/// Deepest nesting that is written.
const MAX_DEPTH: usize = 500;

/// Writes a map, or a struct, as a document.
pub(super) fn write(value: &Value) -> Result<String, String> {
    let mut out = String::new();
    match plain(value) {
        Value::Invalid | Value::Nil => {
            return Err("reflect: call of reflect.Value.Type on zero Value".to_owned());
        }
        value if fields(&value).is_some() => {
            table(&mut out, &[], &fields(&value).unwrap_or_default())?
        }
        value if is_table_array(&value) => {
            return Err("toml: top-level values must be Go maps or structs".to_owned());
        }
        value => element(&mut out, &value)?,
    }
    Ok(out)
}

/// A time, as TOML writes it; `None` for other values.
fn moment(value: &Value) -> Option<String> {
    let time = crate::time::Time::of(value)?;
    let layout = match time.place.name() {
        "datetime-local" => "2006-01-02T15:04:05.999999999",
        "date-local" => "2006-01-02",
        "time-local" => "15:04:05.999999999",
        _ => "2006-01-02T15:04:05.999999999Z07:00",
    };
    Some(time.format(layout))
}

fn plain(value: &Value) -> Value {
    if moment(value).is_some() {
        return value.clone();
    }
    match value {
        Value::Object(object) => match object.plain() {
            Plain::Value(value) => value,
            Plain::Struct(_) => value.clone(),
        },
        other => other.clone(),
    }
}

/// What a table holds, in the order in which it is written: by name, or as a struct declares it.
type Fields = Vec<(Rc<str>, Value)>;

fn fields(value: &Value) -> Option<Fields> {
    let owned = |(key, value): (&'static str, Value)| (key.into(), value);
    match value {
        Value::Map(map) => {
            let entries = map.entries.borrow();
            Some(
                entries
                    .iter()
                    .map(|(key, value)| (key.clone(), value.clone()))
                    .collect(),
            )
        }
        Value::Object(object) if moment(value).is_none() => {
            match (object.go_fields(), object.plain()) {
                (Some(fields), _) | (None, Plain::Struct(fields)) => {
                    Some(fields.into_iter().map(owned).collect())
                }
                _ => None,
            }
        }
        _ => None,
    }
}

fn is_table(value: &Value) -> bool {
    fields(value).is_some() || is_table_array(value)
}

/// A list of nothing but tables, and of at least one.
fn is_table_array(value: &Value) -> bool {
    match value {
        Value::List(list) => {
            !list.items.is_empty() && list.items.iter().all(|item| fields(&plain(item)).is_some())
        }
        _ => false,
    }
}

fn key(name: &str) -> String {
    let is_bare = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
    if name.is_empty() {
        return "\"\"".to_owned();
    }
    if name.chars().all(is_bare) {
        name.to_owned()
    } else {
        text(name)
    }
}

fn joined(path: &[String]) -> String {
    let keys: Vec<String> = path.iter().map(|name| key(name)).collect();
    keys.join(".")
}

/// Tells whether it is left out of a table: nil, lists and maps that are nil included (toml 1.6,
/// encode.go, isNil).
fn is_nil(value: &Value) -> bool {
    match value {
        Value::List(list) => list.is_nil,
        Value::Map(map) => map.is_nil,
        other => other.is_nil(),
    }
}

/// Writes a table's values, then the tables inside it.
fn table(out: &mut String, path: &[String], entries: &Fields) -> Result<(), String> {
    if path.len() > MAX_DEPTH {
        return Err(format!("toml: deeper than {MAX_DEPTH}"));
    }
    let indent = "  ".repeat(path.len());
    let (mut direct, mut tables) = (Vec::new(), Vec::new());
    for (name, value) in entries.iter() {
        let value = plain(value);
        if is_nil(&value) {
            continue;
        }
        if is_table(&value) {
            tables.push((name, value))
        } else {
            direct.push((name, value))
        }
    }
    for (name, value) in direct {
        out.push_str(&format!("{indent}{} = ", key(name)));
        element(out, &value)?;
        out.push('\n');
    }
    for (name, value) in tables {
        let mut inner = path.to_vec();
        inner.push(name.to_string());
        let depth = "  ".repeat(inner.len() - 1);
        if let Some(fields) = fields(&value) {
            if inner.len() == 1 && !out.is_empty() {
                out.push('\n');
            }
            out.push_str(&format!("{depth}[{}]\n", joined(&inner)));
            table(out, &inner, &fields)?;
        } else if let Value::List(list) = &value {
            for item in list.items.iter() {
                if !out.is_empty() {
                    out.push('\n');
                }
                out.push_str(&format!("{depth}[[{}]]\n", joined(&inner)));
                if let Some(fields) = fields(&plain(item)) {
                    table(out, &inner, &fields)?;
                }
            }
        }
    }
    Ok(())
}

fn element(out: &mut String, value: &Value) -> Result<(), String> {
    if let Some(text) = moment(value) {
        out.push_str(&text);
        return Ok(());
    }
    match plain(value) {
        Value::Bool(value) => out.push_str(if value { "true" } else { "false" }),
        Value::Int(_, IntType::Named(..)) => out.push_str(&text(&format::text(value))),
        Value::Int(..) => out.push_str(&format::text(value)),
        Value::Float(number) => out.push_str(&float(number)),
        Value::String(content) => out.push_str(&text(&content)),
        Value::Bytes(data) => {
            let items: Vec<String> = data.iter().map(u8::to_string).collect();
            out.push_str(&format!("[{}]", items.join(", ")));
        }
        Value::List(list) => {
            out.push('[');
            for (index, item) in list.items.iter().enumerate() {
                if is_nil(item) {
                    return Err("toml: cannot encode array with nil element".to_owned());
                }
                if index > 0 {
                    out.push_str(", ");
                }
                element(out, item)?;
            }
            out.push(']');
        }
        value if fields(&value).is_some() => {
            out.push('{');
            let mut entries = fields(&value).unwrap_or_default();
            entries.retain(|(_, item)| !is_nil(item));
            entries.sort_by_key(|(_, item)| is_table(&plain(item)));
            for (index, (name, item)) in entries.iter().enumerate() {
                if index > 0 {
                    out.push_str(", ");
                }
                out.push_str(&format!("{} = ", key(name)));
                element(out, item)?;
            }
            out.push('}');
        }
        other => return Err(format!("unsupported type for key '': {}", other.kind())),
    }
    Ok(())
}

fn float(number: f64) -> String {
    if number.is_nan() {
        return "nan".to_owned();
    }
    if number.is_infinite() {
        return if number > 0.0 { "inf" } else { "-inf" }.to_owned();
    }
    let text = format::float(number, 'g', None);
    if text.contains(['e', '.']) {
        text
    } else {
        text + ".0"
    }
}

fn text(content: &str) -> String {
    let mut out = String::from("\"");
    for c in content.chars() {
        match c {
            '\t' => out.push_str("\\t"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            '\0'..='\x1f' | '\x7f' => out.push_str(&format!("\\u{:04x}", u32::from(c))),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}
