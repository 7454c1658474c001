//! The keys that `known_hosts` has for a host.
//!
//! Plain names, `[host]:port`, wildcards, `!` and hashed names are understood, as is `@revoked`.
//! Lines of certificate authorities and lines that cannot be read are passed over.

use gix::hash::Kind;
use russh::keys::ssh_key::known_hosts::{Entry, HostPatterns, Marker};
use russh::keys::{HashAlg, PublicKey};

/// What is known of one host.
#[derive(Debug, Default)]
pub(crate) struct KnownKeys {
    trusted: Vec<PublicKey>,
    revoked: Vec<PublicKey>,
}

/// How a host's key compares to what is known.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Trusted,
    Unknown,
    Mismatch,
}

impl KnownKeys {
    /// Reads the lines of `text` that name `host` and `port`.
    pub(crate) fn read(text: &str, host: &str, port: u16) -> Self {
        let name = if port == 22 {
            host.to_lowercase()
        } else {
            format!("[{}]:{port}", host.to_lowercase())
        };
        let mut known = Self::default();
        for line in text.lines() {
            let Ok(entry) = line.trim().parse::<Entry>() else {
                continue;
            };
            if !names(entry.host_patterns(), &name) {
                continue;
            }
            match entry.marker() {
                None => known.trusted.push(entry.public_key().clone()),
                Some(Marker::Revoked) => known.revoked.push(entry.public_key().clone()),
                Some(Marker::CertAuthority) => {}
            }
        }
        known
    }

    /// Returns the kinds of keys that the host should be asked for.
    pub(crate) fn algorithms(&self) -> Vec<russh::keys::Algorithm> {
        let mut algorithms = Vec::new();
        for key in &self.trusted {
            let all = match key.algorithm() {
                russh::keys::Algorithm::Rsa { .. } => vec![
                    russh::keys::Algorithm::Rsa {
                        hash: Some(HashAlg::Sha512),
                    },
                    russh::keys::Algorithm::Rsa {
                        hash: Some(HashAlg::Sha256),
                    },
                ],
                other => vec![other],
            };
            algorithms.extend(
                all.into_iter()
                    .filter(|one| !algorithms.contains(one))
                    .collect::<Vec<_>>(),
            );
        }
        algorithms
    }

    /// Judges the key that the host showed.
    pub(crate) fn judge(&self, key: &PublicKey) -> Verdict {
        let is_in =
            |keys: &[PublicKey]| keys.iter().any(|known| known.key_data() == key.key_data());
        if is_in(&self.revoked) {
            Verdict::Mismatch
        } else if is_in(&self.trusted) {
            Verdict::Trusted
        } else if self.trusted.is_empty() {
            Verdict::Unknown
        } else {
            Verdict::Mismatch
        }
    }

    /// Shows the fingerprints of the keys that are known.
    pub(crate) fn fingerprints(&self) -> String {
        let shown: Vec<String> = self
            .trusted
            .iter()
            .map(|key| key.fingerprint(HashAlg::Sha256).to_string())
            .collect();
        if shown.is_empty() {
            "none".to_owned()
        } else {
            shown.join(" and ")
        }
    }
}

fn names(patterns: &HostPatterns, name: &str) -> bool {
    match patterns {
        HostPatterns::HashedName { salt, hash } => {
            keyed_sha1(salt, name.as_bytes()).is_some_and(|own| own == *hash)
        }
        HostPatterns::Patterns(patterns) => {
            let mut is_named = false;
            for pattern in patterns {
                match pattern.strip_prefix('!') {
                    Some(pattern) if fits(&pattern.to_lowercase(), name) => return false,
                    Some(_) => {}
                    None => is_named |= fits(&pattern.to_lowercase(), name),
                }
            }
            is_named
        }
    }
}

/// `*` and `?`; a bracket is a bracket.
fn fits(pattern: &str, name: &str) -> bool {
    let (pattern, name) = (pattern.as_bytes(), name.as_bytes());
    let (mut at, mut seen) = (0, 0);
    let mut retry = None;
    while seen < name.len() {
        match pattern.get(at) {
            Some(b'*') => {
                retry = Some((at + 1, seen));
                at += 1;
            }
            Some(byte) if *byte == b'?' || *byte == name[seen] => (at, seen) = (at + 1, seen + 1),
            _ => {
                let Some((star, from)) = retry else {
                    return false;
                };
                retry = Some((star, from + 1));
                (at, seen) = (star, from + 1);
            }
        }
    }
    pattern[at..].iter().all(|byte| *byte == b'*')
}

/// HMAC-SHA1, which `ssh-keygen -H` uses; `None` if the hash cannot be computed.
fn keyed_sha1(key: &[u8], text: &[u8]) -> Option<[u8; 20]> {
    const BLOCK: usize = 64;
    let mut padded = [0u8; BLOCK];
    padded.get_mut(..key.len())?.copy_from_slice(key);
    let digest = |mask: u8, text: &[u8]| {
        let mut hasher = gix::hash::hasher(Kind::Sha1);
        hasher.update(&padded.map(|byte| byte ^ mask));
        hasher.update(text);
        hasher.try_finalize().ok()
    };
    let inner = digest(0x36, text)?;
    digest(0x5c, inner.as_bytes())?.as_bytes().try_into().ok()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may")]
    use super::*;

    const KEY: &str =
        "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJdD7y3aLq454yWBdwLWbieU1ebz9/cu7/QEXn9OIeZJ";
    const OTHER: &str =
        "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIA6rWI3G2sz07DnfFlrouTcysQlj2P+jpNSOEWD9OJ3X";

    fn judge(known: &str, host: &str, port: u16) -> Verdict {
        KnownKeys::read(known, host, port).judge(&KEY.parse().unwrap())
    }

    #[test]
    fn hosts_are_found() {
        for (line, host, port, expected) in [
            (
                format!("example.com {KEY}"),
                "example.com",
                22,
                Verdict::Trusted,
            ),
            (
                format!("example.com {KEY}"),
                "Example.COM",
                22,
                Verdict::Trusted,
            ),
            (
                format!("example.com,10.0.0.1 {KEY}"),
                "10.0.0.1",
                22,
                Verdict::Trusted,
            ),
            (
                format!("example.com {KEY}"),
                "example.com",
                2222,
                Verdict::Unknown,
            ),
            (
                format!("[example.com]:2222 {KEY}"),
                "example.com",
                2222,
                Verdict::Trusted,
            ),
            (
                format!("*.example.com {KEY}"),
                "git.example.com",
                22,
                Verdict::Trusted,
            ),
            (
                format!("*.example.com,!bad.example.com {KEY}"),
                "bad.example.com",
                22,
                Verdict::Unknown,
            ),
            (
                format!("example.com {OTHER}"),
                "example.com",
                22,
                Verdict::Mismatch,
            ),
            (
                format!("example.com {KEY}\n@revoked * {KEY}"),
                "example.com",
                22,
                Verdict::Mismatch,
            ),
            (
                format!("@cert-authority * {KEY}"),
                "example.com",
                22,
                Verdict::Unknown,
            ),
            (
                format!("broken line\n# x\n\nexample.com {KEY} a comment"),
                "example.com",
                22,
                Verdict::Trusted,
            ),
            (String::new(), "example.com", 22, Verdict::Unknown),
        ] {
            assert_eq!(judge(&line, host, port), expected, "{line}");
        }
    }

    #[test]
    fn hashed_names_are_understood() {
        let line = "|1|O33ESRMWPVkMYIwJ1Uw+n877jTo=|nuuC5vEqXlEZ/8BXQR7m619W6Ak= ".to_owned() + KEY;
        assert_eq!(judge(&line, "example.com", 22), Verdict::Trusted);
        assert_eq!(judge(&line, "example.org", 22), Verdict::Unknown);
    }
}
