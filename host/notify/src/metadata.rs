//! The metadata of an event: what is internal goes, what the alert adds comes, and the prefixes are
//! taken off, in Flux's order of precedence (RFC 0008).

use std::collections::BTreeMap;

use bulkhead_api::ObjectId;
use bulkhead_api::event::{Event, key};
use bulkhead_api::names::group;
use bulkhead_api::notification::AlertSpec;

/// Metadata as a notifier gets it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Combined {
    /// Names without prefixes, and values.
    pub metadata: BTreeMap<String, String>,
    /// Names that more than one origin gave; the stronger one won.
    pub conflicts: Vec<String>,
}

/// Combines what the event and the alert have to say, the weakest first: annotations of the object
/// (`event.toolkit.fluxcd.io/`), `spec.eventMetadata`, `spec.summary`, the controller's own entries
/// (the prefix is the API group of the object).
///
/// Checksum, digest and token are the engine's own and are left out, as is what has no known prefix.
///
/// # Source
/// `cleanupMetadata`, `excludeInternalMetadata` and `combineEventMetadata` in notification-controller
/// `internal/server`.
pub fn combine(event: &Event, alert: &AlertSpec) -> Combined {
    let own_group = format!("{}/", object_group(event));
    let annotations = format!("{}/", group::EVENT);
    let internal = [key::CHECKSUM, key::DIGEST, key::TOKEN];
    let under = |prefix: &str| -> Vec<(&str, &str)> {
        event
            .metadata
            .iter()
            .filter_map(|(name, value)| Some((name.strip_prefix(prefix)?, value.as_str())))
            .collect()
    };
    let mut combined = Combined::default();
    for (name, value) in under(&annotations) {
        combined.add(name, value);
    }
    for (name, value) in &alert.event_metadata {
        combined.add(name, value);
    }
    if let Some(summary) = alert
        .summary
        .as_deref()
        .filter(|summary| !summary.is_empty())
    {
        combined.add(key::SUMMARY, summary);
    }
    for (name, value) in under(&own_group) {
        if !internal
            .iter()
            .any(|internal| internal.eq_ignore_ascii_case(name))
        {
            combined.add(name, value);
        }
    }
    combined
}

/// Returns the API group of the object that the event is about.
pub(crate) fn object_group(event: &Event) -> &str {
    let version = event
        .involved_object
        .api_version
        .as_deref()
        .unwrap_or_default();
    ObjectId::group_version(version).0
}

impl Combined {
    fn add(&mut self, name: &str, value: &str) {
        if self
            .metadata
            .insert(name.to_owned(), value.to_owned())
            .is_some()
            && !self.conflicts.iter().any(|known| known == name)
        {
            self.conflicts.push(name.to_owned());
            self.conflicts.sort();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::select::tests::{alert, event};

    fn pairs(list: &[(&str, &str)]) -> BTreeMap<String, String> {
        list.iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect()
    }

    #[test]
    fn the_controller_wins_over_the_alert_and_the_alert_over_annotations() {
        let mut event = event();
        event.metadata = pairs(&[
            ("event.toolkit.fluxcd.io/a", "annotation"),
            ("event.toolkit.fluxcd.io/b", "annotation"),
            ("event.toolkit.fluxcd.io/summary", "annotation"),
            ("event.toolkit.fluxcd.io/d", "annotation"),
            ("kustomize.toolkit.fluxcd.io/revision", "main@sha1:1"),
            ("kustomize.toolkit.fluxcd.io/d", "controller"),
        ]);
        let mut alert = alert().spec;
        alert.event_metadata = pairs(&[("b", "alert"), ("c", "alert"), ("summary", "alert")]);
        alert.summary = Some("summary field".to_owned());
        let combined = combine(&event, &alert);
        let expected = pairs(&[
            ("a", "annotation"),
            ("b", "alert"),
            ("c", "alert"),
            ("d", "controller"),
            ("revision", "main@sha1:1"),
            ("summary", "summary field"),
        ]);
        assert_eq!(combined.metadata, expected);
        assert_eq!(combined.conflicts, ["b", "d", "summary"]);
    }

    #[test]
    fn internal_and_foreign_entries_are_left_out() {
        let mut event = event();
        event.metadata = pairs(&[
            ("kustomize.toolkit.fluxcd.io/checksum", "1"),
            ("kustomize.toolkit.fluxcd.io/Digest", "2"),
            ("kustomize.toolkit.fluxcd.io/token", "3"),
            ("source.toolkit.fluxcd.io/revision", "4"),
            ("revision", "5"),
        ]);
        assert_eq!(combine(&event, &alert().spec), Combined::default());
    }
}
