//! What an expression is made of.

use std::sync::Arc;

/// A part of an expression, and where its operator or name stands: a character of the text.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Node {
    pub(super) at: usize,
    pub(super) depth: usize,
    pub(super) expr: Expr,
}

/// What it is.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Expr {
    Literal(Literal),
    Ident(String),
    /// `a.b`, `a.?b`.
    Select {
        operand: Box<Node>,
        field: String,
        is_optional: bool,
    },
    /// `has(a.b)`.
    Has {
        operand: Box<Node>,
        field: String,
    },
    /// `a[b]`, `a[?b]`.
    Index {
        operand: Box<Node>,
        index: Box<Node>,
        is_optional: bool,
    },
    /// `f(a)`, `a.f(b)`.
    Call {
        target: Option<Box<Node>>,
        name: String,
        args: Vec<Node>,
    },
    /// `[a, ?b]`.
    List(Vec<Item>),
    /// `{a: b, ?c: d}`.
    Map(Vec<Entry>),
    /// A macro over a list, or the keys of a map.
    Fold(Box<Fold>),
    /// `a.optMap(x, b)`, `a.optFlatMap(x, b)`.
    OptMap {
        operand: Box<Node>,
        variable: String,
        step: Box<Node>,
        is_flat: bool,
    },
    Not(Box<Node>),
    Negate(Box<Node>),
    And(Vec<Node>),
    Or(Vec<Node>),
    Conditional(Box<[Node; 3]>),
    Binary(Operator, Box<[Node; 2]>),
}

/// A constant.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Literal {
    Null,
    Bool(bool),
    Int(i64),
    Uint(u64),
    Double(f64),
    Text(Arc<str>),
    Bytes(Arc<[u8]>),
}

/// An element of a list.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Item {
    pub(super) value: Node,
    pub(super) is_optional: bool,
}

/// An entry of a map.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Entry {
    pub(super) key: Node,
    pub(super) value: Node,
    pub(super) is_optional: bool,
}

/// A macro.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Fold {
    pub(super) kind: FoldKind,
    pub(super) range: Node,
    pub(super) variable: String,
    /// Which elements count, for `map` with three arguments.
    pub(super) filter: Option<Node>,
    pub(super) step: Node,
}

/// Which macro.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FoldKind {
    All,
    Exists,
    ExistsOne,
    Map,
    Filter,
}

/// An operator with two sides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Operator {
    Equal,
    NotEqual,
    Less,
    LessEqual,
    Greater,
    GreaterEqual,
    In,
    Add,
    Subtract,
    Multiply,
    Divide,
    Remainder,
}

impl Operator {
    /// Its name in messages.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Equal => "_==_",
            Self::NotEqual => "_!=_",
            Self::Less => "_<_",
            Self::LessEqual => "_<=_",
            Self::Greater => "_>_",
            Self::GreaterEqual => "_>=_",
            Self::In => "@in",
            Self::Add => "_+_",
            Self::Subtract => "_-_",
            Self::Multiply => "_*_",
            Self::Divide => "_/_",
            Self::Remainder => "_%_",
        }
    }
}
