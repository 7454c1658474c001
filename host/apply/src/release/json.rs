//! JSON as Go's encoding/json writes it: maps by their keys, `<`, `>`, `&` and the line separators of
//! Unicode escaped, numbers as float64. In: what serde serialises. Out: the bytes.

use std::io;

use serde::ser::{SerializeMap, SerializeSeq};
use serde::{Serialize, Serializer};
use serde_json::ser::{CharEscape, Formatter};
use serde_json::{Map, Value};

/// The largest whole number up to which a float64 has them all.
const MAX_EXACT: u64 = 1 << 53;

/// Writes a value as `json.Marshal` does. Maps that are to be sorted go in as [`Sorted`].
///
/// # Errors
/// What serde says; of the types of this module, nothing.
pub(crate) fn write<T: Serialize + ?Sized>(value: &T) -> serde_json::Result<Vec<u8>> {
    let mut out = Vec::new();
    let mut serializer = serde_json::Serializer::with_formatter(&mut out, Go);
    value.serialize(&mut serializer)?;
    Ok(out)
}

/// A JSON value whose maps are written by their keys, at every depth.
pub(crate) struct Sorted<'a>(pub(crate) &'a Value);

/// A map that is written by its keys, at every depth.
pub(crate) struct SortedMap<'a>(pub(crate) &'a Map<String, Value>);

impl Serialize for Sorted<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Value::Object(entries) => SortedMap(entries).serialize(serializer),
            Value::Array(items) => {
                let mut list = serializer.serialize_seq(Some(items.len()))?;
                for item in items {
                    list.serialize_element(&Sorted(item))?;
                }
                list.end()
            }
            Value::Number(number) => match number.as_f64() {
                Some(float) => serializer.serialize_f64(float),
                None => number.serialize(serializer),
            },
            other => other.serialize(serializer),
        }
    }
}

impl Serialize for SortedMap<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut entries: Vec<_> = self.0.iter().collect();
        entries.sort_by_key(|(key, _)| *key);
        let mut map = serializer.serialize_map(Some(entries.len()))?;
        for (key, value) in entries {
            map.serialize_entry(key, &Sorted(value))?;
        }
        map.end()
    }
}

/// The part of a float in Go's shortest form: its digits, without a point, and the exponent of the
/// first.
pub(crate) struct Digits {
    pub(crate) is_negative: bool,
    pub(crate) digits: String,
    pub(crate) exponent: i32,
}

impl Digits {
    pub(crate) fn of(float: f64) -> Self {
        let size = float.abs();
        let shortest = format!("{size:e}");
        // Of two shortest forms that are equally near, Go takes the even one.
        let digits = shortest.bytes().take_while(|byte| *byte != b'e').count();
        let even = format!("{size:.*e}", digits.saturating_sub(2));
        let text = match even.parse::<f64>() {
            Ok(read) if read == size => even,
            _ => shortest,
        };
        let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
        Self {
            is_negative: float.is_sign_negative(),
            digits: mantissa.replace('.', ""),
            exponent: exponent.parse().unwrap_or_default(),
        }
    }

    /// Returns `1.5`: no exponent.
    pub(crate) fn plain(&self) -> String {
        let Self {
            is_negative,
            digits,
            exponent,
        } = self;
        let sign = if *is_negative { "-" } else { "" };
        let point = usize::try_from(exponent + 1).unwrap_or_default();
        if *exponent < 0 {
            let zeros = usize::try_from(-exponent - 1).unwrap_or_default();
            return format!("{sign}0.{}{digits}", "0".repeat(zeros));
        }
        if digits.len() <= point {
            return format!("{sign}{digits}{}", "0".repeat(point - digits.len()));
        }
        let (whole, fraction) = digits.split_at(point);
        format!("{sign}{whole}.{fraction}")
    }

    /// Returns `1.5e+21`, with at least so many digits of the exponent.
    pub(crate) fn scientific(&self, exponent_digits: usize) -> String {
        let sign = if self.is_negative { "-" } else { "" };
        let (first, rest) = self.digits.split_at(1.min(self.digits.len()));
        let point = if rest.is_empty() { "" } else { "." };
        let way = if self.exponent < 0 { '-' } else { '+' };
        let exponent = self.exponent.abs();
        format!("{sign}{first}{point}{rest}e{way}{exponent:0exponent_digits$}")
    }
}

/// Writes a float as encoding/json does.
fn float(value: f64) -> String {
    let size = value.abs();
    let digits = Digits::of(value);
    if size != 0.0 && !(1e-6..1e21).contains(&size) {
        return digits.scientific(if digits.exponent < 0 { 1 } else { 2 });
    }
    digits.plain()
}

/// The formatter: everything compact, texts and numbers as Go has them.
struct Go;

impl Formatter for Go {
    fn write_f64<W: ?Sized + io::Write>(&mut self, writer: &mut W, value: f64) -> io::Result<()> {
        writer.write_all(float(value).as_bytes())
    }

    fn write_i64<W: ?Sized + io::Write>(&mut self, writer: &mut W, value: i64) -> io::Result<()> {
        if value.unsigned_abs() > MAX_EXACT {
            return self.write_f64(writer, value as f64);
        }
        write!(writer, "{value}")
    }

    fn write_u64<W: ?Sized + io::Write>(&mut self, writer: &mut W, value: u64) -> io::Result<()> {
        if value > MAX_EXACT {
            return self.write_f64(writer, value as f64);
        }
        write!(writer, "{value}")
    }

    fn write_string_fragment<W: ?Sized + io::Write>(
        &mut self,
        writer: &mut W,
        fragment: &str,
    ) -> io::Result<()> {
        let is_special = |char: char| matches!(char, '<' | '>' | '&' | '\u{2028}' | '\u{2029}');
        let mut rest = fragment;
        while let Some(at) = rest.find(is_special) {
            writer.write_all(&rest.as_bytes()[..at])?;
            let char = rest[at..].chars().next().unwrap_or_default();
            write!(writer, "\\u{:04x}", u32::from(char))?;
            rest = &rest[at + char.len_utf8()..];
        }
        writer.write_all(rest.as_bytes())
    }

    fn write_char_escape<W: ?Sized + io::Write>(
        &mut self,
        writer: &mut W,
        escape: CharEscape,
    ) -> io::Result<()> {
        let text = match escape {
            CharEscape::Quote => "\\\"",
            CharEscape::ReverseSolidus => "\\\\",
            CharEscape::Solidus => "/",
            CharEscape::Backspace => "\\b",
            CharEscape::FormFeed => "\\f",
            CharEscape::LineFeed => "\\n",
            CharEscape::CarriageReturn => "\\r",
            CharEscape::Tab => "\\t",
            CharEscape::AsciiControl(byte) => return write!(writer, "\\u{byte:04x}"),
        };
        writer.write_all(text.as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn text(value: &Value) -> String {
        String::from_utf8(write(&Sorted(value)).expect("serialises")).expect("UTF-8")
    }

    // Checked against Go 1.26.
    #[test]
    fn values_are_written_as_go_writes_them() {
        let value = json!({
            "b": [1, -1, 0, 1.5, null, true, {}, []],
            "a": { "z": "<a href=\"x\">&\u{2028}\u{7f}é\u{1f600}", "B": "\u{8}\u{c}\n\r\t\u{1}\\/" },
        });
        assert_eq!(
            text(&value),
            "{\"a\":{\"B\":\"\\b\\f\\n\\r\\t\\u0001\\\\/\",\"z\":\"\\u003ca href=\\\"x\\\"\\u003e\
             \\u0026\\u2028\u{7f}é\u{1f600}\"},\"b\":[1,-1,0,1.5,null,true,{},[]]}"
        );
    }

    #[test]
    fn numbers_are_floats_in_their_shortest_form() {
        let cases = [
            (json!(9_007_199_254_740_993_i64), "9007199254740992"),
            (json!(u64::MAX), "18446744073709552000"),
            (json!(1e20), "100000000000000000000"),
            (json!(1e21), "1e+21"),
            (json!(-1.5e300), "-1.5e+300"),
            (json!(1e-6), "0.000001"),
            (json!(1e-7), "1e-7"),
            (json!(1.25e-10), "1.25e-10"),
            (json!(0.1), "0.1"),
            (json!(123_456.789), "123456.789"),
            (json!(-0.0), "-0"),
            (json!(1_684_500_425_692_916.2), "1684500425692916.2"),
        ];
        for (value, written) in cases {
            assert_eq!(text(&value), written);
        }
    }
}
