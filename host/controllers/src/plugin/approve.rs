//! Whether an image may run, or asks for more than what was approved. Pure.

use bulkhead_api::Digest;
use bulkhead_wasm::Requests;

/// What a component asks for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Asked {
    /// Interfaces that it imports.
    pub(super) imports: Vec<String>,
    /// What its manifest asks for.
    pub(super) requests: Requests,
}

/// Why an image runs, or what has to be approved first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It is the first: who installs it approves it.
    First,
    /// It asks for nothing that was not approved.
    NoMore,
    /// It asks for more, and the user approved that.
    Approved,
    /// It asks for more: what is new, for people.
    Waits(Vec<String>),
}

/// Judges the image `digest`, which asks for `asked`, when `before` was approved. `named` is the
/// digest that the user approves.
pub(super) fn judge(
    before: Option<&Asked>,
    asked: &Asked,
    digest: Digest,
    named: Option<Digest>,
) -> Verdict {
    let Some(before) = before else {
        return Verdict::First;
    };
    let more = more(before, asked);
    if more.is_empty() {
        Verdict::NoMore
    } else if named == Some(digest) {
        Verdict::Approved
    } else {
        Verdict::Waits(more)
    }
}

/// Returns what `now` asks for beyond `before`, for people. A newer version of an interface that was
/// imported before is no more than before.
fn more(before: &Asked, now: &Asked) -> Vec<String> {
    let is_known = |import: &str| {
        let mut known = before.imports.iter();
        known.any(|known| name(known) == name(import))
    };
    let imports = now.imports.iter().filter(|import| !is_known(import));
    let mut more: Vec<String> = imports.map(|import| format!("import `{import}`")).collect();
    more.extend(now.requests.exceeds(&before.requests));
    more
}

/// The name of an interface without its version.
fn name(import: &str) -> &str {
    import.split_once('@').map_or(import, |(name, _)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(imports: &[&str], hosts: &[&str]) -> Asked {
        let texts = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
        Asked {
            imports: texts(imports),
            requests: Requests {
                http: texts(hosts),
                ..Requests::default()
            },
        }
    }

    fn judged(before: Option<Asked>, now: Asked, named: Option<&str>) -> Verdict {
        let digest = Digest::of("new");
        judge(before.as_ref(), &now, digest, named.map(Digest::of))
    }

    const LOG: &str = "bulkhead:base/log@0.1.0";
    const CLUSTER: &str = "bulkhead:base/cluster@0.1.0";

    #[test]
    fn who_installs_the_first_approves_it() {
        let now = asked(&[LOG, CLUSTER], &["a.example"]);
        assert_eq!(judged(None, now, None), Verdict::First);
    }

    #[test]
    fn less_or_the_same_needs_no_approval() {
        let before = || Some(asked(&[LOG, CLUSTER], &["a.example", "b.example"]));
        let same = asked(&[LOG, CLUSTER], &["b.example", "a.example"]);
        assert_eq!(judged(before(), same, None), Verdict::NoMore);
        assert_eq!(judged(before(), asked(&[], &[]), None), Verdict::NoMore);
        let newer = asked(&["bulkhead:base/log@0.1.3"], &[]);
        assert_eq!(judged(before(), newer, None), Verdict::NoMore);
    }

    #[test]
    fn more_waits_until_exactly_that_digest_is_approved() {
        let before = || Some(asked(&[LOG], &["a.example"]));
        let now = || asked(&[LOG, CLUSTER], &["a.example", "b.example"]);
        let new = vec![format!("import `{CLUSTER}`"), "host `b.example`".to_owned()];
        assert_eq!(judged(before(), now(), None), Verdict::Waits(new.clone()));
        assert_eq!(judged(before(), now(), Some("old")), Verdict::Waits(new));
        assert_eq!(judged(before(), now(), Some("new")), Verdict::Approved);
    }
}
