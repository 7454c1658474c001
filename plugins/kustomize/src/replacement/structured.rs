//! Values inside a text that is itself YAML or JSON: `data.config\.yaml.server.port`.

use crate::edit::split_dotted;
use crate::error::Outcome;
use crate::node::{Id, Kind, Tree};
use crate::yaml;

use super::{FieldOptions, target};

/// Writes `value` into a document that is the text of a field on the way of `path`. Returns false
/// when there is no such document, or the rest of the path leads nowhere in it.
pub(super) fn put(
    tree: &mut Tree,
    object: Id,
    value: Id,
    path: &str,
    options: Option<&FieldOptions>,
) -> Outcome<bool> {
    let parts = split_dotted(path);
    for end in 1..parts.len() {
        let Ok(Some(field)) = tree.lookup(object, &parts[..end]) else {
            continue;
        };
        if tree[field].kind != Kind::Scalar {
            continue;
        }
        let text = tree[field].value.clone();
        let Ok(document) = yaml::parse_one(tree, &text) else {
            continue;
        };
        let Some(document) = document else {
            return Ok(false);
        };
        let create = options
            .filter(|options| options.create)
            .map(|_| tree[value].kind);
        let Ok(fields) = target::find(tree, document, &parts[end..], create) else {
            return Ok(false);
        };
        if fields.is_empty()
            || fields
                .into_iter()
                .any(|f| target::set(tree, f, value, options).is_err())
        {
            return Ok(false);
        }
        let Some(text) = write(tree, document, &text) else {
            return Ok(false);
        };
        tree[field].value = text.into();
        return Ok(true);
    }
    Ok(false)
}

/// The document as text again: JSON where it was JSON, else YAML.
fn write(tree: &Tree, document: Id, before: &str) -> Option<String> {
    if !before.trim().starts_with(['{', '[']) {
        return Some(yaml::emit(tree, document).trim().to_owned());
    }
    let value = yaml::to_value(tree, tree.unwrap(document)).ok()?;
    let pretty = before.contains('\n') && before.contains("  ");
    Some(crate::json::text(
        &value,
        if pretty { Some("  ") } else { None },
    ))
}
