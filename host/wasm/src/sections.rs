//! The outermost sections of a binary component, without looking into them.
//!
//! Bytes go in; each section comes out with its number, its place and, for a custom one, its name.
//! Every length is checked against what is there; nothing is validated, and nothing is allocated.

use std::ops::Range;

/// Length of the magic number and the version.
pub(crate) const HEADER_BYTES: usize = 8;

/// How a component starts.
pub(crate) const COMPONENT: [u8; HEADER_BYTES] = *b"\0asm\x0d\0\x01\0";

/// How a core module starts.
pub(crate) const CORE_MODULE: [u8; HEADER_BYTES] = *b"\0asm\x01\0\0\0";

const CUSTOM: u8 = 0;

/// One section.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Section<'a> {
    /// Its number: what kind of section it is.
    pub(crate) number: u8,
    /// Where it is, its number and length included.
    pub(crate) range: Range<usize>,
    /// What is in it.
    pub(crate) content: &'a [u8],
    /// Name and content, of a custom section.
    pub(crate) custom: Option<(&'a str, &'a [u8])>,
}

/// A section is longer than what is left, or its name is no text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the section at byte {at} is cut off or has no valid name")]
pub(crate) struct Broken {
    /// Where the section starts.
    pub(crate) at: usize,
}

/// Walks over the sections of `component`; ends after the first that is broken.
pub(crate) fn sections(component: &[u8]) -> impl Iterator<Item = Result<Section<'_>, Broken>> {
    let mut at = HEADER_BYTES;
    std::iter::from_fn(move || {
        let start = at;
        let rest = component.get(start..).filter(|rest| !rest.is_empty())?;
        let section = section(rest, start).ok_or(Broken { at: start });
        at = match &section {
            Ok(section) => section.range.end,
            Err(_) => component.len(),
        };
        Some(section)
    })
}

fn section(rest: &[u8], start: usize) -> Option<Section<'_>> {
    let (&number, after) = rest.split_first()?;
    let (length, after) = leb128(after)?;
    let content = after.get(..length)?;
    let custom = match number {
        CUSTOM => {
            let (length, named) = leb128(content)?;
            let (name, data) = named.split_at_checked(length)?;
            Some((std::str::from_utf8(name).ok()?, data))
        }
        _ => None,
    };
    let header = rest.len() - after.len();
    Some(Section {
        number,
        content,
        range: start..start + header + length,
        custom,
    })
}

/// Reads a length of at most 32 bits.
fn leb128(bytes: &[u8]) -> Option<(usize, &[u8])> {
    let mut value = 0_u64;
    for (index, byte) in bytes.iter().enumerate().take(5) {
        value |= u64::from(byte & 0x7f) << (7 * index);
        if byte & 0x80 == 0 {
            let value = usize::try_from(u32::try_from(value).ok()?).ok()?;
            return Some((value, &bytes[index + 1..]));
        }
    }
    None
}

/// Makes a custom section.
pub(crate) fn custom(name: &str, data: &[u8]) -> Vec<u8> {
    let mut content = length(name.len());
    content.extend_from_slice(name.as_bytes());
    content.extend_from_slice(data);
    let mut section = vec![CUSTOM];
    section.extend(length(content.len()));
    section.extend(content);
    section
}

fn length(mut value: usize) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(5);
    loop {
        let byte = u8::try_from(value & 0x7f).unwrap_or_default();
        value >>= 7;
        if value == 0 {
            bytes.push(byte);
            return bytes;
        }
        bytes.push(byte | 0x80);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may")]
    use super::*;

    #[test]
    fn sections_are_found_one_after_the_other() {
        let mut bytes = COMPONENT.to_vec();
        bytes.extend(custom("a", b"1"));
        bytes.extend([7, 1, 0]);
        bytes.extend(custom("b", &vec![0; 300]));
        let found: Vec<_> = sections(&bytes).map(Result::unwrap).collect();
        assert_eq!(found[0].custom, Some(("a", b"1".as_slice())));
        assert_eq!(found[1].custom, None);
        assert_eq!(found[2].custom.unwrap().1.len(), 300);
        assert_eq!(found[2].range.end, bytes.len());
    }

    #[test]
    fn what_is_cut_off_is_told_once() {
        let mut bytes = COMPONENT.to_vec();
        bytes.extend(custom("a", b"123"));
        for cut in 9..bytes.len() {
            let found: Vec<_> = sections(&bytes[..cut]).collect();
            assert_eq!(found, [Err(Broken { at: 8 })], "{cut}");
        }
        let endless = [&COMPONENT[..], &[0, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01]].concat();
        assert_eq!(sections(&endless).count(), 1);
    }
}
