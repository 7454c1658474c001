//! From the files of a chart to a [`Chart`].

use std::collections::BTreeMap;

use serde_json::Value;

use super::archive::{self, Budget};
use super::{Chart, ChartFile, Format, Lock, read_yaml, values};
use crate::helm::HelmError;
use crate::helm::fields::Fields;
use crate::helm::metadata::{Dependency, Fault, Metadata, check_items};

/// Puts the files of a chart at `depth` in their places, and unpacks its subcharts.
pub(super) fn chart(
    place: &str,
    files: Vec<ChartFile>,
    budget: &mut Budget,
    depth: usize,
) -> Result<Chart, HelmError> {
    if depth > budget.limits().subchart_depth {
        let allowed = budget.limits().subchart_depth as u64;
        let what = format!("the depth of subcharts in {place}");
        return Err(HelmError::limit(what, "subchart_depth", allowed));
    }
    let metadata = metadata(place, &files)?;
    let keeps_requirements = metadata.api_version == "v1";
    let mut chart = Chart {
        metadata,
        lock: None,
        values: None,
        schema: None,
        templates: Vec::new(),
        files: Vec::new(),
        dependencies: Vec::new(),
    };
    let mut subcharts: BTreeMap<String, Vec<ChartFile>> = BTreeMap::new();
    for file in files {
        match file.name.as_str() {
            "Chart.yaml" => {}
            "Chart.lock" => chart.lock = Some(lock(place, &file)?),
            "values.yaml" => {
                values::read(place, &file.name, &file.content)?;
                chart.values = Some(file.content);
            }
            "values.schema.json" => chart.schema = Some(file.content),
            "requirements.yaml" if keeps_requirements => chart.files.push(file),
            "requirements.yaml" => {}
            "requirements.lock" => {
                chart.lock = Some(lock(place, &file)?);
                if keeps_requirements {
                    chart.files.push(file);
                }
            }
            name if name.starts_with("templates/") => chart.templates.push(file),
            name if name.starts_with("charts/") && name.ends_with(".prov") => {
                chart.files.push(file);
            }
            name => match name.strip_prefix("charts/") {
                Some(below) => {
                    let folder = below.split('/').next().unwrap_or(below).to_owned();
                    let below = ChartFile {
                        name: below.to_owned(),
                        content: file.content,
                    };
                    subcharts.entry(folder).or_default().push(below);
                }
                None => chart.files.push(file),
            },
        }
    }
    for (name, files) in subcharts {
        let within = format!("{place}, subchart `{}`", crate::error::clean(&name));
        let subchart = subchart(&within, &name, files, budget, depth)?;
        chart.dependencies.extend(subchart);
    }
    Ok(chart)
}

/// Reads what stands in `charts/` under one name: a packed chart, a folder, or no chart at all.
fn subchart(
    place: &str,
    name: &str,
    files: Vec<ChartFile>,
    budget: &mut Budget,
    depth: usize,
) -> Result<Option<Chart>, HelmError> {
    if name.starts_with(['_', '.']) {
        return Ok(None);
    }
    if name.ends_with(".tgz") {
        let Some(file) = files.into_iter().next().filter(|file| file.name == name) else {
            return Err(HelmError::archive(place, "it is a folder, not an archive"));
        };
        let files = archive::files(place, file.content.as_slice(), budget)?;
        return chart(place, files, budget, depth + 1).map(Some);
    }
    let own = files.into_iter().filter_map(|file| {
        let (_, below) = file.name.split_once('/')?;
        Some(ChartFile {
            name: below.to_owned(),
            content: file.content,
        })
    });
    chart(place, own.collect(), budget, depth + 1).map(Some)
}

/// Reads `Chart.yaml` and, of older charts, `requirements.yaml`, among `files`.
pub(super) fn metadata(place: &str, files: &[ChartFile]) -> Result<Metadata, HelmError> {
    let find = |name: &str| files.iter().rev().find(|file| file.name == name);
    let Some(file) = find("Chart.yaml") else {
        return Err(HelmError::NoMetadata {
            place: place.to_owned(),
        });
    };
    let value = read_yaml(place, &file.name, &file.content)?;
    let mut metadata = Metadata::read(&value, Format::Yaml)
        .map_err(|problem| HelmError::invalid(place, format!("`Chart.yaml`: {problem}")))?;
    let wrong = |fault: Fault| HelmError::invalid(place, fault.text());
    check_items(&value).map_err(wrong)?;
    if metadata.api_version.is_empty() {
        metadata.api_version = "v1".to_owned();
    }
    if let Some(file) = find("requirements.yaml") {
        let value = read_yaml(place, &file.name, &file.content)?;
        let wrong =
            |problem: String| HelmError::invalid(place, format!("`requirements.yaml`: {problem}"));
        let listed = Fields::of(&value, Format::Yaml, "it").map_err(wrong)?;
        check_items(&value).map_err(|fault| wrong(fault.text()))?;
        if listed.get("dependencies").is_some() {
            let read = Metadata::read(&value, Format::Yaml).map_err(wrong)?;
            metadata.dependencies = read.dependencies;
        }
    }
    metadata.check().map_err(wrong)?;
    Ok(metadata)
}

fn lock(place: &str, file: &ChartFile) -> Result<Lock, HelmError> {
    let value = read_yaml(place, &file.name, &file.content)?;
    let wrong = |problem: String| HelmError::invalid(place, format!("`{}`: {problem}", file.name));
    let fields = Fields::of(&value, Format::Yaml, "it").map_err(wrong)?;
    let items = fields.list("dependencies").map_err(wrong)?;
    let dependencies = items
        .unwrap_or_default()
        .iter()
        .filter(|item| !item.is_null())
        .map(|item: &Value| Dependency::read(item, Format::Yaml).map_err(wrong))
        .collect::<Result<_, _>>()?;
    Ok(Lock {
        generated: fields.text("generated").map_err(wrong)?,
        digest: fields.text("digest").map_err(wrong)?,
        dependencies,
    })
}
