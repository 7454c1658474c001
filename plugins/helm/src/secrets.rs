//! What must not be shown: values that came from Secrets, by inputs or by `lookup`. They are gathered
//! while a chart is rendered; every message passes [`Secrets::mask`] on its way out.
//!
//! A value is known as it is and as templates commonly write it: trimmed, line by line, quoted, in
//! Base64. What a template makes of it otherwise cannot be known.

use std::cell::RefCell;
use std::collections::BTreeSet;

use bulkhead_template::{Value, bytes, format};

use crate::encoding::{base64, unbase64};

/// Shortest value that is looked for, in bytes: anything shorter is found everywhere.
const VALUE_MIN_BYTES: usize = 4;

/// Shortest line of a longer value that is looked for by itself, in bytes.
const LINE_MIN_BYTES: usize = 8;

/// Most texts that are looked for.
const MAX_TEXTS: usize = 20_000;

/// What stands for a value.
const MASK: &str = "***";

/// The values that must not be shown.
#[derive(Debug, Default)]
pub(crate) struct Secrets {
    texts: RefCell<BTreeSet<String>>,
}

impl Secrets {
    /// Learns every leaf of a value.
    pub(crate) fn learn(&self, value: &Value) {
        match value {
            Value::Map(map) => map.entries.borrow().values().for_each(|v| self.learn(v)),
            Value::List(list) => list.items.iter().for_each(|item| self.learn(item)),
            Value::Invalid | Value::Nil | Value::Bool(_) => {}
            Value::String(text) => self.learn_text(text),
            other => self.learn_text(&format::text(other)),
        }
    }

    /// Learns a text.
    pub(crate) fn learn_text(&self, text: &str) {
        self.add(text);
        self.add(text.trim());
        if text.contains('\n') {
            let lines = text.lines().map(str::trim);
            lines
                .filter(|line| line.len() >= LINE_MIN_BYTES)
                .for_each(|line| self.add(line));
        }
        if text.len() >= VALUE_MIN_BYTES {
            self.add(base64(&bytes::of(text)).trim_end_matches('='));
        }
    }

    /// Learns what a `lookup` found: the data of Secrets, as they are and decoded.
    pub(crate) fn learn_object(&self, object: &Value) {
        let get = |name: &str| match object {
            Value::Map(map) => map.entries.borrow().get(name).cloned(),
            _ => None,
        };
        let data = |name: &str| get(name).unwrap_or(Value::Nil);
        self.learn(&data("stringData"));
        if let Value::Map(map) = data("data") {
            for value in map.entries.borrow().values() {
                self.learn(value);
                let text = value.as_str().unwrap_or_default();
                if let Ok(plain) = unbase64(text.as_bytes()) {
                    self.learn_text(&bytes::to_text(&plain));
                }
            }
        }
        if let Value::List(list) = data("items") {
            list.items.iter().for_each(|item| self.learn_object(item));
        }
    }

    fn add(&self, text: &str) {
        let mut texts = self.texts.borrow_mut();
        if text.len() < VALUE_MIN_BYTES || texts.len() >= MAX_TEXTS {
            return;
        }
        let quoted = bulkhead_template::quote::quote(text);
        let quoted = &quoted[1..quoted.len() - 1];
        if quoted != text {
            texts.insert(quoted.to_owned());
        }
        texts.insert(text.to_owned());
    }

    /// Masks what is known, the longest first.
    pub(crate) fn mask(&self, text: &str) -> String {
        let texts = self.texts.borrow();
        let mut found: Vec<&String> = texts.iter().filter(|one| text.contains(*one)).collect();
        found.sort_by_key(|one| std::cmp::Reverse(one.len()));
        let mask = |text: String, one: &String| text.replace(one.as_str(), MASK);
        found.into_iter().fold(text.to_owned(), mask)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn knowing(text: &str) -> Secrets {
        let secrets = Secrets::default();
        secrets.learn(&text.into());
        secrets
    }

    #[test]
    fn a_value_is_masked_however_it_is_written() {
        let secrets = knowing("hun\"ter2");
        assert_eq!(
            secrets.mask("got hun\"ter2, \"hun\\\"ter2\" and aHVuInRlcjI="),
            "got ***, \"***\" and ***="
        );
        let lines = knowing("-----BEGIN-----\nshort\nabcdefgh\n");
        assert_eq!(lines.mask("at abcdefgh: short"), "at ***: short");
    }

    #[test]
    fn only_values_long_enough_are_looked_for() {
        assert_eq!(knowing("abc").mask("abcd"), "abcd");
        assert_eq!(knowing("abcd").mask("abcd"), "***");
        let secrets = Secrets::default();
        secrets.learn(&Value::Bool(true));
        secrets.learn(&Value::Float(123_456.0));
        assert_eq!(secrets.mask("true 123456"), "true ***");
    }

    #[test]
    fn looked_up_secrets_are_known_in_both_forms() -> Result<(), String> {
        let list = crate::json_read::parse(
            r#"{"kind": "SecretList", "items": [{"kind": "Secret", "data": {"a": "aHVudGVyMg=="}}]}"#,
        )?;
        let secrets = Secrets::default();
        secrets.learn_object(&list);
        assert_eq!(secrets.mask("hunter2 aHVudGVyMg=="), "*** ***");
        Ok(())
    }
}
