//! What a text looks like to the emitter: which styles can hold it.

use crate::Dialect;
use crate::token::width;

/// In which styles a text can be written.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Shape {
    pub(crate) multiline: bool,
    pub(crate) flow_plain: bool,
    pub(crate) block_plain: bool,
    pub(crate) single_quoted: bool,
    pub(crate) block: bool,
}

pub(crate) fn is_break(bytes: &[u8], at: usize) -> bool {
    match bytes.get(at) {
        Some(b'\r' | b'\n') => true,
        Some(0xC2) => bytes.get(at + 1) == Some(&0x85),
        Some(0xE2) => matches!(bytes.get(at + 1..at + 3), Some([0x80, 0xA8 | 0xA9])),
        _ => false,
    }
}

pub(crate) fn is_blankz(bytes: &[u8], at: usize) -> bool {
    matches!(bytes.get(at), None | Some(0 | b' ' | b'\t')) || is_break(bytes, at)
}

pub(crate) fn is_printable(bytes: &[u8], at: usize) -> bool {
    let next = |ahead: usize| bytes.get(at + ahead).copied().unwrap_or(0);
    match bytes[at] {
        0x0A | 0x20..=0x7E | 0xC3..=0xEC | 0xEE => true,
        0xC2 => next(1) >= 0xA0,
        0xED => next(1) < 0xA0,
        0xEF => !matches!((next(1), next(2)), (0xBB, 0xBF) | (0xBF, 0xBE | 0xBF)),
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
