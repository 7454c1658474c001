//! ConfigMaps and Secrets whose label asks for it: a change of one starts the HelmReleases that refer
//! to it, in place of the next interval.
//!
//! # Source
//! `requestsForConfigDependency` and the indexes of helm-controller 1.6, `internal/controller`.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bulkhead_api::helmrelease::HelmRelease;
use bulkhead_api::kustomize::ValuesKind;
use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::context::Context;
use crate::queue::{Class, Key};
use crate::watch::{Sink, Target, key_of};

/// Which kind of objects is watched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReferredKind {
    /// ConfigMaps.
    ConfigMap,
    /// Secrets.
    Secret,
}

impl ReferredKind {
    /// Names what is to be watched, in `namespace` or everywhere: the metadata of what `labels` selects.
    pub fn target(self, namespace: Option<&str>, labels: &str) -> Target {
        let all = match self {
            Self::ConfigMap => Target::of::<ConfigMap>(namespace),
            Self::Secret => Target::of::<Secret>(namespace),
        };
        Target {
            labels: labels.to_owned(),
            metadata_only: true,
            ..all
        }
    }

    /// Tells whether a HelmRelease refers to the object of this name beside it.
    fn is_in(self, object: &HelmRelease, name: &str) -> bool {
        let spec = &object.spec;
        let cluster = spec.kube_config.as_ref();
        let (kind, of_cluster) = match self {
            Self::ConfigMap => {
                let reference = cluster.and_then(|one| one.config_map_ref.as_ref());
                (ValuesKind::ConfigMap, reference.map(|one| &one.name))
            }
            Self::Secret => {
                let reference = cluster.and_then(|one| one.secret_ref.as_ref());
                (ValuesKind::Secret, reference.map(|one| &one.name))
            }
        };
        let mut values = spec.values_from.iter();
        values.any(|one| one.kind == kind && one.name == name)
            || of_cluster.is_some_and(|one| one == name)
    }
}

/// Objects of one kind, as a watch shows them.
pub struct Referred {
    kind: ReferredKind,
    context: Arc<Context>,
    seen: Mutex<Seen>,
}

#[derive(Default)]
struct Seen {
    /// The resource versions; `None` before the first listing is complete.
    versions: Option<HashMap<Key, String>>,
    listed: HashMap<Key, String>,
}

impl Seen {
    /// Takes a listing; returns what is new, other, or gone since the one before. The first tells of
    /// nothing: what starts looks at everything anyway.
    fn take_listed(&mut self) -> Vec<Key> {
        let listed = std::mem::take(&mut self.listed);
        let Some(before) = self.versions.replace(listed.clone()) else {
            return Vec::new();
        };
        let keys: HashSet<&Key> = before.keys().chain(listed.keys()).collect();
        let changed = keys
            .into_iter()
            .filter(|key| before.get(*key) != listed.get(*key));
        changed.cloned().collect()
    }

    /// Takes one object; returns whether it is new or other.
    fn put(&mut self, key: Key, version: String) -> bool {
        match &mut self.versions {
            None => false,
            Some(versions) => versions.insert(key, version.clone()).as_ref() != Some(&version),
        }
    }
}

#[derive(Deserialize)]
struct Object {
    metadata: Metadata,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Metadata {
    name: String,
    namespace: String,
    resource_version: String,
}

impl Referred {
    /// Starts the HelmReleases of `context`.
    pub fn new(kind: ReferredKind, context: Arc<Context>) -> Self {
        Self {
            kind,
            context,
            seen: Mutex::default(),
        }
    }

    fn wake(&self, key: &Key) {
        let kept = &self.context.helm_releases;
        for object in kept.store.all() {
            let own = key_of(&*object);
            if own.namespace == key.namespace && self.kind.is_in(&object, &key.name) {
                kept.queue.add(own, Class::Dependency);
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn read(object: &RawValue) -> Option<(Key, String)> {
    let Object { metadata } = serde_json::from_str(object.get()).ok()?;
    let key = Key::new(&metadata.namespace, &metadata.name);
    Some((key, metadata.resource_version))
}

impl Sink for Referred {
    fn begin(&self) {
        self.lock().listed.clear();
    }

    fn put(&self, object: &RawValue) {
        let Some((key, version)) = read(object) else {
            return;
        };
        let mut seen = self.lock();
        seen.listed.insert(key.clone(), version.clone());
        let is_news = seen.put(key.clone(), version);
        drop(seen);
        if is_news {
            self.wake(&key);
        }
    }

    fn delete(&self, object: &RawValue) {
        let Some((key, _)) = read(object) else {
            return;
        };
        let mut seen = self.lock();
        seen.versions
            .iter_mut()
            .for_each(|all| drop(all.remove(&key)));
        drop(seen);
        self.wake(&key);
    }

    fn end(&self) {
        let changed = self.lock().take_listed();
        changed.iter().for_each(|key| self.wake(key));
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may")]

    use serde_json::json;

    use super::*;

    #[test]
    fn references_are_told_apart_by_kind_and_name() {
        let object: HelmRelease = serde_json::from_value(json!({
            "metadata": { "name": "web", "namespace": "apps" },
            "spec": {
                "interval": "1m",
                "chartRef": { "kind": "HelmChart", "name": "web" },
                "kubeConfig": { "secretRef": { "name": "other" } },
                "valuesFrom": [
                    { "kind": "ConfigMap", "name": "values" },
                    { "kind": "Secret", "name": "secrets" },
                ],
            },
        }))
        .unwrap();
        let map = |name| ReferredKind::ConfigMap.is_in(&object, name);
        let secret = |name| ReferredKind::Secret.is_in(&object, name);
        assert_eq!(
            [map("values"), map("secrets"), map("other")],
            [true, false, false]
        );
        assert_eq!(
            [secret("values"), secret("secrets"), secret("other")],
            [false, true, true]
        );
    }

    #[test]
    fn what_changed_is_told_after_the_first_listing() {
        let key = |name: &str| Key::new("apps", name);
        let mut seen = Seen::default();
        assert!(!seen.put(key("a"), "1".into()), "still listing");
        seen.listed = [("a", "1"), ("b", "1"), ("c", "1")]
            .map(|(name, v)| (key(name), v.into()))
            .into();
        assert_eq!(seen.take_listed(), []);
        assert!(!seen.put(key("a"), "1".into()));
        assert!(seen.put(key("a"), "2".into()));
        assert!(seen.put(key("d"), "1".into()));
        seen.listed = [("a", "2"), ("b", "2"), ("d", "1")]
            .map(|(name, v)| (key(name), v.into()))
            .into();
        let mut changed = seen.take_listed();
        changed.sort();
        assert_eq!(
            changed,
            [key("b"), key("c")],
            "while the watch was broken off"
        );
    }
}
