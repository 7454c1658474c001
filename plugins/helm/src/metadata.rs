//! Reads Chart.yaml and requirements.yaml, and checks what they say, in Helm's words.

use std::path::Path;

use bulkhead_template::quote::quote;
use bulkhead_template::{Entries, Value};

use crate::chart::{Dependency, Metadata};
use crate::semver::Version;
use crate::yaml;

/// Reads a text over what is known already.
pub(crate) fn read(text: &str, metadata: &mut Metadata) -> Result<(), String> {
    let value = yaml::parse_typed(text)?;
    let entries = match value {
        Value::Nil => return Ok(()),
        Value::Map(map) => yaml::take(map),
        other => return Err(yaml::wrong_type(&other, "v2.Metadata")),
    };
    let fields = Fields {
        entries: &entries,
        owner: "Metadata",
    };
    fields.text("name", &mut metadata.name)?;
    fields.text("home", &mut metadata.home)?;
    fields.texts("sources", &mut metadata.sources)?;
    fields.text("version", &mut metadata.version)?;
    fields.text("description", &mut metadata.description)?;
    fields.texts("keywords", &mut metadata.keywords)?;
    fields.text("icon", &mut metadata.icon)?;
    fields.text("apiVersion", &mut metadata.api_version)?;
    fields.text("condition", &mut metadata.condition)?;
    fields.text("tags", &mut metadata.tags)?;
    fields.text("appVersion", &mut metadata.app_version)?;
    fields.boolean("deprecated", &mut metadata.is_deprecated)?;
    fields.text("kubeVersion", &mut metadata.kube_version)?;
    fields.text("type", &mut metadata.kind)?;
    if let Some(Value::Map(map)) = fields.get("annotations") {
        for (key, value) in map.entries.borrow().iter() {
            let text = yaml::field_text(value);
            let text = text.ok_or_else(|| fields.wrong("annotations", value, "string"))?;
            metadata.annotations.insert(key.clone(), text.into());
        }
    }
    if let Some(items) = fields.list("maintainers", "[]*v2.Maintainer")? {
        metadata.maintainers = items.iter().map(maintainer).collect::<Result<_, _>>()?;
    }
    if let Some(dependencies) = dependencies(&entries)? {
        metadata.dependencies = dependencies;
        metadata.lists_dependencies = true;
    }
    Ok(())
}

/// Reads the list `dependencies` of Chart.yaml or a lock.
pub(crate) fn dependencies(entries: &Entries) -> Result<Option<Vec<Dependency>>, String> {
    let fields = Fields {
        entries,
        owner: "Metadata",
    };
    match fields.list("dependencies", "[]*v2.Dependency")? {
        Some(items) => items
            .iter()
            .map(dependency)
            .collect::<Result<_, _>>()
            .map(Some),
        None => Ok(None),
    }
}

/// The fields of a struct, found as encoding/json finds them.
struct Fields<'a> {
    entries: &'a Entries,
    owner: &'static str,
}

impl<'a> Fields<'a> {
    fn get(&self, name: &str) -> Option<&'a Value> {
        let exact = self.entries.get(name);
        exact.or_else(|| {
            let mut others = self.entries.iter();
            others
                .find(|(key, _)| key.eq_ignore_ascii_case(name))
                .map(|(_, value)| value)
        })
    }

    fn wrong(&self, name: &str, value: &Value, wanted: &str) -> String {
        let told = yaml::cannot_unmarshal(value, wanted);
        let field = format!("Go struct field {}.{name} of type", self.owner);
        format!(
            "error unmarshaling JSON: while decoding JSON: {}",
            told.replace("Go value of type", &field)
        )
    }

    fn text(&self, name: &str, slot: &mut String) -> Result<(), String> {
        match self.get(name) {
            None | Some(Value::Nil) => {}
            Some(value) => {
                let text = yaml::field_text(value);
                *slot = text.ok_or_else(|| self.wrong(name, value, "string"))?;
            }
        }
        Ok(())
    }

    fn boolean(&self, name: &str, slot: &mut bool) -> Result<(), String> {
        match self.get(name) {
            None | Some(Value::Nil) => {}
            Some(Value::Bool(value)) => *slot = *value,
            Some(other) => return Err(self.wrong(name, other, "bool")),
        }
        Ok(())
    }

    fn list(&self, name: &str, wanted: &str) -> Result<Option<&'a [Value]>, String> {
        match self.get(name) {
            None | Some(Value::Nil) => Ok(None),
            Some(Value::List(list)) => Ok(Some(&list.items)),
            Some(other) => Err(self.wrong(name, other, wanted)),
        }
    }

    fn texts(&self, name: &str, slot: &mut Vec<String>) -> Result<(), String> {
        let Some(items) = self.list(name, "[]string")? else {
            return Ok(());
        };
        slot.clear();
        for item in items {
            let text = yaml::field_text(item);
            slot.push(text.ok_or_else(|| self.wrong(name, item, "string"))?);
        }
        Ok(())
    }
}

fn maintainer(value: &Value) -> Result<[String; 3], String> {
    let Value::Map(map) = value else {
        return Err("validation: maintainers must not contain empty or null nodes".to_owned());
    };
    let entries = map.entries.borrow();
    let fields = Fields {
        entries: &entries,
        owner: "Metadata.maintainers",
    };
    let mut found: [String; 3] = Default::default();
    for (name, slot) in ["name", "email", "url"].into_iter().zip(&mut found) {
        fields.text(name, slot)?;
    }
    Ok(found)
}

fn dependency(value: &Value) -> Result<Dependency, String> {
    let Value::Map(map) = value else {
        return Err("validation: dependencies must not contain empty or null nodes".to_owned());
    };
    let entries = map.entries.borrow();
    let fields = Fields {
        entries: &entries,
        owner: "Metadata.dependencies",
    };
    let mut found = Dependency::default();
    fields.text("name", &mut found.name)?;
    fields.text("version", &mut found.version)?;
    fields.text("repository", &mut found.repository)?;
    fields.text("condition", &mut found.condition)?;
    fields.texts("tags", &mut found.tags)?;
    fields.boolean("enabled", &mut found.is_enabled)?;
    fields.text("alias", &mut found.alias)?;
    if let Some(items) = fields.list("import-values", "[]interface {}")? {
        found.import_values = items.to_vec();
    }
    Ok(found)
}

/// Cleans texts and checks them all.
pub(crate) fn validate(metadata: &mut Metadata) -> Result<(), String> {
    check(metadata).map_err(|told| format!("validation: {told}"))
}

fn check(metadata: &mut Metadata) -> Result<(), String> {
    for text in [
        &mut metadata.name,
        &mut metadata.description,
        &mut metadata.home,
        &mut metadata.icon,
        &mut metadata.condition,
        &mut metadata.tags,
        &mut metadata.app_version,
        &mut metadata.kube_version,
    ] {
        clean(text);
    }
    metadata
        .sources
        .iter_mut()
        .chain(&mut metadata.keywords)
        .for_each(clean);
    let name = &metadata.name;
    if metadata.api_version.is_empty() {
        return Err("chart.metadata.apiVersion is required".to_owned());
    }
    if name.is_empty() {
        return Err("chart.metadata.name is required".to_owned());
    }
    if name == "." || name == ".." {
        return Err(format!(
            "chart.metadata.name {} is not allowed",
            quote(name)
        ));
    }
    if Path::new(name).file_name().and_then(|base| base.to_str()) != Some(name) {
        return Err(format!("chart.metadata.name {} is invalid", quote(name)));
    }
    if metadata.version.is_empty() {
        return Err("chart.metadata.version is required".to_owned());
    }
    if Version::parse(&metadata.version).is_err() {
        return Err(format!(
            "chart.metadata.version {} is invalid",
            quote(&metadata.version)
        ));
    }
    if !matches!(metadata.kind.as_str(), "" | "application" | "library") {
        return Err("chart.metadata.type must be application or library".to_owned());
    }
    metadata.maintainers.iter_mut().flatten().for_each(clean);
    check_dependencies(&mut metadata.dependencies)
}

fn check_dependencies(dependencies: &mut [Dependency]) -> Result<(), String> {
    let mut seen = std::collections::HashSet::new();
    for dependency in dependencies {
        clean(&mut dependency.name);
        clean(&mut dependency.version);
        clean(&mut dependency.repository);
        clean(&mut dependency.condition);
        dependency.tags.iter_mut().for_each(clean);
        let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
        if !dependency.alias.chars().all(is_plain) {
            return Err(format!(
                "dependency {} has disallowed characters in the alias",
                quote(&dependency.name)
            ));
        }
        let key = if dependency.alias.is_empty() {
            &dependency.name
        } else {
            &dependency.alias
        };
        if !seen.insert(key.clone()) {
            return Err(format!(
                "more than one dependency with name or alias {}",
                quote(key)
            ));
        }
    }
    Ok(())
}

/// Turns white space into spaces and drops what cannot be printed.
fn clean(text: &mut String) {
    if text.chars().all(|c| c == ' ' || c.is_ascii_graphic()) {
        return;
    }
    *text = text
        .chars()
        .map(|c| if c.is_whitespace() { ' ' } else { c })
        .filter(|c| bulkhead_template::quote::is_print(*c))
        .collect();
}
