//! The grammar of collections: what may follow what inside sequences and mappings.

use crate::event::{Event, EventKind, State};
use crate::parser::{Parser, Peeked, problem_in};
use crate::token::{Mark, Result, TokenKind};

impl<'a> Parser<'a> {
    /// A parser error inside the collection that was opened last.
    pub(crate) fn collection_problem(&mut self, text: &'static str, at: Mark) -> Result<Event<'a>> {
        let context = self.marks.pop().unwrap_or_default();
        Err(problem_in(text, context, at))
    }

    pub(crate) fn open(&mut self) -> Result<()> {
        let mark = self.peek()?.start;
        self.marks.push(mark);
        self.skip();
        Ok(())
    }

    /// Ends a collection with the token at hand.
    pub(crate) fn close(&mut self, kind: EventKind, comments: bool) -> Event<'a> {
        self.pop_state();
        self.marks.pop();
        let start = self
            .scanner
            .tokens
            .front()
            .map_or(Mark::default(), |token| token.start);
        let mut event = Event::new(kind, start);
        if comments {
            self.set_comments(&mut event);
        }
        self.skip();
        event
    }

    pub(crate) fn block_sequence_entry(&mut self, first: bool) -> Result<Event<'a>> {
        if first {
            self.open()?;
        }
        let token = self.peek()?;
        match token.kind {
            TokenKind::BlockEntry => {
                let next = self.enter_entry()?;
                match next.kind {
                    TokenKind::BlockEntry | TokenKind::BlockEnd => {
                        Ok(self.empty_then(State::BlockSequenceEntry, token.end))
                    }
                    _ => self.node_then(State::BlockSequenceEntry, true, false),
                }
            }
            TokenKind::BlockEnd => Ok(self.close(EventKind::SequenceEnd, false)),
            _ => self.collection_problem("did not find expected '-' indicator", token.start),
        }
    }

    pub(crate) fn indentless_sequence_entry(&mut self) -> Result<Event<'a>> {
        let token = self.peek()?;
        if token.kind != TokenKind::BlockEntry {
            self.pop_state();
            return Ok(Event::new(EventKind::SequenceEnd, token.start));
        }
        match self.enter_entry()?.kind {
            TokenKind::BlockEntry | TokenKind::Key | TokenKind::Value | TokenKind::BlockEnd => {
                Ok(self.empty_then(State::IndentlessSequenceEntry, token.end))
            }
            _ => self.node_then(State::IndentlessSequenceEntry, true, false),
        }
    }

    /// Steps over a `-`. Where a collection follows, the comment above is its, not its first
    /// entry's: it is put aside as the stem comment.
    pub(crate) fn enter_entry(&mut self) -> Result<Peeked> {
        let stem = self.head_comment.len();
        self.skip();
        let next = match self.peek() {
            // go-yaml overlooks a first error here, and reports the one it meets when it goes on.
            Err(first) if stem > 0 => {
                self.peek()?;
                return Err(first);
            }
            next => next?,
        };
        let collection = matches!(
            next.kind,
            TokenKind::BlockSequenceStart | TokenKind::BlockMappingStart
        );
        if stem > 0 && collection {
            let rest = match self.head_comment.len() {
                length if length > stem => self.head_comment.split_off(stem + 1),
                _ => String::new(),
            };
            let mut head = std::mem::replace(&mut self.head_comment, rest);
            head.truncate(stem);
            self.stem_comment = head;
        }
        Ok(next)
    }

    pub(crate) fn block_mapping_key(&mut self, first: bool) -> Result<Event<'a>> {
        if first {
            self.open()?;
        }
        let token = self.peek()?;
        match token.kind {
            TokenKind::Key => {
                self.skip();
                match self.peek()?.kind {
                    TokenKind::Key | TokenKind::Value | TokenKind::BlockEnd => {
                        Ok(self.empty_then(State::BlockMappingValue, token.end))
                    }
                    _ => self.node_then(State::BlockMappingValue, true, true),
                }
            }
            TokenKind::BlockEnd => Ok(self.close(EventKind::MappingEnd, true)),
            _ => self.collection_problem("did not find expected key", token.start),
        }
    }

    pub(crate) fn block_mapping_value(&mut self) -> Result<Event<'a>> {
        let token = self.peek()?;
        if token.kind != TokenKind::Value {
            return Ok(self.empty_then(State::BlockMappingKey, token.start));
        }
        self.skip();
        match self.peek()?.kind {
            TokenKind::Key | TokenKind::Value | TokenKind::BlockEnd => {
                Ok(self.empty_then(State::BlockMappingKey, token.end))
            }
            _ => self.node_then(State::BlockMappingKey, true, true),
        }
    }

    pub(crate) fn flow_sequence_entry(&mut self, first: bool) -> Result<Event<'a>> {
        if first {
            self.open()?;
        }
        let mut token = self.peek()?;
        if token.kind != TokenKind::FlowSequenceEnd && !first {
            if token.kind != TokenKind::FlowEntry {
                return self.collection_problem("did not find expected ',' or ']'", token.start);
            }
            self.skip();
            token = self.peek()?;
        }
        match token.kind {
            TokenKind::FlowSequenceEnd => Ok(self.close(EventKind::SequenceEnd, true)),
            TokenKind::Key => {
                self.state = State::FlowSequenceEntryMappingKey;
                let mut event = Event::new(EventKind::MappingStart, token.start);
                event.flow = true;
                self.skip();
                Ok(event)
            }
            _ => self.node_then(State::FlowSequenceEntry, false, false),
        }
    }

    pub(crate) fn flow_sequence_entry_mapping_key(&mut self) -> Result<Event<'a>> {
        let token = self.peek()?;
        match token.kind {
            TokenKind::Value | TokenKind::FlowEntry | TokenKind::FlowSequenceEnd => {
                self.skip();
                Ok(self.empty_then(State::FlowSequenceEntryMappingValue, token.end))
            }
            _ => self.node_then(State::FlowSequenceEntryMappingValue, false, false),
        }
    }

    pub(crate) fn flow_sequence_entry_mapping_value(&mut self) -> Result<Event<'a>> {
        let token = self.peek()?;
        if token.kind == TokenKind::Value {
            self.skip();
            let next = self.peek()?.kind;
            if !matches!(next, TokenKind::FlowEntry | TokenKind::FlowSequenceEnd) {
                return self.node_then(State::FlowSequenceEntryMappingEnd, false, false);
            }
        }
        Ok(self.empty_then(State::FlowSequenceEntryMappingEnd, token.start))
    }

    pub(crate) fn flow_mapping_key(&mut self, first: bool) -> Result<Event<'a>> {
        if first {
            self.open()?;
        }
        let mut token = self.peek()?;
        if token.kind != TokenKind::FlowMappingEnd && !first {
            if token.kind != TokenKind::FlowEntry {
                return self.collection_problem("did not find expected ',' or '}'", token.start);
            }
            self.skip();
            token = self.peek()?;
        }
        match token.kind {
            TokenKind::FlowMappingEnd => Ok(self.close(EventKind::MappingEnd, true)),
            TokenKind::Key => {
                self.skip();
                let next = self.peek()?;
                match next.kind {
                    TokenKind::Value | TokenKind::FlowEntry | TokenKind::FlowMappingEnd => {
                        Ok(self.empty_then(State::FlowMappingValue, next.start))
                    }
                    _ => self.node_then(State::FlowMappingValue, false, false),
                }
            }
            _ => self.node_then(State::FlowMappingEmptyValue, false, false),
        }
    }

    pub(crate) fn flow_mapping_value(&mut self, empty: bool) -> Result<Event<'a>> {
        let mut token = self.peek()?;
        if !empty && token.kind == TokenKind::Value {
            self.skip();
            token = self.peek()?;
            if !matches!(token.kind, TokenKind::FlowEntry | TokenKind::FlowMappingEnd) {
                return self.node_then(State::FlowMappingKey, false, false);
            }
        }
        Ok(self.empty_then(State::FlowMappingKey, token.start))
    }
}
