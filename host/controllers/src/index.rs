//! Who must be told when something changes: Kustomizations and Deliveries by their source, and those
//! that wait, by what they wait for.

use std::collections::{HashMap, HashSet};
use std::hash::Hash;
use std::sync::{Mutex, MutexGuard, PoisonError};

use bulkhead_api::source::ExternalArtifact;

use crate::applier::Name;
use crate::kind::Kind;
use crate::queue::Key;

/// Names a source, of any kind.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SourceId {
    /// Kind, as in manifests.
    pub kind: &'static str,
    /// Namespace and name.
    pub key: Key,
}

impl SourceId {
    /// Names the source `key` of the kind `K`.
    pub fn new<K: Kind>(key: Key) -> Self {
        Self { kind: K::KIND, key }
    }

    /// Names an ExternalArtifact: of all sources the one that is nobody's here to reconcile.
    pub fn external(key: Key) -> Self {
        let kind = ExternalArtifact::KIND;
        Self { kind, key }
    }
}

/// What can be waited for.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Awaited {
    /// The artifact of a source.
    Source(SourceId),
    /// A Kustomization or Delivery.
    Dependency(Name),
}

#[derive(Debug)]
struct BySource<N> {
    source_of: HashMap<N, SourceId>,
    by_source: HashMap<SourceId, HashSet<N>>,
}

/// Which objects have which source. It is told of every change of such an object.
#[derive(Debug)]
pub struct Consumers<N>(Mutex<BySource<N>>);

impl<N> Default for Consumers<N> {
    fn default() -> Self {
        Self(Mutex::new(BySource {
            source_of: HashMap::new(),
            by_source: HashMap::new(),
        }))
    }
}

impl<N: Clone + Hash + Ord> Consumers<N> {
    /// Notes that the object `name` has `source`; `None` when it is gone, or has one of a kind that
    /// nobody tells of.
    pub fn set(&self, name: &N, source: Option<SourceId>) {
        let mut inner = self.lock();
        let before = match &source {
            Some(source) => inner.source_of.insert(name.clone(), source.clone()),
            None => inner.source_of.remove(name),
        };
        if before == source {
            return;
        }
        if let Some(before) = before
            && let Some(names) = inner.by_source.get_mut(&before)
        {
            names.remove(name);
            if names.is_empty() {
                inner.by_source.remove(&before);
            }
        }
        if let Some(source) = source {
            inner
                .by_source
                .entry(source)
                .or_default()
                .insert(name.clone());
        }
    }

    /// Returns the objects that have `source`, in the order of their names.
    pub fn of(&self, source: &SourceId) -> Vec<N> {
        let names = self.lock().by_source.get(source).cloned();
        sorted(names.unwrap_or_default())
    }

    /// Tells whether any object has `source`.
    pub fn any(&self, source: &SourceId) -> bool {
        self.lock().by_source.contains_key(source)
    }

    fn lock(&self) -> MutexGuard<'_, BySource<N>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The index of what renders and applies.
#[derive(Debug, Default)]
pub struct Index {
    /// Which have which source.
    pub sources: Consumers<Name>,
    waiting: Mutex<HashMap<Awaited, HashSet<Name>>>,
}

impl Index {
    /// Notes that the object `name` waits.
    pub fn wait(&self, name: &Name, awaited: Awaited) {
        self.lock().entry(awaited).or_default().insert(name.clone());
    }

    /// Returns, once, those that wait for `awaited`.
    pub fn take_waiting(&self, awaited: &Awaited) -> Vec<Name> {
        sorted(self.lock().remove(awaited).unwrap_or_default())
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Awaited, HashSet<Name>>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn sorted<N: Ord>(names: HashSet<N>) -> Vec<N> {
    let mut names: Vec<N> = names.into_iter().collect();
    names.sort();
    names
}

#[cfg(test)]
mod tests {
    use bulkhead_api::source::{GitRepository, OCIRepository};

    use super::*;

    #[test]
    fn a_kustomization_has_one_source_at_a_time() {
        let index = Index::default();
        let (apps, one, two) = (
            Name::kustomization(Key::new("f", "apps")),
            SourceId::new::<GitRepository>(Key::new("f", "same")),
            SourceId::new::<OCIRepository>(Key::new("f", "same")),
        );
        index.sources.set(&apps, Some(one.clone()));
        index.sources.set(&apps, Some(two.clone()));
        assert!(index.sources.of(&one).is_empty());
        assert_eq!(index.sources.of(&two), std::slice::from_ref(&apps));
        assert!(index.sources.any(&two));
        index.sources.set(&apps, None);
        assert!(!index.sources.any(&two));
    }

    #[test]
    fn those_who_wait_are_told_once() {
        let index = Index::default();
        let base = Key::new("f", "base");
        let apps = Name::delivery(Key::new("f", "apps"));
        let dependency = Awaited::Dependency(Name::kustomization(base.clone()));
        index.wait(&apps, dependency.clone());
        assert!(
            index
                .take_waiting(&Awaited::Source(SourceId::new::<GitRepository>(
                    base.clone()
                )))
                .is_empty()
        );
        let other = Awaited::Dependency(Name::delivery(base));
        assert!(index.take_waiting(&other).is_empty(), "another kind");
        assert_eq!(index.take_waiting(&dependency), [apps]);
        assert!(index.take_waiting(&dependency).is_empty());
    }
}
