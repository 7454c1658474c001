//! Reads TOML as BurntSushi/toml does into `interface{}`: tables, arrays, dates as times.

mod scalar;
mod strings;

use std::cell::RefCell;
use std::collections::HashSet;
use std::rc::Rc;

use bulkhead_template::quote::quote;
use bulkhead_template::{ANY_MAP, Entries, Map, Value};

/// Deepest nesting that is read.
const MAX_DEPTH: usize = 500;

/// Reads a document.
pub(super) fn parse(text: &str) -> Result<Entries, String> {
    let text = text.replace("\r\n", "\n");
    let mut reader = Reader {
        text: &text,
        at: 0,
        depth: 0,
        last_key: String::new(),
        headed: HashSet::new(),
    };
    reader.document().map_err(|told| {
        let line = text[..reader.at.min(text.len())].matches('\n').count() + 1;
        if reader.last_key.is_empty() {
            format!("toml: line {line}: {told}")
        } else {
            format!(
                "toml: line {line} (last key {}): {told}",
                quote(&reader.last_key)
            )
        }
    })
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
    depth: usize,
    last_key: String,
    /// Tables that have a head of their own: no other may name them.
    headed: HashSet<Vec<String>>,
}

fn new_map() -> Map {
    Map {
        entries: Rc::new(RefCell::new(Entries::new())),
        type_name: ANY_MAP,
        is_nil: false,
    }
}

/// Finds or makes the table under a name; the last one of a list of tables.
fn step(map: &Map, name: &str) -> Result<Map, String> {
    let known = map.entries.borrow().get(name).cloned();
    match known {
        None => {
            let inner = new_map();
            map.entries
                .borrow_mut()
                .insert(name.into(), Value::Map(inner.clone()));
            Ok(inner)
        }
        Some(Value::Map(inner)) => Ok(inner),
        Some(Value::List(list)) => match list.items.last() {
            Some(Value::Map(inner)) => Ok(inner.clone()),
            _ => Err(format!(
                "Key '{name}' was already created and cannot be used as an array."
            )),
        },
        Some(_) => Err(format!("Key '{name}' has already been defined.")),
    }
}

impl Reader<'_> {
    fn rest(&self) -> &str {
        &self.text[self.at..]
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn take(&mut self, prefix: &str) -> bool {
        let found = self.rest().starts_with(prefix);
        if found {
            self.at += prefix.len();
        }
        found
    }

    fn space(&mut self) {
        let rest = self.rest();
        self.at += rest.len() - rest.trim_start_matches([' ', '\t']).len();
    }

    /// Skips space, line breaks and comments.
    fn gap(&mut self) {
        loop {
            let rest = self.rest();
            self.at += rest.len() - rest.trim_start().len();
            if !self.rest().starts_with('#') {
                return;
            }
            self.at += self.rest().find('\n').unwrap_or(self.rest().len());
        }
    }

    fn end_of_line(&mut self) -> Result<(), String> {
        self.space();
        if self.rest().starts_with('#') {
            self.at += self.rest().find('\n').unwrap_or(self.rest().len());
        }
        match self.peek() {
            None => Ok(()),
            Some('\n') => {
                self.at += 1;
                Ok(())
            }
            Some(c) => Err(format!(
                "expected a top-level item to end with a newline, comment, or EOF, but got '{c}' instead"
            )),
        }
    }

    fn document(&mut self) -> Result<Entries, String> {
        let root = new_map();
        let mut current = root.clone();
        loop {
            self.gap();
            if self.rest().is_empty() {
                let entries = root.entries.borrow().clone();
                return Ok(entries);
            }
            if self.take("[[") {
                let keys = self.key()?;
                if !self.take("]]") {
                    return Err("expected end of table array name delimiter ']]'".to_owned());
                }
                current = self.array_table(&root, &keys)?;
                self.end_of_line()?;
            } else if self.take("[") {
                let keys = self.key()?;
                if !self.take("]") {
                    let found = self
                        .peek()
                        .map_or_else(|| "\\x00".to_owned(), |c| c.to_string());
                    return Err(format!(
                        "expected '.' or ']' to end table name, but got '{found}' instead"
                    ));
                }
                current = root.clone();
                for key in &keys {
                    current = step(&current, key)?;
                }
                if !self.headed.insert(keys.clone()) {
                    let name = keys.join(".");
                    return Err(format!("Key '{name}' has already been defined."));
                }
                self.end_of_line()?;
            } else {
                self.entry(&current)?;
                self.end_of_line()?;
            }
        }
    }

    fn array_table(&mut self, root: &Map, keys: &[String]) -> Result<Map, String> {
        let Some((last, path)) = keys.split_last() else {
            return Err("expected a table name".to_owned());
        };
        let mut map = root.clone();
        for key in path {
            map = step(&map, key)?;
        }
        let made = new_map();
        let known = map.entries.borrow().get(last.as_str()).cloned();
        let mut items = match known {
            None => Vec::new(),
            Some(Value::List(list)) => list.items.to_vec(),
            Some(_) => {
                return Err(format!(
                    "Key '{last}' was already created and cannot be used as an array."
                ));
            }
        };
        items.push(Value::Map(made.clone()));
        // What is below another element of the list is new.
        self.headed.retain(|known| !known.starts_with(keys));
        let list = bulkhead_template::List {
            items: Rc::new(items),
            element: ANY_MAP,
            is_nil: false,
        };
        map.entries
            .borrow_mut()
            .insert(last.as_str().into(), Value::List(list));
        Ok(made)
    }

    fn entry(&mut self, table: &Map) -> Result<(), String> {
        let keys = self.key()?;
        self.last_key = keys.join(".");
        if !self.take("=") {
            self.last_key.clear();
            return Err(match self.peek() {
                None => "unexpected EOF; expected key separator '='".to_owned(),
                Some('\n') => "expected '.' or '=', but got '\\n' instead".to_owned(),
                Some(c) => format!("expected '.' or '=', but got '{c}' instead"),
            });
        }
        self.space();
        let value = self.value()?;
        let Some((last, path)) = keys.split_last() else {
            return Err("expected a key".to_owned());
        };
        let mut map = table.clone();
        for key in path {
            map = step(&map, key)?;
        }
        if map.entries.borrow().contains_key(last.as_str()) {
            return Err(format!("Key '{}' has already been defined.", self.last_key));
        }
        map.entries.borrow_mut().insert(last.as_str().into(), value);
        Ok(())
    }

    fn key(&mut self) -> Result<Vec<String>, String> {
        let mut keys = Vec::new();
        loop {
            self.space();
            keys.push(match self.peek() {
                Some('"') => self.basic()?,
                Some('\'') => self.literal()?,
                _ => {
                    let is_bare = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
                    let rest = self.rest();
                    let end = rest.find(|c| !is_bare(c)).unwrap_or(rest.len());
                    if end == 0 {
                        return Err(self.no_key(keys.is_empty()));
                    }
                    let key = rest[..end].to_owned();
                    self.at += end;
                    key
                }
            });
            self.space();
            if !self.take(".") {
                return Ok(keys);
            }
        }
    }

    /// What is said where a name was expected.
    fn no_key(&self, is_first: bool) -> String {
        match self.peek() {
            None | Some('=') if is_first => "unexpected '=': key name appears blank".to_owned(),
            Some('.') if is_first => "unexpected '.': keys cannot start with a '.'".to_owned(),
            None | Some('=') => "unexpected '='".to_owned(),
            Some('.') => "unexpected '.'".to_owned(),
            Some('\n') => "expected '.' or '=', but got '\\n' instead".to_owned(),
            Some(c) => format!("expected '.' or '=', but got '{c}' instead"),
        }
    }

    fn rune_or_end(&self) -> String {
        self.peek().map_or_else(
            || "end of file".to_owned(),
            |c| format!("'{}'", c.escape_debug()),
        )
    }

    fn value(&mut self) -> Result<Value, String> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(format!("deeper than {MAX_DEPTH}"));
        }
        let value = match self.peek() {
            None => Err("unexpected EOF; expected value".to_owned()),
            Some('\n') => Err("expected value but found '\\n' instead".to_owned()),
            Some('"') if self.rest().starts_with("\"\"\"") => {
                self.multiline("\"\"\"").map(Value::from)
            }
            Some('\'') if self.rest().starts_with("'''") => self.multiline("'''").map(Value::from),
            Some('"') => self.basic().map(Value::from),
            Some('\'') => self.literal().map(Value::from),
            Some('[') => self.array(),
            Some('{') => self.inline_table(),
            _ => self.plain(),
        };
        self.depth -= 1;
        value
    }

    fn array(&mut self) -> Result<Value, String> {
        self.at += 1;
        let mut items = Vec::new();
        loop {
            self.gap();
            if self.take("]") {
                return Ok(Value::list(items));
            }
            items.push(self.value()?);
            self.gap();
            if !self.take(",") && !self.rest().starts_with(']') {
                let found = self.rune_or_end();
                return Err(format!(
                    "expected a comma (',') or array terminator (']'), but got {found}"
                ));
            }
        }
    }

    fn inline_table(&mut self) -> Result<Value, String> {
        self.at += 1;
        let table = new_map();
        loop {
            self.gap();
            if self.take("}") {
                return Ok(Value::Map(table));
            }
            self.entry(&table)?;
            self.gap();
            if !self.take(",") && !self.rest().starts_with('}') {
                let found = self.rune_or_end();
                return Err(format!(
                    "expected a comma or an inline table terminator '}}', but got {found} instead"
                ));
            }
        }
    }
}
