//! Directives, anchors and tags.

use std::borrow::Cow;

use crate::scanner::Scanner;
use crate::token::{Mark, Result, Token, TokenKind, width};

impl<'a> Scanner<'a> {
    /// Reads `%YAML 1.1` or `%TAG !x! prefix` with the rest of its line.
    pub(crate) fn scan_directive(&mut self) -> Result<Token<'a>> {
        let start = self.mark;
        self.skip();
        let name = self.read_alpha();
        if name.is_empty() {
            return self.error(start, "could not find expected directive name");
        }
        if !self.is_blankz(0) {
            return self.error(start, "found unexpected non-alphabetical character");
        }
        let mut token = match name {
            "YAML" => {
                self.skip_blanks();
                let major = self.scan_version_number(start)?;
                if self.at(0) != b'.' {
                    return self.error(start, "did not find expected digit or '.' character");
                }
                self.skip();
                let minor = self.scan_version_number(start)?;
                let mut token = Token::new(TokenKind::VersionDirective, start, self.mark);
                token.version = (major, minor);
                token
            }
            "TAG" => self.scan_tag_directive(start)?,
            _ => return self.error(start, "found unknown directive name"),
        };
        token.end = self.mark;
        self.skip_blanks();
        if self.at(0) == b'#' {
            self.skip_to_break();
        }
        if !self.is_breakz(0) {
            return self.error(start, "did not find expected comment or line break");
        }
        self.skip_line();
        Ok(token)
    }

    fn read_alpha(&mut self) -> &'a str {
        let from = self.pos;
        while self.is_alpha() {
            self.skip();
        }
        &self.text[from..self.pos]
    }

    fn scan_version_number(&mut self, start: Mark) -> Result<u8> {
        let mut length = 0;
        let mut value = 0;
        while self.at(0).is_ascii_digit() {
            length += 1;
            if length > 2 {
                return self.error(start, "found extremely long version number");
            }
            value = value * 10 + (self.at(0) - b'0');
            self.skip();
        }
        if length == 0 {
            return self.error(start, "did not find expected version number");
        }
        Ok(value)
    }

    fn scan_tag_directive(&mut self, start: Mark) -> Result<Token<'a>> {
        self.skip_blanks();
        let handle = self.scan_tag_handle(true, start)?;
        if !self.is_blank(0) {
            return self.error(start, "did not find expected whitespace");
        }
        self.skip_blanks();
        let prefix = self.scan_tag_uri("", start)?;
        if !self.is_blankz(0) {
            return self.error(start, "did not find expected whitespace or line break");
        }
        let mut token = Token::new(TokenKind::TagDirective, start, self.mark);
        token.value = Cow::Borrowed(handle);
        token.suffix = Some(prefix.into());
        Ok(token)
    }

    /// Reads `&name` or `*name`.
    pub(crate) fn scan_anchor(&mut self, kind: TokenKind) -> Result<Token<'a>> {
        let start = self.mark;
        self.skip();
        let name = self.read_alpha();
        let end = self.mark;
        let ends = self.is_blankz(0)
            || matches!(
                self.at(0),
                b'?' | b':' | b',' | b']' | b'}' | b'%' | b'@' | b'`'
            );
        if name.is_empty() || !ends {
            return self.error(
                start,
                "did not find expected alphabetic or numeric character",
            );
        }
        Ok(Token::new(kind, start, end).with_value(Cow::Borrowed(name)))
    }

    /// Reads `!<uri>`, `!suffix` or `!handle!suffix`.
    pub(crate) fn scan_tag(&mut self) -> Result<Token<'a>> {
        let start = self.mark;
        let (handle, suffix) = if self.at(1) == b'<' {
            self.skip();
            self.skip();
            let suffix = self.scan_tag_uri("", start)?;
            if self.at(0) != b'>' {
                return self.error(start, "did not find the expected '>'");
            }
            self.skip();
            ("", suffix)
        } else {
            let handle = self.scan_tag_handle(false, start)?;
            if handle.len() > 1 && handle.ends_with('!') {
                (handle, self.scan_tag_uri("", start)?)
            } else {
                let suffix = self.scan_tag_uri(handle, start)?;
                if suffix.is_empty() {
                    ("", "!".to_owned())
                } else {
                    ("!", suffix)
                }
            }
        };
        if !self.is_blankz(0) {
            return self.error(start, "did not find expected whitespace or line break");
        }
        let mut token = Token::new(TokenKind::Tag, start, self.mark);
        token.value = Cow::Borrowed(handle);
        token.suffix = Some(suffix.into());
        Ok(token)
    }

    fn scan_tag_handle(&mut self, directive: bool, start: Mark) -> Result<&'a str> {
        if self.at(0) != b'!' {
            return self.error(start, "did not find expected '!'");
        }
        let from = self.pos;
        self.skip();
        self.read_alpha();
        if self.at(0) == b'!' {
            self.skip();
        } else if directive && self.pos - from != 1 {
            return self.error(start, "did not find expected '!'");
        }
        Ok(&self.text[from..self.pos])
    }

    fn scan_tag_uri(&mut self, head: &str, start: Mark) -> Result<String> {
        let mut uri = head.strip_prefix('!').unwrap_or(head).to_owned();
        let mut found = !head.is_empty();
        while self.is_alpha() || b";/?:@&=+$,.!~*'()[]%".contains(&self.at(0)) {
            if self.at(0) == b'%' {
                self.scan_uri_escapes(start, &mut uri)?;
            } else {
                uri.push(char::from(self.at(0)));
                self.skip();
            }
            found = true;
        }
        if !found {
            return self.error(start, "did not find expected tag URI");
        }
        Ok(uri)
    }

    /// Reads the `%XX` of one character.
    fn scan_uri_escapes(&mut self, start: Mark, out: &mut String) -> Result<()> {
        let mut octets = Vec::with_capacity(4);
        let mut expected = 1;
        while octets.len() < expected {
            let digits = self.text.get(self.pos + 1..self.pos + 3);
            let octet = digits
                .filter(|text| self.at(0) == b'%' && text.bytes().all(|b| b.is_ascii_hexdigit()))
                .and_then(|text| u8::from_str_radix(text, 16).ok());
            let Some(octet) = octet else {
                return self.error(start, "did not find URI escaped octet");
            };
            if octets.is_empty() {
                if matches!(octet, 0x80..=0xBF | 0xF8..) {
                    return self.error(start, "found an incorrect leading UTF-8 octet");
                }
                expected = width(octet);
            } else if octet & 0xC0 != 0x80 {
                return self.error(start, "found an incorrect trailing UTF-8 octet");
            }
            octets.push(octet);
            (0..3).for_each(|_| self.skip());
        }
        out.push_str(&String::from_utf8_lossy(&octets));
        Ok(())
    }
}
