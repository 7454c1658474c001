//! Takes values of secret inputs out of what a plugin says. A plugin is told which inputs are secret
//! and hides them itself; this is the second look, for plugins that do not.
//!
//! The inputs are not parsed: whatever may be a value in YAML, JSON or an `.env` file counts as one.
//! Documents are the plugin's product and are left alone.

use std::collections::BTreeSet;

use crate::error::RenderError;
use crate::request::{Diagnostic, RenderRequest, Rendered};

/// Name of the attribute that names an input which holds a secret; one attribute an input.
pub const SECRET_INPUT: &str = "input.secret";

/// Shortest value in bytes that is looked for: anything shorter is found everywhere.
const VALUE_MIN_BYTES: usize = 5;

/// Most values that are looked for.
const MAX_VALUES: usize = 20_000;

/// What stands for a value.
const MASK: &str = "***";

/// Values of secret inputs, the longest first.
#[derive(Debug, Default)]
pub(crate) struct Concealed {
    values: Vec<String>,
}

impl Concealed {
    /// Gathers the values of the inputs that the request marks.
    pub(crate) fn of(request: &RenderRequest) -> Self {
        let is_secret = |name: &str| {
            let mut attributes = request.attributes.iter();
            attributes.any(|(key, input)| key == SECRET_INPUT && input == name)
        };
        let mut values = BTreeSet::new();
        for (name, content) in &request.inputs {
            if is_secret(name) {
                gather(&String::from_utf8_lossy(content), &mut values);
            }
        }
        let mut values: Vec<String> = values.into_iter().collect();
        values.sort_by_key(|value| std::cmp::Reverse(value.len()));
        Self { values }
    }

    /// Masks what the plugin said beside its documents.
    pub(crate) fn rendered(
        &self,
        answer: Result<Rendered, RenderError>,
    ) -> Result<Rendered, RenderError> {
        if self.values.is_empty() {
            return answer;
        }
        match answer {
            Ok(mut rendered) => {
                rendered
                    .diagnostics
                    .iter_mut()
                    .for_each(|one| self.mask(one));
                Ok(rendered)
            }
            Err(RenderError::Refused(mut refusal)) => {
                refusal
                    .diagnostics
                    .iter_mut()
                    .for_each(|one| self.mask(one));
                Err(RenderError::Refused(refusal))
            }
            Err(other) => Err(other),
        }
    }

    fn mask(&self, diagnostic: &mut Diagnostic) {
        self.text(&mut diagnostic.message);
        diagnostic.help.iter_mut().for_each(|help| self.text(help));
    }

    fn text(&self, text: &mut String) {
        for value in &self.values {
            if text.contains(value) {
                *text = text.replace(value, MASK);
            }
        }
    }
}

/// Finds what may be a value: the whole, each line, what stands behind `:`, `=` and `-`, and what
/// stands between quotes.
fn gather(text: &str, values: &mut BTreeSet<String>) {
    let mut add = |part: &str| {
        let part = part.trim().trim_matches(['"', '\'', ',']);
        if part.len() >= VALUE_MIN_BYTES && values.len() < MAX_VALUES {
            values.insert(part.to_owned());
        }
    };
    add(text);
    for line in text.lines() {
        let line = line.trim();
        let behind = |mark: &str| line.split_once(mark).map(|(_, rest)| rest);
        // A line that only names a key is no value.
        if !line.ends_with([':', '{', '[', '|', '>']) && behind(": ").is_none() {
            add(line);
        }
        [": ", "=", "- "]
            .into_iter()
            .filter_map(behind)
            .for_each(&mut add);
        line.split('"').skip(1).step_by(2).for_each(&mut add);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::MemoryTree;

    fn masked(input: &str, message: &str) -> String {
        let mut request = RenderRequest::new(Arc::new(MemoryTree::new()), "");
        request.inputs = vec![
            ("values".to_owned(), input.as_bytes().to_vec()),
            ("plain".to_owned(), b"name: shown-name".to_vec()),
        ];
        let mark = (SECRET_INPUT.to_owned(), "values".to_owned());
        request.attributes.push(mark);
        let mut text = message.to_owned();
        Concealed::of(&request).text(&mut text);
        text
    }

    #[test]
    fn values_of_marked_inputs_are_masked() {
        for input in [
            "db:\n  password: hunter22\n",
            "{\"db\": {\"password\": \"hunter22\"}}",
            "PASSWORD=hunter22\n",
            "list:\n  - 'hunter22'\n",
            "hunter22",
            "key: |\n  hunter22\n",
        ] {
            let text = masked(input, "got \"hunter22\" for shown-name");
            assert_eq!(text, "got \"***\" for shown-name", "{input}");
        }
    }

    #[test]
    fn values_one_too_short_are_left() {
        assert_eq!(masked("a: 1234", "1234 and 12345"), "1234 and 12345");
        assert_eq!(masked("a: 12345", "1234 and 12345"), "1234 and ***");
    }
}
