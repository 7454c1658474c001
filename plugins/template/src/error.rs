//! Why a function or an execution failed, with the failures behind it: Helm shows each of them.

use std::fmt;

/// A failure, worded as Go words it.
///
/// One of an execution reads `template: name:3:5: executing "name" at <.x>: nil pointer evaluating
/// interface {}.y`; one of a function is its own message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    /// The whole message, that of the cause included.
    pub text: String,
    /// What Go's `errors.Unwrap` finds.
    pub cause: Option<Box<Self>>,
    /// Whether it is Go's `template.ExecError`.
    pub is_exec: bool,
}

impl Error {
    /// Wraps a failure: `text` names it already.
    pub fn wrap(text: String, cause: Self) -> Self {
        Self {
            text,
            cause: Some(Box::new(cause)),
            is_exec: false,
        }
    }

    pub(crate) fn exec(text: String, cause: Option<Box<Self>>) -> Self {
        Self {
            text,
            cause,
            is_exec: true,
        }
    }
}

impl From<String> for Error {
    fn from(text: String) -> Self {
        Self {
            text,
            cause: None,
            is_exec: false,
        }
    }
}

impl From<&str> for Error {
    fn from(text: &str) -> Self {
        text.to_owned().into()
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl std::error::Error for Error {}
