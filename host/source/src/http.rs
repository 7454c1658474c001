//! What every client of HTTP here asks of an answer: a header, when to come back, where a redirect
//! leads, and whether it was TLS that failed.

use std::time::Duration;

use reqwest::header::{HeaderName, LOCATION, RETRY_AFTER};
use reqwest::{Response, StatusCode};
use url::Url;

/// Returns a header that is text.
pub(crate) fn header<'a>(response: &'a Response, name: &HeaderName) -> Option<&'a str> {
    response.headers().get(name)?.to_str().ok()
}

/// Reads when the server may be asked again: seconds or a date.
pub(crate) fn retry_after(response: &Response) -> Option<Duration> {
    let text = header(response, &RETRY_AFTER)?.trim();
    if let Ok(seconds) = text.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let date = jiff::fmt::rfc2822::DateTimeParser::new()
        .parse_timestamp(text)
        .ok()?;
    let seconds = date.as_second() - jiff::Timestamp::now().as_second();
    Some(Duration::from_secs(seconds.max(0).unsigned_abs()))
}

pub(crate) fn is_redirect(status: StatusCode) -> bool {
    matches!(status.as_u16(), 301 | 302 | 303 | 307 | 308)
}

pub(crate) fn has_same_origin(one: &Url, other: &Url) -> bool {
    one.scheme() == other.scheme()
        && one.host_str() == other.host_str()
        && one.port_or_known_default() == other.port_or_known_default()
}

/// Returns where a redirect of a GET leads, or why it is not followed.
pub(crate) fn redirect_target(from: &Url, response: &Response) -> Result<Url, &'static str> {
    let target = header(response, &LOCATION)
        .and_then(|text| from.join(text).ok())
        .ok_or("it leads nowhere")?;
    if !matches!(target.scheme(), "http" | "https") {
        return Err("it leads to no web address");
    }
    if from.scheme() == "https" && target.scheme() == "http" {
        return Err("it leads from https to http");
    }
    if !target.username().is_empty() || target.password().is_some() {
        return Err("it holds a login");
    }
    Ok(target)
}

/// Tells whether TLS failed; an IO error hides what it was made of from `source`.
pub(crate) fn is_tls(error: &(dyn std::error::Error + 'static)) -> bool {
    let mut next = Some(error);
    while let Some(error) = next {
        let inner = error.downcast_ref::<std::io::Error>();
        let inner = inner.and_then(std::io::Error::get_ref);
        if error.is::<rustls::Error>() || inner.is_some_and(|inner| is_tls(inner)) {
            return true;
        }
        next = error.source();
    }
    false
}
