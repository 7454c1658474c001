//! The namespace, the Deployment, its Services and who may call them.

use bulkhead_api::names::label;
use serde_json::{Value, json};

use super::{InstallOptions, NAME};

/// Port of artifacts and events.
const HTTP: u16 = 9090;
/// Port of metrics.
const METRICS: u16 = 8080;
/// Port of the probes.
const HEALTH: u16 = 9440;

/// Returns the namespace, which only admits pods without privileges.
pub(super) fn namespace(options: &InstallOptions) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {
            "name": options.namespace,
            "labels": {
                "pod-security.kubernetes.io/warn": "restricted",
                "pod-security.kubernetes.io/warn-version": "latest",
            },
        },
    })
}

/// Returns the quota without which some clusters admit no pod of the highest priority here.
pub(super) fn critical_pods(options: &InstallOptions) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "ResourceQuota",
        "metadata": { "name": "critical-pods", "namespace": options.namespace },
        "spec": {
            "hard": { "pods": "1000" },
            "scopeSelector": {
                "matchExpressions": [{
                    "operator": "In",
                    "scopeName": "PriorityClass",
                    "values": ["system-node-critical", "system-cluster-critical"],
                }],
            },
        },
    })
}

/// Returns the Services by whose names artifacts and events are addressed.
pub(super) fn services(options: &InstallOptions) -> Vec<Value> {
    ["source-controller", "notification-controller"]
        .into_iter()
        .map(|name| {
            json!({
                "apiVersion": "v1",
                "kind": "Service",
                "metadata": { "name": name, "namespace": options.namespace },
                "spec": {
                    "type": "ClusterIP",
                    "selector": { "app": NAME },
                    "ports": [
                        { "name": "http", "port": 80, "protocol": "TCP", "targetPort": "http" },
                    ],
                },
            })
        })
        .collect()
}

/// Returns the Deployment: one pod, since the artifacts are on its own disk.
pub(super) fn deployment(options: &InstallOptions) -> Value {
    json!({
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {
            "name": NAME,
            "namespace": options.namespace,
            "labels": { label::COMPONENT: NAME },
        },
        "spec": {
            "replicas": 1,
            "selector": { "matchLabels": { "app": NAME } },
            "strategy": { "type": "Recreate" },
            "template": {
                "metadata": {
                    "annotations": {
                        "prometheus.io/port": METRICS.to_string(),
                        "prometheus.io/scrape": "true",
                    },
                    "labels": {
                        "app": NAME,
                        label::COMPONENT: NAME,
                        label::PART_OF: label::PART_OF_FLUX,
                    },
                },
                "spec": pod(options),
            },
        },
    })
}

fn pod(options: &InstallOptions) -> Value {
    json!({
        "containers": [container(options)],
        "enableServiceLinks": false,
        "nodeSelector": { "kubernetes.io/os": "linux" },
        "priorityClassName": "system-cluster-critical",
        "securityContext": {
            "fsGroup": 1337,
            "runAsNonRoot": true,
            "seccompProfile": { "type": "RuntimeDefault" },
        },
        "serviceAccountName": NAME,
        "terminationGracePeriodSeconds": 60,
        "volumes": [
            { "name": "data", "emptyDir": {} },
            { "name": "tmp", "emptyDir": {} },
        ],
    })
}

fn container(options: &InstallOptions) -> Value {
    let port =
        |name: &str, port: u16| json!({ "containerPort": port, "name": name, "protocol": "TCP" });
    let probe = |path: &str| json!({ "httpGet": { "path": path, "port": "healthz" } });
    json!({
        "name": "manager",
        "image": options.image,
        "imagePullPolicy": "IfNotPresent",
        "args": [
            "run",
            "--watch-all-namespaces",
            "--log-level=info",
            "--log-encoding=json",
            "--enable-leader-election",
            "--storage-path=/data",
            "--storage-adv-addr=source-controller.$(RUNTIME_NAMESPACE).svc.cluster.local.",
        ],
        "env": [{
            "name": "RUNTIME_NAMESPACE",
            "valueFrom": { "fieldRef": { "fieldPath": "metadata.namespace" } },
        }],
        "ports": [port("http", HTTP), port("http-prom", METRICS), port("healthz", HEALTH)],
        "livenessProbe": probe("/healthz"),
        "readinessProbe": probe("/readyz"),
        "resources": {
            "limits": { "cpu": "1000m", "memory": "1Gi" },
            "requests": { "cpu": "50m", "memory": "64Mi" },
        },
        "securityContext": {
            "allowPrivilegeEscalation": false,
            "capabilities": { "drop": ["ALL"] },
            "readOnlyRootFilesystem": true,
            "runAsNonRoot": true,
            "seccompProfile": { "type": "RuntimeDefault" },
        },
        "volumeMounts": [
            { "mountPath": "/data", "name": "data" },
            { "mountPath": "/tmp", "name": "tmp" },
        ],
    })
}

/// Returns who may call: pods of the namespace everything, others the metrics alone. Calls to the
/// outside are free, for sources are anywhere.
pub(super) fn network_policies(options: &InstallOptions) -> Vec<Value> {
    let policy = |name: &str, spec: Value| {
        json!({
            "apiVersion": "networking.k8s.io/v1",
            "kind": "NetworkPolicy",
            "metadata": { "name": name, "namespace": options.namespace },
            "spec": spec,
        })
    };
    vec![
        policy(
            "allow-egress",
            json!({
                "egress": [{}],
                "ingress": [{ "from": [{ "podSelector": {} }] }],
                "podSelector": {},
                "policyTypes": ["Ingress", "Egress"],
            }),
        ),
        policy(
            "allow-scraping",
            json!({
                "ingress": [{
                    "from": [{ "namespaceSelector": {} }],
                    "ports": [{ "port": METRICS, "protocol": "TCP" }],
                }],
                "podSelector": {},
                "policyTypes": ["Ingress"],
            }),
        ),
    ]
}
