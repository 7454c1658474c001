//! Nodes and values to text, as go-yaml's encoders write them. In: a [`Node`], a [`Value`], or any
//! tree that is a [`Source`]. Out: text.

use crate::emitter::{Emitter, Out, OutKind};
use crate::node::{Kind, Node, Style};
use crate::source::{EmitOptions, Source, View};
use crate::token::ScalarStyle;
use crate::value::Value;
use crate::{Dialect, go_text, number, resolve, sort};

/// Writes one document as text; a node that is no document gets one around it.
#[must_use]
pub fn emit(node: &Node, options: EmitOptions) -> String {
    emit_all([node], options)
}

/// Writes documents into one text, `---` between them.
#[must_use]
pub fn emit_all<'a, S: Source<'a>>(
    documents: impl IntoIterator<Item = S>,
    options: EmitOptions,
) -> String {
    let mut encoder = Encoder::new(options);
    for document in documents {
        encoder.encode(document);
    }
    encoder.finish()
}

/// Writes one value as a document; mappings come in Go's order of keys.
#[must_use]
pub fn emit_value(value: &Value, options: EmitOptions) -> String {
    let mut encoder = Encoder::new(options);
    encoder.encode_value(value);
    encoder.finish()
}

/// As [`emit_value`], of what the value's JSON says: times are text, `1.0` is `1`.
pub(crate) fn emit_as_json(value: &Value, options: EmitOptions) -> String {
    let mut encoder = Encoder::new(options);
    encoder.through_json = true;
    encoder.encode_value(value);
    encoder.finish()
}

/// Writes documents one after the other.
pub struct Encoder<'a> {
    emitter: Emitter<'a>,
    /// Whether values are written as if they had been JSON before.
    through_json: bool,
}

impl<'a> Encoder<'a> {
    /// An encoder that has written nothing yet.
    #[must_use]
    pub fn new(options: EmitOptions) -> Self {
        let EmitOptions {
            dialect,
            indent,
            compact_seq_indent,
            width,
        } = options;
        Self {
            emitter: Emitter::new(dialect, indent, width, compact_seq_indent),
            through_json: false,
        }
    }

    /// The text so far.
    #[must_use]
    pub fn finish(self) -> String {
        self.emitter.out
    }

    /// Writes one document.
    pub fn encode<S: Source<'a>>(&mut self, node: S) {
        let view = node.view();
        if view.kind == Kind::Document {
            let start = Out::new(OutKind::DocumentStart);
            self.emitter.emit(Out {
                head: view.head_comment,
                ..start
            });
            if !node.is_empty() {
                self.node(node.child(0), "");
            }
            let end = Out::new(OutKind::DocumentEnd);
            self.emitter.emit(Out {
                foot: view.foot_comment,
                ..end
            });
        } else {
            self.emitter.emit(Out::new(OutKind::DocumentStart));
            self.node(node, "");
            self.emitter.emit(Out::new(OutKind::DocumentEnd));
        }
    }

    /// Writes one document from plain data.
    pub fn encode_value(&mut self, value: &Value) {
        self.emitter.emit(Out::new(OutKind::DocumentStart));
        self.value(value);
        self.emitter.emit(Out::new(OutKind::DocumentEnd));
    }

    fn node<S: Source<'a>>(&mut self, node: S, tail: &'a str) {
        let view = node.view();
        self.node_without_foot(node, view, tail);
    }

    fn node_without_foot<S: Source<'a>>(&mut self, node: S, view: View<'a>, tail: &'a str) {
        match view.kind {
            Kind::Document => (0..node.len()).for_each(|index| self.node(node.child(index), "")),
            Kind::Scalar => self.scalar(view, tail),
            Kind::Alias => {
                let event = Out {
                    anchor: view.value,
                    ..Out::new(OutKind::Alias)
                };
                self.emitter.emit(Out {
                    head: view.head_comment,
                    line: view.line_comment,
                    foot: view.foot_comment,
                    ..event
                });
            }
            Kind::Sequence => {
                self.emitter.emit(Out {
                    tag: shown_tag(&view),
                    anchor: view.anchor,
                    flow: view.style.has(Style::FLOW),
                    empty: node.is_empty(),
                    head: view.head_comment,
                    ..Out::new(OutKind::SequenceStart)
                });
                for index in 0..node.len() {
                    self.node(node.child(index), "");
                }
                let end = Out::new(OutKind::SequenceEnd);
                self.emitter.emit(Out {
                    line: view.line_comment,
                    foot: view.foot_comment,
                    ..end
                });
            }
            Kind::Mapping => self.mapping(node, view, tail),
        }
    }

    /// A mapping. The foot comment of a key comes behind its value, so it is handed to the next
    /// key, or to the end, as a tail.
    fn mapping<S: Source<'a>>(&mut self, node: S, view: View<'a>, tail: &'a str) {
        self.emitter.emit(Out {
            tag: shown_tag(&view),
            anchor: view.anchor,
            flow: view.style.has(Style::FLOW),
            empty: node.len() < 2,
            head: view.head_comment,
            tail,
            ..Out::new(OutKind::MappingStart)
        });
        let mut tail = "";
        for pair in 0..node.len() / 2 {
            let key = node.child(pair * 2);
            let mut view = key.view();
            let foot = std::mem::take(&mut view.foot_comment);
            self.node_without_foot(key, view, tail);
            tail = foot;
            self.node(node.child(pair * 2 + 1), "");
        }
        self.emitter.emit(Out {
            tail,
            line: view.line_comment,
            foot: view.foot_comment,
            ..Out::new(OutKind::MappingEnd)
        });
    }

    fn scalar(&mut self, view: View<'a>, tail: &'a str) {
        let mut tag = view.tag;
        let mut force_quoting = false;
        if !tag.is_empty() && !view.style.has(Style::TAGGED) {
            let short = resolve::short(tag);
            let indicated = short == resolve::STR && view.style.has(Style::INDICATED);
            if indicated || resolve::plain_tag(view.value, Dialect::V3) == short {
                tag = "";
            } else if short == resolve::STR {
                tag = "";
                force_quoting = true;
            }
        }
        let style = match view.style {
            style if style.has(Style::DOUBLE_QUOTED) => ScalarStyle::DoubleQuoted,
            style if style.has(Style::SINGLE_QUOTED) => ScalarStyle::SingleQuoted,
            style if style.has(Style::LITERAL) => ScalarStyle::Literal,
            style if style.has(Style::FOLDED) => ScalarStyle::Folded,
            _ if view.value.contains('\n') => ScalarStyle::Literal,
            _ if force_quoting => ScalarStyle::DoubleQuoted,
            _ => ScalarStyle::Plain,
        };
        self.emitter.emit(Out {
            tag,
            anchor: view.anchor,
            value: view.value,
            style,
            head: view.head_comment,
            line: view.line_comment,
            foot: view.foot_comment,
            tail,
            ..Out::new(OutKind::Scalar)
        });
    }

    fn value(&mut self, value: &Value) {
        match value {
            Value::Null => self.plain("null"),
            Value::Bool(true) => self.plain("true"),
            Value::Bool(false) => self.plain("false"),
            Value::Int(number) => self.plain(&number.to_string()),
            Value::Uint(number) => self.plain(&number.to_string()),
            Value::Float(number) if self.through_json => {
                self.plain(&number::json_yaml_float(*number))
            }
            Value::Float(number) => self.plain(&number::yaml_float(*number)),
            Value::Timestamp(text) if self.through_json => self.text(text),
            Value::Timestamp(text) => self.plain(text),
            Value::String(text) => self.text(text),
            Value::Binary(bytes) => {
                let text = go_text::encode_base64(bytes);
                let multiline = text.contains('\n');
                let style = if multiline {
                    ScalarStyle::Literal
                } else {
                    ScalarStyle::Plain
                };
                let tag = resolve::BINARY;
                self.emitter.emit(Out {
                    value: &text,
                    tag,
                    style,
                    ..Out::new(OutKind::Scalar)
                });
            }
            Value::Sequence(items) => {
                let empty = items.is_empty();
                self.emitter.emit(Out {
                    empty,
                    ..Out::new(OutKind::SequenceStart)
                });
                items.iter().for_each(|item| self.value(item));
                self.emitter.emit(Out::new(OutKind::SequenceEnd));
            }
            Value::Mapping(entries) | Value::Struct(entries) => {
                let empty = entries.is_empty();
                self.emitter.emit(Out {
                    empty,
                    ..Out::new(OutKind::MappingStart)
                });
                let mut sorted: Vec<_> = entries.iter().collect();
                let dialect = self.emitter.dialect;
                if matches!(value, Value::Mapping(_)) {
                    sort::sort(&mut sorted, |entry| &entry.0, dialect);
                }
                for (key, value) in sorted {
                    self.value(key);
                    // Go finds nothing under a key that is not equal to itself.
                    let nan = matches!(key, Value::Float(key) if key.is_nan());
                    self.value(if nan { &Value::Null } else { value });
                }
                self.emitter.emit(Out::new(OutKind::MappingEnd));
            }
        }
    }

    fn plain(&mut self, text: &str) {
        self.emitter.emit(Out {
            value: text,
            ..Out::new(OutKind::Scalar)
        });
    }

    fn text(&mut self, text: &str) {
        let dialect = self.emitter.dialect;
        let style = if text.contains('\n') {
            ScalarStyle::Literal
        } else if reads_as_text(text, dialect) {
            ScalarStyle::Plain
        } else {
            ScalarStyle::DoubleQuoted
        };
        self.emitter.emit(Out {
            value: text,
            style,
            ..Out::new(OutKind::Scalar)
        });
    }
}

/// Whether text without quotes is text to every reader, old ones included.
fn reads_as_text(text: &str, dialect: Dialect) -> bool {
    resolve::plain_tag(text, dialect) == resolve::STR
        && resolve::old_bool(text).is_none()
        && !resolve::is_base60(text)
}

/// The tag of a collection, where it says more than the kind does.
fn shown_tag<'a>(view: &View<'a>) -> &'a str {
    let own = if view.kind == Kind::Mapping {
        resolve::MAP
    } else {
        resolve::SEQ
    };
    let implied = resolve::short(view.tag) == own;
    if implied && !view.style.has(Style::TAGGED) {
        ""
    } else {
        view.tag
    }
}
