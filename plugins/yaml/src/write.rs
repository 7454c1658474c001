//! How one scalar, tag or comment is put into characters.

use crate::Dialect;
use crate::emitter::Emitter;
use crate::shape::{is_blankz, is_break, is_printable};
use crate::token::{ScalarStyle, width};

impl Emitter<'_> {
    pub(crate) fn put(&mut self, byte: u8) {
        self.out.push(char::from(byte));
        self.column += 1;
    }

    pub(crate) fn put_break(&mut self) {
        self.out.push('\n');
        self.column = 0;
        self.indention = true;
    }

    /// Writes text without a break in it.
    pub(crate) fn put_text(&mut self, text: &str) {
        self.out.push_str(text);
        self.column += if text.is_ascii() {
            text.len()
        } else {
            text.chars().count()
        };
    }

    /// Writes the break at `at`; gives its length.
    pub(crate) fn write_break(&mut self, text: &str, at: usize) -> usize {
        let step = width(text.as_bytes()[at]);
        if text.as_bytes()[at] == b'\n' {
            self.put_break();
        } else {
            self.out.push_str(&text[at..at + step]);
            self.column = 0;
            self.indention = true;
        }
        step
    }

    pub(crate) fn write_indent(&mut self) {
        let indent = self.indent.max(0);
        let target = indent as usize;
        if !self.indention || self.column > target || (self.column == target && !self.whitespace) {
            self.put_break();
        }
        if self.foot_indent == indent {
            self.put_break();
        }
        while self.column < target {
            self.put(b' ');
        }
        self.whitespace = true;
        self.indention = true;
        self.foot_indent = -1;
    }

    pub(crate) fn write_indicator(
        &mut self,
        indicator: &str,
        need_whitespace: bool,
        is_whitespace: bool,
        is_indention: bool,
    ) {
        if need_whitespace && !self.whitespace {
            self.put(b' ');
        }
        self.put_text(indicator);
        self.whitespace = is_whitespace;
        self.indention = self.indention && is_indention;
    }

    /// Writes an anchor's name.
    pub(crate) fn write_plain_text(&mut self, text: &str) {
        self.put_text(text);
        self.whitespace = false;
        self.indention = false;
    }

    pub(crate) fn write_tag(&mut self, tag: &str) {
        let long = tag.strip_prefix(crate::resolve::LONG_PREFIX);
        if let Some(name) = long.or_else(|| tag.strip_prefix("!!")) {
            self.write_handle("!!", name);
        } else if let Some(name) = tag.strip_prefix('!') {
            self.write_handle("!", name);
        } else {
            self.write_indicator("!<", true, false, false);
            self.write_tag_content(tag);
            self.write_indicator(">", false, false, false);
        }
    }

    fn write_handle(&mut self, handle: &str, suffix: &str) {
        if !self.whitespace {
            self.put(b' ');
        }
        self.write_plain_text(handle);
        if !suffix.is_empty() {
            self.write_tag_content(suffix);
        }
    }

    fn write_tag_content(&mut self, text: &str) {
        for byte in text.bytes() {
            if byte.is_ascii_alphanumeric() || b";/?:@&=+$,_.~*'()[]-".contains(&byte) {
                self.put(byte);
            } else {
                self.put_text(&format!("%{byte:02X}"));
            }
        }
        self.whitespace = false;
        self.indention = false;
    }

    pub(crate) fn write_scalar(&mut self, text: &str, style: ScalarStyle) {
        let fold = !self.simple_key_context;
        match style {
            ScalarStyle::Plain => self.write_plain(text, fold),
            ScalarStyle::SingleQuoted => self.write_single_quoted(text, fold),
            ScalarStyle::DoubleQuoted => self.write_double_quoted(text, fold),
            ScalarStyle::Literal => self.write_literal(text),
            ScalarStyle::Folded => self.write_folded(text),
        }
    }

    fn write_plain(&mut self, text: &str, fold: bool) {
        if (!text.is_empty() || self.dialect == Dialect::V2) && !self.whitespace {
            self.put(b' ');
        }
        self.write_lines(text, fold, false);
        if !text.is_empty() || self.dialect == Dialect::V2 {
            self.whitespace = false;
        }
        self.indention = false;
    }

    fn write_single_quoted(&mut self, text: &str, fold: bool) {
        self.write_indicator("'", true, false, false);
        self.write_lines(text, fold, true);
        self.write_indicator("'", false, false, false);
        self.whitespace = false;
        self.indention = false;
    }

    /// The inside of a plain or single-quoted scalar.
    fn write_lines(&mut self, text: &str, fold: bool, quoted: bool) {
        let bytes = text.as_bytes();
        if !self.shape.multiline && (!fold || self.column + bytes.len() <= self.best_width) {
            if quoted && text.contains('\'') {
                self.put_text(&text.replace('\'', "''"));
            } else {
                self.put_text(text);
            }
            return;
        }
        let (mut spaces, mut breaks) = (false, false);
        let mut at = 0;
        while at < bytes.len() {
            if bytes[at] == b' ' {
                let inside = !quoted || at > 0 && at < bytes.len() - 1;
                let lonely = !spaces && bytes.get(at + 1) != Some(&b' ');
                if fold && lonely && inside && self.column > self.best_width {
                    self.write_indent();
                } else {
                    self.put(b' ');
                }
                at += 1;
                spaces = true;
            } else if is_break(bytes, at) {
                if !breaks && bytes[at] == b'\n' {
                    self.put_break();
                }
                at += self.write_break(text, at);
                breaks = true;
            } else {
                if breaks {
                    self.write_indent();
                }
                if quoted && bytes[at] == b'\'' {
                    self.put(b'\'');
                }
                let step = width(bytes[at]);
                self.out.push_str(&text[at..at + step]);
                self.column += 1;
                at += step;
                self.indention = false;
                (spaces, breaks) = (false, false);
            }
        }
    }

    fn write_double_quoted(&mut self, text: &str, fold: bool) {
        self.write_indicator("\"", true, false, false);
        let bytes = text.as_bytes();
        // go-yaml looks for the byte order mark at the start, whichever character it is about.
        let all = bytes.starts_with(&[0xEF, 0xBB, 0xBF]);
        let mut spaces = false;
        for (at, found) in text.char_indices() {
            let escape = all || matches!(found, '"' | '\\') || !is_printable(bytes, at);
            if escape || is_break(bytes, at) {
                self.write_escape(found);
                spaces = false;
            } else if found == ' ' {
                let inside = at > 0 && at < bytes.len() - 1;
                if fold && !spaces && self.column > self.best_width && inside {
                    self.write_indent();
                    if bytes.get(at + 1) == Some(&b' ') {
                        self.put(b'\\');
                    }
                } else {
                    self.put(b' ');
                }
                spaces = true;
            } else {
                self.out.push(found);
                self.column += 1;
                spaces = false;
            }
        }
        self.write_indicator("\"", false, false, false);
        self.whitespace = false;
        self.indention = false;
    }

    fn write_escape(&mut self, found: char) {
        let letter = match found {
            '\0' => '0',
            '\x07' => 'a',
            '\x08' => 'b',
            '\t' => 't',
            '\n' => 'n',
            '\x0B' => 'v',
            '\x0C' => 'f',
            '\r' => 'r',
            '\x1B' => 'e',
            '"' => '"',
            '\\' => '\\',
            '\u{85}' => 'N',
            '\u{A0}' => '_',
            '\u{2028}' => 'L',
            '\u{2029}' => 'P',
            _ => {
                let code = u32::from(found);
                let text = match code {
                    ..=0xFF => format!("\\x{code:02X}"),
                    0x100..=0xFFFF => format!("\\u{code:04X}"),
                    _ => format!("\\U{code:08X}"),
                };
                return self.put_text(&text);
            }
        };
        self.out.push('\\');
        self.out.push(letter);
        self.column += 2;
    }

    /// The indentation and chomping indicators behind `|` and `>`.
    fn write_block_hints(&mut self, text: &str) {
        let bytes = text.as_bytes();
        if bytes.first() == Some(&b' ') || is_break(bytes, 0) {
            let hint = self.best_indent.to_string();
            self.write_indicator(&hint, false, false, false);
        }
        let mut ends = text.char_indices().rev().map(|(at, _)| is_break(bytes, at));
        let chomp = match (ends.next(), ends.next()) {
            (Some(true), Some(false)) => return,
            (Some(true), _) => "+",
            _ => "-",
        };
        self.write_indicator(chomp, false, false, false);
    }

    fn write_literal(&mut self, text: &str) {
        self.write_indicator("|", true, false, false);
        self.write_block_hints(text);
        self.write_line_comment_or_break();
        self.whitespace = true;
        let mut breaks = true;
        let bytes = text.as_bytes();
        let mut at = 0;
        while at < bytes.len() {
            if is_break(bytes, at) {
                at += self.write_break(text, at);
                breaks = true;
                continue;
            }
            if breaks {
                self.write_indent();
                breaks = false;
            }
            let mut end = at;
            while end < bytes.len() && !is_break(bytes, end) {
                end += width(bytes[end]);
            }
            self.put_text(&text[at..end]);
            self.indention = false;
            at = end;
        }
    }

    fn write_folded(&mut self, text: &str) {
        self.write_indicator(">", true, false, false);
        self.write_block_hints(text);
        self.write_line_comment_or_break();
        self.whitespace = true;
        let (mut breaks, mut leading_spaces) = (true, true);
        let bytes = text.as_bytes();
        let mut at = 0;
        while at < bytes.len() {
            if is_break(bytes, at) {
                if !breaks && !leading_spaces && bytes[at] == b'\n' {
                    // go-yaml counts from the start of the text here, not from this break.
                    let mut first = 0;
                    while is_break(bytes, first) {
                        first += width(bytes[first]);
                    }
                    if !is_blankz(bytes, first) {
                        self.put_break();
                    }
                }
                at += self.write_break(text, at);
                breaks = true;
                continue;
            }
            if breaks {
                self.write_indent();
                leading_spaces = matches!(bytes[at], b' ' | b'\t');
            }
            let lonely = bytes[at] == b' ' && bytes.get(at + 1) != Some(&b' ');
            if !breaks && lonely && self.column > self.best_width {
                self.write_indent();
                at += 1;
            } else {
                let step = width(bytes[at]);
                self.out.push_str(&text[at..at + step]);
                self.column += 1;
                at += step;
            }
            self.indention = false;
            breaks = false;
        }
    }
}
