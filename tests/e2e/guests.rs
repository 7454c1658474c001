//! Plugins for tests: a few lines of WebAssembly in a renderer's or transformer's clothes, packaged
//! with a manifest as a real one is.

use std::path::Path;

use serde_json::Value;
use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::Resolve;

/// Memory that grows, and an allocator that never frees: each call has an instance of its own.
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
  (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32)
    (call $alloc (local.get 3)))
"#;

/// Reads `<path>/app.yaml`, and returns it as its one document.
const RENDER: &str = r#"
  (import "bulkhead:base/tree@0.1.0" "[resource-drop]tree" (func $drop (param i32)))
  (import "bulkhead:base/tree@0.1.0" "[method]tree.read" (func $read (param i32 i32 i32 i32)))
"#;
const RENDER_BODY: &str = r#"
  (data (i32.const 64) "/app.yaml")
  (data (i32.const 96) "there is no app.yaml")
  (func (export "bulkhead:renderer/render@0.1.0#render") (param $args i32) (result i32)
    (local $len i32) (local $name i32)
    (local.set $len (i32.load offset=8 (local.get $args)))
    (local.set $name (call $alloc (i32.add (local.get $len) (i32.const 9))))
    (memory.copy (local.get $name) (i32.load offset=4 (local.get $args)) (local.get $len))
    (memory.copy (i32.add (local.get $name) (local.get $len)) (i32.const 64) (i32.const 9))
    (call $read (i32.load (local.get $args)) (local.get $name)
      (i32.add (local.get $len) (i32.const 9)) (i32.const 128))
    (call $drop (i32.load (local.get $args)))
    (if (i32.load8_u (i32.const 128)) (then
      (i32.store8 (i32.const 1024) (i32.const 1)) (i32.store8 (i32.const 1028) (i32.const 2))
      (i32.store (i32.const 1032) (i32.const 96)) (i32.store (i32.const 1036) (i32.const 20))
      (return (i32.const 1024))))
    (i32.store (i32.const 1028) (i32.const 2048)) (i32.store (i32.const 1032) (i32.const 1))
    (i32.store (i32.const 2048) (i32.load (i32.const 136)))
    (i32.store (i32.const 2052) (i32.load (i32.const 140)))
    (i32.const 1024))
"#;

/// Puts `"labels":{"team":"web"}` before the other metadata of every object.
const LABEL: &str = r#"
  (data (i32.const 64) "\"metadata\":{")
  (data (i32.const 96) "\"labels\":{\"team\":\"web\"},")
  (func $matches (param $at i32) (result i32) (local $n i32)
    (loop $next
      (if (i32.ne (i32.load8_u (i32.add (local.get $at) (local.get $n)))
                  (i32.load8_u (i32.add (i32.const 64) (local.get $n))))
        (then (return (i32.const 0))))
      (local.set $n (i32.add (local.get $n) (i32.const 1)))
      (br_if $next (i32.lt_u (local.get $n) (i32.const 12))))
    (i32.const 1))
  (func $one (param $from i32) (param $to i32)
    (local $text i32) (local $len i32) (local $at i32) (local $new i32)
    (local.set $text (i32.load (local.get $from)))
    (local.set $len (i32.load offset=4 (local.get $from)))
    (block $found (loop $next
      (br_if $found (call $matches (i32.add (local.get $text) (local.get $at))))
      (local.set $at (i32.add (local.get $at) (i32.const 1)))
      (if (i32.ge_u (local.get $at) (local.get $len)) (then unreachable))
      (br $next)))
    (local.set $at (i32.add (local.get $at) (i32.const 12)))
    (local.set $new (call $alloc (i32.add (local.get $len) (i32.const 24))))
    (memory.copy (local.get $new) (local.get $text) (local.get $at))
    (memory.copy (i32.add (local.get $new) (local.get $at)) (i32.const 96) (i32.const 24))
    (memory.copy (i32.add (i32.add (local.get $new) (local.get $at)) (i32.const 24))
      (i32.add (local.get $text) (local.get $at)) (i32.sub (local.get $len) (local.get $at)))
    (i32.store (local.get $to) (local.get $new))
    (i32.store offset=4 (local.get $to) (i32.add (local.get $len) (i32.const 24)))
    (i32.store8 offset=8 (local.get $to) (i32.const 0)))
  (func (export "bulkhead:renderer/transform@0.1.0#transform")
    (param $documents i32) (param $count i32)
    (param i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32) (result i32)
    (local $out i32) (local $n i32)
    (local.set $out (call $alloc (i32.mul (local.get $count) (i32.const 36))))
    (block $done (loop $next
      (br_if $done (i32.ge_u (local.get $n) (local.get $count)))
      (call $one (i32.add (local.get $documents) (i32.mul (local.get $n) (i32.const 36)))
        (i32.add (local.get $out) (i32.mul (local.get $n) (i32.const 36))))
      (local.set $n (i32.add (local.get $n) (i32.const 1)))
      (br $next)))
    (i32.store (i32.const 1028) (local.get $out))
    (i32.store (i32.const 1032) (local.get $count))
    (i32.const 1024))
"#;

/// Traps.
const TRAP: &str = r#"
  (func (export "bulkhead:renderer/transform@0.1.0#transform")
    (param i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32) (result i32) unreachable)
"#;

/// A renderer that returns the file `app.yaml` of its directory, and takes `{"replicas": N}`.
pub(crate) fn renderer() -> Vec<u8> {
    let wat = format!("(module {RENDER} {PRELUDE} {RENDER_BODY})");
    let schema = serde_json::json!({
        "type": "object",
        "properties": { "replicas": { "type": "integer" } },
        "additionalProperties": false,
    });
    let component = package("renderer", &wat);
    with_manifest(&component, "renderer", schema)
}

/// The same renderer, of another version and with requests: another digest.
pub(crate) fn renderer_of(version: &str, requests: Value) -> Vec<u8> {
    let wat = format!("(module {RENDER} {PRELUDE} {RENDER_BODY})");
    let manifest = serde_json::json!({
        "kind": "renderer",
        "name": "test",
        "version": version,
        "world": "bulkhead:renderer/renderer@0.1.0",
        "requests": requests,
    });
    embed(&package("renderer", &wat), &manifest)
}

/// The same renderer, of another version, which returns the file of this name of nine letters.
pub(crate) fn renderer_of_file(version: &str, file: &str) -> Vec<u8> {
    assert_eq!(file.len(), "/app.yaml".len());
    let body = RENDER_BODY.replacen("/app.yaml", file, 1);
    let wat = format!("(module {RENDER} {PRELUDE} {body})");
    embed(
        &package("renderer", &wat),
        &manifest_of("renderer", version),
    )
}

/// A renderer that is up to no good: what it does, and its functions, of which `$render` is called.
pub(crate) fn hostile() -> Vec<(&'static str, Vec<u8>)> {
    let returns = "(i32.store8 (i32.const 1024) (i32.const 0))
        (i32.store (i32.const 1028) (i32.const 2048)) (i32.store (i32.const 1032) (i32.const 1))";
    let long = format!(
        "(func $render (param i32) (result i32) (local $at i32)
          (local.set $at (call $alloc (i32.const 134217728))) {returns}
          (i32.store (i32.const 2048) (local.get $at))
          (i32.store (i32.const 2052) (i32.const 134217728)) (i32.const 1024))"
    );
    let no_text = format!(
        "(data (i32.const 64) \"\\ff\\fe\\fd\")
        (func $render (param i32) (result i32) {returns}
          (i32.store (i32.const 2048) (i32.const 64))
          (i32.store (i32.const 2052) (i32.const 3)) (i32.const 1024))"
    );
    let laughs = "a: &a [x, x, x, x, x, x, x, x, x]\\0a\
        b: &b [*a, *a, *a, *a, *a, *a, *a, *a, *a]\\0ac: &c [*b, *b, *b, *b, *b, *b, *b, *b, *b]\\0a\
        d: &d [*c, *c, *c, *c, *c, *c, *c, *c, *c]\\0ae: &e [*d, *d, *d, *d, *d, *d, *d, *d, *d]\\0a\
        f: &f [*e, *e, *e, *e, *e, *e, *e, *e, *e]\\0ag: &g [*f, *f, *f, *f, *f, *f, *f, *f, *f]\\0a";
    let length = laughs.len() - 2 * laughs.matches("\\0a").count();
    let bomb = format!(
        "(data (i32.const 64) \"{laughs}\")
        (func $render (param i32) (result i32) {returns}
          (i32.store (i32.const 2048) (i32.const 64))
          (i32.store (i32.const 2052) (i32.const {length})) (i32.const 1024))"
    );
    [
        ("loops", "(func $render (param i32) (result i32) (loop (br 0)) (unreachable))".to_owned()),
        (
            "fills",
            "(func $render (param i32) (result i32) (drop (memory.grow (i32.const 3000)))
              (loop (memory.fill (i32.const 4096) (i32.const 0) (i32.const 190000000)) (br 0))
              (unreachable))"
                .to_owned(),
        ),
        (
            "grows",
            "(func $render (param i32) (result i32)
              (loop (br_if 0 (i32.ne (memory.grow (i32.const 16)) (i32.const -1)))) (unreachable))"
                .to_owned(),
        ),
        (
            "recurses",
            "(func $deep (param i32) (result i32) (i32.add (i32.const 1) (call $deep (local.get 0))))
            (func $render (param i32) (result i32) (call $deep (local.get 0)))"
                .to_owned(),
        ),
        ("traps", "(func $render (param i32) (result i32) (unreachable))".to_owned()),
        ("floods", long),
        ("babbles", no_text),
        ("laughs", bomb),
    ]
    .into_iter()
    .map(|(name, body)| (name, renderer_of_body(&body)))
    .collect()
}

/// What is no plugin, each in its own way, and the reason that tells it.
pub(crate) fn unfit() -> Vec<(&'static str, Vec<u8>)> {
    let wat = format!("(module {RENDER} {PRELUDE} {RENDER_BODY})");
    let of_version = |version: &str| package_of("renderer", &wat, version);
    let mut newer_host = manifest_of("renderer", "0.1.0");
    newer_host["minHost"] = Value::from("99.0.0");
    let mut other_kind = manifest_of("renderer", "0.1.0");
    other_kind["kind"] = Value::from("notifier");
    other_kind["world"] = Value::from("bulkhead:notifier/notifier@0.1.0");
    let mut cut = renderer();
    cut.truncate(cut.len() / 2);
    vec![
        ("CoreModule", b"\0asm\x01\0\0\0".to_vec()),
        ("NotAComponent", b"\x1f\x8b\x08\0 no component".to_vec()),
        ("NotAComponent", cut),
        ("MissingExport", b"\0asm\x0d\0\x01\0".to_vec()),
        ("NewerInterface", of_version("0.2.0")),
        ("OlderInterface", of_version("0.0.9")),
        ("NewerHost", embed(&package("renderer", &wat), &newer_host)),
        (
            "InvalidManifest",
            embed(&package("renderer", &wat), &other_kind),
        ),
    ]
}

fn renderer_of_body(body: &str) -> Vec<u8> {
    let export = r#"
      (func (export "bulkhead:renderer/render@0.1.0#render") (param $args i32) (result i32)
        (local $result i32)
        (local.set $result (call $render (local.get $args)))
        (call $drop (i32.load (local.get $args)))
        (local.get $result))"#;
    let wat = format!("(module {RENDER} {PRELUDE} {body} {export})");
    embed(
        &package("renderer", &wat),
        &manifest_of("renderer", "0.1.0"),
    )
}

/// A renderer whose code takes the compiler long: so many functions that nobody calls.
pub(crate) fn costly(functions: usize) -> Vec<u8> {
    let step =
        "(local.set 0 (i32.add (i32.mul (local.get 0) (i32.const 1103515245)) (i32.const 12345)))";
    let one = format!(
        "(func (param i32) (result i32) {} (local.get 0))",
        step.repeat(10)
    );
    let body = format!(
        "(func $render (param i32) (result i32) (unreachable)) (table funcref (elem $render)) {}",
        one.repeat(functions)
    );
    renderer_of_body(&body)
}

/// A transformer that labels every object with `team: web`.
pub(crate) fn labels() -> Vec<u8> {
    let component = package("transformer", &format!("(module {PRELUDE} {LABEL})"));
    with_manifest(&component, "transformer", Value::Bool(true))
}

/// A transformer that traps.
pub(crate) fn trapping() -> Vec<u8> {
    let component = package("transformer", &format!("(module {PRELUDE} {TRAP})"));
    with_manifest(&component, "transformer", Value::Bool(true))
}

fn manifest_of(kind: &str, version: &str) -> Value {
    serde_json::json!({
        "kind": kind,
        "name": "test",
        "version": version,
        "world": format!("bulkhead:renderer/{kind}@0.1.0"),
    })
}

fn package(world: &str, wat: &str) -> Vec<u8> {
    package_of(world, wat, "0.1.0")
}

fn package_of(world: &str, wat: &str, version: &str) -> Vec<u8> {
    let renamed = |text: &str| text.replace("0.1.0", version);
    let mut resolve = Resolve::default();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../wit");
    for file in ["base/types.wit", "renderer/renderer.wit"] {
        let text = std::fs::read_to_string(folder.join(file)).expect("the WIT is there");
        let text = renamed(&text);
        resolve.push_str(file, &text).expect("the WIT parses");
    }
    let text = format!(
        "package test:guest;\nworld guest {{ include bulkhead:renderer/{world}@0.1.0; }}\n"
    );
    let package = resolve
        .push_str("guest.wit", &renamed(&text))
        .expect("the world parses");
    let world = resolve
        .select_world(&[package], Some("guest"))
        .expect("the world is there");
    let mut module = wat::parse_str(renamed(wat)).expect("the guest parses");
    embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8).expect("embeds");
    let encoder = ComponentEncoder::default().validate(true).module(&module);
    let encoded = encoder.and_then(|mut encoder| encoder.encode());
    encoded.expect("the guest fits its world")
}

/// Adds the manifest, in the custom section that `bulkhead plugin build` writes.
fn with_manifest(component: &[u8], kind: &str, schema: Value) -> Vec<u8> {
    let manifest = serde_json::json!({
        "kind": kind,
        "name": "test",
        "version": "0.1.0",
        "world": format!("bulkhead:renderer/{kind}@0.1.0"),
        "configSchema": schema,
    });
    embed(component, &manifest)
}

fn embed(component: &[u8], manifest: &Value) -> Vec<u8> {
    let name = b"bulkhead:manifest";
    let mut content = leb(name.len());
    content.extend_from_slice(name);
    content.extend_from_slice(manifest.to_string().as_bytes());
    let mut component = component.to_vec();
    component.push(0);
    component.extend(leb(content.len()));
    component.extend(content);
    component
}

fn leb(mut number: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    loop {
        let low = (number & 0x7f) as u8;
        number >>= 7;
        if number == 0 {
            bytes.push(low);
            return bytes;
        }
        bytes.push(low | 0x80);
    }
}
