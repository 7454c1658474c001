//! The process ends at each write, and each answer gets lost: what the next process makes of it.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bulkhead_apply::release::{
    ApplyMethod, Content, Done, Install, Rollback, Status, Target, Uninstall, Upgrade,
};

use super::{Scene, content, error, helm_of, hook, map};
use crate::{crashing, meddling};

/// The most writes that any action here takes.
const MAX_WRITES: usize = 40;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Act {
    Install,
    Replace,
    Upgrade,
    Rollback,
    Uninstall,
}

fn first() -> Content {
    let (a, b) = (map("a", "1"), map("b", "1"));
    let before = hook(
        "before",
        "pre-install,pre-upgrade,pre-delete",
        "hook-succeeded",
    );
    let after = hook(
        "after",
        "post-install,post-upgrade,post-delete",
        "hook-succeeded",
    );
    content(
        "1.0.0",
        &[("a", &a), ("b", &b), ("before", &before), ("after", &after)],
    )
}

fn second() -> Content {
    content("1.1.0", &[("a", &map("a", "2")), ("c", &map("c", "1"))])
}

fn third() -> Content {
    content("1.2.0", &[("d", &map("d", "1"))])
}

/// Both ways to apply; what follows an install goes the way of the version before.
const METHODS: [ApplyMethod; 2] = [ApplyMethod::ServerSide, ApplyMethod::ClientSide];

fn install(method: ApplyMethod) -> Install {
    Install {
        method,
        replace: true,
        ..Install::default()
    }
}

async fn run(
    helm: &bulkhead_apply::release::Helm,
    target: &Target,
    (act, method): (Act, ApplyMethod),
) -> Done {
    let forever = std::future::pending::<()>;
    match act {
        Act::Install | Act::Replace => {
            helm.install(target, first(), &install(method), forever())
                .await
        }
        Act::Upgrade => {
            helm.upgrade(target, second(), &Upgrade::default(), forever())
                .await
        }
        Act::Rollback => {
            let rollback = Rollback {
                version: 1,
                ..Rollback::default()
            };
            helm.rollback(target, &rollback, forever()).await
        }
        Act::Uninstall => helm.uninstall(target, &Uninstall::default()).await,
    }
}

async fn prepared((act, method): (Act, ApplyMethod)) -> Scene {
    let scene = Scene::new("sweep").await;
    if act != Act::Install {
        let done = run(&scene.helm, &scene.target, (Act::Install, method)).await;
        assert_eq!(error(&done), "");
    }
    if act == Act::Replace {
        let uninstall = Uninstall {
            keep_history: true,
            ..Uninstall::default()
        };
        let done = scene.helm.uninstall(&scene.target, &uninstall).await;
        assert_eq!(error(&done), "");
    }
    if act == Act::Rollback {
        assert_eq!(error(&scene.upgrade(second()).await), "");
    }
    scene
}

/// Does `act`, and stops before write number `crash_after`; returns whether it got to its end.
async fn crashed(scene: &Scene, act: (Act, ApplyMethod), crash_after: usize) -> bool {
    let (client, told) = crashing(scene.server.client().unwrap(), crash_after);
    let helm = helm_of(client, &scene.target.namespace);
    tokio::select! {
        done = run(&helm, &scene.target, act) => {
            assert_eq!(error(&done), "", "{act:?} after {crash_after}");
            true
        }
        () = told.notified() => false,
    }
}

/// What a controller does when it comes back: unlocks, then does what it was about to do, or what is
/// asked for meanwhile.
async fn recovered(scene: &Scene, act: Act, next: Content) {
    let last = scene.helm.storage().last("app").await.unwrap();
    let Some(last) = last else {
        assert_eq!(act, Act::Install);
        assert_eq!(error(&scene.install(next).await), "");
        return;
    };
    if last.info.status == Status::Uninstalled {
        assert_eq!(act, Act::Replace);
        let replace = install(ApplyMethod::ServerSide);
        let forever = std::future::pending::<()>();
        let done = scene
            .helm
            .install(&scene.target, next, &replace, forever)
            .await;
        assert_eq!(error(&done), "");
        return;
    }
    if last.info.status.is_pending() {
        let done = scene.helm.unlock(&scene.target).await;
        assert_eq!(error(&done), "");
        let release = done.release.unwrap();
        assert_eq!(release.info.status, Status::Failed);
        let told = release.info.description;
        assert_eq!(
            told,
            format!("Release unlocked from stale '{}' state", last.info.status)
        );
    }
    assert_eq!(error(&scene.upgrade(next).await), "");
}

#[tokio::test]
#[ignore = "needs kube-apiserver"]
async fn a_crash_at_any_write_is_taken_up() {
    let acts = [Act::Install, Act::Replace, Act::Upgrade, Act::Rollback];
    for (act, method) in acts
        .into_iter()
        .flat_map(|act| METHODS.map(|method| (act, method)))
    {
        let mut crash_after = 0;
        loop {
            let scene = prepared((act, method)).await;
            if crashed(&scene, (act, method), crash_after).await {
                break;
            }
            recovered(&scene, act, third()).await;
            // Nothing of any version before is left, and one version is deployed.
            assert_eq!(scene.names().await, ["d"], "{act:?} after {crash_after}");
            let records = scene.records().await;
            let deployed = records.iter().filter(|one| one.ends_with(" deployed"));
            assert_eq!(
                deployed.count(),
                1,
                "{act:?} after {crash_after}: {records:?}"
            );
            crash_after += 1;
            assert!(crash_after < MAX_WRITES);
        }
        assert!(crash_after > 4, "{act:?} has {crash_after} writes");
    }
}

#[tokio::test]
#[ignore = "needs kube-apiserver"]
async fn an_uninstall_that_was_broken_off_goes_on() {
    let mut crash_after = 0;
    loop {
        let act = (Act::Uninstall, ApplyMethod::ServerSide);
        let scene = prepared(act).await;
        if crashed(&scene, act, crash_after).await {
            break;
        }
        if scene.secrets().await > 0 {
            let done = run(&scene.helm, &scene.target, act).await;
            assert_eq!(error(&done), "", "after {crash_after}");
        }
        assert_eq!(scene.secrets().await, 0);
        assert_eq!(scene.names().await, [""; 0], "after {crash_after}");
        crash_after += 1;
        assert!(crash_after < MAX_WRITES);
    }
    assert!(crash_after > 4, "it has {crash_after} writes");
}

#[tokio::test]
#[ignore = "needs kube-apiserver"]
async fn an_answer_that_gets_lost_changes_nothing() {
    let acts = [Act::Install, Act::Upgrade, Act::Rollback, Act::Uninstall];
    for act in acts
        .into_iter()
        .flat_map(|act| METHODS.map(|method| (act, method)))
    {
        for lost in 0..MAX_WRITES {
            let scene = prepared(act).await;
            let writes = Arc::new(AtomicUsize::new(0));
            let counted = writes.clone();
            let client = meddling(scene.server.client().unwrap(), move |method, _| {
                let is_write = method != "GET";
                let count = if is_write {
                    counted.fetch_add(1, Ordering::Relaxed)
                } else {
                    0
                };
                async move { is_write && count == lost }
            });
            let helm = helm_of(client, &scene.target.namespace);
            let done = run(&helm, &scene.target, act).await;
            assert_eq!(error(&done), "", "{act:?}, answer {lost}");
            let names = match act.0 {
                Act::Install | Act::Replace | Act::Rollback => vec!["a", "b"],
                Act::Upgrade => vec!["a", "c"],
                Act::Uninstall => vec![],
            };
            assert_eq!(scene.names().await, names, "{act:?}, answer {lost}");
            if writes.load(Ordering::Relaxed) <= lost {
                break;
            }
        }
    }
}
