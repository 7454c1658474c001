//! Where a version of a release stands, in Helm's words.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Where a version of a release stands. What is not known is kept as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub enum Status {
    /// Helm has not said.
    #[default]
    None,
    /// Nobody knows.
    Unknown,
    /// It is what runs.
    Deployed,
    /// It was removed.
    Uninstalled,
    /// A newer version replaced it.
    Superseded,
    /// It did not get there.
    Failed,
    /// It is being removed.
    Uninstalling,
    /// It is being installed.
    PendingInstall,
    /// It is being upgraded to.
    PendingUpgrade,
    /// It is being rolled back to.
    PendingRollback,
    /// A word of another version of Helm.
    Other(String),
}

impl Status {
    const WORDS: [(Self, &'static str); 10] = [
        (Self::None, ""),
        (Self::Unknown, "unknown"),
        (Self::Deployed, "deployed"),
        (Self::Uninstalled, "uninstalled"),
        (Self::Superseded, "superseded"),
        (Self::Failed, "failed"),
        (Self::Uninstalling, "uninstalling"),
        (Self::PendingInstall, "pending-install"),
        (Self::PendingUpgrade, "pending-upgrade"),
        (Self::PendingRollback, "pending-rollback"),
    ];

    /// Returns the word: `pending-install`.
    pub fn as_str(&self) -> &str {
        if let Self::Other(word) = self {
            return word;
        }
        let known = Self::WORDS.iter().find(|(status, _)| status == self);
        known.map_or("", |(_, word)| word)
    }

    /// Whether an action is under way, or was broken off: Helm begins no other then.
    pub fn is_pending(&self) -> bool {
        matches!(
            self,
            Self::PendingInstall | Self::PendingUpgrade | Self::PendingRollback
        )
    }

    pub(super) fn is_none(&self) -> bool {
        *self == Self::None
    }
}

impl From<&str> for Status {
    fn from(word: &str) -> Self {
        let known = Self::WORDS.iter().find(|(_, known)| *known == word);
        known.map_or_else(
            || Self::Other(word.to_owned()),
            |(status, _)| status.clone(),
        )
    }
}

impl fmt::Display for Status {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.as_str())
    }
}

impl Serialize for Status {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for Status {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(String::deserialize(deserializer)?.as_str().into())
    }
}
