//! Patterns over the paths of a tree: `*`, `?` and `[…]` inside one part, `**` for any number.
//!
//! Only the directories that a pattern can reach are listed.

mod part;
mod walk;

use std::fmt;

use bulkhead_api::TreePath;

use part::{Token, matches, tokens};

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

    /// Tells whether the file at `path` matches.
    pub(crate) fn matches(&self, path: &TreePath) -> bool {
        let names: Vec<&str> = path.parts().collect();
        // Row by row, which of the pattern's first parts match the path's first names.
        let mut fits = vec![false; names.len() + 1];
        fits[0] = true;
        for (place, part) in self.parts.iter().enumerate() {
            let last = place + 1 == self.parts.len();
            let mut next = vec![false; names.len() + 1];
            match part {
                Part::Any => {
                    let mut reached = false;
                    for (index, fit) in fits.iter().enumerate() {
                        // At the end it stands for what is below, not for the place itself.
                        next[index] = reached || (*fit && !last);
                        reached |= fit;
                    }
                }
                _ => {
                    for (index, name) in names.iter().enumerate() {
                        next[index + 1] = fits[index] && part.fits(name);
                    }
                }
            }
            fits = next;
        }
        fits[names.len()] && !names.is_empty()
    }
}

impl Part {
    /// Tells whether it matches one name.
    fn fits(&self, name: &str) -> bool {
        match self {
            Self::Name(own) => own == name,
            Self::Pattern(_, tokens) => matches(tokens, name),
            Self::Any => true,
        }
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may")]
    use bulkhead_api::{Entry, EntryKind, SourceTree, TreeError};

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
