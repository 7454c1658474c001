//! What `Chart.yaml` says, and an entry of an index with it.
//!
//! In: a value of YAML or JSON. Out: the same fields as Helm knows, cleaned as Helm cleans them, and
//! judged by Helm's rules. What Helm does not know is dropped, as Helm drops it.
//!
//! Source: helm 4.3, pkg/chart/v2/{metadata,dependency}.go.

use serde_json::{Map, Value, json};

use super::fields::{Fields, Format};
use super::{gojson, version};

/// What `Chart.yaml` says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Metadata {
    /// Name of the chart.
    pub name: String,
    /// A page about it.
    pub home: String,
    /// Where its source is.
    pub sources: Vec<String>,
    /// Its version.
    pub version: String,
    /// One sentence about it.
    pub description: String,
    /// Words to find it by.
    pub keywords: Vec<String>,
    /// Who cares for it.
    pub maintainers: Vec<Maintainer>,
    /// URL of an icon.
    pub icon: String,
    /// `v1` or `v2`.
    pub api_version: String,
    /// Condition that enables it.
    pub condition: String,
    /// Tags that enable it.
    pub tags: String,
    /// Version of what it deploys.
    pub app_version: String,
    /// Whether it should no longer be used.
    pub deprecated: bool,
    /// Notes, sorted by name.
    pub annotations: Vec<(String, String)>,
    /// Versions of Kubernetes that it runs on.
    pub kube_version: String,
    /// Charts that it needs.
    pub dependencies: Vec<Dependency>,
    /// Empty, `application` or `library`.
    pub kind: String,
}

/// Someone who cares for a chart.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Maintainer {
    /// Name.
    pub name: String,
    /// E-mail address.
    pub email: String,
    /// Web page.
    pub url: String,
}

/// A chart that another needs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Dependency {
    /// Its name.
    pub name: String,
    /// Version or range.
    pub version: String,
    /// Where it is: `https://…`, `oci://…`, `file://…`, or empty for a folder in `charts/`.
    pub repository: String,
    /// Value that enables it.
    pub condition: String,
    /// Tags that enable it.
    pub tags: Vec<String>,
    /// Set by Helm while it works; read and written as it is.
    pub enabled: bool,
    /// Values that are taken from it, as they are written.
    pub import_values: Vec<Value>,
    /// Another name for it.
    pub alias: String,
}

impl Dependency {
    /// Returns the name that its chart has in `charts/`: the alias, or its own.
    pub fn local_name(&self) -> &str {
        if self.alias.is_empty() {
            &self.name
        } else {
            &self.alias
        }
    }
}

/// Why metadata is not valid.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// It says what no chart may say.
    Invalid(String),
    /// Two dependencies have one name: some repositories lose aliases, and Helm forgives it there.
    Twice(String),
}

impl Fault {
    pub(super) fn text(self) -> String {
        match self {
            Self::Invalid(text) | Self::Twice(text) => text,
        }
    }
}

const FIELDS: [&str; 17] = [
    "name",
    "home",
    "sources",
    "version",
    "description",
    "keywords",
    "maintainers",
    "icon",
    "apiVersion",
    "condition",
    "tags",
    "appVersion",
    "deprecated",
    "annotations",
    "kubeVersion",
    "dependencies",
    "type",
];
const MAINTAINER_FIELDS: [&str; 3] = ["name", "email", "url"];
const DEPENDENCY_FIELDS: [&str; 8] = [
    "name",
    "version",
    "repository",
    "condition",
    "tags",
    "enabled",
    "import-values",
    "alias",
];

/// Finds items of nothing in the lists of `value`, which Helm does not take.
pub(super) fn check_items(value: &Value) -> Result<(), Fault> {
    for list in ["maintainers", "dependencies"] {
        let items = value.get(list).and_then(Value::as_array);
        if items.is_some_and(|items| items.iter().any(Value::is_null)) {
            return Err(Fault::Invalid(format!("`{list}` has an empty item")));
        }
    }
    Ok(())
}

/// Refuses what Helm's strict reader refuses: fields that neither a chart nor `more` has.
pub(super) fn check_known(value: &Value, format: Format, more: &[&str]) -> Result<(), String> {
    let fields = Fields::of(value, format, "it")?;
    fields.only(&[&FIELDS, more].concat())?;
    for (list, known) in [
        ("maintainers", &MAINTAINER_FIELDS[..]),
        ("dependencies", &DEPENDENCY_FIELDS[..]),
    ] {
        for item in fields.list(list)?.unwrap_or_default() {
            Fields::of(item, format, list)?.only(known)?;
        }
    }
    Ok(())
}

impl Metadata {
    /// Reads the fields; those of a `requirements.yaml` are read over those of a `Chart.yaml`.
    pub(super) fn read(value: &Value, format: Format) -> Result<Self, String> {
        let fields = Fields::of(value, format, "it")?;
        let texts = |name| fields.texts(name).map(Option::unwrap_or_default);
        let maintainers = fields.list("maintainers")?.unwrap_or_default();
        let dependencies = fields.list("dependencies")?.unwrap_or_default();
        Ok(Self {
            name: fields.text("name")?,
            home: fields.text("home")?,
            sources: texts("sources")?,
            version: fields.text("version")?,
            description: fields.text("description")?,
            keywords: texts("keywords")?,
            maintainers: maintainers
                .iter()
                .map(|value| Maintainer::read(value, format))
                .collect::<Result<_, _>>()?,
            icon: fields.text("icon")?,
            api_version: fields.text("apiVersion")?,
            condition: fields.text("condition")?,
            tags: fields.text("tags")?,
            app_version: fields.text("appVersion")?,
            deprecated: fields.flag("deprecated")?,
            annotations: fields.text_map("annotations")?,
            kube_version: fields.text("kubeVersion")?,
            dependencies: dependencies
                .iter()
                .map(|value| Dependency::read(value, format))
                .collect::<Result<_, _>>()?,
            kind: fields.text("type")?,
        })
    }

    /// Cleans the texts and judges them. Cleaned is what comes before the first fault.
    pub(super) fn check(&mut self) -> Result<(), Fault> {
        for text in [
            &mut self.name,
            &mut self.description,
            &mut self.home,
            &mut self.icon,
            &mut self.condition,
            &mut self.tags,
            &mut self.app_version,
            &mut self.kube_version,
        ] {
            sanitize(text);
        }
        self.sources.iter_mut().for_each(sanitize);
        self.keywords.iter_mut().for_each(sanitize);
        let invalid = |text: &str| Err(Fault::Invalid(text.to_owned()));
        if self.api_version.is_empty() {
            return invalid("`apiVersion` is missing");
        }
        if self.name.is_empty() {
            return invalid("`name` is missing");
        }
        if matches!(self.name.as_str(), "." | "..") || self.name.contains('/') {
            return invalid(&format!("`{}` cannot be its name", self.name));
        }
        if self.version.is_empty() {
            return invalid("`version` is missing");
        }
        if version::parse(&self.version).is_none() {
            let problem = format!("`{}` is not a semantic version", self.version);
            return invalid(&problem);
        }
        if !matches!(self.kind.as_str(), "" | "application" | "library") {
            return invalid("`type` must be `application` or `library`");
        }
        for maintainer in &mut self.maintainers {
            sanitize(&mut maintainer.name);
            sanitize(&mut maintainer.email);
            sanitize(&mut maintainer.url);
        }
        check_dependencies(&mut self.dependencies)
    }

    /// Returns the fields in Helm's order, those that are empty left out.
    pub(super) fn to_value(&self) -> Map<String, Value> {
        let mut map = Map::new();
        put(&mut map, "name", &self.name);
        put(&mut map, "home", &self.home);
        put_all(&mut map, "sources", &self.sources);
        put(&mut map, "version", &self.version);
        put(&mut map, "description", &self.description);
        put_all(&mut map, "keywords", &self.keywords);
        if !self.maintainers.is_empty() {
            let all = self.maintainers.iter().map(Maintainer::to_value);
            map.insert("maintainers".to_owned(), all.collect());
        }
        put(&mut map, "icon", &self.icon);
        put(&mut map, "apiVersion", &self.api_version);
        put(&mut map, "condition", &self.condition);
        put(&mut map, "tags", &self.tags);
        put(&mut map, "appVersion", &self.app_version);
        if self.deprecated {
            map.insert("deprecated".to_owned(), json!(true));
        }
        if !self.annotations.is_empty() {
            let texts = self.annotations.iter().cloned();
            let all = texts.map(|(key, text)| (key, Value::String(text)));
            map.insert("annotations".to_owned(), Value::Object(all.collect()));
        }
        put(&mut map, "kubeVersion", &self.kube_version);
        if !self.dependencies.is_empty() {
            let all = self.dependencies.iter().map(Dependency::to_value);
            map.insert("dependencies".to_owned(), all.collect());
        }
        put(&mut map, "type", &self.kind);
        map
    }
}

/// Adds a text that is not empty.
pub(super) fn put(map: &mut Map<String, Value>, name: &str, text: &str) {
    if !text.is_empty() {
        map.insert(name.to_owned(), json!(text));
    }
}

fn put_all(map: &mut Map<String, Value>, name: &str, texts: &[String]) {
    if !texts.is_empty() {
        map.insert(name.to_owned(), json!(texts));
    }
}

impl Maintainer {
    fn read(value: &Value, format: Format) -> Result<Self, String> {
        let fields = Fields::of(value, format, "a maintainer")?;
        Ok(Self {
            name: fields.text("name")?,
            email: fields.text("email")?,
            url: fields.text("url")?,
        })
    }

    fn to_value(&self) -> Value {
        let mut map = Map::new();
        put(&mut map, "name", &self.name);
        put(&mut map, "email", &self.email);
        put(&mut map, "url", &self.url);
        Value::Object(map)
    }
}

impl Dependency {
    pub(super) fn read(value: &Value, format: Format) -> Result<Self, String> {
        let fields = Fields::of(value, format, "a dependency")?;
        Ok(Self {
            name: fields.text("name")?,
            version: fields.text("version")?,
            repository: fields.text("repository")?,
            condition: fields.text("condition")?,
            tags: fields.texts("tags")?.unwrap_or_default(),
            enabled: fields.flag("enabled")?,
            import_values: fields.list("import-values")?.unwrap_or_default().to_vec(),
            alias: fields.text("alias")?,
        })
    }

    pub(super) fn to_value(&self) -> Value {
        let mut map = Map::new();
        map.insert("name".to_owned(), json!(self.name));
        put(&mut map, "version", &self.version);
        map.insert("repository".to_owned(), json!(self.repository));
        put(&mut map, "condition", &self.condition);
        put_all(&mut map, "tags", &self.tags);
        if self.enabled {
            map.insert("enabled".to_owned(), json!(true));
        }
        if !self.import_values.is_empty() {
            let all = self.import_values.iter().map(gojson::sorted);
            map.insert("import-values".to_owned(), all.collect());
        }
        put(&mut map, "alias", &self.alias);
        Value::Object(map)
    }
}

fn check_dependencies(dependencies: &mut [Dependency]) -> Result<(), Fault> {
    let mut names: Vec<String> = Vec::new();
    for dependency in dependencies {
        sanitize(&mut dependency.name);
        sanitize(&mut dependency.version);
        sanitize(&mut dependency.repository);
        sanitize(&mut dependency.condition);
        dependency.tags.iter_mut().for_each(sanitize);
        let is_plain = |alias: &str| {
            alias
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'))
        };
        if !is_plain(&dependency.alias) {
            return Err(Fault::Invalid(format!(
                "the alias of dependency `{}` may have letters, digits, `_` and `-` alone",
                dependency.name
            )));
        }
        let name = dependency.local_name().to_owned();
        if names.contains(&name) {
            return Err(Fault::Twice(format!(
                "more than one dependency is called `{name}`"
            )));
        }
        names.push(name);
    }
    Ok(())
}

/// Makes any space one blank, and drops what cannot be printed.
fn sanitize(text: &mut String) {
    if text.bytes().all(|byte| matches!(byte, b' '..=b'~')) {
        return;
    }
    *text = text
        .chars()
        .filter_map(|char| match char {
            char if char.is_whitespace() => Some(' '),
            char if is_printable(char) => Some(char),
            _ => None,
        })
        .collect();
}

/// Whether Go prints a character: letters, marks, numbers, punctuation and symbols.
fn is_printable(char: char) -> bool {
    // Rust's own table for debugging is the same, but escapes what combines at the start of a text.
    let shown = format!("a{char}").escape_debug().to_string();
    !shown.starts_with("a\\u{") && !char.is_control()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may")]

    use super::*;

    fn checked(value: &Value) -> Result<Metadata, Fault> {
        let mut metadata = Metadata::read(value, Format::Yaml).map_err(Fault::Invalid)?;
        metadata.check().map(|()| metadata)
    }

    #[test]
    fn what_no_chart_may_say_is_refused() {
        let chart = |name: &str, version: &str| json!({ "apiVersion": "v2", "name": name, "version": version });
        assert!(checked(&chart("a", "1.0")).is_ok());
        for (name, version) in [
            ("../../x", "1.0.0"),
            (".", "1.0.0"),
            ("..", "1.0.0"),
            ("a/b", "1.0.0"),
            ("", "1.0.0"),
            ("a", ""),
            ("a", "one"),
        ] {
            assert!(checked(&chart(name, version)).is_err(), "{name} {version}");
        }
        let mut alias = chart("a", "1.0.0");
        alias["dependencies"] = json!([{ "name": "b", "alias": "../x" }]);
        assert!(matches!(checked(&alias), Err(Fault::Invalid(_))));
        alias["dependencies"] = json!([{ "name": "b" }, { "name": "c", "alias": "b" }]);
        assert!(matches!(checked(&alias), Err(Fault::Twice(_))));
        for wrong in [json!([]), json!("x"), json!({ "name": [] })] {
            assert!(checked(&wrong).is_err(), "{wrong}");
        }
    }

    // Helm 4.3 reads it so; in an index it refuses the same.
    #[test]
    fn numbers_are_texts_where_texts_are_wanted() {
        let value = json!({
            "apiVersion": "v2", "name": "a", "version": 1.2, "keywords": [1, true],
            "maintainers": [{ "name": 5 }],
            "dependencies": [{ "name": "x", "version": 1, "tags": [1], "alias": 7 }],
        });
        let metadata = checked(&value).unwrap();
        assert_eq!(metadata.version, "1.2");
        assert_eq!(metadata.keywords, ["1", "true"]);
        assert_eq!(metadata.maintainers[0].name, "5");
        assert_eq!(metadata.dependencies[0].version, "1");
        assert!(Metadata::read(&value, Format::Json).is_err());
    }

    #[test]
    fn texts_are_cleaned_as_in_helm() {
        let value = json!({
            "apiVersion": "v2", "name": "a\u{1b}[31m", "version": "1.0.0",
            "description": "a\tb\u{a0}c\u{200b}d\u{301}é\u{e000}😀",
        });
        let metadata = checked(&value).unwrap();
        assert_eq!(metadata.name, "a[31m");
        assert_eq!(metadata.description, "a b cd\u{301}é😀");
    }
}
