//! Git over HTTP: reqwest under gix's transport.
//!
//! Redirects are followed here, one at a time: never from `https` to `http`, and the login goes
//! only to the scheme, host and port of the request's own URL.

mod exchange;
mod send;

use std::cell::RefCell;
use std::io;
use std::rc::Rc;

use base64::Engine as _;
use bytes::Bytes;
use gix::protocol::transport::Protocol;
use gix::protocol::transport::client::blocking_io::http::{
    GetResponse, Http, PostBodyDataKind, PostResponse, Transport,
};
use reqwest::Method;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use url::Url;

use self::exchange::{Body, Call, Exchange, Headers, PostBody};
pub(crate) use self::send::problem_of;
use self::send::{SUFFIX, Sender};
use super::{Meter, tls};
use crate::{Credentials, FetchError, GitRequest, Secret};

const ADVERTISEMENT: &str = "application/x-git-upload-pack-advertisement";
/// Some hosts serve only clients whose name starts like this.
pub(crate) const USER_AGENT: &str = concat!("git/2.0 (bulkhead/", env!("CARGO_PKG_VERSION"), ")");

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
        sender: Rc::new(Sender {
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
    sender: Rc<Sender>,
    redirected: Option<String>,
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
        let (response, place) = self.sender.send(call, ADVERTISEMENT).map_err(failed)?;
        self.redirected = place.path().strip_suffix(SUFFIX).map(|path| {
            let mut base = place.clone();
            base.set_query(None);
            base.set_path(path);
            base.to_string()
        });
        let exchange = Rc::new(RefCell::new(Exchange::Answered(response)));
        let headers = Headers {
            exchange: exchange.clone(),
            sender: self.sender.clone(),
            text: None,
        };
        Ok(GetResponse {
            headers,
            body: Body {
                exchange,
                sender: self.sender.clone(),
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
                sender: self.sender.clone(),
                text: None,
            },
            body: Body {
                exchange,
                sender: self.sender.clone(),
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
