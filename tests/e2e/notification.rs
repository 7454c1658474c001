//! Alerts: from what happens to what a receiver gets.

use std::io::{Read, Write};
use std::net::TcpListener;
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
use crate::space::{SOON, Space, config_map};

/// Answers every request with 200 and passes on path and body.
fn receiver() -> Result<(String, mpsc::Receiver<(String, Value)>)> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = format!("http://{}", listener.local_addr()?);
    let (send, received) = mpsc::channel();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { return };
            if let Some(message) = message(&mut stream) {
                let _ = stream.write_all(
                    b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok",
                );
                if send.send(message).is_err() {
                    return;
                }
            }
        }
    });
    Ok((address, received))
}

fn message(stream: &mut std::net::TcpStream) -> Option<(String, Value)> {
    let mut bytes = Vec::new();
    let mut chunk = [0; 4096];
    loop {
        let read = stream.read(&mut chunk).ok().filter(|read| *read > 0)?;
        bytes.extend_from_slice(&chunk[..read]);
        let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") else {
            continue;
        };
        let head = String::from_utf8_lossy(&bytes[..end]).to_lowercase();
        let length = head
            .lines()
            .find_map(|line| line.strip_prefix("content-length: "))?;
        if bytes.len() >= end + 4 + length.trim().parse::<usize>().ok()? {
            let path = String::from_utf8_lossy(&bytes)
                .split(' ')
                .nth(1)?
                .to_owned();
            return Some((path, serde_json::from_slice(&bytes[end + 4..]).ok()?));
        }
    }
}

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

fn find(received: &mpsc::Receiver<(String, Value)>, part: &str) -> Result<(String, Value)> {
    let mut seen = Vec::new();
    let deadline = std::time::Instant::now() + SOON;
    while let Some(left) = deadline.checked_duration_since(std::time::Instant::now()) {
        match received.recv_timeout(left.max(Duration::from_millis(1))) {
            Ok((path, message)) if message.to_string().contains(part) => {
                return Ok((path, message));
            }
            Ok((_, message)) => seen.push(message),
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
