//! What is wrong with a spec that the API server let through, or that came from a file.

use std::time::Duration;

use crate::advice::{Advice, Retry};
use crate::duration::{DurationError, GoDuration};
use crate::quantity::QuantityError;
use crate::reason;

/// Says which field of a spec cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SpecError {
    /// A duration that Go could not hold, or no duration.
    #[error("failed to read `{field}`")]
    Duration {
        /// Path of the field.
        field: &'static str,
        /// Why.
        #[source]
        source: DurationError,
    },
    /// An amount that is none.
    #[error("failed to read `{field}`")]
    Quantity {
        /// Path of the field.
        field: &'static str,
        /// Why.
        #[source]
        source: QuantityError,
    },
    /// A value that this version does not know.
    #[error("`{field}` is `{value}`, which is none of {known}")]
    Unknown {
        /// Path of the field.
        field: &'static str,
        /// Its value.
        value: String,
        /// Known values, in backticks, joined by commas.
        known: String,
    },
}

impl SpecError {
    /// Names the reason, when to try again, and what the user can do.
    pub fn advice(&self) -> Advice {
        let advice = Advice::new(reason::VALIDATION_FAILED, Retry::OnChange);
        match self {
            Self::Duration { field, .. } => {
                advice.hint(format!("write `{field}` as in `1m30s`, at most `2562047h`"))
            }
            Self::Quantity { field, .. } => advice.hint(format!("write `{field}` as in `512Mi`")),
            Self::Unknown { field, .. } => advice.hint(format!("correct `{field}`")),
        }
    }

    /// Refuses a value of an enumeration.
    pub fn unknown(field: &'static str, value: &str, known: &[&str]) -> Self {
        let known: Vec<_> = known.iter().map(|known| format!("`{known}`")).collect();
        Self::Unknown {
            field,
            value: value.to_owned(),
            known: known.join(", "),
        }
    }
}

/// Returns a required duration.
pub(crate) fn duration(field: &'static str, value: &GoDuration) -> Result<Duration, SpecError> {
    value
        .get()
        .map_err(|source| SpecError::Duration { field, source })
}

/// Returns an optional duration, or its default.
pub(crate) fn duration_or(
    field: &'static str,
    value: Option<&GoDuration>,
    default: Duration,
) -> Result<Duration, SpecError> {
    value.map_or(Ok(default), |value| duration(field, value))
}
