//! Versions of charts: how they are read, ordered and chosen, as Helm and Flux do it.
//!
//! Helm's index reads versions loosely (`1.2` is `1.2.0`); Flux chooses among those with three
//! numbers, `v` in front or not. A version that is spelled exactly as asked for wins over ranges,
//! pre-release or not; a range has pre-releases only if it names one.

use std::cmp::Ordering;

use semver::{BuildMetadata, Prerelease, Version};

use super::HelmError;
use crate::{Constraint, version_of_tag};

/// Versions that an error names.
const SHOWN: usize = 5;

/// Reads a version loosely, as Helm's index does: one to three numbers.
pub fn parse(text: &str) -> Option<Version> {
    let bare = text.strip_prefix('v').unwrap_or(text);
    let (bare, build) = split(bare, '+')?;
    let (numbers, pre) = split(bare, '-')?;
    let mut parsed = [0; 3];
    for (at, part) in numbers.split('.').enumerate() {
        let is_number = !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
        *parsed.get_mut(at).filter(|_| is_number)? = part.parse().ok()?;
    }
    Some(Version {
        major: parsed[0],
        minor: parsed[1],
        patch: parsed[2],
        pre: Prerelease::new(pre).ok()?,
        build: BuildMetadata::new(build).ok()?,
    })
}

/// Splits at the first `separator`; `None` if nothing follows it.
fn split(text: &str, separator: char) -> Option<(&str, &str)> {
    match text.split_once(separator) {
        None => Some((text, "")),
        Some((_, "")) => None,
        Some((before, after)) => Some((before, after)),
    }
}

/// Returns a version with other build metadata, three numbers and no `v`, as Flux names the charts
/// that it builds: `1.2.0+3`, `1.2.0+1f0c9a8b7c6d`.
///
/// # Errors
/// [`HelmError::Metadata`].
pub fn with_metadata(version: &str, metadata: &str) -> Result<String, HelmError> {
    let wrong = |problem: &str| HelmError::Metadata {
        version: crate::error::clean(version),
        metadata: crate::error::clean(metadata),
        problem: problem.to_owned(),
    };
    let mut parsed =
        parse(version).ok_or_else(|| wrong("the version is not a semantic version"))?;
    parsed.build = BuildMetadata::new(metadata)
        .map_err(|_| wrong("build metadata is letters, digits, `-` and `.`"))?;
    Ok(parsed.to_string())
}

/// What may be chosen.
pub(super) trait Candidate {
    fn version(&self) -> &str;

    /// Orders two of the same version: the greater is the newer.
    fn age(&self, _other: &Self) -> Ordering {
        Ordering::Equal
    }
}

impl Candidate for String {
    fn version(&self) -> &str {
        self
    }
}

/// Chooses by `wanted`: an exact spelling, else the highest in the range; empty and `*` are the
/// highest that is no pre-release. `place` is what errors call the list.
///
/// # Errors
/// [`HelmError::Range`] and [`HelmError::NoVersion`], which names versions that are near.
///
/// # Source
/// source-controller 1.9, internal/helm/repository: getChartVersion, and
/// getLastMatchingVersionOrConstraint for tags.
pub(super) fn choose<'a, T: Candidate>(
    place: &str,
    candidates: &'a [T],
    wanted: &str,
) -> Result<&'a T, HelmError> {
    let exact = candidates
        .iter()
        .find(|candidate| !wanted.is_empty() && candidate.version() == wanted);
    if let Some(exact) = exact {
        return Ok(exact);
    }
    let range = if wanted.is_empty() { "*" } else { wanted };
    let range = Constraint::parse(range).map_err(|source| HelmError::Range {
        place: place.to_owned(),
        source,
    })?;
    let mut best: Option<(&T, Version)> = None;
    for candidate in candidates {
        let version = version_of_tag(candidate.version()).filter(|version| range.matches(version));
        let Some(version) = version else { continue };
        let order = best.as_ref().map(|(other, highest)| {
            let order = version.cmp_precedence(highest);
            order.then_with(|| candidate.age(other))
        });
        // Of two that are the same in all of that, Go's sort takes the later one.
        if order != Some(Ordering::Less) {
            best = Some((candidate, version));
        }
    }
    best.map(|(candidate, _)| candidate)
        .ok_or_else(|| HelmError::NoVersion {
            place: place.to_owned(),
            wanted: crate::error::clean(wanted),
            near: nearest(candidates, wanted),
        })
}

/// Names the highest versions, and first those that begin like `wanted`.
fn nearest<T: Candidate>(candidates: &[T], wanted: &str) -> String {
    let digits: String = wanted
        .chars()
        .skip_while(|c| !c.is_ascii_digit())
        .take_while(|c| c.is_ascii_digit())
        .collect();
    let mut versions: Vec<(bool, Version, &str)> = candidates
        .iter()
        .filter_map(|candidate| {
            let version = parse(candidate.version())?;
            let is_like = version.major.to_string() == digits;
            Some((is_like, version, candidate.version()))
        })
        .collect();
    versions.sort_by(|(like, one, _), (other_like, other, _)| {
        other_like.cmp(like).then(other.cmp_precedence(one))
    });
    let shown: Vec<&str> = versions
        .iter()
        .take(SHOWN)
        .map(|(_, _, text)| *text)
        .collect();
    if shown.is_empty() {
        return "there is none that is a semantic version".to_owned();
    }
    let more = versions.len().saturating_sub(SHOWN);
    let more = if more > 0 {
        format!(" and {more} more")
    } else {
        String::new()
    };
    crate::error::clean(&format!("there are {}{more}", shown.join(", ")))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may")]

    use super::*;

    fn chosen(versions: &[&str], wanted: &str) -> String {
        let versions: Vec<String> = versions.iter().map(|text| (*text).to_owned()).collect();
        match choose("x", &versions, wanted) {
            Ok(version) => version.clone(),
            Err(error) => bulkhead_api::chain(&error),
        }
    }

    // Each answer is that of source-controller 1.9.
    #[test]
    fn a_version_is_chosen_as_flux_does() {
        let all = ["1.0.0", "2.0.0-rc.1", "1.10.0", "v1.9.0", "1.2", "junk"];
        for (wanted, expected) in [
            ("", "1.10.0"),
            ("*", "1.10.0"),
            ("1.0.0", "1.0.0"),
            ("2.0.0-rc.1", "2.0.0-rc.1"),
            (">=2.0.0-0", "2.0.0-rc.1"),
            ("~1.9", "v1.9.0"),
            ("1.9.0", "v1.9.0"),
            ("1.2", "1.2"),
            ("junk", "junk"),
            (
                ">=2",
                "x has no version that is `>=2`: there are 2.0.0-rc.1, 1.10.0, v1.9.0, 1.2, 1.0.0",
            ),
        ] {
            assert_eq!(chosen(&all, wanted), expected, "{wanted}");
        }
        assert_eq!(
            chosen(&["0.1.0"], "1.x"),
            "x has no version that is `1.x`: there are 0.1.0"
        );
        assert!(chosen(&all, "nonsense").contains("is not a range"));
    }

    #[test]
    fn loose_versions_have_one_to_three_numbers() {
        let text = |version: &str| parse(version).map(|version| version.to_string());
        assert_eq!(text("v1.2").as_deref(), Some("1.2.0"));
        assert_eq!(text("1.2.3-a.1+b").as_deref(), Some("1.2.3-a.1+b"));
        for wrong in ["", "v", "1.", "1.2.3.4", "1.x", "1.2.3-", "1.2.3+", "a"] {
            assert_eq!(text(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn metadata_is_set_anew() {
        assert_eq!(with_metadata("v1.2+old", "3").unwrap(), "1.2.0+3");
        assert_eq!(
            with_metadata("1.2.3-rc.1", "0123456789ab").unwrap(),
            "1.2.3-rc.1+0123456789ab"
        );
        assert!(with_metadata("1.2.3", "a b").is_err());
        assert!(with_metadata("x", "1").is_err());
    }
}
