//! JSON Schema for a plugin's configuration, under a budget.
//!
//! The schema is the plugin author's and is read in the host, so neither its checks nor its
//! references may run away: every comparison takes a step of a budget, every reference and level a
//! bit of a depth, patterns run in linear time, and references lead into the schema alone. What is
//! not checked here is refused when the manifest is read ([`validate`]), never passed over.
//! The keywords are those of drafts 7 and 2020-12 that can be told from the schema at hand.

mod shape;
mod structure;
mod value;

use std::collections::HashMap;
use std::fmt;

use regex::Regex;
use serde_json::{Map, Value};

use super::value::kind;
use super::{ConfigError, ConfigProblem};
pub(super) use shape::validate;

/// Longest configuration.
const CONFIG_BYTES: usize = 1024 * 1024;

/// Comparisons of one check.
const STEPS: usize = 1_000_000;

/// Levels of a value, and references, that are inside one another.
const DEPTH: usize = 200;

/// Problems that are told.
const PROBLEMS: usize = 20;

/// Size in bytes of a compiled pattern.
const PATTERN_BYTES: usize = 256 * 1024;

/// Checks `config`, one JSON object, against `schema`.
pub(super) fn check(schema: Option<&Value>, config: &str) -> Result<(), ConfigError> {
    let one = |message: String| ConfigError {
        problems: vec![ConfigProblem {
            field: String::new(),
            message,
        }],
    };
    if config.len() > CONFIG_BYTES {
        let length = config.len();
        return Err(one(format!(
            "has {length} bytes, at most {CONFIG_BYTES} are allowed"
        )));
    }
    let value: Value =
        serde_json::from_str(config).map_err(|error| one(format!("is not valid JSON: {error}")))?;
    if !value.is_object() {
        return Err(one(format!("must be an object, and is {}", kind(&value))));
    }
    let Some(schema) = schema else { return Ok(()) };
    let mut checker = Checker {
        root: schema,
        steps: STEPS,
        depth: DEPTH,
        patterns: HashMap::new(),
    };
    let mut problems = Vec::new();
    match checker.visit(schema, &value, &At::Root, &mut problems) {
        Ok(()) if problems.is_empty() => Ok(()),
        Ok(()) => {
            problems.truncate(PROBLEMS);
            Err(ConfigError { problems })
        }
        Err(Endless) => Err(one(
            "cannot be checked: the plugin's schema is too intricate for it".to_owned(),
        )),
    }
}

/// The budget is used up.
#[derive(Debug)]
struct Endless;

/// Where in the configuration a check is.
enum At<'a> {
    Root,
    Field(&'a At<'a>, &'a str),
    Entry(&'a At<'a>, usize),
}

impl fmt::Display for At<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Root => Ok(()),
            Self::Field(Self::Root, name) => f.write_str(&crate::host::log::clean(name)),
            Self::Field(at, name) => write!(f, "{at}.{}", crate::host::log::clean(name)),
            Self::Entry(at, index) => write!(f, "{at}[{index}]"),
        }
    }
}

struct Checker<'s> {
    root: &'s Value,
    steps: usize,
    depth: usize,
    patterns: HashMap<&'s str, Option<Regex>>,
}

type Problems = Vec<ConfigProblem>;

fn tell(problems: &mut Problems, at: &At<'_>, message: impl Into<String>) {
    if problems.len() <= PROBLEMS {
        problems.push(ConfigProblem {
            field: at.to_string(),
            message: message.into(),
        });
    }
}

impl<'s> Checker<'s> {
    fn take(&mut self, steps: usize) -> Result<(), Endless> {
        self.steps = self.steps.checked_sub(steps).ok_or(Endless)?;
        Ok(())
    }

    /// Checks `value` against `schema`; adds what is wrong to `problems`.
    fn visit(
        &mut self,
        schema: &'s Value,
        value: &Value,
        at: &At<'_>,
        problems: &mut Problems,
    ) -> Result<(), Endless> {
        self.take(1)?;
        self.depth = self.depth.checked_sub(1).ok_or(Endless)?;
        match schema {
            Value::Bool(false) => tell(problems, at, "is not allowed"),
            Value::Object(schema) => {
                self.value(schema, value, at, problems)?;
                self.structure(schema, value, at, problems)?;
                self.combined(schema, value, at, problems)?;
            }
            _ => {}
        }
        self.depth += 1;
        Ok(())
    }

    /// Tells whether `value` fits, without a word of what is wrong.
    fn fits(&mut self, schema: &'s Value, value: &Value, at: &At<'_>) -> Result<bool, Endless> {
        let mut problems = Vec::new();
        self.visit(schema, value, at, &mut problems)?;
        Ok(problems.is_empty())
    }

    /// Keywords that put schemas together.
    fn combined(
        &mut self,
        schema: &'s Map<String, Value>,
        value: &Value,
        at: &At<'_>,
        problems: &mut Problems,
    ) -> Result<(), Endless> {
        if let Some(Value::String(reference)) = schema.get("$ref") {
            match target(self.root, reference) {
                Some(schema) => self.visit(schema, value, at, problems)?,
                None => tell(
                    problems,
                    at,
                    format!("is described by `{reference}`, which is not there"),
                ),
            }
        }
        for schema in list(schema, "allOf") {
            self.visit(schema, value, at, problems)?;
        }
        self.any_of(list(schema, "anyOf"), value, at, problems)?;
        self.one_of(list(schema, "oneOf"), value, at, problems)?;
        if let Some(not) = schema.get("not")
            && self.fits(not, value, at)?
        {
            tell(problems, at, "has a form that is excluded");
        }
        if let Some(condition) = schema.get("if") {
            let branch = match self.fits(condition, value, at)? {
                true => schema.get("then"),
                false => schema.get("else"),
            };
            if let Some(branch) = branch {
                self.visit(branch, value, at, problems)?;
            }
        }
        Ok(())
    }

    fn any_of(
        &mut self,
        forms: &'s [Value],
        value: &Value,
        at: &At<'_>,
        problems: &mut Problems,
    ) -> Result<(), Endless> {
        let mut first = None;
        for form in forms {
            let mut wrong = Vec::new();
            self.visit(form, value, at, &mut wrong)?;
            match wrong.into_iter().next() {
                None => return Ok(()),
                Some(problem) => first = first.or(Some(problem)),
            }
        }
        if let Some(problem) = first {
            let forms = forms.len();
            tell(
                problems,
                at,
                format!("has none of its {forms} allowed forms; of the first, {problem}"),
            );
        }
        Ok(())
    }

    fn one_of(
        &mut self,
        forms: &'s [Value],
        value: &Value,
        at: &At<'_>,
        problems: &mut Problems,
    ) -> Result<(), Endless> {
        let mut fitting = 0;
        for form in forms {
            fitting += usize::from(self.fits(form, value, at)?);
        }
        match fitting {
            1 => Ok(()),
            0 => self.any_of(forms, value, at, problems),
            more => {
                tell(
                    problems,
                    at,
                    format!("has {more} of its allowed forms at once, and must have one"),
                );
                Ok(())
            }
        }
    }

    /// Tells whether `text` matches; takes steps for its length.
    fn matches(&mut self, pattern: &'s str, text: &str) -> Result<bool, Endless> {
        self.take(1 + text.len() / 8)?;
        let known = self.patterns.entry(pattern);
        let regex = known.or_insert_with(|| compile(pattern).ok());
        Ok(regex.as_ref().is_none_or(|regex| regex.is_match(text)))
    }
}

fn compile(pattern: &str) -> Result<Regex, regex::Error> {
    regex::RegexBuilder::new(pattern)
        .size_limit(PATTERN_BYTES)
        .dfa_size_limit(PATTERN_BYTES)
        .build()
}

/// Returns the schemas of a keyword that is a list of them.
fn list<'s>(schema: &'s Map<String, Value>, keyword: &str) -> &'s [Value] {
    match schema.get(keyword) {
        Some(Value::Array(schemas)) => schemas,
        _ => &[],
    }
}

/// Finds what a reference into the schema itself names: `#`, `#/$defs/name`.
fn target<'s>(root: &'s Value, reference: &str) -> Option<&'s Value> {
    root.pointer(reference.strip_prefix('#')?)
}

#[cfg(test)]
mod tests;
