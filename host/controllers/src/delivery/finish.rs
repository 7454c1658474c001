//! From what a plugin returned to objects: variables are put in, documents parsed, and a digest is
//! made of what was parsed. Pure.

use bulkhead_api::Digest;
use bulkhead_apply::Object;
use bulkhead_apply::parse::{self, Text};
use bulkhead_wasm::{Document, Location};

use super::error::DeliveryError;
use super::substitute::{self, Substitution};

/// Objects, and the digest of the text that they were parsed from.
pub(super) struct Finished {
    pub(super) objects: Vec<Object>,
    pub(super) digest: Digest,
}

/// Puts variables in, parses, and digests what was parsed.
pub(super) fn finish(
    documents: &[Document],
    substitution: &Substitution,
) -> Result<Finished, DeliveryError> {
    let texts: Vec<Text<'_>> = documents.iter().map(text_of).collect();
    if !substitution.is_active() {
        return parsed(&texts);
    }
    substitute::check(&substitution.variables)?;
    let limits = parse::Limits::default();
    let mut changed = Vec::with_capacity(texts.len());
    for text in &texts {
        for single in self::documents(text.text) {
            let single = Text {
                text: single,
                ..*text
            };
            let objects = parse::objects([single], &limits)?;
            // Of a List, the objects are one document.
            let replaced = match objects.first() {
                Some(object) => substitute::substitute(single.text, object, substitution)?,
                None => None,
            };
            changed.push((replaced.unwrap_or_else(|| single.text.to_owned()), text));
        }
    }
    let texts: Vec<Text<'_>> = changed
        .iter()
        .map(|(text, place)| Text { text, ..**place })
        .collect();
    parsed(&texts)
}

fn parsed(texts: &[Text<'_>]) -> Result<Finished, DeliveryError> {
    Ok(Finished {
        objects: parse::objects(texts.iter().copied(), &parse::Limits::default())?,
        digest: digest(texts.iter().map(|text| text.text)),
    })
}

/// Digests rendered documents as `bulkhead render` prints them: their texts, each with its last line
/// ended, and the marker between them.
pub fn digest<'a>(texts: impl IntoIterator<Item = &'a str>) -> Digest {
    let ended = |text: &str| match text {
        "" => String::new(),
        text if text.ends_with('\n') => text.to_owned(),
        text => format!("{text}\n"),
    };
    let parts: Vec<String> = texts.into_iter().map(ended).collect();
    Digest::of(parts.join("---\n"))
}

/// Returns the objects as a transformer gets them: a document each, in JSON, where it came from kept.
pub(super) fn to_documents(objects: &[Object]) -> Vec<Document> {
    let document = |object: &Object| {
        let origin = object.origin();
        Document {
            text: object.to_value().to_string(),
            origin: (!origin.path.is_empty()).then(|| Location {
                path: origin.path.clone(),
                line: u32::try_from(origin.line).ok().filter(|line| *line > 0),
                column: None,
            }),
        }
    };
    objects.iter().map(document).collect()
}

fn text_of(document: &bulkhead_wasm::Document) -> Text<'_> {
    let origin = document.origin.as_ref();
    Text {
        text: &document.text,
        path: origin.map_or("", |origin| &origin.path),
        line: origin.and_then(|origin| origin.line).unwrap_or(0) as usize,
    }
}

/// Splits a text at the lines that separate documents.
fn documents(text: &str) -> Vec<&str> {
    let mut documents = Vec::new();
    let mut start = 0;
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        let is_marker = line.trim_end() == "---" || line.starts_with("--- ");
        if is_marker && at > start {
            documents.push(&text[start..at]);
            start = at;
        }
        at += line.len();
    }
    documents.push(&text[start..]);
    documents
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_split_into_its_documents() {
        assert_eq!(documents("a: 1\n---\nb: 2\n"), ["a: 1\n", "---\nb: 2\n"]);
        assert_eq!(documents("---\na: |\n  --- x\n"), ["---\na: |\n  --- x\n"]);
    }
}
