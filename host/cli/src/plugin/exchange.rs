//! What a notifier does with events, written down: the requests of every step with secrets by name,
//! and the outcome. Nothing is sent.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context as _, anyhow};
use bulkhead_wasm::{
    Event, Limits, NotifyError, ObjectRef, Outcome, Part, Plugin, Request, Response, ResumeRequest,
    Severity, Signing, StartRequest,
};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::failure::advised;
use crate::output::CliError;

/// Steps after which an exchange is given up.
const STEPS: usize = 10;

/// An event in a file.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct EventFile {
    #[serde(default)]
    id: String,
    #[serde(default)]
    time: String,
    #[serde(default)]
    severity: SeverityFile,
    reason: String,
    message: String,
    object: ObjectFile,
    revision: Option<String>,
    #[serde(default)]
    links: BTreeMap<String, String>,
    #[serde(default)]
    attributes: BTreeMap<String, String>,
}

#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
enum SeverityFile {
    #[default]
    Info,
    Warning,
    Error,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct ObjectFile {
    api_version: String,
    kind: String,
    namespace: Option<String>,
    name: String,
}

/// What a service answers, in a file.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ResponseFile {
    status: u16,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    #[serde(default)]
    body: String,
}

/// Reads events: one, or a list, in a YAML or JSON file; or all files of a folder, by name.
pub(super) fn events(path: &Path) -> Result<Vec<Event>, CliError> {
    if path.is_dir() {
        let entries: std::io::Result<Vec<_>> = std::fs::read_dir(path)
            .with_context(|| format!("failed to open {}", path.display()))?
            .collect();
        let entries = entries.with_context(|| format!("failed to list {}", path.display()))?;
        let mut files: Vec<_> = entries.iter().map(std::fs::DirEntry::path).collect();
        files.sort();
        let all: Result<Vec<_>, _> = files.iter().map(|file| events(file)).collect();
        return Ok(all?.concat());
    }
    let text = std::fs::read_to_string(path)
        .with_context(|| format!("failed to read the events {}", path.display()))?;
    parse(&text)
        .with_context(|| format!("{} holds no events", path.display()))
        .map_err(Into::into)
}

fn parse(text: &str) -> anyhow::Result<Vec<Event>> {
    let value: Value = serde_saphyr::from_str(text)?;
    let list = match value {
        Value::Array(list) => list,
        one => vec![one],
    };
    let read = |value| -> anyhow::Result<Event> {
        let file: EventFile = serde_json::from_value(value)?;
        Ok(Event {
            id: file.id,
            time: file.time,
            severity: match file.severity {
                SeverityFile::Info => Severity::Info,
                SeverityFile::Warning => Severity::Warning,
                SeverityFile::Error => Severity::Error,
            },
            reason: file.reason,
            message: file.message,
            object: ObjectRef {
                api_version: file.object.api_version,
                kind: file.object.kind,
                namespace: file.object.namespace,
                name: file.object.name,
            },
            revision: file.revision,
            links: file.links.into_iter().collect(),
            attributes: file.attributes.into_iter().collect(),
        })
    };
    list.into_iter().map(read).collect()
}

/// Reads what the service answers: a list a step. Without a file: 200 and an empty body, always.
pub(super) fn responses(path: &Path) -> Result<Vec<Vec<ResponseFile>>, CliError> {
    if !path.is_file() {
        return Ok(Vec::new());
    }
    let text = std::fs::read_to_string(path)
        .with_context(|| format!("failed to read {}", path.display()))?;
    let steps = serde_saphyr::from_str(&text)
        .with_context(|| format!("{} holds no list of steps with responses", path.display()))?;
    Ok(steps)
}

/// Delivers events to the end, and returns every step.
///
/// # Errors
/// A trap, a limit, or more than 10 steps. The notifier's own refusal is a step.
pub(super) async fn run(
    plugin: &Plugin,
    events: Vec<Event>,
    config: &str,
    limits: &Limits,
    responses: &[Vec<ResponseFile>],
) -> Result<Value, CliError> {
    let mut steps = Vec::new();
    let start = StartRequest {
        events,
        config: config.to_owned(),
        state: Vec::new(),
        limits: limits.clone(),
        wall_clock: 0,
    };
    let mut answer = plugin.start(start).await;
    for number in 0..STEPS {
        let step = match answer {
            Ok(Outcome::Next(step)) => step,
            Ok(end) => {
                steps.push(outcome(end));
                return Ok(Value::Array(steps));
            }
            Err(error) => {
                steps.push(refusal(error)?);
                return Ok(Value::Array(steps));
            }
        };
        let sent: Vec<_> = step.send.iter().map(request).collect();
        steps.push(json!({ "send": sent }));
        let resume = ResumeRequest {
            responses: answers(&step.send, responses.get(number)),
            config: config.to_owned(),
            state: step.state,
            limits: limits.clone(),
            wall_clock: 0,
        };
        answer = plugin.resume(resume).await;
    }
    Err(CliError::from(anyhow!(
        "it sends again and again: {STEPS} steps, and no end"
    ))
    .hint("`resume` has to return `done`, `retry` or `failed` at some time"))
}

fn answers(sent: &[Request], given: Option<&Vec<ResponseFile>>) -> Vec<Response> {
    let answer = |(index, request): (usize, &Request)| {
        let file = given.and_then(|given| given.get(index));
        Response {
            id: request.id,
            status: file.map_or(200, |file| file.status),
            headers: file.map_or_else(Vec::new, |file| file.headers.clone().into_iter().collect()),
            body: file.map_or_else(Vec::new, |file| file.body.clone().into_bytes()),
        }
    };
    sent.iter().enumerate().map(answer).collect()
}

fn request(request: &Request) -> Value {
    let headers: Map<String, Value> = request
        .headers
        .iter()
        .map(|header| (header.name.clone(), json!(joined(&header.value))))
        .collect();
    let mut shown = json!({
        "id": request.id,
        "method": request.method,
        "url": joined(&request.url),
        "headers": headers,
        "body": String::from_utf8_lossy(&request.body),
    });
    if let Signing::HmacSha256(hmac) = &request.signing {
        shown["signing"] = json!(format!(
            "{}: {}<HMAC-SHA256 by ${{{}}}>",
            hmac.header, hmac.prefix, hmac.secret
        ));
    }
    shown
}

/// Writes a value with its secrets by name: `Bearer ${token}`.
fn joined(parts: &[Part]) -> String {
    parts
        .iter()
        .map(|part| match part {
            Part::Text(text) => text.clone(),
            Part::Secret(name) => format!("${{{name}}}"),
        })
        .collect()
}

fn outcome(outcome: Outcome) -> Value {
    match outcome {
        Outcome::Done(state) => json!({ "done": String::from_utf8_lossy(&state) }),
        Outcome::Retry(seconds) => json!({ "retry": seconds }),
        Outcome::Failed(why) => json!({ "failed": why }),
        Outcome::Next(_) => Value::Null,
    }
}

fn refusal(error: NotifyError) -> Result<Value, CliError> {
    match error {
        NotifyError::InvalidConfig { message, .. } => Ok(json!({ "invalidConfig": message })),
        NotifyError::Refused { message, .. } => Ok(json!({ "error": message })),
        failed @ NotifyError::Failed { .. } => Err(advised(failed.advice(), failed)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_one_or_several_and_unknown_fields_are_named() {
        let one = "reason: R\nmessage: m\nobject: {apiVersion: v1, kind: K, name: web}\n";
        assert_eq!(parse(one).expect("valid").len(), 1);
        let two = format!(
            "- {}- {}",
            one.replace('\n', "\n  ").trim_end().to_owned() + "\n",
            one.replace('\n', "\n  ")
        );
        assert_eq!(parse(&two).expect("valid").len(), 2);
        let wrong = parse(&one.replace("reason", "raison"))
            .expect_err("wrong")
            .to_string();
        assert!(wrong.contains("raison"), "{wrong}");
    }

    #[test]
    fn secrets_are_shown_by_name() {
        let parts = [
            Part::Text("Bearer ".to_owned()),
            Part::Secret("token".to_owned()),
        ];
        assert_eq!(joined(&parts), "Bearer ${token}");
    }
}
