//! The guest: reads a request of the host's, renders, and returns documents. What is random in a
//! chart is seeded by the release, the chart and the values, so that nothing drifts.

use bulkhead_plugin::Diagnostic;
use bulkhead_plugin::render::{Document, Error, Files, Output, Renderer, Request};
use bulkhead_template::bytes;

use crate::config::Config;
use crate::manifests::Manifest;
use crate::options::Options;
use crate::problem::told;
use crate::render::{self, render, render_raw};
use crate::show_only;

/// The plugin.
pub struct Helm;

impl Renderer for Helm {
    fn render(source: &dyn Files, request: &Request) -> Result<Output, Error> {
        let config = Config::of(request)?;
        let options = config.options(source, request)?;
        let path = match request.path.as_str() {
            "" => ".",
            path => path,
        };
        if config.raw {
            return raw(source, path, &options);
        }
        let mut rendered = render(source, path, &options).map_err(told)?;
        rendered.hooks.retain(|hook| !is_left_out(hook, &config));
        let mut output = Output::default();
        let hooks = rendered.hooks.len().to_string();
        output
            .attributes
            .push(("helm.release".to_owned(), options.name));
        output.attributes.push(("helm.hooks".to_owned(), hooks));
        output.documents = if config.show_only.is_empty() {
            let all = rendered.manifests.iter().chain(&rendered.hooks);
            all.map(document).collect()
        } else {
            shown(&rendered, &config.show_only)?
        };
        let remark = |text: &String| Diagnostic::warning("ChartWarning", text.as_str());
        output.diagnostics = rendered.warnings.iter().map(remark).collect();
        if let Some(stored) = &rendered.stored {
            let crds = stored.crds_json().map_err(told)?;
            let attributes = [
                ("helm.chart", stored.chart.clone()),
                ("helm.config", stored.config.clone()),
                ("helm.crds", crds),
            ];
            let named = attributes.into_iter();
            let named = named.map(|(name, json)| (name.to_owned(), json));
            output.attributes.extend(named);
        }
        if !rendered.notes.is_empty() {
            let notes = bytes::lossy(&rendered.notes).into_owned();
            output.attributes.push(("render.notes".to_owned(), notes));
        }
        Ok(output)
    }
}

bulkhead_plugin::renderer!(Helm);

/// Tells whether a hook was not asked for.
fn is_left_out(hook: &Manifest, config: &Config) -> bool {
    let is_test = |hook: &Manifest| {
        let events = hook.hook.as_ref().map(|hook| hook.events.as_slice());
        events.is_some_and(|events| events.iter().any(|event| event.starts_with("test")))
    };
    config.no_hooks || (config.skip_tests && is_test(hook))
}

fn document(manifest: &Manifest) -> Document {
    let text = bytes::lossy(&manifest.text).into_owned();
    Document::new(text).from_file(&manifest.source)
}

fn shown(rendered: &render::Output, wanted: &[String]) -> Result<Vec<Document>, Error> {
    let shown = show_only::pick(&rendered.to_text(), wanted).map_err(told)?;
    let document = |one: show_only::Shown| {
        let document = Document::new(bytes::lossy(&one.text).into_owned());
        match one.source {
            Some(source) => document.from_file(source),
            None => document,
        }
    };
    Ok(shown.into_iter().map(document).collect())
}

fn raw(source: &dyn Files, path: &str, options: &Options) -> Result<Output, Error> {
    let mut output = Output::default();
    for (name, text) in render_raw(source, path, options).map_err(told)? {
        let text = String::from_utf8_lossy(&text).into_owned();
        output.documents.push(Document::new(text).from_file(name));
    }
    Ok(output)
}

#[cfg(test)]
mod tests {
    use bulkhead_plugin::files::MemoryFiles;

    use super::*;

    type Tested = Result<(), Box<dyn std::error::Error>>;

    fn chart() -> MemoryFiles {
        MemoryFiles::new()
            .with(
                "web/Chart.yaml",
                "apiVersion: v2\nname: web\nversion: 1.2.3\n",
            )
            .with("web/values.yaml", "replicas: 1\n")
            .with(
                "web/templates/a.yaml",
                "kind: A\nn: {{ .Values.replicas }}\nr: {{ randAlphaNum 8 }}\n",
            )
            .with("web/templates/NOTES.txt", "Hello {{ .Release.Name }}")
            .with(
                "web/templates/hook.yaml",
                "kind: B\nmetadata:\n  annotations: {helm.sh/hook: test}\n",
            )
    }

    fn request(config: &str) -> Request {
        let mut request = Request::for_path("web");
        request.config = config.to_owned();
        request.target.name = "site".to_owned();
        request
    }

    #[test]
    fn a_chart_becomes_documents_with_their_origins() -> Tested {
        let config = r#"{"values": {"replicas": 3}}"#;
        let output =
            Helm::render(&chart(), &request(config)).map_err(|error| format!("{error:?}"))?;
        let origins: Vec<_> = output
            .documents
            .iter()
            .map(|d| d.origin.as_ref().map(|o| o.path.as_str()))
            .collect();
        assert_eq!(
            origins,
            [
                Some("web/templates/a.yaml"),
                Some("web/templates/hook.yaml")
            ]
        );
        assert!(output.documents[0].text.contains("n: 3\n"));
        assert!(
            output
                .attributes
                .contains(&("helm.hooks".to_owned(), "1".to_owned()))
        );
        assert!(
            output
                .attributes
                .contains(&("render.notes".to_owned(), "Hello site".to_owned()))
        );
        let again =
            Helm::render(&chart(), &request(config)).map_err(|error| format!("{error:?}"))?;
        assert_eq!(output.documents, again.documents);
        Ok(())
    }

    #[test]
    fn default_values_take_the_place_of_the_chart_s() -> Tested {
        let mut request = request(r#"{"defaultValues": "old", "release": true}"#);
        request.inputs = vec![("old".to_owned(), br#"{"replicas": 7}"#.to_vec())];
        let output = Helm::render(&chart(), &request).map_err(|error| format!("{error:?}"))?;
        assert!(output.documents[0].text.contains("n: 7\n"));
        let mut attributes = output.attributes.iter();
        let stored = attributes.find(|(name, _)| name == "helm.chart");
        assert!(stored.is_some_and(|(_, json)| json.contains(r#""values":{"replicas":7}"#)));
        request.inputs.clear();
        assert!(Helm::render(&chart(), &request).is_err());
        Ok(())
    }

    #[test]
    fn a_mistake_names_the_file_and_the_line() {
        let files = chart().with("web/templates/b.yaml", "a: 1\nb: {{ .Values.x.y }}\n");
        let Err(Error::Invalid(diagnostics)) = Helm::render(&files, &request("{}")) else {
            unreachable!("it renders");
        };
        let at = diagnostics[0].at.as_ref();
        assert_eq!(
            at.map(|at| (at.path.as_str(), at.line)),
            Some(("web/templates/b.yaml", Some(2)))
        );
    }
}
