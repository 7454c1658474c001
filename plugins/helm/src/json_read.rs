//! Reads JSON as Go's encoding/json does into `interface{}`: numbers become floats, the last of equal
//! keys wins, and mistakes are told in Go's words.

use bulkhead_template::{Entries, Value, quote};

/// Deepest nesting that is read; Go's own is 10,000.
const MAX_DEPTH: usize = 1_000;

/// Reads one text as one value.
pub(crate) fn parse(text: &str) -> Result<Value, String> {
    let mut reader = Reader {
        text,
        at: 0,
        depth: 0,
    };
    reader.space();
    if reader.at == text.len() {
        return Err("unexpected end of JSON input".to_owned());
    }
    let value = reader.value()?;
    reader.space();
    match reader.peek() {
        None => Ok(value),
        Some(c) => Err(invalid(c, "after top-level value")),
    }
}

/// Reads the value that a text begins with; returns it and how many bytes it has.
pub(crate) fn parse_prefix(text: &str) -> Result<(Value, usize), String> {
    let mut reader = Reader {
        text,
        at: 0,
        depth: 0,
    };
    reader.space();
    if reader.at == text.len() {
        return Err("EOF".to_owned());
    }
    let value = reader.value()?;
    Ok((value, reader.at))
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
    depth: usize,
}

fn invalid(c: char, context: &str) -> String {
    let shown = match c {
        '\'' => "'\\''".to_owned(),
        '"' => "'\"'".to_owned(),
        c => {
            // Go names the first byte.
            let first = c.encode_utf8(&mut [0; 4]).as_bytes()[0];
            let quoted = quote::quote(&char::from(first).to_string());
            format!("'{}'", quoted.trim_matches('"'))
        }
    };
    format!("invalid character {shown} {context}")
}

const END: &str = "unexpected end of JSON input";

impl Reader<'_> {
    fn peek(&self) -> Option<char> {
        self.text[self.at..].chars().next()
    }

    fn space(&mut self) {
        let rest = &self.text[self.at..];
        let trimmed = rest.trim_start_matches([' ', '\t', '\r', '\n']);
        self.at += rest.len() - trimmed.len();
    }

    fn value(&mut self) -> Result<Value, String> {
        self.space();
        match self.peek() {
            None => Err(END.to_owned()),
            Some('{') => self.object(),
            Some('[') => self.array(),
            Some('"') => Ok(self.string()?.into()),
            Some('t') => self.word("true", Value::Bool(true)),
            Some('f') => self.word("false", Value::Bool(false)),
            Some('n') => self.word("null", Value::Nil),
            Some('-' | '0'..='9') => self.number(),
            Some(c) => Err(invalid(c, "looking for beginning of value")),
        }
    }

    fn word(&mut self, word: &str, value: Value) -> Result<Value, String> {
        for (index, want) in word.char_indices() {
            // At the end, Go looks at a space.
            match self.peek().unwrap_or(' ') {
                c if c == want => self.at += 1,
                c => {
                    let context =
                        format!("in literal {word} (expecting '{}')", &word[index..=index]);
                    return Err(invalid(c, &context));
                }
            }
        }
        Ok(value)
    }

    fn digits(&mut self) -> bool {
        let start = self.at;
        while self.peek().is_some_and(|c| c.is_ascii_digit()) {
            self.at += 1;
        }
        self.at > start
    }

    fn number(&mut self) -> Result<Value, String> {
        let start = self.at;
        let missing =
            |reader: &Self, context: &str| Err(invalid(reader.peek().unwrap_or(' '), context));
        if self.peek() == Some('-') {
            self.at += 1;
        }
        if self.peek() == Some('0') {
            self.at += 1;
        } else if !self.digits() {
            return missing(self, "in numeric literal");
        }
        if self.peek() == Some('.') {
            self.at += 1;
            if !self.digits() {
                return missing(self, "after decimal point in numeric literal");
            }
        }
        if matches!(self.peek(), Some('e' | 'E')) {
            self.at += 1;
            if matches!(self.peek(), Some('+' | '-')) {
                self.at += 1;
            }
            if !self.digits() {
                return missing(self, "in exponent of numeric literal");
            }
        }
        let text = &self.text[start..self.at];
        match text.parse::<f64>() {
            Ok(number) if number.is_finite() => Ok(Value::Float(number)),
            _ => Err(format!(
                "json: cannot unmarshal number {text} into Go value of type float64"
            )),
        }
    }

    fn string(&mut self) -> Result<String, String> {
        let mut out = String::new();
        self.at += 1;
        loop {
            let Some(c) = self.peek() else {
                return Err(END.to_owned());
            };
            self.at += c.len_utf8();
            match c {
                '"' => return Ok(out),
                '\\' => out.push(self.escape()?),
                '\0'..='\x1f' => return Err(invalid(c, "in string literal")),
                c => out.push(c),
            }
        }
    }

    fn escape(&mut self) -> Result<char, String> {
        let Some(c) = self.peek() else {
            return Err(invalid(' ', "in string escape code"));
        };
        self.at += c.len_utf8();
        Ok(match c {
            '"' | '\\' | '/' => c,
            'b' => '\u{8}',
            'f' => '\u{c}',
            'n' => '\n',
            'r' => '\r',
            't' => '\t',
            'u' => {
                let first = self.unit()?;
                if (0xD800..0xDC00).contains(&first) && self.text[self.at..].starts_with("\\u") {
                    let mark = self.at;
                    self.at += 2;
                    let second = self.unit()?;
                    if (0xDC00..0xE000).contains(&second) {
                        let code = 0x1_0000 + ((first - 0xD800) << 10) + (second - 0xDC00);
                        return Ok(char::from_u32(code).unwrap_or('\u{fffd}'));
                    }
                    self.at = mark;
                }
                char::from_u32(first).unwrap_or('\u{fffd}')
            }
            c => return Err(invalid(c, "in string escape code")),
        })
    }

    fn unit(&mut self) -> Result<u32, String> {
        let mut unit = 0;
        for _ in 0..4 {
            let c = self.peek().unwrap_or(' ');
            let digit = c.to_digit(16);
            unit = unit * 16
                + digit.ok_or_else(|| invalid(c, "in \\u hexadecimal character escape"))?;
            self.at += 1;
        }
        Ok(unit)
    }

    fn enter(&mut self) -> Result<(), String> {
        self.depth += 1;
        self.at += 1;
        if self.depth > MAX_DEPTH {
            return Err("exceeded max depth".to_owned());
        }
        self.space();
        Ok(())
    }

    fn array(&mut self) -> Result<Value, String> {
        self.enter()?;
        let mut items = Vec::new();
        if self.peek() == Some(']') {
            self.at += 1;
            self.depth -= 1;
            return Ok(Value::list(items));
        }
        loop {
            items.push(self.value()?);
            self.space();
            match self.peek() {
                Some(',') => self.at += 1,
                Some(']') => break,
                Some(c) => return Err(invalid(c, "after array element")),
                None => return Err(END.to_owned()),
            }
        }
        self.at += 1;
        self.depth -= 1;
        Ok(Value::list(items))
    }

    fn object(&mut self) -> Result<Value, String> {
        self.enter()?;
        let mut entries = Entries::new();
        if self.peek() == Some('}') {
            self.at += 1;
            self.depth -= 1;
            return Ok(Value::map(entries));
        }
        loop {
            self.space();
            match self.peek() {
                Some('"') => {}
                Some(c) => return Err(invalid(c, "looking for beginning of object key string")),
                None => return Err(END.to_owned()),
            }
            let key = self.string()?;
            self.space();
            match self.peek() {
                Some(':') => self.at += 1,
                Some(c) => return Err(invalid(c, "after object key")),
                None => return Err(END.to_owned()),
            }
            let value = self.value()?;
            entries.insert(key.into(), value);
            self.space();
            match self.peek() {
                Some(',') => self.at += 1,
                Some('}') => break,
                Some(c) => return Err(invalid(c, "after object key:value pair")),
                None => return Err(END.to_owned()),
            }
        }
        self.at += 1;
        self.depth -= 1;
        Ok(Value::map(entries))
    }
}
