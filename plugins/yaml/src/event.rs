//! What the parser hands on: events, and the states of its grammar between them.

use std::borrow::Cow;

use crate::token::{Mark, ScalarStyle};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum EventKind {
    StreamStart,
    StreamEnd,
    DocumentStart,
    DocumentEnd,
    Alias,
    Scalar,
    SequenceStart,
    SequenceEnd,
    MappingStart,
    MappingEnd,
}

#[derive(Debug)]
pub(crate) struct Event<'a> {
    pub(crate) kind: EventKind,
    pub(crate) start: Mark,
    pub(crate) anchor: Cow<'a, str>,
    /// The long tag; empty where none was given.
    pub(crate) tag: Cow<'a, str>,
    pub(crate) value: Cow<'a, str>,
    pub(crate) style: ScalarStyle,
    pub(crate) flow: bool,
    pub(crate) head_comment: String,
    pub(crate) line_comment: String,
    pub(crate) foot_comment: String,
}

impl Event<'_> {
    pub(crate) fn new(kind: EventKind, start: Mark) -> Self {
        let nothing = || Cow::Borrowed("");
        Self {
            kind,
            start,
            anchor: nothing(),
            tag: nothing(),
            value: nothing(),
            style: ScalarStyle::Plain,
            flow: false,
            head_comment: String::new(),
            line_comment: String::new(),
            foot_comment: String::new(),
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    StreamStart,
    ImplicitDocumentStart,
    DocumentStart,
    DocumentContent,
    DocumentEnd,
    BlockNode,
    BlockSequenceFirstEntry,
    BlockSequenceEntry,
    IndentlessSequenceEntry,
    BlockMappingFirstKey,
    BlockMappingKey,
    BlockMappingValue,
    FlowSequenceFirstEntry,
    FlowSequenceEntry,
    FlowSequenceEntryMappingKey,
    FlowSequenceEntryMappingValue,
    FlowSequenceEntryMappingEnd,
    FlowMappingFirstKey,
    FlowMappingKey,
    FlowMappingValue,
    FlowMappingEmptyValue,
    End,
}
