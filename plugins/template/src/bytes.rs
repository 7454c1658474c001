//! Bytes that are not UTF-8, inside texts that are: Go's strings hold any bytes, ours only
//! characters. Such a byte stands in a text as one private character, and becomes the byte again
//! wherever bytes are wanted.

use std::borrow::Cow;

/// The character that stands for byte 0 would; 0x80 to 0xFF are used.
const BASE: u32 = 0x0010_FE00;

/// First byte of each stand-in, in UTF-8.
const LEAD: u8 = 0xF4;

/// Returns a text that stands for `bytes`.
pub fn to_text(bytes: &[u8]) -> Cow<'_, str> {
    match std::str::from_utf8(bytes) {
        Ok(text) => Cow::Borrowed(text),
        Err(_) => Cow::Owned(decode(bytes)),
    }
}

fn decode(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len() + 16);
    let mut rest = bytes;
    while let Err(error) = std::str::from_utf8(rest) {
        let (valid, bad) = rest.split_at(error.valid_up_to());
        out.push_str(std::str::from_utf8(valid).unwrap_or_default());
        out.extend(char::from_u32(BASE + u32::from(bad[0])));
        rest = &bad[1..];
    }
    out.push_str(std::str::from_utf8(rest).unwrap_or_default());
    out
}

/// Tells which byte a character stands for.
pub fn stands_for(c: char) -> Option<u8> {
    let offset = u32::from(c).checked_sub(BASE)?;
    u8::try_from(offset).ok().filter(|byte| *byte >= 0x80)
}

/// Tells whether a text has stand-ins.
pub fn has_any(text: &str) -> bool {
    text.as_bytes().contains(&LEAD) && text.chars().any(|c| stands_for(c).is_some())
}

/// Returns the bytes that a text stands for.
pub fn of(text: &str) -> Cow<'_, [u8]> {
    if !has_any(text) {
        return Cow::Borrowed(text.as_bytes());
    }
    let mut out = Vec::with_capacity(text.len());
    for c in text.chars() {
        match stands_for(c) {
            Some(byte) => out.push(byte),
            None => out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
        }
    }
    Cow::Owned(out)
}

/// Returns a text as Go writes it where only UTF-8 is possible: U+FFFD for each bad byte.
pub fn lossy(text: &str) -> Cow<'_, str> {
    if !has_any(text) {
        return Cow::Borrowed(text);
    }
    let joined = of(text);
    let again = to_text(&joined);
    Cow::Owned(
        again
            .chars()
            .map(|c| {
                if stands_for(c).is_some() {
                    '\u{fffd}'
                } else {
                    c
                }
            })
            .collect(),
    )
}

/// Returns how many bytes a text stands for.
pub fn len(text: &str) -> usize {
    if has_any(text) {
        of(text).len()
    } else {
        text.len()
    }
}

/// Returns part of a text, by bytes; `None` if the range is not inside.
pub fn slice(text: &str, from: usize, to: usize) -> Option<String> {
    if !has_any(text)
        && let Some(part) = text.get(from..to)
    {
        return Some(part.to_owned());
    }
    let bytes = of(text);
    Some(to_text(bytes.get(from..to)?).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_bytes_survive_a_text() {
        let bytes: Vec<u8> = (0..=255).collect();
        let text = to_text(&bytes);
        assert_eq!(of(&text).as_ref(), bytes.as_slice());
        assert_eq!(len(&text), 256);
        assert_eq!(of("é☺").as_ref(), "é☺".as_bytes());
    }

    #[test]
    fn a_character_cut_in_two_joins_again() {
        let first = slice("☺", 0, 1).unwrap_or_default();
        let second = slice("☺", 1, 3).unwrap_or_default();
        assert_eq!(lossy(&first), "\u{fffd}");
        assert_eq!(lossy(&format!("{first}{second}")), "☺");
        assert_eq!(of(&format!("{first}{second}")).as_ref(), "☺".as_bytes());
        assert_eq!(slice("ab", 1, 3), None);
    }
}
