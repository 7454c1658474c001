//! What a render is asked for, beside the chart.

use bulkhead_template::{Entries, Limits};

use crate::functions::Lookup;
use crate::load::{load_values, merge_maps};
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
    /// Single values over those, in Helm's order of kinds.
    pub sets: Vec<Set>,
    /// Version of Kubernetes to render for; without one, Helm's own.
    pub kube_version: Option<String>,
    /// What the cluster serves besides what every one does.
    pub api_versions: Vec<String>,
    /// Whether what is in `crds/` comes first.
    pub include_crds: bool,
    /// Whether `.Release.IsUpgrade` is true.
    pub is_upgrade: bool,
    /// Number of the release. Default: 1.
    pub revision: i64,
    /// Whether values.schema.json is left alone.
    pub skip_schema: bool,
    /// Where random functions start.
    pub seed: [u8; 32],
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
            sets: Vec::new(),
            kube_version: None,
            api_versions: Vec::new(),
            include_crds: false,
            is_upgrade: false,
            revision: 1,
            skip_schema: false,
            seed: [0; 32],
            now: 0,
            lookup: None,
            limits: Limits::default(),
        }
    }
}

impl Options {
    /// Puts all values together.
    pub(crate) fn merged_values(&self) -> Result<Entries, String> {
        let mut values = Entries::new();
        for one in &self.values {
            let read = load_values(&one.text)
                .map_err(|error| format!("failed to parse {}: {error}", one.name))?;
            values = merge_maps(values, read);
        }
        for kind in [
            SetKind::Json,
            SetKind::Typed,
            SetKind::Text,
            SetKind::Literal,
        ] {
            for set in self.sets.iter().filter(|set| set.kind == kind) {
                parse_into(&set.text, kind, &mut values)?;
            }
        }
        Ok(values)
    }
}
