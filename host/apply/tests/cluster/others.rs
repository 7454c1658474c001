//! What others do to our objects, and what is left of ours.

use super::*;

#[tokio::test]
#[ignore = "needs kube-apiserver"]
async fn what_others_change_is_put_back_and_what_they_add_stays() {
    let mut delivery = Delivery::new("drift").await;
    delivery.applied(&map("a", "ours")).await;
    let foreign = |body: serde_json::Value| Patch::Merge(body);
    let edit = PatchParams {
        field_manager: Some("somebody".into()),
        ..PatchParams::default()
    };
    let body = foreign(serde_json::json!({ "data": { "other": "theirs" } }));
    delivery.maps().patch("a", &edit, &body).await.unwrap();
    delivery.check = Check::Live;
    assert_eq!(
        delivery.applied(&map("a", "ours")).await,
        ["ConfigMap/NS/a unchanged"]
    );
    let body = foreign(serde_json::json!({ "data": { "key": "edited" } }));
    delivery.maps().patch("a", &edit, &body).await.unwrap();
    assert_eq!(
        delivery.applied(&map("a", "ours")).await,
        ["ConfigMap/NS/a configured"]
    );
    let data = delivery.maps().get("a").await.unwrap().data.unwrap();
    assert_eq!(
        (data["key"].as_str(), data["other"].as_str()),
        ("ours", "theirs")
    );
    // Deleted by somebody: recreated.
    delivery
        .maps()
        .delete("a", &DeleteParams::default())
        .await
        .unwrap();
    assert_eq!(
        delivery.applied(&map("a", "ours")).await,
        ["ConfigMap/NS/a created"]
    );
}

#[tokio::test]
#[ignore = "needs kube-apiserver"]
async fn annotations_switch_an_object_off() {
    let mut delivery = Delivery::new("annotations").await;
    delivery.applied(&map("a", "1")).await;
    let key = "kustomize.toolkit.fluxcd.io/reconcile";
    let body = serde_json::json!({ "metadata": { "annotations": { key: "Disabled" } } });
    delivery
        .maps()
        .patch("a", &PatchParams::default(), &Patch::Merge(body))
        .await
        .unwrap();
    delivery.check = Check::Live;
    assert_eq!(
        delivery.applied(&map("a", "2")).await,
        ["ConfigMap/NS/a skipped"]
    );
    // After a restart, too, and prune leaves it alone.
    (delivery.check, delivery.records) = (Check::Records, Records::new());
    assert_eq!(
        delivery.applied(&map("a", "3")).await,
        ["ConfigMap/NS/a skipped"]
    );
    assert_eq!(delivery.applied("").await, ["ConfigMap/NS/a skipped"]);
    assert!(delivery.maps().get_opt("a").await.unwrap().is_some());
    assert!(delivery.inventory.is_empty());

    let once = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: once\n  annotations: \
                {kustomize.toolkit.fluxcd.io/ssa: IfNotPresent}\ndata: {a: 'VALUE'}\n";
    let applied = delivery.applied(&once.replace("VALUE", "1")).await;
    assert_eq!(applied, ["ConfigMap/NS/once created"]);
    let applied = delivery.applied(&once.replace("VALUE", "2")).await;
    assert_eq!(applied, ["ConfigMap/NS/once skipped"]);
    assert_eq!(delivery.inventory.len(), 1);
}

#[tokio::test]
#[ignore = "needs kube-apiserver"]
async fn prune_deletes_only_what_is_still_ours() {
    let mut delivery = Delivery::new("prune").await;
    let all: String = ["gone", "kept", "disowned", "stays"]
        .map(|name| map(name, "x"))
        .concat();
    delivery.applied(&all).await;
    let merge = |body| Patch::Merge(body);
    let keep = serde_json::json!({ "metadata": { "annotations": {
        "kustomize.toolkit.fluxcd.io/prune": "disabled" } } });
    let disown = serde_json::json!({ "metadata": { "labels": {
        "kustomize.toolkit.fluxcd.io/name": null } } });
    let params = PatchParams::default();
    delivery
        .maps()
        .patch("kept", &params, &merge(keep))
        .await
        .unwrap();
    delivery
        .maps()
        .patch("disowned", &params, &merge(disown))
        .await
        .unwrap();
    let changes = delivery.applied(&map("stays", "x")).await;
    assert_eq!(
        changes,
        [
            "ConfigMap/NS/stays unchanged",
            "ConfigMap/NS/kept skipped",
            "ConfigMap/NS/gone deleted",
            "ConfigMap/NS/disowned skipped",
        ]
    );
    let maps = delivery.maps();
    assert!(maps.get_opt("gone").await.unwrap().is_none());
    assert!(maps.get_opt("kept").await.unwrap().is_some());
    assert!(maps.get_opt("disowned").await.unwrap().is_some());
    assert_eq!(delivery.inventory.len(), 1);
    // What is gone already counts as deleted.
    maps.delete("stays", &DeleteParams::default())
        .await
        .unwrap();
    assert_eq!(delivery.applied("").await, ["ConfigMap/NS/stays deleted"]);
}

#[tokio::test]
#[ignore = "needs kube-apiserver"]
async fn an_object_recreated_by_another_survives_the_prune() {
    let mut delivery = Delivery::new("recreated").await;
    delivery.applied(&map("a", "ours")).await;
    let maps = delivery.maps();
    maps.delete("a", &DeleteParams::default()).await.unwrap();
    let metadata = ObjectMeta {
        name: Some("a".into()),
        ..ObjectMeta::default()
    };
    let theirs = ConfigMap {
        metadata,
        ..ConfigMap::default()
    };
    maps.create(&PostParams::default(), &theirs).await.unwrap();
    assert_eq!(delivery.applied("").await, ["ConfigMap/NS/a skipped"]);
    assert!(maps.get_opt("a").await.unwrap().is_some());
}

#[tokio::test]
#[ignore = "needs kube-apiserver"]
async fn the_fields_of_kubectl_are_taken_over() {
    let mut delivery = Delivery::new("takeover").await;
    let maps = delivery.maps();
    let metadata = ObjectMeta {
        name: Some("a".into()),
        annotations: Some(BTreeMap::from([(
            "kubectl.kubernetes.io/last-applied-configuration".into(),
            "{}".into(),
        )])),
        ..ObjectMeta::default()
    };
    let data = BTreeMap::from([("key".into(), "x".into()), ("left-over".into(), "x".into())]);
    let theirs = ConfigMap {
        metadata,
        data: Some(data),
        ..ConfigMap::default()
    };
    let kubectl = PostParams {
        field_manager: Some("kubectl-client-side-apply".into()),
        ..PostParams::default()
    };
    maps.create(&kubectl, &theirs).await.unwrap();
    assert_eq!(
        delivery.applied(&map("a", "x")).await,
        ["ConfigMap/NS/a configured"]
    );
    let live = maps.get("a").await.unwrap();
    assert_eq!(live.data.unwrap().keys().collect::<Vec<_>>(), ["key"]);
    assert_eq!(
        live.metadata.annotations.unwrap_or_default(),
        BTreeMap::new()
    );
    let managers = live.metadata.managed_fields.unwrap();
    assert_eq!(managers.len(), 1, "{managers:?}");
    assert_eq!(managers[0].manager.as_deref(), Some("kustomize-controller"));
    assert_eq!(managers[0].operation.as_deref(), Some("Apply"));
    let mark = delivery.mark();
    delivery.applied(&map("a", "x")).await;
    assert_eq!(delivery.requests(mark, &["configmaps"]), counts([]));
}

#[tokio::test]
#[ignore = "needs kube-apiserver"]
async fn an_object_recreated_between_look_and_delete_survives() {
    let mut delivery = Delivery::new("race").await;
    delivery.applied(&map("a", "ours")).await;
    let maps = delivery.maps();
    let mut theirs = maps.get("a").await.unwrap();
    theirs.metadata = ObjectMeta {
        name: Some("a".into()),
        labels: theirs.metadata.labels,
        ..ObjectMeta::default()
    };
    let racing = maps.clone();
    let client = meddling(delivery.server.client().unwrap(), move |method, _| {
        let (maps, theirs) = (racing.clone(), theirs.clone());
        async move {
            if method == "DELETE" {
                maps.delete("a", &DeleteParams::default()).await.unwrap();
                maps.create(&PostParams::default(), &theirs).await.unwrap();
            }
            false
        }
    });
    delivery.cluster = Cluster::new(client.clone(), Discovery::new(client));
    let (applied, message) = delivery.refused("").await;
    assert_eq!(
        message,
        "delete failed, errors: ConfigMap/NS/a delete failed (Conflict): it was recreated while it \
         was being pruned"
    );
    assert!(matches!(applied.error, Some(ApplyError::Prune(_))));
    assert!(maps.get_opt("a").await.unwrap().is_some());
    assert_eq!(delivery.inventory.len(), 1);
}
