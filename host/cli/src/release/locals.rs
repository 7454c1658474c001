//! What flags say is on this machine: a chart, or the files of sources.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::anyhow;

use crate::output::CliError;
use crate::resources::Key;

/// Kinds of sources that can be local.
const KINDS: [&str; 4] = [
    "GitRepository",
    "HelmRepository",
    "OCIRepository",
    "HelmChart",
];

/// Local copies.
#[derive(Debug, Default)]
pub(crate) struct Locals {
    /// The chart of every release.
    pub chart: Option<PathBuf>,
    sources: BTreeMap<(&'static str, Key), PathBuf>,
}

impl Locals {
    /// Reads `KIND/NAMESPACE/NAME=PATH`, as `flux build kustomization --local-sources` has them.
    pub(crate) fn parse(chart: Option<&Path>, sources: &[String]) -> Result<Self, CliError> {
        let mut found = Self {
            chart: chart.map(Path::to_owned),
            sources: BTreeMap::new(),
        };
        for text in sources {
            let (source, path) = read(text).ok_or_else(|| {
                let error = anyhow!("`{text}` is not `KIND/NAMESPACE/NAME=PATH`");
                let kinds = format!("kinds are {}", KINDS.join(", "));
                CliError::from(error).usage().hint(kinds)
            })?;
            found.sources.insert(source, path);
        }
        Ok(found)
    }

    /// Returns where a source is, if it is local.
    pub(super) fn source(&self, kind: &'static str, key: &Key) -> Option<&Path> {
        self.sources.get(&(kind, key.clone())).map(PathBuf::as_path)
    }
}

fn read(text: &str) -> Option<((&'static str, Key), PathBuf)> {
    let (source, path) = text.split_once('=')?;
    let mut words = source.trim().split('/');
    let (kind, namespace, name) = (words.next()?, words.next()?, words.next()?);
    let kind = KINDS
        .into_iter()
        .find(|known| known.eq_ignore_ascii_case(kind))?;
    let is_whole = words.next().is_none() && !namespace.is_empty() && !name.is_empty();
    let path = path.trim();
    (is_whole && !path.is_empty()).then(|| {
        let key = (namespace.to_owned(), name.to_owned());
        ((kind, key), PathBuf::from(path))
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may")]

    use super::*;

    #[test]
    fn sources_are_named_as_for_flux() {
        let sources = ["gitrepository/flux-system/fleet=.".to_owned()];
        let locals = Locals::parse(None, &sources).unwrap();
        let key = ("flux-system".to_owned(), "fleet".to_owned());
        assert_eq!(locals.source("GitRepository", &key), Some(Path::new(".")));
        assert_eq!(locals.source("HelmRepository", &key), None);
        for wrong in [
            "fleet=.",
            "Bucket/a/b=.",
            "GitRepository/a/b/c=.",
            "GitRepository/a/b=",
        ] {
            assert!(Locals::parse(None, &[wrong.to_owned()]).is_err(), "{wrong}");
        }
    }
}
