//! Brings an object into the form in which the API server keeps it, so that sending it again is no
//! change: Secret texts become base64, empty values and what only a server writes go away.
//!
//! # Source
//! `ssa/normalize` of fluxcd/pkg, which does this by way of Go types. Fields that Go types do not
//! know stay here: the API server drops them.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value};

use crate::object::Object;
use crate::order;

/// Fields of `metadata` that only a server writes.
const SERVER_METADATA: [&str; 7] = [
    "creationTimestamp",
    "deletionTimestamp",
    "generation",
    "managedFields",
    "resourceVersion",
    "selfLink",
    "uid",
];

/// API groups whose types cannot tell an empty list, or null, from a missing one.
const BUILT_IN_GROUPS: [&str; 15] = [
    "",
    "admissionregistration.k8s.io",
    "apps",
    "autoscaling",
    "batch",
    "certificates.k8s.io",
    "coordination.k8s.io",
    "discovery.k8s.io",
    "events.k8s.io",
    "networking.k8s.io",
    "node.k8s.io",
    "policy",
    "rbac.authorization.k8s.io",
    "scheduling.k8s.io",
    "storage.k8s.io",
];

/// Brings `object` into the form in which it is sent.
pub fn normalize(object: &mut Object) {
    remove_server_fields(object);
    if object.is("", "Secret") {
        encode_string_data(object.body_mut());
    }
    if BUILT_IN_GROUPS.contains(&object.id().group.as_str()) {
        drop_empty(object);
        default_protocols(object);
    }
    if order::is_crd(object.id()) {
        remove_broken_ca_bundle(object.body_mut());
    }
}

/// Whether it is a Secret (or anything) that SOPS encrypted and nobody decrypted.
pub fn is_encrypted(object: &Object) -> bool {
    object.is("", "Secret") && object.body().get("sops").is_some_and(Value::is_object)
}

fn remove_server_fields(object: &mut Object) {
    let is_crd = order::is_crd(object.id());
    let body = object.body_mut();
    if !is_crd {
        body.shift_remove("status");
    }
    if let Some(Value::Object(metadata)) = body.get_mut("metadata") {
        for field in SERVER_METADATA {
            metadata.shift_remove(field);
        }
        if let Some(Value::Object(annotations)) = metadata.get_mut("annotations") {
            // An exported manifest has it; applying would add it and the take-over remove it.
            annotations.shift_remove("kubectl.kubernetes.io/last-applied-configuration");
        }
        for field in ["labels", "annotations", "ownerReferences", "finalizers"] {
            if metadata.get(field).is_some_and(is_empty) {
                metadata.shift_remove(field);
            }
        }
    }
}

/// Moves `stringData` into `data`: server-side apply would else write it each time.
fn encode_string_data(body: &mut Map<String, Value>) {
    let Some(Value::Object(texts)) = body.shift_remove("stringData") else {
        return;
    };
    if texts.is_empty() {
        return;
    }
    let data = body
        .entry("data")
        .or_insert_with(|| Value::Object(Map::new()));
    if data.is_null() {
        *data = Value::Object(Map::new());
    }
    if let Value::Object(data) = data {
        for (key, value) in texts {
            let value = match value {
                Value::String(text) => Value::String(STANDARD.encode(text)),
                // No text: the API server says so.
                other => other,
            };
            data.insert(key, value);
        }
    }
}

/// Drops nulls and empty lists, which these types cannot store.
fn drop_empty(object: &mut Object) {
    let keeps = object.is("rbac.authorization.k8s.io", "Role")
        || object.is("rbac.authorization.k8s.io", "ClusterRole")
        || object.is("apps", "ControllerRevision");
    if keeps {
        return;
    }
    object.body_mut().values_mut().for_each(drop_empty_within);
    object.body_mut().retain(|_, value| !is_empty(value));
}

fn drop_empty_within(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            fields.values_mut().for_each(drop_empty_within);
            fields.retain(|_, value| !is_empty(value));
        }
        Value::Array(items) => items.iter_mut().for_each(drop_empty_within),
        _ => {}
    }
}

/// Null or an empty list. An empty mapping says something: `emptyDir: {}`.
fn is_empty(value: &Value) -> bool {
    value.is_null() || value.as_array().is_some_and(Vec::is_empty)
}

/// Writes `protocol: TCP` where it is left out: ports are told apart by it.
fn default_protocols(object: &mut Object) {
    let paths: &[&str] = match (object.id().group.as_str(), object.id().kind.as_str()) {
        ("", "Service") => &["/spec/ports"],
        ("", "Pod") => &["/spec/containers"],
        ("apps", "Deployment" | "StatefulSet" | "DaemonSet" | "ReplicaSet") | ("batch", "Job") => {
            &["/spec/template/spec/containers"]
        }
        ("batch", "CronJob") => &["/spec/jobTemplate/spec/template/spec/containers"],
        _ => return,
    };
    let is_service = object.is("", "Service");
    for path in paths {
        let Some(Value::Object(spec)) = object.body_mut().get_mut("spec") else {
            return;
        };
        let path = path.trim_start_matches("/spec").trim_start_matches('/');
        let mut parts = path.split('/');
        let Some(mut found) = parts.next().and_then(|part| spec.get_mut(part)) else {
            return;
        };
        for part in parts {
            let Some(next) = found.get_mut(part) else {
                return;
            };
            found = next;
        }
        let Value::Array(items) = found else { return };
        if is_service {
            items.iter_mut().for_each(default_protocol);
            continue;
        }
        let ports = items
            .iter_mut()
            .filter_map(|item| item.get_mut("ports")?.as_array_mut());
        ports.flatten().for_each(default_protocol);
    }
}

fn default_protocol(port: &mut Value) {
    if let Value::Object(port) = port {
        let is_missing = port.get("protocol").is_none_or(|value| value == "");
        if is_missing {
            port.insert("protocol".to_owned(), "TCP".into());
        }
    }
}

/// Removes a conversion webhook's CA that is no certificate: such a placeholder (`Cg==`) is meant to
/// be filled in by another program, and Kubernetes since 1.31 refuses it.
fn remove_broken_ca_bundle(body: &mut Map<String, Value>) {
    let client = body
        .get_mut("spec")
        .and_then(|spec| {
            spec.get_mut("conversion")?
                .get_mut("webhook")?
                .get_mut("clientConfig")
        })
        .and_then(Value::as_object_mut);
    let Some(client) = client else { return };
    let is_broken = |bundle: &Value| match bundle.as_str() {
        None | Some("") => false,
        Some(text) => !STANDARD.decode(text).is_ok_and(|pem| has_certificate(&pem)),
    };
    if client.get("caBundle").is_some_and(is_broken) {
        client.shift_remove("caBundle");
    }
}

fn has_certificate(pem: &[u8]) -> bool {
    let text = String::from_utf8_lossy(pem);
    let Some((_, rest)) = text.split_once("-----BEGIN CERTIFICATE-----") else {
        return false;
    };
    let Some((body, _)) = rest.split_once("-----END CERTIFICATE-----") else {
        return false;
    };
    let compact: String = body.split_ascii_whitespace().collect();
    // DER of a certificate is a sequence.
    STANDARD
        .decode(compact)
        .is_ok_and(|der| der.first() == Some(&0x30))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::object::Origin;

    fn normalized(body: Value) -> Value {
        let body = body.as_object().cloned().unwrap_or_default();
        let mut object = Object::new(body, Origin::default()).expect("valid");
        normalize(&mut object);
        object.to_value()
    }

    #[test]
    fn string_data_wins_over_data() {
        let secret = normalized(json!({
            "apiVersion": "v1", "kind": "Secret", "metadata": { "name": "a" },
            "data": { "a": "eA==", "b": "eQ==" }, "stringData": { "a": "hello" },
        }));
        assert_eq!(secret["data"], json!({ "a": "aGVsbG8=", "b": "eQ==" }));
        assert_eq!(secret.get("stringData"), None);
    }

    #[test]
    fn what_a_server_writes_goes_away() {
        let map = normalized(json!({
            "apiVersion": "v1", "kind": "ConfigMap", "status": {},
            "metadata": {
                "name": "a", "creationTimestamp": null, "uid": "1", "resourceVersion": "2",
                "annotations": null, "labels": { "x": "" },
            },
        }));
        assert_eq!(
            map,
            json!({
                "apiVersion": "v1", "kind": "ConfigMap",
                "metadata": { "name": "a", "labels": { "x": "" } },
            })
        );
    }

    #[test]
    fn empty_lists_and_nulls_go_from_built_in_kinds_alone() {
        let binding = normalized(json!({
            "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding",
            "metadata": { "name": "a" }, "subjects": [], "roleRef": { "name": "x", "y": null },
        }));
        assert_eq!(binding.get("subjects"), None);
        assert_eq!(binding["roleRef"], json!({ "name": "x" }));
        let pod = normalized(json!({
            "apiVersion": "v1", "kind": "Pod", "metadata": { "name": "a" },
            "spec": { "volumes": [{ "name": "v", "emptyDir": {} }], "containers": [] },
        }));
        assert_eq!(
            pod["spec"],
            json!({ "volumes": [{ "name": "v", "emptyDir": {} }] })
        );
        let role = json!({
            "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole",
            "metadata": { "name": "a" }, "rules": [],
        });
        assert_eq!(normalized(role.clone()), role);
        let custom = json!({
            "apiVersion": "example.com/v1", "kind": "Widget", "metadata": { "name": "a" },
            "spec": { "list": [], "nothing": null },
        });
        assert_eq!(normalized(custom.clone()), custom);
    }

    #[test]
    fn ports_get_their_protocol() {
        let service = normalized(json!({
            "apiVersion": "v1", "kind": "Service", "metadata": { "name": "a" },
            "spec": { "ports": [{ "port": 80 }, { "port": 53, "protocol": "UDP" }] },
        }));
        assert_eq!(service["spec"]["ports"][0]["protocol"], "TCP");
        assert_eq!(service["spec"]["ports"][1]["protocol"], "UDP");
        let job = normalized(json!({
            "apiVersion": "batch/v1", "kind": "CronJob", "metadata": { "name": "a" },
            "spec": { "jobTemplate": { "spec": { "template": { "spec": {
                "containers": [{ "name": "c", "ports": [{ "containerPort": 1 }] }],
            }}}}},
        }));
        let containers = &job["spec"]["jobTemplate"]["spec"]["template"]["spec"]["containers"];
        assert_eq!(containers[0]["ports"][0]["protocol"], "TCP");
    }

    #[test]
    fn a_placeholder_ca_goes_from_a_crd_whose_status_stays() {
        let crd = |bundle: &str| {
            json!({
                "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
                "metadata": { "name": "a.b.c" }, "status": { "x": 1 },
                "spec": { "conversion": { "webhook": { "clientConfig": { "caBundle": bundle } } } },
            })
        };
        let client = |crd: &Value| crd["spec"]["conversion"]["webhook"]["clientConfig"].clone();
        assert_eq!(client(&normalized(crd("Cg=="))), json!({}));
        assert_eq!(normalized(crd("Cg=="))["status"], json!({ "x": 1 }));
        let pem = "-----BEGIN CERTIFICATE-----\nMAAA\n-----END CERTIFICATE-----\n";
        let good = crd(&STANDARD.encode(pem));
        assert_eq!(client(&normalized(good.clone())), client(&good));
    }
}
