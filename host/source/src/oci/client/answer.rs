//! What an answer means, and how much of it is read.

use bytes::{Bytes, BytesMut};
use reqwest::header::{CONTENT_TYPE, HeaderName};
use reqwest::{Response, StatusCode};
use serde::Deserialize;

use super::Registry;
use super::send::{Call, broken};
use crate::http::{header, retry_after};
use crate::oci::{OciError, media};

/// So much of a refusal is read for its reason.
const REFUSAL_BYTES: usize = 64 * 1024;

#[derive(Deserialize)]
struct Refusal {
    #[serde(default)]
    errors: Vec<Reason>,
    #[serde(default)]
    details: Option<String>,
}

#[derive(Deserialize)]
struct Reason {
    #[serde(default)]
    code: String,
    #[serde(default)]
    message: Option<String>,
}

/// Returns an answer of success; any other becomes the error that it means.
pub(super) async fn judge(
    registry: &Registry,
    call: &Call,
    response: Response,
) -> Result<Response, OciError> {
    let status = response.status();
    if status.is_success() {
        return Ok(response);
    }
    let retry_after = retry_after(&response);
    let is_out_of_quota = header(&response, &HeaderName::from_static("x-ratelimit-remaining"))
        == Some("0")
        || header(&response, &HeaderName::from_static("ratelimit-remaining")) == Some("0");
    let (code, answer) = reason(response).await;
    let place = call.place.clone();
    Err(match status {
        StatusCode::TOO_MANY_REQUESTS => OciError::RateLimited {
            place,
            answer,
            retry_after,
        },
        _ if code == "TOOMANYREQUESTS" => OciError::RateLimited {
            place,
            answer,
            retry_after,
        },
        StatusCode::FORBIDDEN if is_out_of_quota || retry_after.is_some() => {
            OciError::RateLimited {
                place,
                answer,
                retry_after,
            }
        }
        StatusCode::UNAUTHORIZED | StatusCode::PROXY_AUTHENTICATION_REQUIRED => {
            unauthorised(registry, call, answer)
        }
        StatusCode::FORBIDDEN => OciError::Forbidden { place, answer },
        StatusCode::NOT_FOUND => OciError::NotFound { place, answer },
        _ if status.is_server_error() => OciError::Unavailable {
            place,
            answer,
            retry_after,
        },
        _ => OciError::Status {
            place,
            answer,
            status: status.as_u16(),
        },
    })
}

fn unauthorised(registry: &Registry, call: &Call, answer: String) -> OciError {
    let credentials = &registry.0.config.credentials;
    let had_login = credentials.find(&call.repository).is_some();
    let helper = credentials.helper(call.repository.registry());
    OciError::Unauthorised {
        place: call.place.clone(),
        answer,
        had_login,
        helper: helper.filter(|_| !had_login).map(crate::error::clean),
    }
}

/// Reads an answer whole, up to `allowed` bytes.
pub(super) async fn read(
    registry: &Registry,
    place: &str,
    what: &str,
    mut response: Response,
    limit: &'static str,
    allowed: u64,
) -> Result<Bytes, OciError> {
    let past = || OciError::limit(place, what, limit, allowed);
    if response
        .content_length()
        .is_some_and(|length| length > allowed)
    {
        return Err(past());
    }
    let mut body = BytesMut::new();
    let failed = |error| broken(place, registry, error);
    while let Some(chunk) = response.chunk().await.map_err(failed)? {
        if (body.len() + chunk.len()) as u64 > allowed {
            return Err(past());
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body.freeze())
}

/// Returns the type of an answer, without parameters.
pub(super) fn content_type(response: &Response) -> String {
    media::essence(header(response, &CONTENT_TYPE).unwrap_or_default())
}

/// Returns the registry's code and a text for people; pages for browsers are not shown.
async fn reason(mut response: Response) -> (String, String) {
    let status = response.status().to_string();
    let content_type = content_type(&response);
    let mut body = Vec::new();
    while let Ok(Some(chunk)) = response.chunk().await {
        body.extend_from_slice(&chunk);
        if body.len() > REFUSAL_BYTES {
            break;
        }
    }
    if let Ok(Refusal { errors, details }) = serde_json::from_slice(&body) {
        let texts: Vec<String> = errors.iter().take(3).map(text).collect();
        let said = if texts.is_empty() {
            details.unwrap_or_default()
        } else {
            texts.join("; ")
        };
        let code = errors
            .into_iter()
            .next()
            .map(|reason| reason.code)
            .unwrap_or_default();
        let answer = if said.is_empty() {
            status
        } else {
            format!("{status} ({said})")
        };
        return (code, crate::error::clean(&answer));
    }
    let answer = match content_type.as_str() {
        "text/html" => format!("{status} (with a page for browsers)"),
        "text/plain" if !body.is_empty() => {
            format!("{status} ({})", String::from_utf8_lossy(&body))
        }
        _ => status,
    };
    (String::new(), crate::error::clean(&answer))
}

fn text(reason: &Reason) -> String {
    match reason.message.as_deref().filter(|text| !text.is_empty()) {
        Some(message) => format!("{}: {message}", reason.code),
        None => reason.code.clone(),
    }
}
