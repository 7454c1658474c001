//! JSON as Go's encoding/json writes it: keys sorted, floats in their shortest form, `<`, `>` and `&`
//! escaped unless asked otherwise. In: values. Out: text, or what Go says is wrong.

use bulkhead_template::{Plain, Value, bytes, format};

/// How to write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Style {
    /// `json.Marshal`.
    Compact,
    /// `json.MarshalIndent` with two columns.
    Pretty,
    /// An encoder with `SetEscapeHTML(false)`.
    Raw,
}

/// Writes a value.
pub(crate) fn write(value: &Value, style: Style) -> Result<String, String> {
    let mut out = String::new();
    Writer {
        out: &mut out,
        style,
        depth: 0,
    }
    .value(value)?;
    Ok(out)
}

struct Writer<'a> {
    out: &'a mut String,
    style: Style,
    depth: usize,
}

/// Deepest nesting that is written.
const MAX_DEPTH: usize = 1_000;

impl Writer<'_> {
    fn value(&mut self, value: &Value) -> Result<(), String> {
        match value {
            Value::Invalid | Value::Nil => self.out.push_str("null"),
            Value::Bool(value) => self.out.push_str(if *value { "true" } else { "false" }),
            Value::Int(value, kind) => {
                if kind.is_signed() {
                    self.out.push_str(&value.to_string());
                } else {
                    self.out.push_str(&(*value as u64).to_string());
                }
            }
            Value::Float(value) => self.out.push_str(&number(*value)?),
            Value::Complex(..) => return Err("json: unsupported type: complex128".to_owned()),
            Value::String(text) => self.text(text),
            Value::Bytes(bytes) => {
                let text = crate::encoding::base64(bytes);
                self.text(&text);
            }
            Value::List(list) if list.is_nil => self.out.push_str("null"),
            Value::List(list) => {
                self.collection('[', ']', list.items.iter(), |writer, item| {
                    writer.value(item)
                })?;
            }
            Value::Map(map) if map.is_nil => self.out.push_str("null"),
            Value::Map(map) => {
                let entries = map.entries.borrow();
                self.collection('{', '}', entries.iter(), |writer, (key, item)| {
                    writer.entry(key, item)
                })?;
            }
            Value::Object(object) => match object.plain() {
                Plain::Value(value) => self.value(&value)?,
                Plain::Struct(fields) => {
                    self.collection('{', '}', fields.iter(), |writer, (key, item)| {
                        writer.entry(key, item)
                    })?;
                }
            },
        }
        Ok(())
    }

    fn entry(&mut self, key: &str, item: &Value) -> Result<(), String> {
        self.text(key);
        self.out.push(':');
        if self.style == Style::Pretty {
            self.out.push(' ');
        }
        self.value(item)
    }

    fn collection<T>(
        &mut self,
        open: char,
        close: char,
        items: impl ExactSizeIterator<Item = T>,
        mut write: impl FnMut(&mut Self, T) -> Result<(), String>,
    ) -> Result<(), String> {
        if self.depth >= MAX_DEPTH {
            return Err("json: unsupported value: encountered a cycle".to_owned());
        }
        self.depth += 1;
        self.out.push(open);
        let is_empty = items.len() == 0;
        for (index, item) in items.enumerate() {
            if index > 0 {
                self.out.push(',');
            }
            self.line();
            write(self, item)?;
        }
        self.depth -= 1;
        if !is_empty {
            self.line();
        }
        self.out.push(close);
        Ok(())
    }

    fn line(&mut self) {
        if self.style == Style::Pretty {
            self.out.push('\n');
            self.out.extend(std::iter::repeat_n("  ", self.depth));
        }
    }

    fn text(&mut self, text: &str) {
        let html = self.style != Style::Raw;
        let joined = bytes::of(text);
        self.out.push('"');
        for c in bytes::to_text(&joined).chars() {
            match c {
                c if bytes::stands_for(c).is_some() => self.out.push_str("\\ufffd"),
                '"' => self.out.push_str("\\\""),
                '\\' => self.out.push_str("\\\\"),
                '\n' => self.out.push_str("\\n"),
                '\r' => self.out.push_str("\\r"),
                '\t' => self.out.push_str("\\t"),
                '\u{8}' => self.out.push_str("\\b"),
                '\u{c}' => self.out.push_str("\\f"),
                '<' | '>' | '&' if !html => self.out.push(c),
                '\0'..='\x1f' | '<' | '>' | '&' | '\u{2028}' | '\u{2029}' => {
                    self.out.push_str(&format!("\\u{:04x}", u32::from(c)));
                }
                c => self.out.push(c),
            }
        }
        self.out.push('"');
    }
}

/// Writes a float as encoding/json does.
pub(crate) fn number(value: f64) -> Result<String, String> {
    if !value.is_finite() {
        let text = format::float(value, 'g', None);
        return Err(format!("json: unsupported value: {text}"));
    }
    let magnitude = value.abs();
    if magnitude != 0.0 && !(1e-6..1e21).contains(&magnitude) {
        let text = format::float(value, 'e', None);
        // One digit of the exponent is enough: e-09 becomes e-9.
        return Ok(match text.split_once("e-0") {
            Some((mantissa, exponent)) => format!("{mantissa}e-{exponent}"),
            None => text,
        });
    }
    Ok(format::float(value, 'f', None))
}
