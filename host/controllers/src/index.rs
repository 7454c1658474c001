//! Who must be told when something changes: Kustomizations by their source, and those that wait, by
//! what they wait for.

use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::queue::Key;

/// What a Kustomization can wait for.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Awaited {
    /// The artifact of a GitRepository.
    Source(Key),
    /// Another Kustomization.
    Dependency(Key),
}

#[derive(Debug, Default)]
struct Inner {
    source_of: HashMap<Key, Key>,
    by_source: HashMap<Key, HashSet<Key>>,
    waiting: HashMap<Awaited, HashSet<Key>>,
}

/// The index. It is told of every change of a Kustomization.
#[derive(Debug, Default)]
pub struct Index(Mutex<Inner>);

impl Index {
    /// Notes that the Kustomization `key` has `source`; `None` when it is gone, or has a source of
    /// another kind.
    pub fn set_source(&self, key: &Key, source: Option<Key>) {
        let mut inner = self.lock();
        let before = match &source {
            Some(source) => inner.source_of.insert(key.clone(), source.clone()),
            None => inner.source_of.remove(key),
        };
        if before == source {
            return;
        }
        if let Some(before) = before
            && let Some(keys) = inner.by_source.get_mut(&before)
        {
            keys.remove(key);
            if keys.is_empty() {
                inner.by_source.remove(&before);
            }
        }
        if let Some(source) = source {
            inner
                .by_source
                .entry(source)
                .or_default()
                .insert(key.clone());
        }
    }

    /// Returns the Kustomizations that have `source`, in the order of their names.
    pub fn of_source(&self, source: &Key) -> Vec<Key> {
        sorted(
            self.lock()
                .by_source
                .get(source)
                .cloned()
                .unwrap_or_default(),
        )
    }

    /// Notes that the Kustomization `key` waits.
    pub fn wait(&self, key: &Key, awaited: Awaited) {
        self.lock()
            .waiting
            .entry(awaited)
            .or_default()
            .insert(key.clone());
    }

    /// Returns, once, those that wait for `awaited`.
    pub fn take_waiting(&self, awaited: &Awaited) -> Vec<Key> {
        sorted(self.lock().waiting.remove(awaited).unwrap_or_default())
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn sorted(keys: HashSet<Key>) -> Vec<Key> {
    let mut keys: Vec<Key> = keys.into_iter().collect();
    keys.sort();
    keys
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kustomization_has_one_source_at_a_time() {
        let index = Index::default();
        let (apps, one, two) = (
            Key::new("f", "apps"),
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
        let (apps, base) = (Key::new("f", "apps"), Key::new("f", "base"));
        index.wait(&apps, Awaited::Dependency(base.clone()));
        assert!(
            index
                .take_waiting(&Awaited::Source(base.clone()))
                .is_empty()
        );
        assert_eq!(
            index.take_waiting(&Awaited::Dependency(base.clone())),
            [apps]
        );
        assert!(index.take_waiting(&Awaited::Dependency(base)).is_empty());
    }
}
