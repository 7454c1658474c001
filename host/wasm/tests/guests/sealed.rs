//! P20, and the sealed WASI profile: the same in every run, and nothing of the machine.

use std::sync::Arc;

use bulkhead_wasm::{
    Limit, Lookup, LookupAnswer, LookupError, LookupQuery, MemoryTree, Operation, RenderRequest,
    RunError,
};

use crate::fake::{failure, load, render, renderer, renderer_with, request, text};

/// Writes eight bytes at `$from` as 16 letters at `$to`.
const HEX: &str = "
  (func $hex (param $from i32) (param $to i32) (local $n i32) (local $byte i32)
    (loop $next
      (local.set $byte (i32.load8_u (i32.add (local.get $from) (local.get $n))))
      (i32.store8 (i32.add (local.get $to) (i32.mul (i32.const 2) (local.get $n)))
        (i32.add (i32.const 97) (i32.shr_u (local.get $byte) (i32.const 4))))
      (i32.store8 (i32.add (i32.add (local.get $to) (i32.const 1)) (i32.mul (i32.const 2) (local.get $n)))
        (i32.add (i32.const 97) (i32.and (local.get $byte) (i32.const 15))))
      (local.set $n (i32.add (local.get $n) (i32.const 1)))
      (br_if $next (i32.lt_u (local.get $n) (i32.const 8)))))";

fn prober() -> Vec<u8> {
    renderer_with(
        "import wasi:random/random@0.2.3; import wasi:random/insecure@0.2.3;
         import wasi:random/insecure-seed@0.2.3; import wasi:clocks/wall-clock@0.2.3;
         import wasi:clocks/monotonic-clock@0.2.3; import wasi:cli/environment@0.2.3;",
        r#"(import "wasi:random/random@0.2.3" "get-random-u64" (func $random (result i64)))
        (import "wasi:random/insecure@0.2.3" "get-insecure-random-u64" (func $insecure (result i64)))
        (import "wasi:random/insecure-seed@0.2.3" "insecure-seed" (func $seed (param i32)))
        (import "wasi:clocks/wall-clock@0.2.3" "now" (func $wall (param i32)))
        (import "wasi:clocks/monotonic-clock@0.2.3" "now" (func $now (result i64)))
        (import "wasi:cli/environment@0.2.3" "get-environment" (func $env (param i32)))
        (import "wasi:cli/environment@0.2.3" "get-arguments" (func $args (param i32)))
        (import "wasi:cli/environment@0.2.3" "initial-cwd" (func $cwd (param i32)))"#,
        &format!(
            "{HEX}
            (func $put (param $value i64) (param $to i32)
              (i64.store (i32.const 128) (local.get $value))
              (call $hex (i32.const 128) (local.get $to)))
            (func $render (param i32) (result i32)
              (call $env (i32.const 200))
              (if (i32.load (i32.const 204)) (then unreachable))
              (call $args (i32.const 200))
              (if (i32.load (i32.const 204)) (then unreachable))
              (call $cwd (i32.const 200))
              (if (i32.load8_u (i32.const 200)) (then unreachable))
              (call $put (call $random) (i32.const 4096))
              (call $put (call $insecure) (i32.const 4112))
              (call $seed (i32.const 200))
              (call $put (i64.load (i32.const 200)) (i32.const 4128))
              (call $wall (i32.const 200))
              (call $put (i64.load (i32.const 200)) (i32.const 4144))
              (call $put (call $now) (i32.const 4160))
              ;; a NaN with a payload, through arithmetic
              (call $put (i64.reinterpret_f64 (f64.add (f64.const nan:0x1234) (f64.const 1)))
                (i32.const 4176))
              (call $put (i64.reinterpret_f64 (f64.div (f64.const 0) (f64.const 0)))
                (i32.const 4192))
              (call $ok (i32.const 4096) (i32.const 112)))"
        ),
    )
}

#[tokio::test]
async fn probes_of_chance_time_and_environment_are_the_same_in_100_runs() {
    let plugin = load(&prober()).await.unwrap();
    let ask = || RenderRequest {
        wall_clock: 0x0102,
        ..request()
    };
    let first = plugin.render(ask()).await.unwrap();
    let text = text(&first);
    assert_eq!(
        &text[48..64],
        "acabaaaaaaaaaaaa",
        "the wall clock is the request's"
    );
    assert_eq!(
        &text[64..80],
        "oiadaaaaaaaaaaaa",
        "the monotonic clock starts at 0"
    );
    assert_eq!(&text[80..96], "aaaaaaaaaaaapihp", "NaNs have one form");
    assert_ne!(text[..16], text[16..32]);
    for _ in 0..100 {
        assert_eq!(
            plugin.render(ask()).await.unwrap().documents,
            first.documents
        );
    }
    let other = RenderRequest {
        config: "{\"a\":1}".into(),
        ..ask()
    };
    let other = plugin.render(other).await.unwrap();
    assert_ne!(other.documents, first.documents, "the seed follows the key");
}

#[tokio::test]
async fn a_read_of_the_wall_clock_is_recorded() {
    let ask = RenderRequest {
        wall_clock: 7,
        ..request()
    };
    let read_set = render(&prober(), ask).await.unwrap().read_set;
    let [access] = read_set.accesses() else {
        unreachable!("{read_set:?}")
    };
    assert_eq!(access.operation, Operation::WallClock);
    let tree = MemoryTree::new();
    assert!(!read_set.still_holds(&tree));
    assert!(read_set.still_holds_at(&tree, 7));
    assert!(!read_set.still_holds_at(&tree, 8));
}

#[tokio::test]
async fn waiting_takes_no_time() {
    // An hour by `block`, an hour by `poll`, then spinning until a millisecond has passed.
    let guest = renderer_with(
        "import wasi:clocks/monotonic-clock@0.2.3;",
        r#"(import "wasi:clocks/monotonic-clock@0.2.3" "now" (func $now (result i64)))
        (import "wasi:clocks/monotonic-clock@0.2.3" "subscribe-duration"
          (func $after (param i64) (result i32)))
        (import "wasi:io/poll@0.2.3" "[method]pollable.block" (func $block (param i32)))
        (import "wasi:io/poll@0.2.3" "[method]pollable.ready" (func $ready (param i32) (result i32)))
        (import "wasi:io/poll@0.2.3" "[resource-drop]pollable" (func $gone (param i32)))
        (import "wasi:io/poll@0.2.3" "poll" (func $poll (param i32 i32 i32)))"#,
        r#"(data (i32.const 64) "done")
        (func $render (param i32) (result i32) (local $p i32) (local $until i64)
          (local.set $p (call $after (i64.const 3600000000000)))
          (if (call $ready (local.get $p)) (then unreachable))
          (call $block (local.get $p))
          (if (i32.eqz (call $ready (local.get $p))) (then unreachable))
          (call $gone (local.get $p))
          (i32.store (i32.const 256) (call $after (i64.const 7200000000000)))
          (i32.store (i32.const 260) (call $after (i64.const 3600000000000)))
          (call $poll (i32.const 256) (i32.const 2) (i32.const 128))
          ;; only the second is ready
          (if (i32.ne (i32.load (i32.const 132)) (i32.const 1)) (then unreachable))
          (if (i32.ne (i32.load (i32.load (i32.const 128))) (i32.const 1)) (then unreachable))
          (local.set $until (i64.add (call $now) (i64.const 1000000)))
          (loop $spin (br_if $spin (i64.lt_u (call $now) (local.get $until))))
          (if (i64.lt_u (call $now) (i64.const 7200000000000)) (then unreachable))
          (call $ok (i32.const 64) (i32.const 4)))"#,
    );
    let rendered = render(&guest, request()).await.unwrap();
    assert_eq!(text(&rendered), "done");
    assert!(rendered.usage.duration < std::time::Duration::from_secs(5));
}

#[tokio::test]
async fn there_are_no_files_to_write_to() {
    let guest = renderer_with(
        "import wasi:filesystem/preopens@0.2.3; import wasi:filesystem/types@0.2.3;",
        r#"(import "wasi:filesystem/preopens@0.2.3" "get-directories" (func $dirs (param i32)))
        (import "wasi:filesystem/types@0.2.3" "[method]descriptor.unlink-file-at"
          (func $unlink (param i32 i32 i32 i32)))
        (import "wasi:filesystem/types@0.2.3" "[method]descriptor.open-at"
          (func $open (param i32 i32 i32 i32 i32 i32 i32)))
        (import "wasi:filesystem/types@0.2.3" "[method]descriptor.set-size"
          (func $truncate (param i32 i64 i32)))"#,
        r#"(data (i32.const 64) "a.yaml")
        (func $render (param $args i32) (result i32)
          (call $dirs (i32.const 128))
          (if (i32.load (i32.const 132)) (then (return (call $ok (i32.const 64) (i32.const 6)))))
          ;; a descriptor out of nothing
          (call $unlink (i32.const 3) (i32.const 64) (i32.const 6) (i32.const 128))
          (call $ok (i32.const 64) (i32.const 6)))"#,
    );
    match failure(render(&guest, request()).await) {
        RunError::Trapped(_) | RunError::InvalidAnswer(_) => {}
        other => unreachable!("{other:?}"),
    }
}

#[tokio::test]
async fn standard_output_is_bounded_and_kept_for_the_trap() {
    let guest = renderer_with(
        "import wasi:cli/stderr@0.2.3; import wasi:cli/stdin@0.2.3; import wasi:cli/terminal-stdout@0.2.3;",
        r#"(import "wasi:cli/stderr@0.2.3" "get-stderr" (func $stderr (result i32)))
        (import "wasi:cli/stdin@0.2.3" "get-stdin" (func $stdin (result i32)))
        (import "wasi:cli/terminal-stdout@0.2.3" "get-terminal-stdout" (func $terminal (param i32)))
        (import "wasi:io/streams@0.2.3" "[method]output-stream.blocking-write-and-flush"
          (func $write (param i32 i32 i32 i32)))
        (import "wasi:io/streams@0.2.3" "[method]input-stream.blocking-read"
          (func $input (param i32 i64 i32)))"#,
        r#"(data (i32.const 64) "panicked\1b[31m at 'x'\n")
        (func $render (param $args i32) (result i32) (local $n i32) (local $stream i32)
          (call $terminal (i32.const 128))
          (if (i32.load8_u (i32.const 128)) (then (return (i32.const 0))))
          (call $input (call $stdin) (i64.const 100) (i32.const 128))
          ;; closed
          (if (i32.ne (i32.load8_u (i32.const 132)) (i32.const 1)) (then (return (i32.const 0))))
          (local.set $stream (call $stderr))
          (loop $more
            (call $write (local.get $stream) (i32.const 64) (i32.const 21) (i32.const 128))
            (local.set $n (i32.add (local.get $n) (i32.const 1)))
            (br_if $more (i32.lt_u (local.get $n) (i32.const 100000))))
          unreachable)"#,
    );
    match failure(render(&guest, request()).await) {
        RunError::Trapped(trap) => {
            assert!(
                trap.log_tail.contains("panicked [31m at 'x'"),
                "{}",
                trap.log_tail
            );
            assert!(trap.log_tail.len() < 300);
        }
        other => unreachable!("{other:?}"),
    }
}

#[tokio::test]
async fn randomness_comes_in_bounded_pieces() {
    let guest = renderer_with(
        "import wasi:random/random@0.2.3;",
        r#"(import "wasi:random/random@0.2.3" "get-random-bytes" (func $bytes (param i64 i32)))"#,
        "(func $render (param i32) (result i32)
          (call $bytes (i64.const 4294967296) (i32.const 128)) (i32.const 0))",
    );
    match failure(render(&guest, request()).await) {
        RunError::TooMuch(hit) => assert_eq!(hit.limit, Limit::RandomBytes),
        other => unreachable!("{other:?}"),
    }
}

#[tokio::test]
async fn handles_are_bounded() {
    let guest = renderer_with(
        "import wasi:clocks/monotonic-clock@0.2.3;",
        r#"(import "wasi:clocks/monotonic-clock@0.2.3" "subscribe-instant"
          (func $at (param i64) (result i32)))"#,
        "(func $render (param i32) (result i32)
          (loop (drop (call $at (i64.const 0))) (br 0)) (i32.const 0))",
    );
    match failure(render(&guest, request()).await) {
        RunError::TooMuch(hit) => assert_eq!(hit.limit, Limit::Handles),
        other => unreachable!("{other:?}"),
    }
}

#[tokio::test]
async fn a_flood_of_log_lines_is_dropped() {
    let guest = renderer(
        r#"(data (i32.const 64) "line")
        (func $render (param i32) (result i32) (local $n i32)
          (loop $more
            (call $log (i32.const 2) (i32.const 64) (i32.const 4) (i32.const 0) (i32.const 0))
            (local.set $n (i32.add (local.get $n) (i32.const 1)))
            (br_if $more (i32.lt_u (local.get $n) (i32.const 100000))))
          (call $ok (i32.const 64) (i32.const 4)))"#,
    );
    assert_eq!(text(&render(&guest, request()).await.unwrap()), "line");
}

/// Looks up one Secret and answers with its text, `none`, or `error:` and the number of the case.
const LOOKUP: &str = r#"
  (data (i32.const 64) "v1Secretnsxerror:0none")
  (func $render (param $args i32) (result i32)
    (call $lookup (i32.const 64) (i32.const 2) (i32.const 66) (i32.const 6) (i32.const 72)
      (i32.const 2) (i32.const 74) (i32.const 1) (i32.const 128))
    (if (i32.load8_u (i32.const 128)) (then
      (i32.store8 (i32.const 81) (i32.add (i32.const 48) (i32.load8_u (i32.const 136))))
      (return (call $ok (i32.const 75) (i32.const 7)))))
    (if (i32.eqz (i32.load8_u (i32.const 136))) (then
      (return (call $ok (i32.const 82) (i32.const 4)))))
    (call $ok (i32.load (i32.const 140)) (i32.load (i32.const 144))))"#;

struct Cluster(Result<Option<String>, LookupError>);

impl Lookup for Cluster {
    fn lookup<'a>(&'a self, query: &'a LookupQuery) -> LookupAnswer<'a> {
        assert_eq!(query.to_string(), "v1|Secret|ns|x");
        Box::pin(async { self.0.clone() })
    }
}

#[tokio::test]
async fn look_ups_are_empty_unless_granted_and_recorded_when_granted() {
    let guest = renderer_with(
        "",
        r#"(import "bulkhead:base/cluster@0.1.0" "lookup"
          (func $lookup (param i32 i32 i32 i32 i32 i32 i32 i32 i32)))"#,
        LOOKUP,
    );
    let rendered = render(&guest, request()).await.unwrap();
    assert_eq!(text(&rendered), "none");
    assert!(rendered.is_cacheable() && rendered.read_set.accesses().is_empty());

    for (answer, shown, transient) in [
        (Ok(Some("{}".to_owned())), "{}", false),
        (Ok(None), "none", false),
        (Err(LookupError::Forbidden("no".into())), "error:0", false),
        (
            Err(LookupError::Unavailable("down".into())),
            "error:1",
            true,
        ),
    ] {
        let lookup: Option<Arc<dyn Lookup>> = Some(Arc::new(Cluster(answer)));
        let rendered = render(
            &guest,
            RenderRequest {
                lookup,
                ..request()
            },
        )
        .await
        .unwrap();
        assert_eq!(text(&rendered), shown);
        assert_eq!(rendered.transient, transient);
        assert!(!rendered.is_cacheable() && rendered.read_set.has_lookups());
        assert!(!rendered.read_set.still_holds(&MemoryTree::new()));
    }
}
