//! What a Provider means to a notifier: its class, and its settings without secrets.

use bulkhead_api::notification::ProviderSpec;
use serde::Serialize;

use crate::secrets::Secrets;

/// What sort of service a provider's type is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// Messages for people; every type that is none of the others.
    Chat,
    /// Forwards events as they are.
    Generic,
    /// Shows a status on a commit.
    CommitStatus,
    /// Comments on a change request.
    ChangeRequest,
}

impl Class {
    /// Returns the class of a type.
    ///
    /// # Source
    /// `isCommitStatusProvider`, `isChangeRequestProvider`, `isGenericProvider` in
    /// notification-controller `internal/server`.
    pub fn of(kind: &str) -> Self {
        match kind {
            "generic" | "generic-hmac" => Self::Generic,
            "github" | "gitlab" | "gitea" | "bitbucketserver" | "bitbucket" | "azuredevops" => {
                Self::CommitStatus
            }
            "githubpullrequestcomment"
            | "gitlabmergerequestcomment"
            | "giteapullrequestcomment" => Self::ChangeRequest,
            _ => Self::Chat,
        }
    }
}

/// The configuration that a notifier gets: what the Provider says, and which secrets there are, by
/// name alone.
#[derive(Serialize)]
struct Config<'a> {
    #[serde(rename = "type")]
    kind: &'a str,
    channel: &'a str,
    username: &'a str,
    secrets: Vec<&'a str>,
}

/// Writes the configuration as one JSON object.
pub fn config(provider: &ProviderSpec, secrets: &Secrets) -> String {
    let config = Config {
        kind: &provider.type_,
        channel: provider.channel.as_deref().unwrap_or_default(),
        username: provider.username.as_deref().unwrap_or_default(),
        secrets: secrets.names().collect(),
    };
    serde_json::to_string(&config).unwrap_or_else(|_| "{}".to_owned())
}

/// Writes what the Provider says itself, where it says something: what a notifier's schema is about.
pub fn settings(provider: &ProviderSpec) -> String {
    let fields = [
        ("channel", &provider.channel),
        ("username", &provider.username),
    ];
    let said = fields.into_iter().filter_map(|(name, value)| {
        let value = value.as_deref().filter(|value| !value.is_empty())?;
        Some((name.to_owned(), serde_json::Value::from(value)))
    });
    serde_json::Value::Object(said.collect()).to_string()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may")]
    use super::*;
    use std::collections::BTreeMap;

    #[test]
    fn secrets_are_named_never_shown() {
        let mut provider = ProviderSpec::new("slack");
        provider.channel = Some("general".to_owned());
        provider.address = Some("https://hooks.example.com/canary".to_owned());
        let data = BTreeMap::from([("token".to_owned(), b"canary".to_vec())]);
        let secrets = Secrets::new(&provider, Some(&data)).unwrap();
        assert_eq!(
            config(&provider, &secrets),
            r#"{"type":"slack","channel":"general","username":"","secrets":["address","token"]}"#
        );
    }
}
