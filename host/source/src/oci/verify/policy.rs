//! Who is trusted: keys, or identities that an authority has confirmed.

use std::sync::Arc;

use regex::{Regex, RegexBuilder};

use super::key::PublicKey;
use super::root::TrustedRoot;

/// Largest automaton that an expression may become, in bytes.
const PATTERN_BYTES: usize = 1024 * 1024;

/// Whose signature counts, and what happens without one.
#[derive(Clone, Debug)]
pub struct Policy {
    /// Whose signature counts.
    pub trust: Trust,
    /// What happens without one.
    pub mode: Mode,
}

/// What happens to what is not trusted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// It is refused.
    #[default]
    Enforce,
    /// It is used, and the reason is told.
    Warn,
}

/// Whose signature counts.
#[derive(Clone, Debug)]
pub enum Trust {
    /// One of these keys. An entry in a log is not asked for, as in Flux, unless there is a root.
    Keys {
        /// The keys.
        keys: Vec<PublicKey>,
        /// The logs of which one must have the signature.
        root: Option<Arc<TrustedRoot>>,
    },
    /// One of these identities, confirmed by an authority of the trusted root.
    Keyless {
        /// The identities.
        identities: Vec<Identity>,
        /// The authorities and logs.
        root: Arc<TrustedRoot>,
    },
}

/// Who must have signed, by the word of whom.
#[derive(Clone, Debug)]
pub struct Identity {
    /// Who confirms it: `https://token.actions.githubusercontent.com`.
    pub issuer: Matcher,
    /// An e-mail address, or the URL of a workflow.
    pub subject: Matcher,
}

/// Compares a text.
#[derive(Clone, Debug)]
pub enum Matcher {
    /// Equal to this.
    Exact(String),
    /// Has a part that the expression matches; `^` and `$` tie it to the ends.
    Pattern(Regex),
}

impl Matcher {
    /// Compares exactly.
    pub fn exact(text: impl Into<String>) -> Self {
        Self::Exact(text.into())
    }

    /// Compares by a regular expression, as Flux's `matchOIDCIdentity` does: anywhere in the text.
    ///
    /// # Errors
    /// [`PatternError`].
    pub fn pattern(text: &str) -> Result<Self, PatternError> {
        let pattern = RegexBuilder::new(text).size_limit(PATTERN_BYTES).build();
        pattern
            .map(Self::Pattern)
            .map_err(|_| PatternError(crate::error::clean(text)))
    }

    /// Tells whether `text` is meant.
    pub fn fits(&self, text: &str) -> bool {
        match self {
            Self::Exact(wanted) => wanted == text,
            Self::Pattern(pattern) => pattern.is_match(text),
        }
    }
}

/// An expression cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a regular expression, or one too large")]
pub struct PatternError(String);

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic, reason = "a test may")]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_anywhere_unless_tied() {
        let loose = Matcher::pattern("example").unwrap();
        assert!(loose.fits("https://example.com/x"));
        let tied = Matcher::pattern(r"^https://example\.com/.*$").unwrap();
        assert!(tied.fits("https://example.com/x"));
        assert!(!tied.fits("https://examplexcom/x"));
        assert!(!Matcher::exact("a").fits("ab"));
        assert!(Matcher::pattern("(").is_err());
        assert!(Matcher::pattern(r"(\w{100}){1000}").is_err());
    }
}
