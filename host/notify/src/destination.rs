//! Where a request may go. Pure: names and resolved addresses in, a verdict out.
//!
//! A guest reaches the provider's own address and the hosts that its user granted it. Whatever the
//! name, its resolved addresses must be public ones, unless a setting of the installation says
//! otherwise; a tenant cannot.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use url::{Host, Url};

use crate::scrub::Scrubber;

/// Longest URL in bytes.
pub const URL_MAX_BYTES: usize = 8 * 1024;

/// What an installation lets its notifiers reach beside the public internet. Nothing by default.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reach {
    /// Private networks: RFC 1918, unique local addresses, services of the cluster.
    pub private: bool,
    /// This machine: loopback addresses.
    pub loopback: bool,
    /// Hosts (`alerts.corp.example`, or with a port `10.0.0.7:9093`) whose addresses are not checked.
    pub hosts: Vec<String>,
}

impl Reach {
    /// This machine and its networks, as for a person's own command line. Cloud metadata services
    /// stay out of reach.
    pub fn local() -> Self {
        Self {
            private: true,
            loopback: true,
            hosts: Vec::new(),
        }
    }
}

/// What sort of network an address is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Network {
    /// The internet.
    Public,
    /// This machine.
    Loopback,
    /// A private network, or a service of the cluster.
    Private,
    /// The link, where cloud metadata services are.
    LinkLocal,
    /// An address that nothing is sent to: multicast, reserved, documentation, tunnels.
    Reserved,
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Public => "a public address",
            Self::Loopback => "a loopback address",
            Self::Private => "a private address",
            Self::LinkLocal => "a link-local or metadata address",
            Self::Reserved => "a reserved address",
        })
    }
}

/// Why a request is not sent. None of these shows the URL, which may hold a secret.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// It is no URL.
    #[error("the address is not a URL: {0}")]
    NotAUrl(String),
    /// It is too long.
    #[error("the address has {0} bytes, at most {URL_MAX_BYTES} are sent")]
    TooLong(usize),
    /// Its scheme is neither https nor http.
    #[error("scheme `{0}` is neither `https` nor `http`")]
    Scheme(String),
    /// It is http, and the provider's own address is not.
    #[error("`http` to `{0}` is not encrypted, and the provider's address is not `http`")]
    Unencrypted(String),
    /// It has no host.
    #[error("the address has no host")]
    NoHost,
    /// The plugin may not send there.
    #[error("host `{0}` is neither that of the provider's address nor granted to the plugin")]
    NotGranted(String),
    /// It is in a network that the installation does not reach.
    #[error("host `{host}` is {network}")]
    Network {
        /// The host.
        host: String,
        /// What it is.
        network: Network,
    },
    /// A redirect carried a user name or password.
    #[error("a redirect to `{0}` carries credentials")]
    RedirectWithCredentials(String),
    /// A redirect led from https to http.
    #[error("a redirect leads from `https` to `http` at `{0}`")]
    Downgrade(String),
    /// There were too many redirects.
    #[error("more than {0} redirects")]
    TooManyRedirects(u8),
}

impl Refused {
    /// Masks the secrets that a plugin may have put into a scheme or host.
    pub(crate) fn scrubbed(self, scrubber: &Scrubber) -> Self {
        let mask = |text: String| scrubber.text(&text);
        match self {
            Self::NotAUrl(why) => Self::NotAUrl(mask(why)),
            Self::Scheme(scheme) => Self::Scheme(mask(scheme)),
            Self::Unencrypted(host) => Self::Unencrypted(mask(host)),
            Self::NotGranted(host) => Self::NotGranted(mask(host)),
            Self::Network { host, network } => Self::Network {
                host: mask(host),
                network,
            },
            Self::RedirectWithCredentials(host) => Self::RedirectWithCredentials(mask(host)),
            Self::Downgrade(host) => Self::Downgrade(mask(host)),
            Self::TooLong(_) | Self::NoHost | Self::TooManyRedirects(_) => self,
        }
    }
}

/// Where a guest may send to.
#[derive(Clone, Debug, Default)]
pub struct Grants {
    /// The provider's own address, where it has one that is a URL.
    pub address: Option<Url>,
    /// Hosts that the user granted to the plugin: `api.example.com`.
    pub hosts: Vec<String>,
    /// The user granted private networks to the plugin, as only who rules the cluster can.
    pub private_networks: bool,
}

impl Grants {
    /// Returns what a request may reach: what the installation allows, and what is granted.
    pub fn reach(&self, installation: &Reach) -> Reach {
        Reach {
            private: installation.private || self.private_networks,
            ..installation.clone()
        }
    }
}

/// Parses a URL and checks scheme and length.
///
/// # Errors
/// [`Refused`], without the URL.
pub fn parse(text: &str) -> Result<Url, Refused> {
    if text.len() > URL_MAX_BYTES {
        return Err(Refused::TooLong(text.len()));
    }
    let url = Url::parse(text).map_err(|error| Refused::NotAUrl(error.to_string()))?;
    if !matches!(url.scheme(), "https" | "http") {
        return Err(Refused::Scheme(url.scheme().to_owned()));
    }
    if url.host_str().is_none_or(str::is_empty) {
        return Err(Refused::NoHost);
    }
    Ok(url)
}

/// Checks that a guest may send to `url`: the host is granted, and the request is encrypted unless
/// the user wrote `http` into the provider's address.
///
/// # Errors
/// [`Refused::NotGranted`], [`Refused::Unencrypted`].
pub fn check_grant(url: &Url, grants: &Grants) -> Result<(), Refused> {
    let host = host_of(url);
    let is_own = |own: &Url| own.host() == url.host();
    let own = grants.address.as_ref().filter(|own| is_own(own));
    if own.is_none() && !grants.hosts.iter().any(|granted| names(granted, url)) {
        return Err(Refused::NotGranted(host));
    }
    let is_own_scheme = own.is_some_and(|own| own.scheme() == "http");
    if url.scheme() == "http" && !is_own_scheme {
        return Err(Refused::Unencrypted(host));
    }
    Ok(())
}

/// Checks where a redirect leads; addresses are checked as for any other request.
///
/// # Errors
/// [`Refused::RedirectWithCredentials`], [`Refused::Downgrade`].
pub fn check_redirect(from: &Url, to: &Url) -> Result<(), Refused> {
    let has_credentials = !to.username().is_empty() || to.password().is_some();
    let are_inherited = from.origin() == to.origin()
        && (from.username(), from.password()) == (to.username(), to.password());
    if has_credentials && !are_inherited {
        return Err(Refused::RedirectWithCredentials(host_of(to)));
    }
    if from.scheme() == "https" && to.scheme() == "http" {
        return Err(Refused::Downgrade(host_of(to)));
    }
    Ok(())
}

/// Checks the host as it is named: addresses written out, and names of the machine or the cluster,
/// which no resolver needs to be asked about.
///
/// # Errors
/// [`Refused::Network`].
pub fn check_name(url: &Url, reach: &Reach) -> Result<(), Refused> {
    let network = match url.host() {
        Some(Host::Ipv4(address)) => network_of(IpAddr::V4(address)),
        Some(Host::Ipv6(address)) => network_of(IpAddr::V6(address)),
        Some(Host::Domain(name)) => network_of_name(name),
        None => return Err(Refused::NoHost),
    };
    admit(url, network, reach)
}

/// Checks one address that the host resolved to.
///
/// # Errors
/// [`Refused::Network`].
pub fn check_address(url: &Url, address: IpAddr, reach: &Reach) -> Result<(), Refused> {
    admit(url, network_of(address), reach)
}

fn admit(url: &Url, network: Network, reach: &Reach) -> Result<(), Refused> {
    let is_open = match network {
        Network::Public => true,
        Network::Loopback => reach.loopback,
        Network::Private => reach.private,
        Network::LinkLocal | Network::Reserved => false,
    };
    if is_open || reach.hosts.iter().any(|host| names(host, url)) {
        return Ok(());
    }
    Err(Refused::Network {
        host: host_of(url),
        network,
    })
}

/// The host for a message: never with user, path or query.
pub fn host_of(url: &Url) -> String {
    url.host_str().unwrap_or_default().to_owned()
}

/// Tells whether `granted`, a host with or without a port, names the URL's.
fn names(granted: &str, url: &Url) -> bool {
    let host = host_of(url);
    let host = host.trim_end_matches('.');
    let port = url.port_or_known_default().unwrap_or_default();
    granted.eq_ignore_ascii_case(host) || granted.eq_ignore_ascii_case(&format!("{host}:{port}"))
}

fn network_of_name(name: &str) -> Network {
    let name = name.trim_end_matches('.').to_ascii_lowercase();
    let is_below = |zone: &str| name == zone || name.ends_with(&format!(".{zone}"));
    if is_below("localhost") {
        Network::Loopback
    } else if !name.contains('.') || is_below("svc") || is_below("cluster.local") {
        Network::Private
    } else {
        Network::Public
    }
}

/// Tells what sort of network an address is in; an IPv4 address inside an IPv6 one counts as itself.
pub fn network_of(address: IpAddr) -> Network {
    match address {
        IpAddr::V4(address) => network_of_v4(address),
        IpAddr::V6(address) => network_of_v6(address),
    }
}

fn network_of_v4(address: Ipv4Addr) -> Network {
    let [a, b, c, d] = address.octets();
    match (a, b, c, d) {
        (127, ..) => Network::Loopback,
        (169, 254, ..) => Network::LinkLocal,
        // Metadata services of Alibaba and Azure, which stand outside of the link-local range.
        (100, 100, 100, 200) | (168, 63, 129, 16) => Network::LinkLocal,
        (10, ..) | (192, 168, ..) => Network::Private,
        (172, 16..=31, ..) | (100, 64..=127, ..) => Network::Private,
        (0, ..) | (224..=255, ..) => Network::Reserved,
        (192, 0, 0 | 2, _) | (192, 88, 99, _) => Network::Reserved,
        (198, 18..=19, ..) | (198, 51, 100, _) | (203, 0, 113, _) => Network::Reserved,
        _ => Network::Public,
    }
}

fn network_of_v6(address: Ipv6Addr) -> Network {
    let [a, b, c, d, e, f, g, h] = address.segments();
    let embedded = |high: u16, low: u16| {
        let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
        network_of_v4(Ipv4Addr::new(a, b, c, d))
    };
    match (a, b, c, d, e, f, g, h) {
        (0, 0, 0, 0, 0, 0, 0, 1) => Network::Loopback,
        // Mapped, translated, compatible, NAT64 and 6to4 addresses hold an IPv4 address.
        (0, 0, 0, 0, 0, 0xffff | 0, _, _) | (0, 0, 0, 0, 0xffff, 0, _, _) => embedded(g, h),
        (0x64, 0xff9b, 0, 0, 0, 0, _, _) => embedded(g, h),
        (0x2002, ..) => embedded(b, c),
        (0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254) => Network::LinkLocal,
        (0xfe80..=0xfebf, ..) => Network::LinkLocal,
        (0xfc00..=0xfdff, ..) | (0xfec0..=0xfeff, ..) | (0x64, 0xff9b, 1, ..) => Network::Private,
        (0x2000..=0x3fff, ..) => match (a, b) {
            (0x2001, 0..=0x1ff | 0xdb8) | (0x3fff, 0..=0xfff) => Network::Reserved,
            _ => Network::Public,
        },
        _ => Network::Reserved,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may")]
    use super::*;

    fn network(url: &str) -> Network {
        match check_name(&parse(url).unwrap(), &Reach::default()) {
            Ok(()) => Network::Public,
            Err(Refused::Network { network, .. }) => network,
            Err(other) => unreachable!("{other}"),
        }
    }

    #[test]
    fn every_spelling_of_an_inner_address_is_refused() {
        let table = [
            ("http://127.0.0.1", Network::Loopback),
            ("http://2130706433", Network::Loopback),
            ("http://0x7f.1", Network::Loopback),
            ("http://0177.0.0.1", Network::Loopback),
            ("http://localhost", Network::Loopback),
            ("http://a.localhost.", Network::Loopback),
            ("http://[::1]", Network::Loopback),
            ("http://[::ffff:127.0.0.1]", Network::Loopback),
            ("http://[::127.0.0.1]", Network::Loopback),
            ("http://[64:ff9b::7f00:1]", Network::Loopback),
            ("http://169.254.169.254", Network::LinkLocal),
            ("http://[::ffff:a9fe:a9fe]", Network::LinkLocal),
            ("http://[2002:a9fe:a9fe::1]", Network::LinkLocal),
            ("http://[fd00:ec2::254]", Network::LinkLocal),
            ("http://[fe80::1]", Network::LinkLocal),
            ("http://168.63.129.16", Network::LinkLocal),
            ("http://100.100.100.200", Network::LinkLocal),
            ("http://10.0.0.1", Network::Private),
            ("http://172.16.0.1", Network::Private),
            ("http://172.31.255.255", Network::Private),
            ("http://192.168.1.1", Network::Private),
            ("http://100.64.0.1", Network::Private),
            ("http://[fc00::1]", Network::Private),
            ("http://[fec0::1]", Network::Private),
            ("http://kubernetes", Network::Private),
            ("http://KUBERNETES.default.svc", Network::Private),
            ("http://web.dev.svc.cluster.local.", Network::Private),
            ("http://0.0.0.0", Network::Reserved),
            ("http://[::]", Network::Reserved),
            ("http://224.0.0.1", Network::Reserved),
            ("http://255.255.255.255", Network::Reserved),
            ("http://192.0.2.1", Network::Reserved),
            ("http://198.18.0.1", Network::Reserved),
            ("http://[ff02::1]", Network::Reserved),
            ("http://[2001:db8::1]", Network::Reserved),
            ("http://[2001::1]", Network::Reserved),
        ];
        for (url, expected) in table {
            assert_eq!(network(url), expected, "{url}");
        }
        for url in [
            "https://172.15.0.1",
            "https://172.32.0.1",
            "https://100.63.0.1",
            "https://100.128.0.1",
            "https://198.20.0.1",
            "https://example.com",
            "https://[2606:4700::1111]",
            "https://svc.example.com",
            "https://[::ffff:1.1.1.1]",
        ] {
            assert_eq!(network(url), Network::Public, "{url}");
        }
    }

    #[test]
    fn settings_open_networks_and_named_hosts_but_never_metadata() {
        let told = |url: &str, reach: &Reach| check_name(&parse(url).unwrap(), reach).is_ok();
        let local = Reach::local();
        assert!(told("http://127.0.0.1:8080", &local) && told("http://10.0.0.1", &local));
        assert!(!told("http://169.254.169.254", &local) && !told("http://0.0.0.0", &local));
        let hosts = vec!["10.0.0.7:9093".to_owned(), "169.254.169.254".to_owned()];
        let named = Reach {
            hosts,
            ..Reach::default()
        };
        assert!(told("http://10.0.0.7:9093", &named) && !told("http://10.0.0.7", &named));
        assert!(told("http://169.254.169.254/x", &named) && !told("http://10.0.0.8", &named));
    }

    #[test]
    fn granted_private_networks_open_nothing_else() {
        let grants = Grants {
            private_networks: true,
            ..Grants::default()
        };
        let reach = grants.reach(&Reach::default());
        let told = |url: &str| check_name(&parse(url).unwrap(), &reach).is_ok();
        assert!(told("https://10.0.0.7") && told("https://alerts.svc.cluster.local"));
        assert!(!told("https://127.0.0.1") && !told("https://169.254.169.254"));
    }

    #[test]
    fn guests_send_to_the_address_s_host_and_to_granted_ones() {
        let grants = |address: &str| Grants {
            address: Url::parse(address).ok(),
            hosts: vec!["api.example.com".to_owned()],
            private_networks: false,
        };
        let told = |url: &str, address: &str| check_grant(&parse(url).unwrap(), &grants(address));
        let own = "https://hooks.example.com/a";
        assert_eq!(told("https://hooks.example.com/b", own), Ok(()));
        assert_eq!(told("https://api.example.com", own), Ok(()));
        assert!(matches!(
            told("https://evil.example.com", own),
            Err(Refused::NotGranted(_))
        ));
        assert!(matches!(
            told("https://hooks.example.com.evil", own),
            Err(Refused::NotGranted(_))
        ));
        assert!(matches!(
            told("http://hooks.example.com", own),
            Err(Refused::Unencrypted(_))
        ));
        assert!(matches!(
            told("http://api.example.com", own),
            Err(Refused::Unencrypted(_))
        ));
        assert_eq!(
            told("http://hooks.example.com", "http://hooks.example.com"),
            Ok(())
        );
        assert!(matches!(
            told("https://x.example", "nonsense"),
            Err(Refused::NotGranted(_))
        ));
    }

    #[test]
    fn redirects_neither_downgrade_nor_bring_credentials() {
        let told =
            |from: &str, to: &str| check_redirect(&parse(from).unwrap(), &parse(to).unwrap());
        assert_eq!(told("https://a.example", "https://b.example/x"), Ok(()));
        assert_eq!(told("http://a.example", "https://a.example"), Ok(()));
        let credentials = Refused::RedirectWithCredentials("b.example".to_owned());
        assert_eq!(
            told("https://a.example", "https://u:p@b.example"),
            Err(credentials)
        );
        assert_eq!(
            told("https://u:p@a.example", "https://u:p@a.example/x"),
            Ok(())
        );
        let downgrade = Refused::Downgrade("a.example".to_owned());
        assert_eq!(
            told("https://a.example", "http://a.example"),
            Err(downgrade)
        );
    }

    #[test]
    fn urls_are_limited_and_only_web_ones() {
        let long = |bytes: usize| format!("https://a.example/{}", "x".repeat(bytes - 18));
        assert!(parse(&long(URL_MAX_BYTES)).is_ok());
        assert_eq!(
            parse(&long(URL_MAX_BYTES + 1)),
            Err(Refused::TooLong(URL_MAX_BYTES + 1))
        );
        for url in ["file:///etc/passwd", "ftp://a.example", "gopher://a"] {
            assert!(matches!(parse(url), Err(Refused::Scheme(_))), "{url}");
        }
        assert!(matches!(parse("general"), Err(Refused::NotAUrl(_))));
    }
}
