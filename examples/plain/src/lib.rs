//! A renderer: returns every YAML file of the directory as it is.

use bulkhead_plugin::render::{Document, Error, Files, Output, Renderer, Request};

struct Plain;

bulkhead_plugin::renderer!(Plain);

impl Renderer for Plain {
    fn render(files: &dyn Files, request: &Request) -> Result<Output, Error> {
        let mut output = Output::default();
        for entry in files.read_dir(&request.path)? {
            if entry.path.ends_with(".yaml") || entry.path.ends_with(".yml") {
                let text = files.read_text(&entry.path)?;
                output
                    .documents
                    .push(Document::new(text).from_file(entry.path));
            }
        }
        Ok(output)
    }
}
