//! The rules for the kinds that Kubernetes brings along.

use jiff::Timestamp;
use serde_json::Value;

use super::{Verdict, conditions, integer, text};

/// How long a pod may be unschedulable before it counts as failed.
const SCHEDULE_SECONDS: i64 = 15;

/// Returns the health of a kind with rules of its own, `None` for any other.
pub(super) fn status(object: &Value, now: Timestamp) -> Option<Verdict> {
    let api_version = text(object, "/apiVersion").unwrap_or_default();
    let group = api_version.split_once('/').map_or("", |(group, _)| group);
    let verdict = match (group, text(object, "/kind").unwrap_or_default()) {
        ("", "Secret" | "ConfigMap") | ("batch", "CronJob") => {
            Verdict::current("Resource is always ready")
        }
        ("", "Service") => service(object),
        ("", "Pod") => pod(object, now),
        ("", "PersistentVolumeClaim") => claim(object),
        ("apps", "StatefulSet") => stateful_set(object),
        ("apps" | "extensions", "DaemonSet") => daemon_set(object),
        ("apps" | "extensions", "Deployment") => deployment(object),
        ("apps" | "extensions", "ReplicaSet") => replica_set(object),
        ("policy", "PodDisruptionBudget") => {
            Verdict::current("AllowedDisruptions has been computed.")
        }
        ("batch", "Job") => job(object),
        ("apiextensions.k8s.io", "CustomResourceDefinition") => definition(object),
        _ => return None,
    };
    Some(verdict)
}

/// Compares counts in order: the first that falls short is the message.
fn short_of<'a>(checks: impl IntoIterator<Item = (&'a str, i64, i64)>) -> Option<Verdict> {
    let mut checks = checks.into_iter();
    let (name, have, want) = checks.find(|(_, have, want)| want > have)?;
    Some(Verdict::in_progress(format!("{name}: {have}/{want}")))
}

fn too_many(have: i64, want: i64) -> Option<Verdict> {
    let surplus = have.saturating_sub(want);
    (surplus > 0).then(|| Verdict::in_progress(format!("Pending termination: {surplus}")))
}

fn count(object: &Value, name: &str) -> i64 {
    integer(object, &format!("/status/{name}")).unwrap_or(0)
}

fn replicas(object: &Value) -> i64 {
    integer(object, "/spec/replicas").unwrap_or(1)
}

fn service(object: &Value) -> Verdict {
    let is_balancer = text(object, "/spec/type") == Some("LoadBalancer");
    if is_balancer
        && text(object, "/spec/clusterIP")
            .unwrap_or_default()
            .is_empty()
    {
        return Verdict::in_progress("ClusterIP not set. Service type: LoadBalancer");
    }
    Verdict::current("Service is ready")
}

fn claim(object: &Value) -> Verdict {
    match text(object, "/status/phase").unwrap_or("unknown") {
        "Bound" => Verdict::current("PVC is Bound"),
        phase => Verdict::in_progress(format!("PVC is not Bound. phase: {phase}")),
    }
}

fn pod(object: &Value, now: Timestamp) -> Verdict {
    match text(object, "/status/phase").unwrap_or_default() {
        "Succeeded" => Verdict::current("Pod has completed successfully"),
        "Failed" => Verdict::current("Pod has completed, but not successfully"),
        "Running" => running_pod(object),
        "Pending" => pending_pod(object, now),
        "" => Verdict::in_progress("Pod phase not available"),
        phase => Verdict::in_progress(format!("unknown phase {phase}")),
    }
}

fn running_pod(object: &Value) -> Verdict {
    let is = |kind, status| conditions(object).any(|c| c.kind == kind && c.status == status);
    if is("Ready", "True") {
        return Verdict::current("Pod is Ready");
    }
    let containers = object
        .pointer("/status/containerStatuses")
        .and_then(Value::as_array);
    let looping = containers
        .into_iter()
        .flatten()
        .filter(|container| text(container, "/state/waiting/reason") == Some("CrashLoopBackOff"));
    let names: Vec<&str> = looping
        .filter_map(|container| text(container, "/name"))
        .collect();
    if names.is_empty() {
        return Verdict::in_progress("Pod is running but is not Ready");
    }
    Verdict::failed(format!(
        "Containers in CrashLoop state: {}",
        names.join(",")
    ))
}

fn pending_pod(object: &Value, now: Timestamp) -> Verdict {
    let is_unschedulable = conditions(object).any(|condition| {
        condition.kind == "PodScheduled"
            && condition.status == "False"
            && condition.reason == "Unschedulable"
    });
    if !is_unschedulable {
        return Verdict::in_progress("Pod is in the Pending phase");
    }
    let created = text(object, "/metadata/creationTimestamp").and_then(|time| time.parse().ok());
    let created: Timestamp = created.unwrap_or(Timestamp::UNIX_EPOCH);
    if now.as_second().saturating_sub(created.as_second()) < SCHEDULE_SECONDS {
        return Verdict::in_progress("Pod has not been scheduled");
    }
    Verdict::failed("Pod could not be scheduled")
}

fn stateful_set(object: &Value) -> Verdict {
    if text(object, "/spec/updateStrategy/type") == Some("OnDelete") {
        return Verdict::current("StatefulSet is using the ondelete update strategy");
    }
    let want = replicas(object);
    let (have, ready) = (count(object, "replicas"), count(object, "readyReplicas"));
    let short = short_of([("Replicas", have, want), ("Ready", ready, want)]);
    if let Some(verdict) = short.or_else(|| too_many(have, want)) {
        return verdict;
    }
    let updated = count(object, "updatedReplicas");
    if let Some(partition) = integer(object, "/spec/updateStrategy/rollingUpdate/partition") {
        return short_of([("updated", updated, want.saturating_sub(partition))]).unwrap_or_else(
            || Verdict::current(format!("Partition rollout complete. updated: {updated}")),
        );
    }
    if let Some(verdict) = short_of([("current", count(object, "currentReplicas"), want)]) {
        return verdict;
    }
    let revision = |name| text(object, name).unwrap_or_default();
    if revision("/status/currentRevision") != revision("/status/updateRevision") {
        return Verdict::in_progress("Waiting for updated revision to match current");
    }
    Verdict::current(format!(
        "All replicas scheduled as expected. Replicas: {have}"
    ))
}

fn daemon_set(object: &Value) -> Verdict {
    for (pointer, name) in [
        ("/metadata/generation", "metadata.generation"),
        ("/status/observedGeneration", "status.observedGeneration"),
    ] {
        if integer(object, pointer).is_none() {
            return Verdict::in_progress(format!("DaemonSet {name} not found"));
        }
    }
    let Some(want) = integer(object, "/status/desiredNumberScheduled") else {
        return Verdict::in_progress("Missing .status.desiredNumberScheduled");
    };
    let short = short_of([
        ("Current", count(object, "currentNumberScheduled"), want),
        ("Updated", count(object, "updatedNumberScheduled"), want),
        ("Available", count(object, "numberAvailable"), want),
        ("Ready", count(object, "numberReady"), want),
    ]);
    short.unwrap_or_else(|| {
        Verdict::current(format!(
            "All replicas scheduled as expected. Replicas: {want}"
        ))
    })
}

fn deployment(object: &Value) -> Verdict {
    // Without a deadline the controller sets no `Progressing` condition.
    let deadline = integer(object, "/spec/progressDeadlineSeconds");
    let mut progressed = deadline.is_none_or(|seconds| seconds == i64::from(i32::MAX));
    let mut available = false;
    for condition in conditions(object) {
        match condition.kind {
            "Progressing" if condition.reason == "ProgressDeadlineExceeded" => {
                return Verdict::failed("Progress deadline exceeded");
            }
            "Progressing" => {
                progressed |=
                    condition.status == "True" && condition.reason == "NewReplicaSetAvailable";
            }
            "Available" => available |= condition.status == "True",
            _ => {}
        }
    }
    let want = replicas(object);
    let (have, updated) = (count(object, "replicas"), count(object, "updatedReplicas"));
    let verdict = short_of([("Replicas", have, want), ("Updated", updated, want)])
        .or_else(|| too_many(have, want))
        .or_else(|| {
            short_of([
                ("Available", count(object, "availableReplicas"), updated),
                ("Ready", count(object, "readyReplicas"), want),
            ])
        });
    match verdict {
        Some(verdict) => verdict,
        None if !progressed => Verdict::in_progress("ReplicaSet not Available"),
        None if !available => Verdict::in_progress("Deployment not Available"),
        None => Verdict::current(format!("Deployment is available. Replicas: {have}")),
    }
}

fn replica_set(object: &Value) -> Verdict {
    let has_failed = conditions(object).any(|c| c.kind == "ReplicaFailure" && c.status == "True");
    if has_failed {
        return Verdict::in_progress("Replica Failure condition. Check Pods");
    }
    let (want, have) = (replicas(object), count(object, "replicas"));
    short_of([
        ("Labelled", count(object, "fullyLabeledReplicas"), want),
        ("Available", count(object, "availableReplicas"), want),
        ("Ready", count(object, "readyReplicas"), want),
    ])
    .or_else(|| too_many(have, want))
    .unwrap_or_else(|| Verdict::current(format!("ReplicaSet is available. Replicas: {have}")))
}

fn job(object: &Value) -> Verdict {
    let parallelism = integer(object, "/spec/parallelism").unwrap_or(1);
    let want = integer(object, "/spec/completions").unwrap_or(parallelism);
    let (succeeded, failed) = (count(object, "succeeded"), count(object, "failed"));
    for condition in conditions(object).filter(|condition| condition.status == "True") {
        match condition.kind {
            "Complete" => {
                return Verdict::current(format!("Job Completed. succeeded: {succeeded}/{want}"));
            }
            "Failed" => return Verdict::failed(format!("Job Failed. failed: {failed}/{want}")),
            _ => {}
        }
    }
    if text(object, "/status/startTime")
        .unwrap_or_default()
        .is_empty()
    {
        return Verdict::in_progress("Job not started");
    }
    let active = count(object, "active");
    Verdict::current(format!(
        "Job in progress. success:{succeeded}, active: {active}, failed: {failed}"
    ))
}

fn definition(object: &Value) -> Verdict {
    for condition in conditions(object) {
        match (condition.kind, condition.status) {
            ("NamesAccepted", "False") => return Verdict::failed(condition.message),
            ("Established", "False") if condition.reason != "Installing" => {
                return Verdict::failed(condition.message);
            }
            ("Established", "True") => return Verdict::current("CRD is established"),
            _ => {}
        }
    }
    Verdict::in_progress("Install in progress")
}
