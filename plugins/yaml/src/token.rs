//! What the scanner hands to the parser: tokens, comments, and problems, each with its place.

use std::borrow::Cow;

/// A place in the text, counted in characters. Places are compared by `index`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Mark {
    pub(crate) index: i32,
    pub(crate) line: i32,
    pub(crate) column: i32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TokenKind {
    StreamStart,
    StreamEnd,
    VersionDirective,
    TagDirective,
    DocumentStart,
    DocumentEnd,
    BlockSequenceStart,
    BlockMappingStart,
    BlockEnd,
    FlowSequenceStart,
    FlowSequenceEnd,
    FlowMappingStart,
    FlowMappingEnd,
    BlockEntry,
    FlowEntry,
    Key,
    Value,
    Alias,
    Anchor,
    Tag,
    Scalar,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum ScalarStyle {
    #[default]
    Plain,
    SingleQuoted,
    DoubleQuoted,
    Literal,
    Folded,
}

#[derive(Debug, Clone)]
pub(crate) struct Token<'a> {
    pub(crate) kind: TokenKind,
    pub(crate) start: Mark,
    pub(crate) end: Mark,
    /// A scalar's text, an anchor's name, a tag's or directive's handle.
    pub(crate) value: Cow<'a, str>,
    /// A tag's suffix, a directive's prefix.
    pub(crate) suffix: Option<Box<str>>,
    pub(crate) style: ScalarStyle,
    /// A version directive's numbers.
    pub(crate) version: (u8, u8),
}

impl<'a> Token<'a> {
    /// The value, where it stands in the text as it is: that of anchors and handles.
    pub(crate) fn name(&self) -> &'a str {
        match self.value {
            Cow::Borrowed(name) => name,
            Cow::Owned(_) => "",
        }
    }

    pub(crate) fn new(kind: TokenKind, start: Mark, end: Mark) -> Self {
        let empty = Cow::Borrowed("");
        Self {
            kind,
            start,
            end,
            value: empty,
            suffix: None,
            style: ScalarStyle::Plain,
            version: (0, 0),
        }
    }

    pub(crate) fn with_value(mut self, value: Cow<'a, str>) -> Self {
        self.value = value;
        self
    }
}

/// A comment on its way to a node.
#[derive(Debug, Default)]
pub(crate) struct Comment {
    /// Where the scan that found it began.
    pub(crate) scan_mark: Mark,
    /// The token that it belongs to starts here.
    pub(crate) token_mark: Mark,
    pub(crate) start_mark: Mark,
    pub(crate) end_mark: Mark,
    pub(crate) head: String,
    pub(crate) line: String,
    pub(crate) foot: String,
}

/// Who found a problem: go-yaml counts the lines of parser problems from 0, and of others from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stage {
    Scanner,
    Parser,
}

/// What stops a parse, before it is put in go-yaml's words.
#[derive(Debug)]
pub(crate) struct Problem {
    pub(crate) stage: Stage,
    pub(crate) context: Mark,
    pub(crate) at: Mark,
    pub(crate) text: Cow<'static, str>,
}

pub(crate) type Result<T> = std::result::Result<T, Box<Problem>>;

/// How many bytes the character with this first byte has.
#[inline]
pub(crate) fn width(first: u8) -> usize {
    match first {
        0..=0x7F => 1,
        0xC0..=0xDF => 2,
        0xE0..=0xEF => 3,
        0xF0..=0xFF => 4,
        _ => 1,
    }
}
