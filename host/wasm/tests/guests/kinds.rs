//! Transformers and notifiers: the other two kinds of plugin.

use bulkhead_wasm::{
    Document, Event, Limits, NotifyError, ObjectRef, Outcome, Part, PluginKind, Response,
    ResumeRequest, RunError, Severity, StartRequest, TransformRequest,
};

use crate::fake::{load, package};

#[tokio::test]
async fn a_transformer_returns_documents() {
    // Returns the documents that it was given: their list is the request's first field.
    let bytes = package(
        "include bulkhead:renderer/transformer@0.1.0;",
        r#"(module
          (memory (export "memory") 1)
          (global $heap (mut i32) (i32.const 4096))
          (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32)
            (global.set $heap (i32.and (i32.add (global.get $heap) (i32.const 7)) (i32.const -8)))
            (global.get $heap)
            (global.set $heap (i32.add (global.get $heap) (local.get 3))))
          (func (export "bulkhead:renderer/transform@0.1.0#transform")
            (param $documents i32) (param $count i32) (param i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32) (result i32)
            (i32.store (i32.const 1028) (local.get $documents))
            (i32.store (i32.const 1032) (local.get $count))
            (i32.const 1024)))"#,
        str::to_owned,
    );
    let plugin = load(&bytes).await.unwrap();
    assert_eq!(plugin.kind(), PluginKind::Transformer);
    let documents = vec![Document {
        text: "kind: A".into(),
        origin: None,
    }];
    let rendered = plugin
        .transform(TransformRequest::new(documents.clone()))
        .await
        .unwrap();
    assert_eq!(rendered.documents, documents);
}

fn notifier(start: &str, resume: &str) -> Vec<u8> {
    let wat = format!(
        r#"(module
          (import "bulkhead:base/log@0.1.0" "log" (func $log (param i32 i32 i32 i32 i32)))
          (memory (export "memory") 1)
          (global $heap (mut i32) (i32.const 8192))
          (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32)
            (global.set $heap (i32.and (i32.add (global.get $heap) (i32.const 7)) (i32.const -8)))
            (global.get $heap)
            (global.set $heap (i32.add (global.get $heap) (local.get 3))))
          (data (i32.const 64) "POSTaddresshello")
          (func (export "bulkhead:notifier/notify@0.1.0#start")
            (param i32 i32 i32 i32 i32 i32) (result i32) {start})
          (func (export "bulkhead:notifier/notify@0.1.0#resume")
            (param i32 i32 i32 i32 i32 i32) (result i32) {resume}))"#
    );
    package(
        "include bulkhead:notifier/notifier@0.1.0;",
        &wat,
        str::to_owned,
    )
}

/// One request: `POST` to the secret `address`, body `hello`; state is the configuration.
const SEND: &str = r#"
  ;; ok, next
  (i32.store8 (i32.const 1024) (i32.const 0)) (i32.store8 (i32.const 1028) (i32.const 1))
  ;; send: one request at 2048; state: the configuration
  (i32.store (i32.const 1032) (i32.const 2048)) (i32.store (i32.const 1036) (i32.const 1))
  (i32.store (i32.const 1040) (local.get 2)) (i32.store (i32.const 1044) (local.get 3))
  ;; request: id, method, url, headers, body, signing
  (i32.store (i32.const 2048) (i32.const 7))
  (i32.store (i32.const 2052) (i32.const 64)) (i32.store (i32.const 2056) (i32.const 4))
  (i32.store (i32.const 2060) (i32.const 3072)) (i32.store (i32.const 2064) (i32.const 1))
  (i32.store (i32.const 2076) (i32.const 75)) (i32.store (i32.const 2080) (i32.const 5))
  ;; url: one part, a secret's name
  (i32.store8 (i32.const 3072) (i32.const 1))
  (i32.store (i32.const 3076) (i32.const 68)) (i32.store (i32.const 3080) (i32.const 7))
  (i32.const 1024)"#;

/// Done, with an empty state.
const DONE: &str = "(i32.const 1024)";

fn event() -> Event {
    Event {
        id: "1".into(),
        time: "2026-11-23T00:00:00Z".into(),
        severity: Severity::Info,
        reason: "ReconciliationSucceeded".into(),
        message: "applied".into(),
        object: ObjectRef {
            api_version: "v1".into(),
            kind: "ConfigMap".into(),
            namespace: None,
            name: "a".into(),
        },
        revision: None,
        links: Vec::new(),
        attributes: Vec::new(),
    }
}

fn start(config: &str) -> StartRequest {
    StartRequest {
        events: vec![event()],
        config: config.into(),
        state: Vec::new(),
        limits: Limits::notifier(),
        wall_clock: 0,
    }
}

#[tokio::test]
async fn a_notifier_sends_by_the_names_of_secrets() {
    let plugin = load(&notifier(SEND, DONE)).await.unwrap();
    assert_eq!(plugin.kind(), PluginKind::Notifier);
    let Outcome::Next(step) = plugin.start(start("{}")).await.unwrap() else {
        unreachable!("a request is sent")
    };
    assert_eq!(step.state, b"{}");
    let [request] = &step.send[..] else {
        unreachable!("{step:?}")
    };
    assert_eq!((request.id, request.method.as_str()), (7, "POST"));
    assert_eq!(request.url, [Part::Secret("address".into())]);
    assert_eq!(request.body, b"hello");
    let resume = ResumeRequest {
        responses: vec![Response {
            id: 7,
            status: 204,
            headers: Vec::new(),
            body: Vec::new(),
        }],
        config: "{}".into(),
        state: step.state,
        limits: Limits::notifier(),
        wall_clock: 0,
    };
    assert_eq!(
        plugin.resume(resume).await.unwrap(),
        Outcome::Done(Vec::new())
    );
}

#[tokio::test]
async fn a_notifier_may_refuse_its_configuration() {
    let refuse = "
      (i32.store8 (i32.const 1024) (i32.const 1))
      (i32.store (i32.const 1032) (i32.const 75)) (i32.store (i32.const 1036) (i32.const 5))
      (i32.const 1024)";
    let plugin = load(&notifier(refuse, DONE)).await.unwrap();
    let error = plugin.start(start("{}")).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "fake 0.1.0 refused its configuration: hello"
    );
    assert_eq!(error.advice().reason, "InvalidConfig");
}

#[tokio::test]
async fn a_notifier_has_its_own_limits() {
    let plugin = load(&notifier("(loop (br 0)) (i32.const 0)", DONE))
        .await
        .unwrap();
    let deadline = std::time::Duration::from_millis(50);
    let limits = Limits {
        deadline,
        ..Limits::notifier()
    };
    let error = plugin
        .start(StartRequest {
            limits,
            ..start("{}")
        })
        .await
        .unwrap_err();
    assert!(matches!(
        error,
        NotifyError::Failed {
            error: RunError::OutOfTime { .. },
            ..
        }
    ));
    assert_eq!(error.advice().reason, "PluginTimedOut");
    let limits = Limits {
        output_bytes: 100,
        ..Limits::notifier()
    };
    let plugin = load(&notifier(SEND, DONE)).await.unwrap();
    let config = "x".repeat(101);
    let error = plugin
        .start(StartRequest {
            limits,
            ..start(&config)
        })
        .await
        .unwrap_err();
    assert_eq!(error.advice().reason, "PluginOutputTooLarge");
}
