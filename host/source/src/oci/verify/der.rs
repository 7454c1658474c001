//! Reads DER one level at a time: enough for certificates, timestamps and keys.
//!
//! In: bytes from outside. Out: slices of them. Never recurses, never copies, and refuses what is
//! not DER: indefinite, oversized and long-winded lengths, tags of several bytes.

pub(super) const BOOLEAN: u8 = 0x01;
pub(super) const INTEGER: u8 = 0x02;
pub(super) const BIT_STRING: u8 = 0x03;
pub(super) const OCTET_STRING: u8 = 0x04;
pub(super) const OID: u8 = 0x06;
pub(super) const UTF8_STRING: u8 = 0x0c;
pub(super) const SEQUENCE: u8 = 0x30;
pub(super) const SET: u8 = 0x31;
pub(super) const GENERALIZED_TIME: u8 = 0x18;

/// `[number]` around something else.
pub(super) const fn explicit(number: u8) -> u8 {
    0xa0 | number
}

/// `[number]` in place of a simple type.
pub(super) const fn implicit(number: u8) -> u8 {
    0x80 | number
}

/// One value: its tag, its contents, and both with the length.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Value<'a> {
    pub(super) tag: u8,
    pub(super) contents: &'a [u8],
    pub(super) whole: &'a [u8],
}

/// The values that are left of a sequence.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns the next value.
    pub(super) fn next(&mut self) -> Option<Value<'a>> {
        let (&tag, rest) = self.0.split_first()?;
        let (&first, rest) = rest.split_first()?;
        if tag & 0x1f == 0x1f {
            return None;
        }
        let (length, rest) = match first {
            0..=0x7f => (usize::from(first), rest),
            0x81..=0x84 => {
                let count = usize::from(first & 0x7f);
                let (digits, rest) = rest.split_at_checked(count)?;
                let length = digits
                    .iter()
                    .fold(0usize, |sum, digit| sum << 8 | usize::from(*digit));
                if digits.first() == Some(&0) || length < 0x80 {
                    return None;
                }
                (length, rest)
            }
            _ => return None,
        };
        let (contents, after) = rest.split_at_checked(length)?;
        let whole = &self.0[..self.0.len() - after.len()];
        self.0 = after;
        Some(Value {
            tag,
            contents,
            whole,
        })
    }

    /// Returns the next value if it has this tag.
    pub(super) fn take(&mut self, tag: u8) -> Option<Value<'a>> {
        let mut ahead = *self;
        let value = ahead.next().filter(|value| value.tag == tag)?;
        *self = ahead;
        Some(value)
    }

    /// Goes into the next value, which must have this tag.
    pub(super) fn enter(&mut self, tag: u8) -> Option<Reader<'a>> {
        self.take(tag).map(|value| Reader(value.contents))
    }
}

/// Reads one value that is all of `bytes`.
pub(super) fn only(bytes: &[u8], tag: u8) -> Option<&[u8]> {
    let mut reader = Reader::new(bytes);
    let value = reader.take(tag)?;
    reader.is_empty().then_some(value.contents)
}

/// Reads a bit string of whole bytes.
pub(super) fn bits(contents: &[u8]) -> Option<&[u8]> {
    match contents.split_first() {
        Some((0, bytes)) => Some(bytes),
        _ => None,
    }
}

/// Writes a value of these parts.
pub(super) fn write(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let length: usize = parts.iter().map(|part| part.len()).sum();
    let mut out = vec![tag];
    match u8::try_from(length) {
        Ok(short) if short < 0x80 => out.push(short),
        _ => {
            let digits = length.to_be_bytes();
            let start = digits.iter().position(|digit| *digit != 0).unwrap_or(0);
            let digits = &digits[start..];
            out.push(0x80 | u8::try_from(digits.len()).unwrap_or(8));
            out.extend_from_slice(digits);
        }
    }
    parts.iter().for_each(|part| out.extend_from_slice(part));
    out
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic, reason = "a test may")]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        for length in [0, 1, 127, 128, 255, 256, 65_536] {
            let contents = vec![7; length];
            let bytes = write(OCTET_STRING, &[&contents]);
            assert_eq!(
                only(&bytes, OCTET_STRING),
                Some(contents.as_slice()),
                "{length}"
            );
            assert_eq!(only(&bytes, SEQUENCE), None);
            assert_eq!(only(&bytes[..bytes.len() - 1], OCTET_STRING), None);
        }
    }

    #[test]
    fn other_encodings_are_refused() {
        for bytes in [
            &[0x30, 0x80, 0, 0][..],               // indefinite
            &[0x04, 0x81, 0x01, 0],                // longer than needed
            &[0x04, 0x82, 0x00, 0x80],             // leading zero
            &[0x1f, 0x81, 0x01, 0],                // tag of several bytes
            &[0x04, 0x84, 0xff, 0xff, 0xff, 0xff], // longer than there is
            &[0x04, 0x85, 0, 0, 0, 0, 1],
            &[0x04],
            &[],
        ] {
            assert_eq!(Reader::new(bytes).next(), None, "{bytes:x?}");
        }
        assert_eq!(only(&[0x04, 0, 0], OCTET_STRING), None, "something follows");
    }
}
