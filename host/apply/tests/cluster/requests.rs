//! What an apply asks of the API server: the audit log counts.

use super::*;

#[tokio::test]
#[ignore = "needs kube-apiserver"]
async fn three_objects_cost_three_patches_and_then_nothing() {
    let mut delivery = Delivery::new("requests").await;
    let mark = delivery.mark();
    let changes = delivery.applied(THREE).await;
    assert_eq!(
        changes,
        [
            "ConfigMap/NS/settings created",
            "Service/NS/web created",
            "Deployment/NS/web created",
        ]
    );
    assert_eq!(delivery.requests(mark, &KINDS), counts([("patch", 3)]));
    assert_eq!(delivery.ahead.len(), 1);
    assert_eq!(delivery.ahead[0], delivery.inventory);

    let mark = delivery.mark();
    assert!(
        delivery
            .applied(THREE)
            .await
            .iter()
            .all(|change| change.ends_with("unchanged"))
    );
    assert_eq!(delivery.requests(mark, &KINDS), counts([]));

    // At the interval: a look at each kind, no write.
    delivery.check = Check::Live;
    let mark = delivery.mark();
    assert!(
        delivery
            .applied(THREE)
            .await
            .iter()
            .all(|change| change.ends_with("unchanged"))
    );
    assert_eq!(delivery.requests(mark, &KINDS), counts([("get", 3)]));

    // After a restart: a look and an apply each, and no change of the objects.
    let version = delivery
        .maps()
        .get("settings")
        .await
        .unwrap()
        .metadata
        .resource_version;
    (delivery.check, delivery.records) = (Check::Records, Records::new());
    delivery.accepted = true;
    let mark = delivery.mark();
    let changes = delivery.applied(THREE).await;
    assert!(
        changes.iter().all(|change| change.ends_with("unchanged")),
        "{changes:?}"
    );
    assert_eq!(
        delivery.requests(mark, &KINDS),
        counts([("get", 3), ("patch", 3)])
    );
    let same = delivery
        .maps()
        .get("settings")
        .await
        .unwrap()
        .metadata
        .resource_version;
    assert_eq!(version, same);

    // One file of three changed: one patch, no dry-run.
    let mark = delivery.mark();
    let changes = delivery.applied(&THREE.replace("blue", "red")).await;
    assert_eq!(changes[0], "ConfigMap/NS/settings configured");
    assert_eq!(delivery.requests(mark, &KINDS), counts([("patch", 1)]));
    assert_eq!(delivery.ahead.len(), 1);
}

#[tokio::test]
#[ignore = "needs kube-apiserver"]
async fn discovery_costs_two_requests() {
    let mut delivery = Delivery::new("discovery").await;
    let mark = delivery.mark();
    delivery.applied(&map("a", "1")).await;
    delivery.applied(&map("a", "2")).await;
    let events = delivery.server.audit().unwrap();
    let discovery = |event: &&bulkhead_testing::cluster::AuditEvent| {
        event.uri == "/api" || event.uri == "/apis"
    };
    // Other tests run beside this one: their discovery is at most two each, too.
    assert!(events[mark..].iter().filter(discovery).count() >= 2);
}

#[tokio::test]
#[ignore = "needs kube-apiserver"]
async fn a_look_at_many_objects_is_one_list() {
    let mut delivery = Delivery::new("list").await;
    let many: String = (0..9)
        .map(|number| map(&format!("m{number}"), "x"))
        .collect();
    delivery.applied(&many).await;
    delivery.check = Check::Live;
    let mark = delivery.mark();
    delivery.applied(&many).await;
    assert_eq!(
        delivery.requests(mark, &["configmaps"]),
        counts([("list", 1)])
    );
    // Two updates of a stage are tried out first.
    delivery.check = Check::Records;
    let mark = delivery.mark();
    let two = many.replacen("key: 'x'", "key: 'y'", 2);
    delivery.applied(&two).await;
    assert_eq!(
        delivery.requests(mark, &["configmaps"]),
        counts([("patch", 4)])
    );
}
