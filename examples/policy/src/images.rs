//! Images: digests are put behind those that are known, and what is left without one, or is from a
//! registry that is not allowed, is told.

use std::collections::BTreeMap;

use bulkhead_plugin::Diagnostic;
use serde_json::Value;

const LISTS: [&str; 3] = ["containers", "initContainers", "ephemeralContainers"];

/// Where an image without a registry is from.
const DEFAULT_REGISTRY: &str = "docker.io";

#[derive(Default, serde::Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct Rules {
    require_digest: bool,
    registries: Vec<String>,
    digests: BTreeMap<String, String>,
}

/// Pins and judges the images of all containers in an object, at any depth: custom resources have
/// them, too.
pub(crate) fn apply(rules: &Rules, object: &mut Value) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    visit(object, &mut |name, image| {
        if let Some(digest) = rules.digests.get(image.as_str()) {
            *image = format!("{image}@{digest}");
        }
        found.extend(judge(rules, name, image));
    });
    found
}

/// Calls `each` with the name and the image of every container.
fn visit(value: &mut Value, each: &mut impl FnMut(&str, &mut String)) {
    match value {
        Value::Object(fields) => {
            for (field, inner) in fields {
                match inner {
                    Value::Array(items) if LISTS.contains(&field.as_str()) => {
                        items.iter_mut().for_each(|item| container(item, each));
                    }
                    inner => visit(inner, each),
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| visit(item, each)),
        _ => {}
    }
}

fn container(item: &mut Value, each: &mut impl FnMut(&str, &mut String)) {
    let name = item["name"].as_str().unwrap_or("unnamed").to_owned();
    if let Some(Value::String(image)) = item.get_mut("image") {
        each(&name, image);
    }
}

fn judge(rules: &Rules, container: &str, image: &str) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    if rules.require_digest && !image.contains("@sha256:") {
        let message = format!("the container `{container}` runs `{image}`, which names no digest");
        let help = format!("write `{image}@sha256:…`, or add it to `images.digests`");
        found.push(Diagnostic::error("DigestMissing", message).help(help));
    }
    let registry = registry(image);
    if !rules.registries.is_empty() && !rules.registries.iter().any(|one| one == registry) {
        let message = format!(
            "the container `{container}` runs `{image}` from `{registry}`, which is not allowed"
        );
        let help = format!("take it from `{}`", rules.registries.join("`, `"));
        found.push(Diagnostic::error("RegistryNotAllowed", message).help(help));
    }
    found
}

/// Returns the registry of an image: what stands before the first `/`, if it reads like a host.
fn registry(image: &str) -> &str {
    match image.split_once('/') {
        Some((host, _)) if host.contains(['.', ':']) || host == "localhost" => host,
        _ => DEFAULT_REGISTRY,
    }
}
