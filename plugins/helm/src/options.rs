//! What a render is asked for, beside the chart.

use bulkhead_template::{Entries, Limits};

use crate::functions::Lookup;
use crate::load::{load_values, merge_maps};
use crate::secrets::Secrets;
use crate::strvals::{SetKind, parse_into};

/// A text of values, with the name of where it comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Values {
    /// File or input, for messages.
    pub name: String,
    /// YAML.
    pub text: String,
}

/// One `--set` or one of its kin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Set {
    /// How its texts are read.
    pub kind: SetKind,
    /// `a.b=c`.
    pub text: String,
}

/// What `helm template` takes as flags.
#[derive(Clone, Debug)]
pub struct Options {
    /// Name of the release. Default: `release-name`.
    pub name: String,
    /// Namespace of the release. Default: `default`.
    pub namespace: String,
    /// Values, the later over the earlier.
    pub values: Vec<Values>,
    /// What stands in place of the chart's own values.yaml; subcharts keep theirs.
    pub default_values: Option<Values>,
    /// Single values over those, in Helm's order of kinds.
    pub sets: Vec<Set>,
    /// Version of Kubernetes to render for; without one, Helm's own.
    pub kube_version: Option<String>,
    /// What the cluster serves besides what every one does.
    pub api_versions: Vec<String>,
    /// Whether what a release stores of the chart is asked for.
    pub is_stored: bool,
    /// Whether what is in `crds/` comes first.
    pub include_crds: bool,
    /// Whether `.Release.IsUpgrade` is true.
    pub is_upgrade: bool,
    /// Number of the release. Default: 1.
    pub revision: i64,
    /// Whether values.schema.json is left alone.
    pub skip_schema: bool,
    /// What `--set-file` names, by name.
    pub set_files: Vec<(String, Vec<u8>)>,
    /// Names of those `values` that came from Secrets: no message shows what is in them.
    pub secret_values: Vec<String>,
    /// Further texts that no message shows.
    pub secret_texts: Vec<String>,
    /// What `now` tells: nanoseconds since 1970.
    pub now: i128,
    /// Answers `lookup`; without it, nothing is found.
    pub lookup: Option<Lookup>,
    /// Bounds of all templates together.
    pub limits: Limits,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            name: "release-name".to_owned(),
            namespace: "default".to_owned(),
            values: Vec::new(),
            default_values: None,
            sets: Vec::new(),
            kube_version: None,
            api_versions: Vec::new(),
            is_stored: false,
            include_crds: false,
            is_upgrade: false,
            revision: 1,
            skip_schema: false,
            set_files: Vec::new(),
            secret_values: Vec::new(),
            secret_texts: Vec::new(),
            now: 0,
            lookup: None,
            limits: Limits::default(),
        }
    }
}

impl Options {
    /// Puts all values together, and learns which of them are secret.
    pub(crate) fn merged_values(&self, secrets: &Secrets) -> Result<Entries, String> {
        for text in &self.secret_texts {
            secrets.learn_text(text);
            text.split(['=', ',', '{', '}', '"'])
                .for_each(|part| secrets.learn_text(part));
        }
        let mut values = Entries::new();
        for one in &self.values {
            values = merge_maps(values, self.read_values(one, secrets)?);
        }
        let read = |name: &str| self.set_file(name);
        for kind in [
            SetKind::Json,
            SetKind::Typed,
            SetKind::Text,
            SetKind::File,
            SetKind::Literal,
        ] {
            for set in self.sets.iter().filter(|set| set.kind == kind) {
                parse_into(&set.text, kind, &read, &mut values)?;
            }
        }
        Ok(values)
    }

    /// Reads values, and learns them where they are secret.
    pub(crate) fn read_values(&self, one: &Values, secrets: &Secrets) -> Result<Entries, String> {
        let is_secret = self.secret_values.contains(&one.name);
        let read = load_values(&one.text).map_err(|error| {
            let error = if is_secret { hidden(&error) } else { error };
            format!("failed to parse {}: {error}", one.name)
        })?;
        if is_secret {
            read.values().for_each(|value| secrets.learn(value));
        }
        Ok(read)
    }

    fn set_file(&self, name: &str) -> Result<String, String> {
        let found = self.set_files.iter().find(|(known, _)| known == name);
        found
            .map(|(_, data)| bulkhead_template::bytes::to_text(data).into_owned())
            .ok_or_else(|| format!("open {name}: no such file or directory"))
    }
}

/// Says where a secret text is wrong, and not what stands there.
fn hidden(error: &str) -> String {
    let line = error.split_once("line ").map(|(_, rest)| rest);
    let line = line.map(|rest| rest.split(|c: char| !c.is_ascii_digit()).next());
    match line.flatten().filter(|digits| !digits.is_empty()) {
        Some(line) => format!("line {line} is not as it should be; not shown, since it is secret"),
        None => "it is no map of values; not shown, since it is secret".to_owned(),
    }
}
