//! YAML as Go reads and writes it: libyaml's events, go-yaml v3 nodes with their comments, and the
//! JSON conversions of sigs.k8s.io/yaml. In: bytes. Out: [`Node`]s, [`Value`]s, text, or the error
//! that Go reports. It does no IO, knows no Kubernetes, and never recurses deeper than its limits.
//!
//! Two dialects exist side by side: [`Dialect::V3`] (go.yaml.in/yaml/v3 3.0.5, what kustomize
//! reads and writes) and [`Dialect::V2`] (go.yaml.in/yaml/v2 2.4.4, what sigs.k8s.io/yaml, so
//! kubectl and Helm, are built on).

mod collection;
mod compose;
mod decode;
mod emit_flow;
mod emitter;
mod encode;
mod entries;
mod error;
mod event;
mod fetch;
mod go_text;
pub mod kyaml;
mod limits;
mod node;
mod number;
mod parser;
mod pieces;
mod reader;
mod resolve;
mod scan_comment;
mod scan_scalar;
mod scan_tag;
mod scanner;
mod shape;
pub mod sigs;
mod sort;
mod source;
mod timestamp;
mod token;
mod value;
mod write;
mod write_comment;

pub use compose::{parse, parse_first};
pub use decode::{DecodeOptions, decode};
pub use encode::{Encoder, emit, emit_all, emit_value};

pub use error::Error;
pub use limits::Limits;
pub use node::{Kind, Node, Style, Tag};
pub use resolve::{Scalar, resolve};
pub use source::{EmitOptions, Source, View};
pub use value::Value;

/// Which of the two generations of go-yaml to follow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Dialect {
    /// go-yaml v2: YAML 1.1 booleans (`yes`, `on`, `y`), no comments, one value for a double key.
    V2,
    /// go-yaml v3: booleans as in YAML 1.2, comments kept, a double key is an error.
    #[default]
    V3,
}
