//! What goes wrong, and what is left of it: stages, waits, lost answers, crashes.

use super::*;

#[tokio::test]
#[ignore = "needs kube-apiserver"]
async fn a_failed_stage_is_the_last_and_loses_nothing() {
    let mut delivery = Delivery::new("stages").await;
    delivery.applied(&map("old", "x")).await;
    let broken = format!(
        "{}apiVersion: storage.k8s.io/v1\nkind: StorageClass\nmetadata: {{name: broken-class}}\n\
         provisioner: 'a b'\n",
        map("later", "x")
    );
    let (applied, message) = delivery.refused(&broken).await;
    assert!(
        message.starts_with("StorageClass/broken-class apply failed (Invalid)"),
        "{message}"
    );
    assert_eq!(applied.changes, []);
    assert!(delivery.maps().get_opt("later").await.unwrap().is_none());
    assert!(delivery.maps().get_opt("old").await.unwrap().is_some());
    // Old and new are recorded, before and after.
    assert_eq!(delivery.inventory.len(), 3);
    assert_eq!(delivery.ahead.last(), Some(&delivery.inventory));
}

#[tokio::test]
#[ignore = "needs kube-apiserver"]
async fn nothing_is_applied_when_the_inventory_cannot_be_recorded() {
    let delivery = Delivery::new("ahead").await;
    let yaml = map("a", "1");
    let request = Request {
        objects: parse::objects([yaml.as_str().into()], &Limits::default()).unwrap(),
        inventory: &delivery.inventory,
        owner: &delivery.owner,
        common: &CommonMetadata::default(),
        target_namespace: &delivery.namespace,
        settings: Settings::default(),
        force: false,
        check: Check::Records,
        accepted: false,
    };
    let refuse = |_| async { Err("etcd is full".to_owned()) };
    let applied = delivery
        .cluster
        .apply(request, &mut Records::new(), refuse)
        .await;
    assert!(matches!(applied.error, Some(ApplyError::WriteAhead(_))));
    assert!(applied.inventory.is_empty());
    assert!(delivery.maps().get_opt("a").await.unwrap().is_none());
}

#[tokio::test]
#[ignore = "needs kube-apiserver"]
async fn waiting_ends_by_health_time_or_cancellation() {
    let mut delivery = Delivery::new("waiting").await;
    delivery.applied(THREE).await;
    let awaited = |id: String| Awaited::new(id.parse().unwrap(), "v1");
    let namespace = &delivery.namespace;
    let map = awaited(format!("{namespace}_settings__ConfigMap"));
    let web = awaited(format!("{namespace}_web_apps_Deployment"));
    let options = WaitOptions {
        timeout: Duration::from_millis(300),
        fail_fast: true,
    };
    let cluster = &delivery.cluster;
    let never = std::future::pending();
    cluster
        .wait(std::slice::from_ref(&map), options, never)
        .await
        .unwrap();
    let both = [map.clone(), web.clone()];
    let error = cluster
        .wait(&both, options, std::future::pending())
        .await
        .unwrap_err();
    assert_eq!(
        delivery.short(&error.to_string()),
        "timeout waiting for: [Deployment/NS/web status: 'InProgress': Replicas: 0/1]"
    );
    let long = WaitOptions {
        timeout: Duration::from_secs(60),
        fail_fast: true,
    };
    let error = cluster
        .wait(&both, long, std::future::ready(()))
        .await
        .unwrap_err();
    assert_eq!(error, WaitError::Cancelled);
    let mut job = awaited(format!("{namespace}_done_batch_Job"));
    assert_eq!(cluster.health(&job).await.status, Status::NotFound);
    job.may_vanish = true;
    cluster
        .wait(&[job], options, std::future::pending())
        .await
        .unwrap();
    delivery
        .maps()
        .delete("settings", &DeleteParams::default())
        .await
        .unwrap();
    assert_eq!(
        cluster
            .wait_until_gone(&[map], Duration::from_secs(5))
            .await,
        []
    );
}

#[tokio::test]
#[ignore = "needs kube-apiserver"]
async fn lost_answers_are_asked_for_again() {
    use std::collections::BTreeSet;
    use std::sync::{Arc, Mutex};

    let mut delivery = Delivery::new("lost").await;
    let lost = Arc::new(Mutex::new(BTreeSet::new()));
    let client = meddling(delivery.server.client().unwrap(), move |method, path| {
        // The first answer of each kind of request to each object.
        let loses = path.contains("configmaps") && lost.lock().unwrap().insert((method, path));
        std::future::ready(loses)
    });
    delivery.cluster = Cluster::new(
        client.clone(),
        Discovery::new(delivery.server.client().unwrap()),
    );
    let both = format!("{}{}", map("a", "1"), map("b", "1"));
    assert_eq!(delivery.applied(&both).await.len(), 2);
    let changes = delivery.applied(&map("a", "1")).await;
    assert_eq!(
        changes,
        ["ConfigMap/NS/a unchanged", "ConfigMap/NS/b deleted"]
    );
    assert!(delivery.maps().get_opt("a").await.unwrap().is_some());
    assert!(delivery.maps().get_opt("b").await.unwrap().is_none());
}

#[tokio::test]
#[ignore = "needs kube-apiserver"]
async fn a_finalizer_deletes_everything_and_says_what_is_left_to_wait_for() {
    let mut delivery = Delivery::new("finalizer").await;
    let applied = delivery.apply(THREE).await;
    let awaited: Vec<String> = applied
        .to_wait_for()
        .iter()
        .map(|awaited| delivery.short(&awaited.id.subject()))
        .collect();
    assert_eq!(awaited, ["Deployment/NS/web"]);
    let Delivery {
        cluster,
        inventory,
        owner,
        settings,
        ..
    } = &delivery;
    let applied = cluster.delete_all(inventory, owner, settings).await;
    assert!(applied.error.is_none() && applied.inventory.is_empty());
    let changes: Vec<String> = applied
        .changes
        .iter()
        .map(|change| delivery.short(&change.to_string()))
        .collect();
    assert_eq!(
        changes,
        [
            "Deployment/NS/web deleted",
            "Service/NS/web deleted",
            "ConfigMap/NS/settings deleted",
        ]
    );
}

/// Nine objects in three stages. The names of cluster-scoped ones have the number of the run.
fn three_stages(run: usize) -> String {
    let definitions: String = (0..2)
        .map(|number| {
            format!(
                "apiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRole\n\
                 metadata: {{name: sweep-{run}-{number}}}\n---\n"
            )
        })
        .collect();
    let class = format!(
        "apiVersion: scheduling.k8s.io/v1\nkind: PriorityClass\nmetadata: {{name: sweep-{run}}}\n\
         value: 1\n---\n"
    );
    let rest: String = (0..6)
        .map(|number| map(&format!("m{number}"), "x"))
        .collect();
    format!("{definitions}{class}{rest}")
}

#[tokio::test]
#[ignore = "needs kube-apiserver"]
async fn a_crash_after_any_write_leaves_no_orphan() {
    for crash_after in 0..9 {
        let mut delivery = Delivery::new("sweep").await;
        let plain = delivery.server.client().unwrap();
        let (client, crashed) = crashing(plain.clone(), crash_after);
        delivery.cluster = Cluster::new(client.clone(), Discovery::new(client));
        let yaml = three_stages(crash_after);
        let finished = tokio::select! {
            applied = delivery.apply(&yaml) => applied.error.is_none(),
            () = crashed.notified() => false,
        };
        assert!(!finished, "it did not crash after {crash_after} writes");
        // What was recorded before the first change is all that the next process knows.
        delivery.inventory = delivery.ahead.last().cloned().unwrap();
        delivery.records = Records::new();
        delivery.cluster = Cluster::new(plain.clone(), Discovery::new(plain.clone()));
        delivery.applied("").await;
        assert!(delivery.inventory.is_empty());
        let labels = format!("kustomize.toolkit.fluxcd.io/name={}", delivery.owner.name);
        let ours = kube::api::ListParams::default().labels(&labels);
        assert_eq!(delivery.maps().list(&ours).await.unwrap().items.len(), 0);
        let roles = Api::<k8s_openapi::api::rbac::v1::ClusterRole>::all(plain.clone());
        assert_eq!(roles.list(&ours).await.unwrap().items.len(), 0);
        let classes = Api::<k8s_openapi::api::scheduling::v1::PriorityClass>::all(plain);
        assert_eq!(classes.list(&ours).await.unwrap().items.len(), 0);
    }
}

#[tokio::test]
#[ignore = "needs kube-apiserver"]
async fn a_denied_delete_is_tried_again() {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};

    let mut delivery = Delivery::new("denied").await;
    delivery
        .applied(&format!("{}{}", map("a", "1"), map("b", "1")))
        .await;
    let denies = Arc::new(AtomicBool::new(true));
    let (inner, denying) = (delivery.server.client().unwrap(), denies.clone());
    let service = tower::service_fn(move |request: http::Request<kube::client::Body>| {
        let path = request.uri().path();
        let is_denied = request.method() == "DELETE" && path.ends_with("/a");
        let is_denied = is_denied && denying.load(Ordering::Relaxed);
        let inner = inner.clone();
        async move {
            if !is_denied {
                return inner.send(request).await;
            }
            let status = serde_json::json!({
                "kind": "Status", "status": "Failure", "code": 403, "reason": "Forbidden",
                "message": "a policy denies it",
            });
            let body = kube::client::Body::from(status.to_string().into_bytes());
            Ok(http::Response::builder().status(403).body(body).unwrap())
        }
    });
    let client = kube::Client::new(service, "default");
    delivery.cluster = Cluster::new(client.clone(), Discovery::new(client));
    // The other object is pruned all the same.
    let (applied, message) = delivery.refused("").await;
    assert_eq!(
        message,
        "delete failed, errors: ConfigMap/NS/a delete failed (Forbidden): a policy denies it"
    );
    assert_eq!(applied.error.unwrap().advice().reason, "PruneFailed");
    assert_eq!(
        delivery.short(&applied.changes[0].to_string()),
        "ConfigMap/NS/b deleted"
    );
    assert_eq!(delivery.inventory.len(), 1);
    denies.store(false, Ordering::Relaxed);
    assert_eq!(delivery.applied("").await, ["ConfigMap/NS/a deleted"]);
    assert!(delivery.inventory.is_empty());
}
