//! What an upgrade that reuses values starts from: the values of the version before under those of the
//! user, and what they made of the chart's defaults in place of the new chart's. Pure.
//!
//! # Source
//! `reuseValues` of Helm 4.3's `pkg/action/upgrade.go`, and the rules of its `chart/common/util`: a
//! null that stands over a value removes both, any other null stays.

use std::collections::HashSet;

use serde_json::{Map, Value};

use super::model::Release;

/// What a version is rendered with whose values come from the one before.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Reused {
    /// The values: what the release stores as the user's.
    pub config: Map<String, Value>,
    /// What takes the place of the chart's own values.
    pub defaults: Map<String, Value>,
}

/// Puts `values` over those of `current`.
///
/// # Errors
/// The chart of `current` has values that are no map.
pub fn reuse(values: Map<String, Value>, current: &Release) -> serde_json::Result<Reused> {
    let chart = match &current.chart {
        Some(chart) => chart.values()?,
        None => Map::new(),
    };
    Ok(Reused {
        defaults: coalesce(chart, current.config.clone()),
        config: reused_config(values, &current.config),
    })
}

/// Returns what an upgrade that reuses `stored` would store: `values` over it.
pub fn reused_config(
    mut values: Map<String, Value>,
    stored: &Map<String, Value>,
) -> Map<String, Value> {
    put_over(&mut values, stored.clone());
    values
}

/// Puts values over the defaults of a chart without subcharts: a release stores none.
fn coalesce(defaults: Map<String, Value>, mut values: Map<String, Value>) -> Map<String, Value> {
    for (key, mut default) in defaults {
        match values.get_mut(&key) {
            None if default.is_null() => {}
            None => {
                clean_nulls(&mut default);
                values.insert(key, default);
            }
            Some(Value::Null) => drop(values.shift_remove(&key)),
            Some(Value::Object(own)) => {
                clean_nulls(&mut default);
                if let Value::Object(default) = default {
                    put_over(own, default);
                }
            }
            Some(_) => {}
        }
    }
    values
}

/// Puts a table over another, in place.
fn put_over(over: &mut Map<String, Value>, under: Map<String, Value>) {
    let nulls = over.iter().filter(|(_, value)| value.is_null());
    let nulls: HashSet<String> = nulls.map(|(key, _)| key.clone()).collect();
    for (key, value) in under {
        if nulls.contains(&key) {
            if !value.is_null() {
                over.shift_remove(&key);
            }
            continue;
        }
        match (over.get_mut(&key), value) {
            (None, value) => drop(over.insert(key, value)),
            (Some(Value::Object(own)), Value::Object(value)) => put_over(own, value),
            (Some(_), _) => {}
        }
    }
}

/// Removes nulls at every depth of tables.
fn clean_nulls(value: &mut Value) {
    if let Value::Object(entries) = value {
        entries.retain(|_, value| !value.is_null());
        entries.values_mut().for_each(clean_nulls);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may")]

    use serde_json::json;

    use super::*;
    use crate::release::Chart;

    fn map(value: Value) -> Map<String, Value> {
        value.as_object().unwrap().clone()
    }

    fn current(defaults: &Value, config: Value) -> Release {
        let chart = json!({ "metadata": { "name": "web" }, "values": defaults });
        Release {
            chart: Some(Chart::from_json(chart.to_string()).unwrap()),
            config: map(config),
            ..Release::default()
        }
    }

    #[test]
    fn values_go_over_those_of_the_version_before() {
        let current = current(
            &json!({ "a": 1, "b": 2, "deep": { "x": 1, "y": null, "z": 3 }, "none": null, "list": [1] }),
            json!({ "b": 3, "deep": { "z": null, "w": 4 }, "list": [2, 3] }),
        );
        let values = map(json!({ "c": 5, "deep": { "w": { "no": "table" } }, "list": [] }));
        let reused = reuse(values, &current).unwrap();
        let config = json!({
            "c": 5, "b": 3, "deep": { "w": { "no": "table" }, "z": null }, "list": [],
        });
        assert_eq!(Value::Object(reused.config), config);
        let defaults = json!({
            "a": 1, "b": 3, "deep": { "x": 1, "w": 4 }, "list": [2, 3],
        });
        assert_eq!(Value::Object(reused.defaults), defaults);
    }

    #[test]
    fn a_null_over_a_value_removes_it_and_any_other_null_stays() {
        let stored = map(json!({ "a": 1, "b": { "c": 1 }, "d": null }));
        let values = map(json!({ "a": null, "b": { "c": null }, "d": null, "e": null }));
        let config = reused_config(values.clone(), &stored);
        assert_eq!(
            Value::Object(config),
            json!({ "b": {}, "d": null, "e": null })
        );
        assert_eq!(reused_config(values.clone(), &values), values);
        assert_eq!(reused_config(Map::new(), &stored), stored);
    }

    #[test]
    fn a_release_without_a_chart_has_no_defaults() {
        let current = Release {
            config: map(json!({ "a": 1 })),
            ..Release::default()
        };
        let reused = reuse(Map::new(), &current).unwrap();
        assert_eq!(reused.config, reused.defaults);
        assert_eq!(Value::Object(reused.config), json!({ "a": 1 }));
    }
}
