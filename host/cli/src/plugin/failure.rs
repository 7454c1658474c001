//! Errors of the crates, as people see them: with the advice that each carries.

use bulkhead_api::Advice;

use crate::output::CliError;

/// Makes an error with the hint of its advice.
pub(super) fn advised(advice: Advice, error: impl Into<anyhow::Error>) -> CliError {
    CliError {
        hint: advice.hint,
        ..CliError::from(error)
    }
}
