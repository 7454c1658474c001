//! Tokens to events, as libyaml's parser does. In: a scanner. Out: events, each with the comments
//! that belong to it. The grammar's states are one function each; none calls itself.

use std::borrow::Cow;

use crate::Dialect;
use crate::event::{Comments, Event, EventKind, State};
use crate::scanner::Scanner;
use crate::token::{Mark, Problem, Result, Stage, Token, TokenKind};

pub(crate) struct Parser<'a> {
    pub(crate) scanner: Scanner<'a>,
    pub(crate) state: State,
    states: Vec<State>,
    pub(crate) marks: Vec<Mark>,
    tag_directives: Vec<(String, String)>,
    pub(crate) head_comment: String,
    line_comment: String,
    foot_comment: String,
    pub(crate) stem_comment: String,
}

impl<'a> Parser<'a> {
    pub(crate) fn new(text: &'a str, dialect: Dialect) -> Self {
        Self {
            scanner: Scanner::new(text, dialect),
            state: State::StreamStart,
            states: Vec::new(),
            marks: Vec::new(),
            tag_directives: Vec::new(),
            head_comment: String::new(),
            line_comment: String::new(),
            foot_comment: String::new(),
            stem_comment: String::new(),
        }
    }

    /// The next event; nothing after the end of the stream.
    pub(crate) fn next_event(&mut self) -> Result<Option<Event<'a>>> {
        let event = match self.state {
            State::End => return Ok(None),
            State::StreamStart => {
                let start = self.peek()?.start;
                self.skip();
                self.state = State::ImplicitDocumentStart;
                Event::new(EventKind::StreamStart, start)
            }
            State::ImplicitDocumentStart => self.document_start(true)?,
            State::DocumentStart => self.document_start(false)?,
            State::DocumentContent => self.document_content()?,
            State::DocumentEnd => self.document_end()?,
            State::BlockNode => self.node(true, false)?,
            State::BlockSequenceFirstEntry => self.block_sequence_entry(true)?,
            State::BlockSequenceEntry => self.block_sequence_entry(false)?,
            State::IndentlessSequenceEntry => self.indentless_sequence_entry()?,
            State::BlockMappingFirstKey => self.block_mapping_key(true)?,
            State::BlockMappingKey => self.block_mapping_key(false)?,
            State::BlockMappingValue => self.block_mapping_value()?,
            State::FlowSequenceFirstEntry => self.flow_sequence_entry(true)?,
            State::FlowSequenceEntry => self.flow_sequence_entry(false)?,
            State::FlowSequenceEntryMappingKey => self.flow_sequence_entry_mapping_key()?,
            State::FlowSequenceEntryMappingValue => self.flow_sequence_entry_mapping_value()?,
            State::FlowSequenceEntryMappingEnd => {
                let start = self.peek()?.start;
                self.state = State::FlowSequenceEntry;
                Event::new(EventKind::MappingEnd, start)
            }
            State::FlowMappingFirstKey => self.flow_mapping_key(true)?,
            State::FlowMappingKey => self.flow_mapping_key(false)?,
            State::FlowMappingValue => self.flow_mapping_value(false)?,
            State::FlowMappingEmptyValue => self.flow_mapping_value(true)?,
        };
        Ok(Some(event))
    }

    /// The kind and place of the next token. The comments before it are taken in.
    pub(crate) fn peek(&mut self) -> Result<Peeked> {
        self.scanner.ensure_token()?;
        let Some(token) = self.scanner.tokens.front() else {
            return Err(problem(
                "unknown problem parsing YAML content",
                Mark::default(),
            ));
        };
        let peeked = Peeked {
            kind: token.kind,
            start: token.start,
            end: token.end,
        };
        if !self.scanner.comments.is_empty() {
            self.unfold_comments(peeked);
        }
        Ok(peeked)
    }

    fn unfold_comments(&mut self, token: Peeked) {
        while let Some(comment) = self.scanner.comments.front() {
            if token.start.index < comment.token_mark.index
                || !comment.head.is_empty() && token.kind == TokenKind::BlockEnd
            {
                break;
            }
            append(&mut self.head_comment, &comment.head);
            append(&mut self.foot_comment, &comment.foot);
            append(&mut self.line_comment, &comment.line);
            self.scanner.comments.pop_front();
        }
    }

    pub(crate) fn skip(&mut self) -> Option<Token<'a>> {
        self.scanner.take()
    }

    /// Takes the next token, which a call of `peek` has seen.
    pub(crate) fn take(&mut self) -> Token<'a> {
        let mark = Mark::default();
        self.skip()
            .unwrap_or_else(|| Token::new(TokenKind::StreamEnd, mark, mark))
    }

    pub(crate) fn pop_state(&mut self) {
        self.state = self.states.pop().unwrap_or(State::End);
    }

    /// Parses a node, to go on with `then`.
    pub(crate) fn node_then(
        &mut self,
        then: State,
        block: bool,
        indentless: bool,
    ) -> Result<Event<'a>> {
        self.states.push(then);
        self.node(block, indentless)
    }

    /// A node without text, to go on with `then`.
    pub(crate) fn empty_then(&mut self, then: State, mark: Mark) -> Event<'a> {
        self.state = then;
        Event::new(EventKind::Scalar, mark)
    }

    pub(crate) fn set_comments(&mut self, event: &mut Event<'a>) {
        let none = self.head_comment.is_empty()
            && self.line_comment.is_empty()
            && self.foot_comment.is_empty();
        event.comments = (!none).then(|| {
            Box::new(Comments {
                head: std::mem::take(&mut self.head_comment),
                line: std::mem::take(&mut self.line_comment),
                foot: std::mem::take(&mut self.foot_comment),
            })
        });
        self.stem_comment.clear();
    }

    fn document_start(&mut self, implicit: bool) -> Result<Event<'a>> {
        let mut token = self.peek()?;
        while !implicit && token.kind == TokenKind::DocumentEnd {
            self.skip();
            token = self.peek()?;
        }
        let explicit = matches!(
            token.kind,
            TokenKind::VersionDirective | TokenKind::TagDirective | TokenKind::DocumentStart
        );
        if token.kind == TokenKind::StreamEnd {
            self.state = State::End;
            self.skip();
            return Ok(Event::new(EventKind::StreamEnd, token.start));
        }
        self.process_directives()?;
        let mut event = Event::new(EventKind::DocumentStart, token.start);
        if implicit && !explicit {
            self.states.push(State::DocumentEnd);
            self.state = State::BlockNode;
            event.comments = Comments::head(self.split_document_comment());
            return Ok(event);
        }
        let token = self.peek()?;
        if token.kind != TokenKind::DocumentStart {
            return Err(problem(
                "did not find expected <document start>",
                token.start,
            ));
        }
        self.states.push(State::DocumentEnd);
        self.state = State::DocumentContent;
        self.skip();
        Ok(event)
    }

    /// Takes what stands above the last empty line of the first comment: it is the document's.
    fn split_document_comment(&mut self) -> String {
        let bytes = self.head_comment.as_bytes();
        for at in (1..bytes.len()).rev() {
            if bytes[at] != b'\n' {
                continue;
            }
            let end = match (at == bytes.len() - 1, bytes[at - 1]) {
                (true, _) => at,
                (false, b'\n') => at - 1,
                _ => continue,
            };
            let rest = self.head_comment.split_off(at + 1);
            let mut head = std::mem::replace(&mut self.head_comment, rest);
            head.truncate(end);
            return head;
        }
        String::new()
    }

    fn document_content(&mut self) -> Result<Event<'a>> {
        let token = self.peek()?;
        match token.kind {
            TokenKind::VersionDirective
            | TokenKind::TagDirective
            | TokenKind::DocumentStart
            | TokenKind::DocumentEnd
            | TokenKind::StreamEnd => {
                self.pop_state();
                Ok(Event::new(EventKind::Scalar, token.start))
            }
            _ => self.node(true, false),
        }
    }

    fn document_end(&mut self) -> Result<Event<'a>> {
        let token = self.peek()?;
        if token.kind == TokenKind::DocumentEnd {
            self.skip();
        }
        self.tag_directives.clear();
        self.state = State::DocumentStart;
        let mut event = Event::new(EventKind::DocumentEnd, token.start);
        self.set_comments(&mut event);
        if let Some(comments) = &mut event.comments
            && comments.foot.is_empty()
        {
            comments.foot = std::mem::take(&mut comments.head);
        }
        Ok(event)
    }

    fn node(&mut self, block: bool, indentless: bool) -> Result<Event<'a>> {
        let mut token = self.peek()?;
        if token.kind == TokenKind::Alias {
            self.pop_state();
            let mut event = Event::new(EventKind::Alias, token.start);
            self.set_comments(&mut event);
            event.anchor = self.take().name();
            return Ok(event);
        }
        let start = token.start;
        let mut event = Event::new(EventKind::Scalar, start);
        let mut tag: Option<Token<'a>> = None;
        let mut anchored = false;
        loop {
            match token.kind {
                TokenKind::Anchor if !anchored => {
                    anchored = true;
                    event.anchor = self.take().name();
                }
                TokenKind::Tag if tag.is_none() => tag = Some(self.take()),
                _ => break,
            }
            token = self.peek()?;
        }
        if let Some(tag) = tag {
            event.tag = Some(self.expand_tag(tag, start)?);
        }
        self.content(token, event, block, indentless)
    }

    /// The part of a node behind its anchor and tag.
    fn content(
        &mut self,
        token: Peeked,
        mut event: Event<'a>,
        block: bool,
        indentless: bool,
    ) -> Result<Event<'a>> {
        match token.kind {
            TokenKind::BlockEntry if indentless => {
                self.state = State::IndentlessSequenceEntry;
                event.kind = EventKind::SequenceStart;
            }
            TokenKind::Scalar => {
                self.pop_state();
                self.set_comments(&mut event);
                let token = self.take();
                event.value = token.value;
                event.style = token.style;
            }
            TokenKind::FlowSequenceStart | TokenKind::FlowMappingStart => {
                let sequence = token.kind == TokenKind::FlowSequenceStart;
                (event.kind, self.state) = if sequence {
                    (EventKind::SequenceStart, State::FlowSequenceFirstEntry)
                } else {
                    (EventKind::MappingStart, State::FlowMappingFirstKey)
                };
                event.flow = true;
                self.set_comments(&mut event);
            }
            TokenKind::BlockSequenceStart | TokenKind::BlockMappingStart if block => {
                let sequence = token.kind == TokenKind::BlockSequenceStart;
                (event.kind, self.state) = if sequence {
                    (EventKind::SequenceStart, State::BlockSequenceFirstEntry)
                } else {
                    (EventKind::MappingStart, State::BlockMappingFirstKey)
                };
                event.comments = Comments::head(std::mem::take(&mut self.stem_comment));
            }
            _ if !event.anchor.is_empty() || event.tag.is_some() => self.pop_state(),
            _ => {
                let text = "did not find expected node content";
                return Err(problem_in(text, event.start, token.start));
            }
        }
        Ok(event)
    }

    fn expand_tag(&self, tag: Token<'a>, start: Mark) -> Result<Box<str>> {
        let suffix = tag.suffix.unwrap_or_default();
        if tag.value.is_empty() {
            return Ok(suffix);
        }
        let directive = self
            .tag_directives
            .iter()
            .find(|known| known.0 == tag.value);
        let tag_text = directive.map(|(_, prefix)| format!("{prefix}{suffix}"));
        match tag_text.filter(|text| !text.is_empty()) {
            Some(text) => Ok(text.into()),
            None => Err(problem_in("found undefined tag handle", start, tag.start)),
        }
    }

    fn process_directives(&mut self) -> Result<()> {
        let mut versioned = false;
        let mut token = self.peek()?;
        loop {
            match token.kind {
                TokenKind::VersionDirective => {
                    if versioned {
                        return Err(problem("found duplicate %YAML directive", token.start));
                    }
                    versioned = true;
                    if self.take().version != (1, 1) {
                        return Err(problem("found incompatible YAML document", token.start));
                    }
                }
                TokenKind::TagDirective => {
                    let found = self.take();
                    if self
                        .tag_directives
                        .iter()
                        .any(|known| known.0 == found.value)
                    {
                        return Err(problem("found duplicate %TAG directive", token.start));
                    }
                    let prefix = String::from(found.suffix.unwrap_or_default());
                    self.tag_directives.push((found.value.into_owned(), prefix));
                }
                _ => break,
            }
            token = self.peek()?;
        }
        for (handle, prefix) in [("!", "!"), ("!!", crate::resolve::LONG_PREFIX)] {
            if !self.tag_directives.iter().any(|known| known.0 == handle) {
                self.tag_directives
                    .push((handle.to_owned(), prefix.to_owned()));
            }
        }
        Ok(())
    }
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct Peeked {
    pub(crate) kind: TokenKind,
    pub(crate) start: Mark,
    pub(crate) end: Mark,
}

/// Appends a comment on a line of its own.
fn append(out: &mut String, comment: &str) {
    if comment.is_empty() {
        return;
    }
    if !out.is_empty() {
        out.push('\n');
    }
    out.push_str(comment);
}

fn problem(text: &'static str, at: Mark) -> Box<Problem> {
    problem_in(text, Mark::default(), at)
}

pub(crate) fn problem_in(text: &'static str, context: Mark, at: Mark) -> Box<Problem> {
    Box::new(Problem {
        stage: Stage::Parser,
        context,
        at,
        text: Cow::Borrowed(text),
    })
}
