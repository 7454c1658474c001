//! Paths of fields: how a text is taken apart, and what its parts mean. Pure.

use crate::error::{Outcome, fail};
use crate::node::Kind;

/// Whether a part of a path is `[…]`.
pub(crate) fn is_list_index(part: &str) -> bool {
    part.starts_with('[') && part.ends_with(']')
}

/// Whether a part of a path is a number that can be an index.
pub(crate) fn is_number(part: &str) -> bool {
    part.parse::<i64>().is_ok_and(|n| n >= 0)
}

/// What stands at a part of a path, judged by the part after it.
pub(crate) fn part_kind(next: &str, last: Kind) -> Kind {
    if is_list_index(next) || is_number(next) {
        Kind::Sequence
    } else if next.is_empty() {
        last
    } else {
        Kind::Mapping
    }
}

/// Takes `[name=value]` apart.
pub(crate) fn split_index(part: &str) -> Outcome<(&str, &str)> {
    let inner = part.strip_suffix(']').unwrap_or(part);
    let inner = inner.strip_prefix('[').unwrap_or(inner);
    inner.split_once('=').ok_or_else(|| {
        fail!(
            TransformFailed,
            "list path element must contain fieldName=fieldValue for element to match"
        )
    })
}

/// Splits a path at a delimiter; a backslash before it keeps it.
pub(crate) fn split_path(path: &str, delimiter: char) -> Vec<String> {
    let mut parts: Vec<&str> = path.split(delimiter).collect();
    if parts.len() > 1 && parts[0].is_empty() {
        parts.remove(0);
    }
    let mut out: Vec<String> = Vec::with_capacity(parts.len());
    for part in parts {
        match out.last_mut() {
            Some(last) if last.ends_with('\\') => {
                last.pop();
                last.push(delimiter);
                last.push_str(part);
            }
            _ => out.push(part.to_owned()),
        }
    }
    out
}

/// Splits a path at dots, except in `[name=a.b]` and `[a.b]`.
pub(crate) fn split_dotted(path: &str) -> Vec<String> {
    let parts = split_path(path, '.');
    let mut out = Vec::with_capacity(parts.len());
    let mut parts = parts.into_iter();
    while let Some(part) = parts.next() {
        if !part.starts_with('[') || part.ends_with(']') {
            out.push(part);
            continue;
        }
        let mut joined = part;
        for more in parts.by_ref() {
            joined.push('.');
            joined.push_str(&more);
            if more.ends_with(']') {
                break;
            }
        }
        out.push(if joined.contains('=') {
            joined
        } else {
            joined.trim_matches(['[', ']']).to_owned()
        });
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dots_in_brackets_stay() {
        assert_eq!(split_dotted("a.[name=b.c].d"), ["a", "[name=b.c]", "d"]);
        assert_eq!(
            split_dotted("metadata.annotations.[a.b/c]"),
            ["metadata", "annotations", "a.b/c"]
        );
        assert_eq!(
            split_dotted(r"data.config\.yaml.x"),
            ["data", "config.yaml", "x"]
        );
    }

    #[test]
    fn escaped_slashes_stay() {
        assert_eq!(
            split_path(r"metadata/annotations/a\/b", '/'),
            ["metadata", "annotations", "a/b"]
        );
        assert_eq!(split_path("/a/b", '/'), ["a", "b"]);
    }
}
