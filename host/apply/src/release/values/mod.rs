//! Values as go-yaml v2 writes them, keys sorted: what the digest of values is taken of. Every byte
//! counts here: how long lines are broken, which texts are quoted and how.
//!
//! # Source
//! `chartutil.Encode` of fluxcd/pkg with go.yaml.in/yaml/v2 2.4; the tests hold vectors from there.

mod scalar;

use serde_json::{Map, Number, Value};

use super::json::Digits;
use scalar::{Shape, is_break, is_printable, is_text};

/// Where a line is broken next, if it may be.
const BEST_WIDTH: usize = 80;
/// The longest key that is written without `? `, in bytes.
const MAX_SIMPLE_KEY: usize = 128;

/// Writes values as a YAML document.
pub(super) fn write(values: &Map<String, Value>) -> String {
    let mut writer = Writer {
        out: String::new(),
        column: 0,
        indent: -1,
        is_blank: true,
        is_indention: true,
    };
    writer.mapping(values);
    writer.indent = -1;
    writer.indented();
    writer.out
}

struct Writer {
    out: String,
    /// In characters.
    column: usize,
    indent: i32,
    /// Whether the last character needs no blank behind it.
    is_blank: bool,
    /// Whether the line holds nothing but indentation and indicators.
    is_indention: bool,
}

impl Writer {
    fn value(&mut self, value: &Value, in_mapping: bool) {
        match value {
            Value::Object(entries) if entries.is_empty() => self.empty("{", "}"),
            Value::Object(entries) => self.mapping(entries),
            Value::Array(items) if items.is_empty() => self.empty("[", "]"),
            Value::Array(items) => self.sequence(items, in_mapping),
            Value::String(text) => self.text(text, false),
            Value::Number(number) => self.plain(&number_text(number)),
            Value::Bool(value) => self.plain(if *value { "true" } else { "false" }),
            Value::Null => self.plain("null"),
        }
    }

    fn mapping(&mut self, entries: &Map<String, Value>) {
        let outer = self.indent;
        self.indent = if outer < 0 { 0 } else { outer + 2 };
        let mut sorted: Vec<_> = entries.iter().collect();
        sorted.sort_by_key(|(key, _)| *key);
        for (key, value) in sorted {
            self.indented();
            if !Shape::of(key).is_multiline && key.len() <= MAX_SIMPLE_KEY {
                self.text(key, true);
                self.indicator(":", false, false);
            } else {
                self.indicator("?", true, true);
                self.text(key, false);
                self.indented();
                self.indicator(":", true, true);
            }
            self.value(value, true);
        }
        self.indent = outer;
    }

    fn sequence(&mut self, items: &[Value], in_mapping: bool) {
        let outer = self.indent;
        if !in_mapping || self.is_indention {
            self.indent += 2;
        }
        for item in items {
            self.indented();
            self.indicator("-", true, true);
            self.value(item, false);
        }
        self.indent = outer;
    }

    fn empty(&mut self, open: &str, close: &str) {
        self.indicator(open, true, false);
        self.is_blank = true;
        self.indicator(close, false, false);
    }

    fn text(&mut self, text: &str, is_key: bool) {
        let shape = Shape::of(text);
        let outer = self.indent;
        self.indent = if outer < 0 { 2 } else { outer + 2 };
        let is_plain = is_text(text) && shape.may_be_plain && !(is_key && text.is_empty());
        if text.contains('\n') && shape.may_be_block && !is_key {
            self.literal(text);
        } else if text.contains('\n') || !is_text(text) {
            self.double_quoted(text, !is_key);
        } else if is_plain && !(is_key && shape.is_multiline) {
            self.blank_before();
            self.words(text, !is_key, false);
            self.is_blank = false;
            self.is_indention = false;
        } else if shape.may_be_single_quoted && !(is_key && shape.is_multiline) {
            self.indicator("'", true, false);
            self.words(text, !is_key, true);
            self.indicator("'", false, false);
        } else {
            self.double_quoted(text, !is_key);
        }
        self.indent = outer;
    }

    fn plain(&mut self, text: &str) {
        self.blank_before();
        self.put(text);
        self.is_blank = false;
        self.is_indention = false;
    }

    /// The inside of a plain or single-quoted text.
    fn words(&mut self, text: &str, may_break: bool, is_quoted: bool) {
        let bytes = text.as_bytes();
        let (mut after_space, mut after_break) = (false, false);
        for (at, char) in text.char_indices() {
            if char == ' ' {
                let is_inside = !is_quoted || (at > 0 && at < bytes.len() - 1);
                let is_single = !after_space && bytes.get(at + 1) != Some(&b' ');
                if may_break && is_single && is_inside && self.column > BEST_WIDTH {
                    self.indented();
                } else {
                    self.put(" ");
                }
                after_space = true;
            } else if is_break(char) {
                if !after_break && char == '\n' {
                    self.line_end();
                }
                self.break_of(char);
                self.is_indention = true;
                after_break = true;
            } else {
                if after_break {
                    self.indented();
                }
                if is_quoted && char == '\'' {
                    self.put("'");
                }
                self.put_char(char);
                self.is_indention = false;
                (after_space, after_break) = (false, false);
            }
        }
    }

    fn double_quoted(&mut self, text: &str, may_break: bool) {
        self.indicator("\"", true, false);
        let bytes = text.as_bytes();
        // The byte order mark is looked for at the start, whichever character it is about.
        let has_mark = text.starts_with('\u{feff}');
        let mut after_space = false;
        for (at, char) in text.char_indices() {
            let is_special = matches!(char, '"' | '\\') || is_break(char) || !is_printable(char);
            if has_mark || is_special {
                self.escape(char);
                after_space = false;
            } else if char == ' ' {
                let is_inside = at > 0 && at < bytes.len() - 1;
                if may_break && !after_space && is_inside && self.column > BEST_WIDTH {
                    self.indented();
                    if bytes.get(at + 1) == Some(&b' ') {
                        self.put("\\");
                    }
                } else {
                    self.put(" ");
                }
                after_space = true;
            } else {
                self.put_char(char);
                after_space = false;
            }
        }
        self.indicator("\"", false, false);
    }

    fn escape(&mut self, char: char) {
        let letter = match char {
            '\0' => '0',
            '\x07' => 'a',
            '\x08' => 'b',
            '\t' => 't',
            '\n' => 'n',
            '\x0b' => 'v',
            '\x0c' => 'f',
            '\r' => 'r',
            '\x1b' => 'e',
            '"' => '"',
            '\\' => '\\',
            '\u{85}' => 'N',
            '\u{a0}' => '_',
            '\u{2028}' => 'L',
            '\u{2029}' => 'P',
            _ => {
                let escaped = match u32::from(char) {
                    code @ ..=0xff => format!("\\x{code:02X}"),
                    code @ ..=0xffff => format!("\\u{code:04X}"),
                    code => format!("\\U{code:08X}"),
                };
                return self.put(&escaped);
            }
        };
        self.put("\\");
        self.put_char(letter);
    }

    fn literal(&mut self, text: &str) {
        self.indicator("|", true, false);
        if text.starts_with(|first: char| first == ' ' || is_break(first)) {
            self.indicator("2", false, false);
        }
        let mut ends = text.chars().rev().map(is_break);
        match (ends.next(), ends.next()) {
            (Some(true), Some(false)) => {}
            (Some(true), _) => self.indicator("+", false, false),
            _ => self.indicator("-", false, false),
        }
        self.line_end();
        self.is_indention = true;
        self.is_blank = true;
        let mut after_break = true;
        for char in text.chars() {
            if is_break(char) {
                self.break_of(char);
                self.is_indention = true;
                after_break = true;
                continue;
            }
            if after_break {
                self.indented();
            }
            self.put_char(char);
            self.is_indention = false;
            after_break = false;
        }
    }

    /// Begins a line, if this one is not still empty, and indents it.
    fn indented(&mut self) {
        let indent = usize::try_from(self.indent).unwrap_or_default();
        let is_past = self.column > indent || (self.column == indent && !self.is_blank);
        if !self.is_indention || is_past {
            self.line_end();
        }
        while self.column < indent {
            self.put(" ");
        }
        self.is_blank = true;
        self.is_indention = true;
    }

    fn indicator(&mut self, text: &str, needs_blank: bool, is_indention: bool) {
        if needs_blank {
            self.blank_before();
        }
        self.put(text);
        self.is_blank = false;
        self.is_indention &= is_indention;
    }

    fn blank_before(&mut self) {
        if !self.is_blank {
            self.put(" ");
        }
    }

    fn put(&mut self, text: &str) {
        self.out.push_str(text);
        self.column += text.chars().count();
    }

    fn put_char(&mut self, char: char) {
        self.out.push(char);
        self.column += 1;
    }

    fn break_of(&mut self, char: char) {
        self.out.push(char);
        self.column = 0;
    }

    fn line_end(&mut self) {
        self.break_of('\n');
    }
}

/// A number as Go has it after JSON: whole where the float is, else in the shortest form.
///
/// # Source
/// `jsonToYAMLValue` of sigs.k8s.io/yaml 1.6, `FormatFloat` with `g`.
fn number_text(number: &Number) -> String {
    let float = number.as_f64().unwrap_or_default();
    // 2^63 and 2^64 have no neighbour below them that a float could miss.
    let is_whole = float.trunc() == float;
    if is_whole && (-9_223_372_036_854_775_808.0..9_223_372_036_854_775_808.0).contains(&float) {
        return (float as i64).to_string();
    }
    if is_whole && (0.0..18_446_744_073_709_551_616.0).contains(&float) {
        return (float as u64).to_string();
    }
    let digits = Digits::of(float);
    // `g` with the shortest digits takes six of them for its choice, however many there are.
    if (-4..6).contains(&digits.exponent) {
        digits.plain()
    } else {
        digits.scientific(2)
    }
}
