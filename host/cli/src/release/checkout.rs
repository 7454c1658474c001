//! Whether a GitRepository is the checkout that a file lies in: then its files are those at hand.

use std::path::{Path, PathBuf};

/// Finds the checkout around `path` whose remote `origin` is `url`.
pub(super) fn of(path: &Path, url: &str) -> Option<PathBuf> {
    let path = path.canonicalize().ok()?;
    let root = path
        .ancestors()
        .find(|folder| folder.join(".git").exists())?;
    let config = std::fs::read_to_string(root.join(".git/config")).ok()?;
    (normalized(&origin(&config)?) == normalized(url)).then(|| root.to_owned())
}

/// Finds the URL of the remote `origin`.
fn origin(config: &str) -> Option<String> {
    let mut lines = config.lines().map(str::trim);
    lines.find(|line| *line == "[remote \"origin\"]")?;
    let own = lines.take_while(|line| !line.starts_with('['));
    let mut urls = own.filter_map(|line| {
        let (key, value) = line.split_once('=')?;
        (key.trim() == "url").then(|| value.trim().to_owned())
    });
    urls.next()
}

/// Leaves of a URL what tells repositories apart: host and path.
fn normalized(url: &str) -> String {
    let (rest, is_short) = match url.split_once("://") {
        Some((_, rest)) => (rest, false),
        None => (url, true),
    };
    let rest = rest.rsplit_once('@').map_or(rest, |(_, rest)| rest);
    // `git@host:path`
    let rest = match is_short {
        true => rest.replacen(':', "/", 1),
        false => rest.to_owned(),
    };
    let rest = rest.trim_end_matches('/');
    rest.strip_suffix(".git").unwrap_or(rest).to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_repository_has_many_urls() {
        let wanted = normalized("https://git.example.com/team/fleet");
        for url in [
            "ssh://git@git.example.com/team/fleet.git",
            "git@git.example.com:team/fleet.git",
            "https://user:word@git.example.com/team/Fleet/",
        ] {
            assert_eq!(normalized(url), wanted, "{url}");
        }
        assert_ne!(normalized("https://git.example.com/team/other"), wanted);
    }

    #[test]
    fn the_origin_is_found() {
        let config = "[core]\n\tbare = false\n[remote \"up\"]\n\turl = a\n[remote \"origin\"]\n\
                      \tfetch = +refs\n\turl = https://x.example/y.git\n[branch \"main\"]\n\turl = b\n";
        assert_eq!(origin(config).as_deref(), Some("https://x.example/y.git"));
        assert_eq!(origin("[core]\n"), None);
    }
}
