//! Reads one large document piece by piece: never the whole text, never the whole tree in memory.
//!
//! In: a reader of YAML or JSON, and a [`Sink`] that says which collections are opened. Out: the
//! pieces, one after another, each a value of its own and of limited size. What is opened is not
//! kept: memory holds one piece, the names of the mapping that is open, and a limited amount of
//! anchored YAML values. What the sink does not want is read over, whatever its size.

mod json;
mod text;
mod yaml;

use std::cell::Cell;
use std::io::{self, BufRead};
use std::rc::Rc;

use serde_json::Value;

use super::YamlError;

/// A step from a collection to what it holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// The value of a key.
    Key(String),
    /// An item of a list, from 0.
    Item(usize),
}

/// A collection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Collection {
    /// Keys and values.
    Mapping,
    /// Items.
    List,
}

/// What becomes of a collection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Look {
    /// It is read piece by piece.
    Inside,
    /// It is one piece.
    Whole,
    /// It is read over, of any size, and nothing is built of it. Anchors in it stand for nothing.
    Over,
}

/// Takes the pieces of a document.
pub trait Sink {
    /// Says what becomes of the collection at `path`.
    ///
    /// # Errors
    /// What is wrong with it, for the user.
    fn opens(&mut self, path: &[Step], collection: Collection) -> Result<Look, String>;

    /// Takes a piece.
    ///
    /// # Errors
    /// What is wrong with it, for the user; nothing more is read.
    fn take(&mut self, path: &[Step], value: Value) -> Result<(), String>;
}

/// Why a document could not be read to its end.
#[derive(Debug, thiserror::Error)]
pub enum PieceError {
    /// The reader failed.
    #[error("failed to read the text")]
    Read(#[source] io::Error),
    /// The text is wrong, or the sink refused a piece.
    #[error(transparent)]
    Text(#[from] YamlError),
    /// A piece is larger than allowed.
    #[error("line {line}: one piece has more than {allowed} bytes")]
    TooLarge {
        /// The line where it starts, or one shortly before.
        line: usize,
        /// The limit.
        allowed: u64,
    },
}

/// Reads one YAML document; others behind it are not looked at, as in Go.
///
/// # Errors
/// [`PieceError`]; an alias must not stand for what is opened. Keys of an opened mapping that are
/// there twice are errors.
pub fn read_yaml(
    reader: impl BufRead,
    piece_bytes: u64,
    sink: &mut impl Sink,
) -> Result<(), PieceError> {
    yaml::read(reader, Meter::new(piece_bytes), sink)
}

/// Reads one JSON document.
///
/// # Errors
/// [`PieceError`]. Keys that are there twice reach the sink twice.
pub fn read_json(
    reader: impl BufRead,
    piece_bytes: u64,
    sink: &mut impl Sink,
) -> Result<(), PieceError> {
    json::read(reader, Meter::new(piece_bytes), sink)
}

/// Counts the bytes that were read since the last piece.
#[derive(Clone)]
struct Meter {
    seen: Rc<Cell<u64>>,
    is_off: Rc<Cell<bool>>,
    allowed: u64,
}

impl Meter {
    /// Bytes that a reader takes ahead of the parser, and that no piece is blamed for.
    const AHEAD: u64 = 128 * 1024;

    fn new(allowed: u64) -> Self {
        Self {
            seen: Rc::default(),
            is_off: Rc::default(),
            allowed,
        }
    }

    fn reset(&self) {
        self.seen.set(0);
    }

    /// Counts nothing until it is turned on again, from 0.
    fn turn(&self, on: bool) {
        self.is_off.set(!on);
        self.reset();
    }

    /// Counts `bytes`; fails when a piece is surely too large.
    fn add(&self, bytes: usize) -> io::Result<()> {
        if self.is_off.get() {
            return Ok(());
        }
        let seen = self.seen.get().saturating_add(bytes as u64);
        self.seen.set(seen);
        if seen > self.allowed.saturating_add(Self::AHEAD) {
            return Err(io::Error::other("too large"));
        }
        Ok(())
    }

    fn is_over(&self) -> bool {
        self.seen.get() > self.allowed.saturating_add(Self::AHEAD)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic, reason = "a test may")]

    use std::io::BufReader;

    use serde_json::json;

    use super::*;

    /// Opens what lies less than `depth` deep and writes down what comes.
    struct Log {
        depth: usize,
        seen: Vec<String>,
    }

    impl Sink for Log {
        fn opens(&mut self, path: &[Step], _: Collection) -> Result<Look, String> {
            Ok(match path.last() {
                Some(Step::Key(key)) if key == "over" => Look::Over,
                _ if path.len() < self.depth => Look::Inside,
                _ => Look::Whole,
            })
        }

        fn take(&mut self, path: &[Step], value: Value) -> Result<(), String> {
            if value == json!("refused") {
                return Err("no".to_owned());
            }
            let path: Vec<String> = path
                .iter()
                .map(|step| match step {
                    Step::Key(key) => key.clone(),
                    Step::Item(at) => at.to_string(),
                })
                .collect();
            self.seen.push(format!("{}={value}", path.join("/")));
            Ok(())
        }
    }

    fn pieces(text: &str, is_yaml: bool, depth: usize, piece: u64) -> Result<Vec<String>, String> {
        let mut log = Log {
            depth,
            seen: Vec::new(),
        };
        // A small buffer, so that characters lie across its ends.
        let reader = BufReader::with_capacity(7, text.as_bytes());
        let done = if is_yaml {
            read_yaml(reader, piece, &mut log)
        } else {
            read_json(reader, piece, &mut log)
        };
        done.map(|()| log.seen).map_err(|error| error.to_string())
    }

    #[test]
    fn the_same_pieces_come_of_yaml_and_json() {
        let yaml = "apiVersion: v1\nentries:\n  a:\n  - {name: a, version: 1.0}\n  - name: ä€😀\n  b: []\n  c: null\ngenerated: x\n";
        let json = r#"{"apiVersion":"v1","entries":{"a":[{"name":"a","version":1},{"name":"ä€😀"}],"b":[],"c":null},"generated":"x"}"#;
        let expected = vec![
            r#"apiVersion="v1""#,
            r#"entries/a/0={"name":"a","version":1}"#,
            r#"entries/a/1={"name":"ä€😀"}"#,
            "entries/c=null",
            r#"generated="x""#,
        ];
        assert_eq!(pieces(yaml, true, 3, 1000).unwrap(), expected);
        assert_eq!(pieces(json, false, 3, 1000).unwrap(), expected);
        assert_eq!(pieces(json, true, 3, 1000).unwrap(), expected);
    }

    #[test]
    fn nothing_is_opened_without_need() {
        assert_eq!(pieces("[1, 2]", true, 0, 10).unwrap(), ["=[1,2]"]);
        assert_eq!(pieces("7", false, 3, 10).unwrap(), ["=7"]);
        assert_eq!(pieces("", true, 3, 10).unwrap(), [""; 0]);
        assert!(pieces("", false, 3, 10).is_err());
    }

    #[test]
    fn what_is_not_wanted_is_read_over_whatever_its_size() {
        let list = format!("[[{}0], {{k: 1}}]", "0, ".repeat(100_000));
        let yaml = format!("a: 1\nover: {list}\nb:\n  over: {list}\n  c: 2\n");
        let json = format!(
            r#"{{"a": 1, "over": {list}, "b": {{"over": {list}, "c": 2}}}}"#,
            list = list.replace("k:", "\"k\":")
        );
        let expected = vec!["a=1", "b/c=2"];
        assert_eq!(pieces(&yaml, true, 2, 10).unwrap(), expected);
        assert_eq!(pieces(&json, false, 2, 10).unwrap(), expected);
        let cut = &json[..json.len() - 20];
        assert!(pieces(cut, false, 2, 10).is_err());
    }

    #[test]
    fn anchored_values_are_kept_within_a_limit() {
        let item = format!("&a [{}0]", "0, ".repeat(50_000));
        let text = format!("- {item}\n").repeat(10);
        let error = pieces(&text, true, 1, 1 << 20).unwrap_err();
        assert!(error.contains("anchors"), "{error}");
        assert!(pieces(&format!("- {item}\n"), true, 1, 1 << 20).is_ok());
    }

    #[test]
    fn anchors_reach_over_pieces() {
        let text = "a: &x {k: v}\nb: *x\n";
        let expected = [r#"a={"k":"v"}"#, r#"b={"k":"v"}"#];
        assert_eq!(pieces(text, true, 1, 100).unwrap(), expected);
        let opened = pieces("a: &x {k: v}\nb: *x\n", true, 2, 100).unwrap_err();
        assert!(opened.contains("anchor"), "{opened}");
    }

    #[test]
    fn mistakes_have_a_place() {
        let twice = pieces("a: 1\nb: 2\na: 3\n", true, 1, 100).unwrap_err();
        assert_eq!(twice, "line 3, column 1: the key `a` is there twice");
        let refused = pieces("a: 1\nb: refused\n", true, 1, 100).unwrap_err();
        assert_eq!(refused, "line 2, column 4: no");
        let refused = pieces("{\"a\":\n\"refused\"}", false, 1, 100).unwrap_err();
        assert!(refused.starts_with("line 2, column"), "{refused}");
        assert!(refused.ends_with(": no"), "{refused}");
        let cut = pieces("{\"a\": [1", false, 1, 100).unwrap_err();
        assert!(cut.starts_with("line 1, column"), "{cut}");
        let mut log = Log {
            depth: 1,
            seen: Vec::new(),
        };
        let latin = read_yaml(&b"a: \xe9\n"[..], 100, &mut log).unwrap_err();
        assert!(bulk(&latin).contains("UTF-8"), "{}", bulk(&latin));
    }

    fn bulk(error: &PieceError) -> String {
        crate::chain(error)
    }

    #[test]
    fn a_piece_has_a_limit_and_a_document_has_none() {
        let allowed = 1000;
        let most = allowed as usize + Meter::AHEAD as usize - 100;
        for is_yaml in [true, false] {
            let fits = format!("[\"{}\"]", "x".repeat(most));
            assert!(pieces(&fits, is_yaml, 1, allowed).is_ok(), "{is_yaml}");
            let over = format!("[\"{}\"]", "x".repeat(most + 20_000));
            let error = pieces(&over, is_yaml, 1, allowed).unwrap_err();
            assert!(error.contains("more than 1000 bytes"), "{error}");
            let many = format!("[{}1]", "\"xxxxxxxxxxxxxxxx\", ".repeat(20_000));
            assert_eq!(pieces(&many, is_yaml, 1, allowed).unwrap().len(), 20_001);
        }
    }
}
