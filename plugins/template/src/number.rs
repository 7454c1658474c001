//! Number literals: Go's ideal constants, which are of every type that can hold them.

use crate::lex::Kind;
use crate::quote::{Unit, quote, unquote_char};

/// A literal under each of its readings.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Number {
    /// As written.
    pub text: String,
    pub int: Option<i64>,
    pub uint: Option<u64>,
    pub float: Option<f64>,
    /// The imaginary part, where it is not zero.
    pub complex: Option<(f64, f64)>,
}

impl Number {
    /// Reads a literal, as Go 1.26's `newNumber` does.
    pub(crate) fn parse(text: &str, kind: Kind) -> Result<Self, String> {
        let mut number = Self {
            text: text.to_owned(),
            int: None,
            uint: None,
            float: None,
            complex: None,
        };
        match kind {
            Kind::CharConstant => {
                let (unit, rest) = unquote_char(&text[1..], '\'').ok_or("invalid syntax")?;
                if rest != "'" {
                    return Err(format!("malformed character constant: {text}"));
                }
                let code = match unit {
                    Unit::Char(c) => c as u32,
                    Unit::Byte(byte) => u32::from(byte),
                };
                number.set_int(i64::from(code));
                return Ok(number);
            }
            Kind::Complex => {
                let split = text[1..].rfind(['+', '-']).ok_or("invalid syntax")? + 1;
                let real = parse_float(&text[..split]).ok_or("invalid syntax")?;
                let imaginary =
                    parse_float(&text[split..text.len() - 1]).ok_or("invalid syntax")?;
                number.set_complex(real, imaginary);
                return Ok(number);
            }
            _ => {}
        }
        if let Some(imaginary) = text.strip_suffix('i').and_then(parse_float) {
            number.set_complex(0.0, imaginary);
            return Ok(number);
        }
        number.uint = parse_uint(text);
        number.int = parse_int(text);
        if number.int == Some(0) {
            number.uint = Some(0);
        }
        if let Some(int) = number.int {
            number.float = Some(int as f64);
        } else if let Some(uint) = number.uint {
            number.float = Some(uint as f64);
        } else if let Some(float) = parse_float(text) {
            if !text.contains(['.', 'e', 'E', 'p', 'P']) {
                return Err(format!("integer overflow: {}", quote(text)));
            }
            number.set_float(float);
        } else {
            return Err(format!("illegal number syntax: {}", quote(text)));
        }
        Ok(number)
    }

    fn set_int(&mut self, int: i64) {
        self.int = Some(int);
        self.uint = u64::try_from(int).ok();
        self.float = Some(int as f64);
    }

    fn set_float(&mut self, float: f64) {
        self.float = Some(float);
        if float.fract() == 0.0 && float.abs() < 9_223_372_036_854_775_808.0 {
            self.int = Some(float as i64);
        }
        if float.fract() == 0.0 && (0.0..18_446_744_073_709_551_616.0).contains(&float) {
            self.uint = Some(float as u64);
        }
    }

    fn set_complex(&mut self, real: f64, imaginary: f64) {
        self.complex = Some((real, imaginary));
        if imaginary == 0.0 {
            self.set_float(real);
        }
    }

    /// Tells whether, without a type to go by, the literal is a float by its looks.
    pub(crate) fn looks_float(&self) -> bool {
        let hex = self.text.len() > 2
            && (self.text.starts_with("0x") || self.text.starts_with("0X"))
            && !self.text.contains(['p', 'P']);
        !hex && !self.text.starts_with('\'') && self.text.contains(['.', 'e', 'E', 'p', 'P'])
    }
}

/// Reads an integer literal as `strconv.ParseInt(text, 0, 64)` does.
pub fn parse_int(text: &str) -> Option<i64> {
    let (negative, digits) = match text.as_bytes().first()? {
        b'-' => (true, &text[1..]),
        b'+' => (false, &text[1..]),
        _ => (false, text),
    };
    let magnitude = i128::from(parse_uint(digits)?);
    i64::try_from(if negative { -magnitude } else { magnitude }).ok()
}

/// Reads an unsigned literal as `strconv.ParseUint(text, 0, 64)` does: no sign, `0x`, `0o`, `0b`, a
/// leading `0` for octal, and underscores between digits.
pub fn parse_uint(text: &str) -> Option<u64> {
    let lower = text.to_ascii_lowercase();
    let (radix, digits, prefixed) = if let Some(rest) = lower.strip_prefix("0x") {
        (16, rest, true)
    } else if let Some(rest) = lower.strip_prefix("0o") {
        (8, rest, true)
    } else if let Some(rest) = lower.strip_prefix("0b") {
        (2, rest, true)
    } else if lower.len() > 1 && lower.starts_with('0') {
        (8, &lower[1..], true)
    } else {
        (10, lower.as_str(), false)
    };
    // Underscores stand only between digits, or between the prefix and a digit.
    let bad_underscores =
        digits.contains("__") || digits.ends_with('_') || (!prefixed && digits.starts_with('_'));
    let plain: String = digits.chars().filter(|c| *c != '_').collect();
    if bad_underscores || plain.is_empty() || plain.starts_with(['+', '-']) {
        return None;
    }
    u64::from_str_radix(&plain, radix).ok()
}

/// Reads a floating-point literal as `strconv.ParseFloat` does, hexadecimal ones included. The word
/// forms (`inf`, `nan`) are read too; the lexer never passes them.
pub fn parse_float(text: &str) -> Option<f64> {
    let (sign, digits) = match text.as_bytes().first()? {
        b'-' => (-1.0, &text[1..]),
        b'+' => (1.0, &text[1..]),
        _ => (1.0, text),
    };
    if digits.starts_with("0x") || digits.starts_with("0X") {
        return parse_hex_float(&digits[2..]).map(|value| sign * value);
    }
    let lower = digits.to_ascii_lowercase();
    match lower.as_str() {
        "inf" | "infinity" => return Some(sign * f64::INFINITY),
        "nan" => return Some(f64::NAN),
        _ => {}
    }
    if digits.contains('_') {
        if !are_underscores_good(digits) {
            return None;
        }
        return parse_float(&text.replace('_', ""));
    }
    let plain = digits
        .bytes()
        .all(|b| b.is_ascii_digit() || b"+-.eE".contains(&b));
    if !plain {
        return None;
    }
    let value = digits.parse::<f64>().ok()?;
    value.is_finite().then_some(sign * value)
}

/// Tells whether underscores stand only between digits.
fn are_underscores_good(text: &str) -> bool {
    let bytes = text.as_bytes();
    let is_digit = |at: Option<usize>| {
        at.and_then(|at| bytes.get(at))
            .is_some_and(u8::is_ascii_digit)
    };
    bytes
        .iter()
        .enumerate()
        .filter(|(_, byte)| **byte == b'_')
        .all(|(at, _)| is_digit(at.checked_sub(1)) && is_digit(Some(at + 1)))
}

fn parse_hex_float(text: &str) -> Option<f64> {
    let (mantissa, exponent) = text.split_once(['p', 'P'])?;
    let exponent: i32 = exponent.replace('_', "").parse().ok()?;
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let mut value = 0.0f64;
    let mut scale = 0i32;
    for c in whole.chars().chain(fraction.chars()).filter(|c| *c != '_') {
        value = value * 16.0 + f64::from(c.to_digit(16)?);
    }
    scale -= 4 * i32::try_from(fraction.chars().filter(|c| *c != '_').count()).ok()?;
    if whole.is_empty() && fraction.is_empty() {
        return None;
    }
    Some(value * 2f64.powi(exponent.saturating_add(scale)))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may")]

    use super::*;

    #[test]
    fn literals_have_every_type_that_holds_them() {
        let number = |text| Number::parse(text, Kind::Number).unwrap();
        assert_eq!(number("0x10").int, Some(16));
        assert_eq!(number("1_000").int, Some(1000));
        assert_eq!(number("017").int, Some(15));
        assert_eq!(number("-0").uint, Some(0));
        assert_eq!(number("1e3").int, Some(1000));
        assert!(number("1e3").looks_float());
        assert_eq!(number("0x1p4").float, Some(16.0));
        assert_eq!(number("18446744073709551615").int, None);
        assert_eq!(number("2i").complex, Some((0.0, 2.0)));
        assert_eq!(
            Number::parse("'a'", Kind::CharConstant).unwrap().int,
            Some(97)
        );
        assert_eq!(
            Number::parse("1+2i", Kind::Complex).unwrap().complex,
            Some((1.0, 2.0))
        );
        for text in ["089", "1__0", "0x", "18446744073709551616"] {
            assert!(Number::parse(text, Kind::Number).is_err(), "{text}");
        }
    }
}
