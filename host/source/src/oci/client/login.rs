//! Logs in: with name and password, or with a token of the service that the registry names.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use base64::Engine as _;
use reqwest::Method;
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderValue};
use serde::Deserialize;
use url::Url;

use super::Registry;
use super::answer;
use super::challenge::Challenge;
use super::send::{Access, Call, broken};
use crate::Secret;
use crate::oci::OciError;
use crate::oci::credentials::Login;

/// Tokens that are kept; past it the oldest go.
const TOKENS: usize = 1000;
/// How long a token lasts when the service does not say, as in Docker's specification.
const DEFAULT_LIFE: Duration = Duration::from_secs(60);
/// Tokens are renewed so long before they end.
const MARGIN: Duration = Duration::from_secs(10);
const CLIENT_ID: &str = "bulkhead";

/// What has let us in before, by registry, path and access.
#[derive(Default)]
pub(super) struct Tokens(HashMap<(String, String, Access), Token>);

struct Token {
    header: HeaderValue,
    ends: Instant,
}

impl Tokens {
    fn find(&self, key: &(String, String, Access), now: Instant) -> Option<HeaderValue> {
        let token = self.0.get(key).filter(|token| token.ends > now)?;
        Some(token.header.clone())
    }

    fn keep(&mut self, key: (String, String, Access), token: Token, now: Instant) {
        self.0.retain(|_, token| token.ends > now);
        if self.0.len() >= TOKENS {
            let oldest = self.0.iter().min_by_key(|(_, token)| token.ends);
            if let Some(oldest) = oldest.map(|(key, _)| key.clone()) {
                self.0.remove(&oldest);
            }
        }
        self.0.insert(key, token);
    }
}

/// What token services answer; the two names mean the same.
#[derive(Deserialize)]
struct Answer {
    #[serde(default)]
    token: Option<String>,
    #[serde(default)]
    access_token: Option<String>,
    #[serde(default)]
    expires_in: Option<u64>,
}

impl Registry {
    /// Returns what let us in the last time.
    pub(super) fn known_authorization(&self, call: &Call) -> Option<HeaderValue> {
        self.tokens().find(&key(call), Instant::now())
    }

    /// Answers a challenge; `None` when there is nothing to answer it with.
    pub(super) async fn authorization(
        &self,
        call: &Call,
        challenges: &[Challenge],
    ) -> Result<Option<HeaderValue>, OciError> {
        let login = self.0.config.credentials.find(&call.repository);
        let bearer = challenges
            .iter()
            .find(|c| matches!(c, Challenge::Bearer { .. }));
        let (header, life) = match (bearer, login) {
            (Some(_), Some(Login::Bearer(token))) => {
                (bearer_header(call, token.expose())?, DEFAULT_LIFE)
            }
            (
                Some(Challenge::Bearer {
                    realm,
                    service,
                    scope,
                }),
                login,
            ) => {
                let service = self.service(call, realm, service.as_deref(), scope.as_deref())?;
                self.token(call, service, login).await?
            }
            (_, Some(Login::Basic { username, password })) if !challenges.is_empty() => {
                (basic_header(call, username, password)?, DEFAULT_LIFE)
            }
            _ => return Ok(None),
        };
        let now = Instant::now();
        let token = Token {
            header: header.clone(),
            ends: now + life.saturating_sub(MARGIN),
        };
        self.tokens().keep(key(call), token, now);
        Ok(Some(header))
    }

    fn tokens(&self) -> std::sync::MutexGuard<'_, Tokens> {
        self.0
            .tokens
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// Returns the address of the token service with what to ask for in its query.
    fn service(
        &self,
        call: &Call,
        realm: &str,
        service: Option<&str>,
        scope: Option<&str>,
    ) -> Result<Url, OciError> {
        let refuse = |problem: String| OciError::Redirect {
            place: call.place.clone(),
            problem: crate::error::clean(&problem),
        };
        let mut url = Url::parse(realm)
            .map_err(|_| refuse(format!("the token service `{realm}` is not a URL")))?;
        let is_safe =
            url.scheme() == "https" || (url.scheme() == "http" && call.url.scheme() == "http");
        if !is_safe {
            return Err(refuse(format!(
                "the token service {} would get the login without TLS",
                url.origin().ascii_serialization()
            )));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(refuse(
                "the address of the token service holds a login".to_owned(),
            ));
        }
        let actions = match call.access {
            Access::Read => "pull",
            Access::Write => "pull,push",
        };
        let own = format!("repository:{}:{actions}", call.repository.path());
        // The registry asks for what this request needs; the next write needs more than a look.
        let scope = scope.filter(|scope| call.access == Access::Read || scope.contains("push"));
        if let Some(service) = service {
            url.query_pairs_mut().append_pair("service", service);
        }
        url.query_pairs_mut()
            .append_pair("scope", scope.unwrap_or(&own));
        Ok(url)
    }

    async fn token(
        &self,
        call: &Call,
        service: Url,
        login: Option<&Login>,
    ) -> Result<(HeaderValue, Duration), OciError> {
        let request = match login {
            Some(Login::Identity(token)) => self.exchange(&service, token),
            Some(Login::Basic { username, password }) => self.0.http.get(service.clone()).header(
                reqwest::header::AUTHORIZATION,
                basic_header(call, username, password)?,
            ),
            _ => self.0.http.get(service.clone()),
        };
        let place = format!(
            "the token service {} of {}",
            service.origin().ascii_serialization(),
            call.place
        );
        self.check_address(&place, &service)?;
        let response = request
            .send()
            .await
            .map_err(|error| broken(&place, self, error))?;
        let asked = Call {
            place: place.clone(),
            repository: call.repository.clone(),
            access: call.access,
            method: Method::GET,
            url: service,
            headers: HeaderMap::new(),
            body: None,
        };
        let response = answer::judge(self, &asked, response).await?;
        let limit = self.limits().answer_bytes;
        let body =
            answer::read(self, &place, "the answer", response, "answer_bytes", limit).await?;
        let answer: Answer = serde_json::from_slice(&body)
            .map_err(|_| OciError::protocol(&place, "it is not a token"))?;
        let token = answer
            .token
            .filter(|token| !token.is_empty())
            .or(answer.access_token)
            .ok_or_else(|| OciError::protocol(&place, "it holds no token"))?;
        let life = answer.expires_in.map_or(DEFAULT_LIFE, Duration::from_secs);
        Ok((
            bearer_header(call, &token)?,
            life.min(Duration::from_secs(3600)),
        ))
    }

    /// Asks for an access token by OAuth2, with a refresh token.
    fn exchange(&self, service: &Url, token: &Secret) -> reqwest::RequestBuilder {
        let mut form = url::form_urlencoded::Serializer::new(String::new());
        form.append_pair("grant_type", "refresh_token")
            .append_pair("client_id", CLIENT_ID)
            .append_pair("refresh_token", token.expose());
        for (name, value) in service.query_pairs() {
            form.append_pair(&name, &value);
        }
        let mut bare = service.clone();
        bare.set_query(None);
        self.0
            .http
            .post(bare)
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(form.finish())
    }
}

fn key(call: &Call) -> (String, String, Access) {
    (
        call.repository.registry().to_owned(),
        call.repository.path().to_owned(),
        call.access,
    )
}

fn basic_header(call: &Call, username: &str, password: &Secret) -> Result<HeaderValue, OciError> {
    let text = format!("{username}:{}", password.expose());
    let text = base64::engine::general_purpose::STANDARD.encode(text);
    sensitive(call, &format!("Basic {text}"))
}

fn bearer_header(call: &Call, token: &str) -> Result<HeaderValue, OciError> {
    sensitive(call, &format!("Bearer {token}"))
}

fn sensitive(call: &Call, text: &str) -> Result<HeaderValue, OciError> {
    let mut value = HeaderValue::from_str(text)
        .map_err(|_| OciError::protocol(&call.place, "the token holds a line break"))?;
    value.set_sensitive(true);
    Ok(value)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic, reason = "a test may")]
mod tests {
    use super::*;

    #[test]
    fn tokens_end_and_are_bounded() {
        let now = Instant::now();
        let mut tokens = Tokens::default();
        let key = |n: usize| ("r".to_owned(), n.to_string(), Access::Read);
        let token = |ends| Token {
            header: HeaderValue::from_static("x"),
            ends,
        };
        tokens.keep(key(0), token(now + Duration::from_secs(5)), now);
        assert!(tokens.find(&key(0), now).is_some());
        assert!(tokens.find(&key(0), now + Duration::from_secs(5)).is_none());
        for n in 0..=TOKENS {
            tokens.keep(key(n), token(now + Duration::from_secs(6 + n as u64)), now);
        }
        assert_eq!(tokens.0.len(), TOKENS);
        assert!(tokens.find(&key(0), now).is_none());
        assert!(tokens.find(&key(TOKENS), now).is_some());
    }
}
