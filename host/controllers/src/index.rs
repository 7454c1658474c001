//! Who must be told when something changes: Kustomizations and Deliveries by their source, and those
//! that wait, by what they wait for.

use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::applier::Name;
use crate::queue::Key;

/// What can be waited for.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Awaited {
    /// The artifact of a GitRepository.
    Source(Key),
    /// A Kustomization or Delivery.
    Dependency(Name),
}

#[derive(Debug, Default)]
struct Inner {
    source_of: HashMap<Name, Key>,
    by_source: HashMap<Key, HashSet<Name>>,
    waiting: HashMap<Awaited, HashSet<Name>>,
}

/// The index. It is told of every change of a Kustomization or Delivery.
#[derive(Debug, Default)]
pub struct Index(Mutex<Inner>);

impl Index {
    /// Notes that the object `name` has `source`; `None` when it is gone, or has a source of another
    /// kind.
    pub fn set_source(&self, name: &Name, source: Option<Key>) {
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
    pub fn of_source(&self, source: &Key) -> Vec<Name> {
        sorted(
            self.lock()
                .by_source
                .get(source)
                .cloned()
                .unwrap_or_default(),
        )
    }

    /// Notes that the object `name` waits.
    pub fn wait(&self, name: &Name, awaited: Awaited) {
        self.lock()
            .waiting
            .entry(awaited)
            .or_default()
            .insert(name.clone());
    }

    /// Returns, once, those that wait for `awaited`.
    pub fn take_waiting(&self, awaited: &Awaited) -> Vec<Name> {
        sorted(self.lock().waiting.remove(awaited).unwrap_or_default())
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn sorted(names: HashSet<Name>) -> Vec<Name> {
    let mut names: Vec<Name> = names.into_iter().collect();
    names.sort();
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kustomization_has_one_source_at_a_time() {
        let index = Index::default();
        let (apps, one, two) = (
            Name::kustomization(Key::new("f", "apps")),
            Key::new("f", "one"),
            Key::new("f", "two"),
        );
        index.set_source(&apps, Some(one.clone()));
        index.set_source(&apps, Some(two.clone()));
        assert!(index.of_source(&one).is_empty());
        assert_eq!(index.of_source(&two), std::slice::from_ref(&apps));
        index.set_source(&apps, None);
        assert!(index.of_source(&two).is_empty());
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
                .take_waiting(&Awaited::Source(base.clone()))
                .is_empty()
        );
        let other = Awaited::Dependency(Name::delivery(base));
        assert!(index.take_waiting(&other).is_empty(), "another kind");
        assert_eq!(index.take_waiting(&dependency), [apps]);
        assert!(index.take_waiting(&dependency).is_empty());
    }
}
