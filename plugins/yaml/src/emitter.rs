//! Events to text, as libyaml's emitter does with go-yaml's comment handling. In: one event at a
//! time. Out: text. `write.rs` has how one scalar, tag or comment is written.

use crate::Dialect;
use crate::shape::Shape;
use crate::token::ScalarStyle;

/// One step of writing. Comments live as long as what is written, since they may come out later.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Out<'e, 'a> {
    pub(crate) kind: OutKind,
    pub(crate) anchor: &'e str,
    /// The tag to write, short or long; empty for none.
    pub(crate) tag: &'e str,
    pub(crate) value: &'e str,
    pub(crate) style: ScalarStyle,
    pub(crate) flow: bool,
    /// Whether the collection that starts is empty.
    pub(crate) empty: bool,
    pub(crate) head: &'a str,
    pub(crate) line: &'a str,
    pub(crate) foot: &'a str,
    pub(crate) tail: &'a str,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum OutKind {
    DocumentStart,
    DocumentEnd,
    Alias,
    Scalar,
    SequenceStart,
    SequenceEnd,
    MappingStart,
    MappingEnd,
}

impl Out<'_, '_> {
    pub(crate) fn new(kind: OutKind) -> Self {
        Self {
            kind,
            anchor: "",
            tag: "",
            value: "",
            style: ScalarStyle::Plain,
            flow: false,
            empty: false,
            head: "",
            line: "",
            foot: "",
            tail: "",
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    FirstDocumentStart,
    DocumentStart,
    DocumentContent,
    DocumentEnd,
    FlowSequenceFirstItem,
    FlowSequenceTrailItem,
    FlowSequenceItem,
    FlowMappingFirstKey,
    FlowMappingTrailKey,
    FlowMappingKey,
    FlowMappingSimpleValue,
    FlowMappingValue,
    BlockSequenceFirstItem,
    BlockSequenceItem,
    BlockMappingFirstKey,
    BlockMappingKey,
    BlockMappingSimpleValue,
    BlockMappingValue,
}

/// Where a node stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Context {
    Root,
    Sequence,
    Mapping,
    SimpleKey,
}

pub(crate) struct Emitter<'a> {
    pub(crate) out: String,
    pub(crate) dialect: Dialect,
    pub(crate) best_indent: i32,
    pub(crate) best_width: usize,
    compact_sequences: bool,
    state: State,
    pub(crate) states: Vec<State>,
    indents: Vec<i32>,
    pub(crate) indent: i32,
    pub(crate) flow_level: usize,
    mapping_context: bool,
    pub(crate) simple_key_context: bool,
    pub(crate) column: usize,
    /// Whether the last character was a blank or an indicator that needs none behind it.
    pub(crate) whitespace: bool,
    /// Whether the line holds nothing but indentation and indicators.
    pub(crate) indention: bool,
    pub(crate) foot_indent: i32,
    pub(crate) head_comment: &'a str,
    pub(crate) line_comment: &'a str,
    pub(crate) foot_comment: &'a str,
    pub(crate) tail_comment: &'a str,
    key_line_comment: &'a str,
    pub(crate) shape: Shape,
}

impl<'a> Emitter<'a> {
    pub(crate) fn new(
        dialect: Dialect,
        indent: usize,
        width: Option<usize>,
        compact: bool,
    ) -> Self {
        let indent = if (2..=9).contains(&indent) { indent } else { 2 };
        Self {
            out: String::new(),
            dialect,
            best_indent: indent as i32,
            best_width: match width {
                None => usize::MAX,
                Some(width) if width <= indent * 2 => 80,
                Some(width) => width,
            },
            compact_sequences: compact,
            state: State::FirstDocumentStart,
            states: Vec::new(),
            indents: Vec::new(),
            indent: -1,
            flow_level: 0,
            mapping_context: false,
            simple_key_context: false,
            column: 0,
            whitespace: true,
            indention: true,
            foot_indent: -1,
            head_comment: "",
            line_comment: "",
            foot_comment: "",
            tail_comment: "",
            key_line_comment: "",
            shape: Shape::default(),
        }
    }

    pub(crate) fn emit(&mut self, event: Out<'_, 'a>) {
        for (comment, new) in [
            (&mut self.head_comment, event.head),
            (&mut self.line_comment, event.line),
            (&mut self.foot_comment, event.foot),
            (&mut self.tail_comment, event.tail),
        ] {
            if !new.is_empty() {
                *comment = new;
            }
        }
        if event.kind == OutKind::Scalar {
            self.shape = Shape::of(event.value, self.dialect);
        }
        match self.state {
            State::FirstDocumentStart => self.document_start(true),
            State::DocumentStart => self.document_start(false),
            State::DocumentContent => {
                self.states.push(State::DocumentEnd);
                self.write_head_comment();
                self.node(event, Context::Root);
                self.write_line_comment();
                self.write_foot_comment();
            }
            State::DocumentEnd => self.document_end(),
            State::FlowSequenceFirstItem => self.flow_sequence_item(event, true, false),
            State::FlowSequenceTrailItem => self.flow_sequence_item(event, false, true),
            State::FlowSequenceItem => self.flow_sequence_item(event, false, false),
            State::FlowMappingFirstKey => self.flow_mapping_key(event, true, false),
            State::FlowMappingTrailKey => self.flow_mapping_key(event, false, true),
            State::FlowMappingKey => self.flow_mapping_key(event, false, false),
            State::FlowMappingSimpleValue => self.flow_mapping_value(event, true),
            State::FlowMappingValue => self.flow_mapping_value(event, false),
            State::BlockSequenceFirstItem => self.block_sequence_item(event, true),
            State::BlockSequenceItem => self.block_sequence_item(event, false),
            State::BlockMappingFirstKey => self.block_mapping_key(event, true),
            State::BlockMappingKey => self.block_mapping_key(event, false),
            State::BlockMappingSimpleValue => self.block_mapping_value(event, true),
            State::BlockMappingValue => self.block_mapping_value(event, false),
        }
    }

    pub(crate) fn pop_state(&mut self) {
        self.state = self.states.pop().unwrap_or(State::DocumentEnd);
    }

    pub(crate) fn pop_indent(&mut self) {
        self.indent = self.indents.pop().unwrap_or(-1);
    }

    pub(crate) fn increase_indent(&mut self, flow: bool, indentless: bool, compact: bool) {
        self.indents.push(self.indent);
        if self.indent < 0 {
            self.indent = if flow { self.best_indent } else { 0 };
        } else if indentless {
        } else if self.dialect == Dialect::V2 {
            self.indent += self.best_indent;
        } else if self.states.last() == Some(&State::BlockSequenceItem) {
            // The first step inside a sequence only skips the `- `.
            self.indent += 2;
        } else {
            self.indent = self.best_indent * ((self.indent + self.best_indent) / self.best_indent);
            if compact {
                self.indent -= 2;
            }
        }
    }

    fn document_start(&mut self, first: bool) {
        if !first {
            self.write_indent();
            self.write_indicator("---", true, false, false);
            if self.dialect == Dialect::V3 {
                self.write_indent();
            }
        }
        if !self.head_comment.is_empty() {
            self.write_head_comment();
            self.put_break();
        }
        self.state = State::DocumentContent;
    }

    fn document_end(&mut self) {
        self.foot_indent = 0;
        self.write_foot_comment();
        self.foot_indent = -1;
        self.write_indent();
        self.state = State::DocumentStart;
    }

    fn block_sequence_item(&mut self, event: Out<'_, 'a>, first: bool) {
        if first {
            let inline = self.mapping_context && !self.indention;
            match self.dialect {
                Dialect::V2 => self.increase_indent(false, inline, false),
                Dialect::V3 => {
                    let at_start = self.mapping_context && self.column == 0;
                    let compact = self.compact_sequences && (inline || at_start);
                    self.increase_indent(false, false, compact);
                }
            }
        }
        if event.kind == OutKind::SequenceEnd {
            self.pop_indent();
            self.pop_state();
            return;
        }
        self.write_head_comment();
        self.write_indent();
        self.write_indicator("-", true, false, true);
        self.states.push(State::BlockSequenceItem);
        self.node(event, Context::Sequence);
        self.write_line_comment();
        self.write_foot_comment();
    }

    fn block_mapping_key(&mut self, event: Out<'_, 'a>, first: bool) {
        if first {
            self.increase_indent(false, false, false);
        }
        self.write_head_comment();
        if event.kind == OutKind::MappingEnd {
            self.pop_indent();
            self.pop_state();
            return;
        }
        self.write_indent();
        if !self.line_comment.is_empty() {
            // The scanner gives line comments to values; one on a key is written with its value.
            self.key_line_comment = std::mem::take(&mut self.line_comment);
        }
        if self.is_simple_key(&event) {
            self.states.push(State::BlockMappingSimpleValue);
            self.node(event, Context::SimpleKey);
        } else {
            self.write_indicator("?", true, false, true);
            self.states.push(State::BlockMappingValue);
            self.node(event, Context::Mapping);
        }
    }

    fn block_mapping_value(&mut self, event: Out<'_, 'a>, simple: bool) {
        if simple {
            self.write_indicator(":", false, false, false);
        } else {
            self.write_indent();
            self.write_indicator(":", true, false, true);
        }
        if !self.key_line_comment.is_empty() {
            let starts = matches!(event.kind, OutKind::SequenceStart | OutKind::MappingStart);
            if event.kind == OutKind::Scalar {
                if self.line_comment.is_empty() {
                    self.line_comment = std::mem::take(&mut self.key_line_comment);
                }
            } else if starts && !event.flow {
                std::mem::swap(&mut self.line_comment, &mut self.key_line_comment);
                self.write_line_comment();
                std::mem::swap(&mut self.line_comment, &mut self.key_line_comment);
            }
        }
        self.states.push(State::BlockMappingKey);
        self.node(event, Context::Mapping);
        self.write_line_comment();
        self.write_foot_comment();
    }

    /// Whether a key fits on one line without a `?`.
    pub(crate) fn is_simple_key(&self, event: &Out<'_, 'a>) -> bool {
        let fits = match event.kind {
            OutKind::Alias => true,
            OutKind::Scalar => !self.shape.multiline,
            OutKind::SequenceStart | OutKind::MappingStart => event.empty,
            _ => false,
        };
        let tag = if event.tag.is_empty() {
            0
        } else {
            tag_length(event.tag)
        };
        fits && event.anchor.len() + tag + event.value.len() <= 128
    }

    pub(crate) fn node(&mut self, event: Out<'_, 'a>, context: Context) {
        self.mapping_context = matches!(context, Context::Mapping | Context::SimpleKey);
        self.simple_key_context = context == Context::SimpleKey;
        match event.kind {
            OutKind::Alias => {
                self.write_indicator("*", true, false, false);
                self.write_plain_text(event.anchor);
                self.pop_state();
            }
            OutKind::Scalar => {
                let style = self.select_style(&event);
                self.properties(&event);
                self.increase_indent(true, false, false);
                self.write_scalar(event.value, style);
                self.pop_indent();
                self.pop_state();
            }
            OutKind::SequenceStart => {
                self.properties(&event);
                let flow = self.flow_level > 0 || event.flow || event.empty;
                self.state = if flow {
                    State::FlowSequenceFirstItem
                } else {
                    State::BlockSequenceFirstItem
                };
            }
            OutKind::MappingStart => {
                self.properties(&event);
                let flow = self.flow_level > 0 || event.flow || event.empty;
                self.state = if flow {
                    State::FlowMappingFirstKey
                } else {
                    State::BlockMappingFirstKey
                };
            }
            OutKind::DocumentStart
            | OutKind::DocumentEnd
            | OutKind::SequenceEnd
            | OutKind::MappingEnd => {}
        }
    }

    /// The anchor and the tag of a node.
    fn properties(&mut self, event: &Out<'_, 'a>) {
        if !event.anchor.is_empty() {
            self.write_indicator("&", true, false, false);
            self.write_plain_text(event.anchor);
        }
        if !event.tag.is_empty() {
            self.write_tag(event.tag);
        }
    }

    /// The style that comes nearest to the one asked for.
    fn select_style(&self, event: &Out<'_, 'a>) -> ScalarStyle {
        let shape = &self.shape;
        let flow = self.flow_level > 0;
        let mut style = event.style;
        if self.simple_key_context && shape.multiline {
            style = ScalarStyle::DoubleQuoted;
        }
        if style == ScalarStyle::Plain {
            let plain = if flow {
                shape.flow_plain
            } else {
                shape.block_plain
            };
            let unseen = event.value.is_empty() && (flow || self.simple_key_context);
            if !plain || unseen {
                style = ScalarStyle::SingleQuoted;
            }
        }
        if style == ScalarStyle::SingleQuoted && !shape.single_quoted {
            style = ScalarStyle::DoubleQuoted;
        }
        let block = matches!(style, ScalarStyle::Literal | ScalarStyle::Folded);
        if block && (!shape.block || flow || self.simple_key_context) {
            style = ScalarStyle::DoubleQuoted;
        }
        style
    }
}

/// How long the tag's handle and suffix are together.
fn tag_length(tag: &str) -> usize {
    match tag.strip_prefix(crate::resolve::LONG_PREFIX) {
        Some(name) => name.len() + 2,
        None => tag.len(),
    }
}
