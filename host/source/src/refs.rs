//! Which commit `spec.ref` means, given what the server lists.

use gix::ObjectId;
use gix::bstr::BString;

use crate::constraint::{self, Constraint};
use crate::error::near;
use crate::{FetchError, Location, Reference};

/// A reference that a server lists.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RemoteRef {
    /// Full name, like `refs/heads/main`.
    pub(crate) name: String,
    /// What it points to: a commit or a tag object.
    pub(crate) id: ObjectId,
    /// What it leads to when tag objects are followed.
    pub(crate) peeled: ObjectId,
}

/// What a reference asks for, by the precedence of Flux.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Wanted {
    /// A commit; `shown` is the name in the revision.
    Commit {
        id: ObjectId,
        shown: Option<String>,
        branch: Option<String>,
    },
    /// One reference by its full name.
    Name { full: String, shown: String },
    /// The highest version among the tags.
    Version { range: Constraint, text: String },
}

/// A commit that is meant, or may be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Candidate {
    /// The name in the revision.
    pub(crate) shown: Option<String>,
    /// What to ask the server for: the commit or its tag object.
    pub(crate) want: ObjectId,
    /// The commit.
    pub(crate) commit: ObjectId,
}

const PEELED: &str = "^{}";

/// Reads `spec.ref`.
pub(crate) fn wanted(reference: &Reference) -> Result<Wanted, FetchError> {
    let given = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
    if let Some(commit) = given(&reference.commit) {
        let id = ObjectId::from_hex(commit.as_bytes()).map_err(|_| {
            FetchError::ReferenceInvalid(commit, "a commit in 40 hexadecimal digits")
        })?;
        let branch = given(&reference.branch);
        let shown = given(&reference.name).or_else(|| branch.clone());
        return Ok(Wanted::Commit { id, shown, branch });
    }
    if let Some(name) = given(&reference.name) {
        let full = name.trim_end_matches(PEELED).to_owned();
        return checked(full, name);
    }
    if let Some(text) = given(&reference.semver) {
        return Ok(Wanted::Version {
            range: Constraint::parse(&text)?,
            text,
        });
    }
    if let Some(tag) = given(&reference.tag) {
        return checked(format!("refs/tags/{tag}"), tag);
    }
    let branch = given(&reference.branch).unwrap_or_else(|| "master".to_owned());
    checked(format!("refs/heads/{branch}"), branch)
}

fn checked(full: String, shown: String) -> Result<Wanted, FetchError> {
    match gix::validate::reference::name(full.as_str().into()) {
        Ok(_) => Ok(Wanted::Name { full, shown }),
        Err(_) => Err(FetchError::ReferenceInvalid(
            crate::error::clean(&shown),
            "the name of a reference",
        )),
    }
}

impl Wanted {
    /// Returns the start of the names that the server should list.
    pub(crate) fn prefixes(&self) -> Vec<BString> {
        match self {
            Self::Commit { .. } => vec!["HEAD".into()],
            Self::Name { full, .. } => vec![full.as_str().into()],
            Self::Version { .. } => vec!["refs/tags/".into()],
        }
    }

    /// Finds the commits that are meant; several only for versions that differ in nothing but
    /// build metadata, of which the youngest counts. `None` if there is none.
    pub(crate) fn find(&self, listed: &[RemoteRef]) -> Option<Vec<Candidate>> {
        match self {
            Self::Commit { id, shown, .. } => Some(vec![Candidate {
                shown: shown.clone(),
                want: *id,
                commit: *id,
            }]),
            Self::Name { full, shown } => {
                let found = listed.iter().find(|reference| reference.name == *full)?;
                Some(vec![candidate(shown, found)])
            }
            Self::Version { range, .. } => {
                let tags = listed
                    .iter()
                    .filter_map(|reference| reference.name.strip_prefix("refs/tags/"));
                let highest = constraint::highest(range, tags);
                let named = |tag: &&str| {
                    let found = listed
                        .iter()
                        .find(|r| r.name.strip_prefix("refs/tags/") == Some(*tag))?;
                    Some(candidate(tag, found))
                };
                Some(highest.iter().filter_map(named).collect::<Vec<_>>())
                    .filter(|found| !found.is_empty())
            }
        }
    }

    /// Says that nothing was found; `listed` are all branches and tags.
    pub(crate) fn missing(&self, location: &Location, listed: &[RemoteRef]) -> FetchError {
        if listed.is_empty() {
            return FetchError::Empty(location.clone());
        }
        let tags = listed
            .iter()
            .filter_map(|reference| reference.name.strip_prefix("refs/tags/"));
        let location = location.clone();
        match self {
            Self::Version { text, .. } => {
                let mut versions: Vec<_> = tags
                    .filter_map(|tag| Some((constraint::version_of_tag(tag)?, tag)))
                    .collect();
                versions.sort_unstable();
                let near = versions
                    .into_iter()
                    .rev()
                    .take(5)
                    .map(|(_, tag)| crate::error::clean(tag))
                    .collect();
                FetchError::NoVersion {
                    location,
                    range: text.clone(),
                    near,
                }
            }
            Self::Name { full, shown } => {
                let near = if full == shown {
                    near(
                        shown,
                        listed.iter().map(|reference| reference.name.as_str()),
                    )
                } else if full.starts_with("refs/tags/") {
                    near(shown, tags)
                } else {
                    near(
                        shown,
                        listed
                            .iter()
                            .filter_map(|r| r.name.strip_prefix("refs/heads/")),
                    )
                };
                FetchError::ReferenceMissing {
                    location,
                    name: shown.clone(),
                    near,
                }
            }
            Self::Commit { id, .. } => FetchError::ReferenceMissing {
                location,
                name: id.to_string(),
                near: Vec::new(),
            },
        }
    }
}

fn candidate(shown: &str, found: &RemoteRef) -> Candidate {
    Candidate {
        shown: Some(shown.to_owned()),
        want: found.id,
        commit: found.peeled,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may")]
    use super::*;

    fn id(digit: char) -> ObjectId {
        ObjectId::from_hex(digit.to_string().repeat(40).as_bytes()).unwrap()
    }

    fn listed() -> Vec<RemoteRef> {
        let plain = |name: &str, digit| RemoteRef {
            name: name.into(),
            id: id(digit),
            peeled: id(digit),
        };
        vec![
            plain("refs/heads/main", '1'),
            plain("refs/heads/feature/a", '2'),
            plain("refs/tags/v1.0.0", '3'),
            RemoteRef {
                name: "refs/tags/v1.1.0".into(),
                id: id('4'),
                peeled: id('5'),
            },
        ]
    }

    #[test]
    fn precedence_is_that_of_flux() {
        let all = Reference {
            branch: Some("main".into()),
            tag: Some("v1.0.0".into()),
            semver: Some("^1".into()),
            name: Some("refs/heads/feature/a".into()),
            commit: Some("9".repeat(40)),
        };
        let shown = |reference: &Reference| {
            let found = wanted(reference)
                .unwrap()
                .find(&listed())
                .unwrap()
                .remove(0);
            (found.shown.unwrap_or_default(), found.commit)
        };
        let mut reference = all;
        assert_eq!(shown(&reference), ("refs/heads/feature/a".into(), id('9')));
        reference.commit = None;
        assert_eq!(shown(&reference), ("refs/heads/feature/a".into(), id('2')));
        reference.name = None;
        assert_eq!(shown(&reference), ("v1.1.0".into(), id('5')));
        reference.semver = None;
        assert_eq!(shown(&reference), ("v1.0.0".into(), id('3')));
        reference.tag = None;
        assert_eq!(shown(&reference), ("main".into(), id('1')));
        reference.branch = None;
        assert_eq!(wanted(&reference).unwrap().find(&listed()), None);
        let peeled = Reference::name("refs/tags/v1.1.0^{}");
        assert_eq!(shown(&peeled), ("refs/tags/v1.1.0^{}".into(), id('5')));
        let commit = Reference {
            commit: Some("9".repeat(40)),
            ..Reference::branch("main")
        };
        assert_eq!(shown(&commit), ("main".into(), id('9')));
    }

    #[test]
    fn bad_names_are_refused() {
        for name in ["../../x", "a b", "a\nb", "-x..y", "a~1", "/a", "a/"] {
            let error = wanted(&Reference::branch(name)).unwrap_err();
            assert!(matches!(error, FetchError::ReferenceInvalid(..)), "{name}");
        }
        assert!(wanted(&Reference::commit("HEAD")).is_err());
    }
}
