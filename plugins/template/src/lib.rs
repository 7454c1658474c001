//! Go's text/template: parsing, execution, the built-in functions and `fmt`, for guests that render
//! templates.
//!
//! Texts and values go in, texts come out; messages are worded as Go 1.26 words them. Functions come
//! from the caller. Nothing here does IO, reads a clock or knows Helm.

mod ast;
pub mod builtin;
pub mod bytes;
mod call;
mod depth;
pub mod duration;
mod error;
mod eval;
mod exec;
pub mod format;
mod func;
mod lex;
pub mod number;
mod parse;
pub mod quote;
mod value;

pub use error::Error;
pub use exec::{Limits, MissingKey, Run};
pub use func::{Body, Function, Functions, Param, fixed, variadic};
pub use parse::{ParseError, Tree, TreeSet, merge, parse};
pub use value::{ANY, ANY_MAP, Entries, IntType, List, Map, Object, Plain, Value};
