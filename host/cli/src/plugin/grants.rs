//! `--grant`: what a user grants to a plugin, as text, and as it is kept.

use std::time::Duration;

use anyhow::anyhow;
use bulkhead_api::GoDuration;
use bulkhead_wasm::manifest::quantity;
use bulkhead_wasm::{Grants, Requests};
use serde_json::{Map, Value, json};

use crate::output::CliError;

const HINT: &str = "grants are `memory=512Mi`, `deadline=1m`, `files=PATTERN`, `lookup`, `http=HOST` and `secret=NAME`";

/// Reads the values of `--grant`.
pub(crate) fn parse(texts: &[String]) -> Result<Grants, CliError> {
    let mut grants = Grants::default();
    for text in texts {
        add(&mut grants, text).map_err(|error| CliError::from(error).usage().hint(HINT))?;
    }
    grants
        .check()
        .map_err(|error| CliError::from(error).usage().hint(HINT))?;
    Ok(grants)
}

fn add(grants: &mut Grants, text: &str) -> anyhow::Result<()> {
    let (name, value) = text.split_once('=').unwrap_or((text, ""));
    let wrong = |what: &str| anyhow!("the grant `{text}` names no {what}");
    match (name, value) {
        ("lookup", "") => grants.lookup = true,
        ("memory", value) => {
            grants.memory = Some(quantity(value).ok_or_else(|| wrong("size such as 512Mi"))?);
        }
        ("deadline", value) => {
            grants.deadline = Some(duration(value).ok_or_else(|| wrong("time such as 1m"))?);
        }
        ("files", value) if !value.is_empty() => grants.files.push(value.to_owned()),
        ("http", value) if !value.is_empty() => grants.http.push(value.to_owned()),
        ("secret", value) if !value.is_empty() => grants.secrets.push(value.to_owned()),
        _ => return Err(anyhow!("there is no grant `{text}`")),
    }
    Ok(())
}

fn duration(text: &str) -> Option<Duration> {
    GoDuration::new(text).get().ok()
}

/// Grants all that is asked for, as an author does for the own plugin.
pub(crate) fn all(requests: &Requests) -> Grants {
    Grants {
        files: Vec::new(),
        http: requests.http.clone(),
        secrets: requests.secrets.clone(),
        lookup: requests.lookup,
        memory: requests.memory,
        deadline: requests.deadline,
        output: None,
        fuel: None,
    }
}

/// Writes grants as they are kept, and as `spec.grants` and `spec.limits` of a Plugin have them.
pub(super) fn to_json(grants: &Grants) -> Value {
    let Grants {
        files,
        http,
        secrets,
        lookup,
        memory,
        deadline,
        output: _,
        fuel: _,
    } = grants;
    let mut map = Map::new();
    for (name, list) in [("files", files), ("http", http), ("secrets", secrets)] {
        if !list.is_empty() {
            map.insert(name.to_owned(), json!(list));
        }
    }
    if *lookup {
        map.insert("lookup".to_owned(), json!(true));
    }
    if let Some(bytes) = memory {
        map.insert("memory".to_owned(), json!(bytes.to_string()));
    }
    if let Some(time) = deadline {
        map.insert(
            "deadline".to_owned(),
            json!(GoDuration::from(*time).to_string()),
        );
    }
    Value::Object(map)
}

/// Reads grants that were kept.
pub(super) fn from_json(kept: &Value) -> Grants {
    let list = |name: &str| -> Vec<String> {
        let entries = kept[name].as_array().into_iter().flatten();
        entries
            .filter_map(Value::as_str)
            .map(str::to_owned)
            .collect()
    };
    Grants {
        files: list("files"),
        http: list("http"),
        secrets: list("secrets"),
        lookup: kept["lookup"].as_bool().unwrap_or(false),
        memory: kept["memory"].as_str().and_then(quantity),
        deadline: kept["deadline"].as_str().and_then(duration),
        output: None,
        fuel: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(texts: &[&str]) -> Result<Grants, String> {
        let texts: Vec<String> = texts.iter().map(|text| (*text).to_owned()).collect();
        parse(&texts).map_err(|failure| failure.error.to_string())
    }

    #[test]
    fn grants_are_read_and_kept() {
        let texts = [
            "memory=512Mi",
            "deadline=1m30s",
            "files=app/**",
            "lookup",
            "http=a.example",
            "secret=token",
        ];
        let grants = parsed(&texts).expect("valid");
        assert_eq!(grants.memory, Some(512 * 1024 * 1024));
        assert_eq!(grants.deadline, Some(Duration::from_secs(90)));
        assert_eq!(from_json(&to_json(&grants)), grants);
    }

    #[test]
    fn what_is_no_grant_is_named() {
        for text in [
            "memory",
            "memory=much",
            "deadline=soon",
            "files=",
            "lookup=yes",
            "root",
        ] {
            assert!(
                parsed(&[text]).is_err_and(|told| told.contains(text)),
                "{text}"
            );
        }
    }
}
