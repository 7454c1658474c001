//! The settings of a Provider that a message depends on.

use bulkhead_plugin::notify::Error;
use serde::Deserialize;

/// The Provider's settings without its secrets.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Config {
    /// Channel to post to; empty where the address implies it.
    pub channel: String,
    /// Name to post under; empty for the reporting controller's.
    pub username: String,
    /// Names of the secrets that there are.
    pub secrets: Vec<String>,
}

impl Config {
    /// Reads the configuration; unknown fields are ignored.
    ///
    /// # Errors
    /// [`Error::InvalidConfig`] names the field that has the wrong type.
    pub fn parse(text: &str) -> Result<Self, Error> {
        serde_json::from_str(text).map_err(|error| Error::InvalidConfig(error.to_string()))
    }

    /// Tells whether the Provider has a secret of this name.
    pub fn has_secret(&self, name: &str) -> bool {
        self.secrets.iter().any(|secret| secret == name)
    }
}
