//! Bytes to characters: UTF-8 with or without a byte order mark, UTF-16 with one. In: bytes as
//! found. Out: text that holds only what YAML allows, up to where go-yaml would stop reading.

use std::borrow::Cow;

use crate::Error;

/// go-yaml reads, and checks, this many bytes at a time.
const CHUNK: usize = 512;

/// A text, and why it ends early, if it does.
#[derive(Debug)]
pub(crate) struct Decoded<'a> {
    /// Without a byte order mark. Ends before the block of bytes with the first bad character.
    pub(crate) text: Cow<'a, str>,
    /// What to report to whoever reads to the end of `text`.
    pub(crate) trouble: Option<Error>,
}

/// Decodes and checks `bytes`.
pub(crate) fn decode(bytes: &[u8]) -> Decoded<'_> {
    match bytes {
        [0xFF, 0xFE, rest @ ..] => decode_utf16(rest, u16::from_le_bytes),
        [0xFE, 0xFF, rest @ ..] => decode_utf16(rest, u16::from_be_bytes),
        [0xEF, 0xBB, 0xBF, rest @ ..] => decode_utf8(rest, 3),
        _ => decode_utf8(bytes, 0),
    }
}

/// `skipped` is the length of the byte order mark, which counts for where blocks end.
fn decode_utf8(bytes: &[u8], skipped: usize) -> Decoded<'_> {
    if bytes.starts_with(&[0xEF, 0xBB, 0xBF]) {
        // go-yaml drops the first character of lines here, by mistake; better no value than that.
        return trouble("", "second byte order mark");
    }
    let (valid, mut problem) = match std::str::from_utf8(bytes) {
        Ok(text) => (text, None),
        Err(error) => {
            let (valid, rest) = bytes.split_at(error.valid_up_to());
            (
                std::str::from_utf8(valid).unwrap_or_default(),
                Some(utf8_problem(rest)),
            )
        }
    };
    let mut bad = valid.len();
    if let Some(found) = first_control(valid.as_bytes()) {
        bad = found;
        problem = Some("control characters are not allowed");
    }
    match problem {
        None => Decoded {
            text: Cow::Borrowed(valid),
            trouble: None,
        },
        Some(problem) => {
            let mut end = 0;
            loop {
                let mut next = end + CHUNK - if end == 0 { skipped } else { 0 };
                while next < valid.len() && !valid.is_char_boundary(next) {
                    next -= 1;
                }
                if next > bad || next > valid.len() {
                    break;
                }
                end = next;
            }
            trouble(&valid[..end], problem)
        }
    }
}

fn trouble<'a>(text: &'a str, problem: &str) -> Decoded<'a> {
    Decoded {
        text: Cow::Borrowed(text),
        trouble: Some(Error::new(problem)),
    }
}

/// What go-yaml says of the first bad sequence.
fn utf8_problem(rest: &[u8]) -> &'static str {
    let Some(&first) = rest.first() else {
        return "incomplete UTF-8 octet sequence";
    };
    let width = match first {
        0xC0..=0xDF => 2,
        0xE0..=0xEF => 3,
        0xF0..=0xF7 => 4,
        _ => return "invalid leading UTF-8 octet",
    };
    if rest.len() < width {
        return "incomplete UTF-8 octet sequence";
    }
    if rest[1..width].iter().any(|octet| octet & 0xC0 != 0x80) {
        return "invalid trailing UTF-8 octet";
    }
    match (first, rest[1]) {
        (0xC0 | 0xC1, _) | (0xE0, ..0xA0) | (0xF0, ..0x90) => "invalid length of a UTF-8 sequence",
        _ => "invalid Unicode character",
    }
}

/// Bytes that are allowed whatever stands beside them.
const PLAIN: [bool; 256] = {
    let mut table = [true; 256];
    let mut at = 0;
    while at < 0x20 {
        table[at] = matches!(at as u8, b'\t' | b'\n' | b'\r');
        at += 1;
    }
    (table[0x7F], table[0xC2], table[0xEF]) = (false, false, false);
    table
};

/// Where the first character stands that YAML forbids.
fn first_control(bytes: &[u8]) -> Option<usize> {
    // Most bytes are plain: one comparison with a table settles those.
    let unsure = |byte: &u8| !PLAIN[usize::from(*byte)];
    let mut from = 0;
    while let Some(found) = bytes[from..].iter().position(unsure) {
        let at = from + found;
        let bad = match bytes[at] {
            0xC2 => bytes
                .get(at + 1)
                .is_some_and(|next| *next < 0xA0 && *next != 0x85),
            0xEF => matches!(bytes.get(at + 1..at + 3), Some([0xBF, 0xBE | 0xBF])),
            _ => true,
        };
        if bad {
            return Some(at);
        }
        from = at + 1;
    }
    None
}

fn decode_utf16(bytes: &[u8], read: fn([u8; 2]) -> u16) -> Decoded<'_> {
    let mut text = String::with_capacity(bytes.len() / 2);
    let pairs = bytes.chunks_exact(2);
    let odd = !pairs.remainder().is_empty();
    let mut units = pairs.map(|pair| read([pair[0], pair[1]]));
    while let Some(unit) = units.next() {
        let found = match unit {
            0xDC00..=0xDFFF => return trouble("", "unexpected low surrogate area"),
            0xD800..=0xDBFF => match units.next() {
                None => return trouble("", "incomplete UTF-16 surrogate pair"),
                Some(low @ 0xDC00..=0xDFFF) => {
                    let (high, low) = (u32::from(unit) & 0x3FF, u32::from(low) & 0x3FF);
                    char::from_u32(0x1_0000 + (high << 10) + low)
                }
                Some(_) => return trouble("", "expected low surrogate area"),
            },
            unit => char::from_u32(u32::from(unit)),
        };
        text.extend(found);
    }
    if odd {
        return trouble("", "incomplete UTF-16 character");
    }
    if first_control(text.as_bytes()).is_some() {
        return trouble("", "control characters are not allowed");
    }
    if text.starts_with('\u{FEFF}') {
        return trouble("", "second byte order mark");
    }
    Decoded {
        text: Cow::Owned(text),
        trouble: None,
    }
}
