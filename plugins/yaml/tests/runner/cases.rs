//! Each file of `cases/` holds a text and what Go makes of it (`cases/README.md`). A case's name is
//! its claim; a new case needs no Rust.
#![allow(clippy::unwrap_used, reason = "a test may")]
#![allow(clippy::disallowed_methods, reason = "reads its own cases")]

use bulkhead_yaml::{
    DecodeOptions, Dialect, EmitOptions, Limits, Value, decode, emit_all, emit_value, parse,
    parse_first, sigs,
};

/// What this crate makes of `input`, by the name of the section that holds Go's answer.
fn answer(section: &str, input: &str) -> String {
    let limits = Limits::default();
    let written = |options| parse(input, &limits).map(|documents| emit_all(&documents, options));
    let result = match section {
        "kyaml" => written(EmitOptions::kyaml()),
        "kyaml wide" => written(EmitOptions::kyaml_wide()),
        "v3" => written(EmitOptions::v3()),
        "sigs json" => sigs::yaml_to_json(input, &limits),
        "sigs strict" => sigs::read(input, true, &limits).and_then(|value| sigs::to_json(&value)),
        "sigs yaml" => sigs::read(input, false, &limits).and_then(|value| sigs::to_yaml(&value)),
        "v3 decoded" => parse_first(input, Dialect::V3, &limits)
            .and_then(|found| {
                found.map_or(Ok(Value::Null), |found| decode(&found, DecodeOptions::V3))
            })
            .map(|value| emit_value(&value, EmitOptions::v3())),
        other => unreachable!("no section is called {other}"),
    };
    result.unwrap_or_else(|error| format!("error: {error}"))
}

#[test]
fn go_says_the_same() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/cases");
    let mut checked = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "case") {
            continue;
        }
        let text = std::fs::read_to_string(&path).unwrap();
        let mut sections = text.split("\u{1}=== ").skip(1).map(|part| {
            let (name, body) = part.split_once('\n').unwrap();
            (name, body.strip_suffix('\n').unwrap())
        });
        let (name, input) = sections.next().unwrap();
        assert_eq!(name, "input", "{path:?}");
        for (section, expected) in sections {
            assert_eq!(answer(section, input), expected, "{section} of {path:?}");
            checked += 1;
        }
    }
    assert!(checked > 200, "cases are missing: {checked} checked");
}
