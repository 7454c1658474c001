//! Expressions as Go's regexp/syntax reads them, written for the regex crate: what Go refuses is refused
//! in Go's words, and what is ASCII in Go (`\d`, `\w`, `\s`, `\b`, `[[:alpha:]]`) is ASCII here.

use bulkhead_template::bytes;

/// What an expression is for the regex crate.
#[derive(Debug, Default)]
pub(super) struct Translated {
    pub pattern: String,
    /// Names of the groups, in their order; the crate would refuse two of one name.
    pub names: Vec<String>,
}

/// Highest count of a repetition, and of nested ones multiplied.
const MAX_REPEAT: i64 = 1_000;

/// Translates an expression.
pub(super) fn translate(pattern: &str) -> Result<Translated, String> {
    let mut reader = Reader {
        whole: pattern,
        rest: pattern,
        made: Translated::default(),
        flags: String::new(),
        groups: vec![Group::default()],
    };
    reader.run()?;
    Ok(reader.made)
}

/// An open group: the whole is one too.
#[derive(Default)]
struct Group {
    /// What the last piece repeats, repetitions inside it multiplied; none at the start.
    last: Option<i64>,
    /// The most of all pieces so far.
    most: i64,
}

struct Reader<'a> {
    whole: &'a str,
    rest: &'a str,
    made: Translated,
    /// Flags that the next piece needs: a repetition still belongs to the piece before them.
    flags: String,
    groups: Vec<Group>,
}

fn failed<T>(what: &str, shown: &str) -> Result<T, String> {
    Err(format!("error parsing regexp: {what}: `{shown}`"))
}

/// What of `before` was read until only `after` was left.
fn between<'a>(before: &'a str, after: &str) -> &'a str {
    &before[..before.len() - after.len()]
}

fn next_char(text: &str) -> Result<Option<(char, &str)>, String> {
    let mut chars = text.chars();
    match chars.next() {
        Some(c) if bytes::stands_for(c).is_some() => failed("invalid UTF-8", text),
        Some(c) => Ok(Some((c, chars.as_str()))),
        None => Ok(None),
    }
}

impl<'a> Reader<'a> {
    fn run(&mut self) -> Result<(), String> {
        let mut last_repeat = "";
        while let Some((c, after)) = next_char(self.rest)? {
            let before = self.rest;
            let mut repeat = "";
            match c {
                '(' if after.starts_with('?') => self.special_group()?,
                '(' => {
                    self.made.names.push(String::new());
                    self.open("(", after);
                }
                '|' => {
                    self.flush();
                    self.made.pattern.push('|');
                    let group = self.group();
                    group.last = None;
                    self.rest = after;
                }
                ')' => self.close(after)?,
                '^' | '$' | '.' => {
                    self.piece(&c.to_string());
                    self.rest = after;
                }
                '[' => self.class()?,
                '*' | '+' | '?' => {
                    self.repeat(before, after, None, last_repeat)?;
                    repeat = before;
                }
                '{' => match counts(after) {
                    Some((range, after)) => {
                        self.repeat(before, after, Some(range), last_repeat)?;
                        repeat = before;
                    }
                    None => self.literal(c, after),
                },
                '\\' => self.backslash()?,
                c => self.literal(c, after),
            }
            last_repeat = repeat;
        }
        if self.groups.len() > 1 {
            return failed("missing closing )", self.whole);
        }
        self.flush();
        Ok(())
    }

    fn group(&mut self) -> &mut Group {
        // The whole is never closed.
        let last = self.groups.len() - 1;
        &mut self.groups[last]
    }

    fn flush(&mut self) {
        let flags = std::mem::take(&mut self.flags);
        self.made.pattern.push_str(&flags);
    }

    /// Writes a piece that can be repeated.
    fn piece(&mut self, text: &str) {
        self.flush();
        self.made.pattern.push_str(text);
        let group = self.group();
        group.last = Some(1);
        group.most = group.most.max(1);
    }

    fn literal(&mut self, c: char, after: &'a str) {
        self.piece(&escaped(c));
        self.rest = after;
    }

    fn open(&mut self, text: &str, after: &'a str) {
        self.flush();
        self.made.pattern.push_str(text);
        self.groups.push(Group::default());
        self.rest = after;
    }

    fn close(&mut self, after: &'a str) -> Result<(), String> {
        if self.groups.len() == 1 {
            return failed("unexpected )", self.whole);
        }
        // Flags end with their group.
        self.flags.clear();
        let inner = self.groups.pop().map_or(1, |group| group.most.max(1));
        self.piece(")");
        let group = self.group();
        group.last = Some(inner);
        group.most = group.most.max(inner);
        self.rest = after;
        Ok(())
    }

    fn special_group(&mut self) -> Result<(), String> {
        let text = self.rest;
        let is_named = (text.len() > 4 && text.starts_with("(?P<"))
            || (text.len() > 3 && text.starts_with("(?<"));
        if is_named {
            let Some((head, after)) = text.split_once('>') else {
                return failed("invalid named capture", text);
            };
            let name = head.split_once('<').map_or("", |(_, name)| name);
            let is_word = |c: char| c == '_' || c.is_ascii_alphanumeric();
            if name.is_empty() || !name.chars().all(is_word) {
                return failed("invalid named capture", &text[..=head.len()]);
            }
            self.made.names.push(name.to_owned());
            self.open("(", after);
            return Ok(());
        }
        self.flag_group(text)
    }

    /// `(?i)`, `(?s-m:`.
    fn flag_group(&mut self, text: &'a str) -> Result<(), String> {
        let mut rest = &text[2..];
        let (mut is_off, mut is_seen) = (false, false);
        while let Some((c, after)) = next_char(rest)? {
            rest = after;
            match c {
                'i' | 'm' | 's' | 'U' => is_seen = true,
                '-' if !is_off => (is_off, is_seen) = (true, false),
                ':' | ')' if !is_off || is_seen => {
                    let given = between(text, rest);
                    match given {
                        "(?)" => self.rest = rest,
                        _ if c == ':' => self.open(given, rest),
                        _ => {
                            self.flags.push_str(given);
                            self.rest = rest;
                        }
                    }
                    return Ok(());
                }
                _ => break,
            }
        }
        failed("invalid or unsupported Perl syntax", between(text, rest))
    }

    fn repeat(
        &mut self,
        before: &'a str,
        after: &'a str,
        range: Option<(i64, Option<i64>)>,
        last_repeat: &str,
    ) -> Result<(), String> {
        if let Some((low, high)) = range
            && (low > MAX_REPEAT || high.is_some_and(|high| high > MAX_REPEAT || low > high))
        {
            return failed("invalid repeat count", between(before, after));
        }
        let after = after.strip_prefix('?').unwrap_or(after);
        if !last_repeat.is_empty() {
            return failed(
                "invalid nested repetition operator",
                between(last_repeat, after),
            );
        }
        let operator = between(before, after);
        let Some(inner) = self.group().last else {
            return failed("missing argument to repetition operator", operator);
        };
        let mut product = inner;
        if let Some((low, high)) = range {
            product = match high {
                Some(0) => 1,
                Some(high) => inner.saturating_mul(high),
                None => inner.saturating_mul(low.max(1)),
            };
            if (low >= 2 || high.is_some_and(|high| high >= 2)) && product > MAX_REPEAT {
                return failed("invalid repeat count", operator);
            }
        }
        self.made.pattern.push_str(operator);
        let group = self.group();
        group.last = Some(product);
        group.most = group.most.max(product);
        self.rest = after;
        Ok(())
    }

    fn backslash(&mut self) -> Result<(), String> {
        let text = self.rest;
        let anchor = match text.as_bytes().get(1) {
            Some(b'A') => "\\A",
            Some(b'z') => "\\z",
            Some(b'b') => "(?-u:\\b)",
            Some(b'B') => "(?-u:\\B)",
            Some(b'C') => return failed("invalid escape sequence", &text[..2]),
            Some(b'Q') => {
                let (quoted, after) = match text[2..].split_once("\\E") {
                    Some(parts) => parts,
                    None => (&text[2..], ""),
                };
                for c in quoted.chars() {
                    self.piece(&escaped(c));
                }
                self.rest = after;
                return Ok(());
            }
            _ => "",
        };
        if !anchor.is_empty() {
            self.piece(anchor);
            self.rest = &text[2..];
            return Ok(());
        }
        if let Some((class, after)) = unicode_class(text)? {
            self.piece(&class);
            self.rest = after;
        } else if let Some((inside, is_negated)) = perl_class(text) {
            let sign = if is_negated { "^" } else { "" };
            self.piece(&format!("[{sign}{inside}]"));
            self.rest = &text[2..];
        } else {
            let (c, after) = escape(text)?;
            self.literal(c, after);
        }
        Ok(())
    }

    fn class(&mut self) -> Result<(), String> {
        let whole = self.rest;
        let mut rest = &whole[1..];
        let mut out = String::from("[");
        if let Some(after) = rest.strip_prefix('^') {
            rest = after;
            out.push('^');
        }
        let mut is_first = true;
        while is_first || !rest.starts_with(']') {
            is_first = false;
            rest = class_item(&mut out, rest, whole)?;
        }
        out.push(']');
        self.piece(&out);
        self.rest = &rest[1..];
        Ok(())
    }
}

/// Writes one item of a class; returns what follows it.
fn class_item<'a>(out: &mut String, text: &'a str, whole: &'a str) -> Result<&'a str, String> {
    if text.starts_with("[:")
        && let Some(end) = text[2..].find(":]")
    {
        let name = &text[..end + 4];
        if !POSIX.contains(&text[2..end + 2].trim_start_matches('^')) {
            return failed("invalid character class range", name);
        }
        out.push_str(name);
        return Ok(&text[name.len()..]);
    }
    if let Some((class, after)) = unicode_class(text)? {
        out.push_str(&class);
        return Ok(after);
    }
    if let Some((inside, is_negated)) = perl_class(text) {
        if is_negated {
            out.push_str(&format!("[^{inside}]"));
        } else {
            out.push_str(inside);
        }
        return Ok(&text[2..]);
    }
    let (low, mut rest) = class_char(text, whole)?;
    let mut high = low;
    if rest.len() >= 2 && rest.starts_with('-') && !rest[1..].starts_with(']') {
        (high, rest) = class_char(&rest[1..], whole)?;
        if high < low {
            return failed("invalid character class range", between(text, rest));
        }
    }
    out.push_str(&format!(
        "\\x{{{:x}}}-\\x{{{:x}}}",
        u32::from(low),
        u32::from(high)
    ));
    Ok(rest)
}

const POSIX: [&str; 14] = [
    "alnum", "alpha", "ascii", "blank", "cntrl", "digit", "graph", "lower", "print", "punct",
    "space", "upper", "word", "xdigit",
];

fn class_char<'a>(text: &'a str, whole: &str) -> Result<(char, &'a str), String> {
    match next_char(text)? {
        None => failed("missing closing ]", whole),
        Some(('\\', _)) => escape(text),
        Some(found) => Ok(found),
    }
}

/// `\d` and its kin: what stands between brackets, and whether they are negated.
fn perl_class(text: &str) -> Option<(&'static str, bool)> {
    let inside = match text.as_bytes().get(..2)? {
        b"\\d" | b"\\D" => "0-9",
        b"\\w" | b"\\W" => "0-9A-Za-z_",
        b"\\s" | b"\\S" => "\\t\\n\\f\\r ",
        _ => return None,
    };
    Some((inside, text.as_bytes()[1].is_ascii_uppercase()))
}

/// `\pN`, `\p{Greek}`, `\P{^Lu}`.
fn unicode_class(text: &str) -> Result<Option<(String, &str)>, String> {
    let mut is_negated = text.starts_with("\\P");
    if !is_negated && !text.starts_with("\\p") {
        return Ok(None);
    }
    let Some((c, mut after)) = next_char(&text[2..])? else {
        return Ok(None);
    };
    let mut name = between(&text[2..], after);
    if c == '{' {
        let Some(end) = text.find('}') else {
            return failed("invalid character class range", text);
        };
        name = &text[3..end];
        after = &text[end + 1..];
    }
    let shown = between(text, after);
    if let Some(inner) = name.strip_prefix('^') {
        name = inner;
        is_negated = !is_negated;
    }
    let sign = if is_negated { 'P' } else { 'p' };
    let class = format!("\\{sign}{{{name}}}");
    let is_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | ' ');
    if name.is_empty() || !name.chars().all(is_name) || regex::Regex::new(&class).is_err() {
        return failed("invalid character class range", shown);
    }
    Ok(Some((class, after)))
}

/// Reads `\n`, `\x{263a}`, `\012`, `\.`.
fn escape(text: &str) -> Result<(char, &str), String> {
    let Some((c, mut rest)) = next_char(&text[1..])? else {
        return failed("trailing backslash at end of expression", "");
    };
    let found = match c {
        '0'..='7' if c == '0' || rest.starts_with(|c| matches!(c, '0'..='7')) => {
            let mut code = c.to_digit(8).unwrap_or(0);
            for _ in 1..3 {
                let Some(digit) = rest.chars().next().and_then(|c| c.to_digit(8)) else {
                    break;
                };
                code = code * 8 + digit;
                rest = &rest[1..];
            }
            char::from_u32(code)
        }
        'x' => match hexadecimal(rest)? {
            (Some(c), after) => {
                rest = after;
                Some(c)
            }
            (None, after) => return failed("invalid escape sequence", between(text, after)),
        },
        'a' => Some('\u{7}'),
        'f' => Some('\u{c}'),
        'n' => Some('\n'),
        'r' => Some('\r'),
        't' => Some('\t'),
        'v' => Some('\u{b}'),
        c if c.is_ascii() && !c.is_ascii_alphanumeric() => Some(c),
        _ => None,
    };
    match found {
        Some(c) => Ok((c, rest)),
        None => failed("invalid escape sequence", between(text, rest)),
    }
}

/// Reads `41` or `{1F44D}`; the rest is what Go has not looked at when it gives up.
fn hexadecimal(text: &str) -> Result<(Option<char>, &str), String> {
    let Some((first, mut rest)) = next_char(text)? else {
        return Ok((None, text));
    };
    if first != '{' {
        let Some((second, after)) = next_char(rest)? else {
            return Ok((None, rest));
        };
        let code = first
            .to_digit(16)
            .zip(second.to_digit(16))
            .and_then(|(high, low)| char::from_u32(high * 16 + low));
        return Ok((code, after));
    }
    let (mut code, mut count) = (0_u32, 0);
    while let Some((c, after)) = next_char(rest)? {
        rest = after;
        if c == '}' {
            return Ok((char::from_u32(code).filter(|_| count > 0), rest));
        }
        let Some(digit) = c.to_digit(16) else {
            break;
        };
        code = code * 16 + digit;
        count += 1;
        if code > u32::from(char::MAX) {
            break;
        }
    }
    Ok((None, rest))
}

/// Reads `2}`, `2,}` and `2,5}`; a number that is too large counts as more than any.
fn counts(text: &str) -> Option<((i64, Option<i64>), &str)> {
    let (low, rest) = count(text)?;
    if let Some(after) = rest.strip_prefix('}') {
        return Some(((low, Some(low)), after));
    }
    let rest = rest.strip_prefix(',')?;
    if let Some(after) = rest.strip_prefix('}') {
        return Some(((low, None), after));
    }
    let (high, rest) = count(rest)?;
    Some(((low, Some(high)), rest.strip_prefix('}')?))
}

fn count(text: &str) -> Option<(i64, &str)> {
    let end = text.bytes().take_while(u8::is_ascii_digit).count();
    let digits = &text[..end];
    if digits.is_empty() || (digits.len() > 1 && digits.starts_with('0')) {
        return None;
    }
    Some((digits.parse().unwrap_or(i64::MAX), &text[end..]))
}

fn escaped(c: char) -> String {
    if c.is_ascii() && !c.is_ascii_alphanumeric() {
        format!("\\x{:02x}", u32::from(c))
    } else {
        c.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_go_refuses_is_refused_in_its_words() {
        for (pattern, told) in [
            ("(", "missing closing ): `(`"),
            ("a)", "unexpected ): `a)`"),
            ("[a", "missing closing ]: `[a`"),
            ("a**", "invalid nested repetition operator: `**`"),
            ("(*)", "missing argument to repetition operator: `*`"),
            ("a{1001}", "invalid repeat count: `{1001}`"),
            ("(a{100}){11}", "invalid repeat count: `{11}`"),
            ("(?=a)", "invalid or unsupported Perl syntax: `(?=`"),
            ("\\8", "invalid escape sequence: `\\8`"),
            ("\\C", "invalid escape sequence: `\\C`"),
            ("\\p{Foo}", "invalid character class range: `\\p{Foo}`"),
            ("[z-a]", "invalid character class range: `z-a`"),
            ("[[:foo:]]", "invalid character class range: `[:foo:]`"),
            ("a\\", "trailing backslash at end of expression: ``"),
            ("(?P<n", "invalid named capture: `(?P<n`"),
        ] {
            let error = translate(pattern).err().unwrap_or_default();
            assert_eq!(error, format!("error parsing regexp: {told}"), "{pattern}");
        }
        for pattern in [
            "a{,2}",
            "{",
            "]",
            "(?P<n>a)(?P<n>b)",
            "^*",
            "a{1000}",
            "(?i)",
        ] {
            assert!(translate(pattern).is_ok(), "{pattern}");
        }
    }
}
