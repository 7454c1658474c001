//! Writes values as block-style YAML that a person reads and that reads back the same, here and in
//! Go: whatever could be taken for something else is quoted.

use std::fmt::Write;

use serde_json::Value;

use super::scalar;

/// Writes a value as YAML, two spaces a level, lists as far in as their key.
///
/// # Guarantees
/// [`super::read`] gives the same value.
pub fn write(value: &Value) -> String {
    let mut out = String::new();
    match value {
        Value::Object(entries) if !entries.is_empty() => block(value, 0, &mut out),
        Value::Array(items) if !items.is_empty() => block(value, 0, &mut out),
        other => {
            inline(other, 0, &mut out);
            out.push('\n');
        }
    }
    out
}

/// Writes the lines of a mapping or a list that is not empty.
fn block(value: &Value, indent: usize, out: &mut String) {
    match value {
        Value::Object(entries) => {
            for (index, (key, value)) in entries.iter().enumerate() {
                if index > 0 {
                    margin(indent, out);
                }
                text(key, None, out);
                out.push(':');
                below(value, indent, out);
            }
        }
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    margin(indent, out);
                }
                out.push('-');
                item_of_list(item, indent, out);
            }
        }
        _ => {}
    }
}

/// Writes what comes behind a key.
fn below(value: &Value, indent: usize, out: &mut String) {
    let inner = match value {
        Value::Object(entries) if !entries.is_empty() => indent + 2,
        Value::Array(items) if !items.is_empty() => indent,
        scalar => {
            out.push(' ');
            inline(scalar, indent, out);
            out.push('\n');
            return;
        }
    };
    out.push('\n');
    margin(inner, out);
    block(value, inner, out);
}

fn item_of_list(item: &Value, indent: usize, out: &mut String) {
    out.push(' ');
    match item {
        Value::Object(entries) if !entries.is_empty() => block(item, indent + 2, out),
        Value::Array(items) if !items.is_empty() => block(item, indent + 2, out),
        scalar => {
            inline(scalar, indent, out);
            out.push('\n');
        }
    }
}

fn inline(value: &Value, indent: usize, out: &mut String) {
    match value {
        Value::String(string) => text(string, Some(indent), out),
        Value::Array(_) => out.push_str("[]"),
        Value::Object(_) => out.push_str("{}"),
        other => out.push_str(&other.to_string()),
    }
}

fn margin(indent: usize, out: &mut String) {
    out.extend(std::iter::repeat_n(' ', indent));
}

/// Writes a text: plain, as a block of lines where `indent` allows one, or quoted.
fn text(text: &str, indent: Option<usize>, out: &mut String) {
    if is_plain(text) {
        out.push_str(text);
        return;
    }
    match indent {
        Some(indent) if is_lines(text) => lines(text, indent + 2, out),
        _ => quoted(text, out),
    }
}

/// Whether a text means itself without quotes.
fn is_plain(text: &str) -> bool {
    let is_text = scalar::resolve(text).is_ok_and(|value| value.is_string());
    let indicator = |char: char| "-?:,[]{}#&*!|>'\"%@`=<".contains(char);
    is_text
        && !text.starts_with(indicator)
        && !text.starts_with(' ')
        && !text.ends_with([' ', ':'])
        && !text.contains(": ")
        && !text.contains(" #")
        && !text.starts_with("...")
        && text
            .chars()
            .all(|char| matches!(char, ' '..='~') || (char > '\u{a0}' && is_printable(char)))
}

fn is_printable(char: char) -> bool {
    !char.is_control()
        && !matches!(
            char,
            '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}'
        )
}

/// Whether a text can be a literal block.
fn is_lines(text: &str) -> bool {
    text.trim_end_matches('\n').contains('\n')
        && !text.starts_with([' ', '\n', '\t'])
        && text
            .chars()
            .all(|char| matches!(char, '\n' | '\t') || is_printable(char))
        && text
            .lines()
            .all(|line| line.is_empty() || !line.trim().is_empty())
}

fn lines(text: &str, indent: usize, out: &mut String) {
    let body = text.trim_end_matches('\n');
    let ends = text.len() - body.len();
    out.push_str(match ends {
        0 => "|-",
        1 => "|",
        _ => "|+",
    });
    for line in body.split('\n') {
        out.push('\n');
        if !line.is_empty() {
            margin(indent, out);
            out.push_str(line);
        }
    }
    // The writer above ends the last line.
    out.extend(std::iter::repeat_n('\n', ends.saturating_sub(1)));
}

fn quoted(text: &str, out: &mut String) {
    out.push('"');
    for char in text.chars() {
        match char {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            '\r' => out.push_str("\\r"),
            char if is_printable(char) => out.push(char),
            char if u32::from(char) <= 0xffff => {
                // Writing to a text never fails.
                let _ = write!(out, "\\u{:04x}", u32::from(char));
            }
            char => {
                let _ = write!(out, "\\U{:08x}", u32::from(char));
            }
        }
    }
    out.push('"');
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_manifest_reads_like_one() {
        let value = json!({
            "apiVersion": "v1", "kind": "ConfigMap",
            "metadata": { "name": "a", "labels": {}, "finalizers": [] },
            "data": { "on": "off", "number": "1", "lines": "a: 1\nb: 2\n", "time": "2001-12-14" },
            "list": [{ "a": 1, "b": ["x", [1, 2], []] }, "y: z", null, true, 1.5],
        });
        let text = write(&value);
        assert_eq!(
            text,
            "apiVersion: v1
kind: ConfigMap
metadata:
  name: a
  labels: {}
  finalizers: []
data:
  \"on\": \"off\"
  number: \"1\"
  lines: |
    a: 1
    b: 2
  time: 2001-12-14
list:
- a: 1
  b:
  - x
  - - 1
    - 2
  - []
- \"y: z\"
- null
- true
- 1.5
"
        );
        assert_eq!(super::super::read(&text).expect("valid")[0].value, value);
    }

    #[test]
    fn every_text_reads_back() {
        let texts = [
            "",
            " ",
            "a ",
            " a",
            "\n",
            "a\n",
            "a\nb",
            "a\nb\n\n\n",
            "\ta\nb",
            "a\n  b\n\nc",
            "a\n \nb",
            "-",
            "- a",
            "a: b",
            "a:",
            "a #b",
            "#a",
            "yes",
            "0x1",
            "1e3",
            ".5",
            "~",
            "<<",
            "=",
            "---",
            "...",
            "%a",
            "@a",
            "`a",
            "'a'",
            "\"a\"",
            "a\\b",
            "a\rb",
            "\u{0}",
            "\u{7f}",
            "\u{85}",
            "\u{2028}",
            "\u{feff}",
            "é",
            "日本",
            "\u{1f600}",
            "?",
            "? a",
            "!a",
            "&a",
            "*a",
            "|",
            ">",
            "[a",
            "{a",
            "a, b",
            "null",
            "12:30",
            "1_000",
            "a\tb",
            "a\n\tb\n",
            "x\n---\ny\n",
            "# x\ny\n",
        ];
        for text in texts {
            for value in [
                json!({ "key": text }),
                json!([text]),
                json!({ text: { "x": [text] } }),
            ] {
                let written = write(&value);
                let read = super::super::read(&written).expect(&written);
                assert_eq!(
                    read.first().map(|read| &read.value),
                    Some(&value),
                    "{written}"
                );
            }
        }
    }
}
