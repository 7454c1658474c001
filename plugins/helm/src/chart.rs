//! A chart in memory: its metadata, files, values and subcharts.

use std::rc::Rc;

use bulkhead_template::{Entries, Value};

/// A file of a chart.
#[derive(Clone, Debug)]
pub(crate) struct File {
    /// Path inside the chart.
    pub(crate) name: String,
    pub(crate) data: Rc<[u8]>,
}

/// A chart with all that is in it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Chart {
    pub(crate) metadata: Metadata,
    pub(crate) values: Entries,
    /// Whether there is a values.yaml, or values were imported.
    pub(crate) has_values: bool,
    /// Chart.lock, or requirements.lock.
    pub(crate) lock: Option<Rc<[u8]>>,
    pub(crate) schema: Option<Rc<[u8]>>,
    pub(crate) templates: Vec<File>,
    /// What is neither a template nor known by name.
    pub(crate) files: Vec<File>,
    pub(crate) dependencies: Vec<Chart>,
}

/// What Chart.yaml says.
#[derive(Clone, Debug, Default)]
pub(crate) struct Metadata {
    pub(crate) name: String,
    pub(crate) home: String,
    pub(crate) sources: Vec<String>,
    pub(crate) version: String,
    pub(crate) description: String,
    pub(crate) keywords: Vec<String>,
    pub(crate) maintainers: Vec<[String; 3]>,
    pub(crate) icon: String,
    pub(crate) api_version: String,
    pub(crate) condition: String,
    pub(crate) tags: String,
    pub(crate) app_version: String,
    pub(crate) is_deprecated: bool,
    pub(crate) annotations: Entries,
    pub(crate) kube_version: String,
    pub(crate) dependencies: Vec<Dependency>,
    /// There is a list of dependencies, be it empty.
    pub(crate) lists_dependencies: bool,
    pub(crate) kind: String,
}

/// A chart that another one asks for.
#[derive(Clone, Debug, Default)]
pub(crate) struct Dependency {
    pub(crate) name: String,
    pub(crate) version: String,
    pub(crate) repository: String,
    pub(crate) condition: String,
    pub(crate) tags: Vec<String>,
    pub(crate) is_enabled: bool,
    pub(crate) import_values: Vec<Value>,
    pub(crate) alias: String,
}

impl Chart {
    /// Its name: the alias, where its parent gives it one.
    pub(crate) fn name(&self) -> &str {
        &self.metadata.name
    }

    /// Tells whether it only has definitions for other charts.
    pub(crate) fn is_library(&self) -> bool {
        self.metadata.kind.eq_ignore_ascii_case("library")
    }
}

impl Metadata {
    /// What templates see as `.Chart`.
    pub(crate) fn to_value(&self, is_root: bool) -> Value {
        let strings =
            |items: &[String]| Value::list(items.iter().map(|item| item.as_str().into()).collect());
        let maintainer = |[name, email, url]: &[String; 3]| {
            map([
                ("Name", name.as_str().into()),
                ("Email", email.as_str().into()),
                ("URL", url.as_str().into()),
            ])
        };
        let annotations = Value::Map(bulkhead_template::Map {
            entries: Rc::new(std::cell::RefCell::new(self.annotations.clone())),
            type_name: "map[string]string",
            is_nil: self.annotations.is_empty(),
        });
        map([
            ("Name", self.name.as_str().into()),
            ("Home", self.home.as_str().into()),
            ("Sources", strings(&self.sources)),
            ("Version", self.version.as_str().into()),
            ("Description", self.description.as_str().into()),
            ("Keywords", strings(&self.keywords)),
            (
                "Maintainers",
                Value::list(self.maintainers.iter().map(maintainer).collect()),
            ),
            ("Icon", self.icon.as_str().into()),
            ("APIVersion", self.api_version.as_str().into()),
            ("Condition", self.condition.as_str().into()),
            ("Tags", self.tags.as_str().into()),
            ("AppVersion", self.app_version.as_str().into()),
            ("Deprecated", self.is_deprecated.into()),
            ("Annotations", annotations),
            ("KubeVersion", self.kube_version.as_str().into()),
            (
                "Dependencies",
                Value::list(self.dependencies.iter().map(Dependency::to_value).collect()),
            ),
            ("Type", self.kind.as_str().into()),
            ("IsRoot", is_root.into()),
        ])
    }
}

impl Dependency {
    fn to_value(&self) -> Value {
        let tags = self.tags.iter().map(|tag| tag.as_str().into()).collect();
        map([
            ("Name", self.name.as_str().into()),
            ("Version", self.version.as_str().into()),
            ("Repository", self.repository.as_str().into()),
            ("Condition", self.condition.as_str().into()),
            ("Tags", Value::list(tags)),
            ("Enabled", self.is_enabled.into()),
            ("ImportValues", Value::list(self.import_values.clone())),
            ("Alias", self.alias.as_str().into()),
        ])
    }
}

/// Makes a map of named values.
pub(crate) fn map<const N: usize>(entries: [(&str, Value); N]) -> Value {
    Value::map(
        entries
            .into_iter()
            .map(|(name, value)| (name.into(), value))
            .collect(),
    )
}
