//! Unpacks chart archives: gzip, then tar, with Helm's rules for names and its limits.

use std::rc::Rc;

use bulkhead_template::quote::quote;

use crate::chart::File;
use crate::tar::Tar;

/// Largest chart, unpacked, with all that it holds: 100 MiB, as in Helm.
pub(crate) const MAX_CHART_BYTES: usize = 100 << 20;

/// Largest file of a chart: 5 MiB, as in Helm.
pub(crate) const MAX_FILE_BYTES: usize = 5 << 20;

/// Most entries of one archive.
const MAX_ENTRIES: usize = 50_000;

/// Longest name of an entry, in bytes.
const MAX_NAME_BYTES: usize = 4_096;

/// Unpacks a `.tgz`; names are relative to the chart's folder. Takes what it unpacks from `budget`.
pub(crate) fn unpack(data: &[u8], budget: &mut usize) -> Result<Vec<File>, String> {
    let mut tar = Tar::new(data)?;
    let mut files = Vec::new();
    let mut entries = 0;
    while let Some(entry) = tar.next()? {
        entries += 1;
        if entries > MAX_ENTRIES {
            return Err(format!("chart archive has more than {MAX_ENTRIES} entries"));
        }
        if entry.is_directory {
            continue;
        }
        if entry.name.len() > MAX_NAME_BYTES {
            return Err(format!(
                "chart archive has a name longer than {MAX_NAME_BYTES} bytes"
            ));
        }
        let name = inside(&entry.name)?;
        if entry.size > *budget {
            return Err(format!(
                "decompressed chart is larger than the maximum size {MAX_CHART_BYTES}"
            ));
        }
        if entry.size > MAX_FILE_BYTES {
            return Err(format!(
                "decompressed chart file {} is larger than the maximum file size {MAX_FILE_BYTES}",
                quote(&name)
            ));
        }
        *budget -= entry.size;
        let content = tar.content()?;
        let content = content.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&content);
        files.push(File {
            name,
            data: Rc::from(content),
        });
    }
    if files.is_empty() {
        return Err("no files in chart archive".to_owned());
    }
    Ok(files)
}

/// Takes the chart's folder off a name, and refuses names that lead out of it.
fn inside(name: &str) -> Result<String, String> {
    let delimiter = if name.contains('\\') { '\\' } else { '/' };
    let mut parts = name.split(delimiter);
    let first = parts.next().unwrap_or_default();
    let rest: Vec<&str> = parts.collect();
    let joined = rest.join("/");
    if joined.starts_with('/') {
        return Err("chart illegally contains absolute paths".to_owned());
    }
    let clean = crate::paths::clean(&joined);
    if clean == "." {
        return Err(format!(
            "chart illegally contains content outside the base directory: {}",
            quote(name)
        ));
    }
    if clean.starts_with("..") {
        return Err("chart illegally references parent directory".to_owned());
    }
    if clean.as_bytes().get(1..3) == Some(b":/") && clean.as_bytes()[0].is_ascii_alphabetic() {
        return Err("chart contains illegally named files".to_owned());
    }
    if first == "Chart.yaml" {
        return Err("chart yaml not in base directory".to_owned());
    }
    Ok(clean)
}
