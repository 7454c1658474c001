//! Two things that kustomize's kyaml adds to go-yaml: how a text indents its sequences, and which
//! values an old reader would not take as text.

use crate::value::Value;
use crate::{Limits, sigs};

/// How sequences stand below their key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SequenceStyle {
    /// In the column of the key.
    #[default]
    Compact,
    /// Two columns further.
    Wide,
}

/// Finds how the first sequence of `text` is indented, as kyaml's `DeriveSeqIndentStyle` does.
#[must_use]
pub fn sequence_style(text: &str) -> SequenceStyle {
    let lines: Vec<&str> = text.split('\n').collect();
    for (at, line) in lines.iter().enumerate() {
        let Some((before, _)) = line.split_once("- ") else {
            continue;
        };
        if !before.trim_matches(' ').is_empty() {
            continue;
        }
        let above = lines[..at]
            .iter()
            .rev()
            .find(|line| !line.trim_matches(' ').starts_with('#'));
        let key = above.map_or("", |line| line.split('#').next().unwrap_or_default());
        let trimmed = key.trim_matches(' ');
        if trimmed.matches(':').count() != 1 || !trimmed.ends_with(':') {
            continue;
        }
        let indent = key.len() - key.trim_start_matches(' ').len();
        match before.len().checked_sub(indent) {
            Some(0) => return SequenceStyle::Compact,
            Some(2) => return SequenceStyle::Wide,
            _ => {}
        }
    }
    SequenceStyle::Compact
}

/// Whether a YAML 1.1 reader takes a scalar's text as something other than text, as kyaml's
/// `IsValueNonString` finds out.
#[must_use]
pub fn is_value_non_string(text: &str) -> bool {
    if text.is_empty() || text.contains('\n') {
        return false;
    }
    match sigs::read(text, false, &Limits::DEFAULT) {
        Ok(Value::String(_)) | Err(_) => false,
        Ok(_) => true,
    }
}
