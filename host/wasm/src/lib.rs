//! Runs renderers and notifiers: WebAssembly components under hard limits.
//!
//! Verified bytes go in, a [`Plugin`] comes out; a request goes in, documents or requests come out.
//! A guest sees one read-only tree, its arguments and a log. It never sees files, network, the
//! environment, the time, or anything of an earlier call. This crate knows no Kubernetes.

pub mod bindings;
pub mod error;
pub mod inspect;
pub mod limits;
pub mod manifest;
pub mod plugin;
pub mod read_set;
pub mod request;
pub mod transcript;
pub mod trap;

mod attached;
mod audit;
mod cache;
mod call;
mod compile;
mod conceal;
mod engine;
mod glob;
mod host;
mod interface;
mod load;
mod memory_tree;
mod names;
mod ready;
mod resident;
mod runtime;
mod sections;
mod share;
mod turns;

pub use attached::{attach, attached_code};
pub use compile::{CompileLimits, Compiler, compile_worker};
pub use conceal::SECRET_INPUT;
pub use error::{HostError, LoadError, NotifyError, Refusal, RenderError, RunError};
pub use host::{Lookup, LookupAnswer, LookupError, LookupQuery};
pub use inspect::{HOST_VERSION, InspectError, Inspection, inspect};
pub use limits::{Limit, LimitHit, Limits, Usage};
pub use load::{Embedded, Host, HostConfig, LoadOptions};
pub use manifest::{ConfigError, Effective, FileRules, Grants, Manifest, ManifestError, Requests};
pub use memory_tree::MemoryTree;
pub use names::{PluginId, PluginKind};
pub use plugin::Plugin;
pub use read_set::{Access, Operation, ReadSet};
pub use request::{
    Diagnostic, Document, Event, Header, Hmac, Location, ObjectRef, Outcome, Part, RenderRequest,
    Rendered, Request, Response, ResumeRequest, Severity, Signing, StartRequest, Step, Target,
    TransformRequest,
};
pub use resident::release_program_pages;
pub use transcript::{Recording, Replayed, Transcript, replay};
pub use trap::Trap;
pub use turns::CompileQuota;
