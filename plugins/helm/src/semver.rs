//! Versions and constraints as Masterminds/semver 3.5 reads and compares them.

use std::cmp::Ordering;

use bulkhead_template::quote::quote;

/// A version; what is missing in the text is zero.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Version {
    pub(crate) major: u64,
    pub(crate) minor: u64,
    pub(crate) patch: u64,
    pub(crate) pre: String,
    pub(crate) metadata: String,
    pub(crate) original: String,
}

const INVALID: &str = "invalid semantic version";
const MAX_VERSION_BYTES: usize = 256;
const MAX_CONSTRAINT_BYTES: usize = 512;
const MAX_GROUPS: usize = 32;

impl Version {
    /// Reads a version, with or without `v`, of one to three numbers.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        if text.len() > MAX_VERSION_BYTES {
            return Err("version string is too long (max 256 bytes)".to_owned());
        }
        let parts = Parts::take(text, false).filter(|(_, rest)| rest.is_empty());
        let (parts, _) = parts.ok_or(INVALID)?;
        let number = |part: Option<&str>| {
            match part {
            None => Ok(0),
            Some(part) => part.parse::<u64>().map_err(|_| {
                format!(
                    "error parsing version segment: strconv.ParseUint: parsing {}: value out of range",
                    quote(part)
                )
            }),
        }
        };
        let [major, minor, patch] = parts.numbers;
        let version = Self {
            major: number(major)?,
            minor: number(minor)?,
            patch: number(patch)?,
            pre: parts.pre.unwrap_or_default().to_owned(),
            metadata: parts.metadata.unwrap_or_default().to_owned(),
            original: text.to_owned(),
        };
        for part in version.pre.split('.') {
            let is_number = part.len() > 1 && part.bytes().all(|byte| byte.is_ascii_digit());
            if is_number && part.starts_with('0') {
                return Err("version segment starts with 0".to_owned());
            }
        }
        Ok(version)
    }

    /// The same with another pre-release or other metadata.
    pub(crate) fn with(&self, is_pre: bool, text: &str) -> Result<Self, String> {
        let is_good = |part: &str| {
            !part.is_empty()
                && part
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
        };
        for part in text.split('.').filter(|_| !text.is_empty()) {
            let is_number = part.bytes().all(|byte| byte.is_ascii_digit());
            if is_pre && is_number && part.len() > 1 && part.starts_with('0') {
                return Err("version segment starts with 0".to_owned());
            }
            if !is_good(part) {
                let what = if is_pre { "prerelease" } else { "metadata" };
                return Err(format!("invalid {what} string"));
            }
        }
        let mut made = self.clone();
        if is_pre {
            text.clone_into(&mut made.pre);
        } else {
            text.clone_into(&mut made.metadata);
        }
        let prefix = if self.original.starts_with('v') {
            "v"
        } else {
            ""
        };
        made.original = format!("{prefix}{made}");
        Ok(made)
    }

    /// Orders by precedence; metadata does not count.
    pub(crate) fn compare(&self, other: &Self) -> Ordering {
        let numbers = |v: &Self| (v.major, v.minor, v.patch);
        numbers(self).cmp(&numbers(other)).then_with(|| {
            match (self.pre.is_empty(), other.pre.is_empty()) {
                (true, true) => Ordering::Equal,
                (true, false) => Ordering::Greater,
                (false, true) => Ordering::Less,
                (false, false) => compare_pre(&self.pre, &other.pre),
            }
        })
    }
}

impl std::fmt::Display for Version {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}.{}", self.major, self.minor, self.patch)?;
        if !self.pre.is_empty() {
            write!(f, "-{}", self.pre)?;
        }
        if !self.metadata.is_empty() {
            write!(f, "+{}", self.metadata)?;
        }
        Ok(())
    }
}

fn compare_pre(one: &str, other: &str) -> Ordering {
    let (mut left, mut right) = (one.split('.'), other.split('.'));
    loop {
        let order = match (left.next(), right.next()) {
            (None, None) => return Ordering::Equal,
            (None, Some(_)) => Ordering::Less,
            (Some(_), None) => Ordering::Greater,
            (Some(a), Some(b)) => match (a.parse::<u64>(), b.parse::<u64>()) {
                (Ok(a), Ok(b)) => a.cmp(&b),
                (Ok(_), Err(_)) => Ordering::Less,
                (Err(_), Ok(_)) => Ordering::Greater,
                (Err(_), Err(_)) => a.cmp(b),
            },
        };
        if order != Ordering::Equal {
            return order;
        }
    }
}

/// The pieces of a version, or of one with wildcards, at the start of a text.
struct Parts<'a> {
    text: &'a str,
    numbers: [Option<&'a str>; 3],
    pre: Option<&'a str>,
    metadata: Option<&'a str>,
}

impl<'a> Parts<'a> {
    fn take(text: &'a str, wild: bool) -> Option<(Self, &'a str)> {
        let is_part = |c: char| c.is_ascii_digit() || (wild && matches!(c, 'x' | 'X' | '*' | '|'));
        let run = |text: &'a str| text.find(|c| !is_part(c)).unwrap_or(text.len());
        let mut rest = text.strip_prefix('v').unwrap_or(text);
        let mut numbers = [None; 3];
        for (index, slot) in numbers.iter_mut().enumerate() {
            let from = match index {
                0 => rest,
                _ => match rest.strip_prefix('.') {
                    Some(after) => after,
                    None => break,
                },
            };
            let end = run(from);
            if end == 0 {
                if index == 0 {
                    return None;
                }
                break;
            }
            *slot = Some(&from[..end]);
            rest = &from[end..];
        }
        let (pre, after) = Self::identifiers(rest, '-');
        let (metadata, after) = Self::identifiers(after, '+');
        let text = &text[..text.len() - after.len()];
        Some((
            Self {
                text,
                numbers,
                pre,
                metadata,
            },
            after,
        ))
    }

    /// Takes dotted identifiers behind a sign.
    fn identifiers(text: &'a str, sign: char) -> (Option<&'a str>, &'a str) {
        let Some(inner) = text.strip_prefix(sign) else {
            return (None, text);
        };
        let bytes = inner.as_bytes();
        let is_letter = |at: usize| {
            bytes
                .get(at)
                .is_some_and(|byte| byte.is_ascii_alphanumeric() || *byte == b'-')
        };
        let mut end = 0;
        while is_letter(end) || (end > 0 && bytes.get(end) == Some(&b'.') && is_letter(end + 1)) {
            end += 1;
        }
        if end == 0 {
            (None, text)
        } else {
            (Some(&inner[..end]), &inner[end..])
        }
    }
}

/// A condition on versions: groups of comparisons, one group of which must hold.
#[derive(Debug)]
pub(crate) struct Constraint {
    groups: Vec<Vec<Comparison>>,
}

#[derive(Debug)]
struct Comparison {
    operator: &'static str,
    version: Version,
    is_dirty: bool,
    minor_dirty: bool,
    patch_dirty: bool,
}

const OPERATORS: [&str; 11] = ["!=", ">=", "=>", "<=", "=<", "~>", "=", ">", "<", "~", "^"];

impl Constraint {
    /// Reads a constraint: `>=1.2.0 <2 || ~3.1`, `1.2 - 1.4`, `^2.x`.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        if text.len() > MAX_CONSTRAINT_BYTES {
            return Err("constraint string is too long (max 512 bytes)".to_owned());
        }
        let text = rewrite_ranges(text);
        let groups: Vec<&str> = text.split("||").collect();
        if groups.len() > MAX_GROUPS {
            return Err("too many constraint groups (max 32)".to_owned());
        }
        let groups = groups.into_iter().map(group).collect::<Result<_, _>>()?;
        Ok(Self { groups })
    }

    /// Tells whether a version fulfils it.
    pub(crate) fn check(&self, version: &Version) -> bool {
        self.groups.iter().any(|group| {
            let has_pre = group.iter().any(|one| !one.version.pre.is_empty());
            group
                .iter()
                .all(|one| (version.pre.is_empty() || has_pre) && one.holds(version))
        })
    }
}

/// Tells whether a version is in a range; neither need be readable.
pub(crate) fn is_compatible(range: &str, version: &str) -> bool {
    match (Version::parse(version), Constraint::parse(range)) {
        (Ok(version), Ok(range)) => range.check(&version),
        _ => false,
    }
}

/// Turns `1.2 - 1.4` into two comparisons.
fn rewrite_ranges(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while !rest.is_empty() {
        let at_start = Parts::take(rest, true).and_then(|(low, after)| {
            let after = strip_space(after)?.strip_prefix('-')?;
            let (high, after) = Parts::take(strip_space(after)?, true)?;
            Some((
                format!(">= {}, <= {} ", low.text, high.text),
                after.trim_start(),
            ))
        });
        if let Some((replacement, after)) = at_start {
            out.truncate(out.trim_end().len());
            out.push_str(&replacement);
            rest = after;
            continue;
        }
        let mut chars = rest.chars();
        out.extend(chars.next());
        rest = chars.as_str();
    }
    out
}

/// Removes at least one space.
fn strip_space(text: &str) -> Option<&str> {
    let trimmed = text.trim_start();
    (trimmed.len() < text.len()).then_some(trimmed)
}

fn group(text: &str) -> Result<Vec<Comparison>, String> {
    let improper = || format!("improper constraint: {}", quote(text));
    let mut rest = text.trim_start();
    let mut found = Vec::new();
    loop {
        let operator = OPERATORS.iter().find(|known| rest.starts_with(**known));
        let operator = operator.copied().unwrap_or("");
        let after = rest[operator.len()..].trim_start();
        let (parts, after) = Parts::take(after, true).ok_or_else(improper)?;
        found.push(comparison(operator, &parts).ok_or("constraint parser error")?);
        let trimmed = after.trim_start();
        if trimmed.is_empty() {
            return Ok(found);
        }
        rest = match trimmed.strip_prefix(',') {
            Some(after) => after.trim_start(),
            None if trimmed.len() < after.len() => trimmed,
            None => return Err(improper()),
        };
    }
}

fn comparison(operator: &'static str, parts: &Parts<'_>) -> Option<Comparison> {
    let is_x = |part: Option<&str>| part.is_none_or(|part| matches!(part, "x" | "X" | "*"));
    let [major, minor, patch] = parts.numbers;
    let pre = parts.pre.map_or_else(String::new, |pre| format!("-{pre}"));
    let (text, dirty, minor_dirty, patch_dirty) = if is_x(major) {
        (format!("0.0.0{pre}"), true, false, false)
    } else if is_x(minor) {
        (format!("{}.0.0{pre}", major?), true, true, false)
    } else if is_x(patch) {
        (format!("{}.{}.0{pre}", major?, minor?), true, false, true)
    } else {
        (parts.text.to_owned(), false, false, false)
    };
    Some(Comparison {
        operator,
        version: Version::parse(&text).ok()?,
        is_dirty: dirty,
        minor_dirty,
        patch_dirty,
    })
}

impl Comparison {
    fn holds(&self, version: &Version) -> bool {
        let order = version.compare(&self.version);
        match self.operator {
            "" | "=" if self.is_dirty => self.tilde(version),
            "" | "=" => order == Ordering::Equal,
            "!=" => self.differs(version),
            ">" => self.is_greater(version),
            "<" => order == Ordering::Less,
            ">=" | "=>" => order != Ordering::Less,
            "<=" | "=<" => self.is_at_most(version),
            "~" | "~>" => self.tilde(version),
            _ => self.caret(version),
        }
    }

    fn differs(&self, version: &Version) -> bool {
        let own = &self.version;
        if self.is_dirty {
            if own.major != version.major {
                return true;
            }
            if self.minor_dirty {
                return false;
            }
            if own.minor != version.minor {
                return true;
            }
            if own.patch != version.patch && !self.patch_dirty {
                return true;
            }
            if self.patch_dirty {
                return own.pre != version.pre;
            }
        }
        version.compare(own) != Ordering::Equal
    }

    fn is_greater(&self, version: &Version) -> bool {
        let own = &self.version;
        if self.is_dirty {
            if version.major != own.major {
                return version.major > own.major;
            }
            if self.minor_dirty {
                return false;
            }
            if self.patch_dirty {
                return version.minor > own.minor;
            }
        }
        version.compare(own) == Ordering::Greater
    }

    fn is_at_most(&self, version: &Version) -> bool {
        let own = &self.version;
        if !self.is_dirty {
            return version.compare(own) != Ordering::Greater;
        }
        version.major < own.major
            || (version.major == own.major && (version.minor <= own.minor || self.minor_dirty))
    }

    fn tilde(&self, version: &Version) -> bool {
        let own = &self.version;
        if version.compare(own) == Ordering::Less {
            return false;
        }
        let is_zero = (own.major, own.minor, own.patch) == (0, 0, 0);
        if is_zero && !self.minor_dirty && !self.patch_dirty {
            return true;
        }
        version.major == own.major && (version.minor == own.minor || self.minor_dirty)
    }

    fn caret(&self, version: &Version) -> bool {
        let own = &self.version;
        if version.compare(own) == Ordering::Less {
            return false;
        }
        if own.major > 0 || self.minor_dirty {
            return version.major == own.major;
        }
        if version.major > 0 {
            return false;
        }
        if own.minor > 0 || self.patch_dirty {
            return version.minor == own.minor;
        }
        version.minor == 0 && version.patch == own.patch
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn constraints_hold_as_in_masterminds_semver() {
        for (range, version, holds) in [
            (">=1.2.0", "v1.3", true),
            ("^1.2.0", "1.9.9", true),
            ("^1.2.0", "2.0.0", false),
            ("~1.2.0", "1.2.9", true),
            ("~1.2.0", "1.3.0", false),
            ("1.2.x", "1.2.7", true),
            ("1.2 - 1.4", "1.4.9", true),
            ("1.2 - 1.4.5", "1.4.6", false),
            (">=1.0.0", "1.1.0-beta", false),
            (">=1.0.0-0", "1.1.0-beta", true),
            ("<1 || >=2", "2.1.0", true),
            ("!=1.5.x", "1.5.3", false),
            ("*", "3.4.5", true),
            ("^0.2.3", "0.2.9", true),
            ("^0.0.3", "0.0.4", false),
            (">= 1.22.0-0, <1.30", "v1.29.3", true),
        ] {
            assert_eq!(is_compatible(range, version), holds, "{range} {version}");
        }
        assert_eq!(
            Constraint::parse("abc").err().as_deref(),
            Some("improper constraint: \"abc\"")
        );
        assert!(Version::parse("1.2.3.4").is_err());
    }
}
