//! Shell patterns over plain text, where `*` also matches `/` (Flux 2.9, envsubst/path).

/// Removes the shortest or longest non-empty prefix of `text` that matches `pattern`; a malformed
/// pattern matches nothing.
pub(super) fn trim_prefix(text: &str, pattern: &str, longest: bool) -> String {
    let pattern: Vec<char> = pattern.chars().collect();
    let letters: Vec<char> = text.chars().collect();
    let matching = |end: &usize| matches(&pattern, &letters[..*end]);
    let end = if longest {
        (1..=letters.len()).rev().find(matching)
    } else {
        (1..=letters.len()).find(matching)
    };
    letters[end.unwrap_or(0)..].iter().collect()
}

/// Tells whether all of `text` matches, without backtracking into more than the last `*`.
fn matches(pattern: &[char], text: &[char]) -> bool {
    let (mut p, mut t) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while t < text.len() {
        if pattern.get(p) == Some(&'*') {
            star = Some((p + 1, t));
            p += 1;
        } else if let Some(next) = single(pattern, p, text[t]) {
            p = next;
            t += 1;
        } else if let Some((after, from)) = star {
            star = Some((after, from + 1));
            p = after;
            t = from + 1;
        } else {
            return false;
        }
    }
    pattern[p.min(pattern.len())..].iter().all(|c| *c == '*')
}

/// Matches one character against the element at `p`; returns where the next element starts.
fn single(pattern: &[char], p: usize, letter: char) -> Option<usize> {
    match pattern.get(p)? {
        '?' => Some(p + 1),
        '[' => class(pattern, p + 1, letter),
        '\\' => (*pattern.get(p + 1)? == letter).then_some(p + 2),
        other => (*other == letter).then_some(p + 1),
    }
}

fn class(pattern: &[char], mut p: usize, letter: char) -> Option<usize> {
    let negated = pattern.get(p) == Some(&'^');
    p += usize::from(negated);
    let mut found = false;
    let mut first = true;
    while first || *pattern.get(p)? != ']' {
        first = false;
        let (low, next) = element(pattern, p)?;
        p = next;
        let mut high = low;
        if *pattern.get(p)? == '-' {
            (high, p) = element(pattern, p + 1)?;
        }
        found |= (low..=high).contains(&letter);
    }
    (found != negated).then_some(p + 1)
}

fn element(pattern: &[char], p: usize) -> Option<(char, usize)> {
    match pattern.get(p)? {
        '-' | ']' => None,
        '\\' => Some((*pattern.get(p + 1)?, p + 2)),
        other => Some((*other, p + 1)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shortest_and_longest_prefixes_go() {
        assert_eq!(trim_prefix("a/b/c", "*/", false), "b/c");
        assert_eq!(trim_prefix("a/b/c", "*/", true), "c");
        assert_eq!(trim_prefix("abc", "x*", true), "abc");
        assert_eq!(trim_prefix("b1c", "[a-c]?", false), "c");
        assert_eq!(trim_prefix("b1c", "[^a-c]", false), "b1c");
        assert_eq!(trim_prefix("abc", "[a", true), "abc");
    }

    #[test]
    fn many_stars_take_no_exponential_time() {
        let text = "a".repeat(2_000);
        assert_eq!(trim_prefix(&text, &("*a".repeat(20) + "b"), true), text);
    }
}
