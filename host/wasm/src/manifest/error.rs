//! Why a manifest, or a configuration, is not accepted.

use bulkhead_api::{Advice, Retry};

/// Why a manifest is not accepted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ManifestError {
    /// It is longer than manifests are.
    #[error("the plugin's manifest has {bytes} bytes, at most {limit} are allowed")]
    TooLarge {
        /// Its size.
        bytes: usize,
        /// The limit.
        limit: usize,
    },
    /// It is neither YAML nor JSON.
    #[error("the plugin's manifest is not valid YAML or JSON: {0}")]
    Syntax(String),
    /// A field is not there.
    #[error("the plugin's manifest lacks the field `{field}`: {what}")]
    Missing {
        /// The field: `requests.http[0]`.
        field: String,
        /// What it should hold.
        what: &'static str,
    },
    /// A field is there that no manifest has.
    #[error(
        "the plugin's manifest has the field `{field}`, which does not exist; there are {known}"
    )]
    Unknown {
        /// The field.
        field: String,
        /// Those that exist at its place.
        known: String,
    },
    /// A field has a value that it cannot have.
    #[error("the field `{field}` of the plugin's manifest {problem}")]
    Field {
        /// The field.
        field: String,
        /// What is wrong with its value: `is not a list of texts`.
        problem: String,
    },
    /// The component has more than one.
    #[error("the component has {0} manifests")]
    Several(usize),
    /// The component ends in the middle of a section.
    #[error("the component is broken: the section at byte {at} is cut off")]
    Broken {
        /// Where the section starts.
        at: usize,
    },
}

impl ManifestError {
    /// Names the reason, when to try again, and what the user can do.
    pub fn advice(&self) -> Advice {
        let advice = Advice::new("PluginIncompatible", Retry::OnChange);
        match self {
            Self::TooLarge { .. } => advice.hint("shorten the schema of its configuration"),
            Self::Syntax(_) | Self::Missing { .. } | Self::Unknown { .. } | Self::Field { .. } => {
                advice.hint("correct it in `bulkhead-plugin.yaml` and build the plugin again")
            }
            Self::Several(_) => advice.hint("build the plugin again with `bulkhead plugin build`"),
            Self::Broken { .. } => advice.hint("is the file whole? fetch or build it again"),
        }
    }
}

/// A configuration that does not fit the plugin's schema.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the plugin's configuration is not valid: {}", list(problems))]
pub struct ConfigError {
    /// What is wrong; at least one, at most 20.
    pub problems: Vec<ConfigProblem>,
}

/// What is wrong with one field of a configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigProblem {
    /// The field, from the top: `overlay.images[0].newTag`; empty for the whole.
    pub field: String,
    /// What is wrong: `must be a text, and is a number`.
    pub message: String,
}

impl std::fmt::Display for ConfigProblem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.field.as_str() {
            "" => write!(f, "it {}", self.message),
            field => write!(f, "`{field}` {}", self.message),
        }
    }
}

impl ConfigError {
    /// Names the reason, when to try again, and what the user can do.
    pub fn advice(&self) -> Advice {
        Advice::new("InvalidConfig", Retry::OnChange)
            .hint("`bulkhead plugin inspect` shows the configuration that the plugin takes")
    }
}

fn list(problems: &[ConfigProblem]) -> String {
    let texts: Vec<_> = problems.iter().map(ToString::to_string).collect();
    texts.join("; ")
}
