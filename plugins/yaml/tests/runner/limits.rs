//! Every limit at the limit and one past it, on a stack as small as a guest's.
#![allow(clippy::unwrap_used, reason = "a test may")]

use bulkhead_yaml::{
    DecodeOptions, Dialect, EmitOptions, Limits, decode, emit, emit_value, parse, parse_first, sigs,
};

/// Runs on 1 MiB of stack, a guest's default.
fn on_guest_stack(test: impl FnOnce() + Send + 'static) {
    let thread = std::thread::Builder::new()
        .stack_size(1 << 20)
        .spawn(test)
        .unwrap();
    thread.join().unwrap();
}

/// Everything that walks a tree.
fn walk(text: &str) -> Result<(), bulkhead_yaml::Error> {
    for document in parse(text, &Limits::default())? {
        let copy = document.clone();
        assert!(copy.same(&document) && copy == document);
        assert!(!emit(&document, EmitOptions::kyaml()).is_empty());
        for options in [DecodeOptions::V2, DecodeOptions::V3] {
            let value = decode(&document, options)?;
            assert_eq!(value.clone(), value);
            assert!(!emit_value(&value, EmitOptions::v2()).is_empty());
            sigs::to_json(&value)?;
            sigs::to_yaml(&value)?;
        }
    }
    Ok(())
}

#[test]
fn depth_at_the_limit_and_one_past() {
    on_guest_stack(|| {
        for (open, close) in [("[", "]"), ("{a: ", "}")] {
            let nest = |depth: usize| open.repeat(depth) + &close.repeat(depth);
            walk(&nest(1_000)).unwrap();
            let error = walk(&nest(1_001)).unwrap_err();
            assert_eq!(
                error.to_string(),
                "yaml: line 1: exceeded max depth of 1000"
            );
        }
        let blocks = |depth: usize| "- ".repeat(depth) + "a\n";
        walk(&blocks(1_000)).unwrap();
        assert!(walk(&blocks(1_001)).is_err());
        assert!(walk(&blocks(1_000_000)).is_err());
        assert!(walk(&"[".repeat(1_000_000)).is_err());
    });
}

#[test]
fn depth_through_aliases() {
    on_guest_stack(|| {
        // The plain items keep the share of aliases below go-yaml's own bound.
        let chain = |links: usize| {
            let items = (1..links).map(|link| format!("- &a{link} [*a{}]\n", link - 1));
            format!("- [{}]\n- &a0 x\n", "x, ".repeat(10_000)) + &items.collect::<String>()
        };
        walk(&chain(500)).unwrap();
        let error = walk(&chain(502)).unwrap_err().to_string();
        assert_eq!(error, "yaml: exceeded max depth of 1000");
        let merges = (1..10_000).map(|link| format!("m{link}: &m{link}\n  <<: *m{}\n", link - 1));
        let merges = "m0: &m0 {a: b}\n".to_owned() + &merges.collect::<String>();
        assert!(walk(&merges).is_err());
    });
}

#[test]
fn a_billion_laughs() {
    let mut text = String::from("a0: &a0 lol\n");
    for level in 1..10 {
        let aliases = vec![format!("*a{}", level - 1); 9].join(", ");
        text += &format!("a{level}: &a{level} [{aliases}]\n");
    }
    let document = parse(&text, &Limits::default()).unwrap().remove(0);
    for options in [DecodeOptions::V2, DecodeOptions::V3] {
        let error = decode(&document, options).unwrap_err().to_string();
        assert_eq!(error, "yaml: document contains excessive aliasing");
    }
}

#[test]
fn an_alias_of_itself() {
    let document = parse("&a [*a]\n", &Limits::default()).unwrap().remove(0);
    let error = decode(&document, DecodeOptions::V3)
        .unwrap_err()
        .to_string();
    assert_eq!(error, "yaml: anchor 'a' value contains itself");
    assert_eq!(emit(&document, EmitOptions::kyaml()), "&a [*a]\n");
}

#[test]
fn bytes_at_the_limit_and_one_past() {
    let limits = Limits {
        bytes: 10,
        ..Limits::default()
    };
    assert_eq!(parse("a: 1234567", &limits).unwrap().len(), 1);
    let error = parse("a: 12345678", &limits).unwrap_err().to_string();
    assert_eq!(error, "yaml: text is longer than 10 bytes");
    let scalar = "a: ".to_owned() + &"x".repeat(50_000_000);
    assert!(parse(&scalar, &Limits::default()).is_err());
}

#[test]
fn nodes_at_the_limit_and_one_past() {
    let limits = Limits {
        nodes: 4,
        ..Limits::default()
    };
    assert_eq!(parse("- a\n- b", &limits).unwrap().len(), 1);
    let error = parse("- a\n- b\n- c", &limits).unwrap_err().to_string();
    assert_eq!(error, "yaml: line 3: more than 4 nodes");
}

#[test]
fn the_second_document_is_not_looked_at() {
    for dialect in [Dialect::V2, Dialect::V3] {
        let found = parse_first("a: 1\n---\nb: 2\n---\n{", dialect, &Limits::default()).unwrap();
        assert!(found.unwrap().root().get("a").is_some());
    }
}
