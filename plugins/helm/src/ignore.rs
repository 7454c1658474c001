//! `.helmignore`: which files of a folder are no part of the chart.

use crate::glob::path_match;

/// The rules of one file.
#[derive(Debug, Default)]
pub(crate) struct Rules {
    patterns: Vec<Pattern>,
}

#[derive(Debug)]
struct Pattern {
    rule: String,
    is_negated: bool,
    is_directory: bool,
    /// Whether the whole path is matched, or only its last part.
    is_path: bool,
}

impl Rules {
    /// Reads the rules, and adds Helm's own.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let mut rules = Self::default();
        for line in text.trim_start_matches('\u{feff}').lines() {
            rules.add(line)?;
        }
        rules.add("templates/.?*")?;
        Ok(rules)
    }

    fn add(&mut self, line: &str) -> Result<(), String> {
        let rule = line.trim();
        if rule.is_empty() || rule.starts_with('#') {
            return Ok(());
        }
        if rule.contains("**") {
            return Err("double-star (**) syntax is not supported".to_owned());
        }
        path_match(rule, "abc")?;
        let (is_negated, rule) = match rule.strip_prefix('!') {
            Some(rest) => (true, rest),
            None => (false, rule),
        };
        let (is_directory, rule) = match rule.strip_suffix('/') {
            Some(rest) => (true, rest),
            None => (false, rule),
        };
        self.patterns.push(Pattern {
            rule: rule.strip_prefix('/').unwrap_or(rule).to_owned(),
            is_negated,
            is_directory,
            is_path: rule.contains('/'),
        });
        Ok(())
    }

    /// Tells whether a path inside the chart is left out.
    pub(crate) fn ignore(&self, path: &str, is_directory: bool) -> bool {
        for pattern in &self.patterns {
            if pattern.is_negated {
                if (pattern.is_directory && !is_directory) || !pattern.matches(path) {
                    return true;
                }
            } else if (!pattern.is_directory || is_directory) && pattern.matches(path) {
                return true;
            }
        }
        false
    }
}

impl Pattern {
    fn matches(&self, path: &str) -> bool {
        let name = if self.is_path {
            path
        } else {
            path.rsplit('/').next().unwrap_or(path)
        };
        path_match(&self.rule, name).unwrap_or(false)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_leave_out_what_helm_leaves_out() -> Result<(), String> {
        let rules = Rules::parse("# a comment\n*.txt\n/top\ndir/\na/b.yaml\n")?;
        assert!(rules.ignore("x/y.txt", false));
        assert!(rules.ignore("top", false));
        assert!(!rules.ignore("x/top", false));
        assert!(rules.ignore("x/dir", true));
        assert!(!rules.ignore("x/dir", false));
        assert!(rules.ignore("a/b.yaml", false));
        assert!(rules.ignore("templates/.hidden", false));
        assert!(Rules::parse("a/**").is_err());
        Ok(())
    }
}
