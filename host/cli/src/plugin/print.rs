//! How the answers of `plugin` are printed: text for people, or one JSON object a line.

use serde_json::Value;

use crate::args::OutputFormat;
use crate::output::{self, CliError};

/// Prints an answer.
pub(super) fn answer(
    format: OutputFormat,
    json: &Value,
    text: impl FnOnce() -> String,
) -> Result<(), CliError> {
    match format {
        OutputFormat::Text => output::data(&output::clean(&text()))?,
        OutputFormat::Json => output::data(&format!("{json}\n"))?,
    }
    Ok(())
}

/// Writes a size as people read it: `63 kB`, `2.0 MB`.
pub(super) fn size(bytes: u64) -> String {
    match bytes {
        0..1_000 => format!("{bytes} bytes"),
        1_000..1_000_000 => format!("{} kB", bytes.div_ceil(1_000)),
        _ => format!("{}.{} MB", bytes / 1_000_000, bytes % 1_000_000 / 100_000),
    }
}

/// Lays rows out in columns two spaces apart.
pub(super) fn table(rows: &[Vec<String>]) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column));
        cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let mut text = String::new();
    for row in rows {
        let mut line = String::new();
        for (cell, width) in row.iter().zip(&widths) {
            line.push_str(&format!("{cell:width$}  "));
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_and_tables_are_for_people() {
        assert_eq!(size(999), "999 bytes");
        assert_eq!(size(1_000), "1 kB");
        assert_eq!(size(20_612), "21 kB");
        assert_eq!(size(12_149_000), "12.1 MB");
        let row = |cells: [&str; 2]| cells.map(str::to_owned).to_vec();
        assert_eq!(
            table(&[row(["a", "b"]), row(["long", ""])]),
            "a     b\nlong\n"
        );
    }
}
