//! Paths of the tree as text: shortened, compared, shown. Pure.

/// A path of the tree as messages show it.
pub(crate) fn show(path: &str) -> String {
    format!("/{path}")
}

/// Whether `path` is `directory` or below it.
pub(crate) fn is_below(path: &str, directory: &str) -> bool {
    directory.is_empty()
        || path
            .strip_prefix(directory)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// The directory that a path is in.
pub(crate) fn parent(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(directory, _)| directory)
}

/// The shortest form of a path; nothing when it leads out of the tree.
pub(crate) fn clean(path: &str) -> Option<String> {
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop()?;
            }
            part => parts.push(part),
        }
    }
    Some(parts.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_stay_in_the_tree() {
        assert_eq!(clean("a/./b/../c//d").as_deref(), Some("a/c/d"));
        assert_eq!(clean("a/..").as_deref(), Some(""));
        assert_eq!(clean("a/../.."), None);
    }

    #[test]
    fn below_means_whole_parts() {
        assert!(is_below("a/b", "a"));
        assert!(is_below("a", "a"));
        assert!(!is_below("ab", "a"));
        assert!(is_below("x", ""));
    }
}
