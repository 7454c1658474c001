//! Health by expressions that a user writes for kinds that kstatus does not know: `healthCheckExprs`.
//!
//! # Source
//! `runtime/cel` of fluxcd/pkg, RFC-0009: an object whose generation was not observed is in progress;
//! then `inProgress`, `failed` and `current` are asked, in this order; without a yes, it is in progress.

use std::collections::HashMap;

use bulkhead_api::ObjectId;
use bulkhead_api::cel::{CelError, Expression};
use bulkhead_api::kustomize::CustomHealthCheck;
use serde_json::Value;

use super::{Status, Verdict, integer};

/// Why the expressions cannot be used. `Display` has Flux's words.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ChecksError {
    /// Two are for the same kind, or for the same group.
    #[error("duplicate custom health check for GroupKind {kind} at healthchecks[{index}]")]
    Duplicate {
        /// `Kind.group`.
        kind: String,
        /// Which one.
        index: usize,
    },
    /// None says when the object is as wanted.
    #[error(
        "failed to create custom status evaluator for healthchecks[{0}]: expression Current not specified"
    )]
    NoCurrent(usize),
    /// An expression cannot be read.
    #[error(
        "failed to create custom status evaluator for healthchecks[{index}]: failed to parse the expression {field}"
    )]
    Expression {
        /// Which check.
        index: usize,
        /// `Current`, `Failed`, `InProgress`.
        field: &'static str,
        /// Why.
        #[source]
        source: CelError,
    },
}

/// The expressions, by group and kind; an empty kind stands for all of a group.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Checks(HashMap<(String, String), Check>);

#[derive(Clone, Debug, PartialEq)]
struct Check {
    in_progress: Option<Expression>,
    failed: Option<Expression>,
    current: Expression,
}

impl Checks {
    /// Reads the expressions.
    ///
    /// # Errors
    /// [`ChecksError`] names the first that cannot be used.
    pub fn new(all: &[CustomHealthCheck]) -> Result<Self, ChecksError> {
        let mut checks = HashMap::new();
        for (index, one) in all.iter().enumerate() {
            let (group, _) = ObjectId::group_version(&one.api_version);
            let kind = one.kind.as_deref().unwrap_or_default();
            let read = |field, text: &str| {
                let failed = |source| ChecksError::Expression {
                    index,
                    field,
                    source,
                };
                Expression::parse(text).map_err(failed)
            };
            let optional = |field, text: &Option<String>| {
                let text = text.as_deref().filter(|text| !text.is_empty());
                text.map(|text| read(field, text)).transpose()
            };
            if one.current.is_empty() {
                return Err(ChecksError::NoCurrent(index));
            }
            let check = Check {
                current: read("Current", &one.current)?,
                failed: optional("Failed", &one.failed)?,
                in_progress: optional("InProgress", &one.in_progress)?,
            };
            let key = (group.to_owned(), kind.to_owned());
            if checks.insert(key, check).is_some() {
                let kind = match group {
                    "" => kind.to_owned(),
                    group => format!("{kind}.{group}"),
                };
                return Err(ChecksError::Duplicate { kind, index });
            }
        }
        Ok(Self(checks))
    }

    fn find(&self, group: &str, kind: &str) -> Option<&Check> {
        if self.0.is_empty() {
            return None;
        }
        let of = |kind: &str| self.0.get(&(group.to_owned(), kind.to_owned()));
        of(kind).or_else(|| of(""))
    }

    /// Returns how a live object is doing, if there are expressions for its kind. One that comes to an
    /// error makes it unknown.
    pub fn verdict(&self, object: &Value) -> Option<Verdict> {
        let text = |field: &str| object[field].as_str().unwrap_or_default();
        let (group, _) = ObjectId::group_version(text("apiVersion"));
        let check = self.find(group, text("kind"))?;
        Some(check.verdict(object))
    }
}

impl Check {
    fn verdict(&self, object: &Value) -> Verdict {
        let generation = integer(object, "/metadata/generation");
        let observed = integer(object, "/status/observedGeneration");
        if let (Some(generation), Some(observed)) = (generation, observed)
            && generation != observed
        {
            return Verdict::new(Status::InProgress, "");
        }
        let asked = [
            (self.in_progress.as_ref(), Status::InProgress),
            (self.failed.as_ref(), Status::Failed),
            (Some(&self.current), Status::Current),
        ];
        for (expression, status) in asked {
            match expression.map(|one| one.is_true_of(object)) {
                Some(Ok(true)) => return Verdict::new(status, ""),
                Some(Err(error)) => return Verdict::new(Status::Unknown, error.to_string()),
                Some(Ok(false)) | None => {}
            }
        }
        Verdict::new(Status::InProgress, "")
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may")]

    use serde_json::json;

    use super::*;

    fn check(kind: Option<&str>, current: &str) -> CustomHealthCheck {
        CustomHealthCheck {
            api_version: "example.com/v1".into(),
            kind: kind.map(str::to_owned),
            current: current.into(),
            ..Default::default()
        }
    }

    #[test]
    fn expressions_are_asked_in_order() {
        let all = [
            CustomHealthCheck {
                in_progress: Some("status.phase == 'Pending'".into()),
                failed: Some("status.phase == 'Broken'".into()),
                ..check(Some("Database"), "status.phase == 'Running'")
            },
            check(None, "has(status.done)"),
        ];
        let checks = Checks::new(&all).unwrap();
        let of = |kind: &str, status: Value| {
            let object = json!({
                "apiVersion": "example.com/v1beta1", "kind": kind,
                "metadata": { "generation": 2 }, "status": status,
            });
            checks.verdict(&object).map(|verdict| verdict.status)
        };
        let phase = |phase: &str| of("Database", json!({ "phase": phase }));
        assert_eq!(phase("Pending"), Some(Status::InProgress));
        assert_eq!(phase("Broken"), Some(Status::Failed));
        assert_eq!(phase("Running"), Some(Status::Current));
        assert_eq!(phase("Else"), Some(Status::InProgress));
        let old = json!({ "phase": "Running", "observedGeneration": 1 });
        assert_eq!(of("Database", old), Some(Status::InProgress));
        assert_eq!(of("Database", json!({})), Some(Status::Unknown));
        assert_eq!(of("Queue", json!({ "done": 1 })), Some(Status::Current));
        assert_eq!(of("Queue", json!({})), Some(Status::InProgress));
        let map = json!({ "apiVersion": "v1", "kind": "ConfigMap" });
        assert_eq!(checks.verdict(&map), None);
    }

    #[test]
    fn what_cannot_be_used_is_named_as_in_flux() {
        let told = |all: &[CustomHealthCheck]| {
            let error = Checks::new(all).unwrap_err();
            bulkhead_api::chain(&error)
        };
        let one = || check(Some("Database"), "true");
        assert_eq!(
            told(&[one(), one()]),
            "duplicate custom health check for GroupKind Database.example.com at healthchecks[1]"
        );
        assert_eq!(
            told(&[check(None, "")]),
            "failed to create custom status evaluator for healthchecks[0]: expression Current not specified"
        );
        let wrong = told(&[one(), check(None, "status.")]);
        let start = "failed to create custom status evaluator for healthchecks[1]: failed to parse \
                     the expression Current: failed to parse the CEL expression 'status.': ERROR: \
                     <input>:1:8: Syntax error: ";
        assert!(wrong.starts_with(start), "{wrong}");
    }
}
