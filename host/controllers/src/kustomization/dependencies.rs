//! Whether what a Kustomization depends on is ready. Pure.

use std::collections::HashSet;
use std::sync::Arc;

use bulkhead_api::conditions;
use bulkhead_api::kustomize::{Kustomization, SourceReference};
use bulkhead_api::names::condition::READY;

use crate::queue::Key;
use crate::watch::key_of;

/// Kustomizations that are looked at for a cycle, at most.
const MAX_VISITED: usize = 10_000;

/// A dependency that is not ready, in Flux's words.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Unready {
    /// It does not exist.
    #[error("dependency '{0}' not found")]
    Missing(Key),
    /// It is not ready for its generation.
    #[error("dependency '{0}' is not ready")]
    NotReady(Key),
    /// It is ready, but not yet at the revision of the source that both have.
    #[error("dependency '{0}' revision is not up to date")]
    OldRevision(Key),
}

impl Unready {
    /// Names the dependency.
    pub(super) fn key(&self) -> &Key {
        match self {
            Self::Missing(key) | Self::NotReady(key) | Self::OldRevision(key) => key,
        }
    }
}

/// Names what `object` depends on.
pub(super) fn keys(object: &Kustomization) -> impl Iterator<Item = Key> + '_ {
    let namespace = object.metadata.namespace.as_deref().unwrap_or_default();
    object.spec.depends_on.iter().map(move |reference| {
        Key::new(
            reference.namespace.as_deref().unwrap_or(namespace),
            &reference.name,
        )
    })
}

/// Returns the first dependency that is not ready, in the order of the specification.
///
/// `revision` is that of the source's artifact. `find` returns a Kustomization.
///
/// # Source
/// `checkDependencies` of kustomize-controller.
pub(super) fn first_unready(
    object: &Kustomization,
    revision: &str,
    find: impl Fn(&Key) -> Option<Arc<Kustomization>>,
) -> Option<Unready> {
    keys(object).find_map(|key| match find(&key) {
        None => Some(Unready::Missing(key)),
        Some(dependency) => unready(object, &dependency, revision, key),
    })
}

fn unready(
    object: &Kustomization,
    dependency: &Kustomization,
    revision: &str,
    key: Key,
) -> Option<Unready> {
    let status = &dependency.status;
    let observed = dependency.metadata.generation == Some(status.observed_generation);
    if !observed || !conditions::is_true(&status.conditions, READY) {
        return Some(Unready::NotReady(key));
    }
    let same_source = source(object) == source(dependency);
    if same_source && status.last_applied_revision.as_deref() != Some(revision) {
        return Some(Unready::OldRevision(key));
    }
    None
}

fn source(object: &Kustomization) -> (&str, &str, &str) {
    let SourceReference {
        kind,
        name,
        namespace,
        ..
    } = &object.spec.source_ref;
    let own = object.metadata.namespace.as_deref().unwrap_or_default();
    (kind.as_str(), namespace.as_deref().unwrap_or(own), name)
}

/// Returns the way from `object` back to itself, if its dependencies go in a circle.
pub(super) fn cycle(
    object: &Kustomization,
    find: impl Fn(&Key) -> Option<Arc<Kustomization>>,
) -> Option<Vec<Key>> {
    let start = key_of(object);
    let mut visited = HashSet::new();
    // Depth first; a path is a list of keys, the last of which is looked at next.
    let mut paths: Vec<Vec<Key>> = keys(object).map(|key| vec![start.clone(), key]).collect();
    while let Some(path) = paths.pop() {
        let Some(last) = path.last() else { continue };
        if *last == start {
            return Some(path);
        }
        if visited.len() >= MAX_VISITED || !visited.insert(last.clone()) {
            continue;
        }
        let Some(dependency) = find(last) else {
            continue;
        };
        for next in keys(&dependency) {
            let mut path = path.clone();
            path.push(next);
            paths.push(path);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may")]

    use std::collections::HashMap;
    use std::time::Duration;

    use bulkhead_api::conditions::Stamp;
    use bulkhead_api::kustomize::{KustomizationSpec, SourceKind};
    use bulkhead_api::meta::DependencyReference;

    use super::*;

    fn kustomization(name: &str, depends_on: &[&str]) -> Kustomization {
        let source = SourceReference::new(SourceKind::GitRepository, "app");
        let mut spec = KustomizationSpec::new(source, Duration::from_secs(60), true);
        spec.depends_on = depends_on
            .iter()
            .map(|name| DependencyReference {
                name: (*name).into(),
                ..Default::default()
            })
            .collect();
        let mut object = Kustomization::new("f", name, spec);
        object.metadata.generation = Some(1);
        object
    }

    fn ready(mut object: Kustomization, revision: &str) -> Kustomization {
        let stamp = Stamp {
            generation: 1,
            now: jiff::Timestamp::UNIX_EPOCH,
        };
        conditions::ready(
            &mut object.status.conditions,
            stamp,
            "ReconciliationSucceeded",
            "",
        );
        object.status.observed_generation = 1;
        object.status.last_applied_revision = Some(revision.into());
        object
    }

    fn world(objects: Vec<Kustomization>) -> HashMap<Key, Arc<Kustomization>> {
        objects
            .into_iter()
            .map(|object| (key_of(&object), Arc::new(object)))
            .collect()
    }

    fn unready_of(dependency: Option<Kustomization>) -> Option<String> {
        let world = world(dependency.into_iter().collect());
        let object = kustomization("apps", &["base"]);
        first_unready(&object, "main@sha1:2", |key| world.get(key).cloned())
            .map(|unready| unready.to_string())
    }

    #[test]
    fn a_dependency_is_ready_for_its_generation_and_at_the_same_revision() {
        let base = || kustomization("base", &[]);
        assert_eq!(unready_of(None).unwrap(), "dependency 'f/base' not found");
        assert_eq!(
            unready_of(Some(base())).unwrap(),
            "dependency 'f/base' is not ready"
        );
        let mut changed = ready(base(), "main@sha1:2");
        changed.metadata.generation = Some(2);
        assert_eq!(
            unready_of(Some(changed)).unwrap(),
            "dependency 'f/base' is not ready"
        );
        assert_eq!(
            unready_of(Some(ready(base(), "main@sha1:1"))).unwrap(),
            "dependency 'f/base' revision is not up to date"
        );
        assert_eq!(unready_of(Some(ready(base(), "main@sha1:2"))), None);
        let mut other = ready(base(), "main@sha1:1");
        other.spec.source_ref.name = "other".into();
        assert_eq!(
            unready_of(Some(other)),
            None,
            "another source has other revisions"
        );
    }

    #[test]
    fn cycles_are_found_and_diamonds_are_none() {
        let cycle_of = |objects: Vec<Kustomization>| {
            let first = objects[0].clone();
            let world = world(objects);
            cycle(&first, |key| world.get(key).cloned()).map(|path| {
                path.iter()
                    .map(|key| key.name.to_string())
                    .collect::<Vec<_>>()
                    .join(" ")
            })
        };
        assert_eq!(cycle_of(vec![kustomization("a", &["a"])]).unwrap(), "a a");
        let ring = vec![
            kustomization("a", &["b"]),
            kustomization("b", &["c"]),
            kustomization("c", &["a"]),
        ];
        assert_eq!(cycle_of(ring).unwrap(), "a b c a");
        let diamond = vec![
            kustomization("a", &["b", "c"]),
            kustomization("b", &["d"]),
            kustomization("c", &["d"]),
            kustomization("d", &[]),
        ];
        assert_eq!(cycle_of(diamond), None);
        let beside = vec![
            kustomization("a", &["b"]),
            kustomization("b", &["c"]),
            kustomization("c", &["b"]),
        ];
        assert_eq!(
            cycle_of(beside),
            None,
            "a cycle of others is theirs to tell"
        );
    }

    #[test]
    fn a_long_chain_ends() {
        let names: Vec<String> = (0..500).map(|number| format!("k{number}")).collect();
        let objects = names
            .windows(2)
            .map(|pair| kustomization(&pair[0], &[&pair[1]]));
        let mut objects: Vec<_> = objects.collect();
        objects.push(kustomization("k499", &["k0"]));
        let first = objects[0].clone();
        let world = world(objects);
        assert_eq!(
            cycle(&first, |key| world.get(key).cloned()).unwrap().len(),
            501
        );
    }
}
