//! Sprig's functions on texts: cutting, joining, quoting, encodings.

use bulkhead_template::quote::quote;
use bulkhead_template::{Error, Function, Param, Run, Value, bytes, fixed, format, variadic};

use super::{Answer, context, elements, int_of, strval, text_of};
use crate::encoding;

const S: Param = Param::String;
const I: Param = Param::Int;
const A: Param = Param::Any;

/// Longest text that `repeat` and `indent` make, and longest one of random characters.
pub(super) const MAX_BYTES: usize = 32 << 20;

pub(super) const TABLE: &[(&str, Function)] = &[
    ("hello", fixed(&[], |_, _| Ok("Hello!".into()))),
    (
        "trunc",
        fixed(&[I, S], |_, a| {
            Ok(trunc(int_of(&a[0]), text_of(&a[1])).into())
        }),
    ),
    (
        "trim",
        fixed(&[S], |_, a| {
            Ok(text_of(&a[0]).trim_matches(is_space).into())
        }),
    ),
    (
        "upper",
        fixed(&[S], |_, a| Ok(super::words::upper(text_of(&a[0])).into())),
    ),
    (
        "lower",
        fixed(&[S], |_, a| Ok(super::words::lower(text_of(&a[0])).into())),
    ),
    ("substr", fixed(&[I, I, S], substr)),
    ("repeat", fixed(&[I, S], repeat)),
    ("trimall", fixed(&[S, S], trim_all)),
    ("trimAll", fixed(&[S, S], trim_all)),
    (
        "trimSuffix",
        fixed(&[S, S], |_, a| {
            let text = text_of(&a[1]);
            Ok(text.strip_suffix(text_of(&a[0])).unwrap_or(text).into())
        }),
    ),
    (
        "trimPrefix",
        fixed(&[S, S], |_, a| {
            let text = text_of(&a[1]);
            Ok(text.strip_prefix(text_of(&a[0])).unwrap_or(text).into())
        }),
    ),
    (
        "contains",
        fixed(&[S, S], |_, a| {
            Ok(text_of(&a[1]).contains(text_of(&a[0])).into())
        }),
    ),
    (
        "hasPrefix",
        fixed(&[S, S], |_, a| {
            Ok(text_of(&a[1]).starts_with(text_of(&a[0])).into())
        }),
    ),
    (
        "hasSuffix",
        fixed(&[S, S], |_, a| {
            Ok(text_of(&a[1]).ends_with(text_of(&a[0])).into())
        }),
    ),
    (
        "quote",
        variadic(&[], A, |_, a| {
            let texts: Vec<String> = present(a).map(|value| quote(&strval(value))).collect();
            Ok(texts.join(" ").into())
        }),
    ),
    (
        "squote",
        variadic(&[], A, |_, a| {
            let texts: Vec<String> = present(a)
                .map(|value| format!("'{}'", format::text(value)))
                .collect();
            Ok(texts.join(" ").into())
        }),
    ),
    (
        "cat",
        variadic(&[], A, |_, a| {
            let texts: Vec<String> = present(a).map(format::text).collect();
            Ok(texts.join(" ").into())
        }),
    ),
    (
        "indent",
        fixed(&[I, S], |_, a| indent(int_of(&a[0]), text_of(&a[1]), "")),
    ),
    (
        "nindent",
        fixed(&[I, S], |_, a| indent(int_of(&a[0]), text_of(&a[1]), "\n")),
    ),
    (
        "replace",
        fixed(&[S, S, S], |_, a| {
            let (text, old, new) = (text_of(&a[2]), text_of(&a[0]), text_of(&a[1]));
            let count = if new.len() > old.len() {
                text.matches(old).count()
            } else {
                0
            };
            let added = count.saturating_mul(new.len());
            fits("replace", text.len().saturating_add(added))?;
            Ok(replace(text, old, new).into())
        }),
    ),
    (
        "plural",
        fixed(&[S, S, I], |_, a| {
            Ok(if int_of(&a[2]) == 1 {
                a[0].clone()
            } else {
                a[1].clone()
            })
        }),
    ),
    ("toString", fixed(&[A], |_, a| Ok(strval(&a[0]).into()))),
    (
        "split",
        fixed(&[S, S], |_, a| {
            Ok(numbered(split(text_of(&a[1]), text_of(&a[0]), -1)))
        }),
    ),
    (
        "splitList",
        fixed(&[S, S], |_, a| {
            Ok(Value::strings(split(text_of(&a[1]), text_of(&a[0]), -1)))
        }),
    ),
    (
        "splitn",
        fixed(&[S, I, S], |_, a| {
            Ok(numbered(split(
                text_of(&a[2]),
                text_of(&a[0]),
                int_of(&a[1]),
            )))
        }),
    ),
    (
        "toStrings",
        fixed(&[A], |_, a| Ok(Value::strings(strings(&a[0])))),
    ),
    (
        "join",
        fixed(&[S, A], |_, a| {
            let (parts, separator) = (strings(&a[1]), text_of(&a[0]));
            let own: usize = parts.iter().map(|part| part.len()).sum();
            let between = separator.len().saturating_mul(parts.len());
            fits("join", own.saturating_add(between))?;
            Ok(parts.join(separator).into())
        }),
    ),
    (
        "b64enc",
        fixed(&[S], |_, a| {
            Ok(encoding::base64(&bytes::of(text_of(&a[0]))).into())
        }),
    ),
    (
        "b64dec",
        fixed(&[S], |_, a| {
            Ok(decoded(encoding::unbase64(&bytes::of(text_of(&a[0])))))
        }),
    ),
    (
        "b32enc",
        fixed(&[S], |_, a| {
            Ok(encoding::base32(&bytes::of(text_of(&a[0]))).into())
        }),
    ),
    (
        "b32dec",
        fixed(&[S], |_, a| {
            Ok(decoded(encoding::unbase32(&bytes::of(text_of(&a[0])))))
        }),
    ),
    (
        "base",
        fixed(&[S], |_, a| Ok(crate::paths::base(text_of(&a[0])).into())),
    ),
    (
        "dir",
        fixed(&[S], |_, a| Ok(crate::paths::dir(text_of(&a[0])).into())),
    ),
    (
        "clean",
        fixed(&[S], |_, a| Ok(crate::paths::clean(text_of(&a[0])).into())),
    ),
    (
        "ext",
        fixed(&[S], |_, a| Ok(crate::paths::ext(text_of(&a[0])).into())),
    ),
    (
        "isAbs",
        fixed(&[S], |_, a| Ok(text_of(&a[0]).starts_with('/').into())),
    ),
    (
        "osBase",
        fixed(&[S], |_, a| Ok(crate::paths::base(text_of(&a[0])).into())),
    ),
    (
        "osDir",
        fixed(&[S], |_, a| Ok(crate::paths::dir(text_of(&a[0])).into())),
    ),
    (
        "osClean",
        fixed(&[S], |_, a| Ok(crate::paths::clean(text_of(&a[0])).into())),
    ),
    (
        "osExt",
        fixed(&[S], |_, a| Ok(crate::paths::ext(text_of(&a[0])).into())),
    ),
    (
        "osIsAbs",
        fixed(&[S], |_, a| Ok(text_of(&a[0]).starts_with('/').into())),
    ),
    (
        "randAlphaNum",
        fixed(&[I], |run, a| random(run, a, ALPHANUMERIC)),
    ),
    (
        "randAlpha",
        fixed(&[I], |run, a| random(run, a, &ALPHANUMERIC[10..])),
    ),
    (
        "randNumeric",
        fixed(&[I], |run, a| random(run, a, &ALPHANUMERIC[..10])),
    ),
    (
        "randAscii",
        fixed(&[I], |run, a| {
            let all: Vec<u8> = (32..127).collect();
            random(run, a, &all)
        }),
    ),
];

const ALPHANUMERIC: &[u8] = b"0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";

/// `unicode.IsSpace`.
pub(super) fn is_space(c: char) -> bool {
    c.is_whitespace()
}

fn present(args: &[Value]) -> impl Iterator<Item = &Value> {
    args.iter().filter(|value| !value.is_nil())
}

fn decoded(result: Result<Vec<u8>, String>) -> Value {
    match result {
        Ok(data) => bytes::to_text(&data).into_owned().into(),
        Err(told) => told.into(),
    }
}

fn trunc(count: i64, text: &str) -> String {
    let length = bytes::len(text);
    let size = usize::try_from(count.unsigned_abs()).unwrap_or(usize::MAX);
    let (from, to) = if count < 0 && size < length {
        (length - size, length)
    } else if count >= 0 && length > size {
        (0, size)
    } else {
        return text.to_owned();
    };
    bytes::slice(text, from, to).unwrap_or_default()
}

fn substr(_: &mut Run<'_>, args: &[Value]) -> Answer {
    let (start, end, text) = (int_of(&args[0]), int_of(&args[1]), text_of(&args[2]));
    let length = bytes::len(text);
    let whole = |at: i64| usize::try_from(at).ok();
    let (from, to) = if start < 0 {
        (Some(0), whole(end))
    } else if end < 0 || whole(end).is_none_or(|end| end > length) {
        (whole(start), Some(length))
    } else {
        (whole(start), whole(end))
    };
    let part = from
        .zip(to)
        .and_then(|(from, to)| bytes::slice(text, from, to));
    match (part, from, to) {
        (Some(part), ..) => Ok(part.into()),
        (None, Some(from), Some(to)) if from > to && to <= length => {
            Err(format!("runtime error: slice bounds out of range [{from}:{to}]").into())
        }
        (None, Some(from), Some(to)) if from > length && to == length => {
            Err(format!("runtime error: slice bounds out of range [{from}:{length}]").into())
        }
        _ => Err(
            format!("runtime error: slice bounds out of range [:{end}] with length {length}")
                .into(),
        ),
    }
}

fn repeat(_: &mut Run<'_>, args: &[Value]) -> Answer {
    let (count, text) = (int_of(&args[0]), text_of(&args[1]));
    let count = usize::try_from(count).map_err(|_| "strings: negative Repeat count")?;
    if count.saturating_mul(text.len()) > MAX_BYTES {
        return Err(
            format!("strings: Repeat output length overflow: more than {MAX_BYTES} bytes").into(),
        );
    }
    Ok(text.repeat(count).into())
}

fn trim_all(_: &mut Run<'_>, args: &[Value]) -> Answer {
    let set = text_of(&args[0]);
    Ok(text_of(&args[1]).trim_matches(|c| set.contains(c)).into())
}

fn indent(spaces: i64, text: &str, before: &str) -> Answer {
    let spaces = usize::try_from(spaces).map_err(|_| "strings: negative Repeat count")?;
    let lines = text.bytes().filter(|byte| *byte == b'\n').count() + 1;
    if spaces.saturating_mul(lines) > MAX_BYTES {
        return Err(format!("indent: more than {MAX_BYTES} bytes").into());
    }
    let pad = " ".repeat(spaces);
    let mut out = String::with_capacity(before.len() + text.len() + spaces * lines);
    out.push_str(before);
    for (index, line) in text.split('\n').enumerate() {
        if index > 0 {
            out.push('\n');
        }
        out.push_str(&pad);
        out.push_str(line);
    }
    Ok(out.into())
}

/// Refuses a text before it is made.
pub(super) fn fits(function: &str, bytes: usize) -> Result<(), Error> {
    if bytes > MAX_BYTES {
        return Err(format!("{function}: more than {MAX_BYTES} bytes").into());
    }
    Ok(())
}

fn replace(text: &str, old: &str, new: &str) -> String {
    text.replace(old, new)
}

/// `strings.SplitN`.
pub(super) fn split(text: &str, separator: &str, count: i64) -> Vec<String> {
    if count == 0 {
        return Vec::new();
    }
    let limit = usize::try_from(count).unwrap_or(usize::MAX);
    if separator.is_empty() {
        let mut chars = text.chars();
        let mut parts = Vec::new();
        while parts.len() + 1 < limit {
            match chars.next() {
                Some(c) => parts.push(c.to_string()),
                None => return parts,
            }
        }
        if !chars.as_str().is_empty() {
            parts.push(chars.as_str().to_owned());
        }
        return parts;
    }
    text.splitn(limit, separator).map(str::to_owned).collect()
}

fn numbered(parts: Vec<String>) -> Value {
    let entries = parts.into_iter().enumerate();
    let entries = entries
        .map(|(index, part)| (format!("_{index}").into(), part.into()))
        .collect();
    match Value::map(entries) {
        Value::Map(map) => Value::Map(map.named("map[string]string")),
        other => other,
    }
}

/// Sprig's `strslice`.
pub(super) fn strings(value: &Value) -> Vec<String> {
    match elements(value) {
        Some(items) => items
            .iter()
            .filter(|item| !item.is_nil())
            .map(strval)
            .collect(),
        None if value.is_nil() => Vec::new(),
        None => vec![strval(value)],
    }
}

fn random(run: &mut Run<'_>, args: &[Value], alphabet: &[u8]) -> Answer {
    let count = usize::try_from(int_of(&args[0])).unwrap_or(0);
    if count > MAX_BYTES {
        return Err(format!("more than {MAX_BYTES} random characters").into());
    }
    let mut random = context(run)?.random.borrow_mut();
    let pick = |_| alphabet[random.below(alphabet.len() as u64) as usize] as char;
    Ok((0..count).map(pick).collect::<String>().into())
}
