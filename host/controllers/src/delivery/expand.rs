//! Shell-like parameter expansion: `${name}`, `${name:-default}`, `${name//a/b}` and their kin.
//!
//! A text and a look-up go in, the expanded text comes out. `$name` stays as it is and `$$` is a
//! literal `$`. Operators and their quirks are those of Flux 2.9 (fluxcd/pkg, envsubst).

use super::pattern;

/// Why a text cannot be expanded.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ExpandError {
    /// No value and no default.
    #[error("variable not set (strict mode): \"{0}\"")]
    NotSet(String),
    /// The expression is not one that we know.
    #[error("bad substitution `{expression}` on line {line}")]
    BadSubstitution {
        /// The start of the expression.
        expression: String,
        /// Line in the text, counted from 1.
        line: usize,
    },
    /// Expressions stand inside each other deeper than [`MAX_DEPTH`].
    #[error("substitutions are nested deeper than {MAX_DEPTH} on line {0}")]
    TooDeep(usize),
    /// The result would be longer than [`MAX_BYTES`].
    #[error("the text is longer than {MAX_BYTES} bytes after substitution")]
    TooLong,
}

/// Deepest nesting of expressions.
pub const MAX_DEPTH: usize = 32;
/// Longest result, in bytes.
pub const MAX_BYTES: usize = 32 << 20;

/// Finds the value of a name. `None` means that the name has no value, which only the operators
/// that give a default accept.
pub type Lookup<'a> = &'a dyn Fn(&str) -> Option<String>;

/// Expands every `${…}` of `text`.
///
/// # Errors
/// See [`ExpandError`].
pub fn expand(text: &str, lookup: Lookup<'_>) -> Result<String, ExpandError> {
    let mut expander = Expander {
        text,
        at: 0,
        depth: 0,
        lookup,
    };
    let mut result = String::with_capacity(text.len());
    while let Some(offset) = expander.rest().find('$') {
        result.push_str(&expander.rest()[..offset]);
        expander.at += offset;
        if expander.eat("$$") {
            result.push('$');
        } else if expander.eat("${") {
            result.push_str(&expander.expression()?);
        } else {
            expander.at += 1;
            result.push('$');
        }
        if result.len() > MAX_BYTES {
            return Err(ExpandError::TooLong);
        }
    }
    result.push_str(expander.rest());
    Ok(result)
}

struct Expander<'a> {
    text: &'a str,
    at: usize,
    depth: usize,
    lookup: Lookup<'a>,
}

impl<'a> Expander<'a> {
    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn eat(&mut self, word: &str) -> bool {
        let found = self.rest().starts_with(word);
        if found {
            self.at += word.len();
        }
        found
    }

    fn line(&self) -> usize {
        self.text[..self.at].matches('\n').count() + 1
    }

    fn bad(&self, start: usize) -> ExpandError {
        let expression = self.text[start..]
            .chars()
            .take(40)
            .take_while(|c| *c != '\n')
            .collect();
        ExpandError::BadSubstitution {
            expression,
            line: self.line(),
        }
    }

    /// Evaluates what follows `${`, up to and with its `}`.
    fn expression(&mut self) -> Result<String, ExpandError> {
        if self.depth == MAX_DEPTH {
            return Err(ExpandError::TooDeep(self.line()));
        }
        self.depth += 1;
        let start = self.at - 2;
        let value = self.operation(start)?;
        if !self.eat("}") {
            return Err(self.bad(start));
        }
        self.depth -= 1;
        Ok(value)
    }

    fn operation(&mut self, start: usize) -> Result<String, ExpandError> {
        if self.eat("#") {
            let name = self.name(start)?;
            return Ok(self.value(name)?.len().to_string());
        }
        let name = self.name(start)?;
        match self.peek() {
            Some('=') => self.default(name, 1),
            Some(':') => match self.rest().as_bytes().get(1) {
                Some(b'=' | b'-' | b'?' | b'+') => self.default(name, 2),
                _ => self.substring(name, start),
            },
            Some(',' | '^') => self.casing(name),
            Some('/') => self.replace(name, start),
            Some('#' | '%') => self.remove(name, start),
            _ => self.value(name),
        }
    }

    fn name(&mut self, start: usize) -> Result<&'a str, ExpandError> {
        let rest = self.rest();
        let end = rest
            .find(|c: char| !(c.is_alphanumeric() || c == '_'))
            .unwrap_or(rest.len());
        if end == 0 {
            return Err(self.bad(start));
        }
        self.at += end;
        Ok(&rest[..end])
    }

    fn value(&self, name: &str) -> Result<String, ExpandError> {
        (self.lookup)(name).ok_or_else(|| ExpandError::NotSet(name.to_owned()))
    }

    /// `${name=word}`, `${name:-word}` and the like: every one of them gives the word when the
    /// value is missing or empty, as upstream does.
    fn default(&mut self, name: &str, operator_bytes: usize) -> Result<String, ExpandError> {
        self.at += operator_bytes;
        let mut word = String::new();
        while !matches!(self.peek(), Some('}') | None) {
            word.push_str(&self.word(&['}'], false)?);
        }
        let value = (self.lookup)(name).unwrap_or_default();
        Ok(if value.is_empty() { word } else { value })
    }

    /// `${name:offset}` and `${name:offset:length}`, in bytes.
    fn substring(&mut self, name: &str, start: usize) -> Result<String, ExpandError> {
        self.at += 1;
        let offset = self.word(&[':', '}'], false)?;
        let length = if self.eat(":") {
            Some(self.word(&['}'], false)?)
        } else {
            None
        };
        let value = self.value(name)?;
        let Ok(offset) = offset.parse::<i64>() else {
            return Ok(value);
        };
        let bytes = value.len() as i64;
        let from = if offset < 0 {
            (bytes + offset).max(0)
        } else {
            offset.min(bytes)
        };
        let to = match length.map(|length| length.parse::<i64>()) {
            None => bytes,
            Some(Err(_)) => return Ok(value),
            Some(Ok(length)) if length < 0 => return Err(self.bad(start)),
            Some(Ok(length)) => from.saturating_add(length).min(bytes),
        };
        let part = &value.as_bytes()[from as usize..to as usize];
        Ok(String::from_utf8_lossy(part).into_owned())
    }

    /// `${name^}`, `${name^^}`, `${name,}` and `${name,,}`.
    fn casing(&mut self, name: &str) -> Result<String, ExpandError> {
        let upper = self.peek() == Some('^');
        let all = self.eat(if upper { "^^" } else { ",," });
        if !all {
            self.at += 1;
        }
        let value = self.value(name)?;
        let change = |text: &str| {
            if upper {
                text.to_uppercase()
            } else {
                text.to_lowercase()
            }
        };
        let first = value.chars().next().map_or(0, char::len_utf8);
        Ok(if all {
            change(&value)
        } else {
            change(&value[..first]) + &value[first..]
        })
    }

    /// `${name/old/new}`, `${name//old/new}`, `${name/#old/new}` and `${name/%old/new}`.
    fn replace(&mut self, name: &str, start: usize) -> Result<String, ExpandError> {
        self.at += 1;
        let mode = match self.peek() {
            Some(mode @ ('/' | '#' | '%')) => {
                self.at += 1;
                mode
            }
            _ => ' ',
        };
        let old = self.word(&['/'], true)?;
        if !self.eat("/") {
            return Err(self.bad(start));
        }
        let new = if self.peek() == Some('}') {
            None
        } else {
            Some(self.word(&['}'], true)?)
        };
        let value = self.value(name)?;
        // Upstream leaves the value alone when an anchored form has nothing to put in.
        Ok(match (mode, new) {
            ('/', new) => value.replace(&old, &new.unwrap_or_default()),
            ('#' | '%', None) => value,
            ('#', Some(new)) if value.starts_with(&old) => value.replacen(&old, &new, 1),
            ('%', Some(new)) if value.ends_with(&old) => {
                value[..value.len() - old.len()].to_owned() + &new
            }
            ('#' | '%', Some(_)) => value,
            (_, new) => value.replacen(&old, &new.unwrap_or_default(), 1),
        })
    }

    /// `${name#pattern}`, `${name##pattern}`, `${name%pattern}` and `${name%%pattern}`.
    fn remove(&mut self, name: &str, start: usize) -> Result<String, ExpandError> {
        let prefix = self.peek() == Some('#');
        let longest = self.eat(if prefix { "##" } else { "%%" });
        if !longest {
            self.at += 1;
        }
        if self.peek() == Some('}') {
            return Err(self.bad(start));
        }
        let pattern = self.word(&['}'], false)?;
        let value = self.value(name)?;
        Ok(if prefix {
            pattern::trim_prefix(&value, &pattern, longest)
        } else {
            // A suffix is a prefix of the reversed text, for the reversed pattern.
            let reversed = |text: &str| text.chars().rev().collect::<String>();
            reversed(&pattern::trim_prefix(
                &reversed(&value),
                &reversed(&pattern),
                longest,
            ))
        })
    }

    /// Reads one piece of an argument: an expression, or characters up to one of `ends` or the next
    /// expression. `escapes` turns `$$`, `\/` and `\\` into the second character.
    fn word(&mut self, ends: &[char], escapes: bool) -> Result<String, ExpandError> {
        if self.eat("${") {
            return self.expression();
        }
        let mut word = String::new();
        while let Some(next) = self.peek() {
            if escapes
                && ["$$", "\\/", "\\\\"]
                    .iter()
                    .any(|pair| self.rest().starts_with(pair))
            {
                word.push_str(&self.rest()[1..2]);
                self.at += 2;
            } else if ends.contains(&next) || self.rest().starts_with("${") {
                break;
            } else {
                word.push(next);
                self.at += next.len_utf8();
            }
        }
        Ok(word)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expanded(text: &str, values: &[(&str, &str)]) -> Result<String, ExpandError> {
        expand(text, &|name| {
            values
                .iter()
                .find(|(key, _)| *key == name)
                .map(|(_, value)| (*value).to_owned())
        })
    }

    /// Inputs and results as upstream's own table has them (Flux 2.9, envsubst).
    #[test]
    fn operators_are_those_of_flux() {
        let path = "/home/bozo/ideas/thoughts.for.today";
        let letters = "abcABC123ABCabc";
        for (text, values, result) in [
            ("abc", &[][..], "abc"),
            ("${#v}", &[("v", "abcdEFGH28ij")], "12"),
            ("${v^}", &[("v", "abc")], "Abc"),
            ("${v^^}", &[("v", "abc")], "ABC"),
            ("${v,}", &[("v", "ABC")], "aBC"),
            ("${v,,}", &[("v", "ABC")], "abc"),
            ("${p:11}", &[("p", path)], "ideas/thoughts.for.today"),
            ("${p:11:5}", &[("p", path)], "ideas"),
            ("${p:-5}", &[("p", path)], path),
            ("${v=xyz}", &[("v", "abc")], "abc"),
            ("${v=xyz}", &[], "xyz"),
            ("${v:=xyz}", &[], "xyz"),
            ("${v:-xyz}", &[("v", "")], "xyz"),
            ("something ${v=${d}}", &[("d", "foo")], "something foo"),
            (
                "${v=prefix${d}-suffix}",
                &[("d", "foo")],
                "prefixfoo-suffix",
            ),
            ("${s/%abc/XYZ}", &[("s", letters)], "abcABC123ABCXYZ"),
            ("${s/#abc/XYZ}", &[("s", letters)], "XYZABC123ABCabc"),
            ("${s//abc/xyz}", &[("s", letters)], "xyzABC123ABCxyz"),
            ("${s/abc/xyz}", &[("s", letters)], "xyzABC123ABCabc"),
            ("${f#*.}", &[("f", "bash.string.txt")], "string.txt"),
            ("${f#*/}", &[("f", "/path/to/file")], "path/to/file"),
            ("${f##*.}", &[("f", "bash.string.txt")], "txt"),
            ("${f##*/}", &[("f", "path/to/file")], "file"),
            ("${f%.*}", &[("f", "bash.string.txt")], "bash.string"),
            ("${f%%.*}", &[("f", "bash.string.txt")], "bash"),
            ("${v=${w^^}}", &[("w", "abc")], "ABC"),
            ("$${v}", &[("v", "abc")], "${v}"),
            ("a ${v}$${w$${v}$v${v}", &[("v", "x")], "a x${w${v}$vx"),
            (r"${s/\//-}", &[("s", "foo/bar")], "foo-bar"),
            (r"${s//\//-}", &[("s", "foo/bar/baz")], "foo-bar-baz"),
            (r"\\something ${v=x}", &[], r"\\something x"),
            ("${s/./}", &[("s", "foo.bar")], "foobar"),
        ] {
            assert_eq!(expanded(text, values).as_deref(), Ok(result), "{text}");
        }
    }

    #[test]
    fn a_missing_value_is_an_error_unless_there_is_a_default() {
        for text in [
            "${m}", "${#m}", "${m^}", "${m:0}", "${m/a/b}", "${m#p}", "${m%%p}",
        ] {
            assert_eq!(
                expanded(text, &[]),
                Err(ExpandError::NotSet("m".into())),
                "{text}"
            );
        }
        assert_eq!(expanded("${m:-fallback}", &[]).as_deref(), Ok("fallback"));
    }

    #[test]
    fn bad_expressions_name_their_line() {
        let error = expanded("a\nb ${v", &[("v", "x")]).expect_err("it is refused");
        assert_eq!(error.to_string(), "bad substitution `${v` on line 2");
        assert!(expanded("${}", &[]).is_err());
        assert!(expanded("${v#}", &[("v", "x")]).is_err());
        assert!(expanded("${v:0:-1}", &[("v", "x")]).is_err());
    }

    #[test]
    fn nesting_is_bounded() {
        let nested = |depth: usize| "${a=".repeat(depth) + &"}".repeat(depth);
        assert!(expanded(&nested(MAX_DEPTH), &[]).is_ok());
        assert_eq!(
            expanded(&nested(MAX_DEPTH + 1), &[]),
            Err(ExpandError::TooDeep(1))
        );
    }
}
