//! Gives objects what an apply adds: the stored form, labels, namespaces.

use std::collections::HashMap;

use bulkhead_api::ObjectId;
use serde_json::Value;

use super::Run;
use crate::metadata::{self, CommonMetadata, Scope};
use crate::normalize;
use crate::object::Object;
use crate::order;
use crate::parse;
use crate::target::ApplyError;

impl Run<'_> {
    /// Gives objects the form, the labels and the namespaces in which they are applied.
    pub(super) async fn prepare(
        &self,
        mut objects: Vec<Object>,
        common: &CommonMetadata,
        target_namespace: &str,
    ) -> Result<Vec<Object>, ApplyError> {
        for object in &mut objects {
            normalize::normalize(object);
            let decrypted = self.owner.key("decrypt");
            let is_left = object
                .annotation(&decrypted)
                .is_some_and(|value| value == "disabled");
            if normalize::is_encrypted(object) && !is_left {
                return Err(ApplyError::Encrypted(object.id().clone()));
            }
            let scope = self.scope(object.id(), object.version()).await?;
            if !metadata::place(object, scope, target_namespace) {
                return Err(ApplyError::NoNamespace(object.id().clone()));
            }
        }
        parse::refuse_duplicates(&objects).map_err(ApplyError::Parse)?;
        metadata::set(&mut objects, self.owner, common);
        Ok(objects)
    }

    async fn scope(&self, id: &ObjectId, version: &str) -> Result<Scope, ApplyError> {
        let own = self
            .defined
            .iter()
            .find(|own| own.group == id.group && own.kind == id.kind);
        if let Some(own) = own {
            return Ok(own.scope);
        }
        let found = self
            .cluster
            .discovery
            .find(&id.group, &id.kind, Some(version))
            .await;
        match found {
            Ok(Some(resource)) if resource.namespaced => Ok(Scope::Namespaced),
            Ok(Some(_)) => Ok(Scope::Cluster),
            Ok(None) => Ok(Scope::Unknown),
            Err(error) => Err(ApplyError::Unreachable {
                what: "what the API server serves".to_owned(),
                message: error.to_string(),
            }),
        }
    }
}

/// A kind that comes with the objects.
pub(super) struct Definition {
    pub(super) group: String,
    pub(super) kind: String,
    scope: Scope,
}

/// Returns group, kind and version of each kind that a CRD defines.
pub(crate) fn definition_versions(crd: &Object) -> Vec<(String, String, String)> {
    let mut found = Vec::new();
    for Definition { group, kind, .. } in definitions(std::slice::from_ref(crd)) {
        let versions = crd.body().get("spec").and_then(|spec| spec.get("versions"));
        for version in versions.and_then(Value::as_array).into_iter().flatten() {
            let name = version["name"].as_str().unwrap_or_default();
            found.push((group.clone(), kind.clone(), name.to_owned()));
        }
    }
    found
}

/// Returns whether the kinds that CRDs among the objects define live in namespaces, by group and kind.
pub(crate) fn definition_scopes(objects: &[Object]) -> HashMap<(String, String), Scope> {
    let defined = definitions(objects).into_iter();
    defined
        .map(|own| ((own.group, own.kind), own.scope))
        .collect()
}

/// Finds the kinds that come with the objects.
pub(super) fn definitions(objects: &[Object]) -> Vec<Definition> {
    let crds = objects.iter().filter(|object| order::is_crd(object.id()));
    crds.map(|crd| {
        let spec = crd.body().get("spec");
        let text = |pointer: &str| {
            let value = spec.and_then(|spec| spec.pointer(pointer)?.as_str());
            value.unwrap_or_default().to_owned()
        };
        let scope = match text("/scope").as_str() {
            "Namespaced" => Scope::Namespaced,
            "Cluster" => Scope::Cluster,
            _ => Scope::Unknown,
        };
        Definition {
            group: text("/group"),
            kind: text("/names/kind"),
            scope,
        }
    })
    .collect()
}
