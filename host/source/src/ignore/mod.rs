//! What a source leaves out: `.sourceignore` files, `spec.ignore` and Flux's default excludes.
//!
//! The patterns look like those of gitignore, and Flux reads them its own way: each file is judged
//! by its whole path, so a later `!` rule brings back a file of a folder that was left out, and a
//! name without `/` matches any part of a path. The last pattern that matches decides. This is not
//! what the crate `ignore` does, hence our own matcher; the table below was checked against Flux.

mod glob;
mod pattern;

use pattern::{Pattern, Verdict};

/// The file whose patterns count for its folder and all below.
pub const IGNORE_FILE: &str = ".sourceignore";

const VERSION_CONTROL: [&str; 4] = [".git/", ".gitignore", ".gitmodules", ".gitattributes"];

const DEFAULT: [&str; 20] = [
    "*.jpg",
    "*.jpeg",
    "*.gif",
    "*.png",
    "*.wmv",
    "*.flv",
    "*.tar.gz",
    "*.zip",
    ".github/",
    ".circleci/",
    ".travis.yml",
    ".gitlab-ci.yml",
    "appveyor.yml",
    ".drone.yml",
    "cloudbuild.yaml",
    "codeship-services.yml",
    "codeship-steps.yml",
    "**/.goreleaser.yml",
    "**/.sops.yaml",
    "**/.flux.yaml",
];

/// Decides for each path of a source whether it is left out.
#[derive(Clone, Debug)]
pub struct Matcher {
    patterns: Vec<Pattern>,
}

impl Matcher {
    /// Builds the matcher of a source.
    ///
    /// `files` are the `.sourceignore` files (folder as its parts, content), parents before
    /// children, siblings by name; `spec` is `spec.ignore`. If either has a pattern, Flux's default
    /// excludes do not count; files of version control are always left out unless brought back.
    pub fn new<'a>(
        files: impl IntoIterator<Item = (Vec<String>, &'a str)>,
        spec: Option<&str>,
    ) -> Self {
        let mut own = Vec::new();
        for (folder, content) in files {
            own.extend(lines(content).map(|line| Pattern::parse(line, folder.clone())));
        }
        own.extend(lines(spec.unwrap_or_default()).map(|line| Pattern::parse(line, Vec::new())));
        let defaults: &[&str] = if own.is_empty() { &DEFAULT } else { &[] };
        let mut patterns: Vec<Pattern> = VERSION_CONTROL
            .iter()
            .chain(defaults)
            .map(|line| Pattern::parse(line, Vec::new()))
            .collect();
        patterns.append(&mut own);
        Self { patterns }
    }

    /// Tells whether `path`, given as its parts, is left out. The root never is.
    pub fn is_ignored(&self, path: &[&str], is_dir: bool) -> bool {
        self.patterns
            .iter()
            .rev()
            .find_map(|pattern| pattern.judge(path, is_dir))
            .is_some_and(|verdict| verdict == Verdict::Out)
    }
}

fn lines(content: &str) -> impl Iterator<Item = &str> {
    content
        .split('\n')
        .map(|line| line.strip_suffix('\r').unwrap_or(line))
        .filter(|line| !line.starts_with('#') && !line.trim().is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_ignored(spec: &str, path: &str) -> bool {
        let (path, is_dir) = path
            .strip_suffix('/')
            .map_or((path, false), |path| (path, true));
        let parts: Vec<&str> = path.split('/').collect();
        Matcher::new([], Some(spec)).is_ignored(&parts, is_dir)
    }

    // Each answer is that of fluxcd/pkg sourceignore with the same patterns.
    #[test]
    fn patterns_mean_what_flux_says() {
        for (spec, path, expected) in [
            ("", ".git/", true),
            ("", ".git/config", true),
            ("", "a/.gitignore", true),
            ("", "a/b.jpg", true),
            ("", "a/b.tar.gz", true),
            ("", ".github/workflows/a.yaml", true),
            ("", "a/.sops.yaml", true),
            ("", ".sourceignore", false),
            ("", "a.yaml", false),
            ("x", "b.jpg", false),
            ("x", ".git/config", true),
            ("/*\n!/deploy", "deploy/a.yaml", false),
            ("/*\n!/deploy", "README.md", true),
            ("/*\n!/deploy", "other/a.yaml", true),
            ("/*\n!/deploy/a", "deploy/", true),
            ("/*\n!/deploy/a", "deploy/a/b.yaml", false),
            ("/*\n!/deploy/a", "deploy/b/b.yaml", true),
            ("a", "x/a/y", true),
            ("a/", "a", false),
            ("a/", "a/", true),
            ("a/", "a/b", true),
            ("a/b", "a/b/c", true),
            ("a/b", "x/a/b", false),
            ("**/b", "x/y/b", true),
            ("**/b", "b", true),
            ("a/**", "a/x", true),
            ("a/**/c", "a/x/y/c", true),
            ("a/**/c", "a/c", true),
            ("*.txt", "a/b.txt", true),
            ("*.txt\n!b.txt", "a/b.txt", false),
            ("!*.yaml", "x.yaml", false),
            ("[ab].txt", "a.txt", true),
            ("[^ab].txt", "c.txt", true),
            ("[!ab].txt", "c.txt", false),
            ("a?c", "abc", true),
            ("a\\*c", "abc", false),
            ("a\\*c", "a*c", true),
            ("[", "[", false),
            ("# x", "# x", false),
            ("x  ", "x", true),
            ("a**b/c", "a1b/c", false),
            ("/", "a", false),
        ] {
            assert_eq!(is_ignored(spec, path), expected, "{path} under {spec:?}");
        }
    }

    #[test]
    fn files_count_for_their_folder_alone() {
        let files = [(vec!["a".to_owned()], "*.yaml\n!keep.yaml")];
        let matcher = Matcher::new(files, None);
        assert!(matcher.is_ignored(&["a", "x.yaml"], false));
        assert!(matcher.is_ignored(&["a", "b", "x.yaml"], false));
        assert!(!matcher.is_ignored(&["a", "keep.yaml"], false));
        assert!(!matcher.is_ignored(&["b", "x.yaml"], false));
        assert!(
            !matcher.is_ignored(&["picture.png"], false),
            "defaults do not count beside a file"
        );
    }

    #[test]
    fn the_object_overrules_the_files() {
        let matcher = Matcher::new([(Vec::new(), "secret.yaml")], Some("!secret.yaml"));
        assert!(!matcher.is_ignored(&["secret.yaml"], false));
    }
}
