//! Digests of what the objects of a release are post-rendered with. Pure.
//!
//! # Source
//! `postrender.Digest` of helm-controller 1.6: Go's JSON of the fields of the spec, and a newline.

use bulkhead_api::Digest;
use bulkhead_api::helmrelease::HelmReleaseSpec;
use serde::Serialize;

/// Returns the digest of `spec.postRenderers`; none without.
pub(super) fn post_renderers(spec: &HelmReleaseSpec) -> Option<String> {
    spec.post_renderers.as_ref().map(digest)
}

/// Returns the digest of `spec.commonMetadata`; none without.
pub(super) fn common_metadata(spec: &HelmReleaseSpec) -> Option<String> {
    spec.common_metadata.as_ref().map(digest)
}

fn digest<T: Serialize>(value: &T) -> String {
    // What came from JSON goes back to it.
    let text = serde_json::to_string(value).unwrap_or_default();
    let mut text = escape(&text);
    text.push('\n');
    Digest::of(text.as_bytes()).to_string()
}

/// Escapes what Go's encoder escapes for HTML; these characters stand in texts alone. `\b` and `\f`
/// are written alike.
fn escape(json: &str) -> String {
    let mut escaped = String::with_capacity(json.len());
    for char in json.chars() {
        match char {
            '<' | '>' | '&' | '\u{2028}' | '\u{2029}' => {
                escaped.push_str(&format!("\\u{:04x}", u32::from(char)));
            }
            other => escaped.push(other),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may")]

    use serde_json::json;

    use super::*;

    #[test]
    fn digests_are_those_of_go() {
        let spec: HelmReleaseSpec = serde_json::from_value(json!({
            "interval": "1m",
            "commonMetadata": { "labels": { "b": "<2>", "a": "1" }, "annotations": { "x": "y & z" } },
            "postRenderers": [],
        }))
        .unwrap();
        let text = "{\"annotations\":{\"x\":\"y \\u0026 z\"},\"labels\":{\"a\":\"1\",\"b\":\"\\u003c2\\u003e\"}}\n";
        let wanted = Digest::of(text.as_bytes()).to_string();
        assert_eq!(common_metadata(&spec), Some(wanted));
        assert_eq!(post_renderers(&spec), Some(Digest::of(b"[]\n").to_string()));
        let none = HelmReleaseSpec::new(std::time::Duration::from_secs(60));
        assert_eq!(post_renderers(&none), None);
    }
}
