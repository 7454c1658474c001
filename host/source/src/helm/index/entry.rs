//! One version of a chart, as an index tells of it.

use jiff::Timestamp;
use semver::Version;
use serde_json::{Map, Value, json};

use super::time;
use crate::helm::fields::{Fields, Format};
use crate::helm::metadata::{self, Fault, Metadata, put};

/// One version of a chart, as an index tells of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChartVersion {
    /// What its `Chart.yaml` says.
    pub metadata: Metadata,
    /// Where it is, relative to the repository or absolute; the first one is used.
    pub urls: Vec<String>,
    /// Digest of the packed chart, as it was written: with `sha256:` or without, or empty.
    pub digest: String,
    /// When it was made; Go's zero time if it does not say.
    pub created: Timestamp,
    /// Whether it was taken back.
    pub removed: bool,
}

/// Fields of an entry that `Chart.yaml` does not have.
const FIELDS: [&str; 8] = [
    "urls",
    "created",
    "removed",
    "digest",
    "checksum",
    "engine",
    "tillerVersion",
    "url",
];

/// What becomes of an entry.
pub(super) enum Read {
    /// It is valid: its value as it is stored, and what it is sorted by.
    Valid(Value, Version),
    /// Helm leaves it out, for this reason.
    Skipped(String),
}

/// Reads an entry of a foreign index.
///
/// # Errors
/// What makes Helm refuse the whole index.
pub(super) fn read(value: &Value, format: Format) -> Result<Read, String> {
    if value.is_null() {
        return Ok(Read::Skipped("it is empty".to_owned()));
    }
    if format == Format::Yaml {
        metadata::check_known(value, format, &FIELDS)?;
    }
    let fields = Fields::of(value, format, "an entry")?;
    // What lies behind an embedded pointer Go's YAML reader reads as strictly as JSON.
    let mut metadata = Metadata::read(value, Format::Json)?;
    if metadata.api_version.is_empty() {
        metadata.api_version = "v1".to_owned();
    }
    let urls = fields.texts("urls")?;
    let (created, _) = created(&fields)?;
    let removed = fields.flag("removed")?;
    let late: Vec<(&str, String)> = ["digest", "checksum", "engine", "tillerVersion", "url"]
        .into_iter()
        .map(|name| Ok((name, fields.text(name)?)))
        .collect::<Result<_, String>>()?;
    match metadata::check_items(value).and_then(|()| metadata.check()) {
        Ok(()) | Err(Fault::Twice(_)) => {}
        Err(fault) => return Ok(Read::Skipped(fault.text())),
    }
    let Some(version) = crate::helm::version::parse(&metadata.version) else {
        return Ok(Read::Skipped("its version cannot be read".to_owned()));
    };
    let mut map: Map<String, Value> = metadata.to_value();
    map.insert("urls".to_owned(), json!(urls));
    map.insert("created".to_owned(), json!(created));
    if removed {
        map.insert("removed".to_owned(), json!(true));
    }
    for (name, text) in &late {
        put(&mut map, name, text);
    }
    Ok(Read::Valid(Value::Object(map), version))
}

/// Reads an entry that was stored here.
pub(super) fn stored(value: &Value) -> Result<ChartVersion, String> {
    let fields = Fields::of(value, Format::Json, "an entry")?;
    let (_, created) = created(&fields)?;
    Ok(ChartVersion {
        metadata: Metadata::read(value, Format::Json)?,
        urls: fields.texts("urls")?.unwrap_or_default(),
        digest: fields.text("digest")?,
        created,
        removed: fields.flag("removed")?,
    })
}

fn created(fields: &Fields<'_>) -> Result<(String, Timestamp), String> {
    let text = match fields.get("created") {
        None => time::ZERO,
        Some(Value::String(text)) => text,
        Some(_) => return Err("`created` must be a time".to_owned()),
    };
    time::read(text).ok_or_else(|| {
        let text = crate::error::clean(text);
        format!("`created` is `{text}`, which is no time of RFC 3339")
    })
}
