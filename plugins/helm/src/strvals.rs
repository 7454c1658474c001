//! `--set` and its kin: `a.b[0].c=value,d={x,y}`, as Helm's strvals reads them.

use std::rc::Rc;

use bulkhead_template::{Entries, Value, quote::quote};

/// What the texts behind `=` become.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SetKind {
    /// `--set`: true, false, null and whole numbers are what they look like.
    Typed,
    /// `--set-string`: all texts stay texts.
    Text,
    /// `--set-file`: names of files, whose texts are the values.
    File,
    /// `--set-json`: any JSON.
    Json,
    /// `--set-literal`: all that follows `=`, as it is.
    Literal,
}

/// Highest index of a list.
const MAX_INDEX: i64 = 65_536;
/// Most names that one path joins by dots.
const MAX_NAMES: usize = 30;

impl SetKind {
    /// The flag that it is the kind of.
    pub(crate) fn flag(self) -> &'static str {
        match self {
            Self::Typed => "--set",
            Self::Text => "--set-string",
            Self::File => "--set-file",
            Self::Json => "--set-json",
            Self::Literal => "--set-literal",
        }
    }
}

/// Finds the text of a file that `--set-file` names.
pub(crate) type ReadFile<'a> = &'a dyn Fn(&str) -> Result<String, String>;

/// Reads `text` over `values`.
pub(crate) fn parse_into(
    text: &str,
    kind: SetKind,
    read: ReadFile<'_>,
    values: &mut Entries,
) -> Result<(), String> {
    if kind == SetKind::Json && text.trim().starts_with('{') {
        return match crate::json_read::parse(text.trim()) {
            Ok(Value::Map(map)) => {
                *values = crate::load::merge_maps(std::mem::take(values), crate::yaml::take(map));
                Ok(())
            }
            _ => Err(format!("failed parsing --set-json data JSON: {text}")),
        };
    }
    let mut parser = Parser {
        rest: text,
        kind,
        read,
    };
    loop {
        match parser.key(values, 0) {
            Ok(()) => {}
            Err(Stop::End) => return Ok(()),
            Err(Stop::NotAList) => return Err("not a list".to_owned()),
            Err(Stop::Error(_)) if kind == SetKind::Json => {
                return Err(format!("failed parsing --set-json data {text}"));
            }
            Err(Stop::Error(error)) => {
                return Err(format!("failed parsing {} data: {error}", kind.flag()));
            }
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

impl From<&str> for Stop {
    fn from(text: &str) -> Self {
        Self::Error(text.to_owned())
    }
}

struct Parser<'a> {
    rest: &'a str,
    kind: SetKind,
    read: ReadFile<'a>,
}

impl Parser<'_> {
    /// What a text becomes.
    fn meant(&self, text: &str) -> Result<Value, Stop> {
        match self.kind {
            SetKind::File => Ok((self.read)(text)?.into()),
            kind => Ok(typed(text, kind)),
        }
    }

    fn next(&mut self) -> Option<char> {
        let mut chars = self.rest.chars();
        let c = chars.next()?;
        self.rest = chars.as_str();
        Some(c)
    }

    /// Reads up to one of `stops`; `None` stands for the end.
    fn until(&mut self, stops: &[char]) -> (String, Option<char>) {
        let mut text = String::new();
        while let Some(c) = self.next() {
            match c {
                c if stops.contains(&c) => return (text, Some(c)),
                '\\' if self.kind != SetKind::Literal => match self.next() {
                    Some(c) => text.push(c),
                    None => return (text, None),
                },
                c => text.push(c),
            }
        }
        (text, None)
    }

    fn key(&mut self, values: &mut Entries, depth: usize) -> Result<(), Stop> {
        let stops: &[char] = if self.kind == SetKind::Literal {
            &['=', '[', '.']
        } else {
            &['=', '[', ',', '.']
        };
        let (key, stop) = self.until(stops);
        match stop {
            None if key.is_empty() => Err(Stop::End),
            None => Err(format!("key {} has no value", quote(&key)).into()),
            Some('[') => {
                let index = self.index()?;
                let list = match values.get(key.as_str()) {
                    None => Vec::new(),
                    Some(Value::List(list)) => list.items.to_vec(),
                    Some(other) => return Err(converted(other, "[]interface {}")),
                };
                let mut list = list;
                let result = self.item(&mut list, index, depth);
                set(values, &key, Value::list(list));
                result
            }
            Some('=') => {
                let (value, result) = self.value()?;
                set(values, &key, value);
                result
            }
            Some(',') => {
                set(values, &key, "".into());
                Err(format!("key {} has no value (cannot end with ,)", quote(&key)).into())
            }
            Some(_) => {
                if depth + 1 > MAX_NAMES {
                    return Err(format!("value name nested level is greater than maximum supported nested level of {MAX_NAMES}").into());
                }
                let mut inner = match values.get(key.as_str()) {
                    None => Entries::new(),
                    Some(Value::Map(map)) => map.entries.borrow().clone(),
                    Some(other) => return Err(converted(other, "map[string]interface {}")),
                };
                let result = self.key(&mut inner, depth + 1);
                if result.is_ok() && inner.is_empty() {
                    return Err(format!("key map {} has no value", quote(&key)).into());
                }
                if !inner.is_empty() {
                    set(values, &key, Value::map(inner));
                }
                result
            }
        }
    }

    /// Reads up to `]`. A text that ends before it just ends, as with Helm.
    fn index(&mut self) -> Result<i64, Stop> {
        let (text, stop) = self.until(&[']']);
        if stop.is_none() {
            return Err(Stop::End);
        }
        text.parse().map_err(|_| {
            let shown = quote(&text);
            format!("error parsing index: strconv.Atoi: parsing {shown}: invalid syntax").into()
        })
    }

    /// Reads what stands behind `=`; the second result is how the key ends.
    fn value(&mut self) -> Result<(Value, Result<(), Stop>), Stop> {
        match self.kind {
            SetKind::Literal => {
                let text = std::mem::take(&mut self.rest);
                Ok((text.into(), Err(Stop::End)))
            }
            SetKind::Json => {
                if self.is_empty_value() {
                    return Ok((Value::Nil, Ok(())));
                }
                let (value, used) = crate::json_read::parse_prefix(self.rest)?;
                self.rest = &self.rest[used..];
                self.is_empty_value();
                Ok((value, Ok(())))
            }
            SetKind::Typed | SetKind::Text | SetKind::File => match self.list() {
                Ok(list) => Ok((Value::list(list), Ok(()))),
                Err(Stop::End) => Ok(("".into(), Err(Stop::End))),
                Err(Stop::NotAList) => {
                    let (text, _) = self.until(&[',']);
                    Ok((self.meant(&text)?, Ok(())))
                }
                Err(other) => Err(other),
            },
        }
    }

    fn is_empty_value(&mut self) -> bool {
        loop {
            match self.rest.chars().next() {
                None => return true,
                Some(',') => {
                    self.next();
                    return true;
                }
                Some(c) if c.is_whitespace() => {
                    self.next();
                }
                Some(_) => return false,
            }
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
            match stop {
                None => return Err("list must terminate with '}'".into()),
                Some('}') => {
                    if self.rest.starts_with(',') {
                        self.next();
                    }
                    items.push(self.meant(&text)?);
                    return Ok(items);
                }
                Some(_) => items.push(self.meant(&text)?),
            }
        }
    }

    fn item(&mut self, list: &mut Vec<Value>, index: i64, depth: usize) -> Result<(), Stop> {
        if index < 0 {
            return Err(format!("negative {index} index not allowed").into());
        }
        let (key, stop) = self.until(&['[', '.', '=']);
        if !key.is_empty() {
            return Err(format!("unexpected data at end of array index: {}", quote(&key)).into());
        }
        let at = usize::try_from(index).unwrap_or(usize::MAX);
        match stop {
            None => Err(Stop::End),
            Some('=') => {
                let (value, result) = self.value()?;
                set_index(list, index, value)?;
                // A value at the very end is no end of the keys here.
                match result {
                    Err(Stop::End) if self.kind != SetKind::Literal => Ok(()),
                    other => other,
                }
            }
            Some('[') => {
                let next = self.index()?;
                let mut inner = match list.get(at) {
                    None | Some(Value::Nil) => Vec::new(),
                    Some(Value::List(inner)) => inner.items.to_vec(),
                    Some(other) => return Err(converted(other, "[]interface {}")),
                };
                self.item(&mut inner, next, depth)?;
                set_index(list, index, Value::list(inner))
            }
            Some(_) => {
                let mut inner = match list.get(at) {
                    Some(Value::Map(map)) => map.entries.borrow().clone(),
                    _ => Entries::new(),
                };
                let result = self.key(&mut inner, depth);
                result?;
                set_index(list, index, Value::map(inner))
            }
        }
    }
}

fn converted(value: &Value, wanted: &str) -> Stop {
    let found = value.type_name();
    let found = if found == "<nil>" {
        "nil".to_owned()
    } else {
        found
    };
    format!("unable to parse key: interface conversion: interface {{}} is {found}, not {wanted}")
        .into()
}

fn set(values: &mut Entries, key: &str, value: Value) {
    if !key.is_empty() {
        values.insert(Rc::from(key), value);
    }
}

fn set_index(list: &mut Vec<Value>, index: i64, value: Value) -> Result<(), Stop> {
    if index > MAX_INDEX {
        return Err(format!(
            "index of {index} is greater than maximum supported index of {MAX_INDEX}"
        )
        .into());
    }
    let at = usize::try_from(index).unwrap_or_default();
    if list.len() <= at {
        list.resize(at + 1, Value::Nil);
    }
    list[at] = value;
    Ok(())
}

fn typed(text: &str, kind: SetKind) -> Value {
    if kind == SetKind::Typed {
        let lower = text.to_ascii_lowercase();
        match lower.as_str() {
            "true" => return Value::Bool(true),
            "false" => return Value::Bool(false),
            "null" => return Value::Nil,
            "0" => return Value::Int(0, bulkhead_template::IntType::Int64),
            _ => {}
        }
        if !text.starts_with('0')
            && let Ok(number) = text.parse::<i64>()
        {
            return Value::Int(number, bulkhead_template::IntType::Int64);
        }
    }
    text.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str, kind: SetKind) -> String {
        let mut values = Entries::new();
        let read = |name: &str| match name {
            "a.txt" => Ok("one, two".to_owned()),
            _ => Err(format!("open {name}: no such file or directory")),
        };
        match parse_into(text, kind, &read, &mut values) {
            Ok(()) => crate::json::write(&Value::map(values), crate::json::Style::Compact)
                .unwrap_or_else(|error| error),
            Err(error) => error,
        }
    }

    #[test]
    fn sets_are_read_as_in_helm() {
        for (text, json) in [
            ("a=1,b=x", r#"{"a":1,"b":"x"}"#),
            ("a.b.c=true", r#"{"a":{"b":{"c":true}}}"#),
            ("a[1].b=x", r#"{"a":[null,{"b":"x"}]}"#),
            ("a={x,2,null}", r#"{"a":["x",2,null]}"#),
            ("a=x\\,y", r#"{"a":"x,y"}"#),
            ("a=", r#"{"a":""}"#),
            ("a=007", r#"{"a":"007"}"#),
            ("a[0][1]=z", r#"{"a":[[null,"z"]]}"#),
            ("a", "failed parsing --set data: key \"a\" has no value"),
            ("a=1,b", "failed parsing --set data: key \"b\" has no value"),
            (
                "a[65537]=1",
                "failed parsing --set data: index of 65537 is greater than maximum supported index of 65536",
            ),
        ] {
            assert_eq!(parsed(text, SetKind::Typed), json, "{text}");
        }
        assert_eq!(parsed("a=1", SetKind::Text), r#"{"a":"1"}"#);
        assert_eq!(
            parsed("a=a.txt,b={a.txt,a.txt}", SetKind::File),
            r#"{"a":"one, two","b":["one, two","one, two"]}"#
        );
        assert_eq!(
            parsed("a=b.txt", SetKind::File),
            "failed parsing --set-file data: open b.txt: no such file or directory"
        );
        assert_eq!(
            parsed("a={\"b\":[1]},c=2", SetKind::Json),
            r#"{"a":{"b":[1]},"c":2}"#
        );
        assert_eq!(
            parsed("a.b=x,y={1}", SetKind::Literal),
            r#"{"a":{"b":"x,y={1}"}}"#
        );
    }
}
