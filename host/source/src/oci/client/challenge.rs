//! What a registry asks for before it answers: the `WWW-Authenticate` header.

use reqwest::header::{HeaderMap, WWW_AUTHENTICATE};

/// One way to log in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Challenge {
    /// Name and password.
    Basic,
    /// A token of a token service.
    Bearer {
        realm: String,
        service: Option<String>,
        scope: Option<String>,
    },
}

impl Challenge {
    /// Reads all that are known; others and malformed ones are left out.
    pub(super) fn read(headers: &HeaderMap) -> Vec<Self> {
        headers
            .get_all(WWW_AUTHENTICATE)
            .iter()
            .filter_map(|value| value.to_str().ok())
            .flat_map(parse)
            .collect()
    }
}

fn parse(text: &str) -> Vec<Challenge> {
    let mut found: Vec<(String, Vec<(String, String)>)> = Vec::new();
    for part in split(text) {
        // `Bearer realm="x"` opens a challenge, `scope="y"` continues it.
        let (before, value) = match part.split_once('=') {
            Some((before, value)) => (before.trim(), Some(unquote(value.trim()))),
            None => (part.as_str(), None),
        };
        let (scheme, name) = match (before.split_once(char::is_whitespace), value.is_some()) {
            (Some((scheme, name)), true) => (Some(scheme), name.trim()),
            (_, true) => (None, before),
            (_, false) => (Some(before), ""),
        };
        if let Some(scheme) = scheme {
            found.push((scheme.to_ascii_lowercase(), Vec::new()));
        }
        if let (Some(value), Some((_, parameters))) = (value, found.last_mut()) {
            parameters.push((name.to_ascii_lowercase(), value));
        }
    }
    found.into_iter().filter_map(challenge).collect()
}

fn challenge((scheme, parameters): (String, Vec<(String, String)>)) -> Option<Challenge> {
    let find = |name: &str| {
        let found = parameters.iter().find(|(key, _)| key == name);
        found
            .map(|(_, value)| value.clone())
            .filter(|value| !value.is_empty())
    };
    match scheme.as_str() {
        "basic" => Some(Challenge::Basic),
        "bearer" => Some(Challenge::Bearer {
            realm: find("realm")?,
            service: find("service"),
            scope: find("scope"),
        }),
        _ => None,
    }
}

/// Cuts at commas outside of quotes.
fn split(text: &str) -> Vec<String> {
    let mut parts = vec![String::new()];
    let (mut is_quoted, mut is_escaped) = (false, false);
    for c in text.chars() {
        match c {
            ',' if !is_quoted => {
                parts.push(String::new());
                continue;
            }
            '"' if !is_escaped => is_quoted = !is_quoted,
            _ => {}
        }
        is_escaped = c == '\\' && is_quoted && !is_escaped;
        if let Some(part) = parts.last_mut() {
            part.push(c);
        }
    }
    let trimmed = parts.iter().map(|part| part.trim().to_owned());
    trimmed.filter(|part| !part.is_empty()).collect()
}

fn unquote(text: &str) -> String {
    let Some(inner) = text
        .strip_prefix('"')
        .map(|t| t.strip_suffix('"').unwrap_or(t))
    else {
        return text.to_owned();
    };
    let mut out = String::with_capacity(inner.len());
    let mut chars = inner.chars();
    while let Some(c) = chars.next() {
        out.extend(if c == '\\' { chars.next() } else { Some(c) });
    }
    out
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic, reason = "a test may")]
mod tests {
    use super::*;

    fn bearer(realm: &str, service: Option<&str>, scope: Option<&str>) -> Challenge {
        Challenge::Bearer {
            realm: realm.to_owned(),
            service: service.map(str::to_owned),
            scope: scope.map(str::to_owned),
        }
    }

    #[test]
    fn challenges_are_read_as_registries_write_them() {
        assert_eq!(
            parse(r#"Bearer realm="https://a/token",service="a",scope="repository:x/y:pull,push""#),
            [bearer(
                "https://a/token",
                Some("a"),
                Some("repository:x/y:pull,push")
            )]
        );
        assert_eq!(parse(r#"Basic realm="Registry Realm""#), [Challenge::Basic]);
        assert_eq!(parse("basic"), [Challenge::Basic]);
        assert_eq!(
            parse(r#"Negotiate, BEARER Realm=https://a/t, Basic realm="x, \"y\"""#),
            [bearer("https://a/t", None, None), Challenge::Basic]
        );
        assert_eq!(parse(r#"Bearer error="invalid_token""#), []);
        assert_eq!(parse(r#"realm="x", =, "", Digest"#), []);
        assert_eq!(
            parse(r#"Bearer realm="https://a/t\"#),
            [bearer("https://a/t", None, None)]
        );
    }
}
