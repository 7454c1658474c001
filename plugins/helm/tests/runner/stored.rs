//! What a release stores of a chart, beside what Helm 4.3 stores (tests/cases/release): `helm install
//! rel chart --dry-run=client -o json --set key=two,n=5,f=1.5`, times of files taken out.

use std::io::Result;
use std::path::Path;

use bulkhead_helm::Helm;
use bulkhead_plugin::files::MemoryFiles;
use bulkhead_plugin::render::{Output, Renderer, Request};
use serde_json::{Value, json};

use crate::charts::add_files;

const CASES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/cases/release");

fn rendered(release: bool) -> Result<Output> {
    let mut files = MemoryFiles::new();
    let cases = Path::new(CASES);
    add_files(&mut files, cases, &cases.join("chart"))?;
    let mut request = Request::for_path("chart");
    request.target.name = "rel".to_owned();
    let set = json!([
        { "text": "key=two,n=5,f=1.5" },
    ]);
    request.config =
        json!({ "releaseNamespace": "apps", "set": set, "release": release }).to_string();
    Helm::render(&files, &request).map_err(|error| std::io::Error::other(format!("{error:?}")))
}

fn attribute<'a>(output: &'a Output, name: &str) -> Option<&'a str> {
    let found = output.attributes.iter().find(|(known, _)| known == name);
    found.map(|(_, value)| value.as_str())
}

#[test]
fn a_release_stores_what_helm_stores() -> Result<()> {
    let output = rendered(true)?;
    let expected = std::fs::read_to_string(Path::new(CASES).join("chart.json"))?;
    assert_eq!(attribute(&output, "helm.chart"), Some(expected.trim_end()));
    let config = r#"{"f":"1.5","key":"two","n":5}"#;
    assert_eq!(attribute(&output, "helm.config"), Some(config));
    assert_eq!(attribute(&output, "render.notes"), Some("Hello <rel>\n"));
    let crds: Value = serde_json::from_str(attribute(&output, "helm.crds").unwrap_or_default())?;
    let path = |index: usize| crds[index]["path"].as_str();
    assert_eq!(path(0), Some("web/crds/a.yaml"));
    assert_eq!(path(1), Some("web/charts/sub/crds/s.yaml"));
    assert_eq!(
        crds[1]["text"],
        "kind: CustomResourceDefinition\nmetadata: {name: s}\n"
    );
    // CRDs are no documents of a release.
    assert_eq!(output.documents.len(), 2);
    Ok(())
}

#[test]
fn nobody_else_pays_for_it() -> Result<()> {
    let output = rendered(false)?;
    for name in ["helm.chart", "helm.config", "helm.crds"] {
        assert_eq!(attribute(&output, name), None);
    }
    Ok(())
}
