//! The proxy: logs, fails on purpose, gives tokens, and passes the rest on to the program.

use std::convert::Infallible;
use std::sync::Arc;

use anyhow::Result;
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::header::{CONTENT_LENGTH, CONTENT_TYPE, HeaderValue, TRANSFER_ENCODING};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use super::body::{Answer, End};
use super::fault::{self, Fault};
use super::{Seen, State, referrers};
use crate::serve::lock;

pub(crate) type Response = hyper::Response<Answer>;

pub(super) async fn answer(
    state: Arc<State>,
    request: hyper::Request<Incoming>,
) -> Result<Response, Infallible> {
    let (parts, body) = request.into_parts();
    let body = body
        .collect()
        .await
        .map(|body| body.to_bytes())
        .unwrap_or_default();
    let target = parts
        .uri
        .path_and_query()
        .map(ToString::to_string)
        .unwrap_or_default();
    let authorization = parts.headers.get("authorization");
    let seen = Seen {
        method: parts.method.to_string(),
        authorization: authorization
            .and_then(|value| value.to_str().ok())
            .map(str::to_owned),
        body: if target.starts_with("/token") {
            body.to_vec()
        } else {
            Vec::new()
        },
        target,
    };
    lock(&state.log).push(seen.clone());
    let fault = fault::find(
        &mut lock(&state.faults),
        &format!("{} {}", seen.method, seen.target),
    );
    if let Some(response) = instead(&fault, &seen).await {
        return Ok(response);
    }
    if let Some(tokens) = state
        .tokens
        .as_ref()
        .filter(|_| seen.target.starts_with("/token"))
    {
        let (status, body) = tokens.answer(&seen).unwrap_or((500, Vec::new()));
        return Ok(page(status, "application/json", &[], body));
    }
    let passed = pass(&state, parts, body).await;
    let (head, body) = match passed {
        Ok(passed) => passed,
        Err(error) => return Ok(page(502, "text/plain", &[], error.to_string().into_bytes())),
    };
    let is_head = seen.method == "HEAD";
    Ok(spoil(fault, head, body, is_head))
}

/// Sends a request to the program, and adds what it does not know.
async fn pass(
    state: &State,
    mut parts: hyper::http::request::Parts,
    body: Bytes,
) -> Result<(hyper::http::response::Parts, Bytes)> {
    let lists = state.options.lists_referrers;
    if lists && let Some((path, digest)) = parts.uri.path().split_once("/referrers/") {
        let index = referrers::index(&lock(&state.referrers), digest)?;
        // The login is checked by the program, with a request that needs the same.
        let uri = format!("{path}/tags/list").parse()?;
        parts.uri = uri;
        let (mut head, body) =
            send(state, hyper::Request::from_parts(parts, Full::default())).await?;
        if head.status == 401 {
            return Ok((head, body));
        }
        head.status = hyper::StatusCode::OK;
        head.headers
            .insert(CONTENT_TYPE, HeaderValue::from_static(referrers::INDEX));
        return Ok((head, index));
    }
    let is_manifest = parts.method == "PUT" && parts.uri.path().contains("/manifests/");
    parts.headers.remove(TRANSFER_ENCODING);
    parts
        .headers
        .insert(CONTENT_LENGTH, HeaderValue::from(body.len()));
    let request = hyper::Request::from_parts(parts, Full::new(body.clone()));
    let (mut head, answer) = send(state, request).await?;
    if lists
        && is_manifest
        && head.status.is_success()
        && let Some(referrer) = referrers::Referrer::of(&body)
    {
        head.headers
            .insert("oci-subject", HeaderValue::from_str(&referrer.subject)?);
        lock(&state.referrers).push(referrer);
    }
    Ok((head, answer))
}

async fn send(
    state: &State,
    request: hyper::Request<Full<Bytes>>,
) -> Result<(hyper::http::response::Parts, Bytes)> {
    let stream = TcpStream::connect(&state.program.address).await?;
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    tokio::spawn(connection);
    let (head, body) = sender.send_request(request).await?.into_parts();
    Ok((head, body.collect().await?.to_bytes()))
}

pub(crate) async fn instead(fault: &Option<Fault>, seen: &Seen) -> Option<Response> {
    let html = b"<!DOCTYPE html><html><body>no</body></html>".to_vec();
    match fault {
        Some(Fault::Silence) => std::future::pending().await,
        Some(Fault::Page(status)) => Some(page(*status, "text/html; charset=utf-8", &[], html)),
        Some(Fault::Code(status, code)) => {
            let body = format!(r#"{{"errors":[{{"code":"{code}","message":"on purpose"}}]}}"#);
            Some(page(*status, "application/json", &[], body.into_bytes()))
        }
        Some(Fault::RetryAfter(status, seconds)) => {
            let seconds = seconds.to_string();
            Some(page(
                *status,
                "text/html",
                &[("retry-after", &seconds)],
                html,
            ))
        }
        Some(Fault::Redirect(status, base)) => {
            let place = format!("{base}{}", seen.target);
            Some(page(*status, "text/html", &[("location", &place)], html))
        }
        Some(Fault::Instead(media_type, body)) => Some(page(200, media_type, &[], body.clone())),
        _ => None,
    }
}

pub(crate) fn spoil(
    fault: Option<Fault>,
    mut head: hyper::http::response::Parts,
    body: Bytes,
    is_head: bool,
) -> Response {
    if is_head {
        let announced = head.headers.get(CONTENT_LENGTH).cloned();
        let mut response = hyper::Response::from_parts(head, Answer::whole(body));
        if let Some(announced) = announced {
            response.headers_mut().insert(CONTENT_LENGTH, announced);
        }
        return response;
    }
    head.headers.remove(CONTENT_LENGTH);
    head.headers.remove(TRANSFER_ENCODING);
    let mut bytes = body.to_vec();
    let answer = match fault {
        Some(Fault::Flip) => {
            let middle = bytes.len() / 2;
            if let Some(byte) = bytes.get_mut(middle) {
                *byte ^= 1;
            }
            Answer::whole(bytes)
        }
        Some(Fault::Shorter) => {
            bytes.pop();
            Answer::whole(bytes)
        }
        Some(Fault::Longer) => {
            bytes.push(0);
            Answer::whole(bytes)
        }
        Some(Fault::Endless) => Answer::broken(body.clone(), body.len(), End::Endless),
        Some(Fault::Stall(sent)) => Answer::broken(body, sent, End::Stall),
        Some(Fault::Cut(sent)) => Answer::broken(body, sent, End::Cut),
        _ => Answer::whole(body),
    };
    hyper::Response::from_parts(head, answer)
}

pub(crate) fn page(
    status: u16,
    media_type: &str,
    headers: &[(&str, &str)],
    body: Vec<u8>,
) -> Response {
    let mut response = hyper::Response::builder()
        .status(status)
        .header(CONTENT_TYPE, media_type);
    for (name, value) in headers {
        response = response.header(*name, *value);
    }
    response
        .body(Answer::whole(body))
        .unwrap_or_else(|_| hyper::Response::new(Answer::whole(Bytes::new())))
}
