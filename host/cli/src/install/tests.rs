//! What is printed, against the copy in deploy/ and against what the upstream command asks for.

#![allow(clippy::unwrap_used, reason = "a test may")]

use serde_json::{Value, json};

use super::*;

fn of_kind<'a>(objects: &'a [Value], kind: &str) -> Vec<&'a Value> {
    objects
        .iter()
        .filter(|object| object["kind"] == kind)
        .collect()
}

/// `BULKHEAD_UPDATE=1` writes the copy again.
#[test]
fn the_copy_in_deploy_is_what_the_code_prints() {
    let printed = to_yaml(&manifests(&InstallOptions::default())).unwrap();
    if std::env::var_os("BULKHEAD_UPDATE").is_some() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../deploy/install.yaml");
        #[allow(
            clippy::disallowed_methods,
            reason = "writes the copy that is checked in"
        )]
        std::fs::write(path, printed).unwrap();
        return;
    }
    let copy = include_str!("../../../../deploy/install.yaml");
    assert!(
        copy == printed,
        "deploy/install.yaml is old: run `make install-manifests`"
    );
}

#[test]
fn every_object_is_found_by_flux() {
    let objects = manifests(&InstallOptions::default());
    for object in &objects {
        let labels = &object["metadata"]["labels"];
        assert_eq!(labels["app.kubernetes.io/part-of"], "flux", "{object}");
        assert_eq!(labels["app.kubernetes.io/instance"], "flux-system");
        assert!(
            labels["app.kubernetes.io/version"]
                .as_str()
                .unwrap()
                .starts_with('v')
        );
    }
    assert_eq!(of_kind(&objects, "CustomResourceDefinition").len(), 12);
    let deployments = of_kind(&objects, "Deployment");
    assert_eq!(deployments.len(), 1, "flux check wants at least one");
    let containers = &deployments[0]["spec"]["template"]["spec"]["containers"];
    assert_eq!(containers.as_array().unwrap().len(), 1);
    assert_eq!(
        containers[0]["name"], "manager",
        "flux logs reads this container"
    );
    assert!(
        containers[0]["image"].as_str().unwrap().contains(":v"),
        "flux version wants a tag"
    );
}

#[test]
fn services_reach_a_port_of_the_pod() {
    let objects = manifests(&InstallOptions::default());
    let deployment = of_kind(&objects, "Deployment")[0];
    let template = &deployment["spec"]["template"];
    let ports = template["spec"]["containers"][0]["ports"]
        .as_array()
        .unwrap();
    let named: Vec<_> = ports
        .iter()
        .map(|port| port["name"].as_str().unwrap())
        .collect();
    assert_eq!(named, ["http", "http-prom", "healthz"]);
    let services = of_kind(&objects, "Service");
    let names: Vec<_> = services
        .iter()
        .map(|service| &service["metadata"]["name"])
        .collect();
    assert_eq!(names, ["source-controller", "notification-controller"]);
    for service in services {
        assert_eq!(
            service["spec"]["selector"]["app"],
            template["metadata"]["labels"]["app"]
        );
        assert!(named.contains(&service["spec"]["ports"][0]["targetPort"].as_str().unwrap()));
    }
}

#[test]
fn the_pod_has_no_privileges() {
    let objects = manifests(&InstallOptions::default());
    let pod = &of_kind(&objects, "Deployment")[0]["spec"]["template"]["spec"];
    let context = &pod["containers"][0]["securityContext"];
    assert_eq!(context["allowPrivilegeEscalation"], false);
    assert_eq!(context["capabilities"], json!({ "drop": ["ALL"] }));
    assert_eq!(context["readOnlyRootFilesystem"], true);
    assert_eq!(context["runAsNonRoot"], true);
    assert_eq!(context["seccompProfile"]["type"], "RuntimeDefault");
    for kind in ["hostNetwork", "hostPID", "hostIPC"] {
        assert!(pod[kind].is_null());
    }
}

/// Nobody is bound to cluster-admin, and `*` is never a verb.
#[test]
fn no_role_has_every_verb() {
    let objects = manifests(&InstallOptions::default());
    for role in of_kind(&objects, "ClusterRole")
        .into_iter()
        .chain(of_kind(&objects, "Role"))
    {
        for rule in role["rules"].as_array().unwrap() {
            let verbs = rule["verbs"].as_array().unwrap();
            assert!(!verbs.contains(&json!("*")), "{role}");
            assert!(rule["nonResourceURLs"].is_null());
        }
    }
    let names: Vec<_> = objects
        .iter()
        .map(|object| &object["metadata"]["name"])
        .collect();
    for binding in of_kind(&objects, "ClusterRoleBinding") {
        assert!(names.contains(&&binding["roleRef"]["name"]), "{binding}");
    }
}

#[test]
fn another_namespace_is_used_throughout() {
    let options =
        InstallOptions::new("ops", "registry.example:5000/bulkhead:v9@sha256:00").unwrap();
    for object in manifests(&options) {
        assert!(!object.to_string().contains("flux-system"), "{object}");
    }
}

#[test]
fn options_are_checked() {
    for image in [
        "bulkhead:v1",
        "registry.example:5000/a/bulkhead:v1",
        "registry.example:5000/bulkhead:v1@sha256:00",
    ] {
        assert!(InstallOptions::new("flux-system", image).is_ok(), "{image}");
    }
    for image in [
        "",
        "bulkhead",
        "bulkhead:",
        ":v1",
        "registry.example:5000/bulkhead",
        "a@sha256:00",
    ] {
        let error = InstallOptions::new("flux-system", image);
        assert!(matches!(error, Err(InstallError::Tag(_))), "{image}");
    }
    assert!(InstallOptions::new(&"a".repeat(63), "bulkhead:v1").is_ok());
    for namespace in ["", "-a", "a-", "A", "a.b", &"a".repeat(64)] {
        let error = InstallOptions::new(namespace, "bulkhead:v1");
        assert!(
            matches!(error, Err(InstallError::Namespace(_))),
            "{namespace}"
        );
    }
}

#[test]
fn texts_that_look_like_something_else_are_quoted() {
    let ambiguous = [
        "",
        "~",
        "null",
        "true",
        "yes",
        "No",
        "on",
        "y",
        "1",
        "01",
        "0o7",
        "0x1F",
        "1e3",
        "1_000",
        ".5",
        ".inf",
        "1:30",
        "2026-01-01",
        "- a",
        "a: b",
        "a #b",
        "#a",
        "*a",
        "&a",
        "!a",
        "%a",
        "@a",
        "`a",
        "{a",
        "[a",
        "|",
        ">",
        "'",
        "\"",
        "a\nb",
        "a\n",
        " a",
        "a ",
        "\t",
        "\u{7}",
        "=",
        "<<",
        "---",
        "...",
        "?",
        "? a",
        ":",
        "-",
    ];
    for text in ambiguous {
        let printed = to_yaml(&[json!({ "text": text })]).unwrap();
        let scalar = printed.strip_prefix("---\ntext: ").unwrap();
        assert!(scalar.starts_with(['"', '\'']), "{printed}");
        let read: Value = serde_saphyr::from_str(&printed).unwrap();
        assert_eq!(read["text"], text);
    }
    let plain = to_yaml(&[json!({ "text": "Ready, as in a.b/c" })]).unwrap();
    assert_eq!(plain, "---\ntext: Ready, as in a.b/c\n");
}
