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
}

impl Error {
    /// An error without a place.
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self {
            line: 0,
            column: 0,
            message: message.into(),
        }
    }

    /// Joins the problems that a decode collected, as go-yaml's `TypeError` does.
    pub(crate) fn from_problems(problems: &[(u32, String)]) -> Self {
        let mut message = String::from("unmarshal errors:");
        for (line, problem) in problems {
            message.push_str(&format!("\n  line {line}: {problem}"));
        }
        Self {
            line: problems.first().map_or(0, |first| first.0),
            column: 0,
            message,
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "yaml: {}", self.message)
    }
}

impl std::error::Error for Error {}
