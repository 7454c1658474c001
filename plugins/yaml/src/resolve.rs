//! What a plain scalar stands for: numbers, booleans, null, times, text, by either generation's
//! rules. In: a tag and a text. Out: the short tag that Go finds, and the value.

use crate::{Dialect, Error, timestamp};

pub(crate) const NULL: &str = "!!null";
pub(crate) const BOOL: &str = "!!bool";
pub(crate) const STR: &str = "!!str";
pub(crate) const INT: &str = "!!int";
pub(crate) const FLOAT: &str = "!!float";
pub(crate) const TIMESTAMP: &str = "!!timestamp";
pub(crate) const SEQ: &str = "!!seq";
pub(crate) const MAP: &str = "!!map";
pub(crate) const BINARY: &str = "!!binary";
pub(crate) const MERGE: &str = "!!merge";

pub(crate) const LONG_PREFIX: &str = "tag:yaml.org,2002:";

/// The value of a scalar; text is left where it is.
#[derive(Debug, Clone, PartialEq)]
pub enum Scalar {
    /// Nothing.
    Null,
    /// True or false.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// A whole number above [`i64::MAX`].
    Uint(u64),
    /// A number with a fraction or an exponent, or one too large for 64 bits.
    Float(f64),
    /// A time, as RFC 3339 text.
    Timestamp(String),
    /// The merge key `<<`.
    Merge,
    /// The text itself, also for tags that say nothing to go-yaml.
    String,
}

impl Scalar {
    fn tag(&self) -> &'static str {
        match self {
            Self::Null => NULL,
            Self::Bool(_) => BOOL,
            Self::Int(_) | Self::Uint(_) => INT,
            Self::Float(_) => FLOAT,
            Self::Timestamp(_) => TIMESTAMP,
            Self::Merge => MERGE,
            Self::String => STR,
        }
    }
}

/// The short form of a tag: `!!str` for `tag:yaml.org,2002:str`, where it is a standard one.
pub(crate) fn short(tag: &str) -> &str {
    match tag.strip_prefix(LONG_PREFIX) {
        Some(name) => standard(name).unwrap_or(tag),
        None => tag,
    }
}

/// The short tag of a standard type.
pub(crate) fn standard(name: &str) -> Option<&'static str> {
    const ALL: [&str; 10] = [
        STR, INT, BOOL, NULL, FLOAT, MAP, SEQ, TIMESTAMP, BINARY, MERGE,
    ];
    ALL.into_iter().find(|tag| &tag[2..] == name)
}

/// Finds what `text` stands for under `tag` (short; empty: to be found out), as go-yaml's
/// `resolve` does. The first half of the answer is the tag.
///
/// # Errors
/// `cannot decode !!str `x` as a !!int`, when the tag does not fit the text.
pub fn resolve<'a>(tag: &'a str, text: &str, dialect: Dialect) -> Result<(&'a str, Scalar), Error> {
    match tag {
        "" => {
            let found = plain(text, dialect, true);
            Ok((found.tag(), found))
        }
        STR => Ok((STR, Scalar::String)),
        BOOL | INT | FLOAT | NULL | TIMESTAMP => {
            let found = plain(text, dialect, tag == TIMESTAMP);
            match found {
                Scalar::Int(number) if tag == FLOAT => Ok((FLOAT, Scalar::Float(number as f64))),
                found if found.tag() == tag => Ok((tag, found)),
                found => {
                    let found = found.tag();
                    Err(Error::new(format!(
                        "cannot decode {found} `{text}` as a {tag}"
                    )))
                }
            }
        }
        other => Ok((other, Scalar::String)),
    }
}

/// The tag that a plain scalar gets.
pub(crate) fn plain_tag(text: &str, dialect: Dialect) -> &'static str {
    plain(text, dialect, true).tag()
}

fn plain(text: &str, dialect: Dialect, times: bool) -> Scalar {
    let Some(first) = text.bytes().next() else {
        return Scalar::Null;
    };
    match first {
        b'+' | b'-' | b'0'..=b'9' => {
            word(text, dialect).unwrap_or_else(|| number(text, dialect, times))
        }
        b'y' | b'Y' | b'n' | b'N' | b't' | b'T' | b'f' | b'F' | b'o' | b'O' | b'~' => {
            word(text, dialect).unwrap_or(Scalar::String)
        }
        b'.' => word(text, dialect)
            .or_else(|| dotted(text).map(Scalar::Float))
            .unwrap_or(Scalar::String),
        _ => Scalar::String,
    }
}

/// The fixed words. `<<` is not among them: go-yaml's table never leads there.
fn word(text: &str, dialect: Dialect) -> Option<Scalar> {
    if text.len() > 5 {
        return None;
    }
    let found = match text {
        "~" | "null" | "Null" | "NULL" => Scalar::Null,
        "true" | "True" | "TRUE" => Scalar::Bool(true),
        "false" | "False" | "FALSE" => Scalar::Bool(false),
        ".nan" | ".NaN" | ".NAN" => Scalar::Float(f64::NAN),
        ".inf" | ".Inf" | ".INF" | "+.inf" | "+.Inf" | "+.INF" => Scalar::Float(f64::INFINITY),
        "-.inf" | "-.Inf" | "-.INF" => Scalar::Float(f64::NEG_INFINITY),
        _ if dialect == Dialect::V2 => Scalar::Bool(old_bool(text)?),
        _ => return None,
    };
    Some(found)
}

/// YAML 1.1's other spellings of true and false.
pub(crate) fn old_bool(text: &str) -> Option<bool> {
    match text {
        "y" | "Y" | "yes" | "Yes" | "YES" | "on" | "On" | "ON" => Some(true),
        "n" | "N" | "no" | "No" | "NO" | "off" | "Off" | "OFF" => Some(false),
        _ => None,
    }
}

fn number(text: &str, dialect: Dialect, times: bool) -> Scalar {
    if times && let Some(time) = timestamp::parse(text) {
        return Scalar::Timestamp(time);
    }
    let without;
    let plain = if text.contains('_') {
        without = text.replace('_', "");
        without.as_str()
    } else {
        text
    };
    if let Some(found) = prefixed_int(plain) {
        return found;
    }
    if is_float(plain)
        && let Some(float) = finite(plain)
    {
        return Scalar::Float(float);
    }
    // Signs after the prefix: `0b-1`, `0o-7`. Go's ParseInt of what follows takes them.
    let radix = |letter: char| if letter == 'b' { 2 } else { 8 };
    let letters: &[char] = if dialect == Dialect::V3 {
        &['b', 'o']
    } else {
        &['b']
    };
    for letter in letters {
        if let Some(rest) = plain
            .strip_prefix('0')
            .and_then(|rest| rest.strip_prefix(*letter))
        {
            return int(rest, radix(*letter)).unwrap_or(Scalar::String);
        }
        if let Some(rest) = plain
            .strip_prefix("-0")
            .and_then(|rest| rest.strip_prefix(*letter))
        {
            let negative = magnitude(rest, radix(*letter)).filter(|found| *found <= 1 << 63);
            let negative = negative.map(|found| Scalar::Int((found as i64).wrapping_neg()));
            return negative.unwrap_or(Scalar::String);
        }
    }
    Scalar::String
}

/// Go's `ParseInt(text, 0, 64)`, then `ParseUint(text, 0, 64)`.
fn prefixed_int(text: &str) -> Option<Scalar> {
    let (sign, digits) = match text.as_bytes().first()? {
        b'-' => ("-", &text[1..]),
        b'+' => ("+", &text[1..]),
        _ => ("", text),
    };
    let bytes = digits.as_bytes();
    let (radix, digits) = match (bytes.first(), bytes.get(1)) {
        (Some(b'0'), Some(b'x' | b'X')) => (16, digits.get(2..)?),
        (Some(b'0'), Some(b'b' | b'B')) => (2, digits.get(2..)?),
        (Some(b'0'), Some(b'o' | b'O')) => (8, digits.get(2..)?),
        (Some(b'0'), Some(_)) => (8, &digits[1..]),
        _ => (10, digits),
    };
    signed(sign, magnitude(digits, radix)?)
}

/// Go's `ParseInt`, then `ParseUint`, with a given radix.
fn int(text: &str, radix: u32) -> Option<Scalar> {
    match text.as_bytes().first()? {
        b'-' => signed("-", magnitude(&text[1..], radix)?),
        b'+' => signed("+", magnitude(&text[1..], radix)?),
        _ => signed("", magnitude(text, radix)?),
    }
}

fn signed(sign: &str, magnitude: u64) -> Option<Scalar> {
    match (sign, i64::try_from(magnitude)) {
        ("-", _) if magnitude <= 1 << 63 => Some(Scalar::Int((magnitude as i64).wrapping_neg())),
        ("-", _) | ("+", Err(_)) => None,
        (_, Ok(value)) => Some(Scalar::Int(value)),
        (_, Err(_)) => Some(Scalar::Uint(magnitude)),
    }
}

fn magnitude(digits: &str, radix: u32) -> Option<u64> {
    if digits.is_empty() || !digits.bytes().all(|byte| char::from(byte).is_digit(radix)) {
        return None;
    }
    u64::from_str_radix(digits, radix).ok()
}

/// `^[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?$`
fn is_float(text: &str) -> bool {
    let text = text.strip_prefix(['-', '+']).unwrap_or(text);
    let whole = digits(text);
    let mut rest = &text[whole..];
    if let Some(fraction) = rest.strip_prefix('.') {
        let count = digits(fraction);
        if whole == 0 && count == 0 {
            return false;
        }
        rest = &fraction[count..];
    } else if whole == 0 {
        return false;
    }
    match rest.strip_prefix(['e', 'E']) {
        Some(exponent) => {
            let exponent = exponent.strip_prefix(['-', '+']).unwrap_or(exponent);
            !exponent.is_empty() && digits(exponent) == exponent.len()
        }
        None => rest.is_empty(),
    }
}

fn digits(text: &str) -> usize {
    text.bytes().take_while(u8::is_ascii_digit).count()
}

/// Go's `ParseFloat` of a text that starts with a dot; it takes `_` between digits.
fn dotted(text: &str) -> Option<f64> {
    let bytes = text.as_bytes();
    let lonely = |at: usize| {
        let digit = |at: Option<usize>| {
            at.and_then(|at| bytes.get(at))
                .is_some_and(u8::is_ascii_digit)
        };
        !(digit(at.checked_sub(1)) && digit(Some(at + 1)))
    };
    if (0..bytes.len()).any(|at| bytes[at] == b'_' && lonely(at)) {
        return None;
    }
    let text = text.replace('_', "");
    if is_float(&text) { finite(&text) } else { None }
}

fn finite(text: &str) -> Option<f64> {
    text.parse::<f64>().ok().filter(|float| float.is_finite())
}

/// Whether `text` looks like a number in base 60 (`12:30:45`), which YAML 1.1 readers take.
pub(crate) fn is_base60(text: &str) -> bool {
    // ^[-+]?[0-9][0-9_]*(?::[0-5]?[0-9])+(?:\.[0-9_]*)?$
    let text = text.strip_prefix(['-', '+']).unwrap_or(text);
    if !text.starts_with(|first: char| first.is_ascii_digit()) {
        return false;
    }
    let (body, fraction) = text.split_once('.').unwrap_or((text, ""));
    if !fraction
        .bytes()
        .all(|byte| byte.is_ascii_digit() || byte == b'_')
    {
        return false;
    }
    let mut parts = body.split(':');
    let head = parts.next().unwrap_or_default();
    let mut count = 0;
    let fits = parts.all(|part| {
        count += 1;
        match part.as_bytes() {
            [last] => last.is_ascii_digit(),
            [first, last] => (b'0'..=b'5').contains(first) && last.is_ascii_digit(),
            _ => false,
        }
    });
    fits && count > 0
        && head
            .bytes()
            .all(|byte| byte.is_ascii_digit() || byte == b'_')
}
