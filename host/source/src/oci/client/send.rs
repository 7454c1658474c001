//! Sends requests: logs in, follows redirects, tries again.

use std::time::Duration;

use bytes::Bytes;
use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderValue, LOCATION};
use reqwest::{Method, Response, StatusCode};
use url::Url;

use super::answer;
use super::challenge::Challenge;
use super::{Registry, Repository};
use crate::address::refused;
use crate::http::{is_redirect, is_tls};
use crate::oci::{Limits, OciError};

/// What a login must allow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Access {
    Read,
    Write,
}

/// One request.
pub(super) struct Call {
    /// What errors call it.
    pub(super) place: String,
    pub(super) repository: Repository,
    pub(super) access: Access,
    pub(super) method: Method,
    pub(super) url: Url,
    pub(super) headers: HeaderMap,
    pub(super) body: Option<Bytes>,
}

impl Call {
    /// Asks for `url` on behalf of `place`.
    pub(super) fn get(place: &str, repository: &Repository, url: Url) -> Self {
        Self {
            place: place.to_owned(),
            repository: repository.clone(),
            access: Access::Read,
            method: Method::GET,
            url,
            headers: HeaderMap::new(),
            body: None,
        }
    }
}

impl Registry {
    /// Sends a request until there is an answer of success, or no hope for one.
    pub(super) async fn send(&self, call: &Call) -> Result<Response, OciError> {
        let mut tried = 0;
        loop {
            let outcome = self.send_once(call).await;
            let error = match outcome {
                Ok(response) => return Ok(response),
                Err(error) => error,
            };
            let is_safe = call.method != Method::POST;
            match pause(&error, tried, self.limits()).filter(|_| is_safe) {
                None => return Err(error),
                Some(pause) => {
                    tracing::debug!(place = call.place, ?pause, %error, "asking the registry again");
                    tokio::time::sleep(pause).await;
                    tried += 1;
                }
            }
        }
    }

    async fn send_once(&self, call: &Call) -> Result<Response, OciError> {
        let known = self.known_authorization(call);
        let (response, is_own) = self.follow(call, known).await?;
        if response.status() != StatusCode::UNAUTHORIZED || !is_own {
            return answer::judge(self, call, response).await;
        }
        let challenges = Challenge::read(response.headers());
        match self.authorization(call, &challenges).await? {
            None => answer::judge(self, call, response).await,
            Some(authorization) => {
                let (response, _) = self.follow(call, Some(authorization)).await?;
                answer::judge(self, call, response).await
            }
        }
    }

    /// Sends a request and follows its redirects. The login goes to the origin of the request
    /// alone; returns whether the answer came from there.
    async fn follow(
        &self,
        call: &Call,
        authorization: Option<HeaderValue>,
    ) -> Result<(Response, bool), OciError> {
        let mut place = call.url.clone();
        let mut hops = 0;
        loop {
            let is_own = place.origin() == call.url.origin();
            self.check_address(&call.place, &place)?;
            let mut request = self
                .0
                .http
                .request(call.method.clone(), place.clone())
                .headers(call.headers.clone());
            if let Some(body) = &call.body {
                request = request.body(body.clone());
            }
            if let Some(value) = authorization.as_ref().filter(|_| is_own) {
                request = request.header(AUTHORIZATION, value.clone());
            }
            let response = request
                .send()
                .await
                .map_err(|error| broken(&call.place, self, error))?;
            if !is_redirect(response.status()) {
                return Ok((response, is_own));
            }
            if hops == self.limits().redirects {
                let allowed = self.limits().redirects as u64;
                return Err(OciError::limit(
                    &call.place,
                    "the number of redirects",
                    "redirects",
                    allowed,
                ));
            }
            hops += 1;
            place = next(call, &place, &response)?;
        }
    }
}

fn next(call: &Call, from: &Url, response: &Response) -> Result<Url, OciError> {
    let refuse = |problem: String| OciError::Redirect {
        place: call.place.clone(),
        problem: crate::error::clean(&problem),
    };
    let target = response
        .headers()
        .get(LOCATION)
        .and_then(|value| value.to_str().ok())
        .and_then(|text| from.join(text).ok())
        .ok_or_else(|| refuse("it leads nowhere".to_owned()))?;
    let shown = target.origin().ascii_serialization();
    if !matches!(target.scheme(), "http" | "https") {
        return Err(refuse(format!("it leads to `{}:`", target.scheme())));
    }
    if from.scheme() == "https" && target.scheme() == "http" {
        return Err(refuse(format!("it leads from https to {shown}")));
    }
    if !target.username().is_empty() || target.password().is_some() {
        return Err(refuse(format!("it holds a login for {shown}")));
    }
    let reads = matches!(call.method, Method::GET | Method::HEAD);
    let keeps_method = matches!(response.status().as_u16(), 307 | 308);
    if !reads && (!keeps_method || target.origin() != call.url.origin()) {
        return Err(refuse(format!("a push was redirected to {shown}")));
    }
    Ok(target)
}

/// Returns how long to wait before trying again, if that is worth it.
fn pause(error: &OciError, tried: usize, limits: &Limits) -> Option<Duration> {
    let is_passing = matches!(
        error,
        OciError::RateLimited { .. } | OciError::Unavailable { .. } | OciError::Unreachable { .. }
    );
    if !is_passing || tried >= limits.retries {
        return None;
    }
    let own = Duration::from_millis(250 << tried.min(8));
    Some(error.retry_after().unwrap_or(own)).filter(|pause| *pause <= limits.retry_pause)
}

/// Says why there is no answer.
pub(super) fn broken(place: &str, registry: &Registry, error: reqwest::Error) -> OciError {
    let place = place.to_owned();
    if let Some(address) = refused(&error) {
        return OciError::Address { place, address };
    }
    if error.is_timeout() {
        let limits = registry.limits();
        let after = if error.is_connect() {
            limits.connect
        } else {
            limits.idle
        };
        return OciError::Timeout { place, after };
    }
    let source = Box::new(error.without_url());
    if is_tls(source.as_ref()) {
        return OciError::Certificate { place, source };
    }
    OciError::Unreachable { place, source }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic, reason = "a test may")]
mod tests {
    use super::*;

    #[test]
    fn pauses_are_those_that_the_registry_asks_for() {
        let limited = |retry_after| OciError::RateLimited {
            place: String::new(),
            answer: String::new(),
            retry_after,
        };
        let limits = Limits::default();
        let seconds = Duration::from_secs;
        assert_eq!(
            pause(&limited(None), 0, &limits),
            Some(Duration::from_millis(250))
        );
        assert_eq!(
            pause(&limited(None), 1, &limits),
            Some(Duration::from_millis(500))
        );
        assert_eq!(pause(&limited(None), 2, &limits), None);
        assert_eq!(
            pause(&limited(Some(seconds(10))), 0, &limits),
            Some(seconds(10))
        );
        assert_eq!(pause(&limited(Some(seconds(11))), 0, &limits), None);
        let missing = OciError::NotFound {
            place: String::new(),
            answer: String::new(),
        };
        assert_eq!(pause(&missing, 0, &limits), None);
    }
}
