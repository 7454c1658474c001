//! What is known of a trap: the kind, the guest's function, and its last words.

use std::fmt;

use bulkhead_api::Digest;
use wasmtime::{FrameInfo, WasmBacktrace};

use crate::error::Circumstances;
use crate::host::log::clean;
use crate::names::PluginId;

/// Functions shown of a call stack.
const FRAMES: usize = 16;

/// A trap of a guest: a bug of the plugin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trap {
    /// The plugin.
    pub plugin: PluginId,
    /// The digest of its component.
    pub digest: Digest,
    /// What happened: `wasm unreachable instruction executed`.
    pub kind: String,
    /// The guest's function, readable: the innermost that is not its language's panic machinery.
    /// `None` when the component has no names.
    pub function: Option<String>,
    /// The guest's functions, innermost first, at most 16.
    pub stack: Vec<String>,
    /// The guest's last log lines: a panic's message is here.
    pub log_tail: String,
}

impl Trap {
    pub(crate) fn new(error: &wasmtime::Error, around: &Circumstances) -> Self {
        let kind = match error.downcast_ref::<wasmtime::Trap>() {
            Some(trap) => trap.to_string(),
            None => error.root_cause().to_string(),
        };
        let frames = error
            .downcast_ref::<WasmBacktrace>()
            .map_or(&[][..], WasmBacktrace::frames);
        let names = || frames.iter().filter_map(function);
        Self {
            plugin: around.plugin.clone(),
            digest: around.digest,
            kind: clean(kind.strip_prefix("wasm trap: ").unwrap_or(&kind)),
            function: names()
                .find(|name| !is_machinery(name))
                .or_else(|| names().next()),
            stack: names().take(FRAMES).collect(),
            log_tail: around.log_tail.clone(),
        }
    }
}

impl fmt::Display for Trap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.kind)?;
        if let Some(function) = &self.function {
            write!(f, " in `{function}`")?;
        }
        write!(f, " ({})", self.digest)?;
        if !self.log_tail.is_empty() {
            write!(f, "; it last wrote: {}", self.log_tail)?;
        }
        Ok(())
    }
}

/// Returns a function's name as its author wrote it.
fn function(frame: &FrameInfo) -> Option<String> {
    let name = frame
        .symbols()
        .first()
        .and_then(|symbol| symbol.name())
        .or(frame.func_name())?;
    let name = match rustc_demangle::try_demangle(name) {
        Ok(demangled) => format!("{demangled:#}"),
        Err(_) => name.to_owned(),
    };
    Some(clean(&name).chars().take(200).collect())
}

/// Tells whether a function belongs to how a language panics, and not to the plugin.
fn is_machinery(name: &str) -> bool {
    const PREFIXES: [&str; 12] = [
        "core::panicking",
        "core::result::unwrap_failed",
        "core::option::",
        "std::panicking",
        "std::process::abort",
        "std::sys::",
        "alloc::alloc::handle_alloc_error",
        "__rust",
        "rust_",
        "abort",
        "runtime.",
        "panic_abort::",
    ];
    PREFIXES
        .iter()
        .any(|prefix| name.trim_start_matches('<').starts_with(prefix))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn panic_machinery_is_not_the_culprit() {
        assert!(is_machinery("core::panicking::panic_fmt"));
        assert!(is_machinery("rust_begin_unwind"));
        assert!(!is_machinery("values::merge"));
    }

    #[test]
    fn a_trap_says_kind_function_and_last_words() {
        let trap = Trap {
            plugin: PluginId::new("helm", "0.3.1"),
            digest: Digest::of("x"),
            kind: "unreachable".into(),
            function: Some("values::merge".into()),
            stack: Vec::new(),
            log_tail: "panicked".into(),
        };
        let text = trap.to_string();
        assert!(
            text.starts_with("unreachable in `values::merge` (sha256:"),
            "{text}"
        );
        assert!(text.ends_with("; it last wrote: panicked"), "{text}");
    }
}
