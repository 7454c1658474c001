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
    pub(crate) anchor: &'a str,
    /// The long tag, where one was given.
    pub(crate) tag: Option<Box<str>>,
    pub(crate) value: Cow<'a, str>,
    pub(crate) style: ScalarStyle,
    pub(crate) flow: bool,
    /// Most events have none.
    pub(crate) comments: Option<Box<Comments>>,
}

/// The comments of one event.
#[derive(Debug, Default)]
pub(crate) struct Comments {
    pub(crate) head: String,
    pub(crate) line: String,
    pub(crate) foot: String,
}

impl Comments {
    /// A head comment alone; nothing for no text.
    pub(crate) fn head(head: String) -> Option<Box<Self>> {
        (!head.is_empty()).then(|| {
            Box::new(Self {
                head,
                ..Self::default()
            })
        })
    }
}

impl Event<'_> {
    pub(crate) fn new(kind: EventKind, start: Mark) -> Self {
        Self {
            kind,
            start,
            anchor: "",
            tag: None,
            value: Cow::Borrowed(""),
            style: ScalarStyle::Plain,
            flow: false,
            comments: None,
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
