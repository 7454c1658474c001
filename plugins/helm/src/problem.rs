//! From a message of Helm's to a diagnostic: the place that it names, and what the user can do.

use bulkhead_plugin::render::Error;
use bulkhead_plugin::{Diagnostic, Location};

/// What to do about messages that contain a text.
const HELP: &[(&str, &str)] = &[
    (
        "missing in charts/ directory",
        "put the dependencies into the chart's `charts/`: nothing is fetched while rendering",
    ),
    (
        "which is incompatible with Kubernetes",
        "name the version to render for with `kubeVersion`, or `--kube-version`",
    ),
    (
        "values don't meet the specifications",
        "change the values that are named, or set `skipSchemaValidation`",
    ),
    (
        "steps; is there a loop",
        "look for a `range` or a template that includes itself at the place that is named",
    ),
    (
        "exceeded maximum template depth",
        "look for templates that include themselves",
    ),
    (
        "nested reference name",
        "look for templates that include themselves",
    ),
    (
        "Chart.yaml file is missing",
        "name the folder that has the Chart.yaml, or a `.tgz`",
    ),
    (
        "does not appear to be a gzipped archive",
        "name a folder with a Chart.yaml, or a packed chart (`.tgz`)",
    ),
];

/// Turns a message into an error with its place and help.
pub(crate) fn told(message: String) -> Error {
    let help = HELP.iter().find(|(part, _)| message.contains(part));
    let place = place(&message);
    let mut diagnostic = Diagnostic::error("RenderFailed", message);
    if let Some(location) = place {
        diagnostic = diagnostic.at(location);
    }
    if let Some((_, help)) = help {
        diagnostic = diagnostic.help(*help);
    }
    diagnostic.into()
}

/// Finds the innermost place of a message: `chart/templates/x.yaml:3:5`.
fn place(message: &str) -> Option<Location> {
    let words = message.split(|c: char| c.is_whitespace() || matches!(c, '(' | ')' | '"' | ','));
    let mut best: Option<Location> = None;
    for word in words {
        let mut parts = word.trim_end_matches(':').split(':');
        let Some(path) = parts.next().filter(|path| is_template(path)) else {
            continue;
        };
        let mut location = Location::file(path);
        let numbers: Vec<u32> = parts.map_while(|part| part.parse().ok()).collect();
        location.line = numbers.first().copied();
        // Go counts columns in bytes from 0.
        location.column = numbers.get(1).map(|column| column + 1);
        let is_better = match &best {
            None => true,
            Some(known) => location.line.is_some() || known.line.is_none(),
        };
        if is_better {
            best = Some(location);
        }
    }
    best
}

fn is_template(path: &str) -> bool {
    path.contains("/templates/") && !path.starts_with(['<', '{', '.', '/'])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(message: &str) -> Option<(String, Option<u32>, Option<u32>)> {
        place(message).map(|at| (at.path, at.line, at.column))
    }

    #[test]
    fn the_innermost_place_is_found() {
        let trace = "c/templates/a.yaml:3:5\n  executing \"c/templates/a.yaml\" at <include \"x\" .>:\n    error calling include:\nc/templates/_h.tpl:7:2\n  executing \"x\" at <.Values.a.b>:\n    nil pointer evaluating interface {}.b";
        assert_eq!(
            at(trace),
            Some(("c/templates/_h.tpl".to_owned(), Some(7), Some(3)))
        );
        let parse = "parse error at (c/templates/a.yaml:4): unclosed action";
        assert_eq!(
            at(parse),
            Some(("c/templates/a.yaml".to_owned(), Some(4), None))
        );
        let yaml = "YAML parse error on c/templates/a.yaml: error converting YAML to JSON: yaml: line 2: x";
        assert_eq!(
            at(yaml),
            Some(("c/templates/a.yaml".to_owned(), None, None))
        );
        assert_eq!(at("Chart.yaml file is missing"), None);
    }
}
