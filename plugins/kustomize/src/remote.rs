//! What names something remote: the URL of a file, or a repository in any of the forms that
//! kustomize takes. Nothing is fetched here: the host puts what it has fetched into the tree, at the
//! path that [`mount`] gives, and what is not there is told to it.
//!
//! Grammar as in kustomize 5.8, `api/internal/git/repospec.go`.

use std::cell::RefCell;
use std::rc::Rc;

use sha2::{Digest as _, Sha256};

use crate::error::{Code, Error};

/// The folder of the tree that remote files and repositories are put into.
const FOLDER: &str = ".bulkhead/remote";

/// What a remote name may stand for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RemoteKind {
    /// A Git repository.
    Repository,
    /// A file behind a URL.
    File,
    /// A file behind a URL; where there is none, the URL is read as a repository.
    FileOrRepository,
}

impl RemoteKind {
    /// The name in CamelCase, as diagnostics carry it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Repository => "RemoteRepository",
            Self::File => "RemoteFile",
            Self::FileOrRepository => "RemoteFileOrRepository",
        }
    }
}

/// Something remote that the tree lacks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remote {
    /// What it may be.
    pub kind: RemoteKind,
    /// A file's URL; for a repository its URL with `ref`, `submodules` and `timeout` (in seconds)
    /// where they were given. Its SHA-256 in hexadecimal digits is its name below
    /// `.bulkhead/remote`: there the host puts the file, or the repository's root.
    pub name: String,
    /// How the kustomization writes it.
    pub path: String,
    /// The kustomization file that names it.
    pub named_in: String,
}

/// What the loaders of a render found out about what is remote.
#[derive(Debug, Default)]
pub(crate) struct Found {
    /// What the tree lacks.
    pub(crate) lacking: Vec<Remote>,
    /// Where repositories are in the tree, and what they go by.
    pub(crate) mounted: Vec<(String, String)>,
}

/// [`Found`], shared by all loaders.
pub(crate) type Shared = Rc<RefCell<Found>>;

impl Found {
    /// Puts names that a user knows in place of where repositories are in the tree, and tells the
    /// host what is lacking.
    pub(crate) fn explain(&self, mut error: Box<Error>) -> Box<Error> {
        if error.code == Code::RemoteMissing {
            error.remotes.clone_from(&self.lacking);
        }
        for (mount, name) in &self.mounted {
            error.message = error.message.replace(&format!("/{mount}"), name);
            let places = error.chain.iter_mut().chain(&mut error.file);
            places.for_each(|place| *place = place.replace(mount, name));
        }
        error
    }
}

/// A repository that the path of a base names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Repository {
    /// As it is given to `git clone`.
    pub(crate) clone: String,
    /// The directory inside it.
    pub(crate) below: String,
    /// Branch, tag or commit; empty for the repository's own choice.
    pub(crate) reference: String,
    submodules: bool,
    timeout_seconds: Option<u64>,
}

impl Repository {
    /// What identifies it: see [`Remote::name`].
    pub(crate) fn name(&self) -> String {
        let mut query = Vec::new();
        if !self.reference.is_empty() {
            query.push(format!("ref={}", encoded(&self.reference)));
        }
        if !self.submodules {
            query.push("submodules=false".to_owned());
        }
        if let Some(seconds) = self.timeout_seconds {
            query.push(format!("timeout={seconds}"));
        }
        let mark = if query.is_empty() { "" } else { "?" };
        format!("{}{mark}{}", self.clone, query.join("&"))
    }
}

/// Where the tree has what is remote.
pub(crate) fn mount(name: &str) -> String {
    let digest = Sha256::digest(name.as_bytes());
    let hex: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("{FOLDER}/{hex}")
}

/// The error for something remote that the tree lacks.
pub(crate) fn missing(path: &str) -> Box<Error> {
    Error::new(
        Code::RemoteMissing,
        format!("remote resource '{path}' is not in the source, and was not fetched"),
    )
}

/// Whether a path is the URL of a file.
pub(crate) fn is_file(path: &str) -> bool {
    ["http://", "https://"]
        .iter()
        .any(|scheme| without(path, scheme).is_some())
}

/// The repository that a path of a base names; nothing when it names none.
pub(crate) fn repository(path: &str) -> Option<Repository> {
    if path.starts_with('/') {
        return None;
    }
    let (path, query) = path.split_once('?').unwrap_or((path, ""));
    let (host, rest) = split_host(path)?;
    let (repository, below) = split_repository(&rest, host == "file://")?;
    let below = below.strip_prefix('/').unwrap_or(below);
    if repository.is_empty() || exits(below) {
        return None;
    }
    let query = Query::read(query);
    Some(Repository {
        clone: format!("{host}{repository}"),
        below: below.to_owned(),
        reference: query.reference,
        submodules: query.submodules,
        timeout_seconds: query.timeout_seconds,
    })
}

/// `text` without a prefix of ASCII letters in either case.
fn without<'a>(text: &'a str, prefix: &str) -> Option<&'a str> {
    let start = text.get(..prefix.len())?;
    start
        .eq_ignore_ascii_case(prefix)
        .then(|| &text[prefix.len()..])
}

/// Splits off scheme, user and host, in the form in which they are used.
fn split_host(path: &str) -> Option<(String, String)> {
    let path = without(path, "git::").unwrap_or(path);
    let found = ["ssh://", "https://", "http://", "file://"]
        .into_iter()
        .find_map(|scheme| Some((scheme, without(path, scheme)?)));
    let (scheme, rest) = found.unwrap_or(("", path));
    if scheme == "file://" {
        return Some((scheme.to_owned(), rest.to_owned()));
    }
    let (user, rest) = split_user(rest);
    let github = without(rest, "github.com/").is_some() || without(rest, "github.com:").is_some();
    let short = scheme.is_empty() && (!user.is_empty() || github);
    if scheme.is_empty() && !short {
        return None;
    }
    let mut end = rest.find('/');
    let colon = rest.find(':').filter(|_| short);
    if end.is_none() || colon.is_some_and(|colon| colon > 0 && Some(colon) < end) {
        end = colon.or(end);
    }
    let (host, rest) = rest.split_at(end.map_or(rest.len(), |end| end + 1));
    let host = match (github, user.is_empty() && scheme != "ssh://") {
        (true, true) => "https://github.com/".to_owned(),
        (true, false) => format!("{user}github.com:"),
        (false, _) if host.is_empty() => return None,
        (false, _) => format!("{scheme}{user}{host}"),
    };
    Some((host, rest.to_owned()))
}

/// Splits off `name@`.
fn split_user(text: &str) -> (&str, &str) {
    let Some(at) = text.find('@') else {
        return ("", text);
    };
    let name = &text[..at];
    let fits = name.starts_with(|c: char| c.is_ascii_alphabetic())
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    if fits {
        text.split_at(at + 1)
    } else {
        ("", text)
    }
}

/// Splits what follows the host into the repository and the path below it.
fn split_repository(rest: &str, is_local: bool) -> Option<(&str, &str)> {
    if let Some(at) = rest.find("_git/") {
        let after = at + "_git/".len();
        let end = rest[after..].find('/').map(|slash| after + slash);
        let end = end.unwrap_or(rest.len());
        return Some((&rest[..end], rest[end..].get(1..).unwrap_or_default()));
    }
    if let Some((repository, below)) = rest.split_once("//") {
        return Some((repository, below));
    }
    if let Some(at) = rest.find(".git") {
        return Some(rest.split_at(at + ".git".len()));
    }
    if is_local {
        return Some((rest, ""));
    }
    let mut slashes = rest.match_indices('/').map(|(at, _)| at);
    slashes.next()?;
    let end = slashes.next().unwrap_or(rest.len());
    Some((&rest[..end], rest[end..].get(1..).unwrap_or_default()))
}

/// Whether a path inside a repository leads out of it.
fn exits(below: &str) -> bool {
    crate::load::clean(below.strip_prefix('/').unwrap_or(below)).is_none()
}

/// What the query of a repository asks for.
struct Query {
    reference: String,
    submodules: bool,
    timeout_seconds: Option<u64>,
}

impl Query {
    /// Reads a query as Go does; one that is malformed asks for nothing.
    fn read(text: &str) -> Self {
        let values = pairs(text).unwrap_or_default();
        let first = |key: &str| {
            let found = values.iter().find(|(name, _)| name == key);
            found.map(|(_, value)| value.as_str()).unwrap_or_default()
        };
        let reference = match first("ref") {
            "" => first("version"),
            reference => reference,
        };
        let no = ["0", "f", "F", "false", "FALSE", "False"];
        Self {
            reference: reference.to_owned(),
            submodules: !no.contains(&first("submodules")),
            timeout_seconds: seconds(first("timeout")),
        }
    }
}

/// Splits a query into names and values.
fn pairs(query: &str) -> Option<Vec<(String, String)>> {
    let parts = query.split('&').filter(|part| !part.is_empty());
    parts
        .map(|part| {
            let (name, value) = part.split_once('=').unwrap_or((part, ""));
            (!part.contains(';')).then_some(())?;
            Some((decoded(name)?, decoded(value)?))
        })
        .collect()
}

fn decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => {
                let digits = [rest.next()?, rest.next()?].map(char::from);
                let value = digits.map(|digit| digit.to_digit(16));
                u8::try_from(value[0]? * 16 + value[1]?).ok()?
            }
            byte => byte,
        });
    }
    String::from_utf8(bytes).ok()
}

fn encoded(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

/// A number of seconds, or a duration of Go such as `1m30s`; whole seconds, rounded up.
fn seconds(text: &str) -> Option<u64> {
    if let Ok(seconds) = text.parse::<u64>() {
        return Some(seconds).filter(|seconds| *seconds > 0);
    }
    let mut rest = text.strip_prefix('+').unwrap_or(text);
    let mut sum = 0.0_f64;
    while !rest.is_empty() {
        let end = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let (number, unit) = rest.split_at(end);
        let end = unit.find(|c: char| c.is_ascii_digit() || c == '.');
        let (unit, after) = unit.split_at(end.unwrap_or(unit.len()));
        let scale = match unit {
            "h" => 3600.0,
            "m" => 60.0,
            "s" => 1.0,
            "ms" => 1e-3,
            "us" | "µs" | "μs" => 1e-6,
            "ns" => 1e-9,
            _ => return None,
        };
        sum += number.parse::<f64>().ok()? * scale;
        rest = after;
    }
    (sum > 0.0 && sum < 1e9).then(|| sum.ceil() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Inputs and parts as upstream's own table has them (`repospec_test.go`).
    #[test]
    fn repositories_are_taken_apart_as_upstream_does() {
        for (path, clone, below, reference) in [
            ("github.com/org/repo", "https://github.com/org/repo", "", ""),
            (
                "http://github.com/someorg/somerepo/somedir",
                "https://github.com/someorg/somerepo",
                "somedir",
                "",
            ),
            (
                "https://git-codecommit.us-east-2.amazonaws.com/someorg/somerepo/somedir?ref=testbranch",
                "https://git-codecommit.us-east-2.amazonaws.com/someorg/somerepo",
                "somedir",
                "testbranch",
            ),
            (
                "git@github.com:someorg/somerepo.git/somedir",
                "git@github.com:someorg/somerepo.git",
                "somedir",
                "",
            ),
            (
                "git@github.com/someorg/somerepo/somepath",
                "git@github.com:someorg/somerepo",
                "somepath",
                "",
            ),
            (
                "git@gitlab2.sqtools.ru:infra/kubernetes/thanos-base.git?ref=v0.1.0",
                "git@gitlab2.sqtools.ru:infra/kubernetes/thanos-base.git",
                "",
                "v0.1.0",
            ),
            (
                "git@bitbucket.org/company/project.git//path?ref=branch",
                "git@bitbucket.org/company/project.git",
                "path",
                "branch",
            ),
            (
                "ssh://git@github.com/kubernetes-sigs/kustomize//examples/multibases/dev?ref=v1.0.6",
                "git@github.com:kubernetes-sigs/kustomize",
                "examples/multibases/dev",
                "v1.0.6",
            ),
            (
                "git::https://itfs.mycompany.com/collection/project/_git/somerepos/somedir?version=v1.0.0",
                "https://itfs.mycompany.com/collection/project/_git/somerepos",
                "somedir",
                "v1.0.0",
            ),
            (
                "file://git@home/path/to/repository.git//path?ref=branch",
                "file://git@home/path/to/repository.git",
                "path",
                "branch",
            ),
            ("file:///a/b/c/someRepo", "file:///a/b/c/someRepo", "", ""),
            (
                "https://authority/org/repo/?ref=includes_git/for_some_reason",
                "https://authority/org/repo",
                "",
                "includes_git/for_some_reason",
            ),
            (
                "https://example.org/path/to/repo//examples/multibases/dev",
                "https://example.org/path/to/repo",
                "examples/multibases/dev",
                "",
            ),
            (
                "ssh://git@ssh.github.com:443/YOUR-USERNAME/YOUR-REPOSITORY.git",
                "ssh://git@ssh.github.com:443/YOUR-USERNAME/YOUR-REPOSITORY.git",
                "",
                "",
            ),
        ] {
            let found = repository(path);
            let found = found
                .as_ref()
                .map(|r| (r.clone.as_str(), r.below.as_str(), r.reference.as_str()));
            assert_eq!(found, Some((clone, below, reference)), "{path}");
        }
    }

    #[test]
    fn other_paths_are_no_repositories() {
        for path in [
            "../base",
            "base",
            "/abs/base",
            "github.com/org",
            "https://host/file.yaml",
            "a@b",
            "iauhsdiuashduas",
            "htxxxtp://github.com/",
            "https://github.com/org/repo//../../x",
            "ssh:///nohost",
        ] {
            assert_eq!(repository(path), None, "{path}");
        }
    }

    #[test]
    fn a_query_is_part_of_the_name_where_it_was_given() {
        let name = |path: &str| repository(path).map(|repository| repository.name());
        let base = "https://host/org/repo";
        let query = "ref=a%20b&submodules=false&timeout=1m30s";
        assert_eq!(
            name(&format!("{base}//p?{query}")),
            Some(format!("{base}?ref=a%20b&submodules=false&timeout=90"))
        );
        assert_eq!(
            name(&format!("{base}?submodules=maybe&timeout=-1")),
            name(base)
        );
        assert_eq!(name(&format!("{base}?ref=x;y")), name(base));
        assert_eq!(seconds("61"), Some(61));
        assert_eq!(seconds("1500ms"), Some(2));
        assert_eq!(seconds("soon"), None);
    }
}
