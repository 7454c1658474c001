//! Which subcharts take part, under which names, and which of their values go to their parents.

use bulkhead_template::{Entries, Map, Value, format};

use crate::chart::{Chart, Dependency};
use crate::coalesce::{Coalesce, copy_entries, new_map, tables};
use crate::semver::is_compatible;

/// Says which charts are asked for but not there.
pub(crate) fn check(chart: &Chart) -> Result<(), String> {
    let asked = &chart.metadata.dependencies;
    let is_there = |name: &str| chart.dependencies.iter().any(|sub| sub.name() == name);
    let missing: Vec<&str> = asked
        .iter()
        .map(|one| one.name.as_str())
        .filter(|name| !is_there(name))
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    Err(format!(
        "an error occurred while checking for chart dependencies. You may need to run 'helm dependency build' to fetch missing dependencies: found in Chart.yaml, but missing in charts/ directory: {}",
        missing.join(", ")
    ))
}

/// Removes charts that are switched off, gives aliases, and imports values.
pub(crate) fn process(
    chart: &mut Chart,
    values: &Map,
    warnings: &mut Vec<String>,
) -> Result<(), String> {
    enable(chart, values, "", warnings)?;
    import_all(chart, warnings)
}

fn enable(
    chart: &mut Chart,
    values: &Map,
    path: &str,
    warnings: &mut Vec<String>,
) -> Result<(), String> {
    // An empty list is not no list (Helm 4.3, chart/v2/util/dependencies.go): values are checked.
    if !chart.metadata.lists_dependencies {
        return Ok(());
    }
    name_dependencies(chart);
    for one in &mut chart.metadata.dependencies {
        one.is_enabled = true;
    }
    let merged = Coalesce {
        is_merge: false,
        warnings,
    }
    .run(chart, values)?;
    by_tags(&mut chart.metadata.dependencies, &merged, warnings);
    by_conditions(&mut chart.metadata.dependencies, &merged, path, warnings);
    let off: Vec<String> = chart
        .metadata
        .dependencies
        .iter()
        .filter(|one| !one.is_enabled)
        .map(|one| one.name.clone())
        .collect();
    let is_on = |name: &str| !off.iter().any(|known| known == name);
    chart.dependencies.retain(|sub| is_on(sub.name()));
    chart.metadata.dependencies.retain(|one| is_on(&one.name));
    chart.metadata.lists_dependencies = !chart.metadata.dependencies.is_empty();
    for sub in &mut chart.dependencies {
        let path = format!("{path}{}.", sub.name());
        enable(sub, &merged, &path, warnings)?;
    }
    Ok(())
}

/// Brings the subcharts into the order of Chart.yaml, each under its alias.
fn name_dependencies(chart: &mut Chart) {
    let asked = &mut chart.metadata.dependencies;
    let fits = |one: &Dependency, sub: &Chart| {
        sub.name() == one.name && is_compatible(&one.version, &sub.metadata.version)
    };
    let is_asked = |sub: &Chart| {
        asked
            .iter()
            .any(|one| sub.name() == one.name && is_compatible(&one.version, &sub.metadata.version))
    };
    let mut found: Vec<Chart> = chart
        .dependencies
        .iter()
        .filter(|sub| !is_asked(sub))
        .cloned()
        .collect();
    for one in asked {
        if let Some(sub) = chart.dependencies.iter().find(|sub| fits(one, sub)) {
            let mut sub = sub.clone();
            if !one.alias.is_empty() {
                sub.metadata.name.clone_from(&one.alias);
            }
            found.push(sub);
        }
        if !one.alias.is_empty() {
            one.name.clone_from(&one.alias);
        }
    }
    chart.dependencies = found;
}

fn by_tags(asked: &mut [Dependency], values: &Map, warnings: &mut Vec<String>) {
    let Some(tags) = table(values, "tags") else {
        return;
    };
    let tags = tags.entries.borrow();
    for one in asked {
        let (mut has_true, mut has_false) = (false, false);
        for tag in &one.tags {
            match tags.get(tag.as_str()) {
                None => {}
                Some(Value::Bool(true)) => has_true = true,
                Some(Value::Bool(false)) => has_false = true,
                Some(_) => warnings.push(format!(
                    "tag `{tag}` of chart {} is not true or false",
                    one.name
                )),
            }
        }
        one.is_enabled = has_true || !has_false;
    }
}

fn by_conditions(asked: &mut [Dependency], values: &Map, path: &str, warnings: &mut Vec<String>) {
    for one in asked {
        for condition in one
            .condition
            .trim()
            .split(',')
            .filter(|text| !text.is_empty())
        {
            match path_value(values, &format!("{path}{condition}")) {
                Some(Value::Bool(value)) => {
                    one.is_enabled = value;
                    break;
                }
                Some(_) => warnings.push(format!(
                    "condition `{condition}` of chart {} is not true or false",
                    one.name
                )),
                None => {}
            }
        }
    }
}

/// Finds a table by its dotted path.
pub(crate) fn table(values: &Map, path: &str) -> Option<Map> {
    let mut table = values.clone();
    for name in path.split('.') {
        let inner = match table.entries.borrow().get(name) {
            Some(Value::Map(inner)) => inner.clone(),
            _ => return None,
        };
        table = inner;
    }
    Some(table)
}

/// Finds what is not a table by its dotted path.
fn path_value(values: &Map, path: &str) -> Option<Value> {
    let (table, key) = match path.rsplit_once('.') {
        Some((path, key)) => (self::table(values, path)?, key),
        None => (values.clone(), path),
    };
    let value = table.entries.borrow().get(key).cloned();
    value.filter(|value| !matches!(value, Value::Map(_)))
}

fn import_all(chart: &mut Chart, warnings: &mut Vec<String>) -> Result<(), String> {
    for sub in &mut chart.dependencies {
        import_all(sub, warnings)?;
    }
    if !chart.metadata.lists_dependencies {
        return Ok(());
    }
    import(chart, warnings)
}

fn import(chart: &mut Chart, warnings: &mut Vec<String>) -> Result<(), String> {
    let empty = new_map(Entries::new());
    let merged = Coalesce {
        is_merge: true,
        warnings,
    }
    .run(chart, &empty)?;
    let imported = new_map(Entries::new());
    for one in &mut chart.metadata.dependencies {
        let mut shown = Vec::new();
        for import in &one.import_values {
            let (child, parent) = match import {
                Value::Map(map) => {
                    let text = |key: &str| {
                        map.entries
                            .borrow()
                            .get(key)
                            .map_or_else(|| "<nil>".to_owned(), format::text)
                    };
                    (text("child"), text("parent"))
                }
                Value::String(name) => (format!("exports.{name}"), ".".to_owned()),
                _ => continue,
            };
            shown.push(pair(&child, &parent));
            let Some(found) = table(&merged, &format!("{}.{child}", one.name)) else {
                warnings.push(format!(
                    "import-values: chart {} has no table `{child}`",
                    one.name
                ));
                continue;
            };
            tables(&imported, &wrap(&parent, found), "", true, warnings);
        }
        if !shown.is_empty() {
            one.import_values = shown;
        }
    }
    let copy = new_map(copy_entries(&merged.entries.borrow()));
    tables(&copy, &imported, "", true, warnings);
    chart.values = copy.entries.borrow().clone();
    chart.has_values = true;
    Ok(())
}

fn pair(child: &str, parent: &str) -> Value {
    let entries = [
        ("child".into(), child.into()),
        ("parent".into(), parent.into()),
    ];
    let map = new_map(entries.into());
    Value::Map(map.named("map[string]string"))
}

/// Puts a table where a dotted path says.
fn wrap(path: &str, table: Map) -> Map {
    if path == "." {
        return table;
    }
    path.rsplit('.').fold(table, |inner, name| {
        new_map([(name.into(), Value::Map(inner))].into())
    })
}
