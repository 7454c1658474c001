//! From a text to tokens.

use std::sync::Arc;

use super::ast::Literal;

/// A token, and the character at which it begins.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Token {
    pub(super) at: usize,
    pub(super) kind: Kind,
}

/// What it is.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Kind {
    Ident(String),
    Literal(Literal),
    /// An operator or a bracket.
    Sign(&'static str),
    End,
}

/// Signs, the longer ones first.
const SIGNS: [&str; 28] = [
    "&&", "||", "==", "!=", "<=", ">=", ".?", "[?", "{", "}", "(", ")", "[", "]", ".", ",", ":",
    "?", "<", ">", "+", "-", "*", "/", "%", "!", "=", "`",
];

/// Words that are no names.
const RESERVED: [&str; 17] = [
    "as",
    "break",
    "const",
    "continue",
    "else",
    "for",
    "function",
    "if",
    "import",
    "let",
    "loop",
    "package",
    "namespace",
    "return",
    "var",
    "void",
    "while",
];

/// What is wrong, and at which character.
pub(super) type Wrong = (usize, String);

/// Takes a text apart.
pub(super) fn tokens(text: &str) -> Result<Vec<Token>, Wrong> {
    let chars: Vec<char> = text.chars().collect();
    let mut lexer = Lexer { chars, at: 0 };
    let mut found = Vec::new();
    loop {
        let token = lexer.next()?;
        let is_end = token.kind == Kind::End;
        found.push(token);
        if is_end {
            return Ok(found);
        }
    }
}

struct Lexer {
    chars: Vec<char>,
    at: usize,
}

impl Lexer {
    fn peek(&self, ahead: usize) -> Option<char> {
        self.chars.get(self.at + ahead).copied()
    }

    fn starts_with(&self, text: &str) -> bool {
        text.chars()
            .enumerate()
            .all(|(ahead, c)| self.peek(ahead) == Some(c))
    }

    fn skip_blank(&mut self) {
        loop {
            match self.peek(0) {
                Some(c) if c.is_whitespace() => self.at += 1,
                Some('/') if self.peek(1) == Some('/') => {
                    while self.peek(0).is_some_and(|c| c != '\n') {
                        self.at += 1;
                    }
                }
                _ => return,
            }
        }
    }

    fn next(&mut self) -> Result<Token, Wrong> {
        self.skip_blank();
        let at = self.at;
        let kind = match self.peek(0) {
            None => Kind::End,
            Some(c) if c.is_ascii_digit() => self.number()?,
            Some('.') if self.peek(1).is_some_and(|c| c.is_ascii_digit()) => self.number()?,
            Some(c) if c.is_ascii_alphabetic() || c == '_' => match self.text_prefix() {
                Some((is_raw, is_bytes)) => self.quoted(is_raw, is_bytes)?,
                None => self.word()?,
            },
            Some('"' | '\'') => self.quoted(false, false)?,
            Some('`') => self.escaped_word()?,
            Some(c) => {
                let sign = SIGNS.iter().find(|sign| self.starts_with(sign));
                let wrong = || (at, format!("token recognition error at: '{c}'"));
                let sign = sign.ok_or_else(wrong)?;
                self.at += sign.len();
                Kind::Sign(sign)
            }
        };
        Ok(Token { at, kind })
    }

    /// Tells whether the letters here stand before a quote: raw, and bytes.
    fn text_prefix(&self) -> Option<(bool, bool)> {
        let letters: Vec<char> = (0..2).map_while(|ahead| self.peek(ahead)).collect();
        let is_quote = |ahead: usize| matches!(self.peek(ahead), Some('"' | '\''));
        let kind = |c: char| match c.to_ascii_lowercase() {
            'r' => Some((true, false)),
            'b' => Some((false, true)),
            _ => None,
        };
        let first = kind(*letters.first()?)?;
        if is_quote(1) {
            return Some(first);
        }
        let second = kind(*letters.get(1)?)?;
        (first != second && is_quote(2)).then_some((true, true))
    }

    fn word(&mut self) -> Result<Kind, Wrong> {
        let at = self.at;
        while self
            .peek(0)
            .is_some_and(|c| c.is_ascii_alphanumeric() || c == '_')
        {
            self.at += 1;
        }
        let word: String = self.chars[at..self.at].iter().collect();
        Ok(match word.as_str() {
            "true" => Kind::Literal(Literal::Bool(true)),
            "false" => Kind::Literal(Literal::Bool(false)),
            "null" => Kind::Literal(Literal::Null),
            "in" => Kind::Sign("in"),
            word if RESERVED.contains(&word) => {
                return Err((at, format!("reserved identifier: {word}")));
            }
            _ => Kind::Ident(word),
        })
    }

    fn escaped_word(&mut self) -> Result<Kind, Wrong> {
        let at = self.at;
        self.at += 1;
        let allowed = |c: char| c.is_ascii_alphanumeric() || "_.-/ ".contains(c);
        while self.peek(0).is_some_and(allowed) {
            self.at += 1;
        }
        let word: String = self.chars[at + 1..self.at].iter().collect();
        match self.peek(0) {
            Some('`') if !word.is_empty() => {
                self.at += 1;
                Ok(Kind::Ident(word))
            }
            _ => Err((at, "token recognition error at: '`'".to_owned())),
        }
    }

    fn number(&mut self) -> Result<Kind, Wrong> {
        let at = self.at;
        if self.peek(0) == Some('0') && matches!(self.peek(1), Some('x' | 'X')) {
            self.at += 2;
            let digits = self.digits(|c| c.is_ascii_hexdigit());
            return self.integer(at, &digits, 16);
        }
        let whole = self.digits(|c| c.is_ascii_digit());
        let mut text = whole.clone();
        let is_digit = |c: Option<char>| c.is_some_and(|c| c.is_ascii_digit());
        if self.peek(0) == Some('.') && is_digit(self.peek(1)) {
            self.at += 1;
            text = format!("{text}.{}", self.digits(|c| c.is_ascii_digit()));
        }
        if matches!(self.peek(0), Some('e' | 'E')) {
            let sign = usize::from(matches!(self.peek(1), Some('+' | '-')));
            if is_digit(self.peek(1 + sign)) {
                let exponent: String = self.chars[self.at..=self.at + sign].iter().collect();
                self.at += 1 + sign;
                text = format!("{text}{exponent}{}", self.digits(|c| c.is_ascii_digit()));
            }
        }
        if text == whole {
            return self.integer(at, &whole, 10);
        }
        let text = format!("0{text}");
        let value = text
            .parse()
            .map_err(|_| (at, "invalid double literal".to_owned()))?;
        Ok(Kind::Literal(Literal::Double(value)))
    }

    fn digits(&mut self, is_one: impl Fn(char) -> bool) -> String {
        let at = self.at;
        while self.peek(0).is_some_and(&is_one) {
            self.at += 1;
        }
        self.chars[at..self.at].iter().collect()
    }

    /// The smallest integer is a minus before one that is too large: it is read as that one.
    fn integer(&mut self, at: usize, digits: &str, radix: u32) -> Result<Kind, Wrong> {
        if matches!(self.peek(0), Some('u' | 'U')) {
            self.at += 1;
            let value = u64::from_str_radix(digits, radix);
            let value = value.map_err(|_| (at, "invalid uint literal".to_owned()))?;
            return Ok(Kind::Literal(Literal::Uint(value)));
        }
        let wrong = |_| (at, "invalid int literal".to_owned());
        let value = u64::from_str_radix(digits, radix).map_err(wrong)?;
        match i64::try_from(value) {
            Ok(value) => Ok(Kind::Literal(Literal::Int(value))),
            Err(_) if value == i64::MIN.unsigned_abs() => Ok(Kind::Literal(Literal::Int(i64::MIN))),
            Err(_) => Err((at, "invalid int literal".to_owned())),
        }
    }

    fn quoted(&mut self, is_raw: bool, is_bytes: bool) -> Result<Kind, Wrong> {
        let start = self.at;
        while !matches!(self.peek(0), Some('"' | '\'')) {
            self.at += 1;
        }
        let quote = self.peek(0).unwrap_or_default();
        let is_long = self.peek(1) == Some(quote) && self.peek(2) == Some(quote);
        let end: String = std::iter::repeat_n(quote, if is_long { 3 } else { 1 }).collect();
        self.at += end.len();
        let mut bytes: Vec<u8> = Vec::new();
        loop {
            if self.starts_with(&end) {
                self.at += end.len();
                break;
            }
            let open = || (start, "unterminated string".to_owned());
            let c = self.peek(0).ok_or_else(open)?;
            if c == '\n' && !is_long {
                return Err(open());
            }
            self.at += 1;
            match c {
                '\\' if !is_raw => self.escape(is_bytes, &mut bytes)?,
                c => bytes.extend(c.encode_utf8(&mut [0; 4]).as_bytes()),
            }
        }
        if is_bytes {
            return Ok(Kind::Literal(Literal::Bytes(Arc::from(bytes))));
        }
        let text = String::from_utf8(bytes).map_err(|_| (start, "invalid string".to_owned()))?;
        Ok(Kind::Literal(Literal::Text(Arc::from(text))))
    }

    fn escape(&mut self, is_bytes: bool, bytes: &mut Vec<u8>) -> Result<(), Wrong> {
        let at = self.at;
        let wrong = || (at, "invalid escape sequence".to_owned());
        let c = self.peek(0).ok_or_else(wrong)?;
        self.at += 1;
        let simple = match c {
            'a' => Some(7),
            'b' => Some(8),
            'f' => Some(12),
            'n' => Some(b'\n'),
            'r' => Some(b'\r'),
            't' => Some(b'\t'),
            'v' => Some(11),
            '\\' | '\'' | '"' | '`' | '?' => u8::try_from(c).ok(),
            _ => None,
        };
        if let Some(byte) = simple {
            bytes.push(byte);
            return Ok(());
        }
        let (count, radix) = match c {
            'x' | 'X' => (2, 16),
            'u' => (4, 16),
            'U' => (8, 16),
            '0'..='3' => {
                self.at -= 1;
                (3, 8)
            }
            _ => return Err(wrong()),
        };
        let digits: String = (0..count).filter_map(|ahead| self.peek(ahead)).collect();
        let code = u32::from_str_radix(&digits, radix).map_err(|_| wrong())?;
        if digits.len() != count {
            return Err(wrong());
        }
        self.at += count;
        match u8::try_from(code) {
            Ok(byte) if is_bytes && count < 4 => bytes.push(byte),
            _ if is_bytes => return Err(wrong()),
            _ => {
                let c = char::from_u32(code).ok_or_else(wrong)?;
                bytes.extend(c.encode_utf8(&mut [0; 4]).as_bytes());
            }
        }
        Ok(())
    }
}
