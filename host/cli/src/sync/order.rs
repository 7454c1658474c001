//! In which order Kustomizations, Deliveries and HelmReleases are delivered: dependencies first. Pure.

use std::collections::{BTreeMap, BTreeSet};

use bulkhead_api::{Advice, Retry, reason};

/// Those with a dependency on themselves, directly or through others.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Ordered<T> {
    /// Dependencies before what depends on them; names otherwise.
    pub order: Vec<T>,
    /// Members of a cycle, or behind one: they can never be ready.
    pub cyclic: BTreeSet<T>,
}

/// Orders `dependencies`, which lists for each those that must be ready first. One
/// that is not listed itself holds nothing up here.
pub(crate) fn order<T: Clone + Ord>(dependencies: &BTreeMap<T, Vec<T>>) -> Ordered<T> {
    let mut waiting: BTreeMap<&T, BTreeSet<&T>> = dependencies
        .iter()
        .map(|(key, needs)| {
            (
                key,
                needs
                    .iter()
                    .filter(|need| dependencies.contains_key(*need))
                    .collect(),
            )
        })
        .collect();
    let mut order = Vec::with_capacity(waiting.len());
    while let Some(ready) = waiting
        .iter()
        .find(|(_, needs)| needs.is_empty())
        .map(|(key, _)| *key)
    {
        waiting.remove(ready);
        for needs in waiting.values_mut() {
            needs.remove(ready);
        }
        order.push(ready.clone());
    }
    Ordered {
        order,
        cyclic: waiting.into_keys().cloned().collect(),
    }
}

/// What is told of those in a cycle: why they are not ready, and the words for it.
pub(super) fn cycle() -> (Advice, String) {
    let advice = Advice::new(reason::DEPENDENCY_NOT_READY, Retry::OnChange)
        .hint("take one reference out of `spec.dependsOn`");
    let text = "depends on itself, directly or through others".to_owned();
    (advice, text)
}

#[cfg(test)]
mod tests {
    use bulkhead_controllers::applier::Name;

    use super::*;

    fn key(name: &str) -> Name {
        Name::kustomization(bulkhead_controllers::queue::Key::new("ns", name))
    }

    fn ordered(pairs: &[(&str, &[&str])]) -> Ordered<Name> {
        order(
            &pairs
                .iter()
                .map(|(name, needs)| (key(name), needs.iter().map(|n| key(n)).collect()))
                .collect(),
        )
    }

    #[test]
    fn dependencies_come_first() {
        let found = ordered(&[("a", &["c"]), ("b", &[]), ("c", &["b", "elsewhere"])]);
        assert_eq!(found.order, [key("b"), key("c"), key("a")]);
        assert!(found.cyclic.is_empty());
    }

    #[test]
    fn cycles_are_named_and_hold_up_no_one_else() {
        let found = ordered(&[("a", &["b"]), ("b", &["a"]), ("c", &["a"]), ("d", &[])]);
        assert_eq!(found.order, [key("d")]);
        assert_eq!(found.cyclic, [key("a"), key("b"), key("c")].into());
    }
}
