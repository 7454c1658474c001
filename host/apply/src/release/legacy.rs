//! When objects count as ready by Helm 3's rules: `waitStrategy: legacy`. Kinds that these rules do not
//! know are ready as soon as they are there. What is told here of one object is pure; a Deployment is
//! judged by its newest ReplicaSet, a ReplicaSet by its Pods.
//!
//! # Source
//! `ready.go` of Helm 4.3's `pkg/kube`.

use serde_json::Value;

use super::helm::Helm;
use crate::health::{Status, Verdict};
use crate::target::cluster::{ApiError, Resource, api};

/// Annotation that numbers the ReplicaSets of a Deployment.
const REVISION: &str = "deployment.kubernetes.io/revision";

/// What one object tells.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Told {
    /// All.
    Verdict(Verdict),
    /// Its newest ReplicaSet decides.
    ReplicaSet,
    /// Its Pods, with these labels, decide.
    Pods(String),
}

impl Helm {
    /// Returns how a live object is doing by Helm 3's rules.
    pub(super) async fn legacy_status(&self, object: &Value, jobs: bool) -> Verdict {
        let looked = match told(object, jobs) {
            Told::Verdict(verdict) => return verdict,
            Told::ReplicaSet => {
                let sets = Resource {
                    group: "apps".to_owned(),
                    version: "v1".to_owned(),
                    kind: "ReplicaSet".to_owned(),
                    plural: "replicasets".to_owned(),
                    namespaced: true,
                };
                let selector = selector(&object["spec"]["selector"]);
                let sets = self.list(&sets, object, &selector).await;
                sets.map(|sets| deployment(object, &sets))
            }
            Told::Pods(selector) => {
                let resource = Resource::core("Pod", "pods", true);
                let pods = self.list(&resource, object, &selector).await;
                pods.map(|pods| match pods.iter().all(is_pod_ready) {
                    true => ready(),
                    false => not_ready("not all of its pods are ready"),
                })
            }
        };
        looked.unwrap_or_else(|error| not_ready(&error.to_string()))
    }

    async fn list(
        &self,
        resource: &Resource,
        beside: &Value,
        selector: &str,
    ) -> Result<Vec<Value>, ApiError> {
        let namespace = beside["metadata"]["namespace"].as_str().unwrap_or_default();
        let path = api::collection(resource, namespace);
        self.cluster.http().list(&path, selector).await
    }
}

fn ready() -> Verdict {
    Verdict::new(Status::Current, "Resource is ready")
}

fn not_ready(why: &str) -> Verdict {
    Verdict::new(Status::InProgress, why)
}

fn told(object: &Value, jobs: bool) -> Told {
    let text = |field: &str| object[field].as_str().unwrap_or_default();
    let (status, spec) = (&object["status"], &object["spec"]);
    let group = text("apiVersion")
        .split_once('/')
        .map_or("", |(group, _)| group);
    let is_ready = match (group, text("kind")) {
        ("", "Pod") => is_pod_ready(object),
        ("batch", "Job") if jobs => return Told::Verdict(job(object)),
        ("apps", "Deployment") => return Told::ReplicaSet,
        ("", "PersistentVolumeClaim") => status["phase"] == "Bound",
        ("", "Service") => is_service_ready(spec, status),
        ("apps", "DaemonSet") => is_daemon_set_ready(object),
        ("apiextensions.k8s.io", "CustomResourceDefinition") => {
            has_condition(object, "Established", "True")
                || has_condition(object, "NamesAccepted", "False")
        }
        ("apps", "StatefulSet") => is_stateful_set_ready(object),
        ("apps", "ReplicaSet") if is_observed(object) => {
            return Told::Pods(selector(&spec["selector"]));
        }
        ("", "ReplicationController") if is_observed(object) => {
            return Told::Pods(labels(&spec["selector"]).join(","));
        }
        ("apps", "ReplicaSet") | ("", "ReplicationController") => false,
        _ => true,
    };
    Told::Verdict(match is_ready {
        true => ready(),
        false => not_ready("it is not ready"),
    })
}

fn number(value: &Value) -> i64 {
    value.as_i64().unwrap_or_default()
}

fn is_observed(object: &Value) -> bool {
    number(&object["status"]["observedGeneration"]) == number(&object["metadata"]["generation"])
}

fn has_condition(object: &Value, type_: &str, status: &str) -> bool {
    let conditions = object["status"]["conditions"].as_array();
    let mut conditions = conditions.into_iter().flatten();
    conditions.any(|one| one["type"] == type_ && one["status"] == status)
}

fn is_pod_ready(pod: &Value) -> bool {
    has_condition(pod, "Ready", "True")
}

fn job(object: &Value) -> Verdict {
    let (status, spec) = (&object["status"], &object["spec"]);
    let limit = spec["backoffLimit"].as_i64().unwrap_or(6);
    if number(&status["failed"]) > limit {
        let name = |field: &str| object["metadata"][field].as_str().unwrap_or_default();
        let told = format!("job is failed: {}/{}", name("namespace"), name("name"));
        return Verdict::new(Status::Failed, told);
    }
    match spec["completions"].as_i64() {
        Some(wanted) if number(&status["succeeded"]) < wanted => not_ready("it is not completed"),
        _ => ready(),
    }
}

fn is_service_ready(spec: &Value, status: &Value) -> bool {
    if spec["type"] == "ExternalName" {
        return true;
    }
    if spec["clusterIP"].as_str().unwrap_or_default().is_empty() {
        return false;
    }
    let has = |value: &Value| value.as_array().is_some_and(|items| !items.is_empty());
    spec["type"] != "LoadBalancer"
        || has(&spec["externalIPs"])
        || status["loadBalancer"]["ingress"].is_array()
}

fn deployment(object: &Value, sets: &[Value]) -> Verdict {
    let uid = &object["metadata"]["uid"];
    let revision = |one: &Value| one["metadata"]["annotations"][REVISION].clone();
    let newest = sets.iter().find(|set| {
        let owners = set["metadata"]["ownerReferences"].as_array();
        let is_owned = owners
            .into_iter()
            .flatten()
            .any(|owner| owner["uid"] == *uid);
        is_owned && revision(set).is_string() && revision(set) == revision(object)
    });
    let Some(newest) = newest else {
        return not_ready("it has no new ReplicaSet yet");
    };
    if !is_observed(newest) || !is_observed(object) {
        return not_ready("its generation is not observed yet");
    }
    let spec = &object["spec"];
    let replicas = spec["replicas"].as_i64().unwrap_or(1);
    let expected = replicas - max_unavailable(spec, replicas);
    match number(&newest["status"]["readyReplicas"]) {
        ready_replicas if ready_replicas < expected => not_ready(&format!(
            "{ready_replicas} out of {expected} expected pods are ready"
        )),
        _ => ready(),
    }
}

/// How many of a Deployment's pods may be missing while it rolls.
fn max_unavailable(spec: &Value, replicas: i64) -> i64 {
    if spec["strategy"]["type"] != "RollingUpdate" || replicas == 0 {
        return 0;
    }
    let rolling = &spec["strategy"]["rollingUpdate"];
    let surge = scaled(&rolling["maxSurge"], replicas, true).unwrap_or_default();
    let unavailable = scaled(&rolling["maxUnavailable"], replicas, false).unwrap_or_default();
    match (surge, unavailable) {
        // Both would never roll.
        (0, 0) => 1,
        (_, unavailable) => unavailable.min(replicas),
    }
}

/// A number, or a percentage of a total.
fn scaled(value: &Value, total: i64, rounds_up: bool) -> Option<i64> {
    if let Some(number) = value.as_i64() {
        return Some(number);
    }
    let percent: i64 = value.as_str()?.strip_suffix('%')?.parse().ok()?;
    let product = percent.checked_mul(total)?;
    Some(match rounds_up {
        true => (product + 99) / 100,
        false => product / 100,
    })
}

fn is_daemon_set_ready(object: &Value) -> bool {
    let (status, strategy) = (&object["status"], &object["spec"]["updateStrategy"]);
    if !is_observed(object) {
        return false;
    }
    if strategy["type"] != "RollingUpdate" {
        return true;
    }
    let desired = number(&status["desiredNumberScheduled"]);
    let missing = scaled(&strategy["rollingUpdate"]["maxUnavailable"], desired, true);
    number(&status["updatedNumberScheduled"]) == desired
        && number(&status["numberReady"]) >= desired - missing.unwrap_or(desired)
}

fn is_stateful_set_ready(object: &Value) -> bool {
    let (status, spec) = (&object["status"], &object["spec"]);
    let strategy = &spec["updateStrategy"];
    if !is_observed(object) {
        return false;
    }
    if strategy["type"] != "RollingUpdate" {
        return true;
    }
    let partition = number(&strategy["rollingUpdate"]["partition"]);
    let replicas = spec["replicas"].as_i64().unwrap_or(1);
    number(&status["updatedReplicas"]) >= replicas - partition
        && number(&status["readyReplicas"]) == replicas
        && (partition != 0 || status["currentRevision"] == status["updateRevision"])
}

fn labels(map: &Value) -> Vec<String> {
    let entries = map.as_object().into_iter().flatten();
    let pair =
        |(key, value): (&String, &Value)| format!("{key}={}", value.as_str().unwrap_or_default());
    entries.map(pair).collect()
}

/// A selector of labels, as a query writes it.
fn selector(selector: &Value) -> String {
    let mut parts = labels(&selector["matchLabels"]);
    let expressions = selector["matchExpressions"].as_array();
    for one in expressions.into_iter().flatten() {
        let key = one["key"].as_str().unwrap_or_default();
        let values = one["values"].as_array().into_iter().flatten();
        let values: Vec<&str> = values.filter_map(Value::as_str).collect();
        parts.push(match one["operator"].as_str() {
            Some("In") => format!("{key} in ({})", values.join(",")),
            Some("NotIn") => format!("{key} notin ({})", values.join(",")),
            Some("DoesNotExist") => format!("!{key}"),
            _ => key.to_owned(),
        });
    }
    parts.join(",")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn status(object: &Value) -> Status {
        match told(object, true) {
            Told::Verdict(verdict) => verdict.status,
            Told::ReplicaSet | Told::Pods(_) => Status::Unknown,
        }
    }

    #[test]
    fn kinds_are_ready_as_in_helm_3() {
        let (yes, no) = (Status::Current, Status::InProgress);
        let pod = |ready: &str| {
            json!({ "apiVersion": "v1", "kind": "Pod",
                "status": { "conditions": [{ "type": "Ready", "status": ready }] } })
        };
        let service = |spec: Value| json!({ "apiVersion": "v1", "kind": "Service", "spec": spec });
        let job = |failed: i64, succeeded: i64| {
            json!({ "apiVersion": "batch/v1", "kind": "Job",
                "spec": { "backoffLimit": 1, "completions": 1 },
                "status": { "failed": failed, "succeeded": succeeded } })
        };
        let set = |ready: i64, updated: i64| {
            json!({ "apiVersion": "apps/v1", "kind": "StatefulSet",
                "spec": { "replicas": 3, "updateStrategy": { "type": "RollingUpdate",
                    "rollingUpdate": { "partition": 1 } } },
                "status": { "readyReplicas": ready, "updatedReplicas": updated } })
        };
        let daemons = |ready: i64| {
            json!({ "apiVersion": "apps/v1", "kind": "DaemonSet",
                "spec": { "updateStrategy": { "type": "RollingUpdate",
                    "rollingUpdate": { "maxUnavailable": "30%" } } },
                "status": { "desiredNumberScheduled": 3, "updatedNumberScheduled": 3,
                    "numberReady": ready } })
        };
        for (object, wanted) in [
            (pod("True"), yes),
            (pod("False"), no),
            (service(json!({ "clusterIP": "" })), no),
            (service(json!({ "clusterIP": "10.0.0.1" })), yes),
            (service(json!({ "type": "ExternalName" })), yes),
            (
                service(json!({ "type": "LoadBalancer", "clusterIP": "10.0.0.1" })),
                no,
            ),
            (job(0, 0), no),
            (job(0, 1), yes),
            (job(2, 0), Status::Failed),
            (set(3, 2), yes),
            (set(2, 2), no),
            (set(3, 1), no),
            (daemons(2), yes),
            (daemons(1), no),
            (json!({ "apiVersion": "v1", "kind": "ConfigMap" }), yes),
            (
                json!({ "apiVersion": "example.com/v1", "kind": "Any",
                "status": { "conditions": [{ "type": "Ready", "status": "False" }] } }),
                yes,
            ),
        ] {
            assert_eq!(status(&object), wanted, "{object}");
        }
        let claim = json!({ "apiVersion": "v1", "kind": "PersistentVolumeClaim" });
        assert_eq!(status(&claim), no);
        let running =
            json!({ "apiVersion": "batch/v1", "kind": "Job", "spec": { "completions": 1 } });
        assert_eq!(
            told(&running, false),
            Told::Verdict(ready()),
            "Jobs are not waited for"
        );
    }

    #[test]
    fn a_deployment_is_judged_by_its_newest_replica_set() {
        let deployment_of = |strategy: Value| {
            json!({ "apiVersion": "apps/v1", "kind": "Deployment",
                "metadata": { "uid": "d", "annotations": { REVISION: "2" } },
                "spec": { "replicas": 4, "strategy": strategy } })
        };
        let set = |revision: &str, ready: i64| {
            json!({ "metadata": { "annotations": { REVISION: revision },
                "ownerReferences": [{ "uid": "d" }] }, "status": { "readyReplicas": ready } })
        };
        let rolling = deployment_of(json!({ "type": "RollingUpdate",
            "rollingUpdate": { "maxSurge": 0, "maxUnavailable": "25%" } }));
        let of = |object: &Value, sets: &[Value]| deployment(object, sets).status;
        assert_eq!(
            of(&rolling, &[set("1", 4), set("2", 2)]),
            Status::InProgress
        );
        assert_eq!(of(&rolling, &[set("1", 0), set("2", 3)]), Status::Current);
        assert_eq!(of(&rolling, &[set("1", 4)]), Status::InProgress);
        let recreate = deployment_of(json!({ "type": "Recreate" }));
        assert_eq!(of(&recreate, &[set("2", 3)]), Status::InProgress);
        assert_eq!(of(&recreate, &[set("2", 4)]), Status::Current);
    }

    #[test]
    fn selectors_are_written_as_queries() {
        let all = json!({ "matchLabels": { "a/b": "c" }, "matchExpressions": [
            { "key": "x", "operator": "In", "values": ["1", "2"] },
            { "key": "y", "operator": "DoesNotExist" },
        ] });
        assert_eq!(selector(&all), "a/b=c,x in (1,2),!y");
    }
}
