//! One part of a pattern: `*`, `?` and `[…]` against one name.

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Token {
    Character(char),
    One,
    Many,
    Class {
        negated: bool,
        ranges: Vec<(char, char)>,
    },
}

/// Reads one part of a pattern; `None` when a class is not closed.
pub(super) fn tokens(part: &str) -> Option<Vec<Token>> {
    let mut tokens = Vec::new();
    let mut rest = part.chars().peekable();
    while let Some(character) = rest.next() {
        tokens.push(match character {
            '*' if tokens.last() == Some(&Token::Many) => continue,
            '*' => Token::Many,
            '?' => Token::One,
            '[' => {
                let negated = rest.next_if(|&c| c == '!' || c == '^').is_some();
                let mut ranges = Vec::new();
                loop {
                    let low = rest.next()?;
                    if low == ']' && !ranges.is_empty() {
                        break;
                    }
                    let mut ahead = rest.clone();
                    let range =
                        ahead.next() == Some('-') && ahead.peek().is_some_and(|&c| c != ']');
                    let high = if range {
                        rest.next();
                        rest.next()?
                    } else {
                        low
                    };
                    ranges.push((low, high));
                }
                Token::Class { negated, ranges }
            }
            other => Token::Character(other),
        });
    }
    Some(tokens)
}

/// Tells whether `name` matches; backs up to the last `*` only, so in at most |tokens| × |name|.
pub(super) fn matches(tokens: &[Token], name: &str) -> bool {
    let name: Vec<char> = name.chars().collect();
    let (mut token, mut at) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while at < name.len() {
        let fits = match tokens.get(token) {
            Some(Token::Many) => {
                star = Some((token, at));
                token += 1;
                continue;
            }
            Some(Token::One) => true,
            Some(Token::Character(character)) => *character == name[at],
            Some(Token::Class { negated, ranges }) => {
                let inside = ranges
                    .iter()
                    .any(|(low, high)| (low..=high).contains(&&name[at]));
                inside != *negated
            }
            None => false,
        };
        if fits {
            token += 1;
            at += 1;
        } else if let Some((many, from)) = star {
            token = many + 1;
            at = from + 1;
            star = Some((many, at));
        } else {
            return false;
        }
    }
    tokens[token..].iter().all(|token| *token == Token::Many)
}
