//! Sprig's regular expressions: RE2's syntax and meaning, by way of the regex crate, which like RE2
//! takes time in proportion to the text. [`syntax`] reads what Go reads.

mod syntax;

use bulkhead_template::quote::quote;
use bulkhead_template::{Error, Function, Param, Run, Value, fixed};
use regex::{Captures, Regex};

use super::{Answer, context, int_of, text_of};

const S: Param = Param::String;
const I: Param = Param::Int;

/// Most memory of one compiled expression.
const MAX_BYTES: usize = 10 << 20;

/// Deepest nesting of groups. Go's is 1,000; each level costs the compiler some stack.
const MAX_NESTING: u32 = 500;

pub(super) const TABLE: &[(&str, Function)] = &[
    (
        "regexMatch",
        fixed(&[S, S], |run, a| {
            Ok(compiled(run, &a[0])
                .is_ok_and(|regex| regex.regex.is_match(text_of(&a[1])))
                .into())
        }),
    ),
    (
        "mustRegexMatch",
        fixed(&[S, S], |run, a| {
            Ok(compiled(run, &a[0])?.regex.is_match(text_of(&a[1])).into())
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
fn compiled(run: &mut Run<'_>, pattern: &Value) -> Result<Expression, Error> {
    let pattern = text_of(pattern);
    let context = context(run)?;
    let known = context.patterns.borrow().get(pattern).cloned();
    let result = known.unwrap_or_else(|| {
        let made = expression(pattern);
        context
            .patterns
            .borrow_mut()
            .insert(pattern.to_owned(), made.clone());
        made
    });
    result.map_err(Error::from)
}

/// Compiles as `regexp.MustCompile` does: its panic names the expression.
fn must(run: &mut Run<'_>, pattern: &Value) -> Result<Expression, Error> {
    compiled(run, pattern).map_err(|error| {
        let pattern = text_of(pattern);
        let is_raw =
            |c: char| c == '\t' || !(c.is_ascii_control() || matches!(c, '`' | '\u{feff}'));
        let shown = if pattern.chars().all(is_raw) {
            format!("`{pattern}`")
        } else {
            quote(pattern)
        };
        format!("regexp: Compile({shown}): {error}").into()
    })
}

/// An expression that was compiled.
#[derive(Clone, Debug)]
pub(crate) struct Expression {
    regex: Regex,
    /// Names of the groups, from the first on.
    names: std::rc::Rc<[String]>,
}

/// Compiles an expression of Go's.
pub(crate) fn compile(pattern: &str) -> Result<Regex, String> {
    expression(pattern).map(|made| made.regex)
}

fn expression(pattern: &str) -> Result<Expression, String> {
    let translated = syntax::translate(pattern)?;
    let built = regex::RegexBuilder::new(&translated.pattern)
        .size_limit(MAX_BYTES)
        .nest_limit(MAX_NESTING)
        .build();
    let regex = built.map_err(|error| {
        let reason = match error {
            regex::Error::CompiledTooBig(_) => "expression too large",
            _ => "expression nests too deeply",
        };
        format!("error parsing regexp: {reason}: `{pattern}`")
    })?;
    Ok(Expression {
        regex,
        names: translated.names.into(),
    })
}

fn limit(count: i64) -> usize {
    usize::try_from(count).unwrap_or(usize::MAX)
}

/// Matches as Go finds them: an empty match right behind another is none.
fn all_matches<'t>(regex: &Expression, text: &'t str) -> Vec<regex::Match<'t>> {
    let mut found: Vec<regex::Match<'t>> = Vec::new();
    for one in regex.regex.find_iter(text) {
        let is_behind = found.last().is_some_and(|last| last.end() == one.start());
        if !(one.is_empty() && is_behind) {
            found.push(one);
        }
    }
    found
}

fn find(regex: &Expression, args: &[Value]) -> Value {
    regex
        .regex
        .find(text_of(&args[1]))
        .map_or("", |found| found.as_str())
        .into()
}

fn find_all(regex: &Expression, args: &[Value]) -> Answer {
    let mut found = all_matches(regex, text_of(&args[1]));
    found.truncate(limit(int_of(&args[2])));
    if found.is_empty() {
        return Ok(Value::nil_list("string"));
    }
    Ok(Value::strings(found.iter().map(|one| one.as_str())))
}

fn replace_literal(regex: &Expression, args: &[Value]) -> Value {
    let (text, with) = (text_of(&args[1]), text_of(&args[2]));
    let mut out = String::new();
    let mut at = 0;
    for one in all_matches(regex, text) {
        if out.len() > super::text::MAX_BYTES {
            break;
        }
        out.push_str(&text[at..one.start()]);
        out.push_str(with);
        at = one.end();
    }
    out.push_str(&text[at..]);
    out.into()
}

fn replace_all(regex: &Expression, args: &[Value]) -> Value {
    let (text, with) = (text_of(&args[1]), text_of(&args[2]));
    if !with.contains('$') {
        return replace_literal(regex, args);
    }
    let mut out = String::new();
    let mut at = 0;
    let mut is_first = true;
    for captures in regex.regex.captures_iter(text) {
        let Some(whole) = captures.get(0) else {
            continue;
        };
        if whole.is_empty() && !is_first && whole.start() == at {
            continue;
        }
        is_first = false;
        if out.len() > super::text::MAX_BYTES {
            break;
        }
        out.push_str(&text[at..whole.start()]);
        expand(&mut out, with, &captures, &regex.names);
        at = whole.end();
    }
    out.push_str(&text[at..]);
    out.into()
}

/// Writes a replacement as `Regexp.Expand` does: `$1`, `${name}`, `$$`.
fn expand(out: &mut String, template: &str, captures: &Captures<'_>, names: &[String]) {
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
        let is_number = name.bytes().all(|byte| byte.is_ascii_digit())
            && (name == "0" || !name.starts_with('0'));
        let group = match name.parse::<usize>() {
            Ok(number) if is_number => captures.get(number),
            _ => by_name(captures, names, name),
        };
        out.push_str(group.map_or("", |group| group.as_str()));
        rest = next;
    }
    out.push_str(rest);
}

/// The first group of a name that took part.
fn by_name<'t>(captures: &Captures<'t>, names: &[String], name: &str) -> Option<regex::Match<'t>> {
    let groups = names.iter().enumerate();
    groups
        .filter(|(_, known)| *known == name)
        .find_map(|(index, _)| captures.get(index + 1))
}

/// `Regexp.Split`.
fn split(regex: &Expression, args: &[Value]) -> Value {
    let (text, count) = (text_of(&args[1]), int_of(&args[2]));
    if count == 0 {
        return Value::nil_list("string");
    }
    if !regex.regex.as_str().is_empty() && text.is_empty() {
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
