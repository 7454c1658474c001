//! What the real Helm makes of small charts (tests/cases/helm/charts), byte for byte: flags become the
//! configuration as `bulkhead render helm` makes it.

use std::io::{Error, Result};
use std::path::Path;

use bulkhead_helm::Helm;
use bulkhead_plugin::files::MemoryFiles;
use bulkhead_plugin::render::{self, Document, Output, Renderer, Request};
use serde_json::{Value, json};

const CASES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/cases/helm/charts");

/// Fewest cases that have to be found.
const CASES_MIN: usize = 30;

#[test]
fn charts_give_what_helm_gives() -> Result<()> {
    let mut wrong = Vec::new();
    let mut count = 0;
    let mut folders: Vec<_> = std::fs::read_dir(CASES)?.collect::<Result<_>>()?;
    folders.sort_by_key(std::fs::DirEntry::file_name);
    for folder in folders {
        let path = folder.path();
        if !path.is_dir() {
            continue;
        }
        count += 1;
        let read = |name: &str| std::fs::read_to_string(path.join(name));
        let got = rendered(&path)?;
        let expected = match read("expected.yaml") {
            Ok(text) => Ok(text),
            Err(_) => Err(read("error.txt")?.trim_end().to_owned()),
        };
        let got = got.map_err(|text| text.trim_end().to_owned());
        if got != expected {
            wrong.push(format!(
                "{}\n  got:  {got:?}\n  want: {expected:?}\n",
                folder.file_name().display()
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(count >= CASES_MIN, "only {count} cases were found");
    Ok(())
}

fn rendered(case: &Path) -> Result<std::result::Result<String, String>> {
    let mut files = MemoryFiles::new();
    add_files(&mut files, case, &case.join("chart"))?;
    let flags = std::fs::read_to_string(case.join("flags")).unwrap_or_default();
    let mut request = Request::for_path("chart");
    request.target.name = "rel".to_owned();
    let mut config = json!({"releaseNamespace": "ns", "set": [], "valuesInputs": []});
    read_flags(case, &flags, &mut config, &mut request)?;
    request.config = config.to_string();
    Ok(match Helm::render(&files, &request) {
        Ok(output) => Ok(text(&output, config.get("showOnly").is_some())),
        Err(render::Error::Invalid(diagnostics)) => Err(diagnostics[0].message.clone()),
        Err(other) => Err(format!("{other:?}")),
    })
}

pub(crate) fn add_files(files: &mut MemoryFiles, root: &Path, folder: &Path) -> Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            add_files(files, root, &path)?;
            continue;
        }
        let name = path.strip_prefix(root).map_err(Error::other)?;
        let name = name.to_string_lossy().into_owned();
        *files = std::mem::take(files).with(&name, std::fs::read(&path)?);
    }
    Ok(())
}

fn read_flags(case: &Path, flags: &str, config: &mut Value, request: &mut Request) -> Result<()> {
    let mut words = flags.lines();
    let push = |config: &mut Value, field: &str, items: Vec<Value>| {
        let list = config[field].as_array().cloned().unwrap_or_default();
        config[field] = Value::Array([list, items].concat());
    };
    let input = |request: &mut Request, name: &str| -> Result<()> {
        let data = std::fs::read(case.join("chart").join(name))?;
        request.inputs.push((name.to_owned(), data));
        Ok(())
    };
    while let Some(flag) = words.next() {
        let mut value = || words.next().unwrap_or_default();
        let kind = match flag {
            "--include-crds" => Err(("includeCrds", true)),
            "--skip-crds" => Err(("skipCrds", true)),
            "--no-hooks" => Err(("noHooks", true)),
            "--skip-tests" => Err(("skipTests", true)),
            "--is-upgrade" => Err(("isUpgrade", true)),
            "--skip-schema-validation" => Err(("skipSchemaValidation", true)),
            "--set" => Ok("typed"),
            "--set-string" => Ok("string"),
            "--set-file" => Ok("file"),
            "--set-json" => Ok("json"),
            "--set-literal" => Ok("literal"),
            other => Ok(other),
        };
        match kind {
            Err((field, set)) => config[field] = set.into(),
            Ok("--kube-version") => config["kubeVersion"] = value().into(),
            Ok("--name-template") => config["nameTemplate"] = value().into(),
            Ok("-a") => {
                let versions = value().split(',').map(Value::from).collect();
                push(config, "apiVersions", versions);
            }
            Ok("-s" | "--show-only") => push(config, "showOnly", vec![value().into()]),
            Ok("-f") => {
                for name in value().split(',') {
                    input(request, name)?;
                    push(config, "valuesInputs", vec![name.into()]);
                }
            }
            Ok(kind) => {
                let text = value();
                if let ("file", Some((_, name))) = (kind, text.split_once('=')) {
                    input(request, name)?;
                }
                push(config, "set", vec![json!({"kind": kind, "text": text})]);
            }
        }
    }
    Ok(())
}

/// What the command prints of an answer.
fn text(output: &Output, is_picked: bool) -> String {
    let one = |document: &Document| {
        let source = document.origin.as_ref().map(|at| &at.path);
        let source = source.map_or_else(String::new, |path| format!("# Source: {path}\n"));
        format!("---\n{source}{}\n", document.text)
    };
    if is_picked {
        return output.documents.iter().map(one).collect();
    }
    let mut attributes = output.attributes.iter();
    let hooks = attributes.find(|(name, _)| name == "helm.hooks");
    let hooks = hooks.and_then(|(_, count)| count.parse().ok()).unwrap_or(0);
    let (manifests, hooks) = output.documents.split_at(output.documents.len() - hooks);
    let manifests: String = manifests.iter().map(one).collect();
    let hooks: String = hooks.iter().map(one).collect();
    format!("{}\n{hooks}", manifests.trim())
}
