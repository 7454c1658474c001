//! What plugins are told: one JSON object, of which equal ones have equal texts, since the text is
//! part of what a render depends on. Pure.

use std::collections::BTreeMap;

use bulkhead_api::kustomize::KustomizationSpec;
use serde_json::{Map, Value, json};

/// Returns the text of a configuration as plugins get it: JSON with the fields of every object in
/// the order of their names.
pub fn canonical(config: &Map<String, Value>) -> String {
    json!(sorted(config)).to_string()
}

fn sorted(object: &Map<String, Value>) -> BTreeMap<&str, Value> {
    let fields = object.iter();
    fields
        .map(|(name, value)| (name.as_str(), sorted_value(value)))
        .collect()
}

fn sorted_value(value: &Value) -> Value {
    match value {
        Value::Object(object) => json!(sorted(object)),
        Value::Array(items) => items.iter().map(sorted_value).collect(),
        other => other.clone(),
    }
}

/// Returns the configuration for a Kustomization: generate the file that is not there, load from
/// the whole source, and lay the spec's own settings over the file's (Flux 2.9,
/// `kustomize/kustomize_generator.go`).
pub fn of_kustomization(spec: &KustomizationSpec) -> Map<String, Value> {
    let mut overlay = Map::new();
    let mut text = |name: &str, value: &Option<String>| {
        if let Some(value) = value.as_ref().filter(|value| !value.is_empty()) {
            overlay.insert(name.to_owned(), json!(value));
        }
    };
    text("namespace", &spec.target_namespace);
    text("namePrefix", &spec.name_prefix);
    text("nameSuffix", &spec.name_suffix);
    list(&mut overlay, "patches", &spec.patches);
    list(&mut overlay, "images", &spec.images);
    list(&mut overlay, "components", &spec.components);
    list(&mut overlay, "buildMetadata", &spec.build_metadata);
    if spec.ignore_missing_components {
        overlay.insert("ignoreMissingComponents".to_owned(), json!(true));
    }
    Map::from_iter([
        ("generate".to_owned(), json!(true)),
        ("loadRestrictor".to_owned(), json!("none")),
        ("overlay".to_owned(), json!(overlay)),
    ])
}

fn list<T: serde::Serialize>(overlay: &mut Map<String, Value>, name: &str, items: &[T]) {
    // Specs came from JSON: they go back to it.
    if let (false, Ok(items)) = (items.is_empty(), serde_json::to_value(items)) {
        overlay.insert(name.to_owned(), items);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may")]

    use bulkhead_api::kustomize::KustomizationSpec;

    use super::*;

    fn spec(more: &str) -> KustomizationSpec {
        let text = format!(
            r#"{{"interval":"1m","prune":true,"sourceRef":{{"kind":"GitRepository","name":"a"}}{more}}}"#
        );
        serde_json::from_str(&text).unwrap()
    }

    #[test]
    fn a_plain_spec_lays_nothing_over() {
        let config = of_kustomization(&spec(""));
        assert_eq!(
            canonical(&config),
            r#"{"generate":true,"loadRestrictor":"none","overlay":{}}"#
        );
    }

    #[test]
    fn settings_of_the_spec_reach_the_renderer() {
        let config = of_kustomization(&spec(
            r#","targetNamespace":"dev","namePrefix":"","patches":[{"patch":"a: b","target":{"kind":"Service"}}],
               "images":[{"name":"nginx","newTag":"1"}],"components":["../c"],"ignoreMissingComponents":true"#,
        ));
        let overlay = &config["overlay"];
        assert_eq!(overlay["namespace"], "dev");
        assert_eq!(overlay.get("namePrefix"), None);
        assert_eq!(overlay["patches"][0]["target"]["kind"], "Service");
        assert_eq!(
            overlay["images"][0],
            json!({"name": "nginx", "newTag": "1"})
        );
        assert_eq!(overlay["components"], json!(["../c"]));
        assert_eq!(overlay["ignoreMissingComponents"], true);
    }

    /// The manifest of a built-in plugin, as the build embeds it.
    fn manifest(text: &str) -> bulkhead_wasm::Manifest {
        let mut json: Value = serde_json::from_str(text).unwrap();
        json["version"] = json!("1.0.0");
        bulkhead_wasm::Manifest::parse(&json.to_string()).unwrap()
    }

    #[test]
    fn what_a_kustomization_says_fits_the_schema_of_kustomize() {
        let kustomize = manifest(include_str!(
            "../../../../plugins/kustomize/bulkhead-plugin.json"
        ));
        let full = spec(
            r#","targetNamespace":"dev","namePrefix":"a","nameSuffix":"b","components":["../c"],
               "patches":[{"patch":"a: b"},{"patch":"a: b","target":{"group":"g","version":"v","kind":"k",
                 "name":"n","namespace":"s","annotationSelector":"a=b","labelSelector":"c=d"}}],
               "images":[{"name":"a"},{"name":"b","newName":"c","newTag":"1","digest":"sha256:d"}],
               "buildMetadata":["originAnnotations"],"ignoreMissingComponents":true"#,
        );
        for spec in [spec(""), full] {
            let config = canonical(&of_kustomization(&spec));
            assert_eq!(kustomize.check_config(&config), Ok(()), "{config}");
        }
    }

    #[test]
    fn what_built_in_plugins_do_not_take_is_named() {
        let cases = [
            (
                include_str!("../../../../plugins/kustomize/bulkhead-plugin.json"),
                r#"{"overlay":{"images":[{"name":"a","tag":"1"}]}}"#,
                "`overlay.images[0].tag`",
            ),
            (
                include_str!("../../../../plugins/kustomize/bulkhead-plugin.json"),
                r#"{"reorder":"legacies"}"#,
                "`reorder`",
            ),
            (
                include_str!("../../../../plugins/helm/bulkhead-plugin.json"),
                r#"{"valueFiles":["a.yaml"]}"#,
                "`valueFiles`",
            ),
            (
                include_str!("../../../../plugins/helm/bulkhead-plugin.json"),
                r#"{"set":[{"kind":"typed"}]}"#,
                "`set[0].text`",
            ),
            (
                include_str!("../../../../plugins/notify-slack/bulkhead-plugin.json"),
                r#"{"chanel":"general"}"#,
                "`chanel`",
            ),
            (
                include_str!("../../../../plugins/notify-discord/bulkhead-plugin.json"),
                r#"{"username":7}"#,
                "`username`",
            ),
        ];
        for (text, config, field) in cases {
            let error = manifest(text).check_config(config).unwrap_err().to_string();
            assert!(error.contains(field), "{config}: {error}");
        }
    }

    #[test]
    fn equal_configurations_have_equal_texts() {
        let text = |json: &str| canonical(&serde_json::from_str(json).unwrap());
        let one = text(r#"{"b":[{"d":1,"c":2}],"a":{"z":null,"y":""}}"#);
        assert_eq!(one, text(r#"{"a":{"y":"","z":null},"b":[{"c":2,"d":1}]}"#));
        assert_eq!(one, r#"{"a":{"y":"","z":null},"b":[{"c":2,"d":1}]}"#);
    }
}
