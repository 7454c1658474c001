//! Loads a chart from a folder or an archive: which file is what, subcharts included.

use std::collections::BTreeMap;
use std::rc::Rc;

use bulkhead_plugin::Files;
use bulkhead_plugin::tree::Kind;
use bulkhead_template::{Entries, Value};

use crate::archive::{self, MAX_CHART_BYTES, MAX_FILE_BYTES};
use crate::chart::{Chart, File};
use crate::ignore::Rules;
use crate::{metadata, paths, yaml};

/// Deepest nesting of subcharts.
const MAX_DEPTH: usize = 32;

/// Loads the chart at `path`.
pub(crate) fn load(
    files: &dyn Files,
    path: &str,
    warnings: &mut Vec<String>,
) -> Result<Chart, String> {
    let mut budget = MAX_CHART_BYTES;
    let entry = files
        .stat(path)
        .map_err(|_| format!("path {} not found", bulkhead_template::quote::quote(path)))?;
    let found = if entry.kind == Kind::Directory {
        folder(files, path, &mut budget)?
    } else {
        let data = files.read(path).map_err(|error| error.to_string())?;
        if !data.starts_with(b"\x1f\x8b\x08") {
            return Err(format!(
                "file '{path}' does not appear to be a gzipped archive; got 'text/plain; charset=utf-8'"
            ));
        }
        archive::unpack(&data, &mut budget)?
    };
    from_files(found, &mut budget, 0, warnings)
}

fn folder(files: &dyn Files, path: &str, budget: &mut usize) -> Result<Vec<File>, String> {
    let root = paths::clean(path);
    let prefix = if root == "." {
        String::new()
    } else {
        format!("{root}/")
    };
    let rules = match files.read(&format!("{prefix}.helmignore")) {
        Ok(data) => Rules::parse(&String::from_utf8_lossy(&data))?,
        Err(_) => Rules::parse("")?,
    };
    let mut found = Vec::new();
    let mut waiting = vec![root];
    while let Some(dir) = waiting.pop() {
        let entries = files.read_dir(&dir).map_err(|error| error.to_string())?;
        for entry in entries {
            let name = entry
                .path
                .strip_prefix(&prefix)
                .unwrap_or(&entry.path)
                .to_owned();
            let is_directory = entry.kind == Kind::Directory;
            if rules.ignore(&name, is_directory) {
                continue;
            }
            if is_directory {
                waiting.push(entry.path);
                continue;
            }
            let data = files.read(&entry.path).map_err(|error| error.to_string())?;
            if data.len() > MAX_FILE_BYTES {
                return Err(format!(
                    "error reading {name}: chart file {:?} is larger than the maximum file size {MAX_FILE_BYTES}",
                    paths::base(&name)
                ));
            }
            if data.len() > *budget {
                return Err(format!(
                    "error reading {name}: chart exceeds maximum decompressed size"
                ));
            }
            *budget -= data.len();
            let data = data.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&data);
            found.push(File {
                name,
                data: Rc::from(data),
            });
        }
    }
    // Helm walks a folder by the names in each directory, in order.
    found.sort_by(|a, b| a.name.split('/').cmp(b.name.split('/')));
    Ok(found)
}

fn text(file: &File) -> std::borrow::Cow<'_, str> {
    bulkhead_template::bytes::to_text(&file.data)
}

fn from_files(
    files: Vec<File>,
    budget: &mut usize,
    depth: usize,
    warnings: &mut Vec<String>,
) -> Result<Chart, String> {
    if depth > MAX_DEPTH {
        return Err(format!("subcharts are nested deeper than {MAX_DEPTH}"));
    }
    let mut chart = Chart::default();
    let mut has_metadata = false;
    for file in files.iter().filter(|file| file.name == "Chart.yaml") {
        has_metadata = true;
        metadata::read(&text(file), &mut chart.metadata)
            .map_err(|error| format!("cannot load Chart.yaml: {error}"))?;
        if chart.metadata.api_version.is_empty() {
            chart.metadata.api_version = "v1".to_owned();
        }
    }
    let mut subcharts: BTreeMap<String, Vec<File>> = BTreeMap::new();
    for file in files {
        match file.name.as_str() {
            "Chart.yaml" => {}
            "Chart.lock" => {
                check_lock(&file)?;
                chart.lock = Some(file.data);
            }
            "values.yaml" => {
                chart.values = load_values(&text(&file))
                    .map_err(|error| format!("cannot load values.yaml: {error}"))?;
                chart.has_values = true;
            }
            "values.schema.json" => chart.schema = Some(file.data),
            "requirements.yaml" => {
                has_metadata = true;
                metadata::read(&text(&file), &mut chart.metadata)
                    .map_err(|error| format!("cannot load requirements.yaml: {error}"))?;
                if chart.metadata.api_version == "v1" {
                    chart.files.push(file);
                } else {
                    warnings.push("dependencies are handled in Chart.yaml since apiVersion \"v2\": move them from requirements.yaml".to_owned());
                }
            }
            "requirements.lock" => {
                check_lock(&file)?;
                chart.lock = Some(file.data.clone());
                if chart.metadata.api_version == "v1" {
                    chart.files.push(file);
                }
            }
            name if name.starts_with("templates/") => chart.templates.push(file),
            name if name.starts_with("charts/") => {
                if name.ends_with(".prov") {
                    chart.files.push(file);
                    continue;
                }
                let inner = name["charts/".len()..].to_owned();
                let folder = inner.split('/').next().unwrap_or_default().to_owned();
                subcharts.entry(folder).or_default().push(File {
                    name: inner,
                    data: file.data,
                });
            }
            _ => chart.files.push(file),
        }
    }
    if !has_metadata {
        return Err("Chart.yaml file is missing".to_owned());
    }
    metadata::validate(&mut chart.metadata)?;
    for (name, files) in subcharts {
        if name.starts_with(['_', '.']) {
            continue;
        }
        let loaded = subchart(&name, files, chart.name(), budget, depth, warnings);
        let parent = chart.name();
        chart.dependencies.push(loaded.map_err(|error| match error {
            Subchart::Misplaced(told) => told,
            Subchart::Bad(told) => format!("error unpacking subchart {name} in {parent}: {told}"),
        })?);
    }
    Ok(chart)
}

enum Subchart {
    Misplaced(String),
    Bad(String),
}

fn subchart(
    name: &str,
    files: Vec<File>,
    parent: &str,
    budget: &mut usize,
    depth: usize,
    warnings: &mut Vec<String>,
) -> Result<Chart, Subchart> {
    let found = if name.ends_with(".tgz") {
        let first = files
            .first()
            .map(|file| file.name.as_str())
            .unwrap_or_default();
        if first != name {
            return Err(Subchart::Misplaced(format!(
                "error unpacking subchart tar in {parent}: expected {name}, got {first}"
            )));
        }
        archive::unpack(&files[0].data, budget).map_err(Subchart::Bad)?
    } else {
        let inside = |file: File| {
            let (_, inner) = file.name.split_once('/')?;
            Some(File {
                name: inner.to_owned(),
                data: file.data,
            })
        };
        files.into_iter().filter_map(inside).collect()
    };
    from_files(found, budget, depth + 1, warnings).map_err(Subchart::Bad)
}

/// Looks at a lock file, which is only kept: what is no map is an error for Helm too.
fn check_lock(file: &File) -> Result<(), String> {
    let told = match yaml::parse(&text(file)) {
        Ok(Value::Nil | Value::Map(_)) => return Ok(()),
        Ok(other) => yaml::wrong_type(&other, "v2.Lock"),
        Err(error) => error,
    };
    Err(format!("cannot load {}: {told}", file.name))
}

/// Reads values: the documents of a text, the later over the earlier.
pub(crate) fn load_values(text: &str) -> Result<Entries, String> {
    let mut values = Entries::new();
    for document in documents(text) {
        let entries = yaml::parse_map(document)
            .map_err(|error| format!("cannot unmarshal yaml document: {error}"))?;
        values = merge_maps(values, entries);
    }
    Ok(values)
}

/// Splits a text where lines begin with `---`.
fn documents(text: &str) -> Vec<&str> {
    let mut found = Vec::new();
    let (mut start, mut at) = (0, 0);
    for line in text.split_inclusive('\n') {
        if let Some(rest) = line.strip_prefix("---")
            && rest.trim().is_empty()
        {
            if at > start {
                found.push(&text[start..at]);
            }
            start = at + line.len();
        }
        at += line.len();
    }
    found.push(&text[start..]);
    found
}

/// Puts one map over another, key by key at every depth.
pub(crate) fn merge_maps(mut under: Entries, over: Entries) -> Entries {
    for (key, value) in over {
        let merged = match (&value, under.get(&key)) {
            (Value::Map(over), Some(Value::Map(under))) => {
                let under = under.entries.borrow().clone();
                Value::map(merge_maps(under, over.entries.borrow().clone()))
            }
            _ => value,
        };
        under.insert(key, merged);
    }
    under
}
