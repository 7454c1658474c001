//! Patterns for file names: gobwas/glob with `/` between parts, as `.Files.Glob` has it, and Go's
//! filepath.Match, as `.helmignore` has it.

/// A compiled piece of a pattern.
#[derive(Clone, Debug)]
enum Token {
    Char(char),
    /// Any character but `/`.
    One,
    /// Any characters but `/`.
    Star,
    /// Any characters.
    Super,
    /// Characters, ranges; whether they are excluded.
    Class(Vec<(char, char)>, bool),
    /// One of several patterns.
    Any(Vec<Vec<Token>>),
}

/// A pattern of `.Files.Glob`.
#[derive(Debug)]
pub(crate) struct Glob {
    tokens: Vec<Token>,
}

impl Glob {
    /// Compiles a pattern; `None` if it is not one.
    pub(crate) fn new(pattern: &str) -> Option<Self> {
        let mut chars = pattern.chars().peekable();
        let tokens = compile(&mut chars, 0)?;
        chars.next().is_none().then_some(Self { tokens })
    }

    /// Tells whether a whole name matches.
    pub(crate) fn matches(&self, name: &str) -> bool {
        let name: Vec<char> = name.chars().collect();
        matches(&self.tokens, &name, &mut |rest| rest.is_empty(), &mut 0)
    }
}

type Chars<'a> = std::iter::Peekable<std::str::Chars<'a>>;

/// Deepest nesting of braces.
const MAX_DEPTH: usize = 100;

fn compile(chars: &mut Chars<'_>, depth: usize) -> Option<Vec<Token>> {
    if depth > MAX_DEPTH {
        return None;
    }
    let mut tokens = Vec::new();
    while let Some(c) = chars.peek().copied() {
        if depth > 0 && matches!(c, ',' | '}') {
            break;
        }
        chars.next();
        tokens.push(match c {
            '\\' => Token::Char(chars.next()?),
            '?' => Token::One,
            '*' => {
                let mut is_super = false;
                while chars.next_if_eq(&'*').is_some() {
                    is_super = true;
                }
                if is_super { Token::Super } else { Token::Star }
            }
            '[' => class(chars)?,
            '{' => {
                let mut options = Vec::new();
                loop {
                    options.push(compile(chars, depth + 1)?);
                    if chars.next()? == '}' {
                        break;
                    }
                }
                Token::Any(options)
            }
            c => Token::Char(c),
        });
    }
    Some(tokens)
}

fn class(chars: &mut Chars<'_>) -> Option<Token> {
    let excluded = chars.next_if(|c| matches!(c, '!' | '^')).is_some();
    let mut ranges = Vec::new();
    loop {
        let low = match chars.next()? {
            ']' if !ranges.is_empty() => return Some(Token::Class(ranges, excluded)),
            '\\' => chars.next()?,
            c => c,
        };
        let mut high = low;
        if chars.next_if_eq(&'-').is_some() {
            high = match chars.next()? {
                '\\' => chars.next()?,
                c => c,
            };
        }
        if high < low {
            return None;
        }
        ranges.push((low, high));
    }
}

/// Most tries of one match: patterns with many stars take too long otherwise.
const MAX_TRIES: usize = 1_000_000;

fn matches(
    tokens: &[Token],
    name: &[char],
    end: &mut dyn FnMut(&[char]) -> bool,
    tries: &mut usize,
) -> bool {
    *tries += 1;
    if *tries > MAX_TRIES {
        return false;
    }
    let Some((token, rest)) = tokens.split_first() else {
        return end(name);
    };
    match token {
        Token::Star | Token::Super => {
            let is_super = matches!(token, Token::Super);
            for at in 0..=name.len() {
                if matches(rest, &name[at..], end, tries) {
                    return true;
                }
                if !is_super && name.get(at) == Some(&'/') {
                    return false;
                }
            }
            false
        }
        Token::Any(options) => options.iter().any(|option| {
            let mut whole = option.clone();
            whole.extend_from_slice(rest);
            matches(&whole, name, end, tries)
        }),
        single => match name.split_first() {
            Some((c, after)) if fits(single, *c) => matches(rest, after, end, tries),
            _ => false,
        },
    }
}

fn fits(token: &Token, c: char) -> bool {
    match token {
        Token::Char(want) => *want == c,
        Token::One => c != '/',
        Token::Class(ranges, excluded) => {
            ranges.iter().any(|(low, high)| (*low..=*high).contains(&c)) != *excluded
        }
        _ => false,
    }
}

/// `filepath.Match`: `*`, `?`, `[…]` inside one part; an error for a pattern that is not one.
pub(crate) fn path_match(pattern: &str, name: &str) -> Result<bool, &'static str> {
    const BAD: &str = "syntax error in pattern";
    let tokens = path_pattern(pattern).ok_or(BAD)?;
    let name: Vec<char> = name.chars().collect();
    Ok(matches(&tokens, &name, &mut |rest| rest.is_empty(), &mut 0))
}

fn path_pattern(pattern: &str) -> Option<Vec<Token>> {
    let mut chars = pattern.chars().peekable();
    let mut tokens = Vec::new();
    while let Some(c) = chars.next() {
        tokens.push(match c {
            '\\' => Token::Char(chars.next()?),
            '?' => Token::One,
            '*' => Token::Star,
            '[' => class(&mut chars)?,
            c => Token::Char(c),
        });
    }
    Some(tokens)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn globs_match_as_in_helm() {
        for (pattern, name, is_match) in [
            ("config/**", "config/a/b.txt", true),
            ("config/*", "config/a/b.txt", false),
            ("**.yaml", "a/b.yaml", true),
            ("*.{yaml,json}", "x.json", true),
            ("file[0-9].txt", "file7.txt", true),
            ("file[!0-9].txt", "file7.txt", false),
            ("?.txt", "a.txt", true),
            ("**", "any/thing", true),
        ] {
            let matched = Glob::new(pattern).is_some_and(|glob| glob.matches(name));
            assert_eq!(matched, is_match, "{pattern} {name}");
        }
        assert_eq!(path_match("*.txt", "a/b.txt"), Ok(false));
        assert!(path_match("[", "a").is_err());
    }
}
