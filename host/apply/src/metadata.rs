//! What a delivery writes into the metadata of its objects, and what it reads there: owner labels,
//! common metadata, the annotations that steer an apply, and the namespace.
//!
//! The host sets ownership after the render: a plugin that forges it is overruled.

use std::collections::BTreeMap;

use crate::object::Object;

const MANAGER: &str = "kustomize-controller";
const KUSTOMIZE: &str = "kustomize.toolkit.fluxcd.io";
const HELM: &str = "helm.toolkit.fluxcd.io";
/// Helm's own annotation of what is never deleted.
const RESOURCE_POLICY: &str = "helm.sh/resource-policy";

/// Who applies: the field manager, and the labels by which its objects are known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Owner {
    /// The field manager, as in Flux: `kustomize-controller`.
    pub manager: String,
    /// The prefix of owner labels and of steering annotations: `kustomize.toolkit.fluxcd.io`.
    pub group: String,
    /// Another prefix under which steering annotations count.
    pub other_group: Option<&'static str>,
    /// Name of the delivery.
    pub name: String,
    /// Namespace of the delivery.
    pub namespace: String,
}

impl Owner {
    /// Names a Kustomization, with Flux's manager and labels.
    pub fn kustomization(name: &str, namespace: &str) -> Self {
        Self {
            manager: MANAGER.to_owned(),
            group: KUSTOMIZE.to_owned(),
            other_group: None,
            name: name.to_owned(),
            namespace: namespace.to_owned(),
        }
    }

    /// Names a HelmRelease, with Flux's manager and labels. Its objects may also be kept by Helm's own
    /// annotation, `helm.sh/resource-policy`.
    pub fn helm_release(name: &str, namespace: &str) -> Self {
        Self {
            manager: "helm-controller".to_owned(),
            group: HELM.to_owned(),
            other_group: None,
            name: name.to_owned(),
            namespace: namespace.to_owned(),
        }
    }

    /// Names a Delivery: labels of our own, but Flux's manager, so that an object changes hands
    /// between the two kinds without a field left behind, and Flux's steering annotations beside
    /// our own, so that what was opted out stays so.
    pub fn delivery(name: &str, namespace: &str) -> Self {
        Self {
            manager: MANAGER.to_owned(),
            group: "bulkhead.dev".to_owned(),
            other_group: Some(KUSTOMIZE),
            name: name.to_owned(),
            namespace: namespace.to_owned(),
        }
    }

    /// Returns the two labels that its objects carry.
    pub fn labels(&self) -> [(String, &str); 2] {
        [
            (self.key("name"), &self.name),
            (self.key("namespace"), &self.namespace),
        ]
    }

    /// Returns the key of a label or annotation of its group: `<group>/<name>`.
    pub fn key(&self, name: &str) -> String {
        format!("{}/{name}", self.group)
    }

    /// Whether these labels say that the object is its own.
    pub fn owns<'a>(&self, label: impl Fn(&str) -> Option<&'a str>) -> bool {
        self.labels()
            .iter()
            .all(|(key, value)| label(key) == Some(*value))
    }
}

/// Labels and annotations for all objects: `spec.commonMetadata`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CommonMetadata {
    /// Labels.
    pub labels: BTreeMap<String, String>,
    /// Annotations.
    pub annotations: BTreeMap<String, String>,
}

/// Sets common metadata, then the owner labels, which win.
pub fn set(objects: &mut [Object], owner: &Owner, common: &CommonMetadata) {
    let owner_labels = owner.labels();
    for object in objects {
        for (key, value) in &common.labels {
            object.set_label(key, value);
        }
        for (key, value) in &common.annotations {
            object.set_annotation(key, value);
        }
        for (key, value) in &owner_labels {
            object.set_label(key, value);
        }
    }
}

/// What a manifest, or a live object, asks of an apply in labels or annotations.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Intent {
    /// `ssa: Ignore` or `reconcile: disabled`: leave it alone. Honoured in manifest and cluster.
    pub ignore: bool,
    /// `ssa: IfNotPresent`: create it, never change it. Honoured in the manifest only.
    pub if_not_present: bool,
    /// `ssa: Merge`: leave the fields of other managers with them. Honoured in both.
    pub merge: bool,
    /// `force: enabled`: recreate it where fields are immutable. Honoured in both.
    pub force: bool,
    /// `prune: disabled`: never delete it. Honoured in the cluster only.
    pub keep: bool,
}

impl Intent {
    /// Reads the intent of a manifest.
    pub fn of(object: &Object, owner: &Owner) -> Self {
        Self::read(owner, |key| object.label(key), |key| object.annotation(key))
    }

    /// Reads an intent from labels and annotations; values are compared without case.
    ///
    /// # Source
    /// `AnyInMetadata` of fluxcd/pkg `ssa/utils`: a label or an annotation will do.
    pub fn read<'a>(
        owner: &Owner,
        label: impl Fn(&str) -> Option<&'a str>,
        annotation: impl Fn(&str) -> Option<&'a str>,
    ) -> Self {
        let is = |name: &str, value: &str| {
            let other = owner.other_group.map(|group| format!("{group}/{name}"));
            let keys = std::iter::once(owner.key(name)).chain(other);
            keys.flat_map(|key| [label(&key), annotation(&key)])
                .flatten()
                .any(|found| found.eq_ignore_ascii_case(value))
        };
        Self {
            ignore: is("ssa", "Ignore") || is("reconcile", "disabled"),
            if_not_present: is("ssa", "IfNotPresent"),
            merge: is("ssa", "Merge"),
            force: is("force", "enabled"),
            keep: is("prune", "disabled") || (owner.group == HELM && is_kept(&annotation)),
        }
    }
}

fn is_kept<'a>(annotation: &impl Fn(&str) -> Option<&'a str>) -> bool {
    annotation(RESOURCE_POLICY).is_some_and(|policy| policy.trim().eq_ignore_ascii_case("keep"))
}

/// Whether objects of a kind live in namespaces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// In a namespace.
    Namespaced,
    /// In none.
    Cluster,
    /// Nobody knows the kind.
    Unknown,
}

/// Gives a namespaced object without a namespace `target_namespace`, and takes the namespace from a
/// cluster-scoped one, as the API server would. Objects of unknown kinds stay as they are.
///
/// Returns whether the object now has what its scope needs.
#[must_use]
pub fn place(object: &mut Object, scope: Scope, target_namespace: &str) -> bool {
    match scope {
        Scope::Namespaced if object.id().namespace.is_empty() => {
            object.set_namespace(target_namespace);
            !target_namespace.is_empty()
        }
        Scope::Cluster if !object.id().namespace.is_empty() => {
            object.set_namespace("");
            true
        }
        Scope::Namespaced | Scope::Cluster | Scope::Unknown => true,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::object::Origin;

    fn object(metadata: Value) -> Object {
        let body = json!({ "apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata });
        Object::new(
            body.as_object().cloned().unwrap_or_default(),
            Origin::default(),
        )
        .expect("valid")
    }

    fn owner() -> Owner {
        Owner::kustomization("apps", "flux-system")
    }

    #[test]
    fn owner_labels_win_over_forged_and_common_ones() {
        let forged = json!({ "name": "a", "labels": {
            "kustomize.toolkit.fluxcd.io/name": "other", "app": "x",
        }});
        let mut objects = [object(forged)];
        let common = CommonMetadata {
            labels: BTreeMap::from([
                (
                    "kustomize.toolkit.fluxcd.io/namespace".into(),
                    "other".into(),
                ),
                ("app".into(), "y".into()),
            ]),
            annotations: BTreeMap::from([("note".into(), "n".into())]),
        };
        set(&mut objects, &owner(), &common);
        assert_eq!(
            objects[0].to_value()["metadata"],
            json!({
                "name": "a",
                "labels": {
                    "kustomize.toolkit.fluxcd.io/name": "apps",
                    "app": "y",
                    "kustomize.toolkit.fluxcd.io/namespace": "flux-system",
                },
                "annotations": { "note": "n" },
            })
        );
        assert!(owner().owns(|key| objects[0].label(key)));
    }

    #[test]
    fn annotations_are_read_without_case_and_from_labels_too() {
        let of = |key: &str, value: &str| {
            let key = format!("kustomize.toolkit.fluxcd.io/{key}");
            let annotated = object(json!({ "name": "a", "annotations": { &key: value } }));
            let labelled = object(json!({ "name": "a", "labels": { &key: value } }));
            let intent = Intent::of(&annotated, &owner());
            assert_eq!(intent, Intent::of(&labelled, &owner()), "{key}");
            intent
        };
        let none = Intent::default();
        assert_eq!(
            of("ssa", "ignore"),
            Intent {
                ignore: true,
                ..none
            }
        );
        assert_eq!(
            of("reconcile", "Disabled"),
            Intent {
                ignore: true,
                ..none
            }
        );
        assert_eq!(
            of("ssa", "ifnotpresent"),
            Intent {
                if_not_present: true,
                ..none
            }
        );
        assert_eq!(
            of("ssa", "MERGE"),
            Intent {
                merge: true,
                ..none
            }
        );
        assert_eq!(of("ssa", "Override"), none);
        assert_eq!(
            of("force", "Enabled"),
            Intent {
                force: true,
                ..none
            }
        );
        assert_eq!(of("prune", "DISABLED"), Intent { keep: true, ..none });
        assert_eq!(of("prune", "enabled"), none);
    }

    #[test]
    fn namespaces_follow_the_scope() {
        let placed = |metadata: Value, scope, target: &str| {
            let mut object = object(metadata);
            let fits = place(&mut object, scope, target);
            (object.id().namespace.clone(), fits)
        };
        let bare = || json!({ "name": "a" });
        let inside = || json!({ "name": "a", "namespace": "own" });
        assert_eq!(
            placed(bare(), Scope::Namespaced, "dev"),
            ("dev".into(), true)
        );
        assert_eq!(
            placed(bare(), Scope::Namespaced, ""),
            (String::new(), false)
        );
        assert_eq!(
            placed(inside(), Scope::Namespaced, "dev"),
            ("own".into(), true)
        );
        assert_eq!(
            placed(inside(), Scope::Cluster, "dev"),
            (String::new(), true)
        );
        assert_eq!(
            placed(inside(), Scope::Unknown, "dev"),
            ("own".into(), true)
        );
    }
}
