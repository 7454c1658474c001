//! Expressions of the Common Expression Language (CEL), as Flux takes them: over objects of the
//! cluster, with the libraries of optionals, texts, sets and encoders.
//!
//! In: the text of an expression, and data as JSON. Out: true or false. An evaluation is bounded: by
//! the nesting of the expression, and by steps, which whatever is looked at, copied or made costs. It
//! reads no clock, no file and no environment.
//!
//! # Differences from cel-go
//! Zones of times are offsets alone. Types of elements are not followed through lists and maps.
//!
//! # Source
//! `runtime/cel` of fluxcd/pkg for which libraries there are and what errors say; the language
//! definition of CEL, and cel-go where it leaves a choice.

mod ast;
mod eval;
mod functions;
mod lexer;
mod operators;
mod parser;
mod strings;
#[cfg(test)]
mod tests;
mod time;
mod types;
mod value;

use std::fmt;

use serde_json::Value as Json;

use self::ast::Node;
use self::eval::Run;
use self::types::Type;
use self::value::Value;

/// The longest expression, in bytes.
pub const MAX_BYTES: usize = 16 << 10;

/// Why there is no answer. `Display` has the words of Flux.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CelError {
    /// The text is no expression, or names what is not there.
    #[error("failed to parse the CEL expression '{expression}': {problem}")]
    Parse {
        /// The expression.
        expression: String,
        /// What is wrong, and where.
        problem: String,
    },
    /// It would not be true or false.
    #[error("CEL expression output type mismatch: expected bool, got {0}")]
    Output(String),
    /// It came to an error.
    #[error("failed to evaluate the CEL expression '{expression}': {problem}")]
    Evaluate {
        /// The expression.
        expression: String,
        /// What went wrong.
        problem: String,
    },
    /// It came to something else than true or false.
    #[error("failed to evaluate CEL expression as boolean: '{0}'")]
    NotBoolean(String),
}

/// An expression that was read. Cheap to evaluate many times.
#[derive(Clone, PartialEq)]
pub struct Expression {
    text: String,
    node: Node,
}

impl fmt::Debug for Expression {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Expression({:?})", self.text)
    }
}

impl Expression {
    /// Reads an expression. Which names there are is found out when it is evaluated.
    ///
    /// # Errors
    /// [`CelError::Parse`].
    ///
    /// # Examples
    /// ```
    /// use bulkhead_api::cel::Expression;
    /// let text = "status.conditions.exists(c, c.type == 'Ready' && c.status == 'True')";
    /// let object = serde_json::json!({
    ///     "status": { "conditions": [{ "type": "Ready", "status": "True" }] },
    /// });
    /// assert_eq!(Expression::parse(text)?.is_true_of(&object), Ok(true));
    /// # Ok::<(), bulkhead_api::cel::CelError>(())
    /// ```
    pub fn parse(text: &str) -> Result<Self, CelError> {
        let failed = |(at, told): (usize, String)| CelError::Parse {
            expression: text.to_owned(),
            problem: located(text, at, &format!("Syntax error: {told}")),
        };
        if text.len() > MAX_BYTES {
            return Err(CelError::Parse {
                expression: text.chars().take(80).collect(),
                problem: format!("it is longer than {MAX_BYTES} bytes"),
            });
        }
        let node = parser::parse(text).map_err(failed)?;
        Ok(Self {
            text: text.to_owned(),
            node,
        })
    }

    /// Reads an expression over these variables, each an object, that is true or false whatever they
    /// hold.
    ///
    /// # Errors
    /// [`CelError::Parse`], for names and types too; [`CelError::Output`] where it may be something
    /// else: compare what comes out of data with `== true`.
    pub fn compile(text: &str, variables: &[&str]) -> Result<Self, CelError> {
        let read = Self::parse(text)?;
        let failed = |(at, told): (usize, String)| CelError::Parse {
            expression: text.to_owned(),
            problem: located(text, at, &told),
        };
        match types::check(&read.node, variables).map_err(failed)? {
            Type::Bool => Ok(read),
            other => Err(CelError::Output(other.to_string())),
        }
    }

    /// Returns the text.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Evaluates it over the fields of an object.
    ///
    /// # Errors
    /// [`CelError::Evaluate`], [`CelError::NotBoolean`].
    pub fn is_true_of(&self, object: &Json) -> Result<bool, CelError> {
        let fields = object.as_object().into_iter().flatten();
        let fields: Vec<(&str, &Json)> = fields.map(|(name, value)| (&**name, value)).collect();
        self.is_true(&fields)
    }

    /// Evaluates it over variables.
    ///
    /// # Errors
    /// As [`is_true_of`](Self::is_true_of).
    pub fn is_true(&self, variables: &[(&str, &Json)]) -> Result<bool, CelError> {
        let run = Run::new(variables);
        match run.eval(&self.node) {
            Ok(Value::Bool(value)) => Ok(value),
            Ok(_) => Err(CelError::NotBoolean(self.text.clone())),
            Err(fault) => Err(CelError::Evaluate {
                expression: self.text.clone(),
                problem: fault.text().to_owned(),
            }),
        }
    }
}

/// Says where something is wrong, as cel-go does: line, column, the line itself.
fn located(text: &str, at: usize, told: &str) -> String {
    let before: String = text.chars().take(at).collect();
    let line = before.matches('\n').count();
    let column = before.chars().rev().take_while(|c| *c != '\n').count();
    let shown = text.lines().nth(line).unwrap_or_default();
    let dots = ".".repeat(column);
    format!(
        "ERROR: <input>:{}:{}: {told}\n | {shown}\n | {dots}^",
        line + 1,
        column + 1
    )
}
