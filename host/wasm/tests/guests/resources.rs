//! P1, P2, P3, P11, P21: time, memory, stack and output.

use std::time::{Duration, Instant};

use bulkhead_api::Retry;
use bulkhead_wasm::{
    Host, HostConfig, Limit, Limits, LoadOptions, RenderError, RenderRequest, RunError,
};

use crate::fake::{
    HELLO, failure, host, id, load, render, renderer, renderer_with_realloc, request, text,
};

fn limited(limits: Limits) -> RenderRequest {
    RenderRequest {
        limits,
        ..request()
    }
}

fn short() -> RenderRequest {
    limited(Limits {
        deadline: Duration::from_millis(100),
        ..Limits::renderer()
    })
}

#[tokio::test]
async fn loops_end_at_the_deadline_wherever_they_are() {
    let unit = "(func $render (param i32) (result i32) (call $ok (i32.const 0) (i32.const 0)))";
    let guests = [
        (
            "render",
            renderer("(func $render (param i32) (result i32) (loop (br 0)) (i32.const 0))"),
        ),
        (
            "start",
            renderer(&format!("{unit} (func $s (loop (br 0))) (start $s)")),
        ),
        (
            "cabi_realloc",
            renderer_with_realloc(
                r#"(func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32)
                  (loop (br 0)) (i32.const 0))"#,
                unit,
            ),
        ),
        (
            "a host call",
            renderer(
                "(func $render (param $a i32) (result i32)
                  (loop (call $stat (i32.load (local.get $a)) (i32.const 0) (i32.const 0)
                    (i32.const 128)) (br 0)) (i32.const 0))",
            ),
        ),
        (
            "copies",
            renderer(
                "(func $render (param $a i32) (result i32)
                  (drop (memory.grow (i32.const 300)))
                  (loop (memory.fill (i32.const 4096) (i32.const 0) (i32.const 19000000)) (br 0))
                  (i32.const 0))",
            ),
        ),
    ];
    for (place, guest) in guests {
        let plugin = load(&guest).await.unwrap();
        // The path is lowered into the guest, which takes its `cabi_realloc`.
        let request = RenderRequest {
            path: "some/path".into(),
            ..short()
        };
        let error = plugin.render(request.clone()).await.unwrap_err();
        let advice = error.advice();
        assert!(!error.is_cacheable());
        assert_eq!(
            (advice.reason, advice.retry),
            ("PluginTimedOut", Retry::Backoff),
            "{place}"
        );
        assert!(
            matches!(failure(Err(error)), RunError::OutOfTime { .. }),
            "{place}"
        );
        // The deadline and at most a second. Of a machine that builds beside the test, the best of
        // several counts.
        let mut late = Vec::new();
        for _ in 0..5 {
            let began = Instant::now();
            assert!(plugin.render(request.clone()).await.is_err());
            late.push(began.elapsed().saturating_sub(request.limits.deadline));
            if late.last() < Some(&Duration::from_secs(1)) {
                break;
            }
        }
        let best = late.iter().min().unwrap();
        assert!(*best < Duration::from_secs(1), "{place}: {late:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn neighbours_of_a_loop_go_on() {
    let endless = renderer("(func $render (param i32) (result i32) (loop (br 0)) (i32.const 0))");
    let endless = load(&endless).await.unwrap();
    let hello = load(&renderer(HELLO)).await.unwrap();
    // As many loops as there are processors, less one, which is what a queue of guests shares.
    let loops: Vec<_> = (1..std::thread::available_parallelism().unwrap().get())
        .map(|_| {
            let endless = endless.clone();
            tokio::spawn(async move { failure(endless.render(short()).await) })
        })
        .collect();
    for _ in 0..20 {
        assert!(hello.render(request()).await.is_ok());
    }
    for endless in loops {
        assert!(matches!(endless.await.unwrap(), RunError::OutOfTime { .. }));
    }
}

#[tokio::test]
async fn a_call_that_nobody_waits_for_ends() {
    let one = std::num::NonZero::new(1);
    let host = Host::new(HostConfig {
        parallel: one,
        ..HostConfig::default()
    })
    .unwrap();
    let guest = renderer("(func $render (param i32) (result i32) (loop (br 0)) (i32.const 0))");
    let endless = host.load(id(), &guest).await.unwrap();
    let hello = host.load(id(), &renderer(HELLO)).await.unwrap();
    let patience = Duration::from_millis(50);
    assert!(
        tokio::time::timeout(patience, endless.render(request()))
            .await
            .is_err()
    );
    // The only place is free again, long before the deadline of 30 s.
    let next = tokio::time::timeout(Duration::from_secs(5), hello.render(request())).await;
    assert!(next.unwrap().is_ok());
}

#[tokio::test]
async fn a_dropped_host_ends_its_calls() {
    let host = Host::new(HostConfig::default()).unwrap();
    let guest = renderer("(func $render (param i32) (result i32) (loop (br 0)) (i32.const 0))");
    let plugin = host.load(id(), &guest).await.unwrap();
    let call = tokio::spawn(async move { failure(plugin.render(request()).await) });
    tokio::time::sleep(Duration::from_millis(50)).await;
    drop(host);
    assert!(matches!(call.await.unwrap(), RunError::Machine(_)));
}

/// Grows memory by the pages in its configuration's first byte, and answers `1` if it could.
const GROW: &str = "
  (func $render (param $args i32) (result i32)
    (i32.store8 (i32.const 80) (i32.const 49))
    (if (i32.eq (memory.grow (i32.load8_u (i32.load offset=12 (local.get $args)))) (i32.const -1))
      (then (i32.store8 (i32.const 80) (i32.const 48))))
    (call $ok (i32.const 80) (i32.const 1)))";

#[tokio::test]
async fn memory_ends_at_its_limit() {
    let plugin = load(&renderer(GROW)).await.unwrap();
    // The guest starts with two pages; a third byte of the limit is the byte one past it.
    for (limit, grown) in [(4 * 65536, "1"), (4 * 65536 - 1, "0")] {
        let limits = Limits {
            memory_bytes: limit,
            ..Limits::renderer()
        };
        let request = RenderRequest {
            config: "\u{2}".into(),
            ..limited(limits)
        };
        let rendered = plugin.render(request).await.unwrap();
        assert_eq!(text(&rendered), grown, "{limit}");
    }
}

#[tokio::test]
async fn a_refused_growth_is_the_same_every_time() {
    let plugin = load(&renderer(GROW)).await.unwrap();
    let limits = Limits {
        memory_bytes: 3 * 65536,
        ..Limits::renderer()
    };
    for _ in 0..20 {
        let request = RenderRequest {
            config: "\u{2}".into(),
            ..limited(limits.clone())
        };
        assert_eq!(text(&plugin.render(request).await.unwrap()), "0");
    }
}

#[tokio::test]
async fn a_guest_that_dies_of_hunger_ran_out_of_memory() {
    let guest = renderer(
        "(func $render (param i32) (result i32)
          (loop (if (i32.eq (memory.grow (i32.const 16)) (i32.const -1)) (then unreachable)) (br 0))
          (i32.const 0))",
    );
    let error = render(&guest, request()).await.unwrap_err();
    assert!(!error.is_cacheable());
    let advice = error.advice();
    assert_eq!(
        (advice.reason, advice.retry),
        ("PluginOutOfMemory", Retry::Backoff)
    );
    assert_eq!(
        advice.hint.unwrap(),
        "raise the plugin limit `memoryBytes` (now 268435456)"
    );
    let error = failure(Err(error));
    assert!(
        error.to_string().starts_with(
            "it ran out of memory: 268566528 bytes of memory, at most 268435456 are allowed"
        ),
        "{error}"
    );
}

#[tokio::test]
async fn memory_that_is_too_large_from_the_start_is_refused() {
    let limits = Limits {
        memory_bytes: 65536,
        ..Limits::renderer()
    };
    let error = failure(render(&renderer(HELLO), limited(limits)).await);
    assert!(matches!(error, RunError::OutOfMemory { .. }), "{error}");
}

#[tokio::test]
async fn tables_end_at_their_limit() {
    let guest = renderer(
        "(table $t 1 funcref)
        (func $render (param i32) (result i32)
          (if (i32.eq (table.grow $t (ref.null func) (i32.const 99)) (i32.const -1))
            (then unreachable))
          (call $ok (i32.const 0) (i32.const 0)))",
    );
    let limits = |table_elements| {
        limited(Limits {
            table_elements,
            ..Limits::renderer()
        })
    };
    assert!(render(&guest, limits(100)).await.is_ok());
    match failure(render(&guest, limits(99)).await) {
        RunError::OutOfMemory { hit, .. } => assert_eq!(hit.limit, Limit::TableElements),
        other => unreachable!("{other}"),
    }
}

#[tokio::test]
async fn instances_memories_and_tables_are_counted() {
    let guest = renderer(HELLO);
    let none = [
        (
            Limit::Instances,
            Limits {
                instances: 0,
                ..Limits::renderer()
            },
        ),
        (
            Limit::Memories,
            Limits {
                memories: 0,
                ..Limits::renderer()
            },
        ),
        (
            Limit::Tables,
            Limits {
                tables: 0,
                ..Limits::renderer()
            },
        ),
    ];
    for (limit, limits) in none {
        match failure(render(&guest, limited(limits)).await) {
            RunError::TooMuch(hit) => assert_eq!((hit.limit, hit.allowed), (limit, 0)),
            other => unreachable!("{limit:?}: {other:?}"),
        }
    }
}

#[tokio::test]
async fn recursion_traps_and_names_the_function() {
    let guest = renderer(
        r#"(func $merge (@name "values::merge") (param i32) (result i32)
          (i32.add (i32.const 1) (call $merge (local.get 0))))
        (func $render (param i32) (result i32) (call $merge (local.get 0)))"#,
    );
    let error = render(&guest, request()).await.unwrap_err();
    assert_eq!(error.advice().reason, "PluginTrapped");
    match failure(Err(error)) {
        RunError::Trapped(trap) => {
            assert_eq!(trap.kind, "call stack exhausted");
            assert_eq!(trap.function.as_deref(), Some("values::merge"));
            assert_eq!(trap.plugin.to_string(), "fake 0.1.0");
        }
        other => unreachable!("{other}"),
    }
}

/// Answers with documents of no text: as many as the little-endian number in its configuration.
const MANY: &str = "
  (func $render (param $args i32) (result i32) (local $n i32)
    (local.set $n (i32.load (i32.load offset=12 (local.get $args))))
    (drop (call $ok (i32.const 0) (i32.const 0)))
    (i32.store (i32.const 1028) (call $alloc (i32.mul (i32.const 36) (local.get $n))))
    (i32.store (i32.const 1032) (local.get $n))
    (i32.const 1024))";

#[tokio::test]
async fn documents_are_counted() {
    let plugin = load(&renderer(MANY)).await.unwrap();
    let limits = Limits {
        documents: 65,
        ..Limits::renderer()
    };
    for (count, fits) in [("A\0\0\0", true), ("B\0\0\0", false)] {
        let request = RenderRequest {
            config: count.into(),
            ..limited(limits.clone())
        };
        match plugin.render(request).await {
            Ok(rendered) => assert!(fits && rendered.documents.len() == 65),
            Err(RenderError::Failed {
                error: RunError::OutputTooLarge(hit),
                ..
            }) => {
                assert!(!fits);
                assert_eq!(hit.to_string(), "66 documents, at most 65 are allowed");
            }
            Err(other) => unreachable!("{other}"),
        }
    }
}

/// Answers with a document of as many NULs as the little-endian number in its configuration.
const LONG: &str = "
  (func $render (param $args i32) (result i32) (local $n i32)
    (local.set $n (i32.load (i32.load offset=12 (local.get $args))))
    (call $ok (call $alloc (local.get $n)) (local.get $n)))";

#[tokio::test]
async fn a_document_ends_at_its_limit() {
    let plugin = load(&renderer(LONG)).await.unwrap();
    let limits = Limits {
        document_bytes: 65,
        ..Limits::renderer()
    };
    for (count, fits) in [("A\0\0\0", true), ("B\0\0\0", false)] {
        let request = RenderRequest {
            config: count.into(),
            ..limited(limits.clone())
        };
        assert_eq!(plugin.render(request).await.is_ok(), fits);
    }
}

#[tokio::test]
async fn output_stops_at_its_limit_without_a_copy() {
    let plugin = load(&renderer(LONG)).await.unwrap();
    // 128 MiB, which fits into the guest's memory and not into the host's patience.
    let request = RenderRequest {
        config: "\0\0\0\u{8}".into(),
        ..request()
    };
    let error = plugin.render(request).await.unwrap_err();
    assert_eq!(error.advice().reason, "PluginOutputTooLarge");
    let error = failure(Err(error));
    assert_eq!(
        error.to_string(),
        "its output is too large: more than 33554432 bytes of output"
    );
}

#[tokio::test]
async fn lists_beyond_memory_are_no_answer() {
    // A gigabyte that is not there, as text and as documents.
    for body in [
        "(func $render (param i32) (result i32) (call $ok (i32.const 0) (i32.const 0x40000000)))",
        "(func $render (param i32) (result i32) (drop (call $ok (i32.const 0) (i32.const 0)))
          (i32.store (i32.const 1032) (i32.const 0x7fffffff)) (i32.const 1024))",
        "(func $render (param i32) (result i32) (i32.const -4))",
        "(func $render (param i32) (result i32) (i32.store8 (i32.const 1024) (i32.const 7))
          (i32.const 1024))",
    ] {
        let error = render(&renderer(body), request()).await.unwrap_err();
        let reason = error.advice().reason;
        assert!(
            matches!(reason, "PluginTrapped" | "PluginOutputTooLarge"),
            "{body}: {error:?}"
        );
    }
}

#[tokio::test]
async fn fuel_gives_the_same_verdict_everywhere() {
    let metered = LoadOptions {
        meter: true,
        ..LoadOptions::default()
    };
    let hello = renderer(HELLO);
    let plain = host().load(id(), &hello).await.unwrap();
    let plugin = host().load_as(id(), &hello, metered).await.unwrap();
    assert_eq!((plain.is_metered(), plugin.is_metered()), (false, true));
    assert_eq!(plain.digest(), plugin.digest());
    assert_eq!(plain.render(request()).await.unwrap().usage.fuel, None);
    let used = plugin.render(request()).await.unwrap().usage.fuel.unwrap();
    let limits = |fuel| {
        limited(Limits {
            fuel: Some(fuel),
            ..Limits::renderer()
        })
    };
    assert_eq!(
        plugin.render(limits(used)).await.unwrap().usage.fuel,
        Some(used)
    );
    // Each time, whatever else the machine does.
    for _ in 0..20 {
        assert!(plugin.render(limits(used)).await.is_ok());
        let error = plugin.render(limits(used / 2)).await.unwrap_err();
        // A verdict on the input, as a refusal is: not tried again until something changes.
        assert!(error.is_cacheable());
        let advice = error.advice();
        assert_eq!(
            (advice.reason, advice.retry),
            ("PluginTimedOut", Retry::OnChange)
        );
        let error = failure(Err(error));
        assert!(matches!(error, RunError::OutOfFuel { .. }), "{error}");
    }
}

#[tokio::test]
async fn a_limit_on_fuel_needs_a_plugin_that_is_metered() {
    let plugin = host().load(id(), &renderer(HELLO)).await.unwrap();
    let limits = Limits {
        fuel: Some(1),
        ..Limits::renderer()
    };
    assert!(matches!(
        failure(plugin.render(limited(limits)).await),
        RunError::NotMetered
    ));
}
