//! `postBuild`: variables put into rendered documents (Flux 2.9, `kustomize/kustomize_varsub.go`).
//!
//! Works on the YAML text of one object at a time, so that `replicas: ${count}` becomes a number.
//! CustomResourceDefinitions, and objects that say so, are left alone.

use std::collections::BTreeMap;

use bulkhead_api::names::{annotation, value};
use bulkhead_apply::Object;

use super::expand::{ExpandError, expand};

/// Values by name.
pub type Variables = BTreeMap<String, String>;

/// When, and how strictly, variables are put in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Substitution {
    /// Values by name; line ends are taken out of them.
    pub variables: Variables,
    /// Works without any variable too, for expressions with defaults.
    pub always: bool,
    /// Refuses a name that has neither value nor default. Flux's default since 2.9.
    pub strict: bool,
}

impl Substitution {
    /// Puts nothing in.
    pub fn none() -> Self {
        Self {
            variables: Variables::new(),
            always: false,
            strict: true,
        }
    }

    /// Tells whether there is anything to do.
    pub fn is_active(&self) -> bool {
        self.always || !self.variables.is_empty()
    }
}

/// Why variables could not be put in.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SubstituteError {
    /// A variable has a name that no expression can name.
    #[error(
        "variable name `{0}` is invalid: it must have letters, digits and `_`, and not start with a digit"
    )]
    Name(String),
    /// An expression of an object.
    #[error("variable substitution failed for {object}")]
    Expression {
        /// The object, or where it was written.
        object: String,
        /// What is wrong.
        #[source]
        source: ExpandError,
    },
}

/// Puts `substitution` into the text of one document; `None` where it is to stay as it is.
///
/// # Errors
/// See [`SubstituteError`].
pub fn substitute(
    text: &str,
    object: &Object,
    substitution: &Substitution,
) -> Result<Option<String>, SubstituteError> {
    if !text.contains('$') || is_left_alone(object) {
        return Ok(None);
    }
    let lookup = |name: &str| match substitution.variables.get(name) {
        Some(value) => Some(value.replace('\n', "")),
        None if substitution.strict => None,
        None => Some(String::new()),
    };
    expand(text, &lookup)
        .map(Some)
        .map_err(|source| SubstituteError::Expression {
            object: object.id().subject(),
            source,
        })
}

/// Checks the names of all variables.
///
/// # Errors
/// [`SubstituteError::Name`] for the first that no expression can name.
pub fn check(variables: &Variables) -> Result<(), SubstituteError> {
    let fits = |name: &str| {
        let mut letters = name.chars();
        letters
            .next()
            .is_some_and(|first| first == '_' || first.is_ascii_alphabetic())
            && letters.all(|letter| letter == '_' || letter.is_ascii_alphanumeric())
    };
    match variables.keys().find(|name| !fits(name)) {
        Some(name) => Err(SubstituteError::Name(name.clone())),
        None => Ok(()),
    }
}

fn is_left_alone(object: &Object) -> bool {
    let disabled = Some(value::DISABLED);
    object.annotation(annotation::SUBSTITUTE) == disabled
        || object.label(annotation::SUBSTITUTE) == disabled
        || object.is("apiextensions.k8s.io", "CustomResourceDefinition")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may")]

    use super::*;

    fn object(kind: &str, metadata: &str) -> Object {
        let group = if kind == "CustomResourceDefinition" {
            "apiextensions.k8s.io/v1"
        } else {
            "v1"
        };
        let text = format!("apiVersion: {group}\nkind: {kind}\nmetadata: {{name: a{metadata}}}\n");
        let documents = bulkhead_apply::yaml::read(&text).unwrap();
        Object::new(
            documents[0].value.as_object().unwrap().clone(),
            Default::default(),
        )
        .unwrap()
    }

    fn substitution(strict: bool) -> Substitution {
        let variables = [("count".to_owned(), "3\n".to_owned())].into();
        Substitution {
            variables,
            always: false,
            strict,
        }
    }

    #[test]
    fn values_lose_their_line_ends() {
        let object = object("ConfigMap", "");
        let text = substitute("replicas: ${count}\n", &object, &substitution(true)).unwrap();
        assert_eq!(text.as_deref(), Some("replicas: 3\n"));
    }

    #[test]
    fn what_is_missing_is_an_error_only_when_strict() {
        let object = object("ConfigMap", "");
        let error = substitute("a: ${no}", &object, &substitution(true)).unwrap_err();
        assert_eq!(
            error.to_string(),
            "variable substitution failed for ConfigMap/a"
        );
        let text = substitute("a: ${no}", &object, &substitution(false)).unwrap();
        assert_eq!(text.as_deref(), Some("a: "));
    }

    #[test]
    fn objects_can_be_left_alone() {
        let label = format!(", labels: {{{}: disabled}}", annotation::SUBSTITUTE);
        let crd = object("CustomResourceDefinition", "");
        for object in [object("ConfigMap", &label), crd] {
            assert_eq!(
                substitute("a: ${count}", &object, &substitution(true)),
                Ok(None)
            );
        }
    }

    #[test]
    fn names_of_variables_are_checked() {
        let named = |name: &str| check(&[(name.to_owned(), String::new())].into());
        assert_eq!(named("_a1"), Ok(()));
        for name in ["", "1a", "a-b", "ä"] {
            assert_eq!(named(name), Err(SubstituteError::Name(name.to_owned())));
        }
    }
}
