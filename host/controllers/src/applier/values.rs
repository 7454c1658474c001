//! Reads the ConfigMaps and Secrets that a specification names: variables and inputs.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use bulkhead_api::delivery::Input;
use bulkhead_api::kustomize::{PostBuild, SubstituteStrategy, ValuesKind};
use bulkhead_api::{Advice, Retry, reason};
use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use kube::Api;

use crate::client::is_not_found;
use crate::context::Context;
use crate::delivery::substitute::{Substitution, Variables};
use crate::queue::Key;

/// Why variables or inputs could not be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ValuesError {
    /// A ConfigMap or Secret with variables is not there.
    #[error("substitute from '{kind}/{name}' error: it does not exist")]
    Missing {
        /// `ConfigMap` or `Secret`.
        kind: String,
        /// Its name.
        name: String,
    },
    /// The server refused, or could not be reached.
    #[error("substitute from '{kind}/{name}' error: {message}")]
    Request {
        /// `ConfigMap` or `Secret`.
        kind: String,
        /// Its name.
        name: String,
        /// What it said.
        message: String,
    },
    /// A value is no text.
    #[error("substitute from '{kind}/{name}' error: the value of `{variable}` is not UTF-8")]
    NotText {
        /// `ConfigMap` or `Secret`.
        kind: String,
        /// Its name.
        name: String,
        /// The key.
        variable: String,
    },
    /// What holds an input is not there.
    #[error("input `{input}` is not there: {kind}/{name} {problem}")]
    Input {
        /// Name of the input.
        input: String,
        /// `ConfigMap` or `Secret`.
        kind: String,
        /// Its name.
        name: String,
        /// What is wrong: ``does not exist``, ``has no key `a` ``, or what the server said.
        problem: String,
    },
}

impl ValuesError {
    /// Names the reason, when to try again, and what the user can do.
    pub fn advice(&self) -> Advice {
        let advice = Advice::new(reason::BUILD_FAILED, Retry::Backoff);
        advice.hint(match self {
            Self::Input { .. } => "create it, or mark the input as `optional` in `spec.inputs`",
            _ => "create it, or mark it as `optional` in `spec.postBuild.substituteFrom`",
        })
    }
}

/// Reads variables.
///
/// # Source
/// `LoadVariables` of fluxcd/pkg `kustomize`: a later reference wins, inline values win over all.
pub(super) async fn substitution(
    post_build: &PostBuild,
    key: &Key,
    context: &Context,
) -> Result<Substitution, ValuesError> {
    let mut variables = Variables::new();
    for reference in &post_build.substitute_from {
        let (kind, name) = (reference.kind.as_str().to_owned(), reference.name.clone());
        match read(context, key, &reference.kind, &name).await {
            Ok(Some(values)) => {
                for (variable, value) in values {
                    let value = String::from_utf8(value).map_err(|_| ValuesError::NotText {
                        kind: kind.clone(),
                        name: name.clone(),
                        variable: variable.clone(),
                    })?;
                    variables.insert(variable, value);
                }
            }
            Ok(None) if reference.optional => {}
            Ok(None) => return Err(ValuesError::Missing { kind, name }),
            Err(error) => {
                let message = bulkhead_api::chain(&error);
                return Err(ValuesError::Request {
                    kind,
                    name,
                    message,
                });
            }
        }
    }
    variables.extend(post_build.substitute.clone());
    let always = post_build.strategy() == SubstituteStrategy::Always;
    Ok(Substitution {
        variables,
        always,
        strict: context.settings.strict_substitutions,
    })
}

/// Reads inputs: each object once, in the order of the specification.
pub(super) async fn inputs(
    inputs: &[Input],
    key: &Key,
    context: &Context,
) -> Result<Vec<(String, Vec<u8>)>, ValuesError> {
    let mut objects: HashMap<(&str, &str), Values> = HashMap::new();
    let mut found = Vec::with_capacity(inputs.len());
    for input in inputs {
        let from = &input.from;
        let wrong = |problem: String| ValuesError::Input {
            input: input.name.clone(),
            kind: from.kind.as_str().to_owned(),
            name: from.name.clone(),
            problem,
        };
        let id = (from.kind.as_str(), from.name.as_str());
        let values = match objects.entry(id) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(unknown) => {
                let values = read(context, key, &from.kind, &from.name).await;
                unknown.insert(values.map_err(|error| wrong(bulkhead_api::chain(&error)))?)
            }
        };
        match values.as_ref() {
            Some(values) => match values.get(input.key()) {
                Some(value) => found.push((input.name.clone(), value.clone())),
                None if from.optional => {}
                None => return Err(wrong(format!("has no key `{}`", input.key()))),
            },
            None if from.optional => {}
            None => return Err(wrong("does not exist".to_owned())),
        }
    }
    Ok(found)
}

type Values = Option<HashMap<String, Vec<u8>>>;

async fn read(
    context: &Context,
    key: &Key,
    kind: &ValuesKind,
    name: &str,
) -> Result<Values, kube::Error> {
    match kind {
        ValuesKind::Secret => secret(context, key, name).await,
        _ => config_map(context, key, name).await,
    }
}

async fn secret(context: &Context, key: &Key, name: &str) -> Result<Values, kube::Error> {
    let api: Api<Secret> = Api::namespaced(context.clients.own().clone(), &key.namespace);
    Ok(found(api.get(name).await)?.map(|secret| {
        let data = secret.data.unwrap_or_default().into_iter();
        data.map(|(key, value)| (key, value.0)).collect()
    }))
}

async fn config_map(context: &Context, key: &Key, name: &str) -> Result<Values, kube::Error> {
    let api: Api<ConfigMap> = Api::namespaced(context.clients.own().clone(), &key.namespace);
    Ok(found(api.get(name).await)?.map(|map| {
        let texts = map.data.unwrap_or_default().into_iter();
        let texts = texts.map(|(key, value)| (key, value.into_bytes()));
        let bytes = map.binary_data.unwrap_or_default().into_iter();
        texts
            .chain(bytes.map(|(key, value)| (key, value.0)))
            .collect()
    }))
}

fn found<T>(answer: Result<T, kube::Error>) -> Result<Option<T>, kube::Error> {
    match answer {
        Ok(object) => Ok(Some(object)),
        Err(error) if is_not_found(&error) => Ok(None),
        Err(error) => Err(error),
    }
}
