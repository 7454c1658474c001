//! Names in a commit's trees: which are refused, and how they are shown.

use std::collections::{HashMap, HashSet};

use gix::bstr::{BStr, BString, ByteSlice as _};
use gix::objs::tree::EntryRef;
use gix::validate::path::component;

use super::TreeProblem;

/// Judges the names of one folder, ignored or not.
pub(super) fn judge(entries: &[EntryRef<'_>], path: &[BString]) -> Result<(), TreeProblem> {
    let mut names = HashSet::with_capacity(entries.len());
    let mut has_link = false;
    for entry in entries {
        let is_link = entry.mode.is_link();
        has_link |= is_link;
        judge_name(entry.filename, is_link)
            .map_err(|why| TreeProblem::Forbidden(show_with(path, entry.filename), why))?;
        if !names.insert(entry.filename) {
            return Err(TreeProblem::Twice(show_with(path, entry.filename)));
        }
    }
    if has_link {
        let mut folded = HashMap::new();
        for entry in entries {
            *folded
                .entry(entry.filename.to_str_lossy().to_lowercase())
                .or_insert(0) += 1;
        }
        let clash = |name: &BStr| {
            folded
                .get(&name.to_str_lossy().to_lowercase())
                .is_some_and(|count| *count > 1)
        };
        if let Some(entry) = entries
            .iter()
            .find(|entry| entry.mode.is_link() && clash(entry.filename))
        {
            return Err(TreeProblem::LinkClash(show_with(path, entry.filename)));
        }
    }
    Ok(())
}

fn judge_name(name: &BStr, is_link: bool) -> Result<(), &'static str> {
    use component::Error;
    if name.contains(&0) {
        return Err("it holds a NUL");
    }
    let options = component::Options {
        protect_windows: false,
        protect_hfs: true,
        protect_ntfs: true,
    };
    match gix::validate::path::component(name, is_link.then_some(component::Mode::Symlink), options)
    {
        Ok(_) => Ok(()),
        Err(Error::Empty) => Err("it is empty"),
        Err(Error::Relative) => Err("it leads elsewhere"),
        Err(Error::DotGitDir) => Err("some file systems take it for `.git`"),
        Err(Error::SymlinkedGitModules) => Err("`.gitmodules` may not be a symbolic link"),
        Err(Error::PathSeparator) => Err("it holds a `/`"),
        Err(_) => Err("some file systems cannot hold it"),
    }
}

/// Judges a name that a renderer will see.
pub(super) fn check_portable(name: &BStr, path: &[String]) -> Result<(), TreeProblem> {
    let shown = || {
        let folder: Vec<BString> = path
            .iter()
            .map(|part| BString::from(part.as_str()))
            .collect();
        show_with(&folder, name)
    };
    let Ok(text) = name.to_str() else {
        return Err(TreeProblem::NotUtf8(shown()));
    };
    if text.chars().any(|c| c == '\\' || c.is_control()) {
        return Err(TreeProblem::Character(shown()));
    }
    if gix::validate::path::component_is_windows_device(name) {
        return Err(TreeProblem::Device(shown()));
    }
    Ok(())
}

pub(super) fn show(path: &[BString]) -> String {
    let shown: Vec<String> = path.iter().map(|name| name.escape_ascii_lossy()).collect();
    crate::error::clean(&shown.join("/"))
}

pub(super) fn show_with(path: &[BString], name: &BStr) -> String {
    let mut path = path.to_vec();
    path.push(name.to_owned());
    show(&path)
}

trait Escape {
    fn escape_ascii_lossy(&self) -> String;
}

impl Escape for BString {
    /// Shows what is readable as it is, and all else as `\xff`.
    fn escape_ascii_lossy(&self) -> String {
        let mut text = String::new();
        for chunk in self.utf8_chunks() {
            text.extend(
                chunk
                    .valid()
                    .chars()
                    .map(|c| if c.is_control() { '\u{fffd}' } else { c }),
            );
            for byte in chunk.invalid() {
                text.push_str(&format!("\\x{byte:02x}"));
            }
        }
        text
    }
}
