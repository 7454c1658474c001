//! One fake node, and a scheduler of the simplest kind that binds every pod to it; kwok plays the
//! kubelet. Runs on a thread of its own, since a test's runtime ends with the test.

use std::time::Duration;

use anyhow::Result;
use k8s_openapi::api::core::v1::{Node, Pod};
use kube::ResourceExt;
use kube::api::{Api, ListParams, Patch, PatchParams};

const NODE: &str = "node-0";
const PAUSE: Duration = Duration::from_millis(200);

/// Starts the scheduler; it runs until the process ends or the cluster is gone.
pub(super) fn serve(config: kube::Config) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    std::thread::Builder::new()
        .name("test-scheduler".into())
        .spawn(move || {
            runtime.block_on(async {
                let Ok(client) = kube::Client::try_from(config) else {
                    return;
                };
                let mut failures = 0;
                while failures < 50 {
                    failures = match bind_pods(&client).await {
                        Ok(()) => 0,
                        Err(_) => failures + 1,
                    };
                    tokio::time::sleep(PAUSE).await;
                }
            });
        })?;
    Ok(())
}

async fn bind_pods(client: &kube::Client) -> Result<()> {
    let nodes = Api::<Node>::all(client.clone());
    if nodes.get_opt(NODE).await?.is_none() {
        let node = serde_json::json!({
            "apiVersion": "v1",
            "kind": "Node",
            "metadata": {
                "name": NODE,
                "annotations": { "kwok.x-k8s.io/node": "fake", "node.alpha.kubernetes.io/ttl": "0" },
                "labels": { "kubernetes.io/hostname": NODE, "type": "kwok" },
            },
        });
        let apply = PatchParams::apply("bulkhead-testing").force();
        nodes.patch(NODE, &apply, &Patch::Apply(node)).await?;
    }
    let waiting = ListParams::default().fields("spec.nodeName=");
    for pod in Api::<Pod>::all(client.clone()).list(&waiting).await? {
        let (namespace, name) = (pod.namespace().unwrap_or_default(), pod.name_any());
        let binding = serde_json::json!({
            "apiVersion": "v1",
            "kind": "Binding",
            "metadata": { "name": name, "namespace": namespace },
            "target": { "apiVersion": "v1", "kind": "Node", "name": NODE },
        });
        let uri = format!("/api/v1/namespaces/{namespace}/pods/{name}/binding");
        let request = http::Request::post(uri)
            .header("Content-Type", "application/json")
            .body(serde_json::to_vec(&binding)?)?;
        // Another binding, or the end of the pod, may come first.
        let _ = client.request_text(request).await;
    }
    Ok(())
}
