//! Names and versions of interfaces: which stand for one another, and what to do without one.

use semver::Version;

use crate::names::PluginKind;

/// An interface's name and version: `bulkhead:base/log@0.1.0`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Interface<'a> {
    pub(crate) name: &'a str,
    pub(crate) version: Option<Version>,
}

impl<'a> Interface<'a> {
    pub(crate) fn parse(text: &'a str) -> Self {
        match text.split_once('@') {
            Some((name, version)) => Self {
                name,
                version: Version::parse(version).ok(),
            },
            None => Self {
                name: text,
                version: None,
            },
        }
    }

    /// Tells whether one may stand for the other, as component linking has it: the same major
    /// version, or minor below 1.0.0; exactly the same below 0.1.0 and for pre-releases.
    pub(crate) fn fits(&self, other: &Self) -> bool {
        let track = |version: &Version| match version {
            v if !v.pre.is_empty() => (v.major, v.minor, v.patch, v.pre.to_string()),
            v if v.major > 0 => (v.major, 0, 0, String::new()),
            v if v.minor > 0 => (0, v.minor, 0, String::new()),
            v => (0, 0, v.patch, String::new()),
        };
        self.name == other.name
            && self.version.as_ref().map(track) == other.version.as_ref().map(track)
    }
}

/// Says what an author can do about imports that nothing answers.
pub(crate) fn advice(kind: PluginKind, imports: &[String]) -> String {
    let starts = |prefix: &str| imports.iter().any(|import| import.starts_with(prefix));
    if starts("wasi:http") {
        return format!(
            "{kind}s get no `wasi:http`; if componentize-js built it, pass `disableFeatures: ['http', 'fetch-event']` (jco: `--disable http --disable fetch-event`)"
        );
    }
    if starts("wasi:sockets") {
        return format!("{kind}s get no network; if componentize-py built it, pass `--stub-wasi`");
    }
    if starts("bulkhead:base/tree") || starts("bulkhead:base/cluster") {
        return format!("only renderers read files and the cluster; this is a {kind}");
    }
    if starts("wasi:") {
        return "only the sealed part of WASI 0.2 exists here: cli, io, clocks, random, and a filesystem without files".to_owned();
    }
    "build the plugin for one of the published worlds, without further imports".to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_match_as_component_linking_has_it() {
        let fits = |a, b| Interface::parse(a).fits(&Interface::parse(b));
        assert!(fits("a:b/c@0.1.0", "a:b/c@0.1.7"));
        assert!(fits("a:b/c@1.0.0", "a:b/c@1.9.0"));
        assert!(!fits("a:b/c@0.1.0", "a:b/c@0.2.0"));
        assert!(!fits("a:b/c@0.0.1", "a:b/c@0.0.2"));
        assert!(!fits("a:b/c@0.1.0", "a:b/c@0.1.0-rc"));
        assert!(!fits("a:b/c@0.1.0", "a:b/d@0.1.0"));
        assert!(!fits("a:b/c@0.1.0", "a:b/c"));
    }
}
