//! P28, P7: what is refused before it runs.

use bulkhead_wasm::{LoadError, PluginKind};

use crate::fake::{
    self, HELLO, failure, load, package, render, renderer, renderer_of_version, renderer_with,
    request, text,
};

#[tokio::test]
async fn a_renderer_loads_and_renders() {
    let plugin = load(&renderer(HELLO)).await.unwrap();
    assert_eq!(plugin.kind(), PluginKind::Renderer);
    assert_eq!((plugin.name(), plugin.version()), ("fake", "0.1.0"));
    assert!(
        plugin
            .imports()
            .iter()
            .any(|import| import == "bulkhead:base/tree@0.1.0")
    );
    let rendered = plugin.render(request()).await.unwrap();
    assert_eq!(text(&rendered), "kind: A");
    assert_eq!(rendered.usage.output_bytes, 7);
    assert_eq!(rendered.usage.peak_memory_bytes, 2 * 65536);
    assert!(rendered.is_cacheable());
}

#[tokio::test]
async fn other_files_are_no_components() {
    let error = load(b"not wasm").await.unwrap_err();
    assert!(matches!(error, LoadError::NotAComponent { .. }), "{error}");
    let core = wat::parse_str("(module)").unwrap();
    let error = load(&core).await.unwrap_err();
    assert!(matches!(error, LoadError::CoreModule { .. }), "{error}");
    assert!(error.advice().hint.unwrap().contains("component new"));
}

#[tokio::test]
async fn a_broken_component_does_not_compile() {
    let mut bytes = renderer(HELLO);
    bytes.truncate(bytes.len() / 2);
    let error = load(&bytes).await.unwrap_err();
    assert!(matches!(error, LoadError::Compile { .. }), "{error}");
    assert_eq!(error.advice().reason, "PluginIncompatible");
}

#[tokio::test]
async fn features_that_are_off_do_not_compile() {
    for memory in ["(memory i64 1)", "(memory 1 1 shared)"] {
        let bytes = wat::parse_str(format!("(component (core module {memory}))")).unwrap();
        let error = load(&bytes).await.unwrap_err();
        assert!(
            matches!(error, LoadError::Compile { .. }),
            "{memory}: {error}"
        );
    }
}

#[tokio::test]
async fn a_component_without_our_exports_is_refused_with_what_it_has() {
    let bytes = wat::parse_str(r#"(component (instance $i) (export "a:b/c" (instance $i)))"#);
    let error = load(&bytes.unwrap()).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "fake 0.1.0 exports `a:b/c`, but a plugin exports one of \
         `bulkhead:renderer/render@0.1.0`, `bulkhead:renderer/transform@0.1.0`, \
         `bulkhead:notifier/notify@0.1.0`"
    );
}

#[tokio::test]
async fn network_does_not_link() {
    for (interface, function, hint) in [
        ("wasi:http/types@0.2.3", "ready", "--disable http"),
        ("wasi:sockets/network@0.2.3", "open", "--stub-wasi"),
    ] {
        let import = format!(r#"(import "{interface}" "{function}" (func (result i32)))"#);
        let bytes = renderer_with(&format!("import {interface};"), &import, HELLO);
        let error = load(&bytes).await.unwrap_err();
        assert_eq!(
            error.to_string(),
            format!("fake 0.1.0 imports `{interface}`, which renderers do not get")
        );
        assert!(error.advice().hint.unwrap().contains(hint), "{interface}");
    }
}

#[tokio::test]
async fn an_import_of_nobody_is_named() {
    let bytes = renderer_with(
        "import steal: func();",
        r#"(import "$root" "steal" (func))"#,
        HELLO,
    );
    let error = load(&bytes).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "fake 0.1.0 imports `steal`, which renderers do not get"
    );
}

#[tokio::test]
async fn transformers_get_no_tree() {
    let bytes = package(
        "include bulkhead:renderer/transformer@0.1.0; import bulkhead:base/tree@0.1.0;",
        r#"(module
          (import "bulkhead:base/tree@0.1.0" "[resource-drop]tree" (func (param i32)))
          (memory (export "memory") 1)
          (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) unreachable)
          (func (export "bulkhead:renderer/transform@0.1.0#transform")
            (param i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32) (result i32)
            unreachable))"#,
        str::to_owned,
    );
    let error = load(&bytes).await.unwrap_err();
    assert!(matches!(error, LoadError::ForeignImport { .. }), "{error}");
    assert!(
        error
            .advice()
            .hint
            .unwrap()
            .contains("only renderers read files")
    );
}

#[tokio::test]
async fn versions_that_fit_run_and_others_are_named() {
    let rendered = render(&renderer_of_version("0.1.9"), request())
        .await
        .unwrap();
    assert_eq!(text(&rendered), "kind: A");
    let error = load(&renderer_of_version("0.2.0")).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "fake 0.1.0 was built for `bulkhead:renderer/render@0.2.0`, \
         this host has `bulkhead:renderer/render@0.1.0`"
    );
}

#[tokio::test]
async fn an_interface_of_another_shape_is_refused() {
    let rename = |text: &str| text.replace("size: u64,", "size: u32,");
    let body = fake::PROBE;
    let bytes = renderer(body);
    assert!(load(&bytes).await.is_ok());
    let bytes = fake::renderer_renamed(body, rename);
    let error = load(&bytes).await.unwrap_err();
    assert!(matches!(error, LoadError::Incompatible { .. }), "{error}");
}

#[tokio::test]
async fn a_renderer_is_asked_for_no_other_work() {
    let plugin = load(&renderer(HELLO)).await.unwrap();
    let request = bulkhead_wasm::TransformRequest::new(Vec::new());
    let error = failure(plugin.transform(request).await);
    assert_eq!(error.to_string(), "it is a renderer, not a transformer");
}
