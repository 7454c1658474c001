//! Strings of TOML: basic, literal, and those of several lines.

use super::Reader;

impl Reader<'_> {
    pub(super) fn literal(&mut self) -> Result<String, String> {
        let rest = &self.rest()[1..];
        let end = rest
            .find(['\'', '\n'])
            .ok_or("unexpected EOF; expected \"'\"")?;
        if rest[end..].starts_with('\n') {
            return Err("strings cannot contain newlines".to_owned());
        }
        let text = rest[..end].to_owned();
        self.at += end + 2;
        Ok(text)
    }

    pub(super) fn basic(&mut self) -> Result<String, String> {
        self.at += 1;
        let mut out = String::new();
        loop {
            let c = self.peek().ok_or("unexpected EOF; expected '\"'")?;
            self.at += c.len_utf8();
            match c {
                '"' => return Ok(out),
                '\n' => return Err("strings cannot contain newlines".to_owned()),
                '\\' => out.push(self.escape()?),
                c => out.push(c),
            }
        }
    }

    fn escape(&mut self) -> Result<char, String> {
        let c = self.peek().ok_or("unexpected EOF")?;
        self.at += c.len_utf8();
        let count = match c {
            'b' => return Ok('\u{8}'),
            't' => return Ok('\t'),
            'n' => return Ok('\n'),
            'f' => return Ok('\u{c}'),
            'r' => return Ok('\r'),
            'e' => return Ok('\u{1b}'),
            '"' | '\\' => return Ok(c),
            'x' => 2,
            'u' => 4,
            'U' => 8,
            c => return Err(format!("invalid escape character '{c}'")),
        };
        let digits = self.rest().get(..count).ok_or("unexpected EOF")?;
        let code = u32::from_str_radix(digits, 16)
            .ok()
            .and_then(char::from_u32);
        let code = code.ok_or_else(|| format!("invalid unicode escape '{digits}'"))?;
        self.at += count;
        Ok(code)
    }

    pub(super) fn multiline(&mut self, quotes: &str) -> Result<String, String> {
        self.at += 3;
        self.take("\n");
        let mut out = String::new();
        loop {
            if self.rest().starts_with(quotes) {
                self.at += 3;
                // Two more quotes may belong to the text.
                for _ in 0..2 {
                    if self.take(&quotes[..1]) {
                        out.push_str(&quotes[..1]);
                    }
                }
                return Ok(out);
            }
            let c = self.peek().ok_or("unexpected EOF")?;
            self.at += c.len_utf8();
            if c == '\\' && quotes.starts_with('"') {
                let line = self.rest().trim_start_matches([' ', '\t']);
                if line.starts_with('\n') {
                    self.at += self.rest().len() - self.rest().trim_start().len();
                } else {
                    out.push(self.escape()?);
                }
            } else {
                out.push(c);
            }
        }
    }
}
