//! Reads YAML and JSON texts into JSON values: the host's only YAML reader for manifests.
//!
//! Either the same value as Go's sigs.k8s.io/yaml, or an error with line and column; never a silent
//! difference. Duplicate keys are errors, but in charts and values, which others wrote: there the last
//! counts, as in Go. Aliases are expanded within a budget, nesting is limited, and nothing here recurses
//! on input deeper than that limit.

mod build;
pub mod pieces;
mod scalar;
mod write;

use granit_parser::{Event, Parser};
use serde_json::Value;

use build::Builder;
pub use write::write;

/// How deep mappings and sequences may nest.
pub const MAX_DEPTH: usize = 128;
/// How many nodes a text may have, those behind aliases counted each time.
pub const MAX_NODES: usize = 4_000_000;
/// How many bytes of keys and scalars a text may have, those behind aliases counted each time.
pub const MAX_BYTES: usize = 64 * 1024 * 1024;

/// One document of a text.
#[derive(Clone, Debug, PartialEq)]
pub struct Document {
    /// What it says; `Null` for a document without content.
    pub value: Value,
    /// The line where its content starts, from 1.
    pub line: usize,
}

/// Why a text could not be read, and where.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}, column {column}: {message}")]
pub struct YamlError {
    /// Line, from 1.
    pub line: usize,
    /// Column, from 1.
    pub column: usize,
    /// What is wrong.
    pub message: String,
}

/// Reads all documents of a YAML or JSON text; comments and empty documents give none.
///
/// # Errors
/// The first mistake, or the first limit passed: [`MAX_DEPTH`], [`MAX_NODES`], [`MAX_BYTES`].
///
/// # Examples
/// ```
/// let documents = bulkhead_api::yaml::read("a: 1\n---\n# nothing\n---\nb: on\n")?;
/// assert_eq!(documents[1].value, serde_json::json!({ "b": true }));
/// # Ok::<(), bulkhead_api::yaml::YamlError>(())
/// ```
pub fn read(text: &str) -> Result<Vec<Document>, YamlError> {
    all(text, Builder::new())
}

/// Reads all documents as [`read`] does, and takes what Go's reader takes without a word: of keys that
/// are there twice the last counts, and `<<` wins over keys before it.
///
/// # Errors
/// As [`read`].
pub fn read_lenient(text: &str) -> Result<Vec<Document>, YamlError> {
    all(text, Builder::lenient())
}

/// Reads the first document as [`read_lenient`] does; what follows is not looked at, as in Go.
///
/// # Errors
/// As [`read`].
pub fn read_first(text: &str) -> Result<Value, YamlError> {
    let mut first = Value::Null;
    each(text, Builder::lenient(), |document| {
        first = document.value;
        false
    })?;
    Ok(first)
}

/// Returns all documents but those that are null.
fn all(text: &str, builder: Builder) -> Result<Vec<Document>, YamlError> {
    let mut documents = Vec::new();
    each(text, builder, |document| {
        documents.extend(Some(document).filter(|document| !document.value.is_null()));
        true
    })?;
    Ok(documents)
}

/// Gives each document to `take`, until that says `false`.
fn each(
    text: &str,
    mut builder: Builder,
    mut take: impl FnMut(Document) -> bool,
) -> Result<(), YamlError> {
    let options = granit_parser::options! {
        emit_comments: false,
        flow_nesting_limit: MAX_DEPTH + 1,
        block_nesting_limit: MAX_DEPTH + 1,
        block_scalar_eof_without_line_feed: true,
    };
    for event in Parser::new_from_str_with_options(text, options) {
        let (event, span) = event.map_err(|error| scan_error(&error))?;
        let (line, column) = (span.start.line(), span.start.col() + 1);
        let done = builder
            .take(event_of(event), line)
            .map_err(|message| YamlError {
                line,
                column,
                message,
            })?;
        if done.is_some_and(|document| !take(document)) {
            break;
        }
    }
    Ok(())
}

fn scan_error(error: &granit_parser::ScanError) -> YamlError {
    let marker = error.marker();
    YamlError {
        line: marker.line(),
        column: marker.col() + 1,
        message: error.info(),
    }
}

/// What the builder needs of an event.
enum Part<'text> {
    Start,
    End,
    Alias(usize),
    Scalar {
        text: std::borrow::Cow<'text, str>,
        plain: bool,
        anchor: usize,
        tag: Option<String>,
    },
    OpenSequence {
        anchor: usize,
    },
    OpenMapping {
        anchor: usize,
    },
    Close,
    Nothing,
}

fn event_of(event: Event<'_>) -> Part<'_> {
    match event {
        Event::DocumentStart(..) => Part::Start,
        Event::DocumentEnd => Part::End,
        Event::Alias(anchor) => Part::Alias(anchor),
        Event::Scalar(text, style, anchor, tag) => Part::Scalar {
            text,
            plain: style == granit_parser::ScalarStyle::Plain,
            anchor,
            // A tag of YAML itself by its short name; any other leaves the text as it is.
            tag: tag.map(|tag| match tag.suffix_in_namespace("tag:yaml.org,2002:") {
                Some(name) => name.into_owned(),
                None => "str".to_owned(),
            }),
        },
        Event::SequenceStart(_, anchor, _) => Part::OpenSequence { anchor },
        Event::MappingStart(_, anchor, _) => Part::OpenMapping { anchor },
        Event::SequenceEnd | Event::MappingEnd => Part::Close,
        _ => Part::Nothing,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn one(text: &str) -> Value {
        let documents = read(text).expect(text);
        assert_eq!(documents.len(), 1, "{text}");
        documents[0].value.clone()
    }

    fn error(text: &str) -> String {
        read(text).expect_err(text).to_string()
    }

    // Each answer is that of sigs.k8s.io/yaml 1.6.
    #[test]
    fn files_of_charts_are_read_as_leniently_as_in_go() {
        let lenient = |text: &str| read_lenient(text).expect(text)[0].value.clone();
        assert_eq!(
            lenient("a: 1\nb: {c: 1}\na: 2\nb: {d: 1}\n"),
            json!({ "a": 2, "b": { "d": 1 } })
        );
        let merged = lenient("x: &x {a: 1, b: 1}\nz:\n  a: 0\n  <<: *x\n  b: 2\n");
        assert_eq!(merged["z"], json!({ "a": 1, "b": 2 }));
        let both = lenient("x: &x {a: 1}\ny: &y {a: 2, b: 2}\nz: {<<: [*x, *y]}\n");
        assert_eq!(both["z"], json!({ "a": 1, "b": 2 }));
        assert_eq!(
            read_first("a: 1\n---\n[\n").expect("one"),
            json!({ "a": 1 })
        );
        assert_eq!(read_first("# nothing\n").expect("none"), Value::Null);
        assert!(read_lenient("a: [").is_err());
    }

    #[test]
    fn documents_are_split_and_empty_ones_dropped() {
        let documents = read("---\n# only a comment\n---\na: 1\n...\n---\nnull\n---\nb: [1, x]\n")
            .expect("valid");
        let values: Vec<_> = documents
            .iter()
            .map(|document| document.value.clone())
            .collect();
        assert_eq!(values, [json!({ "a": 1 }), json!({ "b": [1, "x"] })]);
        assert_eq!(documents[0].line, 4);
    }

    #[test]
    fn keys_become_text_as_in_go() {
        let text = "1: a\nyes: c\n0x10: d\n1.5: e\n'on': f\n";
        assert_eq!(
            one(text),
            json!({ "1": "a", "true": "c", "16": "d", "1.5": "e", "on": "f" })
        );
        assert_eq!(
            error("true: 1\nyes: 2"),
            "line 2, column 1: the key `true` is there twice"
        );
    }

    #[test]
    fn merge_keys_lose_to_the_mapping_and_to_earlier_ones() {
        let text = "x: &x {a: 1, b: 1}\ny: &y {b: 2, c: 2}\nz:\n  <<: [*x, *y]\n  a: 0\n";
        assert_eq!(one(text)["z"], json!({ "a": 0, "b": 1, "c": 2 }));
        let text = "x: &x {a: 1}\nz:\n  b: 0\n  <<: *x\n";
        assert_eq!(one(text)["z"], json!({ "b": 0, "a": 1 }));
        // Two of Go's readers differ here.
        let text = "x: &x {a: 1}\nz:\n  a: 0\n  <<: *x\n";
        assert!(
            error(text).contains("`<<` comes after the key `a`"),
            "{}",
            error(text)
        );
    }

    #[test]
    fn block_text_keeps_its_line_ends() {
        assert_eq!(one("a: |\n  x\n  y\n"), json!({ "a": "x\ny\n" }));
        assert_eq!(one("a: >-\n  x\n  y\n"), json!({ "a": "x y" }));
    }

    #[test]
    fn json_is_yaml() {
        assert_eq!(
            one(r#"{"a": {"b": [1, 2.50, "\u00e9", null]}}"#)["a"]["b"][1],
            json!(2.5)
        );
    }

    #[test]
    fn a_binary_scalar_is_its_text() {
        assert_eq!(
            one("a: !!binary aGVsbG8=\nb: !!str 1\nc: !custom 1"),
            json!({
                "a": "hello", "b": "1", "c": "1",
            })
        );
    }

    #[test]
    fn mistakes_name_line_and_column() {
        assert_eq!(
            error("a: 1\nb: 2\na: 3\n"),
            "line 3, column 1: the key `a` is there twice"
        );
        assert_eq!(
            error("a: .inf"),
            "line 1, column 4: `.inf` has no value in JSON: quote it"
        );
        assert!(
            error("a: [1, 2").starts_with("line 1, column"),
            "{}",
            error("a: [1, 2")
        );
        assert!(
            error("a:\n\t- b").starts_with("line 2, column"),
            "{}",
            error("a:\n\t- b")
        );
        assert_eq!(
            error("? [a]\n: b"),
            "line 1, column 3: a key must be a scalar"
        );
        assert!(
            error("a: *nobody").contains("line 1"),
            "{}",
            error("a: *nobody")
        );
        assert_eq!(
            error("a: &a [*a]"),
            "line 1, column 8: the alias is inside of its own anchor"
        );
    }

    #[test]
    fn nesting_is_limited() {
        let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        assert!(read(&nested(MAX_DEPTH)).is_ok());
        assert!(error(&nested(MAX_DEPTH + 1)).contains("nest"));
        assert!(read(&nested(100_000)).is_err());
        let block = |depth: usize| {
            (0..depth)
                .map(|i| " ".repeat(i) + "a:\n")
                .collect::<String>()
        };
        assert!(read(&block(MAX_DEPTH)).is_ok());
        assert!(error(&block(MAX_DEPTH + 1)).contains("nest"));
    }

    #[test]
    fn a_billion_laughs_are_refused() {
        let mut text = String::from("a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n");
        for level in 1..10 {
            let below = vec![format!("*a{}", level - 1); 10].join(",");
            text += &format!("a{level}: &a{level} [{below}]\n");
        }
        assert!(error(&text).contains("4000000 nodes"), "{}", error(&text));
    }
}
