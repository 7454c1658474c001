//! Base64 and base32, with Go's messages.

const BASE64: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
const BASE32: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

/// Encodes by base64, with padding.
pub(crate) fn base64(bytes: &[u8]) -> String {
    encode(bytes, BASE64, 6, 4)
}

/// Encodes by base32, with padding.
pub(crate) fn base32(bytes: &[u8]) -> String {
    encode(bytes, BASE32, 5, 8)
}

fn encode(bytes: &[u8], alphabet: &[u8], bits: u32, group: usize) -> String {
    let mut out = String::with_capacity(bytes.len() * 8 / bits as usize + group);
    let (mut buffer, mut held) = (0u32, 0u32);
    for byte in bytes {
        buffer = (buffer << 8) | u32::from(*byte);
        held += 8;
        while held >= bits {
            held -= bits;
            out.push(alphabet[(buffer >> held) as usize & (alphabet.len() - 1)] as char);
        }
        buffer &= (1 << held) - 1;
    }
    if held > 0 {
        out.push(alphabet[(buffer << (bits - held)) as usize & (alphabet.len() - 1)] as char);
    }
    while !out.len().is_multiple_of(group) {
        out.push('=');
    }
    out
}

/// Decodes base64 with padding.
pub(crate) fn unbase64(text: &[u8]) -> Result<Vec<u8>, String> {
    decode(text, BASE64, 6, 4).map_err(|at| format!("illegal base64 data at input byte {at}"))
}

/// Decodes base32 with padding.
pub(crate) fn unbase32(text: &[u8]) -> Result<Vec<u8>, String> {
    decode(text, BASE32, 5, 8).map_err(|at| format!("illegal base32 data at input byte {at}"))
}

/// Decodes; line breaks are skipped. The error is the offset that Go names.
fn decode(text: &[u8], alphabet: &[u8], bits: u32, group: usize) -> Result<Vec<u8>, usize> {
    let mut out = Vec::with_capacity(text.len() * bits as usize / 8);
    let (mut buffer, mut held, mut count) = (0u32, 0u32, 0usize);
    let mut at = 0;
    while at < text.len() {
        let byte = text[at];
        at += 1;
        if byte == b'\n' || byte == b'\r' {
            continue;
        }
        if byte == b'=' {
            return padding(text, at - 1, count % group, bits, group).map(|()| out);
        }
        let value = alphabet
            .iter()
            .position(|known| *known == byte)
            .ok_or(at - 1)?;
        buffer = (buffer << bits) | value as u32;
        held += bits;
        count += 1;
        if held >= 8 {
            held -= 8;
            out.push((buffer >> held) as u8);
            buffer &= (1 << held) - 1;
        }
    }
    if count.is_multiple_of(group) {
        Ok(out)
    } else {
        // Go names the start of the group that is not whole.
        Err(text.len() - count % group)
    }
}

fn padding(text: &[u8], at: usize, in_group: usize, bits: u32, group: usize) -> Result<(), usize> {
    let whole = match bits {
        6 => in_group >= 2,
        _ => matches!(in_group, 2 | 4 | 5 | 7),
    };
    if !whole {
        return Err(at);
    }
    let mut wanted = group - in_group;
    for (offset, byte) in text.iter().enumerate().skip(at) {
        match byte {
            b'\n' | b'\r' => {}
            b'=' if wanted > 0 => wanted -= 1,
            _ => return Err(offset),
        }
    }
    if wanted > 0 { Err(text.len()) } else { Ok(()) }
}

/// Writes bytes in hexadecimal.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_ways_give_the_same_bytes() {
        for text in ["", "f", "fo", "foo", "foob", "fooba", "foobar"] {
            assert_eq!(
                unbase64(base64(text.as_bytes()).as_bytes()).as_deref(),
                Ok(text.as_bytes())
            );
            assert_eq!(
                unbase32(base32(text.as_bytes()).as_bytes()).as_deref(),
                Ok(text.as_bytes())
            );
        }
        assert_eq!(base64(b"fo"), "Zm8=");
        assert_eq!(base32(b"fo"), "MZXQ====");
        assert_eq!(
            unbase64(b"Zm8*"),
            Err("illegal base64 data at input byte 3".to_owned())
        );
    }
}
