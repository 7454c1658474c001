//! Each link of the chain, whole and broken.

use bulkhead_api::Digest;
use serde_json::json;

use super::super::certificate::TIME_STAMPING;
use super::super::{Matcher, Rejection, Signer, VerifyError, check};
use super::scene::{Cast, ISSUER, SUBJECT, Scene, issued, policy};

fn trusted() -> (Matcher, Matcher) {
    (Matcher::exact(ISSUER), Matcher::exact(SUBJECT))
}

/// Why the scene is not trusted.
fn rejection(cast: &Cast, scene: &Scene) -> Rejection {
    let (issuer, subject) = trusted();
    let policy = policy(cast.trusted(|_| ()), issuer, subject);
    let (resolved, signature) = cast.bundle(scene);
    match check(&resolved, &[signature], &policy) {
        Err(VerifyError::Rejected {
            source, count: 1, ..
        }) => source,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_whole_chain_is_trusted_in_both_formats() {
    let cast = Cast::new();
    let (issuer, subject) = trusted();
    let policy = policy(cast.trusted(|_| ()), issuer, subject);
    let expected = Signer::Identity {
        issuer: ISSUER.to_owned(),
        subject: SUBJECT.to_owned(),
    };
    for (resolved, signature) in [
        cast.bundle(&Scene::default()),
        cast.legacy(&Scene::default()),
    ] {
        let verified = check(&resolved, &[signature], &policy).unwrap();
        assert_eq!(verified.identity, expected);
        assert_eq!(
            verified.time.unwrap().as_second(),
            issued().as_second() + 30
        );
    }
}

#[test]
fn a_promise_or_a_proof_with_a_timestamp_is_enough() {
    let cast = Cast::new();
    let (issuer, subject) = trusted();
    let policy = policy(cast.trusted(|_| ()), issuer, subject);
    let promise = Scene {
        has_proof: false,
        ..Scene::default()
    };
    let proof = Scene {
        has_promise: false,
        stamped_after: Some(60),
        ..Scene::default()
    };
    for scene in [promise, proof] {
        let (resolved, signature) = cast.bundle(&scene);
        check(&resolved, &[signature], &policy).unwrap();
    }
}

#[test]
fn identities_are_compared_exactly_or_by_expression() {
    let cast = Cast::new();
    let root = cast.trusted(|_| ());
    let (resolved, signature) = cast.bundle(&Scene::default());
    let pattern = |text: &str| Matcher::pattern(text).unwrap();
    let found = |issuer: Matcher, subject: Matcher| {
        check(
            &resolved,
            std::slice::from_ref(&signature),
            &policy(root.clone(), issuer, subject),
        )
    };
    let any = || pattern("^https://ci\\.example\\.com/team/.*@main$");
    assert!(found(Matcher::exact(ISSUER), any()).is_ok());
    assert!(found(pattern("example"), any()).is_ok());
    let rejected = |result: Result<_, VerifyError>| match result {
        Err(VerifyError::Rejected { source, .. }) => source,
        other => panic!("{other:?}"),
    };
    assert_eq!(
        rejected(found(Matcher::exact("https://accounts.example.org"), any())),
        Rejection::OtherIssuer {
            found: ISSUER.to_owned()
        }
    );
    assert_eq!(
        rejected(found(Matcher::exact(ISSUER), pattern("@release$"))),
        Rejection::OtherSubject {
            found: SUBJECT.to_owned()
        }
    );
}

#[test]
fn each_broken_link_is_told_by_its_name() {
    let cast = Cast::new();
    let whole = Scene::default;
    let log = Rejection::CertificateLog;
    let other = Digest::of(b"other");
    let unknown = base64::Engine::encode(
        &base64::engine::general_purpose::STANDARD,
        cast.stranger.log_id(),
    );
    let expired = |after: i64| {
        let at = jiff::Timestamp::from_second(issued().as_second() + after).unwrap();
        Rejection::Expired(at.to_string())
    };
    let cases = [
        (
            Scene {
                digest: Some(other),
                ..whole()
            },
            Rejection::OtherDigest {
                found: other.to_string(),
            },
        ),
        (
            Scene {
                payload_changed: true,
                ..whole()
            },
            Rejection::Signature,
        ),
        (
            Scene {
                has_entry: false,
                ..whole()
            },
            Rejection::LogMissing,
        ),
        (
            Scene {
                has_entry: false,
                stamped_after: Some(1),
                ..whole()
            },
            Rejection::LogMissing,
        ),
        (
            Scene {
                log_is_stranger: true,
                ..whole()
            },
            Rejection::LogUnknown(unknown),
        ),
        (
            Scene {
                promise_by_stranger: true,
                ..whole()
            },
            Rejection::LogPromise,
        ),
        (
            Scene {
                proof_by_stranger: true,
                ..whole()
            },
            Rejection::LogProof("the log has not signed the checkpoint"),
        ),
        (
            Scene {
                has_promise: false,
                has_proof: false,
                ..whole()
            },
            Rejection::LogProof("it has neither a promise nor a proof"),
        ),
        (
            Scene {
                entry_of_other: true,
                ..whole()
            },
            Rejection::LogEntry("digest"),
        ),
        (
            Scene {
                has_promise: false,
                ..whole()
            },
            Rejection::TimeMissing,
        ),
        (
            Scene {
                logged_after: 601,
                ..whole()
            },
            expired(601),
        ),
        (
            Scene {
                logged_after: -1,
                ..whole()
            },
            expired(-1),
        ),
        (
            Scene {
                stamped_after: Some(601),
                ..whole()
            },
            expired(601),
        ),
        (
            Scene {
                stamped_after: Some(1),
                clock_signs_other: true,
                ..whole()
            },
            Rejection::Timestamp("it is about another signature"),
        ),
        (
            Scene {
                stamped_after: Some(1),
                clock_is_stranger: true,
                ..whole()
            },
            Rejection::Timestamp("the clock has not signed it"),
        ),
        (
            Scene {
                has_certificate_promise: false,
                ..whole()
            },
            log("it holds no promise of a log"),
        ),
        (
            Scene {
                certificate_promise_by_stranger: true,
                ..whole()
            },
            log("the log has not signed the promise"),
        ),
        (
            Scene {
                issuer: "https://accounts.example.org",
                ..whole()
            },
            Rejection::OtherIssuer {
                found: "https://accounts.example.org".to_owned(),
            },
        ),
        (
            Scene {
                subject: "me@example.com",
                ..whole()
            },
            Rejection::OtherSubject {
                found: "me@example.com".to_owned(),
            },
        ),
    ];
    for (at, (scene, expected)) in cases.into_iter().enumerate() {
        assert_eq!(rejection(&cast, &scene), expected, "case {at}");
    }
    for scene in [
        Scene {
            authority_is_stranger: true,
            ..whole()
        },
        Scene {
            usage: TIME_STAMPING,
            ..whole()
        },
    ] {
        let found = rejection(&cast, &scene);
        assert!(matches!(found, Rejection::Certificate(_)), "{found:?}");
    }
}

#[test]
fn the_older_format_is_held_to_the_same() {
    let cast = Cast::new();
    let (issuer, subject) = trusted();
    let policy = policy(cast.trusted(|_| ()), issuer, subject);
    for (scene, expected) in [
        (
            Scene {
                payload_changed: true,
                ..Scene::default()
            },
            Rejection::Signature,
        ),
        (
            Scene {
                has_entry: false,
                ..Scene::default()
            },
            Rejection::LogMissing,
        ),
        (
            Scene {
                promise_by_stranger: true,
                ..Scene::default()
            },
            Rejection::LogPromise,
        ),
        (
            Scene {
                entry_of_other: true,
                ..Scene::default()
            },
            Rejection::LogEntry("digest"),
        ),
    ] {
        let (resolved, signature) = cast.legacy(&scene);
        match check(&resolved, &[signature], &policy) {
            Err(VerifyError::Rejected { source, .. }) => assert_eq!(source, expected),
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn what_the_root_does_not_name_is_not_asked_for_and_what_has_ended_does_not_count() {
    let cast = Cast::new();
    let (resolved, signature) = cast.bundle(&Scene {
        has_entry: false,
        has_certificate_promise: false,
        stamped_after: Some(10),
        ..Scene::default()
    });
    let with = |change: &dyn Fn(&mut serde_json::Value)| {
        let (issuer, subject) = trusted();
        let root = cast.trusted(change);
        check(
            &resolved,
            std::slice::from_ref(&signature),
            &policy(root, issuer, subject),
        )
    };
    // A service of one's own, with a clock and without logs.
    with(&|root| {
        root["tlogs"] = json!([]);
        root["ctlogs"] = json!([]);
    })
    .unwrap();
    let ended = |list: &'static str| {
        move |root: &mut serde_json::Value| {
            root["tlogs"] = json!([]);
            root["ctlogs"] = json!([]);
            root[list][0]["validFor"]["end"] = json!("2026-02-01T00:00:00Z");
        }
    };
    for list in ["certificateAuthorities", "timestampAuthorities"] {
        assert!(with(&ended(list)).is_err(), "{list}");
    }
    let (resolved, signature) = cast.bundle(&Scene::default());
    for list in ["tlogs", "ctlogs"] {
        let (issuer, subject) = trusted();
        let root = cast.trusted(|root| {
            let key = &mut root[list][0]["publicKey"];
            key["validFor"]["end"] = json!("2026-02-01T00:00:00Z");
        });
        let result = check(
            &resolved,
            std::slice::from_ref(&signature),
            &policy(root, issuer, subject),
        );
        assert!(
            matches!(result, Err(VerifyError::Rejected { .. })),
            "{list}"
        );
    }
}

#[test]
fn keys_and_identities_are_not_taken_for_each_other() {
    use super::super::{Mode, Policy, PublicKey, Trust};
    let cast = Cast::new();
    let (resolved, signature) = cast.bundle(&Scene::default());
    let keys = Policy {
        trust: Trust::Keys {
            keys: vec![PublicKey::from_spki(&cast.signer.spki()).unwrap()],
            root: None,
        },
        mode: Mode::Enforce,
    };
    match check(&resolved, &[signature], &keys) {
        Err(VerifyError::Rejected {
            source: Rejection::OtherKind { .. },
            ..
        }) => {}
        other => panic!("{other:?}"),
    }
}
