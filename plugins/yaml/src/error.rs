//! What is wrong with a text, in go-yaml's words, so that a user finds the message on the web.

use std::fmt;

/// A text that Go refuses, or one past our limits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Error {
    /// The line to look at, from 1; 0 where none is known.
    pub line: u32,
    /// The column to look at, from 1; 0 where none is known.
    pub column: u32,
    /// go-yaml's text after `yaml: `, with the line that go-yaml names (which may differ from
    /// [`Error::line`] by one: go-yaml counts parser errors from 0).
    pub message: String,
    /// Whether the message stands alone, without `yaml: ` before it.
    bare: bool,
}

impl Error {
    /// An error at a place, named in the message as well.
    pub(crate) fn at(line: u32, column: u32, message: impl Into<String>) -> Self {
        Self {
            line,
            column,
            message: message.into(),
            bare: false,
        }
    }

    /// An error of sigs.k8s.io/yaml or encoding/json, which do not say `yaml: `.
    pub(crate) fn bare(message: impl Into<String>) -> Self {
        Self {
            line: 0,
            column: 0,
            message: message.into(),
            bare: true,
        }
    }

    /// An error without a place.
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self::at(0, 0, message)
    }

    /// Joins the problems that a decode collected, as go-yaml's `TypeError` does.
    pub(crate) fn from_problems(problems: &[(u32, String)]) -> Self {
        let mut message = String::from("unmarshal errors:");
        for (line, problem) in problems {
            message.push_str(&format!("\n  line {line}: {problem}"));
        }
        Self::at(problems.first().map_or(0, |first| first.0), 0, message)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let prefix = if self.bare { "" } else { "yaml: " };
        write!(out, "{prefix}{}", self.message)
    }
}

impl std::error::Error for Error {}
