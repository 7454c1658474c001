//! Takes the pieces of an index: entries go to the spool, and what they are sorted by stays.

use std::collections::HashMap;
use std::fs::File;
use std::io::{BufWriter, Write};

use bulkhead_api::yaml::pieces::{self, Collection, Look, Step};
use semver::Version;
use serde_json::{Map, Value};

use super::entry::{self, Read};
use crate::helm::fields::{Fields, Format};
use crate::helm::{HelmError, Limits, gojson};

/// The fields of an index beside the entries.
const FIELDS: [&str; 5] = [
    "serverInfo",
    "apiVersion",
    "generated",
    "publicKeys",
    "annotations",
];

/// How many of the versions that were left out are told.
const TOLD: usize = 10;

/// One version: which chart it is of, what it is sorted by, and where in the spool it is.
pub(super) struct Row {
    pub(super) chart: u32,
    pub(super) version: Version,
    pub(super) offset: u64,
    pub(super) length: u32,
}

/// A chart of the index.
pub(super) struct Chart {
    pub(super) name: String,
    /// Whether it has a list, perhaps an empty one, or `null`.
    pub(super) has_list: bool,
}

/// What was read; the entries are in the spool.
pub(super) struct Reading {
    pub(super) charts: Vec<Chart>,
    pub(super) rows: Vec<Row>,
    /// The fields beside the entries, as they are stored, in order.
    pub(super) before: Map<String, Value>,
    pub(super) after: Map<String, Value>,
    pub(super) has_entries: bool,
    pub(super) skipped: Vec<String>,
    pub(super) skipped_count: usize,
}

/// Takes the pieces.
pub(super) struct Sink<'a> {
    format: Format,
    limits: &'a Limits,
    spool: BufWriter<&'a mut File>,
    offset: u64,
    /// Bytes of names and versions that stay.
    name_bytes: usize,
    /// Fields of the index beside the entries that Helm knows, as they came.
    fields: Map<String, Value>,
    numbers: HashMap<String, u32>,
    reading: Reading,
    /// Whether a piece was refused.
    refused: bool,
    failure: Option<HelmError>,
}

impl<'a> Sink<'a> {
    pub(super) fn new(format: Format, limits: &'a Limits, spool: &'a mut File) -> Self {
        Self {
            format,
            limits,
            spool: BufWriter::with_capacity(64 * 1024, spool),
            offset: 0,
            name_bytes: 0,
            fields: Map::new(),
            numbers: HashMap::new(),
            reading: Reading {
                charts: Vec::new(),
                rows: Vec::new(),
                before: Map::new(),
                after: Map::new(),
                has_entries: false,
                skipped: Vec::new(),
                skipped_count: 0,
            },
            refused: false,
            failure: None,
        }
    }

    pub(super) fn has_refused(&self) -> bool {
        self.refused
    }

    pub(super) fn has_failure(&self) -> bool {
        self.failure.is_some()
    }

    pub(super) fn failure(self) -> HelmError {
        self.failure.unwrap_or(HelmError::NoIndex("cannot be read"))
    }

    /// Reads the fields beside the entries, and ends.
    pub(super) fn finish(mut self) -> Result<Reading, HelmError> {
        self.spool.flush().map_err(|source| HelmError::Store {
            action: "write the index",
            source,
        })?;
        let value = Value::Object(std::mem::take(&mut self.fields));
        self.root(&value).map_err(|message| {
            let error = bulkhead_api::yaml::YamlError {
                line: 1,
                column: 1,
                message,
            };
            HelmError::Index(error.into())
        })?;
        if self
            .reading
            .before
            .get("apiVersion")
            .is_none_or(|text| text == "")
        {
            return Err(HelmError::NoIndex(
                "has no `apiVersion`, and so is none of a Helm repository",
            ));
        }
        Ok(self.reading)
    }

    fn root(&mut self, value: &Value) -> Result<(), String> {
        let fields = Fields::of(value, self.format, "the index")?;
        let (before, after) = (&mut self.reading.before, &mut self.reading.after);
        match fields.get("serverInfo") {
            None => {}
            Some(Value::Object(map)) if map.is_empty() => {}
            Some(info @ Value::Object(_)) => {
                before.insert("serverInfo".to_owned(), gojson::sorted(info));
            }
            Some(_) => return Err("`serverInfo` must be a mapping".to_owned()),
        }
        before.insert("apiVersion".to_owned(), fields.text("apiVersion")?.into());
        let generated = match fields.get("generated") {
            None => super::time::ZERO.to_owned(),
            Some(Value::String(text)) => super::time::read(text)
                .map(|(text, _)| text)
                .ok_or("`generated` is no time of RFC 3339")?,
            Some(_) => return Err("`generated` must be a time".to_owned()),
        };
        before.insert("generated".to_owned(), generated.into());
        if let Some(keys) = fields.texts("publicKeys")?.filter(|keys| !keys.is_empty()) {
            after.insert("publicKeys".to_owned(), keys.into());
        }
        let annotations = fields.text_map("annotations")?;
        if !annotations.is_empty() {
            let all = annotations
                .into_iter()
                .map(|(key, text)| (key, text.into()));
            after.insert("annotations".to_owned(), Value::Object(all.collect()));
        }
        Ok(())
    }

    /// Notes a limit that was passed; what is returned ends the reading.
    fn past(&mut self, what: &str, limit: &'static str, allowed: usize) -> String {
        self.failure = Some(HelmError::limit(what, limit, allowed as u64));
        format!("{what} is past its limit")
    }

    /// Counts what stays in memory of a chart or a version.
    fn keep_name(&mut self, bytes: usize) -> Result<(), String> {
        self.name_bytes += bytes;
        let allowed = self.limits.index_name_bytes;
        if self.name_bytes > allowed {
            let what = "the length of all names and versions in the index";
            return Err(self.past(what, "index_name_bytes", allowed));
        }
        Ok(())
    }

    /// Finds out whether a field of the index is one that Helm knows; others it drops from JSON, and
    /// refuses in YAML.
    fn is_known(&self, key: &str) -> Result<bool, String> {
        let is_known = FIELDS.iter().any(|name| name.eq_ignore_ascii_case(key));
        match self.format {
            Format::Yaml if !is_known => {
                Err(format!("unknown field `{}`", crate::error::clean(key)))
            }
            _ => Ok(is_known),
        }
    }

    fn field(&mut self, key: &str, value: Value) -> Result<(), String> {
        if self.is_known(key)? {
            // Of several spellings in JSON the last one counts, as in Go.
            self.fields
                .retain(|other, _| !other.eq_ignore_ascii_case(key));
            self.fields.insert(key.to_owned(), value);
        }
        Ok(())
    }

    fn chart(&mut self, name: &str, has_list: bool) -> Result<(), String> {
        let allowed = self.limits.index_charts;
        if self.reading.charts.len() == allowed {
            let what = "the number of charts in the index";
            return Err(self.past(what, "index_charts", allowed));
        }
        self.keep_name(name.len())?;
        // Of two in JSON the later one counts, as in Go; in YAML that is an error.
        let number = self.reading.charts.len() as u32;
        self.reading.charts.push(Chart {
            name: name.to_owned(),
            has_list,
        });
        self.numbers.insert(name.to_owned(), number);
        Ok(())
    }

    fn entry(&mut self, name: &str, value: &Value) -> Result<(), String> {
        let chart = self.numbers.get(name).copied().unwrap_or_default();
        let allowed = self.limits.index_versions;
        if self.reading.rows.len() + self.reading.skipped_count == allowed {
            let what = "the number of versions in the index";
            return Err(self.past(what, "index_versions", allowed));
        }
        match entry::read(value, self.format)? {
            Read::Skipped(reason) => {
                self.reading.skipped_count += 1;
                if self.reading.skipped.len() < TOLD {
                    let version = value.get("version").and_then(Value::as_str);
                    let what = format!("{name} {}: {reason}", version.unwrap_or_default());
                    self.reading.skipped.push(crate::error::clean(&what));
                }
                Ok(())
            }
            Read::Valid(value, version) => self.keep(chart, &value, version),
        }
    }

    fn keep(&mut self, chart: u32, value: &Value, version: Version) -> Result<(), String> {
        self.keep_name(version.pre.len() + version.build.len())?;
        let mut text = String::new();
        gojson::write(value, ENTRY_LEVEL, &mut text);
        self.spool.write_all(text.as_bytes()).map_err(|source| {
            self.failure = Some(HelmError::Store {
                action: "write the index",
                source,
            });
            "the temporary file cannot be written".to_owned()
        })?;
        self.reading.rows.push(Row {
            chart,
            version,
            offset: self.offset,
            length: text.len() as u32,
        });
        self.offset += text.len() as u64;
        Ok(())
    }
}

/// How deep entries are in the artifact: `entries`, a name, the list.
pub(super) const ENTRY_LEVEL: usize = 3;

impl pieces::Sink for Sink<'_> {
    fn opens(&mut self, path: &[Step], collection: Collection) -> Result<Look, String> {
        let opens = match (path, collection) {
            ([], Collection::Mapping) => Ok(Look::Inside),
            ([], Collection::List) => Err("an index is a mapping, not a list".to_owned()),
            ([Step::Key(key)], Collection::Mapping) if is_entries(key) => {
                self.reading.has_entries = true;
                Ok(Look::Inside)
            }
            ([Step::Key(key)], Collection::List) if is_entries(key) => {
                Err("`entries` must be a mapping, not a list".to_owned())
            }
            ([Step::Key(key), Step::Key(name)], Collection::List) if is_entries(key) => {
                self.chart(name, true).map(|()| Look::Inside)
            }
            ([Step::Key(key)], _) => self.is_known(key).map(|is_known| match is_known {
                true => Look::Whole,
                false => Look::Over,
            }),
            _ => Ok(Look::Whole),
        };
        self.refused |= opens.is_err();
        opens
    }

    fn take(&mut self, path: &[Step], value: Value) -> Result<(), String> {
        let taken = match path {
            [Step::Key(key), Step::Key(name), Step::Item(_)] if is_entries(key) => {
                self.entry(name, &value)
            }
            [Step::Key(key), Step::Key(name)] if is_entries(key) => match value {
                Value::Null => self.chart(name, false),
                _ => Err(format!(
                    "the versions of `{}` must be a list",
                    crate::error::clean(name)
                )),
            },
            [Step::Key(key)] if is_entries(key) => match value {
                Value::Null => Ok(()),
                _ => Err("`entries` must be a mapping".to_owned()),
            },
            [Step::Key(key)] => self.field(key, value),
            [] if value.is_null() => Ok(()),
            _ => Err("an index is a mapping".to_owned()),
        };
        self.refused |= taken.is_err();
        taken
    }
}

fn is_entries(key: &str) -> bool {
    key.eq_ignore_ascii_case("entries")
}
