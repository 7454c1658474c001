//! Expressions that say when a dependency is ready: `dependsOn[].readyExpr`. Pure.
//!
//! # Source
//! `evalReadyExpr` of kustomize-controller 1.9 and helm-controller 1.6.

use bulkhead_api::cel::Expression;
use serde_json::Value;

/// Why an expression gives no answer, in Flux's words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ExpressionError {
    /// It cannot be used; nothing changes that but another expression.
    Invalid(String),
    /// It came to an error with the objects as they are.
    Failed(String),
}

/// Evaluates `text` over the object (`self`) and its dependency (`dep`), which has this name.
///
/// # Errors
/// [`ExpressionError`].
pub fn ready(
    text: &str,
    name: &str,
    object: &Value,
    dependency: &Value,
) -> Result<bool, ExpressionError> {
    let invalid =
        |error| ExpressionError::Invalid(format!("failed to evaluate dependency {name}: {error}"));
    let expression = Expression::compile(text, &["self", "dep"]).map_err(invalid)?;
    let answer = expression.is_true(&[("self", object), ("dep", dependency)]);
    answer.map_err(|error| ExpressionError::Failed(error.to_string()))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_expression_compares_two_objects() {
        let object = json!({ "metadata": { "labels": { "v": "2" } } });
        let dependency = |version: &str| json!({ "metadata": { "labels": { "v": version } } });
        let text = "self.metadata.labels['v'] == dep.metadata.labels['v']";
        assert_eq!(ready(text, "base", &object, &dependency("2")), Ok(true));
        assert_eq!(ready(text, "base", &object, &dependency("1")), Ok(false));
        let failed = ready(text, "base", &object, &json!({}));
        let told = format!("failed to evaluate the CEL expression '{text}': no such key: metadata");
        assert_eq!(failed, Err(ExpressionError::Failed(told)));
        let told = "failed to evaluate dependency base: CEL expression output type mismatch: \
                    expected bool, got dyn";
        let invalid = ready("dep.ready", "base", &object, &json!({}));
        assert_eq!(invalid, Err(ExpressionError::Invalid(told.to_owned())));
    }
}
