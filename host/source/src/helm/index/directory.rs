//! Where the charts are in a stored index: some 60 bytes a chart, and one read a look.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::fmt;
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom};
use std::ops::Range;

use jiff::Timestamp;
use serde::de::{IgnoredAny, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::Value;

use super::{ChartVersion, entry, time};
use crate::helm::HelmError;
use crate::helm::version::{self, Candidate};

/// Where each chart's versions are in an artifact that [`store`](super::store) has written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Directory {
    charts: BTreeMap<Box<str>, Range<u64>>,
}

impl Directory {
    pub(super) fn add(&mut self, name: &str, range: Range<u64>) {
        self.charts.insert(name.into(), range);
    }

    /// Finds the charts of an artifact anew, after a restart.
    ///
    /// Only artifacts that were written here are read, and only after their digest was checked: it
    /// goes by the lines, without looking at what they say.
    ///
    /// # Errors
    /// The reader failed.
    pub fn scan(reader: &mut impl BufRead) -> io::Result<Self> {
        let mut directory = Self::default();
        let mut line = Vec::new();
        let mut offset = 0;
        let mut is_inside = false;
        let mut open: Option<(String, u64)> = None;
        loop {
            line.clear();
            let length = reader.read_until(b'\n', &mut line)? as u64;
            if length == 0 {
                return Ok(directory);
            }
            let text = line.trim_ascii_end();
            if text == b"  \"entries\": {" {
                is_inside = true;
            } else if is_inside && (text == b"  }" || text == b"  },") {
                is_inside = false;
            } else if is_inside && text.starts_with(b"    \"") {
                if let Some((name, at)) = key(text) {
                    let start = offset + at as u64;
                    match &text[at..] {
                        b"[" => open = Some((name, start)),
                        whole => {
                            let whole = whole.strip_suffix(b",").unwrap_or(whole);
                            directory.add(&name, start..start + whole.len() as u64);
                        }
                    }
                }
            } else if is_inside
                && (text == b"    ]" || text == b"    ],")
                && let Some((name, start)) = open.take()
            {
                directory.add(&name, start..offset + 5);
            }
            offset += length;
        }
    }

    /// Counts the charts.
    pub fn len(&self) -> usize {
        self.charts.len()
    }

    /// Tells whether there are none.
    pub fn is_empty(&self) -> bool {
        self.charts.is_empty()
    }

    /// Returns the charts' names, sorted.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.charts.keys().map(|name| &**name)
    }

    fn range(&self, place: &str, name: &str) -> Result<&Range<u64>, HelmError> {
        self.charts.get(name).ok_or_else(|| {
            let near = crate::error::near(name, self.names());
            let near = match near.is_empty() {
                true => ", and no other".to_owned(),
                false => format!("; there are {}", near.join(", ")),
            };
            HelmError::NoChart {
                place: place.to_owned(),
                name: crate::error::clean(name),
                near,
            }
        })
    }

    /// Chooses a version of a chart, as Flux does: one that is spelled like `wanted`, else the
    /// highest in the range; empty and `*` mean the highest that is no pre-release. `place` is what
    /// errors call the repository, `artifact` the stored index.
    ///
    /// # Guarantees
    /// Memory holds the chart's versions and one entry, however large the others are.
    ///
    /// # Errors
    /// [`HelmError::NoChart`] with names that are like it; [`HelmError::Range`];
    /// [`HelmError::NoVersion`] with versions that are near; [`HelmError::Store`].
    pub fn choose(
        &self,
        place: &str,
        artifact: &mut (impl Read + Seek),
        name: &str,
        wanted: &str,
    ) -> Result<ChartVersion, HelmError> {
        let range = self.range(place, name)?;
        let stored = |source| HelmError::Store {
            action: "read the stored index",
            source,
        };
        let lines = lines(artifact, range).map_err(stored)?;
        let place = format!("chart `{}` of {place}", crate::error::clean(name));
        let chosen = version::choose(&place, &lines, wanted)?;
        let at = lines.iter().position(|line| std::ptr::eq(line, chosen));
        entry_at(artifact, range, at.unwrap_or_default()).map_err(stored)
    }
}

/// Returns the key of a line, and where its value starts.
fn key(line: &[u8]) -> Option<(String, usize)> {
    let text = std::str::from_utf8(line).ok()?;
    let bare = text.trim_start();
    let indent = text.len() - bare.len();
    let mut keys = serde_json::Deserializer::from_str(bare).into_iter::<String>();
    let key = keys.next()?.ok()?;
    let end = indent + keys.byte_offset();
    text[end..].starts_with(": ").then_some((key, end + 2))
}

/// What a version is chosen by.
#[derive(Deserialize)]
struct Line {
    #[serde(default)]
    version: String,
    #[serde(default, deserialize_with = "instant")]
    created: Timestamp,
}

impl Candidate for Line {
    fn version(&self) -> &str {
        &self.version
    }

    fn age(&self, other: &Self) -> Ordering {
        self.created.cmp(&other.created)
    }
}

fn instant<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Timestamp, D::Error> {
    let text = String::deserialize(deserializer)?;
    let read = time::read(&text).map(|(_, instant)| instant);
    read.ok_or_else(|| serde::de::Error::custom("`created` is no time of RFC 3339"))
}

fn text_of(
    artifact: &mut (impl Read + Seek),
    range: &Range<u64>,
) -> io::Result<serde_json::Deserializer<serde_json::de::IoRead<impl Read>>> {
    artifact.seek(SeekFrom::Start(range.start))?;
    let text = artifact.take(range.end - range.start);
    Ok(serde_json::Deserializer::from_reader(BufReader::new(text)))
}

fn lines(artifact: &mut (impl Read + Seek), range: &Range<u64>) -> io::Result<Vec<Line>> {
    let lines = Option::<Vec<Line>>::deserialize(&mut text_of(artifact, range)?)?;
    Ok(lines.unwrap_or_default())
}

fn entry_at(
    artifact: &mut (impl Read + Seek),
    range: &Range<u64>,
    at: usize,
) -> io::Result<ChartVersion> {
    let value = text_of(artifact, range)?.deserialize_seq(At(at))?;
    entry::stored(&value).map_err(io::Error::other)
}

/// Builds one item of a list, and reads over the others.
struct At(usize);

impl<'de> Visitor<'de> for At {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Value, A::Error> {
        for _ in 0..self.0 {
            list.next_element::<IgnoredAny>()?;
        }
        let value = list.next_element::<Value>()?.unwrap_or_default();
        while list.next_element::<IgnoredAny>()?.is_some() {}
        Ok(value)
    }
}
