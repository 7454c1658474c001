//! Decides what an apply does: which objects in which stage, what is pruned, what is kept, and the
//! inventory before and after. Pure: it is what `bulkhead diff` prints, too.
//!
//! Guarantees: nothing is pruned that is desired, that is not in the inventory, or that is protected;
//! the inventory that is written first names everything old and new.

use std::collections::BTreeSet;

use bulkhead_api::ObjectId;

use crate::inventory::Inventory;
use crate::metadata::{Intent, Owner};
use crate::object::Object;
use crate::order::{self, Stage};

/// What the plan depends on besides objects and inventory.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// `spec.prune`: objects that are no longer desired are deleted. Off: they are let go.
    pub prune: bool,
    /// Pairs of group and kind that get a stage of their own, after the classes.
    pub custom_stage: BTreeSet<(String, String)>,
    /// Objects that are never pruned: the namespace of the delivery, the engine's own namespace.
    pub protected: BTreeSet<ObjectId>,
}

/// What is done with an object of a stage.
#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    /// The object, ready to be sent.
    pub object: Object,
    /// What its metadata ask for.
    pub intent: Intent,
}

/// An object that is no longer desired and stays nevertheless.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kept {
    /// `spec.prune` is off. It leaves the inventory, as in Flux.
    PruneOff,
    /// Deleting it would delete the delivery or the engine. It stays in the inventory.
    Protected,
}

/// Everything an apply does, in order.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Plan {
    /// Objects to apply. A stage without objects is left out.
    pub stages: Vec<(Stage, Vec<Step>)>,
    /// Objects to delete afterwards, with the versions of their APIs, in order.
    pub prune: Vec<(ObjectId, String)>,
    /// Objects that are no longer desired and are not deleted, with the reason.
    pub kept: Vec<(ObjectId, Kept)>,
    /// What to record before the first change: old and new.
    pub inventory_before: Inventory,
    /// What to record when all went well.
    pub inventory_after: Inventory,
}

/// Makes the plan. `objects` have their final namespaces, labels and annotations.
pub fn plan(
    objects: Vec<Object>,
    inventory: &Inventory,
    owner: &Owner,
    settings: &Settings,
) -> Plan {
    let desired: Inventory = objects
        .iter()
        .map(|object| (object.id().clone(), object.version().to_owned()))
        .collect();
    let mut steps: Vec<Step> = objects
        .into_iter()
        .map(|object| Step {
            intent: Intent::of(&object, owner),
            object,
        })
        .collect();
    let stage_of = |step: &Step| order::stage(step.object.id(), &settings.custom_stage);
    steps.sort_by(|left, right| {
        let stages = stage_of(left).cmp(&stage_of(right));
        stages.then_with(|| order::compare(left.object.id(), right.object.id()))
    });
    let mut stages: Vec<(Stage, Vec<Step>)> = Vec::new();
    for step in steps {
        let stage = stage_of(&step);
        match stages.last_mut() {
            Some((last, steps)) if *last == stage => steps.push(step),
            _ => stages.push((stage, vec![step])),
        }
    }
    let (prune, kept) = stale(&desired, inventory, settings);
    let inventory_before = inventory.union(&desired);
    let mut inventory_after = desired;
    for (id, _) in kept.iter().filter(|(_, kept)| *kept == Kept::Protected) {
        inventory_after.insert(id.clone(), inventory.version(id).unwrap_or_default());
    }
    Plan {
        stages,
        prune,
        kept,
        inventory_before,
        inventory_after,
    }
}

type Stale = (Vec<(ObjectId, String)>, Vec<(ObjectId, Kept)>);

/// Divides what is no longer desired into what goes and what stays.
fn stale(desired: &Inventory, inventory: &Inventory, settings: &Settings) -> Stale {
    let (mut prune, mut kept) = (Vec::new(), Vec::new());
    for (id, version) in inventory.iter().filter(|(id, _)| !desired.contains(id)) {
        if !settings.prune {
            kept.push((id.clone(), Kept::PruneOff));
        } else if settings.protected.contains(id) || is_own_definition(id) {
            kept.push((id.clone(), Kept::Protected));
        } else {
            prune.push((id.clone(), version.to_owned()));
        }
    }
    prune.sort_by(|(left, _), (right, _)| order::compare(right, left));
    (prune, kept)
}

/// Whether it defines a kind that the engine itself lives by: with it, all of that kind would go.
fn is_own_definition(id: &ObjectId) -> bool {
    let own = |group: &str| group.ends_with(".toolkit.fluxcd.io") || group == "bulkhead.dev";
    order::is_crd(id) && id.name.split_once('.').is_some_and(|(_, group)| own(group))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::object::Origin;

    fn owner() -> Owner {
        Owner::kustomization("apps", "flux-system")
    }

    fn object(id: &str) -> Object {
        let id: ObjectId = id.parse().expect(id);
        let group = if id.group.is_empty() {
            String::new()
        } else {
            format!("{}/", id.group)
        };
        let mut metadata = json!({ "name": id.name });
        if !id.namespace.is_empty() {
            metadata["namespace"] = id.namespace.clone().into();
        }
        let body = json!({
            "apiVersion": format!("{group}v1"), "kind": id.kind, "metadata": metadata,
        });
        Object::new(
            body.as_object().cloned().unwrap_or_default(),
            Origin::default(),
        )
        .expect("valid")
    }

    fn inventory(ids: &[&str]) -> Inventory {
        Inventory::from_entries(ids.iter().map(|id| (*id, "v1"))).expect("valid")
    }

    fn pruning() -> Settings {
        Settings {
            prune: true,
            ..Settings::default()
        }
    }

    fn names(plan: &Plan) -> Vec<Vec<String>> {
        let name = |step: &Step| step.object.id().subject();
        plan.stages
            .iter()
            .map(|(_, steps)| steps.iter().map(name).collect())
            .collect()
    }

    #[test]
    fn definitions_come_first_and_stages_are_sorted() {
        let objects = [
            "d_web_apps_Deployment",
            "_d__Namespace",
            "_x_a.b_FooClass",
            "d_a__ConfigMap",
        ];
        let plan = plan(
            objects.map(object).into(),
            &Inventory::new(),
            &owner(),
            &pruning(),
        );
        assert_eq!(
            names(&plan),
            [
                vec!["Namespace/d".to_owned()],
                vec!["FooClass/x".to_owned()],
                vec!["ConfigMap/d/a".to_owned(), "Deployment/d/web".to_owned()],
            ]
        );
    }

    #[test]
    fn what_is_gone_is_pruned_in_reverse_and_recorded_until_then() {
        let old = inventory(&["_d__Namespace", "d_a__ConfigMap", "d_web_apps_Deployment"]);
        let plan = plan(vec![object("d_a__ConfigMap")], &old, &owner(), &pruning());
        let pruned: Vec<String> = plan.prune.iter().map(|(id, _)| id.subject()).collect();
        assert_eq!(pruned, ["Deployment/d/web", "Namespace/d"]);
        assert_eq!(plan.inventory_before, old);
        assert_eq!(plan.inventory_after, inventory(&["d_a__ConfigMap"]));
    }

    #[test]
    fn without_prune_objects_are_let_go() {
        let old = inventory(&["d_a__ConfigMap"]);
        let plan = plan(Vec::new(), &old, &owner(), &Settings::default());
        assert_eq!(plan.prune, []);
        assert_eq!(plan.kept.len(), 1);
        assert_eq!(plan.kept[0].1, Kept::PruneOff);
        assert!(plan.inventory_after.is_empty());
    }

    #[test]
    fn the_own_namespace_and_the_own_kinds_are_never_pruned() {
        let old = inventory(&[
            "_flux-system__Namespace",
            "_kustomizations.kustomize.toolkit.fluxcd.io_apiextensions.k8s.io_CustomResourceDefinition",
            "_widgets.example.com_apiextensions.k8s.io_CustomResourceDefinition",
        ]);
        let protected = BTreeSet::from(["_flux-system__Namespace".parse().expect("valid")]);
        let settings = Settings {
            protected,
            ..pruning()
        };
        let plan = plan(Vec::new(), &old, &owner(), &settings);
        let pruned: Vec<String> = plan.prune.iter().map(|(id, _)| id.subject()).collect();
        assert_eq!(pruned, ["CustomResourceDefinition/widgets.example.com"]);
        assert!(plan.kept.iter().all(|(_, kept)| *kept == Kept::Protected));
        assert_eq!(plan.inventory_after.len(), 2);
    }

    #[test]
    fn a_new_version_of_a_kind_is_no_reason_to_prune() {
        let old = Inventory::from_entries([("d_a_batch_CronJob", "v1beta1")]).expect("valid");
        let plan = plan(
            vec![object("d_a_batch_CronJob")],
            &old,
            &owner(),
            &pruning(),
        );
        assert_eq!(plan.prune, []);
        assert_eq!(
            plan.inventory_before.to_entries(),
            [("d_a_batch_CronJob".into(), "v1".into())]
        );
    }
}
