//! Where the charts are in a stored index: some 60 bytes a chart, and one read a look.

use std::collections::BTreeMap;
use std::io::{self, BufRead, Read, Seek, SeekFrom};
use std::ops::Range;

use serde_json::Value;

use super::{ChartVersion, entry};
use crate::helm::{HelmError, version};

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

    /// Reads all versions of a chart, from the highest down. `place` is what errors call the
    /// repository, `artifact` the stored index.
    ///
    /// # Errors
    /// [`HelmError::NoChart`] with names that are like it; [`HelmError::Store`].
    pub fn versions(
        &self,
        place: &str,
        artifact: &mut (impl Read + Seek),
        name: &str,
    ) -> Result<Vec<ChartVersion>, HelmError> {
        let Some(range) = self.charts.get(name) else {
            let near = crate::error::near(name, self.names());
            let near = match near.is_empty() {
                true => ", and no other".to_owned(),
                false => format!("; there are {}", near.join(", ")),
            };
            return Err(HelmError::NoChart {
                place: place.to_owned(),
                name: crate::error::clean(name),
                near,
            });
        };
        read(artifact, range).map_err(|source| HelmError::Store {
            action: "read the stored index",
            source,
        })
    }

    /// Chooses a version of a chart, as Flux does: one that is spelled like `wanted`, else the
    /// highest in the range; empty and `*` mean the highest that is no pre-release.
    ///
    /// # Errors
    /// As [`versions`](Self::versions); [`HelmError::Range`]; [`HelmError::NoVersion`] with versions
    /// that are near.
    pub fn choose(
        &self,
        place: &str,
        artifact: &mut (impl Read + Seek),
        name: &str,
        wanted: &str,
    ) -> Result<ChartVersion, HelmError> {
        let versions = self.versions(place, artifact, name)?;
        let place = format!("chart `{}` of {place}", crate::error::clean(name));
        version::choose(&place, &versions, wanted).cloned()
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

fn read(artifact: &mut (impl Read + Seek), range: &Range<u64>) -> io::Result<Vec<ChartVersion>> {
    artifact.seek(SeekFrom::Start(range.start))?;
    let mut text = Vec::new();
    artifact
        .take(range.end - range.start)
        .read_to_end(&mut text)?;
    let entries: Option<Vec<Value>> = serde_json::from_slice(&text)?;
    entries
        .unwrap_or_default()
        .iter()
        .map(|value| entry::stored(value).map_err(io::Error::other))
        .collect()
}
