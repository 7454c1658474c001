//! Makes a request that can be sent of one that a plugin returned: puts in secrets by name, signs,
//! and refuses what a plugin may not decide.

use bytes::Bytes;
use hmac::{Hmac, KeyInit as _, Mac as _};
use http::{HeaderName, HeaderValue, Method};
use sha2::Sha256;
use url::Url;

use crate::destination::{self, Refused};
use crate::guest::{Part, Request, Signing};
use crate::secrets::{ADDRESS, SecretValue, Secrets};

/// Headers of a request.
pub const HEADERS_MAX: usize = 64;

/// Bytes of all names and values of headers together.
pub const HEADERS_MAX_BYTES: usize = 16 * 1024;

/// Bytes of a body.
pub const BODY_MAX_BYTES: usize = 1024 * 1024;

/// Headers that belong to the host and to the connection.
const HOST_HEADERS: [&str; 12] = [
    "connection",
    "content-length",
    "expect",
    "host",
    "http2-settings",
    "keep-alive",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// A request as it is sent.
#[derive(Clone, Debug)]
pub(crate) struct Prepared {
    pub(crate) method: Method,
    /// Holds secrets: never shown.
    pub(crate) url: Url,
    pub(crate) headers: Vec<PreparedHeader>,
    pub(crate) body: Bytes,
}

/// One header.
#[derive(Clone, Debug)]
pub(crate) struct PreparedHeader {
    pub(crate) name: HeaderName,
    pub(crate) value: HeaderValue,
    /// Whether it is for the first host alone: it holds a secret, or identifies the sender.
    pub(crate) is_private: bool,
}

/// What is wrong with a plugin's request.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PrepareError {
    /// It names a secret that the provider does not have.
    #[error("the provider has no secret `{0}`")]
    NoSecret(String),
    /// It names a secret that the plugin was not granted.
    #[error("secret `{0}` is not granted to the plugin")]
    SecretNotGranted(String),
    /// A secret is not text where text is needed.
    #[error("secret `{0}` is not text")]
    NotText(String),
    /// A method that plugins do not get.
    #[error("method `{0}` is not sent")]
    Method(String),
    /// A header that is not the plugin's to set, or no header at all.
    #[error("header `{0}` is not the plugin's to set")]
    Header(String),
    /// The value of a header has characters that headers cannot have.
    #[error("the value of header `{0}` has characters that no header may have")]
    HeaderValue(String),
    /// Too many or too large headers, or too large a body.
    #[error("{used} {what}, at most {limit} are sent")]
    TooLarge {
        /// What is too large.
        what: &'static str,
        /// How large it is.
        used: usize,
        /// The limit.
        limit: usize,
    },
    /// The address cannot be used.
    #[error("failed to make the address")]
    Address(#[source] Refused),
}

impl PrepareError {
    /// What the user can do.
    pub(crate) fn hint(&self) -> Option<String> {
        match self {
            Self::NoSecret(name) if name == ADDRESS => {
                Some("set `spec.address` of the Provider, or `address` in its Secret".to_owned())
            }
            Self::NoSecret(name) => Some(format!("add `{name}` to the Provider's Secret")),
            Self::SecretNotGranted(name) => Some(format!(
                "add `{name}` to `spec.grants.secrets` of the plugin if it may use it"
            )),
            Self::NotText(name) => Some(format!("correct `{name}` in the Provider's Secret")),
            Self::HeaderValue(_) => {
                Some("look for line breaks in the Provider's Secret".to_owned())
            }
            Self::Address(_) => Some("write the Provider's address as an https URL".to_owned()),
            Self::Method(_) | Self::Header(_) | Self::TooLarge { .. } => {
                Some("this is a fault of the notifier plugin".to_owned())
            }
        }
    }
}

/// Prepares a request.
///
/// # Errors
/// [`PrepareError`], in which no secret is shown.
pub(crate) fn prepare(request: &Request, secrets: &Secrets) -> Result<Prepared, PrepareError> {
    check_size("bytes in the body", request.body.len(), BODY_MAX_BYTES)?;
    check_size("headers", request.headers.len(), HEADERS_MAX)?;
    let method = match request.method.as_str() {
        "POST" => Method::POST,
        "PUT" => Method::PUT,
        "PATCH" => Method::PATCH,
        "GET" => Method::GET,
        "DELETE" => Method::DELETE,
        other => return Err(PrepareError::Method(other.to_owned())),
    };
    let mut headers = Vec::new();
    for header in &request.headers {
        headers.push(prepare_header(&header.name, &header.value, secrets)?);
    }
    if let Signing::HmacSha256(hmac) = &request.signing {
        let key = secret(&hmac.secret, secrets)?;
        let value = format!("{}{}", hmac.prefix, sign(key.expose(), &request.body));
        let mut header = prepare_header(&hmac.header, &[Part::Text(value)], secrets)?;
        header.is_private = true;
        headers.push(header);
    }
    let bytes = headers
        .iter()
        .map(|h| h.name.as_str().len() + h.value.len())
        .sum();
    check_size("bytes in headers", bytes, HEADERS_MAX_BYTES)?;
    let url = address(&request.url, secrets)?;
    Ok(Prepared {
        method,
        url,
        headers,
        body: Bytes::from(request.body.clone()),
    })
}

fn secret<'a>(name: &str, secrets: &'a Secrets) -> Result<&'a SecretValue, PrepareError> {
    secrets.get(name).ok_or_else(|| {
        if secrets.is_withheld(name) {
            PrepareError::SecretNotGranted(name.to_owned())
        } else {
            PrepareError::NoSecret(name.to_owned())
        }
    })
}

fn check_size(what: &'static str, used: usize, limit: usize) -> Result<(), PrepareError> {
    if used > limit {
        Err(PrepareError::TooLarge { what, used, limit })
    } else {
        Ok(())
    }
}

fn prepare_header(
    name: &str,
    value: &[Part],
    secrets: &Secrets,
) -> Result<PreparedHeader, PrepareError> {
    let not_ours = || PrepareError::Header(name.to_owned());
    let lower = name.to_ascii_lowercase();
    if HOST_HEADERS.contains(&lower.as_str()) {
        return Err(not_ours());
    }
    let header = HeaderName::from_bytes(lower.as_bytes()).map_err(|_| not_ours())?;
    let has_secret = value.iter().any(|part| matches!(part, Part::Secret(_)));
    let mut value = HeaderValue::from_bytes(&join(value, secrets)?)
        .map_err(|_| PrepareError::HeaderValue(name.to_owned()))?;
    value.set_sensitive(has_secret);
    let is_private = has_secret || matches!(lower.as_str(), "authorization" | "cookie");
    Ok(PreparedHeader {
        name: header,
        value,
        is_private,
    })
}

fn join(parts: &[Part], secrets: &Secrets) -> Result<Vec<u8>, PrepareError> {
    let mut joined = Vec::new();
    for part in parts {
        match part {
            Part::Text(text) => joined.extend_from_slice(text.as_bytes()),
            Part::Secret(name) => {
                joined.extend_from_slice(secret(name, secrets)?.expose());
            }
        }
    }
    Ok(joined)
}

/// Makes the address. What stands behind the secret `address` and starts with `/` or `?` is joined
/// to its path and its query, as [`join_path`] says.
fn address(parts: &[Part], secrets: &Secrets) -> Result<Url, PrepareError> {
    let text = |parts: &[Part]| {
        let name = parts.iter().find_map(|part| match part {
            Part::Secret(name) => Some(name.clone()),
            Part::Text(_) => None,
        });
        String::from_utf8(join(parts, secrets)?)
            .map_err(|_| PrepareError::NotText(name.unwrap_or_default()))
    };
    let url = match parts {
        [Part::Secret(name), rest @ ..] if name == ADDRESS => {
            let (own, rest) = (text(&parts[..1])?, text(rest)?);
            if rest.starts_with(['/', '?']) {
                destination::parse(&own).map(|url| join_path(url, &own, &rest))
            } else {
                destination::parse(&format!("{own}{rest}"))
            }
        }
        _ => destination::parse(&text(parts)?),
    };
    url.map_err(PrepareError::Address)
}

/// Joins `rest` to an address: its path behind the address's own, without a doubled slash and before
/// the query; nothing where the address ends with it already. A query is added to the query.
fn join_path(mut url: Url, own: &str, rest: &str) -> Url {
    let (path, query) = rest
        .split_once('?')
        .map_or((rest, None), |(p, q)| (p, Some(q)));
    if !path.is_empty() && !own.ends_with(path) {
        let joined = format!("{}{path}", url.path().trim_end_matches('/'));
        url.set_path(&joined);
    }
    if let Some(query) = query {
        let joined = match url.query().filter(|own| !own.is_empty()) {
            Some(own) => format!("{own}&{query}"),
            None => query.to_owned(),
        };
        url.set_query(Some(&joined));
    }
    url
}

fn sign(key: &[u8], body: &[u8]) -> String {
    // A key of any length will do.
    Hmac::<Sha256>::new_from_slice(key).map_or_else(
        |_| String::new(),
        |mut mac| {
            mac.update(body);
            crate::dedupe::hex(&mac.finalize().into_bytes())
        },
    )
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may")]
    use super::*;
    use bulkhead_api::notification::ProviderSpec;
    use bulkhead_wasm::{Header, Hmac as Signature};

    fn secrets(address: &str) -> Secrets {
        let mut provider = ProviderSpec::new("x");
        provider.address = Some(address.to_owned());
        let data = [
            ("token".to_owned(), b"canary".to_vec()),
            ("broken".to_owned(), b"a\nb".to_vec()),
            ("binary".to_owned(), vec![0xff]),
        ];
        Secrets::new(&provider, Some(&data.into())).unwrap()
    }

    fn secret(name: &str) -> Part {
        Part::Secret(name.to_owned())
    }

    fn text(text: &str) -> Part {
        Part::Text(text.to_owned())
    }

    fn request(url: Vec<Part>) -> Request {
        Request {
            id: 1,
            method: "POST".to_owned(),
            url,
            headers: Vec::new(),
            body: b"{}".to_vec(),
            signing: Signing::None,
        }
    }

    fn header(name: &str, value: Vec<Part>) -> Result<Prepared, PrepareError> {
        let mut request = request(vec![secret("address")]);
        request.headers = vec![Header {
            name: name.to_owned(),
            value,
        }];
        prepare(&request, &secrets("https://a.example"))
    }

    #[test]
    fn a_path_is_joined_to_the_address_once() {
        // As notification-controller's discord.go does with `/slack`.
        let table = [
            (
                "https://d.example/api/1/x",
                "https://d.example/api/1/x/slack",
            ),
            (
                "https://d.example/api/1/x/",
                "https://d.example/api/1/x/slack",
            ),
            (
                "https://d.example/api/1/x/slack",
                "https://d.example/api/1/x/slack",
            ),
            (
                "https://d.example/api/x/?wait=1",
                "https://d.example/api/x/slack?wait=1",
            ),
            ("https://d.example", "https://d.example/slack"),
        ];
        for (address, expected) in table {
            let request = request(vec![secret("address"), text("/slack")]);
            let prepared = prepare(&request, &secrets(address)).unwrap();
            assert_eq!(prepared.url.as_str(), expected);
        }
        let query = request(vec![secret("address"), text("?b="), secret("token")]);
        let prepared = prepare(&query, &secrets("https://d.example/x?a=1")).unwrap();
        assert_eq!(prepared.url.as_str(), "https://d.example/x?a=1&b=canary");
    }

    #[test]
    fn secrets_are_put_in_by_name_and_marked() {
        let bearer = header("Authorization", vec![text("Bearer "), secret("token")]).unwrap();
        assert_eq!(bearer.headers[0].value, "Bearer canary");
        assert!(bearer.headers[0].is_private);
        assert!(!format!("{:?}", bearer.headers).contains("canary"));
        let plain = header("X-Kind", vec![text("event")]).unwrap();
        assert!(!plain.headers[0].is_private);
        let missing = header("X", vec![secret("password")]);
        assert_eq!(
            missing.err(),
            Some(PrepareError::NoSecret("password".to_owned()))
        );
    }

    #[test]
    fn what_is_the_host_s_is_refused() {
        for name in HOST_HEADERS
            .iter()
            .copied()
            .chain(["Host", "TE", "a b", ""])
        {
            let told = header(name, vec![text("x")]).err();
            assert_eq!(told, Some(PrepareError::Header(name.to_owned())));
        }
        let broken = header("X", vec![secret("broken")]).err();
        assert_eq!(broken, Some(PrepareError::HeaderValue("X".to_owned())));
        let mut connect = request(vec![secret("address")]);
        connect.method = "CONNECT".to_owned();
        let told = prepare(&connect, &secrets("https://a.example")).err();
        assert_eq!(told, Some(PrepareError::Method("CONNECT".to_owned())));
        let binary = request(vec![text("https://a.example/"), secret("binary")]);
        let told = prepare(&binary, &secrets("https://a.example")).err();
        assert_eq!(told, Some(PrepareError::NotText("binary".to_owned())));
    }

    #[test]
    fn bodies_are_signed() {
        let mut signed = request(vec![secret("address")]);
        signed.signing = Signing::HmacSha256(Signature {
            secret: "token".to_owned(),
            header: "X-Signature".to_owned(),
            prefix: "sha256=".to_owned(),
        });
        let prepared = prepare(&signed, &secrets("https://a.example")).unwrap();
        // printf '{}' | openssl dgst -sha256 -hmac canary
        assert_eq!(
            prepared.headers[0].value,
            "sha256=e09851caa572f5d90779e465e00193374f2ed3f1b568d1805c1dac361470dde1"
        );
        assert!(prepared.headers[0].is_private);
    }

    #[test]
    fn sizes_are_limited_at_the_byte() {
        let secrets = secrets("https://a.example");
        let mut large = request(vec![secret("address")]);
        large.body = vec![b' '; BODY_MAX_BYTES];
        assert!(prepare(&large, &secrets).is_ok());
        large.body.push(b' ');
        assert!(matches!(
            prepare(&large, &secrets),
            Err(PrepareError::TooLarge { .. })
        ));
        let headers = |count: usize, bytes: usize| {
            let mut request = request(vec![secret("address")]);
            let value = vec![text(&"v".repeat(bytes - 1))];
            request.headers = vec![
                Header {
                    name: "x".to_owned(),
                    value
                };
                count
            ];
            prepare(&request, &secrets).is_ok()
        };
        assert!(headers(HEADERS_MAX, 2) && !headers(HEADERS_MAX + 1, 2));
        assert!(headers(1, HEADERS_MAX_BYTES) && !headers(1, HEADERS_MAX_BYTES + 1));
    }
}
