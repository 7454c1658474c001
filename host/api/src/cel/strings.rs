//! The library of texts: `split`, `replace`, `format` and their kin, by characters as in CEL.

use super::eval::{Result, Run, no_overload, told};
use super::functions::{MEMBERS, shown};
use super::value::{TEXT_STEP, Text, Value};

/// Most digits behind the point.
const MAX_PRECISION: usize = 100;

pub(super) fn method<'v>(run: &Run<'v>, name: &str, values: &[Value<'v>]) -> Result<Value<'v>> {
    match (name, values) {
        ("join", [Value::List(items)]) => join(run, items.iter(), ""),
        ("join", [Value::List(items), Value::Text(between)]) => {
            join(run, items.iter(), between.as_str())
        }
        ("reverse", [Value::List(items)]) => {
            let mut items: Vec<_> = items.iter().collect();
            items.reverse();
            Ok(Value::list(items))
        }
        (name, [Value::Text(text), rest @ ..]) => of_text(run, name, text, rest),
        _ if MEMBERS.contains(&name) => no_overload(),
        _ => told(format!("unknown function '{name}'")),
    }
}

fn of_text<'v>(
    run: &Run<'v>,
    name: &str,
    text: &Text<'v>,
    rest: &[Value<'v>],
) -> Result<Value<'v>> {
    let text = text.as_str();
    match (name, rest) {
        ("lowerAscii", []) => Ok(Value::text(text.to_ascii_lowercase())),
        ("upperAscii", []) => Ok(Value::text(text.to_ascii_uppercase())),
        ("trim", []) => Ok(Value::text(text.trim())),
        ("reverse", []) => Ok(Value::text(text.chars().rev().collect::<String>())),
        ("charAt", [Value::Int(index)]) => {
            let chars: Vec<char> = text.chars().collect();
            match place(*index, chars.len())? {
                at if at == chars.len() => Ok(Value::text("")),
                at => Ok(Value::text(chars[at].to_string())),
            }
        }
        ("substring", [Value::Int(from)]) => substring(text, *from, None),
        ("substring", [Value::Int(from), Value::Int(to)]) => substring(text, *from, Some(*to)),
        ("indexOf" | "lastIndexOf", [Value::Text(part), rest @ ..]) => {
            let from = match rest {
                [] => None,
                [Value::Int(from)] => Some(*from),
                _ => return no_overload(),
            };
            index_of(text, part.as_str(), from, name == "lastIndexOf")
        }
        ("replace", [Value::Text(part), Value::Text(with)]) => {
            replace(run, text, (part.as_str(), with.as_str()), -1)
        }
        ("replace", [Value::Text(part), Value::Text(with), Value::Int(many)]) => {
            replace(run, text, (part.as_str(), with.as_str()), *many)
        }
        ("split", [Value::Text(by)]) => split(run, text, by.as_str(), -1),
        ("split", [Value::Text(by), Value::Int(many)]) => split(run, text, by.as_str(), *many),
        ("format", [Value::List(args)]) => format(run, text, args.iter().collect()),
        (name, _) if MEMBERS.contains(&name) => no_overload(),
        (name, _) => told(format!("unknown function '{name}'")),
    }
}

fn place(index: i64, len: usize) -> Result<usize> {
    match usize::try_from(index) {
        Ok(at) if at <= len => Ok(at),
        _ => told(format!("index out of range: {index}")),
    }
}

fn substring<'v>(text: &str, from: i64, to: Option<i64>) -> Result<Value<'v>> {
    let chars: Vec<char> = text.chars().collect();
    let from = place(from, chars.len())?;
    let to = to.map_or(Ok(chars.len()), |to| place(to, chars.len()))?;
    if from > to {
        return told(format!("invalid substring range. start: {from}, end: {to}"));
    }
    Ok(Value::text(chars[from..to].iter().collect::<String>()))
}

fn index_of<'v>(text: &str, part: &str, from: Option<i64>, is_last: bool) -> Result<Value<'v>> {
    let chars: Vec<char> = text.chars().collect();
    let from = from.map(|from| place(from, chars.len())).transpose()?;
    let byte = |at: usize| chars[..at].iter().map(|c| c.len_utf8()).sum::<usize>();
    let found = match (is_last, from) {
        (false, None) => text.find(part),
        (false, Some(from)) => {
            let start = byte(from);
            text[start..].find(part).map(|at| at + start)
        }
        (true, None) => text.rfind(part),
        (true, Some(from)) => {
            // One that begins at `from` may end behind it.
            let end = (byte(from) + part.len()).min(text.len());
            let end = (end..=text.len()).find(|end| text.is_char_boundary(*end));
            text[..end.unwrap_or(text.len())].rfind(part)
        }
    };
    let index = found.map(|at| text[..at].chars().count());
    let index = index.and_then(|index| i64::try_from(index).ok());
    Ok(Value::Int(index.unwrap_or(-1)))
}

fn replace<'v>(
    run: &Run<'v>,
    text: &str,
    (part, with): (&str, &str),
    many: i64,
) -> Result<Value<'v>> {
    let many = usize::try_from(many).unwrap_or(usize::MAX);
    let count = text.matches(part).count().min(many);
    // What it becomes may be far larger than what it is made of.
    run.spend(count.saturating_mul(with.len()) / TEXT_STEP + count)?;
    Ok(Value::text(text.replacen(part, with, many)))
}

fn split<'v>(run: &Run<'v>, text: &str, by: &str, many: i64) -> Result<Value<'v>> {
    run.spend(text.matches(by).count())?;
    let part = |text: &str| Value::text(text);
    let all = |by: &str| -> Vec<String> {
        match by {
            "" => text.chars().map(|c| c.to_string()).collect(),
            by => text.split(by).map(str::to_owned).collect(),
        }
    };
    Ok(Value::list(match usize::try_from(many) {
        Err(_) => all(by).iter().map(|text| part(text)).collect(),
        Ok(0) => Vec::new(),
        Ok(many) if by.is_empty() => {
            let chars: Vec<char> = text.chars().collect();
            let first = chars.iter().take(many - 1).map(|c| part(&c.to_string()));
            let rest: String = chars.iter().skip(many - 1).collect();
            let rest = (!rest.is_empty()).then(|| part(&rest));
            first.chain(rest).collect()
        }
        Ok(many) => text.splitn(many, by).map(part).collect(),
    }))
}

fn join<'v>(
    run: &Run<'v>,
    items: impl Iterator<Item = Value<'v>>,
    between: &str,
) -> Result<Value<'v>> {
    let mut joined = String::new();
    for (index, item) in items.enumerate() {
        let Value::Text(text) = item else {
            return no_overload();
        };
        run.spend(1 + (text.as_str().len() + between.len()) / TEXT_STEP)?;
        if index > 0 {
            joined.push_str(between);
        }
        joined.push_str(text.as_str());
    }
    Ok(Value::text(joined))
}

/// Quotes a text as a literal.
pub(super) fn quote(text: &str) -> String {
    let mut out = String::from('"');
    for c in text.chars() {
        match c {
            '\u{7}' => out.push_str("\\a"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{b}' => out.push_str("\\v"),
            '\\' => out.push_str("\\\\"),
            '"' => out.push_str("\\\""),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

/// `"%s has %d".format(["a", 1])`.
fn format<'v>(run: &Run<'v>, text: &str, args: Vec<Value<'v>>) -> Result<Value<'v>> {
    let mut args = args.into_iter();
    let mut out = String::new();
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        if c != '%' {
            out.push(c);
            continue;
        }
        let mut precision = None;
        if chars.peek() == Some(&'.') {
            chars.next();
            let mut digits = String::new();
            while let Some(digit) = chars.next_if(char::is_ascii_digit) {
                digits.push(digit);
            }
            precision = digits.parse().ok().filter(|many| *many <= MAX_PRECISION);
            if precision.is_none() {
                return told("could not parse formatting clause: bad precision");
            }
        }
        let verb = chars.next();
        if verb == Some('%') {
            out.push('%');
            continue;
        }
        let (Some(verb), Some(value)) = (verb, args.next()) else {
            return told("index out of range: not enough arguments to format");
        };
        run.look(&value)?;
        out.push_str(&clause(verb, precision, &value)?);
        run.spend(out.len() / (TEXT_STEP * 16))?;
    }
    Ok(Value::text(out))
}

fn clause(verb: char, precision: Option<usize>, value: &Value<'_>) -> Result<String> {
    let wrong = || {
        told(format!(
            "error during formatting: %{verb} cannot show this type"
        ))
    };
    let whole = match value {
        Value::Int(value) => Some(i128::from(*value)),
        Value::Uint(value) => Some(i128::from(*value)),
        Value::Bool(value) => Some(i128::from(*value)),
        _ => None,
    };
    let signed = |text: String| match whole {
        Some(value) if value < 0 => format!("-{text}"),
        _ => text,
    };
    let size = whole.map(i128::unsigned_abs);
    Ok(match (verb, value, size) {
        ('s', value, _) => nested(value, 0),
        ('d', Value::Int(_) | Value::Uint(_), Some(_)) => shown(value),
        ('d', Value::Double(value), _) if !value.is_finite() => shown(&Value::Double(*value)),
        ('f', Value::Double(value), _) => format!("{value:.*}", precision.unwrap_or(6)),
        ('e', Value::Double(value), _) => exponent(*value, precision.unwrap_or(6)),
        ('b', _, Some(size)) => signed(format!("{size:b}")),
        ('o', Value::Int(_) | Value::Uint(_), Some(size)) => signed(format!("{size:o}")),
        ('x', Value::Int(_) | Value::Uint(_), Some(size)) => signed(format!("{size:x}")),
        ('X', Value::Int(_) | Value::Uint(_), Some(size)) => signed(format!("{size:X}")),
        ('x' | 'X', Value::Text(text), _) => hex(text.as_str().as_bytes(), verb == 'X'),
        ('x' | 'X', Value::Bytes(bytes), _) => hex(bytes, verb == 'X'),
        _ => return wrong(),
    })
}

fn hex(bytes: &[u8], is_upper: bool) -> String {
    let digits = bytes.iter().map(|byte| match is_upper {
        true => format!("{byte:02X}"),
        false => format!("{byte:02x}"),
    });
    digits.collect()
}

fn exponent(value: f64, precision: usize) -> String {
    let text = format!("{value:.precision$e}");
    match text.split_once('e') {
        Some((number, exponent)) => {
            let (sign, digits) = match exponent.strip_prefix('-') {
                Some(digits) => ('-', digits),
                None => ('+', exponent),
            };
            format!("{number}e{sign}{digits:0>2}")
        }
        None => text,
    }
}

/// Lists and maps show what is in them, keys in order.
fn nested(value: &Value<'_>, depth: usize) -> String {
    if depth > 64 {
        return "...".to_owned();
    }
    match value {
        Value::List(items) => {
            let items: Vec<String> = items.iter().map(|item| nested(&item, depth + 1)).collect();
            format!("[{}]", items.join(", "))
        }
        Value::Map(entries) => {
            let keys = entries.keys().into_iter();
            let mut shown: Vec<String> = keys
                .map(|key| {
                    let value = entries.get(&key).map(|value| nested(&value, depth + 1));
                    format!("{}: {}", nested(&key, depth + 1), value.unwrap_or_default())
                })
                .collect();
            shown.sort();
            format!("{{{}}}", shown.join(", "))
        }
        other => shown(other),
    }
}
