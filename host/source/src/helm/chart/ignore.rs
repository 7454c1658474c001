//! `.helmignore`: which files of a folder are no part of the chart.
//!
//! Source: helm 4.3, pkg/ignore/rules.go. The first rule that matches decides; a rule with `!` drops
//! whatever it does **not** match.

use super::glob;

/// The file with the rules.
pub(super) const FILE: &str = ".helmignore";

/// Rules in their order.
pub(super) struct Rules(Vec<Rule>);

struct Rule {
    pattern: String,
    scope: Scope,
    is_negated: bool,
    folders_only: bool,
}

/// What a pattern is held against.
enum Scope {
    /// The path from the chart's folder.
    Path,
    /// The last name of the path.
    Name,
}

impl Rules {
    /// Reads the rules of a file, and adds Helm's own: names with a dot in `templates`.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let mut rules = Vec::new();
        for (at, line) in text.lines().chain(["templates/.?*"]).enumerate() {
            let rule = rule(line).map_err(|problem| format!("line {}: {problem}", at + 1))?;
            rules.extend(rule);
        }
        Ok(Self(rules))
    }

    /// Tells whether the file or folder at `path` is left out.
    pub(super) fn ignores(&self, path: &str, is_folder: bool) -> bool {
        for rule in &self.0 {
            let is_kind = is_folder || !rule.folders_only;
            if rule.is_negated {
                if !is_kind || !rule.matches(path) {
                    return true;
                }
            } else if is_kind && rule.matches(path) {
                return true;
            }
        }
        false
    }
}

impl Rule {
    fn matches(&self, path: &str) -> bool {
        let text = match self.scope {
            Scope::Path => path,
            Scope::Name => path.rsplit('/').next().unwrap_or(path),
        };
        glob::matches(&self.pattern, text)
    }
}

fn rule(line: &str) -> Result<Option<Rule>, String> {
    let line = line.trim();
    if line.is_empty() || line.starts_with('#') {
        return Ok(None);
    }
    if line.contains("**") {
        return Err("`**` is not supported by Helm".to_owned());
    }
    if !glob::is_valid(line) {
        return Err(format!("`{}` is not a pattern", crate::error::clean(line)));
    }
    let (is_negated, rest) = match line.strip_prefix('!') {
        Some(rest) => (true, rest),
        None => (false, line),
    };
    let (folders_only, rest) = match rest.strip_suffix('/') {
        Some(rest) => (true, rest),
        None => (false, rest),
    };
    let (scope, pattern) = match rest.strip_prefix('/') {
        Some(rest) => (Scope::Path, rest),
        None if rest.contains('/') => (Scope::Path, rest),
        None => (Scope::Name, rest),
    };
    Ok(Some(Rule {
        pattern: pattern.to_owned(),
        scope,
        is_negated,
        folders_only,
    }))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may")]

    use super::*;

    // Each answer is that of Helm 4.3.
    #[test]
    fn rules_leave_out_what_helm_leaves_out() {
        for (rules, path, is_folder, expected) in [
            ("helm.txt", "helm.txt", false, true),
            ("helm.txt", "cargo/helm.txt", false, true),
            ("helm.*", "helm.txt", false, true),
            ("helm.*", "rudder.txt", false, false),
            ("cargo/*.txt", "cargo/a.txt", false, true),
            ("cargo/*.*", "mast/a.txt", false, false),
            ("/*.txt", "a.txt", false, true),
            ("/*.txt", "cargo/a.txt", false, false),
            ("cargo/", "cargo", true, true),
            ("cargo/", "mast", true, false),
            ("helm.txt/", "helm.txt", false, false),
            ("!helm.txt", "helm.txt", false, false),
            ("!helm.txt", "tiller.txt", false, true),
            ("!*.txt", "cargo", true, true),
            ("!cargo/", "mast/a.txt", false, true),
            ("", "templates/.dotfile", false, true),
            ("", "templates/.", false, false),
            (".*", ".helmignore", false, true),
            ("# x\n\n  a.txt  \n", "a.txt", false, true),
        ] {
            let parsed = Rules::parse(rules).unwrap();
            assert_eq!(parsed.ignores(path, is_folder), expected, "{rules} {path}");
        }
        assert_eq!(
            Rules::parse("a\n**/x").err().unwrap(),
            "line 2: `**` is not supported by Helm"
        );
        assert!(Rules::parse("[").is_err());
    }
}
