//! Functions that choose, tell types, and turn data into YAML, JSON and TOML and back; `lookup`.

use bulkhead_template::{ANY, ANY_MAP, Entries, Function, Param, Run, Value, fixed, variadic};

use super::{Answer, context, deep_equal, is_empty, text_of, toml, toml_read};
use crate::json::{self, Style};
use crate::{chart, json_read, yaml};

const S: Param = Param::String;
const A: Param = Param::Any;

/// Answers `lookup`: API version, kind, namespace, name; an object or a list as JSON.
pub type Lookup = fn(&str, &str, &str, &str) -> Result<Option<String>, String>;

pub(super) const TABLE: &[(&str, Function)] = &[
    (
        "default",
        variadic(&[A], A, |_, a| {
            Ok(match a.get(1) {
                Some(given) if !is_empty(given) => given.clone(),
                _ => a[0].clone(),
            })
        }),
    ),
    ("empty", fixed(&[A], |_, a| Ok(is_empty(&a[0]).into()))),
    (
        "coalesce",
        variadic(&[], A, |_, a| {
            Ok(a.iter()
                .find(|value| !is_empty(value))
                .cloned()
                .unwrap_or(Value::Nil))
        }),
    ),
    (
        "all",
        variadic(&[], A, |_, a| {
            Ok(a.iter().all(|value| !is_empty(value)).into())
        }),
    ),
    (
        "any",
        variadic(&[], A, |_, a| {
            Ok(a.iter().any(|value| !is_empty(value)).into())
        }),
    ),
    (
        "ternary",
        fixed(&[A, A, Param::Bool], |_, a| {
            Ok(if a[2].truth() {
                a[0].clone()
            } else {
                a[1].clone()
            })
        }),
    ),
    ("typeOf", fixed(&[A], |_, a| Ok(a[0].type_name().into()))),
    (
        "typeIs",
        fixed(&[S, A], |_, a| {
            Ok((a[1].type_name() == text_of(&a[0])).into())
        }),
    ),
    (
        "typeIsLike",
        fixed(&[S, A], |_, a| {
            let (target, found) = (text_of(&a[0]), a[1].type_name());
            Ok((found == target || found.strip_prefix('*') == Some(target)).into())
        }),
    ),
    ("kindOf", fixed(&[A], |_, a| Ok(a[0].kind().into()))),
    (
        "kindIs",
        fixed(&[S, A], |_, a| Ok((a[1].kind() == text_of(&a[0])).into())),
    ),
    (
        "deepEqual",
        fixed(&[A, A], |_, a| Ok(deep_equal(&a[0], &a[1]).into())),
    ),
    (
        "toYaml",
        fixed(&[A], |_, a| {
            Ok(line(yaml::write(&a[0]).unwrap_or_default()))
        }),
    ),
    (
        "mustToYaml",
        fixed(&[A], |_, a| Ok(line(yaml::write(&a[0])?))),
    ),
    (
        "toYamlPretty",
        fixed(&[A], |_, a| {
            Ok(line(yaml::write_pretty(&a[0]).unwrap_or_default()))
        }),
    ),
    (
        "fromYaml",
        fixed(&[S], |_, a| {
            Ok(map_or_error(yaml::parse(text_of(&a[0])), true))
        }),
    ),
    (
        "fromYamlArray",
        fixed(&[S], |_, a| {
            Ok(list_or_error(yaml::parse(text_of(&a[0])), true))
        }),
    ),
    (
        "toJson",
        fixed(&[A], |_, a| {
            Ok(json::write(&a[0], Style::Compact)
                .unwrap_or_default()
                .into())
        }),
    ),
    (
        "mustToJson",
        fixed(&[A], |_, a| Ok(json::write(&a[0], Style::Compact)?.into())),
    ),
    (
        "toPrettyJson",
        fixed(&[A], |_, a| {
            Ok(json::write(&a[0], Style::Pretty).unwrap_or_default().into())
        }),
    ),
    (
        "mustToPrettyJson",
        fixed(&[A], |_, a| Ok(json::write(&a[0], Style::Pretty)?.into())),
    ),
    (
        "toRawJson",
        fixed(&[A], |_, a| Ok(json::write(&a[0], Style::Raw)?.into())),
    ),
    (
        "mustToRawJson",
        fixed(&[A], |_, a| Ok(json::write(&a[0], Style::Raw)?.into())),
    ),
    (
        "fromJson",
        fixed(&[S], |_, a| {
            Ok(map_or_error(parse_json(text_of(&a[0])), false))
        }),
    ),
    (
        "fromJsonArray",
        fixed(&[S], |_, a| {
            Ok(list_or_error(parse_json(text_of(&a[0])), false))
        }),
    ),
    (
        "mustFromJson",
        fixed(&[S], |_, a| Ok(json_read::parse(text_of(&a[0]))?)),
    ),
    (
        "toToml",
        fixed(&[A], |_, a| {
            // Go panics at nil, and tells of everything else in the text.
            let written = toml::write(&a[0]);
            if a[0].is_nil() {
                return Ok(written?.into());
            }
            Ok(written.unwrap_or_else(|told| told).into())
        }),
    ),
    (
        "mustToToml",
        fixed(&[A], |_, a| Ok(toml::write(&a[0])?.into())),
    ),
    (
        "fromToml",
        fixed(&[S], |_, a| {
            Ok(match toml_read::parse(text_of(&a[0])) {
                Ok(entries) => Value::map(entries),
                Err(told) => chart::map([("Error", told.into())]),
            })
        }),
    ),
    ("lookup", fixed(&[S, S, S, S], lookup)),
    ("getHostByName", fixed(&[S], |_, _| Ok("".into()))),
];

/// Reads JSON where a number would be wrong anyway, however large.
fn parse_json(text: &str) -> Result<Value, String> {
    let is_number = text
        .trim_start()
        .starts_with(|c: char| c.is_ascii_digit() || c == '-');
    match json_read::parse(text) {
        Err(told) if is_number && told.starts_with("json: cannot unmarshal") => {
            Ok(Value::Float(0.0))
        }
        result => result,
    }
}

/// A text without the line break at its end.
fn line(mut text: String) -> Value {
    if text.ends_with('\n') {
        text.pop();
    }
    text.into()
}

fn cannot(value: &Value, wanted: &str, is_yaml: bool) -> Value {
    if is_yaml {
        yaml::wrong_type(value, wanted).into()
    } else {
        yaml::cannot_unmarshal(value, wanted).into()
    }
}

fn map_or_error(read: Result<Value, String>, is_yaml: bool) -> Value {
    let error = match read {
        Ok(Value::Map(map)) => return Value::Map(map),
        // Read as YAML null leaves the map that was there, as JSON it takes it away.
        Ok(Value::Nil) if is_yaml => return Value::map(Entries::new()),
        Ok(Value::Nil) => return Value::nil_map(ANY_MAP),
        Ok(other) => cannot(&other, "map[string]interface {}", is_yaml),
        Err(told) => told.into(),
    };
    chart::map([("Error", error)])
}

fn list_or_error(read: Result<Value, String>, is_yaml: bool) -> Value {
    match read {
        Ok(Value::List(list)) => Value::List(list),
        Ok(Value::Nil) if is_yaml => Value::list(Vec::new()),
        Ok(Value::Nil) => Value::nil_list(ANY),
        Ok(other) => Value::list(vec![cannot(&other, "[]interface {}", is_yaml)]),
        Err(told) => Value::list(vec![told.into()]),
    }
}

fn lookup(run: &mut Run<'_>, args: &[Value]) -> Answer {
    let context = context(run)?;
    let Some(lookup) = context.lookup else {
        return Ok(Value::map(Entries::new()));
    };
    let found = lookup(
        text_of(&args[0]),
        text_of(&args[1]),
        text_of(&args[2]),
        text_of(&args[3]),
    )?;
    match found {
        None => Ok(Value::map(Entries::new())),
        Some(text) => {
            let object = json_read::parse(&text)?;
            if text_of(&args[1]) == "Secret" {
                context.secrets.learn_object(&object);
            }
            Ok(object)
        }
    }
}
