//! Git over HTTP: reqwest under gix's transport.
//!
//! Redirects are followed here, one at a time: never from `https` to `http`, and the login goes
//! only to the scheme, host and port of the request's own URL.

use std::cell::RefCell;
use std::io::{self, BufRead, Cursor, Read, Write};
use std::rc::Rc;
use std::time::Duration;

use base64::Engine as _;
use bytes::Bytes;
use gix::protocol::transport::Protocol;
use gix::protocol::transport::client::blocking_io::http::{
    GetResponse, Http, PostBodyDataKind, PostResponse, Transport,
};
use reqwest::header::{
    AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, LOCATION, RETRY_AFTER,
};
use reqwest::{Method, Response, StatusCode};
use url::Url;

use super::{Meter, tls};
use crate::{Credentials, FetchError, GitRequest, Secret};

const ADVERTISEMENT: &str = "application/x-git-upload-pack-advertisement";
const RESULT: &str = "application/x-git-upload-pack-result";
const SUFFIX: &str = "/info/refs";
/// Some hosts serve only clients whose name starts like this.
const USER_AGENT: &str = concat!("git/2.0 (bulkhead/", env!("CARGO_PKG_VERSION"), ")");

/// Prepares to talk to `url`; nothing is sent yet.
pub(crate) fn connect(
    request: &GitRequest,
    url: &Url,
    meter: Rc<Meter>,
) -> Result<Transport<Web>, FetchError> {
    let problem = |problem: String| FetchError::Credentials {
        location: request.location.clone(),
        problem,
    };
    let mut builder = reqwest::Client::builder()
        .tls_backend_preconfigured(tls::config(request)?)
        .redirect(reqwest::redirect::Policy::none())
        .user_agent(USER_AGENT)
        .no_proxy()
        .http1_only();
    if let Some(proxy) = &request.proxy {
        let mut through = reqwest::Proxy::all(&proxy.address)
            .map_err(|_| problem("the address of the proxy is not a URL".to_owned()))?;
        if let Some(username) = &proxy.username {
            through = through.basic_auth(
                username,
                proxy
                    .password
                    .as_ref()
                    .map(Secret::expose)
                    .unwrap_or_default(),
            );
        }
        builder = builder.proxy(through);
    }
    let client = builder
        .build()
        .map_err(|error| problem(error.without_url().to_string()))?;
    let login = login(request)?;
    let base = url.as_str().trim_end_matches('/').to_owned();
    let gix_url = gix::url::parse(base.as_str()).map_err(|_| {
        FetchError::protocol(&request.location, "the URL is not one that Git reads")
    })?;
    let web = Web {
        shared: Rc::new(Shared {
            client,
            login,
            own: url.clone(),
            redirects: request.limits.redirects,
            meter,
        }),
        redirected: None,
    };
    Ok(Transport::new_http(web, gix_url, Protocol::V2, false))
}

fn login(request: &GitRequest) -> Result<Option<HeaderValue>, FetchError> {
    let problem = |problem: &str| FetchError::Credentials {
        location: request.location.clone(),
        problem: problem.to_owned(),
    };
    let basic = |username: &str, password: &str| {
        format!(
            "Basic {}",
            base64::engine::general_purpose::STANDARD.encode(format!("{username}:{password}"))
        )
    };
    let in_url = (
        request.location.user(),
        request.location.password().map(Secret::expose),
    );
    let text = match (&request.credentials, in_url) {
        (Credentials::Bearer(token), _) => format!("Bearer {}", token.expose()),
        (Credentials::Basic { username, password }, (user, pass)) => {
            let username = Some(username.as_str())
                .filter(|name| !name.is_empty())
                .or(user)
                .unwrap_or_default();
            let password = Some(password.expose())
                .filter(|text| !text.is_empty())
                .or(pass)
                .unwrap_or_default();
            if username.is_empty() && !password.is_empty() {
                return Err(problem("`password` needs a `username` beside it"));
            }
            if username.is_empty() {
                return Ok(None);
            }
            basic(username, password)
        }
        (Credentials::None, (Some(user), pass)) => basic(user, pass.unwrap_or_default()),
        (Credentials::None, _) => return Ok(None),
        (Credentials::Ssh { .. }, _) => {
            return Err(problem(
                "the secret has an `identity` for ssh, but the URL is one of http",
            ));
        }
    };
    let mut value =
        HeaderValue::from_str(&text).map_err(|_| problem("the token holds a line break"))?;
    value.set_sensitive(true);
    Ok(Some(value))
}

/// What gix asks for HTTP.
pub(crate) struct Web {
    shared: Rc<Shared>,
    redirected: Option<String>,
}

struct Shared {
    client: reqwest::Client,
    login: Option<HeaderValue>,
    own: Url,
    redirects: usize,
    meter: Rc<Meter>,
}

impl Http for Web {
    type Headers = Headers;
    type ResponseBody = Body;
    type PostBody = PostBody;

    fn get(
        &mut self,
        url: &str,
        _base_url: &str,
        headers: impl IntoIterator<Item = impl AsRef<str>>,
    ) -> gix::Result<GetResponse<Headers, Body>> {
        let call = Call {
            method: Method::GET,
            url: url.to_owned(),
            headers: parse(headers),
            body: Vec::new(),
        };
        let (response, place) = self.shared.send(call, ADVERTISEMENT).map_err(failed)?;
        self.redirected = place.path().strip_suffix(SUFFIX).map(|path| {
            let mut base = place.clone();
            base.set_query(None);
            base.set_path(path);
            base.to_string()
        });
        let exchange = Rc::new(RefCell::new(Exchange::Answered(response)));
        let headers = Headers {
            exchange: exchange.clone(),
            shared: self.shared.clone(),
            text: None,
        };
        Ok(GetResponse {
            headers,
            body: Body {
                exchange,
                shared: self.shared.clone(),
                chunk: Bytes::new(),
            },
        })
    }

    fn post(
        &mut self,
        url: &str,
        _base_url: &str,
        headers: impl IntoIterator<Item = impl AsRef<str>>,
        _body: PostBodyDataKind,
    ) -> gix::Result<PostResponse<Headers, Body, PostBody>> {
        let call = Call {
            method: Method::POST,
            url: url.to_owned(),
            headers: parse(headers),
            body: Vec::new(),
        };
        let exchange = Rc::new(RefCell::new(Exchange::Pending(call)));
        Ok(PostResponse {
            post_body: PostBody(exchange.clone()),
            headers: Headers {
                exchange: exchange.clone(),
                shared: self.shared.clone(),
                text: None,
            },
            body: Body {
                exchange,
                shared: self.shared.clone(),
                chunk: Bytes::new(),
            },
        })
    }

    fn configure(&mut self, _config: &dyn std::any::Any) -> gix::Result {
        Ok(())
    }

    fn redirected_base_url(&self) -> Option<String> {
        self.redirected.clone()
    }
}

fn failed(error: io::Error) -> gix::Error {
    use gix::error::ErrorExt as _;
    error.and_raise(gix::error::message("the request failed"))
}

/// A request; its body is written before it is sent.
struct Call {
    method: Method,
    url: String,
    headers: HeaderMap,
    body: Vec<u8>,
}

/// A request is sent when its answer is first read: gix writes the body in between.
enum Exchange {
    Pending(Call),
    Answered(Response),
    Failed,
}

impl Exchange {
    fn answer(&mut self, shared: &Shared) -> io::Result<&mut Response> {
        if matches!(self, Self::Pending(_))
            && let Self::Pending(call) = std::mem::replace(self, Self::Failed)
        {
            let (response, _) = shared.send(call, RESULT)?;
            *self = Self::Answered(response);
        }
        match self {
            Self::Answered(response) => Ok(response),
            _ => Err(io::Error::other("the request has failed before")),
        }
    }
}

impl Shared {
    /// Sends a request, follows its redirects, and judges the answer.
    fn send(&self, call: Call, content_type: &str) -> io::Result<(Response, Url)> {
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

    fn broken(&self, error: reqwest::Error) -> FetchError {
        let location = self.meter.location.clone();
        let error = error.without_url();
        let source = Box::new(error);
        if certificate_problem(source.as_ref()) {
            return FetchError::Certificate { location, source };
        }
        FetchError::Unreachable { location, source }
    }
}

fn is_redirect(status: StatusCode) -> bool {
    matches!(status.as_u16(), 301 | 302 | 303 | 307 | 308)
}

fn has_same_origin(one: &Url, other: &Url) -> bool {
    one.scheme() == other.scheme()
        && one.host_str() == other.host_str()
        && one.port_or_known_default() == other.port_or_known_default()
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

fn parse(headers: impl IntoIterator<Item = impl AsRef<str>>) -> HeaderMap {
    let mut map = HeaderMap::new();
    for line in headers {
        let Some((name, value)) = line.as_ref().split_once(':') else {
            continue;
        };
        if name.eq_ignore_ascii_case("user-agent") {
            continue;
        }
        if let (Ok(name), Ok(value)) = (
            HeaderName::try_from(name.trim()),
            HeaderValue::try_from(value.trim()),
        ) {
            map.insert(name, value);
        }
    }
    map
}

/// Takes the body of a request.
pub(crate) struct PostBody(Rc<RefCell<Exchange>>);

impl Write for PostBody {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &mut *self.0.borrow_mut() {
            Exchange::Pending(call) => {
                call.body.extend_from_slice(bytes);
                Ok(bytes.len())
            }
            _ => Err(io::Error::other("the request has been sent")),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Gives the headers of an answer as lines.
pub(crate) struct Headers {
    exchange: Rc<RefCell<Exchange>>,
    shared: Rc<Shared>,
    text: Option<Cursor<Vec<u8>>>,
}

impl Headers {
    fn text(&mut self) -> io::Result<&mut Cursor<Vec<u8>>> {
        if self.text.is_none() {
            let mut exchange = self.exchange.borrow_mut();
            let response = exchange.answer(&self.shared)?;
            let mut text = Vec::new();
            for (name, value) in response.headers() {
                text.extend_from_slice(name.as_str().as_bytes());
                text.extend_from_slice(b": ");
                text.extend_from_slice(value.as_bytes());
                text.push(b'\n');
            }
            self.text = Some(Cursor::new(text));
        }
        self.text
            .as_mut()
            .ok_or_else(|| io::Error::other("no headers"))
    }
}

impl Read for Headers {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.text()?.read(buffer)
    }
}

impl BufRead for Headers {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        self.text()?.fill_buf()
    }

    fn consume(&mut self, bytes: usize) {
        if let Some(text) = &mut self.text {
            text.consume(bytes);
        }
    }
}

/// Gives the body of an answer as it arrives.
pub(crate) struct Body {
    exchange: Rc<RefCell<Exchange>>,
    shared: Rc<Shared>,
    chunk: Bytes,
}

impl Read for Body {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = self.fill_buf()?.read(buffer)?;
        self.consume(length);
        Ok(length)
    }
}

impl BufRead for Body {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        while self.chunk.is_empty() {
            let mut exchange = self.exchange.borrow_mut();
            let response = exchange.answer(&self.shared)?;
            let meter = &self.shared.meter;
            match meter.wait(response.chunk())? {
                Ok(Some(chunk)) => {
                    meter.count(chunk.len())?;
                    self.chunk = chunk;
                }
                Ok(None) => break,
                Err(error) => return Err(meter.fail(self.shared.broken(error))),
            }
        }
        Ok(&self.chunk)
    }

    fn consume(&mut self, bytes: usize) {
        let _ = self.chunk.split_to(bytes.min(self.chunk.len()));
    }
}
