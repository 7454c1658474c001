//! Numbers, dates and truths of TOML.

use std::rc::Rc;

use bulkhead_template::quote::quote;
use bulkhead_template::{IntType, Value, number};

use super::Reader;
use crate::time;

impl Reader<'_> {
    pub(super) fn plain(&mut self) -> Result<Value, String> {
        let rest = self.rest();
        let end = rest.find([',', ']', '}', '\n', '#']).unwrap_or(rest.len());
        let word = rest[..end].trim_end().to_owned();
        self.at += word.len();
        Ok(match word.as_str() {
            "true" => Value::Bool(true),
            "false" => Value::Bool(false),
            "inf" | "+inf" => Value::Float(f64::INFINITY),
            "-inf" => Value::Float(f64::NEG_INFINITY),
            "nan" | "+nan" | "-nan" => Value::Float(f64::NAN),
            word => {
                let is_number =
                    word.starts_with(|c: char| c.is_ascii_digit() || matches!(c, '+' | '-'));
                if !is_number {
                    return Err(format!("expected value but found {} instead", quote(word)));
                }
                let digits = word.bytes().take_while(u8::is_ascii_digit).count();
                if digits > 0 && word[digits..].starts_with(['-', ':']) {
                    let date = date(word);
                    let date = date.ok_or_else(|| format!("invalid datetime: {}", quote(word)))?;
                    return Ok(Value::Object(Rc::new(date)));
                }
                let is_float = word.contains(['.', 'e', 'E']) && !word.starts_with("0x");
                if is_float {
                    float(word)?
                } else {
                    integer(word)?
                }
            }
        })
    }
}

fn integer(word: &str) -> Result<Value, String> {
    let failed = |what: &str| format!("Invalid integer {}: {what}", quote(word));
    if !are_underscores_good(word) {
        return Err(failed("underscores must be surrounded by digits"));
    }
    if has_leading_zero(word) {
        return Err(failed("cannot have leading zeroes"));
    }
    match number::parse_int(&word.replace('_', "")) {
        Some(number) => Ok(Value::Int(number, IntType::Int64)),
        None => Err(format!("{word} is out of range for int64")),
    }
}

fn float(word: &str) -> Result<Value, String> {
    let failed = |what: &str| format!("Invalid float {}: {what}", quote(word));
    let mut parts = word.split(['.', 'e', 'E']).filter(|part| !part.is_empty());
    if !parts.clone().all(are_underscores_good) {
        return Err(failed("underscores must be surrounded by digits"));
    }
    if parts.next().is_some_and(has_leading_zero) {
        return Err(failed("cannot have leading zeroes"));
    }
    let after_points = word.split('.').skip(1);
    if !after_points
        .into_iter()
        .all(|part| part.starts_with(|c: char| c.is_ascii_digit()))
    {
        return Err(failed("'.' must be followed by one or more digits"));
    }
    match number::parse_float(&word.replace('_', "")) {
        Some(number) => Ok(Value::Float(number)),
        None => Err(format!("Invalid float value: {}", quote(word))),
    }
}

fn are_underscores_good(word: &str) -> bool {
    let mut after_digit = false;
    for c in word.chars() {
        if c == '_' && !after_digit {
            return false;
        }
        after_digit = c.is_ascii_hexdigit();
    }
    after_digit
}

fn has_leading_zero(word: &str) -> bool {
    let digits = word.trim_start_matches(['+', '-']);
    let is_signed = digits.len() < word.len();
    digits.len() > 1
        && digits.starts_with('0')
        && (is_signed || !digits[1..].starts_with(['b', 'o', 'x']))
}

fn date(word: &str) -> Option<time::Time> {
    if word.as_bytes().get(4) != Some(&b'-') && word.as_bytes().get(2) != Some(&b':') {
        return None;
    }
    // Without a zone, the place of a time tells what the text was.
    let layouts = [
        ("2006-01-02T15:04:05Z07:00", ""),
        ("2006-01-02 15:04:05Z07:00", ""),
        ("2006-01-02T15:04:05", "datetime-local"),
        ("2006-01-02 15:04:05", "datetime-local"),
        ("2006-01-02", "date-local"),
        ("15:04:05", "time-local"),
    ];
    layouts.iter().find_map(|(layout, place)| {
        let time = time::parse(layout, word).ok()?;
        Some(match *place {
            "" => time,
            place => time.in_place(time::Place::Fixed(place.into(), 0)),
        })
    })
}
