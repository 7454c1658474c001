//! What names something remote: a URL of a file, or a repository in any of the forms that
//! kustomize takes. Nothing is fetched here.

use crate::error::{Error, fail};

/// Whether a path is the URL of a file.
pub(crate) fn is_file(path: &str) -> bool {
    ["http://", "https://"]
        .iter()
        .any(|scheme| starts_with(path, scheme))
}

/// Whether a path of a base names a repository.
pub(crate) fn is_repository(path: &str) -> bool {
    if path.starts_with('/') {
        return false;
    }
    let (path, _) = path.split_once('?').unwrap_or((path, ""));
    let Some((is_local, rest)) = split_host(path) else {
        return false;
    };
    let Some((repository, below)) = split_repository(rest, is_local) else {
        return false;
    };
    let exits = crate::load::clean(below).is_none();
    !repository.is_empty() && !exits
}

/// The error for something remote that the host has not fetched.
pub(crate) fn refuse(path: &str) -> Box<Error> {
    fail!(Unsupported, "remote resource '{path}' cannot be fetched: this render has no network").advise(
        "copy it into the source, or add it as a source of its own and build it in a Kustomization of its own",
    )
}

fn starts_with(text: &str, prefix: &str) -> bool {
    text.get(..prefix.len())
        .is_some_and(|start| start.eq_ignore_ascii_case(prefix))
}

/// What follows the host, and whether the repository is a local one.
fn split_host(path: &str) -> Option<(bool, &str)> {
    let path = if starts_with(path, "git::") {
        &path[5..]
    } else {
        path
    };
    let scheme = ["ssh://", "https://", "http://", "file://"]
        .into_iter()
        .find(|scheme| starts_with(path, scheme));
    let rest = &path[scheme.map_or(0, str::len)..];
    let (user, rest) = split_user(rest);
    if scheme == Some("file://") {
        return Some((true, rest));
    }
    let github = starts_with(rest, "github.com/") || starts_with(rest, "github.com:");
    let scp = scheme.is_none() && (user || github);
    if scheme.is_none() && !scp {
        return None;
    }
    let mut end = rest.find('/');
    if scp && let Some(colon) = rest.find(':').filter(|colon| *colon > 0) {
        end = Some(end.map_or(colon, |slash| slash.min(colon)));
    }
    match end {
        Some(0) => None,
        Some(end) => Some((false, &rest[end + 1..])),
        None if rest.is_empty() => None,
        None => Some((false, "")),
    }
}

fn split_user(text: &str) -> (bool, &str) {
    let Some((name, rest)) = text.split_once('@') else {
        return (false, text);
    };
    let fits = name.starts_with(|c: char| c.is_ascii_alphabetic())
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    if fits { (true, rest) } else { (false, text) }
}

/// Splits what follows the host into the repository and the path below it.
fn split_repository(rest: &str, is_local: bool) -> Option<(&str, &str)> {
    if let Some(at) = rest.find("_git/") {
        let after = at + "_git/".len();
        let end = rest[after..]
            .find('/')
            .map_or(rest.len(), |slash| after + slash);
        return Some((&rest[..end], rest[end..].trim_start_matches('/')));
    }
    if let Some((repository, below)) = rest.split_once("//") {
        return Some((repository, below));
    }
    if let Some(at) = rest.find(".git") {
        let end = at + ".git".len();
        return Some((&rest[..end], &rest[end..]));
    }
    if is_local {
        return Some((rest, ""));
    }
    let mut slashes = rest.match_indices('/').map(|(at, _)| at);
    slashes.next()?;
    let end = slashes.next().unwrap_or(rest.len());
    Some((&rest[..end], rest[end..].trim_start_matches('/')))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repositories_are_recognised() {
        for path in [
            "github.com/org/repo",
            "https://github.com/org/repo//path?ref=v1",
            "git@github.com:org/repo.git",
            "ssh://git@host/org/repo.git/path",
            "git::https://host.example/org/repo",
            "file:///srv/repo",
        ] {
            assert!(is_repository(path), "{path}");
        }
        for path in [
            "../base",
            "base",
            "/abs/base",
            "github.com/org",
            "https://host/file.yaml",
            "a@b",
        ] {
            assert!(!is_repository(path), "{path}");
        }
    }
}
