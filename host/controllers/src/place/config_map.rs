//! Reads a ConfigMap that says how to reach another cluster: provider `generic`, a token of a service
//! account of this cluster for the audience of the other.
//!
//! # Source
//! `auth/generic` and `auth/utils/restconfig.go` of fluxcd/pkg.

use std::collections::BTreeMap;

/// Longest CA bundle, in bytes.
const CA_MAX_BYTES: usize = 256 << 10;

/// What the ConfigMap says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Generic {
    /// `https://host:port`, in lower case.
    pub(super) address: String,
    /// Certificates, PEM; those of this system without.
    pub(super) ca: Option<String>,
    /// For whom the token is; never empty.
    pub(super) audiences: Vec<String>,
    /// The account whose token it is; that of this process without.
    pub(super) account: Option<String>,
}

/// Reads it.
pub(super) fn read(data: &BTreeMap<String, String>) -> Result<Generic, String> {
    match data.get("provider").map(String::as_str) {
        Some("generic") => {}
        None | Some("") => return Err("`provider` is missing".to_owned()),
        Some(other) => return Err(format!("provider `{other}` is not supported yet")),
    }
    let given = data.get("address").map_or("", String::as_str);
    let address = address(given)?;
    let audiences = data.get("audiences").map_or("", String::as_str);
    let audiences = audiences
        .lines()
        .map(str::trim)
        .filter(|one| !one.is_empty());
    let mut audiences: Vec<String> = audiences.map(str::to_owned).collect();
    if audiences.is_empty() {
        audiences.push(given.to_owned());
    }
    let ca = data.get("ca.crt").filter(|text| !text.is_empty()).cloned();
    if ca.as_ref().is_some_and(|text| text.len() > CA_MAX_BYTES) {
        return Err(format!("`ca.crt` is longer than {CA_MAX_BYTES} bytes"));
    }
    let account = data.get("serviceAccountName");
    Ok(Generic {
        address,
        ca,
        audiences,
        account: account.filter(|name| !name.is_empty()).cloned(),
    })
}

/// Brings an address into the form `https://host:port`.
fn address(given: &str) -> Result<String, String> {
    if given.is_empty() {
        return Err("`address` is missing".to_owned());
    }
    let full = match given.starts_with("http") {
        true => given.to_owned(),
        false => format!("https://{given}"),
    };
    let wrong = |why: &str| format!("`address` is `{given}`: {why}");
    let uri: http::Uri = full.parse().map_err(|_| wrong("it is no address"))?;
    if uri.scheme_str() != Some("https") {
        return Err(wrong("it must begin with `https://`"));
    }
    let authority = uri.authority().ok_or_else(|| wrong("it names no host"))?;
    if authority.as_str().contains('@') {
        return Err(wrong("it must not hold a login"));
    }
    let port = authority.port_u16().unwrap_or(443);
    let host = authority.host().to_lowercase();
    Ok(format!("https://{host}:{port}"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may")]

    use super::*;

    fn of(pairs: &[(&str, &str)]) -> Result<Generic, String> {
        let pairs = pairs.iter();
        read(
            &pairs
                .map(|(key, value)| ((*key).into(), (*value).into()))
                .collect(),
        )
    }

    #[test]
    fn the_address_is_the_audience_where_none_is_given() {
        let found = of(&[("provider", "generic"), ("address", "K8s.example")]).unwrap();
        assert_eq!(found.address, "https://k8s.example:443");
        assert_eq!(found.audiences, ["K8s.example"]);
        assert_eq!((found.ca, found.account), (None, None));
        let found = of(&[
            ("provider", "generic"),
            ("address", "https://[::1]:6443/path"),
            ("audiences", " a \n\nb\n"),
            ("serviceAccountName", "deployer"),
        ])
        .unwrap();
        assert_eq!(found.address, "https://[::1]:6443");
        assert_eq!(found.audiences, ["a", "b"]);
        assert_eq!(found.account.as_deref(), Some("deployer"));
    }

    #[test]
    fn what_is_missing_or_not_done_is_named() {
        let provider = ("provider", "generic");
        for (pairs, told) in [
            (&[][..], "`provider` is missing"),
            (
                &[("provider", "aws")][..],
                "provider `aws` is not supported yet",
            ),
            (&[provider][..], "`address` is missing"),
            (
                &[provider, ("address", "http://a")][..],
                "`address` is `http://a`: it must begin with `https://`",
            ),
            (
                &[provider, ("address", "u:p@a")][..],
                "`address` is `u:p@a`: it must not hold a login",
            ),
        ] {
            assert_eq!(of(pairs).unwrap_err(), told);
        }
    }
}
