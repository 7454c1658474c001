//! Sends a prepared request: checks each destination, connects to the address that was checked,
//! follows redirects, bounds the answer, and tries again where that may help.
//!
//! Nothing here has a time-out of its own: the delivery has one, and dropping it ends everything.
//! The client is made for one hop and one host: no pool, no redirects and no proxy of its own, and
//! names resolve to what was checked.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use http::header::{CONTENT_LENGTH, CONTENT_TYPE, LOCATION, SET_COOKIE};
use http::{HeaderMap, Method};
use rustls::ClientConfig;
use url::{Host, Url};

use crate::destination::{self, Grants, Reach, Refused};
use crate::error::NotifyError;
use crate::guest::Response;
use crate::prepare::Prepared;
use crate::resolve::Resolve;
use crate::retry::{Budgets, Rate, Retries, is_temporary, retry_after};
use crate::scrub::Scrubber;

/// Redirects that are followed.
pub const REDIRECTS_MAX: u8 = 3;

/// Bytes of an answer's body that a plugin gets; the rest is not read.
pub const RESPONSE_MAX_BYTES: usize = 1024 * 1024;

/// Bytes of an answer's headers that a plugin gets; the rest is left out.
pub const RESPONSE_HEADERS_MAX_BYTES: usize = 16 * 1024;

/// Sends requests. One for all providers.
pub(crate) struct Sender {
    pub(crate) resolver: Arc<dyn Resolve>,
    pub(crate) reach: Reach,
    pub(crate) retries: Retries,
    pub(crate) rate: Rate,
    pub(crate) budgets: Budgets,
}

/// What all requests of one delivery share.
pub(crate) struct Route {
    /// `namespace/name` of the provider.
    pub(crate) provider: String,
    pub(crate) grants: Grants,
    pub(crate) scrubber: Scrubber,
    pub(crate) tls: ClientConfig,
    pub(crate) proxy: Option<Url>,
    pub(crate) deadline: Instant,
}

/// How one attempt ended.
enum Attempt {
    /// With an answer, and the pause that the service asked for.
    Answered(Response, Option<Duration>),
    /// Without one, for a reason that may pass; scrubbed.
    Lost(String),
}

impl Sender {
    /// Sends a request, again where that may help and there is time. Without any answer the
    /// response has status 0 and the reason as its body.
    ///
    /// # Errors
    /// [`NotifyError::Refused`], [`NotifyError::RateLimited`].
    pub(crate) async fn send(
        &self,
        id: u32,
        request: &Prepared,
        route: &Route,
    ) -> Result<Response, NotifyError> {
        let mut number = 0;
        loop {
            self.take_budget(route).await?;
            let attempt = self.attempt(id, request, route).await?;
            let (response, asked) = match attempt {
                Attempt::Answered(response, _) if !is_temporary(response.status) => {
                    return Ok(response);
                }
                Attempt::Answered(response, asked) => (response, asked),
                Attempt::Lost(why) => (lost(id, why), None),
            };
            let pause = self.retries.pause_before(number, asked);
            let left = route.deadline.saturating_duration_since(Instant::now());
            if number >= self.retries.max || pause >= left {
                return Ok(response);
            }
            tokio::time::sleep(pause).await;
            number += 1;
        }
    }

    async fn take_budget(&self, route: &Route) -> Result<(), NotifyError> {
        loop {
            let now = Instant::now();
            let Err(wait) = self.budgets.take(&route.provider, self.rate, now) else {
                return Ok(());
            };
            if wait >= route.deadline.saturating_duration_since(now) {
                let provider = route.provider.clone();
                return Err(NotifyError::RateLimited { provider, wait });
            }
            tokio::time::sleep(wait).await;
        }
    }

    /// Sends once, and follows redirects.
    async fn attempt(
        &self,
        id: u32,
        request: &Prepared,
        route: &Route,
    ) -> Result<Attempt, NotifyError> {
        let refused = |refused: Refused| NotifyError::Refused(refused.scrubbed(&route.scrubber));
        let mut hop = request.clone();
        destination::check_grant(&hop.url, &route.grants).map_err(refused)?;
        for redirects in 0..=REDIRECTS_MAX {
            let response = match self.hop(&hop, route).await {
                Ok(response) => response,
                Err(Hop::Refused(why)) => return Err(refused(why)),
                Err(Hop::Lost(why)) => return Ok(Attempt::Lost(route.scrubber.text(&why))),
            };
            let Some(to) = redirect(&hop.url, &response).map_err(refused)? else {
                let asked = retry_after(response.headers(), jiff::Timestamp::now());
                let response = read(id, response, &route.scrubber).await;
                return Ok(response.map_or_else(Attempt::Lost, |r| Attempt::Answered(r, asked)));
            };
            if redirects == REDIRECTS_MAX {
                break;
            }
            hop = redirected(hop, to, response.status().as_u16());
        }
        Err(refused(Refused::TooManyRedirects(REDIRECTS_MAX)))
    }

    async fn hop(&self, hop: &Prepared, route: &Route) -> Result<reqwest::Response, Hop> {
        let reach = &route.grants.reach(&self.reach);
        destination::check_name(&hop.url, reach)?;
        let mut client = reqwest::Client::builder()
            .tls_backend_preconfigured(route.tls.clone())
            .redirect(reqwest::redirect::Policy::none())
            .pool_max_idle_per_host(0)
            .referer(false)
            .no_proxy()
            .user_agent(concat!("bulkhead/", env!("CARGO_PKG_VERSION")));
        // A proxy resolves the name itself: then its own addresses are the ones to check.
        let connected = route.proxy.as_ref().unwrap_or(&hop.url);
        if let Some(proxy) = &route.proxy {
            destination::check_name(proxy, reach)?;
            client = client.proxy(reqwest::Proxy::all(proxy.as_str()).map_err(lost_by)?);
        }
        if let Some(Host::Domain(name)) = connected.host() {
            let addresses = self.addresses(connected, name, reach).await?;
            client = client.resolve_to_addrs(name, &addresses);
        }
        let client = client.build().map_err(lost_by)?;
        let mut headers = HeaderMap::new();
        for header in &hop.headers {
            headers.append(header.name.clone(), header.value.clone());
        }
        let request = client
            .request(hop.method.clone(), hop.url.clone())
            .headers(headers);
        request.body(hop.body.clone()).send().await.map_err(lost_by)
    }

    /// Resolves a name once; every address must be one that may be reached.
    async fn addresses(
        &self,
        url: &Url,
        name: &str,
        reach: &Reach,
    ) -> Result<Vec<SocketAddr>, Hop> {
        let found = self.resolver.resolve(name.trim_end_matches('.')).await;
        let found =
            found.map_err(|error| Hop::Lost(format!("failed to resolve the host: {error}")))?;
        for address in &found {
            destination::check_address(url, *address, reach)?;
        }
        if found.is_empty() {
            return Err(Hop::Lost(
                "failed to resolve the host: it has no address".to_owned(),
            ));
        }
        let port = url.port_or_known_default().unwrap_or_default();
        Ok(found
            .into_iter()
            .map(|address| SocketAddr::new(address, port))
            .collect())
    }
}

/// Why a hop has no answer.
enum Hop {
    /// The destination is refused.
    Refused(Refused),
    /// Anything that may pass; not scrubbed yet.
    Lost(String),
}

impl From<Refused> for Hop {
    fn from(refused: Refused) -> Self {
        Self::Refused(refused)
    }
}

fn lost_by(error: reqwest::Error) -> Hop {
    Hop::Lost(bulkhead_api::chain(&error.without_url()))
}

fn lost(id: u32, why: String) -> Response {
    Response {
        id,
        status: 0,
        headers: Vec::new(),
        body: why.into_bytes(),
    }
}

/// Where a response leads, if it is a redirect.
fn redirect(from: &Url, response: &reqwest::Response) -> Result<Option<Url>, Refused> {
    let location = response
        .headers()
        .get(LOCATION)
        .and_then(|value| value.to_str().ok());
    let (301 | 302 | 303 | 307 | 308, Some(location)) = (response.status().as_u16(), location)
    else {
        return Ok(None);
    };
    let to = from
        .join(location)
        .map_err(|error| Refused::NotAUrl(error.to_string()))?;
    let to = destination::parse(to.as_str())?;
    destination::check_redirect(from, &to)?;
    Ok(Some(to))
}

/// The request as it goes on: to another origin without what is private, and as a GET where HTTP
/// says so.
fn redirected(mut hop: Prepared, to: Url, status: u16) -> Prepared {
    if hop.url.origin() != to.origin() {
        hop.headers.retain(|header| !header.is_private);
    }
    let becomes_get = status == 303 || (status < 303 && hop.method == Method::POST);
    if becomes_get && hop.method != Method::GET {
        hop.method = Method::GET;
        hop.body = bytes::Bytes::new();
        hop.headers
            .retain(|header| header.name != CONTENT_TYPE && header.name != CONTENT_LENGTH);
    }
    hop.url = to;
    hop
}

/// Reads an answer up to its limits, without secrets that the service may have echoed.
async fn read(
    id: u32,
    mut response: reqwest::Response,
    scrubber: &Scrubber,
) -> Result<Response, String> {
    let status = response.status().as_u16();
    let mut headers = Vec::new();
    let mut bytes = 0;
    for (name, value) in response
        .headers()
        .iter()
        .filter(|(name, _)| **name != SET_COOKIE)
    {
        bytes += name.as_str().len() + value.len();
        if bytes > RESPONSE_HEADERS_MAX_BYTES {
            break;
        }
        let value = String::from_utf8_lossy(value.as_bytes());
        headers.push((name.as_str().to_owned(), scrubber.text(&value)));
    }
    let mut body = Vec::new();
    while body.len() < RESPONSE_MAX_BYTES {
        let chunk = response.chunk().await.map_err(|error| {
            let why = bulkhead_api::chain(&error.without_url());
            scrubber.text(&format!("failed to read the response: {why}"))
        })?;
        let Some(chunk) = chunk else { break };
        let room = RESPONSE_MAX_BYTES - body.len();
        body.extend_from_slice(&chunk[..chunk.len().min(room)]);
    }
    let mut body = scrubber.bytes(&body);
    body.truncate(RESPONSE_MAX_BYTES);
    Ok(Response {
        id,
        status,
        headers,
        body,
    })
}
