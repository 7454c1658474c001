//! The name by which the renderer asks for a repository: its URL, then `ref`, `submodules` and
//! `timeout` in seconds where they were given. Pure.

use std::time::Duration;

use bulkhead_source::Reference;

/// A repository at a reference.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct RepositoryName {
    /// A URL; the short form of SSH is written out.
    pub(super) url: String,
    /// A commit, tag, branch or full reference; empty for the repository's own choice.
    pub(super) reference: String,
    /// Whether submodules are wanted.
    pub(super) submodules: bool,
    /// Longest time for the fetch.
    pub(super) timeout: Option<Duration>,
}

impl RepositoryName {
    /// Takes a name apart.
    pub(super) fn parse(name: &str) -> Self {
        let (url, query) = name.split_once('?').unwrap_or((name, ""));
        let mut parsed = Self {
            url: written_out(url),
            reference: String::new(),
            submodules: true,
            timeout: None,
        };
        for part in query.split('&') {
            match part.split_once('=') {
                Some(("ref", text)) => parsed.reference = decoded(text),
                Some(("submodules", text)) => parsed.submodules = text != "false",
                Some(("timeout", text)) => {
                    parsed.timeout = text.parse().ok().map(Duration::from_secs);
                }
                _ => {}
            }
        }
        parsed
    }

    /// Tells whether it names a commit.
    pub(super) fn is_pinned(&self) -> bool {
        self.reference.len() == 40 && self.reference.bytes().all(|b| b.is_ascii_hexdigit())
    }

    /// Returns what the reference may mean, in Git's order.
    pub(super) fn references(&self) -> Vec<Reference> {
        let reference = self.reference.as_str();
        if self.is_pinned() {
            vec![Reference::commit(reference.to_ascii_lowercase())]
        } else if reference.is_empty() {
            vec![Reference::name("HEAD")]
        } else if reference == "HEAD" || reference.starts_with("refs/") {
            vec![Reference::name(reference)]
        } else {
            vec![Reference::tag(reference), Reference::branch(reference)]
        }
    }
}

/// `user@host:path` as a URL.
fn written_out(url: &str) -> String {
    if url.contains("://") {
        return url.to_owned();
    }
    match url.split_once(':') {
        Some((host, path)) => format!("ssh://{host}/{}", path.trim_start_matches('/')),
        None => format!("ssh://{url}"),
    }
}

fn decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let digits = after
            .get(..2)
            .and_then(|digits| std::str::from_utf8(digits).ok());
        let value = digits.and_then(|digits| u8::from_str_radix(digits, 16).ok());
        match (first, value) {
            (b'%', Some(value)) => {
                bytes.push(value);
                rest = &after[2..];
            }
            _ => {
                bytes.push(*first);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_taken_apart() {
        let name = RepositoryName::parse("https://h/o/r?ref=a%20b&submodules=false&timeout=9");
        assert_eq!(
            (name.url.as_str(), name.reference.as_str(), name.submodules),
            ("https://h/o/r", "a b", false)
        );
        assert_eq!(name.timeout, Some(Duration::from_secs(9)));
        let short = RepositoryName::parse("git@github.com:org/repo.git");
        assert_eq!(short.url, "ssh://git@github.com/org/repo.git");
        assert!(short.submodules);
        assert_eq!(
            RepositoryName::parse("git@host/org/repo.git").url,
            "ssh://git@host/org/repo.git"
        );
    }

    #[test]
    fn only_a_whole_commit_is_pinned() {
        let commit = "0123456789abcdef0123456789abcdef01234567";
        let name = |reference: &str| RepositoryName::parse(&format!("https://h/r?ref={reference}"));
        assert!(name(commit).is_pinned());
        assert!(!name(&commit[1..]).is_pinned());
        assert!(!name(&format!("{commit}0")).is_pinned());
        assert!(!name("v1.0.0").is_pinned() && !name("").is_pinned());
        assert_eq!(name("v1").references().len(), 2);
        assert_eq!(name("").references(), [Reference::name("HEAD")]);
    }
}
