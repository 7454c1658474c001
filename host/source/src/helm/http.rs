//! GET over HTTP for Helm repositories: one request, its redirects, and a body that is bounded,
//! decompressed and digested while it comes.
//!
//! The login goes to the repository's own scheme, host and port alone, unless `passCredentials` is
//! set; it never follows a redirect to another. The same holds for the client's certificate.

use std::io::Write;
use std::net::IpAddr;
use std::sync::Arc;

use base64::Engine as _;
use reqwest::header::{ACCEPT_ENCODING, AUTHORIZATION, CONTENT_ENCODING, HeaderValue};
use reqwest::{Client, Response, StatusCode};
use url::Url;

use super::body::{Body, Page, Received, TooLarge};
use super::{HelmError, Limits, RepositoryConfig};
use crate::address::{Resolver, literal, refused};
use crate::http::{has_same_origin, header, is_redirect, is_tls, redirect_target, retry_after};
use crate::transport::tls;
use crate::{ClientCertificate, Credentials, Secret};

/// Some repositories serve only clients that they know.
const USER_AGENT: &str = concat!("Helm/4.3 (bulkhead/", env!("CARGO_PKG_VERSION"), ")");

/// A client with one login.
#[derive(Clone)]
pub(super) struct Http {
    own: Url,
    /// Shows the client's certificate.
    inside: Client,
    /// Does not.
    outside: Client,
    login: Option<HeaderValue>,
    passes: bool,
    limits: Limits,
    admits: fn(IpAddr) -> bool,
}

/// What is read, for errors and limits.
pub(super) struct Wanted {
    /// `an index`.
    pub(super) expected: &'static str,
    /// Field of the limits.
    pub(super) limit: &'static str,
    /// Its value.
    pub(super) allowed: u64,
    /// Whether the server may compress it. Charts are compressed themselves, and some servers call
    /// that the transport's compression: as in Helm, they are taken as they come.
    pub(super) may_be_compressed: bool,
}

impl Http {
    pub(super) fn new(own: &Url, config: &RepositoryConfig) -> Result<Self, HelmError> {
        let certificate = config.client_certificate.as_ref();
        Ok(Self {
            inside: client(own, config, certificate)?,
            outside: match config.pass_credentials {
                true => client(own, config, certificate)?,
                false => client(own, config, None)?,
            },
            login: login(own, config)?,
            passes: config.pass_credentials,
            limits: config.limits.clone(),
            admits: config.admits,
            own: own.clone(),
        })
    }

    /// Reads `url` into `out`.
    ///
    /// # Errors
    /// [`HelmError`]; what has been written by then must be thrown away.
    pub(super) async fn read(
        &self,
        url: &Url,
        wanted: &Wanted,
        out: &mut impl Write,
    ) -> Result<Received, HelmError> {
        let response = self.follow(url, wanted).await?;
        self.body(url, response, wanted, out).await
    }

    async fn follow(&self, url: &Url, wanted: &Wanted) -> Result<Response, HelmError> {
        let mut at = url.clone();
        let mut sends = self.passes || has_same_origin(&self.own, url);
        for _ in 0..=self.limits.redirects {
            let response = self.send(&at, wanted, sends).await?;
            if !is_redirect(response.status()) {
                return judge(&shown(&at), response, sends && self.login.is_some());
            }
            let next = target(&at, &response)?;
            // As with Go's client: what was not asked for by us gets no login.
            sends = sends && has_same_origin(&at, &next) || has_same_origin(&self.own, &next);
            at = next;
        }
        let allowed = self.limits.redirects as u64;
        let what = format!("the number of redirects of {}", shown(url));
        Err(HelmError::limit(what, "redirects", allowed))
    }

    async fn send(&self, url: &Url, wanted: &Wanted, sends: bool) -> Result<Response, HelmError> {
        self.check_address(url)?;
        let client = if sends { &self.inside } else { &self.outside };
        let mut bare = url.clone();
        // A login in a URL goes nowhere but where `sends` allows.
        let _ = bare.set_username("");
        let _ = bare.set_password(None);
        let encodings = match wanted.may_be_compressed {
            true => "gzip",
            false => "identity",
        };
        let mut get = client.get(bare).header(ACCEPT_ENCODING, encodings);
        if let Some(login) = self.login.as_ref().filter(|_| sends) {
            get = get.header(AUTHORIZATION, login.clone());
        }
        get.send().await.map_err(|error| self.broken(url, error))
    }

    /// An address that stands in the URL itself is not looked up, and so not checked elsewhere.
    fn check_address(&self, url: &Url) -> Result<(), HelmError> {
        match literal(url).filter(|address| !(self.admits)(*address)) {
            None => Ok(()),
            Some(address) => Err(HelmError::Address {
                place: shown(url),
                address,
            }),
        }
    }

    async fn body(
        &self,
        url: &Url,
        mut response: Response,
        wanted: &Wanted,
        out: &mut impl Write,
    ) -> Result<Received, HelmError> {
        let place = shown(url);
        let problem = |error: std::io::Error| match error.get_ref() {
            Some(inner) if inner.is::<TooLarge>() => HelmError::limit(
                format!("{} from {place}", wanted.expected),
                wanted.limit,
                wanted.allowed,
            ),
            Some(inner) if inner.is::<Page>() => HelmError::Page {
                place: place.clone(),
                expected: wanted.expected,
            },
            _ => HelmError::Body {
                place: place.clone(),
                problem: crate::error::clean(&error.to_string()),
            },
        };
        let mut body = match encoding(&response, wanted) {
            "" | "identity" => Body::plain(out, wanted.allowed),
            "gzip" | "x-gzip" => Body::gzip(out, wanted.allowed),
            other => {
                return Err(HelmError::Body {
                    place: place.clone(),
                    problem: format!("the encoding `{}` is not read", crate::error::clean(other)),
                });
            }
        };
        while let Some(chunk) = response
            .chunk()
            .await
            .map_err(|error| self.broken(url, error))?
        {
            body.write(&chunk).map_err(problem)?;
        }
        body.finish().map_err(problem)
    }

    fn broken(&self, url: &Url, error: reqwest::Error) -> HelmError {
        let place = shown(url);
        if let Some(address) = refused(&error) {
            return HelmError::Address { place, address };
        }
        if error.is_timeout() {
            let (what, after) = match error.is_connect() {
                true => ("let us connect", self.limits.connect),
                false => ("send a byte", self.limits.idle),
            };
            return HelmError::Timeout { place, what, after };
        }
        let source = Box::new(error.without_url());
        match is_tls(source.as_ref()) {
            true => HelmError::Certificate { place, source },
            false => HelmError::Unreachable { place, source },
        }
    }
}

/// Shows a URL without login and query.
pub(super) fn shown(url: &Url) -> String {
    let mut url = url.clone();
    let _ = url.set_username("");
    let _ = url.set_password(None);
    url.set_query(None);
    url.set_fragment(None);
    crate::error::clean(url.as_str())
}

/// Shows a URL of a specification as it was written, but for a login and a query, which may hold one.
pub fn masked(text: &str) -> String {
    match Url::parse(text) {
        Ok(url)
            if url.username().is_empty() && url.password().is_none() && url.query().is_none() =>
        {
            crate::error::clean(text)
        }
        Ok(url) => shown(&url),
        Err(_) => crate::error::clean(text.rsplit('@').next().unwrap_or_default()),
    }
}

fn judge(place: &str, response: Response, had_login: bool) -> Result<Response, HelmError> {
    let status = response.status();
    let place = place.to_owned();
    let answer = status.to_string();
    let retry_after = retry_after(&response);
    match status {
        StatusCode::OK => Ok(response),
        StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => Err(HelmError::Busy {
            place,
            answer,
            retry_after,
        }),
        StatusCode::FORBIDDEN if retry_after.is_some() => Err(HelmError::Busy {
            place,
            answer,
            retry_after,
        }),
        StatusCode::UNAUTHORIZED
        | StatusCode::FORBIDDEN
        | StatusCode::PROXY_AUTHENTICATION_REQUIRED => Err(HelmError::Unauthorised {
            place,
            answer,
            had_login,
        }),
        _ => Err(HelmError::Status {
            place,
            answer,
            status: status.as_u16(),
        }),
    }
}

fn encoding<'a>(response: &'a Response, wanted: &Wanted) -> &'a str {
    let encoding = header(response, &CONTENT_ENCODING);
    encoding
        .filter(|_| wanted.may_be_compressed)
        .unwrap_or_default()
        .trim()
}

fn target(from: &Url, response: &Response) -> Result<Url, HelmError> {
    redirect_target(from, response).map_err(|problem| HelmError::Redirect {
        place: shown(from),
        problem: problem.to_owned(),
    })
}

fn login(own: &Url, config: &RepositoryConfig) -> Result<Option<HeaderValue>, HelmError> {
    let basic = |username: &str, password: &str| {
        let text = format!("{username}:{password}");
        format!(
            "Basic {}",
            base64::engine::general_purpose::STANDARD.encode(text)
        )
    };
    let problem = |problem: &str| HelmError::Settings {
        place: shown(own),
        problem: problem.to_owned(),
    };
    let text = match &config.credentials {
        Credentials::Bearer(token) => format!("Bearer {}", token.expose()),
        // As in Helm: half a login is none.
        Credentials::Basic { username, password }
            if !username.is_empty() && !password.expose().is_empty() =>
        {
            basic(username, password.expose())
        }
        Credentials::Ssh { .. } => {
            return Err(problem("the secret has an `identity` for ssh"));
        }
        Credentials::None | Credentials::Basic { .. } if !own.username().is_empty() => basic(
            &decoded(own.username()),
            &decoded(own.password().unwrap_or_default()),
        ),
        Credentials::None | Credentials::Basic { .. } => return Ok(None),
    };
    let mut value = HeaderValue::from_str(&text)
        .map_err(|_| problem("user name, password or token holds a line break"))?;
    value.set_sensitive(true);
    Ok(Some(value))
}

/// Takes `%40` and the like out of a part of a URL.
fn decoded(text: &str) -> String {
    let pair = format!("x={}", text.replace('+', "%2B"));
    url::form_urlencoded::parse(pair.as_bytes())
        .next()
        .map(|(_, value)| value.into_owned())
        .unwrap_or_default()
}

fn client(
    own: &Url,
    config: &RepositoryConfig,
    certificate: Option<&ClientCertificate>,
) -> Result<Client, HelmError> {
    let problem = |problem: String| HelmError::Settings {
        place: shown(own),
        problem,
    };
    let tls = tls::settings(config.authority.as_deref(), certificate).map_err(problem)?;
    let mut builder = Client::builder()
        .tls_backend_preconfigured(tls)
        .redirect(reqwest::redirect::Policy::none())
        .user_agent(USER_AGENT)
        .connect_timeout(config.limits.connect)
        .read_timeout(config.limits.idle)
        .dns_resolver(Arc::new(Resolver(config.admits)))
        .no_proxy()
        .http1_only();
    if let Some(proxy) = &config.proxy {
        let mut through = reqwest::Proxy::all(&proxy.address)
            .map_err(|_| problem("the address of the proxy is not a URL".to_owned()))?;
        if let Some(name) = &proxy.username {
            let password = proxy.password.as_ref().map(Secret::expose);
            through = through.basic_auth(name, password.unwrap_or_default());
        }
        builder = builder.proxy(through);
    }
    builder
        .build()
        .map_err(|error| problem(error.without_url().to_string()))
}
