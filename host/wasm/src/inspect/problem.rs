//! What keeps a component from being a plugin, or its author should know: what, why, and what to do.

use std::fmt;

use serde::Serialize;

/// How grave a problem is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Gravity {
    /// It works, and may surprise.
    Warning,
    /// It does not load.
    Error,
}

/// One problem of a component.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Problem {
    /// How grave it is.
    pub gravity: Gravity,
    /// A stable name: `foreign-import`.
    pub code: &'static str,
    /// What is wrong: ``it imports `wasi:http/types@0.2.3` ``.
    pub what: String,
    /// Why that is a problem: `renderers do not get it`.
    pub why: String,
    /// What the author, or the user, can do.
    pub help: String,
}

impl Problem {
    pub(super) fn error(code: &'static str, what: impl Into<String>) -> Self {
        Self {
            gravity: Gravity::Error,
            code,
            what: what.into(),
            why: String::new(),
            help: String::new(),
        }
    }

    pub(super) fn warning(code: &'static str, what: impl Into<String>) -> Self {
        Self {
            gravity: Gravity::Warning,
            ..Self::error(code, what)
        }
    }

    pub(super) fn why(mut self, why: impl Into<String>) -> Self {
        self.why = why.into();
        self
    }

    pub(super) fn help(mut self, help: impl Into<String>) -> Self {
        self.help = help.into();
        self
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.what, self.why)
    }
}
