//! Which files of a tree a pattern matches: only the directories that it can reach are listed.

use std::collections::BTreeSet;

use bulkhead_api::{Entry, EntryKind, SourceTree, TreeError, TreePath};

use super::part::matches;
use super::{Glob, Part};

impl Glob {
    /// Lists the files below `root` that match, sorted by the bytes of their paths, which start at
    /// the tree's root. Each entry that is looked at takes one from `budget`; at 0 the walk ends.
    pub(crate) fn list(
        &self,
        tree: &dyn SourceTree,
        root: &TreePath,
        budget: &mut u64,
    ) -> Result<Vec<Entry>, TreeError> {
        let mut walk = Walk {
            tree,
            parts: &self.parts,
            found: Vec::new(),
            todo: Vec::new(),
        };
        let mut seen = BTreeSet::new();
        walk.todo.push((root.clone(), 0));
        while let Some((dir, at)) = walk.todo.pop() {
            if *budget == 0 {
                break;
            }
            if seen.insert((dir.clone(), at)) {
                walk.step(&dir, at, budget)?;
            }
        }
        let mut found = walk.found;
        found.sort_unstable_by(|a, b| a.path.as_str().as_bytes().cmp(b.path.as_str().as_bytes()));
        found.dedup_by(|a, b| a.path == b.path);
        Ok(found)
    }
}

/// A walk with its own stack: a tree may be deeper than the host's.
struct Walk<'a> {
    tree: &'a dyn SourceTree,
    parts: &'a [Part],
    found: Vec<Entry>,
    /// Directories, and the part of the pattern that their entries must match.
    todo: Vec<(TreePath, usize)>,
}

impl Walk<'_> {
    /// Matches the entries of `dir` against part `at`. What is missing, or is a file where a
    /// directory should be, matches nothing.
    fn step(&mut self, dir: &TreePath, at: usize, budget: &mut u64) -> Result<(), TreeError> {
        let Some(part) = self.parts.get(at) else {
            return Ok(());
        };
        let last = at + 1 == self.parts.len();
        if let Part::Name(name) = part {
            *budget -= 1;
            let Ok(path) = dir.join(name) else {
                return Ok(());
            };
            if let Some(entry) = absent_is_none(self.tree.stat(&path))? {
                self.visit(Entry { path, ..entry }, at + 1, last);
            }
            return Ok(());
        }
        let Some(entries) = absent_is_none(self.tree.read_dir(dir))? else {
            return Ok(());
        };
        if *part == Part::Any && !last {
            self.todo.push((dir.clone(), at + 1));
        }
        for entry in entries {
            if *budget == 0 {
                return Ok(());
            }
            *budget -= 1;
            let Some(name) = entry.path.name() else {
                continue;
            };
            let Ok(path) = dir.join(name) else { continue };
            let next = match part {
                Part::Pattern(_, tokens) if !matches(tokens, name) => continue,
                Part::Any => at,
                _ => at + 1,
            };
            self.visit(Entry { path, ..entry }, next, last);
        }
        Ok(())
    }

    /// Keeps a file that the last part matched, enters a directory.
    fn visit(&mut self, entry: Entry, next: usize, last: bool) {
        match entry.kind {
            EntryKind::File if last => self.found.push(entry),
            EntryKind::File => {}
            EntryKind::Directory => self.todo.push((entry.path, next)),
        }
    }
}

fn absent_is_none<T>(answer: Result<T, TreeError>) -> Result<Option<T>, TreeError> {
    match answer {
        Ok(value) => Ok(Some(value)),
        Err(error @ TreeError::Store { .. }) => Err(error),
        Err(_) => Ok(None),
    }
}
