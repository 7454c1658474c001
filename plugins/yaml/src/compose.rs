//! Events to nodes, as go-yaml's decoder builds them, without recursion. In: a text. Out: one
//! document after the other.

use std::borrow::Cow;
use std::collections::HashMap;

use crate::event::{Event, EventKind};
use crate::node::{Kind, Node, Style, Tag};
use crate::parser::Parser;
use crate::reader::{self, Decoded};
use crate::token::{Problem, ScalarStyle, Stage};
use crate::{Dialect, Error, Limits, resolve};

/// Reads all documents of `text`, with comments, as a loop over go-yaml v3's `Decoder` does.
///
/// # Errors
/// The first thing that go-yaml refuses, or a limit.
///
/// # Examples
/// ```
/// let documents = bulkhead_yaml::parse("a: 1 # one\n", &Default::default())?;
/// let value = documents[0].root().get("a").expect("is there");
/// assert_eq!((value.value.as_str(), value.line_comment.as_str()), ("1", "# one"));
/// # Ok::<(), bulkhead_yaml::Error>(())
/// ```
pub fn parse(text: impl AsRef<[u8]>, limits: &Limits) -> Result<Vec<Node>, Error> {
    let decoded = read(text.as_ref(), limits)?;
    let mut composer = Composer::new(&decoded, Dialect::V3, limits);
    let mut documents = Vec::new();
    while let Some(document) = composer.next_document()? {
        documents.push(document);
    }
    Ok(documents)
}

/// Reads the first document of `text` and looks no further, as `yaml.Unmarshal` does. Nothing, if
/// there is none. [`Dialect::V2`] leaves comments out and may report errors elsewhere.
///
/// # Errors
/// The first thing that go-yaml refuses, or a limit.
pub fn parse_first(
    text: impl AsRef<[u8]>,
    dialect: Dialect,
    limits: &Limits,
) -> Result<Option<Node>, Error> {
    let decoded = read(text.as_ref(), limits)?;
    Composer::new(&decoded, dialect, limits).next_document()
}

fn read<'a>(bytes: &'a [u8], limits: &Limits) -> Result<Decoded<'a>, Error> {
    let most = limits.bytes.min(i32::MAX as usize);
    if bytes.len() > most {
        return Err(Error::new(format!("text is longer than {most} bytes")));
    }
    Ok(reader::decode(bytes))
}

/// A collection that is being read.
struct Open {
    node: Node,
    /// Whether it is written as a block, as the event said.
    block: bool,
}

struct Composer<'a> {
    decoded: &'a Decoded<'a>,
    dialect: Dialect,
    limits: Limits,
    parser: Parser<'a>,
    anchors: HashMap<String, u32>,
    anchor_count: u32,
    nodes: usize,
    open: Vec<Open>,
}

impl<'a> Composer<'a> {
    fn new(decoded: &'a Decoded<'a>, dialect: Dialect, limits: &Limits) -> Self {
        Self {
            decoded,
            dialect,
            limits: *limits,
            parser: Parser::new(&decoded.text, dialect),
            anchors: HashMap::new(),
            anchor_count: 0,
            nodes: 0,
            open: Vec::new(),
        }
    }

    fn next_document(&mut self) -> Result<Option<Node>, Error> {
        loop {
            let event = self.parser.next_event();
            if let Some(trouble) = &self.decoded.trouble
                && self.parser.scanner.pos + 3 >= self.decoded.text.len()
            {
                return Err(trouble.clone());
            }
            let Some(event) = event.map_err(|problem| describe(&problem, self.dialect))? else {
                return Ok(None);
            };
            if let Some(document) = self.add(event)? {
                return Ok(Some(document));
            }
        }
    }

    /// Adds what an event says. Gives the document that it ends.
    fn add(&mut self, event: Event<'a>) -> Result<Option<Node>, Error> {
        match event.kind {
            EventKind::StreamStart | EventKind::StreamEnd => {}
            EventKind::DocumentStart => {
                if self.dialect == Dialect::V2 {
                    self.anchors.clear();
                }
                let node = self.node(event, Kind::Document, Cow::Borrowed(""))?;
                self.open.push(Open { node, block: true });
            }
            EventKind::DocumentEnd => {
                let document = self.open.pop().map(|open| open.node);
                return Ok(document.map(|mut document| {
                    document.foot_comment = event.comments.unwrap_or_default().foot;
                    document
                }));
            }
            EventKind::Scalar => {
                let node = self.scalar(event)?;
                self.attach(node);
            }
            EventKind::Alias => {
                let node = self.alias(event)?;
                self.attach(node);
            }
            EventKind::SequenceStart => self.start(event, Kind::Sequence, resolve::SEQ)?,
            EventKind::MappingStart => self.start(event, Kind::Mapping, resolve::MAP)?,
            EventKind::SequenceEnd | EventKind::MappingEnd => self.end(event),
        }
        Ok(None)
    }

    fn node(&mut self, event: Event<'a>, kind: Kind, tag: Tag) -> Result<Node, Error> {
        self.nodes += 1;
        let (line, column) = (event.start.line as u32 + 1, event.start.column as u32 + 1);
        if self.nodes > self.limits.nodes {
            let message = format!("line {line}: more than {} nodes", self.limits.nodes);
            return Err(Error::at(line, column, message));
        }
        let anchor_id = self.anchor(event.anchor);
        let comments = event.comments.map(|comments| *comments).unwrap_or_default();
        Ok(Node {
            kind,
            tag,
            value: event.value.into_owned(),
            anchor: event.anchor.to_owned(),
            anchor_id,
            head_comment: comments.head,
            line_comment: comments.line,
            foot_comment: comments.foot,
            line,
            column,
            ..Node::default()
        })
    }

    /// Numbers a new anchor.
    fn anchor(&mut self, name: &str) -> u32 {
        if name.is_empty() {
            return 0;
        }
        self.anchor_count += 1;
        self.anchors.insert(name.to_owned(), self.anchor_count);
        self.anchor_count
    }

    fn scalar(&mut self, event: Event<'a>) -> Result<Node, Error> {
        let mut style = match event.style {
            ScalarStyle::Plain => Style::PLAIN,
            ScalarStyle::SingleQuoted => Style::SINGLE_QUOTED,
            ScalarStyle::DoubleQuoted => Style::DOUBLE_QUOTED,
            ScalarStyle::Literal => Style::LITERAL,
            ScalarStyle::Folded => Style::FOLDED,
        };
        let tag = match event.tag.as_deref().unwrap_or_default() {
            // go-yaml v2 takes `! 5` as text, but `! <<` as a merge; v3 ignores the lone mark.
            "!" if self.dialect == Dialect::V2 => {
                style |= Style::TAGGED;
                Cow::Borrowed("!")
            }
            "" | "!" if style == Style::PLAIN => Cow::Borrowed(match event.value.as_ref() {
                "<<" => resolve::MERGE,
                text => resolve::plain_tag(text, self.dialect),
            }),
            "" | "!" => Cow::Borrowed(resolve::STR),
            long => {
                style |= Style::TAGGED;
                short_tag(long)
            }
        };
        let mut node = self.node(event, Kind::Scalar, tag)?;
        node.style = style;
        Ok(node)
    }

    fn alias(&mut self, mut event: Event<'a>) -> Result<Node, Error> {
        let name = std::mem::take(&mut event.anchor);
        let Some(target) = self.anchors.get(name).copied() else {
            let (line, column) = (event.start.line as u32 + 1, event.start.column as u32 + 1);
            let message = format!("unknown anchor '{name}' referenced");
            return Err(Error::at(line, column, message));
        };
        let mut node = self.node(event, Kind::Alias, Cow::Borrowed(""))?;
        node.value = name.to_owned();
        node.anchor_id = target;
        Ok(node)
    }

    fn start(&mut self, event: Event<'a>, kind: Kind, tag: &'static str) -> Result<(), Error> {
        let mut style = if event.flow {
            Style::FLOW
        } else {
            Style::PLAIN
        };
        let tag = match event.tag.as_deref().unwrap_or_default() {
            "" | "!" => Cow::Borrowed(tag),
            long => {
                style |= Style::TAGGED;
                short_tag(long)
            }
        };
        let block = !event.flow;
        let mut node = self.node(event, kind, tag)?;
        node.style = style;
        // The document is on the stack as well.
        if self.open.len() > self.limits.depth {
            let (line, column) = (node.line, node.column);
            let message = format!("line {line}: exceeded max depth of {}", self.limits.depth);
            return Err(Error::at(line, column, message));
        }
        self.open.push(Open { node, block });
        Ok(())
    }

    fn end(&mut self, event: Event<'a>) {
        let Some(Open { mut node, block }) = self.open.pop() else {
            return;
        };
        if let Some(comments) = event.comments {
            node.line_comment = comments.line;
            node.foot_comment = comments.foot;
        } else if !node.line_comment.is_empty() || !node.foot_comment.is_empty() {
            (node.line_comment, node.foot_comment) = (String::new(), String::new());
        }
        let count = node.content.len();
        if node.kind == Kind::Mapping && block && !node.foot_comment.is_empty() && count > 1 {
            node.content[count - 2].foot_comment = std::mem::take(&mut node.foot_comment);
        }
        self.attach(node);
    }

    /// Puts a finished node into the collection that is open, and hands foot comments on.
    fn attach(&mut self, node: Node) {
        let Some(parent) = self.open.last_mut() else {
            return;
        };
        let content = &mut parent.node.content;
        content.push(node);
        if parent.node.kind != Kind::Mapping || self.dialect == Dialect::V2 {
            return;
        }
        let count = content.len();
        if count % 2 == 1 {
            // A foot comment above a key belongs to the entry before it.
            if parent.block && count > 2 && !content[count - 1].foot_comment.is_empty() {
                let foot = std::mem::take(&mut content[count - 1].foot_comment);
                content[count - 3].foot_comment = foot;
            }
        } else if content[count - 2].foot_comment.is_empty()
            && !content[count - 1].foot_comment.is_empty()
        {
            content[count - 2].foot_comment = std::mem::take(&mut content[count - 1].foot_comment);
        }
    }
}

fn short_tag(long: &str) -> Tag {
    match long.strip_prefix(resolve::LONG_PREFIX) {
        Some(name) => match resolve::standard(name) {
            Some(tag) => Cow::Borrowed(tag),
            None => Cow::Owned(format!("!!{name}")),
        },
        None => Cow::Owned(long.to_owned()),
    }
}

/// Puts a problem in go-yaml's words, with the line that it would name.
fn describe(problem: &Problem, dialect: Dialect) -> Error {
    let scanner = i32::from(problem.stage == Stage::Scanner);
    let (context, at) = (problem.context.line, problem.at.line);
    let line = match dialect {
        Dialect::V3 if context != 0 => context + scanner,
        _ if at != 0 => at + scanner,
        Dialect::V2 => context,
        Dialect::V3 => 0,
    };
    let message = match line {
        0 => problem.text.clone().into_owned(),
        line => format!("line {line}: {}", problem.text),
    };
    let (line, column) = (problem.at.line as u32 + 1, problem.at.column as u32 + 1);
    Error::at(line, column, message)
}
