//! Which addresses clients may connect to: names are looked up here, and what may not be connected to
//! is refused before anything is sent. Behind a proxy only addresses that stand in URLs are judged.

use std::error::Error as _;
use std::net::{IpAddr, SocketAddr};

use url::{Host, Url};

/// Refuses link-local addresses, where clouds keep the credentials of machines.
pub fn is_reachable(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(address) => !address.is_link_local(),
        IpAddr::V6(address) => !address.is_unicast_link_local(),
    }
}

/// Returns the address that stands in a URL itself: it is not looked up, and so not judged by a
/// [`Resolver`].
pub(crate) fn literal(url: &Url) -> Option<IpAddr> {
    match url.host() {
        Some(Host::Ipv4(address)) => Some(IpAddr::V4(address)),
        Some(Host::Ipv6(address)) => Some(IpAddr::V6(address)),
        _ => None,
    }
}

/// Looks names up, and passes on only what may be connected to.
pub(crate) struct Resolver(pub(crate) fn(IpAddr) -> bool);

/// A name has an address that may not be connected to.
#[derive(Debug, thiserror::Error)]
#[error("the address {0} may not be connected to")]
struct Refused(IpAddr);

impl reqwest::dns::Resolve for Resolver {
    fn resolve(&self, name: reqwest::dns::Name) -> reqwest::dns::Resolving {
        let admits = self.0;
        Box::pin(async move {
            let found: Vec<SocketAddr> =
                tokio::net::lookup_host((name.as_str(), 0)).await?.collect();
            match found.iter().find(|address| !admits(address.ip())) {
                Some(address) => Err(Refused(address.ip()).into()),
                None => Ok(Box::new(found.into_iter()) as reqwest::dns::Addrs),
            }
        })
    }
}

/// Returns the address that a [`Resolver`] refused, if that is why there is no answer.
pub(crate) fn refused(error: &reqwest::Error) -> Option<IpAddr> {
    let mut next = error.source();
    while let Some(error) = next {
        if let Some(Refused(address)) = error.downcast_ref() {
            return Some(*address);
        }
        next = error.source();
    }
    None
}
