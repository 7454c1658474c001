//! From the text of a manifest to a [`Manifest`]: every field is checked, none is guessed.

use semver::Version;
use serde_json::Value;

use super::value::{Fields, wrong};
use super::{Detect, MANIFEST_BYTES, Manifest, ManifestError, Requests, schema};
use crate::glob::Glob;
use crate::names::PluginKind;

const FIELDS: [&str; 12] = [
    "kind",
    "name",
    "description",
    "version",
    "license",
    "source",
    "world",
    "minHost",
    "configSchema",
    "detect",
    "requests",
    "maxBytes",
];

const REQUESTS: [&str; 7] = [
    "files", "inputs", "http", "secrets", "lookup", "memory", "deadline",
];

/// Longest name of a plugin, and of an input or a secret.
const NAME_BYTES: usize = 63;

pub(super) fn manifest(text: &str) -> Result<Manifest, ManifestError> {
    if text.len() > MANIFEST_BYTES {
        return Err(ManifestError::TooLarge {
            bytes: text.len(),
            limit: MANIFEST_BYTES,
        });
    }
    let value = value(text)?;
    let fields = Fields::new(&value, "", &FIELDS)?;
    let kind = plugin_kind(&fields)?;
    Ok(Manifest {
        kind,
        name: name(&fields)?,
        description: fields.text("description")?,
        version: version(&fields)?,
        license: fields.text("license")?,
        source: fields.text("source")?,
        world: world(&fields, kind)?,
        min_host: min_host(&fields)?,
        config_schema: config_schema(&fields)?,
        detect: detect(&fields)?,
        requests: requests(&fields, kind)?,
        max_bytes: fields.bytes("maxBytes")?,
    })
}

/// Reads JSON as that, and all else as YAML, which may start with a brace too.
fn value(text: &str) -> Result<Value, ManifestError> {
    let wrong = |message: String| ManifestError::Syntax(crate::host::log::clean(&message));
    let json = match text.trim_start().starts_with('{') {
        true => serde_json::from_str(text).map_err(Some),
        false => Err(None),
    };
    json.or_else(|error| {
        let yaml = serde_saphyr::from_str(text);
        yaml.map_err(|other| wrong(error.map_or_else(|| other.to_string(), |e| e.to_string())))
    })
}

fn plugin_kind(fields: &Fields<'_>) -> Result<PluginKind, ManifestError> {
    let what = "`renderer`, `transformer` or `notifier`";
    let text = fields.required("kind", what)?;
    let found = PluginKind::ALL
        .into_iter()
        .find(|kind| kind.to_string() == text);
    found.ok_or_else(|| wrong("kind".to_owned(), &format!("is `{text}`, not {what}")))
}

fn name(fields: &Fields<'_>) -> Result<String, ManifestError> {
    let name = fields.required("name", "what users call the plugin")?;
    let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    let edge = |byte: Option<&u8>| byte.is_some_and(|byte| *byte != b'-');
    let bytes = name.as_bytes();
    let valid = bytes.len() <= NAME_BYTES
        && bytes.iter().copied().all(allowed)
        && edge(bytes.first())
        && edge(bytes.last());
    if valid {
        return Ok(name);
    }
    let rule =
        format!("is `{name}`: at most {NAME_BYTES} lower-case letters, digits and `-` inside");
    Err(wrong("name".to_owned(), &rule))
}

fn version(fields: &Fields<'_>) -> Result<String, ManifestError> {
    let version = fields.required("version", "a version as `0.1.0`")?;
    semantic(&version, "version").map(|_| version)
}

fn min_host(fields: &Fields<'_>) -> Result<String, ManifestError> {
    let version = fields.text("minHost")?;
    if !version.is_empty() {
        semantic(&version, "minHost")?;
    }
    Ok(version)
}

fn semantic(text: &str, field: &str) -> Result<Version, ManifestError> {
    let problem = || format!("is `{text}`, not a version as `0.1.0`");
    Version::parse(text).map_err(|_| wrong(field.to_owned(), &problem()))
}

fn world(fields: &Fields<'_>, kind: PluginKind) -> Result<String, ManifestError> {
    let expected = match kind {
        PluginKind::Renderer => "bulkhead:renderer/renderer",
        PluginKind::Transformer => "bulkhead:renderer/transformer",
        PluginKind::Notifier => "bulkhead:notifier/notifier",
    };
    let world = fields.required("world", "the WIT world that it was built for")?;
    let fits = world
        .split_once('@')
        .is_some_and(|(name, version)| name == expected && Version::parse(version).is_ok());
    if fits {
        return Ok(world);
    }
    let problem = format!("is `{world}`, and that of a {kind} is `{expected}@<version>`");
    Err(wrong("world".to_owned(), &problem))
}

fn config_schema(fields: &Fields<'_>) -> Result<Option<Value>, ManifestError> {
    let Some(schema) = fields.get("configSchema") else {
        return Ok(None);
    };
    schema::validate(schema).map_err(|problem| {
        let field = format!("configSchema{}", problem.at);
        wrong(field, &problem.message)
    })?;
    Ok(Some(schema.clone()))
}

fn detect(fields: &Fields<'_>) -> Result<Detect, ManifestError> {
    let Some(value) = fields.get("detect") else {
        return Ok(Detect::default());
    };
    let fields = Fields::new(value, "detect", &["files"])?;
    let one_part = |name: &str| match name {
        "" | "." | ".." => Err("is not the name of a file".to_owned()),
        name if name.contains(['/', '\\']) => {
            Err("has several parts: it is the name of a file, without a folder".to_owned())
        }
        _ => Ok(()),
    };
    Ok(Detect {
        files: fields.list("files", one_part)?,
    })
}

fn requests(fields: &Fields<'_>, kind: PluginKind) -> Result<Requests, ManifestError> {
    let Some(value) = fields.get("requests") else {
        return Ok(Requests::default());
    };
    let fields = Fields::new(value, "requests", &REQUESTS)?;
    let requests = Requests {
        files: fields.list("files", pattern)?,
        inputs: fields.list("inputs", short)?,
        http: fields.list("http", host)?,
        secrets: fields.list("secrets", short)?,
        lookup: fields.flag("lookup")?,
        memory: fields.bytes("memory")?,
        deadline: fields.duration("deadline")?,
    };
    let asks = |wanted: bool, name: &str, who: &str| match wanted {
        true => Err(wrong(
            format!("requests.{name}"),
            &format!("is not for {kind}s: only {who}"),
        )),
        false => Ok(()),
    };
    if kind != PluginKind::Notifier {
        asks(!requests.http.is_empty(), "http", "notifiers may send")?;
        asks(
            !requests.secrets.is_empty(),
            "secrets",
            "notifiers use secrets",
        )?;
    }
    if kind != PluginKind::Renderer {
        asks(!requests.files.is_empty(), "files", "renderers read files")?;
        asks(
            !requests.inputs.is_empty(),
            "inputs",
            "renderers take inputs",
        )?;
        asks(requests.lookup, "lookup", "renderers ask the cluster")?;
    }
    Ok(requests)
}

pub(super) fn pattern(text: &str) -> Result<(), String> {
    match Glob::parse(text) {
        Ok(_) => Ok(()),
        Err(error) => Err(format!("is no pattern of paths: {error}")),
    }
}

pub(super) fn short(text: &str) -> Result<(), String> {
    match text.len() {
        0 => Err("is empty".to_owned()),
        length if length > 253 => Err(format!("has {length} bytes, at most 253 are allowed")),
        _ => Ok(()),
    }
}

/// Accepts `name` and `name:port`; no scheme, path, user or pattern.
pub(super) fn host(text: &str) -> Result<(), String> {
    let rule = || {
        Err(format!(
            "is `{text}`, not a host as `api.example.com` or `api.example.com:8443`"
        ))
    };
    let (name, port) = match text.split_once(':') {
        Some((name, port)) => (name, Some(port)),
        None => (text, None),
    };
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b == b'-')
    };
    let port_fits = port.is_none_or(|port| port.parse::<u16>().is_ok_and(|port| port > 0));
    if name.len() <= 253 && name.split('.').all(label) && port_fits {
        Ok(())
    } else {
        rule()
    }
}
