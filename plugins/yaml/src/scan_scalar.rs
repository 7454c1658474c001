//! Scalars: plain, quoted and block. A scalar that stands in one piece in the text is borrowed.

use std::borrow::Cow;

use crate::pieces::{Breaks, Pieces};
use crate::scanner::Scanner;
use crate::token::{Mark, Result, ScalarStyle, Token, TokenKind};

impl<'a> Scanner<'a> {
    fn scalar(&self, start: Mark, end: Mark, style: ScalarStyle, value: Cow<'a, str>) -> Token<'a> {
        let mut token = Token::new(TokenKind::Scalar, start, end).with_value(value);
        token.style = style;
        token
    }

    /// Reads a break into `breaks`.
    fn read_break(&mut self, breaks: &mut Breaks) {
        if breaks.seen {
            self.read_line(&mut breaks.trailing);
        } else {
            self.read_line(&mut breaks.leading);
            breaks.seen = true;
        }
    }

    /// Reads a scalar without quotes.
    pub(crate) fn scan_plain_scalar(&mut self) -> Result<Token<'a>> {
        let start = self.mark;
        let indent = self.indent + 1;
        let mut end = self.mark;
        let mut end_pos = self.pos;
        let mut pieces = Pieces::new(self.text, self.pos);
        let mut breaks = Breaks::default();
        loop {
            if self.at_document_indicator() || self.at(0) == b'#' {
                break;
            }
            let from = self.pos;
            if self.plain_run() {
                if breaks.seen {
                    let mut folded = String::new();
                    breaks.fold(&mut folded);
                    pieces.cut(end_pos, &folded, from);
                }
                end = self.mark;
                end_pos = self.pos;
            }
            if !self.is_blank(0) && !self.is_break(0) {
                break;
            }
            while self.is_blank(0) || self.is_break(0) {
                if self.is_blank(0) {
                    if breaks.seen && self.mark.column < indent && self.at(0) == b'\t' {
                        return self
                            .error(start, "found a tab character that violates indentation");
                    }
                    self.skip();
                } else {
                    self.read_break(&mut breaks);
                }
            }
            if self.flow_level == 0 && self.mark.column < indent {
                break;
            }
        }
        if breaks.seen {
            self.simple_key_allowed = true;
        }
        Ok(self.scalar(start, end, ScalarStyle::Plain, pieces.finish(end_pos)))
    }

    /// Steps over the characters of a plain scalar up to a blank, break or indicator. Says whether
    /// there was one.
    fn plain_run(&mut self) -> bool {
        let flow = self.flow_level > 0;
        let from = self.pos;
        let mut chars = 0;
        loop {
            match self.at(0) {
                b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'/' | b'_' => {}
                0 | b' ' | b'\t' | b'\r' | b'\n' => break,
                b':' if self.is_blankz(1) => break,
                b',' | b'?' | b'[' | b']' | b'{' | b'}' if flow => break,
                0xC2 | 0xE2 if self.is_break(0) => break,
                // The rest of a character of several bytes does not count.
                0x80..=0xBF => chars -= 1,
                _ => {}
            }
            chars += 1;
            self.pos += 1;
        }
        if self.pos == from {
            return false;
        }
        self.newlines = 0;
        self.mark.index += chars;
        self.mark.column += chars;
        true
    }

    /// Reads a scalar in single or double quotes.
    pub(crate) fn scan_flow_scalar(&mut self, single: bool) -> Result<Token<'a>> {
        let start = self.mark;
        self.skip();
        let mut pieces = Pieces::new(self.text, self.pos);
        let mut breaks = Breaks::default();
        let end_pos = loop {
            if self.at_document_indicator() {
                return self.error(start, "found unexpected document indicator");
            }
            if self.at(0) == 0 {
                return self.error(start, "found unexpected end of stream");
            }
            let escaped_break = self.scan_quoted_run(single, start, &mut pieces)?;
            if self.at(0) == if single { b'\'' } else { b'"' } {
                break self.pos;
            }
            // Blanks before a break are dropped, others kept.
            let blanks_from = self.pos;
            breaks.seen = escaped_break;
            while self.is_blank(0) || self.is_break(0) {
                if self.is_break(0) {
                    self.read_break(&mut breaks);
                } else {
                    self.skip();
                }
            }
            if breaks.seen {
                let mut folded = String::new();
                breaks.fold(&mut folded);
                pieces.cut(blanks_from, &folded, self.pos);
            }
        };
        self.skip();
        let style = if single {
            ScalarStyle::SingleQuoted
        } else {
            ScalarStyle::DoubleQuoted
        };
        Ok(self.scalar(start, self.mark, style, pieces.finish(end_pos)))
    }

    /// Reads characters in quotes up to a blank, a break or the closing quote. Says whether an
    /// escaped break ended it.
    fn scan_quoted_run(&mut self, single: bool, start: Mark, out: &mut Pieces<'a>) -> Result<bool> {
        let mut escaped_break = false;
        while !self.is_blankz(0) {
            match self.at(0) {
                b'\'' if single && self.at(1) == b'\'' => {
                    out.cut(self.pos, "'", self.pos + 2);
                    self.skip();
                    self.skip();
                }
                b'\'' if single => break,
                b'"' if !single => break,
                b'\\' if !single && self.is_break(1) => {
                    let at = self.pos;
                    self.skip();
                    self.skip_line();
                    out.cut(at, "", self.pos);
                    escaped_break = true;
                    break;
                }
                b'\\' if !single => {
                    let at = self.pos;
                    let found = self.scan_escape(start)?;
                    out.cut(at, found.encode_utf8(&mut [0; 4]), self.pos);
                }
                _ => self.skip(),
            }
        }
        Ok(escaped_break)
    }

    /// Reads `\n`, `\x41`, `\u0041` …
    fn scan_escape(&mut self, start: Mark) -> Result<char> {
        let (found, digits) = match self.at(1) {
            b'0' => ('\0', 0),
            b'a' => ('\x07', 0),
            b'b' => ('\x08', 0),
            b't' | b'\t' => ('\t', 0),
            b'n' => ('\n', 0),
            b'v' => ('\x0B', 0),
            b'f' => ('\x0C', 0),
            b'r' => ('\r', 0),
            b'e' => ('\x1B', 0),
            b' ' => (' ', 0),
            b'"' => ('"', 0),
            b'\'' => ('\'', 0),
            b'\\' => ('\\', 0),
            b'N' => ('\u{85}', 0),
            b'_' => ('\u{A0}', 0),
            b'L' => ('\u{2028}', 0),
            b'P' => ('\u{2029}', 0),
            b'x' => ('\0', 2),
            b'u' => ('\0', 4),
            b'U' => ('\0', 8),
            _ => return self.error(start, "found unknown escape character"),
        };
        self.skip();
        self.skip();
        if digits == 0 {
            return Ok(found);
        }
        let mut value = 0_u32;
        for ahead in 0..digits {
            let Some(digit) = char::from(self.at(ahead)).to_digit(16) else {
                return self.error(start, "did not find expected hexdecimal number");
            };
            value = value << 4 | digit;
        }
        let Some(found) = char::from_u32(value) else {
            return self.error(start, "found invalid Unicode character escape code");
        };
        (0..digits).for_each(|_| self.skip());
        Ok(found)
    }

    /// Reads a scalar that `|` or `>` opens.
    pub(crate) fn scan_block_scalar(&mut self, literal: bool) -> Result<Token<'a>> {
        let start = self.mark;
        self.skip();
        let (keep, increment) = self.scan_block_header(start)?;
        let mut end = self.mark;
        let mut indent = match increment {
            0 => 0,
            _ => self.indent.max(0) + increment,
        };
        let (mut value, mut leading, mut trailing) = (String::new(), String::new(), String::new());
        self.scan_block_breaks(&mut indent, &mut trailing, start, &mut end)?;
        let mut leading_blank = false;
        while self.mark.column == indent && self.at(0) != 0 {
            let trailing_blank = self.is_blank(0);
            let folds = !literal && !leading_blank && !trailing_blank && leading.starts_with('\n');
            if !folds {
                value.push_str(&leading);
            } else if trailing.is_empty() {
                value.push(' ');
            }
            leading.clear();
            value.push_str(&trailing);
            trailing.clear();
            leading_blank = trailing_blank;
            let from = self.pos;
            self.skip_to_break();
            value.push_str(&self.text[from..self.pos]);
            self.read_line(&mut leading);
            self.scan_block_breaks(&mut indent, &mut trailing, start, &mut end)?;
        }
        if keep != Chomp::Strip {
            value.push_str(&leading);
        }
        if keep == Chomp::Keep {
            value.push_str(&trailing);
        }
        let style = if literal {
            ScalarStyle::Literal
        } else {
            ScalarStyle::Folded
        };
        Ok(self.scalar(start, end, style, Cow::Owned(value)))
    }

    /// Reads what stands between the `|` and the end of its line.
    fn scan_block_header(&mut self, start: Mark) -> Result<(Chomp, i32)> {
        let mut chomp = self.scan_chomp();
        let mut increment = 0;
        if self.at(0).is_ascii_digit() {
            if self.at(0) == b'0' {
                return self.error(start, "found an indentation indicator equal to 0");
            }
            increment = i32::from(self.at(0) - b'0');
            self.skip();
            if chomp.is_none() {
                chomp = self.scan_chomp();
            }
        }
        self.skip_blanks();
        if self.at(0) == b'#' {
            if self.keeps_comments() {
                self.scan_line_comment(start);
            }
            self.skip_to_break();
        }
        if !self.is_breakz(0) {
            return self.error(start, "did not find expected comment or line break");
        }
        self.skip_line();
        Ok((chomp.unwrap_or(Chomp::Clip), increment))
    }

    fn scan_chomp(&mut self) -> Option<Chomp> {
        let found = match self.at(0) {
            b'+' => Chomp::Keep,
            b'-' => Chomp::Strip,
            _ => return None,
        };
        self.skip();
        Some(found)
    }

    /// Steps over indentation and empty lines, and finds out the indentation on the first call.
    fn scan_block_breaks(
        &mut self,
        indent: &mut i32,
        breaks: &mut String,
        start: Mark,
        end: &mut Mark,
    ) -> Result<()> {
        *end = self.mark;
        let mut max_indent = 0;
        loop {
            while (*indent == 0 || self.mark.column < *indent) && self.at(0) == b' ' {
                self.skip();
            }
            max_indent = max_indent.max(self.mark.column);
            if (*indent == 0 || self.mark.column < *indent) && self.at(0) == b'\t' {
                let text = "found a tab character where an indentation space is expected";
                return self.error(start, text);
            }
            if !self.is_break(0) {
                break;
            }
            self.read_line(breaks);
            *end = self.mark;
        }
        if *indent == 0 {
            *indent = max_indent.max(self.indent + 1).max(1);
        }
        Ok(())
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Chomp {
    Clip,
    Strip,
    Keep,
}
