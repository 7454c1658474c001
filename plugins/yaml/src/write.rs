//! How one scalar, tag or comment is put into characters.

use crate::Dialect;
use crate::emitter::Emitter;
use crate::scanner::{ScalarStyle, width};

/// In which styles a text can be written.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Shape {
    pub(crate) multiline: bool,
    pub(crate) flow_plain: bool,
    pub(crate) block_plain: bool,
    pub(crate) single_quoted: bool,
    pub(crate) block: bool,
}

fn is_break(bytes: &[u8], at: usize) -> bool {
    match bytes.get(at) {
        Some(b'\r' | b'\n') => true,
        Some(0xC2) => bytes.get(at + 1) == Some(&0x85),
        Some(0xE2) => matches!(bytes.get(at + 1..at + 3), Some([0x80, 0xA8 | 0xA9])),
        _ => false,
    }
}

fn is_blankz(bytes: &[u8], at: usize) -> bool {
    matches!(bytes.get(at), None | Some(0 | b' ' | b'\t')) || is_break(bytes, at)
}

fn is_printable(bytes: &[u8], at: usize) -> bool {
    let next = |ahead: usize| bytes.get(at + ahead).copied().unwrap_or(0);
    match bytes[at] {
        0x0A | 0x20..=0x7E | 0xC3..=0xEC | 0xEE => true,
        0xC2 => next(1) >= 0xA0,
        0xED => next(1) < 0xA0,
        0xEF => {
            !(next(1) == 0xBB && next(2) == 0xBF)
                && !(next(1) == 0xBF && matches!(next(2), 0xBE | 0xBF))
        }
        _ => false,
    }
}

impl Shape {
    /// Looks at every character of `text`.
    pub(crate) fn of(text: &str, dialect: Dialect) -> Self {
        let bytes = text.as_bytes();
        if bytes.is_empty() {
            return Self {
                block_plain: true,
                single_quoted: true,
                ..Self::default()
            };
        }
        let mut seen = Seen::default();
        if bytes.starts_with(b"---") || bytes.starts_with(b"...") {
            (seen.block_indicators, seen.flow_indicators) = (true, true);
        }
        let mut preceded = true;
        let mut at = 0;
        while at < bytes.len() {
            let byte = bytes[at];
            if at > 0 && (byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'/' | b'-' | b'_'))
            {
                (seen.previous_space, seen.previous_break, preceded) = (false, false, false);
                at += 1;
                continue;
            }
            let step = width(byte);
            seen.indicator(bytes, at, step, preceded);
            seen.character(bytes, at, step, dialect);
            preceded = is_blankz(bytes, at);
            at += step;
        }
        seen.shape()
    }
}

/// What [`Shape::of`] has met so far.
#[derive(Default)]
struct Seen {
    block_indicators: bool,
    flow_indicators: bool,
    line_breaks: bool,
    special: bool,
    tabs: bool,
    leading_space: bool,
    leading_break: bool,
    trailing_space: bool,
    trailing_break: bool,
    break_space: bool,
    space_break: bool,
    previous_space: bool,
    previous_break: bool,
}

impl Seen {
    fn indicator(&mut self, bytes: &[u8], at: usize, step: usize, preceded: bool) {
        let followed = matches!(bytes.get(at + step), None | Some(b' ' | b'\t'));
        let (flow, block) = match bytes[at] {
            b'#' | b',' | b'[' | b']' | b'{' | b'}' | b'&' | b'*' | b'!' | b'|' | b'>' | b'\''
            | b'"' | b'%' | b'@' | b'`'
                if at == 0 =>
            {
                (true, true)
            }
            b'-' if at == 0 && followed => (true, true),
            b'?' if at == 0 => (true, followed),
            b':' => (true, followed),
            b',' | b'?' | b'[' | b']' | b'{' | b'}' => (true, false),
            b'#' if preceded => (true, true),
            _ => return,
        };
        self.flow_indicators |= flow;
        self.block_indicators |= block;
    }

    fn character(&mut self, bytes: &[u8], at: usize, step: usize, dialect: Dialect) {
        let last = at + step == bytes.len();
        if bytes[at] == b'\t' && dialect == Dialect::V3 {
            self.tabs = true;
        } else if !is_printable(bytes, at) {
            self.special = true;
        }
        if bytes[at] == b' ' {
            self.leading_space |= at == 0;
            self.trailing_space |= last;
            self.break_space |= self.previous_break;
            (self.previous_space, self.previous_break) = (true, false);
        } else if is_break(bytes, at) {
            self.line_breaks = true;
            self.leading_break |= at == 0;
            self.trailing_break |= last;
            self.space_break |= self.previous_space;
            (self.previous_space, self.previous_break) = (false, true);
        } else {
            (self.previous_space, self.previous_break) = (false, false);
        }
    }

    fn shape(&self) -> Shape {
        let quoted = self.break_space || self.space_break || self.tabs || self.special;
        let edges =
            self.leading_space || self.leading_break || self.trailing_space || self.trailing_break;
        let plain = !(quoted || edges || self.line_breaks);
        Shape {
            multiline: self.line_breaks,
            flow_plain: plain && !self.flow_indicators,
            block_plain: plain && !self.block_indicators,
            single_quoted: !quoted,
            block: !(self.trailing_space || self.space_break || self.special),
        }
    }
}

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
    fn put_text(&mut self, text: &str) {
        self.out.push_str(text);
        self.column += if text.is_ascii() {
            text.len()
        } else {
            text.chars().count()
        };
    }

    /// Writes the break at `at`; gives its length.
    fn write_break(&mut self, text: &str, at: usize) -> usize {
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
                    ..=0xFFFF => format!("\\u{code:04X}"),
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

    pub(crate) fn write_head_comment(&mut self) {
        if !self.tail_comment.is_empty() {
            self.write_indent();
            let comment = std::mem::take(&mut self.tail_comment);
            self.write_comment(comment);
            self.foot_indent = self.indent.max(0);
        }
        if !self.head_comment.is_empty() {
            self.write_indent();
            let comment = std::mem::take(&mut self.head_comment);
            self.write_comment(comment);
        }
    }

    pub(crate) fn write_line_comment(&mut self) {
        if self.line_comment.is_empty() {
            return;
        }
        if !self.whitespace {
            self.put(b' ');
        }
        let comment = std::mem::take(&mut self.line_comment);
        self.write_comment(comment);
    }

    fn write_line_comment_or_break(&mut self) {
        if self.line_comment.is_empty() {
            self.put_break();
        } else {
            self.write_line_comment();
        }
    }

    pub(crate) fn write_foot_comment(&mut self) {
        if self.foot_comment.is_empty() {
            return;
        }
        self.write_indent();
        let comment = std::mem::take(&mut self.foot_comment);
        self.write_comment(comment);
        self.foot_indent = self.indent.max(0);
    }

    /// Writes comment lines, and the `#` that one may lack.
    fn write_comment(&mut self, comment: &str) {
        let bytes = comment.as_bytes();
        let (mut breaks, mut pound) = (false, false);
        let mut at = 0;
        while at < bytes.len() {
            if is_break(bytes, at) {
                at += self.write_break(comment, at);
                (breaks, pound) = (true, false);
                continue;
            }
            if breaks {
                self.write_indent();
            }
            if !pound {
                if bytes[at] != b'#' {
                    self.put_text("# ");
                }
                pound = true;
            }
            let mut end = at;
            while end < bytes.len() && !is_break(bytes, end) {
                end += width(bytes[end]);
            }
            self.put_text(&comment[at..end]);
            self.indention = false;
            breaks = false;
            at = end;
        }
        if !breaks {
            self.put_break();
        }
        self.whitespace = true;
    }
}
