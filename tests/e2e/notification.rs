//! Alerts: from what happens to what a receiver gets.

use std::sync::mpsc;
use std::time::Duration;

use anyhow::{Context, Result};
use bulkhead_api::notification::{
    Alert, AlertSpec, EventSeverity, EventSource, Provider, ProviderSpec,
};
use bulkhead_testing::git::{HttpServer, Repository};
use serde_json::Value;

use crate::any_renderer::Shop;
use crate::manager::world;
use crate::receiver::{Message, receiver};
use crate::space::{SOON, Space, config_map};

// Waiting for the receiver blocks a thread; the Git server must go on.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs kube-apiserver"]
async fn failures_and_changes_reach_the_chat() -> Result<()> {
    let world = world().await?;
    let space = Space::new(world.cluster, "alert").await?;
    let (address, received) = receiver()?;
    space
        .secret(
            "chat",
            &[("address", &format!("{address}/canary-secret-path"))],
        )
        .await?;
    let mut provider = ProviderSpec::new("discord");
    provider.secret_ref = Some(bulkhead_api::meta::LocalObjectReference {
        name: "chat".to_owned(),
    });
    space
        .create(&Provider::new(&space.namespace, "chat", provider))
        .await?;
    let source = EventSource {
        kind: "Kustomization".into(),
        name: "*".into(),
        ..Default::default()
    };
    let mut alert = AlertSpec::new("chat", vec![source]);
    alert.event_severity = Some(EventSeverity::Info);
    alert.exclusion_list = vec![".*never sent.*".into()];
    space
        .create(&Alert::new(&space.namespace, "everything", alert))
        .await?;

    let git = Repository::with_files([("a.yaml", config_map("a", "1").as_str())])?;
    let server = HttpServer::start(&git).await?;
    space.repository("app", server.url()).await?;
    space.kustomization("a", |_| ()).await?;
    space.applied("a", &git.head()?).await?;
    let created = format!("ConfigMap/{}/a created", space.namespace);
    let (path, message) = find(&received, &created)?;
    assert_eq!(path, "/canary-secret-path/slack");
    assert_eq!(message["attachments"][0]["color"], "good", "{message}");
    let author = format!("kustomization/a.{}", space.namespace);
    assert_eq!(message["attachments"][0]["author_name"], author);

    git.write("a.yaml", "{")?;
    git.commit("break it")?;
    let (_, message) = find(&received, "a.yaml")?;
    assert_eq!(message["attachments"][0]["color"], "danger", "{message}");
    assert!(
        !world.manager.log().contains("canary-secret-path"),
        "a secret is in the log"
    );
    Ok(())
}

// The same blocking as above.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs kube-apiserver"]
async fn a_provider_names_its_notifier_by_annotation() -> Result<()> {
    let world = world().await?;
    let (space, shop) = (
        Space::new(world.cluster, "pager").await?,
        Shop::open().await?,
    );
    let (address, received) = receiver()?;
    let mut spec = ProviderSpec::new("generic");
    spec.address = Some(format!("{address}/hook"));
    let mut provider = Provider::new(&space.namespace, "on-call", spec);
    let named = ("bulkhead.dev/plugin".to_owned(), "pager".to_owned());
    provider.metadata.annotations = Some([named].into());
    space.create(&provider).await?;
    let source = EventSource {
        kind: "Kustomization".into(),
        name: "*".into(),
        ..Default::default()
    };
    let alert = AlertSpec::new("on-call", vec![source]);
    space
        .create(&Alert::new(&space.namespace, "everything", alert))
        .await?;
    let git = Repository::with_files([("a.yaml", config_map("a", "1").as_str())])?;
    let server = HttpServer::start(&git).await?;
    space.repository("app", server.url()).await?;
    space.kustomization("a", |_| ()).await?;
    let refused = space
        .event("everything", "NotificationDispatchFailed", "`pager`")
        .await?;
    assert_eq!(refused.type_.as_deref(), Some("Warning"));

    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let slack = std::fs::read(root.join("../plugins/target/components/notify-slack.wasm"))?;
    shop.install(&space, "pager", &slack).await?;
    git.write("a.yaml", config_map("a", "2"))?;
    git.commit("change a")?;
    let configured = format!("ConfigMap/{}/a configured", space.namespace);
    let (path, message) = find(&received, &configured)?;
    assert_eq!(path, "/hook");
    assert_eq!(message["attachments"][0]["color"], "good", "{message}");
    Ok(())
}

fn find(received: &mpsc::Receiver<Message>, part: &str) -> Result<(String, Value)> {
    let mut seen = Vec::new();
    let deadline = std::time::Instant::now() + SOON;
    while let Some(left) = deadline.checked_duration_since(std::time::Instant::now()) {
        match received.recv_timeout(left.max(Duration::from_millis(1))) {
            Ok(Message { path, body, .. }) if body.to_string().contains(part) => {
                return Ok((path, body));
            }
            Ok(message) => seen.push(message.body),
            Err(_) => break,
        }
    }
    None.with_context(|| format!("no message with `{part}`; there came {seen:#?}"))
}

#[tokio::test]
#[ignore = "needs kube-apiserver"]
async fn an_alert_without_a_provider_says_so() -> Result<()> {
    let world = world().await?;
    let space = Space::new(world.cluster, "noprovider").await?;
    let source = EventSource {
        kind: "GitRepository".into(),
        name: "app".into(),
        ..Default::default()
    };
    let alert = AlertSpec::new("nothing", vec![source]);
    space
        .create(&Alert::new(&space.namespace, "lost", alert))
        .await?;
    let git = Repository::with_files([("a.yaml", config_map("a", "1").as_str())])?;
    let server = HttpServer::start(&git).await?;
    space.repository("app", server.url()).await?;
    let event = space
        .event("lost", "NotificationDispatchFailed", "nothing")
        .await?;
    assert_eq!(event.type_.as_deref(), Some("Warning"));
    Ok(())
}
