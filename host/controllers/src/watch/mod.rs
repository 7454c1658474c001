//! Follows one collection of the API server: list, then watch, for ever.
//!
//! A connection that says nothing for too long is dead, a history that is gone is listed again, a
//! kind that is not served is asked for again later. What arrives goes to a [`Sink`] as text, object
//! by object, so that one that cannot be decoded never hides the others.

mod line;
mod store;

use std::time::Duration;

use futures::AsyncBufRead;
use kube::Client;
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::clock;

pub use self::store::{Broken, Change, Store, key_of};

/// Receives what a watch sees. It must not wait: the server cuts off a reader that is slow.
pub trait Sink: Send + Sync {
    /// A listing begins.
    fn begin(&self);
    /// An object is there, in this form.
    fn put(&self, object: &RawValue);
    /// An object is gone; this is its last form.
    fn delete(&self, object: &RawValue);
    /// The listing is complete: what was not put since [`Sink::begin`] is gone.
    fn end(&self);
    /// The kind is not served, or may not be read.
    fn unavailable(&self, _why: &kube::Error) {}
}

/// What to follow.
#[derive(Clone, Debug)]
pub struct Target {
    /// Path of the collection: `/apis/apps/v1/deployments`.
    pub path: String,
    /// Label selector; empty for all.
    pub labels: String,
    /// Whether the metadata is enough.
    pub metadata_only: bool,
}

impl Target {
    /// Follows all objects of the typed kind `K`, in `namespace` or in all namespaces.
    pub fn of<K: kube::Resource<DynamicType = ()>>(namespace: Option<&str>) -> Self {
        Self {
            path: K::url_path(&(), namespace),
            labels: String::new(),
            metadata_only: false,
        }
    }
}

/// Objects a list page asks for.
const PAGE_OBJECTS: u32 = 500;
/// A watch ends by itself after this long, give or take a fifth.
const WATCH: Duration = Duration::from_secs(3600);
/// The server sends a bookmark each minute; a watch that is silent for this long is dead.
const SILENCE: Duration = Duration::from_secs(150);
/// A list or the start of a watch may take this long.
const ANSWER: Duration = Duration::from_secs(60);
/// First and longest pause after an error.
const PAUSE: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(30));
/// Largest event: etcd refuses objects over 1.5 MB, managed fields and escapes come on top.
const MAX_EVENT_BYTES: usize = 16 << 20;

const METADATA: &str = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1";
const METADATA_LIST: &str = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1";

/// Why a list or a watch ended.
#[derive(Debug, thiserror::Error)]
enum Ended {
    #[error("the watch came to its time")]
    InTime,
    #[error("the server no longer has the history")]
    Gone,
    #[error("the server sent nothing for {} s", SILENCE.as_secs())]
    Silent,
    #[error("the server did not answer within {} s", ANSWER.as_secs())]
    Unanswered,
    #[error("the server sent what is no event")]
    Format(#[source] serde_json::Error),
    #[error("the connection broke")]
    Connection(#[source] std::io::Error),
    #[error("the server ended the watch with status {code}: {message}")]
    Status { code: u16, message: String },
    #[error("the request failed")]
    Request(#[source] kube::Error),
    #[error("the request cannot be built")]
    Build(#[source] http::Error),
}

/// Follows `target` until the task is dropped.
pub async fn follow(client: Client, target: Target, sink: &dyn Sink) {
    let mut version: Option<String> = None;
    let mut pause = PAUSE.0;
    loop {
        let started = tokio::time::Instant::now();
        let ended = match &mut version {
            None => match list(&client, &target, sink).await {
                Ok(listed) => {
                    version = Some(listed);
                    continue;
                }
                Err(ended) => ended,
            },
            Some(version) => watch(&client, &target, version, sink).await,
        };
        match &ended {
            Ended::InTime => continue,
            Ended::Gone => {
                version = None;
                tracing::debug!(path = target.path, "history is gone, listing again");
            }
            Ended::Request(error) if is_unavailable(error) => {
                version = None;
                sink.unavailable(error);
                tracing::debug!(
                    path = target.path,
                    error = bulkhead_api::chain(&ended),
                    "not served"
                );
            }
            _ => {
                tracing::info!(
                    path = target.path,
                    error = bulkhead_api::chain(&ended),
                    "watch ended, trying again"
                );
            }
        }
        if started.elapsed() > 2 * PAUSE.1 {
            pause = PAUSE.0;
        }
        tokio::time::sleep(clock::jittered(pause, 0.5)).await;
        pause = (pause * 2).min(PAUSE.1);
    }
}

fn is_unavailable(error: &kube::Error) -> bool {
    matches!(error, kube::Error::Api(status) if matches!(status.code, 403..=405))
}

async fn list(client: &Client, target: &Target, sink: &dyn Sink) -> Result<String, Ended> {
    let mut after = String::new();
    let mut begun = false;
    loop {
        let text = tokio::time::timeout(ANSWER, client.request_text(list_request(target, &after)?))
            .await
            .map_err(|_| Ended::Unanswered)?
            .map_err(from_request)?;
        let page: Page<'_> = serde_json::from_str(&text).map_err(Ended::Format)?;
        if !begun {
            sink.begin();
            begun = true;
        }
        for object in page.items.iter().flatten() {
            sink.put(object);
        }
        match page.metadata.continue_ {
            Some(next) if !next.is_empty() => after = next,
            _ => {
                sink.end();
                return Ok(page.metadata.resource_version);
            }
        }
    }
}

fn list_request(target: &Target, after: &str) -> Result<http::Request<Vec<u8>>, Ended> {
    let mut uri = format!("{}?limit={PAGE_OBJECTS}", target.path);
    if !after.is_empty() {
        uri.push_str(&format!("&continue={}", escaped(after)));
    }
    if !target.labels.is_empty() {
        uri.push_str(&format!("&labelSelector={}", escaped(&target.labels)));
    }
    let accept = if target.metadata_only {
        METADATA_LIST
    } else {
        "application/json"
    };
    http::Request::get(uri)
        .header(http::header::ACCEPT, accept)
        .body(vec![])
        .map_err(Ended::Build)
}

async fn watch(client: &Client, target: &Target, version: &mut String, sink: &dyn Sink) -> Ended {
    let request = match watch_request(target, version) {
        Ok(request) => request,
        Err(ended) => return ended,
    };
    let stream = match tokio::time::timeout(ANSWER, client.request_stream(request)).await {
        Ok(Ok(stream)) => stream,
        Ok(Err(error)) => return from_request(error),
        Err(_) => return Ended::Unanswered,
    };
    match read_events(stream, version, sink).await {
        Ok(()) => Ended::InTime,
        Err(ended) => ended,
    }
}

fn watch_request(target: &Target, version: &str) -> Result<http::Request<Vec<u8>>, Ended> {
    let mut uri = format!(
        "{}?watch=true&allowWatchBookmarks=true&timeoutSeconds={}&resourceVersion={}",
        target.path,
        clock::jittered(WATCH, 0.2).as_secs(),
        escaped(version)
    );
    if !target.labels.is_empty() {
        uri.push_str(&format!("&labelSelector={}", escaped(&target.labels)));
    }
    let accept = if target.metadata_only {
        METADATA
    } else {
        "application/json"
    };
    http::Request::get(uri)
        .header(http::header::ACCEPT, accept)
        .body(vec![])
        .map_err(Ended::Build)
}

async fn read_events(
    stream: impl AsyncBufRead,
    version: &mut String,
    sink: &dyn Sink,
) -> Result<(), Ended> {
    let mut lines = line::Lines::new(stream, MAX_EVENT_BYTES);
    loop {
        let line = tokio::time::timeout(SILENCE, lines.next())
            .await
            .map_err(|_| Ended::Silent)?
            .map_err(Ended::Connection)?;
        let Some(line) = line else { return Ok(()) };
        read_event(line, version, sink)?;
    }
}

fn read_event(line: &[u8], version: &mut String, sink: &dyn Sink) -> Result<(), Ended> {
    let event: Event<'_> = serde_json::from_slice(line).map_err(Ended::Format)?;
    match event.type_ {
        "ADDED" | "MODIFIED" => sink.put(event.object),
        "DELETED" => sink.delete(event.object),
        "BOOKMARK" => {}
        _ => {
            let status: Status = serde_json::from_str(event.object.get()).map_err(Ended::Format)?;
            return Err(match status.code {
                410 => Ended::Gone,
                code => Ended::Status {
                    code,
                    message: status.message,
                },
            });
        }
    }
    // An object without a version is none; the position stays where it was.
    if let Ok(object) = serde_json::from_str::<Versioned>(event.object.get()) {
        *version = object.metadata.resource_version;
    }
    Ok(())
}

fn from_request(error: kube::Error) -> Ended {
    match &error {
        kube::Error::Api(status) if status.code == 410 => Ended::Gone,
        _ => Ended::Request(error),
    }
}

/// Escapes a query value.
fn escaped(value: &str) -> String {
    let mut text = String::with_capacity(value.len());
    for byte in value.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => {
                text.push(char::from(byte));
            }
            _ => text.push_str(&format!("%{byte:02X}")),
        }
    }
    text
}

#[derive(Deserialize)]
struct Page<'a> {
    metadata: PageMetadata,
    /// Go writes `null` for an empty list of metadata.
    #[serde(borrow)]
    items: Option<Vec<&'a RawValue>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct PageMetadata {
    #[serde(default)]
    resource_version: String,
    #[serde(rename = "continue")]
    continue_: Option<String>,
}

#[derive(Deserialize)]
struct Event<'a> {
    #[serde(rename = "type")]
    type_: &'a str,
    #[serde(borrow)]
    object: &'a RawValue,
}

#[derive(Deserialize)]
struct Status {
    #[serde(default)]
    code: u16,
    #[serde(default)]
    message: String,
}

#[derive(Deserialize)]
struct Versioned {
    metadata: Version,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Version {
    resource_version: String,
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may")]

    use std::sync::Mutex;

    use super::*;

    #[derive(Default)]
    struct Log(Mutex<Vec<String>>);

    impl Log {
        fn add(&self, text: String) {
            self.0.lock().unwrap().push(text);
        }
    }

    impl Sink for Log {
        fn begin(&self) {
            self.add("begin".into());
        }
        fn put(&self, object: &RawValue) {
            self.add(format!("put {}", object.get()));
        }
        fn delete(&self, object: &RawValue) {
            self.add(format!("delete {}", object.get()));
        }
        fn end(&self) {
            self.add("end".into());
        }
    }

    async fn read(text: &str) -> (Result<(), Ended>, String, Vec<String>) {
        let log = Log::default();
        let mut version = "1".to_owned();
        let result = read_events(text.as_bytes(), &mut version, &log).await;
        (result, version, log.0.into_inner().unwrap())
    }

    #[tokio::test]
    async fn events_move_the_position() {
        let (result, version, log) = read(
            "{\"type\":\"ADDED\",\"object\":{\"metadata\":{\"resourceVersion\":\"5\"}}}\n\
             {\"type\":\"DELETED\",\"object\":{\"metadata\":{\"resourceVersion\":\"7\"}}}\n\
             {\"type\":\"BOOKMARK\",\"object\":{\"metadata\":{\"resourceVersion\":\"9\"}}}\n",
        )
        .await;
        assert!(result.is_ok());
        assert_eq!(version, "9");
        assert_eq!(
            log,
            [
                "put {\"metadata\":{\"resourceVersion\":\"5\"}}",
                "delete {\"metadata\":{\"resourceVersion\":\"7\"}}"
            ]
        );
    }

    #[tokio::test]
    async fn history_that_is_gone_inside_an_answer_of_200() {
        let (result, version, _) = read(
            "{\"type\":\"ERROR\",\"object\":{\"kind\":\"Status\",\"code\":410,\"message\":\"too old\"}}\n",
        )
        .await;
        assert!(matches!(result, Err(Ended::Gone)));
        assert_eq!(version, "1");
    }

    #[tokio::test]
    async fn an_answer_that_is_cut_is_an_error() {
        let (result, ..) = read("{\"type\":\"ADDED\",\"object\":{\"meta").await;
        assert!(matches!(result, Err(Ended::Format(_))), "{result:?}");
    }

    #[test]
    fn an_empty_list_of_metadata_is_a_list() {
        let text = r#"{"metadata":{"resourceVersion":"7"},"items":null}"#;
        let page: Page<'_> = serde_json::from_str(text).unwrap();
        assert_eq!(page.items.iter().flatten().count(), 0);
        assert_eq!(page.metadata.resource_version, "7");
    }

    #[test]
    fn query_values_are_escaped() {
        let target = Target {
            path: "/api/v1/configmaps".into(),
            labels: "kustomize.toolkit.fluxcd.io/name,a=b".into(),
            metadata_only: true,
        };
        let request = list_request(&target, "x=&y").unwrap();
        assert_eq!(
            request.uri().to_string(),
            "/api/v1/configmaps?limit=500&continue=x%3D%26y\
             &labelSelector=kustomize.toolkit.fluxcd.io%2Fname%2Ca%3Db"
        );
    }
}
