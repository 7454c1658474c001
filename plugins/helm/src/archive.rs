//! Unpacks chart archives: gzip, then tar, with Helm's rules for names and its limits.

use std::rc::Rc;

use bulkhead_template::quote::quote;

use crate::chart::File;

/// Largest chart, unpacked, with all that it holds: 100 MiB, as in Helm.
pub(crate) const MAX_CHART_BYTES: usize = 100 << 20;

/// Largest file of a chart: 5 MiB, as in Helm.
pub(crate) const MAX_FILE_BYTES: usize = 5 << 20;

/// Most entries of one archive.
const MAX_ENTRIES: usize = 50_000;

/// Unpacks a `.tgz`; names are relative to the chart's folder. Takes what it unpacks from `budget`.
pub(crate) fn unpack(data: &[u8], budget: &mut usize) -> Result<Vec<File>, String> {
    let tar = gunzip(data, *budget)?;
    let mut files = Vec::new();
    let mut rest = tar.as_slice();
    let mut long_name: Option<String> = None;
    let mut entries = 0;
    while rest.len() >= 512 && rest[..512].iter().any(|byte| *byte != 0) {
        entries += 1;
        if entries > MAX_ENTRIES {
            return Err(format!("chart archive has more than {MAX_ENTRIES} entries"));
        }
        let header = &rest[..512];
        let size = number(&header[124..136]).ok_or("archive/tar: invalid tar header")?;
        let padded = size
            .checked_add(511)
            .ok_or("archive/tar: invalid tar header")?
            / 512
            * 512;
        let body = rest.get(512..512 + size).ok_or("unexpected EOF")?;
        rest = rest.get(512 + padded..).unwrap_or_default();
        match header[156] {
            b'L' => long_name = Some(text(body)),
            b'x' => long_name = pax_path(body).or(long_name),
            b'g' | b'K' => {}
            kind => {
                let name = long_name.take().unwrap_or_else(|| name(header));
                let is_directory = kind == b'5' || name.ends_with('/');
                if is_directory {
                    continue;
                }
                let name = inside(&name)?;
                if size > *budget {
                    return Err(too_large());
                }
                if size > MAX_FILE_BYTES {
                    return Err(format!(
                        "decompressed chart file {} is larger than the maximum file size {MAX_FILE_BYTES}",
                        quote(&name)
                    ));
                }
                *budget -= size;
                let body = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body);
                files.push(File {
                    name,
                    data: Rc::from(body),
                });
            }
        }
    }
    if files.is_empty() {
        return Err("no files in chart archive".to_owned());
    }
    Ok(files)
}

fn too_large() -> String {
    format!("decompressed chart is larger than the maximum size {MAX_CHART_BYTES}")
}

fn gunzip(data: &[u8], budget: usize) -> Result<Vec<u8>, String> {
    let body = gzip_body(data).ok_or("gzip: invalid header")?;
    // The headers of the entries are unpacked too.
    let limit = budget.saturating_add(MAX_ENTRIES * 1024);
    miniz_oxide::inflate::decompress_to_vec_with_limit(body, limit).map_err(|error| {
        match error.status {
            miniz_oxide::inflate::TINFLStatus::HasMoreOutput => too_large(),
            _ => "flate: corrupt input".to_owned(),
        }
    })
}

fn gzip_body(data: &[u8]) -> Option<&[u8]> {
    let (header, mut rest) = data.split_at_checked(10)?;
    if header[..3] != [0x1f, 0x8b, 8] {
        return None;
    }
    let flags = header[3];
    if flags & 4 != 0 {
        let length = usize::from(u16::from_le_bytes([*rest.first()?, *rest.get(1)?]));
        rest = rest.get(2 + length..)?;
    }
    for flag in [8, 16] {
        if flags & flag != 0 {
            let end = rest.iter().position(|byte| *byte == 0)?;
            rest = &rest[end + 1..];
        }
    }
    if flags & 2 != 0 {
        rest = rest.get(2..)?;
    }
    Some(rest)
}

fn number(field: &[u8]) -> Option<usize> {
    if field[0] & 0x80 != 0 {
        let value = |sum: usize, byte: &u8| sum.checked_mul(256)?.checked_add(usize::from(*byte));
        return field[1..]
            .iter()
            .try_fold(usize::from(field[0] & 0x7f), value);
    }
    let text = text(field);
    let digits = text.trim_matches([' ', '\0']);
    if digits.is_empty() {
        Some(0)
    } else {
        usize::from_str_radix(digits, 8).ok()
    }
}

fn text(bytes: &[u8]) -> String {
    let end = bytes
        .iter()
        .position(|byte| *byte == 0)
        .unwrap_or(bytes.len());
    String::from_utf8_lossy(&bytes[..end]).into_owned()
}

fn name(header: &[u8]) -> String {
    let name = text(&header[..100]);
    let prefix = text(&header[345..500]);
    if header[257..263] == *b"ustar\0" && !prefix.is_empty() {
        format!("{prefix}/{name}")
    } else {
        name
    }
}

/// Finds the path in the records of a pax header: `LENGTH path=NAME`.
fn pax_path(body: &[u8]) -> Option<String> {
    let mut rest = body;
    while let Some(space) = rest.iter().position(|byte| *byte == b' ') {
        let length: usize = std::str::from_utf8(&rest[..space]).ok()?.parse().ok()?;
        let record = rest.get(space + 1..length.checked_sub(1)?)?;
        if let Some(path) = record.strip_prefix(b"path=") {
            return Some(String::from_utf8_lossy(path).into_owned());
        }
        rest = rest.get(length..)?;
    }
    None
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
