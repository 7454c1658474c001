//! Reading the source: the [`Files`] trait, which the host's tree implements in the sandbox and
//! [`MemoryFiles`] implements in native tests. Paths are relative to the root and use `/`.
//!
//! Every access is part of what a render depends on, misses included: read what is needed, and no
//! more.

use std::collections::BTreeMap;
use std::fmt;

use crate::tree::{Entry, Error as TreeError, Kind, Tree};

/// The files that a renderer may read.
pub trait Files {
    /// Reads a whole file.
    ///
    /// # Errors
    /// [`ReadError`] names the path and why it could not be read.
    fn read(&self, path: &str) -> Result<Vec<u8>, ReadError>;

    /// Lists a directory, sorted by the bytes of the names.
    ///
    /// # Errors
    /// As [`Files::read`].
    fn read_dir(&self, path: &str) -> Result<Vec<Entry>, ReadError>;

    /// Lists the files that match `pattern` (`*`, `?`, `[…]`, `**`), sorted by their paths.
    ///
    /// # Errors
    /// As [`Files::read`].
    fn glob(&self, pattern: &str) -> Result<Vec<Entry>, ReadError>;

    /// Tells what a path names.
    ///
    /// # Errors
    /// As [`Files::read`].
    fn stat(&self, path: &str) -> Result<Entry, ReadError>;

    /// Reads a whole file as text.
    ///
    /// # Errors
    /// As [`Files::read`], and where the file is not UTF-8.
    fn read_text(&self, path: &str) -> Result<String, ReadError> {
        String::from_utf8(self.read(path)?).map_err(|wrong| ReadError {
            path: path.to_owned(),
            cause: TreeError::Other(format!(
                "it is not valid UTF-8 after byte {}",
                wrong.utf8_error().valid_up_to()
            )),
        })
    }
}

/// Why a path could not be read.
#[derive(Clone, Debug, PartialEq)]
pub struct ReadError {
    /// The path, as it was asked for.
    pub path: String,
    /// The host's answer.
    pub cause: TreeError,
}

impl ReadError {
    /// Tells whether nothing is there, as opposed to something that could not be read.
    pub fn is_not_found(&self) -> bool {
        matches!(self.cause, TreeError::NotFound)
    }
}

impl fmt::Display for ReadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "failed to read `{}`: ", self.path)?;
        match &self.cause {
            TreeError::NotFound => f.write_str("no such file or directory"),
            TreeError::NotAFile => f.write_str("it is a directory"),
            TreeError::NotADirectory => f.write_str("it is not a directory"),
            TreeError::TooLarge(limit) => write!(f, "it is larger than the limit of {limit} bytes"),
            TreeError::InvalidPath => f.write_str("the path leaves the source"),
            TreeError::Denied => f.write_str("the plugin was not granted this file"),
            TreeError::Other(why) => f.write_str(why),
        }
    }
}

impl std::error::Error for ReadError {}

impl Files for Tree {
    fn read(&self, path: &str) -> Result<Vec<u8>, ReadError> {
        Self::read(self, path).map_err(at(path))
    }

    fn read_dir(&self, path: &str) -> Result<Vec<Entry>, ReadError> {
        Self::read_dir(self, path).map_err(at(path))
    }

    fn glob(&self, pattern: &str) -> Result<Vec<Entry>, ReadError> {
        Self::glob(self, pattern).map_err(at(pattern))
    }

    fn stat(&self, path: &str) -> Result<Entry, ReadError> {
        Self::stat(self, path).map_err(at(path))
    }
}

fn at(path: &str) -> impl FnOnce(TreeError) -> ReadError {
    move |cause| ReadError {
        path: path.to_owned(),
        cause,
    }
}

/// Files in memory, for native tests of a plugin: the same answers as the host's tree gives.
#[derive(Clone, Debug, Default)]
pub struct MemoryFiles {
    files: BTreeMap<String, Vec<u8>>,
}

impl MemoryFiles {
    /// Starts with no files.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a file, or replaces it.
    #[must_use]
    pub fn with(mut self, path: &str, content: impl Into<Vec<u8>>) -> Self {
        self.files
            .insert(path.trim_matches('/').to_owned(), content.into());
        self
    }

    fn find(&self, path: &str) -> Result<Entry, TreeError> {
        let path = resolve(path)?;
        if let Some(content) = self.files.get(&path) {
            return Ok(Entry {
                path,
                kind: Kind::File,
                size: content.len() as u64,
            });
        }
        let parent = format!("{path}/");
        if path.is_empty() || self.files.keys().any(|file| file.starts_with(&parent)) {
            return Ok(Entry {
                path,
                kind: Kind::Directory,
                size: 0,
            });
        }
        Err(TreeError::NotFound)
    }
}

impl Files for MemoryFiles {
    fn read(&self, path: &str) -> Result<Vec<u8>, ReadError> {
        let entry = self.find(path).map_err(at(path))?;
        match self.files.get(&entry.path) {
            Some(content) => Ok(content.clone()),
            None => Err(at(path)(TreeError::NotAFile)),
        }
    }

    fn read_dir(&self, path: &str) -> Result<Vec<Entry>, ReadError> {
        let dir = self.find(path).map_err(at(path))?;
        if dir.kind == Kind::File {
            return Err(at(path)(TreeError::NotADirectory));
        }
        let prefix = if dir.path.is_empty() {
            String::new()
        } else {
            format!("{}/", dir.path)
        };
        let mut names: Vec<String> = self
            .files
            .keys()
            .filter_map(|file| file.strip_prefix(&prefix)?.split('/').next())
            .map(|name| format!("{prefix}{name}"))
            .collect();
        names.sort();
        names.dedup();
        names.iter().map(|name| self.stat(name)).collect()
    }

    fn glob(&self, pattern: &str) -> Result<Vec<Entry>, ReadError> {
        let pattern_path = resolve(pattern).map_err(at(pattern))?;
        let parts: Vec<&str> = pattern_path.split('/').collect();
        let matching = |file: &&String| {
            let names: Vec<&str> = file.split('/').collect();
            matches_path(&parts, &names)
        };
        self.files
            .keys()
            .filter(matching)
            .map(|file| self.stat(file))
            .collect()
    }

    fn stat(&self, path: &str) -> Result<Entry, ReadError> {
        self.find(path).map_err(at(path))
    }
}

/// Brings a path into its shortest form; leaving the root is an error.
fn resolve(path: &str) -> Result<String, TreeError> {
    if path.starts_with('/') || path.contains('\0') {
        return Err(TreeError::InvalidPath);
    }
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop().ok_or(TreeError::InvalidPath)?;
            }
            name => parts.push(name),
        }
    }
    Ok(parts.join("/"))
}

fn matches_path(pattern: &[&str], names: &[&str]) -> bool {
    match (pattern.split_first(), names.split_first()) {
        (None, None) => true,
        (Some((&"**", rest)), _) => {
            matches_path(rest, names)
                || names
                    .split_first()
                    .is_some_and(|(_, names)| matches_path(pattern, names))
        }
        (Some((part, rest)), Some((name, names))) => {
            matches_name(part.as_bytes(), name.as_bytes()) && matches_path(rest, names)
        }
        _ => false,
    }
}

fn matches_name(pattern: &[u8], name: &[u8]) -> bool {
    match (pattern.split_first(), name.split_first()) {
        (None, None) => true,
        (Some((b'*', rest)), _) => {
            matches_name(rest, name)
                || name
                    .split_first()
                    .is_some_and(|(_, name)| matches_name(pattern, name))
        }
        (Some((b'?', rest)), Some((_, name))) => matches_name(rest, name),
        (Some((b'[', rest)), Some((byte, name))) => {
            let Some(end) = rest.iter().position(|c| *c == b']') else {
                return false;
            };
            in_class(&rest[..end], *byte) && matches_name(&rest[end + 1..], name)
        }
        (Some((want, rest)), Some((byte, name))) => want == byte && matches_name(rest, name),
        _ => false,
    }
}

fn in_class(class: &[u8], byte: u8) -> bool {
    let (negated, class) = match class.split_first() {
        Some((b'!' | b'^', rest)) => (true, rest),
        _ => (false, class),
    };
    let mut found = false;
    let mut index = 0;
    while index < class.len() {
        if let [from, b'-', to, ..] = &class[index..] {
            found |= (*from..=*to).contains(&byte);
            index += 3;
        } else {
            found |= class[index] == byte;
            index += 1;
        }
    }
    found != negated
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files() -> MemoryFiles {
        MemoryFiles::new()
            .with("a/one.yaml", "one")
            .with("a/b/two.yaml", "two")
            .with("a/b/three.txt", "three")
            .with("top.yaml", [0xff])
    }

    fn paths(entries: Result<Vec<Entry>, ReadError>) -> Vec<String> {
        entries.map_or_else(
            |error| vec![error.to_string()],
            |list| list.into_iter().map(|entry| entry.path).collect(),
        )
    }

    #[test]
    fn reading_resolves_the_path_and_names_what_is_wrong() {
        assert_eq!(files().read_text("a/./b/../one.yaml").as_deref(), Ok("one"));
        let told = |path| files().read_text(path).map_err(|error| error.to_string());
        assert_eq!(
            told("no"),
            Err("failed to read `no`: no such file or directory".into())
        );
        assert_eq!(
            told("a/b"),
            Err("failed to read `a/b`: it is a directory".into())
        );
        assert_eq!(
            told("../x"),
            Err("failed to read `../x`: the path leaves the source".into())
        );
        assert_eq!(
            told("top.yaml"),
            Err("failed to read `top.yaml`: it is not valid UTF-8 after byte 0".into())
        );
    }

    #[test]
    fn directories_are_listed_sorted_and_globs_match_files_only() {
        assert_eq!(paths(files().read_dir("")), ["a", "top.yaml"]);
        assert_eq!(paths(files().read_dir("a")), ["a/b", "a/one.yaml"]);
        assert_eq!(paths(files().glob("a/*")), ["a/one.yaml"]);
        assert_eq!(
            paths(files().glob("**/*.yaml")),
            ["a/b/two.yaml", "a/one.yaml", "top.yaml"]
        );
        assert_eq!(
            paths(files().glob("a/b/t[a-gx]r?e.*")),
            Vec::<String>::new()
        );
        assert_eq!(paths(files().glob("a/b/t[!w]*.txt")), ["a/b/three.txt"]);
    }
}
