//! Reads what `valuesFrom` names, and puts the values together.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use bulkhead_api::helmrelease::{HelmRelease, ValuesReference};
use bulkhead_api::kustomize::ValuesKind;
use serde_json::{Map, Value};

use super::{Part, ValuesError, ValuesProblem, merge};
use crate::holder::{Data, Holder};
use crate::queue::Key;

/// The values of a release.
#[derive(Clone, Debug, Default)]
pub struct Values {
    /// All of them.
    pub merged: Map<String, Value>,
    /// Whether a Secret is among what they come from.
    pub has_secrets: bool,
}

/// Puts the values together. Each ConfigMap and Secret is read once.
///
/// # Errors
/// [`ValuesError`] names the reference; what a Secret holds is not shown.
pub async fn resolve(
    object: &HelmRelease,
    holder: &impl Holder,
) -> Result<Values, Box<ValuesError>> {
    let namespace = object.own_namespace();
    let mut read: HashMap<(&str, &str), Option<Data>> = HashMap::new();
    let mut parts = Vec::new();
    for reference in &object.spec.values_from {
        let at = (reference.kind.as_str(), reference.name.as_str());
        let wrong = |problem| ValuesError::new(reference, namespace, problem);
        let data = match read.entry(at) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(place) => {
                let data = fetch(holder, namespace, reference).await;
                place.insert(data.map_err(wrong)?)
            }
        };
        let text = data.as_ref().map(|data| data.get(reference.key()));
        let problem = match text {
            Some(Some(text)) => match String::from_utf8(text.clone()) {
                Ok(data) => {
                    parts.push(Part { reference, data });
                    continue;
                }
                Err(_) => return Err(wrong(ValuesProblem::Read("it is not UTF-8".into())).into()),
            },
            Some(None) => ValuesProblem::Key,
            None => {
                let kind = reference.kind.as_str().to_lowercase();
                ValuesProblem::NotFound(format!("{kind}s \"{}\"", reference.name))
            }
        };
        let error = wrong(problem);
        if !reference.optional {
            return Err(error.into());
        }
        tracing::info!("{error}");
    }
    let has_secrets = parts
        .iter()
        .any(|part| part.reference.kind == ValuesKind::Secret);
    Ok(Values {
        merged: merge(object.spec.values(), &parts, namespace)?,
        has_secrets,
    })
}

async fn fetch(
    holder: &impl Holder,
    namespace: &str,
    reference: &ValuesReference,
) -> Result<Option<Data>, ValuesProblem> {
    let key = Key::new(namespace, &reference.name);
    let found = match reference.kind {
        ValuesKind::ConfigMap => holder.config_map(&key).await,
        ValuesKind::Secret => holder.secret(&key).await,
        ValuesKind::Other(_) => return Err(ValuesProblem::Kind),
    };
    found.map_err(ValuesProblem::Request)
}
