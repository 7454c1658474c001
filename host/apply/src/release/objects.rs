//! The objects of a manifest, and where each goes.

use std::collections::HashMap;

use bulkhead_api::ObjectId;

use super::error::ActionError;
use super::helm::Helm;
use crate::metadata::{Scope, place};
use crate::object::Object;
use crate::parse::{self, Limits};
use crate::target::cluster::{ApiError, Resource, definition_scopes};

/// An object, and the kind that the server has for it: none yet for a kind that comes with it.
#[derive(Clone, Debug)]
pub(super) struct Placed {
    pub(super) object: Object,
    pub(super) resource: Option<Resource>,
}

impl Placed {
    pub(super) fn id(&self) -> &ObjectId {
        self.object.id()
    }

    /// Returns `ConfigMap "a" in namespace "b"`: how Helm names it.
    pub(super) fn told(&self) -> String {
        let ObjectId {
            namespace,
            name,
            kind,
            ..
        } = self.id();
        format!("{kind} \"{name}\" in namespace \"{namespace}\"")
    }
}

/// What to do about kinds that the server does not serve.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Unknown {
    /// Refuse: nothing has been touched.
    Refuse,
    /// Take another version that is served, or leave them out: there can be no objects of them.
    Drop,
}

impl Helm {
    /// Reads a manifest; objects without a namespace get `namespace` where their kind wants one.
    pub(super) async fn objects(
        &self,
        manifest: &str,
        namespace: &str,
        unknown: Unknown,
    ) -> Result<Vec<Placed>, ActionError> {
        let objects = parse::with_duplicates([manifest.into()], &Limits::default());
        let objects = objects.map_err(ActionError::Build)?;
        let defined = definition_scopes(&objects);
        let mut resources: HashMap<(String, String, String), Option<Resource>> = HashMap::new();
        let (mut found, mut missing) = (Vec::new(), Vec::new());
        for mut object in objects {
            let (id, version) = (object.id().clone(), object.version().to_owned());
            let key = (id.group.clone(), id.kind.clone(), version.clone());
            let resource = match resources.get(&key) {
                Some(resource) => resource.clone(),
                None => {
                    let resource = self.resource(&id, &version, unknown).await;
                    let resource = resource.map_err(ActionError::Discovery)?;
                    resources.insert(key, resource.clone());
                    resource
                }
            };
            let own = (id.group.clone(), id.kind.clone());
            let scope = match &resource {
                Some(resource) if resource.namespaced => Scope::Namespaced,
                Some(_) => Scope::Cluster,
                None => match defined.get(&own) {
                    Some(scope) => *scope,
                    None if unknown == Unknown::Refuse => {
                        missing.push(no_match(&object));
                        continue;
                    }
                    None => continue,
                },
            };
            // A release always has a namespace.
            let _ = place(&mut object, scope, namespace);
            found.push(Placed { object, resource });
        }
        missing.sort();
        missing.dedup();
        if missing.is_empty() {
            Ok(found)
        } else {
            Err(ActionError::UnknownKinds(missing))
        }
    }

    async fn resource(
        &self,
        id: &ObjectId,
        version: &str,
        unknown: Unknown,
    ) -> Result<Option<Resource>, ApiError> {
        let discovery = self.cluster.discovery();
        let found = discovery.find(&id.group, &id.kind, Some(version)).await?;
        match (found, unknown) {
            (None, Unknown::Drop) => discovery.find(&id.group, &id.kind, None).await,
            (found, _) => Ok(found),
        }
    }
}

fn no_match(object: &Object) -> String {
    let (id, version) = (object.id(), object.version());
    let api_version = match id.group.as_str() {
        "" => version.to_owned(),
        group => format!("{group}/{version}"),
    };
    format!(
        "no matches for kind \"{}\" in version \"{api_version}\"",
        id.kind
    )
}
