//! Text to tokens, as libyaml's scanner does with go-yaml's comment handling. In: checked UTF-8.
//! Out: tokens in order, and comments with the place they belong to. Split by question: this file
//! has the queue, indentation and simple keys; `scan_*.rs` read one kind of token each.

use std::borrow::Cow;
use std::collections::VecDeque;

use crate::Dialect;

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
    pub(crate) suffix: Cow<'a, str>,
    pub(crate) style: ScalarStyle,
    /// A version directive's numbers.
    pub(crate) version: (u8, u8),
}

impl<'a> Token<'a> {
    pub(crate) fn new(kind: TokenKind, start: Mark, end: Mark) -> Self {
        let empty = Cow::Borrowed("");
        let suffix = Cow::Borrowed("");
        Self {
            kind,
            start,
            end,
            value: empty,
            suffix,
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

#[derive(Debug, Clone, Copy, Default)]
struct SimpleKey {
    possible: bool,
    required: bool,
    token_number: usize,
    mark: Mark,
}

/// libyaml looks this far for the `:` of a key that has no `?`.
const SIMPLE_KEY_REACH: i32 = 1024;
/// go-yaml's own bounds on nesting; ours ([`crate::Limits::depth`]) are lower by default.
const MAX_NESTING: usize = 10_000;

pub(crate) struct Scanner<'a> {
    pub(crate) text: &'a str,
    pub(crate) bytes: &'a [u8],
    /// Offset of the next character in bytes.
    pub(crate) pos: usize,
    pub(crate) mark: Mark,
    /// Line breaks since the last character that is neither blank nor a break.
    pub(crate) newlines: i32,
    /// Whether comments are kept; it also makes the scanner look two tokens ahead.
    keep_comments: bool,
    pub(crate) tokens: VecDeque<Token<'a>>,
    tokens_parsed: usize,
    token_available: bool,
    stream_start_produced: bool,
    pub(crate) comments: VecDeque<Comment>,
    pub(crate) indent: i32,
    indents: Vec<i32>,
    pub(crate) simple_key_allowed: bool,
    simple_keys: Vec<SimpleKey>,
    /// Which token numbers may be keys, in order, with their place in `simple_keys`.
    keys_by_token: VecDeque<(usize, usize)>,
    pub(crate) flow_level: usize,
}

impl<'a> Scanner<'a> {
    pub(crate) fn new(text: &'a str, dialect: Dialect) -> Self {
        Self {
            text,
            bytes: text.as_bytes(),
            pos: 0,
            mark: Mark::default(),
            newlines: 0,
            keep_comments: dialect == Dialect::V3,
            tokens: VecDeque::with_capacity(16),
            tokens_parsed: 0,
            token_available: false,
            stream_start_produced: false,
            comments: VecDeque::new(),
            indent: -1,
            indents: Vec::new(),
            simple_key_allowed: true,
            simple_keys: Vec::new(),
            keys_by_token: VecDeque::new(),
            flow_level: 0,
        }
    }

    /// The byte `ahead` bytes from here; 0 past the end.
    #[inline]
    pub(crate) fn at(&self, ahead: usize) -> u8 {
        self.bytes.get(self.pos + ahead).copied().unwrap_or(0)
    }

    #[inline]
    pub(crate) fn is_break(&self, ahead: usize) -> bool {
        match self.at(ahead) {
            b'\r' | b'\n' => true,
            0xC2 => self.at(ahead + 1) == 0x85,
            0xE2 => self.at(ahead + 1) == 0x80 && matches!(self.at(ahead + 2), 0xA8 | 0xA9),
            _ => false,
        }
    }

    #[inline]
    pub(crate) fn is_blank(&self, ahead: usize) -> bool {
        matches!(self.at(ahead), b' ' | b'\t')
    }

    #[inline]
    pub(crate) fn is_breakz(&self, ahead: usize) -> bool {
        self.at(ahead) == 0 || self.is_break(ahead)
    }

    #[inline]
    pub(crate) fn is_blankz(&self, ahead: usize) -> bool {
        self.is_blank(ahead) || self.is_breakz(ahead)
    }

    /// Letters, digits, `_` and `-`.
    pub(crate) fn is_alpha(&self) -> bool {
        self.at(0).is_ascii_alphanumeric() || matches!(self.at(0), b'_' | b'-')
    }

    /// Whether `---` or `...` stands here, at the start of a line.
    pub(crate) fn at_document_indicator(&self) -> bool {
        self.mark.column == 0
            && matches!(
                (self.at(0), self.at(1), self.at(2)),
                (b'-', b'-', b'-') | (b'.', b'.', b'.')
            )
            && self.is_blankz(3)
    }

    /// Steps over one character that is not a line break.
    #[inline]
    pub(crate) fn skip(&mut self) {
        if !self.is_blank(0) {
            self.newlines = 0;
        }
        self.pos += width(self.at(0));
        self.mark.index += 1;
        self.mark.column += 1;
    }

    /// Steps over a line break, if one stands here.
    pub(crate) fn skip_line(&mut self) {
        let (bytes, chars) = match (self.at(0), self.at(1)) {
            (b'\r', b'\n') => (2, 2),
            (first, _) if self.is_break(0) => (width(first), 1),
            _ => return,
        };
        self.pos += bytes;
        self.mark.index += chars;
        self.mark.column = 0;
        self.mark.line += 1;
        self.newlines += 1;
    }

    /// Steps over a line break and appends it to `out`, in its normal form.
    pub(crate) fn read_line(&mut self, out: &mut String) {
        if !self.is_break(0) {
            return;
        }
        match self.at(0) {
            0xE2 => out.push_str(&self.text[self.pos..self.pos + 3]),
            _ => out.push('\n'),
        }
        self.skip_line();
    }

    pub(crate) fn skip_blanks(&mut self) {
        while self.is_blank(0) {
            self.skip();
        }
    }

    /// Steps over characters to the end of the line.
    pub(crate) fn skip_to_break(&mut self) {
        while !self.is_breakz(0) {
            self.skip();
        }
    }

    pub(crate) fn error<T>(&self, context: Mark, text: impl Into<Cow<'static, str>>) -> Result<T> {
        let text = text.into();
        Err(Box::new(Problem {
            stage: Stage::Scanner,
            context,
            at: self.mark,
            text,
        }))
    }

    /// Whether the last token in the queue is of `kind`.
    fn last_is(&self, kind: TokenKind) -> bool {
        self.tokens.back().is_some_and(|token| token.kind == kind)
    }

    /// Makes sure that the first token of the queue is final.
    pub(crate) fn ensure_token(&mut self) -> Result<()> {
        if self.token_available {
            return Ok(());
        }
        // Comments need a look at two more tokens: a foot comment belongs to the token before it.
        let enough = if self.keep_comments { 3 } else { 1 };
        loop {
            if self.tokens.len() >= enough && !self.head_may_be_key()? {
                break;
            }
            if self.last_is(TokenKind::StreamEnd) && !self.tokens.is_empty() {
                break;
            }
            self.fetch_next_token()?;
        }
        self.token_available = true;
        Ok(())
    }

    /// Takes the first token off the queue.
    pub(crate) fn take(&mut self) -> Option<Token<'a>> {
        self.token_available = false;
        self.tokens_parsed += 1;
        self.tokens.pop_front()
    }

    fn head_may_be_key(&mut self) -> Result<bool> {
        while self
            .keys_by_token
            .front()
            .is_some_and(|key| key.0 < self.tokens_parsed)
        {
            self.keys_by_token.pop_front();
        }
        match self.keys_by_token.front() {
            Some(&(token, key)) if token == self.tokens_parsed => self.is_valid_key(key),
            _ => Ok(false),
        }
    }

    /// Whether the possible key may still be one: same line, not too far back.
    fn is_valid_key(&mut self, key: usize) -> Result<bool> {
        let Some(found) = self
            .simple_keys
            .get(key)
            .copied()
            .filter(|found| found.possible)
        else {
            return Ok(false);
        };
        if found.mark.line < self.mark.line || found.mark.index + SIMPLE_KEY_REACH < self.mark.index
        {
            if found.required {
                return self.error(found.mark, "could not find expected ':'");
            }
            self.simple_keys[key].possible = false;
            return Ok(false);
        }
        Ok(true)
    }

    fn forget_key(&mut self, token_number: usize) {
        if let Ok(at) = self
            .keys_by_token
            .binary_search_by_key(&token_number, |key| key.0)
        {
            self.keys_by_token.remove(at);
        }
    }

    fn next_token_number(&self) -> usize {
        self.tokens_parsed + self.tokens.len()
    }

    /// Notes that a key may start here.
    pub(crate) fn save_simple_key(&mut self) -> Result<()> {
        let required = self.flow_level == 0 && self.indent == self.mark.column;
        if !self.simple_key_allowed {
            return Ok(());
        }
        self.remove_simple_key()?;
        let token_number = self.next_token_number();
        let key = SimpleKey {
            possible: true,
            required,
            token_number,
            mark: self.mark,
        };
        let level = self.simple_keys.len() - 1;
        self.simple_keys[level] = key;
        self.forget_key(token_number);
        self.keys_by_token.push_back((token_number, level));
        Ok(())
    }

    /// Gives up the possible key of this flow level.
    pub(crate) fn remove_simple_key(&mut self) -> Result<()> {
        let Some(key) = self.simple_keys.last_mut() else {
            return Ok(());
        };
        if !key.possible {
            return Ok(());
        }
        let found = *key;
        if found.required {
            return self.error(found.mark, "could not find expected ':'");
        }
        key.possible = false;
        self.forget_key(found.token_number);
        Ok(())
    }

    pub(crate) fn increase_flow_level(&mut self) -> Result<()> {
        let token_number = self.next_token_number();
        let key = SimpleKey {
            token_number,
            mark: self.mark,
            ..SimpleKey::default()
        };
        self.simple_keys.push(key);
        self.flow_level += 1;
        if self.flow_level > MAX_NESTING {
            return self.error(self.mark, "exceeded max depth of 10000");
        }
        Ok(())
    }

    pub(crate) fn decrease_flow_level(&mut self) {
        if self.flow_level > 0 {
            self.flow_level -= 1;
            if let Some(key) = self.simple_keys.pop() {
                self.forget_key(key.token_number);
            }
        }
    }

    /// Opens a block collection if the column is right of the current indentation. `number` is
    /// the token before which the start goes; without it, it goes to the end.
    pub(crate) fn roll_indent(
        &mut self,
        column: i32,
        number: Option<usize>,
        kind: TokenKind,
        mark: Mark,
    ) -> Result<()> {
        if self.flow_level > 0 || self.indent >= column {
            return Ok(());
        }
        self.indents.push(self.indent);
        self.indent = column;
        if self.indents.len() > MAX_NESTING {
            let context = self.simple_keys.last().map_or(self.mark, |key| key.mark);
            return self.error(context, "exceeded max depth of 10000");
        }
        self.insert(number, Token::new(kind, mark, mark));
        Ok(())
    }

    /// Puts a token before the one with `number`; at the end where that one is gone.
    fn insert(&mut self, number: Option<usize>, token: Token<'a>) {
        match number.and_then(|number| number.checked_sub(self.tokens_parsed)) {
            Some(at) if at < self.tokens.len() => self.tokens.insert(at, token),
            _ => self.tokens.push_back(token),
        }
    }

    /// Closes the block collections that the column is left of.
    fn unroll_indent(&mut self, column: i32, scan_mark: Mark) {
        if self.flow_level > 0 {
            return;
        }
        let mut block_mark = Mark {
            index: scan_mark.index - 1,
            ..scan_mark
        };
        while self.indent > column {
            // The end goes before comments that follow at the indentation that ends here: those
            // are foot comments of the parent.
            let mut stop = block_mark.index;
            for comment in self.comments.iter().rev() {
                if comment.end_mark.index < stop {
                    break;
                }
                if comment.start_mark.column == self.indent + 1 {
                    block_mark = comment.start_mark;
                }
                stop = comment.scan_mark.index;
            }
            self.tokens
                .push_back(Token::new(TokenKind::BlockEnd, block_mark, block_mark));
            self.indent = self.indents.pop().unwrap_or(-1);
        }
    }

    fn fetch_next_token(&mut self) -> Result<()> {
        if !self.stream_start_produced {
            self.stream_start_produced = true;
            self.simple_keys.push(SimpleKey::default());
            self.tokens
                .push_back(Token::new(TokenKind::StreamStart, self.mark, self.mark));
            return Ok(());
        }
        let scan_mark = self.mark;
        self.scan_to_next_token()?;
        self.unroll_indent(self.mark.column, scan_mark);
        if self.at(0) == 0 {
            return self.fetch_stream_end();
        }
        if self.mark.column == 0 && self.at(0) == b'%' {
            return self.fetch_directive();
        }
        if self.at_document_indicator() {
            return self.fetch_document_indicator();
        }
        let mut comment_mark = self.mark;
        let joins = if self.flow_level == 0 { b':' } else { b',' };
        if self.at(0) == joins
            && let Some(last) = self.tokens.back()
        {
            comment_mark = last.start;
        }
        self.fetch_content_token()?;
        // A lone `-` has no line comment; what follows it gets a head comment.
        if self.keep_comments && !self.last_is(TokenKind::BlockEntry) {
            self.scan_line_comment(comment_mark);
        }
        Ok(())
    }

    fn fetch_content_token(&mut self) -> Result<()> {
        let flow = self.flow_level > 0;
        match self.at(0) {
            b'[' => self.fetch_flow_start(TokenKind::FlowSequenceStart),
            b'{' => self.fetch_flow_start(TokenKind::FlowMappingStart),
            b']' => self.fetch_flow_end(TokenKind::FlowSequenceEnd),
            b'}' => self.fetch_flow_end(TokenKind::FlowMappingEnd),
            b',' => self.fetch_flow_entry(),
            b'-' if self.is_blankz(1) => self.fetch_block_entry(),
            b'?' if flow || self.is_blankz(1) => self.fetch_key(),
            b':' if flow || self.is_blankz(1) => self.fetch_value(),
            b'*' => self.fetch_anchor(TokenKind::Alias),
            b'&' => self.fetch_anchor(TokenKind::Anchor),
            b'!' => self.fetch_tag(),
            b'|' if !flow => self.fetch_block_scalar(true),
            b'>' if !flow => self.fetch_block_scalar(false),
            b'\'' => self.fetch_flow_scalar(true),
            b'"' => self.fetch_flow_scalar(false),
            // A `-` with a break behind it was an entry; `?` and `:` with a blank were indicators.
            b'\t' | b'#' | b'|' | b'>' | b'%' | b'@' | b'`' => {
                self.error(self.mark, "found character that cannot start any token")
            }
            _ => self.fetch_plain_scalar(),
        }
    }

    fn push(&mut self, kind: TokenKind, chars: usize) {
        let start = self.mark;
        for _ in 0..chars {
            self.skip();
        }
        self.tokens.push_back(Token::new(kind, start, self.mark));
    }

    fn fetch_stream_end(&mut self) -> Result<()> {
        if self.mark.column != 0 {
            self.mark.column = 0;
            self.mark.line += 1;
        }
        self.unroll_indent(-1, self.mark);
        self.remove_simple_key()?;
        self.simple_key_allowed = false;
        self.push(TokenKind::StreamEnd, 0);
        Ok(())
    }

    fn fetch_directive(&mut self) -> Result<()> {
        self.unroll_indent(-1, self.mark);
        self.remove_simple_key()?;
        self.simple_key_allowed = false;
        let token = self.scan_directive()?;
        self.tokens.push_back(token);
        Ok(())
    }

    fn fetch_document_indicator(&mut self) -> Result<()> {
        self.unroll_indent(-1, self.mark);
        self.remove_simple_key()?;
        self.simple_key_allowed = false;
        let start = self.at(0) == b'-';
        self.push(
            if start {
                TokenKind::DocumentStart
            } else {
                TokenKind::DocumentEnd
            },
            3,
        );
        Ok(())
    }

    fn fetch_flow_start(&mut self, kind: TokenKind) -> Result<()> {
        self.save_simple_key()?;
        self.increase_flow_level()?;
        self.simple_key_allowed = true;
        self.push(kind, 1);
        Ok(())
    }

    fn fetch_flow_end(&mut self, kind: TokenKind) -> Result<()> {
        self.remove_simple_key()?;
        self.decrease_flow_level();
        self.simple_key_allowed = false;
        self.push(kind, 1);
        Ok(())
    }

    fn fetch_flow_entry(&mut self) -> Result<()> {
        self.remove_simple_key()?;
        self.simple_key_allowed = true;
        self.push(TokenKind::FlowEntry, 1);
        Ok(())
    }

    fn fetch_block_entry(&mut self) -> Result<()> {
        if self.flow_level == 0 {
            if !self.simple_key_allowed {
                let text = "block sequence entries are not allowed in this context";
                return self.error(self.mark, text);
            }
            let (column, kind) = (self.mark.column, TokenKind::BlockSequenceStart);
            self.roll_indent(column, None, kind, self.mark)?;
        }
        self.remove_simple_key()?;
        self.simple_key_allowed = true;
        self.push(TokenKind::BlockEntry, 1);
        Ok(())
    }

    fn fetch_key(&mut self) -> Result<()> {
        if self.flow_level == 0 {
            if !self.simple_key_allowed {
                return self.error(self.mark, "mapping keys are not allowed in this context");
            }
            let (column, kind) = (self.mark.column, TokenKind::BlockMappingStart);
            self.roll_indent(column, None, kind, self.mark)?;
        }
        self.remove_simple_key()?;
        self.simple_key_allowed = self.flow_level == 0;
        self.push(TokenKind::Key, 1);
        Ok(())
    }

    fn fetch_value(&mut self) -> Result<()> {
        let level = self.simple_keys.len() - 1;
        if self.is_valid_key(level)? {
            let SimpleKey {
                token_number, mark, ..
            } = self.simple_keys[level];
            self.insert(Some(token_number), Token::new(TokenKind::Key, mark, mark));
            let kind = TokenKind::BlockMappingStart;
            self.roll_indent(mark.column, Some(token_number), kind, mark)?;
            self.simple_keys[level].possible = false;
            self.forget_key(token_number);
            self.simple_key_allowed = false;
        } else {
            if self.flow_level == 0 {
                if !self.simple_key_allowed {
                    return self.error(self.mark, "mapping values are not allowed in this context");
                }
                let (column, kind) = (self.mark.column, TokenKind::BlockMappingStart);
                self.roll_indent(column, None, kind, self.mark)?;
            }
            self.simple_key_allowed = self.flow_level == 0;
        }
        self.push(TokenKind::Value, 1);
        Ok(())
    }

    fn fetch_anchor(&mut self, kind: TokenKind) -> Result<()> {
        self.save_simple_key()?;
        self.simple_key_allowed = false;
        let token = self.scan_anchor(kind)?;
        self.tokens.push_back(token);
        Ok(())
    }

    fn fetch_tag(&mut self) -> Result<()> {
        self.save_simple_key()?;
        self.simple_key_allowed = false;
        let token = self.scan_tag()?;
        self.tokens.push_back(token);
        Ok(())
    }

    fn fetch_block_scalar(&mut self, literal: bool) -> Result<()> {
        self.remove_simple_key()?;
        self.simple_key_allowed = true;
        let token = self.scan_block_scalar(literal)?;
        self.tokens.push_back(token);
        Ok(())
    }

    fn fetch_flow_scalar(&mut self, single: bool) -> Result<()> {
        self.save_simple_key()?;
        self.simple_key_allowed = false;
        let token = self.scan_flow_scalar(single)?;
        self.tokens.push_back(token);
        Ok(())
    }

    fn fetch_plain_scalar(&mut self) -> Result<()> {
        self.save_simple_key()?;
        self.simple_key_allowed = false;
        let token = self.scan_plain_scalar()?;
        self.tokens.push_back(token);
        Ok(())
    }

    /// Whether comments are kept.
    pub(crate) fn keeps_comments(&self) -> bool {
        self.keep_comments
    }
}

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
