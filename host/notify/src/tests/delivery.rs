//! What the host does with a guest's outcomes, and with events.

use super::server::{Server, answer};
use super::*;
use crate::dispatch::{REQUESTS_MAX, STEPS_MAX};
use crate::select::Skipped;
use crate::select::tests::event;
use crate::state::STATE_MAX_BYTES;

async fn run(behaviour: impl Fn(&Call) -> Outcome + Send + Sync + 'static) -> String {
    let guest = Fake::new(behaviour);
    let subscription = subscription("https://hooks.example/");
    told(deliver(&notifier(&guest, local()), &event(), &subscription).await)
}

#[tokio::test]
async fn a_guest_gets_the_event_its_metadata_and_no_secret() {
    let guest = Fake::new(|_| Outcome::Done(Vec::new()));
    let mut event = event();
    event.metadata.insert(
        "kustomize.toolkit.fluxcd.io/revision".into(),
        "main@sha1:1f0c".into(),
    );
    event.message = "é".repeat(39_001);
    let subscription = subscription(&format!("https://hooks.example/{CANARY}"));
    let sent = deliver(&notifier(&guest, local()), &event, &subscription).await;
    assert_eq!(told(sent), "Sent { requests: 0 }");
    let Some(Call::Start {
        event,
        config,
        state,
    }) = guest.calls().pop()
    else {
        unreachable!()
    };
    assert_eq!(
        config,
        r#"{"type":"fake","channel":"","username":"","secrets":["address","token"]}"#
    );
    assert_eq!(state, b"");
    assert_eq!(event.message.chars().count(), 39_000);
    assert_eq!(event.time, "2026-11-23T18:32:00Z");
    assert_eq!(event.revision.as_deref(), Some("main@sha1:1f0c"));
    let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let expected = [
        pair("revision", "main@sha1:1f0c"),
        pair("event.controller", "kustomize-controller"),
    ];
    assert_eq!(event.attributes, expected);
    assert!(!format!("{event:?}{config}").contains(CANARY));
}

#[tokio::test]
async fn guests_that_never_end_are_stopped() {
    let told = run(|_| next(Vec::new())).await;
    assert_eq!(
        told,
        "the notifier asked for 9 steps, at most 8 are allowed"
    );
    let steps = Mutex::new(0);
    let told = run(move |_| {
        let mut steps = steps.lock().unwrap();
        *steps += 1;
        if *steps > STEPS_MAX {
            Outcome::Done(Vec::new())
        } else {
            next(Vec::new())
        }
    })
    .await;
    assert_eq!(told, "Sent { requests: 0 }");
    let told = run(|_| next(vec![post(vec![secret("address")]); REQUESTS_MAX + 1])).await;
    assert_eq!(
        told,
        "the notifier asked for 17 requests in one step, at most 16 are allowed"
    );
}

#[tokio::test]
async fn what_a_guest_keeps_is_limited_and_comes_back() {
    let kept = Fake::new(|_| Outcome::Done(vec![7; STATE_MAX_BYTES]));
    let notifier = notifier(&kept, local());
    let subscription = subscription("https://hooks.example/");
    let mut event = event();
    for message in ["one", "two"] {
        event.message = message.to_owned();
        assert_eq!(
            told(deliver(&notifier, &event, &subscription).await),
            "Sent { requests: 0 }"
        );
    }
    event.message = "three".to_owned();
    event.involved_object.name = "another".to_owned();
    assert_eq!(
        told(deliver(&notifier, &event, &subscription).await),
        "Sent { requests: 0 }"
    );
    let states: Vec<usize> = kept
        .calls()
        .iter()
        .map(|call| match call {
            Call::Start { state, .. } | Call::Resume { state, .. } => state.len(),
        })
        .collect();
    assert_eq!(states, [0, STATE_MAX_BYTES, 0]);
    let told = run(|_| Outcome::Done(vec![7; STATE_MAX_BYTES + 1])).await;
    assert_eq!(
        told,
        "the notifier asked for 65537 bytes of state, at most 65536 are allowed"
    );
}

#[tokio::test]
async fn outcomes_are_told_without_secrets() {
    let told = run(|_| Outcome::Failed(format!("no channel {CANARY}"))).await;
    assert_eq!(told, "no channel ***");
    assert_eq!(
        run(|_| Outcome::Retry(Some(3))).await,
        "the service asked to wait 3s"
    );
    let told = run(|_| next(vec![post(vec![secret("password")])])).await;
    assert_eq!(
        told,
        "failed to prepare a request of the notifier: the provider has no secret `password`"
    );
}

#[tokio::test]
async fn the_same_event_is_sent_once_and_a_failed_one_again() {
    let server = Server::start(|_, number| match number {
        0 => answer(404, &[], b""),
        _ => answer(200, &[], b""),
    })
    .await;
    let guest = Fake::posting(|| post(vec![secret("address")]));
    let notifier = notifier(&guest, local());
    let subscription = subscription(&server.url("/"));
    let failed = deliver(&notifier, &event(), &subscription).await;
    assert!(failed.is_err());
    assert_eq!(
        told(deliver(&notifier, &event(), &subscription).await),
        "Sent { requests: 1 }"
    );
    let again = deliver(&notifier, &event(), &subscription).await.unwrap();
    assert_eq!(again, Delivered::Skipped(Skipped::Duplicate));
    assert_eq!(server.received().len(), 2);
}

#[tokio::test]
async fn each_subscription_has_its_result() {
    let guest = Fake::new(|_| Outcome::Done(Vec::new()));
    let good = subscription("https://hooks.example/");
    let mut suspended = good.clone();
    suspended.alert.spec.suspend = true;
    suspended.alert.metadata.name = Some("suspended".to_owned());
    let mut unknown = good.clone();
    unknown.provider.spec.type_ = "pigeon".to_owned();
    unknown.alert.metadata.name = Some("unknown".to_owned());
    unknown.alert.spec.exclusion_list = vec!["(".to_owned()];
    let deliveries = notifier(&guest, local())
        .deliver(&event(), None, &[good, suspended, unknown])
        .await;
    assert_eq!(
        deliveries[0].result.as_ref().ok(),
        Some(&Delivered::Sent { requests: 0 })
    );
    let skipped = Delivered::Skipped(Skipped::AlertSuspended);
    assert_eq!(deliveries[1].result.as_ref().ok(), Some(&skipped));
    assert_eq!(deliveries[2].alert, "flux-system/unknown");
    assert_eq!(
        deliveries[2].warnings,
        ["failed to compile exclusion regex: ("]
    );
    assert_eq!(
        deliveries[2].failure(&event()).as_deref(),
        Some(
            "failed to send notification for Kustomization/flux-system/web: provider \
             `flux-system/fake` has type `pigeon`, for which no notifier is installed"
        )
    );
}

#[tokio::test]
async fn other_namespaces_can_be_kept_out() {
    let guest = Fake::new(|_| Outcome::Done(Vec::new()));
    let settings = Settings {
        cross_namespace: false,
        ..local()
    };
    let mut subscription = subscription("https://hooks.example/");
    subscription.alert.spec.event_sources[0].namespace = Some("dev".to_owned());
    let mut event = event();
    event.involved_object.namespace = "dev".to_owned();
    let told = told(deliver(&notifier(&guest, settings), &event, &subscription).await);
    assert_eq!(
        told,
        "alert `flux-system/chat` can't process event from `Kustomization/dev/web`, cross-namespace references have been blocked"
    );
    assert!(guest.calls().is_empty());
}
