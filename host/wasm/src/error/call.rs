//! Why a call has no answer: the guest refused, or it failed, and what a user can do.

use std::fmt;

use bulkhead_api::{Advice, Retry};

use super::RunError;
use crate::bindings::renderer::bulkhead::base::types::{Diagnostic, Severity};
use crate::limits::{LimitHit, Usage};
use crate::names::PluginId;
use crate::read_set::ReadSet;

/// A guest's own "no": what is wrong with its input, in its own words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// What is wrong; at least one.
    pub diagnostics: Vec<Diagnostic>,
    /// A limit that an access of the guest ran into; often the cause.
    pub limit: Option<LimitHit>,
    /// What the answer depends on.
    pub read_set: ReadSet,
    /// What the call took.
    pub usage: Usage,
    /// Whether the same call may end otherwise: an answer depended on a cluster that failed.
    pub transient: bool,
}

impl fmt::Display for Refusal {
    /// The first error with its place, and how many more there are.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let is_error = |d: &&Diagnostic| d.severity == Severity::Error;
        let first = self
            .diagnostics
            .iter()
            .find(is_error)
            .or(self.diagnostics.first());
        if let Some(diagnostic) = first {
            if let Some(at) = &diagnostic.at {
                write!(f, "{}", at.path)?;
                for number in [at.line, at.column].into_iter().flatten() {
                    write!(f, ":{number}")?;
                }
                write!(f, ": ")?;
            }
            write!(f, "{}", diagnostic.message)?;
        }
        match self.diagnostics.len() {
            0 | 1 => Ok(()),
            more => write!(f, " (and {} more)", more - 1),
        }
    }
}

impl std::error::Error for Refusal {}

impl Refusal {
    fn advice(&self, reason: &'static str) -> Advice {
        let retry = if self.transient {
            Retry::Backoff
        } else {
            Retry::OnChange
        };
        let advice = Advice::new(reason, retry);
        let help = self
            .diagnostics
            .iter()
            .find_map(|diagnostic| diagnostic.help.clone());
        match (self.limit, help) {
            (Some(hit), _) => advice.hint(hit.limit.raised_by(hit.allowed)),
            (None, Some(help)) => advice.hint(help),
            (None, None) => advice,
        }
    }
}

/// Why a renderer or transformer has no output.
#[derive(Debug, thiserror::Error)]
pub enum RenderError {
    /// The plugin refused its input.
    #[error(transparent)]
    Refused(Box<Refusal>),
    /// The plugin failed, or was stopped.
    #[error("{plugin} failed to render")]
    Failed {
        /// The plugin.
        plugin: PluginId,
        /// How.
        #[source]
        error: RunError,
    },
}

impl RenderError {
    /// Names the reason, when to try again, and what the user can do.
    pub fn advice(&self) -> Advice {
        match self {
            Self::Refused(refusal) => refusal.advice("BuildFailed"),
            Self::Failed { error, .. } => error.advice(),
        }
    }

    /// Tells whether the same call would end alike on any machine, so that the verdict may be kept
    /// as long as its read set holds. Never for what ran out of time or memory.
    pub fn is_cacheable(&self) -> bool {
        match self {
            Self::Refused(refusal) => !refusal.transient && refusal.limit.is_none(),
            Self::Failed { error, .. } => matches!(error, RunError::OutOfFuel { .. }),
        }
    }
}

/// Why a notifier has no outcome.
#[derive(Debug, thiserror::Error)]
pub enum NotifyError {
    /// The plugin refused its configuration: which field, and what it should be.
    #[error("{plugin} refused its configuration: {message}")]
    InvalidConfig {
        /// The plugin.
        plugin: PluginId,
        /// The plugin's words.
        message: String,
    },
    /// The plugin refused for another reason.
    #[error("{plugin} refused: {message}")]
    Refused {
        /// The plugin.
        plugin: PluginId,
        /// The plugin's words.
        message: String,
    },
    /// The plugin failed, or was stopped.
    #[error("{plugin} failed to notify")]
    Failed {
        /// The plugin.
        plugin: PluginId,
        /// How.
        #[source]
        error: RunError,
    },
}

impl NotifyError {
    /// Names the reason, when to try again, and what the user can do.
    pub fn advice(&self) -> Advice {
        match self {
            Self::InvalidConfig { .. } => Advice::new("InvalidConfig", Retry::OnChange),
            Self::Refused { .. } => Advice::new("NotificationFailed", Retry::OnChange),
            Self::Failed { error, .. } => error.advice(),
        }
    }
}
