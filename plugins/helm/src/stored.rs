//! What a release stores of a chart, as Helm's JSON: metadata, lock, templates, values, schema and
//! files, in Helm's order of fields. Subcharts are no part of it, as in Helm.
//!
//! Times of files are left out: a tree has none.

use std::fmt::Write as _;

use bulkhead_template::{Entries, Map, Value, bytes};

use crate::chart::{Chart, Dependency, File, Metadata};
use crate::coalesce::new_map;
use crate::encoding::base64;
use crate::json::{self, Style};
use crate::{metadata, yaml};

/// Go's zero time.
const NO_TIME: &str = "0001-01-01T00:00:00Z";

/// What a release stores, beside its manifest and hooks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stored {
    /// The chart, as JSON.
    pub chart: String,
    /// The user's values, as JSON.
    pub config: String,
    /// The files of `crds/`, subcharts' included, each by its path from the chart's folder on.
    pub crds: Vec<(String, String)>,
}

impl Stored {
    /// Writes the CRDs as a JSON list of `path` and `text`.
    pub(crate) fn crds_json(&self) -> Result<String, String> {
        let crd = |(path, text): &(String, String)| {
            let fields = [("path", string(path)?), ("text", string(text)?)];
            Ok(object(fields.into_iter()))
        };
        Ok(list(
            self.crds.iter().map(crd).collect::<Result<_, String>>()?,
        ))
    }
}

/// Writes the chart as a release stores it.
pub(crate) fn chart(chart: &Chart) -> Result<String, String> {
    let schema = match &chart.schema {
        Some(schema) => string(&base64(schema))?,
        None => "null".to_owned(),
    };
    let values = if chart.values.is_empty() && !chart.has_values {
        "null".to_owned()
    } else {
        entries(&chart.values)?
    };
    let fields = [
        ("metadata", metadata(&chart.metadata)?),
        ("lock", lock(chart)?),
        ("templates", files(&chart.templates)?),
        ("values", values),
        ("schema", schema),
        ("schemamodtime", string(NO_TIME)?),
        ("files", files(&chart.files)?),
    ];
    Ok(object(fields.into_iter()))
}

/// Writes values.
pub(crate) fn values(values: &Map) -> Result<String, String> {
    json::write(&Value::Map(values.clone()), Style::Compact)
}

fn metadata(chart: &Metadata) -> Result<String, String> {
    let maintainer = |[name, email, url]: &[String; 3]| {
        let fields = [("name", name), ("email", email), ("url", url)];
        let fields = fields.iter().filter(|(_, text)| !text.is_empty());
        let fields = fields.map(|(name, text)| Ok((*name, string(text)?)));
        Ok(object(
            fields.collect::<Result<Vec<_>, String>>()?.into_iter(),
        ))
    };
    let maintainers: Result<Vec<_>, String> = chart.maintainers.iter().map(maintainer).collect();
    let dependencies: Result<Vec<_>, _> = chart.dependencies.iter().map(dependency).collect();
    let deprecated = if chart.is_deprecated { "true" } else { "" };
    let fields = [
        ("name", text(&chart.name)?),
        ("home", text(&chart.home)?),
        ("sources", texts(&chart.sources)?),
        ("version", text(&chart.version)?),
        ("description", text(&chart.description)?),
        ("keywords", texts(&chart.keywords)?),
        ("maintainers", some_list(maintainers?)),
        ("icon", text(&chart.icon)?),
        ("apiVersion", text(&chart.api_version)?),
        ("condition", text(&chart.condition)?),
        ("tags", text(&chart.tags)?),
        ("appVersion", text(&chart.app_version)?),
        ("deprecated", deprecated.to_owned()),
        ("annotations", some_entries(&chart.annotations)?),
        ("kubeVersion", text(&chart.kube_version)?),
        ("dependencies", some_list(dependencies?)),
        ("type", text(&chart.kind)?),
    ];
    Ok(object(
        fields.into_iter().filter(|(_, json)| !json.is_empty()),
    ))
}

fn dependency(one: &Dependency) -> Result<String, String> {
    let imports: Result<Vec<_>, _> = one
        .import_values
        .iter()
        .map(|value| json::write(value, Style::Compact))
        .collect();
    let enabled = if one.is_enabled { "true" } else { "" };
    let fields = [
        ("name", string(&one.name)?),
        ("version", text(&one.version)?),
        ("repository", string(&one.repository)?),
        ("condition", text(&one.condition)?),
        ("tags", texts(&one.tags)?),
        ("enabled", enabled.to_owned()),
        ("import-values", some_list(imports?)),
        ("alias", text(&one.alias)?),
    ];
    Ok(object(
        fields.into_iter().filter(|(_, json)| !json.is_empty()),
    ))
}

fn lock(chart: &Chart) -> Result<String, String> {
    let Some(data) = &chart.lock else {
        return Ok("null".to_owned());
    };
    let failed = |error| format!("cannot load Chart.lock: {error}");
    let read = yaml::parse_typed(&bytes::to_text(data)).map_err(failed)?;
    let entries = match read {
        Value::Map(map) => yaml::take(map),
        _ => Entries::new(),
    };
    let word = |name: &str| {
        entries
            .get(name)
            .and_then(yaml::field_text)
            .unwrap_or_default()
    };
    let dependencies = metadata::dependencies(&entries).map_err(failed)?;
    let dependencies = match dependencies {
        Some(items) => list(items.iter().map(dependency).collect::<Result<_, _>>()?),
        None => "null".to_owned(),
    };
    let fields = [
        ("generated", string(&time(&word("generated")))?),
        ("digest", string(&word("digest"))?),
        ("dependencies", dependencies),
    ];
    Ok(object(fields.into_iter()))
}

/// Writes a time as Go does: without zeros at the end of a fraction.
fn time(text: &str) -> String {
    if text.is_empty() {
        return NO_TIME.to_owned();
    }
    let text = text.replace("+00:00", "Z");
    let Some((whole, rest)) = text.split_once('.') else {
        return text;
    };
    let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
    let (fraction, zone) = rest.split_at(digits);
    match fraction.trim_end_matches('0') {
        "" => format!("{whole}{zone}"),
        fraction => format!("{whole}.{fraction}{zone}"),
    }
}

fn files(files: &[File]) -> Result<String, String> {
    if files.is_empty() {
        return Ok("null".to_owned());
    }
    let file = |file: &File| {
        let fields = [
            ("name", string(&file.name)?),
            ("data", string(&base64(&file.data))?),
        ];
        Ok(object(fields.into_iter()))
    };
    Ok(list(files.iter().map(file).collect::<Result<_, String>>()?))
}

fn entries(entries: &Entries) -> Result<String, String> {
    values(&new_map(entries.clone()))
}

fn some_entries(entries: &Entries) -> Result<String, String> {
    if entries.is_empty() {
        return Ok(String::new());
    }
    self::entries(entries)
}

fn string(text: &str) -> Result<String, String> {
    json::write(&text.into(), Style::Compact)
}

/// A text, or nothing where it is empty.
fn text(text: &str) -> Result<String, String> {
    if text.is_empty() {
        return Ok(String::new());
    }
    string(text)
}

fn texts(texts: &[String]) -> Result<String, String> {
    Ok(some_list(
        texts
            .iter()
            .map(|text| string(text))
            .collect::<Result<_, _>>()?,
    ))
}

fn some_list(items: Vec<String>) -> String {
    if items.is_empty() {
        String::new()
    } else {
        list(items)
    }
}

fn list(items: Vec<String>) -> String {
    format!("[{}]", items.join(","))
}

fn object<'a>(fields: impl Iterator<Item = (&'a str, String)>) -> String {
    let mut out = String::from("{");
    for (name, json) in fields {
        if out.len() > 1 {
            out.push(',');
        }
        // Writing to a text never fails.
        let _ = write!(out, "\"{name}\":{json}");
    }
    out.push('}');
    out
}
