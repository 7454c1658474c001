//! tar, read entry by entry: plain, GNU's long names and pax names and sizes, as Go's archive/tar has
//! them. Entries without content (links, devices) are empty files here, as they are for Helm.

use crate::inflate::Gunzip;

const BLOCK: usize = 512;
const INVALID: &str = "archive/tar: invalid tar header";

/// Longest pax header or long name, in bytes: as in Go.
const MAX_SPECIAL_BYTES: usize = 1 << 20;

/// An entry; its content has to be read, or skipped, before the next.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) name: String,
    pub(crate) size: usize,
    pub(crate) is_directory: bool,
}

/// What extended headers say of the next entry.
#[derive(Default)]
struct Extended {
    name: Option<String>,
    size: Option<usize>,
}

/// A packed archive that is being read.
pub(crate) struct Tar<'a> {
    input: Gunzip<'a>,
    /// Content and padding of the last entry that are still to come.
    left: usize,
    padding: usize,
}

impl<'a> Tar<'a> {
    pub(crate) fn new(data: &'a [u8]) -> Result<Self, String> {
        Ok(Self {
            input: Gunzip::new(data)?,
            left: 0,
            padding: 0,
        })
    }

    /// Finds the next entry that is a file or a folder.
    pub(crate) fn next(&mut self) -> Result<Option<Entry>, String> {
        let mut extended = Extended::default();
        loop {
            self.skip()?;
            let Some(header) = self.header()? else {
                return Ok(None);
            };
            let kind = header[156];
            let size = match extended.size {
                Some(size) => size,
                None => number(&header[124..136]).ok_or(INVALID)?,
            };
            // Links, devices and folders have no content, whatever their size says.
            self.left = if (b'1'..=b'6').contains(&kind) {
                0
            } else {
                size
            };
            self.padding = self.left.next_multiple_of(BLOCK) - self.left;
            match kind {
                b'L' => extended.name = Some(text(&self.special()?)),
                b'x' => pax(&self.special()?, &mut extended)?,
                b'g' | b'K' => {}
                b'S' => return Err("archive/tar: sparse files are not supported".to_owned()),
                kind => {
                    let name = extended.name.unwrap_or_else(|| name(&header));
                    let is_directory = kind == b'5' || name.ends_with('/');
                    return Ok(Some(Entry {
                        size: self.left,
                        name,
                        is_directory,
                    }));
                }
            }
        }
    }

    /// Reads the content of the entry.
    pub(crate) fn content(&mut self) -> Result<Vec<u8>, String> {
        let mut content = vec![0; std::mem::take(&mut self.left)];
        self.exact(&mut content)?;
        Ok(content)
    }

    fn special(&mut self) -> Result<Vec<u8>, String> {
        if self.left > MAX_SPECIAL_BYTES {
            return Err("archive/tar: header field too long".to_owned());
        }
        self.content()
    }

    fn skip(&mut self) -> Result<(), String> {
        let mut waste = [0; BLOCK];
        let mut rest = std::mem::take(&mut self.left) + std::mem::take(&mut self.padding);
        while rest > 0 {
            let piece = rest.min(BLOCK);
            self.exact(&mut waste[..piece])?;
            rest -= piece;
        }
        Ok(())
    }

    /// Reads a header; `None` at the end, which is a block of zeros or nothing.
    fn header(&mut self) -> Result<Option<[u8; BLOCK]>, String> {
        let mut header = [0; BLOCK];
        match self.input.read(&mut header)? {
            0 => return Ok(None),
            BLOCK => {}
            _ => return Err("unexpected EOF".to_owned()),
        }
        if header.iter().all(|byte| *byte == 0) {
            return Ok(None);
        }
        let field = 148..156;
        let sum = |sum: usize, (at, byte): (usize, &u8)| {
            let byte = if field.contains(&at) { b' ' } else { *byte };
            sum + usize::from(byte)
        };
        let sum = header.iter().enumerate().fold(0, sum);
        if number(&header[148..156]) != Some(sum) {
            return Err(INVALID.to_owned());
        }
        Ok(Some(header))
    }

    fn exact(&mut self, out: &mut [u8]) -> Result<(), String> {
        if self.input.read(out)? == out.len() {
            Ok(())
        } else {
            Err("unexpected EOF".to_owned())
        }
    }
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
    let end = bytes.iter().position(|byte| *byte == 0);
    String::from_utf8_lossy(&bytes[..end.unwrap_or(bytes.len())]).into_owned()
}

fn name(header: &[u8; BLOCK]) -> String {
    let name = text(&header[..100]);
    let prefix = text(&header[345..500]);
    if header[257..263] == *b"ustar\0" && !prefix.is_empty() {
        format!("{prefix}/{name}")
    } else {
        name
    }
}

/// Reads the records of a pax header: `LENGTH KEY=VALUE`.
fn pax(body: &[u8], extended: &mut Extended) -> Result<(), String> {
    let mut rest = body;
    while !rest.is_empty() {
        let record = pax_record(&mut rest).ok_or(INVALID)?;
        let (key, value) = record.split_once('=').ok_or(INVALID)?;
        match key {
            "path" => extended.name = Some(value.to_owned()),
            "size" => extended.size = Some(value.parse().map_err(|_| INVALID)?),
            key if key.starts_with("GNU.sparse.") => {
                return Err("archive/tar: sparse files are not supported".to_owned());
            }
            _ => {}
        }
    }
    Ok(())
}

fn pax_record(rest: &mut &[u8]) -> Option<String> {
    let space = rest.iter().position(|byte| *byte == b' ')?;
    let length: usize = std::str::from_utf8(&rest[..space]).ok()?.parse().ok()?;
    let record = rest.get(space + 1..length)?.strip_suffix(b"\n")?;
    *rest = rest.get(length..)?;
    Some(String::from_utf8_lossy(record).into_owned())
}
