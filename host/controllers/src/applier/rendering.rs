//! From an object, its plugins and its values to what is to be rendered. Pure.

use bulkhead_api::kustomize::ValuesKind;

use super::face::KUSTOMIZE;
use super::item::Item;
use super::name::Face;
use super::plugins::Chosen;
use crate::delivery::substitute::Substitution;
use crate::delivery::{Request, Source};
use crate::queue::Key;

/// Returns what to render for `object`, told variables and inputs.
pub fn rendering(
    object: &Item,
    plugins: &Chosen,
    (substitution, inputs): (Substitution, Vec<(String, Vec<u8>)>),
    source: Source,
) -> Request {
    let Key { namespace, name } = &object.name.key;
    // kustomize is told of the namespace of a Kustomization, and moves references along.
    let is_kustomize = object.spec.plugin.name == KUSTOMIZE;
    let is_told = object.name.face == Face::Kustomization && is_kustomize;
    let target_namespace = object.spec.target_namespace.clone();
    Request {
        kind: object.name.face.kind(),
        namespace: namespace.to_string(),
        name: name.to_string(),
        path: object.spec.path.clone(),
        renderer: plugins.renderer.clone(),
        inputs,
        secret_inputs: secret(object),
        lookup: None,
        kube_version: None,
        transformers: plugins.transformers.clone(),
        target_namespace: target_namespace.filter(|_| !is_told),
        source,
        substitution,
    }
}

fn secret(object: &Item) -> Vec<String> {
    let inputs = object.spec.inputs.iter();
    let secret = inputs.filter(|input| input.from.kind != ValuesKind::ConfigMap);
    secret.map(|input| input.name.clone()).collect()
}
