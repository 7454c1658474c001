//! Which notifier serves a provider: the one that its annotation names, else the one of its type.

use std::collections::HashMap;

use bulkhead_api::names::annotation;
use bulkhead_api::notification::Provider;

use crate::notifier::Installed;

/// Finds notifiers by name.
pub trait Plugins<G>: Send + Sync {
    /// Returns the notifier that `name` means for providers in `namespace`.
    ///
    /// # Errors
    /// [`Missing`] says why there is none.
    fn find(&self, namespace: &str, name: &str) -> Result<Installed<G>, Missing>;
}

/// Why a name gives no notifier.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Missing {
    /// Nothing has the name; these names are there.
    NotInstalled(Vec<String>),
    /// What has the name cannot be used: why.
    NotReady(String),
}

/// The same notifiers for all namespaces, by name.
impl<G: Clone + Send + Sync> Plugins<G> for HashMap<String, Installed<G>> {
    fn find(&self, _namespace: &str, name: &str) -> Result<Installed<G>, Missing> {
        self.get(name).cloned().ok_or_else(|| {
            let mut names: Vec<String> = self.keys().cloned().collect();
            names.sort();
            Missing::NotInstalled(names)
        })
    }
}

/// Returns the name of the notifier that serves `provider`.
///
/// The schema of `spec.type` is Flux's and has a fixed list: any other notifier is named by the
/// annotation `bulkhead.dev/plugin`, normally beside `type: generic`. The type still says which
/// events the provider gets.
pub fn name(provider: &Provider) -> &str {
    let annotations = provider.metadata.annotations.as_ref();
    let named = annotations.and_then(|all| all.get(annotation::PLUGIN));
    match named.map(|name| name.trim()) {
        Some(name) if !name.is_empty() => name,
        _ => &provider.spec.type_,
    }
}

#[cfg(test)]
mod tests {
    use bulkhead_api::notification::ProviderSpec;

    use super::*;

    #[test]
    fn an_annotation_names_the_plugin_before_the_type() {
        let mut provider = Provider::new("a", "b", ProviderSpec::new("generic"));
        assert_eq!(name(&provider), "generic");
        let mut annotate = |value: &str| {
            let annotation = (annotation::PLUGIN.to_owned(), value.to_owned());
            provider.metadata.annotations = Some([annotation].into());
            name(&provider).to_owned()
        };
        assert_eq!(annotate("pager"), "pager");
        assert_eq!(annotate(" "), "generic");
    }

    #[test]
    fn names_that_are_there_are_told() {
        let plugins = HashMap::from([
            ("b".to_owned(), Installed::new(1)),
            ("a".to_owned(), Installed::new(2)),
        ]);
        assert_eq!(plugins.find("x", "a").map(|found| found.plugin), Ok(2));
        let missing = Missing::NotInstalled(vec!["a".to_owned(), "b".to_owned()]);
        assert_eq!(
            plugins.find("x", "c").map(|found| found.plugin),
            Err(missing)
        );
    }
}
