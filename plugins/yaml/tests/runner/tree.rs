//! Nodes as a caller builds and edits them, and the small helpers.
#![allow(clippy::unwrap_used, reason = "a test may")]

use bulkhead_yaml::kyaml::{SequenceStyle, is_value_non_string, sequence_style};
use bulkhead_yaml::{
    EmitOptions, Kind, Limits, Node, Scalar, Style, Value, emit, emit_value, parse, sigs,
};

fn kyaml(node: &Node) -> String {
    emit(node, EmitOptions::kyaml())
}

#[test]
fn built_nodes_are_written_so_that_they_read_back() {
    let text = |value: &str| Node::string(value);
    let node = Node::mapping(vec![
        ("text".to_owned(), text("yes")),
        ("number as text".to_owned(), text("12")),
        ("lines".to_owned(), text("a\nb\n")),
        ("number".to_owned(), Node::int(-5)),
        ("flag".to_owned(), Node::bool(true)),
        ("nothing".to_owned(), Node::null()),
        (
            "items".to_owned(),
            Node::sequence(vec![text("a"), Node::mapping(Vec::new())]),
        ),
    ]);
    let expected = "text: yes\nnumber as text: \"12\"\nlines: |\n  a\n  b\nnumber: -5\nflag: true\n\
                    nothing: null\nitems:\n- a\n- {}\n";
    assert_eq!(kyaml(&node), expected);
    let read = parse(expected, &Limits::default()).unwrap().remove(0);
    assert!(read.root().same(&node));
}

#[test]
fn mappings_are_edited_in_place() {
    let mut document = parse("a: 1 # one\nb: 2\n", &Limits::default())
        .unwrap()
        .remove(0);
    let root = &mut document.content[0];
    assert_eq!(root.get("b").and_then(Node::as_str), Some("2"));
    root.insert("a", Node::int(9)).unwrap();
    assert!(root.insert("c", Node::null()).is_none());
    assert_eq!(root.remove("b").unwrap().value, "2");
    assert!(root.remove("b").is_none() && Node::int(1).get("a").is_none());
    assert_eq!(root.entries().count(), 2);
    assert!(root.get("c").unwrap().is_null());
    assert_eq!(kyaml(&document), "a: 9\nc: null\n");
}

#[test]
fn tags_are_found_out() {
    let mut node = Node {
        value: "0x10".to_owned(),
        ..Node::default()
    };
    assert_eq!(
        (node.short_tag(), node.resolved()),
        ("!!int", Some(Scalar::Int(16)))
    );
    node.style = Style::DOUBLE_QUOTED;
    assert_eq!(
        (node.short_tag(), node.resolved()),
        ("!!str", Some(Scalar::String))
    );
    node.tag = "tag:yaml.org,2002:float".into();
    assert_eq!(node.short_tag(), "!!float");
    assert_eq!(
        Node {
            kind: Kind::Mapping,
            ..Node::default()
        }
        .short_tag(),
        "!!map"
    );
}

#[test]
fn anchors_have_numbers() {
    let document = parse("- &a x\n- *a\n- &a y\n- *a\n", &Limits::default())
        .unwrap()
        .remove(0);
    let numbers: Vec<u32> = document
        .root()
        .content
        .iter()
        .map(|node| node.anchor_id)
        .collect();
    assert_eq!(numbers, [1, 1, 2, 2]);
}

#[test]
fn sequence_styles_are_derived() {
    let cases = [
        ("a:\n- b\n", SequenceStyle::Compact),
        ("a:\n  - b\n", SequenceStyle::Wide),
        ("a:\n# why\n  - b\n", SequenceStyle::Wide),
        ("a: |\n  - b\nc:\n- d\n", SequenceStyle::Compact),
        ("- a\n", SequenceStyle::Compact),
        ("", SequenceStyle::Compact),
    ];
    for (text, expected) in cases {
        assert_eq!(sequence_style(text), expected, "{text}");
    }
}

#[test]
fn old_readers_take_more_than_text() {
    for text in ["yes", "1", "1.5", "~", "0o7x: 1", "[a]", "!!int 5"] {
        assert!(is_value_non_string(text), "{text}");
    }
    for text in ["", "a", "2001-01-01", "a\nb: c", "'1'", "{", "0o17x"] {
        assert!(!is_value_non_string(text), "{text}");
    }
}

#[test]
fn values_are_written_as_their_json_would_be() {
    let float = |number| sigs::to_yaml(&Value::Float(number)).unwrap();
    assert_eq!(
        [float(1.0), float(-0.0), float(1e6)],
        ["1\n", "0\n", "1000000\n"]
    );
    assert_eq!(
        [float(1e19), float(1e20)],
        ["10000000000000000000\n", "1e+20\n"]
    );
    assert_eq!(
        [float(0.1), float(1e-7), float(1.5e300)],
        ["0.1\n", "1e-07\n", "1.5e+300\n"]
    );
    assert_eq!(emit_value(&Value::Float(1e6), EmitOptions::v3()), "1e+06\n");
    let text = |text: &str| sigs::to_yaml(&Value::String(text.to_owned()));
    let error = text("a\u{7F}").unwrap_err().to_string();
    assert_eq!(error, "yaml: control characters are not allowed");
    assert_eq!(text("a \u{85} b").unwrap(), "a b\n");
}

#[test]
fn bytes_that_are_no_text_are_refused_as_in_go() {
    let error = |bytes: &[u8]| parse(bytes, &Limits::default()).unwrap_err().to_string();
    assert_eq!(error(b"a: \xFF"), "yaml: invalid leading UTF-8 octet");
    assert_eq!(error(b"a: \xC3"), "yaml: incomplete UTF-8 octet sequence");
    assert_eq!(error(b"a: \xC3("), "yaml: invalid trailing UTF-8 octet");
    assert_eq!(
        error(b"a: \xC0\x80"),
        "yaml: invalid length of a UTF-8 sequence"
    );
    assert_eq!(error(b"a: \xED\xA0\x80"), "yaml: invalid Unicode character");
    assert_eq!(
        error(b"a: \x00"),
        "yaml: control characters are not allowed"
    );
    assert_eq!(
        error(b"\xFF\xFEa\x00:"),
        "yaml: incomplete UTF-16 character"
    );
    assert_eq!(
        error(b"\xFF\xFE\x00\xDC"),
        "yaml: unexpected low surrogate area"
    );
}

#[test]
fn utf_16_with_a_mark_is_read() {
    let text = "a: \u{1F600}é\n";
    let mut little = vec![0xFF, 0xFE];
    little.extend(text.encode_utf16().flat_map(u16::to_le_bytes));
    let mut big = vec![0xFE, 0xFF];
    big.extend(text.encode_utf16().flat_map(u16::to_be_bytes));
    for bytes in [little, big] {
        let document = parse(&bytes, &Limits::default()).unwrap().remove(0);
        assert_eq!(document.root().get("a").unwrap().value, "\u{1F600}é");
    }
}
