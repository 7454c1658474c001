//! The parsed form of a template, and how it is written back in error messages.

use std::fmt;
use std::rc::Rc;

use crate::number::Number;

/// Text and actions in order.
pub(crate) type List = Vec<Node>;

/// A piece of a template.
///
/// Charts have many that are never executed: what is seldom or large stands in a box.
#[derive(Debug)]
pub(crate) enum Node {
    /// From byte to byte of the text that was parsed.
    Text(usize, usize),
    Action(Pipe),
    If(Box<Branch>),
    With(Box<Branch>),
    Range(Box<Branch>),
    Template(Call),
    Break,
    Continue,
}

/// `if`, `with` and `range`.
#[derive(Debug)]
pub(crate) struct Branch {
    pub pipe: Pipe,
    pub list: List,
    pub otherwise: Option<List>,
}

/// `{{template "name" pipeline}}`.
#[derive(Debug)]
pub(crate) struct Call {
    pub at: usize,
    pub name: Rc<str>,
    pub pipe: Option<Pipe>,
}

/// Commands, each given to the next, with the variables that take the result.
#[derive(Debug)]
pub(crate) struct Pipe {
    pub at: usize,
    pub is_assign: bool,
    pub variables: Vec<Rc<str>>,
    pub commands: Vec<Command>,
}

/// A function or value with its arguments.
#[derive(Debug)]
pub(crate) struct Command {
    pub at: usize,
    /// At least one.
    pub words: Vec<Word>,
}

/// An operand, and where it stands.
#[derive(Debug)]
pub(crate) struct Word {
    pub at: usize,
    pub kind: WordKind,
}

/// What an operand is.
#[derive(Debug)]
pub(crate) enum WordKind {
    Bool(bool),
    Dot,
    Nil,
    Number(Box<Number>),
    /// As written, and what it means.
    String(Rc<str>, Rc<str>),
    Field(Vec<Rc<str>>),
    /// The name with its `$`, and the fields.
    Variable(Rc<str>, Vec<Rc<str>>),
    Identifier(Rc<str>),
    Chain(Box<Word>, Vec<Rc<str>>),
    Pipe(Box<Pipe>),
}

impl WordKind {
    /// Tells whether it is a constant, which no value can be piped into.
    pub(crate) fn is_constant(&self) -> bool {
        matches!(
            self,
            Self::Bool(_) | Self::Dot | Self::Nil | Self::Number(_) | Self::String(..)
        )
    }
}

/// Tells whether a list prints nothing but space: such a definition gives way to another.
pub(crate) fn is_empty(list: &[Node], text: &str) -> bool {
    list.iter().all(|node| match node {
        Node::Text(from, to) => text[*from..*to].trim().is_empty(),
        _ => false,
    })
}

fn fields(f: &mut fmt::Formatter<'_>, fields: &[Rc<str>]) -> fmt::Result {
    fields.iter().try_for_each(|field| write!(f, ".{field}"))
}

impl fmt::Display for Word {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.kind {
            WordKind::Bool(value) => write!(f, "{value}"),
            WordKind::Dot => f.write_str("."),
            WordKind::Nil => f.write_str("nil"),
            WordKind::Number(number) => f.write_str(&number.text),
            WordKind::String(quoted, _) => f.write_str(quoted),
            WordKind::Field(names) => fields(f, names),
            WordKind::Variable(name, names) => {
                f.write_str(name)?;
                fields(f, names)
            }
            WordKind::Identifier(name) => f.write_str(name),
            WordKind::Chain(word, names) => {
                match &word.kind {
                    WordKind::Pipe(pipe) => write!(f, "({pipe})")?,
                    _ => write!(f, "{word}")?,
                }
                fields(f, names)
            }
            WordKind::Pipe(pipe) => write!(f, "{pipe}"),
        }
    }
}

impl fmt::Display for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, word) in self.words.iter().enumerate() {
            if index > 0 {
                f.write_str(" ")?;
            }
            match &word.kind {
                WordKind::Pipe(pipe) => write!(f, "({pipe})")?,
                _ => write!(f, "{word}")?,
            }
        }
        Ok(())
    }
}

impl fmt::Display for Pipe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.variables.is_empty() {
            f.write_str(&self.variables.join(", "))?;
            f.write_str(if self.is_assign { " = " } else { " := " })?;
        }
        for (index, command) in self.commands.iter().enumerate() {
            if index > 0 {
                f.write_str(" | ")?;
            }
            write!(f, "{command}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{{{{template {}", crate::quote::quote(&self.name))?;
        if let Some(pipe) = &self.pipe {
            write!(f, " {pipe}")?;
        }
        f.write_str("}}")
    }
}
