//! One line of an ignore file.

use super::glob;

/// What a pattern that matches decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// The path is left out.
    Out,
    /// The path is brought back.
    In,
}

#[derive(Clone, Debug)]
pub(super) struct Pattern {
    /// The folder of the file that holds the pattern, as its parts.
    folder: Vec<String>,
    parts: Vec<String>,
    verdict: Verdict,
    is_for_folders: bool,
}

impl Pattern {
    pub(super) fn parse(line: &str, folder: Vec<String>) -> Self {
        let (verdict, line) = match line.strip_prefix('!') {
            Some(line) => (Verdict::In, line),
            None => (Verdict::Out, line),
        };
        let line = if line.ends_with("\\ ") {
            line
        } else {
            line.trim_end_matches(' ')
        };
        let (is_for_folders, line) = line
            .strip_suffix('/')
            .map_or((false, line), |line| (true, line));
        let parts = line.split('/').map(str::to_owned).collect();
        Self {
            folder,
            parts,
            verdict,
            is_for_folders,
        }
    }

    /// Returns the verdict if the pattern matches.
    pub(super) fn judge(&self, path: &[&str], is_dir: bool) -> Option<Verdict> {
        let (above, below) = path.split_at_checked(self.folder.len())?;
        if below.is_empty() || above != self.folder {
            return None;
        }
        let matches = match self.parts.as_slice() {
            [name] => self.matches_name(name, below, is_dir),
            _ => self.matches_path(below, is_dir),
        };
        matches.then_some(self.verdict)
    }

    /// A pattern without `/` matches any part of the path.
    fn matches_name(&self, pattern: &str, path: &[&str], is_dir: bool) -> bool {
        for (at, name) in path.iter().enumerate() {
            match glob::matches(pattern, name) {
                Err(_) => return false,
                Ok(false) => {}
                Ok(true) => return is_dir || !self.is_for_folders || at + 1 < path.len(),
            }
        }
        false
    }

    /// A pattern with `/` matches from its folder down, and everything below what it matches.
    fn matches_path(&self, mut path: &[&str], is_dir: bool) -> bool {
        let mut matched = false;
        let mut may_skip = false;
        for (at, part) in self.parts.iter().enumerate() {
            match part.as_str() {
                "" => {
                    may_skip = false;
                    continue;
                }
                "**" if at + 1 == self.parts.len() => break,
                "**" => {
                    may_skip = true;
                    continue;
                }
                part if part.contains("**") => return false,
                _ => {}
            }
            let Some((first, rest)) = path.split_first() else {
                return false;
            };
            if std::mem::take(&mut may_skip) {
                let Ok(found) = skip_to(part, path) else {
                    return false;
                };
                matched = found.is_some() || (matched && path.is_empty());
                path = found.unwrap_or_default();
            } else {
                if glob::matches(part, first) != Ok(true) {
                    return false;
                }
                matched = true;
                path = rest;
            }
        }
        matched && !(self.is_for_folders && !is_dir && path.is_empty())
    }
}

/// Returns what follows the first part that matches.
fn skip_to<'a, 'b>(
    pattern: &str,
    path: &'a [&'b str],
) -> Result<Option<&'a [&'b str]>, glob::Malformed> {
    for (at, name) in path.iter().enumerate() {
        if glob::matches(pattern, name)? {
            return Ok(Some(&path[at + 1..]));
        }
    }
    Ok(None)
}
