//! Text to tokens, as libyaml's scanner does with go-yaml's comment handling. In: checked UTF-8.
//! Out: tokens in order, and comments with the place they belong to. Split by question: this file
//! has the queue, indentation and simple keys; `scan_*.rs` read one kind of token each.

use std::borrow::Cow;
use std::collections::VecDeque;

use crate::Dialect;
use crate::token::{Comment, Mark, Problem, Result, Stage, Token, TokenKind, width};

#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct SimpleKey {
    pub(crate) possible: bool,
    required: bool,
    pub(crate) token_number: usize,
    pub(crate) mark: Mark,
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
    pub(crate) stream_start_produced: bool,
    pub(crate) comments: VecDeque<Comment>,
    pub(crate) indent: i32,
    indents: Vec<i32>,
    pub(crate) simple_key_allowed: bool,
    pub(crate) simple_keys: Vec<SimpleKey>,
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
    pub(crate) fn last_is(&self, kind: TokenKind) -> bool {
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
            let ended = self.last_is(TokenKind::StreamEnd);
            if ended || self.tokens.len() >= enough {
                // Asked at the end too: a key without its `:` is an error.
                let open = self.head_may_be_key()?;
                if ended || !open {
                    break;
                }
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
    pub(crate) fn is_valid_key(&mut self, key: usize) -> Result<bool> {
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

    pub(crate) fn forget_key(&mut self, token_number: usize) {
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
    pub(crate) fn insert(&mut self, number: Option<usize>, token: Token<'a>) {
        match number.and_then(|number| number.checked_sub(self.tokens_parsed)) {
            Some(at) if at < self.tokens.len() => self.tokens.insert(at, token),
            _ => self.tokens.push_back(token),
        }
    }

    /// Closes the block collections that the column is left of.
    pub(crate) fn unroll_indent(&mut self, column: i32, scan_mark: Mark) {
        if self.flow_level > 0 {
            return;
        }
        let mut block_mark = match self.keep_comments {
            true => Mark {
                index: scan_mark.index - 1,
                ..scan_mark
            },
            false => self.mark,
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

    /// Whether comments are kept.
    pub(crate) fn keeps_comments(&self) -> bool {
        self.keep_comments
    }
}
