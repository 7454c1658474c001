//! `--show-only`: the manifests that come from the named templates, as `helm template` picks them out
//! of what it would print.

use crate::glob::path_match;
use crate::manifests::split;

/// A manifest, with the template that it says it is from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Shown {
    pub(crate) source: Option<String>,
    pub(crate) text: String,
}

/// What stands above every manifest.
const SOURCE: &str = "# Source: ";

/// Picks manifests out of `text`, in the order of `wanted`: paths in the chart, `*` and `?` in a
/// part, `templates/web.yaml`.
pub(crate) fn pick(text: &str, wanted: &[String]) -> Result<Vec<Shown>, String> {
    let manifests = split(text);
    let mut shown = Vec::new();
    for pattern in wanted {
        let before = shown.len();
        for manifest in &manifests {
            let path = path_of(manifest);
            if path.is_some_and(|path| path_match(pattern, path) == Ok(true)) {
                shown.push(apart(manifest));
            }
        }
        if shown.len() == before {
            return Err(format!("could not find template {pattern} in chart"));
        }
    }
    Ok(shown)
}

/// The path in the chart, from the first line that tells one.
fn path_of(manifest: &str) -> Option<&str> {
    manifest.match_indices(SOURCE).find_map(|(at, _)| {
        let line = manifest[at + SOURCE.len()..].lines().next()?;
        let (chart, path) = line.split_once('/')?;
        (!chart.is_empty() && !path.is_empty()).then_some(path)
    })
}

fn apart(manifest: &str) -> Shown {
    let told = manifest
        .strip_prefix(SOURCE)
        .and_then(|rest| rest.split_once('\n'));
    match told {
        Some((source, text)) => Shown {
            source: Some(source.to_owned()),
            text: text.to_owned(),
        },
        None => Shown {
            source: None,
            text: manifest.to_owned(),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "---\n# Source: c/templates/a.yaml\na: 1\n---\n# Source: c/crds/b.yaml\nb: 2\n---\nno: source\n---\n# Source: c/charts/d/templates/a.yaml\nd: 4\n";

    fn picked(wanted: &[&str]) -> Result<Vec<String>, String> {
        let wanted: Vec<String> = wanted.iter().map(|one| (*one).to_owned()).collect();
        let shown = pick(TEXT, &wanted)?;
        Ok(shown.into_iter().map(|one| one.text).collect())
    }

    #[test]
    fn manifests_come_in_the_order_of_the_patterns() {
        let both = picked(&["crds/*.yaml", "templates/a.yaml"]);
        assert_eq!(both, Ok(vec!["b: 2\n".to_owned(), "a: 1\n".to_owned()]));
        let subchart = picked(&["charts/*/templates/a.yaml"]);
        assert_eq!(subchart, Ok(vec!["d: 4\n".to_owned()]));
    }

    #[test]
    fn a_pattern_that_finds_nothing_is_an_error() {
        let error = picked(&["templates/a.yaml", "templates/x.yaml"]);
        let told = "could not find template templates/x.yaml in chart";
        assert_eq!(error, Err(told.to_owned()));
    }
}
