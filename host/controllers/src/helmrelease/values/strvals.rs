//! One value at a path, as `helm --set` and `--set-string` read it: `a.b[0]=value`.
//!
//! # Source
//! `pkg/strvals` of Helm 4.3; the escapes of `ReplacePathLiteralValue` in fluxcd/pkg.

use std::cell::RefCell;
use std::rc::Rc;

use serde_json::Value;

use super::tree::{Node, SharedList, SharedMap, map};

/// Highest index of a list.
const MAX_INDEX: usize = 65_536;
/// Most names that one path joins by dots.
const MAX_NAMES: usize = 30;

/// Puts `value` at `path`: typed as it looks, a text where it stands in quotes, and taken as it is
/// where it is `literal`.
pub(super) fn set(
    values: &SharedMap,
    path: &str,
    value: &str,
    literal: bool,
) -> Result<(), String> {
    let is_in = |quote: char| value.starts_with(quote) && value.ends_with(quote);
    if literal {
        return parse(&format!("{path}={}", escaped(value)), false, values);
    }
    if is_in('\'') || is_in('"') {
        let inside = value.trim_matches(['\'', '"']);
        return parse(&format!("{path}={inside}"), false, values);
    }
    parse(&format!("{path}={value}"), true, values)
}

fn escaped(value: &str) -> String {
    let mut escaped = String::with_capacity(value.len());
    for char in value.chars() {
        if matches!(char, '\\' | ',' | '[' | ']' | '{' | '}') {
            escaped.push('\\');
        }
        escaped.push(char);
    }
    escaped
}

fn parse(text: &str, is_typed: bool, values: &SharedMap) -> Result<(), String> {
    let mut parser = Parser {
        rest: text,
        is_typed,
    };
    loop {
        match parser.key(values, 0) {
            Ok(()) => {}
            Err(Stop::End) => return Ok(()),
            Err(Stop::NotAList) => return Err("not a list".to_owned()),
            Err(Stop::Error(error)) => return Err(error),
        }
    }
}

enum Stop {
    End,
    NotAList,
    Error(String),
}

impl From<String> for Stop {
    fn from(text: String) -> Self {
        Self::Error(text)
    }
}

struct Parser<'a> {
    rest: &'a str,
    is_typed: bool,
}

impl Parser<'_> {
    fn next(&mut self) -> Option<char> {
        let mut chars = self.rest.chars();
        let char = chars.next()?;
        self.rest = chars.as_str();
        Some(char)
    }

    /// Reads up to one of `stops`; `None` stands for the end.
    fn until(&mut self, stops: &[char]) -> (String, Option<char>) {
        let mut text = String::new();
        while let Some(char) = self.next() {
            match char {
                char if stops.contains(&char) => return (text, Some(char)),
                '\\' => match self.next() {
                    Some(char) => text.push(char),
                    None => return (text, None),
                },
                char => text.push(char),
            }
        }
        (text, None)
    }

    fn key(&mut self, values: &SharedMap, depth: usize) -> Result<(), Stop> {
        let (key, stop) = self.until(&['=', '[', ',', '.']);
        match stop {
            None if key.is_empty() => Err(Stop::End),
            None => Err(format!("key {key:?} has no value").into()),
            Some('[') => {
                let index = self.index()?;
                let list = match values.borrow().get(&key) {
                    None => Rc::default(),
                    Some(Node::List(list)) => list.clone(),
                    Some(other) => return Err(converted(other, "[]interface {}")),
                };
                let (list, result) = self.item(list, index, depth);
                put(values, key, Node::List(list));
                result
            }
            Some('=') => {
                let (value, result) = self.value()?;
                put(values, key, value);
                result
            }
            Some(',') => {
                let told = format!("key {key:?} has no value (cannot end with ,)");
                put(values, key, Node::Leaf("".into()));
                Err(told.into())
            }
            Some(_) => self.inside(values, key, depth),
        }
    }

    /// Goes on in the map at `key`.
    fn inside(&mut self, values: &SharedMap, key: String, depth: usize) -> Result<(), Stop> {
        if depth + 1 > MAX_NAMES {
            return Err(format!(
                "value name nested level is greater than maximum supported nested level of \
                 {MAX_NAMES}"
            )
            .into());
        }
        let inner = match values.borrow().get(&key) {
            None => map(serde_json::Map::new()),
            Some(Node::Map(inner)) => inner.clone(),
            Some(other) => return Err(converted(other, "map[string]interface {}")),
        };
        let result = self.key(&inner, depth + 1);
        if result.is_ok() && inner.borrow().is_empty() {
            return Err(format!("key map {key:?} has no value").into());
        }
        if !inner.borrow().is_empty() {
            put(values, key, Node::Map(inner));
        }
        result
    }

    /// Reads up to `]`. A text that ends before it just ends, as with Helm.
    fn index(&mut self) -> Result<i64, Stop> {
        let (text, stop) = self.until(&[']']);
        if stop.is_none() {
            return Err(Stop::End);
        }
        text.parse().map_err(|_| {
            let told = "error parsing index: strconv.Atoi: parsing";
            format!("{told} {text:?}: invalid syntax").into()
        })
    }

    /// Reads what stands behind `=`; the second result is how the key ends.
    fn value(&mut self) -> Result<(Node, Result<(), Stop>), Stop> {
        match self.list() {
            Ok(list) => Ok((Node::of(Value::Array(list)), Ok(()))),
            Err(Stop::End) => Ok((Node::Leaf("".into()), Err(Stop::End))),
            Err(Stop::NotAList) => {
                let (text, _) = self.until(&[',']);
                Ok((Node::Leaf(self.meant(text)), Ok(())))
            }
            Err(other) => Err(other),
        }
    }

    fn list(&mut self) -> Result<Vec<Value>, Stop> {
        if self.rest.is_empty() {
            return Err(Stop::End);
        }
        if !self.rest.starts_with('{') {
            return Err(Stop::NotAList);
        }
        self.next();
        let mut items = Vec::new();
        loop {
            let (text, stop) = self.until(&[',', '}']);
            let Some(stop) = stop else {
                return Err("list must terminate with '}'".to_owned().into());
            };
            items.push(self.meant(text));
            if stop == '}' {
                if self.rest.starts_with(',') {
                    self.next();
                }
                return Ok(items);
            }
        }
    }

    /// Goes on at `index` of a list; returns the list, which is another where it grew.
    fn item(
        &mut self,
        list: SharedList,
        index: i64,
        depth: usize,
    ) -> (SharedList, Result<(), Stop>) {
        let Ok(at) = usize::try_from(index) else {
            let told = format!("negative {index} index not allowed");
            return (list, Err(told.into()));
        };
        let (key, stop) = self.until(&['[', '.', '=']);
        if !key.is_empty() {
            let told = format!("unexpected data at end of array index: {key:?}");
            return (list, Err(told.into()));
        }
        let known = list.borrow().get(at).cloned();
        match (stop, known) {
            (None, _) => (list, Err(Stop::End)),
            (Some('='), _) => match self.value() {
                // A value at the very end is no end of the keys here.
                Ok((value, Ok(()) | Err(Stop::End))) => set_index(list, at, value),
                Ok((_, Err(stop))) | Err(stop) => (list, Err(stop)),
            },
            (Some('['), known) => {
                let next = match self.index() {
                    Ok(next) => next,
                    Err(stop) => return (list, Err(stop)),
                };
                let inner = match known {
                    None | Some(Node::Leaf(Value::Null)) => SharedList::default(),
                    Some(Node::List(inner)) => inner,
                    Some(other) => return (list, Err(converted(&other, "[]interface {}"))),
                };
                let (inner, result) = self.item(inner, next, depth);
                match result {
                    Ok(()) => set_index(list, at, Node::List(inner)),
                    Err(stop) => (list, Err(stop)),
                }
            }
            (Some(_), known) => {
                let inner = match known {
                    Some(Node::Map(inner)) => inner,
                    _ => map(serde_json::Map::new()),
                };
                match self.key(&inner, depth) {
                    Ok(()) => set_index(list, at, Node::Map(inner)),
                    Err(stop) => (list, Err(stop)),
                }
            }
        }
    }

    /// What a text becomes.
    fn meant(&self, text: String) -> Value {
        if self.is_typed {
            match text.to_ascii_lowercase().as_str() {
                "true" => return Value::Bool(true),
                "false" => return Value::Bool(false),
                "null" => return Value::Null,
                "0" => return 0.into(),
                _ => {}
            }
            if !text.starts_with('0')
                && let Ok(number) = text.parse::<i64>()
            {
                return number.into();
            }
        }
        text.into()
    }
}

fn converted(value: &Node, wanted: &str) -> Stop {
    let found = value.type_name();
    format!("unable to parse key: interface conversion: interface {{}} is {found}, not {wanted}")
        .into()
}

fn put(values: &SharedMap, key: String, value: Node) {
    if !key.is_empty() {
        values.borrow_mut().insert(key, value);
    }
}

fn set_index(list: SharedList, at: usize, value: Node) -> (SharedList, Result<(), Stop>) {
    if at > MAX_INDEX {
        let told = format!("index of {at} is greater than maximum supported index of {MAX_INDEX}");
        return (list, Err(told.into()));
    }
    let length = list.borrow().len();
    if at < length {
        list.borrow_mut()[at] = value;
        return (list, Ok(()));
    }
    // A longer list is another one: those who share the old one do not see it grow.
    let mut longer = list.borrow().clone();
    longer.resize(at + 1, Node::Leaf(Value::Null));
    longer[at] = value;
    (Rc::new(RefCell::new(longer)), Ok(()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may")]

    use serde_json::json;

    use super::*;

    fn parsed(path: &str, value: &str) -> Result<Value, String> {
        let values = map(serde_json::Map::new());
        set(&values, path, value, false)?;
        Ok(Node::Map(values).into_value())
    }

    #[test]
    fn paths_are_read_as_in_helm() {
        for (path, value, wanted) in [
            ("a", "1", json!({ "a": 1 })),
            ("a.b.c", "true", json!({ "a": { "b": { "c": true } } })),
            ("a[1].b", "x", json!({ "a": [null, { "b": "x" }] })),
            ("a[0][1]", "z", json!({ "a": [[null, "z"]] })),
            (r"a\.b.c", "x", json!({ "a.b": { "c": "x" } })),
            ("a", r"x\,y", json!({ "a": "x,y" })),
            ("a", "", json!({ "a": "" })),
            ("a", "007", json!({ "a": "007" })),
            ("a", "1,b=2", json!({ "a": 1, "b": 2 })),
        ] {
            assert_eq!(parsed(path, value).unwrap(), wanted, "{path}={value}");
        }
        for (path, value, told) in [
            ("a", "1,b", r#"key "b" has no value"#),
            (
                "a[65537]",
                "1",
                "index of 65537 is greater than maximum supported index of 65536",
            ),
            (
                "a[x]",
                "1",
                "error parsing index: strconv.Atoi: parsing \"x\": invalid syntax",
            ),
            ("a", "{x", "list must terminate with '}'"),
        ] {
            assert_eq!(parsed(path, value).unwrap_err(), told, "{path}={value}");
        }
    }
}
