//! Sends requests, follows redirects, and says what an answer means.

use std::io;
use std::rc::Rc;
use std::time::Duration;

use reqwest::header::{
    AUTHORIZATION, CONTENT_TYPE, HeaderName, HeaderValue, LOCATION, RETRY_AFTER,
};
use reqwest::{Method, Response, StatusCode};
use url::Url;

use super::exchange::Call;
use crate::http::{has_same_origin, is_redirect};
use crate::transport::Meter;
use crate::{FetchError, Location};

pub(super) const SUFFIX: &str = "/info/refs";

/// Sends for one repository.
pub(super) struct Sender {
    pub(super) client: reqwest::Client,
    pub(super) login: Option<HeaderValue>,
    pub(super) own: Url,
    pub(super) redirects: usize,
    pub(super) meter: Rc<Meter>,
}

impl Sender {
    /// Sends a request, follows its redirects, and judges the answer.
    pub(super) fn send(&self, call: Call, content_type: &str) -> io::Result<(Response, Url)> {
        let fail = |error| self.meter.fail(error);
        let mut place = Url::parse(&call.url)
            .map_err(|error| fail(self.redirect_problem(error.to_string())))?;
        for hop in 0.. {
            let mut request = self
                .client
                .request(call.method.clone(), place.clone())
                .headers(call.headers.clone())
                .body(call.body.clone());
            if let Some(login) = self
                .login
                .as_ref()
                .filter(|_| has_same_origin(&place, &self.own))
            {
                request = request.header(AUTHORIZATION, login.clone());
            }
            let response = self
                .meter
                .wait(request.send())?
                .map_err(|error| fail(self.broken(error)))?;
            if !is_redirect(response.status()) {
                self.judge(&response, content_type).map_err(fail)?;
                return Ok((response, place));
            }
            if hop == self.redirects {
                let limit = FetchError::limit(
                    "the number of redirects",
                    "redirects",
                    self.redirects as u64,
                );
                return Err(fail(limit));
            }
            place = self.next(&call.method, &place, &response).map_err(fail)?;
        }
        Err(io::Error::other("the redirects do not end"))
    }

    fn next(&self, method: &Method, from: &Url, response: &Response) -> Result<Url, FetchError> {
        let status = response.status();
        if method == Method::POST
            && !matches!(
                status,
                StatusCode::TEMPORARY_REDIRECT | StatusCode::PERMANENT_REDIRECT
            )
        {
            return Err(self.redirect_problem(format!("a fetch was redirected by {status}")));
        }
        let target = response
            .headers()
            .get(LOCATION)
            .and_then(|value| value.to_str().ok())
            .and_then(|text| from.join(text).ok())
            .ok_or_else(|| self.redirect_problem("it leads nowhere".to_owned()))?;
        let shown = format!(
            "{}://{}",
            target.scheme(),
            target.host_str().unwrap_or_default()
        );
        if !matches!(target.scheme(), "http" | "https") {
            return Err(self.redirect_problem(format!("it leads to {shown}")));
        }
        if from.scheme() == "https" && target.scheme() == "http" {
            return Err(self.redirect_problem(format!("it leads from https to {shown}")));
        }
        if !target.username().is_empty() || target.password().is_some() {
            return Err(self.redirect_problem("it holds a login".to_owned()));
        }
        if method == Method::GET
            && (!target.path().ends_with(SUFFIX) || target.query() != from.query())
        {
            return Err(self.redirect_problem(format!(
                "it leads to {shown}, and not to a repository there"
            )));
        }
        Ok(target)
    }

    fn judge(&self, response: &Response, content_type: &str) -> Result<(), FetchError> {
        let location = self.meter.location.clone();
        let status = response.status();
        let header = |name: HeaderName| {
            response
                .headers()
                .get(name)
                .and_then(|value| value.to_str().ok())
        };
        let retry_after = header(RETRY_AFTER)
            .and_then(|text| text.parse().ok())
            .map(Duration::from_secs);
        let is_out_of_quota = header(HeaderName::from_static("x-ratelimit-remaining")) == Some("0");
        match status {
            StatusCode::OK => {}
            StatusCode::TOO_MANY_REQUESTS => {
                return Err(FetchError::RateLimited {
                    location,
                    answer: status.to_string(),
                    retry_after,
                });
            }
            StatusCode::FORBIDDEN | StatusCode::SERVICE_UNAVAILABLE
                if retry_after.is_some() || is_out_of_quota =>
            {
                return Err(FetchError::RateLimited {
                    location,
                    answer: status.to_string(),
                    retry_after,
                });
            }
            StatusCode::UNAUTHORIZED
            | StatusCode::FORBIDDEN
            | StatusCode::PROXY_AUTHENTICATION_REQUIRED => {
                return Err(FetchError::Refused {
                    location,
                    answer: status.to_string(),
                });
            }
            StatusCode::NOT_FOUND | StatusCode::GONE => return Err(FetchError::NotFound(location)),
            _ => {
                return Err(FetchError::Status {
                    location,
                    status: status.to_string(),
                });
            }
        }
        let found = header(CONTENT_TYPE).unwrap_or("no content type");
        if found != content_type {
            return Err(FetchError::NotGit {
                location,
                content_type: crate::error::clean(found),
            });
        }
        Ok(())
    }

    fn redirect_problem(&self, problem: String) -> FetchError {
        FetchError::Redirect {
            location: self.meter.location.clone(),
            problem: crate::error::clean(&problem),
        }
    }

    pub(super) fn broken(&self, error: reqwest::Error) -> FetchError {
        problem_of(&self.meter.location, error)
    }
}

/// Says what a failed request means.
pub(crate) fn problem_of(location: &Location, error: reqwest::Error) -> FetchError {
    let location = location.clone();
    let source = Box::new(error.without_url());
    if certificate_problem(source.as_ref()) {
        return FetchError::Certificate { location, source };
    }
    FetchError::Unreachable { location, source }
}

fn certificate_problem(error: &(dyn std::error::Error + 'static)) -> bool {
    let is_tls = |error: &(dyn std::error::Error + 'static)| {
        matches!(
            error.downcast_ref(),
            Some(rustls::Error::InvalidCertificate(_))
        )
    };
    let mut next = Some(error);
    while let Some(error) = next {
        let inner = error
            .downcast_ref::<io::Error>()
            .and_then(io::Error::get_ref);
        if is_tls(error) || inner.is_some_and(|inner| certificate_problem(inner)) {
            return true;
        }
        next = error.source();
    }
    false
}
