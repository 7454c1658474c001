//! No message shows a value that came from a Secret: neither by an input of values, nor by one that is
//! set, in whatever way a chart or its values go wrong.

use bulkhead_helm::Helm;
use bulkhead_plugin::files::MemoryFiles;
use bulkhead_plugin::render::{Error, Renderer, Request};

const CANARY: &str = "c4n4ry-Pa55word";

/// What the guest answers, as one text: errors, remarks and all.
fn told(template: &str, more: &[(&str, &str)], values: &str) -> String {
    let mut files = MemoryFiles::new()
        .with("c/Chart.yaml", "apiVersion: v2\nname: c\nversion: 0.1.0\n")
        .with("c/values.yaml", "password: {table: 1}\nname: x\n")
        .with("c/templates/a.yaml", template);
    for (path, text) in more {
        files = files.with(&format!("c/{path}"), *text);
    }
    let mut request = Request::for_path("c");
    request.config = r#"{"valuesInputs": ["secret-values"], "set": [{"text": "token", "input": "secret-token"}]}"#.to_owned();
    let mark = |name: &str| ("input.secret".to_owned(), name.to_owned());
    request.attributes = vec![mark("secret-values"), mark("secret-token")];
    request.inputs = vec![
        ("secret-values".to_owned(), values.as_bytes().to_vec()),
        ("secret-token".to_owned(), CANARY.as_bytes().to_vec()),
    ];
    match Helm::render(&files, &request) {
        Ok(output) => format!("{:?}", output.diagnostics),
        Err(Error::Invalid(diagnostics)) => format!("error: {diagnostics:?}"),
        Err(other) => format!("error: {other:?}"),
    }
}

#[test]
fn no_message_shows_a_value_of_a_secret() {
    let values = format!("password: {CANARY}\nkey: |\n  {CANARY}\n  second\n");
    let schema =
        r#"{"properties": {"password": {"pattern": "^[0-9]+$"}, "token": {"enum": ["a"]}}}"#;
    for (template, more) in [
        ("{{ fail .Values.password }}", &[][..]),
        ("{{ fail (printf \"%q\" .Values.key) }}", &[]),
        ("{{ fail (.Values.password | b64enc) }}", &[]),
        ("{{ fail (toJson .Values) }}", &[]),
        ("{{ required .Values.token nil }}", &[]),
        ("{{ atoi .Values.password | fail }}", &[]),
        ("{{ .Values.password.deeper }}", &[]),
        ("{{ tpl (printf \"{{ x %s\" .Values.token) . }}", &[]),
        ("{{ include .Values.token . }}", &[]),
        ("{{ index .Values.password \"x\" }}", &[]),
        ("{{ mustRegexMatch (print \"[\" .Values.token) \"\" }}", &[]),
        ("{{ .Values.token | mustToDate \"2006\" }}", &[]),
        ("a: {{ .Values.password }}\n b: [", &[]),
        ("a: 1\nmetadata: {{ .Values.token }}\n", &[]),
        ("a: 1", &[("values.schema.json", schema)]),
    ] {
        let told = told(template, more, &values);
        assert!(told.starts_with("error: "), "{template}: {told}");
        assert!(!told.contains(CANARY), "{template}: {told}");
        assert!(!told.contains("YzRuNHJ5"), "{template}: {told}");
    }
    let warned = told("a: 1", &[], &values);
    assert!(!warned.contains(CANARY), "{warned}");
}

#[test]
fn a_secret_that_is_no_values_is_not_quoted() {
    for values in [
        format!("- {CANARY}\n"),
        format!("a: 1\n{CANARY}\nb: 2"),
        format!("a: &x {CANARY}\nb: *{CANARY}\n"),
        format!("a: !!int {CANARY}\n"),
        CANARY.to_owned(),
    ] {
        let told = told("a: 1", &[], &values);
        assert!(told.starts_with("error: "), "{told}");
        assert!(told.contains("secret-values"), "{told}");
        assert!(!told.contains(CANARY), "{told}");
    }
}
