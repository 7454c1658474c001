//! Variables and inputs, from the ConfigMaps and Secrets of the files.

use crate::resources::{Data, Resources};
use bulkhead_api::kustomize::{SubstituteStrategy, ValuesKind};
use bulkhead_api::{Advice, Retry, reason};
use bulkhead_controllers::applier::Item;
use bulkhead_controllers::delivery::substitute::{Substitution, Variables};

/// Why variables or inputs are not there.
#[derive(Debug, thiserror::Error)]
pub(super) enum ValuesError {
    #[error("substitute from '{kind}/{name}' error: it is not in the files")]
    Variables { kind: String, name: String },
    #[error("input `{input}` is not in the files: {kind}/{name}, key `{key}`")]
    Input {
        input: String,
        kind: String,
        name: String,
        key: String,
    },
}

impl ValuesError {
    pub(super) fn advice(&self) -> Advice {
        Advice::new(reason::BUILD_FAILED, Retry::OnChange)
            .hint("add it to the files of `-f`, or mark the reference `optional`")
    }
}

fn find<'a>(
    object: &Item,
    resources: &'a Resources,
    kind: &ValuesKind,
    name: &str,
) -> Option<&'a Data> {
    let objects = match kind {
        ValuesKind::Secret => &resources.secrets,
        _ => &resources.config_maps,
    };
    let namespace = object.name.key.namespace.to_string();
    objects.get(&(namespace, name.to_owned()))
}

/// Reads the variables of `postBuild`; inline ones win, later references too.
pub(super) fn substitution(
    object: &Item,
    resources: &Resources,
) -> Result<Substitution, ValuesError> {
    let Some(post_build) = &object.spec.post_build else {
        return Ok(Substitution::none());
    };
    let mut variables = Variables::new();
    for reference in &post_build.substitute_from {
        match find(object, resources, &reference.kind, &reference.name) {
            Some(data) => {
                variables.extend(data.iter().map(|(name, value)| {
                    (name.clone(), String::from_utf8_lossy(value).into_owned())
                }))
            }
            None if reference.optional => {}
            None => {
                return Err(ValuesError::Variables {
                    kind: reference.kind.to_string(),
                    name: reference.name.clone(),
                });
            }
        }
    }
    variables.extend(post_build.substitute.clone());
    Ok(Substitution {
        variables,
        always: post_build.strategy() == SubstituteStrategy::Always,
        strict: true,
    })
}

/// Reads the inputs, in the order of the specification.
pub(super) fn inputs(
    object: &Item,
    resources: &Resources,
) -> Result<Vec<(String, Vec<u8>)>, ValuesError> {
    let mut inputs = Vec::new();
    for input in &object.spec.inputs {
        let data = find(object, resources, &input.from.kind, &input.from.name);
        match data.and_then(|data| data.get(input.key())) {
            Some(value) => inputs.push((input.name.clone(), value.clone())),
            None if input.from.optional => {}
            None => {
                return Err(ValuesError::Input {
                    input: input.name.clone(),
                    kind: input.from.kind.to_string(),
                    name: input.from.name.clone(),
                    key: input.key().to_owned(),
                });
            }
        }
    }
    Ok(inputs)
}
