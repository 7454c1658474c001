//! Go's quoted strings: writing them (`strconv.Quote`) and reading them (`strconv.Unquote`).

/// Writes a text as a Go string literal in double quotes.
pub fn quote(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for c in text.chars() {
        escape(&mut quoted, c, '"', false);
    }
    quoted.push('"');
    quoted
}

/// Appends one character as it stands in a Go literal.
pub(crate) fn escape(out: &mut String, c: char, quote: char, ascii: bool) {
    match c {
        _ if c == quote || c == '\\' => out.extend(['\\', c]),
        '\u{7}' => out.push_str("\\a"),
        '\u{8}' => out.push_str("\\b"),
        '\u{c}' => out.push_str("\\f"),
        '\n' => out.push_str("\\n"),
        '\r' => out.push_str("\\r"),
        '\t' => out.push_str("\\t"),
        '\u{b}' => out.push_str("\\v"),
        ' '..='~' => out.push(c),
        c if (c as u32) < 0x80 => out.push_str(&format!("\\x{:02x}", c as u32)),
        c if !ascii && is_print(c) => out.push(c),
        c if (c as u32) < 0x1_0000 => out.push_str(&format!("\\u{:04x}", c as u32)),
        c => out.push_str(&format!("\\U{:08x}", c as u32)),
    }
}

/// Tells whether Go prints a character as itself: letters, marks, numbers, punctuation, symbols,
/// and the ASCII space.
pub fn is_print(c: char) -> bool {
    match c {
        ' '..='~' => true,
        c if c.is_control() || c.is_whitespace() => false,
        // Soft hyphen, format characters, surrogates' neighbours, private use, and non-characters.
        '\u{ad}'
        | '\u{600}'..='\u{605}'
        | '\u{61c}'
        | '\u{6dd}'
        | '\u{70f}'
        | '\u{180e}'
        | '\u{200b}'..='\u{200f}'
        | '\u{202a}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}'
        | '\u{e000}'..='\u{f8ff}'
        | '\u{feff}'
        | '\u{fff0}'..='\u{fffb}'
        | '\u{fffe}'..='\u{ffff}'
        | '\u{e0000}'..='\u{10ffff}' => false,
        _ => true,
    }
}

/// Writes a character as Go's `%#U` does; `None` is the end of the text.
pub(crate) fn code_point(c: Option<char>) -> String {
    match c {
        None => "U+FFFFFFFFFFFFFFFF".to_owned(),
        Some(c) if is_print(c) => format!("U+{:04X} '{c}'", c as u32),
        Some(c) => format!("U+{:04X}", c as u32),
    }
}

/// Reads a Go literal in double quotes, back quotes or single quotes; `None` if it is not one.
pub(crate) fn unquote(text: &str) -> Option<String> {
    let quote = text.chars().next()?;
    if text.len() < 2 || !text.ends_with(quote) {
        return None;
    }
    let inner = &text[1..text.len() - 1];
    match quote {
        '`' => (!inner.contains('`')).then(|| inner.replace('\r', "")),
        '"' | '\'' => {
            if inner.contains('\n') {
                return None;
            }
            let mut bytes = Vec::with_capacity(inner.len());
            let mut rest = inner;
            while !rest.is_empty() {
                let (unit, after) = unquote_char(rest, quote)?;
                match unit {
                    Unit::Char(c) => match crate::bytes::stands_for(c) {
                        Some(byte) => bytes.push(byte),
                        None => bytes.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
                    },
                    Unit::Byte(byte) => bytes.push(byte),
                }
                rest = after;
            }
            Some(crate::bytes::to_text(&bytes).into_owned())
        }
        _ => None,
    }
}

/// What an escape stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unit {
    Char(char),
    Byte(u8),
}

/// Reads one character of a literal; returns it and what follows.
pub(crate) fn unquote_char(text: &str, quote: char) -> Option<(Unit, &str)> {
    let mut chars = text.chars();
    let first = chars.next()?;
    if first == quote {
        return None;
    }
    if first != '\\' {
        return Some((Unit::Char(first), chars.as_str()));
    }
    let unit = match chars.next()? {
        'a' => Unit::Char('\u{7}'),
        'b' => Unit::Char('\u{8}'),
        'f' => Unit::Char('\u{c}'),
        'n' => Unit::Char('\n'),
        'r' => Unit::Char('\r'),
        't' => Unit::Char('\t'),
        'v' => Unit::Char('\u{b}'),
        '\\' => Unit::Char('\\'),
        c @ ('\'' | '"') if c == quote => Unit::Char(c),
        'x' => Unit::Byte(u8::try_from(digits(&mut chars, 2, 16)?).ok()?),
        'u' => Unit::Char(char::from_u32(digits(&mut chars, 4, 16)?)?),
        'U' => Unit::Char(char::from_u32(digits(&mut chars, 8, 16)?)?),
        c @ '0'..='7' => {
            let high = c.to_digit(8)?;
            Unit::Byte(u8::try_from(high * 64 + digits(&mut chars, 2, 8)?).ok()?)
        }
        _ => return None,
    };
    Some((unit, chars.as_str()))
}

fn digits(chars: &mut std::str::Chars<'_>, count: usize, radix: u32) -> Option<u32> {
    (0..count).try_fold(0, |value: u32, _| {
        Some(value * radix + chars.next()?.to_digit(radix)?)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn literals_round_trip() {
        for text in ["", "a\"b\\c", "tab\tline\n", "é ☺ \u{1}", "\u{feff}"] {
            assert_eq!(unquote(&quote(text)).as_deref(), Some(text));
        }
        assert_eq!(quote("\u{feff}\u{1}"), r#""\ufeff\x01""#);
        assert_eq!(unquote(r#""\101\x42\u0043""#).as_deref(), Some("ABC"));
        assert_eq!(unquote("`a\\n\r`").as_deref(), Some("a\\n"));
        assert_eq!(unquote(r#""\q""#), None);
    }
}
