//! The keywords of JSON Schema, in the order in which the original checks them.

use std::collections::HashMap;

use bulkhead_template::Value;

use super::parts::{
    anchor, below, entries, equal, get, items, joined, missing, not_in_enum, number, plain, shown,
    wrong_type,
};
use super::{Misfit, quoted};

/// Deepest chain of schemas in schemas.
const MAX_DEPTH: usize = 200;
/// Most keywords that are looked at: references can multiply.
const MAX_STEPS: usize = 2_000_000;

/// Checks a value; returns what does not fit.
pub(super) fn run(schema: &Value, value: &Value) -> Result<Vec<Misfit>, String> {
    let draft = get(schema, "$schema").map_or(2020, |draft| draft_of(&draft));
    let mut checker = Checker {
        root: schema.clone(),
        draft,
        depth: 0,
        steps: 0,
        patterns: HashMap::new(),
    };
    Ok(match checker.check(schema, value, "")? {
        None => Vec::new(),
        Some(misfit) if misfit.is_group => misfit.causes,
        Some(misfit) => vec![misfit],
    })
}

fn draft_of(schema: &Value) -> u32 {
    let url = schema.as_str().unwrap_or_default();
    [
        ("draft-04", 4),
        ("draft-06", 6),
        ("draft-07", 7),
        ("2019-09", 2019),
    ]
    .iter()
    .find(|(name, _)| url.contains(name))
    .map_or(2020, |(_, draft)| *draft)
}

struct Checker {
    root: Value,
    draft: u32,
    depth: usize,
    steps: usize,
    patterns: HashMap<String, regex::Regex>,
}

type Checked = Result<Option<Misfit>, String>;

struct Found<'a> {
    at: &'a str,
    misfits: Vec<Misfit>,
}

impl Found<'_> {
    fn tell(&mut self, text: String) {
        self.misfits.push(Misfit::new(self.at, text, Vec::new()));
    }

    fn add(&mut self, misfit: Option<Misfit>) {
        self.misfits.extend(misfit);
    }

    fn done(mut self) -> Option<Misfit> {
        match self.misfits.len() {
            0 => None,
            1 => self.misfits.pop(),
            _ => {
                let mut group = Misfit::new(self.at, "validation failed".to_owned(), self.misfits);
                group.is_group = true;
                Some(group)
            }
        }
    }
}

impl Checker {
    fn check(&mut self, schema: &Value, value: &Value, at: &str) -> Checked {
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
        let checked = self.check_inner(schema, value, at);
        self.depth -= 1;
        checked
    }

    fn check_inner(&mut self, schema: &Value, value: &Value, at: &str) -> Checked {
        let one = |text: String| Ok(Some(Misfit::new(at, text, Vec::new())));
        if let Value::Bool(fits) = schema {
            return if *fits {
                Ok(None)
            } else {
                one("false schema".to_owned())
            };
        }
        let has_ref = get(schema, "$ref");
        if let (Some(Value::String(target)), true) = (&has_ref, self.draft < 2019) {
            return self.reference(target, value, at);
        }
        if let Some(told) = wrong_type(schema, value) {
            return one(told);
        }
        if let Some(wanted) = get(schema, "const")
            && !equal(&wanted, value)
        {
            return one(match wanted {
                Value::List(_) | Value::Map(_) => "'const' failed".to_owned(),
                wanted => format!("value must be {}", shown(&wanted)),
            });
        }
        if let Some(told) = not_in_enum(schema, value) {
            return one(told);
        }
        let mut found = Found {
            at,
            misfits: Vec::new(),
        };
        if let Some(Value::String(target)) = &has_ref {
            let misfit = self.reference(target, value, at)?;
            found.add(misfit);
        }
        match value {
            Value::Map(_) => self.object(schema, value, &mut found)?,
            Value::List(list) => self.array(schema, &list.items, &mut found)?,
            Value::String(text) => self.string(schema, text, &mut found)?,
            Value::Float(_) | Value::Int(..) => self.number(schema, value, &mut found),
            _ => {}
        }
        self.combined(schema, value, &mut found)?;
        Ok(found.done())
    }

    fn reference(&mut self, target: &str, value: &Value, at: &str) -> Checked {
        if target.starts_with("urn:") {
            return Ok(None);
        }
        let schema = self.resolve(target)?;
        let misfit = self.check(&schema, value, at)?;
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

    fn resolve(&self, target: &str) -> Result<Value, String> {
        let missing = || {
            format!(
                "failing loading \"{target}\": other documents are not fetched: put the schema into `$defs`"
            )
        };
        let pointer = target.strip_prefix('#').ok_or_else(missing)?;
        let mut found = self.root.clone();
        if !pointer.is_empty() && !pointer.starts_with('/') {
            return anchor(&self.root, pointer, 0).ok_or_else(missing);
        }
        for part in pointer.split('/').skip(1) {
            let name = part
                .replace("~1", "/")
                .replace("~0", "~")
                .replace("%25", "%");
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

    fn object(
        &mut self,
        schema: &Value,
        value: &Value,
        found: &mut Found<'_>,
    ) -> Result<(), String> {
        let members = entries(Some(value.clone()));
        let count = members.len() as f64;
        for (keyword, fails) in [
            (
                "minProperties",
                (|count, limit| count < limit) as fn(f64, f64) -> bool,
            ),
            ("maxProperties", |count, limit| count > limit),
        ] {
            if let Some(limit) = get(schema, keyword).and_then(|limit| number(&limit))
                && fails(count, limit)
            {
                found.tell(format!(
                    "{keyword}: got {}, want {}",
                    plain(count),
                    plain(limit)
                ));
            }
        }
        let missing = missing(value, get(schema, "required"));
        match missing.as_slice() {
            [] => {}
            [one] => found.tell(format!("missing property {}", quoted(one))),
            several => found.tell(format!("missing properties {}", joined(several))),
        }
        for keyword in ["dependencies", "dependentSchemas", "dependentRequired"] {
            for (name, dependency) in entries(get(schema, keyword)) {
                if get(value, &name).is_none() {
                    continue;
                }
                if let Value::List(_) = dependency {
                    let missing = self::missing(value, Some(dependency));
                    if !missing.is_empty() {
                        found.tell(format!(
                            "properties {} required, if {} exists",
                            joined(&missing),
                            quoted(&name)
                        ));
                    }
                } else {
                    let misfit = self.check(&dependency, value, found.at)?;
                    found.add(misfit);
                }
            }
        }
        self.members(schema, &members, found)?;
        if let Some(names) = get(schema, "propertyNames") {
            for (name, _) in &members {
                if let Some(misfit) = self.check(&names, &name.as_str().into(), found.at)? {
                    let causes = if misfit.is_group {
                        misfit.causes
                    } else {
                        vec![misfit]
                    };
                    let told = format!("invalid propertyName {}", quoted(name));
                    found.misfits.push(Misfit::new(found.at, told, causes));
                }
            }
        }
        Ok(())
    }

    fn members(
        &mut self,
        schema: &Value,
        members: &[(String, Value)],
        found: &mut Found<'_>,
    ) -> Result<(), String> {
        let properties = get(schema, "properties");
        let patterns = entries(get(schema, "patternProperties"));
        let additional = get(schema, "additionalProperties");
        let mut unwanted = Vec::new();
        for (name, member) in members {
            let at = below(found.at, name);
            let mut is_known = false;
            if let Some(property) = properties.as_ref().and_then(|known| get(known, name)) {
                is_known = true;
                let misfit = self.check(&property, member, &at)?;
                found.add(misfit);
            }
            for (pattern, property) in &patterns {
                if self.pattern(pattern)?.is_match(name) {
                    is_known = true;
                    let misfit = self.check(property, member, &at)?;
                    found.add(misfit);
                }
            }
            match &additional {
                _ if is_known => {}
                None | Some(Value::Bool(true)) => {}
                Some(Value::Bool(false)) => unwanted.push(name.clone()),
                Some(additional) => {
                    let misfit = self.check(additional, member, &at)?;
                    found.add(misfit);
                }
            }
        }
        if !unwanted.is_empty() {
            found.tell(format!(
                "additional properties {} not allowed",
                joined(&unwanted)
            ));
        }
        Ok(())
    }

    fn array(
        &mut self,
        schema: &Value,
        list: &[Value],
        found: &mut Found<'_>,
    ) -> Result<(), String> {
        let count = list.len();
        let limit = |keyword: &str| get(schema, keyword).and_then(|limit| number(&limit));
        if let Some(least) = limit("minItems")
            && (count as f64) < least
        {
            found.tell(format!(
                "minItems: got {}, want {}",
                plain(count as f64),
                plain(least)
            ));
        }
        if let Some(most) = limit("maxItems")
            && count as f64 > most
        {
            found.tell(format!(
                "maxItems: got {}, want {}",
                plain(count as f64),
                plain(most)
            ));
        }
        if matches!(get(schema, "uniqueItems"), Some(Value::Bool(true))) {
            let twins = (0..count.min(2_000))
                .find_map(|b| (0..b).find(|a| equal(&list[*a], &list[b])).map(|a| (a, b)));
            if let Some((a, b)) = twins {
                found.tell(format!("items at {a} and {b} are equal"));
            }
        }
        let (heads, rest) = match (get(schema, "items"), self.draft < 2020) {
            (Some(Value::List(heads)), true) => {
                (heads.items.to_vec(), get(schema, "additionalItems"))
            }
            (rest, true) => (Vec::new(), rest),
            (rest, false) => (items(get(schema, "prefixItems")), rest),
        };
        for (index, item) in list.iter().enumerate() {
            let at = below(found.at, &index.to_string());
            match (heads.get(index), &rest) {
                (Some(head), _) => {
                    let misfit = self.check(head, item, &at)?;
                    found.add(misfit);
                }
                (None, Some(Value::Bool(false))) if self.draft < 2020 => {
                    found.tell(format!(
                        "last {} additionalItem(s) not allowed",
                        count - heads.len()
                    ));
                    break;
                }
                (None, Some(rest)) => {
                    let misfit = self.check(rest, item, &at)?;
                    found.add(misfit);
                }
                (None, None) => {}
            }
        }
        if let Some(contains) = get(schema, "contains") {
            let mut matched = 0;
            for item in list {
                matched += usize::from(self.check(&contains, item, found.at)?.is_none());
            }
            if matched == 0 && limit("minContains") != Some(0.0) {
                found.tell("no items match contains schema".to_owned());
            }
        }
        Ok(())
    }

    fn string(&mut self, schema: &Value, text: &str, found: &mut Found<'_>) -> Result<(), String> {
        let count = text.chars().count();
        let limit = |keyword: &str| get(schema, keyword).and_then(|limit| number(&limit));
        if let Some(least) = limit("minLength")
            && (count as f64) < least
        {
            found.tell(format!(
                "minLength: got {}, want {}",
                plain(count as f64),
                plain(least)
            ));
        }
        if let Some(most) = limit("maxLength")
            && count as f64 > most
        {
            found.tell(format!(
                "maxLength: got {}, want {}",
                plain(count as f64),
                plain(most)
            ));
        }
        if let Some(Value::String(pattern)) = get(schema, "pattern")
            && !self.pattern(&pattern)?.is_match(text)
        {
            found.tell(format!(
                "{} does not match pattern {}",
                quoted(text),
                quoted(&pattern)
            ));
        }
        Ok(())
    }

    fn pattern(&mut self, pattern: &str) -> Result<&regex::Regex, String> {
        if !self.patterns.contains_key(pattern) {
            let made = crate::functions::compile(pattern)
                .map_err(|told| format!("{} is not valid regex: {told}", quoted(pattern)))?;
            self.patterns.insert(pattern.to_owned(), made);
        }
        self.patterns.get(pattern).ok_or_else(String::new)
    }

    fn number(&self, schema: &Value, value: &Value, found: &mut Found<'_>) {
        let got = number(value).unwrap_or_default();
        let legacy = |keyword: &str| matches!(get(schema, keyword), Some(Value::Bool(true)));
        for (keyword, fails) in [
            ("minimum", (|got, want| got < want) as fn(f64, f64) -> bool),
            ("maximum", |got, want| got > want),
            ("exclusiveMinimum", |got, want| got <= want),
            ("exclusiveMaximum", |got, want| got >= want),
            ("multipleOf", |got, want| {
                want != 0.0 && ((got / want).round() * want - got).abs() > 1e-9
            }),
        ] {
            let Some(want) = get(schema, keyword).and_then(|want| number(&want)) else {
                continue;
            };
            let is_exclusive = (keyword == "minimum" && legacy("exclusiveMinimum"))
                || (keyword == "maximum" && legacy("exclusiveMaximum"));
            if fails(got, want) || (is_exclusive && got == want) {
                found.tell(format!(
                    "{keyword}: got {}, want {}",
                    plain(got),
                    plain(want)
                ));
            }
        }
    }

    fn combined(
        &mut self,
        schema: &Value,
        value: &Value,
        found: &mut Found<'_>,
    ) -> Result<(), String> {
        if let Some(not) = get(schema, "not")
            && self.check(&not, value, found.at)?.is_none()
        {
            found.tell("'not' failed".to_owned());
        }
        let tried =
            |checker: &mut Self, keyword: &str| -> Result<(Vec<usize>, Vec<Misfit>), String> {
                let (mut fits, mut misfits) = (Vec::new(), Vec::new());
                for (index, option) in items(get(schema, keyword)).iter().enumerate() {
                    match checker.check(option, value, found.at)? {
                        None => fits.push(index),
                        Some(misfit) => misfits.push(misfit),
                    }
                }
                Ok((fits, misfits))
            };
        let (_, all) = tried(self, "allOf")?;
        let (any, none_of_any) = tried(self, "anyOf")?;
        let (one, none_of_one) = tried(self, "oneOf")?;
        let at = found.at;
        if !all.is_empty() {
            found
                .misfits
                .push(Misfit::new(at, "'allOf' failed".to_owned(), all));
        }
        if any.is_empty() && !none_of_any.is_empty() {
            found
                .misfits
                .push(Misfit::new(at, "'anyOf' failed".to_owned(), none_of_any));
        }
        match one.as_slice() {
            [] if !none_of_one.is_empty() => {
                let told = "'oneOf' failed, none matched".to_owned();
                found.misfits.push(Misfit::new(at, told, none_of_one));
            }
            [a, b, ..] => found.tell(format!("'oneOf' failed, subschemas {a}, {b} matched")),
            _ => {}
        }
        if let Some(condition) = get(schema, "if") {
            let fits = self.check(&condition, value, found.at)?.is_none();
            if let Some(then) = get(schema, if fits { "then" } else { "else" }) {
                let misfit = self.check(&then, value, found.at)?;
                found.add(misfit);
            }
        }
        Ok(())
    }
}
