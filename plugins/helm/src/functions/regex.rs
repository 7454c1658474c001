//! Sprig's regular expressions: RE2's syntax and meaning, by way of the regex crate. What is ASCII in
//! Go (`\d`, `\w`, `\s`, `\b`, `[[:alpha:]]`) is ASCII here.

use bulkhead_template::quote::quote;
use bulkhead_template::{Error, Function, Param, Run, Value, fixed};
use regex::Regex;

use super::{Answer, context, int_of, text_of};

const S: Param = Param::String;
const I: Param = Param::Int;

/// Most memory of one compiled expression.
const MAX_BYTES: usize = 10 << 20;

pub(super) const TABLE: &[(&str, Function)] = &[
    (
        "regexMatch",
        fixed(&[S, S], |run, a| {
            Ok(compiled(run, &a[0])
                .is_ok_and(|regex| regex.is_match(text_of(&a[1])))
                .into())
        }),
    ),
    (
        "mustRegexMatch",
        fixed(&[S, S], |run, a| {
            Ok(compiled(run, &a[0])?.is_match(text_of(&a[1])).into())
        }),
    ),
    (
        "regexFindAll",
        fixed(&[S, S, I], |run, a| find_all(&must(run, &a[0])?, a)),
    ),
    (
        "mustRegexFindAll",
        fixed(&[S, S, I], |run, a| find_all(&compiled(run, &a[0])?, a)),
    ),
    (
        "regexFind",
        fixed(&[S, S], |run, a| Ok(find(&must(run, &a[0])?, a))),
    ),
    (
        "mustRegexFind",
        fixed(&[S, S], |run, a| Ok(find(&compiled(run, &a[0])?, a))),
    ),
    (
        "regexReplaceAll",
        fixed(&[S, S, S], |run, a| Ok(replace_all(&must(run, &a[0])?, a))),
    ),
    (
        "mustRegexReplaceAll",
        fixed(&[S, S, S], |run, a| {
            Ok(replace_all(&compiled(run, &a[0])?, a))
        }),
    ),
    (
        "regexReplaceAllLiteral",
        fixed(&[S, S, S], |run, a| {
            Ok(replace_literal(&must(run, &a[0])?, a))
        }),
    ),
    (
        "mustRegexReplaceAllLiteral",
        fixed(&[S, S, S], |run, a| {
            Ok(replace_literal(&compiled(run, &a[0])?, a))
        }),
    ),
    (
        "regexSplit",
        fixed(&[S, S, I], |run, a| Ok(split(&must(run, &a[0])?, a))),
    ),
    (
        "mustRegexSplit",
        fixed(&[S, S, I], |run, a| Ok(split(&compiled(run, &a[0])?, a))),
    ),
    (
        "regexQuoteMeta",
        fixed(&[S], |_, a| Ok(quote_meta(text_of(&a[0])).into())),
    ),
];

/// Compiles an expression, or takes it from those of this run.
fn compiled(run: &mut Run<'_>, pattern: &Value) -> Result<Regex, Error> {
    let pattern = text_of(pattern);
    let context = context(run)?;
    let known = context.patterns.borrow().get(pattern).cloned();
    let result = known.unwrap_or_else(|| {
        let made = compile(pattern);
        context
            .patterns
            .borrow_mut()
            .insert(pattern.to_owned(), made.clone());
        made
    });
    result.map_err(Error::from)
}

/// Compiles as `regexp.MustCompile` does: its panic names the expression.
fn must(run: &mut Run<'_>, pattern: &Value) -> Result<Regex, Error> {
    compiled(run, pattern).map_err(|error| {
        let pattern = text_of(pattern);
        let shown = if pattern.contains(['`']) {
            quote(pattern)
        } else {
            format!("`{pattern}`")
        };
        format!("regexp: Compile({shown}): {error}").into()
    })
}

pub(crate) fn compile(pattern: &str) -> Result<Regex, String> {
    let translated = translate(pattern)?;
    let built = regex::RegexBuilder::new(&translated)
        .size_limit(MAX_BYTES)
        .nest_limit(500)
        .build();
    built.map_err(|error| describe(&error.to_string(), pattern))
}

/// Names a mistake as Go names it.
fn describe(told: &str, pattern: &str) -> String {
    let reason = if told.contains("unclosed group") {
        "missing closing )"
    } else if told.contains("unopened group") {
        "unexpected )"
    } else if told.contains("unclosed character class") {
        "missing closing ]"
    } else if told.contains("repetition operator missing") {
        let operator = pattern
            .find(['*', '+', '?', '{'])
            .map_or("", |at| &pattern[at..=at]);
        return format!(
            "error parsing regexp: missing argument to repetition operator: `{operator}`"
        );
    } else if told.contains("invalid character class range") {
        "invalid character class range"
    } else if told.contains("escape sequence") || told.contains("backreferences") {
        "invalid escape sequence"
    } else if told.contains("size limit") {
        "expression too large"
    } else if told.contains("repetition") {
        "invalid repeat count"
    } else {
        "invalid or unsupported Perl syntax"
    };
    let shown = match reason {
        "missing closing ]" => pattern.rfind('[').map_or(pattern, |at| &pattern[at..]),
        "invalid repeat count" => pattern.find('{').map_or(pattern, |at| &pattern[at..]),
        _ => pattern,
    };
    format!("error parsing regexp: {reason}: `{shown}`")
}

/// Writes an expression of Go's for the regex crate.
fn translate(pattern: &str) -> Result<String, String> {
    let mut out = String::with_capacity(pattern.len() + 16);
    let mut chars = pattern.chars().peekable();
    let mut in_class = false;
    // What repeats what stands just before, as it is written.
    let mut repetition = String::new();
    while let Some(c) = chars.next() {
        let is_operator = !in_class && repeats(c, chars.clone());
        if is_operator && !repetition.is_empty() {
            return Err(format!(
                "error parsing regexp: invalid nested repetition operator: `{repetition}{c}`"
            ));
        }
        repetition.clear();
        if is_operator {
            repetition.push(c);
            if c == '{' {
                for c in chars.by_ref() {
                    repetition.push(c);
                    if c == '}' {
                        break;
                    }
                }
            }
            repetition.extend(chars.next_if_eq(&'?'));
            out.push_str(&repetition);
            continue;
        }
        match c {
            '\\' => {
                let Some(next) = chars.next() else {
                    return Err(
                        "error parsing regexp: trailing backslash at end of expression: ``"
                            .to_owned(),
                    );
                };
                escape(&mut out, next, in_class, &mut chars)?;
            }
            '[' if !in_class => {
                in_class = true;
                out.push('[');
                if chars.next_if_eq(&'^').is_some() {
                    out.push('^');
                }
                if chars.next_if_eq(&']').is_some() {
                    out.push_str("\\]");
                }
            }
            '[' if chars.peek() == Some(&':') => {
                // [:alpha:] stays as it is.
                out.push('[');
                for c in chars.by_ref() {
                    out.push(c);
                    if c == ']' {
                        break;
                    }
                }
            }
            '[' => out.push_str("\\["),
            ']' if in_class => {
                in_class = false;
                out.push(']');
            }
            // Set operations of the regex crate that Go does not have.
            '&' | '~' if in_class => out.extend(['\\', c]),
            '{' | '}' if !in_class => out.extend(['\\', c]),
            c => out.push(c),
        }
    }
    Ok(out)
}

fn is_repetition(chars: std::iter::Peekable<std::str::Chars<'_>>) -> bool {
    let text: String = chars.take_while(|c| *c != '}').collect();
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    match text.split_once(',') {
        Some((low, high)) => digits(low) && (high.is_empty() || digits(high)),
        None => digits(&text),
    }
}

/// Tells whether a character repeats what stands before it.
fn repeats(c: char, rest: std::iter::Peekable<std::str::Chars<'_>>) -> bool {
    matches!(c, '*' | '+') || (c == '{' && is_repetition(rest))
}

fn escape(
    out: &mut String,
    next: char,
    in_class: bool,
    chars: &mut std::iter::Peekable<std::str::Chars<'_>>,
) -> Result<(), String> {
    let text = match (next, in_class) {
        ('d', true) => "0-9",
        ('w', true) => "0-9A-Za-z_",
        ('s', true) => "\\t\\n\\f\\r ",
        ('d', false) => "[0-9]",
        ('D', false) => "[^0-9]",
        ('w', false) => "[0-9A-Za-z_]",
        ('W', false) => "[^0-9A-Za-z_]",
        ('s', false) => "[\\t\\n\\f\\r ]",
        ('S', false) => "[^\\t\\n\\f\\r ]",
        ('D', true) => "[^0-9]",
        ('W', true) => "[^0-9A-Za-z_]",
        ('S', true) => "[^\\t\\n\\f\\r ]",
        ('b', false) => "(?-u:\\b)",
        ('B', false) => "(?-u:\\B)",
        ('C', false) => "(?s:.)",
        ('Q', _) => {
            let rest: String = chars.clone().collect();
            let end = rest.find("\\E").unwrap_or(rest.len());
            out.push_str(&regex::escape(&rest[..end]));
            let skipped = rest[..end].chars().count() + if end < rest.len() { 2 } else { 0 };
            for _ in 0..skipped {
                chars.next();
            }
            return Ok(());
        }
        ('Z' | 'h' | 'H' | 'R' | 'K' | 'X' | 'g' | 'k' | 'u' | 'U' | 'G' | '1'..='9', _)
        | ('<' | '>', false)
            if next.is_alphanumeric() =>
        {
            return Err(format!(
                "error parsing regexp: invalid escape sequence: `\\{next}`"
            ));
        }
        ('0', _) => {
            let mut code = 0;
            for _ in 0..2 {
                if let Some(digit) = chars.peek().and_then(|c| c.to_digit(8)) {
                    code = code * 8 + digit;
                    chars.next();
                }
            }
            out.push_str(&format!("\\x{{{code:x}}}"));
            return Ok(());
        }
        (c, _) if c.is_ascii_alphanumeric() => {
            out.extend(['\\', c]);
            if matches!(c, 'p' | 'P' | 'x') && chars.peek() == Some(&'{') {
                for c in chars.by_ref() {
                    out.push(c);
                    if c == '}' {
                        break;
                    }
                }
            }
            return Ok(());
        }
        (c, _) => {
            out.push_str(&regex::escape(&c.to_string()));
            if in_class && matches!(c, '-' | '^' | '&' | '~') && !out.ends_with(&format!("\\{c}")) {
                out.pop();
                out.extend(['\\', c]);
            }
            return Ok(());
        }
    };
    out.push_str(text);
    Ok(())
}

fn limit(count: i64) -> usize {
    usize::try_from(count).unwrap_or(usize::MAX)
}

/// Matches as Go finds them: an empty match right behind another is none.
fn all_matches<'t>(regex: &Regex, text: &'t str) -> Vec<regex::Match<'t>> {
    let mut found: Vec<regex::Match<'t>> = Vec::new();
    for one in regex.find_iter(text) {
        let is_behind = found.last().is_some_and(|last| last.end() == one.start());
        if !(one.is_empty() && is_behind) {
            found.push(one);
        }
    }
    found
}

fn find(regex: &Regex, args: &[Value]) -> Value {
    regex
        .find(text_of(&args[1]))
        .map_or("", |found| found.as_str())
        .into()
}

fn find_all(regex: &Regex, args: &[Value]) -> Answer {
    let found = all_matches(regex, text_of(&args[1])).into_iter();
    Ok(Value::strings(
        found.take(limit(int_of(&args[2]))).map(|one| one.as_str()),
    ))
}

fn replace_literal(regex: &Regex, args: &[Value]) -> Value {
    let (text, with) = (text_of(&args[1]), text_of(&args[2]));
    let mut out = String::new();
    let mut at = 0;
    for one in all_matches(regex, text) {
        out.push_str(&text[at..one.start()]);
        out.push_str(with);
        at = one.end();
    }
    out.push_str(&text[at..]);
    out.into()
}

fn replace_all(regex: &Regex, args: &[Value]) -> Value {
    let (text, with) = (text_of(&args[1]), text_of(&args[2]));
    if !with.contains('$') {
        return replace_literal(regex, args);
    }
    let mut out = String::new();
    let mut at = 0;
    let mut is_first = true;
    for captures in regex.captures_iter(text) {
        let Some(whole) = captures.get(0) else {
            continue;
        };
        if whole.is_empty() && !is_first && whole.start() == at {
            continue;
        }
        is_first = false;
        out.push_str(&text[at..whole.start()]);
        expand(&mut out, with, &captures);
        at = whole.end();
    }
    out.push_str(&text[at..]);
    out.into()
}

/// Writes a replacement as `Regexp.Expand` does: `$1`, `${name}`, `$$`.
fn expand(out: &mut String, template: &str, captures: &regex::Captures<'_>) {
    let mut rest = template;
    while let Some(dollar) = rest.find('$') {
        out.push_str(&rest[..dollar]);
        let after = &rest[dollar + 1..];
        if let Some(next) = after.strip_prefix('$') {
            out.push('$');
            rest = next;
            continue;
        }
        let is_name = |c: char| c == '_' || c.is_alphanumeric();
        let named = match after.strip_prefix('{') {
            Some(inner) => {
                let end = inner.find(|c| !is_name(c)).unwrap_or(inner.len());
                (inner[end..].starts_with('}') && end > 0)
                    .then(|| (&inner[..end], &inner[end + 1..]))
            }
            None => {
                let end = after.find(|c| !is_name(c)).unwrap_or(after.len());
                (end > 0).then(|| (&after[..end], &after[end..]))
            }
        };
        let Some((name, next)) = named else {
            out.push('$');
            rest = after;
            continue;
        };
        let group = match name.parse::<usize>() {
            Ok(number) => captures.get(number),
            Err(_) => captures.name(name),
        };
        out.push_str(group.map_or("", |group| group.as_str()));
        rest = next;
    }
    out.push_str(rest);
}

/// `Regexp.Split`.
fn split(regex: &Regex, args: &[Value]) -> Value {
    let (text, count) = (text_of(&args[1]), int_of(&args[2]));
    if count == 0 {
        return Value::strings(Vec::<String>::new());
    }
    if !regex.as_str().is_empty() && text.is_empty() {
        return Value::strings([""]);
    }
    let mut parts: Vec<&str> = Vec::new();
    let (mut begin, mut end) = (0, 0);
    for one in all_matches(regex, text).into_iter().take(limit(count)) {
        if count > 0 && parts.len() as i64 == count - 1 {
            break;
        }
        end = one.start();
        if one.end() != 0 {
            parts.push(&text[begin..end]);
        }
        begin = one.end();
    }
    if end != text.len() {
        parts.push(&text[begin..]);
    }
    Value::strings(parts)
}

fn quote_meta(text: &str) -> String {
    let mut out = String::new();
    for c in text.chars() {
        if r"\.+*?()|[]{}^$".contains(c) {
            out.push('\\');
        }
        out.push(c);
    }
    out
}
