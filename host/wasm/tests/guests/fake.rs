//! Fake guests: a few lines of core WebAssembly in a renderer's, transformer's or notifier's clothes.
//!
//! A body defines `$render`, which takes the address of the request and returns the address of the
//! result. The prelude gives it memory, an allocator, the functions of `wit/` and ways to answer.
//! Where things are in a request: handle 0, path 4/8, config 12/16 (address/length).

use std::path::Path;
use std::sync::{Arc, LazyLock};

use bulkhead_wasm::{
    Host, HostConfig, LoadError, MemoryTree, Plugin, PluginId, RenderError, RenderRequest,
    Rendered, RunError,
};
use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::Resolve;

const IMPORTS: &str = r#"
  (import "bulkhead:base/tree@0.1.0" "[resource-drop]tree" (func $drop (param i32)))
  (import "bulkhead:base/tree@0.1.0" "[method]tree.read" (func $read (param i32 i32 i32 i32)))
  (import "bulkhead:base/tree@0.1.0" "[method]tree.stat" (func $stat (param i32 i32 i32 i32)))
  (import "bulkhead:base/tree@0.1.0" "[method]tree.glob" (func $glob (param i32 i32 i32 i32)))
  (import "bulkhead:base/tree@0.1.0" "[method]tree.read-dir" (func $read_dir (param i32 i32 i32 i32)))
  (import "bulkhead:base/tree@0.1.0" "[method]tree.subtree" (func $subtree (param i32 i32 i32 i32)))
  (import "bulkhead:base/log@0.1.0" "log" (func $log (param i32 i32 i32 i32 i32)))
"#;

const PRELUDE: &str = r#"
  (memory (export "memory") 2)
  (global $heap (mut i32) (i32.const 65536))
  (func $alloc (param $len i32) (result i32) (local $at i32)
    (local.set $at (i32.and (i32.add (global.get $heap) (i32.const 7)) (i32.const -8)))
    (global.set $heap (i32.add (local.get $at) (local.get $len)))
    (loop $grow
      (if (i32.gt_u (global.get $heap) (i32.shl (memory.size) (i32.const 16))) (then
        (if (i32.eq (memory.grow (i32.const 1)) (i32.const -1)) (then unreachable))
        (br $grow))))
    (local.get $at))
  (func $ok (param $text i32) (param $len i32) (result i32)
    (i32.store8 (i32.const 1024) (i32.const 0))
    (i32.store (i32.const 1028) (i32.const 2048)) (i32.store (i32.const 1032) (i32.const 1))
    (i32.store (i32.const 1036) (i32.const 0)) (i32.store (i32.const 1040) (i32.const 0))
    (i32.store (i32.const 1044) (i32.const 0)) (i32.store (i32.const 1048) (i32.const 0))
    (i32.store (i32.const 2048) (local.get $text)) (i32.store (i32.const 2052) (local.get $len))
    (i32.store8 (i32.const 2056) (i32.const 0))
    (i32.const 1024))
  (func $failed (param $text i32) (param $len i32) (result i32)
    (i32.store8 (i32.const 1024) (i32.const 1)) (i32.store8 (i32.const 1028) (i32.const 2))
    (i32.store (i32.const 1032) (local.get $text)) (i32.store (i32.const 1036) (local.get $len))
    (i32.const 1024))
"#;

const REALLOC: &str = r#"
  (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (call $alloc (local.get 3)))
"#;

const RENDER: &str = r#"
  (func (export "bulkhead:renderer/render@0.1.0#render") (param $args i32) (result i32)
    (local $result i32)
    (local.set $result (call $render (local.get $args)))
    (call $drop (i32.load (local.get $args)))
    (local.get $result))
"#;

/// The WASI interfaces that fake guests import, as the standard has them.
pub(crate) const WASI: &str = r#"
package wasi:io@0.2.3 {
  interface error { resource error { to-debug-string: func() -> string; } }
  interface poll { resource pollable { ready: func() -> bool; block: func(); }
    poll: func(in: list<borrow<pollable>>) -> list<u32>; }
  interface streams { use error.{error}; use poll.{pollable};
    variant stream-error { last-operation-failed(error), closed }
    resource input-stream { blocking-read: func(len: u64) -> result<list<u8>, stream-error>; }
    resource output-stream {
      check-write: func() -> result<u64, stream-error>;
      blocking-write-and-flush: func(contents: list<u8>) -> result<_, stream-error>;
      subscribe: func() -> pollable; } }
}
package wasi:cli@0.2.3 {
  interface environment { get-environment: func() -> list<tuple<string, string>>;
    get-arguments: func() -> list<string>; initial-cwd: func() -> option<string>; }
  interface exit { exit: func(status: result); }
  interface stdin { use wasi:io/streams@0.2.3.{input-stream}; get-stdin: func() -> input-stream; }
  interface stdout { use wasi:io/streams@0.2.3.{output-stream}; get-stdout: func() -> output-stream; }
  interface stderr { use wasi:io/streams@0.2.3.{output-stream}; get-stderr: func() -> output-stream; }
  interface terminal-output { resource terminal-output; }
  interface terminal-stdout { use terminal-output.{terminal-output};
    get-terminal-stdout: func() -> option<terminal-output>; }
}
package wasi:clocks@0.2.3 {
  interface monotonic-clock { use wasi:io/poll@0.2.3.{pollable};
    now: func() -> u64; resolution: func() -> u64;
    subscribe-instant: func(when: u64) -> pollable; subscribe-duration: func(when: u64) -> pollable; }
  interface wall-clock { record datetime { seconds: u64, nanoseconds: u32 }
    now: func() -> datetime; resolution: func() -> datetime; }
}
package wasi:random@0.2.3 {
  interface random { get-random-bytes: func(len: u64) -> list<u8>; get-random-u64: func() -> u64; }
  interface insecure { get-insecure-random-u64: func() -> u64; }
  interface insecure-seed { insecure-seed: func() -> tuple<u64, u64>; }
}
package wasi:filesystem@0.2.3 {
  interface types { use wasi:io/streams@0.2.3.{error};
    flags path-flags { symlink-follow }
    flags open-flags { create, directory, exclusive, truncate }
    flags descriptor-flags { read, write, file-integrity-sync, data-integrity-sync,
      requested-write-sync, mutate-directory }
    enum error-code { access, would-block, already, bad-descriptor, busy, deadlock, quota, exist,
      file-too-large, illegal-byte-sequence, in-progress, interrupted, invalid, io, is-directory,
      loop, too-many-links, message-size, name-too-long, no-device, no-entry, no-lock,
      insufficient-memory, insufficient-space, not-directory, not-empty, not-recoverable,
      unsupported, no-tty, no-such-device, overflow, not-permitted, pipe, read-only, invalid-seek,
      text-file-busy, cross-device }
    resource descriptor {
      open-at: func(path-flags: path-flags, path: string, open-flags: open-flags,
        %flags: descriptor-flags) -> result<descriptor, error-code>;
      unlink-file-at: func(path: string) -> result<_, error-code>;
      set-size: func(size: u64) -> result<_, error-code>; } }
  interface preopens { use types.{descriptor};
    get-directories: func() -> list<tuple<descriptor, string>>; }
}
package wasi:http@0.2.3 { interface types { ready: func() -> bool; } }
package wasi:sockets@0.2.3 { interface network { open: func() -> bool; } }
"#;

/// Packages core WebAssembly as a component of the world `test:guest/guest`, whose items are `wit`.
pub(crate) fn package(wit: &str, wat: &str, rename: impl Fn(&str) -> String) -> Vec<u8> {
    let mut resolve = Resolve::default();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../wit");
    for file in [
        "base/types.wit",
        "renderer/renderer.wit",
        "notifier/notifier.wit",
    ] {
        #[allow(clippy::disallowed_methods, reason = "a test reads the published WIT")]
        let text = std::fs::read_to_string(folder.join(file)).expect("the WIT is there");
        resolve
            .push_str(file, &rename(&text))
            .expect("the WIT parses");
    }
    let world = format!("package test:guest;\nworld guest {{ {wit} }}\n{WASI}");
    let package = resolve
        .push_str("guest.wit", &rename(&world))
        .expect("the world parses");
    let world = resolve
        .select_world(&[package], Some("guest"))
        .expect("the world is there");
    let mut module = wat::parse_str(rename(wat)).expect("the guest parses");
    embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8).expect("embeds");
    let encoder = ComponentEncoder::default().validate(true).module(&module);
    encoder
        .and_then(|mut encoder| encoder.encode())
        .expect("the guest fits its world")
}

/// A renderer of `body`, which may import the interfaces that `wit` imports beside our own.
pub(crate) fn renderer_with(wit: &str, imports: &str, body: &str) -> Vec<u8> {
    let wit = format!("include bulkhead:renderer/renderer@0.1.0; {wit}");
    let wat = format!("(module {IMPORTS} {imports} {PRELUDE} {REALLOC} {RENDER} {body})");
    package(&wit, &wat, str::to_owned)
}

/// A renderer of `body`.
pub(crate) fn renderer(body: &str) -> Vec<u8> {
    renderer_with("", "", body)
}

/// A renderer with an allocator of its own.
pub(crate) fn renderer_with_realloc(realloc: &str, body: &str) -> Vec<u8> {
    let wat = format!("(module {IMPORTS} {PRELUDE} {realloc} {RENDER} {body})");
    package(
        "include bulkhead:renderer/renderer@0.1.0;",
        &wat,
        str::to_owned,
    )
}

/// A renderer that keeps the tree it was lent.
pub(crate) fn renderer_that_keeps_the_tree() -> Vec<u8> {
    let wat = format!(
        r#"(module {IMPORTS} {PRELUDE} {REALLOC}
        (func (export "bulkhead:renderer/render@0.1.0#render") (param i32) (result i32)
          (call $ok (i32.const 0) (i32.const 0))))"#
    );
    package(
        "include bulkhead:renderer/renderer@0.1.0;",
        &wat,
        str::to_owned,
    )
}

/// A renderer built for other versions of the interfaces.
pub(crate) fn renderer_of_version(version: &str) -> Vec<u8> {
    let wat = format!("(module {IMPORTS} {PRELUDE} {REALLOC} {RENDER} {HELLO})");
    let rename = |text: &str| {
        let wasi = text.find("package wasi:io").unwrap_or(text.len());
        text[..wasi].replace("0.1.0", version) + &text[wasi..]
    };
    package("include bulkhead:renderer/renderer@0.1.0;", &wat, rename)
}

/// Answers `kind: A`.
pub(crate) const HELLO: &str = r#"
  (data (i32.const 64) "kind: A")
  (func $render (param i32) (result i32) (call $ok (i32.const 64) (i32.const 7)))
"#;

/// Does what the request's path says (`r`ead, `s`tat, `d`irectory, `g`lob, read in `t`ree `sub`)
/// with the request's configuration as the path, and answers with the file's content, the number of
/// entries (`0` up), `ok`, or `error:` and the number of the case.
pub(crate) const PROBE: &str = r#"
  (data (i32.const 64) "error:0ok sub")
  (func $number (param $n i32) (result i32)
    (i32.store8 (i32.const 80) (i32.add (i32.const 48) (local.get $n)))
    (call $ok (i32.const 80) (i32.const 1)))
  (func $render (param $args i32) (result i32) (local $op i32) (local $tree i32)
    (local $path i32) (local $len i32)
    (local.set $op (i32.load8_u (i32.load offset=4 (local.get $args))))
    (local.set $tree (i32.load (local.get $args)))
    (local.set $path (i32.load offset=12 (local.get $args)))
    (local.set $len (i32.load offset=16 (local.get $args)))
    (i32.store8 (i32.const 128) (i32.const 9))
    (if (i32.eq (local.get $op) (i32.const 114))
      (then (call $read (local.get $tree) (local.get $path) (local.get $len) (i32.const 128))))
    (if (i32.eq (local.get $op) (i32.const 115))
      (then (call $stat (local.get $tree) (local.get $path) (local.get $len) (i32.const 128))))
    (if (i32.eq (local.get $op) (i32.const 100))
      (then (call $read_dir (local.get $tree) (local.get $path) (local.get $len) (i32.const 128))))
    (if (i32.eq (local.get $op) (i32.const 103))
      (then (call $glob (local.get $tree) (local.get $path) (local.get $len) (i32.const 128))))
    (if (i32.eq (local.get $op) (i32.const 116)) (then
      (call $subtree (local.get $tree) (i32.const 74) (i32.const 3) (i32.const 128))
      (if (i32.load8_u (i32.const 128)) (then unreachable))
      (local.set $tree (i32.load (i32.const 136)))
      (call $read (local.get $tree) (local.get $path) (local.get $len) (i32.const 128))
      (call $drop (local.get $tree))
      (local.set $op (i32.const 114))))
    (if (i32.load8_u (i32.const 128)) (then
      (i32.store8 (i32.const 70) (i32.add (i32.const 48) (i32.load8_u (i32.const 136))))
      (return (call $ok (i32.const 64) (i32.const 7)))))
    (if (i32.eq (local.get $op) (i32.const 115)) (then
      (return (call $ok (i32.const 71) (i32.const 2)))))
    (if (i32.eq (local.get $op) (i32.const 114)) (then
      (return (call $ok (i32.load (i32.const 136)) (i32.load (i32.const 140))))))
    (call $number (i32.load (i32.const 140))))
"#;

/// A renderer with `functions` functions of about 150 bytes that nobody calls.
pub(crate) fn large(functions: usize) -> Vec<u8> {
    let step =
        "(local.set 0 (i32.add (i32.mul (local.get 0) (i32.const 1103515245)) (i32.const 12345)))";
    let many: String = (0..functions)
        .map(|_| {
            format!(
                "(func (param i32) (result i32) {} (local.get 0))",
                step.repeat(10)
            )
        })
        .collect();
    // Exported by a table, or the packaging would drop them.
    renderer(&format!("{HELLO} (table funcref (elem $render)) {many}"))
}

/// One host for all tests: guests share nothing.
pub(crate) fn host() -> &'static Host {
    static HOST: LazyLock<Host> =
        LazyLock::new(|| Host::new(HostConfig::default()).expect("the host starts"));
    &HOST
}

pub(crate) fn id() -> PluginId {
    PluginId::new("fake", "0.1.0")
}

pub(crate) async fn load(bytes: &[u8]) -> Result<Plugin, LoadError> {
    host().load(id(), bytes).await
}

/// Asks to render the root of an empty tree.
pub(crate) fn request() -> RenderRequest {
    RenderRequest::new(Arc::new(MemoryTree::new()), "")
}

pub(crate) async fn render(bytes: &[u8], request: RenderRequest) -> Result<Rendered, RenderError> {
    load(bytes)
        .await
        .expect("the guest loads")
        .render(request)
        .await
}

/// Returns the text of the only document.
pub(crate) fn text(rendered: &Rendered) -> &str {
    let [document] = &rendered.documents[..] else {
        unreachable!("one document is expected")
    };
    &document.text
}

/// Returns how a call failed.
pub(crate) fn failure(result: Result<Rendered, RenderError>) -> RunError {
    match result {
        Err(RenderError::Failed { error, .. }) => error,
        other => unreachable!("a failure is expected, not {other:?}"),
    }
}

/// A renderer of `body` for a WIT in which texts were replaced.
pub(crate) fn renderer_renamed(body: &str, rename: impl Fn(&str) -> String) -> Vec<u8> {
    let wat = format!("(module {IMPORTS} {PRELUDE} {REALLOC} {RENDER} {body})");
    package("include bulkhead:renderer/renderer@0.1.0;", &wat, rename)
}
