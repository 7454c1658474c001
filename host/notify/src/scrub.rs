//! Takes known secret values out of texts and bytes: of error messages, and of answers before a
//! plugin reads them. A service may echo what it was sent.

use std::collections::BTreeSet;

use base64::Engine as _;
use base64::prelude::{BASE64_STANDARD_NO_PAD, BASE64_URL_SAFE_NO_PAD};
use regex::bytes::{NoExpand, Regex, RegexBuilder};

use crate::secrets::{ADDRESS, Secrets};

/// Shortest value in bytes that is looked for: anything shorter is found everywhere.
pub const VALUE_MIN_BYTES: usize = 5;

/// Shortest part of an address in bytes that counts as a secret of its own, as webhooks have them.
pub const ADDRESS_PART_MIN_BYTES: usize = 8;

/// What stands for a value.
const MASK: &[u8] = b"***";

/// Compiled size in bytes that the search may have; secrets of some hundred kilobytes fit.
const COMPILED_MAX_BYTES: usize = 64 * 1024 * 1024;

/// Knows the values of one provider, as they are and as they are commonly written: percent-encoded,
/// Base64, hexadecimal, and escaped in JSON.
#[derive(Clone, Debug, Default)]
pub struct Scrubber {
    /// `None` when there is nothing to look for.
    search: Option<Regex>,
    /// Set when the search could not be made: then nothing is shown at all.
    blind: bool,
}

impl Scrubber {
    /// Learns the values of `secrets`. A user name is no secret.
    pub fn new(secrets: &Secrets) -> Self {
        let mut needles = BTreeSet::new();
        for (name, value) in secrets.values() {
            if name != "username" {
                add(&mut needles, value.expose(), VALUE_MIN_BYTES);
            }
            if name == ADDRESS {
                add_address(&mut needles, value.expose());
            }
        }
        if let Some(proxy) = secrets.proxy() {
            add_address(&mut needles, proxy.expose());
        }
        if needles.is_empty() {
            return Self::default();
        }
        // Longest first: of two alternatives that match at one place the first wins.
        let mut needles: Vec<Vec<u8>> = needles.into_iter().collect();
        needles.sort_by_key(|needle| std::cmp::Reverse(needle.len()));
        let pattern = needles
            .iter()
            .map(|needle| literal(needle))
            .collect::<Vec<_>>()
            .join("|");
        let search = RegexBuilder::new(&pattern)
            .size_limit(COMPILED_MAX_BYTES)
            .build()
            .ok();
        Self {
            blind: search.is_none(),
            search,
        }
    }

    /// Masks the values in bytes.
    pub fn bytes(&self, bytes: &[u8]) -> Vec<u8> {
        match &self.search {
            Some(search) => search.replace_all(bytes, NoExpand(MASK)).into_owned(),
            None if self.blind => MASK.to_vec(),
            None => bytes.to_vec(),
        }
    }

    /// Masks the values in a text.
    pub fn text(&self, text: &str) -> String {
        String::from_utf8_lossy(&self.bytes(text.as_bytes())).into_owned()
    }
}

fn literal(needle: &[u8]) -> String {
    let bytes: String = needle.iter().map(|byte| format!("\\x{byte:02x}")).collect();
    format!("(?i-u:{bytes})")
}

fn add(needles: &mut BTreeSet<Vec<u8>>, value: &[u8], min_bytes: usize) {
    let value = value.trim_ascii();
    if value.len() < min_bytes {
        return;
    }
    let hex = crate::dedupe::hex(value);
    let percent: String = url::form_urlencoded::byte_serialize(value).collect();
    needles.extend([
        value.to_vec(),
        percent.replace('+', "%20").into_bytes(),
        percent.into_bytes(),
        hex.to_uppercase().into_bytes(),
        hex.into_bytes(),
        BASE64_STANDARD_NO_PAD.encode(value).into_bytes(),
        BASE64_URL_SAFE_NO_PAD.encode(value).into_bytes(),
    ]);
    if let Ok(text) = std::str::from_utf8(value)
        && let Ok(json) = serde_json::to_string(text)
    {
        let json = json.trim_matches('"');
        needles.insert(json.as_bytes().to_vec());
        needles.insert(json.replace('/', "\\/").into_bytes());
    }
}

/// What is secret in a webhook's address stands in its path, its query or its user information.
fn add_address(needles: &mut BTreeSet<Vec<u8>>, value: &[u8]) {
    let Some(url) = std::str::from_utf8(value)
        .ok()
        .and_then(|text| url::Url::parse(text).ok())
    else {
        return;
    };
    needles.insert(url.as_str().trim_end_matches('/').as_bytes().to_vec());
    for part in url.path_segments().into_iter().flatten() {
        add(needles, part.as_bytes(), ADDRESS_PART_MIN_BYTES);
    }
    for (_, part) in url.query_pairs() {
        add(needles, part.as_bytes(), VALUE_MIN_BYTES);
    }
    add(
        needles,
        url.password().unwrap_or_default().as_bytes(),
        VALUE_MIN_BYTES,
    );
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may")]
    use super::*;
    use bulkhead_api::notification::ProviderSpec;

    fn scrubber(address: &str, token: &str) -> Scrubber {
        let mut provider = ProviderSpec::new("slack");
        provider.address = Some(address.to_owned());
        let data = [("token".to_owned(), token.as_bytes().to_vec())].into();
        Scrubber::new(&Secrets::new(&provider, Some(&data)).unwrap())
    }

    #[test]
    fn values_are_found_however_they_are_written() {
        let scrubber = scrubber("https://h/x", "can/ary\"é 1");
        for told in [
            "can/ary\"é 1",
            "can%2Fary%22%C3%A9+1",
            "can%2Fary%22%C3%A9%201",
            "Y2FuL2FyeSLDqSAx",
            "63616e2f61727922c3a92031",
            "63616E2F61727922C3A92031",
            "can/ary\\\"é 1",
            "can\\/ary\\\"é 1",
        ] {
            assert_eq!(scrubber.text(&format!("<{told}>")), "<***>", "{told}");
        }
    }

    #[test]
    fn secret_parts_of_an_address_are_found_alone() {
        let scrubber = scrubber(
            "https://user:canary1@hooks.example.com/services/T00000000/B0?key=canary2",
            "x",
        );
        let shown = scrubber.text("hooks.example.com /services/T00000000/B0 canary1 canary2 user");
        assert_eq!(shown, "hooks.example.com /***/***/B0 *** *** user");
    }

    #[test]
    fn bytes_that_are_no_text_are_found_and_short_values_are_not_looked_for() {
        let data = [
            ("key".to_owned(), vec![0xff, 0, 0xfe, 1, 2]),
            ("pin".to_owned(), b"1234".to_vec()),
            ("username".to_owned(), b"everyone".to_vec()),
        ];
        let secrets = Secrets::new(&ProviderSpec::new("x"), Some(&data.into())).unwrap();
        let scrubber = Scrubber::new(&secrets);
        assert_eq!(scrubber.bytes(&[b'<', 0xff, 0, 0xfe, 1, 2, b'>']), b"<***>");
        assert_eq!(scrubber.text("1234 everyone"), "1234 everyone");
        assert_eq!(Scrubber::default().text("as it is"), "as it is");
    }
}
