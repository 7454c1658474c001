//! `bulkhead render`: what a renderer makes of a directory, from the sandbox.

mod helm;
mod helmrelease;
mod kustomize;
mod plugin;
pub(crate) mod provenance;

use bulkhead_wasm::{Diagnostic, Document, RenderError};

pub(crate) use self::helm::helm;
pub(crate) use self::helmrelease::helmrelease;
pub(crate) use self::kustomize::kustomize;
pub(crate) use self::plugin::plugin;
use crate::output::CliError;

/// Joins documents into one YAML stream, as kustomize does.
fn joined(documents: &[Document]) -> String {
    stream(documents).collect()
}

/// The parts of that stream; every document ends its last line.
fn stream(documents: &[Document]) -> impl Iterator<Item = &str> {
    documents.iter().enumerate().flat_map(|(index, document)| {
        let text = document.text.as_str();
        let separator = if index > 0 { "---\n" } else { "" };
        let end = if text.is_empty() || text.ends_with('\n') {
            ""
        } else {
            "\n"
        };
        [separator, text, end]
    })
}

/// Tells a person what a renderer said, with the help that it gave.
pub(crate) fn failure(error: RenderError) -> CliError {
    let hint = match &error {
        RenderError::Refused(refusal) => refusal
            .diagnostics
            .iter()
            .find_map(|diagnostic| diagnostic.help.clone()),
        _ => None,
    };
    let hint = hint.or_else(|| error.advice().hint);
    CliError {
        hint,
        ..CliError::from(error)
    }
}

fn line(diagnostic: &Diagnostic) -> String {
    let at = diagnostic.at.as_ref().map(|at| match at.line {
        Some(line) => format!("{}:{line}: ", at.path),
        None => format!("{}: ", at.path),
    });
    format!("warning: {}{}", at.unwrap_or_default(), diagnostic.message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documents_are_joined_as_kustomize_does() {
        let document = |text: &str| Document {
            text: text.to_owned(),
            origin: None,
        };
        assert_eq!(
            joined(&[document("a: 1\n"), document("b: 2\n")]),
            "a: 1\n---\nb: 2\n"
        );
        assert_eq!(
            joined(&[document("{}"), document(""), document("{}")]),
            "{}\n---\n---\n{}\n"
        );
    }
}
