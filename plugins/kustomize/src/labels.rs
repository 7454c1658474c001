//! Selectors of labels, as kubectl takes them: `a=b, c!=d, e in (f, g), h notin (i), j, !k, l>1`.

use crate::error::{Outcome, fail};
use crate::resource::Map;

/// A selector of labels.
#[derive(Debug)]
pub(crate) struct LabelSelector(Vec<Requirement>);

#[derive(Debug)]
struct Requirement {
    key: String,
    test: Test,
}

#[derive(Debug)]
enum Test {
    Exists,
    Missing,
    In(Vec<String>),
    NotIn(Vec<String>),
    Above(i64),
    Below(i64),
}

impl LabelSelector {
    /// Reads a selector.
    ///
    /// # Errors
    /// It is not one.
    pub(crate) fn parse(text: &str) -> Outcome<Self> {
        let mut parser = Parser { text, rest: text };
        let mut all = Vec::new();
        if parser.peek().is_none() {
            return Ok(Self(all));
        }
        loop {
            all.push(parser.requirement()?);
            match parser.next() {
                None => return Ok(Self(all)),
                Some(",") if parser.peek().is_some() => {}
                Some(other) => {
                    return Err(parser.wrong(&format!(
                        "found '{other}', expected: ',' or 'end of string'"
                    )));
                }
            }
        }
    }

    /// Whether labels fit.
    pub(crate) fn fits(&self, labels: &Map) -> bool {
        self.0.iter().all(|requirement| {
            let value = labels.get(requirement.key.as_str()).map(|value| &**value);
            let number = || value.and_then(|v| v.parse::<i64>().ok());
            match &requirement.test {
                Test::Exists => value.is_some(),
                Test::Missing => value.is_none(),
                Test::In(wanted) => value.is_some_and(|v| wanted.iter().any(|w| w == v)),
                Test::NotIn(unwanted) => value.is_none_or(|v| unwanted.iter().all(|w| w != v)),
                Test::Above(limit) => number().is_some_and(|n| n > *limit),
                Test::Below(limit) => number().is_some_and(|n| n < *limit),
            }
        })
    }
}

struct Parser<'a> {
    text: &'a str,
    rest: &'a str,
}

impl<'a> Parser<'a> {
    fn peek(&self) -> Option<&'a str> {
        Parser {
            text: self.text,
            rest: self.rest,
        }
        .next()
    }

    fn next(&mut self) -> Option<&'a str> {
        let rest = self.rest.trim_start_matches([' ', '\t', '\r', '\n']);
        if rest.is_empty() {
            self.rest = rest;
            return None;
        }
        let special = |c: char| matches!(c, '=' | '!' | '(' | ')' | ',' | '>' | '<');
        let end = if rest.starts_with("==") || rest.starts_with("!=") {
            2
        } else if rest.starts_with(special) {
            1
        } else {
            rest.find(|c: char| special(c) || matches!(c, ' ' | '\t' | '\r' | '\n'))
                .unwrap_or(rest.len())
        };
        let (token, rest) = rest.split_at(end);
        self.rest = rest;
        Some(token)
    }

    fn wrong(&self, what: &str) -> Box<crate::error::Error> {
        fail!(
            PatchFailed,
            "unable to parse requirement: {what}: in selector {}",
            crate::error::go_quote(self.text)
        )
    }

    fn requirement(&mut self) -> Outcome<Requirement> {
        let token = self.next();
        let missing = token == Some("!");
        let key = if missing { self.next() } else { token };
        let Some(key) = key.filter(|key| !key.starts_with(['=', '!', '(', ')', ',', '>', '<']))
        else {
            return Err(self.wrong(&format!(
                "found '{}', expected: identifier",
                key.unwrap_or("")
            )));
        };
        let key = key.to_owned();
        let test = match self.peek() {
            _ if missing => Test::Missing,
            None | Some(",") => Test::Exists,
            Some(operator) => {
                self.next();
                self.test(operator)?
            }
        };
        Ok(Requirement { key, test })
    }

    fn test(&mut self, operator: &str) -> Outcome<Test> {
        match operator {
            "=" | "==" => Ok(Test::In(vec![self.value()])),
            "!=" => Ok(Test::NotIn(vec![self.value()])),
            "in" => Ok(Test::In(self.values()?)),
            "notin" => Ok(Test::NotIn(self.values()?)),
            ">" | "<" => {
                let value = self.value();
                let Ok(number) = value.parse() else {
                    return Err(
                        self.wrong("for 'Gt', 'Lt' operators, the value must be an integer")
                    );
                };
                Ok(if operator == ">" {
                    Test::Above(number)
                } else {
                    Test::Below(number)
                })
            }
            other => Err(self.wrong(&format!(
                "found '{other}', expected: in, notin, =, ==, !=, gt, lt"
            ))),
        }
    }

    fn value(&mut self) -> String {
        match self.peek() {
            None | Some("," | ")") => String::new(),
            Some(value) => {
                self.next();
                value.to_owned()
            }
        }
    }

    fn values(&mut self) -> Outcome<Vec<String>> {
        if self.next() != Some("(") {
            return Err(self.wrong("found no '('"));
        }
        let mut values = Vec::new();
        loop {
            values.push(self.value());
            match self.next() {
                Some(",") => {}
                Some(")") => return Ok(values),
                _ => return Err(self.wrong("found no ')'")),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fits(selector: &str) -> bool {
        let labels = Map::from([("app".into(), "web".into()), ("tier".into(), "3".into())]);
        LabelSelector::parse(selector)
            .expect("a selector")
            .fits(&labels)
    }

    #[test]
    fn every_operator_is_understood() {
        for yes in [
            "",
            "app=web",
            "app==web,tier",
            "app in (x, web)",
            "none notin (a)",
            "!none",
            "app!=x",
            "tier>2",
        ] {
            assert!(fits(yes), "{yes}");
        }
        for no in [
            "app=x",
            "none",
            "!app",
            "app notin (web)",
            "tier<3",
            "app in ()",
        ] {
            assert!(!fits(no), "{no}");
        }
    }

    #[test]
    fn broken_selectors_are_errors() {
        for text in ["=a", "a in b", "a,,b", "a (", "a>x", "a,"] {
            assert!(LabelSelector::parse(text).is_err(), "{text}");
        }
    }
}
