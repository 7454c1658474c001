//! How answers and errors are printed: data to standard output, all else to standard error, and an
//! exit status that scripts can rely on.

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "this is the one place that prints"
)]

use std::io::{IsTerminal as _, Write as _};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

/// What the process exits with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    /// Done.
    Done = 0,
    /// The input or the cluster is at fault.
    Failed = 1,
    /// The command line is at fault.
    Usage = 2,
    /// We are at fault.
    Bug = 70,
}

/// An error for a person: what failed, its causes, and what to do.
#[derive(Debug)]
pub(crate) struct CliError {
    pub error: anyhow::Error,
    pub hint: Option<String>,
    pub exit: Exit,
}

impl CliError {
    /// Adds what the user can do.
    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Marks a mistake on the command line.
    pub(crate) fn usage(mut self) -> Self {
        self.exit = Exit::Usage;
        self
    }
}

impl<E: Into<anyhow::Error>> From<E> for CliError {
    fn from(error: E) -> Self {
        Self {
            error: error.into(),
            hint: None,
            exit: Exit::Failed,
        }
    }
}

/// Prints an error: one cause a line, then the hint.
pub(crate) fn report(failure: &CliError) {
    let mut text = String::new();
    for (index, cause) in failure.error.chain().enumerate() {
        let label = if index == 0 { "error" } else { "cause" };
        text.push_str(&format!("{label}: {}\n", clean(&cause.to_string())));
    }
    if let Some(hint) = &failure.hint {
        text.push_str(&format!("\nhint: {}\n", clean(hint)));
    }
    let _ = std::io::stderr().lock().write_all(text.as_bytes());
}

/// Prints data. A closed pipe ends the process quietly, as for any filter.
pub(crate) fn data(text: &str) -> std::io::Result<()> {
    parts([text])
}

/// Prints data that comes in parts, without joining them in memory.
pub(crate) fn parts<'a>(parts: impl IntoIterator<Item = &'a str>) -> std::io::Result<()> {
    let mut out = std::io::BufWriter::with_capacity(64 * 1024, std::io::stdout().lock());
    let mut parts = parts.into_iter();
    let written = parts.try_for_each(|part| out.write_all(part.as_bytes()));
    match written.and_then(|()| out.flush()) {
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => std::process::exit(0),
        other => other,
    }
}

/// Prints one line for a person.
pub(crate) fn note(text: &str) {
    let _ = writeln!(std::io::stderr().lock(), "{}", clean(text));
}

/// Replaces control characters: text of guests, sources and servers must not drive a terminal.
pub(crate) fn clean(text: &str) -> String {
    text.chars()
        .map(|c| {
            if c.is_control() && c != '\n' && c != '\t' {
                '\u{fffd}'
            } else {
                c
            }
        })
        .collect()
}

/// Shows that work goes on, once it has taken a second and only on a terminal.
pub(crate) struct Progress(Option<ProgressBar>);

impl Progress {
    /// Starts with what is being done.
    pub(crate) fn start(what: &str) -> Self {
        if !std::io::stderr().is_terminal() {
            return Self(None);
        }
        let bar = ProgressBar::new_spinner();
        if let Ok(style) = ProgressStyle::with_template("{spinner} {msg} ({elapsed})") {
            bar.set_style(style);
        }
        bar.set_message(clean(what));
        bar.enable_steady_tick(Duration::from_secs(1));
        Self(Some(bar))
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some(bar) = &self.0 {
            bar.finish_and_clear();
        }
    }
}
