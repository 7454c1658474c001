//! Sprig's functions on dictionaries. `set`, `unset` and the merges change what they are given.

use std::rc::Rc;

use bulkhead_template::{ANY_MAP, Entries, Function, Map, Param, Run, Value, fixed, variadic};

use super::{Answer, NIL_POINTER, strval, text_of};
use crate::coalesce::deep_copy;

const S: Param = Param::String;
const M: Param = Param::Map;
const A: Param = Param::Any;

/// Deepest nesting that is merged.
const MAX_DEPTH: usize = 500;

pub(super) const TABLE: &[(&str, Function)] = &[
    ("dict", variadic(&[], A, dict)),
    (
        "get",
        fixed(&[M, S], |_, a| {
            let found = entry(&a[0], text_of(&a[1]));
            Ok(found.unwrap_or_else(|| "".into()))
        }),
    ),
    ("set", fixed(&[M, S, A], set)),
    (
        "unset",
        fixed(&[M, S], |_, a| {
            if let Value::Map(map) = &a[0] {
                map.entries.borrow_mut().remove(text_of(&a[1]));
            }
            Ok(typed(&a[0]))
        }),
    ),
    (
        "hasKey",
        fixed(&[M, S], |_, a| {
            Ok(entry(&a[0], text_of(&a[1])).is_some().into())
        }),
    ),
    (
        "pluck",
        variadic(&[S], M, |_, a| {
            let key = text_of(&a[0]);
            Ok(Value::list(
                a[1..].iter().filter_map(|map| entry(map, key)).collect(),
            ))
        }),
    ),
    (
        "keys",
        variadic(&[], M, |_, a| {
            Ok(Value::strings(a.iter().flat_map(|map| {
                entries(map).into_iter().map(|(key, _)| key)
            })))
        }),
    ),
    (
        "values",
        fixed(&[M], |_, a| {
            Ok(Value::list(
                entries(&a[0]).into_iter().map(|(_, value)| value).collect(),
            ))
        }),
    ),
    (
        "pick",
        variadic(&[M], S, |_, a| {
            let known = |key: &Value| Some((text_of(key).into(), entry(&a[0], text_of(key))?));
            Ok(Value::map(a[1..].iter().filter_map(known).collect()))
        }),
    ),
    (
        "omit",
        variadic(&[M], S, |_, a| {
            let is_kept = |key: &str| !a[1..].iter().any(|omitted| text_of(omitted) == key);
            Ok(Value::map(
                entries(&a[0])
                    .into_iter()
                    .filter(|(key, _)| is_kept(key))
                    .collect(),
            ))
        }),
    ),
    ("merge", variadic(&[M], M, |_, a| merge_all(a, false))),
    ("mustMerge", variadic(&[M], M, |_, a| merge_all(a, false))),
    (
        "mergeOverwrite",
        variadic(&[M], M, |_, a| merge_all(a, true)),
    ),
    (
        "mustMergeOverwrite",
        variadic(&[M], M, |_, a| merge_all(a, true)),
    ),
    ("deepCopy", fixed(&[A], copy)),
    ("mustDeepCopy", fixed(&[A], copy)),
    ("dig", variadic(&[], A, dig)),
];

pub(super) fn entry(map: &Value, key: &str) -> Option<Value> {
    match map {
        Value::Map(map) => map.entries.borrow().get(key).cloned(),
        _ => None,
    }
}

fn entries(map: &Value) -> Vec<(Rc<str>, Value)> {
    match map {
        Value::Map(map) => map
            .entries
            .borrow()
            .iter()
            .map(|(k, v)| (k.clone(), v.clone()))
            .collect(),
        _ => Vec::new(),
    }
}

/// The same map as a plain one: a parameter's type, not the argument's, is that of the result.
pub(super) fn typed(map: &Value) -> Value {
    match map {
        Value::Map(map) => Value::Map(map.named(ANY_MAP)),
        other => other.clone(),
    }
}

fn copy(_: &mut Run<'_>, args: &[Value]) -> Answer {
    if args[0].is_nil() {
        return Err("reflect: call of reflect.Value.Type on zero Value".into());
    }
    // The fields of a version are its own: they are left out of a copy.
    Ok(super::url::without_fields(&args[0]).unwrap_or_else(|| deep_copy(&args[0])))
}

fn dict(_: &mut Run<'_>, args: &[Value]) -> Answer {
    let mut made = Entries::new();
    for pair in args.chunks(2) {
        let value = pair.get(1).cloned().unwrap_or_else(|| "".into());
        made.insert(strval(&pair[0]).into(), value);
    }
    Ok(Value::map(made))
}

fn set(_: &mut Run<'_>, args: &[Value]) -> Answer {
    let Value::Map(map) = &args[0] else {
        return Err("assignment to entry in nil map".into());
    };
    if map.is_nil {
        return Err("assignment to entry in nil map".into());
    }
    if holds(&args[2], map, 0) {
        // Go makes the loop, and then never ends printing it.
        return Err(format!("a value under {:?} would hold itself", text_of(&args[1])).into());
    }
    map.entries
        .borrow_mut()
        .insert(text_of(&args[1]).into(), args[2].clone());
    Ok(typed(&args[0]))
}

/// Tells whether a value holds a map at any depth. Only looks where a loop could be made.
fn holds(value: &Value, map: &Map, depth: usize) -> bool {
    if depth > 64 {
        return false;
    }
    match value {
        Value::Map(inner) => Rc::ptr_eq(&inner.entries, &map.entries),
        _ => false,
    }
}

fn merge_all(args: &[Value], overwrite: bool) -> Answer {
    let made = Value::map(Entries::new());
    let is_nil = match &args[0] {
        Value::Map(map) => map.is_nil && args[1..].iter().any(Value::truth),
        other => other.is_nil(),
    };
    let target = if is_nil { &made } else { &args[0] };
    let Value::Map(dest) = target else {
        return Ok(target.clone());
    };
    for source in &args[1..] {
        if let Value::Map(source) = source {
            merge(dest, source, overwrite, 0)?;
        }
    }
    Ok(typed(target))
}

/// mergo's merge, with its ways of telling what is empty.
fn merge(dest: &Map, source: &Map, overwrite: bool, depth: usize) -> Result<(), String> {
    if Rc::ptr_eq(&dest.entries, &source.entries) {
        return Ok(());
    }
    if depth > MAX_DEPTH {
        return Err(format!("merge: deeper than {MAX_DEPTH}"));
    }
    let entries: Vec<(Rc<str>, Value)> = source
        .entries
        .borrow()
        .iter()
        .map(|(k, v)| (k.clone(), v.clone()))
        .collect();
    for (key, value) in entries {
        let known = dest.entries.borrow().get(&key).cloned();
        if value.is_nil() {
            if overwrite {
                dest.entries.borrow_mut().insert(key, value);
            }
            continue;
        }
        if let (Value::Map(value), Some(Value::Map(known))) = (&value, &known) {
            merge(known, value, overwrite, depth + 1)?;
            if !known.entries.borrow().is_empty() {
                continue;
            }
        }
        let is_list = matches!(value, Value::List(_) | Value::Bytes(_));
        let is_set = known.as_ref().is_some_and(Value::truth);
        let replaces = if is_list {
            !is_set || overwrite || dest.entries.borrow().is_empty()
        } else {
            !is_set || overwrite
        };
        if replaces {
            dest.entries.borrow_mut().insert(key, value);
        }
    }
    Ok(())
}

fn dig(_: &mut Run<'_>, args: &[Value]) -> Answer {
    let [path @ .., default, map] = args else {
        return Err("dig needs at least three arguments".into());
    };
    if path.is_empty() {
        return Err("dig needs at least three arguments".into());
    }
    let mut found = map.clone();
    let names: Vec<&str> = path
        .iter()
        .map(|key| key.as_str().ok_or_else(|| conversion(key, "string")))
        .collect::<Result<_, String>>()?;
    for name in names {
        let next = match &found {
            Value::Map(map) if map.type_name == ANY_MAP => map.entries.borrow().get(name).cloned(),
            other => return Err(conversion(other, ANY_MAP).into()),
        };
        match next {
            Some(next) => found = next,
            None => return Ok(default.clone()),
        }
    }
    Ok(found)
}

fn conversion(value: &Value, wanted: &str) -> String {
    if value.is_nil() {
        return format!("interface conversion: interface {{}} is nil, not {wanted}");
    }
    let _ = NIL_POINTER;
    format!(
        "interface conversion: interface {{}} is {}, not {wanted}",
        value.type_name()
    )
}
