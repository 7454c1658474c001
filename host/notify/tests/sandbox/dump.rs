//! A guest that sends all of its memory, twice: after it was given the event and the configuration,
//! and after it was given a response in which the service echoes what it got. No secret is in it.

use std::collections::BTreeMap;
use std::path::Path;

use bulkhead_api::notification::ProviderSpec;
use bulkhead_notify::Delivered;
use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::Resolve;

use crate::{deliver, receiver};

const CANARY: &str = "CANARY-4c1e9a07";

/// The answer is at 64, its request at 128, the request's URL at 200. The length of the state counts
/// the steps: after two it is done.
const DUMPING: &str = r#"(module
  (memory (export "memory") 3 3)
  (global $heap (mut i32) (i32.const 1024))
  (data (i32.const 300) "POSTaddress")
  (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32)
    (local $at i32)
    (local.set $at (i32.and (i32.add (global.get $heap) (i32.const 7)) (i32.const -8)))
    (global.set $heap (i32.add (local.get $at) (local.get 3)))
    (local.get $at))
  (func $next (param $state i32) (result i32)
    (i32.store8 (i32.const 64) (i32.const 0))
    (i32.store8 (i32.const 68) (i32.const 1))
    (i32.store (i32.const 72) (i32.const 128))
    (i32.store (i32.const 76) (i32.const 1))
    (i32.store (i32.const 80) (i32.const 0))
    (i32.store (i32.const 84) (local.get $state))
    (i32.store (i32.const 132) (i32.const 300))
    (i32.store (i32.const 136) (i32.const 4))
    (i32.store (i32.const 140) (i32.const 200))
    (i32.store (i32.const 144) (i32.const 1))
    (i32.store (i32.const 156) (i32.const 0))
    (i32.store (i32.const 160) (i32.const 196608))
    (i32.store8 (i32.const 200) (i32.const 1))
    (i32.store (i32.const 204) (i32.const 304))
    (i32.store (i32.const 208) (i32.const 7))
    (i32.const 64))
  (func (export "bulkhead:notifier/notify@0.1.0#start")
    (param i32 i32 i32 i32 i32 i32) (result i32)
    (call $next (i32.const 1)))
  (func (export "bulkhead:notifier/notify@0.1.0#resume")
    (param i32 i32 i32 i32 i32 i32) (result i32)
    (if (i32.eq (local.get 5) (i32.const 1)) (then (return (call $next (i32.const 2)))))
    (i32.store8 (i32.const 64) (i32.const 0))
    (i32.store8 (i32.const 68) (i32.const 0))
    (i32.store (i32.const 76) (i32.const 0))
    (i32.const 64)))"#;

fn component() -> Vec<u8> {
    let wit = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../wit");
    let mut resolve = Resolve::default();
    resolve.push_dir(wit.join("base")).unwrap();
    let (package, _) = resolve.push_dir(wit.join("notifier")).unwrap();
    let world = resolve.select_world(&[package], Some("notifier")).unwrap();
    let mut module = wat::parse_str(DUMPING).unwrap();
    embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8).unwrap();
    let mut encoder = ComponentEncoder::default()
        .validate(true)
        .module(&module)
        .unwrap();
    encoder.encode().unwrap()
}

fn contains(bytes: &[u8], text: &str) -> bool {
    bytes
        .windows(text.len())
        .any(|window| window.eq_ignore_ascii_case(text.as_bytes()))
}

#[tokio::test]
async fn no_secret_ever_is_in_a_guest_s_memory() {
    let (address, received) = receiver().await;
    let event = serde_json::from_value(serde_json::json!({
        "involvedObject": {
            "apiVersion": "kustomize.toolkit.fluxcd.io/v1", "kind": "Kustomization",
            "namespace": "flux-system", "name": "web"
        },
        "severity": "info", "timestamp": "2026-11-23T18:32:00Z",
        "message": "Applied revision", "reason": "ReconciliationSucceeded",
        "reportingController": "kustomize-controller"
    }))
    .unwrap();
    let mut spec = ProviderSpec::new("dump");
    spec.channel = Some("a channel to find".to_owned());
    let value = |text: String| text.into_bytes();
    let secret = BTreeMap::from([
        (
            "address".to_owned(),
            value(format!("http://{address}/hook/{CANARY}?key={CANARY}")),
        ),
        ("token".to_owned(), value(CANARY.to_owned())),
        ("password".to_owned(), value(format!("{CANARY}-password"))),
    ]);
    let sent = deliver("dump", &component(), &event, spec, &secret).await;
    assert_eq!(sent, Delivered::Sent { requests: 2 });
    let dumps = received.lock().unwrap().clone();
    assert_eq!(dumps.len(), 2);
    for (head, memory) in &dumps {
        assert!(head.contains(CANARY), "the service gets the secret: {head}");
        assert_eq!(memory.len(), 3 * 65_536);
        for hidden in [CANARY, "canary", "Q0FOQVJZ", "43414e415259"] {
            assert!(!contains(memory, hidden), "{hidden} is in the guest");
        }
    }
    // What the guest was given is there, so the dump is one: its arguments, then the response.
    assert!(
        contains(&dumps[0].1, "a channel to find") && contains(&dumps[0].1, "Applied revision")
    );
    assert!(contains(&dumps[1].1, "service got POST /hook/***?key=***"));
}
