#![allow(clippy::unwrap_used, reason = "a test may")]

use super::*;

/// A component that imports and exports empty instances of these names.
fn component(imports: &[&str], exports: &[&str]) -> Vec<u8> {
    let import = |name: &&str| format!("(import \"{name}\" (instance))");
    let mut text = String::from("(component ");
    text.extend(imports.iter().map(import));
    for (index, name) in exports.iter().enumerate() {
        text += &format!("(instance $i{index}) (export \"{name}\" (instance $i{index}))");
    }
    wat::parse_str(text + ")").unwrap()
}

const RENDER: &str = "bulkhead:renderer/render@0.1.0";

/// Code and text of each problem but the missing manifest.
fn problems(bytes: &[u8]) -> Vec<String> {
    let inspection = inspect(bytes).unwrap();
    let told = |problem: &Problem| format!("{}: {problem}", problem.code);
    let told: Vec<_> = inspection.problems.iter().map(told).collect();
    told.into_iter()
        .filter(|text| !text.starts_with("no-manifest"))
        .collect()
}

fn manifest(min_host: &str, world: &str) -> Manifest {
    let kind = world.rsplit_once('/').unwrap().1.split_once('@').unwrap().0;
    Manifest::parse(&format!(
        "{{kind: {kind}, name: a, version: '1.0.0', world: '{world}', minHost: '{min_host}'}}"
    ))
    .unwrap()
}

#[test]
fn a_plugin_is_told_with_all_it_asks_for() {
    let imports = ["bulkhead:base/tree@0.1.0", "wasi:cli/stdout@0.2.3"];
    let bytes = component(&imports, &[RENDER]);
    let bytes = manifest("0.1.0", "bulkhead:renderer/renderer@0.1.0").embed(&bytes);
    let inspection = inspect(&bytes).unwrap();
    assert_eq!(inspection.kind, Some(PluginKind::Renderer));
    assert_eq!(
        inspection.world.as_deref(),
        Some("bulkhead:renderer/renderer@0.1.0")
    );
    let classes: Vec<_> = inspection
        .imports
        .iter()
        .map(|import| import.class)
        .collect();
    assert_eq!(classes, [ImportClass::Ours, ImportClass::SealedWasi]);
    assert_eq!(inspection.problems, []);
    assert!(inspection.is_loadable());
    assert_eq!(inspection.size_bytes, bytes.len() as u64);
    assert_eq!(inspection.to_json()["manifest"]["name"], "a");
}

#[test]
fn other_files_are_told_apart() {
    let mut tar = vec![0; 512];
    tar[257..262].copy_from_slice(b"ustar");
    for (bytes, told) in [
        (&b""[..], "it is an empty file, not a WebAssembly component"),
        (
            b"\x1f\x8b\x08",
            "it is a gzip archive, not a WebAssembly component",
        ),
        (
            b"PK\x03\x04",
            "it is a zip archive, not a WebAssembly component",
        ),
        (
            b"\x7fELF\x02",
            "it is a Linux program, not a WebAssembly component",
        ),
        (&tar, "it is a tar archive, not a WebAssembly component"),
        (
            b" {\"schemaVersion\": 2}",
            "it is a JSON document, not a WebAssembly component",
        ),
        (
            b"(component)",
            "it is WebAssembly text, not a WebAssembly component",
        ),
        (
            b"hello",
            "it is something else, not a WebAssembly component",
        ),
        (
            b"\0asm\x01\0\0\0",
            "it is a core WebAssembly module, not a component",
        ),
        (
            b"\0asm\x0c\0\x01\0",
            "it is WebAssembly of a version that this host does not know",
        ),
    ] {
        let error = inspect(bytes).unwrap_err();
        assert_eq!(error.to_string(), told);
        assert!(error.advice().hint.is_some());
    }
}

#[test]
fn a_component_that_is_cut_off_is_broken() {
    let bytes = component(&[], &[RENDER]);
    for length in 9..bytes.len() {
        let result = inspect(&bytes[..length]);
        let whole = crate::sections::sections(&bytes[..length]).all(|section| section.is_ok());
        assert_eq!(result.is_ok(), whole, "{length}: {result:?}");
    }
}

#[test]
fn size_ends_at_the_limit() {
    let limit = usize::try_from(CompileLimits::default().component_bytes).unwrap();
    let mut bytes = crate::sections::COMPONENT.to_vec();
    bytes.extend(crate::sections::custom("a", &vec![0; limit - 8 - 7]));
    assert_eq!(bytes.len(), limit);
    assert!(inspect(&bytes).is_ok());
    bytes.push(0);
    assert!(matches!(
        inspect(&bytes),
        Err(InspectError::TooLarge { .. })
    ));
}

#[test]
fn versions_of_the_wit_are_told_apart() {
    let told = |imports: &[&str], exports: &[&str]| problems(&component(imports, exports));
    assert_eq!(
        told(&[], &["bulkhead:renderer/render@0.2.0"]),
        [
            "newer-wit: it exports `bulkhead:renderer/render@0.2.0`: this host has `bulkhead:renderer/render@0.1.0`"
        ]
    );
    assert_eq!(
        told(&["bulkhead:base/log@0.0.9"], &[RENDER]),
        [
            "older-wit: it imports `bulkhead:base/log@0.0.9`: this host has `bulkhead:base/log@0.1.0`"
        ]
    );
    assert_eq!(
        told(&["bulkhead:base/log@0.1.7"], &[RENDER]),
        [
            "later-wit: it imports `bulkhead:base/log@0.1.7`: this host has `bulkhead:base/log@0.1.0`: it fits unless the plugin uses what came later"
        ]
    );
    assert_eq!(
        told(&[], &["bulkhead:renderer/render"]),
        [
            "unversioned-wit: it exports `bulkhead:renderer/render`: this host has `bulkhead:renderer/render@0.1.0`"
        ]
    );
}

#[test]
fn what_is_missing_or_too_much_is_named() {
    assert_eq!(
        problems(&component(&[], &["wasi:cli/run@0.2.0"])),
        [
            "missing-export: it exports `wasi:cli/run@0.2.0`: a plugin exports one of \
          `bulkhead:renderer/render@0.1.0`, `bulkhead:renderer/transform@0.1.0`, `bulkhead:notifier/notify@0.1.0`"
        ]
    );
    let bytes = component(&["wasi:http/types@0.2.3"], &[RENDER, "a:b/c"]);
    assert_eq!(
        problems(&bytes),
        [
            "foreign-import: it imports `wasi:http/types@0.2.3`: renderers do not get it",
            "extra-export: it exports `a:b/c`: nothing calls it",
        ]
    );
    let inspection = inspect(&bytes).unwrap();
    assert!(!inspection.is_loadable());
    assert!(
        inspection.problems[0]
            .help
            .contains("disableFeatures: ['http', 'fetch-event']")
    );
    let notify = "bulkhead:notifier/notify@0.1.0";
    let told = problems(&component(&["bulkhead:base/tree@0.1.0"], &[notify]));
    assert_eq!(
        told,
        ["foreign-import: it imports `bulkhead:base/tree@0.1.0`: notifiers do not get it"]
    );
    assert!(problems(&component(&[], &[RENDER, notify]))[0].starts_with("several-kinds"));
}

#[test]
fn a_manifest_that_does_not_fit_is_told() {
    let bytes = component(&[], &[RENDER]);
    let with = |manifest: Manifest| problems(&manifest.embed(&bytes));
    assert_eq!(
        with(manifest("99.0.0", "bulkhead:renderer/renderer@0.1.0")),
        [format!(
            "newer-host: it needs Bulkhead 99.0.0: this is Bulkhead {HOST_VERSION}"
        )]
    );
    assert_eq!(
        with(manifest(HOST_VERSION, "bulkhead:renderer/renderer@0.1.0")).len(),
        0
    );
    assert_eq!(
        with(manifest("", "bulkhead:notifier/notifier@0.1.0")),
        ["other-kind: its manifest says that it is a notifier: its exports make it a renderer"]
    );
    assert!(
        with(manifest("", "bulkhead:renderer/renderer@0.2.0"))[0]
            .starts_with("newer-wit: it names")
    );
    let broken = [
        bytes.as_slice(),
        &crate::sections::custom(crate::manifest::SECTION, b"{}"),
    ]
    .concat();
    assert_eq!(
        problems(&broken),
        [
            "invalid-manifest: its manifest is not valid: the plugin's manifest lacks the field `kind`: `renderer`, `transformer` or `notifier`"
        ]
    );
}

#[test]
fn the_wit_of_a_component_is_printed() {
    let text = wit(&component(&["bulkhead:base/log@0.1.0"], &[RENDER])).unwrap();
    assert!(text.contains("import bulkhead:base/log@0.1.0;"), "{text}");
    assert!(text.contains(&format!("export {RENDER};")), "{text}");
}
