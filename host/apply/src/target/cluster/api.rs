//! The edge to the API server: one request in, status and JSON out. Knows paths and retries, no
//! policy.

use std::time::Duration;

use bulkhead_api::ObjectId;
use http::{Method, Request};
use kube::client::Body;
use serde_json::Value;

use super::discovery::Resource;

/// How long one request may take, repeated throttled ones included.
const REQUEST_LIMIT: Duration = Duration::from_secs(60);
/// How often a request whose answer got lost is sent: all of them may be sent twice.
const TRIES: u32 = 4;
/// The pause before the first repetition; it doubles.
const PAUSE: Duration = Duration::from_millis(100);

const JSON: &str = "application/json";
const METADATA: &str = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1";
const METADATA_LIST: &str = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1";

/// Why a request came to nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ApiError {
    /// The API server refused.
    #[error("{message}")]
    Refused {
        /// The HTTP status.
        code: u16,
        /// The reason, as `Invalid`; may be empty.
        reason: String,
        /// Its words.
        message: String,
    },
    /// No answer.
    #[error("no answer from the API server: {0}")]
    Lost(String),
    /// An answer that is no JSON, or has not what it must have.
    #[error("the API server's answer could not be read: {0}")]
    Unreadable(String),
}

impl ApiError {
    /// Returns the HTTP status of a refusal, 0 otherwise.
    pub(crate) fn code(&self) -> u16 {
        match self {
            Self::Refused { code, .. } => *code,
            Self::Lost(_) | Self::Unreadable(_) => 0,
        }
    }

    /// Returns the reason in brackets, as messages have it: ` (Invalid)`.
    pub(crate) fn in_brackets(&self) -> String {
        match self {
            Self::Refused { reason, .. } if !reason.is_empty() => format!(" ({reason})"),
            _ => String::new(),
        }
    }
}

/// How an object is patched.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Patch<'a> {
    pub(crate) manager: &'a str,
    pub(crate) dry_run: bool,
}

/// How an object is applied for a release.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Apply<'a> {
    pub(crate) manager: &'a str,
    /// Over the fields of other managers.
    pub(crate) force: bool,
    /// `Strict` refuses unknown fields, `Ignore` drops them.
    pub(crate) validation: &'static str,
    pub(crate) dry_run: bool,
}

/// A connection to an API server under one identity.
#[derive(Clone)]
pub(crate) struct Http {
    client: kube::Client,
}

impl Http {
    pub(crate) fn new(client: kube::Client) -> Self {
        Self { client }
    }

    pub(crate) fn client(&self) -> &kube::Client {
        &self.client
    }

    /// Applies the bytes of an object, with force. Returns whether it was created, and the object.
    pub(crate) async fn apply(
        &self,
        path: &str,
        bytes: &[u8],
        patch: Patch<'_>,
    ) -> Result<(bool, Value), ApiError> {
        let dry_run = if patch.dry_run { "&dryRun=All" } else { "" };
        let manager = encode(patch.manager);
        let uri =
            format!("{path}?fieldManager={manager}&force=true&fieldValidation=Ignore{dry_run}");
        let (code, object) = self
            .send(
                Method::PATCH,
                &uri,
                JSON,
                "application/apply-patch+yaml",
                bytes,
            )
            .await?;
        Ok((code == 201, object))
    }

    /// Applies the bytes of an object. Returns whether it was created, and the object.
    pub(crate) async fn apply_with(
        &self,
        path: &str,
        bytes: &[u8],
        apply: Apply<'_>,
    ) -> Result<(bool, Value), ApiError> {
        let Apply {
            manager,
            force,
            validation,
            dry_run,
        } = apply;
        let dry_run = if dry_run { "&dryRun=All" } else { "" };
        let manager = encode(manager);
        let uri = format!(
            "{path}?fieldManager={manager}&force={force}&fieldValidation={validation}{dry_run}"
        );
        let content = "application/apply-patch+yaml";
        let (code, object) = self.send(Method::PATCH, &uri, JSON, content, bytes).await?;
        Ok((code == 201, object))
    }

    /// Creates an object.
    pub(crate) async fn create(&self, collection: &str, object: &Value) -> Result<Value, ApiError> {
        let bytes = object.to_string();
        let sent = self.send(Method::POST, collection, JSON, JSON, bytes.as_bytes());
        sent.await.map(|(_, object)| object)
    }

    /// Replaces an object as a whole; without a resource version, whatever it was.
    pub(crate) async fn replace(&self, path: &str, object: &Value) -> Result<Value, ApiError> {
        let bytes = object.to_string();
        let sent = self.send(Method::PUT, path, JSON, JSON, bytes.as_bytes());
        sent.await.map(|(_, object)| object)
    }

    /// Replaces an object as a whole under a field manager; unknown fields are refused.
    pub(crate) async fn replace_as(
        &self,
        path: &str,
        object: &Value,
        manager: &str,
    ) -> Result<Value, ApiError> {
        let manager = encode(manager);
        let uri = format!("{path}?fieldManager={manager}&fieldValidation=Strict");
        self.replace(&uri, object).await
    }

    /// Creates an object under a field manager.
    pub(crate) async fn create_as(
        &self,
        collection: &str,
        object: &Value,
        manager: &str,
    ) -> Result<Value, ApiError> {
        let uri = format!("{collection}?fieldManager={}", encode(manager));
        self.create(&uri, object).await
    }

    /// Sends a JSON merge patch (RFC 7386). Returns the object.
    pub(crate) async fn merge_patch(
        &self,
        path: &str,
        patch: &Value,
        manager: &str,
    ) -> Result<Value, ApiError> {
        let uri = format!("{path}?fieldManager={}", encode(manager));
        let bytes = patch.to_string();
        let content = "application/merge-patch+json";
        let sent = self.send(Method::PATCH, &uri, JSON, content, bytes.as_bytes());
        sent.await.map(|(_, object)| object)
    }

    /// Sends a JSON patch (RFC 6902).
    pub(crate) async fn json_patch(
        &self,
        path: &str,
        operations: &Value,
        manager: &str,
    ) -> Result<(), ApiError> {
        let uri = format!("{path}?fieldManager={}", encode(manager));
        let bytes = operations.to_string();
        let content = "application/json-patch+json";
        self.send(Method::PATCH, &uri, METADATA, content, bytes.as_bytes())
            .await
            .map(drop)
    }

    /// Tries, without doing it, whether an object could be created.
    pub(crate) async fn try_create(
        &self,
        collection: &str,
        object: &Value,
    ) -> Result<(), ApiError> {
        let uri = format!("{collection}?dryRun=All&fieldValidation=Ignore");
        let bytes = object.to_string();
        self.send(Method::POST, &uri, METADATA, JSON, bytes.as_bytes())
            .await
            .map(drop)
    }

    /// Reads an object; `None` where there is none.
    pub(crate) async fn get(&self, path: &str) -> Result<Option<Value>, ApiError> {
        self.read(path, JSON).await
    }

    /// Reads the metadata of an object; `None` where there is none.
    pub(crate) async fn get_metadata(&self, path: &str) -> Result<Option<Value>, ApiError> {
        self.read(path, METADATA).await
    }

    async fn read(&self, path: &str, accept: &str) -> Result<Option<Value>, ApiError> {
        match self.send(Method::GET, path, accept, JSON, &[]).await {
            Ok((_, object)) => Ok(Some(object)),
            Err(error) if error.code() == 404 => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Lists the metadata of the objects that a label selector finds.
    pub(crate) async fn list_metadata(
        &self,
        collection: &str,
        selector: &str,
    ) -> Result<Vec<Value>, ApiError> {
        self.list_as(collection, selector, METADATA_LIST).await
    }

    /// Lists the objects that a label selector finds.
    pub(crate) async fn list(
        &self,
        collection: &str,
        selector: &str,
    ) -> Result<Vec<Value>, ApiError> {
        self.list_as(collection, selector, JSON).await
    }

    async fn list_as(
        &self,
        collection: &str,
        selector: &str,
        accept: &str,
    ) -> Result<Vec<Value>, ApiError> {
        let uri = format!("{collection}?labelSelector={}", encode(selector));
        let (_, mut list) = self.send(Method::GET, &uri, accept, JSON, &[]).await?;
        match list.get_mut("items").map(Value::take) {
            Some(Value::Array(items)) => Ok(items),
            Some(Value::Null) | None => Ok(Vec::new()),
            Some(_) => Err(ApiError::Unreadable("`items` is no list".to_owned())),
        }
    }

    /// Deletes an object in the background, if it still has this uid and resource version.
    pub(crate) async fn delete(
        &self,
        path: &str,
        uid: &str,
        resource_version: &str,
    ) -> Result<(), ApiError> {
        let options = serde_json::json!({
            "apiVersion": "v1",
            "kind": "DeleteOptions",
            "propagationPolicy": "Background",
            "preconditions": { "uid": uid, "resourceVersion": resource_version },
        });
        let bytes = options.to_string();
        self.send(Method::DELETE, path, METADATA, JSON, bytes.as_bytes())
            .await
            .map(drop)
    }

    /// Deletes an object if it still has this uid.
    pub(crate) async fn delete_uid(
        &self,
        path: &str,
        uid: &str,
        propagation: &str,
    ) -> Result<(), ApiError> {
        let options = serde_json::json!({
            "apiVersion": "v1",
            "kind": "DeleteOptions",
            "propagationPolicy": propagation,
            "preconditions": { "uid": uid },
        });
        let bytes = options.to_string();
        self.send(Method::DELETE, path, METADATA, JSON, bytes.as_bytes())
            .await
            .map(drop)
    }

    /// Deletes an object, whichever it is.
    pub(crate) async fn delete_any(&self, path: &str) -> Result<(), ApiError> {
        self.send(Method::DELETE, path, METADATA, JSON, &[])
            .await
            .map(drop)
    }

    async fn send(
        &self,
        method: Method,
        uri: &str,
        accept: &str,
        content: &str,
        body: &[u8],
    ) -> Result<(u16, Value), ApiError> {
        let mut pause = PAUSE;
        for attempt in 1.. {
            let request = Request::builder()
                .method(method.clone())
                .uri(uri)
                .header(http::header::ACCEPT, accept)
                .header(http::header::CONTENT_TYPE, content)
                .body(Body::from(body.to_vec()))
                .map_err(|error| ApiError::Unreadable(error.to_string()))?;
            let answer = match tokio::time::timeout(REQUEST_LIMIT, self.exchange(request)).await {
                Ok(answer) => answer,
                Err(_) => Err(ApiError::Lost(format!("nothing in {REQUEST_LIMIT:?}"))),
            };
            match answer {
                Err(ApiError::Lost(_)) if attempt < TRIES => tokio::time::sleep(pause).await,
                answer => return answer,
            }
            pause *= 2;
        }
        Err(ApiError::Lost("it was tried too often".to_owned()))
    }

    async fn exchange(&self, request: Request<Body>) -> Result<(u16, Value), ApiError> {
        let lost = |error: kube::Error| ApiError::Lost(bulkhead_api::chain(&error));
        let response = self.client.send(request).await.map_err(lost)?;
        let code = response.status().as_u16();
        let bytes = response.into_body().collect_bytes().await.map_err(lost)?;
        if (200..300).contains(&code) {
            let unreadable = |error: serde_json::Error| ApiError::Unreadable(error.to_string());
            return Ok((code, serde_json::from_slice(&bytes).map_err(unreadable)?));
        }
        Err(refusal(code, &bytes))
    }
}

fn refusal(code: u16, bytes: &[u8]) -> ApiError {
    let status: Value = serde_json::from_slice(bytes).unwrap_or_default();
    let text = |field| {
        status
            .get(field)
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_owned()
    };
    let mut message = text("message");
    if message.is_empty() {
        message = String::from_utf8_lossy(bytes).chars().take(500).collect();
    }
    if message.is_empty() {
        message = format!("HTTP status {code}");
    }
    ApiError::Refused {
        code,
        reason: text("reason"),
        message,
    }
}

/// Returns the path of all objects of a kind, in one namespace or, with an empty one, in all.
pub(crate) fn collection(resource: &Resource, namespace: &str) -> String {
    let Resource {
        group,
        version,
        plural,
        namespaced,
        ..
    } = resource;
    let root = match group.as_str() {
        "" => format!("/api/{version}"),
        group => format!("/apis/{group}/{version}"),
    };
    if *namespaced && !namespace.is_empty() {
        format!("{root}/namespaces/{}/{plural}", encode(namespace))
    } else {
        format!("{root}/{plural}")
    }
}

/// Returns the path of an object.
pub(crate) fn path(resource: &Resource, id: &ObjectId) -> String {
    format!(
        "{}/{}",
        collection(resource, &id.namespace),
        encode(&id.name)
    )
}

/// Percent-encodes all that is not plain in a path segment or a query value.
fn encode(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~' | b':') {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_those_of_the_api() {
        let resource = |group: &str, namespaced| Resource {
            group: group.to_owned(),
            version: "v1".to_owned(),
            kind: "Thing".to_owned(),
            plural: "things".to_owned(),
            namespaced,
        };
        let id = ObjectId::new("dev", "system:a", "", "Thing");
        assert_eq!(
            path(&resource("", true), &id),
            "/api/v1/namespaces/dev/things/system:a"
        );
        assert_eq!(
            path(&resource("a.b", false), &id),
            "/apis/a.b/v1/things/system:a"
        );
        assert_eq!(
            collection(&resource("a.b", true), ""),
            "/apis/a.b/v1/things"
        );
        assert_eq!(encode("a=b,c/ä"), "a%3Db%2Cc%2F%C3%A4");
    }

    #[test]
    fn a_refusal_keeps_the_words_of_the_server() {
        let status =
            br#"{"kind":"Status","reason":"Invalid","message":"spec.x is wrong","code":422}"#;
        let error = refusal(422, status);
        assert_eq!(
            (error.code(), error.to_string()),
            (422, "spec.x is wrong".to_owned())
        );
        assert_eq!(error.in_brackets(), " (Invalid)");
        assert_eq!(refusal(502, b"<html>").to_string(), "<html>");
        assert_eq!(refusal(502, b"").to_string(), "HTTP status 502");
    }
}
