use super::*;

/// Every file of tests/cases/health: `<group>/<Kind>/<claim>.yaml`; its name says the status, its
/// first line the message.
#[test]
#[allow(clippy::disallowed_methods, reason = "a test reads its cases")]
fn health_cases() {
    let mut cases = 0;
    insta::glob!("../../../../tests/cases/health", "*/*/*.yaml", |path| {
        let text = std::fs::read_to_string(path).expect("readable");
        let shown = path.display();
        let name = path
            .file_stem()
            .and_then(|name| name.to_str())
            .expect("a name");
        let expected = match name.split('-').next() {
            Some("healthy") => Status::Current,
            Some("progressing") => Status::InProgress,
            Some("degraded") => Status::Failed,
            Some("terminating") => Status::Terminating,
            _ => unreachable!("{shown} starts with none of the four words"),
        };
        let message = text.lines().next().and_then(|line| line.strip_prefix("# "));
        let object = &crate::yaml::read(&text).expect("valid")[0].value;
        let now = "2026-01-01T00:00:00Z".parse().expect("a time");
        let verdict = status(object, now);
        assert_eq!(
            (verdict.status, Some(verdict.message.as_str())),
            (expected, message),
            "{shown}"
        );
        let mut folders = path.iter().rev().skip(1).filter_map(|part| part.to_str());
        assert_eq!(folders.next(), object["kind"].as_str(), "{shown}");
        let group = object["apiVersion"]
            .as_str()
            .and_then(|version| version.split_once('/'));
        assert_eq!(
            folders.next(),
            Some(group.map_or("core", |(group, _)| group)),
            "{shown}"
        );
        cases += 1;
    });
    assert!(cases > 50, "{cases} cases are too few: some were forgotten");
}

#[test]
fn odd_objects_do_no_harm() {
    let odd = [
        serde_json::json!(null),
        serde_json::json!([]),
        serde_json::json!({ "kind": 1, "status": "x" }),
        serde_json::json!({ "apiVersion": "v1", "kind": "Pod", "status": {
            "phase": "Odd", "conditions": [1, { "type": {} }], "containerStatuses": "x" } }),
        serde_json::json!({ "apiVersion": "apps/v1", "kind": "StatefulSet", "spec": {
            "replicas": i64::MIN, "updateStrategy": { "rollingUpdate": { "partition": i64::MAX } } } }),
        serde_json::json!({ "apiVersion": "apps/v1", "kind": "Deployment", "status": {
            "replicas": i64::MAX }, "spec": { "replicas": i64::MIN } }),
    ];
    for object in odd {
        status(&object, Timestamp::UNIX_EPOCH);
    }
}
