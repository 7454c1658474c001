//! Writes JSON as Go's `json.MarshalIndent(_, "", "  ")` does, byte for byte: an index that is stored
//! here is the one that Flux would store.

use std::fmt::Write as _;

use serde_json::Value;

/// Writes `value` behind `indent` levels; fields stay in their order.
pub(super) fn write(value: &Value, indent: usize, out: &mut String) {
    match value {
        Value::Object(map) if map.is_empty() => out.push_str("{}"),
        Value::Array(items) if items.is_empty() => out.push_str("[]"),
        Value::Object(map) => {
            out.push('{');
            for (at, (key, value)) in map.iter().enumerate() {
                line(at, indent + 1, out);
                string(key, out);
                out.push_str(": ");
                write(value, indent + 1, out);
            }
            end(indent, out);
            out.push('}');
        }
        Value::Array(items) => {
            out.push('[');
            for (at, item) in items.iter().enumerate() {
                line(at, indent + 1, out);
                write(item, indent + 1, out);
            }
            end(indent, out);
            out.push(']');
        }
        Value::String(text) => string(text, out),
        other => out.push_str(&other.to_string()),
    }
}

/// Writes the compact form of `json.Marshal`.
pub(super) fn compact(value: &Value, out: &mut String) {
    match value {
        Value::Object(map) => {
            out.push('{');
            for (at, (key, value)) in map.iter().enumerate() {
                if at > 0 {
                    out.push(',');
                }
                string(key, out);
                out.push(':');
                compact(value, out);
            }
            out.push('}');
        }
        Value::Array(items) => {
            out.push('[');
            for (at, item) in items.iter().enumerate() {
                if at > 0 {
                    out.push(',');
                }
                compact(item, out);
            }
            out.push(']');
        }
        Value::String(text) => string(text, out),
        other => out.push_str(&other.to_string()),
    }
}

/// Sorts the keys of all mappings in `value`, as Go writes maps.
pub(super) fn sorted(value: &Value) -> Value {
    match value {
        Value::Object(map) => {
            let mut entries: Vec<(&String, &Value)> = map.iter().collect();
            entries.sort_unstable_by_key(|(key, _)| key.as_bytes());
            let sorted = entries
                .into_iter()
                .map(|(key, value)| (key.clone(), sorted(value)));
            Value::Object(sorted.collect())
        }
        Value::Array(items) => Value::Array(items.iter().map(sorted).collect()),
        other => other.clone(),
    }
}

fn line(at: usize, indent: usize, out: &mut String) {
    if at > 0 {
        out.push(',');
    }
    end(indent, out);
}

fn end(indent: usize, out: &mut String) {
    out.push('\n');
    out.extend(std::iter::repeat_n("  ", indent));
}

/// Writes a text with the escapes of Go, those for HTML among them.
pub(super) fn string(text: &str, out: &mut String) {
    out.push('"');
    for char in text.chars() {
        match char {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            '<' | '>' | '&' | '\u{2028}' | '\u{2029}' | '\0'..='\u{1f}' => {
                // Writing to a text never fails.
                let _ = write!(out, "\\u{:04x}", u32::from(char));
            }
            char => out.push(char),
        }
    }
    out.push('"');
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn values_are_laid_out_as_in_go() {
        let mut text = String::new();
        write(
            &json!({ "b": [], "a": { "x": [1, "<&>\u{2028}\n\u{1}\u{7f}é"] }, "c": {}, "d": null }),
            0,
            &mut text,
        );
        assert_eq!(
            text,
            "{\n  \"b\": [],\n  \"a\": {\n    \"x\": [\n      1,\n      \"\\u003c\\u0026\\u003e\\u2028\\n\\u0001\u{7f}é\"\n    ]\n  },\n  \"c\": {},\n  \"d\": null\n}"
        );
    }
}
