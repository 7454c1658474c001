//! values.schema.json: checks values against JSON Schema, drafts 4 to 2020-12 as far as charts use
//! them, with the words of the validator that Helm uses. Schemas of other documents are not fetched.

mod check;
mod format;
mod meta;
mod parts;
mod unevaluated;
mod values;

use bulkhead_template::{Map, Value};

use crate::chart::Chart;
use crate::json_read;

/// Checks values against the schemas of a chart and its subcharts.
pub(crate) fn check(chart: &Chart, values: &Map) -> Result<(), String> {
    let mut told = String::new();
    if let Some(schema) = &chart.schema
        && let Err(error) = check_one(&String::from_utf8_lossy(schema), values)
    {
        told.push_str(&format!("{}:\n{error}", chart.name()));
    }
    for sub in &chart.dependencies {
        let inner = values.entries.borrow().get(sub.name()).cloned();
        match inner {
            None | Some(Value::Nil) => {}
            Some(Value::Map(inner)) => {
                if let Err(error) = check(sub, &inner) {
                    told.push_str(&error);
                }
            }
            Some(other) => told.push_str(&format!(
                "{}:\ninvalid type for values: expected object (map), got {}\n",
                sub.name(),
                other.type_name()
            )),
        }
    }
    if told.is_empty() { Ok(()) } else { Err(told) }
}

fn check_one(schema: &str, values: &Map) -> Result<(), String> {
    let schema = json_read::parse(schema)?;
    let draft = meta::draft_of(&schema)?;
    meta::check(&schema, draft)?;
    let errors = check::run(&schema, &Value::Map(values.clone()), draft)?;
    if errors.is_empty() {
        return Ok(());
    }
    let mut text = String::new();
    errors.iter().for_each(|error| error.print(&mut text, 0));
    Err(text)
}

/// What does not fit, where, and why.
#[derive(Debug)]
struct Misfit {
    at: String,
    text: String,
    causes: Vec<Misfit>,
    /// Whether it only says where its one cause was looked up.
    is_reference: bool,
    /// Whether it only holds others together.
    is_group: bool,
}

impl Misfit {
    fn new(at: &str, text: String, causes: Vec<Self>) -> Self {
        Self {
            at: at.to_owned(),
            text,
            causes,
            is_reference: false,
            is_group: false,
        }
    }

    fn print(&self, out: &mut String, depth: usize) {
        let mut depth = depth;
        if !(self.is_reference && self.causes.len() == 1) {
            out.push_str(&"  ".repeat(depth));
            out.push_str(&format!("- at {}: {}\n", quoted(&self.at), self.text));
            depth += 1;
        }
        self.causes.iter().for_each(|cause| cause.print(out, depth));
    }
}

/// Puts a text into single quotes.
fn quoted(text: &str) -> String {
    let text = bulkhead_template::quote::quote(text)
        .replace("\\\"", "\"")
        .replace('\'', "\\'");
    format!("'{}'", &text[1..text.len() - 1])
}
