//! Ranges of versions as Flux reads them (Masterminds/semver 3), and the highest tag in a range.
//!
//! `>=1.0.0 <2.0.0`, `^1.2`, `~1.2.3`, `1.x`, `1.2 - 2.0`, `||` between alternatives. A version
//! without a prefix in front stands for itself (`1.2.3`) or for what it leaves open (`1.2`).
//! A pre-release is in a range only if a bound of the alternative names a pre-release.

use std::cmp::Ordering;

use semver::{BuildMetadata, Prerelease, Version};

/// A range of versions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Constraint {
    alternatives: Vec<Vec<Comparator>>,
}

/// Why a text is not a range of versions.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a range of versions")]
pub struct ConstraintError(String);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Comparator {
    operator: Operator,
    version: Version,
    /// How many of major, minor and patch are given; the rest is open.
    given: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Operator {
    Equal,
    NotEqual,
    Greater,
    GreaterEqual,
    Less,
    LessEqual,
    Tilde,
    Caret,
}

impl Constraint {
    /// Parses a range.
    ///
    /// # Errors
    /// [`ConstraintError`] with the text.
    pub fn parse(text: &str) -> Result<Self, ConstraintError> {
        let wrong = || ConstraintError(text.to_owned());
        let alternatives = text
            .split("||")
            .map(|part| comparators(part).ok_or_else(wrong))
            .collect::<Result<Vec<_>, _>>()?;
        Ok(Self { alternatives })
    }

    /// Tells whether `version` is in the range.
    pub fn matches(&self, version: &Version) -> bool {
        self.alternatives.iter().any(|all| {
            let names_prerelease = all.iter().any(|one| !one.version.pre.is_empty());
            (version.pre.is_empty() || names_prerelease)
                && all.iter().all(|one| one.matches(version))
        })
    }
}

/// Parses the version that a tag names: three numbers, `v` in front or not, leading zeros allowed.
pub fn version_of_tag(tag: &str) -> Option<Version> {
    let (version, given) = loose(tag)?;
    (given == 3 && tag.splitn(3, '.').count() == 3).then_some(version)
}

/// Returns the tags with the highest version in `range`; several when they differ only in build
/// metadata, or in the way they are written.
pub fn highest<'a>(range: &Constraint, tags: impl IntoIterator<Item = &'a str>) -> Vec<&'a str> {
    let mut best: Vec<(&str, Version)> = Vec::new();
    for tag in tags {
        let Some(version) = version_of_tag(tag).filter(|version| range.matches(version)) else {
            continue;
        };
        match best.first().map(|(_, other)| version.cmp_precedence(other)) {
            Some(Ordering::Less) => {}
            Some(Ordering::Equal) => best.push((tag, version)),
            Some(Ordering::Greater) | None => best = vec![(tag, version)],
        }
    }
    best.into_iter().map(|(tag, _)| tag).collect()
}

impl Comparator {
    fn matches(&self, version: &Version) -> bool {
        let order = version.cmp_precedence(&self.version);
        match self.operator {
            Operator::Equal if self.given < 3 => self.is_within(version),
            Operator::Equal => order == Ordering::Equal,
            Operator::NotEqual if self.given < 3 => !self.is_within(version),
            Operator::NotEqual => order != Ordering::Equal,
            Operator::Greater if self.given < 3 => {
                order == Ordering::Greater && !self.is_within(version)
            }
            Operator::Greater => order == Ordering::Greater,
            Operator::GreaterEqual => order != Ordering::Less,
            Operator::Less => order == Ordering::Less,
            Operator::LessEqual if self.given < 3 => {
                order == Ordering::Less || self.is_within(version)
            }
            Operator::LessEqual => order != Ordering::Greater,
            Operator::Tilde => order != Ordering::Less && self.agrees(version, self.given.min(2)),
            Operator::Caret => order != Ordering::Less && self.agrees(version, self.caret_depth()),
        }
    }

    /// Whether `version` has the numbers that are given here, whatever stands for the open ones.
    fn is_within(&self, version: &Version) -> bool {
        self.agrees(version, self.given) && version.cmp_precedence(&self.version) != Ordering::Less
    }

    fn agrees(&self, version: &Version, numbers: usize) -> bool {
        let ours = [self.version.major, self.version.minor, self.version.patch];
        let theirs = [version.major, version.minor, version.patch];
        ours[..numbers] == theirs[..numbers]
    }

    /// `^1.2.3` keeps one number, `^0.2.3` two, `^0.0.3` three, of those that are given.
    fn caret_depth(&self) -> usize {
        let zeros = [self.version.major, self.version.minor, self.version.patch];
        let leading = zeros.iter().take_while(|number| **number == 0).count();
        (leading + 1).min(self.given)
    }
}

fn comparators(text: &str) -> Option<Vec<Comparator>> {
    let words: Vec<&str> = text
        .split([' ', ',', '\t'])
        .filter(|word| !word.is_empty())
        .collect();
    let mut all = Vec::new();
    let mut at = 0;
    while at < words.len() {
        if words.get(at + 1) == Some(&"-") {
            let (from, to) = (words[at], words.get(at + 2)?);
            all.push(comparator(Operator::GreaterEqual, from)?);
            all.push(comparator(Operator::LessEqual, to)?);
            at += 3;
            continue;
        }
        let (operator, rest) = operator_of(words[at]);
        let detached = rest.is_empty();
        let version = if detached { words.get(at + 1)? } else { rest };
        all.push(comparator(operator, version)?);
        at += if detached { 2 } else { 1 };
    }
    (!all.is_empty()).then_some(all)
}

fn operator_of(word: &str) -> (Operator, &str) {
    const OPERATORS: [(&str, Operator); 11] = [
        (">=", Operator::GreaterEqual),
        ("=>", Operator::GreaterEqual),
        ("<=", Operator::LessEqual),
        ("=<", Operator::LessEqual),
        ("!=", Operator::NotEqual),
        ("~>", Operator::Tilde),
        (">", Operator::Greater),
        ("<", Operator::Less),
        ("=", Operator::Equal),
        ("~", Operator::Tilde),
        ("^", Operator::Caret),
    ];
    OPERATORS
        .iter()
        .find_map(|(text, operator)| word.strip_prefix(text).map(|rest| (*operator, rest)))
        .unwrap_or((Operator::Equal, word))
}

fn comparator(operator: Operator, text: &str) -> Option<Comparator> {
    let (version, given) = loose(text)?;
    Some(Comparator {
        operator,
        version,
        given,
    })
}

/// Parses one to three numbers with `v` in front or not, open ones as `x`, `X` or `*` or absent.
fn loose(text: &str) -> Option<(Version, usize)> {
    let text = text.strip_prefix('v').unwrap_or(text);
    let (text, build) = text
        .split_once('+')
        .map_or((text, ""), |(text, build)| (text, build));
    let (numbers, pre) = text
        .split_once('-')
        .map_or((text, ""), |(numbers, pre)| (numbers, pre));
    let mut parsed = [0u64; 3];
    let mut given = 0;
    let mut is_open = false;
    for (at, part) in numbers.split('.').enumerate() {
        if matches!(part, "x" | "X" | "*") && at < 3 {
            is_open = true;
            continue;
        }
        if is_open || at > 2 || part.is_empty() || !part.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        parsed[at] = part.parse().ok()?;
        given = at + 1;
    }
    let version = Version {
        major: parsed[0],
        minor: parsed[1],
        patch: parsed[2],
        pre: Prerelease::new(pre).ok()?,
        build: BuildMetadata::new(build).ok()?,
    };
    Some((version, given))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may")]
    use super::*;

    // Each answer is that of Masterminds/semver 3.5.0.
    #[test]
    fn ranges_hold_what_upstream_says() {
        for (range, version, expected) in [
            ("1.2.3", "1.2.3", true),
            ("1.2.3", "1.2.4", false),
            ("1.2", "1.2.9", true),
            ("1.2", "1.3.0", false),
            ("1.x", "1.9.0", true),
            ("1", "2.0.0", false),
            ("*", "7.0.0", true),
            ("*", "7.0.0-rc.1", false),
            (">=1.0.0 <2.0.0", "1.9.9", true),
            (">=1.0.0 <2.0.0", "2.0.0", false),
            (">=1.0.0, <2.0.0", "1.0.0", true),
            (">= 1.0.0 < 2.0.0", "1.5.0", true),
            (">1.2", "1.2.5", false),
            (">1.2", "1.3.0", true),
            ("<=1.2", "1.2.9", true),
            ("!=1.2", "1.2.9", false),
            ("!=1.2.3", "1.2.4", true),
            ("~1.2.3", "1.2.9", true),
            ("~1.2.3", "1.3.0", false),
            ("~1", "1.9.0", true),
            ("~1.2", "1.2.0", true),
            ("^1.2.3", "1.9.0", true),
            ("^1.2.3", "1.2.2", false),
            ("^0.2.3", "0.2.9", true),
            ("^0.2.3", "0.3.0", false),
            ("^0.0.3", "0.0.3", true),
            ("^0.0.3", "0.0.4", false),
            ("^0.0", "0.0.9", true),
            ("^0", "0.9.0", true),
            ("1.2 - 2.0", "2.0.5", true),
            ("1.2.0 - 2.0.0", "2.0.1", false),
            ("<1.0.0 || >=2.0.0", "2.1.0", true),
            ("<1.0.0 || >=2.0.0", "1.5.0", false),
            (">=1.0.0", "1.1.0-beta.1", false),
            (">=1.0.0-0", "1.1.0-beta.1", true),
            ("^1.0.0-alpha", "1.0.0-beta", true),
            ("v1.2.x", "1.2.7", true),
            ("=1.2.3", "1.2.3", true),
        ] {
            let constraint = Constraint::parse(range).unwrap();
            let version = Version::parse(version).unwrap();
            assert_eq!(
                constraint.matches(&version),
                expected,
                "{version} in {range}"
            );
        }
    }

    #[test]
    fn other_texts_are_refused() {
        for text in [
            "",
            "abc",
            ">=",
            "1.2.3.4",
            "1..2",
            "^v",
            "1.x.2",
            "||",
            ">=1.0.0<2.0.0",
        ] {
            assert_eq!(
                Constraint::parse(text),
                Err(ConstraintError(text.into())),
                "{text}"
            );
        }
    }

    #[test]
    fn tags_need_three_numbers() {
        assert!(version_of_tag("v1.2.3").is_some());
        assert!(version_of_tag("v2025.02.03-rc.1").is_some());
        assert!(version_of_tag("1.2").is_none());
        assert!(version_of_tag("release-1.2.3").is_none());
    }

    #[test]
    fn highest_tag_wins_and_equals_are_kept() {
        let range = Constraint::parse(">=1.0.0").unwrap();
        let tags = ["v1.0.0", "1.10.0", "1.9.0", "junk", "2.0.0-rc.1"];
        assert_eq!(highest(&range, tags), ["1.10.0"]);
        assert_eq!(
            highest(&range, ["1.0.0+a", "1.0.0+b"]),
            ["1.0.0+a", "1.0.0+b"]
        );
        assert!(highest(&range, ["0.1.0"]).is_empty());
    }
}
