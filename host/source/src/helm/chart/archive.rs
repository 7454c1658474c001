//! Reads packed charts: entry after entry, each judged before its content is read.
//!
//! Files alone are read: folders are skipped, every other kind of entry is refused. Names are judged
//! by Helm's rules; nothing is written to disk.
//!
//! Source: helm 4.3, pkg/chart/loader/archive/archive.go.

use std::io::{self, Read};

use flate2::read::MultiGzDecoder;
use tar::EntryType;

use super::ChartFile;
use crate::helm::{HelmError, Limits};

/// Bytes that an entry may cost beside its content: headers of several formats, and padding.
const ENTRY_OVERHEAD: u64 = 16 * 1024;

/// What a chart with all its subcharts may still use up.
#[derive(Clone, Debug)]
pub(super) struct Budget {
    limits: Limits,
    bytes: u64,
    files: usize,
}

impl Budget {
    pub(super) fn new(limits: &Limits) -> Self {
        Self {
            limits: limits.clone(),
            bytes: 0,
            files: 0,
        }
    }

    pub(super) fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Counts a file of `place`, before its content is read.
    pub(super) fn spend(&mut self, place: &str, name: &str, size: u64) -> Result<(), HelmError> {
        let limits = &self.limits;
        let shown = crate::error::clean(name);
        if size > limits.file_bytes {
            let what = format!("`{shown}` of {place}");
            return Err(HelmError::limit(what, "file_bytes", limits.file_bytes));
        }
        if name.split('/').count() > limits.depth + 1 {
            let what = format!("the depth of `{shown}` of {place}");
            return Err(HelmError::limit(what, "depth", limits.depth as u64));
        }
        self.files += 1;
        if self.files > limits.files {
            let what = format!("the number of files of {place}");
            return Err(HelmError::limit(what, "files", limits.files as u64));
        }
        self.bytes = self.bytes.saturating_add(size);
        if self.bytes > limits.unpacked_bytes {
            let what = format!("the unpacked size of {place}");
            let allowed = limits.unpacked_bytes;
            return Err(HelmError::limit(what, "unpacked_bytes", allowed));
        }
        Ok(())
    }
}

/// Reads all files of a packed chart into memory.
pub(super) fn files(
    place: &str,
    packed: impl Read,
    budget: &mut Budget,
) -> Result<Vec<ChartFile>, HelmError> {
    let mut files = Vec::new();
    each(place, packed, budget, |name, _, content| {
        let mut bytes = Vec::new();
        content.read_to_end(&mut bytes)?;
        files.push(ChartFile::new(name, bytes));
        Ok(())
    })?;
    if files.is_empty() {
        return Err(HelmError::archive(place, "it holds no files"));
    }
    Ok(files)
}

/// Calls `take` with each file's name below the chart's folder, the depth below it, and its content.
pub(super) fn each(
    place: &str,
    packed: impl Read,
    budget: &mut Budget,
    mut take: impl FnMut(String, usize, &mut dyn Read) -> io::Result<()>,
) -> Result<(), HelmError> {
    let broken = |error: io::Error| HelmError::archive(place, explain(&error));
    let overhead = ENTRY_OVERHEAD.saturating_mul(budget.limits.files as u64 + 1);
    let allowed = budget.limits.unpacked_bytes.saturating_add(overhead);
    let mut archive = tar::Archive::new(MultiGzDecoder::new(packed).take(allowed));
    for entry in archive.entries().map_err(broken)? {
        let mut entry = entry.map_err(broken)?;
        let raw = String::from_utf8(entry.path_bytes().into_owned())
            .map_err(|_| HelmError::archive(place, "a name is not UTF-8"))?;
        match entry.header().entry_type() {
            EntryType::Directory | EntryType::XGlobalHeader => continue,
            EntryType::Regular | EntryType::Continuous if raw.ends_with('/') => continue,
            EntryType::Regular | EntryType::Continuous => {}
            other => {
                let problem = format!("`{raw}` is {}, not a file", kind(other));
                return Err(HelmError::archive(place, problem));
            }
        }
        let name = name_of(&raw).map_err(|problem| HelmError::archive(place, problem))?;
        let size = entry.size();
        budget.spend(place, &name, size)?;
        let mut content = (&mut entry).take(size);
        let depth = raw.split(['/', '\\']).count().saturating_sub(2);
        take(name, depth, &mut content).map_err(broken)?;
    }
    Ok(())
}

/// Returns the name below the chart's folder, or says why it is none.
fn name_of(raw: &str) -> Result<String, String> {
    // Archives from Windows.
    let text = match raw.contains('\\') {
        true => raw.replace('\\', "/"),
        false => raw.to_owned(),
    };
    let (base, rest) = text.split_once('/').unwrap_or((&text, ""));
    if base == "Chart.yaml" {
        return Err("`Chart.yaml` is not in a folder".to_owned());
    }
    if text.contains('\0') {
        return Err(format!("the name `{raw}` holds a NUL"));
    }
    if rest.starts_with('/') || text.starts_with('/') {
        return Err(format!("the name `{raw}` is absolute"));
    }
    let mut parts: Vec<&str> = Vec::new();
    for part in rest.split('/') {
        match part {
            "" | "." => {}
            ".." if parts.pop().is_none() => {
                return Err(format!("the name `{raw}` leads out of the chart"));
            }
            ".." => {}
            part => parts.push(part),
        }
    }
    if parts.is_empty() || base == ".." {
        return Err(format!("the name `{raw}` leads out of the chart"));
    }
    let is_drive = |part: &str| matches!(part.as_bytes(), [b'a'..=b'z' | b'A'..=b'Z', b':']);
    if parts.len() > 1 && is_drive(parts[0]) {
        return Err(format!("the name `{raw}` has a drive"));
    }
    Ok(parts.join("/"))
}

fn kind(kind: EntryType) -> &'static str {
    match kind {
        EntryType::Symlink => "a symbolic link",
        EntryType::Link => "a hard link",
        EntryType::Char | EntryType::Block => "a device",
        EntryType::Fifo => "a pipe",
        EntryType::GNUSparse => "a sparse file",
        _ => "of an unknown kind",
    }
}

/// Says what a failure of the decoder means.
fn explain(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::UnexpectedEof => "it ends too early".to_owned(),
        _ if error.to_string().contains("invalid gzip header") => {
            "it is not compressed with gzip, as charts are".to_owned()
        }
        _ => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_stay_inside_of_the_chart() {
        let name = |raw: &str| name_of(raw).ok();
        assert_eq!(name("a/Chart.yaml").as_deref(), Some("Chart.yaml"));
        assert_eq!(name("a/./b//c").as_deref(), Some("b/c"));
        assert_eq!(name("a/b/../c").as_deref(), Some("c"));
        assert_eq!(name("a\\b\\c").as_deref(), Some("b/c"));
        for raw in [
            "Chart.yaml",
            "a",
            "a/",
            "a//b",
            "/a/b",
            "a/..",
            "a/../b/../..",
            "../a",
            "a/b/../..",
            "a/c:/x",
            "a/\0",
        ] {
            assert_eq!(name(raw), None, "{raw}");
        }
    }
}
