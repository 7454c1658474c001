//! Logins of registries: Docker's `config.json`, and Secrets of type `kubernetes.io/dockerconfigjson`
//! which hold the same.
//!
//! In: bytes. Out: the login for a repository. Credential helpers are programs and are not run; a
//! refused login says so when the file names one.

use std::collections::BTreeMap;

use base64::Engine as _;
use serde::Deserialize;

use super::Repository;
use super::reference::DOCKER_HUB;
use crate::Secret;

/// Largest `config.json` that is read: what fits a Kubernetes Secret.
const CONFIG_BYTES: usize = 1024 * 1024;
/// A user name that stands for "the password is an identity token", as Docker writes it.
const TOKEN_USER: &str = "<token>";

/// How to log in to one registry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Login {
    /// Name and password, for the registry or for its token service.
    Basic {
        /// Name.
        username: String,
        /// Password or access token.
        password: Secret,
    },
    /// A refresh token that the token service turns into an access token.
    Identity(Secret),
    /// An access token that is sent to the registry as it is.
    Bearer(Secret),
}

impl Login {
    /// Logs in with name and password.
    pub fn basic(username: impl Into<String>, password: impl Into<String>) -> Self {
        Self::Basic {
            username: username.into(),
            password: Secret::new(password),
        }
    }
}

/// Logins by registry; the default has none.
///
/// A key is a registry, and perhaps the start of a path: `ghcr.io`, `ghcr.io/team`. A part of the
/// host may be `*`. The longest key that fits counts, as in a kubelet.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Keychain {
    logins: Vec<(Key, Login)>,
    helpers: Vec<(Option<String>, String)>,
}

impl Keychain {
    /// Reads a Docker `config.json` or the `.dockerconfigjson` of a Secret.
    ///
    /// # Errors
    /// [`CredentialsError`]; no text of the file is repeated.
    pub fn docker_config(bytes: &[u8]) -> Result<Self, CredentialsError> {
        if bytes.len() > CONFIG_BYTES {
            return Err(CredentialsError::TooLarge(bytes.len()));
        }
        let config: Config = serde_json::from_slice(bytes)
            .map_err(|error| CredentialsError::Unreadable(error.line(), error.column()))?;
        let mut keychain = Self::default();
        for (name, entry) in config.auths.unwrap_or_default() {
            if let Some(login) = entry.login(&name)? {
                keychain.logins.push((Key::of(&name), login));
            }
        }
        for (registry, helper) in config.cred_helpers.unwrap_or_default() {
            keychain
                .helpers
                .push((Some(Key::of(&registry).host), helper));
        }
        if let Some(helper) = config.creds_store.filter(|name| !name.is_empty()) {
            keychain.helpers.push((None, helper));
        }
        keychain.sort();
        Ok(keychain)
    }

    /// Adds a login for `registry`, before those that are there.
    #[must_use]
    pub fn with(mut self, registry: &str, login: Login) -> Self {
        self.logins.insert(0, (Key::of(registry), login));
        self.sort();
        self
    }

    /// Adds the logins of `other`, after those that are there.
    #[must_use]
    pub fn and(mut self, other: Self) -> Self {
        self.logins.extend(other.logins);
        self.helpers.extend(other.helpers);
        self.sort();
        self
    }

    /// Returns the login for a repository.
    pub fn find(&self, repository: &Repository) -> Option<&Login> {
        let fitting = |(key, _): &&(Key, Login)| key.fits(repository);
        self.logins.iter().find(fitting).map(|(_, login)| login)
    }

    /// Tells whether the file names a registry, by a login for it or a part of it, or by a helper.
    pub fn names(&self, registry: &str) -> bool {
        let of = |(key, _): &(Key, Login)| key.fits_host(registry);
        self.logins.iter().any(of) || self.helper(registry).is_some()
    }

    /// Returns the name of the program that the file names for a registry.
    pub(super) fn helper(&self, registry: &str) -> Option<&str> {
        let named =
            |(of, _): &&(Option<String>, String)| of.as_deref().is_none_or(|of| of == registry);
        self.helpers
            .iter()
            .find(named)
            .map(|(_, name)| name.as_str())
    }

    fn sort(&mut self) {
        // Stable: of two equal keys the first stays first.
        self.logins
            .sort_by_key(|(key, _)| (std::cmp::Reverse(key.path.len()), key.host.contains('*')));
    }
}

/// Says why logins cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CredentialsError {
    /// The file is too large.
    #[error("the file has {0} bytes, and at most {CONFIG_BYTES} are read")]
    TooLarge(usize),
    /// The file is not JSON of the expected shape.
    #[error("it is not a Docker `config.json`: line {0}, column {1} is wrong")]
    Unreadable(usize, usize),
    /// The `auth` of an entry is not base64 of `name:password`.
    #[error("`auths[\"{0}\"].auth` is not `name:password` in base64")]
    Auth(String),
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Config {
    auths: Option<BTreeMap<String, Entry>>,
    cred_helpers: Option<BTreeMap<String, String>>,
    creds_store: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Entry {
    auth: Option<String>,
    username: Option<String>,
    password: Option<String>,
    identitytoken: Option<String>,
    registrytoken: Option<String>,
}

impl Entry {
    fn login(self, name: &str) -> Result<Option<Login>, CredentialsError> {
        let given = |text: Option<String>| text.filter(|text| !text.is_empty());
        if let Some(token) = given(self.registrytoken) {
            return Ok(Some(Login::Bearer(Secret::new(token))));
        }
        if let Some(token) = given(self.identitytoken) {
            return Ok(Some(Login::Identity(Secret::new(token))));
        }
        let (username, password) = match given(self.auth) {
            Some(auth) => {
                decode(&auth).ok_or_else(|| CredentialsError::Auth(crate::error::clean(name)))?
            }
            None => match given(self.username) {
                Some(username) => (username, self.password.unwrap_or_default()),
                // Docker leaves an empty entry where a helper holds the login.
                None => return Ok(None),
            },
        };
        if username == TOKEN_USER {
            return Ok(Some(Login::Identity(Secret::new(password))));
        }
        Ok(Some(Login::basic(username, password)))
    }
}

fn decode(auth: &str) -> Option<(String, String)> {
    let engine = base64::engine::general_purpose::GeneralPurpose::new(
        &base64::alphabet::STANDARD,
        base64::engine::general_purpose::GeneralPurposeConfig::new()
            .with_decode_padding_mode(base64::engine::DecodePaddingMode::Indifferent),
    );
    let bytes = engine.decode(auth.trim()).ok()?;
    let text = String::from_utf8(bytes).ok()?;
    let (username, password) = text.split_once(':')?;
    // Docker pads what it writes with zero bytes.
    Some((
        username.to_owned(),
        password.trim_end_matches('\0').to_owned(),
    ))
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Key {
    host: String,
    path: String,
}

impl Key {
    /// Reads `ghcr.io/team`, `https://index.docker.io/v1/`.
    fn of(name: &str) -> Self {
        let bare = name
            .strip_prefix("https://")
            .or_else(|| name.strip_prefix("http://"))
            .unwrap_or(name);
        let (host, path) = bare.split_once('/').unwrap_or((bare, ""));
        let host = match host.to_ascii_lowercase().as_str() {
            "index.docker.io" | "registry-1.docker.io" => DOCKER_HUB.to_owned(),
            host => host.to_owned(),
        };
        let path = match path.trim_matches('/') {
            "v1" | "v2" => "",
            path => path,
        };
        Self {
            host,
            path: path.to_owned(),
        }
    }

    fn fits_host(&self, registry: &str) -> bool {
        fits_host(&self.host, registry)
    }

    fn fits(&self, repository: &Repository) -> bool {
        let has_path = self.path.is_empty()
            || repository
                .path()
                .strip_prefix(&self.path)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
        has_path && self.fits_host(repository.registry())
    }
}

/// Compares part by part; `*` stands for one whole part, never for several, and never for a port.
fn fits_host(pattern: &str, host: &str) -> bool {
    let split = |text: &str| -> (String, Option<String>) {
        match text.rsplit_once(':') {
            Some((name, port)) if !port.contains(']') => (name.to_owned(), Some(port.to_owned())),
            _ => (text.to_owned(), None),
        }
    };
    let (pattern, pattern_port) = split(pattern);
    let (host, port) = split(host);
    pattern_port == port
        && pattern.split('.').count() == host.split('.').count()
        && pattern
            .split('.')
            .zip(host.split('.'))
            .all(|(wanted, part)| wanted == "*" || wanted == part)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic, reason = "a test may")]
mod tests {
    use super::*;

    fn find(keychain: &Keychain, repository: &str) -> Option<Login> {
        keychain
            .find(&Repository::parse(repository).unwrap())
            .cloned()
    }

    fn read(json: &str) -> Keychain {
        Keychain::docker_config(json.as_bytes()).unwrap()
    }

    #[test]
    fn every_way_to_write_a_login_is_read() {
        // "me:pass:word"
        let keychain = read(
            r#"{"auths":{
                "https://index.docker.io/v1/":{"auth":"bWU6cGFzczp3b3Jk"},
                "ghcr.io":{"username":"you","password":"secret"},
                "ghcr.io/team":{"username":"team","password":"other"},
                "quay.io":{"auth":"bWU6eA==","identitytoken":"refresh"},
                "raw.io":{"registrytoken":"bearer"},
                "acr.io":{"username":"<token>","password":"r2"},
                "*.example.com":{"username":"any","password":"p"},
                "127.0.0.1:5000":{"username":"local","password":"p"},
                "empty.io":{}},
              "credHelpers":{"gcr.io":"gcloud"},"HttpHeaders":{"x":"y"}}"#,
        );
        assert_eq!(
            find(&keychain, "nginx"),
            Some(Login::basic("me", "pass:word"))
        );
        assert_eq!(
            find(&keychain, "ghcr.io/x"),
            Some(Login::basic("you", "secret"))
        );
        assert_eq!(
            find(&keychain, "ghcr.io/team/x"),
            Some(Login::basic("team", "other"))
        );
        assert_eq!(
            find(&keychain, "ghcr.io/teams"),
            Some(Login::basic("you", "secret"))
        );
        assert_eq!(
            find(&keychain, "quay.io/x"),
            Some(Login::Identity(Secret::new("refresh")))
        );
        assert_eq!(
            find(&keychain, "raw.io/x"),
            Some(Login::Bearer(Secret::new("bearer")))
        );
        assert_eq!(
            find(&keychain, "acr.io/x"),
            Some(Login::Identity(Secret::new("r2")))
        );
        assert_eq!(
            find(&keychain, "a.example.com/x"),
            Some(Login::basic("any", "p"))
        );
        assert_eq!(find(&keychain, "a.b.example.com/x"), None);
        assert_eq!(
            find(&keychain, "127.0.0.1:5000/x"),
            Some(Login::basic("local", "p"))
        );
        assert_eq!(find(&keychain, "127.0.0.1:5001/x"), None);
        assert_eq!(find(&keychain, "empty.io/x"), None);
        assert_eq!(keychain.helper("gcr.io"), Some("gcloud"));
        assert_eq!(keychain.helper("ghcr.io"), None);
    }

    #[test]
    fn a_login_given_by_hand_comes_first() {
        let file = read(
            r#"{"auths":{"ghcr.io":{"username":"file","password":"p"}},"credsStore":"desktop"}"#,
        );
        let keychain = Keychain::default()
            .with("ghcr.io", Login::basic("hand", "p"))
            .and(file);
        assert_eq!(
            find(&keychain, "ghcr.io/x"),
            Some(Login::basic("hand", "p"))
        );
        assert_eq!(keychain.helper("any.io"), Some("desktop"));
    }

    #[test]
    fn damage_is_told_without_the_secret() {
        let error = Keychain::docker_config(br#"{"auths":{"ghcr.io":{"auth":"c2VjcmV0"}}}"#);
        let text = error.unwrap_err().to_string();
        assert_eq!(
            text,
            r#"`auths["ghcr.io"].auth` is not `name:password` in base64"#
        );
        let error = Keychain::docker_config(br#"{"auths":{"ghcr.io":"hunter2"}}"#).unwrap_err();
        assert!(!error.to_string().contains("hunter2"), "{error}");
        let fits = format!(r#"{{"x":"{}"}}"#, " ".repeat(CONFIG_BYTES - 8));
        assert_eq!(fits.len(), CONFIG_BYTES);
        assert!(Keychain::docker_config(fits.as_bytes()).is_ok());
        assert_eq!(
            Keychain::docker_config(format!("{fits} ").as_bytes()),
            Err(CredentialsError::TooLarge(CONFIG_BYTES + 1))
        );
        assert!(
            !format!(
                "{:?}",
                read(r#"{"auths":{"a.b":{"username":"u","password":"hush"}}}"#)
            )
            .contains("hush")
        );
    }
}
