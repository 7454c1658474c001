//! A render that is written down can be run again anywhere, and tells when it ends otherwise.

use std::collections::HashMap;
use std::sync::Arc;

use bulkhead_wasm::transcript::{Outcome, ReplayError, TRANSCRIPT_BYTES, TranscriptError};
use bulkhead_wasm::{
    Lookup, LookupAnswer, LookupQuery, MemoryTree, Plugin, Recording, RenderRequest, Transcript,
    replay,
};

use crate::fake::{HELLO, PROBE, load, renderer, text};

fn request(operation: &str, path: &str) -> RenderRequest {
    let files = [
        ("a.txt", &b"hello"[..]),
        ("d/b.bin", &[0xff, 0]),
        ("d/c.txt", b"c"),
    ];
    RenderRequest {
        config: path.into(),
        ..RenderRequest::new(Arc::new(MemoryTree::from_files(files).unwrap()), operation)
    }
}

async fn probe() -> Plugin {
    load(&renderer(PROBE)).await.unwrap()
}

fn nothing() -> HashMap<String, Vec<u8>> {
    HashMap::new()
}

/// Writes a transcript down and reads it again.
fn carried(transcript: &Transcript) -> Transcript {
    let read = Transcript::read(&transcript.write()).unwrap();
    assert_eq!(read, *transcript);
    read
}

#[tokio::test]
async fn every_call_is_replayed_without_its_tree() {
    let plugin = probe().await;
    for (operation, path) in [
        ("r", "a.txt"),
        ("r", "missing"),
        ("r", "d"),
        ("s", "d/b.bin"),
        ("d", "d"),
        ("d", "a.txt"),
        ("g", "**/*.txt"),
        ("g", "[a-z]/*"),
    ] {
        let (result, transcript) = plugin
            .render_recorded(request(operation, path), &Recording::default())
            .await;
        let replayed = replay(&plugin, &carried(&transcript), &nothing())
            .await
            .unwrap();
        assert!(
            replayed.equal,
            "{operation} {path}: {:?}",
            replayed.differences
        );
        assert_eq!(replayed.differences, [""; 0]);
        let again = replayed.result.unwrap();
        let first = result.unwrap();
        assert_eq!(again.output_digest(), first.output_digest());
        assert_eq!(again.read_set, first.read_set);
    }
}

#[tokio::test]
async fn failures_are_replayed_too() {
    for body in [
        "(func $render (param i32) (result i32) unreachable)",
        r#"(data (i32.const 64) "no good") (func $render (param i32) (result i32) (call $failed (i32.const 64) (i32.const 7)))"#,
        "(func $render (param i32) (result i32) (call $ok (i32.const 0) (i32.const 0x40000000)))",
    ] {
        let plugin = load(&renderer(body)).await.unwrap();
        let (result, transcript) = plugin
            .render_recorded(request("", ""), &Recording::default())
            .await;
        assert!(result.is_err());
        let replayed = replay(&plugin, &carried(&transcript), &nothing())
            .await
            .unwrap();
        assert!(replayed.equal, "{body}: {:?}", replayed.differences);
    }
}

#[tokio::test]
async fn another_plugin_shows_in_what_differs() {
    let (_, transcript) = probe()
        .await
        .render_recorded(request("r", "a.txt"), &Recording::default())
        .await;
    let other = load(&renderer(HELLO)).await.unwrap();
    let replayed = replay(&other, &transcript, &nothing()).await.unwrap();
    assert!(!replayed.equal);
    let [plugin, outcome] = &replayed.differences[..] else {
        unreachable!("{:?}", replayed.differences)
    };
    assert!(
        plugin.starts_with("another plugin: its digest is sha256:"),
        "{plugin}"
    );
    assert!(outcome.starts_with("it rendered 1 documents"), "{outcome}");
}

#[tokio::test]
async fn what_was_never_asked_is_not_answered() {
    let plugin = probe().await;
    let (_, mut transcript) = plugin
        .render_recorded(request("r", "a.txt"), &Recording::default())
        .await;
    transcript.tree.read.clear();
    let replayed = replay(&plugin, &transcript, &nothing()).await.unwrap();
    assert!(!replayed.equal);
    assert_eq!(
        replayed.differences[0],
        "it asked for the file `a.txt`, which is not in the transcript"
    );
}

#[tokio::test]
async fn secrets_are_left_out_and_can_be_given_again() {
    let secret = "password: hunter2-hunter2\n";
    // Traps after it wrote its configuration, in which the secret stands.
    let body = "(func $render (param $a i32) (result i32)
        (call $log (i32.const 1) (i32.load offset=12 (local.get $a)) (i32.load offset=16 (local.get $a)) (i32.const 0) (i32.const 0))
        unreachable)";
    let plugin = load(&renderer(body)).await.unwrap();
    let request = RenderRequest {
        inputs: vec![("values.yaml".into(), secret.into())],
        ..request("", "it is hunter2-hunter2 here")
    };
    let recording = Recording {
        secret_inputs: vec!["values.yaml".into()],
        secret_config: true,
        ..Recording::default()
    };
    let (_, transcript) = plugin.render_recorded(request, &recording).await;
    let written = String::from_utf8(transcript.write()).unwrap();
    assert!(!written.contains("hunter2"), "{written}");
    assert!(
        written.contains("it is *** here") || written.contains("***"),
        "{written}"
    );
    assert_eq!(
        transcript.left_out(),
        ["the configuration", "input `values.yaml`"]
    );
    let error = replay(&plugin, &transcript, &nothing()).await.unwrap_err();
    assert_eq!(error, ReplayError::Lacking("the configuration".into()));
    let mut again = nothing();
    again.insert(String::new(), b"it is hunter2-hunter2 here".to_vec());
    again.insert("values.yaml".into(), b"other".to_vec());
    let error = replay(&plugin, &transcript, &again).await.unwrap_err();
    assert!(matches!(error, ReplayError::Other { .. }), "{error}");
    again.insert("values.yaml".into(), secret.into());
    assert!(replay(&plugin, &transcript, &again).await.unwrap().equal);
}

#[tokio::test]
async fn contents_end_at_their_limit() {
    let plugin = probe().await;
    for (content_bytes, left_out) in [(5, 0), (4, 1)] {
        let recording = Recording {
            content_bytes,
            ..Recording::default()
        };
        let (result, transcript) = plugin
            .render_recorded(request("r", "a.txt"), &recording)
            .await;
        assert_eq!(text(&result.unwrap()), "hello");
        assert_eq!(transcript.left_out().len(), left_out, "{content_bytes}");
    }
}

#[tokio::test]
async fn a_loop_is_written_down_as_one() {
    let body = "(func $render (param i32) (result i32) (loop (br 0)) (i32.const 0))";
    let plugin = load(&renderer(body)).await.unwrap();
    let mut request = request("", "");
    request.limits.deadline = std::time::Duration::from_millis(300);
    let (_, transcript) = plugin.render_recorded(request, &Recording::default()).await;
    assert!(
        matches!(&transcript.outcome, Outcome::Failed { reason, digest: None, .. } if reason == "PluginTimedOut"),
        "{:?}",
        transcript.outcome
    );
    assert!(
        replay(&plugin, &transcript, &nothing())
            .await
            .unwrap()
            .equal
    );
}

struct Cluster;

impl Lookup for Cluster {
    fn lookup<'a>(&'a self, query: &'a LookupQuery) -> LookupAnswer<'a> {
        let answer = format!("{{\"name\":\"{}\"}}", query.name);
        Box::pin(std::future::ready(Ok(Some(answer))))
    }
}

#[tokio::test]
async fn look_ups_are_replayed_and_the_cluster_s_secrets_left_out() {
    let guest = |kind: &str| {
        let length = kind.len();
        crate::fake::renderer_with(
            "",
            r#"(import "bulkhead:base/cluster@0.1.0" "lookup" (func $lookup (param i32 i32 i32 i32 i32 i32 i32 i32 i32)))"#,
            &format!(
                r#"(data (i32.const 64) "v1{kind}")
                (func $render (param i32) (result i32)
                  (call $lookup (i32.const 64) (i32.const 2) (i32.const 66) (i32.const {length})
                    (i32.const 0) (i32.const 0) (i32.const 64) (i32.const 1) (i32.const 128))
                  (call $ok (i32.load (i32.const 140)) (i32.load (i32.const 144))))"#
            ),
        )
    };
    for (kind, left_out) in [("Pod", vec![]), ("Secret", vec!["object `v1|Secret||v`"])] {
        let plugin = load(&guest(kind)).await.unwrap();
        let request = RenderRequest {
            lookup: Some(Arc::new(Cluster)),
            ..request("", "")
        };
        let (result, transcript) = plugin.render_recorded(request, &Recording::default()).await;
        assert_eq!(text(&result.unwrap()), r#"{"name":"v"}"#);
        assert_eq!(transcript.left_out(), left_out);
        let mut again = nothing();
        again.insert("v1|Secret||v".into(), br#"{"name":"v"}"#.to_vec());
        let replayed = replay(&plugin, &carried(&transcript), &again)
            .await
            .unwrap();
        assert!(replayed.equal, "{:?}", replayed.differences);
    }
}

#[test]
fn what_is_no_transcript_is_refused() {
    let told = |bytes: &[u8]| Transcript::read(bytes).unwrap_err();
    assert!(matches!(told(b"{"), TranscriptError::Invalid(_)));
    assert!(matches!(
        told(br#"{"format":1}"#),
        TranscriptError::Invalid(_)
    ));
    assert_eq!(told(br#"{"format":2}"#), TranscriptError::Format(2));
    let bytes = TRANSCRIPT_BYTES + 1;
    assert_eq!(
        told(&vec![b' '; bytes]),
        TranscriptError::TooLarge { bytes }
    );
}
