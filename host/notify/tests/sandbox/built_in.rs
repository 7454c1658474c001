//! The built-in notifiers send what Flux sends: the cases in `tests/cases/notify`, end to end.
#![allow(
    clippy::disallowed_methods,
    reason = "tests read cases and components from the checkout"
)]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use bulkhead_api::notification::ProviderSpec;
use bulkhead_notify::Delivered;
use serde_json::Value;

use crate::{deliver, receiver};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// The component of a built-in plugin.
fn component(name: &str) -> Vec<u8> {
    let target = std::env::var_os("BULKHEAD_PLUGINS_TARGET")
        .map_or_else(|| root().join("plugins/target"), PathBuf::from);
    let path = target.join(format!("components/notify-{name}.wasm"));
    std::fs::read(&path).expect("the plugin is not built: run `make plugins`")
}

/// Puts the metadata under the object's API group, as controllers do.
fn prefixed(mut event: Value) -> Value {
    let version = event["involvedObject"]["apiVersion"]
        .as_str()
        .unwrap()
        .to_owned();
    let (group, _) = version.split_once('/').unwrap();
    if let Some(metadata) = event.get_mut("metadata").and_then(Value::as_object_mut) {
        let entries = std::mem::take(metadata).into_iter();
        metadata.extend(entries.map(|(name, value)| (format!("{group}/{name}"), value)));
    }
    event
}

#[tokio::test]
async fn built_in_notifiers_send_what_flux_sends() {
    let mut cases: Vec<PathBuf> = std::fs::read_dir(root().join("tests/cases/notify"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    cases.sort();
    assert!(cases.len() >= 7);
    let components = BTreeMap::from(["slack", "discord"].map(|name| (name, component(name))));
    for path in cases {
        let read = |file: &str| std::fs::read(path.join(file)).unwrap();
        let case: Value = serde_json::from_slice(&read("case.json")).unwrap();
        let kind = case["type"].as_str().unwrap();
        let event = serde_json::from_value(prefixed(case["event"].clone())).unwrap();
        let (address, received) = receiver().await;
        let mut spec = ProviderSpec::new(kind);
        spec.channel = case["config"]["channel"].as_str().map(str::to_owned);
        spec.username = case["config"]["username"].as_str().map(str::to_owned);
        spec.address = Some(format!("http://{address}/api/hook/?x=1"));
        let mut secret = BTreeMap::new();
        let has_token = case["config"]["secrets"]
            .as_array()
            .unwrap()
            .contains(&"token".into());
        if has_token {
            secret.insert("token".to_owned(), b"T0KEN\n".to_vec());
        }
        let sent = deliver(kind, &components[kind], &event, spec, &secret).await;
        assert_eq!(sent, Delivered::Sent { requests: 1 }, "{}", path.display());
        let (head, body) = received.lock().unwrap().remove(0);
        let expected = String::from_utf8(read("expected.json")).unwrap();
        assert_eq!(
            String::from_utf8(body).unwrap(),
            expected,
            "{}",
            path.display()
        );
        let line = if kind == "discord" {
            "/api/hook/slack?x=1"
        } else {
            "/api/hook/?x=1"
        };
        assert!(
            head.starts_with(&format!("POST {line} HTTP/1.1\r\n")),
            "{head}"
        );
        assert!(
            head.to_lowercase()
                .contains("content-type: application/json"),
            "{head}"
        );
        assert_eq!(
            head.contains("Bearer T0KEN\r\n") || head.ends_with("Bearer T0KEN"),
            has_token
        );
    }
}
