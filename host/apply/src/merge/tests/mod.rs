#![allow(clippy::unwrap_used, reason = "a test may")]

use serde_json::json;

use super::schema::Schemas;
use super::*;

/// What matters of a real server's document, for two kinds.
fn schemas() -> Schemas {
    Schemas::parse(include_str!("openapi.json")).unwrap()
}

fn fields(value: &Value) -> &Fields {
    value.as_object().unwrap()
}

/// Merges as Deployment or as a custom kind.
fn merge(earlier: Value, wanted: Value, live: Value) -> Value {
    let schemas = schemas();
    let shape = schemas.kind("apps", "v1", "Deployment").unwrap();
    let earlier = [fields(&earlier)];
    Value::Object(three_way(
        &earlier,
        fields(&wanted),
        fields(&live),
        Some(shape),
    ))
}

fn pod(spec: Value) -> Value {
    json!({ "spec": { "template": { "spec": spec } } })
}

/// Each line was made up, and merged by upstream's `CreateThreeWayMergePatch` and
/// `StrategicMergePatch` (apimachinery 0.36.1).
#[test]
fn merges_are_upstreams() {
    let schemas = schemas();
    let cases = include_str!("upstream.jsonl");
    for (line, case) in cases.lines().enumerate() {
        let case: Value = serde_json::from_str(case).unwrap();
        let (group, kind) = match case["wanted"]["kind"].as_str() {
            Some("Deployment") => ("apps", "Deployment"),
            _ => ("", "Service"),
        };
        let shape = schemas.kind(group, "v1", kind).unwrap();
        let [earlier, wanted, live] = ["earlier", "wanted", "live"].map(|one| fields(&case[one]));
        let merged = three_way(&[earlier], wanted, live, Some(shape));
        let line = line + 1;
        assert_eq!(
            Value::Object(merged.clone()),
            case["merged"],
            "line {line}: {case}"
        );
        // And the patch leads there.
        let mut patched = Value::Object(live.clone());
        apply(&mut patched, &Value::Object(difference(live, &merged)));
        assert_eq!(patched, case["merged"], "line {line}, patched");
    }
}

/// RFC 7386, as it stands there.
fn apply(target: &mut Value, patch: &Value) {
    let Value::Object(patch) = patch else {
        *target = patch.clone();
        return;
    };
    if !target.is_object() {
        *target = json!({});
    }
    let fields = target.as_object_mut().unwrap();
    for (key, value) in patch {
        if value.is_null() {
            fields.shift_remove(key);
        } else {
            apply(fields.entry(key.clone()).or_insert(Value::Null), value);
        }
    }
}

#[test]
fn what_others_added_stays_and_what_the_chart_dropped_goes() {
    let merged = merge(
        pod(
            json!({ "containers": [{ "name": "a", "image": "1", "args": ["x"] }, { "name": "old" }] }),
        ),
        pod(json!({ "containers": [{ "name": "a", "image": "2" }, { "name": "new" }] })),
        pod(json!({
            "containers": [
                { "name": "sidecar" },
                { "name": "a", "image": "1", "args": ["x"], "imagePullPolicy": "Always" },
                { "name": "old" },
            ],
            "dnsPolicy": "ClusterFirst",
        })),
    );
    let wanted = pod(json!({
        "containers": [
            { "name": "sidecar" },
            { "name": "a", "image": "2", "imagePullPolicy": "Always" },
            { "name": "new" },
        ],
        "dnsPolicy": "ClusterFirst",
    }));
    assert_eq!(merged, wanted);
}

#[test]
fn fields_of_any_earlier_version_go() {
    let (first, second) = (json!({ "a": 1, "b": 1 }), json!({ "b": 1, "c": 1 }));
    let (wanted, live) = (json!({ "b": 2 }), json!({ "a": 1, "b": 1, "c": 1, "d": 1 }));
    let earlier = [fields(&second), fields(&first)];
    let merged = three_way(&earlier, fields(&wanted), fields(&live), None);
    assert_eq!(Value::Object(merged), json!({ "b": 2, "d": 1 }));
}

#[test]
fn a_volume_is_of_one_kind_and_a_strategy_has_the_fields_of_its_type() {
    let merged = merge(
        json!({ "spec": { "strategy": { "type": "RollingUpdate" } } }),
        json!({ "spec": { "strategy": { "type": "Recreate" } } }),
        json!({ "spec": { "strategy": { "type": "RollingUpdate", "rollingUpdate": { "maxSurge": 1 } } } }),
    );
    assert_eq!(
        merged,
        json!({ "spec": { "strategy": { "type": "Recreate" } } })
    );
    let volume = |kind: &str| pod(json!({ "volumes": [{ "name": "v", kind: {} }] }));
    let merged = merge(json!({}), volume("secret"), volume("emptyDir"));
    assert_eq!(merged, volume("secret"));
}

/// Upstream's patch mixes up two ports of one number.
#[test]
fn items_that_share_a_key_are_told_apart_by_their_order() {
    let ports = |name: &str| {
        pod(json!({ "containers": [{ "name": "a", "ports": [
            { "containerPort": 53, "protocol": "UDP", "name": name },
            { "containerPort": 53, "protocol": "TCP" },
        ] }] }))
    };
    assert_eq!(
        merge(ports("one"), ports("two"), ports("one")),
        ports("two")
    );
}

#[test]
fn items_without_their_key_make_the_list_one_value() {
    let containers = |items: Value| pod(json!({ "containers": items }));
    let wanted = containers(json!([{ "image": "no name" }, 1]));
    let live = containers(json!([{ "name": "a" }]));
    assert_eq!(merge(live.clone(), wanted.clone(), live), wanted);
}

#[test]
fn only_kubernetes_own_kinds_are_known() {
    let document = json!({ "components": { "schemas": {
        "com.example.v1.Thing": { "x-kubernetes-group-version-kind": [
            { "group": "example.com", "version": "v1", "kind": "Thing" } ] },
    } } });
    let custom = Schemas::parse(&document.to_string()).unwrap();
    assert!(custom.kind("example.com", "v1", "Thing").is_none());
    assert!(schemas().kind("apps", "v1", "Deployment").is_some());
    assert!(schemas().kind("apps", "v2", "Deployment").is_none());
    assert!(Schemas::parse("{}").is_ok());
    assert!(Schemas::parse("<html>").is_err());
}

#[test]
fn a_patch_says_what_differs_and_nothing_else() {
    let from =
        json!({ "same": [1], "gone": 1, "null": null, "deep": { "a": 1, "b": 2 }, "list": [1] });
    let to =
        json!({ "same": [1], "deep": { "a": 1, "b": 3 }, "list": [], "new": {}, "nothing": null });
    let patch = difference(fields(&from), fields(&to));
    let wanted = json!({ "gone": null, "deep": { "b": 3 }, "list": [], "new": {} });
    assert_eq!(Value::Object(patch), wanted);
    assert!(difference(fields(&to), fields(&to)).is_empty());
}
