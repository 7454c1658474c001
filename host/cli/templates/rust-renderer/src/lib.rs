//! A renderer: returns every `.yaml` file of the directory, with `${environment}` replaced by what
//! the configuration says.

use bulkhead_plugin::render::{Document, Error, Files, Output, Renderer, Request};
use bulkhead_plugin::{Diagnostic, Location};

const PLACEHOLDER: &str = "${environment}";

struct Plugin;

bulkhead_plugin::renderer!(Plugin);

#[derive(serde::Deserialize)]
struct Config {
    environment: Option<String>,
}

impl Renderer for Plugin {
    fn render(files: &dyn Files, request: &Request) -> Result<Output, Error> {
        let config: Config = serde_json::from_str(&request.config)
            .map_err(|error| Error::Failed(error.to_string()))?;
        let mut output = Output::default();
        for entry in files.glob(&inside(&request.path, "*.yaml"))? {
            let mut text = files.read_text(&entry.path)?;
            if let Some(at) = text.find(PLACEHOLDER) {
                let Some(environment) = &config.environment else {
                    let line = text[..at].matches('\n').count() + 1;
                    return Err(missing(&entry.path, line as u32).into());
                };
                text = text.replace(PLACEHOLDER, environment);
            }
            let document = Document::new(text).from_file(&entry.path);
            output.documents.push(document);
        }
        Ok(output)
    }
}

/// Joins a path to a directory; that of the root is empty.
fn inside(directory: &str, path: &str) -> String {
    match directory {
        "" => path.to_owned(),
        directory => format!("{directory}/{path}"),
    }
}

fn missing(file: &str, line: u32) -> Diagnostic {
    let message = format!("`{file}` needs an environment, and the configuration names none");
    Diagnostic::error("EnvironmentMissing", message)
        .at(Location::file(file).line(line))
        .help("set `environment` in the configuration")
}

#[cfg(test)]
mod tests {
    use super::*;
    use bulkhead_plugin::files::MemoryFiles;

    #[test]
    fn the_environment_is_put_in() {
        let files = MemoryFiles::new().with("app/a.yaml", "name: web-${environment}\n");
        let mut request = Request::for_path("app");
        request.config = r#"{"environment": "staging"}"#.to_owned();
        let output = Plugin::render(&files, &request).unwrap();
        assert_eq!(output.documents[0].text, "name: web-staging\n");
    }
}
