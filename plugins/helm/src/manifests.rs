//! Splits rendered texts into manifests, tells hooks from the rest, and sorts both as Helm installs.

use bulkhead_template::{Map, Value};

use crate::yaml;

/// A rendered object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Manifest {
    /// Template that it comes from: `chart/templates/service.yaml`.
    pub source: String,
    /// The object, as the template wrote it.
    pub text: String,
    /// Its kind; empty if it names none.
    pub kind: String,
    /// Its `metadata.name`.
    pub name: String,
    /// What makes it a hook.
    pub hook: Option<Hook>,
}

/// When a hook runs, and what becomes of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Hook {
    /// `pre-install`, `test` and the like.
    pub events: Vec<String>,
    /// Lower runs earlier.
    pub weight: i64,
    /// `hook-succeeded`, `before-hook-creation` and the like.
    pub delete_policies: Vec<String>,
}

const EVENTS: [(&str, &str); 10] = [
    ("pre-install", "pre-install"),
    ("post-install", "post-install"),
    ("pre-delete", "pre-delete"),
    ("post-delete", "post-delete"),
    ("pre-upgrade", "pre-upgrade"),
    ("post-upgrade", "post-upgrade"),
    ("pre-rollback", "pre-rollback"),
    ("post-rollback", "post-rollback"),
    ("test", "test"),
    ("test-success", "test"),
];

const INSTALL_ORDER: [&str; 38] = [
    "PriorityClass",
    "Namespace",
    "NetworkPolicy",
    "ResourceQuota",
    "LimitRange",
    "PodSecurityPolicy",
    "PodDisruptionBudget",
    "ServiceAccount",
    "Secret",
    "SecretList",
    "ConfigMap",
    "StorageClass",
    "PersistentVolume",
    "PersistentVolumeClaim",
    "CustomResourceDefinition",
    "ClusterRole",
    "ClusterRoleList",
    "ClusterRoleBinding",
    "ClusterRoleBindingList",
    "Role",
    "RoleList",
    "RoleBinding",
    "RoleBindingList",
    "Service",
    "DaemonSet",
    "Pod",
    "ReplicationController",
    "ReplicaSet",
    "Deployment",
    "HorizontalPodAutoscaler",
    "StatefulSet",
    "Job",
    "CronJob",
    "IngressClass",
    "Ingress",
    "APIService",
    "MutatingWebhookConfiguration",
    "ValidatingWebhookConfiguration",
];

/// Sorts the texts of templates into manifests and hooks, each in the order of installation.
pub(crate) fn sort(
    files: &[(String, String)],
    warnings: &mut Vec<String>,
) -> Result<(Vec<Manifest>, Vec<Manifest>), String> {
    let mut files: Vec<&(String, String)> = files.iter().collect();
    files.sort();
    let (mut manifests, mut hooks) = (Vec::new(), Vec::new());
    for (path, text) in files {
        let name = path.rsplit('/').next().unwrap_or(path);
        if name.starts_with('_') || text.trim().is_empty() {
            continue;
        }
        for document in split(text) {
            let head = Head::read(document)
                .map_err(|error| format!("YAML parse error on {path}: {error}"))?;
            let hook = match head.hook() {
                None => None,
                Some(Ok(hook)) => Some(hook),
                Some(Err(unknown)) => {
                    warnings.push(format!(
                        "skipped a manifest of {path}: unknown hook {unknown:?}"
                    ));
                    continue;
                }
            };
            let list = if hook.is_some() {
                &mut hooks
            } else {
                &mut manifests
            };
            list.push(Manifest {
                source: path.clone(),
                text: document.to_owned(),
                kind: head.kind,
                name: head.name,
                hook,
            });
        }
    }
    manifests.sort_by(order);
    hooks.sort_by(order);
    Ok((manifests, hooks))
}

fn order(one: &Manifest, other: &Manifest) -> std::cmp::Ordering {
    let rank = |kind: &str| INSTALL_ORDER.iter().position(|known| *known == kind);
    match (rank(&one.kind), rank(&other.kind)) {
        (None, None) => one.kind.cmp(&other.kind),
        (None, Some(_)) => std::cmp::Ordering::Greater,
        (Some(_), None) => std::cmp::Ordering::Less,
        (Some(a), Some(b)) => a.cmp(&b),
    }
}

/// Splits a text where lines begin with `---`; what follows it on the line stays.
pub(crate) fn split(text: &str) -> Vec<&str> {
    let text = text.trim_start();
    let mut found = Vec::new();
    let mut start = 0;
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        if let Some(rest) = line.strip_prefix("---") {
            found.push(&text[start..at]);
            let blank = rest.len() - rest.trim_start_matches([' ', '\t']).len();
            start = at + 3 + blank;
        }
        at += line.len();
    }
    found.push(&text[start..]);
    found
        .into_iter()
        .map(str::trim_start)
        .filter(|document| !document.is_empty())
        .collect()
}

/// What Helm reads of a manifest.
struct Head {
    kind: String,
    name: String,
    annotations: Option<Map>,
}

impl Head {
    fn read(text: &str) -> Result<Self, String> {
        let mut head = Self {
            kind: String::new(),
            name: String::new(),
            annotations: None,
        };
        let map = match yaml::parse_fields(text, &["apiVersion", "kind", "metadata"])? {
            Value::Nil => return Ok(head),
            Value::Map(map) => map,
            other => return Err(yaml::wrong_type(&other, "util.SimpleHead")),
        };
        let get = |map: &Map, key: &str| {
            let entries = map.entries.borrow();
            let exact = entries.get(key).cloned();
            exact.or_else(|| {
                let mut others = entries.iter();
                others
                    .find(|(known, _)| known.eq_ignore_ascii_case(key))
                    .map(|(_, value)| value.clone())
            })
        };
        let field = |value: &Value, path: &str, wanted: &str| {
            let told = yaml::wrong_type(value, wanted);
            told.replace(
                "Go value of type",
                &format!("Go struct field SimpleHead.{path} of type"),
            )
        };
        let text = |value: Option<Value>, path: &str| match value {
            None => Ok(String::new()),
            Some(value) => yaml::field_text(&value).ok_or_else(|| field(&value, path, "string")),
        };
        text(get(&map, "apiVersion"), "apiVersion")?;
        head.kind = text(get(&map, "kind"), "kind")?;
        let metadata = match get(&map, "metadata") {
            None | Some(Value::Nil) => return Ok(head),
            Some(Value::Map(metadata)) => metadata,
            Some(other) => {
                let shape = "struct { Name string \"json:\\\"name\\\"\"; Annotations map[string]string \"json:\\\"annotations\\\"\" }";
                return Err(field(&other, "metadata", shape));
            }
        };
        head.name = text(get(&metadata, "name"), "metadata.name")?;
        head.annotations = match get(&metadata, "annotations") {
            None | Some(Value::Nil) => None,
            Some(Value::Map(annotations)) => {
                for value in annotations.entries.borrow().values() {
                    text(Some(value.clone()), "metadata.annotations")?;
                }
                Some(annotations)
            }
            Some(other) => return Err(field(&other, "metadata.annotations", "map[string]string")),
        };
        Ok(head)
    }

    fn annotation(&self, name: &str) -> Option<String> {
        let annotations = self.annotations.as_ref()?;
        let value = annotations.entries.borrow().get(name).cloned()?;
        yaml::field_text(&value)
    }

    /// Reads what makes it a hook; an error is an event that there is not.
    fn hook(&self) -> Option<Result<Hook, String>> {
        let types = self.annotation("helm.sh/hook")?;
        let mut hook = Hook::default();
        for event in types.split(',') {
            let event = event.trim().to_lowercase();
            match EVENTS.iter().find(|(known, _)| *known == event) {
                Some((_, name)) => hook.events.push((*name).to_owned()),
                None => return Some(Err(event)),
            }
        }
        let weight = self.annotation("helm.sh/hook-weight").unwrap_or_default();
        hook.weight = weight.parse().unwrap_or(0);
        if let Some(policies) = self.annotation("helm.sh/hook-delete-policy") {
            hook.delete_policies = policies
                .split(',')
                .map(|policy| policy.trim().to_lowercase())
                .collect();
        }
        Some(Ok(hook))
    }
}
