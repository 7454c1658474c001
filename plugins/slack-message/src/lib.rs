//! Slack's message format, which Discord takes too: one attachment an event, the payload byte for
//! byte as Flux 2.9 writes it, and what an answer means. Used by the notifiers for both services.

pub mod answer;
#[cfg(not(target_arch = "wasm32"))]
pub mod cases;
pub mod config;
pub mod message;

pub use answer::outcome;
pub use config::Config;
pub use message::{Attachment, Field, Message};
