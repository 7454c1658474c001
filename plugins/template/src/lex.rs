//! Splits a template into tokens, as Go 1.26's text/template does (parse/lex.go).
//!
//! Text between actions comes out with its trim markers already applied. The lexer is asked for one
//! token at a time and never looks back.

use std::borrow::Cow;

/// What a token is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A mistake; the token's text says which.
    Error,
    Bool,
    /// A printable ASCII character without a meaning of its own, such as a comma.
    Char,
    CharConstant,
    Complex,
    Assign,
    Declare,
    Eof,
    Field,
    Identifier,
    LeftDelim,
    LeftParen,
    Number,
    Pipe,
    RawString,
    RightDelim,
    RightParen,
    Space,
    String,
    Text,
    Variable,
    // Keywords, in Go's order: everything from here on prints as `<word>`.
    Block,
    Break,
    Continue,
    Dot,
    Define,
    Else,
    End,
    If,
    Nil,
    Range,
    Template,
    With,
}

impl Kind {
    fn keyword(word: &str) -> Option<Self> {
        Some(match word {
            "block" => Self::Block,
            "break" => Self::Break,
            "continue" => Self::Continue,
            "define" => Self::Define,
            "else" => Self::Else,
            "end" => Self::End,
            "if" => Self::If,
            "nil" => Self::Nil,
            "range" => Self::Range,
            "template" => Self::Template,
            "with" => Self::With,
            _ => return None,
        })
    }

    fn is_keyword(self) -> bool {
        self as u8 >= Self::Block as u8
    }
}

/// One token.
#[derive(Clone, Debug)]
pub(crate) struct Token<'a> {
    pub kind: Kind,
    /// Byte offset of its start.
    pub at: usize,
    pub text: Cow<'a, str>,
    /// Line of its start, counted from 1.
    pub line: usize,
}

impl Token<'_> {
    /// Writes the token as Go's messages do.
    pub(crate) fn describe(&self) -> String {
        match self.kind {
            Kind::Eof => "EOF".to_owned(),
            Kind::Error => self.text.to_string(),
            kind if kind.is_keyword() => format!("<{}>", self.text),
            _ if self.text.len() > 10 => {
                let start: String = self.text.chars().take(10).collect();
                format!("{}...", crate::quote::quote(&start))
            }
            _ => crate::quote::quote(&self.text),
        }
    }
}

const LEFT: &str = "{{";
const RIGHT: &str = "}}";

fn is_space(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\r' | '\n')
}

fn is_alphanumeric(c: char) -> bool {
    if c.is_ascii() {
        return c == '_' || c.is_ascii_alphanumeric();
    }
    c.is_alphabetic() || c.is_numeric()
}

/// Reads tokens from a text.
pub(crate) struct Lexer<'a> {
    input: &'a str,
    at: usize,
    start: usize,
    line: usize,
    start_line: usize,
    parens: usize,
    inside: bool,
    failed: bool,
}

impl<'a> Lexer<'a> {
    pub(crate) fn new(input: &'a str) -> Self {
        Self {
            input,
            at: 0,
            start: 0,
            line: 1,
            start_line: 1,
            parens: 0,
            inside: false,
            failed: false,
        }
    }

    /// Returns the next token; after the end, and after a mistake, always the end.
    pub(crate) fn next(&mut self) -> Token<'a> {
        if self.failed {
            return self.token(Kind::Eof);
        }
        if self.inside {
            self.inside_action()
        } else {
            self.text()
        }
    }

    fn rest(&self) -> &'a str {
        &self.input[self.at..]
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn bump(&mut self) -> Option<char> {
        let c = self.peek()?;
        self.at += c.len_utf8();
        if c == '\n' {
            self.line += 1;
        }
        Some(c)
    }

    fn token(&mut self, kind: Kind) -> Token<'a> {
        let token = Token {
            kind,
            at: self.start,
            text: Cow::Borrowed(&self.input[self.start..self.at]),
            line: self.start_line,
        };
        self.start = self.at;
        self.start_line = self.line;
        token
    }

    fn error(&mut self, message: impl Into<String>) -> Token<'a> {
        self.failed = true;
        let token = Token {
            kind: Kind::Error,
            at: self.start,
            text: Cow::Owned(message.into()),
            line: self.start_line,
        };
        self.at = self.input.len();
        self.start = self.at;
        token
    }

    /// Moves over `bytes` that belong to no token.
    fn skip(&mut self, bytes: usize) {
        self.line += newlines(&self.input[self.at..self.at + bytes]);
        self.at += bytes;
        self.start = self.at;
        self.start_line = self.line;
    }

    fn text(&mut self) -> Token<'a> {
        loop {
            let Some(offset) = self.rest().find(LEFT) else {
                self.line += newlines(self.rest());
                self.at = self.input.len();
                let kind = if self.at > self.start {
                    Kind::Text
                } else {
                    Kind::Eof
                };
                return self.token(kind);
            };
            if offset > 0 {
                let whole = &self.rest()[..offset];
                let after = &self.rest()[offset + LEFT.len()..];
                let kept = if has_left_trim(after) {
                    whole.trim_end_matches(is_space)
                } else {
                    whole
                };
                let trimmed = whole.len() - kept.len();
                self.line += newlines(kept);
                self.at += kept.len();
                let token = self.token(Kind::Text);
                self.skip(trimmed);
                if !token.text.is_empty() {
                    return token;
                }
            }
            let marker = if has_left_trim(&self.rest()[LEFT.len()..]) {
                2
            } else {
                0
            };
            if !self.rest()[LEFT.len() + marker..].starts_with("/*") {
                self.at += LEFT.len();
                let token = self.token(Kind::LeftDelim);
                self.skip(marker);
                self.inside = true;
                self.parens = 0;
                return token;
            }
            self.skip(LEFT.len() + marker);
            if let Err(message) = self.comment() {
                return self.error(message);
            }
        }
    }

    fn comment(&mut self) -> Result<(), &'static str> {
        let end = self.rest()[2..].find("*/").ok_or("unclosed comment")? + 4;
        let after = &self.rest()[end..];
        let trim = has_right_trim(after) && after[2..].starts_with(RIGHT);
        if !trim && !after.starts_with(RIGHT) {
            // As in Go, the position is that of the text after the comment.
            return Err("comment ends before closing delimiter");
        }
        self.skip(end);
        self.skip(if trim { 2 + RIGHT.len() } else { RIGHT.len() });
        if trim {
            self.skip(self.rest().len() - self.rest().trim_start_matches(is_space).len());
        }
        Ok(())
    }

    /// Tells whether an action ends here, and whether it trims.
    fn right_delim(&self) -> Option<bool> {
        let rest = self.rest();
        if has_right_trim(rest) && rest[2..].starts_with(RIGHT) {
            return Some(true);
        }
        rest.starts_with(RIGHT).then_some(false)
    }

    fn close(&mut self, trim: bool) -> Token<'a> {
        if trim {
            self.skip(2);
        }
        self.at += RIGHT.len();
        let token = self.token(Kind::RightDelim);
        if trim {
            self.skip(self.rest().len() - self.rest().trim_start_matches(is_space).len());
        }
        self.inside = false;
        token
    }

    fn inside_action(&mut self) -> Token<'a> {
        if let Some(trim) = self.right_delim() {
            if self.parens == 0 {
                return self.close(trim);
            }
            return self.error("unclosed left paren");
        }
        let Some(c) = self.bump() else {
            return self.error("unclosed action");
        };
        match c {
            c if is_space(c) => self.space(),
            '=' => self.token(Kind::Assign),
            ':' => {
                if self.bump() == Some('=') {
                    self.token(Kind::Declare)
                } else {
                    self.error("expected :=")
                }
            }
            '|' => self.token(Kind::Pipe),
            '"' => self.quoted('"', Kind::String, "unterminated quoted string"),
            '\'' => self.quoted('\'', Kind::CharConstant, "unterminated character constant"),
            '`' => self.raw_string(),
            '$' => self.field_or_variable(Kind::Variable),
            '.' if !self.rest().starts_with(|d: char| d.is_ascii_digit())
                && !self.rest().is_empty() =>
            {
                self.field_or_variable(Kind::Field)
            }
            '.' | '+' | '-' | '0'..='9' => {
                self.at -= 1;
                self.number()
            }
            c if is_alphanumeric(c) => self.identifier(),
            '(' => {
                self.parens += 1;
                self.token(Kind::LeftParen)
            }
            ')' if self.parens == 0 => self.error("unexpected right paren"),
            ')' => {
                self.parens -= 1;
                self.token(Kind::RightParen)
            }
            c if c.is_ascii_graphic() => self.token(Kind::Char),
            c => self.error(format!(
                "unrecognized character in action: {}",
                crate::quote::code_point(Some(c))
            )),
        }
    }

    fn space(&mut self) -> Token<'a> {
        let mut count = 1;
        while self.peek().is_some_and(is_space) {
            self.bump();
            count += 1;
        }
        // The last space may belong to a trimming delimiter.
        let last = &self.input[self.at - 1..];
        if has_right_trim(last) && last[2..].starts_with(RIGHT) {
            self.at -= 1;
            if self.input[self.at..].starts_with('\n') {
                self.line -= 1;
            }
            if count == 1 {
                if self.parens > 0 {
                    return self.error("unclosed left paren");
                }
                return self.close(true);
            }
        }
        self.token(Kind::Space)
    }

    fn identifier(&mut self) -> Token<'a> {
        while self.peek().is_some_and(is_alphanumeric) {
            self.bump();
        }
        if !self.at_terminator() {
            return self.bad_character();
        }
        let word = &self.input[self.start..self.at];
        let kind = match word {
            "true" | "false" => Kind::Bool,
            _ => Kind::keyword(word).unwrap_or(Kind::Identifier),
        };
        self.token(kind)
    }

    fn field_or_variable(&mut self, kind: Kind) -> Token<'a> {
        if self.at_terminator() {
            return self.token(if kind == Kind::Variable {
                kind
            } else {
                Kind::Dot
            });
        }
        while self.peek().is_some_and(is_alphanumeric) {
            self.bump();
        }
        if self.at_terminator() {
            self.token(kind)
        } else {
            self.bad_character()
        }
    }

    fn bad_character(&mut self) -> Token<'a> {
        let c = crate::quote::code_point(self.peek());
        self.error(format!("bad character {c}"))
    }

    /// Tells whether a word may end here: `$x+2` is not two operands.
    fn at_terminator(&self) -> bool {
        match self.peek() {
            None | Some('.' | ',' | '|' | ':' | ')' | '(') => true,
            Some(c) => is_space(c) || self.rest().starts_with(RIGHT),
        }
    }

    fn quoted(&mut self, end: char, kind: Kind, unterminated: &str) -> Token<'a> {
        loop {
            match self.bump() {
                Some('\\') => {
                    if matches!(self.bump(), None | Some('\n')) {
                        return self.error(unterminated);
                    }
                }
                None | Some('\n') => return self.error(unterminated),
                Some(c) if c == end => return self.token(kind),
                Some(_) => {}
            }
        }
    }

    fn raw_string(&mut self) -> Token<'a> {
        loop {
            match self.bump() {
                None => return self.error("unterminated raw quoted string"),
                Some('`') => return self.token(Kind::RawString),
                Some(_) => {}
            }
        }
    }

    fn number(&mut self) -> Token<'a> {
        let mut good = self.scan_number();
        let complex = good && matches!(self.peek(), Some('+' | '-'));
        if complex {
            good = self.scan_number() && self.input[..self.at].ends_with('i');
        }
        if !good {
            let text = crate::quote::quote(&self.input[self.start..self.at]);
            return self.error(format!("bad number syntax: {text}"));
        }
        self.token(if complex { Kind::Complex } else { Kind::Number })
    }

    /// Takes what may be a number; the parser decides. Go's quirks included: `089`, `0x0.2`.
    fn scan_number(&mut self) -> bool {
        self.accept("+-");
        let mut digits = "0123456789_";
        if self.accept("0") {
            if self.accept("xX") {
                digits = "0123456789abcdefABCDEF_";
            } else if self.accept("oO") {
                digits = "01234567_";
            } else if self.accept("bB") {
                digits = "01_";
            }
        }
        self.accept_run(digits);
        if self.accept(".") {
            self.accept_run(digits);
        }
        let exponent = match digits.len() {
            11 => "eE",
            23 => "pP",
            _ => "",
        };
        if self.accept(exponent) {
            self.accept("+-");
            self.accept_run("0123456789_");
        }
        self.accept("i");
        if self.peek().is_some_and(is_alphanumeric) {
            self.bump();
            return false;
        }
        true
    }

    fn accept(&mut self, set: &str) -> bool {
        let found = self.peek().is_some_and(|c| set.contains(c));
        if found {
            self.bump();
        }
        found
    }

    fn accept_run(&mut self, set: &str) {
        while self.accept(set) {}
    }
}

fn newlines(text: &str) -> usize {
    text.bytes().filter(|byte| *byte == b'\n').count()
}

fn has_left_trim(text: &str) -> bool {
    let mut chars = text.chars();
    chars.next() == Some('-') && chars.next().is_some_and(is_space)
}

fn has_right_trim(text: &str) -> bool {
    let mut chars = text.chars();
    chars.next().is_some_and(is_space) && chars.next() == Some('-')
}
