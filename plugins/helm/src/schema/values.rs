//! The keywords that look at one kind of value: objects, lists, texts and numbers.

use bulkhead_template::Value;

use super::check::{Checker, Found};
use super::parts::{below, entries, equal, get, items, joined, missing, number, plain};
use super::{Misfit, quoted};

impl Checker {
    pub(super) fn object(
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
        for (keyword, since) in [
            ("dependencies", 4),
            ("dependentSchemas", 2019),
            ("dependentRequired", 2019),
        ] {
            if self.draft < since {
                continue;
            }
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
                    let misfit = self.check_same(&dependency, value, found)?;
                    found.add(misfit);
                }
            }
        }
        self.members(schema, &members, found)?;
        if let Some(names) = get(schema, "propertyNames").filter(|_| self.draft >= 6) {
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
                None => {}
                Some(Value::Bool(is_allowed)) => {
                    is_known = true;
                    if !is_allowed {
                        unwanted.push(name.clone());
                    }
                }
                Some(additional) => {
                    is_known = true;
                    let misfit = self.check(additional, member, &at)?;
                    found.add(misfit);
                }
            }
            if is_known {
                found.left.members.remove(name);
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

    pub(super) fn array(
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
        if self.draft >= 6
            && let Some(contains) = get(schema, "contains")
        {
            self.contains(schema, &contains, list, found)?;
        }
        Ok(())
    }

    fn contains(
        &mut self,
        schema: &Value,
        contains: &Value,
        list: &[Value],
        found: &mut Found<'_>,
    ) -> Result<(), String> {
        let (mut matched, mut misfits) = (Vec::new(), Vec::new());
        for (index, item) in list.iter().enumerate() {
            let at = below(found.at, &index.to_string());
            match self.check(contains, item, &at)? {
                Some(misfit) => misfits.push(misfit),
                None => {
                    matched.push(index);
                    if self.draft >= 2020 {
                        found.left.items.remove(&index);
                    }
                }
            }
        }
        let limit = |keyword: &str| {
            let limit = get(schema, keyword).filter(|_| self.draft >= 2019);
            limit.and_then(|limit| number(&limit))
        };
        let indexes: Vec<String> = matched.iter().map(usize::to_string).collect();
        let (count, indexes) = (matched.len(), indexes.join(" "));
        let told = match limit("minContains") {
            Some(least) if (count as f64) < least && count == 0 => Some(format!(
                "min {} items required to match contains schema, but none matched",
                plain(least)
            )),
            Some(least) if (count as f64) < least => Some(format!(
                "min {} items required to match contains schema, but matched {count} items at {indexes}",
                plain(least)
            )),
            None if count == 0 => Some("no items match contains schema".to_owned()),
            _ => None,
        };
        if let Some(told) = told {
            found.add(Some(Misfit::new(found.at, told, misfits)));
        }
        if let Some(most) = limit("maxContains")
            && count as f64 > most
        {
            found.tell(format!(
                "max {} items required to match contains schema, but matched {count} items at {indexes}",
                plain(most)
            ));
        }
        Ok(())
    }

    pub(super) fn string(
        &mut self,
        schema: &Value,
        text: &str,
        found: &mut Found<'_>,
    ) -> Result<(), String> {
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

    pub(super) fn number(&self, schema: &Value, value: &Value, found: &mut Found<'_>) {
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
}
