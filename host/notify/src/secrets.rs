//! The secrets of a provider: values that show themselves to nobody by accident, and the rules by
//! which the Provider and its Secrets make them.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use bulkhead_api::notification::ProviderSpec;
use bulkhead_api::{Advice, Retry};

/// Longest address in bytes, as Flux has it.
pub const ADDRESS_MAX_BYTES: usize = 2048;

/// Name of the secret that is the provider's address, wherever the user wrote it.
pub const ADDRESS: &str = "address";

/// Data of a Secret: decoded values by key.
pub type SecretData = BTreeMap<String, Vec<u8>>;

/// A secret value. `Debug` and `Display` mask it; only [`SecretValue::expose`] shows it.
#[derive(Clone, PartialEq, Eq)]
pub struct SecretValue(Vec<u8>);

impl SecretValue {
    /// Wraps a value.
    pub fn new(value: impl Into<Vec<u8>>) -> Self {
        Self(value.into())
    }

    /// Returns the value. Every call is a place where it can leak.
    pub fn expose(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for SecretValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

impl fmt::Display for SecretValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// Certificates of a provider, as PEM.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Certificates {
    /// Authorities that sign the service's certificate, instead of the public ones.
    pub authorities: Option<Vec<u8>>,
    /// Certificate and private key to present.
    pub client: Option<(Vec<u8>, SecretValue)>,
}

/// Everything secret that a provider has.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Secrets {
    values: BTreeMap<String, SecretValue>,
    withheld: BTreeMap<String, SecretValue>,
    certificates: Certificates,
    proxy: Option<SecretValue>,
}

/// Why the secrets of a provider cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SecretsError {
    /// The address is too long.
    #[error(
        "invalid address in secret: address exceeds maximum length of {ADDRESS_MAX_BYTES} bytes"
    )]
    AddressTooLong,
    /// The Secret with certificates holds half of a pair.
    #[error("failed to get TLS config: `{present}` is given without `{missing}`")]
    HalfPair {
        /// The key that is there.
        present: &'static str,
        /// The key that is not.
        missing: &'static str,
    },
    /// The Secret with certificates holds none.
    #[error("failed to get TLS config: the secret has none of `ca.crt`, `tls.crt`, `tls.key`")]
    NoCertificates,
    /// The Secret with the proxy has no address.
    #[error("failed to get proxy URL: the secret has no usable `address`")]
    NoProxy,
}

impl SecretsError {
    /// Names the reason, when to try again, and what the user can do.
    pub fn advice(&self) -> Advice {
        let advice = Advice::new("InvalidConfig", Retry::OnChange);
        match self {
            Self::AddressTooLong => advice.hint("shorten `address`"),
            Self::HalfPair { missing, .. } => advice.hint(format!("add `{missing}` to the Secret")),
            Self::NoCertificates => advice.hint("add `ca.crt` to the Secret of `certSecretRef`"),
            Self::NoProxy => advice.hint("add `address`, an http or https URL, to the Secret"),
        }
    }
}

impl Secrets {
    /// Makes the secrets of a provider from its spec and the data of its `secretRef`.
    ///
    /// The address of the Secret wins over `spec.address`. Address and token are trimmed of white
    /// space, since files that end with a newline become Secrets that do.
    ///
    /// # Errors
    /// [`SecretsError::AddressTooLong`].
    pub fn new(provider: &ProviderSpec, secret: Option<&SecretData>) -> Result<Self, SecretsError> {
        let mut values = BTreeMap::new();
        if let Some(address) = provider.address.as_deref().filter(|text| !text.is_empty()) {
            values.insert(ADDRESS.to_owned(), SecretValue::new(address.trim()));
        }
        for (name, value) in secret.into_iter().flatten() {
            let value = match name.as_str() {
                ADDRESS | "token" => value.trim_ascii(),
                _ => value,
            };
            values.insert(name.clone(), SecretValue::new(value));
        }
        let too_long = |address: &SecretValue| address.expose().len() > ADDRESS_MAX_BYTES;
        if values.get(ADDRESS).is_some_and(too_long) {
            return Err(SecretsError::AddressTooLong);
        }
        let mut secrets = Self {
            values,
            ..Self::default()
        };
        if let Some(proxy) = provider.proxy.as_deref().filter(|text| !text.is_empty()) {
            secrets.proxy = Some(SecretValue::new(proxy.trim()));
        }
        Ok(secrets)
    }

    /// Adds the certificates of the provider's `certSecretRef`; the old names of the keys count too.
    ///
    /// # Errors
    /// [`SecretsError::NoCertificates`], [`SecretsError::HalfPair`].
    pub fn with_certificates(mut self, secret: &SecretData) -> Result<Self, SecretsError> {
        let find = |name: &str, old: &str| secret.get(name).or_else(|| secret.get(old)).cloned();
        let client = match (find("tls.crt", "certFile"), find("tls.key", "keyFile")) {
            (Some(certificate), Some(key)) => Some((certificate, SecretValue::new(key))),
            (Some(_), None) => {
                return Err(SecretsError::HalfPair {
                    present: "tls.crt",
                    missing: "tls.key",
                });
            }
            (None, Some(_)) => {
                return Err(SecretsError::HalfPair {
                    present: "tls.key",
                    missing: "tls.crt",
                });
            }
            (None, None) => None,
        };
        self.certificates = Certificates {
            authorities: find("ca.crt", "caFile"),
            client,
        };
        if self.certificates == Certificates::default() {
            return Err(SecretsError::NoCertificates);
        }
        Ok(self)
    }

    /// Adds the proxy of the provider's `proxySecretRef`: `address`, and `username` and `password`
    /// where it wants them.
    ///
    /// # Errors
    /// [`SecretsError::NoProxy`].
    pub fn with_proxy(mut self, secret: &SecretData) -> Result<Self, SecretsError> {
        let text = |name: &str| {
            secret
                .get(name)
                .and_then(|value| std::str::from_utf8(value.trim_ascii()).ok())
        };
        let mut url = text(ADDRESS)
            .and_then(|address| url::Url::parse(address).ok())
            .filter(|url| matches!(url.scheme(), "http" | "https"))
            .ok_or(SecretsError::NoProxy)?;
        if let Some(name) = text("username") {
            let changed = url
                .set_username(name)
                .and_then(|()| url.set_password(text("password")));
            changed.map_err(|()| SecretsError::NoProxy)?;
        }
        self.proxy = Some(SecretValue::new(url.as_str()));
        Ok(self)
    }

    /// Withholds all but the address and the names that are granted; none is when there is no list.
    #[must_use]
    pub fn within(mut self, granted: Option<&BTreeSet<String>>) -> Self {
        let Some(granted) = granted else { return self };
        let is_given = |name: &String| name == ADDRESS || granted.contains(name);
        let values = std::mem::take(&mut self.values).into_iter();
        let (given, kept) = values.partition::<BTreeMap<_, _>, _>(|(name, _)| is_given(name));
        self.values = given;
        self.withheld.extend(kept);
        self
    }

    /// Tells whether there is a value of that name that the plugin does not get.
    pub(crate) fn is_withheld(&self, name: &str) -> bool {
        self.withheld.contains_key(name)
    }

    /// Finds a value by its name.
    pub fn get(&self, name: &str) -> Option<&SecretValue> {
        self.values.get(name)
    }

    /// The names, sorted.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.values.keys().map(String::as_str)
    }

    /// The certificates.
    pub fn certificates(&self) -> &Certificates {
        &self.certificates
    }

    /// The proxy's URL.
    pub fn proxy(&self) -> Option<&SecretValue> {
        self.proxy.as_ref()
    }

    /// All named values, those too that are withheld: none of them is ever shown.
    pub(crate) fn values(&self) -> impl Iterator<Item = (&str, &SecretValue)> {
        self.values
            .iter()
            .chain(&self.withheld)
            .map(|(name, value)| (name.as_str(), value))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may")]
    use super::*;

    fn data(pairs: &[(&str, &str)]) -> SecretData {
        pairs
            .iter()
            .map(|(n, v)| ((*n).to_owned(), v.as_bytes().to_vec()))
            .collect()
    }

    fn provider(address: &str) -> ProviderSpec {
        ProviderSpec {
            address: Some(address.to_owned()),
            ..ProviderSpec::new("slack")
        }
    }

    #[test]
    fn values_are_masked_wherever_they_are_printed() {
        let secrets = Secrets::new(&provider("https://canary"), None).unwrap();
        let proxy = data(&[("address", "http://canary"), ("username", "canary")]);
        let secrets = secrets.with_proxy(&proxy).unwrap();
        let key = data(&[("tls.crt", "x"), ("tls.key", "canary")]);
        let secrets = secrets.with_certificates(&key).unwrap();
        let shown = format!("{secrets:?} {}", secrets.get(ADDRESS).unwrap());
        assert!(!shown.contains("canary"), "{shown}");
        assert!(shown.contains("***"));
    }

    #[test]
    fn the_secret_s_address_wins_and_is_trimmed() {
        let secret = data(&[
            ("address", " https://b\n"),
            ("token", "t\n"),
            ("password", " p\n"),
        ]);
        let secrets = Secrets::new(&provider("https://a"), Some(&secret)).unwrap();
        let shown = |name| String::from_utf8(secrets.get(name).unwrap().expose().to_vec()).unwrap();
        assert_eq!(
            [shown("address"), shown("token"), shown("password")],
            ["https://b", "t", " p\n"]
        );
        assert_eq!(
            secrets.names().collect::<Vec<_>>(),
            ["address", "password", "token"]
        );
    }

    #[test]
    fn only_granted_names_are_given_and_the_address_always_is() {
        let secret = data(&[("token", "t"), ("password", "p")]);
        let all = || Secrets::new(&provider("https://a"), Some(&secret)).unwrap();
        assert_eq!(all().within(None), all());
        let granted = BTreeSet::from(["token".to_owned(), "other".to_owned()]);
        let some = all().within(Some(&granted));
        assert_eq!(some.names().collect::<Vec<_>>(), ["address", "token"]);
        assert!(some.is_withheld("password") && some.get("password").is_none());
        assert!(!some.is_withheld("token") && !some.is_withheld("other"));
        assert_eq!(
            some.values().count(),
            3,
            "what is withheld is masked all the same"
        );
    }

    #[test]
    fn the_address_is_limited_at_the_byte() {
        let long = "x".repeat(ADDRESS_MAX_BYTES);
        assert!(Secrets::new(&provider(&long), None).is_ok());
        let told = Secrets::new(&provider(&format!("{long}x")), None);
        assert_eq!(told, Err(SecretsError::AddressTooLong));
    }

    #[test]
    fn certificates_come_whole_or_not_at_all() {
        let with = |pairs| Secrets::default().with_certificates(&data(pairs));
        assert!(with(&[("ca.crt", "x")]).is_ok());
        assert!(with(&[("caFile", "x")]).is_ok());
        assert_eq!(with(&[("other", "x")]), Err(SecretsError::NoCertificates));
        let half = SecretsError::HalfPair {
            present: "tls.crt",
            missing: "tls.key",
        };
        assert_eq!(with(&[("tls.crt", "x")]), Err(half));
    }

    #[test]
    fn a_proxy_needs_a_web_address() {
        let with = |address: &str| Secrets::default().with_proxy(&data(&[("address", address)]));
        assert!(with("http://proxy:3128").is_ok());
        assert_eq!(with("socks5://proxy"), Err(SecretsError::NoProxy));
        assert_eq!(with("proxy"), Err(SecretsError::NoProxy));
    }
}
