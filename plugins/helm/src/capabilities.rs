//! What templates see of the cluster and of Helm: `.Capabilities`.

use std::rc::Rc;

use bulkhead_template::{List, Object, Param, Plain, Value};

/// A struct without methods, or with few.
#[derive(Debug)]
pub(crate) struct Struct {
    type_name: &'static str,
    kind: &'static str,
    fields: Vec<(&'static str, Value)>,
    /// Names in JSON, where they are not those of the fields.
    json: Option<Vec<(&'static str, Value)>>,
    /// How it prints, where it has a say.
    text: String,
}

impl Object for Struct {
    fn type_name(&self) -> &str {
        self.type_name
    }

    fn kind(&self) -> &str {
        self.kind
    }

    fn field(&self, name: &str) -> Option<Value> {
        self.fields
            .iter()
            .find(|(known, _)| *known == name)
            .map(|(_, value)| value.clone())
    }

    fn method(&self, name: &str) -> Option<&'static [Param]> {
        let has = self.type_name == "common.KubeVersion" && matches!(name, "String" | "GitVersion");
        has.then_some(&[])
    }

    fn call(&self, name: &str, _: &[Value]) -> Result<Value, String> {
        match name {
            "String" => Ok(self.text.as_str().into()),
            _ => Ok(self.field("Version").unwrap_or(Value::Nil)),
        }
    }

    fn as_any(&self) -> &dyn std::any::Any {
        self
    }

    fn print(&self) -> String {
        if self.type_name == "common.KubeVersion" {
            let text = |name| {
                self.field(name)
                    .map_or_else(String::new, |value| bulkhead_template::format::text(&value))
            };
            return format!(
                "{{{} {} {} {}}}",
                text("Version"),
                self.text,
                text("Major"),
                text("Minor")
            );
        }
        self.text.clone()
    }

    fn shown(&self) -> String {
        match self.type_name {
            "common.KubeVersion" => self.text.clone(),
            _ => self.print().trim_start_matches('&').to_owned(),
        }
    }

    fn is_stringer(&self) -> bool {
        false
    }

    fn parts(&self) -> Option<Vec<(&'static str, Value)>> {
        let mut parts = self.fields.clone();
        if self.type_name == "common.KubeVersion" {
            parts.insert(1, ("normalizedVersion", self.text.as_str().into()));
        }
        Some(parts)
    }

    fn go_fields(&self) -> Option<Vec<(&'static str, Value)>> {
        Some(self.fields.clone())
    }

    fn plain(&self) -> Plain {
        Plain::Struct(self.json.clone().unwrap_or_else(|| self.fields.clone()))
    }
}

/// `.Capabilities.APIVersions`.
#[derive(Debug)]
struct VersionSet(Rc<Vec<Value>>);

impl Object for VersionSet {
    fn type_name(&self) -> &str {
        "common.VersionSet"
    }

    fn kind(&self) -> &str {
        "slice"
    }

    fn field(&self, _: &str) -> Option<Value> {
        None
    }

    fn method(&self, name: &str) -> Option<&'static [Param]> {
        (name == "Has").then_some(&[Param::String])
    }

    fn call(&self, _: &str, arguments: &[Value]) -> Result<Value, String> {
        let wanted = arguments
            .first()
            .and_then(Value::as_str)
            .unwrap_or_default();
        Ok(self
            .0
            .iter()
            .any(|known| known.as_str() == Some(wanted))
            .into())
    }

    fn entries(&self) -> Option<Vec<(Value, Value)>> {
        let entry = |(index, value): (usize, &Value)| (Value::int(index as i64), value.clone());
        Some(self.0.iter().enumerate().map(entry).collect())
    }

    fn as_any(&self) -> &dyn std::any::Any {
        self
    }

    fn truth(&self) -> bool {
        !self.0.is_empty()
    }

    fn is_stringer(&self) -> bool {
        false
    }

    fn print(&self) -> String {
        bulkhead_template::format::text(&self.list())
    }

    fn plain(&self) -> Plain {
        Plain::Value(self.list())
    }
}

impl VersionSet {
    fn list(&self) -> Value {
        Value::List(List {
            items: self.0.clone(),
            element: "string",
            is_nil: false,
        })
    }
}

/// A version of Kubernetes: as given, as compared, and its first two numbers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct KubeVersion {
    pub(crate) version: String,
    pub(crate) normalized: String,
    major: String,
    minor: String,
}

impl KubeVersion {
    /// Reads `v1.31.0`, `1.31`, `v1.33.4-gke.1245000`.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let bad = || {
            format!(
                "could not parse {} as version",
                bulkhead_template::quote::quote(text)
            )
        };
        let bare = text.trim().strip_prefix('v').unwrap_or(text.trim());
        let end = bare
            .find(|c: char| !(c.is_ascii_digit() || c == '.'))
            .unwrap_or(bare.len());
        let core = bare[..end].trim_end_matches('.');
        let parts: Vec<&str> = core.split('.').collect();
        let numbers: Option<Vec<u64>> = parts.iter().map(|part| part.parse().ok()).collect();
        let numbers = numbers
            .filter(|numbers| numbers.len() >= 2)
            .ok_or_else(bad)?;
        let core: Vec<String> = numbers.iter().map(u64::to_string).collect();
        let version = if text.starts_with('v') {
            text.to_owned()
        } else {
            format!("v{text}")
        };
        Ok(Self {
            version,
            normalized: format!("v{}", core.join(".")),
            major: core[0].clone(),
            minor: core[1].clone(),
        })
    }
}

/// Makes `.Capabilities`.
pub(crate) fn capabilities(kube: &KubeVersion, api_versions: &[String]) -> Value {
    let all = API_VERSIONS.iter().map(|version| Value::from(*version));
    let all = all.chain(api_versions.iter().map(|version| version.as_str().into()));
    let versions = Value::Object(Rc::new(VersionSet(Rc::new(all.collect()))));
    let object = |made: Struct| Value::Object(Rc::new(made));
    let kube_version = object(Struct {
        type_name: "common.KubeVersion",
        kind: "struct",
        fields: vec![
            ("Version", kube.version.as_str().into()),
            ("Major", kube.major.as_str().into()),
            ("Minor", kube.minor.as_str().into()),
        ],
        json: None,
        text: kube.normalized.clone(),
    });
    let helm_version = object(Struct {
        type_name: "version.BuildInfo",
        kind: "struct",
        fields: vec![
            ("Version", HELM_VERSION.into()),
            ("GitCommit", "".into()),
            ("GitTreeState", "".into()),
            ("GoVersion", GO_VERSION.into()),
            ("KubeClientVersion", CLIENT_VERSION.into()),
        ],
        json: Some(vec![
            ("version", HELM_VERSION.into()),
            ("go_version", GO_VERSION.into()),
            ("kube_client_version", CLIENT_VERSION.into()),
        ]),
        text: format!("{{{HELM_VERSION}   {GO_VERSION} {CLIENT_VERSION}}}"),
    });
    let parts = [&kube_version, &versions, &helm_version].map(bulkhead_template::format::text);
    let text = format!("&{{{}}}", parts.join(" "));
    let fields = vec![
        ("KubeVersion", kube_version),
        ("APIVersions", versions),
        ("HelmVersion", helm_version),
    ];
    object(Struct {
        type_name: "*common.Capabilities",
        kind: "ptr",
        fields,
        json: None,
        text,
    })
}

/// The Helm whose behaviour this is.
const HELM_VERSION: &str = "v4.3";
const GO_VERSION: &str = "go1.26.8";
const CLIENT_VERSION: &str = "v1.37";

/// The version of Kubernetes that Helm renders for, if it is told none.
pub(crate) const DEFAULT_KUBE_VERSION: &str = "v1.37.0";

/// What Helm takes a cluster to serve, if it is told nothing.
const API_VERSIONS: &[&str] = &[
    "v1",
    "admissionregistration.k8s.io/v1",
    "admissionregistration.k8s.io/v1alpha1",
    "admissionregistration.k8s.io/v1beta1",
    "internal.apiserver.k8s.io/v1alpha1",
    "apps/v1",
    "apps/v1beta1",
    "apps/v1beta2",
    "authentication.k8s.io/v1",
    "authentication.k8s.io/v1alpha1",
    "authentication.k8s.io/v1beta1",
    "authorization.k8s.io/v1",
    "authorization.k8s.io/v1beta1",
    "autoscaling/v1",
    "autoscaling/v2",
    "batch/v1",
    "batch/v1beta1",
    "certificates.k8s.io/v1",
    "certificates.k8s.io/v1beta1",
    "certificates.k8s.io/v1alpha1",
    "coordination.k8s.io/v1alpha2",
    "coordination.k8s.io/v1beta1",
    "coordination.k8s.io/v1",
    "discovery.k8s.io/v1",
    "discovery.k8s.io/v1beta1",
    "events.k8s.io/v1",
    "events.k8s.io/v1beta1",
    "extensions/v1beta1",
    "flowcontrol.apiserver.k8s.io/v1",
    "flowcontrol.apiserver.k8s.io/v1beta1",
    "flowcontrol.apiserver.k8s.io/v1beta2",
    "flowcontrol.apiserver.k8s.io/v1beta3",
    "lifecycle.k8s.io/v1alpha1",
    "networking.k8s.io/v1",
    "networking.k8s.io/v1beta1",
    "node.k8s.io/v1",
    "node.k8s.io/v1alpha1",
    "node.k8s.io/v1beta1",
    "policy/v1",
    "policy/v1beta1",
    "rbac.authorization.k8s.io/v1",
    "rbac.authorization.k8s.io/v1beta1",
    "rbac.authorization.k8s.io/v1alpha1",
    "resource.k8s.io/v1",
    "resource.k8s.io/v1beta2",
    "resource.k8s.io/v1beta1",
    "resource.k8s.io/v1alpha3",
    "scheduling.k8s.io/v1alpha3",
    "scheduling.k8s.io/v1beta1",
    "scheduling.k8s.io/v1",
    "storage.k8s.io/v1beta1",
    "storage.k8s.io/v1",
    "storage.k8s.io/v1alpha1",
    "storagemigration.k8s.io/v1",
    "storagemigration.k8s.io/v1beta1",
    "apiextensions.k8s.io/v1beta1",
    "apiextensions.k8s.io/v1",
];
