//! P16, P17, P22, P23: what comes back, whole or not at all.

use bulkhead_wasm::{RenderError, RenderRequest, RunError};

use crate::fake::{
    HELLO, WASI, failure, load, render, renderer, renderer_that_keeps_the_tree, renderer_with,
    request, text,
};

#[tokio::test]
async fn text_that_is_not_utf8_is_no_answer() {
    for bytes in [r"\ff\fe", r"\c0\80", r"\ed\a0\80", r"\e2\82"] {
        let guest = renderer(&format!(
            r#"(data (i32.const 64) "{bytes}")
            (func $render (param i32) (result i32) (call $ok (i32.const 64) (i32.const 2)))"#
        ));
        let error = render(&guest, request()).await.unwrap_err();
        assert_eq!(error.advice().reason, "PluginTrapped");
        let error = failure(Err(error));
        assert!(
            matches!(error, RunError::InvalidAnswer(_)),
            "{bytes}: {error:?}"
        );
        assert!(error.to_string().contains("utf-8"), "{bytes}: {error}");
    }
}

#[tokio::test]
async fn any_text_passes_unread() {
    // Broken YAML, a bomb of aliases, deep nesting: parsing is another crate's, with its limits.
    for yaml in ["a: [b", "---\n---\n", "a: &a [*a, *a]", &"[".repeat(10_000)] {
        let length = yaml.len();
        let data = yaml.replace('\n', "\\n");
        let guest = renderer(&format!(
            r#"(data (i32.const 4096) "{data}")
            (func $render (param i32) (result i32) (call $ok (i32.const 4096) (i32.const {length})))"#
        ));
        let rendered = render(&guest, request()).await.unwrap();
        assert_eq!(text(&rendered), yaml);
    }
}

#[tokio::test]
async fn a_refusal_is_not_a_failure() {
    let guest = renderer(
        r#"(data (i32.const 64) "no\1b\0a kustomization")
        (func $render (param i32) (result i32) (call $failed (i32.const 64) (i32.const 18)))"#,
    );
    let error = render(&guest, request()).await.unwrap_err();
    assert_eq!(error.advice().reason, "BuildFailed");
    assert!(error.is_cacheable());
    match error {
        RenderError::Refused(refusal) => assert_eq!(refusal.to_string(), "no   kustomization"),
        other => unreachable!("{other}"),
    }
}

#[tokio::test]
async fn output_before_a_trap_is_discarded() {
    let guest = renderer(
        r#"(data (i32.const 64) "kind: A")
        (func $render (param i32) (result i32)
          (drop (call $ok (i32.const 64) (i32.const 7)))
          (call $log (i32.const 3) (i32.const 64) (i32.const 7) (i32.const 0) (i32.const 0))
          unreachable)"#,
    );
    let error = render(&guest, request()).await.unwrap_err();
    assert_eq!(error.to_string(), "fake 0.1.0 failed to render");
    match failure(Err(error)) {
        RunError::Trapped(trap) => {
            assert_eq!(trap.kind, "wasm `unreachable` instruction executed");
            assert_eq!(trap.log_tail, "kind: A");
            assert_eq!(trap.function.as_deref(), Some("render"));
        }
        other => unreachable!("{other}"),
    }
}

#[tokio::test]
async fn to_exit_is_to_fail_whatever_the_status() {
    assert!(WASI.contains("exit: func(status: result)"));
    for status in [0, 1] {
        let guest = renderer_with(
            "import wasi:cli/exit@0.2.3;",
            r#"(import "wasi:cli/exit@0.2.3" "exit" (func $exit (param i32)))"#,
            &format!(
                "(func $render (param i32) (result i32)
                  (call $exit (i32.const {status})) (call $ok (i32.const 0) (i32.const 0)))"
            ),
        );
        match failure(render(&guest, request()).await) {
            RunError::Exited { status: found, .. } => assert_eq!(found, status),
            other => unreachable!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn a_kept_tree_becomes_advice() {
    let error = render(&renderer_that_keeps_the_tree(), request())
        .await
        .unwrap_err();
    assert!(error.advice().hint.unwrap().contains("drop the tree"));
    assert!(matches!(failure(Err(error)), RunError::HandleKept));
}

#[tokio::test]
async fn nothing_survives_a_call() {
    // A counter in a global, in memory and in a table: always the first call.
    let guest = renderer(
        "(global $calls (mut i32) (i32.const 48))
        (func $render (param i32) (result i32)
          (global.set $calls (i32.add (global.get $calls) (i32.const 1)))
          (i32.store8 (i32.const 96) (i32.add (i32.load8_u (i32.const 96)) (i32.const 1)))
          (i32.store8 (i32.const 80) (global.get $calls))
          (i32.store8 (i32.const 81) (i32.add (i32.const 48) (i32.load8_u (i32.const 96))))
          (call $ok (i32.const 80) (i32.const 2)))",
    );
    let plugin = load(&guest).await.unwrap();
    for _ in 0..10 {
        assert_eq!(text(&plugin.render(request()).await.unwrap()), "11");
    }
}

#[tokio::test]
async fn nothing_of_another_call_is_in_memory() {
    // Fills its memory and table with a mark, or answers how many marked words it finds.
    let guest = renderer(
        "(func $render (param $args i32) (result i32) (local $at i32) (local $found i32)
          (drop (memory.grow (i32.const 30)))
          (local.set $at (i32.const 131072))
          (loop $next
            (if (i32.eq (i32.load (local.get $at)) (i32.const 0x5ec12e7))
              (then (local.set $found (i32.add (local.get $found) (i32.const 1)))))
            (i32.store (local.get $at) (i32.const 0x5ec12e7))
            (local.set $at (i32.add (local.get $at) (i32.const 4)))
            (br_if $next (i32.lt_u (local.get $at) (i32.const 2000000))))
          (i32.store8 (i32.const 80) (i32.add (i32.const 48) (i32.gt_u (local.get $found) (i32.const 0))))
          (call $ok (i32.const 80) (i32.const 1)))",
    );
    let plugin = load(&guest).await.unwrap();
    for _ in 0..50 {
        assert_eq!(text(&plugin.render(request()).await.unwrap()), "0");
    }
}

#[tokio::test]
async fn the_key_tells_calls_apart() {
    let plugin = load(&renderer(HELLO)).await.unwrap();
    let other = load(&renderer(
        "(func $render (param i32) (result i32) unreachable)",
    ))
    .await
    .unwrap();
    let key = |request: RenderRequest| request.key(&plugin);
    let base = key(request());
    assert_eq!(base, key(request()));
    assert_ne!(base, request().key(&other));
    assert_ne!(
        base,
        key(RenderRequest {
            path: "a".into(),
            ..request()
        })
    );
    assert_ne!(
        base,
        key(RenderRequest {
            config: "{\"a\":1}".into(),
            ..request()
        })
    );
    assert_ne!(
        base,
        key(RenderRequest {
            inputs: vec![("a".into(), vec![1])],
            ..request()
        })
    );
    assert_ne!(
        base,
        key(RenderRequest {
            attributes: vec![("a".into(), "b".into())],
            ..request()
        })
    );
    let deadline = std::time::Duration::from_secs(1);
    let limits = bulkhead_wasm::Limits {
        deadline,
        ..Default::default()
    };
    assert_eq!(
        base,
        key(RenderRequest {
            limits,
            wall_clock: 7,
            ..request()
        })
    );
}
