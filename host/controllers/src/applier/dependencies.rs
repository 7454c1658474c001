//! Whether what an object depends on is ready. Pure.

use std::collections::HashSet;

use bulkhead_api::kustomize::SourceReference;

use super::item::Raw;
use super::name::Name;
use crate::expressions::{ExpressionError, ready};

/// Objects that are looked at for a cycle, at most.
const MAX_VISITED: usize = 10_000;

/// A dependency that is not ready, in Flux's words.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Unready {
    /// It does not exist.
    #[error("dependency '{0}' not found")]
    Missing(Name),
    /// It is not ready for its generation.
    #[error("dependency '{0}' is not ready")]
    NotReady(Name),
    /// It is ready, but not yet at the revision of the source that both have.
    #[error("dependency '{0}' revision is not up to date")]
    OldRevision(Name),
    /// The expression that says when it is says no.
    #[error("dependency '{0}' is not ready according to readyExpr eval")]
    NotByExpression(Name),
    /// That expression came to an error, which may pass.
    #[error("{told}")]
    Unknown {
        /// The dependency.
        name: Name,
        /// Why.
        told: String,
    },
    /// That expression cannot be used.
    #[error("{told}")]
    Invalid {
        /// The dependency.
        name: Name,
        /// Why.
        told: String,
    },
}

impl Unready {
    /// Names the dependency.
    pub(super) fn name(&self) -> &Name {
        match self {
            Self::Missing(name)
            | Self::NotReady(name)
            | Self::OldRevision(name)
            | Self::NotByExpression(name)
            | Self::Unknown { name, .. }
            | Self::Invalid { name, .. } => name,
        }
    }
}

/// Returns the first dependency that is not ready, in the order of the specification.
///
/// `revision` is that of the source's artifact. `find` returns an object.
///
/// # Source
/// `checkDependencies` of kustomize-controller.
pub(super) fn first_unready(
    object: &Raw,
    revision: &str,
    find: impl Fn(&Name) -> Option<Raw>,
) -> Option<Unready> {
    let names = object.dependencies().into_iter();
    let mut dependencies = names.zip(object.ready_expressions());
    dependencies.find_map(|(name, expression)| match (find(&name), expression) {
        (None, _) => Some(Unready::Missing(name)),
        (Some(dependency), None) => unready(object, &dependency, revision, name),
        (Some(dependency), Some(text)) => match by_expression(object, &dependency, text) {
            Ok(true) => None,
            Ok(false) => Some(Unready::NotByExpression(name)),
            Err(ExpressionError::Invalid(told)) => Some(Unready::Invalid { name, told }),
            Err(ExpressionError::Failed(told)) => Some(Unready::Unknown { name, told }),
        },
    })
}

/// Asks the expression whether a dependency is ready. It takes the place of all else, as in Flux.
fn by_expression(object: &Raw, dependency: &Raw, text: &str) -> Result<bool, ExpressionError> {
    let name = dependency.metadata().name.as_deref().unwrap_or_default();
    ready(text, name, &object.to_value(), &dependency.to_value())
}

fn unready(object: &Raw, dependency: &Raw, revision: &str, name: Name) -> Option<Unready> {
    if !dependency.is_ready() {
        return Some(Unready::NotReady(name));
    }
    let same_source = source(object) == source(dependency);
    if same_source && dependency.last_applied_revision() != Some(revision) {
        return Some(Unready::OldRevision(name));
    }
    None
}

fn source(object: &Raw) -> (&str, &str, &str) {
    let SourceReference {
        kind,
        name,
        namespace,
        ..
    } = object.source();
    let own = object.metadata().namespace.as_deref().unwrap_or_default();
    (kind.as_str(), namespace.as_deref().unwrap_or(own), name)
}

/// Returns the way from `object` back to itself, if its dependencies go in a circle.
pub(super) fn cycle(object: &Raw, find: impl Fn(&Name) -> Option<Raw>) -> Option<Vec<Name>> {
    let start = object.name();
    let mut visited = HashSet::new();
    // Depth first; a path is a list of names, the last of which is looked at next.
    let first = object.dependencies().into_iter();
    let mut paths: Vec<Vec<Name>> = first.map(|name| vec![start.clone(), name]).collect();
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
        for next in dependency.dependencies() {
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
    use std::sync::Arc;
    use std::time::Duration;

    use bulkhead_api::conditions::{self, Stamp};
    use bulkhead_api::delivery::PluginReference;
    use bulkhead_api::delivery::{Delivery, DeliverySpec, Dependency, DependencyKind};
    use bulkhead_api::kustomize::{Kustomization, KustomizationSpec, SourceKind};
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

    fn world(objects: Vec<Kustomization>) -> HashMap<Name, Raw> {
        let raw = |object| Raw::Kustomization(Arc::new(object));
        let named = |object: Raw| (object.name(), object);
        objects.into_iter().map(raw).map(named).collect()
    }

    fn unready_of(dependency: Option<Kustomization>) -> Option<String> {
        let world = world(dependency.into_iter().collect());
        let object = Raw::Kustomization(Arc::new(kustomization("apps", &["base"])));
        first_unready(&object, "main@sha1:2", |name| world.get(name).cloned())
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
            let first = Raw::Kustomization(Arc::new(objects[0].clone()));
            let world = world(objects);
            cycle(&first, |name| world.get(name).cloned()).map(|path| {
                path.iter()
                    .map(|name| name.key.name.to_string())
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
        let first = Raw::Kustomization(Arc::new(objects[0].clone()));
        let world = world(objects);
        assert_eq!(
            cycle(&first, |name| world.get(name).cloned())
                .unwrap()
                .len(),
            501
        );
    }

    #[test]
    fn a_delivery_depends_on_both_kinds_and_tells_them_apart() {
        let source =
            bulkhead_api::kustomize::SourceReference::new(SourceKind::GitRepository, "app");
        let plugin = PluginReference::new("cue");
        let mut spec = DeliverySpec::new(source, plugin, Duration::from_secs(60), true);
        let dependency = |kind| Dependency {
            kind,
            name: "base".into(),
            namespace: None,
            ready_expr: None,
        };
        spec.depends_on = vec![
            dependency(Some(DependencyKind::Kustomization)),
            dependency(None),
        ];
        let object = Raw::Delivery(Arc::new(Delivery::new("f", "apps", spec)));
        let world = world(vec![ready(kustomization("base", &[]), "main@sha1:2")]);
        let unready = first_unready(&object, "main@sha1:2", |name| world.get(name).cloned());
        let text = unready.unwrap().to_string();
        assert_eq!(text, "dependency 'Delivery/f/base' not found");
    }
}
