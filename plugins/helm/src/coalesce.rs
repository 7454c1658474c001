//! Puts values together: what a user gives over what charts bring, globals down, nulls as deletions.
//! The rules are Helm 4.3's, step by step, with its warnings.

use std::cell::RefCell;
use std::collections::HashSet;
use std::rc::Rc;

use bulkhead_template::{ANY_MAP, Entries, List, Map, Value, format};

use crate::chart::Chart;

/// Name of the table that all charts share.
const GLOBAL: &str = "global";

/// Copies a value with all that is in it.
pub(crate) fn deep_copy(value: &Value) -> Value {
    match value {
        Value::Map(map) => Value::Map(Map {
            entries: Rc::new(RefCell::new(copy_entries(&map.entries.borrow()))),
            type_name: map.type_name,
            is_nil: map.is_nil,
        }),
        Value::List(list) => Value::List(List {
            items: Rc::new(list.items.iter().map(deep_copy).collect()),
            element: list.element,
            is_nil: list.is_nil,
        }),
        other => other.clone(),
    }
}

/// Copies entries with all that is in them.
pub(crate) fn copy_entries(entries: &Entries) -> Entries {
    entries
        .iter()
        .map(|(key, value)| (key.clone(), deep_copy(value)))
        .collect()
}

/// Makes a map that nobody else holds.
pub(crate) fn new_map(entries: Entries) -> Map {
    Map {
        entries: Rc::new(RefCell::new(entries)),
        type_name: ANY_MAP,
        is_nil: false,
    }
}

/// What a chart and its subcharts see, given what a user gives.
pub(crate) struct Coalesce<'a> {
    /// Whether nulls stay, as where values are imported.
    pub(crate) is_merge: bool,
    pub(crate) warnings: &'a mut Vec<String>,
}

impl Coalesce<'_> {
    /// Puts `values` over the values of `chart`.
    pub(crate) fn run(&mut self, chart: &Chart, values: &Map) -> Result<Map, String> {
        let copy = new_map(copy_entries(&values.entries.borrow()));
        self.chart(chart, &copy, "")?;
        Ok(copy)
    }

    fn chart(&mut self, chart: &Chart, values: &Map, prefix: &str) -> Result<(), String> {
        self.values(chart, values, prefix);
        for sub in &chart.dependencies {
            let name: Rc<str> = sub.name().into();
            let known = values.entries.borrow().get(&name).cloned();
            let inner = match known {
                None => {
                    let inner = new_map(Entries::new());
                    values
                        .entries
                        .borrow_mut()
                        .insert(name, Value::Map(inner.clone()));
                    inner
                }
                Some(Value::Map(inner)) => inner,
                Some(other) => {
                    return Err(format::sprintf(
                        "type mismatch on %s: %t",
                        &[Value::String(name), other],
                    ));
                }
            };
            let prefix = concat(prefix, chart.name());
            self.globals(&inner, values, &prefix);
            self.chart(sub, &inner, &prefix)?;
        }
        Ok(())
    }

    fn globals(&mut self, dest: &Map, source: &Map, prefix: &str) {
        let table = |map: &Map| match map.entries.borrow().get(GLOBAL) {
            None => Some(new_map(Entries::new())),
            Some(Value::Map(map)) => Some(map.clone()),
            Some(_) => None,
        };
        let Some(dest_globals) = table(dest) else {
            self.warnings
                .push("skipping globals because destination global is not a table".to_owned());
            return;
        };
        let Some(source_globals) = table(source) else {
            self.warnings
                .push("skipping globals because source global is not a table".to_owned());
            return;
        };
        let entries: Vec<(Rc<str>, Value)> = source_globals
            .entries
            .borrow()
            .iter()
            .map(|(k, v)| (k.clone(), v.clone()))
            .collect();
        for (key, value) in entries {
            let known = dest_globals.entries.borrow().get(&key).cloned();
            let value = match (value, known) {
                (Value::Map(value), known) => {
                    let copy = new_map(value.entries.borrow().clone());
                    match known {
                        None => {}
                        Some(Value::Map(known)) => {
                            tables(&copy, &known, &concat(prefix, &key), true, self.warnings);
                        }
                        Some(_) => {
                            self.warnings
                                .push(format!("cannot merge map onto non-map for {key:?}"));
                            continue;
                        }
                    }
                    Value::Map(copy)
                }
                (_, Some(Value::Map(_))) => {
                    self.warnings.push(format!("key {key} is table: skipping"));
                    continue;
                }
                (value, _) => value,
            };
            dest_globals.entries.borrow_mut().insert(key, value);
        }
        dest.entries
            .borrow_mut()
            .insert(GLOBAL.into(), Value::Map(dest_globals));
    }

    /// Puts values over those that the chart brings.
    fn values(&mut self, chart: &Chart, values: &Map, prefix: &str) {
        let prefix = concat(prefix, chart.name());
        for (key, default) in copy_entries(&chart.values) {
            let known = values.entries.borrow().get(&key).cloned();
            match known {
                None => {
                    if !self.is_merge {
                        if default.is_nil() {
                            continue;
                        }
                        clean_nils(&default);
                    }
                    values.entries.borrow_mut().insert(key, default);
                }
                Some(Value::Nil) if !self.is_merge => {
                    values.entries.borrow_mut().remove(&key);
                }
                Some(Value::Map(known)) => match &default {
                    Value::Map(table) => {
                        let is_child = chart.dependencies.iter().any(|sub| sub.name() == &*key);
                        let merge = is_child || self.is_merge;
                        if !merge {
                            clean_nils(&default);
                        }
                        tables(&known, table, &concat(&prefix, &key), merge, self.warnings);
                    }
                    Value::Nil => {}
                    _ => self
                        .warnings
                        .push(format!("skipped value for {prefix}.{key}: Not a table.")),
                },
                Some(_) => {}
            }
        }
    }
}

fn concat(prefix: &str, name: &str) -> String {
    if prefix.is_empty() {
        name.to_owned()
    } else {
        format!("{prefix}.{name}")
    }
}

/// Removes nulls at every depth of tables.
pub(crate) fn clean_nils(value: &Value) {
    if let Value::Map(map) = value {
        map.entries.borrow_mut().retain(|_, value| !value.is_nil());
        map.entries.borrow().values().for_each(clean_nils);
    }
}

/// Puts one table over another, in place.
pub(crate) fn tables(
    over: &Map,
    under: &Map,
    prefix: &str,
    merge: bool,
    warnings: &mut Vec<String>,
) {
    if Rc::ptr_eq(&over.entries, &under.entries) {
        return;
    }
    let has_value: HashSet<Rc<str>> = {
        let entries = under.entries.borrow();
        entries
            .iter()
            .filter(|(_, value)| !value.is_nil())
            .map(|(key, _)| key.clone())
            .collect()
    };
    for (key, value) in over.entries.borrow().iter() {
        if value.is_nil() {
            under.entries.borrow_mut().insert(key.clone(), Value::Nil);
        }
    }
    let entries: Vec<(Rc<str>, Value)> = under
        .entries
        .borrow()
        .iter()
        .map(|(k, v)| (k.clone(), v.clone()))
        .collect();
    for (key, value) in entries {
        let known = over.entries.borrow().get(&key).cloned();
        match (known, &value) {
            (Some(Value::Nil), _) if !merge && has_value.contains(&key) => {
                over.entries.borrow_mut().remove(&key);
            }
            (None, _) => {
                over.entries.borrow_mut().insert(key, value);
            }
            (Some(Value::Map(known)), Value::Map(table)) => {
                tables(&known, table, &concat(prefix, &key), merge, warnings);
            }
            (Some(_), Value::Map(_)) => warnings.push(format!(
                "cannot overwrite table with non table for {} ({})",
                concat(prefix, &key),
                format::text(&value)
            )),
            (Some(Value::Map(_)), value) if !value.is_nil() => warnings.push(format!(
                "destination for {} is a table. Ignoring non-table value ({})",
                concat(prefix, &key),
                format::text(value)
            )),
            _ => {}
        }
    }
}
