//! What the metadata of a live object say: who it is, whose fields are whose, what it asks for.

use bulkhead_api::ObjectId;
use serde_json::{Value, json};

use crate::drift::{Digests, Need, Record, Records, Seen, needs_apply};
use crate::metadata::{Intent, Owner};

/// Annotations of other tools that an apply removes.
///
/// # Source
/// `ApplyCleanupOptions` of kustomize-controller.
const FOREIGN_ANNOTATIONS: [&str; 3] = [
    "kubectl.kubernetes.io/last-applied-configuration",
    "kustomize.toolkit.fluxcd.io/checksum",
    "fluxcd.io/sync-checksum",
];
const FOREIGN_LABEL: &str = "fluxcd.io/sync-gc-mark";

/// An object, or its metadata alone, as the API server returned it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Live<'a>(pub(crate) &'a Value);

impl<'a> Live<'a> {
    fn metadata(self, field: &str) -> Option<&'a Value> {
        self.0.get("metadata")?.get(field)
    }

    fn text(self, field: &str) -> &'a str {
        self.metadata(field)
            .and_then(Value::as_str)
            .unwrap_or_default()
    }

    pub(crate) fn name(self) -> &'a str {
        self.text("name")
    }

    pub(crate) fn namespace(self) -> &'a str {
        self.text("namespace")
    }

    pub(crate) fn uid(self) -> &'a str {
        self.text("uid")
    }

    pub(crate) fn resource_version(self) -> &'a str {
        self.text("resourceVersion")
    }

    pub(crate) fn is_terminating(self) -> bool {
        !self.text("deletionTimestamp").is_empty()
    }

    pub(crate) fn label(self, key: &str) -> Option<&'a str> {
        self.metadata("labels")?.get(key)?.as_str()
    }

    fn annotation(self, key: &str) -> Option<&'a str> {
        self.metadata("annotations")?.get(key)?.as_str()
    }

    pub(crate) fn intent(self, owner: &Owner) -> Intent {
        Intent::read(owner, |key| self.label(key), |key| self.annotation(key))
    }

    pub(crate) fn is_owned(self, owner: &Owner) -> bool {
        owner.owns(|key| self.label(key))
    }

    fn managed_fields(self) -> &'a [Value] {
        let fields = self.metadata("managedFields").and_then(Value::as_array);
        fields.map_or(&[], Vec::as_slice)
    }

    /// What to remember of it, now that `sent` was applied or found to hold.
    pub(crate) fn record(self, owner: &Owner, digests: &Digests, sent: [u8; 16]) -> Record {
        let own = self.managed_fields().iter().find(|entry| {
            is_entry(entry, "Apply") && entry["manager"].as_str() == Some(&owner.manager)
        });
        Record {
            uid: self.uid().to_owned(),
            resource_version: self.resource_version().to_owned(),
            fields: own.map(|entry| digests.of(entry.to_string().as_bytes())),
            sent,
            is_owned: self.is_owned(owner),
            intent: self.intent(owner),
        }
    }

    /// Returns the JSON patch that takes over the fields of `kubectl` and the like, and removes their
    /// annotations; `None` where there is nothing to take over.
    ///
    /// # Source
    /// `PatchReplaceFieldsManagers` of fluxcd/pkg `ssa/patch.go`.
    pub(crate) fn take_over(self, owner: &Owner) -> Option<Value> {
        let mut operations = Vec::new();
        let annotations = FOREIGN_ANNOTATIONS.iter();
        for key in annotations.filter(|key| self.annotation(key).is_some()) {
            let path = format!("/metadata/annotations/{}", key.replace('/', "~1"));
            operations.push(json!({ "op": "remove", "path": path }));
        }
        if self.label(FOREIGN_LABEL).is_some() {
            let path = format!("/metadata/labels/{}", FOREIGN_LABEL.replace('/', "~1"));
            operations.push(json!({ "op": "remove", "path": path }));
        }
        if let Some(fields) = take_over_fields(self.managed_fields(), &owner.manager) {
            let path = "/metadata/managedFields";
            operations.push(json!({ "op": "replace", "path": path, "value": fields }));
        }
        if operations.is_empty() {
            return None;
        }
        let version = self.resource_version();
        let path = "/metadata/resourceVersion";
        operations.push(json!({ "op": "replace", "path": path, "value": version }));
        Some(Value::Array(operations))
    }
}

impl Records {
    /// Judges what a watch of metadata shows of an object: `None` when it is gone, or has lost its
    /// owner label. What others did to fields of their own is remembered.
    ///
    /// Returns [`Need::Apply`] for a suspect, and [`Need::Nothing`] for what is not recorded.
    pub fn judge(&mut self, owner: &Owner, id: &ObjectId, live: Option<&Value>) -> Need {
        let Some(record) = self.get(id) else {
            return Need::Nothing;
        };
        let Some(live) = live else { return Need::Apply };
        let seen = Live(live).record(owner, &self.digests, record.sent);
        let none = Intent::default();
        let need = needs_apply(none, record.sent, Some(record), &Seen::Live(seen.clone()));
        if need == Need::Remember {
            self.insert(id.clone(), seen);
        }
        need
    }
}

fn is_entry(entry: &Value, operation: &str) -> bool {
    let subresource = entry
        .get("subresource")
        .and_then(Value::as_str)
        .unwrap_or_default();
    subresource.is_empty() && entry["operation"].as_str() == Some(operation)
}

/// Whether an entry of managedFields is one that the owner takes over.
fn is_foreign(entry: &Value, manager: &str) -> bool {
    let name = entry["manager"].as_str().unwrap_or_default();
    (is_entry(entry, "Apply") && name.starts_with("kubectl"))
        || (is_entry(entry, "Update")
            && ["kubectl", "before-first-apply", manager]
                .iter()
                .any(|own| name.starts_with(own)))
}

fn take_over_fields(entries: &[Value], manager: &str) -> Option<Vec<Value>> {
    if !entries.iter().any(|entry| is_foreign(entry, manager)) {
        return None;
    }
    let is_own =
        |entry: &Value| is_entry(entry, "Apply") && entry["manager"].as_str() == Some(manager);
    let mut own = entries.iter().find(|entry| is_own(entry)).cloned();
    let mut kept = Vec::new();
    for entry in entries.iter().filter(|entry| !is_own(entry)) {
        if !is_foreign(entry, manager) {
            kept.push(entry.clone());
            continue;
        }
        match &mut own {
            Some(own) => unite(&mut own["fieldsV1"], &entry["fieldsV1"]),
            None => {
                let mut renamed = entry.clone();
                renamed["manager"] = manager.into();
                renamed["operation"] = "Apply".into();
                own = Some(renamed);
            }
        }
    }
    kept.extend(own);
    Some(kept)
}

/// Returns the entries with what `manager` has updated made a part of what it applies: the way from
/// client-side to server-side apply. `None` where it has updated nothing.
pub(crate) fn adopt_updates(entries: &[Value], manager: &str) -> Option<Vec<Value>> {
    let is_own = |entry: &Value, operation: &str| {
        is_entry(entry, operation) && entry["manager"].as_str() == Some(manager)
    };
    let updates = entries.iter().filter(|entry| is_own(entry, "Update"));
    let mut own = entries.iter().find(|entry| is_own(entry, "Apply"))?.clone();
    let mut has_updates = false;
    for update in updates {
        has_updates = true;
        unite(&mut own["fieldsV1"], &update["fieldsV1"]);
    }
    let others = entries
        .iter()
        .filter(|entry| !is_own(entry, "Update") && !is_own(entry, "Apply"));
    has_updates.then(|| others.cloned().chain([own]).collect())
}

/// Adds the fields of `other`: a trie in JSON.
fn unite(fields: &mut Value, other: &Value) {
    let Value::Object(other) = other else { return };
    if !fields.is_object() {
        *fields = json!({});
    }
    if let Value::Object(fields) = fields {
        for (key, below) in other {
            unite(
                fields.entry(key.as_str()).or_insert_with(|| json!({})),
                below,
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(manager: &str, operation: &str, fields: Value) -> Value {
        json!({
            "manager": manager, "operation": operation, "apiVersion": "v1", "fieldsType": "FieldsV1",
            "fieldsV1": fields,
        })
    }

    #[test]
    fn the_fields_of_kubectl_become_ours() {
        let own = entry(
            "kustomize-controller",
            "Apply",
            json!({ "f:data": { "f:a": {} } }),
        );
        let kubectl = entry(
            "kubectl-client-side-apply",
            "Update",
            json!({ "f:data": { "f:b": {} } }),
        );
        let other = entry("operator", "Update", json!({ "f:data": { "f:c": {} } }));
        let entries = [kubectl.clone(), own, other.clone()];
        let fields = take_over_fields(&entries, "kustomize-controller").expect("foreign");
        assert_eq!(fields[0], other);
        assert_eq!(
            fields[1]["fieldsV1"],
            json!({ "f:data": { "f:a": {}, "f:b": {} } })
        );
        let fields = take_over_fields(&[kubectl], "kustomize-controller").expect("foreign");
        assert_eq!(fields[0]["manager"], "kustomize-controller");
        assert_eq!(fields[0]["operation"], "Apply");
        assert_eq!(take_over_fields(&[other], "kustomize-controller"), None);
    }

    #[test]
    fn a_watch_tells_our_writes_from_those_of_others() {
        let owner = Owner::kustomization("a", "b");
        let object = |version: &str, fields: Value| {
            json!({ "metadata": {
                "uid": "u", "resourceVersion": version,
                "labels": {
                    "kustomize.toolkit.fluxcd.io/name": "a",
                    "kustomize.toolkit.fluxcd.io/namespace": "b",
                },
                "managedFields": [entry("kustomize-controller", "Apply", fields)],
            }})
        };
        let (ours, theirs) = (json!({ "f:data": { "f:a": {} } }), json!({}));
        let id: ObjectId = "d_c__ConfigMap".parse().expect("valid");
        let mut records = Records::new();
        assert_eq!(
            records.judge(&owner, &id, Some(&object("5", ours.clone()))),
            Need::Nothing
        );
        let record = Live(&object("5", ours.clone())).record(&owner, &records.digests, [1; 16]);
        records.insert(id.clone(), record);
        assert_eq!(
            records.judge(&owner, &id, Some(&object("5", ours.clone()))),
            Need::Nothing
        );
        assert_eq!(
            records.judge(&owner, &id, Some(&object("6", ours))),
            Need::Remember
        );
        assert_eq!(
            records
                .get(&id)
                .map(|record| record.resource_version.as_str()),
            Some("6")
        );
        assert_eq!(
            records.judge(&owner, &id, Some(&object("7", theirs))),
            Need::Apply
        );
        assert_eq!(records.judge(&owner, &id, None), Need::Apply);
    }

    #[test]
    fn status_and_the_reserved_manager_are_left_alone() {
        let mut status = entry("kubectl", "Update", json!({ "f:status": {} }));
        status["subresource"] = "status".into();
        let reserved = entry("flux-client-side-apply", "Update", json!({}));
        assert_eq!(
            take_over_fields(&[status, reserved], "kustomize-controller"),
            None
        );
    }

    #[test]
    fn annotations_of_other_tools_are_removed_at_one_resource_version() {
        let object = json!({ "metadata": { "resourceVersion": "7", "annotations": {
            "kubectl.kubernetes.io/last-applied-configuration": "{}", "mine": "x",
        }}});
        let owner = Owner::kustomization("a", "b");
        assert_eq!(
            Live(&object).take_over(&owner),
            Some(json!([
                { "op": "remove", "path":
                  "/metadata/annotations/kubectl.kubernetes.io~1last-applied-configuration" },
                { "op": "replace", "path": "/metadata/resourceVersion", "value": "7" },
            ]))
        );
        assert_eq!(Live(&json!({ "metadata": {} })).take_over(&owner), None);
    }
}
