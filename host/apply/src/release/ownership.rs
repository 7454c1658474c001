//! Helm's ownership metadata: what makes an object one of a release, and whether it is one.
//!
//! # Source
//! `pkg/action/validate.go` of Helm 4.3, its messages included.

use serde_json::Value;

use crate::object::Object;

const MANAGED_BY: &str = "app.kubernetes.io/managed-by";
const HELM: &str = "Helm";
const NAME: &str = "meta.helm.sh/release-name";
const NAMESPACE: &str = "meta.helm.sh/release-namespace";
const POLICY: &str = "helm.sh/resource-policy";

/// Makes an object one of the release.
pub(super) fn own(object: &mut Object, name: &str, namespace: &str) {
    object.set_label(MANAGED_BY, HELM);
    object.set_annotation(NAME, name);
    object.set_annotation(NAMESPACE, namespace);
}

/// Says what a live object lacks to be one of the release; `None` when it is one.
pub(super) fn foreign(live: &Value, name: &str, namespace: &str) -> Option<String> {
    let checks = [
        ("label", "labels", MANAGED_BY, HELM),
        ("annotation", "annotations", NAME, name),
        ("annotation", "annotations", NAMESPACE, namespace),
    ];
    let missing = checks.iter().filter_map(|(what, field, key, wanted)| {
        let found = live["metadata"][*field][*key].as_str();
        let told = match found {
            Some(found) if found == *wanted => return None,
            Some(found) => {
                format!("key \"{key}\" must equal \"{wanted}\": current value is \"{found}\"")
            }
            None => format!("missing key \"{key}\": must be set to \"{wanted}\""),
        };
        Some(format!("{what} validation error: {told}"))
    });
    let missing: Vec<String> = missing.collect();
    (!missing.is_empty()).then(|| format!("invalid ownership metadata; {}", missing.join("; ")))
}

/// Whether an object is to stay when its release does not have it any more.
pub(super) fn is_kept(annotation: Option<&str>) -> bool {
    annotation.is_some_and(|policy| policy.trim().eq_ignore_ascii_case("keep"))
}

/// Whether a manifest asks to be kept.
pub(super) fn is_kept_by_manifest(object: &Object) -> bool {
    is_kept(object.annotation(POLICY))
}

/// Whether a live object asks to be kept.
pub(super) fn is_kept_live(live: &Value) -> bool {
    is_kept(live["metadata"]["annotations"][POLICY].as_str())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_an_object_lacks_is_told_in_helms_words() {
        let mut live = json!({ "metadata": {
            "labels": { MANAGED_BY: "Helm" },
            "annotations": { NAME: "a", NAMESPACE: "b" },
        }});
        assert_eq!(foreign(&live, "a", "b"), None);
        live["metadata"]["annotations"][NAME] = "other".into();
        live["metadata"]["labels"] = json!({});
        assert_eq!(
            foreign(&live, "a", "b").as_deref(),
            Some(
                "invalid ownership metadata; label validation error: missing key \
                 \"app.kubernetes.io/managed-by\": must be set to \"Helm\"; annotation validation \
                 error: key \"meta.helm.sh/release-name\" must equal \"a\": current value is \
                 \"other\""
            )
        );
    }
}
