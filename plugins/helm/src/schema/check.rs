//! The keywords of JSON Schema, in the order in which the original checks them.

use std::collections::HashMap;

use bulkhead_template::Value;

use super::format;
use super::parts::{anchor, equal, get, items, not_in_enum, shown, with_id, wrong_type};
use super::unevaluated::Left;
use super::{Misfit, quoted};

/// Deepest chain of schemas in schemas.
const MAX_DEPTH: usize = 200;
/// Most keywords that are looked at: references can multiply.
const MAX_STEPS: usize = 2_000_000;

/// Checks a value; returns what does not fit.
pub(super) fn run(schema: &Value, value: &Value, draft: u32) -> Result<Vec<Misfit>, String> {
    let mut checker = Checker::new(schema, draft);
    Ok(match checker.check(schema, value, "")? {
        None => Vec::new(),
        Some(misfit) if misfit.is_group => misfit.causes,
        Some(misfit) => vec![misfit],
    })
}

pub(super) struct Checker {
    pub(super) root: Value,
    pub(super) draft: u32,
    depth: usize,
    steps: usize,
    patterns: HashMap<String, regex::Regex>,
}

type Checked = Result<Option<Misfit>, String>;

/// What was found of one value by one schema.
pub(super) struct Found<'a> {
    pub(super) at: &'a str,
    pub(super) misfits: Vec<Misfit>,
    /// What no keyword has looked at.
    pub(super) left: Left,
}

impl Found<'_> {
    pub(super) fn tell(&mut self, text: String) {
        self.misfits.push(Misfit::new(self.at, text, Vec::new()));
    }

    pub(super) fn add(&mut self, misfit: Option<Misfit>) {
        self.misfits.extend(misfit);
    }

    fn done(mut self) -> (Option<Misfit>, Left) {
        let misfit = match self.misfits.len() {
            0 => None,
            1 => self.misfits.pop(),
            _ => {
                let mut group = Misfit::new(self.at, "validation failed".to_owned(), self.misfits);
                group.is_group = true;
                Some(group)
            }
        };
        (misfit, self.left)
    }
}

impl Checker {
    pub(super) fn new(schema: &Value, draft: u32) -> Self {
        Self {
            root: schema.clone(),
            draft,
            depth: 0,
            steps: 0,
            patterns: HashMap::new(),
        }
    }

    /// Checks a value that is inside another, or the whole.
    pub(super) fn check(&mut self, schema: &Value, value: &Value, at: &str) -> Checked {
        Ok(self.verdict(schema, value, at, false)?.0)
    }

    /// Checks the same value by another schema, which may look at parts that nobody has looked at.
    pub(super) fn check_same(
        &mut self,
        schema: &Value,
        value: &Value,
        found: &mut Found<'_>,
    ) -> Checked {
        let needs_left = !found.left.is_empty();
        let (misfit, left) = self.verdict(schema, value, found.at, needs_left)?;
        if misfit.is_none() {
            found.left.keep_only(&left);
        }
        Ok(misfit)
    }

    fn verdict(
        &mut self,
        schema: &Value,
        value: &Value,
        at: &str,
        needs_left: bool,
    ) -> Result<(Option<Misfit>, Left), String> {
        self.steps += 1;
        if self.steps > MAX_STEPS {
            return Err(format!(
                "the schema takes more than {MAX_STEPS} steps to check"
            ));
        }
        if self.depth >= MAX_DEPTH {
            return Err(format!("the schema nests deeper than {MAX_DEPTH}"));
        }
        self.depth += 1;
        let left = Left::of(value, schema, self.draft, needs_left);
        let mut found = Found {
            at,
            misfits: Vec::new(),
            left,
        };
        let checked = self.check_inner(schema, value, &mut found);
        self.depth -= 1;
        checked.map(|()| found.done())
    }

    fn check_inner(
        &mut self,
        schema: &Value,
        value: &Value,
        found: &mut Found<'_>,
    ) -> Result<(), String> {
        if let Value::Bool(fits) = schema {
            if !*fits {
                found.tell("false schema".to_owned());
            }
            return Ok(());
        }
        let has_ref = get(schema, "$ref");
        if let (Some(Value::String(target)), true) = (&has_ref, self.draft < 2019) {
            let misfit = self.reference(target, value, found)?;
            found.add(misfit);
            return Ok(());
        }
        if let Some(told) = self.whole(schema, value) {
            found.tell(told);
            return Ok(());
        }
        if let Some(Value::String(target)) = &has_ref {
            let misfit = self.reference(target, value, found)?;
            found.add(misfit);
        }
        match value {
            Value::Map(_) => self.object(schema, value, found)?,
            Value::List(list) => self.array(schema, &list.items, found)?,
            Value::String(text) => self.string(schema, text, found)?,
            Value::Float(_) | Value::Int(..) => self.number(schema, value, found),
            _ => {}
        }
        for (keyword, since) in [("$recursiveRef", 2019), ("$dynamicRef", 2020)] {
            if let (Some(Value::String(target)), true) = (get(schema, keyword), self.draft >= since)
            {
                let misfit = self.reference(&target, value, found)?;
                found.add(misfit);
            }
        }
        self.combined(schema, value, found)?;
        if self.draft >= 2019 {
            self.unevaluated(schema, value, found)?;
        }
        Ok(())
    }

    /// The keywords that look at a value as a whole: nothing else is said where one fails.
    fn whole(&self, schema: &Value, value: &Value) -> Option<String> {
        if let Some(told) = wrong_type(schema, value) {
            return Some(told);
        }
        if let Some(wanted) = get(schema, "const").filter(|_| self.draft >= 6)
            && !equal(&wanted, value)
        {
            return Some(match wanted {
                Value::List(_) | Value::Map(_) => "'const' failed".to_owned(),
                wanted => format!("value must be {}", shown(&wanted)),
            });
        }
        if let Some(told) = not_in_enum(schema, value) {
            return Some(told);
        }
        // Newer drafts take formats for annotations.
        match (get(schema, "format"), value) {
            (Some(Value::String(name)), Value::String(text)) if self.draft < 2019 => {
                let told = format::check(&name, text)?;
                Some(format!("{} is not valid {name}: {told}", quoted(text)))
            }
            _ => None,
        }
    }

    fn reference(&mut self, target: &str, value: &Value, found: &mut Found<'_>) -> Checked {
        if target.starts_with("urn:") {
            return Ok(None);
        }
        let schema = self.resolve(target)?;
        let at = found.at;
        let misfit = self.check_same(&schema, value, found)?;
        Ok(misfit.map(|misfit| {
            let causes = if misfit.is_group {
                misfit.causes
            } else {
                vec![misfit]
            };
            let mut reference = Misfit::new(at, "validation failed".to_owned(), causes);
            reference.is_reference = true;
            reference
        }))
    }

    /// The schema that a reference names, in this document.
    pub(super) fn resolve(&self, target: &str) -> Result<Value, String> {
        let missing = || {
            format!(
                "failing loading \"{target}\": other documents are not fetched: put the schema into `$defs`"
            )
        };
        let (document, pointer) = target.split_once('#').unwrap_or((target, ""));
        let root = match document {
            "" => self.root.clone(),
            document => with_id(&self.root, document, 0).ok_or_else(missing)?,
        };
        let pointer = super::parts::decoded(pointer);
        if !pointer.is_empty() && !pointer.starts_with('/') {
            return anchor(&root, &pointer, 0).ok_or_else(missing);
        }
        let mut found = root;
        for part in pointer.split('/').skip(1) {
            let name = part.replace("~1", "/").replace("~0", "~");
            let next = match &found {
                Value::List(list) => name
                    .parse()
                    .ok()
                    .and_then(|at: usize| list.items.get(at).cloned()),
                other => get(other, &name),
            };
            found = next.ok_or_else(|| {
                format!("json-pointer in \"file:///values.schema.json{target}\" not found")
            })?;
        }
        Ok(found)
    }

    fn combined(
        &mut self,
        schema: &Value,
        value: &Value,
        found: &mut Found<'_>,
    ) -> Result<(), String> {
        if let Some(not) = get(schema, "not")
            && self.check_same(&not, value, found)?.is_none()
        {
            found.tell("'not' failed".to_owned());
        }
        self.all_and_any(schema, value, found)?;
        self.one_of(schema, value, found)?;
        if let Some(condition) = get(schema, "if").filter(|_| self.draft >= 7) {
            let fits = self.check_same(&condition, value, found)?.is_none();
            if let Some(then) = get(schema, if fits { "then" } else { "else" }) {
                let misfit = self.check_same(&then, value, found)?;
                found.add(misfit);
            }
        }
        Ok(())
    }

    fn all_and_any(
        &mut self,
        schema: &Value,
        value: &Value,
        found: &mut Found<'_>,
    ) -> Result<(), String> {
        let mut misfits = Vec::new();
        for option in items(get(schema, "allOf")) {
            misfits.extend(self.check_same(&option, value, found)?);
        }
        if !misfits.is_empty() {
            let told = "'allOf' failed".to_owned();
            found.add(Some(Misfit::new(found.at, told, misfits)));
        }
        let (mut misfits, mut fits) = (Vec::new(), false);
        let options = items(get(schema, "anyOf"));
        for option in &options {
            match self.check_same(option, value, found)? {
                Some(misfit) => misfits.push(misfit),
                None => fits = true,
            }
            // Every schema is asked where it matters which parts they look at.
            if fits && found.left.is_empty() {
                break;
            }
        }
        if !fits && !options.is_empty() {
            let told = "'anyOf' failed".to_owned();
            found.add(Some(Misfit::new(found.at, told, misfits)));
        }
        Ok(())
    }

    fn one_of(
        &mut self,
        schema: &Value,
        value: &Value,
        found: &mut Found<'_>,
    ) -> Result<(), String> {
        let (mut misfits, mut first) = (Vec::new(), None);
        let options = items(get(schema, "oneOf"));
        for (index, option) in options.iter().enumerate() {
            match (self.check_same(option, value, found)?, first) {
                (Some(misfit), None) => misfits.push(misfit),
                (Some(_), Some(_)) => {}
                (None, None) => first = Some(index),
                (None, Some(first)) => {
                    found.tell(format!(
                        "'oneOf' failed, subschemas {first}, {index} matched"
                    ));
                    break;
                }
            }
        }
        if first.is_none() && !options.is_empty() {
            let told = "'oneOf' failed, none matched".to_owned();
            found.add(Some(Misfit::new(found.at, told, misfits)));
        }
        Ok(())
    }

    pub(super) fn pattern(&mut self, pattern: &str) -> Result<&regex::Regex, String> {
        if !self.patterns.contains_key(pattern) {
            let made = crate::functions::compile(pattern)
                .map_err(|told| format!("{} is not valid regex: {told}", quoted(pattern)))?;
            self.patterns.insert(pattern.to_owned(), made);
        }
        self.patterns.get(pattern).ok_or_else(String::new)
    }
}
