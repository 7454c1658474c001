//! Patterns over the paths of a tree: `*`, `?` and `[…]` inside one part, `**` for any number.
//!
//! Only the directories that a pattern can reach are listed.

use std::collections::BTreeSet;
use std::fmt;

use bulkhead_api::{Entry, EntryKind, SourceTree, TreeError, TreePath};

/// A pattern, taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Glob {
    parts: Vec<Part>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    /// No wildcard in it.
    Name(String),
    /// `*`, `?`, `[…]`: as written, and taken apart.
    Pattern(String, Vec<Token>),
    /// `**`.
    Any,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Token {
    Character(char),
    One,
    Many,
    Class {
        negated: bool,
        ranges: Vec<(char, char)>,
    },
}

/// Why a pattern is none.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum GlobError {
    /// It is absolute, leaves the tree, or has a character that no path has.
    #[error("pattern `{0}` is absolute, leaves the tree, or has a character that no path has")]
    Path(String),
    /// A `[` is not closed.
    #[error("pattern `{0}` has a `[` without `]`")]
    Open(String),
}

impl Glob {
    /// Takes `pattern` apart. `..` is resolved against what stands before it, if that is a name.
    pub(crate) fn parse(pattern: &str) -> Result<Self, GlobError> {
        let wrong = || GlobError::Path(pattern.to_owned());
        if pattern.starts_with('/')
            || pattern.contains(['\0', '\\'])
            || pattern.len() > TreePath::MAX_BYTES
        {
            return Err(wrong());
        }
        let mut parts = Vec::new();
        for part in pattern.split('/') {
            match part {
                "" | "." => {}
                ".." => match parts.pop() {
                    Some(Part::Name(_)) => {}
                    _ => return Err(wrong()),
                },
                "**" if parts.last() == Some(&Part::Any) => {}
                "**" => parts.push(Part::Any),
                name if !name.contains(['*', '?', '[']) => parts.push(Part::Name(name.to_owned())),
                glob => parts.push(Part::Pattern(
                    glob.to_owned(),
                    tokens(glob).ok_or_else(|| GlobError::Open(pattern.to_owned()))?,
                )),
            }
        }
        Ok(Self { parts })
    }

    /// Puts `root` before the pattern.
    pub(crate) fn below(mut self, root: &TreePath) -> Self {
        self.parts
            .splice(0..0, root.parts().map(|part| Part::Name(part.to_owned())));
        self
    }

    /// Returns the directory that all matches are below.
    pub(crate) fn base(&self) -> String {
        let names: Vec<&str> = self
            .parts
            .iter()
            .map_while(|part| match part {
                Part::Name(name) => Some(name.as_str()),
                _ => None,
            })
            .collect();
        let whole = names.len() == self.parts.len();
        names[..names.len() - usize::from(whole && !names.is_empty())].join("/")
    }

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

impl fmt::Display for Glob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, part) in self.parts.iter().enumerate() {
            let slash = if index == 0 { "" } else { "/" };
            match part {
                Part::Name(name) => write!(f, "{slash}{}", escaped(name))?,
                Part::Pattern(text, _) => write!(f, "{slash}{text}")?,
                Part::Any => write!(f, "{slash}**")?,
            }
        }
        Ok(())
    }
}

/// Writes a name so that its characters stand for themselves: one class each.
fn escaped(name: &str) -> String {
    let wild = |c| matches!(c, '*' | '?' | '[');
    name.chars()
        .map(|c| {
            if wild(c) {
                format!("[{c}]")
            } else {
                c.to_string()
            }
        })
        .collect()
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

/// Reads one part of a pattern; `None` when a class is not closed.
fn tokens(part: &str) -> Option<Vec<Token>> {
    let mut tokens = Vec::new();
    let mut rest = part.chars().peekable();
    while let Some(character) = rest.next() {
        tokens.push(match character {
            '*' if tokens.last() == Some(&Token::Many) => continue,
            '*' => Token::Many,
            '?' => Token::One,
            '[' => {
                let negated = rest.next_if(|&c| c == '!' || c == '^').is_some();
                let mut ranges = Vec::new();
                loop {
                    let low = rest.next()?;
                    if low == ']' && !ranges.is_empty() {
                        break;
                    }
                    let mut ahead = rest.clone();
                    let range =
                        ahead.next() == Some('-') && ahead.peek().is_some_and(|&c| c != ']');
                    let high = if range {
                        rest.next();
                        rest.next()?
                    } else {
                        low
                    };
                    ranges.push((low, high));
                }
                Token::Class { negated, ranges }
            }
            other => Token::Character(other),
        });
    }
    Some(tokens)
}

/// Tells whether `name` matches; backs up to the last `*` only, so in at most |tokens| × |name|.
fn matches(tokens: &[Token], name: &str) -> bool {
    let name: Vec<char> = name.chars().collect();
    let (mut token, mut at) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while at < name.len() {
        let fits = match tokens.get(token) {
            Some(Token::Many) => {
                star = Some((token, at));
                token += 1;
                continue;
            }
            Some(Token::One) => true,
            Some(Token::Character(character)) => *character == name[at],
            Some(Token::Class { negated, ranges }) => {
                let inside = ranges
                    .iter()
                    .any(|(low, high)| (low..=high).contains(&&name[at]));
                inside != *negated
            }
            None => false,
        };
        if fits {
            token += 1;
            at += 1;
        } else if let Some((many, from)) = star {
            token = many + 1;
            at = from + 1;
            star = Some((many, at));
        } else {
            return false;
        }
    }
    tokens[token..].iter().all(|token| *token == Token::Many)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may")]
    use super::*;
    use crate::MemoryTree;

    fn list(pattern: &str) -> Vec<String> {
        let files = [
            "a.yaml",
            "b.yml",
            "d/a.yaml",
            "d/e/b.yaml",
            "d/e/f/c.yaml",
            "x/[y]",
        ];
        let tree = MemoryTree::from_files(files.map(|path| (path, ""))).unwrap();
        let glob = Glob::parse(pattern).unwrap();
        let found = glob.list(&tree, &TreePath::root(), &mut 1000).unwrap();
        found
            .into_iter()
            .map(|entry| entry.path.to_string())
            .collect()
    }

    #[test]
    fn wildcards_stay_in_their_part() {
        assert_eq!(list("*.yaml"), ["a.yaml"]);
        assert_eq!(list("?.y*ml"), ["a.yaml", "b.yml"]);
        assert_eq!(list("[ab].y[!a]*"), ["b.yml"]);
        assert_eq!(list("d/*"), ["d/a.yaml"]);
        assert_eq!(list("d/../a.yaml"), ["a.yaml"]);
        assert_eq!(list("x/[[]y]"), ["x/[y]"]);
        assert_eq!(list("none/*"), Vec::<String>::new());
    }

    #[test]
    fn two_stars_take_any_number_of_parts() {
        assert_eq!(
            list("**/*.yaml"),
            ["a.yaml", "d/a.yaml", "d/e/b.yaml", "d/e/f/c.yaml"]
        );
        assert_eq!(list("d/**/b.yaml"), ["d/e/b.yaml"]);
        assert_eq!(list("d/**"), ["d/a.yaml", "d/e/b.yaml", "d/e/f/c.yaml"]);
        assert_eq!(list("**/**/c.yaml"), ["d/e/f/c.yaml"]);
    }

    #[test]
    fn patterns_stay_in_the_tree() {
        for pattern in ["/etc/*", "../*", "a/../../*", "*/../x", "a\\b"] {
            assert!(
                matches!(Glob::parse(pattern), Err(GlobError::Path(_))),
                "{pattern}"
            );
        }
        assert!(matches!(Glob::parse("[a"), Err(GlobError::Open(_))));
    }

    #[test]
    fn the_base_is_what_every_match_is_below() {
        let base = |pattern| Glob::parse(pattern).unwrap().base();
        assert_eq!(base("a/b/*.yaml"), "a/b");
        assert_eq!(base("a/b.yaml"), "a");
        assert_eq!(base("**"), "");
        assert_eq!(base(""), "");
    }

    #[test]
    fn many_stars_do_not_explode() {
        let tokens = tokens(&"a*".repeat(100)).unwrap();
        assert!(matches(&tokens, &"a".repeat(4000)));
        assert!(!matches(&tokens, &format!("{}b", "a".repeat(99))));
    }

    #[test]
    fn the_budget_ends_the_walk() {
        let tree = MemoryTree::from_files([("a", ""), ("b", ""), ("c", "")]).unwrap();
        let mut budget = 2;
        let found = Glob::parse("*")
            .unwrap()
            .list(&tree, &TreePath::root(), &mut budget)
            .unwrap();
        assert_eq!((found.len(), budget), (2, 0));
    }

    #[test]
    fn a_directory_that_holds_itself_ends() {
        struct Loop;
        impl SourceTree for Loop {
            fn stat(&self, path: &TreePath) -> Result<Entry, TreeError> {
                let kind = EntryKind::Directory;
                Ok(Entry {
                    path: path.clone(),
                    kind,
                    size_bytes: 0,
                    content: None,
                })
            }
            fn read_dir(&self, dir: &TreePath) -> Result<Vec<Entry>, TreeError> {
                self.stat(
                    &dir.join("again")
                        .map_err(|_| TreeError::Link(dir.clone()))?,
                )
                .map(|entry| vec![entry])
            }
            fn read(&self, path: &TreePath) -> Result<Vec<u8>, TreeError> {
                Err(TreeError::NotAFile(path.clone()))
            }
        }
        let glob = Glob::parse("**/x").unwrap();
        assert!(
            glob.list(&Loop, &TreePath::root(), &mut 1_000_000)
                .unwrap()
                .is_empty()
        );
    }
}
