//! Writes the artifact: the charts by name, each chart's versions from the highest down.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::FileExt as _;

use bulkhead_api::Digest;
use sha2::{Digest as _, Sha256};

use super::read::{ENTRY_LEVEL, Reading, Row};
use super::{Directory, StoredIndex};
use crate::helm::{HelmError, gojson};

/// Writes what was read; the entries come from `spool`.
pub(super) fn write(
    mut reading: Reading,
    spool: &File,
    out: &mut impl Write,
) -> Result<StoredIndex, HelmError> {
    let (order, rows) = arrange(&mut reading);
    let mut writer = Writer {
        out: BufWriter::with_capacity(64 * 1024, out),
        hasher: Sha256::new(),
        offset: 0,
    };
    let directory = writer
        .index(&reading, &order, &rows, spool)
        .map_err(|source| HelmError::Store {
            action: "write the index",
            source,
        })?;
    Ok(StoredIndex {
        digest: Digest::from_bytes(writer.hasher.finalize().into()),
        size_bytes: writer.offset,
        versions: rows.len(),
        directory,
        skipped: reading.skipped,
        skipped_count: reading.skipped_count,
    })
}

/// Returns the charts in order of their names, and the versions chart by chart; of two charts with
/// one name the later.
fn arrange(reading: &mut Reading) -> (Vec<u32>, Vec<Row>) {
    let charts = &reading.charts;
    let mut order: Vec<u32> = (0..charts.len() as u32).collect();
    order.sort_by(|one, other| {
        let name = |at: &u32| charts[*at as usize].name.as_bytes();
        name(one).cmp(name(other)).then(other.cmp(one))
    });
    order.dedup_by(|one, other| charts[*one as usize].name == charts[*other as usize].name);
    let mut ranks = vec![u32::MAX; charts.len()];
    for (rank, chart) in order.iter().enumerate() {
        ranks[*chart as usize] = rank as u32;
    }
    let mut rows = std::mem::take(&mut reading.rows);
    rows.retain(|row| ranks[row.chart as usize] != u32::MAX);
    rows.sort_by(|one, other| {
        let rank = |row: &Row| ranks[row.chart as usize];
        rank(one)
            .cmp(&rank(other))
            .then_with(|| other.version.cmp_precedence(&one.version))
    });
    (order, rows)
}

struct Writer<W: Write> {
    out: BufWriter<W>,
    hasher: Sha256,
    offset: u64,
}

impl<W: Write> Writer<W> {
    fn index(
        &mut self,
        reading: &Reading,
        order: &[u32],
        rows: &[Row],
        spool: &File,
    ) -> io::Result<Directory> {
        let mut directory = Directory::default();
        self.put("{")?;
        for (name, value) in &reading.before {
            self.field(name, value)?;
            self.put(",")?;
        }
        self.put("\n  \"entries\": ")?;
        if !reading.has_entries {
            self.put("null")?;
        } else if order.is_empty() {
            self.put("{}")?;
        } else {
            self.put("{")?;
            let mut rest = rows;
            for (at, number) in order.iter().enumerate() {
                let chart = &reading.charts[*number as usize];
                let end = rest
                    .iter()
                    .position(|row| row.chart != *number)
                    .unwrap_or(rest.len());
                let (own, others) = rest.split_at(end);
                rest = others;
                let mut key = String::from(if at > 0 { ",\n    " } else { "\n    " });
                gojson::string(&chart.name, &mut key);
                key.push_str(": ");
                self.put(&key)?;
                let start = self.offset;
                self.versions(own, chart.has_list, spool)?;
                directory.add(&chart.name, start..self.offset);
            }
            self.put("\n  }")?;
        }
        for (name, value) in &reading.after {
            self.put(",")?;
            self.field(name, value)?;
        }
        self.put("\n}")?;
        self.out.flush()?;
        Ok(directory)
    }

    fn field(&mut self, name: &str, value: &serde_json::Value) -> io::Result<()> {
        let mut text = String::from("\n  ");
        gojson::string(name, &mut text);
        text.push_str(": ");
        gojson::write(value, 1, &mut text);
        self.put(&text)
    }

    fn versions(&mut self, rows: &[Row], has_list: bool, spool: &File) -> io::Result<()> {
        if rows.is_empty() {
            return self.put(if has_list { "[]" } else { "null" });
        }
        self.put("[")?;
        let mut entry = Vec::new();
        for (at, row) in rows.iter().enumerate() {
            let comma = if at > 0 { "," } else { "" };
            self.put(&format!("{comma}\n{}", "  ".repeat(ENTRY_LEVEL)))?;
            entry.resize(row.length as usize, 0);
            spool.read_exact_at(&mut entry, row.offset)?;
            self.bytes(&entry)?;
        }
        self.put("\n    ]")
    }

    fn put(&mut self, text: &str) -> io::Result<()> {
        self.bytes(text.as_bytes())
    }

    fn bytes(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.hasher.update(bytes);
        self.offset += bytes.len() as u64;
        self.out.write_all(bytes)
    }
}
