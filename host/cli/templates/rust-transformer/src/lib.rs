//! A transformer: labels every object with the team that the configuration names.

use bulkhead_plugin::Diagnostic;
use bulkhead_plugin::transform::{Error, Output, Request, Transformer};
use serde_json::{Value, json};

struct Plugin;

bulkhead_plugin::transformer!(Plugin);

#[derive(serde::Deserialize)]
struct Config {
    team: Option<String>,
}

impl Transformer for Plugin {
    fn transform(request: Request) -> Result<Output, Error> {
        let broken = |error: serde_json::Error| Error::Failed(error.to_string());
        let config: Config = serde_json::from_str(&request.config).map_err(broken)?;
        let Some(team) = config.team.filter(|team| !team.is_empty()) else {
            let wrong = Diagnostic::error("TeamMissing", "the configuration names no team");
            return Err(wrong.help("set `team` in the configuration").into());
        };
        let mut output = Output::default();
        for mut document in request.documents {
            let mut object: Value = serde_json::from_str(&document.text).map_err(broken)?;
            object["metadata"]["labels"]["team"] = json!(team);
            document.text = object.to_string();
            output.documents.push(document);
        }
        Ok(output)
    }
}
