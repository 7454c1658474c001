//! Kinds that are not there yet, and objects that their kinds do not take.

use super::*;

#[tokio::test]
#[ignore = "needs kube-apiserver"]
async fn an_unknown_kind_is_not_gone() {
    let mut delivery = Delivery::new("unknown").await;
    let id: ObjectId = "x_y_nobody.example.com_Thing".parse().unwrap();
    delivery.inventory.insert(id.clone(), "v1");
    let applied = delivery.apply(&map("a", "1")).await;
    assert!(applied.error.is_none());
    assert_eq!(applied.unknown, std::slice::from_ref(&id));
    assert!(delivery.inventory.contains(&id));
    let thing = "apiVersion: nobody.example.com/v1\nkind: Thing\nmetadata: {name: thing}\n";
    let (_, message) = delivery.refused(thing).await;
    assert_eq!(
        message,
        "Thing/thing apply failed: no matches for kind \"Thing\" in version \"nobody.example.com/v1\""
    );
}

#[tokio::test]
#[ignore = "needs kube-apiserver"]
async fn a_definition_and_its_objects_go_in_one_apply() {
    let mut delivery = Delivery::new("definitions").await;
    let both = "
apiVersion: widgets.example.com/v1
kind: Widget
metadata: {name: w}
spec: {size: 3}
---
apiVersion: widgets.example.com/v1
kind: Rack
metadata: {name: r, namespace: injected}
---
apiVersion: v1
kind: Namespace
metadata: {name: definitions-extra}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: inside, namespace: definitions-extra}
---
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: widgets.widgets.example.com}
spec:
  group: widgets.example.com
  scope: Namespaced
  names: {kind: Widget, plural: widgets, singular: widget, listKind: WidgetList}
  versions: [&version {name: v1, served: true, storage: true, schema: {openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}}}]
---
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: racks.widgets.example.com}
spec:
  group: widgets.example.com
  scope: Cluster
  names: {kind: Rack, plural: racks, singular: rack, listKind: RackList}
  versions: [{name: v1, served: true, storage: true, schema: {openAPIV3Schema: {type: object}}}]
"
    .replace("&version ", "");
    let changes = delivery.applied(&both).await;
    assert_eq!(changes.len(), 6, "{changes:?}");
    assert!(
        changes.iter().all(|change| change.ends_with("created")),
        "{changes:?}"
    );
    assert!(
        delivery
            .inventory
            .contains(&"_r_widgets.example.com_Rack".parse().unwrap())
    );
    let changes = delivery.applied(&both).await;
    assert!(
        changes.iter().all(|change| change.ends_with("unchanged")),
        "{changes:?}"
    );
    let changes = delivery.applied("").await;
    assert_eq!(changes.len(), 6, "{changes:?}");
}

const IMMUTABLE: &str = "
apiVersion: v1
kind: Secret
metadata: {name: fixed}
immutable: true
stringData: {password: VALUE}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: other}
data: {value: VALUE}
";

#[tokio::test]
#[ignore = "needs kube-apiserver"]
async fn immutable_fields_fail_or_with_force_recreate_once() {
    let mut delivery = Delivery::new("immutable").await;
    delivery
        .applied(&IMMUTABLE.replace("VALUE", "first-value"))
        .await;
    let secrets = Api::<Secret>::namespaced(delivery.server.client().unwrap(), &delivery.namespace);
    let uid = secrets.get("fixed").await.unwrap().metadata.uid;
    let second = IMMUTABLE.replace("VALUE", "second-value");
    let (applied, message) = delivery.refused(&second).await;
    assert!(
        message.starts_with("Secret/NS/fixed dry-run failed (Invalid): ")
            && message.contains("field is immutable when `immutable` is set"),
        "{message}"
    );
    assert!(!message.contains("second-value"), "{message}");
    assert!(matches!(applied.error, Some(ApplyError::Objects(_))));
    // The dry-run failed: nothing of the stage was applied, nothing is lost.
    let other = delivery.maps().get("other").await.unwrap().data.unwrap();
    assert_eq!(other["value"], "first-value");
    assert_eq!(delivery.inventory.len(), 2);

    delivery.force = true;
    let changes = delivery.applied(&second).await;
    assert_eq!(
        changes,
        ["ConfigMap/NS/other configured", "Secret/NS/fixed created"]
    );
    assert_ne!(secrets.get("fixed").await.unwrap().metadata.uid, uid);
    assert!(
        delivery
            .applied(&second)
            .await
            .iter()
            .all(|change| change.ends_with("unchanged"))
    );
}

#[tokio::test]
#[ignore = "needs kube-apiserver"]
async fn force_never_deletes_for_an_object_that_is_wrong() {
    let mut delivery = Delivery::new("wrong").await;
    delivery.force = true;
    let service =
        "apiVersion: v1\nkind: Service\nmetadata: {name: web}\nspec: {ports: [{port: PORT}]}\n";
    delivery.applied(&service.replace("PORT", "80")).await;
    let services =
        Api::<Service>::namespaced(delivery.server.client().unwrap(), &delivery.namespace);
    let uid = services.get("web").await.unwrap().metadata.uid;
    let (_, message) = delivery.refused(&service.replace("PORT", "99999999")).await;
    assert!(
        message.starts_with("Service/NS/web apply failed"),
        "{message}"
    );
    let (_, message) = delivery.refused(&service.replace("PORT", "70000")).await;
    assert!(
        message.starts_with("Service/NS/web apply failed (Invalid)"),
        "{message}"
    );
    assert_eq!(services.get("web").await.unwrap().metadata.uid, uid);
}

#[tokio::test]
#[ignore = "needs kube-apiserver"]
async fn a_namespaced_object_without_a_namespace_is_named() {
    let mut delivery = Delivery::new("nowhere").await;
    delivery.namespace = String::new();
    let (applied, message) = {
        let applied = delivery.apply(&map("a", "1")).await;
        let message = applied.error.as_ref().unwrap().to_string();
        (applied, message)
    };
    assert_eq!(message, "ConfigMap/a namespace not specified");
    assert!(applied.inventory.is_empty());
}
