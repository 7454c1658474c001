//! Small texts as Go prints them: quoted strings, `%#v`, base64.

use crate::value::Value;
use crate::{Dialect, Error};

/// Go's `strconv.Quote`.
pub(crate) fn quote(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for found in text.chars() {
        match found {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\x07' => out.push_str("\\a"),
            '\x08' => out.push_str("\\b"),
            '\x0C' => out.push_str("\\f"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\x0B' => out.push_str("\\v"),
            '\0'..='\x1F' | '\x7F' => out.push_str(&format!("\\x{:02x}", u32::from(found))),
            '\u{AD}'
            | '\u{200B}'..='\u{200F}'
            | '\u{202A}'..='\u{202E}'
            | '\u{2060}'..='\u{2064}'
            | '\u{FEFF}'
            | '\u{FFFE}'
            | '\u{FFFF}' => {
                out.push_str(&format!("\\u{:04x}", u32::from(found)));
            }
            found if found.is_control() || (found.is_whitespace() && found != ' ') => {
                out.push_str(&format!("\\u{:04x}", u32::from(found)));
            }
            found => out.push(found),
        }
    }
    out.push('"');
    out
}

/// As [`syntax`], for a value that is not inside another.
pub(crate) fn syntax_at_top(value: &Value, dialect: Dialect) -> String {
    match value {
        Value::Null => "<nil>".to_owned(),
        value => syntax(value, dialect),
    }
}

/// Go's `%#v` of a decoded value, near enough for messages.
pub(crate) fn syntax(value: &Value, dialect: Dialect) -> String {
    let syntax = |value: &Value| syntax(value, dialect);
    let join = |parts: Vec<String>| parts.join(", ");
    match value {
        Value::Null => "interface {}(nil)".to_owned(),
        Value::Bool(value) => value.to_string(),
        Value::Int(number) => number.to_string(),
        Value::Uint(number) => format!("{number:#x}"),
        Value::Float(number) => crate::number::go_float(*number),
        Value::Timestamp(text) | Value::String(text) => quote(text),
        Value::Binary(bytes) => quote(&lossy(bytes)),
        Value::Sequence(items) => {
            format!(
                "[]interface {{}}{{{}}}",
                join(items.iter().map(syntax).collect())
            )
        }
        Value::Mapping(entries) | Value::Struct(entries) => {
            let text = dialect == Dialect::V3
                && entries
                    .iter()
                    .all(|entry| matches!(entry.0, Value::String(_)));
            let key = if text { "string" } else { "interface {}" };
            let entry =
                |entry: &(Value, Value)| format!("{}:{}", syntax(&entry.0), syntax(&entry.1));
            let mut parts: Vec<String> = entries.iter().map(entry).collect();
            parts.sort();
            format!("map[{key}]interface {{}}{{{}}}", join(parts))
        }
    }
}

/// Decodes `!!binary`.
pub(crate) fn binary(text: &str) -> Result<Value, Error> {
    let bytes = decode_base64(text)
        .ok_or_else(|| Error::new("!!binary value contains invalid base64 data"))?;
    Ok(match String::from_utf8(bytes) {
        Ok(text) => Value::String(text),
        Err(error) => Value::Binary(error.into_bytes()),
    })
}

/// Text of bytes, as when Go prints them: each bad byte becomes U+FFFD.
pub(crate) fn lossy(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len());
    let mut rest = bytes;
    loop {
        match std::str::from_utf8(rest) {
            Ok(valid) => {
                out.push_str(valid);
                return out;
            }
            Err(error) => {
                let (valid, bad) = rest.split_at(error.valid_up_to());
                out.push_str(std::str::from_utf8(valid).unwrap_or_default());
                out.push('\u{FFFD}');
                rest = &bad[1..];
            }
        }
    }
}

/// Base64 in lines of 70 characters, as go-yaml writes it.
pub(crate) fn encode_base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::with_capacity(bytes.len() / 3 * 4 + 4);
    for group in bytes.chunks(3) {
        let byte = |at: usize| u32::from(group.get(at).copied().unwrap_or(0));
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        for at in 0..4 {
            let index = (bits >> (18 - 6 * at) & 0x3F) as usize;
            out.push(if at <= group.len() {
                char::from(ALPHABET[index])
            } else {
                '='
            });
        }
    }
    if out.len() < 70 {
        return out;
    }
    let lines = out
        .as_bytes()
        .chunks(70)
        .map(|line| String::from_utf8_lossy(line).into_owned());
    lines.map(|line| line + "\n").collect()
}

fn decode_base64(text: &str) -> Option<Vec<u8>> {
    let mut bytes: Vec<u8> = text
        .bytes()
        .filter(|byte| !matches!(byte, b'\r' | b'\n'))
        .collect();
    if !bytes.len().is_multiple_of(4) {
        return None;
    }
    let padding = bytes
        .iter()
        .rev()
        .take(2)
        .take_while(|byte| **byte == b'=')
        .count();
    bytes.truncate(bytes.len() - padding);
    let mut out = Vec::with_capacity(bytes.len() / 4 * 3);
    for group in bytes.chunks(4) {
        let mut bits = 0_u32;
        for byte in group {
            let value = match byte {
                b'A'..=b'Z' => byte - b'A',
                b'a'..=b'z' => byte - b'a' + 26,
                b'0'..=b'9' => byte - b'0' + 52,
                b'+' => 62,
                b'/' => 63,
                _ => return None,
            };
            bits = bits << 6 | u32::from(value);
        }
        bits <<= 6 * (4 - group.len());
        out.extend_from_slice(&bits.to_be_bytes()[1..group.len()]);
    }
    Some(out)
}
