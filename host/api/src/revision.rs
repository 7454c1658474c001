//! Revisions of sources, written as Flux 2.9 writes them: `main@sha1:<hex>`, `sha1:<hex>`,
//! `6.0.3@sha256:<hex>`.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// What a source was at: a name that a person chose, and a checksum that cannot lie.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Revision {
    /// Branch, tag, version or absolute reference; `None` when the user named a checksum alone.
    pub name: Option<String>,
    /// Algorithm of the checksum: `sha1`, `sha256`.
    pub algorithm: String,
    /// Checksum in lower-case hexadecimal digits.
    pub checksum: String,
}

impl Revision {
    /// Names a Git commit, with the branch, tag or reference it was found by.
    pub fn git(name: Option<&str>, commit: &str) -> Self {
        let algorithm = if commit.len() == 64 { "sha256" } else { "sha1" };
        Self {
            name: name.map(str::to_owned),
            algorithm: algorithm.to_owned(),
            checksum: commit.to_owned(),
        }
    }
}

impl fmt::Display for Revision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(name) = &self.name {
            write!(f, "{name}@")?;
        }
        write!(f, "{}:{}", self.algorithm, self.checksum)
    }
}

/// Says why a text is not a revision.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("revision `{0}` is not of the form `<name>@<algorithm>:<hex>` or `<algorithm>:<hex>`")]
pub struct RevisionError(String);

impl FromStr for Revision {
    type Err = RevisionError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = || RevisionError(text.to_owned());
        let (name, rest) = match text.rsplit_once('@') {
            Some((name, rest)) => (Some(name.to_owned()), rest),
            None => (None, text),
        };
        let (algorithm, checksum) = rest.split_once(':').ok_or_else(wrong)?;
        let is_hex =
            |digits: &str| !digits.is_empty() && digits.bytes().all(|d| d.is_ascii_hexdigit());
        if algorithm.is_empty() || !is_hex(checksum) {
            return Err(wrong());
        }
        Ok(Self {
            name,
            algorithm: algorithm.to_owned(),
            checksum: checksum.to_owned(),
        })
    }
}

impl Serialize for Revision {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Revision {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_of_flux_round_trip() {
        for text in [
            "main@sha1:1f0c",
            "sha1:1f0c",
            "refs/pull/1/head@sha1:1f0c",
            "6.0.3@sha256:ab",
        ] {
            assert_eq!(
                text.parse::<Revision>().map(|r| r.to_string()),
                Ok(text.to_owned())
            );
        }
    }

    #[test]
    fn other_texts_are_refused() {
        for text in ["", "main", "main@", "main@sha1:", "main@sha1:xyz"] {
            assert!(text.parse::<Revision>().is_err(), "{text}");
        }
    }
}
