//! JSON as Go writes it: keys sorted, `<`, `>` and `&` escaped, numbers in Go's forms.

use crate::yaml::Value;

/// A value as `json.Marshal` writes it, or as `json.MarshalIndent` with this indent.
pub(crate) fn text(value: &Value, indent: Option<&str>) -> String {
    let mut out = String::new();
    write(&mut out, value, indent, 0);
    out
}

fn write(out: &mut String, value: &Value, indent: Option<&str>, depth: usize) {
    match value {
        Value::Null => out.push_str("null"),
        Value::Bool(flag) => out.push_str(if *flag { "true" } else { "false" }),
        Value::Number(number) => match number.as_f64() {
            Some(float) if number.is_f64() => out.push_str(&float_text(float)),
            _ => out.push_str(&number.to_string()),
        },
        Value::String(text) => quote(out, text),
        Value::Array(items) => {
            collection(out, ('[', ']'), items.iter(), indent, depth, |out, item| {
                write(out, item, indent, depth + 1)
            });
        }
        Value::Object(fields) => {
            let mut fields: Vec<_> = fields.iter().collect();
            fields.sort_unstable_by_key(|(name, _)| *name);
            collection(
                out,
                ('{', '}'),
                fields.into_iter(),
                indent,
                depth,
                |out, (name, value)| {
                    quote(out, name);
                    out.push_str(if indent.is_some() { ": " } else { ":" });
                    write(out, value, indent, depth + 1);
                },
            );
        }
    }
}

fn collection<T>(
    out: &mut String,
    (open, close): (char, char),
    items: impl ExactSizeIterator<Item = T>,
    indent: Option<&str>,
    depth: usize,
    mut each: impl FnMut(&mut String, T),
) {
    let empty = items.len() == 0;
    let line = |out: &mut String, depth: usize| {
        if let Some(indent) = indent.filter(|_| !empty) {
            out.push('\n');
            out.push_str(&indent.repeat(depth));
        }
    };
    out.push(open);
    for (i, item) in items.enumerate() {
        if i > 0 {
            out.push(',');
        }
        line(out, depth + 1);
        each(out, item);
    }
    line(out, depth);
    out.push(close);
}

fn quote(out: &mut String, text: &str) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            '<' | '>' | '&' | '\u{2028}' | '\u{2029}' => {
                out.push_str(&format!("\\u{:04x}", c as u32))
            }
            c if (c as u32) < 0x20 => out.push_str(&format!("\\u{:04x}", c as u32)),
            c => out.push(c),
        }
    }
    out.push('"');
}

/// A float as `json.Marshal` writes it.
pub(crate) fn float_text(float: f64) -> String {
    let size = float.abs();
    if size != 0.0 && !(1e-6..1e21).contains(&size) {
        let (mantissa, exponent) = scientific(float);
        return format!(
            "{mantissa}e{}{}",
            if exponent < 0 { '-' } else { '+' },
            pad(exponent.unsigned_abs(), exponent > 0)
        );
    }
    format!("{float}")
}

/// JSON drops one leading zero of a negative exponent, and of no other.
fn pad(exponent: u32, positive: bool) -> String {
    if positive {
        format!("{exponent:02}")
    } else {
        exponent.to_string()
    }
}

/// A float as Go's `FormatFloat(f, 'g', -1, 64)` writes it: how YAML encoders write floats.
pub(crate) fn float_text_g(float: f64) -> String {
    let (mantissa, exponent) = scientific(float);
    if float != 0.0 && !(-4..SHORTEST_G).contains(&exponent) {
        let sign = if exponent < 0 { '-' } else { '+' };
        return format!("{mantissa}e{sign}{:02}", exponent.unsigned_abs());
    }
    format!("{float}")
}

/// The exponent from which on Go's general form is scientific.
const SHORTEST_G: i32 = 6;

fn scientific(float: f64) -> (String, i32) {
    let text = format!("{float:e}");
    let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    (mantissa.to_owned(), exponent.parse().unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn it_reads_like_go() {
        let value = json!({"b": [1, 2.5, "<a>\n"], "a": {}, "c": null});
        assert_eq!(
            text(&value, None),
            r#"{"a":{},"b":[1,2.5,"\u003ca\u003e\n"],"c":null}"#
        );
        assert_eq!(
            text(&json!({"a": [true], "b": []}), Some("  ")),
            "{\n  \"a\": [\n    true\n  ],\n  \"b\": []\n}"
        );
    }

    #[test]
    fn floats_are_short() {
        assert_eq!(float_text(1e21), "1e+21");
        assert_eq!(float_text(1e20), "100000000000000000000");
        assert_eq!(float_text(1.5e-7), "1.5e-7");
        assert_eq!(float_text(3.0), "3");
        for (float, wanted) in [
            (80.0, "80"),
            (999_999.0, "999999"),
            (1e6, "1e+06"),
            (1.234_567e6, "1.234567e+06"),
            (1e-5, "1e-05"),
        ] {
            assert_eq!(float_text_g(float), wanted);
        }
    }
}
