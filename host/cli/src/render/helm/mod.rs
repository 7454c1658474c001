//! `bulkhead render helm NAME CHART`: what `helm template NAME CHART` prints, from the sandbox.
//!
//! In: flags, values files, standard input; the guest does all that Helm does. Out: the manifests on
//! standard output, or files. Nothing is fetched.

mod inputs;
mod refused;
mod write;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context as _, anyhow};
use bulkhead_source::DirTree;
use bulkhead_wasm::{Limits, MemoryTree, RenderRequest, Rendered};
use serde_json::json;

use self::inputs::Inputs;
use super::{failure, line, provenance};
use crate::args::HelmArguments;
use crate::output::{self, CliError, Progress};
use crate::plugins;

/// Renders, and prints or writes.
pub(crate) async fn helm(arguments: HelmArguments) -> Result<(), CliError> {
    refused::check(&arguments)?;
    let (name, chart) = name_and_chart(&arguments)?;
    let inputs = Inputs::read(&arguments)?;
    let limits = Limits::renderer();
    let (tree, path) = locate(chart, arguments.root.as_deref(), &limits)?;
    let mut request = RenderRequest::new(tree, path);
    request.config = config(&arguments, name.as_deref(), &inputs);
    request.inputs = inputs.contents;
    if let Some(time) = arguments.time {
        request
            .attributes
            .push(("source.time".to_owned(), time.to_string()));
        request.wall_clock = u64::try_from(time.as_second()).unwrap_or_default();
    }
    let cache = plugins::cache_folder(arguments.cache.cache_dir.clone());
    let plugin = plugins::one_call(cache.as_deref(), "helm").await?;
    let progress = Progress::start(&format!("rendering {chart}"));
    let facts = provenance::Facts::of(&request);
    let rendered = plugin.render(request).await;
    drop(progress);
    let rendered = rendered.map_err(failure)?;
    if let Some(to) = &arguments.provenance {
        provenance::write(to, &facts.statement(chart, &plugin, None, &rendered))?;
    }
    for diagnostic in &rendered.diagnostics {
        output::note(&line(diagnostic));
    }
    put(&arguments, &rendered)
}

/// Prints what was rendered, or writes it where a flag says.
fn put(arguments: &HelmArguments, rendered: &Rendered) -> Result<(), CliError> {
    if let Some(folder) = &arguments.out {
        return Ok(write::raw(folder, &rendered.documents)?);
    }
    if !arguments.show_only.is_empty() {
        return Ok(output::data(&write::shown(&rendered.documents))?);
    }
    let (manifests, hooks) = write::parts(rendered);
    let Some(folder) = &arguments.output_dir else {
        return Ok(output::data(&write::stream(manifests, hooks))?);
    };
    let folder = match write::attribute(rendered, "helm.release") {
        Some(name) if arguments.release_name => &folder.join(name),
        _ => folder,
    };
    let mut told = write::templates(folder, &rendered.documents)?;
    // `helm template` closes with the manifests, which are none by then.
    told.push('\n');
    Ok(output::data(&told)?)
}

/// Takes the name and the chart out of the arguments; without a name a flag makes one, or the guest.
fn name_and_chart(arguments: &HelmArguments) -> Result<(Option<String>, &str), CliError> {
    let usage = |text: String| Err(CliError::from(anyhow!(text)).usage());
    let flag = match (arguments.generate_name, arguments.name_template.is_empty()) {
        (true, _) => Some("--generate-name"),
        (false, false) => Some("--name-template"),
        (false, true) => None,
    };
    match (arguments.places.as_slice(), flag) {
        ([_, _], Some(flag)) => usage(format!("cannot set {flag} and also specify a name")),
        ([name, chart], None) => Ok((Some(name.clone()), chart)),
        ([chart], Some("--generate-name")) if arguments.name_template.is_empty() => {
            Ok((Some(generated(chart, jiff::Timestamp::now())), chart))
        }
        ([chart], _) => Ok((None, chart)),
        (places, _) => usage(format!(
            "expected at most two arguments, unexpected arguments: {}",
            places.get(2..).unwrap_or_default().join(", ")
        )),
    }
}

/// The name of a chart's file up to its first dot, and the seconds since 1970.
fn generated(chart: &str, now: jiff::Timestamp) -> String {
    let base = Path::new(chart).file_name().unwrap_or_default();
    let base = base.to_string_lossy();
    let base = base.split('.').next().filter(|base| !base.is_empty());
    format!("{}-{}", base.unwrap_or("chart"), now.as_second())
}

/// Finds the chart, and the tree that the guest may read: a folder of this machine, or one archive.
fn locate(
    chart: &str,
    root: Option<&Path>,
    limits: &Limits,
) -> Result<(Arc<dyn bulkhead_api::SourceTree>, String), CliError> {
    let path = Path::new(chart).canonicalize().map_err(|_| {
        let error = CliError::from(anyhow!("path {chart:?} not found"));
        error.hint("name a folder or a `.tgz` that is here: nothing is fetched; `helm pull` can do that before")
    })?;
    if path.is_file() {
        let size = path
            .metadata()
            .map(|metadata| metadata.len())
            .unwrap_or_default();
        if size > limits.file_bytes {
            let most = limits.file_bytes;
            return Err(anyhow!("{chart} has {size} bytes, at most {most} are read").into());
        }
        let data = std::fs::read(&path).with_context(|| format!("failed to read {chart}"))?;
        let name = "chart.tgz";
        let tree = MemoryTree::from_files([(name, data)]).context("failed to hold the archive")?;
        return Ok((Arc::new(tree), name.to_owned()));
    }
    let root = root_of(&path, root)?;
    let tree = DirTree::open(&root, limits.file_bytes)
        .with_context(|| format!("failed to open {}", root.display()))?;
    let inside = path.strip_prefix(&root).unwrap_or(Path::new(""));
    Ok((Arc::new(tree), inside.display().to_string()))
}

/// The folder named; else the checkout around the chart, since charts link to their neighbours; else
/// the chart.
fn root_of(chart: &Path, named: Option<&Path>) -> Result<PathBuf, CliError> {
    let Some(named) = named else {
        let mut above = chart.ancestors();
        let checkout = above.find(|folder| folder.join(".git").exists());
        return Ok(checkout.unwrap_or(chart).to_owned());
    };
    let root = named
        .canonicalize()
        .with_context(|| format!("failed to open {}", named.display()))?;
    if chart.starts_with(&root) {
        return Ok(root);
    }
    let error = anyhow!("{} is not inside {}", chart.display(), root.display());
    Err(CliError::from(error)
        .usage()
        .hint("name a folder above it with `--root`"))
}

fn config(arguments: &HelmArguments, name: Option<&str>, inputs: &Inputs) -> String {
    let mut sets = Vec::new();
    for (kind, texts) in [
        ("json", &arguments.set_json),
        ("typed", &arguments.set),
        ("string", &arguments.set_string),
        ("file", &arguments.set_file),
        ("literal", &arguments.set_literal),
    ] {
        sets.extend(texts.iter().map(|text| json!({"kind": kind, "text": text})));
    }
    let mut config = json!({
        "releaseNamespace": arguments.namespace,
        "valuesInputs": inputs.values,
        "set": sets,
        "apiVersions": arguments.api_versions,
        "includeCrds": arguments.include_crds,
        "noHooks": arguments.no_hooks,
        "skipTests": arguments.skip_tests,
        "showOnly": arguments.show_only,
        "isUpgrade": arguments.is_upgrade,
        "skipSchemaValidation": arguments.skip_schema_validation,
        "raw": arguments.raw,
    });
    let optional = [
        ("releaseName", name),
        ("nameTemplate", Some(arguments.name_template.as_str())),
        ("kubeVersion", arguments.kube_version.as_deref()),
    ];
    for (field, value) in optional {
        if let Some(value) = value.filter(|value| field == "releaseName" || !value.is_empty()) {
            config[field] = value.into();
        }
    }
    config.to_string()
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;
    use crate::args::{Arguments, Command, RenderCommand};

    fn parsed(words: &[&str]) -> HelmArguments {
        let line = ["bulkhead", "render", "helm"].iter().chain(words);
        let arguments = Arguments::try_parse_from(line).expect("the flags are known");
        let Command::Render(arguments) = arguments.command else {
            unreachable!("it is render");
        };
        match arguments.command {
            Some(RenderCommand::Helm(arguments)) => *arguments,
            _ => unreachable!("it is render helm"),
        }
    }

    fn named(words: &[&str]) -> Result<Option<String>, String> {
        let arguments = parsed(words);
        let found = name_and_chart(&arguments).map(|(name, _)| name);
        found.map_err(|error| error.error.to_string())
    }

    #[test]
    fn names_come_from_arguments_or_flags() {
        assert_eq!(named(&["web", "chart"]), Ok(Some("web".to_owned())));
        assert_eq!(named(&["chart"]), Ok(None));
        assert_eq!(named(&["chart", "--name-template", "x"]), Ok(None));
        let told = Err("cannot set --generate-name and also specify a name".to_owned());
        assert_eq!(named(&["web", "chart", "-g"]), told);
        let told = "expected at most two arguments, unexpected arguments: c, d";
        assert_eq!(named(&["a", "b", "c", "d"]), Err(told.to_owned()));
        let now = jiff::Timestamp::from_second(17).expect("a time");
        assert_eq!(generated("dir/web-1.2.tgz", now), "web-1-17");
        assert_eq!(generated(".", now), "chart-17");
    }

    #[test]
    fn flags_become_the_configuration_in_helm_s_order() {
        let arguments = parsed(&[
            "web",
            "chart",
            "--set",
            "a=1",
            "--set-json",
            "b={}",
            "--set-literal",
            "-c=2",
            "-a",
            "x/v1,y/v1",
            "-n",
            "site",
            "--kube-version",
            "1.31",
            "-s",
            "templates/a.yaml",
        ]);
        let config = config(&arguments, Some("web"), &Inputs::default());
        let config: serde_json::Value = serde_json::from_str(&config).expect("it is JSON");
        let kinds: Vec<_> = config["set"]
            .as_array()
            .expect("a list")
            .iter()
            .map(|set| &set["kind"])
            .collect();
        assert_eq!(kinds, ["json", "typed", "literal"]);
        assert_eq!(config["apiVersions"], json!(["x/v1", "y/v1"]));
        assert_eq!(config["releaseName"], "web");
        assert_eq!(config["kubeVersion"], "1.31");
        assert!(config.get("nameTemplate").is_none());
    }

    #[test]
    fn a_folder_is_read_below_its_checkout() {
        let folder = tempfile::tempdir().expect("a folder");
        let chart = folder.path().join("charts/web");
        std::fs::create_dir_all(&chart).expect("a folder");
        assert_eq!(root_of(&chart, None).expect("a root"), chart);
        std::fs::create_dir(folder.path().join(".git")).expect("a folder");
        assert_eq!(root_of(&chart, None).expect("a root"), folder.path());
        assert!(root_of(folder.path(), Some(&chart)).is_err());
    }
}
