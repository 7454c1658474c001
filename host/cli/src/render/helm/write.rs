//! How rendered templates are printed and written: byte for byte as `helm template` does.

use std::collections::HashSet;
use std::io::Write as _;
use std::path::{Component, Path};

use anyhow::{Context as _, Result, bail};
use bulkhead_wasm::{Document, Rendered};

/// Finds an attribute of the answer.
pub(super) fn attribute<'a>(rendered: &'a Rendered, name: &str) -> Option<&'a str> {
    let mut attributes = rendered.attributes.iter();
    let found = attributes.find(|(known, _)| known == name);
    found.map(|(_, value)| value.as_str())
}

/// Tells the documents from the hooks, which come last.
pub(super) fn parts(rendered: &Rendered) -> (&[Document], &[Document]) {
    let hooks = attribute(rendered, "helm.hooks").and_then(|count| count.parse().ok());
    let documents = rendered.documents.as_slice();
    documents.split_at(documents.len().saturating_sub(hooks.unwrap_or(0)))
}

/// Joins manifests and hooks: white space around the manifests is not kept.
pub(super) fn stream(manifests: &[Document], hooks: &[Document]) -> String {
    let all = manifests.iter().chain(hooks);
    let mut text = String::with_capacity(all.map(|one| one.text.len() + 128).sum());
    manifests.iter().for_each(|one| one_of(one, &mut text));
    text.truncate(text.trim_end().len());
    text.push('\n');
    hooks.iter().for_each(|one| one_of(one, &mut text));
    text
}

/// Joins what `--show-only` picked.
pub(super) fn shown(documents: &[Document]) -> String {
    let mut text = String::new();
    documents.iter().for_each(|one| one_of(one, &mut text));
    text
}

fn one_of(document: &Document, text: &mut String) {
    text.push_str("---\n");
    if let Some(origin) = &document.origin {
        text.push_str("# Source: ");
        text.push_str(&origin.path);
        text.push('\n');
    }
    text.push_str(&document.text);
    text.push('\n');
}

/// Writes each template's manifests to a file of its own; returns what is to be told of it.
pub(super) fn templates(folder: &Path, documents: &[Document]) -> Result<String> {
    let mut told = String::new();
    let mut written = HashSet::new();
    for document in documents {
        let name = name_of(document)?;
        let path = folder.join(name);
        let mut text = String::new();
        one_of(document, &mut text);
        let mut options = std::fs::OpenOptions::new();
        if written.insert(name) {
            options.write(true).create(true).truncate(true);
        } else {
            options.append(true);
        }
        let put = make_parent(&path)
            .and_then(|()| options.open(&path))
            .and_then(|mut file| file.write_all(text.as_bytes()));
        put.with_context(|| format!("failed to write {}", path.display()))?;
        told.push_str(&format!("wrote {}/{name}\n", folder.display()));
    }
    Ok(told)
}

/// Writes each text as it is.
pub(super) fn raw(folder: &Path, documents: &[Document]) -> Result<()> {
    for document in documents {
        let path = folder.join(name_of(document)?);
        make_parent(&path)
            .and_then(|()| std::fs::write(&path, &document.text))
            .with_context(|| format!("failed to write {}", path.display()))?;
    }
    Ok(())
}

fn make_parent(path: &Path) -> std::io::Result<()> {
    std::fs::create_dir_all(path.parent().unwrap_or(path))
}

/// The name of a document's template. It is the guest's word: only one that stays in the folder is
/// taken.
fn name_of(document: &Document) -> Result<&str> {
    let name = document.origin.as_ref().map_or("", |at| at.path.as_str());
    let is_plain = |part| matches!(part, Component::Normal(_));
    if name.is_empty() || !Path::new(name).components().all(is_plain) {
        bail!("the renderer named a file that leads out of the folder: {name:?}");
    }
    Ok(name)
}

#[cfg(test)]
mod tests {
    use bulkhead_wasm::Location;

    use super::*;

    fn document(path: &str, text: &str) -> Document {
        Document {
            text: text.to_owned(),
            origin: Some(Location {
                path: path.to_owned(),
                line: None,
                column: None,
            }),
        }
    }

    #[test]
    fn manifests_and_hooks_are_joined_as_helm_does() {
        let manifests = [document("c/a.yaml", "a: 1\n\n")];
        let hooks = [document("c/b.yaml", "b: 2\n")];
        assert_eq!(
            stream(&manifests, &hooks),
            "---\n# Source: c/a.yaml\na: 1\n---\n# Source: c/b.yaml\nb: 2\n\n"
        );
        assert_eq!(stream(&[], &[]), "\n");
    }

    #[test]
    fn files_hold_all_manifests_of_a_template() {
        let folder = tempfile::tempdir().expect("a folder");
        let two = [document("c/a.yaml", "a: 1"), document("c/a.yaml", "a: 2")];
        let told = templates(folder.path(), &two).expect("they are written");
        let name = format!("wrote {}/c/a.yaml\n", folder.path().display());
        assert_eq!(told, name.repeat(2));
        let text = std::fs::read_to_string(folder.path().join("c/a.yaml")).expect("it is there");
        assert_eq!(
            text,
            "---\n# Source: c/a.yaml\na: 1\n---\n# Source: c/a.yaml\na: 2\n"
        );
        for name in ["../x", "/x", "", "a/../../x"] {
            assert!(raw(folder.path(), &[document(name, "")]).is_err(), "{name}");
        }
    }
}
