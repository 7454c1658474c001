//! One part of a path against one part of a pattern, as Go's `filepath.Match` does it.

/// A malformed pattern: it matches nothing.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Malformed;

/// Tells whether all of `name` matches `pattern`: `*`, `?`, `[a-z]`, `[^a]` and `\` before a
/// character that stands for itself.
pub(super) fn matches(pattern: &str, name: &str) -> Result<bool, Malformed> {
    let pattern: Vec<char> = pattern.chars().collect();
    let name: Vec<char> = name.chars().collect();
    check(&pattern)?;
    let (mut at, mut seen) = (0, 0);
    // Where to go on when what follows the last star does not fit: one character later.
    let mut retry: Option<(usize, usize)> = None;
    loop {
        if pattern.get(at) == Some(&'*') {
            retry = Some((at + 1, seen));
            at += 1;
            continue;
        }
        let step = match name.get(seen) {
            Some(character) => one(&pattern[at..], *character)?,
            None if at == pattern.len() => return Ok(true),
            None => None,
        };
        match (step, retry) {
            (Some(length), _) => (at, seen) = (at + length, seen + 1),
            (None, Some((star, from))) if from < name.len() => {
                retry = Some((star, from + 1));
                (at, seen) = (star, from + 1);
            }
            (None, _) => return Ok(false),
        }
    }
}

/// Returns how much of `pattern` stands for `character`, `None` if it does not fit.
fn one(pattern: &[char], character: char) -> Result<Option<usize>, Malformed> {
    match pattern {
        [] => Ok(None),
        ['?', ..] => Ok(Some(1)),
        ['\\', literal, ..] => Ok((*literal == character).then_some(2)),
        ['[', rest @ ..] => {
            let (fits, length) = class(rest, character)?;
            Ok(fits.then_some(length + 1))
        }
        [literal, ..] => Ok((*literal == character).then_some(1)),
    }
}

/// Reads a class after its `[`: whether it holds `character`, and its length with the `]`.
fn class(pattern: &[char], character: char) -> Result<(bool, usize), Malformed> {
    let negated = pattern.first() == Some(&'^');
    let mut at = usize::from(negated);
    let mut fits = false;
    let mut ranges = 0;
    loop {
        if pattern.get(at) == Some(&']') && ranges > 0 {
            return Ok((fits != negated, at + 1));
        }
        let (low, next) = bound(pattern, at)?;
        at = next;
        let mut high = low;
        if pattern.get(at) == Some(&'-') {
            (high, at) = bound(pattern, at + 1)?;
        }
        fits |= (low..=high).contains(&character);
        ranges += 1;
    }
}

fn bound(pattern: &[char], at: usize) -> Result<(char, usize), Malformed> {
    match pattern.get(at) {
        None | Some('-' | ']') => Err(Malformed),
        Some('\\') => Ok((*pattern.get(at + 1).ok_or(Malformed)?, at + 2)),
        Some(character) => Ok((*character, at + 1)),
    }
}

fn check(pattern: &[char]) -> Result<(), Malformed> {
    let mut at = 0;
    while at < pattern.len() {
        at += match pattern[at] {
            '\\' if at + 1 == pattern.len() => return Err(Malformed),
            '\\' => 2,
            '[' => class(&pattern[at + 1..], '\0')?.1 + 1,
            _ => 1,
        };
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stars_do_not_explode() {
        let pattern = "a*".repeat(40) + "b";
        assert_eq!(matches(&pattern, &"a".repeat(4000)), Ok(false));
    }

    #[test]
    fn malformed_patterns_are_errors() {
        for pattern in ["[", "[]", "[]a]", "[a-]", "[-a]", "a\\", "[a", "[^]"] {
            assert_eq!(matches(pattern, "a"), Err(Malformed), "{pattern}");
        }
    }

    #[test]
    fn stars_match_the_whole_name() {
        assert_eq!(matches("a*c", "abbc"), Ok(true));
        assert_eq!(matches("a*c", "abbd"), Ok(false));
        assert_eq!(matches("*", ""), Ok(true));
        assert_eq!(matches("", ""), Ok(true));
        assert_eq!(matches("a", "ab"), Ok(false));
    }
}
