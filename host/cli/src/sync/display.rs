//! What `sync` tells: a line for what happened to each source, Kustomization, Delivery and object, or the same
//! as one JSON object a line.

use std::io::IsTerminal as _;

use bulkhead_apply::target::{Action, Change};
use serde_json::json;

use crate::args::OutputFormat;
use crate::output::{self, clean};

/// Lines of one object's difference that a person is shown.
const DIFF_LINES: usize = 60;

/// Writes what happens to standard output.
pub(crate) struct Display {
    format: OutputFormat,
    diff: bool,
    color: bool,
}

/// How a step ended.
pub(crate) enum Status<'a> {
    /// It is at this revision now.
    Ready { revision: &'a str },
    /// It failed: reason, message and what to do. The last good state stays.
    Failed {
        reason: &'a str,
        message: &'a str,
        hint: Option<&'a str>,
    },
    /// It waits for something, or is suspended.
    Waiting { message: &'a str },
}

impl Display {
    pub(crate) fn new(format: OutputFormat, diff: bool) -> Self {
        Self {
            format,
            diff,
            color: std::io::stdout().is_terminal(),
        }
    }

    /// Tells how a source or Kustomization stands.
    pub(crate) fn status(&self, kind: &str, name: &str, status: &Status<'_>) -> anyhow::Result<()> {
        if self.format == OutputFormat::Json {
            let line = match status {
                Status::Ready { revision } => {
                    json!({ "kind": kind, "name": name, "ready": true, "revision": revision })
                }
                Status::Failed {
                    reason,
                    message,
                    hint,
                } => json!({
                    "kind": kind, "name": name, "ready": false,
                    "reason": reason, "message": message, "hint": hint,
                }),
                Status::Waiting { message } => {
                    json!({ "kind": kind, "name": name, "ready": null, "message": message })
                }
            };
            return Ok(output::data(&format!("{line}\n"))?);
        }
        let text = match status {
            Status::Ready { revision } => format!("{} {revision}", self.paint("32", "ready")),
            Status::Failed {
                reason,
                message,
                hint,
            } => {
                let hint = hint
                    .map(|hint| format!("\n  hint: {hint}"))
                    .unwrap_or_default();
                format!(
                    "{} {reason}: {}{}",
                    self.paint("31", "failed"),
                    clean(message),
                    clean(&hint)
                )
            }
            Status::Waiting { message } => format!("{} {message}", self.paint("33", "waiting")),
        };
        Ok(output::data(&format!("{kind}/{name} {text}\n"))?)
    }

    /// Tells what became of the objects of a Kustomization or Delivery; the unchanged are counted.
    pub(crate) fn changes(&self, kind: &str, name: &str, changes: &[Change]) -> anyhow::Result<()> {
        if self.format == OutputFormat::Json {
            for change in changes {
                let line = json!({
                    kind.to_lowercase(): name,
                    "object": change.id.subject(),
                    "action": change.action.to_string(),
                    "diff": change.diff.as_deref().filter(|_| self.diff),
                });
                output::data(&format!("{line}\n"))?;
            }
            return Ok(());
        }
        let mut text = String::new();
        for change in changes
            .iter()
            .filter(|change| change.action != Action::Unchanged)
        {
            let action = match change.action {
                Action::Created => self.paint("32", "created   "),
                Action::Configured => self.paint("33", "configured"),
                Action::Deleted => self.paint("31", "deleted   "),
                Action::Skipped => self.paint("2", "skipped   "),
                Action::Unchanged => continue,
            };
            text.push_str(&format!("  {action} {}\n", clean(&change.id.subject())));
            if let (true, Action::Configured, Some(diff)) = (self.diff, change.action, &change.diff)
            {
                self.push_diff(&mut text, diff);
            }
        }
        let unchanged = changes
            .iter()
            .filter(|change| change.action == Action::Unchanged)
            .count();
        if unchanged > 0 {
            text.push_str(&format!(
                "  {} {unchanged} object{}\n",
                self.paint("2", "unchanged "),
                plural(unchanged)
            ));
        }
        Ok(output::data(&text)?)
    }

    /// Tells what became of a message.
    pub(crate) fn message(
        &self,
        alert: &str,
        provider: &str,
        failure: Option<&str>,
    ) -> anyhow::Result<()> {
        if self.format == OutputFormat::Json {
            let line = json!({
                "kind": "Alert", "name": alert, "provider": provider,
                "sent": failure.is_none(), "message": failure,
            });
            return Ok(output::data(&format!("{line}\n"))?);
        }
        let text = match failure {
            None => format!("Alert/{alert} {} by {provider}", self.paint("32", "sent")),
            Some(why) => format!(
                "Alert/{alert} {} by {provider}: {}",
                self.paint("31", "not sent"),
                clean(why)
            ),
        };
        Ok(output::data(&format!("{text}\n"))?)
    }

    fn push_diff(&self, text: &mut String, diff: &str) {
        let count = diff.lines().count();
        for line in diff.lines().take(DIFF_LINES) {
            let line = clean(line);
            let line = match line.as_bytes().first() {
                Some(b'+') => self.paint("32", &line),
                Some(b'-') => self.paint("31", &line),
                _ => line,
            };
            text.push_str(&format!("    {line}\n"));
        }
        if count > DIFF_LINES {
            text.push_str(&format!("    … {} more lines\n", count - DIFF_LINES));
        }
    }

    fn paint(&self, code: &str, text: &str) -> String {
        if self.color {
            format!("\u{1b}[{code}m{text}\u{1b}[0m")
        } else {
            text.to_owned()
        }
    }
}

fn plural(count: usize) -> &'static str {
    if count == 1 { "" } else { "s" }
}
