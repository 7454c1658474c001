//! Go's `filepath.Match`: `*` and `?` stay inside of a folder, `[a-z]`, `[^a]`, `\` before a character.

/// Tells whether `pattern` is one.
pub(super) fn is_valid(pattern: &str) -> bool {
    parse(pattern).is_some()
}

/// Tells whether `pattern` matches all of `name`; a pattern that is none matches nothing.
pub(super) fn matches(pattern: &str, name: &str) -> bool {
    let Some(parts) = parse(pattern) else {
        return false;
    };
    let name: Vec<char> = name.chars().collect();
    // Where the last star stands, and what it has taken: only that one has to give way.
    let (mut at, mut part) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    loop {
        match (parts.get(part), name.get(at)) {
            (Some(Part::Star), _) => {
                star = Some((part, at));
                part += 1;
                continue;
            }
            (None, None) => return true,
            (Some(one), Some(char)) if one.fits(*char) => {
                (at, part) = (at + 1, part + 1);
                continue;
            }
            _ => {}
        }
        match star {
            Some((star_part, taken)) if name.get(taken).is_some_and(|char| *char != '/') => {
                star = Some((star_part, taken + 1));
                (at, part) = (taken + 1, star_part + 1);
            }
            _ => return false,
        }
    }
}

enum Part {
    Star,
    Any,
    One(char),
    Class {
        is_negated: bool,
        ranges: Vec<(char, char)>,
    },
}

impl Part {
    fn fits(&self, char: char) -> bool {
        match self {
            Self::Star => false,
            Self::Any => char != '/',
            Self::One(own) => *own == char,
            Self::Class { is_negated, ranges } => {
                let is_in = ranges
                    .iter()
                    .any(|(low, high)| (*low..=*high).contains(&char));
                is_in != *is_negated
            }
        }
    }
}

fn parse(pattern: &str) -> Option<Vec<Part>> {
    let mut chars = pattern.chars().peekable();
    let mut parts = Vec::new();
    while let Some(char) = chars.next() {
        parts.push(match char {
            '*' => Part::Star,
            '?' => Part::Any,
            '\\' => Part::One(chars.next()?),
            '[' => {
                let is_negated = chars.next_if_eq(&'^').is_some();
                let mut ranges = Vec::new();
                while ranges.is_empty() || chars.peek() != Some(&']') {
                    let low = class_char(&mut chars)?;
                    let high = match chars.next_if_eq(&'-') {
                        Some(_) => class_char(&mut chars)?,
                        None => low,
                    };
                    ranges.push((low, high));
                }
                chars.next();
                Part::Class { is_negated, ranges }
            }
            char => Part::One(char),
        });
    }
    Some(parts)
}

fn class_char(chars: &mut std::iter::Peekable<std::str::Chars<'_>>) -> Option<char> {
    match chars.next()? {
        '-' | ']' => None,
        '\\' => {
            let char = chars.next()?;
            chars.peek().map(|_| char)
        }
        char => chars.peek().map(|_| char),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // From Go's path/filepath/match_test.go: facts, not code.
    #[test]
    fn patterns_match_as_in_go() {
        for (pattern, name, expected) in [
            ("abc", "abc", true),
            ("*", "abc", true),
            ("*c", "abc", true),
            ("a*", "a", true),
            ("a*", "ab/c", false),
            ("a*/b", "abc/b", true),
            ("a*/b", "a/c/b", false),
            ("a*b*c*d*e*/f", "axbxcxdxe/f", true),
            ("a*b*c*d*e*/f", "axbxcxdxexxx/fff", false),
            ("a*b?c*x", "abxbbxdbxebxczzx", true),
            ("a*b?c*x", "abxbbxdbxebxczzy", false),
            ("ab[c]", "abc", true),
            ("ab[b-d]", "abc", true),
            ("ab[^c]", "abc", false),
            ("ab[^e-g]", "abc", true),
            ("a\\*b", "a*b", true),
            ("a\\*b", "ab", false),
            ("a?b", "a☺b", true),
            ("a[^a]b", "a☺b", true),
            ("a???b", "a☺b", false),
            ("a?b", "a/b", false),
            ("[\\]a]", "]", true),
            ("[x\\-]", "-", true),
            ("*x", "xxx", true),
            ("[-]", "-", false),
            ("[]a]", "]", false),
            ("[a-b-d]", "a", false),
            ("a[", "a", false),
        ] {
            assert_eq!(matches(pattern, name), expected, "{pattern} {name}");
        }
        for wrong in ["[", "[]", "[^", "[a", "a[", "[-x]", "\\", "[x-]", "[a-]"] {
            assert!(!is_valid(wrong), "{wrong}");
        }
        assert!(is_valid("[a]x*?\\["));
    }
}
