//! `bulkhead:base/log`, and where standard output and error go: a bounded, cleaned log.
//!
//! Guest text is untrusted. Control characters are replaced, lines are cut, and what exceeds the
//! budget of a call is dropped; the last lines are kept for the message of a trap.

use std::collections::VecDeque;
use std::sync::Arc;

use super::State;
use crate::bindings::renderer::bulkhead::base::log::{Host, Level};
use crate::limits::Limits;

/// Longest line that is passed on.
const LINE_BYTES: usize = 2048;

/// Lines kept for the message of a trap.
const TAIL_LINES: usize = 8;

/// Takes the lines of a call, cleaned, within the call's budget.
pub(crate) trait Lines: Send + Sync {
    /// A call begins, perhaps again: what was taken before is void.
    fn begin(&self);

    /// Takes a line and the name of its level.
    fn line(&self, level: &'static str, line: &str);
}

/// What one guest wrote in one call.
pub(crate) struct GuestLog {
    plugin: String,
    log_left: u64,
    stdio_left: u64,
    /// Standard output and error up to a line end.
    partial: [Vec<u8>; 2],
    tail: VecDeque<String>,
    dropped: bool,
    lines: Option<Arc<dyn Lines>>,
}

/// Which of the two standard streams.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stream {
    Output,
    Error,
}

impl GuestLog {
    pub(crate) fn new(plugin: String, limits: &Limits, lines: Option<Arc<dyn Lines>>) -> Self {
        if let Some(lines) = &lines {
            lines.begin();
        }
        Self {
            plugin,
            log_left: limits.log_bytes,
            stdio_left: limits.stdio_bytes,
            partial: [Vec::new(), Vec::new()],
            tail: VecDeque::new(),
            dropped: false,
            lines,
        }
    }

    /// Takes bytes of a standard stream; whole lines are passed on.
    pub(crate) fn write(&mut self, stream: Stream, bytes: &[u8]) {
        let taken = bytes
            .len()
            .min(usize::try_from(self.stdio_left).unwrap_or(usize::MAX));
        self.stdio_left -= taken as u64;
        self.drop_rest(taken < bytes.len());
        for &byte in &bytes[..taken] {
            let partial = &mut self.partial[stream as usize];
            if byte != b'\n' {
                partial.push(byte);
            }
            if byte == b'\n' || partial.len() >= LINE_BYTES {
                self.end_line(stream);
            }
        }
    }

    fn end_line(&mut self, stream: Stream) {
        let line = std::mem::take(&mut self.partial[stream as usize]);
        if !line.is_empty() {
            self.line(Level::Debug, &clean(&String::from_utf8_lossy(&line)));
        }
    }

    /// Passes on what is left without a line end.
    pub(crate) fn finish(&mut self) {
        self.end_line(Stream::Output);
        self.end_line(Stream::Error);
    }

    /// Returns the last lines, oldest first, joined by line ends.
    pub(crate) fn tail(&self) -> String {
        Vec::from_iter(self.tail.iter().map(String::as_str)).join("\n")
    }

    fn line(&mut self, level: Level, line: &str) {
        let plugin = self.plugin.as_str();
        if let Some(lines) = &self.lines {
            lines.line(name(level), line);
        }
        match level {
            Level::Debug => tracing::debug!(target: "plugin", plugin, "{line}"),
            Level::Info => tracing::info!(target: "plugin", plugin, "{line}"),
            Level::Warn => tracing::warn!(target: "plugin", plugin, "{line}"),
            Level::Error => tracing::error!(target: "plugin", plugin, "{line}"),
        }
        if self.tail.len() == TAIL_LINES {
            self.tail.pop_front();
        }
        self.tail.push_back(line.to_owned());
    }

    fn drop_rest(&mut self, dropped: bool) {
        if dropped && !std::mem::replace(&mut self.dropped, true) {
            let plugin = self.plugin.as_str();
            tracing::debug!(target: "plugin", plugin, "dropped the rest of the plugin's log");
        }
    }
}

fn name(level: Level) -> &'static str {
    match level {
        Level::Debug => "debug",
        Level::Info => "info",
        Level::Warn => "warn",
        Level::Error => "error",
    }
}

impl Host for State {
    fn log(
        &mut self,
        level: Level,
        message: String,
        fields: Vec<(String, String)>,
    ) -> wasmtime::Result<()> {
        let log = &mut self.log;
        let mut line = clean(&message);
        for (name, value) in &fields {
            if line.len() >= LINE_BYTES {
                break;
            }
            line.push_str(&format!(" {}={}", clean(name), clean(value)));
        }
        line.truncate(line.floor_char_boundary(LINE_BYTES));
        let cost = line.len() as u64 + 1;
        let fits = cost <= log.log_left;
        log.drop_rest(!fits);
        if fits {
            log.log_left -= cost;
            log.line(level, &line);
        }
        Ok(())
    }
}

/// Replaces control characters, and those that reorder text, by spaces; cuts at [`LINE_BYTES`].
pub(crate) fn clean(text: &str) -> String {
    let text = &text[..text.floor_char_boundary(LINE_BYTES)];
    let hidden = |c: char| {
        c.is_control()
            || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
    };
    text.trim_end()
        .chars()
        .map(|c| if hidden(c) { ' ' } else { c })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn log(limits: Limits) -> GuestLog {
        GuestLog::new("test 0.1.0".into(), &limits, None)
    }

    #[test]
    fn control_characters_do_not_pass() {
        assert_eq!(clean("a\x1b[31mb\r\nc\u{202e}d\n"), "a [31mb  c d");
    }

    #[test]
    fn standard_output_is_cut_at_its_limit() {
        let mut log = log(Limits {
            stdio_bytes: 4,
            ..Limits::renderer()
        });
        log.write(Stream::Output, b"ab\n");
        log.write(Stream::Error, b"cd");
        log.finish();
        assert_eq!(log.tail(), "ab\nc");
    }

    #[test]
    fn the_tail_is_the_end() {
        let mut log = log(Limits::renderer());
        for line in 0..20 {
            log.write(Stream::Output, format!("{line}\n").as_bytes());
        }
        assert_eq!(log.tail(), "12\n13\n14\n15\n16\n17\n18\n19");
    }

    #[test]
    fn lines_without_end_are_cut() {
        let mut log = log(Limits::renderer());
        log.write(Stream::Output, &vec![b'x'; LINE_BYTES + 1]);
        log.finish();
        assert_eq!(
            log.tail().split('\n').map(str::len).collect::<Vec<_>>(),
            [LINE_BYTES, 1]
        );
    }
}
